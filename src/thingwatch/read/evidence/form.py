"""Say what form of evidence a file holds by looking at its first bytes."""

from __future__ import annotations

import csv
import json
import re

from thingwatch.read.detect import form_of_head as form_of_mail
from thingwatch.read.evidence.addresses import ADDRESS_COLUMNS, is_address_line
from thingwatch.read.evidence.censys1 import is_old
from thingwatch.read.evidence.muonfp import FINGERPRINT
from thingwatch.read.evidence.outcomes import ORIGINS, OUTCOME_COLUMNS

HEAD_BYTES = 64 << 10  # decompressed; every form names itself within its first record
MAX_LINES = 200  # of remarks above the first line that tells
MAX_SAMPLE = 20  # lines looked at where that one tells nothing

FORMS = (
    "shadowserver",
    "shodan",
    "censys",
    "zgrab2",
    "nmap",
    "masscan",
    "p0f",
    "zeek",
    "muonfp",
    "addresses",
    "outcomes",
    "sightings",
    "tar",
    "zip",
)

_P0F = re.compile(r"\[\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\] mod=")
_KEY = re.compile(r'"([^"\\]{1,60})"\s*:')
_SHADOWSERVER_ADDRESSES = {"ip", "src_ip", "http_referer_ip"}
_SHADOWSERVER_COLUMNS = {"asn", "src_asn", "http_referer_asn", "geo", "src_geo", "naics", "tag"}


def form_of(head: bytes) -> str:
    """Name the form that *head*, the first 64 kB of a file, shows: one of FORMS, "empty" or "unknown"."""
    if not head.strip(b"\0 \t\r\n"):
        return "empty"
    if (packed := form_of_mail(head, "")) in ("tar", "zip"):
        return packed
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head.decode("utf-16", "replace").encode("utf-8", "replace")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        return "nmap" if re.search(rb"<nmaprun\b|<!DOCTYPE nmaprun", text[:8_192]) else "unknown"
    if text.startswith((b"{", b"[")) and not _P0F.match(text[:40].decode("latin-1")):
        return _form_of_json(text.decode("utf-8", "replace"))
    return _form_of_lines(text.splitlines()[:MAX_LINES])


def _form_of_json(text: str) -> str:
    keys = _first_keys(text)
    if {"ip", "kind"} <= keys:
        return "sightings"
    if keys & {"ip_str", "_shodan"}:
        return "shodan"
    if keys & {"muonfp_fingerprint", "muonfp"}:
        return "muonfp"
    if is_old(keys):  # before masscan, for these may list their "ports" too
        return "censys"
    if "data" in keys and keys & {"ip", "domain"}:
        return "zgrab2"
    if {"ip", "ports"} <= keys:
        return "masscan"
    if {"id.orig_h", "helo"} <= keys or "software_type" in keys or {"port_num", "port_proto"} <= keys:
        return "zeek"
    if keys & {"services", "autonomous_system", "result", "host", "hits", "resource"}:
        return "censys"
    return "unknown"


def _first_keys(text: str) -> set[str]:
    """The keys of the first record, in lower case; those of all it holds where it does not end in sight."""
    start = text.find("{")
    if start < 0:
        return set()
    try:
        record, _ = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        record = None
    names = record if isinstance(record, dict) else _KEY.findall(text)
    return {name.lower() for name in names}


def _form_of_lines(lines: list[bytes]) -> str:
    for count, raw in enumerate(lines):
        line = raw.decode("utf-8", "replace").strip()
        if raw.startswith(b"#fields"):
            fields = set(re.split(r"[\t,; |]", line))
            logs = ({"helo"}, {"software_type"}, {"port_num", "port_proto"})
            return "zeek" if any(log <= fields for log in logs) else "unknown"
        if not line or line.startswith(("#", ";", "//")):
            continue
        form = _form_of_table(line)
        return _form_of_most(lines[count : count + MAX_SAMPLE]) if form == "unknown" else form
    return "unknown"


def _form_of_most(lines: list[bytes]) -> str:
    """The form most of *lines* are of: a log may begin within a line, a list with a sentence about itself."""
    texts = [line.decode("utf-8", "replace").strip() for line in lines if line.strip()]
    for form, test in (("p0f", _P0F.match), ("addresses", is_address_line)):
        if sum(bool(test(text)) for text in texts) * 2 > len(texts):
            return form
    return "unknown"


def _form_of_table(line: str) -> str:
    """The form of a file whose first telling line is *line*: a header, or its first row."""
    address, *parts = line.rsplit(":", 4)
    if len(parts) == 4 and FINGERPRINT.fullmatch(":".join(parts)) and is_address_line(address):
        return "muonfp"
    try:
        cells = next(csv.reader([line], delimiter=max(",;\t", key=line.count)), [])
    except csv.Error:
        return "unknown"
    columns = {cell.strip().lower() for cell in cells}
    has_address = not columns.isdisjoint(ADDRESS_COLUMNS)
    if has_address and "outcome" in columns:
        return "outcomes"
    if "timestamp" in columns and columns & _SHADOWSERVER_ADDRESSES and columns & _SHADOWSERVER_COLUMNS:
        return "shadowserver"
    if has_address and not columns.isdisjoint(OUTCOME_COLUMNS):
        return "outcomes"
    if is_address_line(line):
        return "outcomes" if len(cells) == 3 and cells[2].strip().lower() in ORIGINS else "addresses"
    named = cells[0].strip().lower() if cells else ""
    return "addresses" if named in ADDRESS_COLUMNS and len(cells) <= 12 else "unknown"
