"""Who has sent here before: per source, how much mail, how much of it under a name, how much of it in campaigns.

A source met for the first time is one sign of a nascent campaign. A source that mostly sends mail under names, or
much mail that is no campaign's, is somebody's mail server: what a lure says there is a customer's copy of it, and
nobody may have such a server blocked by putting its letters into a campaign (``houses`` and ``busy_sources`` of
``group`` are the same two rules).

As in ``memory`` the table is set-associative and of fixed size: a full set forgets who was seen longest ago.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from thingwatch.group.campaigns import BUSY_MESSAGES, BUSY_PART

WAYS = 16
HALVE_AT = 60_000  # of a count: then all counts of the source are halved; shares stay
SENDER = np.dtype(
    [("tag", "u4"), ("messages", "u2"), ("named", "u2"), ("suspect", "u2"), ("first", "u2"), ("last", "u2"),
     ("campaign", "u4"), ("lure", "u4")]
)  # fmt: skip
FAMILIAR_MESSAGES = 5  # mails that are no attack's, over two days at least, from which a sender is familiar
HOUSE_MESSAGES = 2  # mails from which a share under names tells anything


class Sender(NamedTuple):
    """What is known of a source before the mail at hand; days count from 1970."""

    messages: int = 0
    named: int = 0
    suspect: int = 0  # in campaigns called attacks
    first: int = 0
    last: int = 0
    campaign: int = 0  # number of the last campaign called an attack it took part in, 0 for none
    lure: int = 0  # number of the last nameless lure it took part in, 0 for none

    @property
    def familiar(self) -> bool:
        """Has mostly sent other mail than an attack's, over days, some of it under a name or more than bots send."""
        others = self.messages - self.suspect
        return (
            others >= FAMILIAR_MESSAGES
            and others > self.suspect
            and self.last > self.first
            and (self.named > 0 or others >= BUSY_MESSAGES)
        )

    @property
    def house(self) -> bool:
        """Somebody's mail server, by what it sent so far."""
        if self.messages >= HOUSE_MESSAGES and self.named >= 0.5 * self.messages:
            return True
        return self.messages >= BUSY_MESSAGES and self.suspect <= BUSY_PART * self.messages


@njit(cache=True, nogil=True)
def _find(rows: Any, source: Any, today: int) -> Any:
    """The row of *source*, made where there is none."""
    sets = rows.shape[0] // WAYS
    base: Any = np.int64(((source >> np.uint64(32)) * np.uint64(sets)) >> np.uint64(32)) * WAYS
    tag = np.uint32(source & np.uint64(0xFFFFFFFF))
    if tag == 0:
        tag = np.uint32(1)
    oldest = base
    for at in range(base, base + WAYS):
        if rows[at].tag == tag:
            return at
        if rows[at].tag == 0:
            oldest = at
            break
        if rows[at].last < rows[oldest].last:
            oldest = at
    row = rows[oldest]
    row.tag = tag
    row.messages = row.named = row.suspect = 0
    row.campaign = row.lure = 0
    row.first = row.last = np.uint16(today)
    return oldest


class Senders:
    """The sources of this site; at most *capacity* of them, a few per cent less as sets fill unevenly."""

    def __init__(self, capacity: int) -> None:
        """Set room aside."""
        self.rows = np.zeros(max(64, capacity // WAYS) * WAYS, dtype=SENDER)

    def meet(self, source: int, day: int, named: bool) -> tuple[int, Sender]:
        """The row of *source* and what was known of it, before this mail is counted."""
        at = int(_find(self.rows, np.uint64(source), day & 0xFFFF))
        row = self.rows[at]
        known = Sender(*row.tolist()[1:])
        messages, is_named, suspect = known[:3]
        if messages >= HALVE_AT:
            row["messages"], row["named"], row["suspect"] = messages // 2, is_named // 2, suspect // 2
            messages, is_named = messages // 2, is_named // 2
        row["messages"] = messages + 1
        if named:
            row["named"] = is_named + 1
        row["last"] = day & 0xFFFF
        return at, known

    def joined(self, at: int, lure: int) -> None:
        """The mail just counted in row *at* stands in the nameless *lure*."""
        self.rows[at]["lure"] = lure

    def suspect(self, at: int, campaign: int) -> None:
        """The mail just counted in row *at* stands in *campaign*, an attack."""
        row = self.rows[at]
        row["suspect"] += 1
        row["campaign"] = campaign
