"""Evidence through the whole flow: who sent a campaign, against a replay's known truth."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest

from thingwatch.config import Settings
from thingwatch.errors import InputError
from thingwatch.identify import Networks
from thingwatch.identify.likelihood import ORIGINS
from thingwatch.replay import replay
from thingwatch.uncover import Witness, uncover

SETTINGS = Settings().changed(workers=1)
NETWORKS = Networks.load()
CHANCES = [f"p_{name}" for name in ORIGINS]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small replay with full evidence."""
    folder = tmp_path_factory.mktemp("replay") / "replay"
    replay(0.006, 3, folder, evidence="full")
    return folder


def run(played: Path, case: Path, *evidence: Path) -> dict[str, Any]:
    return uncover([played / "mail.mbox"], case, SETTINGS, NETWORKS, witness=Witness(evidence)).report


@pytest.fixture(scope="module")
def case(played: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The case made of it."""
    folder = tmp_path_factory.mktemp("case") / "case"
    run(played, folder, played / "evidence")
    return folder


def report_of(case: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((case / "report.json").read_text("utf-8"))
    return read


def things_of(report: dict[str, Any]) -> dict[str, Any]:
    """What is said of the largest attack."""
    found: dict[str, Any] = next(c for c in report["campaigns"] if c["verdict"] == "attack")["things"]
    return found


def test_the_share_is_found(played: Path, case: Path) -> None:
    """The interval holds the true share of messages, which the estimate misses by at most four points."""
    truth = json.loads((played / "truth.json").read_text("utf-8"))["things"]
    true = truth["messages"] / truth["of_messages"]
    found = things_of(report_of(case))
    assert found["status"] == "estimated"
    assert found["share_of_messages"]["low"] <= true <= found["share_of_messages"]["high"]
    assert abs(found["share_of_messages"]["point"] - true) <= 0.04


def test_the_tempting_reading_is_far_off_and_said_to_be(case: Path) -> None:
    """By banner alone most of what can be named is a thing; the report says how many of them spoke Windows."""
    found = things_of(report_of(case))
    assert found["naive_by_banner"] > found["share_of_messages"]["high"] + 0.3
    assert found["naive"]["both_windows"] > 0


def test_the_report_keeps_its_contract(case: Path) -> None:
    """report.json follows its schema, and every self-check passes."""
    schema = json.loads(resources.files("thingwatch.act").joinpath("report.schema.json").read_text("utf-8"))
    report = report_of(case)
    jsonschema.validate(report, schema)
    names = {check["name"] for c in report["campaigns"] for check in c["self_check"]}
    assert {"senders add up", "bounds hold the estimate", "ladder adds up"} <= names


def test_every_row_of_evidence_is_accounted_for(played: Path, case: Path) -> None:
    """Each file is listed with its rows, and nothing of a replay is damaged or unknown."""
    evidence = report_of(case)["evidence"]
    assert {Path(file["path"]).name for file in evidence["files"]} == {
        path.name for path in (played / "evidence").iterdir()
    }
    log = next(file for file in evidence["files"] if file["form"] == "p0f")
    with (played / "evidence" / "p0f.log").open() as lines:
        assert log["rows"] == sum(1 for _ in lines)
    assert evidence["skipped"] == 0


def test_sources_carry_chances_origin_and_proof(played: Path, case: Path) -> None:
    """Chances add up to one, origins agree with the truth nine times of ten, and each entry says where it stands."""
    rows = pq.read_table(case / "sources.parquet").to_pylist()
    truth = {
        row["client_ip"]: row["origin"]
        for row in pq.read_table(played / "sources_truth.parquet").to_pylist()
        if row["campaign"] == "thing"
    }
    main = next(c for c in report_of(case)["campaigns"] if c["verdict"] == "attack")["id"]
    mine = [row for row in rows if row["campaign_id"] == main]
    assert len(mine) > 400
    for row in mine:
        assert sum(row[name] for name in CHANCES) == pytest.approx(1, abs=1e-3)
        assert row["evidence"]
        assert all(entry["what"] and entry["where"] is not None for entry in row["evidence"])
    judged = [row for row in mine if row["origin"] != "unknown" and row["client_ip"] in truth]
    thing = ("thing_self", "thing_relay")
    right = [(row["origin"] in thing) == (truth[row["client_ip"]] in thing) for row in judged]
    assert len(judged) > len(mine) / 2
    assert np.mean(right) > 0.9


def test_a_class_is_named_only_where_it_is_earned(played: Path, case: Path) -> None:
    """Whoever has a class is a thing by evidence about the sender, and bears a maker's name."""
    named = [row for row in pq.read_table(case / "sources.parquet").to_pylist() if row["device_class"]]
    assert named
    for row in named:
        assert row["origin"] in ("thing_self", "thing_relay")
        assert row["device_vendor"]
        assert {"transport", "timing", "link"} & {entry["family"] for entry in row["evidence"]}


def test_headers_alone_give_bounds_and_no_point(played: Path, tmp_path: Path) -> None:
    """Without any evidence file nothing can be told of an attack: bounds from nought to all, no chances."""
    found = things_of(run(played, tmp_path / "case"))
    assert found["status"] == "cannot tell"
    assert found["share_of_messages"]["point"] is None
    assert found["bounds"] == {"low": 0.0, "high": 1.0}
    rows = pq.read_table(tmp_path / "case" / "sources.parquet").to_pylist()
    assert all(row["p_thing_self"] is None for row in rows)
    assert {row["origin"] for row in rows} <= {"unknown", "not assessed"}


def test_scans_without_senders_give_bounds(played: Path, tmp_path: Path) -> None:
    """Banners alone say what answers, not who sent: no point is printed."""
    scans = [
        path for path in (played / "evidence").iterdir() if "scan_" in path.name or "device_id" in path.name
    ]
    found = things_of(run(played, tmp_path / "case", *scans))
    assert found["status"] == "bounds only"
    assert found["share_of_messages"]["point"] is None
    assert found["naive_by_banner"] is not None


def test_a_translated_address_has_no_origin(played: Path, case: Path, tmp_path: Path) -> None:
    """Behind a carrier's translation many homes have one address: whom a list names so is "shared", not judged."""
    judged = [
        row["client_ip"]
        for row in pq.read_table(case / "sources.parquet").to_pylist()
        if row["origin"] not in ("unknown", "not assessed")
    ][:20]
    listed = tmp_path / "cgnat.csv"
    listed.write_text("network,type\n" + "".join(f"{ip}/32,shared\n" for ip in judged))
    report = run(played, tmp_path / "case", played / "evidence", listed)
    rows = pq.read_table(tmp_path / "case" / "sources.parquet").to_pylist()
    assert {row["origin"] for row in rows if row["client_ip"] in judged} == {"shared"}
    assert all(row["device_class"] is None for row in rows if row["client_ip"] in judged)
    assert (
        things_of(report)["counts"]["sources_identified"]
        < things_of(report_of(case))["counts"]["sources_identified"]
    )


def test_bulk_is_not_assessed(case: Path) -> None:
    """Who sends newsletters is nobody's question: their part of the report is empty and says so."""
    bulk = [c["things"] for c in report_of(case)["campaigns"] if c["verdict"] == "bulk"]
    assert bulk
    assert {things["status"] for things in bulk} == {"not assessed"}


def test_equal_evidence_gives_equal_answers(played: Path, case: Path, tmp_path: Path) -> None:
    """A second run, on two processes, says the same."""
    again = uncover(
        [played / "mail.mbox"],
        tmp_path / "case",
        SETTINGS.changed(workers=2),
        NETWORKS,
        witness=Witness([played / "evidence"]),
    ).report
    assert things_of(again) == things_of(report_of(case))


def test_a_missing_path_is_an_error(played: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that is not there ends the run before any mail is read, and is named."""
    monkeypatch.setattr("thingwatch.uncover.digest_all", lambda *_: pytest.fail("the mail was read"))
    with pytest.raises(InputError, match="nowhere"):
        run(played, tmp_path / "case", tmp_path / "nowhere")
    assert not (tmp_path / "case").exists()


def test_a_named_file_of_no_known_form_is_an_error(played: Path, tmp_path: Path) -> None:
    """What the user named and we cannot read is not passed over."""
    odd = tmp_path / "odd.bin"
    odd.write_bytes(bytes(range(256)) * 10)
    with pytest.raises(InputError, match=r"odd\.bin"):
        run(played, tmp_path / "case", odd)
