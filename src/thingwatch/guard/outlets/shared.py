"""Several guards that remember as one, through a stream in Redis or Valkey.

Every guard writes what it observed, a fingerprint of half a kilobyte a mail, and observes what the others wrote: each
then knows what one guard with all the mail would know, a fifth of a second later. Decisions never wait for it. When
the server is away, hung or may not be written, each guard goes on alone, keeps what it has to say as far as there is
room, and says it when the server is back; when the server lost its memory, that is told, and what was said in the last
minutes is said again. Nothing counts twice (``stream``, ``heard``).
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from thingwatch.errors import SettingError
from thingwatch.guard import Guard
from thingwatch.guard.outlets.heard import BEGINNING, Heard
from thingwatch.guard.outlets.publish import Ask, _at_once
from thingwatch.guard.outlets.server import Address, Command, Redis, Refused, Unreachable
from thingwatch.guard.outlets.stream import MAX_NAME_CHARS, MAX_RECORDS, Batch, batch_of, contents_of
from thingwatch.guard.record import WORD, records
from thingwatch.guard.trace import Trace
from thingwatch.guard.witness import word_of

PREFIX = "thingwatch:shared:"
WRITE_SECONDS = 0.1  # between batches
READ_SECONDS = 0.3  # a read waits for news
RETRY_SECONDS = 0.5
MAX_WAITING = (
    20_000  # records kept while the server is away: ten megabytes, a quarter of an hour at 20 mails/s
)
MAX_ENTRIES = 6_000  # of the stream: ten minutes of full speed, 200 MB at the very most
STREAM_SECONDS = 3600  # a stream nobody writes any more is gone after so long
AGAIN_BATCHES = 100  # said again when the server has lost its memory: ten seconds at full speed
READ_BATCHES = 32
SLICE = 32  # traces remembered in one go: some ten milliseconds between two mails
MAX_WORDS = 1000  # of people, that are kept
HEEDED_AT_ONCE = 10
WORD_SECONDS = 600.0  # a word about a campaign that is not known here waits for it so long


class Shared:
    """One guard's part in it: an outlet of the daemon (``tell``, ``run``)."""

    def __init__(
        self,
        guard: Guard,
        address: Address,
        name: str,
        folder: Path | None = None,
        *,
        ask: Ask = _at_once,
        events: Callable[[dict[str, Any]], None] = lambda event: None,
        wall: Callable[[], float] = time.time,
        prefix: str = PREFIX,
        seconds: float = 1.0,
    ) -> None:
        """*name*: this guard's own, and no other's; *folder*: the guard's state folder; *ask*: as of ``Publisher``.

        Raises SettingError for a name that is none.
        """
        if not (name.isascii() and name.isprintable() and 0 < len(name) <= MAX_NAME_CHARS):
            raise SettingError(
                f"name = {name!r}: must be 1 to {MAX_NAME_CHARS} ASCII characters; the host's name will do"
            )
        self._guard = guard
        self._name = name
        self._ask = ask
        self._events = events
        self._wall = wall
        self.counts: Counter[str] = Counter()
        self.alone: dict[str, str] = {}  # "read", "write", "save" → why it does not work
        self._keys = {part: f"{prefix}{part}" for part in ("mails", "words", "epoch")}
        self._writing = Redis(address, seconds)
        self._reading = Redis(address, seconds)
        self._number = 0
        self.heard = Heard(folder / "shared.json" if folder is not None else None)
        # Later than the start before, though the clock was set back: else the others would take us for a repetition.
        self._start = max(int(wall() * 1000), self.heard.batches.get(name, (0, 0))[0] + 1)
        if folder is not None:
            # What this guard said before its restart stands in its own journal; without one it hears it from others.
            self.heard.batches[name] = (self._start, 0)
            self._save()
        self._records: deque[bytes] = deque()
        self._unsent: deque[Batch] = deque()
        self._sent: deque[Batch] = deque(maxlen=AGAIN_BATCHES)
        self._words: OrderedDict[str, dict[str, Any]] = OrderedDict()  # all that are known, by id
        self._unsaid: deque[str] = deque()  # ids of those that still have to be put there
        self._pending: deque[tuple[float, dict[str, Any]]] = deque(maxlen=MAX_WORDS)
        self._greeted = False
        guard.outgoing = self._take

    def _take(self, record: bytes) -> None:
        """A record of our guard, in its thread."""
        self._records.append(record)
        if len(self._records) + len(self._unsent) * MAX_RECORDS > MAX_WAITING:
            self._records.popleft()
            self.counts["not said: no room"] += 1

    def tell(self, event: dict[str, Any]) -> None:
        """An event of the guard: what is shared goes another way."""

    def status(self) -> dict[str, Any]:
        """How it stands, as plain data."""
        waiting = len(self._records) + sum(1 for _ in self._unsent) * MAX_RECORDS
        return {
            "alone": dict(self.alone),
            "waiting": waiting,
            "heard": dict(self.heard.batches),
            **self.counts,
        }

    async def run(self) -> None:
        """Share until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._write_on())
                tasks.create_task(self._read_on())
        finally:
            await self._writing.close()
            await self._reading.close()

    def _fails(self, part: str, why: str) -> None:
        if part not in self.alone:
            self._events({"event": "sharing-stopped", "alert": True, "part": part, "why": why})
        self.alone[part] = why

    def _works(self, part: str) -> None:
        if self.alone.pop(part, None) is not None:
            self._events({"event": "sharing-resumed", "part": part})

    # -- Saying.

    async def _write_on(self) -> None:
        while True:
            try:
                said = await self.write()
                self._works("write")
                if not said:
                    await asyncio.sleep(WRITE_SECONDS)
            except Unreachable as error:
                self._fails("write", str(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def write(self) -> bool:
        """Say what there is to say; whether more may wait. Raises Unreachable, and then nothing is forgotten."""
        while self._records:
            pieces = [self._records.popleft() for _ in range(min(MAX_RECORDS, len(self._records)))]
            self._number += 1
            self._unsent.append(Batch(self._name, self._start, self._number, b"".join(pieces)))
            self._own_words(pieces)
        batches = [self._unsent[i] for i in range(min(READ_BATCHES, len(self._unsent)))]
        words = list(self._unsaid)
        if not batches and not words:
            if "write" in self.alone:
                # Whether it can be written again is known by writing only.
                await self._all_or_nothing([("EXPIRE", self._keys["mails"], STREAM_SECONDS)])
            return False
        commands: list[Command] = [
            ("XADD", self._keys["mails"], "MAXLEN", "~", MAX_ENTRIES, "*", *batch.fields) for batch in batches
        ]
        if batches:
            commands.append(("EXPIRE", self._keys["mails"], STREAM_SECONDS))
        commands += [("HSET", self._keys["words"], name, json.dumps(self._words[name])) for name in words]
        await self._all_or_nothing(commands)
        for batch in batches:
            self._unsent.remove(batch)
            self._sent.append(batch)
        for name in words:
            self._unsaid.remove(name)
        self.counts["batches said"] += len(batches)
        return bool(self._unsent)

    async def _all_or_nothing(self, commands: list[Command]) -> None:
        replies = await self._writing.ask(("MULTI",), *commands, ("EXEC",))
        refused = [r for r in (*replies, *(replies[-1] or ())) if isinstance(r, Refused)]
        if isinstance(replies[-1], Refused) or refused:
            raise Unreachable(
                f"Redis at {self._writing.address} refuses: {refused[0].why}; may we write there?"
            )

    def _own_words(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            for kind, payload, _ in records(piece):
                said = word_of(json.loads(payload)) if kind == WORD else None
                if said is not None:
                    name = f"{self._name}/{self._start}/{self._number}/{len(self._words)}"
                    self.heard.heed(name)
                    self._keep_word(name, {**said, "at": self._wall()})
                    self._unsaid.append(name)

    def _keep_word(self, name: str, said: dict[str, Any]) -> None:
        self._words[name] = said
        while len(self._words) > MAX_WORDS:
            gone, _ = self._words.popitem(last=False)
            if gone in self._unsaid:
                self._unsaid.remove(gone)

    # -- Hearing.

    async def _read_on(self) -> None:
        while True:
            try:
                await self.read(READ_SECONDS)
                self._works("read")
            except Unreachable as error:
                self._greeted = False
                self._fails("read", str(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def read(self, wait: float = 0.0) -> bool:
        """Hear what the others said since, waiting for it up to *wait* seconds; whether there was anything."""
        keys = self._keys
        if not self._greeted:
            await self._greet()
        asked: list[Command] = [("GET", keys["epoch"])]
        block: Command = ("BLOCK", max(1, int(wait * 1000))) if wait else ()
        asked.append(("XREAD", "COUNT", READ_BATCHES, *block, "STREAMS", keys["mails"], self.heard.last))
        epoch, found = await self._reading.ask(*asked, wait=wait)
        if isinstance(found, Refused) or isinstance(epoch, Refused):
            why = found if isinstance(found, Refused) else epoch
            raise Unreachable(f"Redis at {self._reading.address} refuses: {why.why}; may we read there?")
        if epoch != self.heard.epoch.encode():
            # It has lost its memory, or is another server than before.
            self._greeted = False
            return True
        if found:
            await self._hear(found[0][1])
        await self._heed_pending()
        return bool(found)

    async def _greet(self) -> None:
        """Learn whose memory the server has, and what people have said."""
        keys = self._keys
        fresh = secrets.token_hex(8)
        _, epoch, words = await self._reading.ask(
            ("SET", keys["epoch"], fresh, "NX"), ("GET", keys["epoch"]), ("HGETALL", keys["words"])
        )
        if not isinstance(epoch, bytes) or not isinstance(words, list):
            why = next(
                (r.why for r in (epoch, words) if isinstance(r, Refused)),
                "it may not be written, and is empty",
            )
            raise Unreachable(f"Redis at {self._reading.address}: {why}; may we write there?")
        name = epoch.decode("ascii", "replace")
        if name != self.heard.epoch:
            if self.heard.epoch:
                self._events(
                    {"event": "shared-memory-lost", "alert": True, "where": str(self._reading.address)}
                )
                self._say_again()
            self.heard.epoch, self.heard.last = name, BEGINNING
        rows = {words[i].decode("utf-8", "replace"): words[i + 1] for i in range(0, len(words) - 1, 2)}
        self._hear_words(rows)
        self._greeted = True

    def _say_again(self) -> None:
        again = [batch for batch in self._sent if batch not in self._unsent]
        self._unsent.extendleft(reversed(again))
        self._sent.clear()
        self._unsaid = deque(self._words)

    def _hear_words(self, rows: dict[str, bytes]) -> None:
        found = []
        for name, raw in rows.items():
            try:
                value = json.loads(raw[: 1 << 16])
                said, at = word_of(value), float(value["at"])
            except (ValueError, KeyError, TypeError, RecursionError):
                said = None
            if said is None:
                self.counts["unsound"] += 1
            elif name not in self.heard.words:
                found.append((at, name, said))
        for at, name, said in sorted(found, key=lambda row: row[:2])[-MAX_WORDS:]:
            self.heard.heed(name)
            self._keep_word(name, {**said, "at": at})
            self._pending.append((self._wall(), said))

    async def _hear(self, entries: Any) -> None:
        traces: list[Trace] = []
        news = False
        for entry in entries:
            self.heard.last = entry[0].decode("ascii", "replace")
            batch = batch_of(entry[1])
            if batch is None:
                self.counts["unsound"] += 1
            elif batch.guard == self._name and batch.start >= self._start:
                if batch.start > self._start:
                    self._fails("name", f"another guard is called {self._name} too; give each its own name")
            elif self.heard.is_new(batch):
                if gap := self.heard.gap_before(batch):
                    self.counts["batches missed"] += gap
                    self._events({"event": "hearsay-missed", "guard": batch.guard, "batches": gap})
                self.heard.note(batch)
                said = contents_of(batch.data, self._wall())
                self.counts["unsound"] += said.unsound
                news |= bool(said.words)
                traces += said.traces
            else:
                self.counts["heard before"] += 1
        await asyncio.to_thread(self._save)
        for start in range(0, len(traces), SLICE):
            await self._ask(self._guard.hear, traces[start : start + SLICE])
        if news:
            # What people said stands in the words; the stream only says that there is something.
            self._greeted = False

    def _save(self) -> None:
        try:
            self.heard.save()
            self._works("save")
        except OSError as error:
            self._fails("save", str(error))

    async def _heed_pending(self) -> None:
        """Do what people said to others, as soon as we know which campaign is meant; a few at a time."""
        now = self._wall()
        for _ in range(min(HEEDED_AT_ONCE, len(self._pending))):
            since, said = self._pending.popleft()
            if await self._ask(self._guard.hear_word, said):
                self.counts["words heeded"] += 1
            elif now - since < WORD_SECONDS:
                self._pending.append((since, said))
            else:
                self.counts["words about nothing known"] += 1
