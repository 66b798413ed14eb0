"""What guards write into the shared stream: batches of journal records, numbered so that none counts twice.

A batch names its guard, the guard's start and its number since. Whoever reads keeps the last number of each guard,
so a batch may be sent again whenever it is not certain that it arrived, and a missing number is a gap that is told.
"""

from __future__ import annotations

import json
import struct
from typing import Any, NamedTuple

from thingwatch.guard.record import MAIL, WORD, records, unpack
from thingwatch.guard.trace import Trace
from thingwatch.guard.witness import is_sound, word_of

MAX_RECORDS = 64  # of one batch
MAX_BATCH_BYTES = 1 << 20
MAX_NAME_CHARS = 64
MAX_AGE_SECONDS = 3600.0  # mails longer ago are past: the stream keeps some minutes
MAX_AHEAD_SECONDS = 300.0  # by which another guard's clock may be ahead


class Batch(NamedTuple):
    """One entry of the stream."""

    guard: str
    start: int  # milliseconds since 1970 at which that guard began to share
    number: int  # counted from 1
    data: bytes  # records, end to end

    @property
    def fields(self) -> list[str | bytes | int]:
        """As the stream holds it."""
        return ["g", self.guard, "b", self.start, "n", self.number, "d", self.data]


class Contents(NamedTuple):
    """What a batch says."""

    traces: list[Trace]
    words: list[dict[str, Any]]
    unsound: int  # records that were left out


def batch_of(fields: Any) -> Batch | None:
    """An entry's *fields* as a batch; None for what is none."""
    if not isinstance(fields, list) or len(fields) != 8:
        return None
    found = {
        bytes(name): value for name, value in zip(fields[::2], fields[1::2], strict=True) if name and value
    }
    try:
        batch = Batch(found[b"g"].decode("ascii"), int(found[b"b"]), int(found[b"n"]), found[b"d"])
    except (KeyError, ValueError, AttributeError):
        return None
    fair = 0 < batch.number < 1 << 62 and 0 < batch.start < 1 << 62 and len(batch.data) <= MAX_BATCH_BYTES
    return batch if fair and 0 < len(batch.guard) <= MAX_NAME_CHARS else None


def contents_of(data: bytes, wall: float) -> Contents:
    """The records in *data*, those that can be believed at *wall*. Never raises for what it says."""
    traces: list[Trace] = []
    words: list[dict[str, Any]] = []
    unsound = 0
    end = 0
    for count, (kind, payload, end) in enumerate(records(data)):  # noqa: B007 - the last end counts
        if count >= MAX_RECORDS:
            break
        trace = _trace(payload, wall) if kind == MAIL else None
        said = _word(payload) if kind == WORD else None
        if trace is not None:
            traces.append(trace)
        elif said is not None:
            words.append(said)
        else:
            unsound += 1
    return Contents(traces, words, unsound + (end != len(data)))


def _trace(payload: bytes, wall: float) -> Trace | None:
    try:
        trace = unpack(payload).trace
    except (ValueError, struct.error, IndexError, TypeError):
        return None
    if not -MAX_AGE_SECONDS <= trace.at / 1e6 - wall <= MAX_AHEAD_SECONDS or not is_sound(trace):
        return None
    return trace


def _word(payload: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return word_of(value)
