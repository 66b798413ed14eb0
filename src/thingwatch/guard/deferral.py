"""Mails that were told to come back: known when they do, so that they are counted once and their wait is measured."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

MAX_WAITING = 50_000
FORGET_SECONDS = (
    6 * 3600.0
)  # a sender that has not come back by then is not waiting; real ones retry in minutes


class Waiting(NamedTuple):
    """A mail that was deferred."""

    since: float  # of the waiting clock
    campaign: int  # number of the campaign in doubt


class Deferrals:
    """Who was told to come back, and how long those waited who did."""

    def __init__(self) -> None:
        """Start with nobody."""
        self.deferred = 0  # mails
        self.returned = 0  # of them, let in later
        self.waited_seconds = 0.0  # of those, in all
        self.longest_seconds = 0.0
        self._waiting: OrderedDict[int, Waiting] = OrderedDict()

    def find(self, mail: int) -> Waiting | None:
        """The deferral of *mail*, a hash of source, sender, recipients and Message-ID."""
        return self._waiting.get(mail)

    def put(self, mail: int, now: float, campaign: int) -> None:
        """*mail* is told to come back."""
        if mail in self._waiting:
            return
        self.deferred += 1
        self._waiting[mail] = Waiting(now, campaign)
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)
        while self._waiting and now - next(iter(self._waiting.values())).since > FORGET_SECONDS:
            self._waiting.popitem(last=False)

    def settle(self, mail: int, now: float, accepted: bool) -> float:
        """*mail* came back and was decided; gives how long it waited, 0 when it never did."""
        found = self._waiting.pop(mail, None)
        if found is None:
            return 0.0
        waited = now - found.since
        if accepted:
            self.returned += 1
            self.waited_seconds += waited
            self.longest_seconds = max(self.longest_seconds, waited)
        return waited
