"""The journal's records as bytes: a mail's trace with what was done, or a word of a person as JSON.

Each record stands behind its length and a CRC-32, so that a record cut off by a crash is known for what it is.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from thingwatch.guard.gateway import Action
from thingwatch.guard.ledger import Entry
from thingwatch.guard.trace import Trace

MAIL, WORD = b"m", b"w"
MAX_RECORD = 1 << 20  # a mail takes half a kilobyte; a longer record is no record of ours
_HEAD = struct.Struct("<II")
_TRACE = struct.Struct("<dqQQQQQQQQBHBBH")  # as written in ``pack``
_FLAGS = ("signed", "unchecked", "listed", "automatic", "answer", "logged")
_ACTIONS = tuple(Action)


class Mail(NamedTuple):
    """A mail that was observed."""

    now: float  # of the waiting clock
    trace: Trace
    exempt: bool  # taken as good without being observed
    entry: Entry | None


def framed(kind: bytes, payload: bytes) -> bytes:
    """A whole record."""
    body = kind + payload
    return _HEAD.pack(len(body), crc32(body)) + body


def pack(mail: Mail) -> bytes:
    """*mail* as a record."""
    t = mail.trace
    flags = sum(1 << i for i, name in enumerate(_FLAGS) if getattr(t, name))
    entry = mail.entry
    action = _ACTIONS.index(entry.action) if entry is not None else 255
    said = (
        b""
        if entry is None
        else json.dumps([entry.queue_id, entry.message_id, entry.recipients, entry.at]).encode()
    )
    head = _TRACE.pack(
        mail.now, t.at, t.dialect, t.layout, t.mime_form, t.id_form, t.name, t.source, t.network, t.recipient,
        t.name_class, flags, mail.exempt, action, len(t.keys),
    )  # fmt: skip
    return framed(MAIL, b"".join((head, t.keys.tobytes(), t.kinds.tobytes(), said)))


def unpack(payload: bytes) -> Mail:
    """What ``pack`` put in; raises ValueError or struct.error for what it did not."""
    (
        now,
        at,
        dialect,
        layout,
        mime,
        form,
        name,
        source,
        network,
        recipient,
        name_class,
        flags,
        exempt,
        action,
        n,
    ) = _TRACE.unpack_from(payload)
    start = _TRACE.size
    # Copied: for arrays that cannot be written, numba would compile everything a second time.
    keys = np.frombuffer(payload, dtype=np.uint64, count=n, offset=start).copy()
    kinds = np.frombuffer(payload, dtype=np.int8, count=n, offset=start + 8 * n).copy()
    marks = {word: bool(flags >> i & 1) for i, word in enumerate(_FLAGS)}
    entry = None
    if action != 255:
        queue_id, message_id, recipients, seen = json.loads(payload[start + 9 * n :])
        entry = Entry(queue_id, message_id, tuple(recipients), seen, _ACTIONS[action])
    trace = Trace(
        keys=keys, kinds=kinds, dialect=dialect, layout=layout, mime_form=mime, id_form=form, name=name,
        source=source, network=network, name_class=name_class, recipient=recipient, at=at, **marks,
    )  # fmt: skip
    return Mail(now, trace, bool(exempt), entry)


def records(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """(kind, payload, where it ends) of every whole record in *data*; ends silently at the first that is not."""
    at = 0
    while at + _HEAD.size <= len(data):
        length, check = _HEAD.unpack_from(data, at)
        end = at + _HEAD.size + length
        if not 0 < length <= MAX_RECORD or end > len(data):
            return
        body = data[at + _HEAD.size : end]
        if crc32(body) != check:
            return
        yield body[:1], body[1:], end
        at = end


def word(value: dict[str, Any]) -> bytes:
    """A person's word as a record."""
    return framed(WORD, json.dumps(value).encode())
