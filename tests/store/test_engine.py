"""The engine takes statements with bound values, keeps its tables, and says plainly when it runs out of room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from thingwatch.config import Settings
from thingwatch.errors import OutputError
from thingwatch.store import Embedded, query


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Embedded]:
    with Embedded(Settings().changed(workers=1), tmp_path / "spill") as made:
        yield made


def test_values_are_bound_not_pasted(engine: Embedded) -> None:
    """A value with quotes in it is a value, not SQL."""
    engine.add("t", pa.table({"name": ["a'; DROP TABLE t; --", "b"]}))
    assert engine.number("SELECT count(*) FROM t WHERE name = $name", name="a'; DROP TABLE t; --") == 1
    assert engine.number("SELECT count(*) FROM t") == 2


def test_values_nobody_asks_for_are_left_out(engine: Embedded) -> None:
    """A stage may hand its settings to each of its queries; each takes what it names."""
    assert engine.rows("SELECT $a + 1", a=1, b=2) == [(2,)]


def test_a_query_file_makes_its_table(
    engine: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``make`` runs the file of that name, and the table is there, replaced when run again."""
    package = tmp_path / "a_stage_of_its_own"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "large.sql").write_text("CREATE OR REPLACE TABLE large AS SELECT n FROM t WHERE n > $least")
    monkeypatch.syspath_prepend(tmp_path)
    engine.add("t", pa.table({"n": [1, 2, 3]}))
    for least, rows in ((1, 2), (2, 1)):
        engine.make("a_stage_of_its_own", "large", least=least)
        assert engine.number("SELECT count(*) FROM large") == rows


def test_query_is_the_text_of_the_file() -> None:
    """``query`` finds the files of a package wherever it is installed."""
    assert query("thingwatch.store", "case_messages").startswith("-- messages.parquet")


def test_tables_come_from_arrow_and_go_back(engine: Embedded) -> None:
    """What is added as Arrow rows comes back equal, nulls and lists too."""
    rows = pa.table({"n": [1, None, 3], "l": [["a"], [], None], "s": ["ü", "", None]})
    engine.add("t", rows)
    assert engine.arrow("SELECT n, l, s FROM t ORDER BY n NULLS FIRST").to_pylist() == [
        {"n": None, "l": [], "s": ""},
        {"n": 1, "l": ["a"], "s": "ü"},
        {"n": 3, "l": None, "s": None},
    ]


def test_parquet_in_and_out(engine: Embedded, tmp_path: Path) -> None:
    """A view of several files holds all their rows; a written file is one, even in a folder with a quote in it."""
    folder = tmp_path / "o'clock"
    folder.mkdir()
    for number in range(2):
        pq.write_table(pa.table({"n": [number]}), folder / f"in-{number}.parquet")
    engine.read_parquet("pieces", folder / "in-*.parquet")
    engine.write("SELECT n FROM pieces ORDER BY n", folder / "out.parquet")
    assert pq.read_table(folder / "out.parquet").to_pylist() == [{"n": 0}, {"n": 1}]


def test_too_little_memory_is_said_with_its_cure(tmp_path: Path) -> None:
    """Running out of memory names the setting to raise."""
    engine = Embedded(Settings().changed(workers=1), tmp_path)
    with engine:
        engine.run("SET memory_limit = '20MB'")
        engine.run("SET max_temp_directory_size = '1MB'")
        with pytest.raises(OutputError, match=r"memory_mb|disk"):
            engine.run(
                "CREATE TABLE t AS SELECT i, md5(i::VARCHAR) AS m FROM range(5000000) AS r(i) ORDER BY m"
            )


def test_other_errors_travel(engine: Embedded) -> None:
    """A wrong statement is a bug of ours and is not dressed up as a full disk."""
    with pytest.raises(duckdb.Error):
        engine.run("SELECT nothing FROM nowhere")


def test_closed_after_use(tmp_path: Path) -> None:
    """The engine is a context, and gives its memory back at the end."""
    with Embedded(Settings(), tmp_path) as engine:
        assert engine.number("SELECT 1") == 1
    with pytest.raises(duckdb.Error):
        engine.number("SELECT 1")
