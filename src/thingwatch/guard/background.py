"""How other mail is written: what a shared dialect or form is weighed against.

Counted are mails that are no nameless lure's own, once their ten minutes and the next have passed, and of ten minutes
in which an attack had a wave none at all: in the middle of a burst nobody can tell the campaign's single mails from
others, and a background that holds them would make its hand look ordinary. ``group`` does the same by counting in the
campaign's silences. An attack that never pauses leaves none; so half of a day's mail is counted whatever happens.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from thingwatch.guard.lure import TRAITS
from thingwatch.guard.trace import Trace

MAX_VALUES = 20_000  # of each trait; a large site sees a few thousand dialects
LAG = 2  # ten-minute bins until a mail counts
DAY_BINS = 144  # of which at most half are left out
BIN = 600_000_000  # microseconds


class Background:
    """Counts of traits in other mail."""

    def __init__(self) -> None:
        """Start with none."""
        self.messages = 0
        self.counts: dict[str, dict[int, int]] = {trait: {} for trait in TRAITS}
        self._waiting: deque[tuple[int, dict[tuple[str, int], int], list[int]]] = deque()
        self._waves: dict[int, None] = {}  # bins in which an attack had a wave
        self._kept: deque[bool] = deque(maxlen=DAY_BINS)  # of the bins settled last, whether they counted

    def note(self, trace: Trace, grammars: Iterable[int], messages: int = 1) -> None:
        """Count *trace*; with -1 take it back, when it turned out to be a lure's after all."""
        ten = trace.at // BIN
        if not self._waiting or self._waiting[-1][0] < ten:
            self._waiting.append((ten, {}, [0]))
            while len(self._waiting) > LAG:
                self._settle()
        _, counts, total = self._waiting[-1]
        pairs = [*zip(TRAITS, (trace.dialect, trace.layout, trace.mime_form, trace.id_form), strict=False)]
        for pair in [*pairs, *(("grammar", value) for value in grammars)]:
            counts[pair] = counts.get(pair, 0) + messages
        total[0] += messages

    def wave(self, ten: int) -> None:
        """An attack has a wave in the ten minutes *ten*."""
        self._waves[ten] = None

    def _settle(self) -> None:
        ten, counts, total = self._waiting.popleft()
        is_silent = ten not in self._waves
        for old in [wave for wave in self._waves if wave <= ten]:
            del self._waves[old]
        is_kept = is_silent or self._kept.count(False) >= DAY_BINS // 2
        self._kept.append(is_kept)
        if not is_kept:
            return
        self.messages = max(0, self.messages + total[0])
        for (trait, value), messages in counts.items():
            settled = self.counts[trait]
            settled[value] = max(0, settled.get(value, 0) + messages)
        for settled in self.counts.values():
            if len(settled) > MAX_VALUES:
                # What was seen least goes first, so that fresh values cannot push out the common ones.
                for value in sorted(settled, key=settled.__getitem__)[: len(settled) - MAX_VALUES * 3 // 4]:
                    del settled[value]

    def of(self, trait: str, value: int) -> int:
        """Messages of other mail that have *value*."""
        return self.counts[trait].get(value, 0)

    def in_bin(self, ten: int) -> int:
        """Other messages so far in the ten minutes *ten*, which must be among the last."""
        # A mail taken back may have been counted in the ten minutes before.
        return max(0, sum(total[0] for found, _, total in self._waiting if found == ten))

    def as_plain(self) -> dict[str, Any]:
        """Plain data for the snapshot; what waits is settled in the copy."""
        return {
            "messages": self.messages,
            "counts": {name: [list(pair) for pair in counts.items()] for name, counts in self.counts.items()},
            "waiting": [
                [ten, [[*pair, n] for pair, n in counts.items()], total]
                for ten, counts, total in self._waiting
            ],
            "waves": list(self._waves),
            "kept": list(self._kept),
        }

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> Background:
        """What ``as_plain`` gave."""
        made = cls()
        made.messages = plain["messages"]
        made.counts = {name: dict(map(tuple, pairs)) for name, pairs in plain["counts"].items()}
        made._waiting = deque(
            (ten, {(trait, value): n for trait, value, n in counts}, total)
            for ten, counts, total in plain["waiting"]
        )
        made._waves = dict.fromkeys(plain["waves"])
        made._kept.extend(plain["kept"])
        return made
