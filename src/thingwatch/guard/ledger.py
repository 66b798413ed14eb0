"""Which mails a campaign touched: delivered before it was known, tagged, held, deferred or refused.

For taking back: what was held by mistake can be let go, what was delivered before the verdict can be looked for in
mailboxes. Bounded; the oldest entries go first, and how many went is said.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from thingwatch.guard.gateway import Action
from thingwatch.model import Message

MAX_RECIPIENTS = 100  # of one mail that are noted; what RFC 5321 asks a server to take
MAX_CHARS = 320  # of an identifier or address


class Entry(NamedTuple):
    """One mail that was touched, or delivered; what a person needs to find it again."""

    queue_id: str
    message_id: str
    recipients: tuple[str, ...]
    at: int  # microseconds since 1970, by the gateway's clock
    action: Action


def entry_of(queue_id: str, message: Message, at: int, action: Action) -> Entry:
    """What is noted of *message*, cut to size."""
    recipients = tuple(address[:MAX_CHARS] for address in message.rcpt_to[:MAX_RECIPIENTS])
    return Entry(queue_id[:MAX_CHARS], message.message_id[:MAX_CHARS], recipients, at, action)


class Ledger:
    """Entries by the place a mail was remembered at, at most *capacity* of them."""

    def __init__(self, capacity: int = 200_000) -> None:
        """Start empty."""
        self.capacity = capacity
        self.lost = 0  # entries that had to go
        self._entries: OrderedDict[int, tuple[str, Entry]] = OrderedDict()  # running number → place, entry
        self._by_place: dict[str, list[int]] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._entries)

    def note(self, place: str, entry: Entry) -> None:
        """Remember *entry* under *place*: a slot, or a campaign for single mails attached to it."""
        if len(self._entries) >= self.capacity:
            number, (old, _) = self._entries.popitem(last=False)
            numbers = self._by_place[old]
            numbers.remove(number)
            if not numbers:
                del self._by_place[old]
            self.lost += 1
        self._entries[self._next] = (place, entry)
        self._by_place.setdefault(place, []).append(self._next)
        self._next += 1

    def of(self, places: Iterable[str]) -> list[Entry]:
        """What is noted under *places*, oldest first."""
        numbers = sorted(number for place in places for number in self._by_place.get(place, ()))
        return [self._entries[number][1] for number in numbers]

    def place_of(self, message_id: str, queue_id: str) -> str:
        """Where the mail of either id is noted, the latest if several are; "" for none. Looks at all entries."""
        for place, entry in reversed(self._entries.values()):
            if (message_id and entry.message_id == message_id) or (queue_id and entry.queue_id == queue_id):
                return place
        return ""

    def release(self, places: Iterable[str]) -> list[Entry]:
        """Entries under *places* that are held; they are noted as delivered from now on."""
        released = []
        for place in places:
            for number in self._by_place.get(place, ()):
                entry = self._entries[number][1]
                if entry.action is Action.QUARANTINE:
                    released.append(entry)
                    self._entries[number] = (place, entry._replace(action=Action.ACCEPT))
        return released

    def forget(self, place: str) -> None:
        """*place* is given to somebody else."""
        for number in self._by_place.pop(place, ()):
            del self._entries[number]

    def as_plain(self) -> list[list[object]]:
        """Plain data for the snapshot."""
        return [[place, *entry] for place, entry in self._entries.values()]

    def restore(self, plain: list[list[object]]) -> None:
        """Take what ``as_plain`` gave."""
        for place, queue_id, message_id, recipients, at, action in plain:
            self.note(
                str(place),
                Entry(str(queue_id), str(message_id), tuple(recipients), int(at), Action(action)),  # type: ignore[arg-type, call-overload]
            )
