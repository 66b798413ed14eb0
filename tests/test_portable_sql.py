"""The queries run on DuckDB, and say the same on Spark 4 once transpiled: what would not is refused here."""

from __future__ import annotations

import ast
from collections.abc import Callable
from importlib import resources
from importlib.resources.abc import Traversable
from typing import NamedTuple

import pytest
import sqlglot
from sqlglot import ErrorLevel, exp

ROOT = resources.files("thingwatch")
ASKED = ("run", "rows", "arrow", "number", "write_parquet")  # verbs of Engine that take a statement
FLOW = (
    "uncover.py",
    "continued.py",
    "memory/",
    "group/",
    "profile/",
    "store/",
    "identify/",
)  # what a run is made of

# Files outside the flow of a run, each with the reason why no cluster ever sees it.
NOT_IN_THE_FLOW = {
    "store/schema.sql": "describes the tables for docs/tables.md; nothing runs it",
    "score.sql": "measures a finished case on one machine, from its Parquet files",
}


class Trap(NamedTuple):
    """A construct that Spark refuses or answers differently."""

    name: str
    found: Callable[[exp.Expression], bool]
    reason: str


def _is(*kinds: str) -> Callable[[exp.Expression], bool]:
    classes = tuple(getattr(exp, kind) for kind in kinds)
    return lambda node: isinstance(node, classes)


def _has(kind: str, part: str) -> Callable[[exp.Expression], bool]:
    return lambda node: isinstance(node, getattr(exp, kind)) and bool(node.args.get(part))


def _unordered_limit(node: exp.Expression) -> bool:
    return isinstance(node, exp.Select) and bool(node.args.get("limit")) and not node.args.get("order")


def _star_but(node: exp.Expression) -> bool:
    return isinstance(node, exp.Star) and any(
        node.args.get(part) for part in ("except_", "except", "replace", "rename")
    )


def _cast_to_a_time(node: exp.Expression) -> bool:
    return isinstance(node, exp.Cast) and node.is_type("date", "timestamp", "timestamptz")


def _implicit_join(node: exp.Expression) -> bool:
    return isinstance(node, exp.Join) and bool(node.args.get("method"))


TRAPS = (
    Trap("a function only DuckDB has", _is("Anonymous"), "unknown to the transpiler, so passed on as it stands"),
    Trap("format", _is("Format"), "DuckDB's {} and {:x} are printf signs on Spark"),
    Trap("printf of a list", _is("Lambda"), "lambdas differ in arity and in what they do with null"),
    Trap("array_agg", _is("ArrayAgg", "GroupConcat"), "rows come in whatever order the machines deliver"),
    Trap("any_value", _is("AnyValue", "First", "Last"), "any row: another one on another engine"),
    Trap("arg_min", _is("ArgMin", "ArgMax"), "ties are broken by arrival; take min() of what is wanted"),
    Trap("median", _is("Median", "Quantile", "ApproxQuantile", "ApproxDistinct"), "interpolated or sketched otherwise"),
    Trap("random", _is("Rand", "TableSample"), "every engine has dice of its own"),
    Trap("hash", _is("MD5", "SHA", "FarmFingerprint"), "hashes are the kernel's; engines differ in bytes and casing"),
    Trap("regular expressions", _is("RegexpLike", "RegexpExtract", "RegexpReplace"), "RE2 here, Java's there"),
    Trap("len", _is("Length"), "of a list it becomes LENGTH, which takes text only: write array_length()"),
    Trap("qualify", _has("Select", "qualify"), "rewritten by the transpiler into names that clash"),
    Trap("exclude or replace in a star", _star_but, "Spark has no such star"),
    Trap("distinct on", _has("Distinct", "on"), "rewritten; and which row stays is chance"),
    Trap("group by all", _has("Group", "all"), "Spark's rule for what is a key is another"),
    Trap("limit without order", _unordered_limit, "which rows come is chance"),
    Trap("asof, positional or natural join", _implicit_join, "Spark has none, or matches other columns"),
    Trap("pivot", _is("Pivot"), "the column names differ"),
    Trap("copy, pragma, set", _is("Copy", "Pragma", "Set", "Attach", "Command"), "the engine's business, in engine.py"),
    Trap("insert, update, delete", _is("Insert", "Update", "Delete", "Merge"), "a view cannot change; make one"),
    Trap("reading files", _is("ReadParquet", "ReadCSV"), "the engine's business, in engine.py"),
    Trap("cast to a time", _cast_to_a_time, "read in the session's time zone"),
)  # fmt: skip

# What stands in a run although the list above refuses it: the statement's beginning, the trap, and why it may.
ALLOWED: tuple[tuple[str, str, str], ...] = (
    (
        "INSERT INTO lure_campaigns",
        "insert, update, delete",
        "a table made from Python's own numbers; a view there",
    ),
    ("COPY (", "copy, pragma, set", "engine.py is DuckDB's; a cluster has an engine of its own"),
    ("CREATE OR REPLACE VIEW", "reading files", "engine.py is DuckDB's; a cluster has an engine of its own"),
)


def traps_in(statement: str) -> list[str]:
    """Every trap in *statement*, with its reason."""
    tree = sqlglot.parse_one(statement, read="duckdb")
    nodes = list(tree.walk())
    return [f"{trap.name}: {trap.reason}" for trap in TRAPS if any(trap.found(node) for node in nodes)]


def selected(statement: str) -> exp.Expression:
    """The query of *statement*; a table made of a query is a view or a table of the cluster's own runner."""
    tree = sqlglot.parse_one(statement, read="duckdb")
    if isinstance(tree, exp.Create):
        assert tree.args.get("replace"), f"not CREATE OR REPLACE: {statement[:60]}"
        assert tree.args["kind"] in ("TABLE", "VIEW")
        return tree.expression if tree.expression is not None else tree
    return tree


def _files(folder: Traversable, ending: str, path: str = "") -> list[tuple[str, str]]:
    found = []
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.is_dir():
            found += _files(entry, ending, f"{path}{entry.name}/")
        elif entry.name.endswith(ending):
            found.append((path + entry.name, entry.read_text(encoding="utf-8")))
    return found


SQL = [(path, text) for path, text in _files(ROOT, ".sql") if path not in NOT_IN_THE_FLOW]


def _text_of(node: ast.expr) -> str | None:
    """The statement in an argument; what is filled in at run time stands as a name or a row."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        text = ""
        for piece in node.values:
            if isinstance(piece, ast.Constant):
                text += str(piece.value)
            elif text.endswith("VALUES "):
                text += "(1, 2)"
            else:
                text += "filled_in"
        return text
    return None


def _inline() -> list[tuple[str, str]]:
    """The statements written in Python, with file and line."""
    found = []
    for path, text in _files(ROOT, ".py"):
        if not path.startswith(FLOW):
            continue
        for node in ast.walk(ast.parse(text)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ASKED
                and node.args
            ):
                statement = _text_of(node.args[0])
                if statement is not None and " " in statement:
                    found.append((f"{path}:{node.lineno}", statement))
    return found


INLINE = _inline()


def test_queries_are_found() -> None:
    """The walk sees the files and the statements in Python; an empty list would pass everything."""
    assert len(SQL) > 40
    assert len(INLINE) > 20
    assert {path for path, _ in _files(ROOT, ".sql")} >= set(NOT_IN_THE_FLOW)


@pytest.mark.parametrize(("place", "text"), SQL, ids=[path for path, _ in SQL])
def test_file_is_one_portable_statement(place: str, text: str) -> None:
    """A query file holds one statement, transpiles to Spark, and has none of the traps."""
    assert len(sqlglot.parse(text, read="duckdb")) == 1
    assert selected(text).sql("spark", unsupported_level=ErrorLevel.RAISE)
    assert traps_in(text) == []


@pytest.mark.parametrize(("place", "text"), SQL, ids=[path for path, _ in SQL])
def test_file_bears_the_name_of_its_table(place: str, text: str) -> None:
    """One query makes one table and bears its name; a case_ file makes none."""
    name = place.rpartition("/")[2].removesuffix(".sql")
    tree = sqlglot.parse_one(text, read="duckdb")
    if isinstance(tree, exp.Create):
        assert tree.this.name == name
    else:
        assert isinstance(tree, exp.Query)
    assert text.startswith(f"-- {name}: ") or not isinstance(tree, exp.Create)


@pytest.mark.parametrize(("place", "text"), INLINE, ids=[place for place, _ in INLINE])
def test_statement_in_python_is_portable(place: str, text: str) -> None:
    """A statement written in Python keeps the same rules as a file."""
    assert selected(text).sql("spark", unsupported_level=ErrorLevel.RAISE)
    allowed = {trap for start, trap, _ in ALLOWED if text.startswith(start)}
    assert [found for found in traps_in(text) if found.split(":")[0] not in allowed] == []


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT make_timestamptz(x) FROM t",
        "SELECT format('l-{:x}', x) FROM t",
        "SELECT list_transform(x, y -> y + 1) FROM t",
        "SELECT list(x) FROM t",
        "SELECT any_value(x) FROM t",
        "SELECT arg_min(x, y) FROM t",
        "SELECT median(x) FROM t",
        "SELECT random() FROM t",
        "SELECT md5(x) FROM t",
        "SELECT regexp_matches(x, 'a') FROM t",
        "SELECT len(x) FROM t",
        "SELECT x FROM t QUALIFY row_number() OVER (ORDER BY x) = 1",
        "SELECT * EXCLUDE (x) FROM t",
        "SELECT DISTINCT ON (x) x, y FROM t",
        "SELECT x, count(*) FROM t GROUP BY ALL",
        "SELECT x FROM t LIMIT 3",
        "SELECT * FROM t ASOF JOIN u ON t.a >= u.a",
        "PIVOT t ON x USING sum(y)",
        "COPY t TO 'x.parquet'",
        "PRAGMA threads = 2",
        "INSERT INTO t VALUES (1)",
        "SELECT * FROM read_parquet('x.parquet')",
        "SELECT CAST('2014-01-02' AS TIMESTAMPTZ)",
    ],
)
def test_trap_closes(statement: str) -> None:
    """Each trap finds what it is there for."""
    assert traps_in(statement)


def test_traps_spare_plain_queries() -> None:
    """Joins, groups, windows, unnest, integer division and times from microseconds are portable."""
    plain = (
        "CREATE OR REPLACE TABLE t AS SELECT a.x // 2 AS x, unnest(a.l) AS l, 'l-' || lower(hex(a.x)) AS h,"
        " make_timestamp(a.x) AT TIME ZONE 'UTC' AS at, row_number() OVER (PARTITION BY a.y ORDER BY a.x) AS n"
        " FROM u AS a LEFT JOIN v AS b ON b.x = a.x WHERE a.y IN (1, 2) AND a.z = $z"
    )
    assert traps_in(plain) == []
    spark = selected(plain).sql("spark", unsupported_level=ErrorLevel.RAISE)
    assert "DIV" in spark
    assert "EXPLODE" in spark
    assert "TIMESTAMP_MICROS" in spark
