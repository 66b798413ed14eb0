"""Which traits are published, for which campaigns, and until when.

A trait is a coarser thing than a campaign's signature: whoever reads the map sees the subject alone, or one host. So
it has to earn its place four times. The campaign must be one the policy would hold or reject, with a signature that
touches no good mail. ``MIN_MAILS`` mails of it by as many senders must carry the trait. The guard's memory must say
that the trait is the campaign's own, by ``MIN_BITS``: held inside and hardly outside. And no good mail this site
remembers may carry it. A trait that was listed is dropped as soon as one of these no longer holds, when a person says
so, or when its campaign has been silent for ``hold_hours``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from thingwatch.guard import Guard
from thingwatch.guard.ham import MIN_AGE_SECONDS, Reach
from thingwatch.guard.lure import Campaign
from thingwatch.guard.outlets.traits import Trait, TraitKind

MIN_MAILS = 3  # mails of the campaign that carry a trait, by as many senders
MIN_BITS = (
    3.0  # of eight mails that carry it seven are the campaign's, at the least; as the guard's memory counts
)
MIN_HOSTS = 2  # hosts below a domain before the domain itself is listed; else the host says all
MAX_CAMPAIGNS = 2000  # whose traits are counted; who was silent longest goes first
MAX_CANDIDATES = 500  # traits counted for one campaign; the latest make room
MAX_LISTED = 100  # traits of one campaign that are published
MAX_SENDERS = 8  # remembered of each trait
ACTED_ON = ("known", "sure", "likely")  # certainties; doubt passes and is not published

_ALWAYS = np.iinfo(np.int64).min


class Listed(NamedTuple):
    """One published trait."""

    trait: Trait
    campaign: str
    until: float  # seconds since 1970


class _Count:
    __slots__ = ("mails", "senders", "trait")

    def __init__(self, trait: Trait) -> None:
        self.trait = trait
        self.mails = 0
        self.senders: set[str] = set()


class _Case:
    """What was counted of one campaign."""

    __slots__ = ("counts", "last")

    def __init__(self) -> None:
        self.counts: OrderedDict[tuple[TraitKind, str], _Count] = OrderedDict()
        self.last = 0.0  # wall clock of its last mail


class Listing:
    """Traits of campaigns acted on. All of it can be made again from mail to come; nothing is kept on disk."""

    def __init__(self, guard: Guard, hold_hours: float = 12.0) -> None:
        """*hold_hours*: how long after a campaign's last mail its traits stay."""
        self._guard = guard
        self._hold = hold_hours * 3600.0
        self._cases: OrderedDict[str, _Case] = OrderedDict()
        self._good = np.zeros(0, dtype=np.uint64)  # keys of good mails, end to end
        self._good_at = np.zeros(0, dtype=np.int64)  # when each of these mails came, by the stream's clock

    def note(self, campaign: str, traits: Iterable[Trait], sender: str, at: float) -> None:
        """A mail of *campaign*, which the policy acted on at *at*, carried *traits*."""
        case = self._cases.get(campaign)
        if case is None:
            if len(self._cases) >= MAX_CAMPAIGNS:
                self._cases.popitem(last=False)
            case = self._cases[campaign] = _Case()
        self._cases.move_to_end(campaign)
        case.last = max(case.last, at)
        for trait in traits:
            count = case.counts.get((trait.kind, trait.digest))
            if count is None:
                if len(case.counts) >= MAX_CANDIDATES:
                    self._drop_rarest(case)
                count = case.counts[trait.kind, trait.digest] = _Count(trait)
            count.mails += 1
            if len(count.senders) < MAX_SENDERS:
                count.senders.add(sender)

    @staticmethod
    def _drop_rarest(case: _Case) -> None:
        # The latest of the rarest: traits drawn anew for every mail do not push out those that stay.
        rarest = min(reversed(case.counts), key=lambda k: case.counts[k].mails)
        del case.counts[rarest]

    def join(self, campaign: str, ended: Iterable[str]) -> None:
        """Campaigns *ended* became one with *campaign*."""
        for name in ended:
            case = self._cases.pop(name, None)
            if case is None:
                continue
            for count in case.counts.values():
                for sender in count.senders or {""}:
                    self.note(campaign, (count.trait,), sender, case.last)

    def drop(self, campaign: str) -> None:
        """A person said that *campaign* is none to act on; it has to earn its places anew."""
        self._cases.pop(campaign, None)

    def good_keys(self) -> None:
        """Look at the good mail the guard remembers; takes some ten milliseconds, so not with every mail.

        As the policy does: an answer may quote the campaign, and a stranger's mail may be one of its own from before
        it was known, unless it came before the campaign's first.
        """
        state = self._guard.state
        keys, at, stranger, seen = state.policy.good.keys()
        kept = ~(stranger & (state.clock.now() - seen < MIN_AGE_SECONDS))
        self._good, self._good_at = keys[kept], np.where(stranger, at, _ALWAYS)[kept]

    def listed(self, now: float) -> list[Listed]:
        """All that is published at *now*, in a fixed order."""
        found: list[Listed] = []
        groups: dict[str, list[Campaign]] = {campaign: [] for campaign in self._cases}
        for group in self._guard.state.young.campaigns.values():
            if group.id in groups:
                groups[group.id].append(group)
        for campaign, its in groups.items():
            case = self._cases[campaign]
            if now - case.last > self._hold:
                del self._cases[campaign]
            elif self._is_acted_on(campaign, its):
                found += self._of(campaign, case, its)
        return sorted(found, key=lambda row: (row.trait.kind, row.trait.digest, row.campaign))

    def _is_acted_on(self, campaign: str, groups: list[Campaign]) -> bool:
        rule = self._guard.state.policy.rules.get(campaign)
        if rule is None or rule.disarmed or rule.reach not in (None, Reach.WIDE):
            return False
        return bool(groups) and all(group.is_attack for group in groups)

    def _of(self, campaign: str, case: _Case, groups: list[Campaign]) -> list[Listed]:
        counts = [c for c in case.counts.values() if c.mails >= MIN_MAILS and len(c.senders) >= MIN_MAILS]
        if not counts:
            return []
        keys = np.array([c.trait.key for c in counts], dtype=np.uint64)
        kinds = np.array([c.trait.key_kind for c in counts], dtype=np.int8)
        slots = [lure.slot for group in groups for lure in group.lures]
        young = self._guard.state.young
        votes = young.memory.matching(
            keys, kinds, np.arange(1, len(keys) + 1, dtype=np.int64), slots, float(max(1000, young.mails))
        )
        first_at = min(group.tally.first_at for group in groups)
        good = np.isin(keys, self._good[self._good_at < first_at])
        below: dict[str, int] = {}
        for count in counts:
            if count.trait.kind is TraitKind.HOST:
                parent = count.trait.name
                while parent:
                    below[parent] = below.get(parent, 0) + 1
                    parent = parent.partition(".")[2]
        kept = [
            (vote, count)
            for vote, is_good, count in zip(votes.tolist(), good.tolist(), counts, strict=True)
            if vote >= MIN_BITS
            and not is_good
            and (count.trait.kind is not TraitKind.DOMAIN or below.get(count.trait.name, 0) >= MIN_HOSTS)
        ]
        kept.sort(key=lambda pair: (-pair[1].mails, -pair[0], pair[1].trait.digest))
        until = -(-(case.last + self._hold) // 60) * 60.0  # whole minutes, so that not every mail changes it
        return [Listed(count.trait, campaign, until) for _, count in kept[:MAX_LISTED]]
