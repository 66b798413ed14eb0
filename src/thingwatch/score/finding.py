"""What was found of the true campaigns, what was merged, and who was wronged."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import duckdb

from thingwatch.errors import InputError

ATTACKS = ("campaign", "botnet", "snowshoe")
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


Label = Callable[[Row], str | None]


def tally(case: Path, truth: Path) -> list[Row]:
    messages, known = case / "messages.parquet", truth / "truth.parquet"
    for path in (messages, known):
        if not path.exists():
            raise InputError(f"{path}: no such file; give a case folder and the folder of its replay")
    text = resources.files("thingwatch").joinpath("score.sql").read_text("utf-8")
    create_truth, create_found, create_tally = [part for part in text.split(";\n") if part.strip()]
    try:
        with duckdb.connect() as base:
            base.execute(create_truth, {"truth": str(known)})
            # A cluster writes a folder of files.
            base.execute(
                create_found, {"messages": str(messages / "*.parquet" if messages.is_dir() else messages)}
            )
            base.execute(create_tally)
            return [Row(*row) for row in base.execute("FROM tally").fetchall()]
    except duckdb.Error as error:
        raise InputError(f"{case}, {truth}: cannot be compared: {error}") from error


def read_object(path: Path) -> dict[str, object]:
    try:
        read = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    if not isinstance(read, dict):
        raise InputError(f"{path}: must hold one JSON object")
    return read


def campaigns_of(report: dict[str, object]) -> list[dict[str, object]]:
    entries = report.get("campaigns")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError("report.json: campaigns must be a list of objects")
    return entries


def matches_of(
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


def cubed_over(rows: Iterable[Row], true: Label, found: Label, counted: Callable[[Row], bool]) -> Cubed:
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


def lure_id(row: Row) -> str | None:
    # Lures may be numbered per campaign, so the campaign is part of the name.
    return None if row.lure_id is None else f"{row.campaign_id or ''}/{row.lure_id}"


def is_attack(row: Row) -> bool:
    return row.kind in ATTACKS


def innocents_of(rows: Iterable[Row], attacks: set[str]) -> tuple[Innocents, ...]:
    total: Counter[str] = Counter()
    accused: Counter[str] = Counter()
    for row in rows:
        if row.kind is None or is_attack(row):
            continue
        total[row.kind] += row.messages
        if row.campaign_id in attacks:
            accused[row.kind] += row.messages
    return tuple(
        Innocents(kind, n, accused[kind], accused[kind] / n * 1e6) for kind, n in sorted(total.items())
    )


def shared_by(rows: Iterable[Row]) -> list[tuple[str, ...]]:
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


def spans(entry: dict[str, object], place: str) -> list[_Span]:
    waves = entry.get("waves", [])
    try:
        return [_Span(_seconds(w["start"]), _seconds(w["end"]), int(w["messages"])) for w in waves]  # type: ignore[attr-defined]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{place}: a wave needs start, end (ISO times) and messages: {error!r}") from error


def waves_of(true: list[_Span], found: list[_Span]) -> Waves:
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
