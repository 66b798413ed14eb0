"""Count distinct things in little room, so that two counts can be put together: sources, networks, recipients.

Up to ``FEW`` members are kept as they are, and the count is exact. Beyond, a HyperLogLog (Flajolet et al., 2007)
of ``REGISTERS`` registers stands for them: its standard error is 1.04 / sqrt(REGISTERS) = 3.25 %, whatever the
number. Members are 64-bit hashes that must be evenly spread; ``spread`` makes them so.
"""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from hashlib import blake2b
from heapq import heapify, heappop, heappush
from typing import Any

FEW = 256  # members counted exactly; a campaign is judged long before it has as many sources
INDEX_BITS = 10
REGISTERS = 1 << INDEX_BITS
STANDARD_ERROR = 1.04 / math.sqrt(REGISTERS)
_REST_BITS = 64 - INDEX_BITS
_REST = (1 << _REST_BITS) - 1
_U64 = (1 << 64) - 1
_ALPHA = 0.7213 / (1 + 1.079 / REGISTERS)


def spread(number: int) -> int:
    """*number* as an evenly spread 64-bit hash (finaliser of SplitMix64), one to one."""
    x = (number + 0x9E3779B97F4A7C15) & _U64
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _U64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _U64
    return x ^ (x >> 31)


def text_hash(text: str) -> int:
    """*text* as an evenly spread 64-bit hash, equal on every machine; 0 for an empty text."""
    if not text:
        return 0
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "little")


_NO_LIMIT = _U64 + 1
_NO_REGISTERS = bytearray()  # of whoever counts exactly; never written to


class Distinct:
    """How many different members were added."""

    __slots__ = ("_few", "_registers", "_sum")

    def __init__(self) -> None:
        """Start empty."""
        self._few: set[int] | None = set()
        self._registers = _NO_REGISTERS
        self._sum = 0.0  # of two to the power of minus each register

    def add(self, member: int) -> None:
        """Count *member*, an evenly spread hash, once."""
        if self._few is not None:
            self._few.add(member)
            if len(self._few) > FEW:
                self._grow()
            return
        self._note(member)

    def __contains__(self, member: int) -> bool:
        """Whether *member* was added; once there are more than ``FEW``, whether adding it would change nothing."""
        if self._few is not None:
            return member in self._few
        return _REST_BITS + 1 - (member & _REST).bit_length() <= self._registers[member >> _REST_BITS]

    def _note(self, member: int) -> None:
        index = member >> _REST_BITS
        rank = _REST_BITS + 1 - (member & _REST).bit_length()
        before = self._registers[index]
        if rank > before:
            self._registers[index] = rank
            self._sum += 2.0**-rank - 2.0**-before

    def _grow(self) -> None:
        few, self._few = self._few or set(), None
        self._registers = bytearray(REGISTERS)
        self._sum = float(REGISTERS)
        for member in few:
            self._note(member)

    @property
    def exact(self) -> bool:
        """Whether the count is exact."""
        return self._few is not None

    def merge(self, other: Distinct) -> None:
        """Count what *other* counted as well."""
        if other._few is not None:
            for member in other._few:
                self.add(member)
            return
        if self._few is not None:
            self._grow()
        self._registers = bytearray(map(max, self._registers, other._registers))
        self._sum = sum(2.0**-rank for rank in self._registers)

    def count(self) -> int:
        """How many, exactly up to ``FEW``, else within ``STANDARD_ERROR`` two times out of three."""
        if self._few is not None:
            return len(self._few)
        raw = _ALPHA * REGISTERS * REGISTERS / self._sum
        empty = self._registers.count(0)
        if raw <= 2.5 * REGISTERS and empty:
            raw = REGISTERS * math.log(REGISTERS / empty)
        return max(FEW + 1, round(raw))

    def copy(self) -> Distinct:
        """A count of its own."""
        made = Distinct()
        made._few = None if self._few is None else set(self._few)
        made._registers = bytearray(self._registers) if self._registers else _NO_REGISTERS
        made._sum = self._sum
        return made

    def as_plain(self) -> Any:
        """Plain data for the snapshot."""
        if self._few is not None:
            return sorted(self._few)
        return b64encode(self._registers).decode("ascii")

    @classmethod
    def of_plain(cls, plain: Any) -> Distinct:
        """What ``as_plain`` gave."""
        made = cls()
        if isinstance(plain, str):
            made._few, made._registers = None, bytearray(b64decode(plain))
            made._sum = sum(2.0**-rank for rank in made._registers)
        else:
            made._few = set(plain)
        return made


class Sample:
    """The ``FEW`` members of smallest hash with two numbers beside each: an even sample of whatever was added.

    Complete while there are no more. Two samples are comparable below the smaller one's limit (bottom-k sampling,
    Cohen and Kaplan 2007), which is how the overlap of two pools is counted.
    """

    __slots__ = ("_heap", "held", "limit")

    def __init__(self) -> None:
        """Start empty."""
        self.held: dict[int, list[int]] = {}  # member → [messages, class of its name]
        self.limit = _NO_LIMIT  # members from here on are not in the sample
        self._heap: list[int] = []

    def add(self, member: int, messages: int, name_class: int) -> None:
        """Note *messages* more of *member*."""
        known = self.held.get(member)
        if known is not None:
            known[0] += messages
            known[1] = known[1] or name_class
            return
        if member >= self.limit:
            return
        self.held[member] = [messages, name_class]
        heappush(self._heap, -member)
        if len(self.held) > FEW:
            self._drop_largest()

    def _drop_largest(self) -> None:
        self.limit = -heappop(self._heap)
        del self.held[self.limit]

    def merge(self, other: Sample) -> None:
        """Take in what *other* holds."""
        self.limit = min(self.limit, other.limit)
        for member, (messages, name_class) in other.held.items():
            if member < self.limit:
                self.add(member, messages, name_class)
        for member in [m for m in self.held if m >= self.limit]:
            del self.held[member]
        self._heap = [-member for member in self.held]
        heapify(self._heap)

    def shared_part(self, other: Sample) -> tuple[int, int, int]:
        """Members below both limits: (of both, of this one, of *other*)."""
        limit = min(self.limit, other.limit)
        mine = [m for m in self.held if m < limit]
        theirs = sum(m < limit for m in other.held)
        return sum(m in other.held for m in mine), len(mine), theirs

    def copy(self) -> Sample:
        """A sample of its own."""
        made = Sample()
        made.held = {member: list(values) for member, values in self.held.items()}
        made.limit, made._heap = self.limit, list(self._heap)
        return made

    def as_plain(self) -> Any:
        """Plain data for the snapshot."""
        return [self.limit, [[member, *values] for member, values in self.held.items()]]

    @classmethod
    def of_plain(cls, plain: Any) -> Sample:
        """What ``as_plain`` gave."""
        made = cls()
        made.limit = plain[0]
        made.held = {member: [messages, name] for member, messages, name in plain[1]}
        made._heap = [-member for member in made.held]
        heapify(made._heap)
        return made
