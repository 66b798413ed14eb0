"""Read Shadowserver's reports, any type of them, by the names of their columns.

The file's name says which report it is ("2026-11-22-scan_telnet-example.csv", or "scan_telnet.csv"); without
it the columns and the row's own tag are asked. Columns come, go and are renamed over the years, so none but the
address is relied on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from thingwatch.model import Sighting, Skip
from thingwatch.read.evidence.family import family_of
from thingwatch.read.evidence.protocol import (
    BANNER_KINDS,
    EXPOSURES,
    SERVER_KINDS,
    distinguished_name,
    header,
    open_port,
    protocol_of,
)
from thingwatch.read.evidence.row import Draft, Reading, label_of, port_of, transport_of
from thingwatch.read.records import Bad, Row, csv_rows
from thingwatch.read.stream import ByteSource

MAX_LACKING = 1  # cells: these reports leave out the last one where it is empty; a line cut off lacks more

_DATED = re.compile(r"\d{4}-\d\d-\d\d-([a-z0-9_]{3,60})(?:-|\.)", re.IGNORECASE)
_TYPE = re.compile(
    r"((?:scan6?|event[46]|sinkhole6?|honeypot|compromised|device|blocklist|special|sandbox|malware)"
    r"[a-z0-9_]{0,60})",
    re.IGNORECASE,
)
# Which report a nameless file is: the first whose columns are all there.
_TELLING = (
    ("blocklist", ("ip", "source", "reason")),
    ("sandbox_conn", ("ip", "md5", "bytes_in")),
    ("sandbox_url", ("ip", "md5", "url")),
    ("malware_url", ("ip", "url", "sha256")),
    ("event4_sinkhole_http_referer", ("http_referer_ip",)),
    ("event4_honeypot_ddos_amp", ("src_ip", "avg_pps")),
    ("event", ("src_ip",)),
    ("scan_snmp", ("sysdesc",)),
    ("scan_ssdp", ("unique_service_name",)),
    ("scan_adb", ("features", "model", "device")),
    ("scan_http_proxy", ("proxy_authenticate",)),
    ("scan_ipmi", ("ipmi_version",)),
    ("scan_netbios", ("machine_name", "workgroup")),
    ("scan_mdns", ("mdns_name",)),
    ("scan_sip", ("sip_code",)),
    ("scan_ssh", ("serverid_raw",)),
    ("special", ("status", "detail", "method")),
)
# What these rows name is the victim, the controller or a server somebody called, never the one who did it.
_OTHER_END = re.compile(
    r"sandbox|malware_url|ddos_amp|ddos_target|honeypot_ddos$|referer|sinkhole_dns|compromised_website"
)
_EVENT = re.compile(r"event|sinkhole|honeypot|compromised|special|synfulknock")
_COMPROMISED = re.compile(r"compromis|infect|malware|botnet", re.IGNORECASE)
_SHARED_PASSWORD = re.compile(
    r"(?:default|weak|factory|shared)[-_ ](?:pass|cred|login)|(?:pass\w{0,8}|cred\w{0,10})[-_ ]default",
    re.IGNORECASE,
)
_KNOWN = BANNER_KINDS.keys() | SERVER_KINDS.keys() | EXPOSURES.keys()
_PROXIES = {"http_proxy": "http", "http_connect_proxy": "http", "socks": "socks", "socks4": "socks4"}
_PROXIES |= {"socks5": "socks5", "socks4_5": "socks"}

# Columns whose text is one kind in every report that has them.
_COLUMNS = (
    ("sysdesc", "snmp.sysdescr"),
    ("sysname", "banner"),
    ("sysobjectid", "snmp.sysobjectid"),
    ("sysoid", "snmp.sysobjectid"),
    ("unique_service_name", "upnp.device"),
    ("friendly_name", "upnp.device"),
    ("machine_name", "netbios.name"),
    ("mdns_name", "mdns.name"),
    ("workstation_name", "mdns.name"),
    ("http_name", "mdns.name"),
    ("http_info", "mdns.name"),
    ("services", "mdns.name"),
    ("serverid_raw", "ssh.banner"),
    ("title", "http.title"),
    ("http_title", "http.title"),
    ("html_title", "http.title"),
    ("machine_type", "banner"),
    ("software", "banner"),
    ("sysinfo", "os.label"),
)
_NAME_PARTS = (
    "common_name",
    "organization_unit_name",
    "organization_name",
    "locality_name",
    "state_or_province_name",
    "country",
)


def shadowserver(stream: ByteSource, reading: Reading) -> Iterator[Sighting | Skip]:
    """Read a report: what answers at an address, or what a sinkhole or honeypot saw of it."""
    report: _Report | None = None
    for row in csv_rows(stream, may_lack=MAX_LACKING):
        if isinstance(row, Bad):
            yield reading.skip(row.number, row.reason)
            continue
        report = report or _Report(reading.name, row.values)
        draft = Draft(reading, row.number, report.source)
        # Told before the address is judged: whoever stands there is not the one we ask about.
        if not report.other_end:
            _row(draft, row, report)
        yield from draft.done()


class _Report:
    """What holds for every row of one report."""

    def __init__(self, name: str, columns: dict[str, Any]) -> None:
        found = _DATED.match(name) or _TYPE.match(name)
        self.name = found[1].lower() if found else _told(columns)
        told = self.name not in ("shadowserver", "event")
        self.source = f"shadowserver:{self.name}" if told else "shadowserver"
        self.other_end = _OTHER_END.search(self.name) is not None
        self.blocklist = self.name.startswith("blocklist")
        self.event = "src_ip" in columns or _EVENT.search(self.name) is not None
        self.special = self.name.startswith("special")
        self.compromised = self.name.startswith("compromised")
        # Whoever answers to this scan has the implant, whatever the row says.
        self.implant = "synfulknock" if self.name.endswith("synfulknock") else ""
        scan = self.name.startswith("scan")
        self.protocol = protocol_of(self.name.partition("_")[2].removeprefix("dvr_")) if scan else None
        self.status = [name for name in ("status", "detail", "tag") if name in columns]
        self.texts = [(column, kind) for column, kind in _COLUMNS if column in columns]
        self.names = [
            (
                kind,
                {part: column for part in _NAME_PARTS for column in _spelled(end, part) if column in columns},
            )
            for kind, end in (("tls.subject", "subject"), ("tls.issuer", "issuer"))
        ]


def _spelled(end: str, part: str) -> tuple[str, str]:
    return f"{end}_{part}", f"ssl_{end}_{part}"


@lru_cache(maxsize=1_024)
def _tags_of(cell: str) -> tuple[str, ...]:
    return tuple(tag.strip() for tag in cell.lower().split(","))


def _told(columns: dict[str, Any]) -> str:
    for report, telling in _TELLING:
        if all(name in columns for name in telling):
            return report
    return "shadowserver"


def _row(draft: Draft, row: Row, report: _Report) -> None:
    value = row.get("ip", "src_ip")
    if not (draft.range(value) if report.blocklist else draft.address(value)):
        return
    if not draft.time(row.get("timestamp")):
        return
    if report.blocklist:
        draft.add("listed", row.get("source", "reason") or "blocklist")
        return
    port = port_of(row.get("port", "src_port"))
    transport = transport_of(row.get("protocol"))
    tags = _tags_of(row.get("tag") or "")
    status = " ".join([row.get(name) or "" for name in report.status])
    if report.event:
        draft.add("infection", _infection(row, report, tags, status), port, transport)
    else:
        _scan(draft, row, report, tags, port, transport)
    label = label_of(
        row.get("device_type"), row.get("device_vendor", "manufacturer"), row.get("device_model", "modelfull")
    )
    draft.add("device.label", label, port, transport)
    if _SHARED_PASSWORD.search(status) or row.get("anon_login") == "yes":
        draft.add("default.credentials", "", port, transport)


def _infection(row: Row, report: _Report, tags: tuple[str, ...], status: str) -> str:
    """The malware an event speaks of; "" where it says no more than what the address did."""
    compromised = report.compromised or (report.special and _COMPROMISED.search(status) is not None)
    if report.special and not compromised:
        return ""
    named = family_of(row.get("infection"), row.get("family"), *tags)
    return named or report.implant or ("compromised" if compromised else "")


def _scan(
    draft: Draft, row: Row, report: _Report, tags: tuple[str, ...], port: int | None, transport: str
) -> None:
    protocol = report.protocol
    if protocol is None:
        spoken = (protocol_of(tag) for tag in tags)
        protocol = next((name for name in spoken if name in _KNOWN or name in _PROXIES), "")
    if port is not None:
        open_port(draft, protocol, port, transport)
    if proxy := _PROXIES.get(protocol):
        # The tag of a SOCKS row says which version answered.
        draft.add("proxy", next((tag for tag in tags if tag in ("socks4", "socks5")), proxy), port, transport)
        draft.add("exposure", "open_proxy", port, transport)
    elif protocol == "nat_pmp":
        draft.add("exposure", "upnp_nat_injection", port, transport)
    draft.add(SERVER_KINDS.get(protocol, "http.server"), row.get("server"), port, transport)
    header(draft, "www-authenticate", row.get("www_authenticate"), port, transport)
    header(draft, "set-cookie", row.get("set_cookie"), port, transport)
    if protocol != "ssh":  # there it is what users read before they log in
        banner = str(row.get("banner") or "").replace("|", "\n")  # as these reports write a line end
        draft.add(BANNER_KINDS.get(protocol, "banner"), banner, port, transport)
    for column, kind in report.texts:
        draft.add(kind, row.get(column), port, transport)
    mac = row.get("mac_address")
    if mac and str(mac).strip("0:-"):
        draft.add("mac.address", mac, port, transport)
    for kind, names in report.names:
        if names:
            parts = {part: row.get(column) for part, column in names.items()}
            draft.add(kind, distinguished_name(parts), port, transport)
    _by_protocol(draft, row, protocol, port, transport)


def _by_protocol(draft: Draft, row: Row, protocol: str, port: int | None, transport: str) -> None:
    """Add what columns mean in the report of one protocol only."""
    if protocol == "sip":
        draft.add("sip.user_agent", row.get("user_agent"), port, transport)
    elif protocol == "adb":
        # As the bridge itself answers, so that rules for its banner fit.
        products = ((name, row.get(name)) for name in ("name", "model", "device"))
        told = "".join(f"ro.product.{name}={value};" for name, value in products if value)
        draft.add("banner", told and f"device::{told}", port, transport)
    elif protocol == "ntp":
        draft.add("os.label", row.get("system"), port, transport)
    elif protocol == "xdmcp":
        draft.add("os.label", row.get("status"), port, transport)
    elif protocol == "ipmi":
        label = label_of("", row.get("manufacturername"), row.get("productname"))
        draft.add("device.label", label, port, transport)
