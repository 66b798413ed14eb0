"""Read a host as Censys gave it before version 2 of its search, and as ZTag did: ports by number, grabs in them.

The shape is ``{"ip", "80": {"http": {"get": {...}}}}``: port, protocol, subprotocol; dumps write "p80" for the port,
tables of its search "80.http.get.title" for the whole way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from thingwatch.read.evidence.objects import inside
from thingwatch.read.evidence.protocol import (
    SERVER_KINDS,
    UDP_PROTOCOLS,
    answer,
    distinguished_name,
    header,
    open_port,
    page,
    protocol_of,
)
from thingwatch.read.evidence.row import Draft, label_of, port_of

MAX_PORTS = 500  # of one host, and of one port's protocols and theirs; real ones have a handful
MAX_HEADERS = 60
MAX_DOTS = 12  # in the name of a column

_PORT = re.compile(r"p?(\d{1,5})(?:\.[a-z]\w{0,40}\..{1,200})?", re.IGNORECASE)


def is_old(names: Iterable[str]) -> bool:
    """Whether a record with fields of these *names* is such a host, or wraps one as ZTag does."""
    found = set(names)
    addressed = not found.isdisjoint({"ip", "ip_address"})
    return "evidence" in found or (addressed and any(_PORT.fullmatch(name) for name in found))


def address_in(host: dict[str, Any]) -> Any:
    """The address, as text; ZTag's own samples have none."""
    return next(
        (place[name] for place in _places(host) for name in ("ip", "ip_address") if place.get(name)), None
    )


def old_host(draft: Draft, host: dict[str, Any]) -> None:
    """Add what every grab of *host* says."""
    seen = host.get("updated_at") or inside(host, "evidence", "updated_at")
    for place in _places(host):
        for port, protocol, grab in _grabs(place):
            if draft.time(grab.get("timestamp") or seen):
                _grab(draft, protocol, grab, (port, "udp" if protocol in UDP_PROTOCOLS else "tcp"))
        metadata = place.get("metadata")
        if isinstance(metadata, dict) and draft.time(seen):
            named = (inside(metadata, name) for name in ("device_type", "manufacturer", "product"))
            draft.add("device.label", label_of(*named))
            draft.add("os.label", metadata.get("os"))


def _places(host: dict[str, Any]) -> list[dict[str, Any]]:
    wrapped = host.get("evidence")
    return [host, wrapped] if isinstance(wrapped, dict) else [host]


def _grabs(place: dict[str, Any]) -> Iterator[tuple[int | None, str, dict[str, Any]]]:
    """Port, protocol and grab of each subprotocol."""
    for name, protocols in islice(_unfolded(place).items(), MAX_PORTS):
        for protocol, grabs in islice(protocols.items(), MAX_PORTS):
            for grab in list(grabs.values())[:MAX_PORTS] if isinstance(grabs, dict) else []:
                if isinstance(grab, dict):
                    yield port_of(name), protocol_of(protocol), grab


def _unfolded(place: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The ports of *place* by their numbers, with columns made objects again."""
    ports: dict[str, dict[str, Any]] = {}
    for name, value in place.items():
        found = _PORT.fullmatch(name)
        if found is None:
            continue
        steps = name.split(".", MAX_DOTS)[1:]
        inner = ports.setdefault(found[1], {})
        if not steps:
            inner.update(value if isinstance(value, dict) else {})
            continue
        for step in steps[:-1]:
            below = inner.setdefault(step, {})
            inner = below if isinstance(below, dict) else {}
        inner[steps[-1]] = value
    return ports


def _grab(draft: Draft, protocol: str, grab: dict[str, Any], where: tuple[int | None, str]) -> None:
    open_port(draft, protocol, *where)
    if protocol == "ssh":
        # The banner is cut up in pieces, of which the whole is one; older grabs name that one raw_banner.
        raw = inside(grab, "banner", "raw") or grab.get("raw") or grab.get("raw_banner")
        draft.add("ssh.banner", raw, *where)
    else:
        answer(draft, protocol, grab.get("banner"), *where)
    headers = grab.get("headers")
    for name, value in list(headers.items())[:MAX_HEADERS] if isinstance(headers, dict) else []:
        if name.lower() == "server":
            draft.add(SERVER_KINDS.get(protocol, "http.server"), value, *where)
        else:
            header(draft, name.lower(), value, *where)
    if protocol in ("upnp", "ssdp"):
        draft.add("upnp.server", grab.get("server"), *where)
        draft.add("upnp.device", grab.get("usn"), *where)
    page(draft, grab.get("body"), grab.get("title"), *where)
    certificate = grab.get("certificate") or inside(grab, "tls", "certificate")
    for end in ("subject", "issuer"):
        parsed = inside(certificate, "parsed")
        name = inside(parsed, f"{end}_dn") or distinguished_name(inside(parsed, end))
        draft.add(f"tls.{end}", name, *where)
