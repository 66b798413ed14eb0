"""Read sightings in the program's own form, for whatever other tools and own scripts have measured.

One JSON object each: ``{"ip", "time", "port", "transport", "kind", "value", "source"}``; all but ip, kind and
value may be left out. This is how SMTP timing comes in: kind "smtp.rtt", value "ratio extra_ms".
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from thingwatch.model import SIGHTING_KINDS, Sighting, Skip
from thingwatch.read.evidence.objects import objects
from thingwatch.read.evidence.outcomes import origin_of
from thingwatch.read.evidence.row import (
    NETWORK_KINDS,
    Draft,
    Reading,
    label_of,
    port_of,
    text_of,
    transport_of,
)
from thingwatch.read.records import Bad, Row
from thingwatch.read.stream import ByteSource


def sightings(stream: ByteSource, reading: Reading) -> Iterator[Sighting | Skip]:
    """Read sightings as they are given."""
    for row in objects(stream):
        if isinstance(row, Bad):
            yield reading.skip(row.number, row.reason)
        else:
            yield from _given(row, reading)


def _given(row: Row, reading: Reading) -> Iterator[Sighting | Skip]:
    draft = Draft(reading, row.number, text_of(row.get("source"), 100) or "own")
    kind = row.get("kind")
    if not isinstance(kind, str) or kind not in SIGHTING_KINDS:
        draft.refuse("unknown-kind")
        return draft.done()
    ip = row.get("ip")
    if (draft.range(ip) if kind in NETWORK_KINDS else draft.address(ip)) and draft.time(
        row.get("time", "at")
    ):
        value = _value(kind, row.get("value"))
        if value is None:
            draft.refuse("bad-value")
        else:
            draft.add(kind, value, port_of(row.get("port")), transport_of(row.get("transport")))
    return draft.done()


def _value(kind: str, value: object) -> str | None:
    """The value as *kind* wants it; None where it is not of its form. A number is taken as it would be written."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = f"{value:.6g}"
    if kind == "default.credentials":
        return ""  # whatever stands there, it is not ours to keep
    if kind == "device.label":
        words = value.split("\t") if isinstance(value, str) else []
        return label_of(*words) if len(words) == 3 else None
    text = text_of(value)
    if kind == "smtp.rtt":
        return text if _is_timing(text) else None
    if kind == "outcome":
        return origin_of(text) or None
    return text if text or value in (None, "") else None


def _is_timing(text: str) -> bool:
    """Whether a text is a ratio, with or without the milliseconds behind it."""
    try:
        numbers = [float(number) for number in text.split(" ")]
    except ValueError:
        return False
    return len(numbers) <= 2 and all(map(math.isfinite, numbers)) and numbers[0] >= 0
