"""Every query, every function and the whole flow give on Spark what they give on DuckDB, row for row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from days import cut
from same_case import differences, unlike_tables

from thingwatch.config import Settings
from thingwatch.identify import Networks
from thingwatch.store import Embedded, Engine, open_engine
from thingwatch.uncover import Witness, uncover

MADE = re.compile(r"CREATE OR REPLACE (?:TABLE|VIEW) (\w+)")
NO_STEPS = {"schema", "score"}  # what the tables are, and how a case is scored
RESULTS = {
    "source_evidence",
    "all_bins",
}  # asked for as rows and not made into tables; so are case_ and keep_


def _queries(folder: Traversable) -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _queries(entry)
        elif entry.name.endswith(".sql"):
            yield entry.name.removesuffix(".sql")


class Witnessed:
    """What an engine makes of the first days, and of the rest in a run that continues: all that every query made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, played: Path, folder: Path) -> None:
        self.made: dict[str, pa.Table] = {}
        self._run = 0
        engine_class: type[Engine] = Embedded
        if name == "spark":
            from thingwatch.store.cluster import Cluster

            engine_class = Cluster
        real = engine_class.run

        def run(engine: Engine, statement: str, **values: Any) -> None:
            real(engine, statement, **values)
            if made := MADE.search(statement):
                self.made[f"{self._run}/{made[1]}"] = engine.arrow(f"SELECT * FROM {made[1]}")

        folder.mkdir()
        with monkeypatch.context() as patch:
            # Paths stand in the report: from here both engines are given the same.
            patch.chdir(folder)
            patch.setattr(engine_class, "run", run)
            days = cut(played / "mail.mbox", Path("days"))
            self._uncover([*days[:-1], played / "mail.log"], Path("first"), played, name, None)
            self._run += 1
            self._uncover(days[-1:], Path("second"), played, name, Path("first"))

    def _uncover(self, mail: list[Path], out: Path, played: Path, name: str, earlier: Path | None) -> None:
        uncover(
            mail,
            out,
            Settings().changed(workers=2),
            Networks.load(None, None),
            blocklist=["10.0.0.0/8", "192.0.2.0/24", "80.0.0.0/4"],
            witness=Witness([played / "evidence"]),
            engine=name,
            earlier=earlier,
        )


def test_every_step_and_the_cases_are_equal(
    played: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables that each query makes, and the case folders of both runs, hold the same rows."""
    made, again = (Witnessed(monkeypatch, name, played, tmp_path / name).made for name in ("duckdb", "spark"))
    both = sorted(made.keys() & again.keys())  # DuckDB also makes views of files, which are no queries
    steps = set(_queries(resources.files("thingwatch"))) - NO_STEPS
    never = {
        name
        for name in steps - {step.partition("/")[2] for step in both}
        if not name.startswith(("case_", "keep_")) and name not in RESULTS
    }
    assert not never, f"no run asks for {never}"
    unlike = {
        name: found[:2]
        for name in both
        if (found := unlike_tables(_counted(made[name]), _counted(again[name])))
    }
    assert not unlike
    for out in ("first", "second"):
        assert differences(tmp_path / "duckdb" / out, tmp_path / "spark" / out) == []
        assert _unlike_states(tmp_path / "duckdb" / out / "state", tmp_path / "spark" / out / "state") == {}


def _unlike_states(first: Path, second: Path) -> dict[str, list[str]]:
    """What differs between two states, by file."""
    names = [sorted(path.name for path in folder.glob("*.parquet")) for folder in (first, second)]
    assert names[0] == names[1]
    return {
        name: found[:2]
        for name in names[0]
        if (found := unlike_tables(*(_counted(pq.read_table(folder / name)) for folder in (first, second))))
    }


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
