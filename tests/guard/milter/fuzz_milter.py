"""Throw broken conversations at the milter: ``python -m guard.milter.fuzz_milter --cases 1000000`` in tests/.

Real conversations of Postfix and made ones are mutated: bytes, lengths, order, cuts; now and then it is noise.
Whatever comes, a conversation ends in a named refusal or goes on, answers what it must and no more, and holds no
more than its bounds. Cases follow from the seed alone; a failure prints the one that failed.
"""

from __future__ import annotations

import argparse
import random
import resource
import struct
import sys
import time
from collections import Counter
from typing import NamedTuple

from guard.milter.mta import (
    ABORT,
    END,
    GREETING,
    MAIL,
    NOON,
    RECORDED,
    SUBJECT,
    client,
    commands,
    envelope,
    fields,
    frame,
    macros,
    offer,
    replies,
)

from thingwatch.guard.gateway import Action, Answer
from thingwatch.guard.milter.codec import FAULTS, ProtocolError
from thingwatch.guard.milter.session import WANTED_STEPS, Conversation

MAX_SECONDS = 1.0  # of processor time for one case; without input or output there is nothing else to wait for
MAX_GROWTH_BYTES = (
    64 << 20
)  # of the process over all cases; garbage of 1,000 cases may wait for its collector
MAX_MAIL_BYTES = 2_000
MAX_FRAME_BYTES = 4_000
LENGTHS = (0, 1, 2, 5, 255, 256, MAX_FRAME_BYTES, MAX_FRAME_BYTES + 1, 131_073, 131_074, 2**31, 2**32 - 1)
LETTERS = "OCHMRTLNBEAQKUD"
FORGED = fields((b"X-Thingwatch-Verdict", b" clean"), (b"X-Folded", b" a\r\n b\n\tc"))

MADE = [
    GREETING + MAIL + END,
    GREETING + macros("M", i="4F", auth_authen="alice") + MAIL + END + ABORT * 2 + MAIL + END + frame("Q"),
    GREETING
    + envelope("a@b.example", "x@border.test", "y@border.test")
    + FORGED
    + frame("B", b"a\r") * 9
    + END,
    offer(2, 0x3F, 0x7F) + client() + MAIL + END + frame("K") + client("6", "2001:db8::1", "6") + MAIL + END,
    offer(6, steps=0)
    + client()
    + frame("U", b"X\0")
    + envelope()
    + frame("T")
    + fields(SUBJECT)
    + frame("N")
    + END,
    GREETING + envelope() + fields(SUBJECT) + frame("B", b"line\r\n" * 600) + END + ABORT + frame("Q"),
]
CONVERSATIONS = [*RECORDED.values(), *MADE]

ANSWERS = [
    Answer(),
    Answer(Action.TAG, (("X-Thingwatch-Verdict", "unsure"),)),
    Answer(Action.TAG, (("X-Thingwatch-Verdict", "two\r\nlines"),)),
    Answer(Action.QUARANTINE, reason="c001"),
    Answer(Action.DEFER, reply="451 4.7.1 later"),
    Answer(Action.REJECT),
]


class Outcome(NamedTuple):
    """What many cases came to."""

    ends: Counter[str]  # "" for a conversation that went on, else the name of the refusal
    mails: int
    seconds: float
    slowest_seconds: float  # of processor time
    growth_bytes: int
    peak_bytes: int


def _cut(data: bytes) -> list[bytes]:
    """The frames of a sound conversation."""
    found = []
    while data:
        (size,) = struct.unpack(">I", data[:4])
        found.append(data[: 4 + size])
        data = data[4 + size :]
    return found


FRAMES = [_cut(data) for data in CONVERSATIONS]
EVERY_FRAME = [one for found in FRAMES for one in found]


def _mutated(chance: random.Random) -> bytes:
    """One broken conversation."""
    pick = chance.random
    if pick() < 0.02:
        return chance.randbytes(chance.randrange(200))
    found = list(chance.choice(FRAMES))
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 6))):
        at = chance.randrange(len(found) + 1)
        match chance.randrange(9):
            case 0:
                found.insert(at, chance.choice(EVERY_FRAME))
            case 1:
                del found[at : at + chance.randrange(1, 3)]
            case 2:
                found[at:at] = found[at : at + 3]
            case 3:
                other = chance.choice(FRAMES)
                found[at:] = other[chance.randrange(len(other)) :]
            case 4:
                found.insert(at, struct.pack(">I", chance.choice(LENGTHS)) + chance.choice(LETTERS).encode())
            case 5:
                found.insert(at, frame(chance.choice(LETTERS), chance.randbytes(chance.randrange(12))))
            case 6:
                found[:1] = [
                    offer(chance.randrange(9), chance.choice((0x1FF, 0x3F, 0x1F)), chance.getrandbits(21))
                ]
            case 7 if at < len(found):
                broken = bytearray(found[at])
                broken[chance.randrange(len(broken))] = chance.randrange(256)
                found[at] = bytes(broken)
            case _ if at < len(found):
                found[at] = found[at][: chance.randrange(1, len(found[at]) + 1)]
    return b"".join(found)


def _pieces(chance: random.Random, data: bytes) -> list[bytes]:
    """*data* as a network might bring it: at one go, byte by byte, or in between."""
    size = chance.choice((len(data), len(data), 1, 7, chance.randrange(1, 400))) or 1
    return [data[at : at + size] for at in range(0, len(data), size)]


def _due(data: bytes, steps: int) -> int:
    """How many replies *data*, taken to its end, obliges us to give, those to mails left out."""
    silent = {"C": 0x1000, "H": 0x2000, "M": 0x4000, "R": 0x8000, "T": 0x10000, "U": 0x20000}
    silent |= {"N": 0x40000, "B": 0x80000, "L": 0x80}
    due = 0
    while len(data) > 4:
        (size,) = struct.unpack(">I", data[:4])
        command = chr(data[4])
        if len(data) < 4 + size or command == "Q":
            break
        if command == "O":
            steps = WANTED_STEPS & struct.unpack(">I", data[13:17])[0]
        due += command == "O" or (command in silent and not silent[command] & steps)
        data = data[4 + size :]
    return due


def play(chance: random.Random, data: bytes) -> tuple[str, int]:
    """Feed *data* to a new conversation and check it; how it ended, and how many mails it gave."""
    filter_side = Conversation(lambda: NOON, MAX_MAIL_BYTES, MAX_FRAME_BYTES)
    mails = given = 0
    try:
        for piece in _pieces(chance, data):
            while True:
                out, delivery = filter_side.feed(piece)
                given += len(replies(out))
                if delivery is None:
                    break
                mails += 1
                piece = b""
                assert len(delivery.raw) <= MAX_MAIL_BYTES
                assert not delivery.raw.startswith(b"X-Thingwatch-Verdict:")
                try:
                    out = filter_side.answer(chance.choice(ANSWERS))
                except ValueError:
                    out = filter_side.answer(Answer())
                letters = commands(out)
                assert letters.strip("mhiq") == letters[-1]  # one final word, at the end
    except ProtocolError as error:
        return error.name, mails
    assert given == _due(data, 0)
    return "", mails


def run(cases: int, seed: int) -> Outcome:
    """Play so many cases; raises what a conversation must not raise, with its case in a note."""
    ends: Counter[str] = Counter()
    mails = 0
    slowest = 0.0
    before = _peak_bytes()
    began = time.perf_counter()
    for number in range(cases):
        chance = random.Random(f"{seed}/{number}")  # noqa: S311  to be repeated, not secret
        data = _mutated(chance)
        start = time.thread_time()
        try:
            end, found = play(chance, data)
        except BaseException as error:
            error.add_note(f"seed {seed}, case {number}: {data!r}")
            raise
        assert not end or end in FAULTS
        slowest = max(slowest, time.thread_time() - start)
        ends[end] += 1
        mails += found
    peak = _peak_bytes()
    return Outcome(ends, mails, time.perf_counter() - began, slowest, peak - before, peak)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def main() -> int:
    """Play the cases asked for and tell how they ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    found = run(wanted.cases, wanted.seed)
    print(
        f"{wanted.cases} cases in {found.seconds:.1f} s, the slowest {found.slowest_seconds * 1000:.1f} ms of CPU"
    )
    print(f"{found.mails} mails; peak {found.peak_bytes >> 20} MB, grown by {found.growth_bytes >> 10} kB")
    for name, count in found.ends.most_common():
        print(f"  {count:9} {name or 'not refused'}")
    return int(found.slowest_seconds > MAX_SECONDS or found.growth_bytes > MAX_GROWTH_BYTES)


if __name__ == "__main__":
    sys.exit(main())
