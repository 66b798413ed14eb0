"""The whole flow on small mailboxes: what a case holds, and what it must not depend on."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stories.cast import HOUR, HOUSE, Letter, Post, at, invoice, parcel

from thingwatch.config import Settings
from thingwatch.errors import InputError, OutputError
from thingwatch.identify import Networks
from thingwatch.uncover import uncover

SETTINGS = Settings().changed(workers=1)
FILES = {
    "report.html", "report.json", "messages.parquet", "sources.parquet", "campaigns.parquet", "waves.parquet",
    "keys.parquet", "hands.parquet",
}  # fmt: skip


def a_week() -> tuple[list[bytes], list[str]]:
    """Mails in order of arrival, and their roles: two lures in two waves, a newsletter, people."""
    post = Post("a week")
    pool = post.lines.homes(40)
    for hours in (0, 8):
        post.wave("parcel", pool, at("2014-01-02 08:00") + hours * HOUR, 20, parcel)
    post.wave("invoice", pool, at("2014-01-02 08:02"), 20, invoice)
    news = Letter(
        "Lamps of spring",
        "The lamps of spring have come to our shop in nine colours.",
        "Lamps",
        "n@lamps.example",
    )
    post.newsletter("news", post.lines.servers(2), at("2014-01-03 09:00"), 30, 40, "lamps.example", news)
    host = post.lines.servers(1)[0]
    for day in range(3):
        letter = Letter(f"note {day}", f"see you on day {day}", "friend", "friend@firm.example")
        post.send("note", at("2014-01-04") + day * 86400, host, HOUSE, letter, signed="firm.example")
    post.everyday(80, at("2014-01-01"), 6)
    ordered = sorted(post.mails, key=lambda mail: mail.received_at)
    return [mail.raw for mail in ordered], [mail.role for mail in ordered]


MAILS, ROLES = a_week()


def write_mbox(path: Path, mails: list[bytes]) -> Path:
    path.write_bytes(b"".join(b"From - Thu Jan  2 08:00:00 2014\n" + mail + b"\n" for mail in mails))
    return path


def run(paths: list[Path], folder: Path, **changes: Any) -> tuple[dict[str, Any], pa.Table]:
    """The report and messages.parquet of a run."""
    case = folder / "case"
    settings = SETTINGS.changed(**changes)
    report = uncover(paths, case, settings, Networks.load(folder)).report
    return report, pq.read_table(case / "messages.parquet")


def groups(messages: pa.Table) -> set[frozenset[str]]:
    """The campaigns as sets of Message-IDs, whatever they are called."""
    found: dict[str, set[str]] = {}
    for row in messages.to_pylist():
        if row["campaign_id"]:
            found.setdefault(row["campaign_id"], set()).add(row["message_id"])
    return {frozenset(ids) for ids in found.values()}


def lasting(report: dict[str, Any]) -> dict[str, Any]:
    """*report* without what a clock and a stopwatch wrote, and without where the input lay."""
    kept = {name: value for name, value in report.items() if name not in ("made_at", "stages")}
    kept["input"] = kept["input"] | {"paths": []}
    return kept


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], pa.Table]:
    folder = tmp_path_factory.mktemp("week")
    mbox = write_mbox(folder / "mail.mbox", MAILS)
    return (folder / "case", *run([mbox], folder))


Week = tuple[Path, dict[str, Any], pa.Table]


def test_a_case_holds_what_is_promised(week: Week) -> None:
    """A case is the seven files of the contract, its state and its mark; no work is left in it or beside it."""
    case = week[0]
    assert {path.name for path in case.iterdir()} == FILES | {"state", ".thingwatch-case"}
    assert {path.name for path in case.parent.iterdir()} == {"case", "mail.mbox"}


def test_report_keeps_its_schema(week: Week) -> None:
    """report.json is the report, and validates against the schema shipped with the program."""
    written = json.loads((week[0] / "report.json").read_text("utf-8"))
    assert lasting(written) == json.loads(json.dumps(lasting(week[1])))
    schema = json.loads(resources.files("thingwatch.act").joinpath("report.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    errors = jsonschema.Draft202012Validator(schema).iter_errors(written)
    assert [f"{'/'.join(map(str, e.absolute_path))}: {e.message}"[:200] for e in errors] == []


def test_one_row_per_message_in_input_order(week: Week) -> None:
    """messages.parquet accounts for every mail, in order, with the border's time and client."""
    rows = week[2].to_pylist()
    assert [row["seq"] for row in rows] == list(range(len(MAILS)))
    for row, mail in zip(rows, MAILS, strict=True):
        assert f"<{row['message_id']}>".encode() in mail
        assert f"[{row['client_ip']}]".encode() in mail
        assert f"{row['received_at']:%d %b %Y %H:%M:%S}".encode() in mail
    assert week[2].schema.field("received_at").type == pa.timestamp("us", tz="UTC")


def test_no_bodies_are_kept(week: Week) -> None:
    """The Parquet files hold no text of a mail, and no recipient."""
    for name in FILES:
        if name.endswith(".parquet"):
            columns = set(pq.read_schema(week[0] / name).names)
            assert not columns & {"text", "html", "body", "raw", "recipient", "rcpt_to"}


def test_counts_are_whole_numbers(week: Week) -> None:
    """Every count and number in the Parquet files is an integer, whatever the engine summed it in."""
    for name in FILES:
        if name.endswith(".parquet"):
            for field in pq.read_schema(week[0] / name):
                if field.name in ("seq", "wave", "messages", "others", "sources", "lures"):
                    assert pa.types.is_integer(field.type), f"{name}: {field.name} is {field.type}"


def test_what_it_finds(week: Week) -> None:
    """Two lures of one hand are one attack in two waves, the newsletter is bulk, people are in nothing."""
    _, report, messages = week
    attack, *others = report["campaigns"]
    assert attack["verdict"] == "attack"
    assert len(attack["lures"]) == len(attack["waves"]) == 2
    assert [other["verdict"] for other in others] == ["bulk"]
    roles: dict[str | None, set[str]] = {}
    for row, role in zip(messages.to_pylist(), ROLES, strict=True):
        roles.setdefault(row["campaign_id"], set()).add(role)
    assert roles[attack["id"]] == {"parcel", "invoice"}
    assert roles[others[0]["id"]] == {"news"}


def test_files_agree_with_each_other(week: Week) -> None:
    """Counts by campaign are the same in every file and in the report."""
    case, report, messages = week
    rows = messages.to_pylist()
    sources = pq.read_table(case / "sources.parquet").to_pylist()
    waves = pq.read_table(case / "waves.parquet").to_pylist()
    listed = {row["campaign_id"]: row for row in pq.read_table(case / "campaigns.parquet").to_pylist()}
    for doc in report["campaigns"]:
        mine = [row for row in rows if row["campaign_id"] == doc["id"]]
        assert len(mine) == doc["messages"] == listed[doc["id"]]["messages"]
        assert len({row["client_ip"] for row in mine}) == doc["sources"]
        assert sum(row["messages"] for row in sources if row["campaign_id"] == doc["id"]) == doc["messages"]
        inside = [row["wave"] for row in mine if row["wave"] is not None]
        assert [inside.count(wave["number"]) for wave in doc["waves"]] == [
            wave["messages"] for wave in doc["waves"]
        ]
        assert [w["messages"] for w in waves if w["campaign_id"] == doc["id"]] == [
            w["messages"] for w in doc["waves"]
        ]
        assert {lure["id"] for lure in doc["lures"]} == {row["lure_id"] for row in mine}


def test_two_runs_are_equal(week: Week, tmp_path: Path) -> None:
    """The same mail gives the same report and the same files, byte for byte where no clock is in them."""
    mbox = write_mbox(tmp_path / "mail.mbox", MAILS)
    report, _ = run([mbox], tmp_path)
    assert lasting(report) == lasting(week[1])
    for name in FILES:
        if name.endswith(".parquet"):
            mine, first = pq.read_table(tmp_path / "case" / name), pq.read_table(week[0] / name)
            if name == "messages.parquet":
                mine, first = (table.drop_columns(["place"]) for table in (mine, first))
            assert mine.equals(first), name


@pytest.mark.parametrize("changes", [{"workers": 2}, {"load_mb": 64}, {"load_mb": 1, "workers": 2}])
def test_how_it_runs_does_not_matter(week: Week, tmp_path: Path, changes: dict[str, int]) -> None:
    """Workers and loads are a matter of speed: what is found is the same."""
    mbox = write_mbox(tmp_path / "mail.mbox", MAILS)
    report, messages = run([mbox], tmp_path, **changes)
    assert lasting(report)["campaigns"] == lasting(week[1])["campaigns"]
    assert messages.drop_columns(["place"]).equals(week[2].drop_columns(["place"]))


def test_many_loads_are_one_input(tmp_path: Path) -> None:
    """Mail of more than one load is found as if it were one: every message, in order, in the same groups."""
    padded = [mail + b"\n" + b"x" * 12000 + b"\n" for mail in MAILS]
    mbox = write_mbox(tmp_path / "mail.mbox", padded)
    assert mbox.stat().st_size > 3 << 20
    found = []
    for load_mb in (1, 64):
        folder = tmp_path / str(load_mb)
        folder.mkdir()
        report, messages = run([mbox], folder, load_mb=load_mb, workers=2)
        assert messages.num_rows == len(MAILS)
        lures = {lure["id"] for doc in report["campaigns"] for lure in doc["lures"]}
        assert lures <= set(messages["lure_id"].to_pylist())
        found.append((groups(messages), messages["message_id"].to_pylist()))
    assert found[0] == found[1]


def test_order_of_files_does_not_matter(week: Week, tmp_path: Path) -> None:
    """The mail in two files, named either way round, falls into the same groups as in one."""
    halves = [write_mbox(tmp_path / f"{n}.mbox", MAILS[n::2]) for n in (0, 1)]
    for number, paths in enumerate((halves, halves[::-1])):
        folder = tmp_path / f"run{number}"
        folder.mkdir()
        _, messages = run(paths, folder)
        assert groups(messages) == groups(week[2])


def test_verdicts_do_not_need_waves(tmp_path: Path) -> None:
    """Mail whose border wrote no time is still read, counted and grouped, without waves."""
    mails = [mail.replace(b"; Thu, 02 Jan", b"; ???, ?? Jan") for mail in MAILS]
    report, messages = run([write_mbox(tmp_path / "mail.mbox", mails)], tmp_path)
    assert messages.num_rows == len(MAILS)
    assert report["totals"]["without_received_at"] > 0
    assert any(doc["messages"] > 50 for doc in report["campaigns"])


def test_skipped_input_is_said(tmp_path: Path) -> None:
    """What cannot be read is skipped, counted by reason, and the outcome is partial."""
    good = write_mbox(tmp_path / "mail.mbox", MAILS[:20])
    bad = tmp_path / "broken.tar.gz"
    bad.write_bytes(b"\x1f\x8b\x08\x00broken")
    outcome = uncover([good, bad], tmp_path / "case", SETTINGS, Networks.load(tmp_path))
    assert outcome.partial
    assert outcome.report["totals"]["skipped"] == sum(outcome.report["totals"]["skips"].values()) > 0
    assert outcome.report["totals"]["messages"] == 20


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    """A folder without mail ends in an error that says what to name, and leaves no case."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="mbox"):
        uncover([tmp_path / "empty"], tmp_path / "case", SETTINGS, Networks.load(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_strange_folder_is_left_alone(tmp_path: Path) -> None:
    """A folder that holds something else is not replaced."""
    case = tmp_path / "case"
    case.mkdir()
    (case / "thesis.txt").write_text("precious")
    mbox = write_mbox(tmp_path / "mail.mbox", MAILS[:20])
    with pytest.raises(OutputError, match="not a case"):
        uncover([mbox], case, SETTINGS, Networks.load(tmp_path))
    assert (case / "thesis.txt").read_text() == "precious"
