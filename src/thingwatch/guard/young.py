"""The memory of the stream: single mails, the lures they grow into, and the campaigns lures are joined to.

A mail meets the holders of its keys (``memory``). It joins the lure its keys speak for, by the same likeness, caps
and rules of names as ``group`` has at rest; else it is a single mail that waits to be met. Room is bounded in mails:
singles are forgotten after hours, lures after days, lures of confirmed campaigns after months, and when room is
short the oldest single goes first. Forgetting is done a few at a time with every mail, so that nobody waits for it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from thingwatch.config import Settings
from thingwatch.fingerprint.kinds import GRAMMAR
from thingwatch.group.campaigns import MIN_STRAY_HOST
from thingwatch.group.lures import FAIR_PART, MIN_VOTES, MOST, OTHER_NAME
from thingwatch.guard import nascent
from thingwatch.guard.background import BIN, Background
from thingwatch.guard.finding import Placing
from thingwatch.guard.hands import END_USER, HAND_BITS, Hands, Wordless
from thingwatch.guard.joining import Joiner, evidence, joined
from thingwatch.guard.lure import Campaign, Lure
from thingwatch.guard.memory import LURE, MIN_SIGNATURE, SINGLE, SLOT, Memory
from thingwatch.guard.senders import Sender, Senders
from thingwatch.guard.singles import AUTOMATIC, Recent, Recents, Singles, first_of, row_of
from thingwatch.guard.sketch import Distinct, spread
from thingwatch.guard.strays import MIN_HELD, is_stray_of, stray_bits
from thingwatch.guard.trace import Trace

BACKGROUND_HANDS = 64  # dialects a fresh memory pretends to have seen, lest its first mails look ordinary
BACKGROUND_MAILS = 1000  # mails likewise, for the odds outside a lure
EXPIRE_AT_ONCE = 4  # things forgotten with each mail at most, when nothing presses
MAX_WORDLESS = 64  # campaigns without a lure
MAX_HOT = 16  # attacks running now that a single mail is compared with
HOT_MINUTES = 20.0
WAVE_MAILS = 20  # of an attack in ten minutes, from which they are part of a wave


class Ages(NamedTuple):
    """How long what is remembered, in seconds."""

    single: float
    lure: float
    campaign: float


class Young:
    """Everything remembered of the stream."""

    def __init__(self, capacity: int, ages: Ages, settings: Settings, sources: int, max_lures: int) -> None:
        """Room for *capacity* single mails and lures, *max_lures* of these, and for *sources* senders."""
        self.memory = Memory(capacity)
        self.senders = Senders(sources)
        self.background = Background()
        self.max_lures = max_lures
        self.ages = ages
        self.settings = settings
        self.lures: OrderedDict[int, Lure] = OrderedDict()  # by slot; what was met last stands last
        self.kept: OrderedDict[int, Lure] = OrderedDict()  # lures of confirmed campaigns, likewise
        self.by_number: dict[int, Lure] = {}
        self.campaigns: dict[int, Campaign] = {}
        self.joiner = Joiner()
        self.hands = Distinct()
        self.watched = Hands()
        self.wordless = Wordless()
        self._hand_count = float(BACKGROUND_HANDS)
        self.mails = 0
        self.first_at = 0
        self.forgotten = 0
        self._hot: OrderedDict[int, None] = OrderedDict()
        self._recents = Recents()
        self._next_number = 1
        self._singles = Singles(capacity)

    # -- One mail.

    def place(self, trace: Trace, row: int, sender: Sender, now: float) -> Placing:
        """Remember *trace*; *row* and *sender*: its source's, see ``Senders``; *now*: of the waiting clock."""
        self._forget(now)
        self.mails += 1
        self.first_at = self.first_at or trace.at
        self.hands.add(spread(trace.dialect))
        if self.mails & 63 == 0:
            self._hand_count = float(max(BACKGROUND_HANDS, self.hands.count()))
        grammars = trace.keys[trace.kinds == GRAMMAR].tolist()
        slot = self._best(trace)
        if slot is None:
            slot = self._remember(trace, now)
            self.memory.hold(trace.keys, trace.dialect, slot)
            host = self._host(trace, grammars, sender, now) if trace.stranger else None
            if host is None:
                # Asked for signed mail too: whatever is written by the same program counts against it.
                begun = self._wordless(trace, grammars, str(self.memory.holder(slot)), now)
                if begun is not None:
                    return begun
                self.background.note(trace, grammars)
                if trace.stranger:
                    self._recents.note(trace, grammars, str(self.memory.holder(slot)))
                return Placing(place=str(self.memory.holder(slot)))
            host.again += sender.campaign == host.number
            host.adopt(trace, grammars, now)
            return Placing(host, True, True, place=f"c{host.number}")
        if not (trace.stranger and trace.name_class == END_USER):
            self.watched.note(trace, False, self._is_warm(trace.at))
        lure = self._lure(slot, trace, now)
        assert lure.campaign is not None  # noqa: S101 - every lure has one from its first mail on
        new_network = trace.network not in lure.campaign.tally.networks
        own = lure.add(trace)
        size = int(self.memory.slots["messages"][slot]) + 1
        self.memory.slots["messages"][slot] = size
        self.memory.hold(trace.keys, trace.dialect, slot, 1 if size < 8 else 4 if size < 64 else 8)
        lure.seen = now
        (self.kept if slot in self.kept else self.lures).move_to_end(slot)
        if not (own and lure.nameless):
            self.background.note(trace, grammars)
        return self._in_campaign(lure, trace, grammars, own, row, sender, now, new_network)

    def _best(self, trace: Trace) -> int | None:
        memory = self.memory
        found, held = memory.meet(
            trace.keys,
            trace.kinds,
            trace.dialect,
            self._hand_count,
            float(max(BACKGROUND_MAILS, self.mails)),
        )
        best, most = None, 0.0
        for slot, star, vote, shared, speaking, _ in found:
            row = memory.slots[slot]
            if row["messages"] >= MIN_SIGNATURE:
                if vote < MIN_VOTES or speaking < FAIR_PART * held or vote <= most:
                    continue
                name = self._at(slot).name
                if name == trace.name or (not name and not trace.automatic):
                    best, most = slot, vote
                continue
            _, _, _, flags, _, _, dialect, layout, mime, form, name, *_ = row.tolist()
            likeness = star
            likeness += 3.0 * (dialect == trace.dialect & _U64) + (layout == trace.layout & _U64)
            likeness += (mime == trace.mime_form & _U64) + (form == trace.id_form & _U64)
            if name != trace.name and shared < MOST * held:
                likeness -= OTHER_NAME
            if likeness < self.settings.min_likeness or likeness <= most:
                continue
            if (trace.automatic or flags & AUTOMATIC) and name != trace.name:
                continue
            best, most = slot, likeness
        return best

    def _at(self, slot: int) -> Lure:
        lure = self.lures.get(slot)
        return lure if lure is not None else self.kept[slot]

    def _remember(self, trace: Trace, now: float) -> int:
        while self.memory.used >= self.memory.capacity:
            self._make_room()
        slot = self.memory.take()
        self.memory.slots[slot] = row_of(trace, int(self.memory.slots["generation"][slot]))
        self._singles.add(self.memory.holder(slot), now)
        return slot

    def _lure(self, slot: int, trace: Trace, now: float) -> Lure:
        """The lure in *slot*; a single mail there becomes one."""
        if self.memory.slots["state"][slot] == LURE:
            return self._at(slot)
        if len(self.by_number) >= self.max_lures:
            self._drop_lure(next(iter((self.lures or self.kept).values())))
        first = first_of(self.memory.slots[slot].tolist())
        lure = Lure(self._number(), slot, trace.keys.copy())
        self.memory.slots["state"][slot] = LURE
        self.lures[slot] = self.by_number[lure.number] = lure
        own = lure.add(first)
        campaign = Campaign(self._number(), [lure])
        lure.campaign = self.campaigns[campaign.number] = campaign
        if own:
            campaign.add(first, (), now)
            if lure.nameless:
                self.background.note(first._replace(at=trace.at), (), -1)
        return lure

    def _number(self) -> int:
        self._next_number += 1
        return self._next_number - 1

    # -- Campaigns.

    def _in_campaign(
        self, lure: Lure, trace: Trace, grammars: list[int], own: bool, row: int, sender: Sender, now: float,
        new_network: bool,
    ) -> Placing:  # fmt: skip
        campaign = lure.campaign
        assert campaign is not None  # noqa: S101
        if not own:
            return Placing(campaign, place=str(self.memory.holder(lure.slot)))
        before = campaign.last_at
        others: tuple[str, ...] = ()
        if lure.nameless:
            campaign.add(trace, grammars, now)
            others = self._join(lure, trace, sender)
            if lure.hand.messages < self.settings.min_messages and not campaign.is_attack and trace.stranger:
                # Too small to speak for itself: its mails are weighed as single ones are.
                host = self._host(trace, grammars, sender, now)
                if host is not None and host.lures and host is not lure.campaign:
                    others += (self._unite(lure, host.lures[0]),)
            campaign = lure.campaign
            assert campaign is not None  # noqa: S101
            self.senders.joined(row, lure.number)
        else:
            campaign.add(trace, grammars, now)
        held = campaign.tally.sources.held.get(trace.source)
        new = held[0] <= 1 if held is not None else trace.fresh
        campaign.again += not new
        doubt = lure.nameless and nascent.observe(
            campaign, trace, new_network, before, self._is_warm(trace.at)
        )
        return Placing(campaign, True, False, doubt, others, str(self.memory.holder(lure.slot)))

    def _is_warm(self, at: int) -> bool:
        return at - self.first_at >= nascent.WARM_DAYS * 86_400_000_000

    def _join(self, lure: Lure, trace: Trace, sender: Sender) -> tuple[str, ...]:
        ended: list[str] = []
        for number in self.joiner.candidates(lure, trace.dialect, sender.lure):
            other = self.by_number.get(number)
            if (
                other is None
                or other.campaign is None
                or other.campaign is lure.campaign
                or not other.nameless
                or not self.joiner.due(lure, other)
            ):
                continue
            if joined(evidence(lure, other, self.background)):
                ended.append(self._unite(lure, other))
        return tuple(ended)

    def _unite(self, lure: Lure, other: Lure) -> str:
        a, b = lure.campaign, other.campaign
        assert a is not None and b is not None  # noqa: S101, PT018
        # The larger one takes the other in, so that a name once said stays.
        into, gone = (a, b) if (a.is_attack, a.messages) >= (b.is_attack, b.messages) else (b, a)
        ended = gone.id
        into.join(gone)
        del self.campaigns[gone.number]
        self._hot.pop(gone.number, None)
        if into.confirmed:
            self.keep(into)
        return ended

    def _host(self, trace: Trace, grammars: list[int], sender: Sender, now: float) -> Campaign | None:
        """The running attack whose hand, clock and pool a mail shares that no lure of note holds."""
        best, most = None, 0.0
        for number in list(self._hot):
            campaign = self.campaigns.get(number)
            if campaign is None or now - campaign.seen > HOT_MINUTES * 60:
                del self._hot[number]
                continue
            pooled = sender.campaign == number
            bits = stray_bits(campaign, trace, grammars, pooled, self.background)
            if bits > most:
                best, most = campaign, bits
            elif pooled:
                campaign.elsewhere += 1
        return best if is_stray_of(most) else None

    def _wordless(self, trace: Trace, grammars: list[int], place: str, now: float) -> Placing | None:
        """Where a single mail stands that is one of many by one hand, of which no two say the same."""
        campaign = self.wordless.running(trace.dialect, now - HOT_MINUTES * 60)
        if campaign is not None:
            if not (trace.stranger and trace.name_class == END_USER):
                return None
            campaign.again += not trace.fresh
            campaign.adopt(trace, grammars, now)
            self.wordless.move_to_end(campaign)
            return Placing(campaign, True, True, place=f"c{campaign.number}")
        if not self.watched.note(trace, True, self._is_warm(trace.at)):
            return None
        campaign = Campaign(self._number(), ())
        self.campaigns[campaign.number] = campaign
        self.wordless.add(campaign)
        campaign.doubtful, campaign.doubt_bits = True, HAND_BITS
        found = self._recents.written({trace.dialect}, trace.at - int(HOT_MINUTES * 60_000_000))
        self._take_in(campaign, now, [r for r in found if r.trace.name_class == END_USER])
        campaign.adopt(trace, grammars, now)
        self._end(self.wordless.beyond(MAX_WORDLESS))
        return Placing(campaign, True, True, True, place=f"c{campaign.number}")

    def _end(self, campaigns: Iterable[Campaign]) -> None:
        """*campaigns* are forgotten."""
        for campaign in campaigns:
            self.campaigns.pop(campaign.number, None)
            self._hot.pop(campaign.number, None)

    def places_of(self, campaign: Campaign) -> list[str]:
        """What the ledger calls the places of *campaign*'s mails."""
        slots = [str(self.memory.holder(lure.slot)) for lure in campaign.lures]
        numbers = [campaign.number, *campaign.absorbed]
        return [*slots, *(f"c{number}" for number in numbers), *campaign.singles]

    def attacked(self, campaign: Campaign, row: int) -> None:
        """*campaign* was called an attack at a mail of the sender in *row*."""
        ten = campaign.last_at // BIN
        if campaign.recent.get(ten, 0) >= WAVE_MAILS:
            self.background.wave(ten)
        self._hot[campaign.number] = None
        self._hot.move_to_end(campaign.number)
        while len(self._hot) > MAX_HOT:
            self._hot.popitem(last=False)
        self.senders.suspect(row, campaign.number)

    def gather(self, campaign: Campaign, now: float) -> int:
        """Look again at single mails of late for those by the hand of *campaign*; gives how many were found.

        Done when it is found to be an attack, and whenever it has doubled: its first mails came before it was known.
        """
        if campaign.messages < 2 * campaign.gathered or campaign.messages < MIN_STRAY_HOST:
            return 0
        campaign.gathered = campaign.messages
        hands = {d for d, messages in campaign.traits["dialect"].items() if messages >= MIN_HELD}
        held = campaign.tally.sources.held
        found = [
            r for r in self._recents.written(hands)
            if is_stray_of(stray_bits(campaign, r.trace, r.grammars, r.trace.source in held, self.background))
        ]  # fmt: skip
        self._take_in(campaign, now, found)
        return len(found)

    def _take_in(self, campaign: Campaign, now: float, found: list[Recent]) -> None:
        """Single mails *found* of late are by the hand of *campaign*."""
        for recent in found:
            self.background.note(
                recent.trace._replace(at=campaign.last_at or recent.trace.at), recent.grammars, -1
            )
            campaign.adopt(recent.trace, recent.grammars, now, recent.place)
        self._recents.drop({recent.place for recent in found})

    def keep(self, campaign: Campaign) -> None:
        """*campaign* is confirmed: remember its lures for months."""
        campaign.confirmed = True
        for lure in campaign.lures:
            if lure.slot in self.lures:
                self.kept[lure.slot] = self.lures.pop(lure.slot)

    # -- Forgetting.

    def _forget(self, now: float) -> None:
        for _ in range(EXPIRE_AT_ONCE):
            if now - self._singles.oldest <= self.ages.single:
                break
            self._drop_single()
        for table, age in ((self.lures, self.ages.lure), (self.kept, self.ages.campaign)):
            if table:
                lure = next(iter(table.values()))
                if now - lure.seen > age:
                    self._drop_lure(lure)
        self._end(self.wordless.silent(now - self.ages.lure))

    def _make_room(self) -> None:
        if self._singles:
            self._drop_single()
        else:
            self._drop_lure(next(iter((self.lures or self.kept).values())))

    def _drop_single(self) -> None:
        holder = self._singles.pop()
        slot = holder & ((1 << 24) - 1)
        if self.memory.holder(slot) == holder and self.memory.slots["state"][slot] == SINGLE:
            self.memory.give_back(slot)
            self.forgotten += 1

    def _drop_lure(self, lure: Lure) -> None:
        self.lures.pop(lure.slot, None)
        self.kept.pop(lure.slot, None)
        del self.by_number[lure.number]
        self.memory.give_back(lure.slot)
        self.forgotten += 1
        campaign = lure.campaign
        if campaign is not None:
            if len(campaign.lures) > 1:
                # What it counted stays in the campaign's sum.
                campaign.freeze()
            campaign.lures.remove(lure)
            if not campaign.lures:
                self._end([campaign])

    # -- The snapshot.

    def as_plain(self) -> dict[str, Any]:
        """What stands outside of arrays, as plain data."""
        return {
            "lures": [lure.as_plain() for lure in self.lures.values()],
            "kept": [lure.as_plain() for lure in self.kept.values()],
            "campaigns": [campaign.as_plain() for campaign in self.campaigns.values()],
            "background": self.background.as_plain(),
            "hands": self.hands.as_plain(),
            "watched": self.watched.as_plain(),
            "hot": list(self._hot),
            "recent": self._recents.as_plain(),
            "singles": self._singles.as_plain(),
            "hands_of_lures": self.joiner.as_plain(),
            "numbers": [
                self.mails,
                self.first_at,
                self.forgotten,
                self._next_number,
            ],
        }

    def arrays(self) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
        """The arrays of the snapshot, by name."""
        yield "places", self.memory.places
        yield "slots", self.memory.slots
        yield "senders", self.senders.rows
        yield from self._singles.arrays()

    def restore(self, plain: dict[str, Any], shift: float) -> None:
        """Take what ``as_plain`` gave, once the arrays are filled; *shift* is added to waiting-clock times."""
        for name, table in (("lures", self.lures), ("kept", self.kept)):
            for row in plain[name]:
                lure = Lure.of_plain(row)
                lure.seen += shift
                table[lure.slot] = self.by_number[lure.number] = lure
        for row in plain["campaigns"]:
            campaign = Campaign.of_plain(row, self.by_number)
            campaign.seen += shift
            self.campaigns[campaign.number] = campaign
            if campaign.wordless:
                self.wordless.add(campaign)
        self.background = Background.of_plain(plain["background"])
        self._hot = OrderedDict.fromkeys(plain["hot"])
        self._recents.restore(plain["recent"])
        self._singles.restore(plain["singles"], shift)
        self.joiner.restore(plain["hands_of_lures"])
        self.hands = Distinct.of_plain(plain["hands"])
        self.watched.restore(plain["watched"])
        self._hand_count = float(max(BACKGROUND_HANDS, self.hands.count()))
        self.mails, self.first_at, self.forgotten, self._next_number = plain["numbers"]
        self.memory.restore_free()


_U64 = (1 << 64) - 1
__all__ = ["SLOT", "Ages", "Young"]
