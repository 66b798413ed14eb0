"""Write the reference pages that the code itself can tell: settings, reasons, tables, commands, report.json.

    python scripts/generate_docs.py [--check]

With --check nothing is written; the exit code says whether every page is current. A page whose source is not
there yet is left out.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
NOTE = "<!-- Written by `make docs`; change the source it names, not this page. -->"

_TABLE = re.compile(r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+) \( *-- *(.+)$")
_COLUMN = re.compile(r"^\s+(\w+) ([^,]*?(?:\([^)]*\))?[^,]*?),? *-- *(.+)$")
_COMMENT = re.compile(r"^-- ?(.*)$")


def pages() -> dict[str, str]:
    """Every page whose source exists: file name and text."""
    made: dict[str, Callable[[], str | None]] = {
        "settings.md": settings_page,
        "guard-settings.md": guard_settings_page,
        "reasons.md": reasons_page,
        "tables.md": tables_page,
        "commands.md": commands_page,
        "report.md": report_page,
        "likelihoods.md": likelihoods_page,
    }
    return {name: text for name, page in made.items() if (text := page()) is not None}


def settings_page() -> str | None:
    """Every setting: default, range, unit, sentence."""
    if (config := _module("thingwatch.config")) is None:
        return None
    return _page(
        "Settings",
        "src/thingwatch/config.py",
        "Given in a TOML file of `name = value` lines with `--config`. A value outside its range is refused.",
        _table(("setting", "default", "range", "unit", "what it does"), _setting_rows(config.Settings)),
    )


def _setting_rows(settings: Any) -> list[tuple[str, ...]]:
    rows = []
    for field in dataclasses.fields(settings):
        about = field.metadata
        low, high = about.get("low"), about.get("high")
        span = f"{low:,} to {high:,}" if low is not None and high is not None else ""
        rows.append((f"`{field.name}`", f"`{_default(field)}`", span, about["unit"], _sentence(about["doc"])))
    return rows


def reasons_page() -> str | None:
    """Every reason a verdict can rest on, the heaviest first."""
    if (reasons := _module("thingwatch.judge.reasons")) is None:
        return None
    rules = sorted(reasons.REASONS.items(), key=lambda item: (-item[1].weight, item[0]))
    return _page(
        "Reasons",
        "src/thingwatch/judge/reasons.py",
        "Weights are bits: one bit doubles the odds that a campaign is an attack, minus one halves them. "
        "Nothing else moves a verdict.",
        _table(
            ("reason", "bits", "sentence"),
            [(f"`{name}`", f"{rule.weight:+g}", _sentence(rule.sentence)) for name, rule in rules],
        ),
    )


def tables_page() -> str | None:
    """Every table and column of the store, from the comments of its schema."""
    schema = Path(importlib.import_module("thingwatch").__path__[0]) / "store" / "schema.sql"
    if not schema.is_file():
        return None
    lines = schema.read_text("utf-8").splitlines()
    introduction: list[str] = []
    for line in lines:
        if (comment := _COMMENT.match(line)) is None:
            break
        introduction.append(comment[1])
    parts: list[str] = []
    rows: list[tuple[str, ...]] = []
    open_table = False
    for number, line in enumerate(lines, 1):
        if table := _TABLE.match(line):
            open_table, rows = True, []
            parts.append(f"## {table[1]}\n\n{_sentence(table[2])}\n")
        elif line.startswith("CREATE TABLE"):
            raise ValueError(f"{schema.name}:{number}: a table without its sentence")
        elif open_table and line.startswith(")"):
            open_table = False
            parts.append(_table(("column", "type", "what it holds"), rows))
        elif open_table and (column := _COLUMN.match(line)):
            rows.append((f"`{column[1]}`", column[2].strip(), _sentence(column[3])))
        elif open_table and line.strip() and not line.strip().startswith("--"):
            raise ValueError(f"{schema.name}:{number}: a column without its sentence")
    return _page("Tables", "src/thingwatch/store/schema.sql", " ".join(introduction), "\n".join(parts))


def commands_page() -> str | None:
    """Every command with its arguments and options."""
    if (cli := _module("thingwatch.cli")) is None:
        return None
    import typer

    root: Any = typer.main.get_command(cli.app)
    parts = []
    for name, command in _commands(root, ""):
        parameters = [
            one for one in command.params if not getattr(one, "hidden", False) and one.name != "help"
        ]
        arguments = [one for one in parameters if one.param_type_name == "argument"]
        usage = " ".join([f"thingwatch {name}", *map(_argument, arguments), "[options]"])
        rows = [(_names(one), _shown(one.default), _sentence(one.help or "")) for one in parameters]
        parts.append(f"## {name}\n\n    {usage}\n\n{_plain(command.help)}\n")
        parts.append(_table(("argument or option", "default", "what it does"), rows))
    return _page("Commands", "src/thingwatch/cli.py", _plain(root.help), "\n".join(parts))


def _commands(group: Any, before: str) -> Iterable[tuple[str, Any]]:
    """Every command by its whole name; those of a group behind the group's own."""
    for name in sorted(group.list_commands(None)):
        command = group.get_command(None, name)
        if command.hidden:
            continue
        if hasattr(command, "list_commands"):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def guard_settings_page() -> str | None:
    """Every setting of guard.toml: the guard's own on top, then the tables."""
    options, service = _module("thingwatch.guard.options"), _module("thingwatch.guard.service.settings")
    if options is None or service is None:
        return None
    head = ("setting", "default", "range", "unit", "what it does")
    body = [
        _table(head, _setting_rows(options.Options)),
        "## [service]\n",
        _table(head, _setting_rows(service.Service)),
    ]
    return _page(
        "Settings of the guard",
        "src/thingwatch/guard/options.py",
        "Given in a TOML file with `thingwatch guard run --config`. A value outside its range is refused. Tables"
        " `[outlets.NAME]` are on [guard-outlets](guard-outlets.md), the table `[actions]` on [guard](guard.md).",
        "\n".join(body),
    )


def likelihoods_page() -> str | None:
    """Every item of evidence, and what each of its values is worth."""
    if (likelihood := _module("thingwatch.identify.likelihood")) is None:
        return None
    quality = {"M": "measured", "L": "from the literature", "J": "judged by us"}
    parts = []
    for item in likelihood.items().values():
        marks = [quality[item.quality], f"family {item.family}", f"speaks of the {item.speaks_of}"]
        marks += ["fades with age"] if item.fades else []
        marks += ["names only those found"] if item.lists else []
        marks += ["the same for all that sends from a home"] if item.homes_alike else []
        rows = [
            (f"`{value}`", *(f"{chance:g}" for chance in row))
            for value, row in zip(item.values, item.table.tolist(), strict=True)
        ]
        head = ("value", *(f"`{name}`" for name in likelihood.ORIGINS))
        parts.append(f"## {item.name}\n\n{item.source}\n\n*{'; '.join(marks)}.*\n")
        parts.append(_table(head, rows))
    return _page(
        "Likelihoods",
        "src/thingwatch/identify/likelihoods.toml",
        "What is seen of a source, and how often each origin shows it: a column is an origin, and adds up to one over "
        f"the values. No item moves the odds by more than {likelihood.CAP:g}. How they are weighed is on "
        "[senders](senders.md).",
        "\n".join(parts),
    )


def report_page() -> str | None:
    """Every field of report.json, from the descriptions in its JSON Schema."""
    file = Path(importlib.import_module("thingwatch").__path__[0]) / "act" / "report.schema.json"
    if not file.is_file():
        return None
    schema = json.loads(file.read_text("utf-8"))
    parts = [_table(("field", "type", "what it holds"), _fields(schema, ""))]
    for name, definition in schema["$defs"].items():
        parts.append(f"## {name}\n\n{definition['description']}\n")
        if rows := list(_fields(definition, "")):
            parts.append(_table(("field", "type", "what it holds"), rows))
    return _page(
        "report.json", "src/thingwatch/act/report.schema.json", schema["description"], "\n".join(parts)
    )


def _fields(schema: dict[str, Any], before: str) -> Iterable[tuple[str, str, str]]:
    """A row for each property of *schema*; those of objects inside it follow under dotted names."""
    for name, inside in schema.get("properties", {}).items():
        if "description" not in inside:
            raise ValueError(f"report.schema.json: {before}{name} without its sentence")
        kinds = [_kind(one) for one in inside.get("anyOf", [inside])]
        yield f"`{before}{name}`", " or ".join(kinds), _sentence(inside["description"])
        for one in inside.get("anyOf", [inside]):
            if one.get("type") == "array":
                yield from _fields(one.get("items", {}), f"{before}{name}[].")
            elif one.get("type") == "object":
                yield from _fields(one, f"{before}{name}.")


def _kind(schema: dict[str, Any]) -> str:
    """A schema's type in a word or two, with a link where it has a section of its own."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name})"
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if "prefixItems" in schema:
        return f"[{', '.join(_kind(one) for one in schema['prefixItems'])}]"
    if schema["type"] == "array":
        return f"list of {_kind(schema['items'])}"
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(kinds)


def _module(name: str) -> ModuleType | None:
    """A module, None where it does not exist; one that exists and cannot be imported raises."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            return None
        raise


def _default(field: dataclasses.Field[Any]) -> str:
    made: Any = field.default_factory
    value = made() if field.default is dataclasses.MISSING else field.default
    if isinstance(value, bool):
        return str(value).lower()
    return "[]" if value == () else repr(value).replace("'", '"')


def _argument(one: Any) -> str:
    name = (one.metavar or one.name).upper().rstrip(".") + ("..." if one.nargs == -1 else "")
    return name if one.required else f"[{name}]"


def _names(one: Any) -> str:
    if one.param_type_name == "argument":
        return f"`{_argument(one)}`"
    return ", ".join(f"`{name}`" for name in [*one.opts, *one.secondary_opts])


def _shown(value: Any) -> str:
    return "" if value is None or value is False or value == () or callable(value) else f"`{value}`"


def _plain(text: str | None) -> str:
    """A docstring's paragraphs, without line breaks inside them."""
    return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n|\f", text or "") if part.strip())


def _sentence(text: str) -> str:
    """One line for a table's cell."""
    return " ".join(text.split()).replace("|", "\\|")


def _table(head: tuple[str, ...], rows: Iterable[Sequence[str]]) -> str:
    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def _page(title: str, source: str, introduction: str, body: str) -> str:
    return f"# {title}\n\n{NOTE}\n\nFrom [{Path(source).name}](../{source}). {introduction}\n\n{body}"


def main() -> int:
    """Write the pages, or with --check compare them; 1 where one is out of date."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; say which pages are out of date")
    given = parser.parse_args()
    old = 0
    for name, text in pages().items():
        file = DOCS / name
        if file.is_file() and file.read_text("utf-8") == text:
            continue
        if given.check:
            print(f"docs/{name} is out of date: run `make docs`")
            old = 1
        else:
            DOCS.mkdir(exist_ok=True)
            file.write_text(text, "utf-8")
            print(f"wrote docs/{name}")
    return old


if __name__ == "__main__":
    sys.exit(main())
