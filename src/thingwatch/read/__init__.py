"""Bytes → records: every mail input, cut into loads that workers can read alone.

The front doors are ``plan``, which says what lies at the user's paths, and ``messages_in``, which reads one
load of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from thingwatch.model import Message, RawMail, Skip
from thingwatch.read.export import READERS
from thingwatch.read.mailbox import Load, mails_in, plan
from thingwatch.read.message import read_message
from thingwatch.read.received import Border
from thingwatch.read.stream import open_bytes

__all__ = ["Border", "Load", "RawMail", "messages_in", "plan", "read_message"]


def messages_in(load: Load, border: Border) -> Iterator[Message | Skip]:
    """Every message of *load*, and a named Skip for every piece that is none. Never raises for what it reads."""
    reader = READERS.get(load.form)
    if reader is None:
        for item in mails_in(load):
            yield read_message(item, border) if isinstance(item, RawMail) else item
        return
    path = Path(load.path)
    with closing(open_bytes(path)) as stream:
        if load.form == "postfix":
            # A syslog line bears no year: the newest is taken to be not later than the file itself.
            year = datetime.fromtimestamp(path.stat().st_mtime, UTC).year
            yield from reader(stream, load.path, year)
        else:
            yield from reader(stream, load.path)
    yield from stream.skips(load.path) if hasattr(stream, "skips") else ()
