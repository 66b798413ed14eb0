"""What is weighed of each source, and what is not heard: every query on small tables, in a real engine."""

from __future__ import annotations

from math import exp
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_tables import DAY, HOME, SENT, World, place

from thingwatch.identify.likelihood import FRESHNESS, TAU_DAYS, UNSEEN
from thingwatch.identify.sources import warnings_of
from thingwatch.identify.weigh import CROWD, ENOUGH_SCANNED, MANY_OLD
from thingwatch.store import Engine

OTHER = "198.51.100.8"


def votes_of(engine: Engine, ip: str = HOME) -> dict[str, int]:
    """The value of each item that was heard of *ip*."""
    return dict(engine.rows("SELECT item, value FROM votes WHERE client_ip = $ip", ip=ip))


def fresh_of(engine: Engine) -> list[float]:
    return [row[0] for row in engine.rows("SELECT fresh FROM weighed ORDER BY place")]


# -- Spans and age.


@pytest.mark.parametrize(
    ("ptr_class", "kind"),
    [("server", "static"), ("generic", "cable"), ("end-user", "dynamic"), ("none", "dynamic")],
)
def test_a_line_keeps_its_household_as_long_as_its_kind_does(
    tmp_path: Path, ptr_class: str, kind: str
) -> None:
    """A named server's address is believed for months, a household's for days."""
    engine, _ = World().source(ptr_class=ptr_class).weighed(tmp_path)
    assert engine.rows("SELECT tau_days FROM spans") == [(TAU_DAYS[kind],)]


@pytest.mark.parametrize(
    ("said", "kind"), [("shared", "shared"), ("mobile", "shared"), ("business", "static")]
)
def test_a_carriers_shared_address_keeps_nobody(tmp_path: Path, said: str, kind: str) -> None:
    """Whatever its name says: where a list calls a line shared or mobile, its households change within the hour."""
    world = World().source(ptr_class="server").says("", None, kind="network.type", said=said)
    engine, _ = world.weighed(tmp_path)
    assert engine.rows("SELECT tau_days FROM spans") == [(TAU_DAYS[kind],)]


def test_a_span_covers_all_campaigns_but_bulk(tmp_path: Path) -> None:
    """A source of two attacks was there from the first mail to the last; its newsletters count for nothing."""
    world = World().source(first=SENT, last=SENT + DAY).source(first=SENT + 5 * DAY, campaign=2)
    world.source(first=SENT - 90 * DAY, campaign=3).source(OTHER, campaign=3)
    world.verdicts = {1: "attack", 2: "unsure", 3: "bulk"}
    engine, weighed = world.weighed(tmp_path)
    assert engine.rows("SELECT client_ip, first_seen, last_seen FROM spans") == [(HOME, SENT, SENT + 5 * DAY)]
    assert set(weighed.members) == {1, 2}


@pytest.mark.parametrize(
    ("at", "days"),
    [
        (SENT, 0.0),
        (SENT - DAY // 2, 0.0),
        (SENT - DAY, 0.0),
        (SENT + 3 * DAY, 0.0),
        (SENT - 11 * DAY, 10.0),
        (SENT + 7 * DAY, 4.0),
        (None, 15.0),
    ],
)
def test_age_is_counted_from_the_mail(tmp_path: Path, at: int | None, days: float) -> None:
    """Nothing is old from a day before the first mail to a day after the last; outside, the chance that it is still
    the same household falls with the days; a row without a time is taken to be half a month old."""
    world = World().source(first=SENT, last=SENT + 2 * DAY).says("front", "thing", at=at)
    engine, _ = world.weighed(tmp_path)
    ((age, fresh),) = engine.rows("SELECT age_days, fresh FROM weighed")
    assert age == pytest.approx(days)
    assert fresh == pytest.approx(exp(-days / TAU_DAYS["dynamic"]), abs=2**-20)


def test_what_does_not_fade_stays_fresh(tmp_path: Path) -> None:
    """A line's kind is as true after a year."""
    engine, _ = World().source().says("network_type", "residential", at=SENT - 365 * DAY).weighed(tmp_path)
    assert fresh_of(engine) == [1.0]


def test_what_surely_speaks_of_others_is_not_heard(tmp_path: Path) -> None:
    """A banner of two months ago on a dynamic line is no vote at all; one of a month ago is a faint one."""
    world = World().source().says("front", "thing", at=SENT - 61 * DAY)
    world.source(OTHER).says("front", "thing", OTHER, at=SENT - 31 * DAY)
    engine, weighed = world.weighed(tmp_path)
    assert votes_of(engine) == {}
    assert votes_of(engine, OTHER) == {"front": 0}
    faint = weighed.fresh["front"][weighed.addresses.index(OTHER)]
    assert FRESHNESS[faint] == pytest.approx(exp(-3), abs=0.05)


# -- Votes.


def test_a_strangers_file_has_one_voice_about_an_address(tmp_path: Path) -> None:
    """A list that claims infection, proxy and banner of one address is heard in the strongest only; of another address,
    where it claims less, in that."""
    world = World().source().source(OTHER)
    world.says("front", "thing").says("proxy", "reported").says("infection", "thing_family")
    world.says("front", "thing", OTHER).says("proxy", "reported", OTHER)
    engine, _ = world.weighed(tmp_path)
    assert votes_of(engine) == {"infection": place("infection", "thing_family")}
    assert votes_of(engine, OTHER) == {"proxy": place("proxy", "reported")}


def test_two_files_are_two_voices(tmp_path: Path) -> None:
    """The same claims by two lists are heard both."""
    world = World().source().says("front", "thing", file=0).says("infection", "thing_family", file=1)
    engine, _ = world.weighed(tmp_path)
    assert set(votes_of(engine)) == {"front", "infection"}


def test_what_we_saw_of_the_connection_takes_no_voice(tmp_path: Path) -> None:
    """SYN and timing stand beside what else their file says."""
    world = World().source().says("tcp_syn", "windows").says("smtp_rtt", "near").says("front", "thing")
    engine, _ = world.weighed(tmp_path)
    assert set(votes_of(engine)) == {"tcp_syn", "smtp_rtt", "front"}


def test_the_freshest_word_counts_then_the_most_lines(tmp_path: Path) -> None:
    """Ten old SYNs of Linux do not outweigh one of the day; of one day the most do."""
    world = World().source().source(OTHER)
    for _ in range(10):
        world.says("tcp_syn", "linux_small", at=SENT - 10 * DAY)
    world.says("tcp_syn", "windows")
    world.says("tcp_syn", "linux_small", OTHER).says("tcp_syn", "windows", OTHER).says(
        "tcp_syn", "windows", OTHER
    )
    engine, weighed = world.weighed(tmp_path)
    assert votes_of(engine) == {"tcp_syn": place("tcp_syn", "windows")}
    assert votes_of(engine, OTHER) == {"tcp_syn": place("tcp_syn", "windows")}
    assert weighed.age_days["tcp_syn"].tolist() == [0.0, 0.0]


def test_a_things_banner_goes_before_a_servers_and_silence(tmp_path: Path) -> None:
    """A forwarded web server beside the router's own page leaves the router seen, however many ports it opens."""
    world = World().source().says("front", "none_seen").says("front", "thing")
    world.says("front", "server").says("front", "server", port=443)
    engine, _ = world.weighed(tmp_path)
    assert votes_of(engine) == {"front": place("front", "thing")}


def test_what_only_answers_is_no_vote(tmp_path: Path) -> None:
    """A text no rule knows is kept for the causes and weighs nothing."""
    engine, weighed = World().source().says("front", None).weighed(tmp_path)
    assert votes_of(engine) == {}
    assert weighed.fronts.tolist() == [2]


def test_every_vote_has_the_line_behind_it(tmp_path: Path) -> None:
    """The proof is a line that says what the vote says: the freshest, with its place and time."""
    world = World().source().says("tcp_syn", "apple", said="another")
    world.says("tcp_syn", "windows", at=SENT - 6 * DAY, said="old")
    world.says("tcp_syn", "windows", said="new").says("tcp_syn", "windows", said="once more")
    engine, _ = world.weighed(tmp_path)
    assert engine.rows("SELECT item, said, seen_at, place, age_days FROM proofs") == [
        ("tcp_syn", "new", SENT, "file0@3", 0.0)
    ]


# -- Neighbours, chosen files, and what is odd about a file.


def test_neighbours_stand_in_the_blocks_of_the_sources(tmp_path: Path) -> None:
    """Only what stands in a source's block of 65,536 is its neighbour, once however often it was seen; the silent count
    as scanned; and IPv6, of which nobody scans a block, has none."""
    world = World().source().source("2001:db8::7")
    world.neighbour("198.51.7.1", "thing", times=3).neighbour("198.51.7.1", "server")
    world.neighbour("198.51.7.2", "none_seen").neighbour("198.51.7.3", None)
    world.neighbour("203.0.113.1", "thing").neighbour("2001:db8::8", "thing")
    engine, weighed = world.weighed(tmp_path, {"198.51.7": 64501})
    assert engine.rows("SELECT client_ip, thing, answered FROM neighbours ORDER BY client_ip") == [
        ("198.51.7.1", 1, 1),
        ("198.51.7.2", 0, 0),
        ("198.51.7.3", 0, 1),
    ]
    assert weighed.neighbours == {64501: (1, 2, 3)}


@pytest.mark.parametrize(("others", "chosen"), [(5, True), (8, False)])
def test_a_file_made_of_the_senders_is_no_sample(tmp_path: Path, others: int, chosen: bool) -> None:
    """A "scan" that names 100 sources and hardly anybody else is told, named, and left out of the comparison."""
    world = World()
    for n in range(100):
        world.source(f"198.51.100.{n + 1}").says("front", "thing", f"198.51.100.{n + 1}", file=3)
    for n in range(others):
        world.neighbour(f"198.51.7.{n + 1}", "thing", file=3)
    engine, weighed = world.weighed(tmp_path)
    assert engine.rows("SELECT file FROM chosen_files") == ([(3,)] if chosen else [])
    assert set(weighed.fronts.tolist()) == ({0} if chosen else {3})
    assert sum(seen for _, _, seen in weighed.neighbours.values()) == (0 if chosen else others)
    assert {w["name"] for w in warnings_of(engine).get(3, [])} == ({"chosen-addresses"} if chosen else set())
    # Whoever made it: what it says of each source is still heard.
    assert engine.number("SELECT count(*) FROM votes WHERE item = 'front'") == 100


def odd(world: World, folder: Path) -> dict[int, dict[str, int]]:
    """The rows of each warning of each file."""
    engine, _ = world.weighed(folder)
    found: dict[int, list[dict[str, Any]]] = warnings_of(engine)
    assert all(str(w["sentence"]).endswith(".") for ws in found.values() for w in ws)
    return {file: {w["name"]: w["rows"] for w in ws} for file, ws in found.items()}


def test_a_crowd_of_lines_is_named(tmp_path: Path) -> None:
    """A file that repeats one kind of claim about an address is named from the stated number on; many SYNs of one
    busy sender are nothing odd."""
    world = World().source()
    for _ in range(CROWD):
        world.says("front", "thing", file=1).says("front", "thing", file=2).says("tcp_syn", "windows", file=3)
    world.says("front", "thing", file=2).says("tcp_syn", "windows", file=3)
    assert odd(world, tmp_path) == {2: {"crowded-address": CROWD + 1}}


def test_three_makers_at_one_port_contradict_each_other(tmp_path: Path) -> None:
    """One port is one device's: three makers there are odd, at three ports they are a household."""
    world = World().source()
    for n, vendor in enumerate(("Acme", "Beta", "Gamma")):
        world.says("front", "thing", file=1, vendor=vendor).says(
            "front", "thing", file=2, vendor=vendor, port=80 + n
        )
    assert odd(world, tmp_path) == {1: {"contradicting-makers": 3}}


def test_a_file_of_another_time_is_named(tmp_path: Path) -> None:
    """Many lines that hardly speak of the same household make a file odd, if they are a fifth of it."""
    world = World().source(ptr_class="server").source(OTHER)
    for n in range(MANY_OLD):
        world.says("front", "thing", OTHER, SENT - 90 * DAY, file=1).says(
            "front", "thing", OTHER, SENT - 90 * DAY, file=2
        )
        for _ in range(5):
            world.says("front", "thing", HOME if n % 2 else OTHER, file=2)
    named = odd(world, tmp_path)
    assert named[1] == {"other-times": MANY_OLD}
    assert "other-times" not in named.get(2, {})


# -- Columns.


def test_a_case_holds_its_campaigns_sources_largest_first(tmp_path: Path) -> None:
    """Each campaign sees its own sources with its own counts, and the same votes."""
    world = World().source(messages=2).source(OTHER, messages=9)
    world.source(HOME, messages=4, campaign=2)
    world.verdicts = {1: "attack", 2: "unsure"}
    world.says("tcp_syn", "windows")
    _, weighed = world.weighed(tmp_path)
    case = weighed.of(1)
    assert case.addresses == [OTHER, HOME]
    assert case.votes.messages.tolist() == [9, 2]
    assert case.votes.values["tcp_syn"].tolist() == [UNSEEN, place("tcp_syn", "windows")]
    assert weighed.of(2).votes.messages.tolist() == [4]


def test_names_speak_where_the_border_noted_any(tmp_path: Path) -> None:
    """HELO and PTR are votes by their class; where no source has a name, the border asked for none and nobody is
    nameless."""
    world = World().source(helo_class="address-literal", ptr_class="none")
    world.source(OTHER, helo_class="matches-ptr", ptr_class="server", ptr="mail.firm.example")
    _, weighed = world.weighed(tmp_path)
    assert weighed.values["helo"].tolist() == [place("helo", "bare"), place("helo", "confirmed")]
    assert weighed.values["rdns"].tolist() == [place("rdns", "none"), place("rdns", "named")]
    _, unnamed = World().source(ptr_class="none").weighed(tmp_path)
    assert unnamed.values["rdns"].tolist() == [UNSEEN]


def test_the_borders_own_word_for_the_system_is_a_vote(tmp_path: Path) -> None:
    """What the border wrote into most of a source's mails counts; words that say nothing do not."""
    world = World().source().source(OTHER)
    world.systems = [
        (HOME, "Windows 7 or 8", "", 3),
        (HOME, "Linux 3.11 and newer", "", 2),
        (HOME, "???", "", 9),
        (OTHER, "", "windows", 4),
        ("203.0.113.9", "Windows XP", "", 1),
    ]
    _, weighed = world.weighed(tmp_path)
    assert weighed.values["tcp_syn"].tolist() == [place("tcp_syn", "windows"), UNSEEN]
    assert weighed.claims == ["", "windows"]


def test_who_watched_and_saw_one_system_saw_one(tmp_path: Path) -> None:
    """Where somebody noted shared addresses, a source seen without that note had one system; others stay unseen."""
    world = World().source().source(OTHER).source("198.51.100.9")
    world.says("ip_sharing", "several").says("tcp_syn", "windows", OTHER)
    _, weighed = world.weighed(tmp_path)
    several, one = place("ip_sharing", "several"), place("ip_sharing", "one")
    assert weighed.values["ip_sharing"].tolist() == [several, one, UNSEEN]
    _, nobody = World().source(OTHER).says("tcp_syn", "windows", OTHER).weighed(tmp_path)
    assert nobody.values["ip_sharing"].tolist() == [UNSEEN]


@pytest.mark.parametrize(("others", "heard"), [("other", True), ("windows", False)])
def test_a_claim_tells_only_where_claims_differ(tmp_path: Path, others: str, heard: bool) -> None:
    """Windows claimed over another system's SYN is a mismatch; where all of a campaign claim it, the template does."""
    world = World()
    for n in range(8):
        ip = f"198.51.100.{n + 1}"
        world.source(ip).says("tcp_syn", "windows" if n % 2 else "linux_small", ip)
        world.systems.append((ip, "", "windows" if n < 4 else others, 1))
    _, weighed = world.weighed(tmp_path)
    fit, mismatch = place("dialect_and_stack", "fit"), place("dialect_and_stack", "mismatch")
    said = weighed.of(1).votes.values["dialect_and_stack"].tolist()
    assert said == ([mismatch, fit, mismatch, fit, *[UNSEEN] * 4] if heard else [UNSEEN] * 8)


def test_where_the_silent_are_named_seen_means_scanned(tmp_path: Path) -> None:
    """Scans that name the silent compare all they looked at; lists of the found compare those that answered."""

    def compared(silent: str | None) -> tuple[Any, Any]:
        world = World().source().says("front", "thing").source(OTHER).says("front", silent, OTHER)
        world.neighbour("198.51.7.1", "thing").neighbour("198.51.7.2", silent).neighbour("198.51.7.3", silent)
        _, weighed = world.weighed(tmp_path)
        found = weighed.comparison(weighed.of(1))
        return (
            (found.cases, found.controls) if found.silent_named is (silent == "none_seen") else (None, None)
        )

    assert compared("none_seen") == ({64500: (1, 2)}, {64500: (1, 3)})
    assert compared(None) == ({64500: (1, 2)}, {64500: (1, 3)})
    world = World().source().says("front", "thing").neighbour("198.51.7.1", "thing")
    _, weighed = world.source(OTHER).weighed(tmp_path)
    assert weighed.comparison(weighed.of(1)).cases == {64500: (1, 1)}


def test_networks_are_sorted_by_what_their_homes_show(tmp_path: Path) -> None:
    """Each network's sources are judged before its own neighbours' exposure; without the silent there is no share, and
    no background."""

    def homes(second: str) -> Any:
        world = (
            World()
            .source("198.51.1.1", asn=64501)
            .source("198.51.2.1", asn=64502)
            .source("198.51.3.1", asn=64503)
        )
        for n in range(ENOUGH_SCANNED + 40):
            octet = n % 120
            world.neighbour(f"198.51.1{n // 120}.{octet}", "thing" if n % 10 == 0 else second)
            world.neighbour(f"198.51.2{n // 120}.{octet}", "thing" if n % 2 == 0 else second)
        operators = {"198.51.10": 64501, "198.51.11": 64501, "198.51.20": 64502, "198.51.21": 64502}
        return world.weighed(tmp_path, operators)[1]

    weighed = homes("none_seen")
    assert weighed.backgrounds == ((144, 480), (24, 240), (120, 240))
    assert weighed.home.tolist() == [1, 2, 0]
    blind = homes("server")
    assert blind.backgrounds == ((0, 0),)
    assert not blind.home.any()


def test_without_evidence_there_are_only_names(tmp_path: Path) -> None:
    """No file at all, and no source at all, are weighed without a word."""
    engine, weighed = World().source().weighed(tmp_path)
    assert engine.number("SELECT count(*) FROM votes") == 0
    assert all((column == UNSEEN).all() for name, column in weighed.values.items() if name != "helo")
    _, nobody = World().weighed(tmp_path)
    assert nobody.addresses == []
    assert nobody.members == {}
    assert np.asarray(nobody.home).shape == (0,)
