"""The running facts of a lure or campaign: what the judge asks for, counted as the mails come, in bounded room.

Counted over the same mails, a tally gives the facts ``profile.facts_of`` gives of a case, exactly up to
``sketch.FEW`` sources and within the sketch's error beyond. Two differences are meant: without a network table a
network is a /24 (as there), and times are kept in steps of ten seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from thingwatch.config import Settings
from thingwatch.guard.sketch import FEW, Distinct, Sample, spread
from thingwatch.guard.trace import Trace
from thingwatch.judge import Facts
from thingwatch.profile.pace import waves_of

STEP = 10_000_000  # microseconds: times are kept in steps of ten seconds
STEPS_PER_BIN = 60  # ten minutes, the clock by which lures are joined
MAX_STEPS = 8640  # steps with mail that are kept; beyond, the oldest are let go: a day of mail in every step
MAX_TIMES = 8192  # times waves are cut from; more are thinned evenly
MAX_NAMES = 64  # names counted; beyond, the rarest make room
MAX_DIALECTS = 128
SHARED_DIALECT = 5  # sources from which a dialect counts as one hand's; as in profile


class Tally:
    """What is counted of one group of mails."""

    __slots__ = (
        "answers", "automatic", "dialect_count", "dialects", "distinct", "first_at", "last_at", "listed", "logged",
        "messages", "names", "networks", "recipients", "signed", "sources", "steps", "unchecked",
    )  # fmt: skip

    def __init__(self) -> None:
        """Start empty."""
        self.messages = self.signed = self.unchecked = self.listed = self.automatic = self.answers = 0
        self.logged = 0
        self.names: dict[int, int] = {}
        self.sources = Sample()
        self.distinct = Distinct()  # of sources
        self.networks = Distinct()
        self.recipients = Distinct()
        self.dialects: dict[int, list[Any]] = {}  # dialect → [messages, a few of its sources]
        self.dialect_count = Distinct()
        self.steps: dict[int, int] = {}  # messages per step
        self.first_at = self.last_at = 0

    def add(self, trace: Trace) -> None:
        """Count one mail."""
        if not self.messages:
            self.first_at = self.last_at = trace.at
        self.messages += 1
        self.first_at = min(self.first_at, trace.at)
        self.last_at = max(self.last_at, trace.at)
        self.signed += trace.signed
        self.unchecked += trace.unchecked
        self.listed += trace.listed
        self.automatic += trace.automatic
        self.answers += trace.answer
        self.logged += trace.logged
        if trace.name:
            self.names[trace.name] = self.names.get(trace.name, 0) + 1
            if len(self.names) > MAX_NAMES:
                del self.names[min(self.names, key=self.names.__getitem__)]
        if trace.source:
            self.sources.add(trace.source, 1, trace.name_class)
            self.distinct.add(trace.source)
            self.networks.add(trace.network)
        if trace.recipient:
            self.recipients.add(trace.recipient)
        self._add_dialect(trace.dialect, 1, (trace.source,) if trace.source else ())
        self._add_step(trace.at // STEP, 1)

    def _add_dialect(self, dialect: int, messages: int, sources: Iterable[int]) -> None:
        self.dialect_count.add(spread(dialect))
        row = self.dialects.get(dialect)
        if row is None:
            if len(self.dialects) >= MAX_DIALECTS:
                # The latest of the rarest goes: fresh dialects in every mail do not push out the engine's own.
                rarest = min(reversed(self.dialects), key=lambda d: int(self.dialects[d][0]))
                del self.dialects[rarest]
            row = self.dialects[dialect] = [0, []]
        row[0] += messages
        for source in sources:
            if len(row[1]) < SHARED_DIALECT and source not in row[1]:
                row[1].append(source)

    def _add_step(self, step: int, messages: int) -> None:
        self.steps[step] = self.steps.get(step, 0) + messages
        if len(self.steps) > MAX_STEPS:
            for old in sorted(self.steps)[: MAX_STEPS // 8]:
                del self.steps[old]

    def merge(self, other: Tally) -> None:
        """Count what *other* counted as well."""
        if not other.messages:
            return
        self.first_at = min(self.first_at, other.first_at) if self.messages else other.first_at
        self.last_at = max(self.last_at, other.last_at)
        for count in ("messages", "signed", "unchecked", "listed", "automatic", "answers", "logged"):
            setattr(self, count, getattr(self, count) + getattr(other, count))
        for name, messages in other.names.items():
            self.names[name] = self.names.get(name, 0) + messages
        while len(self.names) > MAX_NAMES:
            del self.names[min(self.names, key=self.names.__getitem__)]
        self.sources.merge(other.sources)
        self.distinct.merge(other.distinct)
        self.networks.merge(other.networks)
        self.recipients.merge(other.recipients)
        self.dialect_count.merge(other.dialect_count)
        for dialect, (messages, sources) in other.dialects.items():
            self._add_dialect(dialect, messages, sources)
        for step, messages in other.steps.items():
            self._add_step(step, messages)

    def copy(self) -> Tally:
        """A tally of its own."""
        made = Tally()
        made.merge(self)
        made.dialects = {d: [row[0], list(row[1])] for d, row in self.dialects.items()}
        return made

    def in_waves(self, settings: Settings) -> float:
        """The share of messages that fall into waves."""
        kept = sum(self.steps.values())
        if kept < settings.min_wave:
            return 0.0
        steps = np.array(sorted(self.steps), dtype=np.int64)
        counts = np.array([self.steps[step] for step in steps.tolist()], dtype=np.int64)
        # Thinned evenly, a wave keeps its shape; its size is counted in what is left.
        every = max(1, -(-kept // MAX_TIMES))
        ends = np.cumsum(counts)
        counts = np.diff(ends // every, prepend=0)
        # Spread over their step, so that a busy step is a pace and not a heap.
        times = np.repeat(steps * STEP, counts)
        within = np.arange(len(times)) - np.repeat(np.cumsum(counts) - counts, counts)
        times += within * (STEP // np.maximum(1, np.repeat(counts, counts)))
        if len(times) == 0:
            return 0.0
        return sum(wave.messages for wave in waves_of(times, settings)) / len(times)

    def most_from_one(self) -> int:
        """The most messages one of the sampled sources sent."""
        return max((messages for messages, _ in self.sources.held.values()), default=0)

    def one_name(self) -> float:
        """The share of messages under the commonest name."""
        return max(self.names.values(), default=0) / self.messages if self.messages else 0.0

    def facts(self, in_waves: float) -> Facts:
        """What the judge looks at."""
        n = max(1, self.messages)
        sources = self.distinct.count()
        held = self.sources.held
        scale = sources / len(held) if held else 0.0
        classes = [0, 0, 0, 0]
        for _, name_class in held.values():
            classes[name_class] += 1
        shared = sum(row[0] for row in self.dialects.values() if len(row[1]) >= SHARED_DIALECT)
        return Facts(
            messages=self.messages,
            sources=sources,
            max_per_source=self.most_from_one(),
            networks=self.networks.count(),
            dialects=self.dialect_count.count(),
            top_dialects=min(1.0, shared / n),
            in_waves=in_waves,
            span_hours=(self.last_at - self.first_at) / 3.6e9,
            signed=self.signed,
            one_name=self.one_name(),
            unchecked=self.unchecked,
            listed=self.listed,
            automatic=self.automatic,
            answers=self.answers,
            logged=self.logged,
            end_user=round(classes[1] * scale),
            server=round(classes[2] * scale),
            named_sources=round(sum(classes[1:]) * scale),
        )

    def bins(self) -> dict[int, int]:
        """Messages per ten minutes."""
        found: dict[int, int] = {}
        for step, messages in self.steps.items():
            found[step // STEPS_PER_BIN] = found.get(step // STEPS_PER_BIN, 0) + messages
        return found

    def as_plain(self) -> dict[str, Any]:
        """Plain data for the snapshot."""
        return {
            "counts": [
                self.messages, self.signed, self.unchecked, self.listed, self.automatic, self.answers, self.logged,
                self.first_at, self.last_at,
            ],
            "names": [list(pair) for pair in self.names.items()],
            "sources": self.sources.as_plain(),
            "sketches": [s.as_plain() for s in (self.distinct, self.networks, self.recipients, self.dialect_count)],
            "dialects": [[d, *row] for d, row in self.dialects.items()],
            "steps": [list(pair) for pair in self.steps.items()],
        }  # fmt: skip

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> Tally:
        """What ``as_plain`` gave."""
        made = cls()
        (
            made.messages, made.signed, made.unchecked, made.listed, made.automatic, made.answers, made.logged,
            made.first_at, made.last_at,
        ) = plain["counts"]  # fmt: skip
        made.names = dict(plain["names"])
        made.sources = Sample.of_plain(plain["sources"])
        made.distinct, made.networks, made.recipients, made.dialect_count = map(
            Distinct.of_plain, plain["sketches"]
        )
        made.dialects = {d: [messages, sources] for d, messages, sources in plain["dialects"]}
        made.steps = dict(plain["steps"])
        return made


__all__ = ["FEW", "STEP", "Tally"]
