"""Single mails: whose turn it is to be forgotten, and which of late may turn out to be a campaign's."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from thingwatch.guard.memory import SINGLE
from thingwatch.guard.trace import Trace

MAX_RECENT = 4000  # strangers' single mails that are looked at again when a campaign is found
MAX_GATHERED = 200  # of them at once, the latest first
_FLAGS = ("signed", "unchecked", "listed", "automatic", "answer", "logged", "fresh", "house")
AUTOMATIC = 1 << _FLAGS.index("automatic")
_U64 = (1 << 64) - 1
_NO_KEYS = np.zeros(0, dtype=np.uint64)
_NO_KINDS = np.zeros(0, dtype=np.int8)


def row_of(trace: Trace, generation: int) -> tuple[int, ...]:
    """*trace* as a row of ``memory.SLOT``."""
    flags = sum(1 << i for i, name in enumerate(_FLAGS) if getattr(trace, name))
    return (
        generation, SINGLE, trace.name_class, flags, 1, trace.at, trace.dialect & _U64, trace.layout & _U64,
        trace.mime_form & _U64, trace.id_form & _U64, trace.name, trace.source, trace.network, trace.recipient,
    )  # fmt: skip


def first_of(row: Iterable[int]) -> Trace:
    """The mail behind a *row*, as far as it is remembered."""
    _, _, name_class, flags, _, at, dialect, layout, mime, form, name, source, network, recipient = row
    marks = {word: bool(flags >> i & 1) for i, word in enumerate(_FLAGS)}
    return Trace(
        keys=_NO_KEYS, kinds=_NO_KINDS, dialect=dialect, layout=layout, mime_form=mime, id_form=form, name=name,
        source=source, network=network, name_class=name_class, recipient=recipient, at=at, **marks,
    )  # fmt: skip


class Singles:
    """Holders of single mails in the order they came, in a ring of fixed size."""

    def __init__(self, capacity: int) -> None:
        """Room for *capacity* of them."""
        self._ring = np.zeros(capacity, dtype=np.uint32)
        self._born = np.zeros(capacity, dtype=np.float64)  # by the waiting clock
        self._head = self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    @property
    def oldest(self) -> float:
        """When the one in front came; infinity when there is none."""
        return float(self._born[self._head]) if self._waiting else float("inf")

    def add(self, holder: int, now: float) -> None:
        """*holder* came *now*; there must be room."""
        end = (self._head + self._waiting) % len(self._ring)
        self._ring[end], self._born[end] = holder, now
        self._waiting += 1

    def pop(self) -> int:
        """The one in front, which may have become a lure since; there must be one."""
        holder = int(self._ring[self._head])
        self._head = (self._head + 1) % len(self._ring)
        self._waiting -= 1
        return holder

    def arrays(self) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
        """The arrays of the snapshot, by name."""
        yield "ring", self._ring
        yield "born", self._born

    def as_plain(self) -> list[int]:
        """What stands outside of arrays, for the snapshot."""
        return [self._head, self._waiting]

    def restore(self, plain: list[int], shift: float) -> None:
        """Take what ``as_plain`` gave, once the arrays are filled; *shift* is added to times of the waiting clock."""
        self._head, self._waiting = plain
        self._born += shift


class Recent(NamedTuple):
    """A stranger's single mail of late, in case a campaign turns out to be running."""

    trace: Trace
    grammars: list[int]
    place: str


class Recents:
    """The latest ``MAX_RECENT`` of them."""

    def __init__(self) -> None:
        """None yet."""
        self._mails: deque[Recent] = deque(maxlen=MAX_RECENT)

    def note(self, trace: Trace, grammars: list[int], place: str) -> None:
        """Remember one, in place of the oldest."""
        self._mails.append(Recent(trace, grammars, place))

    def written(self, hands: Collection[int], since: int = 0) -> list[Recent]:
        """Those written in one of the dialects *hands* and received *since*, the latest ``MAX_GATHERED`` first."""
        alike = (r for r in reversed(self._mails) if r.trace.dialect in hands and r.trace.at >= since)
        return list(islice(alike, MAX_GATHERED))

    def drop(self, places: Collection[str]) -> None:
        """Those at *places* are a campaign's now."""
        if places:
            self._mails = deque((r for r in self._mails if r.place not in places), MAX_RECENT)

    def as_plain(self) -> list[list[Any]]:
        """Plain data for the snapshot; keys are not needed again."""
        return [[r.trace[2:], r.grammars, r.place] for r in self._mails]

    def restore(self, plain: list[list[Any]]) -> None:
        """Take what ``as_plain`` gave."""
        for fields, grammars, place in plain:
            self._mails.append(Recent(Trace(_NO_KEYS, _NO_KINDS, *fields), grammars, place))
