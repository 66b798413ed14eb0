"""A real Rspamd sees what the guard found: at once by Redis, within seconds by files, and no longer than it holds."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from outlet_daemons import RedisServer, Rspamd, eventually, needs
from outlet_wave import HOST, NOON, SUBJECT, Clock, guard_with, play, shop_mail, wave_mail

from thingwatch.guard import Guard
from thingwatch.guard.outlets.listing import Listed
from thingwatch.guard.outlets.maps import FileMaps, map_text, path_of
from thingwatch.guard.outlets.publish import Publisher
from thingwatch.guard.outlets.redis_maps import RedisMaps
from thingwatch.guard.outlets.server import Address, Redis
from thingwatch.guard.outlets.traits import Trait, TraitKind, traits_of
from thingwatch.guard.trace import read_delivery

FILES = "/var/lib/thingwatch/maps"


class Site:
    """A guard whose campaigns are published, and the events of both."""

    def __init__(self, **outlets: Any) -> None:
        self.clock = Clock()
        self.events: list[dict[str, Any]] = []
        self.guard: Guard = guard_with(self.clock, self.events)
        self.publisher = Publisher(self.guard, events=self.events.append, wall=self.clock, **outlets)
        self.decide = self.publisher.beside(self.guard.decide)
        self._told = 0
        self._loop = asyncio.Runner()

    def wave(self, numbers: range = range(1, 60), **more: Any) -> None:
        """A wave comes in, and the publisher hears of it."""
        play(self.decide, self.clock, numbers, **more)
        self.hear()

    def hear(self) -> None:
        """Tell the publisher what happened since."""
        while self._told < len(self.events):
            self.publisher.tell(self.events[self._told])
            self._told += 1

    def turn(self) -> None:
        """A second passes, and what has changed is published."""
        self.clock.at += 1
        self._loop.run(self.publisher.turn())

    def named(self) -> set[tuple[str, str]]:
        """What is listed, by kind and name."""
        return {(str(row.trait.kind), row.trait.name) for row in self.publisher.listed}


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A server of our own."""
    with RedisServer() as server:
        yield server


def folder_for_rspamd(tmp_path: Path) -> Path:
    """A folder another user may read."""
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_uid == tmp_path.stat().st_uid and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    folder = tmp_path / "maps"
    folder.mkdir()
    folder.chmod(0o755)
    return folder


def test_a_campaign_s_own_traits_are_listed_and_nobody_else_s() -> None:
    """Subject and host of the wave are; the shop's are not, nor its host when the wave links there as well."""
    site = Site()
    for number in range(30):
        site.clock.at += 60
        site.guard.decide(shop_mail(number, site.clock.at))
    site.wave()
    site.turn()
    assert site.named() == {("subject", ""), ("host", HOST)}
    borrowing = Site()
    for number in range(60):
        borrowing.clock.at += 60
        borrowing.guard.decide(shop_mail(number, borrowing.clock.at))
    borrowing.wave(host="www.shop.example")
    borrowing.turn()
    assert borrowing.named() == {("subject", "")}


def test_a_domain_is_listed_once_two_hosts_below_it_are_used() -> None:
    """A campaign that draws hosts below one domain is met by the domain."""
    site = Site()
    for number in range(1, 80):
        play(site.decide, site.clock, range(number, number + 1), host=f"h{number % 9}.lures.example")
    site.hear()
    site.turn()
    assert ("domain", "lures.example") in site.named()


def test_canary_and_disarmed_campaigns_publish_nothing() -> None:
    """What may only tag is in no map; a person's word takes entries out with the next look."""
    site = Site()
    site.guard.options = site.guard.options.changed(canary=True)
    site.wave()
    site.turn()
    assert site.named() == set()
    assert site.publisher.counts["held back in canary"] > 0

    site = Site()
    site.wave()
    site.turn()
    campaign = site.publisher.listed[0].campaign
    site.guard.rollback(campaign)
    site.hear()
    site.turn()
    assert site.named() == set()


def test_entries_expire_when_the_campaign_is_silent() -> None:
    """Twelve hours after the last mail nothing is listed."""
    site = Site()
    site.wave()
    site.turn()
    assert site.named()
    site.clock.at += 12 * 3600 + 120
    site.turn()
    assert site.named() == set()


def test_a_map_is_digests_and_numbers_whatever_the_campaign_is_called() -> None:
    """No name of a stranger reaches a map; values are numbers, and comments stay one line."""
    trait = Trait(TraitKind.HOST, "a" * 40, "evil\n.example 1")
    text = map_text(TraitKind.HOST, [Listed(trait, "y-1\nTHINGWATCH_X 9\x1b", NOON)])
    assert [line for line in text.splitlines() if not re.fullmatch(r"#.*|[0-9a-f]{40} 1\.0", line)] == []
    assert len(text.splitlines()) == 3
    assert text.isascii()


def test_a_map_that_cannot_be_written_is_told_once_and_tried_again(tmp_path: Path) -> None:
    """The old file stands, decisions go on, and the alert ends when it works."""
    maps = tmp_path / "maps"
    site = Site(files=[FileMaps(maps)])
    site.wave()
    for _ in range(5):
        site.turn()
    assert [e["event"] for e in site.events if "outlet" in e] == ["outlet-failed"]
    maps.mkdir()
    for _ in range(3):
        site.turn()
    assert [e["event"] for e in site.events if "outlet" in e] == ["outlet-failed", "outlet-works-again"]
    assert sorted(p.name for p in maps.iterdir()) == [f"thingwatch_{k}.map" for k in sorted(TraitKind)]


@needs("rspamd")
def test_rspamd_reads_the_files(tmp_path: Path) -> None:
    """A mail of the campaign gets our symbols, another does not; Rspamd rereads after 0 to 4 s."""
    maps = folder_for_rspamd(tmp_path)
    site = Site(files=[FileMaps(maps)])
    site.turn()
    mail, other = wave_mail(900, NOON).raw, shop_mail(1, NOON).raw
    with Rspamd({FILES: str(maps)}, ("multimap", "groups")) as rspamd:
        assert rspamd.symbols(mail) == {}
        site.wave()
        site.turn()
        took = eventually(lambda: len(rspamd.symbols(mail)) == 2, 30)
        assert rspamd.symbols(mail) == {"THINGWATCH_SUBJECT": 1.0, "THINGWATCH_HOST": 2.0}
        assert rspamd.symbols(other) == {}
        site.guard.rollback(site.publisher.listed[0].campaign)
        site.hear()
        site.turn()
        gone = eventually(lambda: not rspamd.symbols(mail), 30)
    print(f"file map: listed after {took:.3f} s, withdrawn after {gone:.3f} s")


@needs("rspamd")
@needs("redis-server")
def test_rspamd_asks_redis(redis: RedisServer) -> None:
    """What is put into Redis works for the next mail; flushed, it is told and back with the next round."""
    events: list[dict[str, Any]] = []
    site = Site(redis=RedisMaps(Redis(Address(redis.url)), events.append))
    replaced = {f"{FILES}/thingwatch_{kind}.map": f"redis://thingwatch:{kind}" for kind in TraitKind}
    mail, other = wave_mail(900, NOON).raw, shop_mail(1, NOON).raw
    with Rspamd(replaced, ("multimap", "groups"), redis.port) as rspamd:
        assert rspamd.symbols(mail) == {}
        site.wave()
        site.turn()
        took = eventually(lambda: rspamd.symbols(mail), 30)
        assert rspamd.symbols(mail) == {"THINGWATCH_SUBJECT": 1.0, "THINGWATCH_HOST": 2.0}
        assert rspamd.symbols(other) == {}
        redis.say("FLUSHALL")
        assert rspamd.symbols(mail) == {}
        site.clock.at += 10
        site.turn()
        assert rspamd.symbols(mail)
        assert [e["event"] for e in events] == ["maps-lost"]
        redis.stop()
        assert rspamd.symbols(mail) == {}, "fails open"
        site.clock.at += 10
        site.turn()
        assert site.events[-1]["event"] == "outlet-failed"
        redis.start()
        site.clock.at += 3
        site.turn()
        assert rspamd.symbols(mail)
    print(f"redis map: listed after {took:.3f} s")
    assert took < 5


@needs("redis-server")
def test_two_guards_keep_one_map_in_redis(redis: RedisServer) -> None:
    """Each takes out only its own; twice is as good as once; what is over goes, whoever put it there."""

    def row(text: str, until: float) -> Listed:
        return Listed(Trait(TraitKind.HOST, text * 40), "y-1", until)

    async def keep() -> list[bytes]:
        one, two = (RedisMaps(Redis(Address(redis.url)), [].append) for _ in range(2))
        await one.put([row("a", NOON + 60), row("b", NOON + 600)], NOON)
        await two.put([row("b", NOON + 600), row("c", NOON + 600)], NOON)
        await two.put([row("b", NOON + 600), row("c", NOON + 600)], NOON)
        await one.put([row("a", NOON + 60)], NOON)
        await two.put([row("b", NOON + 600), row("c", NOON + 600)], NOON + 30)
        await two.expire(NOON + 61)
        (keys,) = await Redis(Address(redis.url)).ask(("HKEYS", "thingwatch:host"))
        return sorted(keys)

    assert asyncio.run(keep()) == [b"b" * 40, b"c" * 40]


def test_traits_are_of_the_decoded_mail() -> None:
    """Encoded words, transfer encodings and the case of a host do not change a trait."""
    plain = wave_mail(1, NOON)
    encoded = plain._replace(
        raw=plain.raw.replace(
            SUBJECT.encode(), b"=?utf-8?Q?IHRE_Rechnung_ist_=C3=BCberf=C3=A4llig?="
        ).replace(HOST.encode(), HOST.upper().encode())
    )
    assert traits_of(read_delivery(plain, ())) == traits_of(read_delivery(encoded, ()))
    assert path_of(Path("/x"), TraitKind.FILE) == Path("/x/thingwatch_file.map")
