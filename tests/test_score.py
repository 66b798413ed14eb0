"""A score is right where it can be worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from thingwatch.errors import InputError
from thingwatch.score import Score, as_json, lines, score

START, END = "2013-12-23T08:00:00+00:00", "2013-12-23T09:00:00+00:00"


def build(
    tmp_path: Path, mails: list[tuple[str, str | None, str | None, str | None, str | None]], **report: object
) -> Score:
    """Score a case of (kind, true campaign, true lure, found campaign, found lure) rows."""
    case, truth = tmp_path / "case", tmp_path / "truth"
    case.mkdir()
    truth.mkdir()
    kinds, campaigns, lures, found, found_lures = (list(column) for column in zip(*mails, strict=True))
    ids = [f"m{i}@a.example" for i in range(len(mails))]
    text = pa.string()
    pq.write_table(
        pa.table({
            "message_id": ids, "kind": kinds,
            "campaign": pa.array(campaigns, text), "lure": pa.array(lures, text),
        }), truth / "truth.parquet",
    )  # fmt: skip
    pq.write_table(
        pa.table({
            "seq": list(range(len(mails))), "message_id": [f"<{one}>" for one in ids],
            "campaign_id": pa.array(found, text), "lure_id": pa.array(found_lures, text),
            "wave": pa.array([None] * len(mails), pa.int64()),
        }), case / "messages.parquet",
    )  # fmt: skip
    waves = [{"start": START, "end": END, "messages": 4}]
    (truth / "truth.json").write_text(
        json.dumps({"campaigns": {"thing": {"waves": report.get("true_waves", waves)}}})
    )
    default = [{"id": "A", "verdict": "attack", "waves": waves}, {"id": "B", "verdict": "bulk", "waves": []}]
    (case / "report.json").write_text(json.dumps({"campaigns": report.get("campaigns", default)}))
    return score(case, truth)


def thing(found: str | None, lure: str | None = "1") -> tuple[str, str, str, str | None, str | None]:
    return "campaign", "thing", "thing/a", found, lure


def test_a_perfect_case_scores_one(tmp_path: Path) -> None:
    """Everything in its place gives precision and recall of one everywhere, and nobody is accused."""
    got = build(tmp_path, [thing("A")] * 4 + [("personal", None, None, None, None)] * 3)
    assert (got.cubed.precision, got.cubed.recall) == (1.0, 1.0)
    assert (got.cubed_lures.precision, got.cubed_lures.recall) == (1.0, 1.0)
    assert got.campaigns[0].best == "A"
    assert got.innocents[0].accused == 0
    assert (got.waves.found, got.waves.missed, got.waves.invented) == (1, 0, 0)
    assert got.waves.worst_edge_minutes == 0.0
    assert got.not_in_case == got.not_in_truth == 0


def test_b_cubed_by_hand(tmp_path: Path) -> None:
    """Four mails split 2, 1 and one left alone, with a stranger in the pair's cluster."""
    mails = [thing("A"), thing("A"), thing("B"), thing(None, None), ("personal", None, None, "A", "1")]
    got = build(tmp_path, mails)
    # A holds 3, two of them true: 2/3 each; B 1; alone 1.  Recall: 2/4, 2/4, 1/4, 1/4.
    assert got.cubed.precision == pytest.approx((2 / 3 + 2 / 3 + 1 + 1) / 4)
    assert got.cubed.recall == pytest.approx((0.5 + 0.5 + 0.25 + 0.25) / 4)
    assert got.campaigns[0].found == 2
    assert got.campaigns[0].precision == pytest.approx(2 / 3)
    assert got.innocents[0].per_million == pytest.approx(1_000_000)


def test_merged_campaigns_are_named(tmp_path: Path) -> None:
    """Two true campaigns in one found one are a merge; a newsletter run in it does not stand apart."""
    mails = [thing("A")] * 2 + [("botnet", "botnet", "botnet/x", "A", "2")] * 2
    mails += [
        ("newsletter", "newsletter/1/1", "newsletter/1/1", "A", "3"),
        ("newsletter", "newsletter/2/2", None, "B", "4"),
    ]
    got = build(tmp_path, mails)
    assert got.merges == (("botnet", "newsletter/1/1", "thing"),)
    assert (got.newsletter_runs, got.newsletter_runs_apart) == (2, 1)
    assert got.cubed.precision == pytest.approx(2 / 5)
    assert got.cubed.recall == 1.0


def test_lures_of_two_campaigns_may_bear_one_number(tmp_path: Path) -> None:
    """Lure 1 of campaign A and lure 1 of campaign B are two lures."""
    got = build(tmp_path, [thing("A"), ("botnet", "botnet", "botnet/x", "B", "1")])
    assert got.cubed_lures.precision == 1.0


def test_waves_missed_and_invented(tmp_path: Path) -> None:
    """A wave found late and short is found with its error; one without a partner is missed or invented."""
    true = [
        {"start": START, "end": END, "messages": 100},
        {"start": "2013-12-25T08:00:00+00:00", "end": "2013-12-25T09:00:00+00:00", "messages": 100},
    ]
    found = [
        {"start": "2013-12-23T08:12:00+00:00", "end": END, "messages": 75},
        {"start": "2014-01-01T00:00:00+00:00", "end": "2014-01-01T01:00:00+00:00", "messages": 1},
    ]
    got = build(
        tmp_path,
        [thing("A")] * 4,
        true_waves=true,
        campaigns=[{"id": "A", "verdict": "attack", "waves": found}],
    ).waves
    assert (got.true, got.found, got.missed, got.invented) == (2, 1, 1, 1)
    assert got.worst_edge_minutes == pytest.approx(12)
    assert got.worst_size_percent == pytest.approx(25)


def test_only_attack_verdicts_accuse(tmp_path: Path) -> None:
    """Mail in a campaign judged bulk is not accused."""
    got = build(tmp_path, [thing("A"), ("list", None, None, "B", "1")])
    assert got.innocents[0].accused == 0


def test_missing_messages_count_as_missed(tmp_path: Path) -> None:
    """A true message the case never read lowers recall and is reported."""
    build(tmp_path, [thing("A")] * 4)
    case = tmp_path / "case" / "messages.parquet"
    table = pq.read_table(case)
    stranger = table.slice(0, 1).set_column(1, "message_id", pa.array(["other@b.example"]))
    pq.write_table(pa.concat_tables([table.slice(0, 2), stranger]), case)
    got = score(tmp_path / "case", tmp_path / "truth")
    assert (got.not_in_case, got.not_in_truth) == (2, 1)
    assert got.campaigns[0].recall == pytest.approx(0.5)
    assert got.campaigns[0].precision == pytest.approx(2 / 3)


def test_a_doubled_case_row_counts_once(tmp_path: Path) -> None:
    """Of two case rows with one message id the first is taken."""
    build(tmp_path, [thing("A")] * 2)
    case = tmp_path / "case" / "messages.parquet"
    table = pq.read_table(case)
    again = (
        table.slice(0, 1).set_column(2, "campaign_id", pa.array(["B"])).set_column(0, "seq", pa.array([9]))
    )
    pq.write_table(pa.concat_tables([table, again]), case)
    got = score(tmp_path / "case", tmp_path / "truth")
    assert got.campaigns[0].found == 2
    assert got.case_messages == 2


def test_it_reads_well_and_machines_read_it_too(tmp_path: Path) -> None:
    """The table names each campaign and the JSON holds the same numbers."""
    got = build(tmp_path, [thing("A")] * 4)
    assert any(line.startswith("thing ") and "100.00%" in line for line in lines(got))
    assert json.loads(as_json(got))["cubed"]["recall"] == 1.0
    assert not any("\n" in line for line in lines(got))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """What is missing is said by its path."""
    with pytest.raises(InputError, match=r"messages\.parquet"):
        score(tmp_path, tmp_path)
