"""What was said of the senders is scored as it can be worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from thingwatch.errors import InputError
from thingwatch.score import Score, as_json, lines, score

TRUTH = pa.schema([
    ("client_ip", pa.string()), ("campaign", pa.string()), ("origin", pa.string()), ("device_class", pa.string()),
    ("vendor", pa.string()), ("messages", pa.int64()),
])  # fmt: skip
JUDGED = pa.schema([
    ("client_ip", pa.string()), ("campaign_id", pa.string()), ("p_thing_self", pa.float64()),
    ("p_thing_relay", pa.float64()), ("origin", pa.string()), ("device_class", pa.string()),
    ("device_vendor", pa.string()),
])  # fmt: skip


def source(
    number: int,
    origin: str,
    said: str = "not assessed",
    p: float | None = None,
    device: tuple[str | None, str] = (None, ""),
    true_device: tuple[str | None, str] = ("router", "Acme"),
    messages: int = 2,
) -> dict[str, Any]:
    """One source: what it is, and what the case says of it; half of *p* lies on each kind of thing."""
    half = None if p is None else p / 2
    return {
        "client_ip": f"192.0.2.{number}", "campaign": "thing", "campaign_id": "A", "true": origin, "origin": said,
        "p_thing_self": half, "p_thing_relay": half, "device_class": device[0], "device_vendor": device[1],
        "true_class": true_device[0], "vendor": true_device[1], "messages": messages,
    }  # fmt: skip


def build(
    folder: Path,
    sources: list[dict[str, Any]],
    things: dict[str, Any] | None = None,
    strangers: int = 0,
) -> Score:
    """Score a case of these sources, whose campaign A holds the true campaign "thing"; *things* as in the report."""
    case, truth = folder / "case", folder / "truth"
    case.mkdir()
    truth.mkdir()
    text = pa.string()
    ids = ["1@a.example", "2@a.example"]
    pq.write_table(
        pa.table({
            "message_id": ids, "kind": ["campaign"] * 2, "campaign": ["thing"] * 2, "lure": ["thing/a"] * 2,
        }), truth / "truth.parquet",
    )  # fmt: skip
    pq.write_table(
        pa.table({
            "seq": [0, 1], "message_id": ids, "campaign_id": ["A"] * 2, "lure_id": pa.array(["1"] * 2, text),
            "wave": pa.array([None] * 2, pa.int64()),
        }), case / "messages.parquet",
    )  # fmt: skip
    (truth / "truth.json").write_text("{}")
    entry: dict[str, Any] = {"id": "A", "verdict": "attack", "waves": []}
    if things is not None:
        entry["things"] = things
    (case / "report.json").write_text(json.dumps({"campaigns": [entry]}))
    true = [{**one, "origin": one["true"], "device_class": one["true_class"]} for one in sources]
    pq.write_table(pa.Table.from_pylist(true, TRUTH), truth / "sources_truth.parquet")
    odd = [{**source(200 + number, "", "server", 0.5), "campaign_id": "A"} for number in range(strangers)]
    pq.write_table(pa.Table.from_pylist(sources + odd, JUDGED), case / "sources.parquet")
    return score(case, truth)


def said(
    low: float | None, point: float | None, high: float | None, status: str = "estimated"
) -> dict[str, Any]:
    """What a report says of a campaign's things."""
    share = {"low": low, "point": point, "high": high, "basis": ""}
    return {"status": status, "share_of_messages": share, "bounds": {"low": 0.2, "high": 0.9}}


def test_the_share_is_one_of_messages(tmp_path: Path) -> None:
    """Truth weighs sources by their messages; the error is in points and an interval covers or not."""
    sources = [
        source(1, "thing_self", messages=2),
        source(2, "thing_relay", messages=2),
        source(3, "nat_pc", messages=6),
    ]
    got = build(tmp_path, sources, said(0.3, 0.45, 0.5))
    assert got.things is not None
    (one,) = got.things
    assert one.true == pytest.approx(0.4)
    assert one.error_points == pytest.approx(5)
    assert (one.covered, one.bounded, one.status) == (True, True, "estimated")


def test_an_interval_beside_the_truth_does_not_cover(tmp_path: Path) -> None:
    """Truth 1 is neither in 0.3 to 0.5 nor in the bounds."""
    got = build(tmp_path, [source(1, "thing_self")], said(0.3, 0.45, 0.5))
    assert got.things is not None
    assert (got.things[0].covered, got.things[0].bounded) == (False, False)


def test_no_point_is_no_error(tmp_path: Path) -> None:
    """A report that prints bounds only, or nothing, has no error to measure."""
    got = build(tmp_path, [source(1, "nat_pc")], said(None, None, None, "bounds only"))
    assert got.things is not None
    assert (got.things[0].error_points, got.things[0].covered, got.things[0].status) == (
        None,
        None,
        "bounds only",
    )
    assert got.things[0].bounded is False
    (tmp_path / "older").mkdir()
    old = build(tmp_path / "older", [source(1, "nat_pc")], None)
    assert old.things is not None
    assert (old.things[0].status, old.things[0].bounded) == ("not assessed", None)


def test_brier_and_calibration_by_hand(tmp_path: Path) -> None:
    """Four sources: (0.1)^2, (0.2)^2, (0.4)^2, (0.9)^2; each is its own bin."""
    sources = [
        source(1, "thing_self", "thing_self", 0.9),
        source(2, "nat_pc", "nat_pc", 0.2),
        source(3, "thing_relay", "thing_self", 0.6),
        source(4, "nat_pc", "thing_self", 0.9),
    ]
    got = build(tmp_path, sources).senders
    assert got is not None
    assert got.brier == pytest.approx((0.01 + 0.04 + 0.16 + 0.81) / 4)
    assert got.calibration_error == pytest.approx((0.1 + 0.2 + 0.4 + 0.9) / 4)
    assert [one.sources for one in got.reliability] == [1] * 4


def test_calibrated_sources_have_no_error(tmp_path: Path) -> None:
    """Of 100 sources at 0.3 thirty are things: whatever order they stand in, ten bins of ten hardly err."""
    sources = [source(i % 250, "thing_self" if i % 10 < 3 else "nat_pc", "unknown", 0.3) for i in range(100)]
    got = build(tmp_path, sources).senders
    assert got is not None
    assert [one.sources for one in got.reliability] == [10] * 10
    assert got.calibration_error == pytest.approx(0)
    assert got.brier == pytest.approx(0.21)


def test_bins_go_from_low_to_high(tmp_path: Path) -> None:
    """Each bin says its range, what was said on average, and how many were things."""
    sources = [source(i, "thing_self" if i >= 10 else "nat_pc", "unknown", i / 20) for i in range(20)]
    got = build(tmp_path, sources).senders
    assert got is not None
    first, last = got.reliability[0], got.reliability[-1]
    assert (first.sources, first.low, first.high, first.true) == (2, 0.0, 0.05, 0.0)
    assert (last.low, last.high, last.true) == (0.9, 0.95, 1.0)
    assert last.said == pytest.approx(0.925)


def test_unknown_probabilities_are_counted_not_scored(tmp_path: Path) -> None:
    """A source without a probability is in no bin, but it is counted."""
    got = build(tmp_path, [source(1, "thing_self", "thing_self", 1.0), source(2, "nat_pc")]).senders
    assert got is not None
    assert (got.with_probability, got.without_probability) == (1, 1)
    assert got.brier == 0
    empty = tmp_path / "empty"
    empty.mkdir()
    none = build(empty, [source(1, "nat_pc")]).senders
    assert none is not None
    assert (none.brier, none.calibration_error, none.reliability) == (None, None, ())


def test_origins_are_right_where_given(tmp_path: Path) -> None:
    """Unknown is no answer: it lowers coverage, not accuracy; the confusion counts every pair."""
    sources = [
        source(1, "thing_self", "thing_self", 0.9),
        source(2, "thing_relay", "thing_self", 0.9),
        source(3, "nat_pc", "unknown", 0.5),
        source(4, "nat_pc", "nat_pc", 0.1),
    ]
    got = build(tmp_path, sources).senders
    assert got is not None
    assert (got.given, got.right, got.coverage) == (3, 2, 0.75)
    assert got.accuracy == pytest.approx(2 / 3)
    assert got.confusion == {
        "nat_pc": {"nat_pc": 1, "unknown": 1}, "thing_relay": {"thing_self": 1}, "thing_self": {"thing_self": 1},
    }  # fmt: skip


def test_a_device_is_right_only_at_a_thing(tmp_path: Path) -> None:
    """The router before a PC may be named well and is still not what sent; vendors compare without case."""
    sources = [
        source(1, "thing_self", "thing_self", 0.9, ("router", "ACME")),
        source(2, "thing_self", "thing_self", 0.9, ("nas", "Other")),
        source(3, "nat_pc", "thing_self", 0.9, ("router", "Acme")),
        source(4, "thing_self", "thing_self", 0.9),
    ]
    got = build(tmp_path, sources).senders
    assert got is not None
    assert (got.class_given, got.class_right) == (3, 1)
    assert (got.vendor_given, got.vendor_right) == (3, 1)


def test_strangers_and_unfound_are_counted(tmp_path: Path) -> None:
    """Sources that only the case has, or only the truth, are not measured, but said."""
    build(tmp_path, [source(1, "thing_self", "thing_self", 0.9), source(2, "nat_pc")], strangers=3)
    judged = pq.read_table(tmp_path / "case" / "sources.parquet").to_pylist()
    pq.write_table(
        pa.Table.from_pylist([row for row in judged if row["client_ip"] != "192.0.2.2"], JUDGED),
        tmp_path / "case" / "sources.parquet",
    )
    got = score(tmp_path / "case", tmp_path / "truth").senders
    assert got is not None
    assert (got.sources, got.unfound, got.strangers) == (1, 1, 3)


def test_an_older_replay_is_still_scored(tmp_path: Path) -> None:
    """Without truth about senders those parts are None, and the lines say so; so do they for an older case."""
    build(tmp_path, [source(1, "nat_pc")])
    (tmp_path / "case" / "sources.parquet").unlink()
    got = score(tmp_path / "case", tmp_path / "truth")
    assert got.things is not None
    assert got.senders is None
    assert any("no sources.parquet" in line for line in lines(got))
    (tmp_path / "truth" / "sources_truth.parquet").unlink()
    got = score(tmp_path / "case", tmp_path / "truth")
    assert got.things is got.senders is None
    assert any("no sources_truth.parquet" in line for line in lines(got))
    assert json.loads(as_json(got))["senders"] is None


def test_people_and_machines_read_the_same(tmp_path: Path) -> None:
    """The table holds the share, its error, the confusion and the reliability; the JSON the same numbers."""
    sources = [source(1, "thing_self", "thing_self", 0.9), source(2, "nat_pc", "nat_pc", 0.2)]
    got = build(tmp_path, sources, said(0.3, 0.45, 0.6))
    text = lines(got)
    assert not any("\n" in line for line in text)
    assert any(
        line.startswith("thing ") and "50.0%" in line and "-5.0" in line and "yes" in line for line in text
    )
    assert any(line.startswith("P(thing)") and "0.0250" in line for line in text)
    assert any(line.startswith("nat_pc") for line in text)
    read = json.loads(as_json(got))
    assert read["senders"]["brier"] == pytest.approx(0.025)
    assert read["things"][0]["error_points"] == pytest.approx(-5)


def test_a_broken_table_is_named(tmp_path: Path) -> None:
    """A file that is no Parquet is refused by its path."""
    build(tmp_path, [source(1, "nat_pc")])
    (tmp_path / "case" / "sources.parquet").write_bytes(b"no table")
    with pytest.raises(InputError, match=r"sources\.parquet"):
        score(tmp_path / "case", tmp_path / "truth")
