"""Mail at URLs, read by Spark's own connectors: tables of raw mail, and files of any other form, whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.pandas.types import to_arrow_schema

from thingwatch.errors import InputError
from thingwatch.store.engine import FILE_BITS, WHOLE

MAX_FILE_BYTES = (
    256 << 20
)  # of a file that is read whole; an mbox beyond is for a table, or for a file system
MAX_BATCH_ROWS = 256  # of whole files sent to Python at a time
MAX_FILES = 1 << 22  # whose names the driver holds


class Arrivals:
    """The files at some URLs, ranked by their address, so that the same mail has the same number in every run."""

    def __init__(
        self, session: SparkSession, urls: list[str], columns_of: Callable[[Any, str], list[str]]
    ) -> None:
        self._session = session
        self._columns_of = columns_of
        self._frames = [self._frame(url) for url in urls]
        # The order of the URLs is the user's; within one, names decide.
        ranked = [
            sorted({row[0] for row in frame.select("file").distinct().collect()}) for frame in self._frames
        ]
        self.files = list(dict.fromkeys(file for files in ranked for file in files))
        if len(self.files) > MAX_FILES:
            raise InputError(
                f"{', '.join(urls)}: {len(self.files):,} files; write the mail into tables, or name fewer"
            )
        self.too_large = [
            row[0]
            for frame in self._frames
            if "length" in frame.columns
            for row in frame.where(f.col("length") > MAX_FILE_BYTES).select("file").collect()
        ]
        self._ranks = session.createDataFrame(list(enumerate(self.files)), "rank long, file string")

    def frames(self, seqs: set[int] | None = None) -> Iterator[DataFrame]:
        """The mail of each URL, ready for `arrived_messages`; only what stands at *seqs* when given."""
        for frame in self._frames:
            ranked = frame.join(f.broadcast(self._ranks), "file")
            if seqs is not None:
                ranks = {seq >> FILE_BITS for seq in seqs}
                ranked = ranked.where(f.col("rank").isin(list(ranks)))
                if "row" in frame.columns:
                    rows = {seq & ((1 << FILE_BITS) - 1) for seq in seqs}
                    ranked = ranked.where(f.col("row").isin(list(rows)))
            if "length" in frame.columns:
                ranked = ranked.where(f.col("length") <= MAX_FILE_BYTES).drop("length")
            yield ranked

    def _frame(self, url: str) -> DataFrame:
        if self._is_table(url):
            table = self._session.read.option("recursiveFileLookup", "true").parquet(url)
            columns = self._columns_of(to_arrow_schema(table.schema, timezone="UTC"), url)
            return table.select(
                f.col("_metadata.file_path").alias("file"),
                f.col("_metadata.row_index").alias("row"),
                *(f.col(f"`{name}`") for name in columns),
            )
        files = self._session.read.format("binaryFile").option("recursiveFileLookup", "true").load(url)
        return files.select(
            f.col("_metadata.file_path").alias("file"), f.col("length"), f.col("content").alias(WHOLE)
        )

    def _is_table(self, url: str) -> bool:
        """Whether Parquet lies at *url*, by the name of the first file there."""
        context: Any = self._session.sparkContext
        path = context._jvm.org.apache.hadoop.fs.Path(url)
        system = path.getFileSystem(context._jsc.hadoopConfiguration())
        for status in system.globStatus(path) or ():
            found = system.listFiles(status.getPath(), True)
            while found.hasNext():
                name = str(found.next().getPath().getName())
                if not name.startswith(("_", ".")):
                    return name.endswith((".parquet", ".pq"))
        raise InputError(f"{url}: nothing there that can be read")
