"""Measure a case against the truth of a replay: what was found, who was wronged, and what was said of the senders."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from thingwatch.score.finding import (
    Cubed,
    Innocents,
    Match,
    Waves,
    campaigns_of,
    cubed_over,
    innocents_of,
    is_attack,
    lure_id,
    matches_of,
    read_object,
    shared_by,
    spans,
    tally,
    waves_of,
)
from thingwatch.score.senders import (
    NO_SOURCES,
    NO_TRUTH,
    Senders,
    ThingShare,
    sender_lines,
    senders_of,
    share_lines,
    shares_of,
)

__all__ = ["Score", "as_json", "lines", "score"]

MAIN = "thing"  # the campaign whose waves are measured


@dataclass(frozen=True, slots=True)
class Score:
    """Everything we measure about one case."""

    truth_messages: int
    case_messages: int
    not_in_case: int  # true messages the case never read; they count as put nowhere
    not_in_truth: int  # messages of the case no truth is known for; they count as strangers
    campaigns: tuple[Match, ...]
    cubed: Cubed
    cubed_main: Cubed
    lures: tuple[Match, ...]
    cubed_lures: Cubed
    innocents: tuple[Innocents, ...]
    merges: tuple[tuple[str, ...], ...]  # true campaigns that share a found one
    newsletter_runs: int
    newsletter_runs_apart: int  # of those, runs that share their found campaign with no other true one
    waves: Waves
    things: tuple[ThingShare, ...] | None  # None where the replay holds no truth about its senders
    senders: Senders | None  # None there, and where the case has no sources.parquet


def score(case: Path, truth: Path) -> Score:
    """Measure the case folder *case* against the replay folder *truth*; messages are joined by message id.

    Raises InputError when a file is missing or has another shape.
    """
    rows = tally(case, truth)
    found = {str(entry.get("id")): entry for entry in campaigns_of(read_object(case / "report.json"))}
    real = read_object(truth / "truth.json").get("campaigns")
    main = real.get(MAIN, {}) if isinstance(real, dict) else {}
    campaigns = matches_of(rows, lambda row: row.campaign, lambda row: row.campaign_id, is_attack)
    best = next((match.best for match in campaigns if match.name == MAIN), None)
    shared = shared_by(rows)
    newsletters = {row.campaign for row in rows if row.kind == "newsletter" and row.campaign}
    mixed = {name for names in shared for name in names}
    attacks = {name for name, entry in found.items() if entry.get("verdict") == "attack"}
    return Score(
        truth_messages=sum(row.messages for row in rows if row.known),
        case_messages=sum(row.messages for row in rows if row.read),
        not_in_case=sum(row.messages for row in rows if row.known and not row.read),
        not_in_truth=sum(row.messages for row in rows if row.read and not row.known),
        campaigns=campaigns,
        cubed=cubed_over(rows, lambda row: row.campaign, lambda row: row.campaign_id, is_attack),
        cubed_main=cubed_over(
            rows, lambda row: row.campaign, lambda row: row.campaign_id, lambda row: row.campaign == MAIN
        ),
        lures=matches_of(rows, lambda row: row.lure, lure_id, is_attack),
        cubed_lures=cubed_over(rows, lambda row: row.lure, lure_id, is_attack),
        innocents=innocents_of(rows, attacks),
        merges=tuple(shared),
        newsletter_runs=len(newsletters),
        newsletter_runs_apart=len(newsletters - mixed),
        waves=waves_of(spans(main, "truth.json"), spans(found.get(best or "", {}), "report.json")),
        things=shares_of(truth, campaigns, found),
        senders=senders_of(case, truth, campaigns),
    )


def as_json(measured: Score) -> str:
    """The score as one JSON object, for machines."""
    return json.dumps(asdict(measured), indent=1)


def _row(name: str, messages: int, found: str, precision: float, recall: float) -> str:
    return f"{name:<34}{messages:>10,}{found:>10}   {precision:8.2%} {recall:8.2%}"


def _number(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.1f} {unit}"


def lines(measured: Score) -> list[str]:
    """The score as a plain table, for people."""
    text = [
        f"messages   {measured.truth_messages:,} true, {measured.case_messages:,} in the case; "
        f"{measured.not_in_case:,} not in the case, {measured.not_in_truth:,} not in the truth",
        "",
        f"{'campaign':<34}{'messages':>10}{'found':>10}  precision   recall",
    ]
    for match in measured.campaigns:
        text.append(_row(match.name, match.messages, f"{match.found:,}", match.precision, match.recall))
    for name, cubed in (("B-cubed, all attacks", measured.cubed), (f"B-cubed, {MAIN}", measured.cubed_main)):
        text.append(_row(name, cubed.messages, "", cubed.precision, cubed.recall))
    text += ["", f"{'lure':<34}{'messages':>10}{'found':>10}  precision   recall"]
    for match in measured.lures:
        text.append(_row(match.name, match.messages, f"{match.found:,}", match.precision, match.recall))
    cubed = measured.cubed_lures
    text.append(_row("B-cubed, lures of attacks", cubed.messages, "", cubed.precision, cubed.recall))
    text += ["", f"{'other mail':<34}{'messages':>10}{'accused':>10}  per million"]
    for kind in measured.innocents:
        text.append(f"{kind.kind:<34}{kind.messages:>10,}{kind.accused:>10,}  {kind.per_million:11,.0f}")
    waves = measured.waves
    text += [
        "",
        f"waves      {waves.found} of {waves.true} found, {waves.missed} missed, {waves.invented} invented; "
        f"worst edge {_number(waves.worst_edge_minutes, 'min')}, "
        f"worst size {_number(waves.worst_size_percent, '%')}",
        f"newsletters {measured.newsletter_runs_apart} of {measured.newsletter_runs} runs stand apart",
        f"merges     {len(measured.merges)}"
        + "".join(f"\n           {', '.join(names)}" for names in measured.merges),
    ]
    if measured.things is None:
        text += ["", NO_TRUTH]
    else:
        text += ["", *share_lines(measured.things), ""]
        text += [NO_SOURCES] if measured.senders is None else sender_lines(measured.senders)
    return "\n".join(text).split("\n")
