"""What ordinary defences would have stopped, counted by hand on a mailbox small enough to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stories.cast import ENGINE, HOUR, PEOPLE, Letter, Line, Post, at, gossip

from thingwatch.config import Settings
from thingwatch.identify import Networks
from thingwatch.model import wilson
from thingwatch.profile.defences import share
from thingwatch.uncover import uncover

Z90 = 1.6448536269514722


@pytest.mark.parametrize(
    ("numerator", "denominator", "low", "high"),
    [
        # At none of ten the bound is z²/(n+z²), at half of them 1/2 ± z/(2√(n+z²)).
        (0, 10, 0.0, 0.212942),
        (10, 10, 0.787058, 1.0),
        (5, 10, 0.269272, 0.730728),
    ],
)
def test_wilson_known_values(numerator: int, denominator: int, low: float, high: float) -> None:
    """The interval is Wilson's at 90 %."""
    assert wilson(numerator, denominator) == (pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6))


COUNTS = st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS)
def test_wilson_solves_its_equation(counts: tuple[int, int]) -> None:
    """Each bound p lies z standard errors of p from the share (Wilson 1927), within 0 and 1, and around it."""
    found, n = counts[0] / counts[1], counts[1]
    low, high = wilson(*counts)
    assert 0.0 <= low <= found + 1e-12
    assert found - 1e-12 <= high <= 1.0
    for p in (low, high):
        assert (found - p) ** 2 == pytest.approx(Z90**2 * p * (1 - p) / n, rel=1e-6, abs=1e-12)


def test_nothing_counted_says_nothing() -> None:
    """Without a denominator any share is possible."""
    assert wilson(0, 0) == (0.0, 1.0)


def test_share_says_what_of() -> None:
    """A share carries numerator, denominator, unit, unknowns and where it comes from."""
    found = share(3, 12, "messages", "counted", unknown=2)
    assert (found["numerator"], found["denominator"], found["unit"], found["unknown"]) == (
        3,
        12,
        "messages",
        2,
    )
    assert found["low"] < 0.25 < found["high"]
    assert found["basis"] == "counted"


# Where the mail of the hand-counted campaign comes from. a, b and the innocent x share a /24; d, e, f another.
PLACES = {"a": "198.18.1.10", "b": "198.18.1.20", "x": "198.18.1.30", "c": "198.18.2.10"} | {
    source: f"198.18.3.{number}" for number, source in enumerate("def", 10)
}
START = at("2014-01-02 08:00")
LURE = Letter(
    "Your parcel waits at the depot",
    "Your parcel could not be handed over because nobody was at the door of the address given; print the label and"
    " bring it to the nearest depot within two days, or storage is charged.\n\nhttp://depot.example/label.php",
    "Parcel Post of Invention",
    "service@depot.example",
)


@pytest.fixture(scope="module")
def defences(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The counterfactual of 20 mails: a sends 12 within an hour, b sends 4, c to f one each.

    In the same hour a sends three other mails; an hour later x sends five. Besides there are 60 strangers' mails,
    none of an address that sends more than two an hour. Of 88 mails 20 are the campaign.
    """
    post = Post("counted by hand")
    lines = {
        source: Line(ip, f"dsl-{ip.replace('.', '-')}.pool.isp.example", "pc")
        for source, ip in PLACES.items()
    }
    for number, source in enumerate(["a"] * 12 + ["b"] * 4 + list("cdef")):
        post.send("lure", START + number, lines[source], ENGINE, LURE)
    for number, source in enumerate("aaaxxxxx"):
        hour = 0 if source == "a" else HOUR
        letter = Letter(
            gossip(post.dice, 3), gossip(post.dice, 40), "someone", f"someone{number}@firm.example"
        )
        post.send("other", START + hour + 60 + number, lines[source], PEOPLE[number], letter)
    post.everyday(60, START - 30 * 24 * HOUR, 25)
    folder = tmp_path_factory.mktemp("counted")
    (folder / "mail.mbox").write_bytes(post.mbox()[0])
    report = uncover(
        [folder / "mail.mbox"],
        folder / "case",
        Settings().changed(workers=1),
        Networks.load(Path(folder)),
        ["198.18.1.20", "198.18.2.0/24", "198.18.1.30"],
    ).report
    (campaign,) = [c for c in report["campaigns"] if c["messages"] == 20]
    return {row["name"].partition(" after")[0]: row for row in campaign["counterfactual"]}


@pytest.mark.parametrize(
    ("name", "stopped", "collateral"),
    [
        ("per-address limit, 100 an hour", 0, 0),
        # a: 15 mails in the hour, 5 beyond ten, of which 12 parts in 15 are the campaign's: 4.
        ("per-address limit, 10 an hour", 4, 1),
        # a: 12 beyond three, 9.6 of them the campaign's; b: 1 beyond: 10.6 together. Other: 2.4 of a, 2 of x.
        ("per-address limit, 3 an hour", 11, 4),
        # The first net after its first mail: 15 of 16; c alone: 0; the third: 2 of 3. Other: 3 of a, 5 of x.
        ("block the /24 (or /64)", 17, 8),
        ("refuse equal texts", 19, None),
        ("the blocklist you gave", 5, None),
    ],
)
def test_counted_by_hand(
    defences: dict[str, dict[str, Any]], name: str, stopped: int, collateral: int | None
) -> None:
    """Every defence stops what a pencil says it stops, and costs what a pencil says it costs."""
    row = defences[name]
    assert (row["share"]["numerator"], row["share"]["denominator"]) == (stopped, 20)
    assert (row["collateral"] and row["collateral"]["numerator"]) == collateral
    assert row["collateral"] is None or row["collateral"]["denominator"] == 68


def test_unknown_networks_stop_nothing(defences: dict[str, dict[str, Any]]) -> None:
    """Without a table of networks, blocking by network is counted as stopping nothing, never guessed."""
    row = defences["block the network (ASN)"]
    assert row["share"]["numerator"] == row["collateral"]["numerator"] == 0
