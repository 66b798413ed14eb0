"""Cut an mbox into its mails.

An mbox has no standard. Mails follow each other, each under a line "From sender date". Where a mail's own
text has such a line, writers differ:

- mboxo puts ">" before "From ", mboxrd puts one more ">" before any ">...>From ", so that it can be undone;
- mboxcl quotes as mboxo does, and states the body's length in Content-Length;
- mboxcl2 states the length and quotes nothing.

A separator here is a whole From_ line with something like a date in it, after a blank line or at the start.
One ">" is taken off every ">...>From ": right for mboxrd, and for mboxo except where a mail already held
">From ", which mboxo cannot tell from its own. Content-Length is asked only in files where most sampled mails
state it truly, and is believed only where it lands on the end or on another From_ line: elsewhere it is the
sender's word, and a false one would hide the mails behind it. RFC 4155 fixes the name and little else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

MAX_MAIL_BYTES = 64 << 20  # what is longer is cut; providers refuse mail above 25 to 50 MB
MAX_FROM_LINE_BYTES = 1 << 10  # an address and a date; RFC 5321, 4.5.3.1 allows a path of 256
MAX_HEADER_BYTES = 64 << 10  # in which Content-Length is looked for
SAMPLE_SPOTS = 16  # places over the whole file, and mails at its start, that decide about Content-Length
SAMPLE_BODY_BYTES = 256 << 10
SAMPLE_REACH_BYTES = 256 << 10  # from a spot to the next mail; farther spots have no say

_WEEKDAY = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}"
_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_TIME = rb"\d{1,2}[:.]\d\d(?:[:.]\d\d(?:[.,]\d{1,6})?)?"
_ZONE = rb"(?:[+-]\d\d:?\d\d|[A-Za-z][A-Za-z0-9_/+-]{0,31})"
_FROM_LINE = re.compile(
    rb'From (?:(?:"[^"\r\n]{0,256}"[^\s]{0,256}|[^\s]{1,512}(?: at [^\s]{1,256})?))?[ \t]+(?:'
    # asctime (C99, 7.23.3.1), with the zone before or behind the year, with or without seconds
    + (_WEEKDAY + rb",?[ \t]+" + _MONTH + rb"[ \t]+\d{1,2},?[ \t]+" + _TIME)
    + (rb"(?:[ \t]+" + _ZONE + rb"){0,2}[ \t]+\d{2,4}(?:[ \t]+" + _ZONE + rb"){0,2}|")
    # RFC 5322, 3.3
    + (rb"(?:" + _WEEKDAY + rb",?[ \t]+)?\d{1,2}[ -]" + _MONTH + rb"[ -]\d{2,4},?[ \t]+" + _TIME)
    + (rb"(?:[ \t]+" + _ZONE + rb"){0,2}|")
    # ISO 8601
    + (rb"\d{4}-\d\d-\d\d[T \t]" + _TIME + rb"(?:[ \t]*" + _ZONE + rb")?")
    + rb")(?:[ \t]+remote[ \t]+from[ \t]+[^\s]{1,256})?[ \t]*(?:[\r\n]|\Z)"
)
_CONTENT_LENGTH = re.compile(
    rb"(?:^|[\r\n])Content-Length[ \t]*:[ \t]*(\d{1,11})[ \t]*(?=[\r\n])", re.IGNORECASE
)
_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n")
_QUOTED = {b"\n": re.compile(rb"(?<=\n)>(?=>*From )"), b"\r": re.compile(rb"(?<=\r)>(?=>*From )")}
_MAX_BLANKS = re.compile(rb"(?:\r\n|\n|\r){0,2}")

ReadAt = Callable[[int, int], bytes]  # (offset, size) -> bytes, as pread


class Dialect(NamedTuple):
    """How an mbox was written."""

    line_end: bytes = b"\n"  # last byte of a line end: b"\n" for LF and CRLF, b"\r" for CR alone
    lengths: bool = False  # Content-Length may be believed where it lands
    quoted: bool = True  # "From " in a text was written ">From "


class Piece(NamedTuple):
    """One mail of an mbox."""

    offset: int  # of its From_ line
    raw: bytes  # without that line, unquoted, at most MAX_MAIL_BYTES
    cut: bool  # whether there was more


def is_from_line(line: bytes) -> bool:
    """Whether *line* separates mails: "From ", a sender, and something like a date."""
    return _FROM_LINE.match(line) is not None


def _is_separator(data: bytes, at: int, line_end: bytes) -> bool:
    """Whether the line behind the line end at *at* separates mails: after a blank line, and a From_ line."""
    before = data[max(at - 2, 0) : at]
    blank = before.endswith(line_end) or before == b"\n\r"
    return blank and _FROM_LINE.match(data, at + 1, at + 1 + MAX_FROM_LINE_BYTES) is not None


def _find_separator(data: bytes, seek: int, limit: int, line_end: bytes) -> int:
    """Find the line end before the first separator that begins in data[seek:limit]; -1 for none."""
    needle = line_end + b"From "
    at = data.find(needle, seek, limit + len(needle))
    while at >= 0 and not _is_separator(data, at, line_end):
        at = data.find(needle, at + 1, limit + len(needle))
    return at


def _body_end(data: bytes, start: int, whole: bool) -> int | None:
    """Where Content-Length says the body of the mail at *start* ends; None if it lands on nothing.

    -1 when *data* must first grow to decide; *whole* says it will not.
    """
    blank = _BLANK_LINE.search(data, start, start + MAX_HEADER_BYTES)
    if blank is None:
        return -1 if not whole and len(data) - start < MAX_HEADER_BYTES else None
    for found in _CONTENT_LENGTH.finditer(data, start, blank.end()):
        end = blank.end() + int(found[1])
        if end - start > MAX_MAIL_BYTES:
            continue
        if end + MAX_FROM_LINE_BYTES > len(data) and not whole:
            return -1
        if end <= len(data) and _lands(data[end : end + MAX_FROM_LINE_BYTES]):
            return end
    return None


def _lands(after: bytes) -> bool:
    """Whether *after*, what follows a body, is the end of the file or a From_ line."""
    blanks = _MAX_BLANKS.match(after)
    rest = after[blanks.end() :] if blanks else after
    return not rest or is_from_line(rest)


def dialect_of(read_at: ReadAt, size: int, whole: bool = True) -> Dialect:
    """Sample an mbox of *size* bytes; where *whole* is false there is more behind them.

    Reads at most about 10 MB however large the file is.
    """
    head = read_at(0, MAX_HEADER_BYTES)
    line_end = b"\r" if b"\n" not in head and b"\r" in head else b"\n"
    stated = sampled = 0
    quoted = True
    for start in _sample(read_at, size, line_end):
        data = read_at(start, MAX_HEADER_BYTES + SAMPLE_BODY_BYTES)
        blank = _BLANK_LINE.search(data, 0, MAX_HEADER_BYTES)
        found = _CONTENT_LENGTH.search(data, 0, blank.end()) if blank else None
        if blank is None or found is None:
            sampled += 1
            continue
        body_start, length = blank.end(), int(found[1])
        end = start + body_start + length
        if end + MAX_FROM_LINE_BYTES > size and not whole:
            continue
        sampled += 1
        if end <= size and _lands(read_at(end, MAX_FROM_LINE_BYTES)):
            stated += 1
            # The body begins behind a line end, so that "From " on its first line is found as well.
            quoted = quoted and line_end + b"From " not in data[body_start - 1 : body_start + length]
    lengths = stated > 0 and stated * 2 >= sampled
    return Dialect(line_end, lengths, quoted or not lengths)


def _sample(read_at: ReadAt, size: int, line_end: bytes) -> Iterator[int]:
    """Yield the offsets of From_ lines: the first mails of the file one by one, then some all over it."""
    start = 0
    for _ in range(SAMPLE_SPOTS):
        if start >= size:
            return
        yield start
        data = read_at(start, MAX_HEADER_BYTES + SAMPLE_BODY_BYTES)
        end = _body_end(data, 0, whole=start + len(data) >= size)
        at = _find_separator(data, end - 1 if end and end > 0 else 1, len(data), line_end)
        if at < 0:
            break
        start += at + 1
    for spot in range(1, SAMPLE_SPOTS):
        offset = max(size * spot // SAMPLE_SPOTS, start + 1)
        data = read_at(offset, SAMPLE_REACH_BYTES)
        at = _find_separator(data, 2, len(data) - MAX_FROM_LINE_BYTES, line_end)
        if at >= 0:
            start = offset + at + 1
            yield start


def next_start(read_at: ReadAt, offset: int, size: int, line_end: bytes, window_bytes: int = 1 << 20) -> int:
    """Find the first From_ line at or behind *offset*; *size* when there is none."""
    offset = max(offset, 2)  # two bytes before a candidate show whether a blank line is there
    while offset < size:
        data = read_at(offset - 2, window_bytes + MAX_FROM_LINE_BYTES)
        last = offset - 2 + len(data) >= size
        limit = len(data) if last else len(data) - MAX_FROM_LINE_BYTES
        at = _find_separator(data, 1, limit, line_end)
        if at >= 0:
            return offset - 2 + at + 1
        if last:
            return size
        offset += limit - 2
    return size


def split(blocks: Iterable[bytes], offset: int, dialect: Dialect) -> Iterator[Piece]:
    """Cut *blocks*, consecutive bytes of an mbox that begin with a From_ line at *offset*, into mails.

    Memory stays below MAX_MAIL_BYTES and a block or two, whatever the bytes say; never raises.
    """
    line_end = dialect.line_end
    data = b""
    start = seek = 0  # where the mail at hand begins in data, and where to look for its end
    dropping = False  # the mail at hand was too large and is already given out
    first = True
    for block in chain(blocks, (None,)):
        whole = block is None
        if block is not None:
            data, offset, seek, start = data[start:] + block, offset + start, seek - start, 0
            if first:
                start = seek = len(data) - len(data.lstrip(b"\r\n"))
                first = start == len(data)
        limit = len(data) if whole else len(data) - MAX_FROM_LINE_BYTES - 1
        while start < len(data):
            end = stated = None
            if dialect.lengths and not dropping and seek == start:
                stated = _body_end(data, start, whole)
                if stated == -1:
                    break
            seek = stated - 1 if stated is not None else seek
            at = _find_separator(data, seek, limit, line_end) if seek < limit else -1
            if stated is not None:
                end = stated
                at = at if 0 <= at <= stated + 3 else _skip_blanks(data, stated) - 1
            elif at < 0:
                seek = max(seek, limit)
                break
            if not dropping:
                yield _piece(data, start, at + 1, end, offset, dialect)
            dropping = False
            start = seek = at + 1
        if not whole and len(data) - start > MAX_MAIL_BYTES + MAX_FROM_LINE_BYTES:
            if not dropping:
                yield _piece(data, start, len(data), None, offset, dialect)
            dropping = True
            start = len(data) - MAX_FROM_LINE_BYTES - 8
            seek = max(seek, start + 3)
    if start < len(data) and not dropping:
        yield _piece(data, start, len(data), None, offset, dialect)


def _skip_blanks(data: bytes, at: int) -> int:
    blanks = _MAX_BLANKS.match(data, at)
    return blanks.end() if blanks else at


def _piece(
    data: bytes, start: int, behind: int, body_end: int | None, offset: int, dialect: Dialect
) -> Piece:
    """Make a piece of data[start:behind]; *body_end* where Content-Length said so."""
    line_end = dialect.line_end
    begin = data.find(line_end, start, behind) + 1 or behind
    end = body_end
    if end is None:
        # The writer ended the mail with a blank line of its own; take off that one, no more.
        end = _without_blank(data, begin, behind, line_end)
    cut = end - begin > MAX_MAIL_BYTES
    raw = data[begin : begin + MAX_MAIL_BYTES] if cut else data[begin:end]
    if dialect.quoted and b">From " in raw:
        # A line end before the mail lets its first line be unquoted like any other.
        raw = _QUOTED[line_end].sub(b"", line_end + raw)[1:]
    return Piece(offset + start, raw, cut)


def _without_blank(data: bytes, begin: int, end: int, line_end: bytes) -> int:
    """Where the mail data[begin:end] ends without one blank line behind it."""
    # The line end before the mail is looked at too: a mail may be nothing but that blank line.
    if data.endswith(line_end * 2, begin - 1, end):
        return end - 1
    if data.endswith(b"\n\r\n", begin - 1, end):
        return end - 2
    return end
