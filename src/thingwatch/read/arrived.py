"""Mail that another program read for us: rows of a table, or whole files, as they come from an object store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from thingwatch.model import Message, RawMail, Skip
from thingwatch.read.archive import mails_in_bytes
from thingwatch.read.message import read_message
from thingwatch.read.received import Border
from thingwatch.read.table import mail_columns, mail_of_row, values_of
from thingwatch.store import FILE_BITS, WHOLE

_BESIDE = ("rank", "file", "row", WHOLE)


def arrived_messages(
    batches: Iterable[pa.RecordBatch], border: Border
) -> Iterator[tuple[int, Message | Skip]]:
    """Yield each message in *batches* with its seq, and a Skip for every piece that is none.

    Batches are as ``Engine.spread_arrived`` has them. A seq is the file's rank and the mail's place there.
    """
    for batch in batches:
        ranks, files = batch["rank"].to_pylist(), batch["file"].to_pylist()
        if WHOLE in batch.schema.names:
            contents = batch[WHOLE]
            for place in range(batch.num_rows):
                first = ranks[place] << FILE_BITS
                for number, found in enumerate(mails_in_bytes(contents[place].as_py(), files[place])):
                    yield first + number, _read(found, border)
            continue
        mails = batch.select([name for name in batch.schema.names if name not in _BESIDE])
        columns = mail_columns(mails.schema, files[0] if files else "")
        rows = batch["row"].to_pylist()
        for rank, file, row, (raw, beside) in zip(ranks, files, rows, values_of(mails, columns), strict=True):
            for found in mail_of_row(raw, beside, f"{file}@{row}"):
                yield (rank << FILE_BITS) + row, _read(found, border)


def columns_of_table(schema: pa.Schema, url: str) -> list[str]:
    """The columns of the table at *url* that hold mail, or what was written down beside it.

    Raises InputError where none holds mail.
    """
    return list(mail_columns(schema, url).values())


def _read(found: RawMail | Skip, border: Border) -> Message | Skip:
    return read_message(found, border) if isinstance(found, RawMail) else found
