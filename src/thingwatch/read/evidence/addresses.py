"""Read lists of addresses and ranges: blocklists, and lists of dynamic or residential lines.

One a line, CSV or blanks between: the address or range (in CIDR notation or by its two ends), and behind it, in any
order, when it was first listed and what kind of line it is. Lines that begin with "#", ";" or "//" are remarks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from thingwatch.model import Sighting, Skip
from thingwatch.read.evidence.row import Draft, Reading, blocks_of, text_of
from thingwatch.read.field import MAX_LINE_BYTES, ip_of, lines_of
from thingwatch.read.stream import ByteSource

NETWORK_TYPES = {
    "residential": "residential",
    "dynamic": "residential",
    "consumer": "residential",
    "mobile": "mobile",
    "cellular": "mobile",
    "business": "business",
    "corporate": "business",
    "hosting": "hosting",
    "datacenter": "hosting",
    "shared": "shared",
    "cgnat": "shared",
    "cgn": "shared",
}
# What a file called so lists; the policy list of Spamhaus and its likes name lines that should not send mail.
_NAMES = {
    "pbl": "residential",
    "dynamic": "residential",
    "residential": "residential",
    "dialup": "residential",
}
_NAMES |= {"mobile": "mobile", "cgnat": "shared", "hosting": "hosting", "datacenter": "hosting"}

MAX_WORDS = 40  # of a line looked at
# An address as it may follow a dash, where a time or a count may stand too.
_END = r"((?:\d{1,3}\.){3}\d{1,3}|(?=[\da-f.:]{0,40}::|(?:[\da-f]{1,4}:){7})[\da-f.:]{2,45})"
_ENDS = re.compile(rf"[\"'\s]{{0,4}}{_END}\s{{0,4}}-\s{{0,4}}{_END}(?![\w.:-])", re.IGNORECASE)
_CUT = re.compile(r"[\s,;|\"']+")
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?: ?(?:UTC|GMT|Z)\b| ?[+-]\d\d:?\d\d)?)?(?![\d-])"
    r"|(?<![\d.:/])\d{9,13}(?![\d.:/])"  # seconds or milliseconds since 1970
)
_LIKE_TIME = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}\b(?![./])|\d{1,2}:\d\d:\d\d")
ADDRESS_COLUMNS = frozenset(
    {"ip", "address", "ip_address", "client_ip", "src_ip"}
    | {"network", "cidr", "range", "prefix", "netblock", "subnet"}
)


def addresses(stream: ByteSource, reading: Reading) -> Iterator[Sighting | Skip]:
    """Read a list; without a kind of line it is a list of what somebody blocks, under the file's name."""
    stem = reading.name.partition(".")[0].lower()
    of_file = next((kind for word, kind in _NAMES.items() if word in stem), "")
    listed = text_of(stem, 100) or "list"
    seen = False
    for number, raw in enumerate(lines_of(stream), 1):
        if len(raw) > MAX_LINE_BYTES:
            yield reading.skip(number, "line-too-long")
            continue
        line = raw.decode("utf-8", "replace").lstrip(" \t")
        if not line.strip() or line.startswith(("#", ";", "//")):
            continue
        first = next((piece for piece in _CUT.split(line.strip(), 2) if piece), "")
        if not seen and first.lower() in ADDRESS_COLUMNS:
            seen = True
            continue
        seen = True
        draft = Draft(reading, number, f"list:{listed}")
        blocks, reason, text = [first], "", line[line.index(first) + len(first) :]
        if ends := _ENDS.match(line):
            (blocks, reason), text = blocks_of(ends[1], ends[2]), line[ends.end() :]
        if reason:
            draft.refuse(reason)
        for block in blocks:
            if draft.range(block):
                _line(draft, text, of_file, listed)
        yield from draft.done()


def _line(draft: Draft, text: str, of_file: str, listed: str) -> None:
    found = _TIME.search(text)
    if found is None and _LIKE_TIME.search(text):
        draft.refuse("bad-time")
    elif draft.time(found[0] if found else None):
        named = next(
            (NETWORK_TYPES[word] for word in _CUT.split(text.lower(), MAX_WORDS) if word in NETWORK_TYPES),
            of_file,
        )
        draft.add(*(("network.type", named) if named else ("listed", listed)))


def is_address_line(line: str) -> bool:
    """Whether *line* begins with an address or a range, as every line of such a list does."""
    if ends := _ENDS.match(line):
        return ip_of(ends[1]) is not None and ip_of(ends[2]) is not None
    pieces = _CUT.split(line.strip(" \t\r\"'"), 1)
    address, _, bits = pieces[0].partition("/")
    return ip_of(address) is not None and (not bits or (bits.isascii() and bits.isdigit()))
