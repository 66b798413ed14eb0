"""The embedded database: one query one table, within a stated memory, spilling to disk beyond."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from thingwatch.config import Settings
from thingwatch.errors import OutputError

_PARAMETER = re.compile(r"\$([a-z_]+)")


def query(package: str, name: str) -> str:
    """The text of ``name``.sql in *package*."""
    return resources.files(package).joinpath(f"{name}.sql").read_text(encoding="utf-8")


class Engine:
    """DuckDB behind the four verbs the stages need. Close it, or use it as a context."""

    def __init__(self, settings: Settings, temp_folder: Path) -> None:
        self._connection = duckdb.connect(
            config={
                "memory_limit": f"{settings.memory_mb}MB",
                "threads": settings.worker_count,
                "temp_directory": str(temp_folder),
                "preserve_insertion_order": False,
            }
        )

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def make(self, package: str, name: str, **values: Any) -> None:
        """Run ``name``.sql, which makes the table *name*; *values* are bound to its ``$parameters``."""
        self.run(query(package, name), **values)

    def run(self, statement: str, **values: Any) -> None:
        """Run one statement that gives no rows."""
        with _full_disk():
            self._connection.execute(statement, _bound(statement, values))

    def drop(self, *names: str) -> None:
        """Forget tables that nothing later asks for; at full size they hold gigabytes."""
        for name in names:
            self.run(f"DROP TABLE IF EXISTS {name}")

    def rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """The rows of a small result."""
        with _full_disk():
            found: list[tuple[Any, ...]] = self._connection.execute(
                statement, _bound(statement, values)
            ).fetchall()
            return found

    def columns(self, table: str) -> list[str]:
        """The names of the columns of *table*, in order."""
        return [row[0] for row in self.rows(f"DESCRIBE {table}")]

    def arrow(self, statement: str, **values: Any) -> pa.Table:
        """The rows of a result as an Arrow table."""
        with _full_disk():
            return self._connection.sql(statement, params=_bound(statement, values) or None).to_arrow_table()

    def number(self, statement: str, **values: Any) -> int:
        """The one number a statement gives."""
        return int(self.rows(statement, **values)[0][0])

    def add(self, name: str, table: pa.Table) -> None:
        """Make the table *name* of Arrow rows."""
        with _full_disk():
            self._connection.register("incoming", table)
            self._connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM incoming")
            self._connection.unregister("incoming")

    def write_parquet(self, statement: str, path: Path) -> None:
        """The rows of *statement* as one Parquet file."""
        with _full_disk():
            self._connection.execute(
                f"COPY ({statement}) TO '{_quoted(path)}' (FORMAT parquet, COMPRESSION zstd)"
            )

    def read_parquet(self, name: str, pattern: Path) -> None:
        """Make the view *name* of the Parquet files that *pattern* matches."""
        self.run(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM read_parquet('{_quoted(pattern)}')")


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _bound(statement: str, values: dict[str, Any]) -> dict[str, Any]:
    # DuckDB refuses values no parameter asks for; callers pass a stage's settings to each of its queries.
    wanted = set(_PARAMETER.findall(statement))
    return {name: value for name, value in values.items() if name in wanted}


@contextmanager
def _full_disk() -> Iterator[None]:
    try:
        yield
    except duckdb.IOException as error:
        if "No space left" in str(error) or "not enough disk" in str(error).lower():
            raise OutputError(
                "disk full while grouping; free some space or set temp_folder to a larger disk"
            ) from error
        raise
    except duckdb.OutOfMemoryException as error:
        raise OutputError(f"memory_mb is too small for this mail ({error}); set it higher") from error
