"""The queries in Spark's dialect. Written for DuckDB, within rules both keep (tests/test_portable_sql.py)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from thingwatch.errors import SettingError

try:
    import sqlglot
    from sqlglot import exp
except ImportError as error:
    raise SettingError("--engine spark: sqlglot is not installed; pip install 'thingwatch[spark]'") from error


class Statement(NamedTuple):
    """A query as Spark runs it."""

    table: str | None  # what CREATE OR REPLACE TABLE names
    select: str
    parameters: frozenset[str]


@lru_cache(maxsize=512)
def spark_sql(statement: str) -> Statement:
    """*statement* of DuckDB's for Spark, giving the same rows.

    DuckDB's ``/`` and ``avg`` give doubles whatever they are given; Spark's give decimals for decimals, which is what
    a literal such as 0.5 is in both.
    """
    tree = sqlglot.parse_one(statement, read="duckdb")
    table = None
    if isinstance(tree, exp.Create):
        table = tree.this.name
        tree = tree.expression
    tree = tree.transform(_as_double)
    parameters = frozenset(node.name for node in tree.find_all(exp.Placeholder))
    return Statement(table, tree.sql("spark"), parameters)


def _as_double(node: exp.Expression) -> exp.Expression:
    if isinstance(node, exp.Div):
        node.set("this", exp.cast(node.this, "double"))
        node.set("expression", exp.cast(node.expression, "double"))
    elif isinstance(node, exp.Avg):
        node.set("this", exp.cast(node.this, "double"))
    return node
