"""Several guards and a real Redis: as early as one that sees all, alone when it is away, and never twice."""

from __future__ import annotations

import asyncio
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outlet_daemons import RedisServer, needs
from outlet_wave import ARMED, NOON, Clock, play, shop_mail, wave_mail

from thingwatch.guard import Action, Guard
from thingwatch.guard.outlets.heard import Heard
from thingwatch.guard.outlets.server import Address
from thingwatch.guard.outlets.shared import Shared
from thingwatch.guard.outlets.stream import MAX_RECORDS, Batch, batch_of, contents_of
from thingwatch.guard.record import Mail, pack, word
from thingwatch.guard.trace import read_delivery, trace_of
from thingwatch.guard.witness import is_sound, word_of

pytestmark = needs("redis-server")
HARD = (Action.QUARANTINE, Action.REJECT)


class Member:
    """A guard and its part in the sharing."""

    def __init__(self, server: RedisServer, name: str, clock: Clock, folder: Path | None = None) -> None:
        self.events: list[dict[str, Any]] = []
        self.guard = Guard(ARMED, folder=folder, events=self.events.append, monotonic=clock, wall=clock)
        self.shared = Shared(
            self.guard,
            Address(server.url),
            name,
            folder,
            events=self.events.append,
            wall=clock,
            seconds=0.5,
        )
        self.clock = clock

    def told(self) -> list[str]:
        """Names of what went wrong or right with sharing."""
        return [e["event"] for e in self.events if "shar" in e["event"] or "hearsay" in e["event"]]

    def verdict(self) -> tuple[str, str, int]:
        """What the largest campaign is: verdict, certainty, messages."""
        (row, *_) = self.guard.campaigns(2) or [{"verdict": "", "certainty": "", "messages": 0}]
        return row["verdict"], row["certainty"], row["messages"]


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis of our own."""
    with RedisServer() as running:
        yield running


async def pump(*members: Member) -> None:
    """All say what they have, then all hear it."""
    for member in members:
        while await member.shared.write():
            pass
    for member in members:
        while await member.shared.read():
            pass


async def until(seen: Callable[[], Any], seconds: float = 30.0) -> float:
    """Seconds until *seen* gives something true."""
    began = time.monotonic()
    while not seen():
        assert time.monotonic() - began < seconds
        await asyncio.sleep(0.01)
    return time.monotonic() - began


def first_stopped(decide: Callable[[int], Any], numbers: range) -> int:
    """The number of the first mail that was held."""
    return next(number for number in numbers if decide(number).action in HARD)


def test_two_guards_find_a_wave_as_early_as_one(server: RedisServer) -> None:
    """Each sees every other mail; the first held mail is the one a single guard would hold, or a few later."""

    async def found_at(every: int) -> int:
        server.say("FLUSHALL")
        clock = Clock()
        pair = [Member(server, f"mx{i}{every}", clock) for i in range(2)]
        for number in range(1, 200):
            clock.at += 3
            if pair[number % 2].guard.decide(wave_mail(number, clock.at)).action in HARD:
                return number
            if every and number % every == 0:
                await pump(*pair)
        return 200

    clock = Clock()
    single = Guard(ARMED, monotonic=clock, wall=clock)
    numbers = range(1, 200)

    def decide(number: int) -> Any:
        clock.at += 3
        return single.decide(wave_mail(number, clock.at))

    alone = first_stopped(decide, numbers)
    at_once, behind, apart = (asyncio.run(found_at(every)) for every in (1, 5, 0))
    print(
        f"first mail held: one guard {alone}, two sharing at once {at_once}, 5 mails behind {behind}, apart {apart}"
    )
    assert at_once == alone
    assert behind <= alone + 5
    assert apart > alone + 5


def test_words_of_people_reach_the_same_campaign_elsewhere(server: RedisServer) -> None:
    """A mark and a rollback hold at every guard, whatever number the campaign has there."""

    async def play_it() -> None:
        clock = Clock()
        one, two = Member(server, "mx1", clock), Member(server, "mx2", clock)
        # Their numbers differ: the second has seen a campaign before.
        for number in range(6):
            clock.at += 60
            two.guard.decide(shop_mail(number, clock.at))
        play(one.guard.decide, clock, range(1, 40))
        await pump(one, two)
        assert one.verdict()[:2] == two.verdict()[:2] == ("attack", "sure")
        ids = [m.guard.campaigns(20)[0]["id"] for m in (one, two)]
        assert ids[0] != ids[1]
        one.guard.mark(ids[0], "good", "anna")
        await pump(one, two)
        await pump(one, two)
        assert [m.guard.decide(wave_mail(90 + i, clock.at)).action for i, m in enumerate((one, two))] == [
            "accept"
        ] * 2
        two.guard.mark(ids[1], "attack", "bert")
        await pump(one, two)
        await pump(one, two)
        assert [m.guard.decide(wave_mail(95 + i, clock.at)).action for i, m in enumerate((one, two))] == [
            "quarantine"
        ] * 2
        held = two.guard.decide(wave_mail(97, clock.at))
        assert held.action == "quarantine"
        one.guard.rollback(ids[0], "anna")
        await pump(one, two)
        await pump(one, two)
        (heard,) = [e for e in two.events if e["event"] == "rollback-heard"]
        assert heard["alert"]
        assert heard["held"] >= 1
        assert two.guard.decide(wave_mail(98, clock.at)).action == "tag"
        assert "Q97" in [entry.queue_id for entry in two.guard.rollback(heard["campaign"])], (
            "let go by a command here"
        )
        marks = [e for e in two.events if e["event"] in ("marked", "rollback")]
        await pump(one, two)
        assert [e for e in two.events if e["event"] in ("marked", "rollback")] == marks, "heeded once"

    asyncio.run(play_it())


def test_nothing_counts_twice(server: RedisServer, tmp_path: Path) -> None:
    """Said again after a lost reply, heard again after a flush or a restart: every mail counts once."""

    async def play_it() -> None:
        clock = Clock()
        one, two = Member(server, "mx1", clock, tmp_path / "1"), Member(server, "mx2", clock, tmp_path / "2")
        play(one.guard.decide, clock, range(1, 31))
        await pump(one, two)
        assert two.verdict()[2] == 30
        one.shared._say_again()
        await pump(one, two)
        assert two.verdict()[2] == 30
        assert two.shared.counts["heard before"] > 0
        server.say("FLUSHALL")
        await pump(one, two)
        await pump(one, two)
        assert two.verdict()[2] == one.verdict()[2] == 30
        assert "shared-memory-lost" in one.told()
        assert "shared-memory-lost" in two.told()
        two.guard.close()
        one.guard.close()
        again = Member(server, "mx2", clock, tmp_path / "2")
        first = Member(server, "mx1", clock, tmp_path / "1")
        await pump(first, again)
        assert again.verdict()[2] == first.verdict()[2] == 30
        play(first.guard.decide, clock, range(31, 36))
        await pump(first, again)
        assert again.verdict()[2] == 35
        # A guard without a folder that comes anew hears what the stream still has, its own past as well.
        fresh = Member(server, "mx3", clock)
        await pump(fresh)
        assert fresh.verdict()[2] >= 5

    asyncio.run(play_it())


async def _through(
    server: RedisServer, fault: Callable[[], None], heal: Callable[[], None], part: str
) -> None:
    """Two guards before, during and after a fault of the server: decisions go on, and then all is known to both."""
    clock = Clock()
    one, two = Member(server, "mx1", clock), Member(server, "mx2", clock)
    tasks = [asyncio.create_task(member.shared.run()) for member in (one, two)]
    try:
        play(one.guard.decide, clock, range(1, 6))
        await until(lambda: two.verdict()[2] == 5)
        fault()
        await until(lambda: any(m.shared.alone for m in (one, two)))
        each = []
        for number in range(6, 46):
            member = (one, two)[number % 2]
            clock.at += 3
            began = time.perf_counter()
            member.guard.decide(wave_mail(number, clock.at))
            each.append(time.perf_counter() - began)
            await asyncio.sleep(0.01)
        assert "sharing-stopped" in one.told() + two.told()
        assert {one.verdict()[2], two.verdict()[2]} != {45}
        heal()
        took = await until(lambda: one.verdict()[2] == two.verdict()[2] == 45)
        assert one.verdict()[:2] == two.verdict()[:2] == ("attack", "sure")
        actions = [m.guard.decide(wave_mail(80 + i, clock.at)).action for i, m in enumerate((one, two))]
        assert actions == ["quarantine", "quarantine"]
        await until(lambda: not one.shared.alone and not two.shared.alone)
        usual = statistics.median(each)
        print(f"{part}: same verdict {took:.2f} s after heal; a decision meanwhile took {usual * 1e3:.1f} ms")
        assert took < 5
        assert usual < 0.2, "one that waits for the server takes half a second"
        assert one.shared.counts["not said: no room"] == 0
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def test_redis_refused_and_started_again(server: RedisServer) -> None:
    """The server ends and comes back with nothing in it."""
    asyncio.run(_through(server, server.stop, server.start, "refused and restarted"))


def test_redis_hung(server: RedisServer) -> None:
    """The server stops answering, its connections open."""
    asyncio.run(
        _through(server, lambda: server.signal(signal.SIGSTOP), lambda: server.signal(signal.SIGCONT), "hung")
    )


def test_redis_read_only(server: RedisServer) -> None:
    """The server becomes a replica of nobody who answers: it can be read and not written."""
    asyncio.run(
        _through(
            server,
            lambda: server.say("REPLICAOF", "127.0.0.1", "1") and None,
            lambda: server.say("REPLICAOF", "NO", "ONE") and None,
            "read-only",
        )
    )


def test_a_flush_is_told_and_costs_nothing(server: RedisServer) -> None:
    """While both run, all memory of the server is dropped: an alert, the same verdicts, and words kept."""

    async def play_it() -> None:
        clock = Clock()
        one, two = Member(server, "mx1", clock), Member(server, "mx2", clock)
        tasks = [asyncio.create_task(member.shared.run()) for member in (one, two)]
        play(one.guard.decide, clock, range(1, 41))
        await until(lambda: two.verdict()[2] == 40)
        one.guard.mark(one.guard.campaigns(20)[0]["id"], "attack", "anna")
        await until(lambda: two.shared.counts["words heeded"] == 1)
        server.say("FLUSHALL")
        await until(lambda: all("shared-memory-lost" in m.told() for m in (one, two)))
        assert all(e.get("alert") for m in (one, two) for e in m.events if e["event"] == "shared-memory-lost")
        assert [m.guard.decide(wave_mail(80 + i, clock.at)).action for i, m in enumerate((one, two))] == [
            "quarantine"
        ] * 2
        await until(lambda: one.verdict()[2] == two.verdict()[2] == 42)
        await until(lambda: server.say("HLEN", "thingwatch:shared:words") == b":1")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(play_it())


def test_what_waits_is_bounded(server: RedisServer) -> None:
    """A server away for long costs records, not memory; how many is counted."""
    clock = Clock()
    member = Member(server, "mx1", clock)
    record = pack(Mail(NOON, trace_of(read_delivery(wave_mail(1, NOON), ()), int(NOON * 1e6)), False, None))
    for _ in range(20_500):
        member.shared._take(record)
    assert member.shared.counts["not said: no room"] == 500


@settings(deadline=None)
@given(st.binary(max_size=600))
def test_what_others_say_never_raises(data: bytes) -> None:
    """Arbitrary bytes, records cut and mended: read as far as they are sound."""
    trace = trace_of(read_delivery(wave_mail(1, NOON), ()), int(NOON * 1e6))
    sound = pack(Mail(NOON, trace, False, None))
    assert len(contents_of(sound, NOON).traces) == 1
    contents_of(data, NOON)
    contents_of(sound + data, NOON)
    contents_of(sound[: len(data)] + data, NOON)
    assert len(contents_of(sound * (MAX_RECORDS + 9), NOON).traces) == MAX_RECORDS
    assert not contents_of(sound, NOON + 7200).traces, "long past"
    assert not contents_of(sound, NOON - 600).traces, "of a clock far ahead"
    batch_of([b"g", data, b"b", data, b"n", data, b"d", data])
    assert batch_of([b"g", b"mx", b"b", b"1", b"n", b"1", b"d", sound]) == Batch("mx", 1, 1, sound)
    assert not is_sound(trace._replace(kinds=trace.kinds + 50)), (
        "compiled code would look up what is not there"
    )


@settings(deadline=None)
@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x))
)
def test_no_word_that_is_none_is_heeded(value: Any) -> None:
    """Whatever stands in the hash of words is a word of ours or nothing."""
    assert word_of(value) is None
    assert word_of({"op": "mark", "mark": "attack", "witness": value}) is None
    assert (
        contents_of(word({"op": "mark", "mark": value, "witness": {"sources": [], "keys": []}}), NOON).words
        == []
    )


def test_a_clock_set_back_does_not_make_a_guard_mute(server: RedisServer, tmp_path: Path) -> None:
    """A start is always later than the one before; a file that says nothing is no reason to fail."""
    starts = []
    for at in (NOON, NOON - 3600):
        member = Member(server, "mx1", Clock(at), tmp_path)
        starts.append(member.shared._start)
        member.guard.close()
    assert starts == [int(NOON * 1000), int(NOON * 1000) + 1]
    (tmp_path / "shared.json").write_text("{]")
    assert not Heard(tmp_path / "shared.json").resumed


class Line:
    """A cable to the server that can be cut."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._writers: list[asyncio.StreamWriter] = []
        self.is_cut = False
        self.port = 0

    async def lay(self) -> None:
        """Let connections through."""
        listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Packets into a cut cable vanish: nothing is closed.
        there, back = await asyncio.open_connection("127.0.0.1", self._server.port)
        self._writers += [writer, back]
        await asyncio.gather(self._carry(reader, back), self._carry(there, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                while self.is_cut:
                    await asyncio.sleep(0.05)
                writer.write(data)
            writer.close()
        except OSError:
            writer.close()


def test_one_guard_cut_off_and_back(server: RedisServer) -> None:
    """A network split: each side decides by what it sees; soon after it heals both say the same of all of it."""

    async def play_it() -> None:
        clock = Clock()
        line = Line(server)
        await line.lay()
        one, two = Member(server, "mx1", clock), Member(server, "mx2", clock)
        for redis in (two.shared._writing, two.shared._reading):
            redis.address = Address(f"redis://127.0.0.1:{line.port}/0")
        tasks = [asyncio.create_task(member.shared.run()) for member in (one, two)]
        play(one.guard.decide, clock, range(1, 6))
        await until(lambda: two.verdict()[2] == 5)
        line.is_cut = True
        play(one.guard.decide, clock, range(6, 46, 2))
        play(two.guard.decide, clock, range(7, 47, 2), seconds=0)
        await until(lambda: "write" in two.shared.alone and "read" in two.shared.alone)
        assert (one.verdict()[2], two.verdict()[2]) == (25, 25)
        line.is_cut = False
        took = await until(lambda: one.verdict()[2] == two.verdict()[2] == 45)
        print(f"split: same verdict {took:.2f} s after heal")
        assert took < 5
        assert one.verdict() == two.verdict() == ("attack", "sure", 45)
        await asyncio.sleep(0.5)
        assert one.verdict()[2] == two.verdict()[2] == 45, "what was on the way does not count twice"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(play_it())
