"""One field of a log or an export as a value we can trust the shape of: text, address, IP, line.

Logs are our own servers' words, but the fields inside are strangers' text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from thingwatch.read.charset import clean, header_text
from thingwatch.read.hop import canonical_address

MAX_FIELD_CHARS = 1_000  # real subjects stay below 400; RFC 5322, 2.1.1 caps a whole line at 998
MAX_RECIPIENTS = 1_000  # of one mail; RFC 5321, 4.5.3.1.8 asks for 100, Postfix takes 1,000
MAX_LINE_BYTES = 16_384  # of a log line; rsyslog cuts at 8,192, Postfix writes at most about 2,000
READ_BYTES = 1 << 20

_NAMED_ADDRESS = re.compile(r"^([^<]*)<([^<>]*)>")
_FOLDED_WORDS = re.compile(rb"\?=\?{1,4}[ \t]{1,8}=\?")


def cleaned(value: bytes | str) -> str:
    """*value* as one line of text without control characters, at most MAX_FIELD_CHARS long."""
    if isinstance(value, bytes):
        value = value[: 4 * MAX_FIELD_CHARS].decode("utf-8", "replace")
    elif not value.isascii():
        # A lone surrogate can come out of JSON ("\ud800") and would break every later encoder.
        value = value[: 4 * MAX_FIELD_CHARS].encode("utf-8", "replace").decode("utf-8")
    return clean(value, MAX_FIELD_CHARS)


def subject_of(value: bytes | str) -> str:
    """A subject with its encoded words (RFC 2047) read, as the mail's own header would be."""
    if isinstance(value, str):
        value = value.encode("utf-8", "replace")
    # A log writes the line break of a folded header as "?".
    return header_text(_FOLDED_WORDS.sub(b"?= =?", value[: 4 * MAX_FIELD_CHARS]), MAX_FIELD_CHARS)


def address_of(value: bytes | str) -> str:
    """An envelope address in lower case without its angle brackets; "" for the null sender."""
    text = cleaned(value)
    if text[:1] == "<" and text[-1:] == ">":
        text = text[1:-1]
    return text.lower()


def named_address(value: str) -> tuple[str, str]:
    """Address (lower case) and display name of a From: field (RFC 5322, 3.4), as far as they can be told."""
    text = cleaned(value)
    found = _NAMED_ADDRESS.match(text)
    if found is None:
        return (text.lower(), "") if "@" in text else ("", subject_of(text))
    return found[2].strip().lower(), subject_of(found[1].strip().strip('"'))


def domain_of(address: str) -> str:
    """What stands behind the last @ of *address*; "" when there is none."""
    return address.rpartition("@")[2] if "@" in address else ""


def ip_of(value: bytes | str) -> str | None:
    """An IP address in canonical text; None when *value* is none."""
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    text = text.strip().strip("[]")
    if len(text) > 64:
        return None
    if text[:5].lower() == "ipv6:":  # RFC 5321, 4.1.3
        text = text[5:]
    return canonical_address(text.partition("%")[0])


def message_id_of(value: bytes | str) -> str:
    """A Message-ID without its angle brackets."""
    text = cleaned(value)
    return text[1:-1].strip() if text[:1] == "<" and text[-1:] == ">" else text


def lines_of(source: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a binary stream or of an iterable of lines, without their line ends.

    A line longer than MAX_LINE_BYTES comes out cut at MAX_LINE_BYTES + 1, so that it can be told and
    refused; its rest is never held in memory.
    """
    stream: Any = source
    if not hasattr(stream, "read"):
        for line in source:
            yield line.rstrip(b"\r\n")[: MAX_LINE_BYTES + 1]
        return
    rest = b""
    while chunk := stream.read(READ_BYTES):
        text = rest + chunk
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n")
        lines = text.split(b"\n")
        rest = lines.pop()[: MAX_LINE_BYTES + 1]
        for line in lines:
            yield line if len(line) <= MAX_LINE_BYTES else line[: MAX_LINE_BYTES + 1]
    if rest:
        yield rest
