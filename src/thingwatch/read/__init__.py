"""Bytes → records: every mail input, cut into loads that workers can read alone.

The front doors are ``plan``, which says what lies at the user's paths, and ``messages_in``, which reads one
load of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from thingwatch.model import Message, RawMail, Skip
from thingwatch.read.arrived import arrived_messages, columns_of_table
from thingwatch.read.export import READERS
from thingwatch.read.mailbox import Load, mails_in, plan
from thingwatch.read.maillog import first_year
from thingwatch.read.message import read_message
from thingwatch.read.received import Border
from thingwatch.read.stream import open_bytes

__all__ = [
    "Border", "Load", "RawMail", "arrived_messages", "columns_of_table", "messages_in", "messages_of", "plan",
    "read_message",
]  # fmt: skip


def messages_in(load: Load, border: Border) -> Iterator[Message | Skip]:
    """Every message of *load*, and a named Skip for every piece that is none. Never raises for what it reads."""
    reader = READERS.get(load.form)
    if reader is None:
        for item in mails_in(load):
            yield read_message(item, border) if isinstance(item, RawMail) else item
        return
    path = Path(load.path)
    year = None
    if load.form == "postfix":
        # A syslog line bears no year: the newest is taken to be not later than the file itself.
        with closing(open_bytes(path)) as stream:
            year = first_year(stream, datetime.fromtimestamp(path.stat().st_mtime, UTC).year)
    with closing(open_bytes(path)) as stream:
        yield from reader(stream, load.path, year) if load.form == "postfix" else reader(stream, load.path)
        yield from stream.skips(load.path)


def messages_of(load: Load, border: Border, rows: Collection[int]) -> Iterator[tuple[int, Message]]:
    """The messages of *load* at *rows* (counted from 0, pieces that are none left out), each with its row."""
    last = max(rows, default=-1)
    if load.form in READERS:
        items = (item for item in messages_in(load, border) if isinstance(item, Message))
        yield from ((row, item) for row, item in zip(range(last + 1), items, strict=False) if row in rows)
        return
    mails = (item for item in mails_in(load) if isinstance(item, RawMail))
    for row, mail in zip(range(last + 1), mails, strict=False):
        if row in rows:
            yield row, read_message(mail, border)
