"""Read hosts as Censys gives them, one an object: its platform's form, version 2 of its search, and the old form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from thingwatch.model import Sighting, Skip
from thingwatch.read.evidence.censys1 import address_in, old_host
from thingwatch.read.evidence.objects import inside, objects, several
from thingwatch.read.evidence.protocol import answer, distinguished_name, header, open_port, page, protocol_of
from thingwatch.read.evidence.row import Draft, Reading, label_of, port_of, transport_of
from thingwatch.read.records import Bad
from thingwatch.read.stream import ByteSource

MAX_SERVICES = 500  # of one host; a host that answers on more ports answers on all
MAX_ENDPOINTS = 10  # web pages of one service
MAX_HEADERS = 60
MAX_ATTRIBUTES = 20

_NETWORK_TYPES = (("mobile", "mobile"), ("hosting", "hosting"))
_PROXIES = ("proxy", "vpn", "tor", "relay", "anonymous")


def censys(stream: ByteSource, reading: Reading) -> Iterator[Sighting | Skip]:
    """Read hosts, alone or in what their interface wraps around them."""
    for row in objects(stream):
        if isinstance(row, Bad):
            yield reading.skip(row.number, row.reason)
            continue
        hosts = _hosts(row.values)
        for count, host in enumerate(hosts, 1):
            draft = Draft(reading, f"{row.number}.{count}" if len(hosts) > 1 else row.number, "censys")
            if draft.address(address_in(host)):
                _host(draft, host)
                old_host(draft, host)
            yield from draft.done()


def _hosts(values: dict[str, Any]) -> list[dict[str, Any]]:
    """The hosts in an answer: ``result.resource`` of the platform, ``result`` or ``result.hits`` of version 2."""
    for _ in range(3):
        inner = next((values[n] for n in ("result", "resource", "host", "hits") if n in values), None)
        if isinstance(inner, list):
            return [host if isinstance(host, dict) else {} for host in inner] or [{}]
        if not isinstance(inner, dict) or "ip" in values:
            break
        values = inner
    return [values]


def _host(draft: Draft, host: dict[str, Any]) -> None:
    services = several(host.get("services"), MAX_SERVICES)
    for service in services:
        if isinstance(service, dict) and draft.time(service.get("scan_time") or service.get("observed_at")):
            _service(draft, service)
    if draft.time(host.get("last_updated_at")):
        _attributes(draft, host, None, "")
        for item in several(host.get("network"), MAX_ATTRIBUTES):
            for name, network_type in _NETWORK_TYPES:
                if inside(item, name):
                    draft.add("network.type", network_type)
        for item in several(host.get("privacy"), MAX_ATTRIBUTES):
            for name in _PROXIES:
                if inside(item, name):
                    draft.add("proxy", name)


def _service(draft: Draft, service: dict[str, Any]) -> None:
    port = port_of(service.get("port"))
    transport = transport_of(service.get("transport_protocol")) or "tcp"
    protocol = protocol_of(service.get("protocol") or service.get("service_name"))
    protocol = "" if protocol == "unknown" else protocol
    where = (port, transport)
    open_port(draft, protocol, *where)
    for endpoint in several(service.get("endpoints"), MAX_ENDPOINTS):
        _web(draft, inside(endpoint, "http"), where)
    _web(draft, inside(service, "http", "response"), where)
    answer(draft, protocol, service.get("banner"), *where)
    draft.add("cwmp.server", inside(service, "cwmp", "server"), *where)
    draft.add("snmp.sysdescr", inside(service, "snmp", "oid_system", "desc"), *where)
    draft.add("snmp.sysobjectid", inside(service, "snmp", "oid_system", "object_id"), *where)
    for name in ("friendly_name", "model_name", "manufacturer"):
        draft.add("upnp.device", inside(service, "upnp", "devices", name), *where)
        for device in several(inside(service, "upnp", "devices"), MAX_ATTRIBUTES):
            draft.add("upnp.device", inside(device, name), *where)
    parsed = inside(service, "cert", "parsed") or inside(service, "tls", "certificates", "leaf_data")
    for end in ("subject", "issuer"):
        name = inside(parsed, f"{end}_dn") or distinguished_name(inside(parsed, end))
        draft.add(f"tls.{end}", name, *where)
    _attributes(draft, service, *where)
    for item in several(service.get("compromises"), MAX_ATTRIBUTES):
        draft.add("infection", inside(item, "name") or inside(item, "id"), *where)
    if inside(service, "hajime") is not None:
        draft.add("infection", "hajime", *where)


def _web(draft: Draft, http: Any, where: tuple[int | None, str]) -> None:
    if not isinstance(http, dict):
        return
    headers = http.get("headers")
    for name, value in list(headers.items())[:MAX_HEADERS] if isinstance(headers, dict) else []:
        header(draft, name.lower(), value, *where)
    page(draft, http.get("body"), http.get("html_title"), *where)
    for icon in several(http.get("favicons"), MAX_ENDPOINTS):
        draft.add("http.favicon_md5", inside(icon, "md5_hash") or inside(icon, "hash_md5"), *where)


def _attributes(draft: Draft, place: dict[str, Any], port: int | None, transport: str) -> None:
    for item in several(place.get("hardware"), MAX_ATTRIBUTES):
        types = inside(item, "type")
        device_type = next((t for t in types if isinstance(t, str)), "") if isinstance(types, list) else types
        label = label_of(device_type or inside(item, "part"), inside(item, "vendor"), inside(item, "product"))
        draft.add("device.label", label, port, transport)
    for item in several(place.get("operating_system"), MAX_ATTRIBUTES):
        name = " ".join(str(word) for word in (inside(item, "vendor"), inside(item, "product")) if word)
        draft.add("os.label", name, port, transport)
