"""The hand-written pages name everything the code can say, and nothing it cannot."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
READ = ROOT / "src" / "thingwatch" / "read"
STORE = ROOT / "src" / "thingwatch" / "store"
PAGE = ROOT / "docs"

NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")
# Words with a hyphen in read/ that are no reason: names of codecs, columns and values of the formats read there.
OTHER_WORDS = """
    latin-1 utf-8 utf-16 utf-16-le utf-16-be utf-8-sig message-id intra-org us-ascii iso-8859-1 mailer-daemon
"""
# Where a name is one word, it is told by what takes it.
TAKERS = frozenset({"Skip", "Bad", "BadValueError", "append", "message"})
ONE_WORD_MAKERS = ("postfix.py", "exim.py", "export.py", "underway.py")
COMPRESSIONS = ("gzip", "xz", "bzip2", "zstd")


def names_in_tables(page: str, *headings: str) -> list[str]:
    """The names in the first column of the tables under *headings*."""
    text = (PAGE / page).read_text("utf-8")
    found: list[str] = []
    for heading in headings:
        section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        assert section, f"{page} has no section {heading}"
        found += re.findall(r"^\| `([^`]+)` \|", section, re.M)
    return found


def spoken() -> tuple[set[str], set[str]]:
    """Every reason written out in read/, and the patterns of those put together there."""
    names: set[str] = set()
    patterns: set[str] = set()
    columns: set[str] = set()
    for file in sorted(READ.glob("*.py")):
        tree = ast.parse(file.read_text("utf-8"))
        inside = {
            id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
                if NAME.fullmatch(node.value) and node.value not in OTHER_WORDS.split():
                    names.add(node.value)
            elif isinstance(node, ast.JoinedStr) and (pattern := _pattern(node)):
                patterns.add(pattern)
            elif isinstance(node, ast.Call):
                names.update(_one_word(node, file.name))
                columns.update(_column(node))
    # A column's value that cannot be used is named by the column.
    return names - columns | {f"{column}-malformed" for column in columns}, patterns


def _pattern(node: ast.JoinedStr) -> str | None:
    pieces = [str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values]
    text = "".join(pieces)
    return text if re.fullmatch(r"[a-z]+-\*|\*-[a-z]+", text) else None


def _one_word(call: ast.Call, file: str) -> Iterator[str]:
    taker = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if taker not in TAKERS or (taker == "append" and file not in ONE_WORD_MAKERS):
        return
    for argument in call.args[-1:]:
        word = argument.value if isinstance(argument, ast.Constant) else None
        if isinstance(word, str) and re.fullmatch(r"[a-z]{4,}", word):
            yield word


def _column(call: ast.Call) -> Iterator[str]:
    if isinstance(call.func, ast.Name) and call.func.id == "_text" and len(call.args) == 2:
        name = call.args[1]
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            yield name.value


def test_every_skip_and_defect_has_a_sentence() -> None:
    """A name that reading can give stands on the page of inputs, whether written out or put together."""
    documented = set(names_in_tables("inputs.md", "Skips", "Defects"))
    names, patterns = spoken()
    assert {"empty", "bare-cr", "rejected", "archive-bomb", "log-incomplete"} <= names
    assert sorted(names - documented) == []
    for pattern in patterns:
        assert any(re.fullmatch(pattern.replace("*", "[a-z0-9-]+"), name) for name in documented), pattern
    assert {f"{damage}-{kind}" for kind in COMPRESSIONS for damage in ("damaged", "truncated")} <= documented


def test_no_name_on_the_page_of_inputs_is_out_of_use() -> None:
    """Every name on the page stands somewhere in read/, whole or as one put together."""
    names, patterns = spoken()
    documented = names_in_tables("inputs.md", "Skips", "Defects")
    assert len(documented) == len(set(documented))
    sources = "\n".join(file.read_text("utf-8") for file in READ.glob("*.py"))
    unknown = [
        name
        for name in documented
        if name not in names
        and f'"{name}"' not in sources
        and not any(re.fullmatch(pattern.replace("*", "[a-z0-9-]+"), name) for pattern in patterns)
    ]
    assert unknown == []


def test_every_column_of_a_case_has_a_sentence() -> None:
    """The page of the case names the columns each Parquet file has, in their order, and no others."""
    queries = sorted(STORE.glob("case_*.sql"))
    assert len(queries) == 6
    for query in queries:
        text = re.sub(r"--[^\n]*", "", query.read_text("utf-8"))
        # The outermost list of columns: up to the FROM at the line's start, one column a line.
        listed = text.partition("\nFROM ")[0]
        columns = re.findall(r"^ {4}[^ ].*?\bAS (\w+),?$|^ {4}(?:END|\]) AS (\w+),?$", listed, re.M)
        name = query.stem.removeprefix("case_")
        # A list of what was seen of each source is put beside the query's columns.
        appended = ["evidence"] if name == "sources" else []
        assert [a or b for a, b in columns] + appended == names_in_tables("case.md", f"{name}.parquet"), name
