"""What was said of the senders, against what really sent: shares of things, origins, devices.

Probabilities are judged by their Brier score and their calibration: of the sources called 70 % likely to be things,
70 % should be. The bins of the reliability table hold equally many sources (docs/measure.md draws it).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from thingwatch.errors import InputError
from thingwatch.score.finding import Match

ORIGINS = ("thing_self", "thing_relay", "nat_pc", "mobile", "server")
THINGS = frozenset({"thing_self", "thing_relay"})
ATTACKS = frozenset({"thing", "botnet", "snowshoe"})  # true campaigns whose senders are measured
BINS = 10
JUDGED = (
    "client_ip",
    "campaign_id",
    "p_thing_self",
    "p_thing_relay",
    "origin",
    "device_class",
    "device_vendor",
)
TRUE = ("client_ip", "campaign", "origin", "device_class", "vendor", "messages")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ThingShare:
    """The share of one true campaign's messages that things sent, and what its best found campaign says of it."""

    name: str
    messages: int  # of the true campaign
    best: str | None  # id of the found campaign; None when nothing of it was found
    status: str  # as the report says; "not assessed" where it says nothing
    true: float
    low: float | None
    point: float | None
    high: float | None
    error_points: float | None  # point less truth, in percentage points
    covered: bool | None  # low to high holds the truth; None without both
    bounded: bool | None  # the bounds that assume nothing hold it


@dataclass(frozen=True, slots=True)
class Bin:
    """Sources whose probability of being a thing is about the same."""

    sources: int
    low: float  # smallest probability in it
    high: float
    said: float  # mean probability
    true: float  # share of things among them


@dataclass(frozen=True, slots=True)
class Senders:
    """What the case says of single sources of the attacks."""

    sources: int  # true sources of the attacks that were found
    unfound: int  # true ones that are not among the sources of their campaign's best found one
    strangers: int  # sources of those found campaigns that are no true ones; not measured
    with_probability: int
    without_probability: int
    brier: float | None  # mean squared error of P(thing)
    calibration_error: float | None  # mean distance of said and true over the bins, weighted by their sources
    reliability: tuple[Bin, ...]
    given: int  # sources given an origin
    coverage: float | None  # of the sources
    right: int  # of those given, with the true origin
    accuracy: float | None
    confusion: dict[str, dict[str, int]]  # true origin -> what was said -> sources
    class_given: int
    class_right: int  # the thing's own class; a class given to what is no thing is wrong
    vendor_given: int
    vendor_right: int


def _table(path: Path, columns: Sequence[str]) -> list[Row] | None:
    """The rows of a Parquet file; None when it is not there or lacks a column, as in what older versions wrote."""
    if not path.is_file():
        return None
    try:
        if not set(columns) <= set(pq.read_schema(path).names):
            return None
        rows: list[Row] = pq.read_table(path, columns=list(columns)).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    return rows


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _fraction(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _holds(low: float | None, high: float | None, true: float) -> bool | None:
    # A truth of 0 is held by an interval that begins at a rounding error above it.
    return None if low is None or high is None else low - 1e-9 <= true <= high + 1e-9


def _share(match: Match, true: float, entry: dict[str, Any]) -> ThingShare:
    things = _object(entry.get("things"))
    said, bounds = _object(things.get("share_of_messages")), _object(things.get("bounds"))
    low, point, high = (_fraction(said.get(name)) for name in ("low", "point", "high"))
    return ThingShare(
        name=match.name,
        messages=match.messages,
        best=match.best,
        status=str(things.get("status", "not assessed")),
        true=true,
        low=low,
        point=point,
        high=high,
        error_points=None if point is None else (point - true) * 100,
        covered=_holds(low, high, true),
        bounded=_holds(_fraction(bounds.get("low")), _fraction(bounds.get("high")), true),
    )


def shares_of(
    truth: Path, matches: Iterable[Match], found: dict[str, dict[str, object]]
) -> tuple[ThingShare, ...] | None:
    """The shares of things of all true attacks; None when the replay holds no truth about its senders.

    *found* are the report's campaigns by id.
    """
    rows = _table(truth / "sources_truth.parquet", TRUE)
    if rows is None:
        return None
    whole: Counter[str] = Counter()
    things: Counter[str] = Counter()
    for row in rows:
        whole[row["campaign"]] += row["messages"]
        if row["origin"] in THINGS:
            things[row["campaign"]] += row["messages"]
    return tuple(
        _share(match, things[match.name] / whole[match.name], found.get(match.best or "", {}))
        for match in matches
        if match.name in ATTACKS and whole[match.name]
    )


def _bins(judged: list[tuple[float, bool]]) -> tuple[Bin, ...]:
    """Equally many sources in each of ten bins, from the least to the most likely things."""
    # By probability alone: among equal ones the truth must not choose the bin.
    ordered = sorted(judged, key=lambda one: one[0])
    count = min(BINS, len(ordered))
    cuts = [len(ordered) * number // count for number in range(count + 1)] if count else []
    bins = []
    for first, end in pairwise(cuts):
        part = ordered[first:end]
        said, true = (sum(one[place] for one in part) / len(part) for place in (0, 1))
        bins.append(Bin(len(part), part[0][0], part[-1][0], said, true))
    return tuple(bins)


def _same(one: str | None, other: str | None) -> bool:
    return bool(one) and bool(other) and str(one).casefold() == str(other).casefold()


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _measured(pairs: list[tuple[Row, Row]], unfound: int, strangers: int) -> Senders:
    """*pairs* of what is true of a source and what the case says of it."""
    judged: list[tuple[float, bool]] = []
    confusion: dict[str, Counter[str]] = defaultdict(Counter)
    given = right = class_given = class_right = vendor_given = vendor_right = 0
    for true, said in pairs:
        thing = true["origin"] in THINGS
        if said["p_thing_self"] is not None and said["p_thing_relay"] is not None:
            judged.append((said["p_thing_self"] + said["p_thing_relay"], thing))
        origin = said["origin"] or "unknown"
        confusion[true["origin"]][origin] += 1
        given += origin in ORIGINS
        right += origin == true["origin"]
        class_given += bool(said["device_class"])
        class_right += thing and _same(said["device_class"], true["device_class"])
        vendor_given += bool(said["device_vendor"])
        vendor_right += thing and _same(said["device_vendor"], true["vendor"])
    bins = _bins(judged)
    count = len(judged)
    return Senders(
        sources=len(pairs),
        unfound=unfound,
        strangers=strangers,
        with_probability=count,
        without_probability=len(pairs) - count,
        brier=sum((p - thing) ** 2 for p, thing in judged) / count if count else None,
        calibration_error=sum(one.sources * abs(one.said - one.true) for one in bins) / count
        if count
        else None,
        reliability=bins,
        given=given,
        coverage=_ratio(given, len(pairs)),
        right=right,
        accuracy=_ratio(right, given),
        confusion={true: dict(sorted(said.items())) for true, said in sorted(confusion.items())},
        class_given=class_given,
        class_right=class_right,
        vendor_given=vendor_given,
        vendor_right=vendor_right,
    )


def senders_of(case: Path, truth: Path, matches: Iterable[Match]) -> Senders | None:
    """The senders of all true attacks as their best found campaigns judge them; None without truth or judgement."""
    true = _table(truth / "sources_truth.parquet", TRUE)
    said = _table(case / "sources.parquet", JUDGED)
    if true is None or said is None:
        return None
    judged = {(str(row["campaign_id"]), row["client_ip"]): row for row in said}
    best = {match.name: match.best for match in matches if match.name in ATTACKS}
    pairs, unfound = [], 0
    met: set[tuple[str, str]] = set()
    for row in true:
        if row["campaign"] not in ATTACKS:
            continue
        place = (str(best.get(row["campaign"])), row["client_ip"])
        if place in judged:
            pairs.append((row, judged[place]))
            met.add(place)
        else:
            unfound += 1
    chosen = {name for name in best.values() if name is not None}
    strangers = sum(1 for place in judged if place[0] in chosen and place not in met)
    return _measured(pairs, unfound, strangers)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _yes(value: bool | None) -> str:
    return {None: "-", True: "yes", False: "no"}[value]


NO_TRUTH = "senders    not measured: the replay holds no sources_truth.parquet; write the replay anew"
NO_SOURCES = (
    "senders    not measured: the case has no sources.parquet that judges them; uncover the mail anew"
)


def share_lines(shares: Iterable[ThingShare]) -> list[str]:
    """The shares of things as a plain table."""
    text = [
        f"{'share of things, by messages':<30}{'true':>7}{'said':>8}{'from':>8}{'to':>8}{'error':>8}"
        f"{'covered':>9}{'bounds':>8}  status"
    ]
    for one in shares:
        error = "-" if one.error_points is None else f"{one.error_points:+.1f}"
        text.append(
            f"{one.name:<30}{_percent(one.true):>7}{_percent(one.point):>8}{_percent(one.low):>8}"
            f"{_percent(one.high):>8}{error:>8}{_yes(one.covered):>9}{_yes(one.bounded):>8}  {one.status}"
        )
    return text


def sender_lines(senders: Senders) -> list[str]:
    """What was said of single sources, as plain lines."""
    text = [
        f"sources    {senders.sources:,} found, {senders.unfound:,} not, {senders.strangers:,} strangers; "
        f"{senders.without_probability:,} without a probability",
        f"origins    {senders.given:,} given ({_percent(senders.coverage)}), {senders.right:,} right "
        f"({_percent(senders.accuracy)})",
        f"devices    class {senders.class_right:,} right of {senders.class_given:,} given, "
        f"vendor {senders.vendor_right:,} of {senders.vendor_given:,}",
    ]
    said = sorted({word for row in senders.confusion.values() for word in row}, key=_by_origin)
    if said:
        text += ["", f"{'true origin':<14}" + "".join(f"{word:>14}" for word in said)]
        for true in sorted(senders.confusion, key=_by_origin):
            row = senders.confusion[true]
            text.append(f"{true:<14}" + "".join(f"{row.get(word, 0):>14,}" for word in said))
    if senders.brier is not None and senders.calibration_error is not None:
        text += [
            "",
            f"P(thing)   Brier score {senders.brier:.4f}, expected calibration error {senders.calibration_error:.4f}",
            f"{'sources':>10}{'from':>8}{'to':>8}{'said':>8}{'true':>8}",
        ]
        text += [
            f"{one.sources:>10,}{one.low:>8.3f}{one.high:>8.3f}{one.said:>8.3f}{one.true:>8.3f}"
            for one in senders.reliability
        ]
    return text


def _by_origin(name: str) -> tuple[int, str]:
    return (ORIGINS.index(name) if name in ORIGINS else len(ORIGINS), name)
