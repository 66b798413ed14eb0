"""Read one Received line: who connected, and who wrote it when (RFC 5321, section 4.4)."""

from __future__ import annotations

import re
import socket
from datetime import date
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

MAX_HOP_BYTES = 2_000  # real lines are below 900
MAX_DATE_BYTES = 200  # from the end of a line

_ADDRESS = r"(?:IPv6:)?([0-9A-Fa-f.:]{3,45})(?:%\w{1,16})?"
# The client as its server noted it. HELO is the client's own word and may look like any of these:
# an address after "helo" is never it, and of several the last stands, as HELO comes first.
_PEER_IN_BRACKETS = re.compile(rf"\(([^()\[\]\s=]{{0,255}})\s{{0,20}}\[{_ADDRESS}\]", re.I)
_PEER_IN_COMMENT = re.compile(rf"\((?:[^()\s@]{{1,64}}@)?\[?{_ADDRESS}\]?\)", re.I)
_PEER_FIRST = re.compile(rf"\[{_ADDRESS}\]", re.I)
# The commonest line read at one go: only plain letters up to the fold before "by", so that no HELO
# can bring brackets of its own.
_POSTFIX = re.compile(
    rf"from\s+([\w.-]{{1,255}}|\(none\))\s+\(([\w.-]{{1,255}})\s{{0,20}}\[{_ADDRESS}\](?::\d{{1,5}})?\)"
    r"(?:\s+\([^()\[]*+\))*+\n[ \t]+by\s+([\w.-]{1,255})\s",
    re.A,
)
_FROM = re.compile(r"\s*from\s+([^\s()]{1,255})", re.I)
_BY = re.compile(r"\s*by\s+([^\s();]{1,255})(?:\s{1,20}\(\[?([0-9A-Fa-f:.]{3,45})\]?\))?", re.I)
_BY_FOLDED = re.compile(r"\n[ \t]+by[ \t]", re.I)
_BY_INLINE = re.compile(r"[\s)]by\s", re.I)
_HELO = re.compile(r"""\b(?:helo|ehlo)[\s=]\s{0,20}\[?([^\s()"\]]{1,255})""", re.I)
_FRONT_DOOR = re.compile(r"\bvia\s{1,20}Frontend\s")
_DOTTED = re.compile(r"\d\.|\.\d|:\w*:")
_FOR = re.compile(rb"\sfor\s+<?([^\s<>;]{1,254}@[^\s<>;]{1,254})", re.I)
_DATE = re.compile(
    r"(\d{1,2})[-\s]{1,20}([A-Z][a-z]{2})[a-z]{0,6}[-\s]{1,20}(\d{4}|\d\d)\s+(\d{1,2}):(\d\d)(?::(\d\d))?(?:\.\d+)?"
    r"(?:\s+(?:([+-])(\d\d):?(\d\d)|\(?([A-Z]{1,5})\b))?"
)
_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
# RFC 5322, 4.3; any other name says nothing, so it counts as UTC.
_ZONE_HOURS = {"EDT": -4, "EST": -5, "CDT": -5, "CST": -6, "MDT": -6, "MST": -7, "PDT": -7, "PST": -8}
# One organisation under several domains, and the inner one of its doors that calls itself a front.
EXCHANGE_ONLINE = (".outlook.com", ".office365.com", ".exchangelabs.com")
_EXCHANGE_INNER_DOOR = ".outlook.office365.com"
_EPOCH_DAY = date(1970, 1, 1).toordinal()


class Hop(NamedTuple):
    """One Received line as its server wrote it."""

    peer: str | None = None  # canonical address of the client, None when the line has none we can read
    helo: str = ""
    ptr: str = ""  # the client's name where the server looked it up
    claimed: str = ""  # the first word after "from", whoever's word that is
    by: str = ""  # the server's own name, lower case
    by_address: str | None = None
    local: bool = False  # no client spoke SMTP: a mailbox, a queue or a program handed the mail over
    exchange_inside: bool = False  # Exchange wrote it behind the door where strangers connect


@lru_cache(maxsize=65536)
def canonical_address(text: str) -> str | None:
    """The one spelling of an IP address; None for what is none. IPv4 in IPv6 is unwrapped."""
    if ":" not in text:
        try:
            return socket.inet_ntoa(socket.inet_pton(socket.AF_INET, text))
        except (OSError, ValueError):
            return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)


@lru_cache(maxsize=65536)
def is_inner_address(address: str) -> bool:
    """Whether a canonical address can only be a machine of one's own.

    Loopback, link-local, private (RFC 1918, RFC 4193) and carrier-shared (RFC 6598) ranges. The ranges
    for documentation are not among them: they stand for the world outside in every example.
    """
    if ":" in address:
        return address in ("::", "::1") or address.startswith(("fc", "fd", "fe8", "fe9", "fea", "feb"))
    if address.startswith(("10.", "192.168.", "127.", "169.254.", "0.")):
        return True
    first, second = address.split(".", 2)[:2]
    return (first == "172" and 16 <= int(second) < 32) or (first == "100" and 64 <= int(second) < 128)


@lru_cache(maxsize=4096)
def _day_number(day: str, month: str, year: str) -> int | None:
    number = int(year)
    if number < 100:
        number += 2000 if number < 70 else 1900  # RFC 5322, 4.3, with 1970 as the first year we can mean
    try:
        return date(number, _MONTHS[month], int(day)).toordinal() - _EPOCH_DAY
    except (ValueError, KeyError):
        return None


def received_date(line: bytes) -> int | None:
    """The date at the end of a Received line, in microseconds since 1970, UTC; None for none."""
    # In a burst many mails come in the same second.
    return _date_in(line[max(line.rfind(b";") + 1, len(line) - MAX_DATE_BYTES) :])


@lru_cache(maxsize=4096)
def _date_in(tail: bytes) -> int | None:
    m = _DATE.search(tail.decode("latin-1"))
    if not m:
        return None
    day, month, year, hour, minute, second, sign, zone_hour, zone_minute, zone = m.groups()
    days = _day_number(day, month, year)
    if days is None or days < 0:
        return None
    seconds = days * 86400 + int(hour) * 3600 + int(minute) * 60 + int(second or 0)
    if sign:
        offset = int(zone_hour) * 3600 + int(zone_minute) * 60
        seconds -= offset if sign == "+" else -offset
    elif zone:
        seconds -= _ZONE_HOURS.get(zone, 0) * 3600
    return seconds * 1_000_000


def recipient_of(line: bytes) -> str:
    """The address in the "for" clause of a Received line, lower case, "" for none."""
    m = _FOR.search(line[:MAX_HOP_BYTES])
    return m[1].decode("latin-1").lower() if m else ""


def parse_hop(value: bytes) -> Hop:
    """Read one Received line, as the widespread servers write it; what it lacks stays empty.

    Known: Postfix, sendmail and Google ``helo (ptr [ip])``, Exim ``ptr ([ip] helo=x)`` and
    ``[ip] (helo=x)``, qmail ``ptr (HELO x) (ip)``, Exchange ``helo (ip) by x (ip)``, and their cousins.
    """
    # Up to the protocol the line is the same whenever this client comes to this server.
    spoken = value.find(b" with ", 0, MAX_HOP_BYTES)
    if spoken > 0:
        hop = _postfix_hop(value[: spoken + 1])
        if hop is not None:
            return hop
    line = value[:MAX_HOP_BYTES].decode("latin-1")
    m = _BY_FOLDED.search(line) or _BY_INLINE.search(line)
    cut = m.start() if m else len(line)
    by = by_address = ""
    if line[:3].lower() == "by ":
        cut = 0
    rest = line[cut:].lstrip(" \t\n)")
    if m := _BY.match(rest):
        by, by_address = m[1].lower().rstrip("."), m[2] or ""
    canonical_by = canonical_address(by_address) if by_address else None
    clause = line[:cut] + (")" if line[cut : cut + 1] == ")" else "")
    start = _FROM.match(clause)
    if not start:
        return Hop(None, "", "", "", by, canonical_by, True)
    peer, helo, ptr = _client(clause, start[1], start.end(), rest)
    claimed = start[1].lower().strip("[]").rstrip(".")
    local = peer is None and (
        ("." not in claimed and not _DOTTED.search(clause))
        or claimed.startswith("localhost")
        or "@" in claimed
        or " with local" in rest
        or "[unix socket]" in clause
        or "[local]" in clause
    )
    inside = ("Microsoft SMTP Server" in rest or by.endswith(EXCHANGE_ONLINE)) and (
        by.endswith(_EXCHANGE_INNER_DOOR) or not _FRONT_DOOR.search(rest)
    )
    return Hop(peer, helo, ptr, claimed, by, canonical_by, local, inside)


@lru_cache(maxsize=16384)
def _postfix_hop(start: bytes) -> Hop | None:
    """The commonest line, read from its first two lines; None where it is not of that form."""
    m = _POSTFIX.match(start.decode("latin-1"))
    if not m:
        return None
    peer = canonical_address(m[3])
    if peer is None:
        return None
    claimed = m[1].lower().rstrip(".")
    return Hop(peer, claimed, _name(m[2]), claimed, m[4].lower().rstrip("."))


def _client(clause: str, first: str, first_end: int, rest: str) -> tuple[str | None, str, str]:
    """The client's address, HELO and looked-up name in a "from" clause whose first word is *first*."""
    noted = _HELO.search(clause, first_end)
    helo = noted[1] if noted else ""
    for name, text in reversed(_PEER_IN_BRACKETS.findall(clause)):
        peer = canonical_address(text)
        if peer is None or name.lower() in ("helo", "ehlo"):
            continue
        name = name.rpartition("@")[2]
        if name:
            # sendmail says when a name does not lead back to the address.
            doubtful = name.lower() == "unknown" or "may be forged" in clause
            return peer, _name(first), "" if doubtful else _name(name)
        if helo:
            return peer, _name(helo), _name(first)
        # Exim leaves HELO out where it equals the name it found; others have found no name.
        return peer, _name(first), _name(first) if "(Exim" in rest else ""
    comments = _PEER_IN_COMMENT.findall(clause)
    for text in reversed(comments):
        peer = canonical_address(text)
        if peer is not None:
            return (peer, _name(helo), _name(first)) if helo else (peer, _name(first), "")
    m = _PEER_FIRST.match(first)
    if m and "(" not in clause[first_end:].replace("(helo=", "").replace("(port=", "").replace("(HELO", ""):
        return canonical_address(m[1]), _name(helo), ""
    if helo or " with HTTP" in rest:
        # HELO stands elsewhere or was never said, so the first word is the server's own.
        peer = canonical_address(first.strip("[]"))
        if peer is not None:
            return peer, _name(helo), ""
    m = _PEER_FIRST.match(clause[first_end:].lstrip())
    if m:
        return canonical_address(m[1]), _name(first), ""
    return None, _name(helo or first), ""


def _name(text: str) -> str:
    text = text.strip("[]").rstrip(".").lower()
    return "" if text == "unknown" or not text.isprintable() else text
