"""The mail server's side of the milter protocol, as Postfix speaks it; written apart from the code it tests."""

from __future__ import annotations

import struct
from pathlib import Path

from thingwatch.guard.gateway import Answer, Delivery
from thingwatch.guard.milter.session import Conversation

# What Postfix 3.7.11 really sent for one mail, for several with RSET and a refused recipient between, for a
# client that gave up, and for one that had signed in.
RECORDED = {
    path.stem: path.read_bytes() for path in sorted((Path(__file__).parent / "recorded").glob("*.bin"))
}

ALL_STEPS = 0x1F_FFFF
ALL_ACTIONS = 0x1FF
ACCEPTED = Answer()
NOON = 1_795_000_000_000_000  # microseconds; the clock of these tests


def frame(command: str, fields: bytes = b"") -> bytes:
    """One command with its length."""
    return struct.pack(">I", len(fields) + 1) + command.encode() + fields


def offer(version: int = 6, actions: int = ALL_ACTIONS, steps: int = ALL_STEPS) -> bytes:
    """The opening of a negotiation."""
    return frame("O", struct.pack(">III", version, actions, steps))


def macros(command: str, **values: str) -> bytes:
    """Macros that belong to *command*; long names get their braces."""
    named = ((f"{{{name}}}" if len(name) > 1 else name, value) for name, value in values.items())
    return frame("D", command.encode() + b"".join(f"{name}\0{value}\0".encode() for name, value in named))


def client(name: str = "dsl-7.example", address: str = "203.0.113.7", family: str = "4") -> bytes:
    """Who connected."""
    return frame(
        "C", name.encode() + b"\0" + family.encode() + struct.pack(">H", 4711) + address.encode() + b"\0"
    )


def envelope(sender: str = "a@b.example", *recipients: str) -> bytes:
    """MAIL and RCPT."""
    wanted = recipients or ("x@border.test",)
    return b"".join(
        (
            frame("M", f"<{sender}>\0SIZE=100\0".encode()),
            *(frame("R", f"<{recipient}>\0".encode()) for recipient in wanted),
        )
    )


def fields(*pairs: tuple[bytes, bytes]) -> bytes:
    """Header fields, the value with its blank."""
    return b"".join(frame("L", b"%b\0%b\0" % pair) for pair in pairs)


SUBJECT = (b"Subject", b" hello")
GREETING = offer() + client() + frame("H", b"bot\0")
MAIL = envelope() + fields(SUBJECT) + frame("B", b"text\r\n")
END = frame("E")
ABORT = frame("A")


def replies(data: bytes) -> list[tuple[str, bytes]]:
    """What the filter sent, as (command, fields)."""
    found = []
    while data:
        (size,) = struct.unpack(">I", data[:4])
        assert 1 <= size <= len(data) - 4, data[:40]
        found.append((chr(data[4]), data[5 : 4 + size]))
        data = data[4 + size :]
    return found


def commands(data: bytes) -> str:
    """The letters of what the filter sent."""
    return "".join(command for command, _ in replies(data))


def conversation(max_bytes: int = 1_000_000) -> Conversation:
    """A conversation whose clock stands still."""
    return Conversation(lambda: NOON, max_bytes)


def talk(filter_side: Conversation, data: bytes, answer: Answer = ACCEPTED) -> tuple[bytes, list[Delivery]]:
    """Feed *data* and whatever waits behind each mail; all that was sent, and all the mails."""
    sent, deliveries = b"", []
    while True:
        out, delivery = filter_side.feed(data)
        sent += out
        if delivery is None:
            return sent, deliveries
        deliveries.append(delivery)
        sent += filter_side.answer(answer)
        data = b""
