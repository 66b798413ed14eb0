"""Frames of the milter protocol: bytes from a mail server to named fields, and answers to bytes.

The protocol is Sendmail's; versions 2 to 6 are in use. It was never standardised: what stands here follows
Sendmail's libmilter (documentation, and the tables of its engine.c) and Postfix (MILTER_README, milter8.c). A
frame is a length of four bytes, a command of one, and its fields. No input or output happens here.

The mail server is the one peer, and a sound one keeps to the format; what does not is refused by name, for
a mail read askew is worse than one passed on unread.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

from thingwatch.errors import ThingwatchError
from thingwatch.read.hop import canonical_address

MAX_FRAME_BYTES = 131_073  # with its command; a body chunk has 65,536, Postfix cuts a header field at 102,400
MAX_STRINGS = 2_048  # of one frame; about 15 macros, and what ESMTP parameters fit a line of Postfix's 2,048
MAX_REPLY_CHARS = 480  # of a reply line; RFC 5321, 4.5.3.1.5 has 512 with code and line end
MAX_NAME_CHARS = 76  # of a header field of ours
MAX_VALUE_CHARS = 900  # of such a field; RFC 5322, 2.1.1 has 998 with the name
LENGTH_BYTES = 4
MIN_VERSION, MAX_VERSION = 2, 6

# Actions a filter may take at the end of a message.
ADD_HEADERS = 0x01
CHANGE_HEADERS = 0x10
QUARANTINE = 0x20

# Steps the server leaves out (NO_), steps it wants no reply to (NR_), and two changes of habit.
NO_EOH = 0x40
NR_HEADER = 0x80
NO_UNKNOWN = 0x100
NO_DATA = 0x200
SKIP_KNOWN = 0x400  # the server understands SKIP as a reply to a body chunk
NR_CONNECT = 0x1000
NR_HELO = 0x2000
NR_MAIL = 0x4000
NR_RCPT = 0x8000
NR_DATA = 0x1_0000
NR_UNKNOWN = 0x2_0000
NR_EOH = 0x4_0000
NR_BODY = 0x8_0000
LEADING_SPACE = 0x10_0000  # header values come with the blank after the colon, and are given so

FAULTS = {
    "frame-empty": "a frame without a command",
    "frame-too-long": "a frame longer than agreed",
    "command-unknown": "a command the protocol does not have",
    "command-unasked": "a step we had asked to be left out",
    "command-out-of-order": "a command that cannot follow the last one",
    "field-missing": "fewer fields than the command has",
    "field-excess": "more fields than the command has",
    "string-unterminated": "a text field without its NUL",
    "version-unsupported": "a protocol version below 2",
    "actions-missing": "a server that lets us neither add, change nor hold",
    "address-malformed": "a client address that is none",
}


class ProtocolError(ThingwatchError):
    """The peer broke the protocol; the connection is of no use any more."""

    def __init__(self, name: str) -> None:
        """Take one of the names in FAULTS."""
        super().__init__(f"milter: {name}: {FAULTS[name]}; is the peer a mail server that speaks milter?")
        self.name = name


class Frame(NamedTuple):
    """One command of the server."""

    command: int  # its letter's code
    fields: bytes


COMMANDS = frozenset(b"OCHMRTLNBEAQKUD")


class Frames:
    """Cut a stream of bytes into frames; holds at most one frame and what came behind it at once."""

    __slots__ = ("_held", "_max_frame_bytes", "taken")

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        """Take the longest frame that is allowed, without its length."""
        self._held = bytearray()
        self._max_frame_bytes = max_frame_bytes
        self.taken = 0  # frames so far

    def __len__(self) -> int:
        """Bytes that wait for the rest of their frame."""
        return len(self._held)

    def feed(self, data: bytes) -> None:
        """Take bytes as they come, cut anywhere."""
        self._held += data

    def take(self) -> Frame | None:
        """The next frame, None while it is not complete. Raises ProtocolError as soon as it cannot become one."""
        held = self._held
        if len(held) < LENGTH_BYTES:
            return None
        size = int.from_bytes(held[:LENGTH_BYTES])
        if not size:
            raise ProtocolError("frame-empty")
        if size > self._max_frame_bytes:
            raise ProtocolError("frame-too-long")
        if len(held) == LENGTH_BYTES:
            return None
        command = held[LENGTH_BYTES]
        if command not in COMMANDS:
            raise ProtocolError("command-unknown")
        end = LENGTH_BYTES + size
        if len(held) < end:
            return None
        fields = bytes(held[LENGTH_BYTES + 1 : end])
        del held[:end]
        self.taken += 1
        return Frame(command, fields)


class Offer(NamedTuple):
    """What one side of a negotiation can do."""

    version: int
    actions: int
    steps: int


_OFFER = struct.Struct(">III")


def read_offer(fields: bytes) -> Offer:
    """The server's part of the negotiation (command O)."""
    if len(fields) < _OFFER.size:
        raise ProtocolError("field-missing")
    if len(fields) > _OFFER.size:
        raise ProtocolError("field-excess")
    return Offer(*_OFFER.unpack(fields))


def read_strings(fields: bytes) -> list[bytes]:
    """One or more strings, each closed by its NUL."""
    if not fields:
        raise ProtocolError("field-missing")
    if fields[-1]:
        raise ProtocolError("string-unterminated")
    if fields.count(b"\0") > MAX_STRINGS:
        raise ProtocolError("field-excess")
    return fields[:-1].split(b"\0")


def read_string(fields: bytes) -> bytes:
    """The one string of a command (H, U)."""
    strings = read_strings(fields)
    if len(strings) > 1:
        raise ProtocolError("field-excess")
    return strings[0]


def read_pair(fields: bytes) -> tuple[bytes, bytes]:
    """Name and value of a header field (command L), the value as it came."""
    strings = read_strings(fields)
    if len(strings) != 2:
        raise ProtocolError("field-missing" if len(strings) < 2 else "field-excess")
    return strings[0], strings[1]


def read_nothing(fields: bytes) -> None:
    """The fields of a command that has none (A, K, N, Q, T)."""
    if fields:
        raise ProtocolError("field-excess")


def read_macros(fields: bytes) -> dict[bytes, bytes]:
    """Macros by name without braces (command D: the command they belong to, then names and values)."""
    if not fields:
        raise ProtocolError("field-missing")
    if fields[0] not in COMMANDS:
        raise ProtocolError("command-unknown")
    if len(fields) == 1:
        return {}
    strings = read_strings(fields[1:])
    if len(strings) % 2:
        raise ProtocolError("field-missing")
    names = (name[1:-1] if name[:1] == b"{" and name[-1:] == b"}" else name for name in strings[::2])
    return dict(zip(names, strings[1::2], strict=True))


class Client(NamedTuple):
    """Who connected to the server, as it says."""

    name: bytes  # what it calls the client
    address: str | None  # canonical text; None where the client has no address on a network


def read_client(fields: bytes) -> Client:
    """The client (command C): name, family, and for all but the unknown family port and address."""
    name, nul, rest = fields.partition(b"\0")
    if not nul:
        raise ProtocolError("string-unterminated" if name else "field-missing")
    family, rest = rest[:1], rest[1:]
    if family == b"U":
        read_nothing(rest)
        return Client(name, None)
    if len(rest) < 2:
        raise ProtocolError("field-missing")
    text = read_string(rest[2:])
    if family == b"L":
        return Client(name, None)
    if family not in (b"4", b"6"):
        raise ProtocolError("address-malformed")
    written = text[:64].decode("latin-1")
    if written[:5].lower() == "ipv6:":  # as Sendmail writes it
        written = written[5:]
    address = canonical_address(written.partition("%")[0])
    if address is None:
        raise ProtocolError("address-malformed")
    return Client(name, address)


def _frame(command: bytes, fields: bytes = b"") -> bytes:
    return (len(fields) + 1).to_bytes(LENGTH_BYTES) + command + fields


# Left out: SMFIR_SHUTDOWN ("4"), which libmilter keeps to itself, and whatever alters body or envelope.
ACCEPT = _frame(b"a")  # no more of this mail
CONTINUE = _frame(b"c")
PROGRESS = _frame(b"p")  # still at work: begins the server's timeout anew
REJECT = _frame(b"r")  # with the server's own words
SKIP = _frame(b"s")  # no more body
TEMPFAIL = _frame(b"t")  # with the server's own words

_REPLY = re.compile(rf"([45])[0-9]{{2}} \1\.[0-9]{{1,3}}\.[0-9]{{1,3}} [ -~]{{1,{MAX_REPLY_CHARS}}}")
_NAME = re.compile(rf"[!-9;-~]{{1,{MAX_NAME_CHARS}}}")  # RFC 5322, 2.2
_TEXT = re.compile(rf"[\t -~]{{0,{MAX_VALUE_CHARS}}}")


def offer(version: int, actions: int, steps: int) -> bytes:
    """Our part of the negotiation."""
    return _frame(b"O", _OFFER.pack(version, actions, steps))


def reply_code(reply: str) -> bytes:
    """A reply of our own words: "451 4.7.1 text". Raises ValueError where it is no single SMTP reply."""
    if not _REPLY.fullmatch(reply):
        raise ValueError(f"reply {reply!r}: must read like '451 4.7.1 text', in ASCII, codes of one class")
    # The server takes the text for a printf format; libmilter's smfi_setreply doubles the sign too.
    return _frame(b"y", reply.replace("%", "%%").encode() + b"\0")


def _field(name: str, value: str) -> bytes:
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"header name {name!r}: must be ASCII without blank and colon, at most {MAX_NAME_CHARS}"
        )
    if not _TEXT.fullmatch(value):
        raise ValueError(f"header {name}: {value!r}: must be one line of ASCII, at most {MAX_VALUE_CHARS}")
    return f"{name}\0{value}\0".encode()


def add_header(name: str, value: str) -> bytes:
    """Put a field below all others. Raises ValueError where name or value would break the header."""
    return _frame(b"h", _field(name, value))


def insert_header(name: str, value: str) -> bytes:
    """Put a field above all others, the server's own too. Raises ValueError as ``add_header`` does."""
    return _frame(b"i", bytes(4) + _field(name, value))


def delete_header(name: bytes, index: int) -> bytes:
    """Take out the *index*-th field of that name, counted from 1; the case of letters does not matter."""
    return _frame(b"m", index.to_bytes(4) + name + b"\0\0")


def quarantine(reason: str) -> bytes:
    """Hold the mail. Raises ValueError where the reason is not one line of ASCII."""
    if not _TEXT.fullmatch(reason):
        raise ValueError(f"reason {reason!r}: must be one line of ASCII, at most {MAX_VALUE_CHARS}")
    return _frame(b"q", reason.encode() + b"\0")
