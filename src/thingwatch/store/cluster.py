"""Apache Spark: the same statements transpiled, the same functions in Arrow batches. Nothing else knows Spark.

Every table is written to the staging folder and read from there. A lost worker then costs its own tasks and no more,
and a plan never grows behind the driver's back.
"""

from __future__ import annotations

import os
import pickle
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import reduce
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from thingwatch import __version__
from thingwatch.config import Settings
from thingwatch.errors import InputError, OutputError, SettingError, ThingwatchError
from thingwatch.store.dialect import Statement, spark_sql
from thingwatch.store.engine import Account, Engine, Item, Steps, TableForm, leave, plain

try:
    from pyspark.errors import PySparkException
    from pyspark.sql import DataFrame
    from pyspark.sql.pandas.types import from_arrow_schema

    from thingwatch.store.arrivals import MAX_BATCH_ROWS, MAX_FILE_BYTES, Arrivals
    from thingwatch.store.session import cause_in, first_line, session_on
except ImportError as error:
    raise SettingError("--engine spark: PySpark is not installed; pip install 'thingwatch[spark]'") from error

TASKS_PER_CORE = 16  # pieces of work per core, so that none ends late alone; each task costs some 20 ms
DEAF_SECONDS = 60.0  # without a single worker, after which a run gives up


class Cluster(Engine):
    """The engine of many machines: a Spark session on *master*, or on this machine where *master* is empty.

    Tables lie in the setting ``staging``, a folder or a URL that all workers can write to. The user's own
    spark-defaults.conf holds, but for what would change results.
    """

    def __init__(self, master: str, settings: Settings, folder: Path) -> None:
        self._master = master or f"local[{settings.worker_count}]"
        self._local = self._master.startswith("local")
        self._staging = (settings.staging or folder.resolve().as_uri()).rstrip("/")
        self._folder = folder
        self._near = urlsplit(self._staging).scheme == "file"
        self._spreads = 0
        self._shelves: dict[str, int] = {}  # how often each table was made: no folder is written twice
        self._session = session_on(self._master, settings)
        self._context = self._session.sparkContext
        self._failure = ""
        self._closed = threading.Event()
        if not self._local:
            threading.Thread(target=self._listen, daemon=True).start()
        try:
            self._introduce()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the session; the staging folder is emptied."""
        self._closed.set()
        with _quiet():
            self._delete(self._staging + "/tables")
        with _quiet():
            self._session.stop()

    # --- statements ------------------------------------------------------------------------------------------

    def run(self, statement: str, **values: Any) -> None:
        """Run one CREATE OR REPLACE TABLE ... AS SELECT."""
        told = spark_sql(statement)
        if told.table is None:
            raise ValueError(f"no table is made: {statement[:80]}")
        self._keep(told.table, self._select(told, values))

    def drop(self, *names: str) -> None:
        """Forget tables."""
        for name in names:
            self._session.catalog.dropTempView(name)
            with self._told():
                self._delete(self._shelf(name))

    def rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """The rows of a small result."""
        with self._told():
            return [tuple(row) for row in self._select(spark_sql(statement), values).collect()]

    def columns(self, table: str) -> list[str]:
        """The names of the columns of *table*, in order."""
        return list(self._session.table(table).columns)

    def arrow(self, statement: str, **values: Any) -> pa.Table:
        """The rows of a result as an Arrow table."""
        with self._told():
            return plain(self._select(spark_sql(statement), values).toArrow())

    def _select(self, told: Statement, values: Mapping[str, Any]) -> DataFrame:
        with self._told():
            return self._session.sql(
                told.select, args={k: v for k, v in values.items() if k in told.parameters}
            )

    # --- tables ----------------------------------------------------------------------------------------------

    def add(self, name: str, table: pa.Table) -> None:
        """Make the table *name* of Arrow rows."""
        with self._told():
            self._keep(name, self._frame(table))

    def load(self, name: str, paths: Sequence[Path], schema: pa.Schema) -> None:
        """Make the table *name* of the Parquet files at *paths*, which this machine holds."""
        if not paths:
            self.add(name, schema.empty_table())
            return
        with self._told():
            if self._local:
                reader = self._session.read.schema(from_arrow_schema(schema))
                self._keep(name, reader.parquet(*(path.resolve().as_uri() for path in paths)))
            else:
                # Workers do not see this machine's disk.
                self.add(name, pa.concat_tables(pq.read_table(path, schema=schema) for path in paths))

    def apply(
        self, name: str, statement: str, function: Callable[[pa.Table], pa.Table], schema: pa.Schema
    ) -> None:
        """Make the table *name* by *function*, broadcast once, from the rows of *statement*, a batch at a time."""
        carried = self._context.broadcast(function)

        def batches(arrived: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in arrived:
                yield from carried.value(pa.Table.from_batches([batch])).cast(schema).to_batches()

        with self._told():
            self._keep(
                name, self._select(spark_sql(statement), {}).mapInArrow(batches, from_arrow_schema(schema))
            )
        carried.destroy()

    def spread(
        self,
        work: Callable[[Item], Steps[Account]],
        items: Iterable[Item],
        tables: Mapping[str, TableForm],
        told: Callable[[Account], None],
    ) -> list[Account]:
        """Do *work*, broadcast once, on every item."""
        sent = [pickle.dumps(item) for item in items]
        pieces = min(len(sent), TASKS_PER_CORE * self._context.defaultParallelism) or 1
        carried = self._context.broadcast(work)
        with self._told():
            frame = self._frame(
                pa.table(
                    {"number": pa.array(range(len(sent)), pa.int64()), "item": pa.array(sent, pa.binary())}
                )
            ).repartition(pieces)
            spread = self._leave if self._near else self._ship
            accounts: list[Account] = spread(frame, carried, tables)
        carried.destroy()
        for account in accounts:
            told(account)
        return accounts

    def _leave(self, frame: DataFrame, work: Any, tables: Mapping[str, TableForm]) -> list[Any]:
        """Where all hands write to one folder, each item leaves its files there; only accounts come back."""
        self._spreads += 1
        folder = Path(urlsplit(self._staging).path) / "tables" / f"spread-{self._spreads}"
        forms = dict(tables)

        def hands(arrived: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            folder.mkdir(parents=True, exist_ok=True)
            for batch in arrived:
                for number, item in zip(batch["number"].to_pylist(), batch["item"].to_pylist(), strict=True):
                    account = leave(work.value(pickle.loads(item)), forms, folder, number)  # noqa: S301 our driver's
                    yield pa.RecordBatch.from_pydict({"account": [pickle.dumps(account)]})

        found = frame.mapInArrow(hands, "account binary").collect()
        for name, form in tables.items():
            schema = from_arrow_schema(form.schema)
            if found:
                files = f"{folder.as_uri()}/{name}-*.parquet"
                self._session.read.schema(schema).parquet(files).createOrReplaceTempView(name)
            else:
                self.add(name, form.schema.empty_table())
        return [pickle.loads(row[0]) for row in found]  # noqa: S301 our own workers'

    def _ship(self, frame: DataFrame, work: Any, tables: Mapping[str, TableForm]) -> list[Any]:
        """Where staging is a URL, Spark writes: each piece of rows travels as one row of lists."""
        form = _shipped_form(tables)

        def hands(arrived: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in arrived:
                for item in batch["item"].to_pylist():
                    yield from _shipped(work.value(pickle.loads(item)), form)  # noqa: S301 our own driver's

        return self._unpacked(frame.mapInArrow(hands, from_arrow_schema(form)), tables)

    def spread_arrived(
        self,
        work: Callable[[Iterable[pa.RecordBatch]], Steps[Account]],
        urls: list[str],
        columns_of: Callable[[pa.Schema, str], list[str]],
        tables: Mapping[str, TableForm],
    ) -> list[Account]:
        """Do *work*, broadcast once, on the mail at *urls*, where Spark's connectors bring it."""
        carried = self._context.broadcast(work)
        form = _shipped_form(tables)

        def hands(arrived: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            yield from _shipped(carried.value(arrived), form)

        with self._told():
            self._session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(MAX_BATCH_ROWS))
            mail = Arrivals(self._session, urls, columns_of)
            shipped = [frame.mapInArrow(hands, from_arrow_schema(form)) for frame in mail.frames()]
            accounts: list[Account] = self._unpacked(reduce(DataFrame.unionAll, shipped), tables)
            self._session.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
        carried.destroy()
        if mail.too_large:
            raise InputError(
                f"{mail.too_large[0]}: larger than {MAX_FILE_BYTES >> 20} MB, and it is read whole from there; write"
                " the mail into a table (Parquet with a raw column), or mount it and give its path"
            )
        return accounts

    def arrived(
        self, urls: list[str], columns_of: Callable[[pa.Schema, str], list[str]], places: set[int]
    ) -> Iterator[pa.RecordBatch]:
        """The mail of *urls* at *places*, read again."""
        with self._told():
            for frame in Arrivals(self._session, urls, columns_of).frames(places):
                yield from frame.toArrow().to_batches()

    def _unpacked(self, shipped: DataFrame, tables: Mapping[str, TableForm]) -> list[Any]:
        """Write *shipped* down once, make *tables* of its lists, and give the accounts in it."""
        self._keep("shipped", shipped)
        for name in tables:
            inline = self._session.sql(f"SELECT inline({name}) FROM shipped WHERE {name} IS NOT NULL")
            self._keep(name, inline)
        found = self._session.sql("SELECT account FROM shipped WHERE account IS NOT NULL").collect()
        self.drop("shipped")
        return [pickle.loads(row[0]) for row in found]  # noqa: S301 our own workers'

    def write(self, statement: str, path: Path, large: bool = False) -> None:
        """The rows of *statement* at *path*; where *large*, as a folder of the files that many workers wrote."""
        if not large:
            pq.write_table(self.arrow(statement), path, compression="zstd")
            return
        written = f"{self._staging}/tables/{path.name}"
        with self._told():
            self._select(spark_sql(statement), {}).write.option("compression", "zstd").parquet(written)
            self._fetch(written, path)

    def _frame(self, table: pa.Table) -> DataFrame:
        # In one piece: of a table that begins with two empty chunks, PySpark 4.3 silently drops all rows.
        return self._session.createDataFrame(table.combine_chunks())

    def _keep(self, name: str, frame: DataFrame) -> None:
        """Write *frame* down, and let *name* mean what was written."""
        older = self._shelf(name) if name in self._shelves else None
        self._shelves[name] = self._shelves.get(name, 0) + 1
        with self._told():
            frame.write.option("compression", "lz4").parquet(self._shelf(name))
            self._session.read.schema(frame.schema).parquet(self._shelf(name)).createOrReplaceTempView(name)
            if older:
                self._delete(older)

    def _shelf(self, name: str) -> str:
        return f"{self._staging}/tables/{name}-{self._shelves.get(name, 0)}"

    # --- files, by Spark's own connectors --------------------------------------------------------------------

    def _path(self, url: str) -> Any:
        java: Any = self._context._jvm
        return java.org.apache.hadoop.fs.Path(url)

    def _files(self, url: str) -> tuple[Any, Any]:
        """Hadoop's file system for *url*, and *url* as its path."""
        path = self._path(url)
        return path.getFileSystem(self._context._jsc.hadoopConfiguration()), path

    def _delete(self, url: str) -> None:
        system, path = self._files(url)
        system.delete(path, True)

    def _fetch(self, url: str, folder: Path) -> None:
        """Bring the Parquet files at *url* into *folder*, wherever they lie."""
        folder.mkdir()
        system, path = self._files(url)
        near = urlsplit(url).scheme == "file"
        for status in system.listStatus(path):
            name = str(status.getPath().getName())
            if not name.endswith(".parquet"):
                continue
            if near:
                shutil.move(Path(str(status.getPath().toUri().getPath())), folder / name)
            else:
                local = self._path((folder / name).resolve().as_uri())
                system.copyToLocalFile(False, status.getPath(), local, True)
        system.delete(path, True)

    # --- what can go wrong -----------------------------------------------------------------------------------

    def _introduce(self) -> None:
        """Ask a few workers who they are: another version of ours, or no common folder, must end the run now."""
        asked_of = max(2, self._context.defaultParallelism)
        mark = f"{self._staging}/tables/here"
        here = urlsplit(mark).path if self._near else ""
        with self._told():
            system, path = self._files(mark)
            system.create(path, True).close()

        def who(arrived: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for _ in arrived:
                try:
                    import thingwatch

                    version = thingwatch.__version__
                except ImportError:
                    version = "none"
                seen = os.path.exists(here) if here else True
                yield pa.RecordBatch.from_pydict({"version": [version], "seen": [seen]})

        with self._told():
            frame = self._session.range(asked_of, numPartitions=asked_of)
            found = frame.mapInArrow(who, "version string, seen boolean").distinct().collect()
        versions = {row[0] for row in found}
        if versions != {__version__}:
            raise SettingError(
                f"--engine spark={self._master}: the workers have thingwatch {', '.join(sorted(versions))}, this is"
                f" {__version__}; install the same version on every worker"
            )
        if not all(row[1] for row in found):
            raise SettingError(
                f"--engine spark={self._master}: the workers do not see {here}; set staging to a folder or URL that all"
                " of them can write to"
            )

    def _listen(self) -> None:
        """End the run when no worker has been there for a while: Spark itself would wait for ever."""
        deaf = 0.0
        while not self._closed.wait(2.0):
            try:
                # The driver counts itself.
                deaf = 0.0 if self._context._jsc.sc().getExecutorMemoryStatus().size() > 1 else deaf + 2.0
            except Exception:
                deaf += 2.0
            if deaf >= DEAF_SECONDS:
                self._failure = f"no worker for {DEAF_SECONDS:.0f} s"
                with _quiet():
                    self._context.cancelAllJobs()
                return

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say in one sentence what Spark says in two hundred lines."""
        try:
            yield
        except ThingwatchError:
            raise
        except Exception as error:
            if type(error).__module__.partition(".")[0] not in ("py4j", "pyspark"):
                raise
            raise self._sentence(error) from error

    def _sentence(self, error: Exception) -> ThingwatchError:
        text = str(error)
        if self._failure or _stopped(self._context) or "SparkContext was shut down" in text:
            return InputError(
                f"spark={self._master}: the cluster is gone ({self._failure or 'its master does not answer'});"
                " nothing was written; run again when it is back"
            )
        if "No space left" in text:
            return OutputError(
                f"disk full in {self._staging}; free some space or set staging to a larger disk"
            )
        for sign in (
            "CANNOT_READ_FILE",
            "FAILED_READ_FILE",
            "is not a Parquet file",
            "Could not read footer",
        ):
            if sign in text:
                return InputError(f"spark: a file of the input cannot be read: {first_line(text, sign)}")
        if isinstance(error, PySparkException) and "PATH_NOT_FOUND" in text:
            return InputError(f"spark: {first_line(text, 'PATH_NOT_FOUND')}")
        return InputError(f"spark={self._master}: {cause_in(text)}; nothing was written")


def _shipped_form(tables: Mapping[str, TableForm]) -> pa.Schema:
    """The columns in which pieces travel: a list of rows for each of *tables*, and the account."""
    lists = [(name, pa.list_(pa.struct(list(form.schema)))) for name, form in tables.items()]
    return pa.schema([*lists, ("account", pa.binary())])


def _shipped(steps: Steps[Any], form: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The pieces of *steps*, each as one row: its table's list filled, all other columns null."""
    while True:
        try:
            name, table = next(steps)
        except StopIteration as end:
            yield _row(form, "account", pa.array([pickle.dumps(end.value)], pa.binary()))
            return
        rows = pa.StructArray.from_arrays(
            [column.combine_chunks() for column in table.columns], fields=list(table.schema)
        )
        one = pa.ListArray.from_arrays(pa.array([0, len(rows)], pa.int32()), rows)
        yield _row(form, name, one.cast(form.field(name).type))


def _row(form: pa.Schema, name: str, value: pa.Array) -> pa.RecordBatch:
    columns = [value if field.name == name else pa.nulls(1, field.type) for field in form]
    return pa.RecordBatch.from_arrays(columns, schema=form)


def _stopped(context: Any) -> bool:
    try:
        return bool(context._jsc.sc().isStopped())
    except Exception:
        return True


@contextmanager
def _quiet() -> Iterator[None]:
    """For what is done while ending: the session may be dead already."""
    with suppress(Exception):
        yield
