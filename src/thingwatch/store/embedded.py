"""DuckDB and worker processes: one machine, within a stated memory, spilling to disk beyond."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from thingwatch.config import Settings
from thingwatch.errors import InputError, OutputError
from thingwatch.store.engine import Account, Engine, Item, Steps, TableForm, asked, leave, plain

AHEAD = 3  # items in flight per worker: enough that none waits, few enough to hold in memory
PARENT_SECONDS = 1.0  # between a worker's looks whether its run still lives
WORKER_ENDED = (
    "a worker process was ended from outside, most likely for want of memory;"
    " lower load_mb or workers and run again"
)


class Embedded(Engine):
    """The engine of one laptop: no server, no installation."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._workers = settings.worker_count
        self._folder = folder
        self._connection = duckdb.connect(
            config={
                "memory_limit": f"{settings.memory_mb}MB",
                "threads": settings.worker_count,
                "temp_directory": str(folder),
                "preserve_insertion_order": False,
            }
        )

    def close(self) -> None:
        """Give the memory back."""
        self._connection.close()

    def run(self, statement: str, **values: Any) -> None:
        """Run one statement that gives no rows."""
        with _full_disk():
            self._connection.execute(statement, asked(statement, values))

    def drop(self, *names: str) -> None:
        """Forget tables that nothing later asks for."""
        for name in names:
            self.run(f"DROP TABLE IF EXISTS {name}")

    def rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """The rows of a small result."""
        with _full_disk():
            found: list[tuple[Any, ...]] = self._connection.execute(
                statement, asked(statement, values)
            ).fetchall()
            return found

    def columns(self, table: str) -> list[str]:
        """The names of the columns of *table*, in order."""
        return [row[0] for row in self.rows(f"DESCRIBE {table}")]

    def arrow(self, statement: str, **values: Any) -> pa.Table:
        """The rows of a result as an Arrow table."""
        with _full_disk():
            return plain(
                self._connection.sql(statement, params=asked(statement, values) or None).to_arrow_table()
            )

    def add(self, name: str, table: pa.Table) -> None:
        """Make the table *name* of Arrow rows."""
        with _full_disk():
            self._connection.register("incoming", table)
            self._connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM incoming")
            self._connection.unregister("incoming")

    def load(self, name: str, paths: Sequence[Path], schema: pa.Schema) -> None:
        """Make the view *name* of the Parquet files at *paths*."""
        if not paths:
            self.add(name, schema.empty_table())
            return
        files = ", ".join(f"'{_quoted(path / '*.parquet' if path.is_dir() else path)}'" for path in paths)
        self.run(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM read_parquet([{files}])")

    def apply(
        self, name: str, statement: str, function: Callable[[pa.Table], pa.Table], schema: pa.Schema
    ) -> None:
        """Make the table *name* by *function* from the rows of *statement*, all at once."""
        self.add(name, function(self.arrow(statement)).cast(schema))

    def spread(
        self,
        work: Callable[[Item], Steps[Account]],
        items: Iterable[Item],
        tables: Mapping[str, TableForm],
        told: Callable[[Account], None],
    ) -> list[Account]:
        """Do *work* on every item in worker processes; each leaves a Parquet file per table."""
        _task.update(work=work, tables=tables, folder=self._folder)
        done: list[Account] = []
        for account in self._accounts(items):
            done.append(account)
            told(account)
        for name, form in tables.items():
            if done:
                self.read_parquet(name, self._folder / f"{name}-*.parquet")
            else:
                self.add(name, form.schema.empty_table())
        return done

    def _accounts(self, items: Iterable[Any]) -> Iterator[Any]:
        numbered = enumerate(items)
        if self._workers == 1:
            for task in numbered:
                yield _do(task)
            return
        # Fork: compiled loops, rules and tables are there already; sent through a pipe they would be copied per item.
        with ProcessPoolExecutor(
            self._workers,
            mp_context=multiprocessing.get_context("fork"),
            initializer=_end_with,
            initargs=(os.getpid(),),
        ) as pool:
            waiting: set[Future[Any]] = set()
            try:
                for task in numbered:
                    waiting.add(pool.submit(_do, task))
                    if len(waiting) >= AHEAD * self._workers:
                        finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                        yield from (future.result() for future in finished)
                yield from (future.result() for future in waiting)
            except BrokenProcessPool as error:
                raise InputError(WORKER_ENDED) from error

    def write(self, statement: str, path: Path, large: bool = False) -> None:
        """The rows of *statement* as one Parquet file."""
        with _full_disk():
            self._connection.execute(
                f"COPY ({statement}) TO '{_quoted(path)}' (FORMAT parquet, COMPRESSION zstd)"
            )

    def read_parquet(self, name: str, pattern: Path) -> None:
        """Make the view *name* of the Parquet files that *pattern* matches."""
        self.run(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM read_parquet('{_quoted(pattern)}')")


_task: dict[str, Any] = {}  # what forked workers find: the work of the spread that is going on


def _do(task: tuple[int, Any]) -> Any:
    """Do the work on one item, leaving a file per table."""
    number, item = task
    return leave(_task["work"](item), _task["tables"], _task["folder"], number)


def _end_with(parent: int) -> None:
    """Have this worker end soon after *parent* does: a killed run cannot tell its workers to stop."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


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
