"""Every query, every function and the whole flow give on Spark what they give on DuckDB, row for row."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from thingwatch.config import Settings
from thingwatch.identify import Networks
from thingwatch.store import Engine, open_engine
from thingwatch.uncover import Witness, uncover

# Not steps of a run: what the tables are, how a case is scored; and the case's own tables, which are compared as files.
NO_STEPS = {"schema", "score"}


def _queries(folder: Traversable) -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _queries(entry)
        elif entry.name.endswith(".sql"):
            yield entry.name.removesuffix(".sql")


class Witnessed:
    """An engine's run that keeps what every query made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, played: Path, out: Path) -> None:
        self.made: dict[str, pa.Table] = {}
        real = Engine.make

        def make(engine: Engine, package: str, table: str, **values: Any) -> None:
            real(engine, package, table, **values)
            self.made[table] = engine.arrow(f"SELECT * FROM {table}")

        with monkeypatch.context() as patch:
            patch.setattr(Engine, "make", make)
            uncover(
                [played / "mail.mbox", played / "mail.log"],
                out,
                Settings().changed(workers=2),
                Networks.load(None, None),
                blocklist=["10.0.0.0/8", "192.0.2.0/24", "80.0.0.0/4"],
                witness=Witness([played / "evidence"]),
                engine=name,
            )


def test_every_step_and_the_case_are_equal(
    played: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables that each query makes, and the two case folders, hold the same rows."""
    from same_case import differences, unlike_tables

    runs = [Witnessed(monkeypatch, name, played, tmp_path / name) for name in ("duckdb", "spark")]
    made, again = (run.made for run in runs)
    steps = set(_queries(resources.files("thingwatch"))) - NO_STEPS
    never = {step for step in steps - set(made) if not step.startswith("case_")} - {"source_evidence"}
    assert not never, f"no run asks for {never}"
    assert set(made) == set(again)
    unlike = {
        name: found[:2]
        for name in made
        if (found := unlike_tables(_counted(made[name]), _counted(again[name])))
    }
    assert not unlike
    assert differences(tmp_path / "duckdb", tmp_path / "spark") == []


def _counted(table: pa.Table) -> pa.Table:
    """*table* with whole numbers of one width, and no decimals: how wide a sum is, is the engine's own affair."""
    fields = []
    for field in table.schema:
        kind = field.type
        if pa.types.is_integer(kind):
            kind = pa.int64()
        elif pa.types.is_decimal(kind):
            kind = pa.int64() if kind.scale == 0 else pa.float64()
        fields.append(pa.field(field.name, kind))
    return table.cast(pa.schema(fields))


def test_tables_of_many_pieces_arrive_whole(tmp_path: Path) -> None:
    """A table that begins with empty pieces loses no row on its way (PySpark 4.3 drops them all)."""
    rows = pa.table({"n": [1, 2, 3]})
    with open_engine("spark", Settings(), tmp_path) as engine:
        engine.add("t", pa.concat_tables([rows.slice(0, 0), rows.slice(0, 0), rows]))
        assert engine.number("SELECT count(*) FROM t") == 3
