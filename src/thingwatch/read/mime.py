"""Split a mail into headers and parts, as far as it goes, on bytes and within bounds.

Our own walker, because the field's parsers either refuse damaged mail whole or take quadratic time over
it. Nothing here raises on any input; what is wrong is named in the defects.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from thingwatch.model import Attachment
from thingwatch.read.charset import utf8_of
from thingwatch.read.part import MAX_REMEMBERED_BYTES, PartHead, decoded, part_head

MAX_HEADER_BYTES = 256 * 1024  # real mail: seldom above 40 kB, with several signatures
MAX_HEADERS = 2_000  # real mail: below 200
MAX_VALUE_BYTES = 16 * 1024  # real mail: 10 kB for a To: of 300 people
MAX_PART_HEADER_BYTES = 16 * 1024  # real mail: below 1 kB
MAX_DEPTH = 20  # real mail: 5
MAX_PARTS = 500  # real mail: 100, in digests
MAX_DELIMITERS = 4_000  # lines that look like a delimiter, over the whole mail
MAX_SCANNED = 8  # times the mail's size, summed over all levels of nesting
MIN_SCANNED_BYTES = 10_000_000  # allowed to every mail, however small
MAX_PREAMBLE_BYTES = 64 * 1024  # searched for a delimiter nobody declared
MAX_TEXT_BYTES = 256 * 1024  # per kind, after decoding; real mail: below 100 kB
MAX_ATTACHMENT_BYTES = 1024 * 1024  # of each that is kept; its size is told in full
MAX_TREE_CHARS = 200

Header = tuple[bytes, bytes]

_LF = ord("\n")
_HEADER = re.compile(rb"^([!-9;-~]+)[ \t]*:[ \t]*([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.M)
_HEADER_RUN = re.compile(rb"(?:[!-9;-~]+[ \t]*:[^\n]*+(?:\n|\Z)(?:[ \t][^\n]*+(?:\n|\Z))*+)*+")
_UNDECLARED_BOUNDARY = re.compile(rb"^--([^\s]{1,200})[ \t]*\n(?=[Cc]ontent-)", re.M)


def unify_line_ends(raw: bytes) -> tuple[bytes, str]:
    """Give *raw* with LF as its only line end, and the defect "bare-cr" where a CR stood alone."""
    if b"\r" not in raw:
        return raw, ""
    raw = raw.replace(b"\r\n", b"\n")
    if b"\r" not in raw:
        return raw, ""
    # CR CR LF is CR LF converted twice, not two lines.
    raw = raw.replace(b"\r\n", b"\n")
    if b"\r" not in raw:
        return raw, "bare-cr"
    return raw.replace(b"\r", b"\n"), "bare-cr"


def split_headers(raw: bytes, defects: list[str]) -> tuple[list[Header], int]:
    """The header fields of *raw* (LF line ends) in order, casing and folding kept, and where the body starts.

    Lines that are no field are left out and named "header-malformed"; a mail that starts with one of
    them altogether has "no-header" and is all body. RFC 5322, section 2.2.
    """
    start = 0
    if raw.startswith((b"From ", b">From ")):  # an mbox separator that travelled along
        start = raw.find(b"\n") + 1
    if raw.startswith(b"\n", start):
        defects.append("no-header")
        return [], start + 1
    end = raw.find(b"\n\n", start)
    body = end + 2
    if end < 0:
        end = body = len(raw)
    block = raw[start : min(end, start + MAX_HEADER_BYTES)]
    if len(block) < end - start:
        defects.append("header-too-long")
    lines = block.count(b"\n") + 1
    if lines <= MAX_HEADERS:
        headers = _HEADER.findall(block)
    else:
        headers = [m.group(1, 2) for m in islice(_HEADER.finditer(block), MAX_HEADERS + 1)]
        if len(headers) > MAX_HEADERS:
            headers.pop()
            defects.append("headers-too-many")
    if not headers:
        defects.append("no-header")
        return [], start
    if lines - block.count(b"\n ") - block.count(b"\n\t") > len(headers) < MAX_HEADERS:
        defects.append("header-malformed")
        run = _HEADER_RUN.match(block)
        if body == len(raw) and run and run.end() < len(block):
            # No empty line at all: the first line that is no field starts the body.
            headers, body = _HEADER.findall(run[0]), start + run.end()
    if not block.isascii():
        defects.append("header-8bit")
    if len(block) > MAX_VALUE_BYTES and any(len(value) > MAX_VALUE_BYTES for _, value in headers):
        defects.append("header-too-long")
        headers = [(name, value[:MAX_VALUE_BYTES]) for name, value in headers]
    return headers, body


def _head_of_fields(block: bytes) -> PartHead:
    fields = {name.lower(): value for name, value in reversed(_HEADER.findall(block[:MAX_PART_HEADER_BYTES]))}
    if not fields:
        return PartHead(defects=("part-header-malformed",))
    return part_head(
        fields.get(b"content-type", b""),
        fields.get(b"content-transfer-encoding", b""),
        fields.get(b"content-disposition", b""),
    )


_head_of_fields_again = lru_cache(maxsize=4096)(_head_of_fields)


class Body(NamedTuple):
    """What the walk through a mail's parts found."""

    text: bytes
    html: bytes
    tree: str
    attachments: tuple[Attachment, ...]


class _Walk:
    """The state of one walk: what was found, and what is left of each bound."""

    __slots__ = (
        "attachments",
        "defects",
        "delimiters",
        "html",
        "html_left",
        "parts",
        "raw",
        "scan_left",
        "text",
        "text_left",
    )

    def __init__(self, raw: bytes, defects: list[str]) -> None:
        self.raw = raw
        self.defects = defects
        self.text: list[bytes] = []
        self.html: list[bytes] = []
        self.attachments: list[Attachment] = []
        self.text_left = self.html_left = MAX_TEXT_BYTES
        self.parts = MAX_PARTS
        self.delimiters = MAX_DELIMITERS
        self.scan_left = max(MAX_SCANNED * len(raw), MIN_SCANNED_BYTES)

    def part(self, head: PartHead, start: int, end: int, depth: int, is_text: bool) -> str:
        """Read the part whose body is raw[start:end]; give its MIME tree."""
        if head.defects:
            self.defects += head.defects
        if head.media_type.startswith("multipart/"):
            return self.multipart(head, start, end, depth, is_text)
        if is_text and not head.attached:
            if head.media_type == "text/plain":
                self.text_left -= self.add_text(self.text, self.text_left, head, start, end)
                return head.media_type
            if head.media_type == "text/html":
                self.html_left -= self.add_text(self.html, self.html_left, head, start, end)
                return head.media_type
        self.add_attachment(head, start, end)
        return head.media_type

    def add_text(self, pieces: list[bytes], left: int, head: PartHead, start: int, end: int) -> int:
        if left <= 0:
            self.defects.append("text-too-long")
            return 0
        # Quoted-printable needs three bytes for one, and soft line breaks.
        stop = min(end, start + 4 * left)
        data, defect = decoded(self.raw[start:stop], head.encoding)
        # What we cut ourselves may end inside a group of four.
        if defect and stop == end:
            self.defects.append(defect)
        if not (head.plain and data.isascii()):
            data, defect = utf8_of(data[: 4 * left], head.charset)
            if defect:
                self.defects.append(defect)
        if len(data) > left or stop < end:
            self.defects.append("text-too-long")
            data = data[:left].decode("utf-8", "ignore").encode()
        pieces.append(data)
        return len(data)

    def add_attachment(self, head: PartHead, start: int, end: int) -> None:
        stop = min(end, start + 2 * MAX_ATTACHMENT_BYTES)
        content, defect = decoded(self.raw[start:stop], head.encoding)
        if defect and stop == end:
            self.defects.append(defect)
        size = len(content)
        if stop < end:
            self.defects.append("attachment-too-long")
            size = end - start
            if head.encoding == b"base64":
                line_ends = self.raw.count(b"\n", start, end)
                padding = self.raw.count(b"=", max(start, end - 4), end)
                size = (size - line_ends) * 3 // 4 - padding
        self.attachments.append(
            Attachment(head.media_type, head.filename, content[:MAX_ATTACHMENT_BYTES], size)
        )

    def multipart(self, head: PartHead, start: int, end: int, depth: int, is_text: bool) -> str:
        self.scan_left -= end - start
        if depth >= MAX_DEPTH or self.scan_left < 0:
            self.defects.append("nesting-too-deep")
            return f"{head.media_type}({self.part(self.guess(start, end), start, end, depth + 1, is_text)})"
        report = head.media_type == "multipart/report"
        default = "message/rfc822" if head.media_type == "multipart/digest" else ""  # RFC 2046, 5.1.5
        children: list[str] = []
        for part_start, part_end in self.spans(head.boundary, start, end):
            if self.parts <= 0:
                self.defects.append("parts-too-many")
                break
            self.parts -= 1
            child, body_start = self.child_head(part_start, part_end, default)
            children.append(self.part(child, body_start, part_end, depth + 1, is_text))
            if report:
                # RFC 3462: only the first part is written for people, the rest quotes someone else's mail.
                is_text = False
        if not children:
            children.append(self.part(self.guess(start, end), start, end, depth + 1, is_text))
        return f"{head.media_type}({','.join(children)})"

    def guess(self, start: int, end: int) -> PartHead:
        """How to read a multipart without parts: as the text it most looks like."""
        beginning = self.raw[start : min(end, start + 1000)].lower()
        return PartHead("text/html" if b"<html" in beginning or b"<body" in beginning else "text/plain")

    def child_head(self, start: int, end: int, default: str) -> tuple[PartHead, int]:
        raw = self.raw
        if raw.startswith(b"\n", start):
            return PartHead(default or "text/plain"), start + 1
        blank = raw.find(b"\n\n", start, end)
        stop = blank if blank >= 0 else end
        block = raw[start : min(stop, start + MAX_PART_HEADER_BYTES)]
        head = (_head_of_fields_again if len(block) <= MAX_REMEMBERED_BYTES else _head_of_fields)(block)
        if default and head.media_type == "text/plain" and b"ontent-" not in block:
            head = head._replace(media_type=default)
        if blank < 0 and head.defects == ("part-header-malformed",):
            return head, start
        return head, min(stop + 2, end)

    def spans(self, boundary: bytes, start: int, end: int) -> list[tuple[int, int]]:
        """Where the parts between the delimiter lines lie (RFC 2046, section 5.1.1)."""
        raw = self.raw
        at = raw.find(b"--" + boundary, start, end) if boundary else -1
        if at < 0:
            self.defects.append("boundary-missing")
            m = _UNDECLARED_BOUNDARY.search(raw, start, min(end, start + MAX_PREAMBLE_BYTES))
            if not m:
                return []
            boundary = m[1]
            at = m.start()
        delimiter = b"\n--" + boundary
        size = len(delimiter)
        spans = []
        # The line end before a delimiter belongs to it; the first may have the one that ends the header.
        at -= 1
        if at >= 0 and raw[at] != _LF:
            at = raw.find(delimiter, at, end)
        opened = -1
        while at >= -1:
            after = at + size
            following = raw[after : after + 2]
            if following == b"--":
                if opened >= 0:
                    spans.append((opened, max(opened, at)))
                return spans
            line_end = after if following[:1] == b"\n" else raw.find(b"\n", after, end)
            if line_end == after or not raw[after : line_end if line_end >= 0 else end].strip(b" \t"):
                if opened >= 0:
                    spans.append((opened, max(opened, at)))
                    if len(spans) > MAX_PARTS:
                        return spans
                opened = line_end + 1 if line_end >= 0 else end
            self.delimiters -= 1
            if self.delimiters < 0:
                self.defects.append("parts-too-many")
                break
            # The line end that closes one delimiter may open the next: an empty part.
            at = raw.find(delimiter, max(opened - 1, after), end)
            if at < 0:
                break
        self.defects.append("boundary-unclosed")
        if opened >= 0:
            spans.append((opened, end))
        return spans


def walk_body(raw: bytes, start: int, head: PartHead, defects: list[str]) -> Body:
    """Walk the parts of *raw* (LF line ends) whose body begins at *start*; defects are added to the list.

    Text is what stands in text/plain and text/html parts that are not attachments, as UTF-8. A mail
    inside the mail is an attachment: its words are someone else's.
    """
    walk = _Walk(raw, defects)
    tree = walk.part(head, start, len(raw), 0, True)
    return Body(b"\n".join(walk.text), b"\n".join(walk.html), tree[:MAX_TREE_CHARS], tuple(walk.attachments))
