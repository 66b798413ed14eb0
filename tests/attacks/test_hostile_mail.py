"""Mails made to eat time or memory: each costs little, is named, and keeps what can be kept."""

from __future__ import annotations

import base64
import time
import tracemalloc
from collections.abc import Callable

import pytest

from thingwatch.model import Message, RawMail
from thingwatch.read.message import read_message
from thingwatch.read.received import Border

MAX_SECONDS = 1.0
MAX_TIMES_SIZE = 3
SMALL_BYTES = 1_000_000  # below this, memory is not counted in times the mail's size
MEGABYTE = 1_000_000


def nested(depth: int, padding: bytes = b"") -> bytes:
    """Multiparts inside each other, the innermost a text."""
    opening = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(depth)
    )
    closing = b"".join(b"--b%d--\n" % n for n in reversed(range(depth)))
    return opening + b"Content-Type: text/plain\n\nhello\n" + padding + closing


def attached(size: int, line_end: bytes = b"\n") -> bytes:
    """A mail of about *size* bytes, nearly all of it one attachment in base64."""
    head = b"Subject: big\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n"
    return (head + base64.encodebytes(bytes(size * 74 // 100))).replace(b"\n", line_end)


def field(value: bytes, name: bytes = b"Content-Type") -> bytes:
    """A mail with one hostile header and a plain body."""
    return name + b": " + value + b"\n\nbody"


CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    "deep nesting": (lambda: nested(1000), "nesting-too-deep"),
    "50 MB nested deeply": (lambda: nested(19, b"x\n" * 25 * MEGABYTE), "nesting-too-deep"),
    "10,000 parts": (
        lambda: b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 10_000 + b"--b--\n",
        "parts-too-many",
    ),
    "delimiters that are none": (lambda: nested(19, b"--b0x\n" * 8 * MEGABYTE), "parts-too-many"),
    "100,000 headers": (
        lambda: b"".join(b"X-H%d: v\n" % n for n in range(100_000)) + b"\nbody",
        "headers-too-many",
    ),
    "100,000 tiny headers": (lambda: b"a:\n" * 100_000 + b"\nbody", "headers-too-many"),
    "10 MB header": (lambda: field(b"x" * 10 * MEGABYTE, b"Subject"), "header-too-long"),
    "10 MB folded header": (lambda: field(b"x\n " * 3 * MEGABYTE, b"Subject"), "header-too-long"),
    "50 MB attachment": (lambda: attached(50 * MEGABYTE), "attachment-too-long"),
    "50 MB attachment, CRLF": (lambda: attached(50 * MEGABYTE, b"\r\n"), "attachment-too-long"),
    "50 MB, CR only": (lambda: b"Subject: x\r\rhello\r" + b"line\r" * 10 * MEGABYTE, "bare-cr"),
    "50 MB, mixed line ends": (lambda: b"Subject: x\r\n\r\n" + b"a\r\nb\rc\n" * 7 * MEGABYTE, "bare-cr"),
    "50 MB of NUL": (lambda: b"\0" * 50 * MEGABYTE, "nul-byte"),
    "50 MB without its boundary": (
        lambda: b"Content-Type: multipart/mixed\n\n" + b"--a\n" * 12 * MEGABYTE,
        "boundary-missing",
    ),
    "8-bit headers": (lambda: b"X-H: \xff\nX-\xe9: x\n" * 900 + b"\nbody", "header-8bit"),
    "unknown charsets": (
        lambda: (
            b"Content-Type: multipart/mixed; boundary=b\n\n"
            + b"".join(b"--b\nContent-Type: text/plain; charset=x%d\n\n\xff\n" % n for n in range(400))
        ),
        "charset-unknown",
    ),
    "quadratic charset": (
        lambda: b"Content-Type: text/plain; charset=punycode\n\n" + b"a-b\xff" * MEGABYTE,
        "charset-unknown",
    ),
    "base64 of noise": (lambda: b"Content-Transfer-Encoding: base64\n\n" + b"A!" * 100_000, "base64-damaged"),
    "empty parameters": (lambda: field(b"text/html " + b"; " * 100_000), "header-too-long"),
    "quoted parameters": (lambda: field(b"a/b; name=" + b'"\\";' * 100_000), "header-too-long"),
    "boundaries of blanks": (lambda: field(b"multipart/mixed;" + b" boundary " * 1_600), "boundary-missing"),
    "encoded words": (lambda: field(b"=?utf-8?q?a?= " * 20_000, b"Subject"), "header-too-long"),
    "halves of encoded words": (lambda: field(b"=?u?q?" * 20_000, b"Subject"), "header-too-long"),
    "20,000 addresses": (lambda: field(b"a@b.c, " * 20_000, b"To"), "header-too-long"),
    "angle brackets": (lambda: field(b"<" * 123_000, b"From"), "header-too-long"),
    "2,000 hops": (
        lambda: b"".join(b"Received: from x (x [10.0.0.1]) by y; x\n" for _ in range(2000)) + b"\nbody",
        "hops-too-many",
    ),
    "hops of brackets": (
        lambda: (b"Received: from x " + b"(a [" * 600 + b" by x; 1 Jan\n") * 100 + b"\nbody",
        "hops-too-many",
    ),
    "hops of comments": (
        lambda: (b"Received: from a (b [10.2.3.4])" + b" ()" * 650 + b"; 1\n") * 60 + b"\nbody",
        "hops-too-many",
    ),
    "hops of dates": (
        lambda: (b"Received: by 10.2.3.4" + b"; 1 1 1" * 500 + b"\n") * 60 + b"\nbody",
        "hops-too-many",
    ),
}


def measured(raw: bytes) -> tuple[Message, float, int]:
    """Read *raw* twice: once for the CPU seconds, once for the bytes it takes beside itself."""
    mail = RawMail(raw, "attack")
    start = time.process_time()
    read_message(mail, Border())
    seconds = time.process_time() - start
    tracemalloc.start()
    try:
        message = read_message(mail, Border())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return message, seconds, peak


@pytest.mark.parametrize("name", CASES)
def test_an_attack_costs_little_and_is_named(name: str) -> None:
    """At most a second of CPU, thrice the mail's size with the mail itself, and its defect on record."""
    build, defect = CASES[name]
    raw = build()
    message, seconds, peak = measured(raw)
    print(f"{name}: {len(raw) / MEGABYTE:.1f} MB, {seconds:.3f} s, {1 + peak / len(raw):.2f} times its size")
    assert seconds <= MAX_SECONDS
    assert peak + len(raw) <= max(MAX_TIMES_SIZE * len(raw), SMALL_BYTES)
    assert defect in message.defects
    assert message.size == len(raw)


def test_what_lies_too_deep_is_still_seen() -> None:
    """Below the depth we walk, the raw text is kept, so that nobody hides a lure there."""
    assert b"hello" in read_message(RawMail(nested(40), "attack"), Border()).text


def test_a_mail_of_carriage_returns_is_readable() -> None:
    """CR as the only line end hides neither header nor text."""
    message = read_message(RawMail(b"Subject: x\rFrom: a@b\r\rhello\rworld\r", "attack"), Border())
    assert (message.subject, message.header_from, message.text) == ("x", "a@b", b"hello\nworld\n")
