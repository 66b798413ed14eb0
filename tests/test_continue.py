"""A run that continues a case finds what one run over all mail would have found, and remembers no more than it says."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator
from stories.cast import Post, at, parcel

from thingwatch.config import Settings
from thingwatch.errors import InputError, SettingError
from thingwatch.identify import Networks
from thingwatch.replay import replay
from thingwatch.uncover import NO_WITNESS, Outcome, Witness, uncover

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))
from days import cut

SETTINGS = Settings().changed(workers=2)
# Sections of a campaign's document that must come out as in one run over all mail.
EQUAL = (
    "verdict", "kind", "messages", "sources", "first_seen", "last_seen", "max_per_source", "waves", "clock",
    "outside_waves", "per_source", "spread", "ptr", "helo", "targets", "authentication", "links", "brands", "series",
)  # fmt: skip


def run(
    mail: Path | list[Path],
    out: Path,
    earlier: Path | None = None,
    witness: Witness = NO_WITNESS,
    **changes: Any,
) -> Outcome:
    paths = [mail] if isinstance(mail, Path) else mail
    settings = SETTINGS.changed(**changes)
    return uncover(paths, out, settings, Networks.load(None, None), witness=witness, earlier=earlier)


def placed(case: Path) -> dict[str, str | None]:
    table = pq.read_table(case / "messages.parquet", columns=["place", "campaign_id"])
    return dict(zip(table["place"].to_pylist(), table["campaign_id"].to_pylist(), strict=True))


def campaigns(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {document["id"]: document for document in report["campaigns"]}


class Daily:
    """One run over all days of a replay, and a chain of runs a day each."""

    def __init__(self, folder: Path, scale: float) -> None:
        replay(scale, 1, folder / "replay")
        evidence = folder / "replay" / "evidence"
        days = cut(folder / "replay" / "mail.mbox", folder / "days")
        self.whole = run(days, folder / "whole", witness=Witness([evidence])).report
        self.whole_placed = placed(folder / "whole")
        self.placed: dict[str, str | None] = {}
        self.renamed: dict[str, str] = {}
        self.reports = []
        for number, day in enumerate(days):
            earlier = folder / f"{number - 1:02d}" if number else None
            report = run(day, folder / f"{number:02d}", earlier, Witness([evidence])).report
            self.reports.append(report)
            self.renamed |= {r["from"]: r["to"] for r in report.get("continued", {"renamed": []})["renamed"]}
            self.placed |= placed(folder / f"{number:02d}")
        self.last = self.reports[-1]

    def now(self, campaign: str | None) -> str | None:
        """What *campaign*, named on some day, is called on the last."""
        for _ in range(100):
            if campaign not in self.renamed or campaign in campaigns(self.last):
                break
            campaign = self.renamed[campaign]
        return campaign


@pytest.fixture(scope="module")
def daily(tmp_path_factory: pytest.TempPathFactory) -> Daily:
    return Daily(tmp_path_factory.mktemp("daily"), 0.02)


@pytest.mark.slow
def test_every_message_is_where_one_run_puts_it(daily: Daily) -> None:
    """Day by day, 99.9 % of messages and every message of an attack come to the campaign one run finds."""
    told = campaigns(daily.whole)
    assert daily.placed.keys() == daily.whole_placed.keys()
    apart = [
        (a, b)
        for place, a in daily.whole_placed.items()
        if (a if a in told else None)
        != (b if (b := daily.now(daily.placed[place])) in campaigns(daily.last) else None)
    ]
    assert len(apart) <= 0.001 * len(daily.whole_placed), apart[:20]
    attacks = {name for name, document in told.items() if document["verdict"] == "attack"}
    assert attacks
    assert not [pair for pair in apart if set(pair) & attacks]


@pytest.mark.slow
def test_campaigns_are_told_alike(daily: Daily) -> None:
    """Verdict, counts, waves, sources, networks and targets are those of one run, but for one group in ham."""
    whole, last = campaigns(daily.whole), campaigns(daily.last)
    assert whole.keys() == last.keys()
    apart = {
        name: [part for part in EQUAL if whole[name][part] != last[name][part]]
        for name in whole
        if any(whole[name][part] != last[name][part] for part in EQUAL)
    }
    assert not [name for name in apart if whole[name]["verdict"] != "bulk"], apart
    assert len(apart) <= 1, apart
    for name in whole:
        if name not in apart:
            assert [lure["id"] for lure in whole[name]["lures"]] == [
                lure["id"] for lure in last[name]["lures"]
            ]


@pytest.mark.slow
def test_senders_are_assessed_by_all_evidence(daily: Daily) -> None:
    """The share of things in the attacks differs from one run's by no more than its interval."""
    whole, last = campaigns(daily.whole), campaigns(daily.last)
    for name, document in whole.items():
        if document["verdict"] == "attack":
            a, b = document["things"], last[name]["things"]
            assert a["status"] == b["status"]
            if a["share_of_messages"]["point"] is not None:
                assert abs(a["share_of_messages"]["point"] - b["share_of_messages"]["point"]) < 0.05


@pytest.mark.slow
def test_report_says_what_it_continues(daily: Daily) -> None:
    """Totals are of this run's mail; the rest stands in "continued", and the schema knows it."""
    schema = Path(sys.modules["thingwatch"].__file__ or "").parent / "act" / "report.schema.json"
    Draft202012Validator(json.loads(schema.read_text())).validate(daily.last)
    told = daily.last["continued"]
    assert told["runs"] == len(daily.reports) - 1
    assert told["messages_before"] + daily.last["totals"]["messages"] == len(daily.placed)
    assert told["woken"] + told["sleeping"] == told["known"]
    assert told["seen_before"] == 0


# --- small stories ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A campaign that sends on two days, and everyday mail beside it."""
    folder = tmp_path_factory.mktemp("two")
    post = Post("continued")
    homes = post.lines.homes(60)
    paths = []
    for number, day in enumerate(("2014-01-02", "2014-01-03")):
        post.mails.clear()
        post.wave("parcel", homes, at(f"{day} 08:00"), 20, parcel)
        post.everyday(60, at(day), 1)
        path = folder / f"{number}.mbox"
        path.write_bytes(post.mbox()[0])
        paths.append(path)
    return paths[0], paths[1]


def test_same_mail_given_again_is_not_counted_again(tmp_path: Path, two_days: tuple[Path, Path]) -> None:
    """What an earlier run has read is skipped by name, and is no reason for exit code 4."""
    first = run(two_days[0], tmp_path / "a").report
    again = run(two_days[0], tmp_path / "b", tmp_path / "a")
    assert again.report["totals"]["messages"] == 0
    assert again.report["totals"]["skips"] == {"seen-before": first["totals"]["messages"]}
    assert not again.partial
    assert {k: v["messages"] for k, v in campaigns(again.report).items()} == {
        k: v["messages"] for k, v in campaigns(first).items()
    }


def test_case_may_continue_itself(tmp_path: Path, two_days: tuple[Path, Path]) -> None:
    """--out may be the case that is continued: it is replaced when the new one is whole."""
    first = run(two_days[0], tmp_path / "case").report
    second = run(two_days[1], tmp_path / "case", tmp_path / "case").report
    assert second["continued"]["runs"] == 1
    attack = next(iter(campaigns(first)))
    assert campaigns(second)[attack]["messages"] > campaigns(first)[attack]["messages"]


def test_older_case_stays_whole_where_the_new_one_fails(tmp_path: Path, two_days: tuple[Path, Path]) -> None:
    """A run that ends in an error leaves the case it continues as it was, byte for byte."""
    run(two_days[0], tmp_path / "case")
    before = {path.name: path.read_bytes() for path in (tmp_path / "case" / "state").iterdir()}
    with pytest.raises(InputError):
        run(tmp_path / "no.mbox", tmp_path / "case", tmp_path / "case")
    assert {path.name: path.read_bytes() for path in (tmp_path / "case" / "state").iterdir()} == before
    assert not list(tmp_path.glob(".case.*"))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda state: shutil.rmtree(state), "no state in it"),
        (lambda state: (state / "state.json").write_text("{"), "damaged"),
        (lambda state: (state / "state.json").write_text('{"version": 99}'), "version 99"),
        (lambda state: (state / "lures.parquet").unlink(), "lures.parquet"),
        (lambda state: (state / "settled-000001.parquet").write_bytes(b""), "settled-000001.parquet"),
        (lambda state: (state.parent / "report.json").unlink(), "not a whole case"),
    ],
)
def test_damaged_state_is_one_sentence(
    tmp_path: Path, two_days: tuple[Path, Path], harm: Any, words: str
) -> None:
    """A case without state, of another version, damaged or half, is refused before anything is read."""
    run(two_days[0], tmp_path / "case")
    harm(tmp_path / "case" / "state")
    with pytest.raises(InputError, match=words) as told:
        run(two_days[1], tmp_path / "next", tmp_path / "case")
    assert "\n" not in str(told.value)
    assert not (tmp_path / "next").exists()


def test_other_settings_are_refused(tmp_path: Path, two_days: tuple[Path, Path]) -> None:
    """Settings that change what a campaign is must be those of the case that is continued."""
    run(two_days[0], tmp_path / "case")
    with pytest.raises(SettingError, match="min_messages = 7"):
        run(two_days[1], tmp_path / "next", tmp_path / "case", min_messages=7)


def test_state_holds_no_recipient_and_no_text(tmp_path: Path, two_days: tuple[Path, Path]) -> None:
    """Recipients are remembered by a hash and their domain."""
    run(two_days[0], tmp_path / "case")
    run(two_days[1], tmp_path / "case", tmp_path / "case")
    for path in (tmp_path / "case" / "state").glob("*.parquet"):
        table = pq.read_table(path)
        if "recipient" in table.column_names:
            for text in table["recipient"].to_pylist():
                local, _, domain = text.partition("@")
                assert not text or (set(local) <= set("0123456789abcdef") and domain)
