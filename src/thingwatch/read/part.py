"""Read what one MIME part says of itself, and undo its transfer encoding (RFC 2045, RFC 2183, RFC 2231)."""

from __future__ import annotations

import binascii
import re
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from thingwatch.read.charset import clean, codec_of, header_text, text_of

MAX_PARAMETERS = 50  # real mail: below 10; a long file name takes one for every 70 letters
MAX_REMEMBERED_BYTES = 200  # longer fields are seldom met again

_MEDIA = re.compile(rb"\s*([\w.+-]{1,60}/[\w.+-]{1,80})", re.A)
_BOUNDARY = re.compile(rb"""[;\s]boundary\s*=\s*(?:"([^"]*)"|([^\s;"]+))""", re.I)
# What nearly every multipart looks like, read at one go.
_MULTIPART = re.compile(rb"""(multipart/[a-z]{1,20});\s*boundary=(?:"([^"]+)"|([^\s;"]+))\s*""")
_CHARSET = re.compile(rb"""charset\s*=\s*["']?([\w.:+-]{1,40})""", re.I | re.A)
_PARAMETER = re.compile(
    rb"""[;\s]([\w-]{1,40})(?:\*(\d{1,3}))?(\*)?\s*=\s*(?:"((?:[^"\\]|\\.)*+)"|([^\s;"]*))""", re.S | re.A
)
_ESCAPED = re.compile(rb"\\(.)", re.S)
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_BASE64_LINES = re.compile(rb"(?:[A-Za-z0-9+/]++=*+[ \t]*+(?:\n|\Z)|\n)*+")
_BASE64_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(sorted(set(range(256)) - set(_BASE64_LETTERS)))


class PartHead(NamedTuple):
    """What a part says of itself (RFC 2045, RFC 2183)."""

    media_type: str = "text/plain"
    charset: str = ""
    encoding: bytes = b""  # Content-Transfer-Encoding, lower case
    attached: bool = False  # Content-Disposition: attachment
    filename: str = ""
    boundary: bytes = b""
    plain: bool = True  # ASCII bytes need no decoding
    defects: tuple[str, ...] = ()


def parameters_of(value: bytes) -> dict[str, str]:
    """The parameters of a MIME field, names in lower case, continued and encoded ones joined (RFC 2231)."""
    found: dict[str, list[tuple[int, bool, bytes]]] = {}
    for m in islice(_PARAMETER.finditer(value), MAX_PARAMETERS):
        raw = m[5] if m[4] is None else _ESCAPED.sub(rb"\1", m[4])
        found.setdefault(m[1].decode("latin-1").lower(), []).append((int(m[2] or 0), bool(m[3]), raw))
    result = {}
    for name, pieces in found.items():
        if len(pieces) == 1 and not pieces[0][1]:
            result[name] = header_text(pieces[0][2])
            continue
        pieces.sort(key=lambda piece: piece[0])
        charset, data = "", b""
        for number, (_, encoded, raw) in enumerate(pieces):
            if encoded and not number and raw.count(b"'") >= 2:
                claimed, _, raw = raw.split(b"'", 2)
                charset = claimed.decode("latin-1")
            data += _percent_decoded(raw) if encoded else raw
        result[name] = clean(text_of(data, charset)[0])
    return result


def _percent_decoded(value: bytes) -> bytes:
    return _PERCENT.sub(lambda m: bytes((int(m[1], 16),)), value)


def _described(content_type: bytes, encoding: bytes, disposition: bytes) -> PartHead:
    defects: list[str] = []
    media_type, charset, boundary, filename = "text/plain", "", b"", ""
    if content_type:
        m = _MEDIA.match(content_type)
        if m:
            media_type = m[1].decode("latin-1").lower()
        else:
            defects.append("content-type-malformed")
        if media_type.startswith("multipart/"):
            boundaries = _BOUNDARY.findall(content_type)
            if boundaries:
                boundary = boundaries[0][0] or boundaries[0][1]
                if len(boundaries) > 1:
                    defects.append("boundary-ambiguous")
            elif b"*" in content_type:
                boundary = parameters_of(content_type).get("boundary", "").encode()
            boundary = boundary.rstrip()  # RFC 2046, 5.1.1: it never ends in a blank
        elif m := _CHARSET.search(content_type):
            charset = m[1].decode("latin-1").lower()
    if b"name" in disposition.lower():
        filename = parameters_of(disposition).get("filename", "")
    if not filename and b"name" in content_type.lower():
        filename = parameters_of(content_type).get("name", "")
    codec = codec_of(charset)
    if not codec.name and media_type.startswith("text/"):
        defects.append("charset-unknown")
    return PartHead(
        media_type,
        charset,
        encoding.strip().lower(),
        disposition[:20].lstrip().lower().startswith(b"attachment"),
        filename,
        boundary,
        codec.plain,
        tuple(defects),
    )


# Senders' software repeats a handful of these; only a boundary or a file name is new in every mail.
_described_again = lru_cache(maxsize=4096)(_described)


def part_head(content_type: bytes, encoding: bytes, disposition: bytes) -> PartHead:
    """Read the three fields that say how a part is to be read; b"" for one that is missing."""
    if m := _MULTIPART.fullmatch(content_type):
        boundary = (m[2] or m[3]).rstrip()
        return PartHead(m[1].decode("ascii"), "", encoding.strip().lower(), False, "", boundary)
    if len(content_type) + len(disposition) > MAX_REMEMBERED_BYTES:
        return _described(content_type, encoding, disposition)
    return _described_again(content_type, encoding, disposition)


def decoded(data: bytes, encoding: bytes) -> tuple[bytes, str]:
    """Undo a Content-Transfer-Encoding (RFC 2045, section 6); give the bytes and the defect met, or ""."""
    if encoding == b"quoted-printable":
        return binascii.a2b_qp(data), ""
    if encoding == b"base64":
        return _from_base64(data)
    return data, ""


def _from_base64(data: bytes) -> tuple[bytes, str]:
    try:
        result = binascii.a2b_base64(data)
    except binascii.Error:
        result = None
    if result is not None:
        # A stray byte is skipped in silence, but then the lengths no longer agree.
        letters = len(data) - data.count(b"\n") - data.count(b" ") - data.count(b"\t")
        if letters == (len(result) + 2) // 3 * 4:
            return result, ""
    # Text after the code is a mailing list's footer; noise inside it is skipped: RFC 2045, section 6.8.
    m = _BASE64_LINES.match(data)
    clean_end = m.end() if m else 0
    if 2 * clean_end >= len(data):
        data = data[:clean_end]
    padding = data.find(b"=")
    letters_only = (data if padding < 0 else data[:padding]).translate(None, _NOT_BASE64)
    rest = len(letters_only) % 4
    if rest == 1:
        letters_only, rest = letters_only[:-1], 0
    return binascii.a2b_base64(letters_only + b"=" * (-rest % 4)), "base64-damaged"
