"""Read MuonFP's output: the fingerprint of a client's SYN, as JSON lines or, from old versions, as plain lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from thingwatch.model import Sighting, Skip
from thingwatch.read.evidence.objects import objects
from thingwatch.read.evidence.row import Draft, Reading
from thingwatch.read.field import MAX_LINE_BYTES, lines_of
from thingwatch.read.records import Bad
from thingwatch.read.stream import ByteSource

# Window, option kinds in order, MSS and window scale; what a SYN did not carry is empty.
FINGERPRINT = re.compile(r"\d{1,5}:[\d-]{0,120}:\d{0,5}:\d{0,3}")


def muonfp(stream: ByteSource, reading: Reading) -> Iterator[Sighting | Skip]:
    """Read fingerprints; the plain lines bear no time."""
    if stream.peek(64).lstrip()[:1] == b"{":
        for row in objects(stream):
            if isinstance(row, Bad):
                yield reading.skip(row.number, row.reason)
            else:
                address = row.get("ip_address", "src_ip", "ip")
                value = row.get("muonfp_fingerprint", "muonfp", "fingerprint")
                yield from _sighted(reading, row.number, address, row.get("timestamp", "time"), value)
        return
    for number, line in enumerate(lines_of(stream), 1):
        if len(line) > MAX_LINE_BYTES:
            yield reading.skip(number, "line-too-long")
        elif text := line.decode("utf-8", "replace").strip():
            # From the right, for an IPv6 address has colons too.
            address, *parts = text.rsplit(":", 4)
            yield from _sighted(reading, number, address, None, ":".join(parts))


def _sighted(
    reading: Reading, number: int, address: object, when: object, value: object
) -> Iterator[Sighting | Skip]:
    draft = Draft(reading, number, "muonfp")
    if not isinstance(value, str) or not FINGERPRINT.fullmatch(value):
        draft.refuse("muonfp-malformed")
    elif draft.address(address) and draft.time(when):
        draft.add("tcp.muonfp", value, None, "tcp")
    return draft.done()
