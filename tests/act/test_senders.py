"""Who sent it: readings side by side, not knowing drawn as such, and advice that fits the culprit."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import things as sent
from reports import campaign

import thingwatch
from thingwatch.act import glossary, senders

PACKAGE = Path(thingwatch.__file__).parent


def things(status: str) -> dict[str, Any]:
    """Return the senders' document of *status*."""
    return sent.STATUS[status](750_000, 102_000)


def test_readings_stand_together() -> None:
    """The best estimate comes first, the bounds and the lower bound beside it, the wrong reading last."""
    rows = senders.readings(things("estimated"))
    assert [(row.value, row.verdict) for row in rows] == [
        ("27 % [24, 31]", ""),
        ("17 to 61 %", ""),
        ("≥ 19 % [16, 22]", ""),
        ("53 %", "wrong"),
    ]


def test_units_are_said() -> None:
    """What is counted in addresses says so, for all other rows are messages."""
    rows = senders.readings(things("estimated"))
    assert rows[2].remark == "of addresses: 23,400 sources, 43,160 neighbours"
    assert rows[3].remark.startswith("of 397,500 messages")


@pytest.mark.parametrize(
    ("status", "value", "dots"),
    [("estimated", "27 % [24, 31]", 1), ("at most", "at most 2 %", 0), ("bounds only", "no estimate", 0),
     ("cannot tell", "cannot tell", 0)],
)  # fmt: skip
def test_dot_only_where_there_is_a_point(status: str, value: str, dots: int) -> None:
    """The best estimate has a dot only when estimated; where nothing is known it is hatched."""
    best = senders.readings(things(status))[0]
    assert best.value == value
    assert str(best.drawn).count("<circle") == dots
    assert ('class="hat"' in str(best.drawn)) == (status in ("bounds only", "cannot tell"))


def test_neighbours_are_one_sided() -> None:
    """The lower bound is an open dot; where neighbours show as much, nothing is claimed."""
    assert 'class="open' in str(senders.readings(things("estimated"))[2].drawn)
    assert senders.readings(things("at most"))[2].value == "none shown [0, 1]"


def test_banner_reading_is_struck_out_fairly() -> None:
    """A reading by banner that happens to lie within what is possible is called unsafe, not wrong."""
    known = things("estimated")
    assert senders.banner_verdict(known) == "wrong"
    assert senders.banner_verdict(known | {"naive_by_banner": 0.28}) == "unsafe"
    assert senders.banner_verdict(things("bounds only")) == "unsafe"
    assert senders.banner_verdict(things("bounds only") | {"naive_by_banner": 0.9}) == "wrong"


def test_claims_name_what_they_rest_on() -> None:
    """Resting on banners, and estimators that disagree, are said on the first screen."""
    said = " ".join(
        f"{claim} {words}" for claim, words in senders.claims(sent.banners_only(750_000, 102_000))
    )
    assert "It rests on banners" in said
    assert "Two estimators disagree" in said
    assert "evidence about the sender for 58 % of the messages" in said
    calm = " ".join(claim for claim, _ in senders.claims(things("estimated")))
    assert "rests" not in calm
    assert "disagree" not in calm


@pytest.mark.parametrize(
    ("status", "syn", "scans"),
    [("estimated", False, False), ("at most", False, False), ("bounds only", True, False),
     ("cannot tell", True, True), ("not assessed", True, True)],
)  # fmt: skip
def test_asks_for_the_log_that_is_missing(status: str, syn: bool, scans: bool) -> None:
    """Where the share cannot be told, the page says which log to collect; where it can, it does not."""
    said = " ".join(senders.asks(campaign(things=sent.STATUS[status])))
    assert ("TCP SYN" in said) == syn
    assert ("scan reports" in said) == scans


def test_bulk_is_not_asked_about() -> None:
    """Nobody is told to log more about a newsletter."""
    assert senders.asks(campaign(1, "bulk")) == []


def test_whom_to_tell() -> None:
    """Owners of things and of PCs are told different things, and only where some were found."""
    both = senders.notices(campaign(things=sent.estimated))
    assert len(both) == 2
    assert "judged to be things" in both[0]
    assert "10 of the 12 largest networks have some" in both[0]
    assert "The router is not to blame" in both[1]
    assert len(senders.notices(campaign(things=sent.at_most))) == 1
    assert senders.notices(campaign(things=sent.cannot_tell)) == []


def test_ablation_axis_holds_all() -> None:
    """Every interval fits the axis, and the sentence names what matters most."""
    found = senders.ablation(things("estimated"))
    assert (found.top, found.labels) == (0.6, ("0", "30", "60 %"))
    assert all(row.share["high"] <= found.top for row in found.rows)
    assert found.sentence == "Leaving out SYN moves it most, to 33 %."
    assert "rests on banners" in senders.ablation(sent.banners_only(750_000, 102_000)).sentence
    assert senders.ablation(things("not assessed")).rows == []
    assert senders.ablation(things("at most")).top == 0.2


def test_examples_share_one_scale() -> None:
    """Each waterfall ends at its sum, and one axis around nought holds every step of all of them."""
    found = senders.examples(things("estimated"))
    assert (found.low, found.high) == (-8, 8)
    assert found.shown[1].right.words == "Thing itself"
    assert found.shown[1].left.words == "PC behind a router"
    for one in found.shown:
        last = one.pieces[-1]
        assert last.start + last.evidence["bits"] == pytest.approx(one.source["sum_bits"])
    assert found.shown[0].likely == "thing itself 96.4 %, thing as relay 2.0 %, PC behind a router 1.1 %"


def test_computers_have_cures_of_their_own() -> None:
    """The advice for a PC behind the router never stands among that for things."""
    known = things("estimated")
    assert [row["name"] for row in senders.cures(known, computer=True)] == ["compromised_pc"]
    assert [row["sources"] for row in senders.cures(known, computer=False)] == [3391, 1204]


def test_share_in_a_cell() -> None:
    """In a list of campaigns each has its share, or what cannot be excluded, or that it was not asked."""
    assert [senders.in_short(things(status)) for status in sent.STATUS] == [
        "27 % [24, 31]",
        "at most 2 %",
        "17 to 61 %",
        "cannot tell",
        "not assessed",
    ]


def test_age() -> None:
    """Evidence says how far it lay from the mail, and on which side."""
    assert [senders.age(days) for days in (None, 0.01, 0.5, 2, -1, -30)] == [
        "",
        "about the same hour",
        "12 h before",
        "2 days before",
        "24 h after",
        "30 days after",
    ]


def test_skips_on_one_line() -> None:
    """A file with many reasons to skip names the commonest and counts the rest."""
    assert senders.skips({"a": 1, "b": 3}) == "b 3, a 1"
    assert senders.skips({str(i): i for i in range(8)}, 2) == "7 7, 6 6, and 6 more reasons"


def test_every_name_has_words() -> None:
    """Every origin, rung and family that the schema allows can be written in plain words."""
    schema = json.loads((PACKAGE / "act" / "report.schema.json").read_text("utf-8"))["$defs"]
    rung = schema["things"]["properties"]["ladder"]["items"]["properties"]["rung"]
    assert list(glossary.RUNGS) == rung["enum"]
    assert list(glossary.ORIGINS) == schema["origin"]["enum"]
    assert list(glossary.FAMILIES) == schema["evidence_family"]["enum"]


def test_every_class_has_words() -> None:
    """Every device class of the taxonomy can be written in plain words."""
    taxonomy = PACKAGE / "identify" / "taxonomy.json"
    if not taxonomy.is_file():
        pytest.skip("the taxonomy is not kept as JSON")
    assert {one["id"] for one in json.loads(taxonomy.read_text("utf-8"))["classes"]} == set(glossary.CLASSES)


def test_every_piece_has_words() -> None:
    """Every value of every item of evidence can be written in plain words, and no word is left over."""
    table = PACKAGE / "identify" / "likelihoods.toml"
    if not table.is_file():
        pytest.skip("the likelihoods are not kept as TOML")
    items = tomllib.loads(table.read_text("utf-8"))
    assert {f"{name}: {value}" for name, item in items.items() for value in item["values"]} == set(
        glossary.PIECES
    )
    assert {item["family"] for item in items.values()} == set(glossary.FAMILIES)
