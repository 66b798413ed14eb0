"""Work out what the page says of one campaign before it is drawn: rows, scales, sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from thingwatch.act.drawing import top_of
from thingwatch.act.wording import all_mails, instant, plural, seconds_between

MAX_MULTIPLES = 10  # waves drawn one by one; with more of them only the eight largest are
LARGEST_MULTIPLES = 8
MAX_WAVE_ROWS = 60  # of the table of waves; beyond, years are the rows
SHORT_READING = 2 * 3600  # seconds of mail below which a wave may be cut off on both sides
MAX_LURES = 8  # drawn with a specimen; the rest is a table
MAX_LURE_ROWS = 40
MAX_KEYS = 24  # of the readable signature, strongest first; the rest is in keys.parquet

COLOURS = {"attack": "cA", "unsure": "cU", "bulk": "cB"}


class Piece(NamedTuple):
    """One row of the waterfall of reasons."""

    reason: dict[str, Any]
    start: float  # bits already on the scale


class Waterfall(NamedTuple):
    """The reasons of a campaign in bits, strongest first, and the axis that holds them."""

    pieces: list[Piece]
    total: float
    low: float
    high: float


class WaveView(NamedTuple):
    """One wave as drawn: its bins out of the campaign's series."""

    wave: dict[str, Any]
    counts: list[int]


class Waves(NamedTuple):
    """The waves that get a drawing of their own, on one scale."""

    drawn: list[WaveView]
    longest: int  # bins
    top: float  # messages in a bin
    left_out: int


def failed_checks(campaign: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the self-checks that *campaign* did not pass; with any, its profile is not printed."""
    return [check for check in campaign["self_check"] if not check["passed"]]


def drawn_campaigns(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the campaigns that get sections 2 to 6: the attacks, or without any the unsure ones."""
    for verdict in ("attack", "unsure"):
        found = [campaign for campaign in report["campaigns"] if campaign["verdict"] == verdict]
        if found:
            return found
    return []


def waterfall(reasons: Sequence[dict[str, Any]]) -> Waterfall:
    """Return *reasons* as steps of a waterfall; what speaks against comes last."""
    pieces: list[Piece] = []
    at, low, high = 0.0, 0.0, 4.0
    for reason in sorted(reasons, key=lambda r: -r["weight"]):
        pieces.append(Piece(reason, at))
        at += reason["weight"]
        low, high = min(low, at), max(high, at)
    grain = max(1, math.ceil((high - low) / 4))
    low = grain * math.floor(low / grain)
    return Waterfall(pieces, at, low, max(low + 4 * grain, grain * math.ceil(high / grain)))


def waves_drawn(campaign: dict[str, Any]) -> Waves:
    """Return the waves to draw one by one, cut out of the campaign's bins, in order of time."""
    series, waves = campaign["series"], campaign["waves"]
    chosen = waves
    if len(waves) > MAX_MULTIPLES:
        largest = sorted(waves, key=lambda w: -w["messages"])[:LARGEST_MULTIPLES]
        chosen = sorted(largest, key=lambda w: w["number"])
    start = instant(series["start"])
    views: list[WaveView] = []
    for wave in chosen:
        first, end = instant(wave["start"]), instant(wave["end"])
        if not start or not first or not end or not series["campaign"]:
            continue
        low = int((first - start).total_seconds() // series["bin_seconds"])
        high = int((end - start).total_seconds() // series["bin_seconds"]) + 1
        views.append(WaveView(wave, series["campaign"][max(0, low) : max(1, high)]))
    longest = max((len(view.counts) for view in views), default=1)
    top = top_of(max((max(view.counts, default=0) for view in views), default=0))
    return Waves(views, longest, top, len(waves) - len(views))


def spans_years(campaign: dict[str, Any]) -> bool:
    """Return whether a day and a month do not tell when a wave of *campaign* was."""
    return seconds_between(campaign["first_seen"], campaign["last_seen"]) > 330 * 86_400


def wave_years(waves: Sequence[dict[str, Any]]) -> list[dict[str, int]]:
    """Return one row a year, for campaigns of so many waves that nobody reads them singly."""
    years: dict[int, dict[str, int]] = {}
    for wave in waves:
        at = instant(wave["start"])
        if at:
            row = years.setdefault(at.year, {"year": at.year, "waves": 0, "messages": 0, "largest": 0})
            row["waves"] += 1
            row["messages"] += wave["messages"]
            row["largest"] = max(row["largest"], wave["messages"])
    return [years[year] for year in sorted(years)]


def single_blocks(campaign: dict[str, Any]) -> list[tuple[str, str, int]]:
    """Return what the best single block would hit: (name, remark, messages), narrowest first."""
    spread = campaign["spread"]
    rows = [("The busiest source", "one address blocked", campaign["max_per_source"])]
    if spread["by_asn"]:
        most = max(spread["by_asn"], key=lambda row: row["messages"])
        rows.append(
            ("The busiest network", f"AS{most['asn']}, {most['sources']:,} sources", most["messages"])
        )
    if spread["by_country"]:
        most = max(spread["by_country"], key=lambda row: row["messages"])
        rows.append(
            ("The busiest country", f"{most['country']}, {most['sources']:,} sources", most["messages"])
        )
    return rows


def cut_short(report: dict[str, Any]) -> bool:
    """Return whether so little time was read that a wave may be only partly seen."""
    seconds = seconds_between(report["input"]["first_seen"], report["input"]["last_seen"])
    return 0 < seconds < SHORT_READING


def strip(report: dict[str, Any]) -> list[tuple[str, int, str]]:
    """Return all mail read as parts of one strip: (name, messages, colour), the rest last."""
    parts: list[tuple[str, int, str]] = []
    for verdict, colour in (("attack", "cA"), ("unsure", "hat"), ("bulk", "cB")):
        found = [c for c in report["campaigns"] if c["verdict"] == verdict]
        singly = found[:4] if verdict == "attack" else []
        parts += [(c["id"], c["messages"], colour) for c in singly]
        rest = found[len(singly) :]
        if rest:
            name = f"{len(rest):,} {verdict}" if verdict != "attack" else plural(len(rest), "more attack")
            parts.append((name, sum(c["messages"] for c in rest), colour))
    alone = all_mails(report) - sum(messages for _, messages, _ in parts)
    return [*parts, ("no campaign", max(0, alone), "none")]
