"""Read Shodan's downloads: JSON, one banner of one port an object."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator

from thingwatch.model import Sighting, Skip
from thingwatch.read.evidence.objects import inside, objects
from thingwatch.read.evidence.protocol import (
    SERVER_KINDS,
    answer,
    distinguished_name,
    open_port,
    page,
    protocol_of,
)
from thingwatch.read.evidence.row import Draft, Reading, label_of, port_of, transport_of
from thingwatch.read.records import Bad, Row
from thingwatch.read.stream import ByteSource

MAX_ICON_CHARS = 1 << 20  # of base64; icons of devices stay below 100 kB
MAX_TAGS = 50

# A result that has one of these objects is such a device; types in the words Shodan uses elsewhere.
_OBJECTS = {
    "mikrotik_routeros": ("router", "MikroTik"),
    "mikrotik_winbox": ("router", "MikroTik"),
    "hikvision": ("webcam", "Hikvision"),
    "dahua": ("webcam", "Dahua"),
    "dahua_dvr_web": ("webcam", "Dahua"),
    "samsung_tv": ("media device", "Samsung"),
    "sonos": ("media device", "Sonos"),
    "chromecast": ("media device", "Google"),
    "ubiquiti": ("WAP", "Ubiquiti"),
    "synology_dsm": ("storage-misc", "Synology"),
    "qnap": ("storage-misc", "QNAP"),
    "tp_link_kasa": ("specialized", "TP-Link"),
    "philips_hue": ("specialized", "Philips"),
    "yeelight": ("specialized", "Yeelight"),
}
_PROXY_TAGS = frozenset({"proxy", "vpn", "tor"})
_INFECTED_TAGS = frozenset({"compromised", "malware"})


def shodan(stream: ByteSource, reading: Reading) -> Iterator[Sighting | Skip]:
    """Read banners as Shodan saved them."""
    for row in objects(stream):
        if isinstance(row, Bad):
            yield reading.skip(row.number, row.reason)
            continue
        draft = Draft(reading, row.number, "shodan")
        ip = row.get("ip_str", "ipv6")
        if draft.address(ip if ip is not None else _dotted(row.get("ip"))) and draft.time(
            row.get("timestamp")
        ):
            _banner(draft, row)
        yield from draft.done()


def _dotted(number: object) -> str | None:
    if isinstance(number, int) and 0 <= number < 1 << 32:
        return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))
    return None


def _banner(draft: Draft, row: Row) -> None:
    port, transport = port_of(row.get("port")), transport_of(row.get("transport")) or "tcp"
    where = (port, transport)
    protocol = protocol_of(inside(row.values, "_shodan", "module"))
    open_port(draft, protocol, *where)
    http = row.get("http")
    if isinstance(http, dict):
        draft.add(SERVER_KINDS.get(protocol, "http.server"), http.get("server"), *where)
        page(draft, http.get("html"), http.get("title"), *where)
        draft.add("http.favicon_md5", _icon_md5(inside(http, "favicon", "data")), *where)
    answer(draft, protocol, row.get("data"), *where)
    for end in ("subject", "issuer"):
        name = distinguished_name(inside(row.values, "ssl", "cert", end))
        draft.add(f"tls.{end}", name, *where)
    for name, kind in (
        ("description", "snmp.sysdescr"),
        ("objectid", "snmp.sysobjectid"),
        ("name", "banner"),
    ):
        draft.add(kind, inside(row.values, "snmp", name), *where)
    upnp = row.get("upnp")
    for name in ("friendly_name", "manufacturer", "model_name", "model_description"):
        draft.add("upnp.device", inside(upnp, name), *where)
    draft.add(
        "device.label",
        label_of(row.get("devicetype"), "", row.get("product")) if row.get("devicetype") else "",
        *where,
    )
    for name, (device_type, vendor) in _OBJECTS.items():
        if row.get(name) is not None:
            draft.add("device.label", label_of(device_type, vendor, inside(row.get(name), "model")), *where)
    draft.add("os.label", row.get("os"), *where)
    macs = row.get("mac")
    for mac in list(macs)[:8] if isinstance(macs, dict) else [macs]:
        draft.add("mac.address", mac, *where)
    tags = row.get("tags")
    for tag in tags[:MAX_TAGS] if isinstance(tags, list) else []:
        if isinstance(tag, str) and tag in _PROXY_TAGS:
            draft.add("proxy", tag, *where)
        elif isinstance(tag, str) and tag in _INFECTED_TAGS:
            draft.add("infection", tag, *where)


def _icon_md5(data: object) -> str:
    """The MD5 by which rules know an icon; Shodan's own number for it is another hash."""
    if not isinstance(data, str) or not 0 < len(data) <= MAX_ICON_CHARS:
        return ""
    try:
        return hashlib.md5(base64.b64decode(data), usedforsecurity=False).hexdigest()
    except (binascii.Error, ValueError):
        return ""
