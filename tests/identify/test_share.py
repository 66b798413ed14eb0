"""The share of things as it may be printed: the three estimators, the tempting reading, and what each may claim."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from small_tables import assessed_by_hand, place

from thingwatch.identify.likelihood import ORIGINS, UNSEEN, items
from thingwatch.identify.share import RUNGS, Assessment, assess, case_control, not_assessed, worth
from thingwatch.identify.weigh import Comparison

WINDOWS = place("tcp_syn", "windows")
SMALL = place("tcp_syn", "linux_small")


def assessed(count: int, seed: int = 1, **given: Any) -> Assessment:
    weighed, case = assessed_by_hand(count, **given)
    return assess(weighed, case, seed)


def first(count: int, of: int, value: int, rest: int = UNSEEN) -> NDArray[np.int8]:
    """A column whose first *count* of *of* rows hold *value*."""
    return np.where(np.arange(of) < count, value, rest).astype(np.int8)


# -- What may be printed.


@pytest.mark.parametrize(
    ("value", "seen", "status"),
    [
        (SMALL, 30, "estimated"),
        (SMALL, 29, "bounds only"),
        (WINDOWS, 100, "at most"),
        (WINDOWS, 30, "at most"),
        (WINDOWS, 29, "bounds only"),
    ],
)
def test_a_point_needs_evidence_about_the_sender(value: int, seen: int, status: str) -> None:
    """From 30 % of the messages on a share is estimated, or said to be at most so much; below are bounds alone."""
    found = assessed(100, tcp_syn=first(seen, 100, value), front=2)
    document = found.document
    assert document["status"] == status
    share = document["share_of_messages"]
    assert (share["point"] is not None) == (status == "estimated")
    assert share["low"] <= share["high"]
    if status == "at most":
        assert share["low"] == 0
        assert 0 < share["high"] < 1
    if status == "bounds only":
        assert (share["low"], share["high"]) == (document["bounds"]["low"], document["bounds"]["high"])
        assert document["ablation"] == []
        assert all(row["estimate"] is None for row in document["origins"])


def test_the_border_is_one_of_messages() -> None:
    """One source seen that sent half of the mail is enough; half of the sources that sent little are not."""
    sent = np.array([100, *[1] * 99], np.int64)
    assert assessed(100, messages=sent, tcp_syn=first(1, 100, SMALL)).document["status"] != "bounds only"
    few = np.where(np.arange(100) < 50, 1, 9).astype(np.int64)
    assert assessed(100, messages=few, tcp_syn=first(50, 100, SMALL)).document["status"] == "bounds only"


@pytest.mark.parametrize("item", ["front", "proxy", "infection", "outcome"])
def test_what_is_behind_an_address_gives_bounds_only(item: str) -> None:
    """Without the connections seen, banners, proxies, infections and outcomes of all sources print no point."""
    document = assessed(60, **{item: 0}).document
    assert document["status"] == "bounds only"
    assert document["share_of_messages"]["point"] is None


def test_headers_alone_tell_nothing() -> None:
    """Names, HELO and the kind of line leave bounds from nought to all, no chances, and no origin."""
    found = assessed(60, helo=0, rdns=0, network_type=0)
    assert found.document["status"] == "cannot tell"
    assert found.document["bounds"] == {"low": 0.0, "high": 1.0}
    assert found.document["share_of_messages"]["point"] is None
    assert found.p is None
    assert set(found.origins) == {"unknown"}


def test_no_banner_makes_a_sender() -> None:
    """Every address shows a thing; whose connection nobody saw has no origin and gets no chances."""
    found = assessed(100, front=0, tcp_syn=first(20, 100, WINDOWS))
    assert found.document["status"] == "bounds only"
    assert set(found.origins[20:]) == {"unknown"}
    assert found.p is not None
    assert np.isnan(found.p[20:]).all()
    assert not np.isnan(found.p[:20]).any()


def test_bounds_are_counted_and_hold_the_interval() -> None:
    """At least what was identified as things, at most that and all that was not identified, in messages; and no
    narrower than the interval, because one in five of the identified may be something else."""
    sent = np.array([4] * 40 + [2] * 40 + [1] * 20, np.int64)
    syn = np.r_[np.full(40, SMALL), np.full(40, WINDOWS), np.full(20, UNSEEN)].astype(np.int8)
    document = assessed(100, messages=sent, tcp_syn=syn, infection=first(40, 100, 0)).document
    counts = document["counts"]
    assert (counts["identified_things"], counts["identified_others"], counts["unidentified"]) == (160, 80, 20)
    share = document["share_of_messages"]
    assert document["bounds"] == {"low": min(160 / 260, share["low"]), "high": max(180 / 260, share["high"])}
    assert counts["sources_identified"] == 80
    assert document["share_of_messages"]["low"] <= document["bounds"]["high"]
    assert document["share_of_messages"]["high"] >= document["bounds"]["low"]


def test_an_origin_is_named_where_it_is_sure() -> None:
    """Whose chance to be a thing, or to be one of the others, reaches 80 % has an origin, the likelier; nobody else."""
    dice = np.random.default_rng(3)
    names = ("tcp_syn", "smtp_rtt", "front", "helo", "rdns", "proxy")
    most = {name: len(items()[name].values) for name in names}
    found = assessed(300, **{name: dice.integers(-1, most[name], 300).astype(np.int8) for name in names})
    assert found.p is not None
    doubtful = 0
    for origin, p in zip(found.origins, found.p, strict=True):
        thing = float(p[:2].sum())
        doubtful += 0.2 < thing < 0.8
        if origin in ORIGINS[:2]:
            assert thing >= 0.8
            assert p[ORIGINS.index(origin)] == p[:2].max()
        elif origin != "unknown":
            assert p[ORIGINS.index(origin)] == p.max() >= 0.8
    assert doubtful > 20
    assert set(found.origins) > {"unknown", "thing_relay", "nat_pc"}


def test_origins_add_up() -> None:
    """Each message has one origin or none, and the estimates of all origins make a whole."""
    syn = np.r_[np.full(100, SMALL), np.full(150, WINDOWS), np.full(50, UNSEEN)].astype(np.int8)
    found = assessed(300, tcp_syn=syn, front=np.arange(300) % 3, smtp_rtt=np.arange(300) % 2)
    rows = found.document["origins"]
    assert [row["origin"] for row in rows] == [*ORIGINS, "unknown"]
    assert sum(row["messages"] for row in rows) == sum(row["sources"] for row in rows) == 300
    assert rows[-1]["estimate"] is None
    assert sum(row["estimate"]["point"] for row in rows[:-1]) == pytest.approx(1, abs=0.05)
    things = sum(row["estimate"]["point"] for row in rows[:2])
    assert things == pytest.approx(found.document["share_of_messages"]["point"], abs=0.02)


def test_relays_are_not_told_from_senders_by_nothing() -> None:
    """Without timing, proxy reports or an abuse desk's word things have one origin, and neither story an estimate."""
    found = assessed(200, tcp_syn=first(100, 200, SMALL, WINDOWS))
    assert set(found.origins) == {"thing_self", "nat_pc"}
    assert [row["estimate"] is None for row in found.document["origins"]] == [
        True,
        True,
        False,
        False,
        False,
        True,
    ]


def test_not_assessed_says_nothing() -> None:
    """The document of a campaign nobody asked about has the same fields, and not one figure in them."""
    document = not_assessed(7, 3)
    assert set(assessed(60, tcp_syn=SMALL).document) <= set(document)
    assert document["share_of_messages"]["point"] is None
    assert document["bounds"] == {"low": 0.0, "high": 1.0}
    assert document["counts"]["unidentified"] == document["counts"]["messages"] == 7


# -- Case-control.


def test_the_excess_over_neighbours_by_hand() -> None:
    """30 of 100 scanned sources and 10 of 200 scanned neighbours show a thing: an excess of 26.3 %, within 8.2."""
    found = case_control(Comparison({64500: (30, 100)}, {64500: (10, 200)}, True), 400)
    assert found is not None
    # p0 = (10 + 5 * 10.5 / 201) / 205; (0.3 - p0) / (1 - p0); 1.6449 * sqrt(0.002327 + 0.000143).
    assert found["expected"] == 0.0501
    assert (found["low"], found["point"], found["high"]) == pytest.approx((0.1814, 0.2631, 0.3449), abs=2e-4)
    assert found["cases"] == {"things": 30, "seen": 100}
    assert found["controls"] == {"things": 10, "seen": 200}
    assert (found["networks"], found["seen_means"]) == (1, "scanned")


def test_of_those_that_answered_a_share_of_all_is_made() -> None:
    """Where lists name only those found, the excess among a quarter that answered is a quarter as large for all."""
    found = case_control(Comparison({64500: (30, 100)}, {64500: (10, 200)}, False), 400)
    assert found is not None
    assert (found["low"], found["point"], found["high"]) == pytest.approx((0.0454, 0.0658, 0.0862), abs=2e-4)
    assert found["seen_means"] == "answered"


def test_each_network_is_compared_with_its_own_neighbours() -> None:
    """A campaign that stands in exposed networks shows no more than they do; pooled, it would look like an excess."""
    cases = {64501: (160, 400), 64502: (1, 20)}
    controls = {64501: (400, 1000), 64502: (450, 9000)}
    found = case_control(Comparison(cases, controls, True), 420)
    assert found is not None
    assert found["low"] == 0
    assert found["point"] < 0.02
    assert found["networks"] == 2


def test_a_network_without_neighbours_takes_no_part() -> None:
    """Sources in networks nobody scanned are not compared with those of other networks."""
    alone = case_control(Comparison({1: (30, 100)}, {1: (10, 200)}, True), 200)
    beside = case_control(Comparison({1: (30, 100), 2: (90, 90)}, {1: (10, 200), 2: (0, 0)}, True), 200)
    assert alone == beside


@pytest.mark.parametrize(("mine", "theirs"), [(29, 500), (500, 29), (0, 0)])
def test_too_few_are_not_compared(mine: int, theirs: int) -> None:
    """Below 30 addresses on either side there is no comparison."""
    assert case_control(Comparison({1: (0, mine)}, {1: (0, theirs)}, True), 1000) is None
    assert case_control(Comparison({}, {}, False), 0) is None


def test_all_or_none_stay_shares() -> None:
    """Where every address shows a thing, or none does, or only the neighbours do, the figures stay between 0 and 1."""
    for mine, theirs in [(100, 100), (100, 0), (0, 100), (0, 0)]:
        found = case_control(Comparison({1: (mine, 100)}, {1: (theirs, 100)}, True), 100)
        assert found is not None
        assert 0 <= found["low"] <= found["point"] <= found["high"] <= 1


def compared(share: float, silent_named: bool, dice: np.random.Generator) -> tuple[float, float]:
    """The lower end of one comparison, and the truth: 1,200 sources in 25 networks of very different exposure."""
    exposed = dice.beta(1.2, 14, 25)
    serving = dice.beta(1.2, 20, 25)
    network = dice.choice(25, 1200, p=dice.dirichlet(np.full(25, 0.7)))
    thing = dice.random(1200) < share
    shows = np.where(thing, 0.55, exposed[network])
    drawn = dice.random(1200)
    banner, other = drawn < shows, (drawn >= shows) & (drawn < shows + serving[network])
    seen = np.ones(1200, bool) if silent_named else banner | other
    cases = {n: (int(banner[network == n].sum()), int(seen[network == n].sum())) for n in range(25)}
    scanned = 400
    theirs = dice.binomial(scanned, exposed)
    answered = theirs + dice.binomial(scanned - theirs, serving / (1 - exposed))
    seen_there = np.full(25, scanned) if silent_named else answered
    controls = {n: (int(theirs[n]), int(seen_there[n])) for n in range(25)}
    found = case_control(Comparison(cases, controls, silent_named), 1200)
    assert found is not None
    return found["low"], float(thing.mean())


@pytest.mark.parametrize("silent_named", [True, False], ids=["scanned", "answered"])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.2, 0.5, 0.7])
def test_the_excess_is_a_safe_lower_bound(share: float, silent_named: bool) -> None:
    """Over 150 campaigns of each share, in networks whose homes show a thing in 1 to 30 %, the lower end lies above the
    truth in at most a tenth; and where every other source is a thing it is well above nothing."""
    dice = np.random.default_rng(int(share * 100) + 1000 * silent_named)
    drawn = [compared(share, silent_named, dice) for _ in range(150)]
    assert np.mean([low <= truth for low, truth in drawn]) >= 0.9
    if share >= 0.5:
        assert np.mean([low for low, _ in drawn]) > share / 4


def test_background_is_the_neighbours_share() -> None:
    """12 of 120 neighbours in the campaign's networks: 10 %, Wilson's interval around it, and networks without sources
    or without the silent take no part."""
    neighbours = {64500: (12, 30, 120), 64999: (50, 60, 90), 64501: (5, 5, 5)}
    weighed, case = assessed_by_hand(60, neighbours=neighbours, tcp_syn=SMALL)
    background = assess(weighed, case, 1).document["background"]
    assert background == {"low": 0.0634, "point": 0.1, "high": 0.1542, "addresses": 120}
    weighed, case = assessed_by_hand(60, neighbours={64500: (5, 5, 5)}, tcp_syn=SMALL)
    assert assess(weighed, case, 1).document["background"] is None
    # One silent line among many answers is no scan that names the silent.
    weighed, case = assessed_by_hand(60, neighbours={64500: (20, 60, 61)}, tcp_syn=SMALL)
    assert assess(weighed, case, 1).document["background"] is None


# -- The tempting reading, the ladder, and what a family of evidence is worth.


def test_the_naive_reading_and_its_refutation() -> None:
    """By banner: the messages of addresses with a thing's page, of those with any page named; beside it, how many of
    those addresses opened their connections as Windows does."""
    front = np.r_[np.full(40, 0), np.full(10, 1), np.full(20, 2), np.full(30, UNSEEN)].astype(np.int8)
    sent = np.where(np.arange(100) < 40, 3, 1).astype(np.int64)
    syn = np.r_[np.full(30, WINDOWS), np.full(5, SMALL), np.full(65, UNSEEN)].astype(np.int8)
    document = assessed(100, messages=sent, front=front, tcp_syn=syn).document
    assert document["naive_by_banner"] == round(120 / 130, 4)
    assert document["naive"] == {
        "messages_things": 120, "messages_named": 130, "sources_things": 40, "sources_named": 50,
        "both_known": 35, "both_windows": 30,
    }  # fmt: skip
    nobody = assessed(60, front=2, tcp_syn=WINDOWS).document
    assert nobody["naive"] is None
    assert nobody["naive_by_banner"] is None


@pytest.mark.parametrize(
    ("values", "rung"),
    [
        ({}, "address only"),
        ({"helo": 0}, "address only"),
        ({"rdns": 0}, "kind of line known"),
        ({"network_type": 0}, "kind of line known"),
        ({"rdns": 0, "front": 2}, "front seen"),
        ({"smtp_rtt": 0}, "address only"),  # as common with a thing as with a PC
        ({"smtp_rtt": 1}, "sender seen"),
        ({"tcp_syn": WINDOWS}, "sender seen"),
        ({"tcp_syn": WINDOWS, "front": 0}, "sender seen"),
        ({"tcp_syn": WINDOWS, "smtp_rtt": 0}, "sender seen twice"),
        ({"tcp_syn": WINDOWS, "dialect_and_stack": 0, "front": 0}, "sender seen twice"),
        ({"tcp_syn": SMALL, "front": 0}, "sender and front agree"),
        ({"tcp_syn": WINDOWS, "front": 1}, "sender and front agree"),
        ({"tcp_syn": SMALL, "front": 1}, "sender seen"),
        ({"infection": 0}, "confirmed"),
        ({"tcp_syn": SMALL, "front": 0, "outcome": 0}, "confirmed"),
    ],
)
def test_each_rung_of_the_ladder(values: dict[str, int], rung: str) -> None:
    """A source stands on the rung of the best evidence held about it; a page that contradicts the SYN is not more."""
    rows = assessed(60, **values).document["ladder"]
    assert [row["rung"] for row in rows] == list(RUNGS)
    assert {row["rung"]: row["sources"] for row in rows if row["sources"]} == {rung: 60}


def test_every_source_stands_on_one_rung() -> None:
    """With evidence thrown about at random, the rungs hold every source and message once, and shares stand where the
    sender was seen."""
    dice = np.random.default_rng(7)
    columns = {
        name: np.where(dice.random(400) < 0.5, dice.integers(0, 2, 400), UNSEEN).astype(np.int8)
        for name in (
            "tcp_syn",
            "smtp_rtt",
            "eui64",
            "dialect_and_stack",
            "front",
            "rdns",
            "network_type",
            "infection",
        )
    }
    sent = dice.integers(1, 9, 400)
    rows = assessed(400, messages=sent, **columns).document["ladder"]
    assert sum(row["sources"] for row in rows) == 400
    assert sum(row["messages"] for row in rows) == sent.sum()
    assert all(row["share"]["low"] is None for row in rows[:3])
    for row in rows[3:]:
        assert 0 <= row["share"]["low"] <= row["share"]["point"] <= row["share"]["high"] <= 1


def test_a_finding_that_rests_on_banners_says_so() -> None:
    """Where the SYN of few is known and banners carry the rest, leaving them out moves the share, and it is said; where
    every SYN is known it is not."""
    front = first(100, 200, 0, 2)
    few = np.r_[np.full(20, SMALL), np.full(130, UNSEEN), np.full(50, WINDOWS)].astype(np.int8)
    blind = assessed(200, front=front, smtp_rtt=0, tcp_syn=few).document
    assert blind["status"] in ("estimated", "at most")
    assert blind["rests_on_banners"]
    plain = assessed(200, front=front, tcp_syn=first(100, 200, SMALL, WINDOWS)).document
    assert not plain["rests_on_banners"]
    assert {row["family"] for row in plain["ablation"]} == {"transport", "banner"}
    assert all(0 <= row["low"] <= row["point"] <= row["high"] <= 1 for row in plain["ablation"])


def test_few_sources_are_not_taken_apart() -> None:
    """Below 50 sources leaving out a family says nothing, and nothing is said."""
    assert assessed(49, tcp_syn=SMALL, front=0, infection=0).document["ablation"] == []
    assert assessed(50, tcp_syn=SMALL, front=0, infection=0).document["ablation"]


def test_what_a_vote_is_worth() -> None:
    """Small Linux speaks for a thing and Windows against, in bits within the cap; without an estimate nothing does."""
    weighed, case = assessed_by_hand(200, tcp_syn=first(60, 200, SMALL, WINDOWS), front=0)
    told = worth(case, assess(weighed, case, 1).found)
    assert set(told) == {"tcp_syn", "front"}
    bits = told["tcp_syn"][0]
    assert (bits[:60] > 2).all()
    assert (bits[60:] < -2).all()
    assert np.abs(bits).max() <= np.log2(50) + 1e-9
    assert not worth(case, None)["tcp_syn"][0].any()


def test_equal_seeds_give_equal_documents() -> None:
    """The same votes and seed print the same figures."""
    given: dict[str, Any] = {"tcp_syn": first(60, 200, SMALL, WINDOWS), "front": 0}
    assert assessed(200, 3, **given).document == assessed(200, 3, **given).document


@pytest.mark.parametrize("count", [1, 2])
def test_hardly_anybody(count: int) -> None:
    """A campaign of one source or two is assessed without an error, widely, and compared with nobody."""
    document = assessed(count, tcp_syn=SMALL).document
    share = document["share_of_messages"]
    assert share["high"] - share["low"] > 0.3
    assert document["case_control"] is None
