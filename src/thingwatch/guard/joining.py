"""Join young lures by the same hand, on the evidence and by the thresholds by which ``group`` joins lures at rest.

Sources, dialects and clock speak here; shared links do not yet (at rest they join a few more). Lures are compared
with the latest few of their dialect and with the last one their source took part in: whatever shares neither has at
most one kind of evidence, and one kind never joins.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from thingwatch.group.campaigns import clock_reason, dialect_reason, is_join, pool_reason
from thingwatch.guard.background import Background
from thingwatch.guard.lure import Lure
from thingwatch.model import Reason

LATEST = 12  # lures of one dialect that a lure is compared with
MAX_DIALECTS = 50_000  # dialects whose lures are known
MIN_DIALECT = 0.02  # of a lure, in which a dialect must be written to count
GROWTH = 1.5  # a pair that was not joined is looked at again when one of it has grown so much
SMALL = 24  # messages of both up to which it is looked at every time
MAX_PAIRS = 100_000  # pairs remembered as not joined


class Joiner:
    """Which lures to compare, and what speaks for one hand."""

    def __init__(self) -> None:
        """Start with none."""
        self._by_dialect: OrderedDict[int, OrderedDict[int, None]] = OrderedDict()
        self._looked: dict[
            tuple[int, int], tuple[int, int]
        ] = {}  # pair → messages of each when last compared

    def candidates(self, lure: Lure, dialect: int, source_lure: int) -> list[int]:
        """Numbers of lures worth comparing *lure* with, now that it got a mail of *dialect*."""
        row = self._by_dialect.setdefault(dialect, OrderedDict())
        self._by_dialect.move_to_end(dialect)
        found = list(row)
        if lure.number not in row:
            if len(row) >= LATEST:
                row.popitem(last=False)
            row[lure.number] = None
        if len(self._by_dialect) > MAX_DIALECTS:
            self._by_dialect.popitem(last=False)
        if source_lure and source_lure not in row:
            found.append(source_lure)
        return [number for number in found if number != lure.number]

    def due(self, lure: Lure, other: Lure) -> bool:
        """Whether the two have changed enough since they were last compared."""
        pair = (lure, other) if lure.number < other.number else (other, lure)
        key = pair[0].number, pair[1].number
        sizes = pair[0].hand.messages, pair[1].hand.messages
        before = self._looked.get(key, (0, 0))
        if sum(sizes) > SMALL and all(n < GROWTH * b for n, b in zip(sizes, before, strict=True)):
            return False
        if len(self._looked) >= MAX_PAIRS:
            self._looked.clear()
        self._looked[key] = sizes
        return True

    def as_plain(self) -> list[list[int]]:
        """Plain data for the snapshot: each dialect with the numbers of its latest lures."""
        return [[dialect, *row] for dialect, row in self._by_dialect.items()]

    def restore(self, plain: list[list[int]]) -> None:
        """Take what ``as_plain`` gave; every pair is due to be compared."""
        for dialect, *numbers in plain:
            self._by_dialect[dialect] = OrderedDict.fromkeys(numbers)


def evidence(a: Lure, b: Lure, background: Background) -> list[Reason]:
    """What speaks for one hand behind *a* and *b*; ``is_join`` says whether it is enough."""
    mine, theirs = a.hand, b.hand
    shared, own, others = mine.sources.shared_part(theirs.sources)
    reasons: list[Reason] = []
    if shared:
        scale = min(mine.distinct.count() / max(1, own), theirs.distinct.count() / max(1, others))
        reasons += pool_reason(
            mine.distinct.count(), theirs.distinct.count(), round(shared * max(1.0, scale))
        )
    overlap = common = 0.0
    for dialect, (messages, _) in mine.dialects.items():
        row = theirs.dialects.get(dialect)
        if row is None:
            continue
        x, y = messages / mine.messages, row[0] / theirs.messages
        if x >= MIN_DIALECT and y >= MIN_DIALECT:
            overlap += min(x, y)
            common += min(x, y) * background.of("dialect", dialect)
    if overlap:
        reasons.append(dialect_reason(overlap, common, max(1, background.messages)))
    if reasons:
        reasons += clock_reason(_clock_overlap(mine.bins(), mine.messages, theirs.bins(), theirs.messages))
    return reasons


def _clock_overlap(a: dict[int, int], a_total: int, b: dict[int, int], b_total: int) -> float:
    if len(b) < len(a):
        a, a_total, b, b_total = b, b_total, a, a_total
    return sum(min(n / a_total, b[ten] / b_total) for ten, n in a.items() if ten in b)


def joined(reasons: Iterable[Reason]) -> bool:
    """Whether *reasons* make one campaign of two lures."""
    return is_join(list(reasons))
