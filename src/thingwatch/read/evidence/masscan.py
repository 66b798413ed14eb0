"""Read masscan's JSON, of any age: as an array, with a comma too many, or a record a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from thingwatch.model import Sighting, Skip
from thingwatch.read.evidence.objects import inside, objects, several
from thingwatch.read.evidence.protocol import answer, open_port, protocol_of
from thingwatch.read.evidence.row import Draft, Reading, port_of, transport_of
from thingwatch.read.records import Bad
from thingwatch.read.stream import ByteSource

MAX_PORTS = 1_000  # of one record; masscan writes one

# masscan cuts some answers into pieces with names of their own.
_PIECES = {"title": "http.title", "http.server": "http.server"}
_NO_TEXT = frozenset({"X509", "X509CA", "html"})  # a certificate in base64, a page cut anywhere


def masscan(stream: ByteSource, reading: Reading) -> Iterator[Sighting | Skip]:
    """Read open ports and banners; a record that says a port is closed is a Skip "port-closed"."""
    for row in objects(stream):
        if isinstance(row, Bad):
            yield reading.skip(row.number, row.reason)
        elif "finished" not in row.values:  # old versions end the list with a record of their own
            draft = Draft(reading, row.number, "masscan")
            if draft.address(row.get("ip")) and draft.time(row.get("timestamp")):
                for port in several(row.get("ports"), MAX_PORTS):
                    _port(draft, port)
            yield from draft.done()


def _port(draft: Draft, record: Any) -> None:
    port, transport = port_of(inside(record, "port")), transport_of(inside(record, "proto"))
    if inside(record, "status") not in (None, "open"):
        draft.refuse("port-closed")
        return
    service = inside(record, "service")
    name, text = inside(service, "name"), inside(service, "banner")
    if not isinstance(name, str) or name in _NO_TEXT:
        draft.add("port.open", "", port, transport)
    elif name in _PIECES:
        draft.add("port.open", "http", port, transport)
        draft.add(_PIECES[name], text, port, transport)
    else:
        protocol = protocol_of(name)
        open_port(draft, "" if protocol == "unknown" else protocol, port, transport)
        answer(draft, protocol, text, port, transport)
