"""Turn bytes in a claimed charset into text: never raises, and says when the claim was wrong."""

from __future__ import annotations

import binascii
import re
from encodings import normalize_encoding
from encodings.aliases import aliases
from functools import lru_cache
from typing import NamedTuple

MAX_LINE_CHARS = 1_000  # of one cleaned header text; RFC 5322, 2.1.1 allows 998 in a line
MAX_WORDS = 256  # encoded words in one header; a long subject needs about 20

# Python finds a codec by importing a module of its name, and remembers every name it ever failed on:
# strangers' names are looked up here first.
_KNOWN = frozenset(aliases) | frozenset(aliases.values()) | {"utf_8_sig", "koi8_u", "cp874", "cp720"}

# Not charsets of mail, or dear to decode: punycode is quadratic, idna and the escapes execute a syntax.
_REFUSED = frozenset(
    {"punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem", "rot_13"}
    | {"base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "uu_codec", "zlib_codec"}
)

# What mail says and Python does not know; browsers read the first two in the same wider way.
_MAIL_NAMES = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "windows_874": "cp874",
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "x_sjis": "shift_jis",
    "x_gbk": "gb18030",
    "cp_850": "cp850",
    "utf8mb4": "utf_8",
    "unicode_1_1_utf_7": "utf_7",
}

_ASCII = bytes(range(128))
_CONTROL = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ufeff]+")
_FOLD = re.compile(rb"[\r\n]+[ \t]*")
_ENCODED_WORD = re.compile(rb"=\?([^?*\s]{1,40})(?:\*[^?\s]{0,20})?\?([bBqQ])\?([^?\r\n]*)\?=")


class Codec(NamedTuple):
    """A charset as Python knows it."""

    name: str  # "" when the charset is not known
    plain: bool  # ASCII bytes mean themselves, so they need no decoding


@lru_cache(maxsize=1024)
def codec_of(charset: str) -> Codec:
    """The codec for a charset name of a mail; an empty name is US-ASCII (RFC 2045, section 5.2)."""
    name = normalize_encoding(charset.lower().strip("\"' ")) or "ascii"
    name = _MAIL_NAMES.get(name, name)
    if name not in _KNOWN:
        return Codec("", True)
    name = aliases.get(name, name)
    if name in _REFUSED:
        return Codec("", True)
    try:
        # ISO-2022 writes everything in seven bits, and only its escapes tell.
        plain = not name.startswith("iso2022") and _ASCII.decode(name) == _ASCII.decode("ascii")
    except (LookupError, ValueError):
        plain = False
    return Codec(name, plain)


def text_of(data: bytes, charset: str) -> tuple[str, str]:
    """Decode *data*; give the text and the name of the defect met, or "".

    Undeclared bytes are read as UTF-8 where they are valid UTF-8, else as Latin-1; so are bytes in a
    charset nobody knows. A declared charset is kept, with U+FFFD for what it cannot hold.
    """
    codec = codec_of(charset)
    if codec.name in ("", "ascii"):
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        return text, "" if codec.name else "charset-unknown"
    try:
        text = data.decode(codec.name, "replace")
    except (LookupError, ValueError):
        return data.decode("latin-1"), "charset-unknown"
    if codec.name == "utf_7":
        # Its decoder lets lone surrogates through, and nothing after us can write those.
        text = text.encode("utf-8", "replace").decode("utf-8")
    return text, "charset-damaged" if "\ufffd" in text else ""


def utf8_of(data: bytes, charset: str) -> tuple[bytes, str]:
    """Decode *data* and give it as UTF-8, with the name of the defect met, or ""."""
    codec = codec_of(charset)
    if codec.plain and data.isascii():
        return data, "" if codec.name else "charset-unknown"
    text, defect = text_of(data, charset)
    return text.encode("utf-8", "replace"), defect


def clean(text: str, max_chars: int = MAX_LINE_CHARS) -> str:
    """One line fit for a log or a page: control characters and runs of blanks become one space."""
    text = text[: 4 * max_chars]
    if not text.isprintable() or "  " in text or not text.isascii():
        text = _CONTROL.sub(" ", text)
    return text.strip()[:max_chars]


def plain_text(value: bytes, max_chars: int = MAX_LINE_CHARS) -> str:
    """A header's text with nothing decoded but its bytes, cleaned, at most *max_chars*."""
    value = value[: 4 * max_chars]
    if not value.isascii():
        return clean(text_of(value, "")[0], max_chars)
    text = value.decode("ascii")
    # Nearly every header is this plain.
    if text.isprintable() and "  " not in text and len(text) <= max_chars:
        return text.strip()
    return clean(text, max_chars)


def _decoded_word(word: re.Match[bytes]) -> bytes:
    data = word[3]
    if word[2] in b"qQ":
        return binascii.a2b_qp(data, header=True)
    try:
        return binascii.a2b_base64(data + b"=" * (-len(data) % 4))
    except binascii.Error:
        try:
            return binascii.a2b_base64(data[: len(data) // 4 * 4])
        except binascii.Error:
            return b""


def header_text(value: bytes, max_chars: int = MAX_LINE_CHARS) -> str:
    """A header's text, unfolded, its encoded words decoded (RFC 2047), cleaned, at most *max_chars*.

    Neighbouring words of one charset are joined before decoding: senders cut characters in two.
    """
    if b"\n" in value or b"\r" in value:
        value = _FOLD.sub(b" ", value)
    if b"=?" not in value:
        return plain_text(value, max_chars)
    pieces: list[str] = []
    pending, pending_charset = b"", ""
    at = 0
    for count, word in enumerate(_ENCODED_WORD.finditer(value)):
        if count == MAX_WORDS:
            break
        between = value[at : word.start()]
        charset = word[1].decode("latin-1")
        # Blanks between two encoded words are not shown: RFC 2047, section 6.2.
        if (between.strip() or charset.lower() != pending_charset.lower()) and pending:
            pieces.append(text_of(pending, pending_charset)[0])
            pending = b""
        if between.strip() or not count:
            pieces.append(text_of(between, "")[0])
        pending, pending_charset = pending + _decoded_word(word), charset
        at = word.end()
    if pending:
        pieces.append(text_of(pending, pending_charset)[0])
    pieces.append(text_of(value[at : at + 4 * max_chars], "")[0])
    return clean("".join(pieces), max_chars)
