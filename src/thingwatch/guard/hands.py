"""Notice a campaign of which no two mails say the same: one program, on many new lines, at the same time.

Fresh words in every mail leave no lure to join, but the program that writes them stays. So each dialect is put to
the sequential test of ``nascent``, on single mails alone: does mail written so come from customers' lines that never
sent here before, each in a network of its own, within minutes of each other, under nobody's name? Any other mail of
the dialect, whoever sends it, speaks against it. That is why a mail program people use is never caught: their mail
comes from servers. Thousands of dialects are tested all the time, and no words agree, so it takes twice the bits.

Such a campaign says less than a lure: it may be deferred and tagged, and the detector never calls it sure.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from thingwatch.guard.lure import Campaign
from thingwatch.guard.nascent import NEAR_MINUTES, steps
from thingwatch.guard.trace import Trace

HAND_BITS = 20.0  # eight signs in a row; in a memory younger than a day 18
END_USER = 1  # the class of a PTR made from the address's own digits
MAX_WATCHED = 5_000  # dialects in whose favour something speaks right now
MAX_NETWORKS = 64  # of one dialect; more than that many signs are never needed


class Watch:
    """What speaks for one dialect being a campaign's."""

    __slots__ = ("bits", "last_at", "networks")

    def __init__(self) -> None:
        """Nothing yet."""
        self.bits = 0.0
        self.last_at = 0  # of the last sign, stream time
        self.networks: set[int] = set()


class Hands:
    """The dialects that may be a campaign's, at most ``MAX_WATCHED`` of them."""

    def __init__(self) -> None:
        """Watch none."""
        self._watched: OrderedDict[int, Watch] = OrderedDict()

    def note(self, trace: Trace, is_single: bool, warm: bool) -> bool:
        """Count a mail; gives whether its dialect is found to be a campaign's with it, which begins the test anew."""
        watch = self._watched.get(trace.dialect)
        sign = is_single and trace.stranger and trace.fresh and trace.name_class == END_USER
        for_it, against = steps(warm)
        if watch is not None and not sign:
            watch.bits -= against
            if watch.bits <= 0:
                del self._watched[trace.dialect]
            return False
        if not sign:
            return False
        if watch is None or trace.at - watch.last_at > NEAR_MINUTES * 60_000_000:
            watch = self._watched[trace.dialect] = Watch()
            while len(self._watched) > MAX_WATCHED:
                self._watched.popitem(last=False)
        elif trace.network in watch.networks:
            return False
        else:
            watch.bits += for_it
        watch.last_at = max(watch.last_at, trace.at)
        if len(watch.networks) < MAX_NETWORKS:
            watch.networks.add(trace.network)
        self._watched.move_to_end(trace.dialect)
        if watch.bits < HAND_BITS:
            return False
        del self._watched[trace.dialect]
        return True

    def as_plain(self) -> list[list[Any]]:
        """Plain data for the snapshot."""
        return [[d, w.bits, w.last_at, sorted(w.networks)] for d, w in self._watched.items()]

    def restore(self, plain: list[list[Any]]) -> None:
        """Take what ``as_plain`` gave."""
        for dialect, bits, last_at, networks in plain:
            watch = self._watched[dialect] = Watch()
            watch.bits, watch.last_at, watch.networks = bits, last_at, set(networks)


class Wordless:
    """Campaigns without a lure, the one met last standing last."""

    def __init__(self) -> None:
        """None yet."""
        self._campaigns: OrderedDict[int, Campaign] = OrderedDict()

    def add(self, campaign: Campaign) -> None:
        """*campaign* begins."""
        self._campaigns[campaign.number] = campaign

    def running(self, dialect: int, since: float) -> Campaign | None:
        """The one written in *dialect* that had a mail *since* (by the waiting clock)."""
        for campaign in reversed(self._campaigns.values()):
            if campaign.seen >= since and campaign.traits["dialect"].get(dialect):
                return campaign
        return None

    def move_to_end(self, campaign: Campaign) -> None:
        """*campaign* had a mail."""
        self._campaigns.move_to_end(campaign.number)

    def beyond(self, most: int) -> list[Campaign]:
        """Those beyond the latest *most*, taken out."""
        return [self._campaigns.popitem(last=False)[1] for _ in range(len(self._campaigns) - most)]

    def silent(self, since: float) -> list[Campaign]:
        """The one silent longest, taken out, where it had no mail *since*."""
        first = next(iter(self._campaigns.values()), None)
        return [self._campaigns.pop(first.number)] if first is not None and first.seen < since else []
