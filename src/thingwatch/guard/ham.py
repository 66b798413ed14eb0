"""Recent good mail of this site, and what a campaign's signature would do to it.

Before a campaign may be held, deferred or rejected, its signature is tried on a sample of the mail people here got
and nobody complained of. Where it touches none, well. Where it does, it is narrowed to the campaign's own hand:
strangers only, in the campaign's own dialects. Where it would touch good mail even so, the campaign is tagged and
no more. Narrowing comes first, because else the text of any newsletter, put into a campaign, would buy it off.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thingwatch.group.lures import MIN_VOTES
from thingwatch.guard.lure import Campaign
from thingwatch.guard.trace import Trace
from thingwatch.guard.young import BACKGROUND_MAILS, Young

OWN_DIALECT = 0.05  # of a campaign's mails, from which a dialect is its own
_NO_KEYS = np.zeros(0, dtype=np.uint64)
MIN_AGE_SECONDS = 3600.0  # strangers' mail is good when nothing was found of it for so long


class Reach(StrEnum):
    """How far a campaign's signature may be used."""

    WIDE = "wide"  # it touches no good mail
    NARROW = "narrow"  # it does, but not in the campaign's own hand
    NONE = "none"  # it does: tag, no more


class _Good(NamedTuple):
    keys: NDArray[np.uint64]
    kinds: NDArray[np.int8]
    dialect: int
    stranger: bool
    at: int  # when it came, stream time
    seen: float  # the same by the waiting clock
    answer: bool


class GoodMail:
    """The latest *capacity* good mails, by the number they were added under."""

    def __init__(self, capacity: int) -> None:
        """Start with none."""
        self._mails: deque[_Good] = deque(maxlen=capacity)
        self.added = 0  # in all

    def __len__(self) -> int:
        return len(self._mails)

    def add(self, trace: Trace, now: float) -> None:
        """Remember *trace* as good, in place of the oldest."""
        self._mails.append(
            _Good(
                trace.keys, trace.kinds, trace.dialect, trace.stranger, trace.at, now,
                trace.answer or trace.automatic,
            )
        )  # fmt: skip
        self.added += 1

    def reach(
        self, campaign: Campaign, young: Young, now: float, since: int = 0
    ) -> tuple[Reach, frozenset[int]]:
        """How far *campaign*'s signature may go by the good mails added after *since*, and the dialects of those
        that say the same."""
        slots = [lure.slot for lure in campaign.lures]
        tried = list(islice(reversed(self._mails), min(len(self._mails), self.added - since)))
        if not tried or not slots:
            return Reach.WIDE, frozenset()
        keys = np.concatenate([good.keys for good in tried])
        kinds = np.concatenate([good.kinds for good in tried])
        ends = np.cumsum([len(good.keys) for good in tried])
        votes = young.memory.matching(keys, kinds, ends, slots, float(max(BACKGROUND_MAILS, young.mails)))
        tally = campaign.tally
        own = {d for d, row in tally.dialects.items() if row[0] >= OWN_DIALECT * tally.messages}
        hits, narrow = set(), 0
        for i in np.flatnonzero(votes >= MIN_VOTES).tolist():
            good = tried[i]
            if good.answer:
                continue  # it quotes the campaign, or returns it
            if good.stranger and (good.at >= tally.first_at or now - good.seen < MIN_AGE_SECONDS):
                continue  # one of its own, from before it was known
            hits.add(good.dialect)
            narrow += good.dialect in own or good.stranger
        return Reach.NONE if narrow else Reach.NARROW if hits else Reach.WIDE, frozenset(hits)

    def keys(self) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64]]:
        """Keys of the good mails nobody wrote as an answer, end to end; and of each key's mail when it came (by the
        stream), whether a stranger sent it, and when it came by the waiting clock."""
        told = [good for good in self._mails if not good.answer]
        lengths = [len(good.keys) for good in told]
        return (
            np.concatenate([_NO_KEYS, *(good.keys for good in told)]),
            np.repeat(np.array([good.at for good in told], dtype=np.int64), lengths),
            np.repeat(np.array([good.stranger for good in told], dtype=np.bool_), lengths),
            np.repeat(np.array([good.seen for good in told], dtype=np.float64), lengths),
        )

    def as_plain(self) -> list[list[Any]]:
        """Plain data for the snapshot."""
        return [[g.keys.tolist(), g.kinds.tolist(), *g[2:]] for g in self._mails]

    def restore(self, plain: list[list[Any]], shift: float) -> None:
        """Take what ``as_plain`` gave; *shift* is added to times of the waiting clock."""
        for keys, kinds, dialect, stranger, at, seen, answer in plain:
            self.added += 1
            self._mails.append(
                _Good(
                    np.array(keys, dtype=np.uint64), np.array(kinds, dtype=np.int8), dialect, stranger, at,
                    seen + shift, answer,
                )
            )  # fmt: skip
