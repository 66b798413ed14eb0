"""What is shown of the senders: a class where it is earned, sums that come out, causes that were seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from small_tables import DAY, SENT, World, known_networks

from thingwatch.identify.likelihood import ORIGINS
from thingwatch.identify.mixture import NAT_PC
from thingwatch.identify.portrayal import MAX_EXAMPLES, Portrayal
from thingwatch.identify.share import Assessment, assess
from thingwatch.identify.sources import identify
from thingwatch.identify.weigh import Case

ROUTER: dict[str, Any] = {
    "device_class": "router",
    "vendor": "Netgear",
    "model": "WNR2000",
    "confidence": 0.9,
}
CAMERA: dict[str, Any] = {"device_class": "ip_camera", "vendor": "Acme", "model": "", "confidence": 0.8}
THINGS, PCS = 24, 36


def address(n: int) -> str:
    return f"198.51.100.{n + 1}"


def street() -> World:
    """24 things, of which 20 show a router, 3 a camera and one nothing; 36 PCs behind routers; two never seen."""
    world = World()
    for n in range(THINGS + PCS + 2):
        world.source(address(n), messages=1 + n % 3, asn=64500 + n % 2)
        if n < THINGS + PCS:
            world.says("smtp_rtt", "near", address(n), kind="smtp.rtt", said="1.1 3")
        if n < THINGS:
            world.says("tcp_syn", "linux_small", address(n), kind="tcp.syn", said="a SYN")
        elif n < THINGS + PCS:
            world.says("tcp_syn", "windows", address(n), kind="tcp.syn", said="another SYN")
        if n != THINGS - 1:
            device = CAMERA if n < 3 else ROUTER
            world.says(
                "front", "thing", address(n), kind="device.label", said="a label", port=80, file=1, **device
            )
    return world


Drawn = tuple[Assessment, Case]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drawn]:
    """The street, weighed, assessed and portrayed."""
    world = street()
    world.says("", None, address(0), kind="infection", said="nobody's", port=None, file=1)
    for n in range(5):
        world.says("front", None, address(n), kind="exposure", said="telnet_open", port=23, file=1)
    for n in range(THINGS, THINGS + 5):
        world.says("front", None, address(n), kind="exposure", said="telnet_open", port=23, file=1)
    engine, weighed = world.weighed(tmp_path_factory.mktemp("street"))
    with engine:
        engine.make("thingwatch.identify", "source_labels")
        portrayal = Portrayal(engine, ["syn.log", "scan.csv"], lambda kind, value: None)
        case = weighed.of(1)
        assessment = assess(weighed, case, 1)
        portrayal.add(assessment, case)
        portrayal.finish()
        yield assessment, case


def test_classes_count_the_things_that_earned_one(drawn: Drawn) -> None:
    """Things with a maker's name have a class, the other things are counted; PCs behind routers are no routers."""
    document = drawn[0].document
    assert document["by_device_class"] == {"router": 20, "ip_camera": 3}
    assert document["class_not_earned"] == 1
    assert document["counts"]["identified_others"] > 0
    rows = {
        (d["device_class"], d["vendor"], d["model"]): (d["sources"], d["messages"])
        for d in document["devices"]
    }
    assert rows == {("router", "Netgear", "WNR2000"): (20, 39), ("ip_camera", "Acme", ""): (3, 6)}


@pytest.mark.parametrize(
    ("change", "origin", "seen", "earned"),
    [
        ({}, "thing_self", True, True),
        ({}, "thing_relay", True, True),
        ({}, "nat_pc", True, False),
        ({}, "unknown", True, False),
        ({}, "thing_self", False, False),
        ({"vendor": ""}, "thing_self", True, False),
        ({"confidence": 0.69}, "thing_self", True, False),
        ({"confidence": 0.72}, "thing_self", True, True),
        ({"device_class": "other_thing"}, "thing_self", True, False),
        ({"device_class": "specialized"}, "thing_self", True, False),
        ({"device_class": "server"}, "thing_self", True, False),
        ({"device_class": None}, "thing_self", True, False),
        ({"at": SENT - 9 * DAY}, "thing_self", True, False),
    ],
)
def test_a_class_is_earned_by_sender_maker_and_freshness(
    tmp_path_factory: pytest.TempPathFactory, change: dict[str, Any], origin: str, seen: bool, earned: bool
) -> None:
    """Each condition that is missing takes the class away: a thing, seen to send, a maker's name, a label that is sure
    and fresh, a class that names something."""
    engine, _ = (
        World().source().says("front", "thing", **ROUTER | change).weighed(tmp_path_factory.mktemp("one"))
    )
    engine.make("thingwatch.identify", "source_labels")
    portrayal = Portrayal(engine, [""], lambda kind, value: None)
    assert (portrayal.earned("198.51.100.7", origin, seen) is not None) == earned
    assert portrayal.earned("198.51.100.99", origin, seen) is None


def test_the_surest_text_names_the_device(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A label with a maker goes before a surer one without, then the fresher; makers are spelt as most spell them."""
    world = World().source().says("front", "thing", **ROUTER | {"vendor": "", "confidence": 0.95})
    world.says("front", "thing", at=SENT - 4 * DAY, **CAMERA | {"confidence": 0.95}).says(
        "front", "thing", **ROUTER
    )
    for n in range(3):
        world.source(f"198.51.100.{n + 20}").says(
            "front", "thing", f"198.51.100.{n + 20}", **ROUTER | {"vendor": "NETGEAR"}
        )
    engine, _ = world.weighed(tmp_path_factory.mktemp("spelt"))
    engine.make("thingwatch.identify", "source_labels")
    fronts = Portrayal(engine, [""], lambda kind, value: None).fronts
    assert fronts["198.51.100.7"].device_class == "router"
    assert {front.vendor for front in fronts.values()} == {"NETGEAR"}


def test_examples_are_the_telling_ones(drawn: Drawn) -> None:
    """The rarest class first, then a PC that a banner would have accused; no source twice, no more than stated."""
    examples = drawn[0].document["examples"]
    assert 2 <= len(examples) <= MAX_EXAMPLES
    assert examples[0]["device_class"] == "ip_camera"
    assert examples[0]["origin"] == "thing_self"
    assert examples[1]["origin"] == "nat_pc"
    assert examples[1]["device_class"] is None
    assert any(piece["what"] == "front: thing" for piece in examples[1]["pieces"])
    assert len({example["client_ip"] for example in examples}) == len(examples)


def test_the_bits_add_up(drawn: Drawn) -> None:
    """Start and pieces, as printed, give the sum as printed; and the sum is near what the chances say."""
    assessment, case = drawn
    assert assessment.found is not None
    for example in assessment.document["examples"]:
        total = example["start_bits"] + sum(piece["bits"] for piece in example["pieces"])
        assert example["sum_bits"] == pytest.approx(total, abs=0.01)
        thing, other = example["against"].split(" against ")
        assert thing in ORIGINS[:NAT_PC]
        assert other in ORIGINS[NAT_PC:]
        p = assessment.found.p[case.addresses.index(example["client_ip"])]
        odds = float(np.log2(p[ORIGINS.index(thing)] / p[ORIGINS.index(other)]))
        assert np.sign(example["sum_bits"]) == np.sign(odds)
        assert abs(example["sum_bits"] - odds) < 2.5
        assert sum(example["p"].values()) == pytest.approx(1, abs=0.001)


def test_every_piece_says_where_it_stands(drawn: Drawn) -> None:
    """A piece names file and line, time and age, and the words that stand there."""
    pieces = [piece for example in drawn[0].document["examples"] for piece in example["pieces"]]
    syn = next(piece for piece in pieces if piece["what"] == "tcp_syn: linux_small")
    assert syn["value"] == "a SYN"
    assert syn["when"] == "2014-01-02T00:00:00Z"
    assert syn["where"].startswith("test, file0@")
    assert syn["age_days"] == 0
    assert syn["family"] == "transport"


def test_exposures_of_things_and_of_nobody_else(drawn: Drawn) -> None:
    """Open doors are counted at things; a PC behind a router is infected, whatever door the router leaves open."""
    rows = {row["name"]: row for row in drawn[0].document["exposures"]}
    assert rows["telnet_open"]["sources"] == 5
    assert rows["compromised_pc"]["sources"] == drawn[0].origins.count("nat_pc")
    assert all(row["label"] and row["owner"] for row in rows.values())


def test_networks_count_what_was_judged(drawn: Drawn) -> None:
    """By operator: how many sources were judged, and how many of those are things; unknown operators are left out."""
    assessment, case = drawn
    by_network = assessment.document["by_network"]
    assert set(by_network) == {"64500", "64501"}
    assert sum(row["things"] for row in by_network.values()) == THINGS
    judged = sum(origin != "unknown" for origin in assessment.origins)
    assert sum(row["judged"] for row in by_network.values()) == judged
    assert len(case.addresses) > judged


def test_all_of_it_as_tables(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every source of every assessed campaign has one row of chances that add up, and a row for each of its votes; bulk
    has none."""
    world = street().source("198.51.100.200", campaign=2)
    world.verdicts = {1: "attack", 2: "bulk"}
    engine, _ = world.weighed(tmp_path_factory.mktemp("tables"))
    documents = identify(engine, known_networks({}), ["a", "b"], lambda kind, value: None, 1)
    assert set(documents) == {1}
    rows = engine.rows("SELECT client_ip, origin, device_class, p_thing_self + p_thing_relay + p_nat_pc + p_mobile"
                       " + p_server FROM source_origins")  # fmt: skip
    assert len(rows) == THINGS + PCS + 2
    assert all(total == pytest.approx(1, abs=1e-3) for *_, total in rows)
    assert {origin for _, origin, device, _ in rows if device} == {"thing_self"}
    votes = engine.rows("SELECT item, count(*), min(what) FROM source_votes GROUP BY item ORDER BY item")
    assert [(item, n) for item, n, _ in votes] == [
        ("front", THINGS + PCS + 1),
        ("smtp_rtt", THINGS + PCS),
        ("tcp_syn", THINGS + PCS),
    ]
