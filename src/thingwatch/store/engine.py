"""What the stages ask of an engine: one query one table, and one function over many pieces of work.

Two engines answer: `Embedded` on one machine, `Cluster` on many. The analysis knows neither.
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from thingwatch.errors import InputError

Item = TypeVar("Item")
Account = TypeVar("Account")
# Rows of named tables, piece by piece, and at the end an account of what was done. It must not depend on where it runs.
Steps = Generator[tuple[str, pa.Table], None, Account]

_PARAMETER = re.compile(r"\$([a-z_]+)")


FILE_BITS = (
    28  # mails of one file that can be told apart, where an engine reads: rank of the file, place in it
)
WHOLE = "file_content"  # the column of files an engine reads whole


class TableForm(NamedTuple):
    """The columns of a table that work makes, and which of them hold few different values."""

    schema: pa.Schema
    repeating: tuple[str, ...] = ()


def query(package: str, name: str) -> str:
    """The text of ``name``.sql in *package*."""
    return resources.files(package).joinpath(f"{name}.sql").read_text(encoding="utf-8")


class Engine(ABC):
    """Where the tables of a run are and where its work is done. Close it, or use it as a context."""

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Give everything back; the tables are gone."""

    def make(self, package: str, name: str, **values: Any) -> None:
        """Run ``name``.sql, which makes the table *name*; *values* are bound to its ``$parameters``."""
        self.run(query(package, name), **values)

    @abstractmethod
    def run(self, statement: str, **values: Any) -> None:
        """Run one statement that gives no rows: CREATE OR REPLACE TABLE name AS SELECT ..."""

    @abstractmethod
    def drop(self, *names: str) -> None:
        """Forget tables that nothing later asks for; at full size they hold gigabytes."""

    @abstractmethod
    def rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """The rows of a small result."""

    def number(self, statement: str, **values: Any) -> int:
        """The one number a statement gives."""
        return int(self.rows(statement, **values)[0][0])

    @abstractmethod
    def columns(self, table: str) -> list[str]:
        """The names of the columns of *table*, in order."""

    @abstractmethod
    def arrow(self, statement: str, **values: Any) -> pa.Table:
        """The rows of a result as an Arrow table, in this process."""

    @abstractmethod
    def add(self, name: str, table: pa.Table) -> None:
        """Make the table *name* of Arrow rows."""

    @abstractmethod
    def load(self, name: str, paths: Sequence[Path], schema: pa.Schema) -> None:
        """Make the table *name*, of *schema*, of Parquet files (or folders of such) at *paths*; empty for none."""

    @abstractmethod
    def apply(
        self, name: str, statement: str, function: Callable[[pa.Table], pa.Table], schema: pa.Schema
    ) -> None:
        """Make the table *name*, of *schema*, by *function* from the rows of *statement*, any number at a time."""

    @abstractmethod
    def spread(
        self,
        work: Callable[[Item], Steps[Account]],
        items: Iterable[Item],
        tables: Mapping[str, TableForm],
        told: Callable[[Account], None],
    ) -> list[Account]:
        """Do *work* on every item, on all hands; makes *tables* of its rows and gives its accounts, in no order.

        *told* hears each account, on some engines only at the end. Raises InputError where a worker was lost and
        could not be replaced.
        """

    def spread_arrived(
        self,
        work: Callable[[Iterable[pa.RecordBatch]], Steps[Account]],
        urls: list[str],
        columns_of: Callable[[pa.Schema, str], list[str]],
        tables: Mapping[str, TableForm],
    ) -> list[Account]:
        """Do *work* on the mail at *urls*, which the engine reads itself.

        Batches have the columns rank (of the file among all), file (its address), and either ``WHOLE`` or, with row (in
        the file), those *columns_of* a table that hold mail.
        """
        raise InputError(
            f"{urls[0]}: only a cluster reads URLs; give --engine spark, or a path of this machine"
        )

    def arrived(
        self, urls: list[str], columns_of: Callable[[pa.Schema, str], list[str]], places: set[int]
    ) -> Iterator[pa.RecordBatch]:
        """The mail of *urls* at *places* (rank of the file << FILE_BITS, and the place there), read again."""
        raise InputError(f"{urls[0]}: only a cluster reads URLs; give --engine spark")

    @abstractmethod
    def write(self, statement: str, path: Path, large: bool = False) -> None:
        """The rows of *statement* as Parquet at *path*: one file, or a folder of files where *large* and many wrote."""


def asked(statement: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of *values* that *statement* has a parameter for: callers pass a stage's settings to each query."""
    wanted = set(_PARAMETER.findall(statement))
    return {name: value for name, value in values.items() if name in wanted}


def accounted(steps: Steps[Account], put: Callable[[str, pa.Table], None]) -> Account:
    """Take all rows of *steps*, handing each piece to *put*; gives the account at the end."""
    while True:
        try:
            name, table = next(steps)
        except StopIteration as end:
            account: Account = end.value
            return account
        put(name, table)


def leave(steps: Steps[Account], tables: Mapping[str, TableForm], folder: Path, number: int) -> Account:
    """Write the rows of *steps* to a Parquet file per table in *folder*, named for *number*; gives the account.

    A file is whole or not there, and the same work done twice leaves the same.
    """
    with ExitStack() as files:
        writers = {
            name: files.enter_context(
                # Written once and read a few times within the minute: statistics and compression cost more than
                # they save, and so does a dictionary of values that do not repeat.
                pq.ParquetWriter(
                    folder / f".{name}-{number:07d}-{os.getpid()}",
                    form.schema,
                    compression="none",
                    use_dictionary=list(form.repeating),
                    write_statistics=False,
                )
            )
            for name, form in tables.items()
        }
        account = accounted(steps, lambda name, table: writers[name].write_table(table))
    for name in tables:
        (folder / f".{name}-{number:07d}-{os.getpid()}").replace(folder / f"{name}-{number:07d}.parquet")
    return account


def plain(table: pa.Table) -> pa.Table:
    """*table* with its times in UTC, not in this machine's zone, and without an engine's idea of what is never null."""
    fields = []
    for field in table.schema:
        kind = field.type
        if pa.types.is_timestamp(kind) and kind.tz is not None:
            kind = pa.timestamp(kind.unit, tz="UTC")
        fields.append(pa.field(field.name, kind))
    return table.cast(pa.schema(fields))
