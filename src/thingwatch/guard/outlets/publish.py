"""Keep maps and zone as the guard's campaigns are: listed within a second, withdrawn within a second.

``Publisher`` is an outlet of the daemon (``tell``, ``run``). It sees every mail go by (``beside``), and when the
guard says that one of them belongs to a campaign it acts on, the mail's traits are counted; the rest is
``listing``'s. Nothing here is waited for by a mail, and nothing that fails here stops the rest: it is told, and
tried again.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from threading import Lock
from typing import Any, Protocol

from thingwatch.guard import Action, Answer, Delivery, Guard
from thingwatch.guard.gateway import Decide
from thingwatch.guard.outlets.listing import ACTED_ON, Listed, Listing
from thingwatch.guard.outlets.redis_maps import RedisMaps
from thingwatch.guard.outlets.server import Unreachable
from thingwatch.guard.outlets.traits import Trait, traits_of
from thingwatch.guard.policy import SEVERITY
from thingwatch.guard.trace import read_delivery
from thingwatch.model import Message

PUBLISH_SECONDS = 0.25  # between looks at what has changed
LOOK_SECONDS = 1.0  # between looks at what the guard thinks of its campaigns by now
AGAIN_SECONDS = 10.0  # everything is put again, in case somebody took it away
GOOD_SECONDS = 60.0  # between looks at good mail
RETRY_SECONDS = 2.0  # an outlet that failed is left alone for so long
MAX_BESIDE = 512  # mails kept until the guard's word on them has come; it comes within milliseconds
MAX_BESIDE_BYTES = 64 << 20
MAX_WAITING = 2_000  # mails of campaigns whose traits are still to be read
ALL_OF_THE_FIRST = 200  # mails of one campaign that are read; then one in SAMPLE
SAMPLE = 16
SLICE = 16  # mails read in one go, some milliseconds

Ask = Callable[..., Awaitable[Any]]


class FileOutlet(Protocol):
    """Something that writes the whole of what is listed."""

    name: str

    def put(self, listed: Sequence[Listed]) -> None:
        """Make it say *listed* and nothing else; raises OSError."""


async def _at_once(deed: Callable[..., Any], *given: Any) -> Any:
    return deed(*given)


class Publisher:
    """Everything that is published of one guard."""

    def __init__(
        self,
        guard: Guard,
        files: Sequence[FileOutlet] = (),
        redis: RedisMaps | None = None,
        *,
        hold_hours: float = 12.0,
        in_canary: bool = False,
        ask: Ask = _at_once,
        events: Callable[[dict[str, Any]], None] = lambda event: None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """*ask(deed, ...)* does a deed where decisions are made, between two of them: the daemon's ``desk.ask``.

        While the guard is in canary mode nothing is published, unless *in_canary*: a symbol adds to a score, and
        what the score does is Rspamd's. *events* hears what goes wrong.
        """
        self._guard = guard
        self._files = list(files)
        self._redis = redis
        self._in_canary = in_canary
        self._ask = ask
        self._events = events
        self._wall = wall
        self.listing = Listing(guard, hold_hours)
        self.counts: Counter[str] = Counter()
        self.listed: list[Listed] = []
        self._lock = Lock()
        self._beside: OrderedDict[tuple[str, str | None], Delivery] = OrderedDict()
        self._beside_bytes = 0
        self._waiting: deque[tuple[str, Delivery]] = deque()
        self._seen: Counter[str] = Counter()  # mails of each campaign
        self._words: deque[dict[str, Any]] = deque(maxlen=10_000)
        self._failed: dict[str, float] = {}  # outlet → when it may be tried again
        self._good_at = self._put_at = self._look_at = float("-inf")

    # -- What others call: in any thread, and at once.

    def beside(self, decide: Decide) -> Decide:
        """*decide*, and the mail is remembered until ``tell`` says what it belongs to."""

        def both(delivery: Delivery) -> Answer:
            with self._lock:
                self._keep(delivery)
            return decide(delivery)

        return both

    def _keep(self, delivery: Delivery) -> None:
        key = delivery.queue_id, delivery.session.client_ip
        before = self._beside.pop(key, None)
        self._beside_bytes += len(delivery.raw) - (len(before.raw) if before is not None else 0)
        self._beside[key] = delivery
        while len(self._beside) > MAX_BESIDE or self._beside_bytes > MAX_BESIDE_BYTES:
            _, gone = self._beside.popitem(last=False)
            self._beside_bytes -= len(gone.raw)

    def tell(self, event: dict[str, Any]) -> None:
        """An event of the guard."""
        kind = event.get("event")
        if kind in ("joined", "marked", "rollback", "rollback-heard"):
            self._words.append(event)
        elif kind == "decision":
            key = event.get("queue_id", ""), event.get("client_ip")
            with self._lock:
                delivery = self._beside.pop(key, None)
                if delivery is not None:
                    self._beside_bytes -= len(delivery.raw)
            if not self._is_acted_on(event):
                return
            if delivery is None:
                self.counts["mail not at hand"] += 1
            elif self._is_wanted(str(event["campaign"])):
                self._waiting.append((str(event["campaign"]), delivery))

    def _is_acted_on(self, event: dict[str, Any]) -> bool:
        if event.get("certainty") not in ACTED_ON or event.get("softened"):
            return False
        if self._guard.options.canary and not self._in_canary:
            self.counts["held back in canary"] += 1
            return False
        return SEVERITY[Action(event["wanted"])] > SEVERITY[Action.TAG]

    def _is_wanted(self, campaign: str) -> bool:
        self._seen[campaign] += 1
        if len(self._seen) > MAX_WAITING:
            self._seen = Counter(dict(self._seen.most_common(MAX_WAITING // 2)))
        if len(self._waiting) >= MAX_WAITING:
            self.counts["not read: too many waiting"] += 1
            return False
        return self._seen[campaign] <= ALL_OF_THE_FIRST or self._seen[campaign] % SAMPLE == 0

    def report(self, campaign: str, queue_id: str, message: Message) -> None:
        """Another filter tells that a mail of a listed *campaign* came by, which the guard has not seen."""
        self._events(
            {
                "event": "reported", "campaign": campaign, "queue_id": queue_id, "message_id": message.message_id,
                "client_ip": message.client_ip, "recipients": list(message.rcpt_to),
            }
        )  # fmt: skip

    def status(self) -> dict[str, Any]:
        """How it stands, as plain data."""
        kinds = Counter(str(row.trait.kind) for row in self.listed)
        return {
            "listed": dict(kinds),
            "waiting": len(self._waiting),
            "failing": sorted(self._failed),
            **self.counts,
        }

    # -- In the background.

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self.turn()
            await asyncio.sleep(PUBLISH_SECONDS)

    async def turn(self) -> None:
        """One round: what was told, what was seen, what has to change outside."""
        now = self._wall()
        changed = bool(self._words)
        while self._words:
            self._heed(self._words.popleft())
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(SLICE, len(self._waiting)))]
            for campaign, sender, traits in await asyncio.to_thread(_read, batch):
                self.listing.note(campaign, traits, sender, now)
            changed = True
        if not changed and not self._failed and now - self._look_at < LOOK_SECONDS:
            return
        self._look_at = now
        if changed and now - self._good_at >= GOOD_SECONDS:
            await self._ask(self.listing.good_keys)
            self._good_at = now
        listed = await self._ask(self.listing.listed, now)
        again = now - self._put_at >= AGAIN_SECONDS
        if again:
            self._put_at = now
        if again or self._failed or listed != self.listed:
            self.listed = listed
            await self._put(listed, now)

    def _heed(self, event: dict[str, Any]) -> None:
        campaign = str(event.get("campaign"))
        if event["event"] == "joined":
            self.listing.join(campaign, [str(name) for name in event.get("ended", ())])
        elif event["event"] != "marked" or event.get("mark") != "attack":
            self.listing.drop(campaign)

    async def _put(self, listed: list[Listed], now: float) -> None:
        for outlet in self._files:
            if self._may(outlet.name, now):
                try:
                    await asyncio.to_thread(outlet.put, listed)
                    self._worked(outlet.name)
                except OSError as error:
                    self._did_not_work(outlet.name, str(error), now)
        if self._redis is not None and self._may(self._redis.name, now):
            try:
                await self._redis.put(listed, now)
                await self._redis.expire(now)
                self._worked(self._redis.name)
            except Unreachable as error:
                self._did_not_work(self._redis.name, str(error), now)

    def _may(self, name: str, now: float) -> bool:
        return now >= self._failed.get(name, 0.0)

    def _worked(self, name: str) -> None:
        if self._failed.pop(name, None) is not None:
            self._events({"event": "outlet-works-again", "outlet": name})

    def _did_not_work(self, name: str, why: str, now: float) -> None:
        if name not in self._failed:
            self._events({"event": "outlet-failed", "alert": True, "outlet": name, "why": why})
        self._failed[name] = now + RETRY_SECONDS
        self.counts[f"failed: {name}"] += 1

    # -- What a mail that others looked at belongs to.

    def campaign_of(self, traits: Sequence[Trait]) -> str:
        """The listed campaign whose trait a mail bears, "" for none; for mail of which there is only a report."""
        named = {(row.trait.kind, row.trait.digest): row.campaign for row in self.listed}
        return next((named[t.kind, t.digest] for t in traits if (t.kind, t.digest) in named), "")


def _read(batch: Sequence[tuple[str, Delivery]]) -> list[tuple[str, str, list[Trait]]]:
    return [
        (campaign, delivery.session.client_ip or "", traits_of(read_delivery(delivery, ())))
        for campaign, delivery in batch
    ]
