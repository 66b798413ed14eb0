"""A lure growing in the stream, and the campaign it belongs to: nouns with running facts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thingwatch.config import Settings
from thingwatch.group.campaigns import NAMELESS
from thingwatch.guard.tally import Tally
from thingwatch.guard.trace import Trace
from thingwatch.judge import judge
from thingwatch.model import Verdict

SAME_NAME = 0.8  # of a lure's mails under one name: then it is the lure's; as in signers.sql
FEIGNED = 0.5  # of a lure that is signed, listed or an answer: then such mails are by its own hand
TRAITS = ("dialect", "layout", "mime", "id", "grammar")
MAX_TRAIT_VALUES = 64  # kept of each; an engine has a handful of forms
MAX_ABSORBED = 1000  # campaigns that became one with another, whose single mails can still be found
JUDGE_EVERY = 0.05  # growth from which a campaign is judged again; a small one at every mail
SMALL = 64  # messages up to which a campaign is judged at every mail


class Lure:
    """Two mails or more that say the same."""

    __slots__ = ("campaign", "hand", "keys", "number", "seen", "slot", "whole")

    def __init__(self, number: int, slot: int, keys: NDArray[np.uint64]) -> None:
        """*keys*: of the second mail, by which the lure is compared with good mail."""
        self.number = number
        self.slot = slot
        self.keys = keys
        self.whole = Tally()
        self.hand = self.whole  # mails by the lure's own hand; the same while all are
        self.campaign: Campaign | None = None
        self.seen = 0.0  # of its last mail, seconds of the waiting clock

    def add(self, trace: Trace) -> bool:
        """Count a mail; gives whether it is by the lure's own hand."""
        if self.hand is self.whole:
            if trace.stranger:
                self.whole.add(trace)
                return True
            self.hand = self.whole.copy()
        self.whole.add(trace)
        if trace.stranger:
            self.hand.add(trace)
            return True
        return self.core is self.whole

    @property
    def name(self) -> int:
        """The name four fifths of it bear; 0 for none."""
        names, whole = self.whole.names, self.whole
        if not names:
            return 0
        commonest = max(names, key=names.__getitem__)
        return commonest if names[commonest] >= SAME_NAME * whole.messages else 0

    @property
    def nameless(self) -> bool:
        """No one name stands behind half of it, and it is no report of mail servers."""
        whole = self.whole
        return whole.one_name() < NAMELESS and whole.automatic < 0.5 * whole.messages

    @property
    def core(self) -> Tally:
        """What is judged: its own hand; all of it where a name stands behind it or it feigns names or answers."""
        whole = self.whole
        if self.hand is whole or not self.nameless:
            return whole
        half = FEIGNED * whole.messages
        return whole if max(whole.signed, whole.listed, whole.answers) >= half else self.hand

    def as_plain(self) -> dict[str, Any]:
        """Plain data for the snapshot."""
        plain = {
            "number": self.number,
            "slot": self.slot,
            "keys": self.keys.tolist(),
            "whole": self.whole.as_plain(),
            "seen": self.seen,
        }
        if self.hand is not self.whole:
            plain["hand"] = self.hand.as_plain()
        return plain

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> Lure:
        """What ``as_plain`` gave; its campaign is set by whoever reads campaigns."""
        made = cls(plain["number"], plain["slot"], np.array(plain["keys"], dtype=np.uint64))
        made.whole = Tally.of_plain(plain["whole"])
        made.hand = Tally.of_plain(plain["hand"]) if "hand" in plain else made.whole
        made.seen = plain["seen"]
        return made


class Judged(NamedTuple):
    """What the judge said, without its sentences: a memory of many small campaigns is mostly made of them."""

    verdict: Verdict
    kind: str
    bits: float
    reasons: tuple[str, ...]  # names, strongest first


class Campaign:
    """Lures by one hand, with what is known of it so far."""

    __slots__ = (
        "_in_waves", "_joint", "_judged_at", "_judged_size", "_waves_size", "absorbed", "again", "confirmed",
        "doubt_bits", "doubtful", "elsewhere", "gathered", "judgement", "known", "last_at", "lures", "mark", "number",
        "recent", "seen", "singles", "traits",
    )  # fmt: skip

    def __init__(self, number: int, lures: Iterable[Lure]) -> None:
        """A campaign of *lures*."""
        self.number = number
        self.lures = list(lures)
        self.absorbed: list[int] = []  # numbers of campaigns that became one with it
        self.singles: list[str] = []  # places of single mails it took in after they had come
        self.gathered = 0  # its size when single mails were looked at last
        self.known = ""  # id of the case's campaign it was recognised as
        self.mark = ""  # an analyst's word: attack, bulk or good
        self.confirmed = False  # kept for months
        self.doubt_bits = 0.0  # of the sequential test, see nascent.py
        self.doubtful = False
        self.last_at = 0  # of its last mail, stream time
        self.seen = 0.0  # the same by the waiting clock
        self.again = 0  # mails from sources it had before
        self.elsewhere = 0  # other mail of its sources
        self.traits: dict[str, dict[int, int]] = {trait: {} for trait in TRAITS}
        self.recent: dict[int, int] = {}  # mails in the last ten minutes begun, by number of the ten minutes
        self.judgement: Judged | None = None
        self._joint: Tally | None = None
        self._judged_size = 0
        self._judged_at = 0
        self._in_waves = 0.0
        self._waves_size = 0

    @property
    def id(self) -> str:
        """Its name for people; a recognised one keeps the case's."""
        return self.known or f"y-{self.number}"

    @property
    def ids(self) -> list[str]:
        """All it has been called, and what became one with it."""
        return [self.id, *(f"y-{number}" for number in (self.number, *self.absorbed))]

    @property
    def wordless(self) -> bool:
        """Known by its hand alone: no two of its mails say the same."""
        return not self.lures

    @property
    def tally(self) -> Tally:
        """What it is judged by."""
        if self._joint is None and not self.lures:
            self._joint = Tally()
        return self._joint if self._joint is not None else self.lures[0].core

    @property
    def messages(self) -> int:
        """Mails by its own hand."""
        return self.tally.messages

    def add(self, trace: Trace, grammars: Iterable[int], now: float) -> None:
        """A mail of one of its lures, by its own hand; the lure has counted it already."""
        if self._joint is not None:
            self._joint.add(trace)
        self._note(trace, grammars, now)

    def freeze(self) -> None:
        """Keep a sum of its own: a lure it counts on is about to be forgotten."""
        if self._joint is None:
            self._joint = self.tally.copy()

    def adopt(self, trace: Trace, grammars: Iterable[int], now: float, place: str = "") -> None:
        """A mail that no lure holds, by this campaign's hand; *place*: where it has been until now."""
        self.freeze()
        assert self._joint is not None  # noqa: S101 - frozen
        self._joint.add(trace)
        if place:
            self.singles.append(place)
            del self.singles[:-MAX_ABSORBED]
        self._note(trace, grammars, now)

    def _note(self, trace: Trace, grammars: Iterable[int], now: float) -> None:
        for name, value in zip(
            TRAITS, (trace.dialect, trace.layout, trace.mime_form, trace.id_form), strict=False
        ):
            self._count(name, value, 1)
        for value in grammars:
            self._count("grammar", value, 1)
        ten = trace.at // 600_000_000
        if ten not in self.recent:
            for old in [b for b in self.recent if b < ten - 1]:
                del self.recent[old]
        self.recent[ten] = self.recent.get(ten, 0) + 1
        self.last_at, self.seen = max(self.last_at, trace.at), now

    def _count(self, trait: str, value: int, messages: int) -> None:
        counts = self.traits[trait]
        counts[value] = counts.get(value, 0) + messages
        if len(counts) > MAX_TRAIT_VALUES:
            del counts[min(reversed(counts), key=counts.__getitem__)]

    def join(self, other: Campaign) -> None:
        """Take in *other* with all its lures."""
        self.freeze()
        assert self._joint is not None  # noqa: S101 - frozen
        self._joint.merge(other.tally)
        self.lures += other.lures
        self.absorbed = [*self.absorbed, other.number, *other.absorbed][-MAX_ABSORBED:]
        self.singles = [*self.singles, *other.singles][-MAX_ABSORBED:]
        for lure in other.lures:
            lure.campaign = self
        self.known = self.known or other.known
        self.mark = self.mark or other.mark
        self.confirmed |= other.confirmed
        self.doubt_bits += other.doubt_bits
        self.doubtful |= other.doubtful
        self.last_at, self.seen = max(self.last_at, other.last_at), max(self.seen, other.seen)
        self.again += other.again
        self.elsewhere += other.elsewhere
        for trait, counts in other.traits.items():
            for value, messages in counts.items():
                self._count(trait, value, messages)
        for ten, messages in other.recent.items():
            self.recent[ten] = self.recent.get(ten, 0) + messages
        self.judgement = None

    def judged(self, settings: Settings) -> Judged:
        """What it is by now; judged anew when it has grown by a twentieth, or a minute has passed."""
        size, at = self.messages, self.last_at
        due = (
            self.judgement is None
            or size <= SMALL
            or size >= self._judged_size * (1 + JUDGE_EVERY)
            or at - self._judged_at > 60_000_000
        )
        if due and (self.judgement is None or size != self._judged_size):
            # Waves are cut from all times: done when they may have changed, not at every mail.
            if size >= settings.min_wave and (size <= SMALL or size >= self._waves_size * (1 + JUDGE_EVERY)):
                self._in_waves, self._waves_size = self.tally.in_waves(settings), size
            self._judged_size, self._judged_at = size, at
            found = judge(self.tally.facts(self._in_waves), settings)
            bits = sum(reason.weight for reason in found.reasons)
            names = tuple(reason.name for reason in found.reasons)
            self.judgement = Judged(found.verdict, found.kind, bits, names)
        assert self.judgement is not None  # noqa: S101 - judged just now
        return self.judgement

    @property
    def is_attack(self) -> bool:
        """Called an attack, by the last judgement, a person, or the case it was known from."""
        if self.mark:
            return self.mark == "attack"
        return bool(self.known) or (self.judgement is not None and self.judgement.verdict is Verdict.ATTACK)

    def as_plain(self) -> dict[str, Any]:
        """Plain data for the snapshot."""
        return {
            "number": self.number,
            "lures": [lure.number for lure in self.lures],
            "absorbed": self.absorbed,
            "singles": self.singles,
            "gathered": self.gathered,
            "known": self.known,
            "mark": self.mark,
            "confirmed": self.confirmed,
            "doubt": [self.doubt_bits, self.doubtful],
            "times": [self.last_at, self.seen],
            "pool": [self.again, self.elsewhere],
            "traits": {name: [list(pair) for pair in counts.items()] for name, counts in self.traits.items()},
            "recent": [list(pair) for pair in self.recent.items()],
            "joint": None if self._joint is None else self._joint.as_plain(),
        }

    @classmethod
    def of_plain(cls, plain: dict[str, Any], lures: dict[int, Lure]) -> Campaign:
        """What ``as_plain`` gave, of *lures* by number; those forgotten since are left out."""
        made = cls(plain["number"], [lures[n] for n in plain["lures"] if n in lures])
        for lure in made.lures:
            lure.campaign = made
        made.absorbed, made.singles, made.gathered = plain["absorbed"], plain["singles"], plain["gathered"]
        made.known, made.mark, made.confirmed = plain["known"], plain["mark"], plain["confirmed"]
        made.doubt_bits, made.doubtful = plain["doubt"]
        made.last_at, made.seen = plain["times"]
        made.again, made.elsewhere = plain["pool"]
        made.traits = {name: dict(map(tuple, pairs)) for name, pairs in plain["traits"].items()}
        made.recent = dict(map(tuple, plain["recent"]))
        made._joint = None if plain["joint"] is None else Tally.of_plain(plain["joint"])
        return made
