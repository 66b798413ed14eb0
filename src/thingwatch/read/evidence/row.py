"""One row of evidence on its way to sightings: where it stands, whose address, when, and what it says."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from functools import lru_cache
from ipaddress import ip_address, ip_network, summarize_address_range
from itertools import islice
from typing import Any, NamedTuple

from thingwatch.model import MAX_SIGHTING_CHARS, SIGHTING_KINDS, Sighting, Skip
from thingwatch.read.charset import clean
from thingwatch.read.field import ip_of
from thingwatch.read.hop import is_inner_address
from thingwatch.read.logtime import MICROSECONDS, time_of

MAX_FACTS = 1_000  # of one row; a host with more open ports than that is a tarpit
MAX_WORD_CHARS = 200  # of a device's type, vendor or model
MIN_PREFIX = {4: 8, 6: 19}  # a list that names more than a /8 names half a continent, not a kind of line
MAX_BLOCKS = 64  # of a range given by its ends; IPv4 needs at most 62 for any
OLDEST = 946_684_800 * MICROSECONDS  # 2000-01-01: no evidence of ours is older, zeroed clocks are
SENDER_KINDS = frozenset(kind for kind, role in SIGHTING_KINDS.items() if role == "sender")
NETWORK_KINDS = frozenset(kind for kind, role in SIGHTING_KINDS.items() if role == "network")

_MAY_BE_BLANK = frozenset({"port.open", "front.silent", "default.credentials"})
_UTC = re.compile(r"(?<=\d)\s?(?:(?:[+-]00:?00\s)?\(?(?:UTC|GMT)\)?|Z)$", re.IGNORECASE)
_MAY_TELL = re.compile(r"(?i)passw|pwd")
_SECRET = re.compile(r"(?i)(passw(?:or)?d|pwd)(\s?[:=]\s?|\s+is\s+)[^\s|,;<]+")


class Reading(NamedTuple):
    """What one reading of a file goes by."""

    place: str  # the file as it is shown in places
    name: str  # the file's own name, for the forms that say something in it
    wanted: Container[str] | None  # addresses whose sender facts are asked for; None for all
    newest: int  # microseconds since 1970; a row that claims to be later is wrong
    utc_offset_minutes: int = 0  # of the clock behind times that name no zone, where local time is the rule
    keep_private: bool = False  # somebody looks at a network of his own

    def skip(self, number: int, reason: str) -> Skip:
        """The Skip for row *number*."""
        return Skip(f"{self.place}@{number}", reason)


def address_of(value: Any, keep_private: bool = False) -> tuple[str, str]:
    """The canonical address in *value* and "", or "" and the reason why there is none to use."""
    ip = ip_of(value) if isinstance(value, str) else None
    if ip is None:
        return "", "no-address"
    if not keep_private and is_private(ip):
        return "", "private-address"
    return ip, ""


@lru_cache(maxsize=65_536)
def is_private(ip: str) -> bool:
    """Whether a canonical address says nothing to anybody outside; documentation ranges are kept."""
    if is_inner_address(ip):
        return True
    if ":" in ip:
        return ip.startswith("ff")
    return int(ip.partition(".")[0]) >= 224  # multicast, and class E (RFC 1112)


def range_of(text: str, keep_private: bool = False) -> tuple[str, str]:
    """As ``address_of``, for text that may also be a range in CIDR notation."""
    if "/" not in text:
        return address_of(text, keep_private)
    try:
        network = ip_network(text.strip()[:64], strict=False)
    except ValueError:
        return "", "no-address"
    if network.prefixlen < MIN_PREFIX[network.version]:
        return "", "range-too-wide"
    first = ip_of(str(network.network_address)) or ""
    if not keep_private and is_private(first):
        return "", "private-address"
    return (first if network.num_addresses == 1 else str(network)), ""


def blocks_of(first: str, last: str) -> tuple[list[str], str]:
    """The ranges in CIDR notation that make up all from *first* to *last*, and "", or [] and the reason why not."""
    try:
        ends = ip_address(ip_of(first) or ""), ip_address(ip_of(last) or "")
    except ValueError:
        return [], "no-address"
    if ends[0].version != ends[1].version or int(ends[0]) > int(ends[1]):
        return [], "bad-range"
    if int(ends[1]) - int(ends[0]) >= 1 << (ends[0].max_prefixlen - MIN_PREFIX[ends[0].version]):
        return [], "range-too-wide"
    blocks = list(islice(summarize_address_range(*ends), MAX_BLOCKS + 1))
    return ([str(block) for block in blocks], "") if len(blocks) <= MAX_BLOCKS else ([], "bad-range")


def moment_of(value: Any, newest: int) -> tuple[int | None, str]:
    """The time in *value* and "", None where it is absent, or the reason why it cannot be used."""
    if value is None or value == "":
        return None, ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None, "bad-time"
    at = _time_of(str(value)[:64])
    if at is None:
        return None, "bad-time"
    return (at, "") if OLDEST <= at <= newest else (None, "impossible-time")


@lru_cache(maxsize=4_096)  # scans have many rows of one second
def _time_of(text: str) -> int | None:
    return time_of(_UTC.sub("", text.strip()))  # what names no zone is UTC anyway


def port_of(value: Any) -> int | None:
    """A port number; None for what is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 5:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 65_535 else None


def transport_of(value: Any) -> str:
    """ "tcp", "udp" or ""."""
    text = value.lower() if isinstance(value, str) else ""
    return text if text in ("tcp", "udp") else ""


def text_of(value: Any, max_chars: int = MAX_SIGHTING_CHARS) -> str:
    """*value* as one clean line; numbers are taken, anything else that is no text gives ""."""
    if not isinstance(value, str):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return ""
        value = repr(value)[:max_chars]
    if not value.isascii():
        # A lone surrogate can come out of JSON ("\ud800") and would break every later encoder.
        value = value[: 4 * max_chars].encode("utf-8", "replace").decode("utf-8")
    text = clean(value, max_chars)
    if not text.isprintable():
        # Marks that turn the direction of writing, and characters no font has.
        text = "".join(sign if sign.isprintable() else " " for sign in text).strip()
    # Some devices greet everybody with their own password.
    return _SECRET.sub(r"\1\2***", text)[:max_chars] if _MAY_TELL.search(text) else text


def label_of(device_type: Any, vendor: Any, model: Any) -> str:
    """Another program's word for a device, in the form of "device.label"; "" when it has none."""
    words = [word[:MAX_WORD_CHARS] if isinstance(word, str) else "" for word in (device_type, vendor, model)]
    return _joined(*words) if any(words) else ""


@lru_cache(maxsize=4_096)  # a scan meets some thousand models
def _joined(*words: str) -> str:
    words = tuple(text_of(word) for word in words)
    return "\t".join(words) if any(words) else ""


class Draft:
    """The sightings of one row being put together; ``done`` gives them, or the one Skip that says why not."""

    __slots__ = ("_facts", "_reason", "at", "ip", "place", "reading", "source")

    def __init__(self, reading: Reading, number: int | str, source: str) -> None:
        self.reading = reading
        self.place = f"{reading.place}@{number}"
        self.source = source
        self.ip = ""
        self.at: int | None = None
        self._facts: dict[Sighting, None] = {}  # in order; a row that repeats itself says it once
        self._reason = ""

    def address(self, value: Any) -> bool:
        """Take the row's address; False where it has none to use."""
        self.ip, reason = address_of(value, self.reading.keep_private)
        return self._noted(reason)

    def range(self, value: Any) -> bool:
        """Take the row's address or range."""
        text = value if isinstance(value, str) else ""
        self.ip, reason = range_of(text, self.reading.keep_private)
        return self._noted(reason)

    def time(self, value: Any) -> bool:
        """Take the time of what is added from here on; False where it cannot be."""
        self.at, reason = moment_of(value, self.reading.newest)
        return self._noted(reason)

    def refuse(self, reason: str) -> None:
        """Remember why something of the row was left out; the first reason stands if nothing else does."""
        self._noted(reason)

    def _noted(self, reason: str) -> bool:
        self._reason = self._reason or reason
        return not reason

    def add(self, kind: str, value: Any, port: int | None = None, transport: str = "") -> None:
        """Add a fact, unless *value* holds nothing."""
        if (value is None or value == "") and kind not in _MAY_BE_BLANK:
            return
        if kind in SENDER_KINDS and self.reading.wanted is not None and self.ip not in self.reading.wanted:
            self._noted("not-a-source")
            return
        if kind != "device.label":
            value = text_of(value)
        if (value or kind in _MAY_BE_BLANK) and len(self._facts) < MAX_FACTS:
            fact = Sighting(self.ip, kind, value, self.at, port, transport, self.source, self.place)
            self._facts[fact] = None

    def done(self) -> Iterator[Sighting | Skip]:
        """Everything the row said; without any of it one Skip."""
        if self._facts:
            yield from self._facts
        else:
            yield Skip(self.place, self._reason or "no-evidence")
