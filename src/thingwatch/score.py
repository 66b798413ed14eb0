"""Measure a case against the truth of a replay: what was found, what was merged, who was wronged."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import duckdb

from thingwatch.errors import InputError

__all__ = ["Score", "as_json", "lines", "score"]

ATTACKS = ("campaign", "botnet", "snowshoe")
MAIN = "thing"  # the campaign whose waves are measured
SHARED = 0.1  # of its messages, from which on a true campaign counts as part of a found one


class Row(NamedTuple):
    """Messages with the same truth and the same finding."""

    kind: str | None
    campaign: str | None
    lure: str | None
    campaign_id: str | None
    lure_id: str | None
    known: bool  # the truth has them
    read: bool  # the case has them
    messages: int


@dataclass(frozen=True, slots=True)
class Match:
    """One true campaign or lure, and the found one that holds most of it."""

    name: str
    messages: int
    best: str | None  # None when no message of it was put anywhere
    found: int  # of its messages, those in best
    precision: float  # of best's messages, those that are its own; 0 when nothing was found
    recall: float


@dataclass(frozen=True, slots=True)
class Cubed:
    """B-cubed averages over messages (Bagga and Baldwin, 1998); a message put nowhere is alone."""

    messages: int
    precision: float
    recall: float


@dataclass(frozen=True, slots=True)
class Innocents:
    """Mail of one other kind, and how much of it stands in campaigns called attacks."""

    kind: str
    messages: int
    accused: int
    per_million: float


@dataclass(frozen=True, slots=True)
class Waves:
    """The main campaign's true waves against those of its best found campaign."""

    true: int
    found: int
    missed: int
    invented: int
    worst_edge_minutes: float | None  # None when no wave was found
    worst_size_percent: float | None


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


Label = Callable[[Row], str | None]


def _tally(case: Path, truth: Path) -> list[Row]:
    messages, known = case / "messages.parquet", truth / "truth.parquet"
    for path in (messages, known):
        if not path.is_file():
            raise InputError(f"{path}: no such file; give a case folder and the folder of its replay")
    text = resources.files("thingwatch").joinpath("score.sql").read_text("utf-8")
    create_truth, create_found, create_tally = [part for part in text.split(";\n") if part.strip()]
    try:
        with duckdb.connect() as base:
            base.execute(create_truth, {"truth": str(known)})
            base.execute(create_found, {"messages": str(messages)})
            base.execute(create_tally)
            return [Row(*row) for row in base.execute("FROM tally").fetchall()]
    except duckdb.Error as error:
        raise InputError(f"{case}, {truth}: cannot be compared: {error}") from error


def _read(path: Path) -> dict[str, object]:
    try:
        read = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    if not isinstance(read, dict):
        raise InputError(f"{path}: must hold one JSON object")
    return read


def _campaigns_of(report: dict[str, object]) -> list[dict[str, object]]:
    entries = report.get("campaigns")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError("report.json: campaigns must be a list of objects")
    return entries


def _matches(
    rows: Iterable[Row], true: Label, found: Label, counted: Callable[[Row], bool]
) -> tuple[Match, ...]:
    held: dict[str, Counter[str | None]] = defaultdict(Counter)
    whole: Counter[str] = Counter()
    for row in rows:
        label, cluster = true(row), found(row)
        if cluster is not None:
            whole[cluster] += row.messages
        if label is not None and counted(row):
            held[label][cluster] += row.messages
    matches = []
    for label, clusters in held.items():
        total = clusters.total()
        named = sorted(
            ((n, name) for name, n in clusters.items() if name is not None), key=lambda one: (-one[0], one[1])
        )
        best, n = (named[0][1], named[0][0]) if named else (None, 0)
        matches.append(Match(label, total, best, n, n / whole[best] if best is not None else 0.0, n / total))
    return tuple(sorted(matches, key=lambda match: (-match.messages, match.name)))


def _cubed(rows: Iterable[Row], true: Label, found: Label, counted: Callable[[Row], bool]) -> Cubed:
    cell: Counter[tuple[str, str | None]] = Counter()
    whole: Counter[str] = Counter()
    size: Counter[str] = Counter()
    for row in rows:
        label, cluster = true(row), found(row)
        if cluster is not None:
            whole[cluster] += row.messages
        if label is not None and counted(row):
            cell[label, cluster] += row.messages
            size[label] += row.messages
    total = size.total()
    precision = recall = 0.0
    for (label, cluster), n in cell.items():
        # Alone means a cluster of one: all of it is right, and one message of the label is in it.
        precision += n if cluster is None else n * n / whole[cluster]
        recall += n / size[label] if cluster is None else n * n / size[label]
    return Cubed(total, precision / total if total else 0.0, recall / total if total else 0.0)


def _lure_id(row: Row) -> str | None:
    # Lures may be numbered per campaign, so the campaign is part of the name.
    return None if row.lure_id is None else f"{row.campaign_id or ''}/{row.lure_id}"


def _is_attack(row: Row) -> bool:
    return row.kind in ATTACKS


def _innocents(rows: Iterable[Row], attacks: set[str]) -> tuple[Innocents, ...]:
    total: Counter[str] = Counter()
    accused: Counter[str] = Counter()
    for row in rows:
        if row.kind is None or _is_attack(row):
            continue
        total[row.kind] += row.messages
        if row.campaign_id in attacks:
            accused[row.kind] += row.messages
    return tuple(
        Innocents(kind, n, accused[kind], accused[kind] / n * 1e6) for kind, n in sorted(total.items())
    )


def _shared(rows: Iterable[Row]) -> list[tuple[str, ...]]:
    """For each found campaign that holds a tenth or more of several true ones: their names."""
    cell: Counter[tuple[str, str]] = Counter()
    size: Counter[str] = Counter()
    for row in rows:
        if row.campaign is None:
            continue
        size[row.campaign] += row.messages
        if row.campaign_id is not None:
            cell[row.campaign_id, row.campaign] += row.messages
    inside: dict[str, list[str]] = defaultdict(list)
    for (cluster, label), n in cell.items():
        if n >= SHARED * size[label]:
            inside[cluster].append(label)
    return sorted(tuple(sorted(labels)) for labels in inside.values() if len(labels) > 1)


class _Span(NamedTuple):
    start: float  # seconds since 1970
    end: float
    messages: int


def _seconds(text: object) -> float:
    moment = datetime.fromisoformat(str(text))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _spans(entry: dict[str, object], place: str) -> list[_Span]:
    waves = entry.get("waves", [])
    try:
        return [_Span(_seconds(w["start"]), _seconds(w["end"]), int(w["messages"])) for w in waves]  # type: ignore[attr-defined]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{place}: a wave needs start, end (ISO times) and messages: {error!r}") from error


def _waves(true: list[_Span], found: list[_Span]) -> Waves:
    overlaps = []
    for i, a in enumerate(true):
        for j, b in enumerate(found):
            common = min(a.end, b.end) - max(a.start, b.start)
            if common >= 0:
                overlaps.append((-common, i, j))
    partner: dict[int, int] = {}
    for _, i, j in sorted(overlaps):
        if i not in partner and j not in partner.values():
            partner[i] = j
    edges, sizes = [], []
    for i, j in partner.items():
        a, b = true[i], found[j]
        edges.append(max(abs(a.start - b.start), abs(a.end - b.end)) / 60)
        sizes.append(abs(a.messages - b.messages) / a.messages * 100)
    return Waves(
        true=len(true),
        found=len(partner),
        missed=len(true) - len(partner),
        invented=len(found) - len(partner),
        worst_edge_minutes=max(edges, default=None),
        worst_size_percent=max(sizes, default=None),
    )


def score(case: Path, truth: Path) -> Score:
    """Measure the case folder *case* against the replay folder *truth*; messages are joined by message id.

    Raises InputError when a file is missing or has another shape.
    """
    rows = _tally(case, truth)
    found = {str(entry.get("id")): entry for entry in _campaigns_of(_read(case / "report.json"))}
    real = _read(truth / "truth.json").get("campaigns")
    main = real.get(MAIN, {}) if isinstance(real, dict) else {}
    campaigns = _matches(rows, lambda row: row.campaign, lambda row: row.campaign_id, _is_attack)
    best = next((match.best for match in campaigns if match.name == MAIN), None)
    shared = _shared(rows)
    newsletters = {row.campaign for row in rows if row.kind == "newsletter" and row.campaign}
    mixed = {name for names in shared for name in names}
    attacks = {name for name, entry in found.items() if entry.get("verdict") == "attack"}
    return Score(
        truth_messages=sum(row.messages for row in rows if row.known),
        case_messages=sum(row.messages for row in rows if row.read),
        not_in_case=sum(row.messages for row in rows if row.known and not row.read),
        not_in_truth=sum(row.messages for row in rows if row.read and not row.known),
        campaigns=campaigns,
        cubed=_cubed(rows, lambda row: row.campaign, lambda row: row.campaign_id, _is_attack),
        cubed_main=_cubed(
            rows, lambda row: row.campaign, lambda row: row.campaign_id, lambda row: row.campaign == MAIN
        ),
        lures=_matches(rows, lambda row: row.lure, _lure_id, _is_attack),
        cubed_lures=_cubed(rows, lambda row: row.lure, _lure_id, _is_attack),
        innocents=_innocents(rows, attacks),
        merges=tuple(shared),
        newsletter_runs=len(newsletters),
        newsletter_runs_apart=len(newsletters - mixed),
        waves=_waves(_spans(main, "truth.json"), _spans(found.get(best or "", {}), "report.json")),
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
    return "\n".join(text).split("\n")
