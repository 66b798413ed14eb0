"""Read what ZGrab2 prints: JSON lines, one address an object, one grab a module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from thingwatch.model import Sighting, Skip
from thingwatch.read.evidence.objects import inside, objects
from thingwatch.read.evidence.protocol import (
    UDP_PROTOCOLS,
    answer,
    distinguished_name,
    header,
    open_port,
    page,
    protocol_of,
)
from thingwatch.read.evidence.row import Draft, Reading, port_of
from thingwatch.read.records import Bad
from thingwatch.read.stream import ByteSource

MAX_MODULES = 40
MAX_HEADERS = 60

_SILENT = frozenset({"connection-refused", "connection-timeout", "connection-closed", "io-timeout"})


def zgrab2(stream: ByteSource, reading: Reading) -> Iterator[Sighting | Skip]:
    """Read grabs that succeeded; where every module got no answer, that the address was silent."""
    for row in objects(stream):
        if isinstance(row, Bad):
            yield reading.skip(row.number, row.reason)
            continue
        draft = Draft(reading, row.number, "zgrab2")
        data = row.get("data")
        if draft.address(row.get("ip")) and isinstance(data, dict):
            _grabs(draft, list(data.items())[:MAX_MODULES], row.get("port"))
        yield from draft.done()


def _grabs(draft: Draft, grabs: list[tuple[str, Any]], port: Any) -> None:
    states = [inside(grab, "status") for _, grab in grabs]
    for module, grab in grabs:
        if inside(grab, "status") == "success" and draft.time(grab.get("timestamp")):
            _grab(draft, protocol_of(grab.get("protocol") or module), grab, port_of(grab.get("port") or port))
    if states and all(isinstance(state, str) and state in _SILENT for state in states):
        if draft.time(inside(grabs[0][1], "timestamp")):
            draft.add("front.silent", "")
    elif "success" not in states:
        draft.refuse("no-answer")


def _grab(draft: Draft, protocol: str, grab: dict[str, Any], port: int | None) -> None:
    where = (port, "udp" if protocol in UDP_PROTOCOLS else "tcp")
    result = grab.get("result")
    open_port(draft, protocol, *where)
    draft.add("ssh.banner", inside(result, "server_id", "raw"), *where)
    if protocol != "ssh":  # there it is what users read before they log in
        answer(draft, protocol, inside(result, "banner"), *where)
    response = inside(result, "response")
    headers = inside(response, "headers")
    for name, value in list(headers.items())[:MAX_HEADERS] if isinstance(headers, dict) else []:
        header(draft, name.lower(), value, *where)
    page(draft, inside(response, "body"), None, *where)
    shaken = (
        inside(result, "tls", "handshake_log")
        or inside(response, "request", "tls_log", "handshake_log")
        or inside(result, "handshake_log")
    )
    parsed = inside(shaken, "server_certificates", "certificate", "parsed")
    for end in ("subject", "issuer"):
        name = inside(parsed, f"{end}_dn") or distinguished_name(inside(parsed, end))
        draft.add(f"tls.{end}", name, *where)
