"""From an equal past, mail in flight and mail at rest get equal verdicts."""

from __future__ import annotations

import runpy
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest
from guard.inflight import Stand, delivery_of, handed_over
from stories.cast import BORDER, Passing, Post, at, engine, parcel

from thingwatch.config import Settings
from thingwatch.guard import Certainty, Delivery, Guard, Known
from thingwatch.guard.finding import Finding
from thingwatch.guard.tally import Tally
from thingwatch.guard.trace import Trace, read_delivery, trace_of
from thingwatch.identify import Networks
from thingwatch.judge import judge
from thingwatch.model import RawMail
from thingwatch.read import Border, read_message
from thingwatch.replay import replay
from thingwatch.uncover import uncover

STORIES = sorted((Path(__file__).parents[1] / "stories").glob("[0-9][0-9]-*/story.py"))


def told(path: Path) -> Post:
    """The mailbox of a story."""
    post = Post(path.parent.name)
    runpy.run_path(str(path))["tell"](post)
    return post


def at_rest(post: Post, folder: Path) -> tuple[list[Passing], list[dict[str, str | None]], Path]:
    """The mails in received order, and what uncover says of each: campaign and verdict."""
    mails = sorted(post.mails, key=lambda mail: mail.received_at)
    box, _ = post.mbox()
    (folder / "mail.mbox").write_bytes(box)
    case = folder / "case"
    settings = Settings().changed(workers=1, border=[BORDER])
    report = uncover([folder / "mail.mbox"], case, settings, Networks.load(folder)).report
    verdicts = {doc["id"]: doc["verdict"] for doc in report["campaigns"]}
    rows = pq.read_table(case / "messages.parquet", columns=["campaign_id"]).to_pylist()
    said = [{"campaign": row["campaign_id"], "verdict": verdicts.get(row["campaign_id"])} for row in rows]
    return mails, said, case


class Place(NamedTuple):
    """Where the guard put a mail."""

    place: str
    counts: bool  # by the campaign's own hand, or single when it came


def in_flight(mails: list[Passing], known: Known | None = None) -> tuple[Guard, list[Place], list[Finding]]:
    """The same mails through the guard: where each was put, and what was found when it came."""
    stand = Stand(known=known, lure_days=30, single_hours=600)
    places: list[Place] = []
    findings: list[Finding] = []
    observe = stand.guard.state.observe

    def noted(trace: Trace, now: float) -> tuple[Finding, Trace]:
        finding, seen = observe(trace, now)
        places.append(Place(finding.place, finding.own or finding.group is None))
        findings.append(finding)
        return finding, seen

    stand.guard.state.observe = noted  # type: ignore[method-assign]
    for mail in mails:
        stand.decide(mail)
    return stand.guard, places, findings


def final_verdicts(guard: Guard, places: list[Place]) -> list[str | None]:
    """What each mail's campaign is called once all have been seen."""
    found: dict[str, str | None] = {}
    young = guard.state.young
    for campaign in young.campaigns.values():
        verdict = guard.state.detector.review(campaign).verdict
        for place in young.places_of(campaign):
            found[place] = None if verdict is None else str(verdict)
    return [found.get(place.place) if place.counts else None for place in places]


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.parent.name)
def test_attacks_of_a_story_are_attacks_in_flight(path: Path, tmp_path: Path) -> None:
    """What uncover calls an attack, the guard calls an attack by the end, mail for mail; nothing else."""
    mails, said, _ = at_rest(told(path), tmp_path)
    guard, places, _ = in_flight(mails)
    verdicts = final_verdicts(guard, places)
    differing = Counter(
        (mail.role, rest["verdict"], flight)
        for mail, rest, flight in zip(mails, said, verdicts, strict=True)
        if (rest["verdict"] == "attack") != (flight == "attack")
    )
    assert not differing


def test_replay_gives_equal_verdicts(tmp_path: Path) -> None:
    """A small replay in received order: no innocent mail is an attack in one and not in the other, and of the
    attacks' own mails at most 2 %: single ones that only hindsight attaches."""
    replay(0.004, 3, tmp_path / "replay", "parquet", evidence="none")
    settings = Settings().changed(workers=1)
    report = uncover(
        [tmp_path / "replay" / "mail.parquet"], tmp_path / "case", settings, Networks.load(tmp_path)
    ).report
    attacks = {doc["id"] for doc in report["campaigns"] if doc["verdict"] == "attack"}
    rest = pq.read_table(tmp_path / "case" / "messages.parquet", columns=["campaign_id"])[
        "campaign_id"
    ].to_pylist()
    mails = pq.read_table(tmp_path / "replay" / "mail.parquet").to_pylist()
    passing = [Passing(str(row["sender"]), row["received_at"].timestamp(), row["raw"]) for row in mails]
    stand = Stand(authserv_ids=["mx1.corp.example"], max_messages=20_000, lure_days=30, single_hours=600)
    places = []
    for number, mail in enumerate(passing):
        delivery = border_cut(mail, number)
        stand.clock = mail.received_at
        trace = trace_of(read_delivery(delivery, (b"mx1.corp.example",)), round(mail.received_at * 1e6))
        finding, _ = stand.guard.state.observe(trace, stand.clock)
        places.append(Place(finding.place, finding.own or finding.group is None))
    verdicts = final_verdicts(stand.guard, places)
    kinds = pq.read_table(tmp_path / "replay" / "truth.parquet", columns=["kind"])["kind"].to_pylist()
    differing = Counter(
        (kind, flight)
        for kind, campaign, flight in zip(kinds, rest, verdicts, strict=True)
        if (campaign in attacks) != (flight == "attack")
    )
    assert attacks
    ours = {"campaign", "botnet", "snowshoe"}
    assert not [pair for pair in differing if pair[0] not in ours], differing
    assert differing.total() <= 0.02 * sum(kind in ours for kind in kinds), differing


def border_cut(mail: Passing, number: int) -> Delivery:
    """A mail of the replay before its border had written in it."""
    message = read_message(RawMail(mail.raw, ""), Border())
    start = mail.raw.index(b"by mx1.")
    end = mail.raw.index(b"\n", start) + 1
    while mail.raw[end : end + 1] in (b" ", b"\t"):
        end = mail.raw.index(b"\n", end) + 1
    top = mail.raw[:end]
    checks = top[top.index(b"Authentication-Results:") : top.rindex(b"Received:")]
    return handed_over(mail, message, checks + mail.raw[end:], f"Q{number}")


def test_facts_are_those_of_a_case(tmp_path: Path) -> None:
    """Counted over the same mails, a tally makes the judge say what it said of the case, to the tenth of a bit."""
    path = next(path for path in STORIES if path.parent.name.startswith("01"))
    mails, said, case = at_rest(told(path), tmp_path)
    for row in pq.read_table(case / "campaigns.parquet").to_pylist():
        if not row["verdict"]:
            continue
        tally = Tally()
        for number, (mail, rest) in enumerate(zip(mails, said, strict=True)):
            if rest["campaign"] == row["campaign_id"]:
                message = read_delivery(delivery_of(mail, number), (BORDER.encode(),))
                tally.add(trace_of(message, round(mail.received_at * 1e6)))
        settings = Settings()
        found = judge(tally.facts(tally.in_waves(settings)), settings)
        assert found.verdict == row["verdict"]
        assert sum(reason.weight for reason in found.reasons) == pytest.approx(row["bits"], abs=0.11)


def test_a_known_campaign_is_known_from_its_first_mail(tmp_path: Path) -> None:
    """With the case of a first wave as its past, a guard recognises the next wave's first mail."""
    post = told(next(path for path in STORIES if path.parent.name.startswith("01")))
    _, _, case = at_rest(post, tmp_path)
    again = Post("the same lure a month later")
    again.wave("later", again.lines.homes(30), at("2014-02-02 08:00"), 20, parcel, engine(7))
    again.everyday(40, at("2014-02-01"), 2)
    known = Known.load(case)
    mails = sorted(again.mails, key=lambda mail: mail.received_at)
    _, _, findings = in_flight(mails, known)
    of_role = {
        role: [f for m, f in zip(mails, findings, strict=True) if m.role == role]
        for role in ("later", "everyday")
    }
    assert all(
        f.certainty is Certainty.KNOWN and f.campaign == known.campaigns[0].id for f in of_role["later"]
    )
    assert all(f.certainty is Certainty.NONE for f in of_role["everyday"])
