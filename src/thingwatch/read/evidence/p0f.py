"""Read the log of p0f 3: what the TCP stack of a client looked like while it connected to us.

Only the client is evidence of who sent; lines about the server are about ourselves, or about where our own mail
goes. p0f writes local time without saying so: without an offset it is taken as UTC. One mail makes three or four
lines, so this reader touches a line as little as it can.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache

from thingwatch.model import Sighting, Skip
from thingwatch.read.evidence.row import OLDEST, Reading, address_of, port_of, text_of
from thingwatch.read.field import MAX_LINE_BYTES, lines_of
from thingwatch.read.logtime import MICROSECONDS, microseconds
from thingwatch.read.stream import ByteSource

MAX_FIELDS = 12  # of a line; p0f writes at most nine

_CLOCK = re.compile(rb"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d")
_KINDS = {b"syn": (b"raw_sig=", "tcp.syn"), b"ip sharing": (b"reason=", "tcp.sharing")}
_OTHERS = frozenset(
    {b"syn+ack", b"mtu", b"uptime", b"host change", b"http request", b"http response"}
)  # read, and worth no sighting


def p0f(stream: ByteSource, reading: Reading) -> Iterator[Sighting | Skip]:
    """Read SYN signatures and notices that several systems share an address."""
    place, wanted, newest, keep_private = reading.place, reading.wanted, reading.newest, reading.keep_private
    offset = reading.utc_offset_minutes * 60 * MICROSECONDS
    for number, line in enumerate(lines_of(stream), 1):
        when, _, rest = line.partition(b"] mod=")
        fields = rest.split(b"|", MAX_FIELDS)
        if len(fields) < 4 or len(line) > MAX_LINE_BYTES:
            if line.strip():
                reason = "line-too-long" if len(line) > MAX_LINE_BYTES else "p0f-malformed"
                yield Skip(f"{place}@{number}", reason)
            continue
        kind = _KINDS.get(fields[0])
        if kind is None:
            yield Skip(f"{place}@{number}", "no-evidence" if fields[0] in _OTHERS else "p0f-malformed")
            continue
        if fields[3] != b"subj=cli":
            yield Skip(f"{place}@{number}", "not-a-sender")
            continue
        peer, _, port = fields[1].partition(b"/")
        ip, reason = _client(peer, keep_private)
        if reason or (wanted is not None and ip not in wanted):
            yield Skip(f"{place}@{number}", reason or "not-a-source")
            continue
        at = _moment(when)
        if at is None or not OLDEST <= at - offset <= newest:
            yield Skip(f"{place}@{number}", "bad-time" if at is None else "impossible-time")
            continue
        name, fact = kind
        text = next((_text(field[len(name) :]) for field in reversed(fields) if field.startswith(name)), "")
        if text:
            here = f"{place}@{number}"
            yield Sighting(ip, fact, text, at - offset, _port(port), "tcp", "p0f", here)
        else:
            yield Skip(f"{place}@{number}", "p0f-malformed")


@lru_cache(maxsize=131_072)
def _client(field: bytes, keep_private: bool) -> tuple[str, str]:
    return address_of(field.removeprefix(b"cli=").decode("latin-1"), keep_private)


@lru_cache(maxsize=4_096)  # a busy mail server meets some hundred stacks
def _text(value: bytes) -> str:
    return text_of(value.decode("utf-8", "replace"))


def _port(digits: bytes) -> int | None:
    return port_of(digits.decode("latin-1"))


@lru_cache(maxsize=64)
def _moment(when: bytes) -> int | None:
    """The time of "[2026/11/22 19:44:01" as if it were UTC; None where it is none."""
    midnight = _midnight(when[:12])
    if midnight is None or not _CLOCK.fullmatch(when, 12):
        return None
    seconds = int(when[12:14]) * 3_600 + int(when[15:17]) * 60 + int(when[18:20])
    return midnight + seconds * MICROSECONDS


@lru_cache(maxsize=64)
def _midnight(day: bytes) -> int | None:
    try:
        return microseconds(datetime.strptime(day.decode("ascii"), "[%Y/%m/%d "))
    except ValueError:
        return None
