"""Work out what the page says of who sent a campaign, before it is drawn: readings, rows, advice.

Shares are of messages unless a row says addresses or sources; the two are never put on one bar.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from thingwatch.act import drawing
from thingwatch.act.glossary import CLASSES, FAMILIES, ORIGINS, PIECES, RUNGS, Origin
from thingwatch.act.wording import at_most, between, count, estimate, outward, percent, plural, whole

MAX_DEVICES = 40  # rows of vendors and models
MAX_EXAMPLES = 3
MAX_PIECES = 24  # rows of one waterfall; a source has seldom more than ten
MAX_CURES = 40
MAX_WARNINGS = 3  # told on the first screen; all stand in section 8
CAP_BITS = 5.6  # of one piece and of one kind of evidence: fifty to one
LITTLE = 0.3  # coverage below which a kind of evidence is worth asking for
ATTACKERS = ("attack", "unsure")  # verdicts whose senders are weighed

_WHAT_ANSWERS = "what answers at an address is not always what sent from it"


class Reading(NamedTuple):
    """One row of "How much did things send?": the readings stand together, never one alone."""

    name: str
    remark: str
    value: str
    verdict: str  # "" or what is to be thought of the value, which is then struck out
    drawn: Markup


class Piece(NamedTuple):
    """One row of the waterfall of an example source."""

    evidence: dict[str, Any]
    start: float  # bits already on the scale


class Example(NamedTuple):
    """One source weighed piece by piece."""

    source: dict[str, Any]
    origin: Origin
    right: Origin  # the story that bits above zero speak for
    left: Origin
    pieces: list[Piece]
    likely: str  # what it is, over all origins


class Examples(NamedTuple):
    """The example sources, on one scale in bits."""

    shown: list[Example]
    low: float
    high: float


class Left(NamedTuple):
    """The share of things with one family of evidence left out."""

    words: str
    share: dict[str, Any]


class Ablation(NamedTuple):
    """Whether the finding rests on one kind of evidence."""

    rows: list[Left]
    top: float  # end of the axis
    labels: tuple[str, str, str]
    sentence: str


def assessed(things: dict[str, Any]) -> bool:
    """Return whether anything was asked about the senders."""
    return bool(things["status"] != "not assessed")


def heading(things: dict[str, Any]) -> str:
    """Return the words of section 4."""
    return f"Who sent it: {_WHAT_ANSWERS if assessed(things) else 'not assessed'}"


def in_short(things: dict[str, Any]) -> str:
    """Return the share in a cell: the estimate, else what cannot be excluded, else that it was not asked."""
    if things["status"] in ("estimated", "at most"):
        return estimate(things["share_of_messages"])
    return estimate({**things["bounds"], "point": None}) if assessed(things) else "not assessed"


def class_words(name: str | None) -> str:
    """Return a device class in plain words; an unknown name stays as it is."""
    return CLASSES.get(name or "", name or "")


def piece_words(what: str) -> str:
    """Return what a piece of evidence is in plain words; an unknown one stays as it is."""
    return PIECES.get(what, what)


def part(number: float, of: float) -> float:
    """Return a share, 0 of nothing."""
    return number / of if of else 0.0


def readings(things: dict[str, Any]) -> list[Reading]:
    """Return the readings of the share of things, the best first and the tempting wrong one last."""
    counts, bounds = things["counts"], {**things["bounds"], "point": None}
    singly, unknown = (
        percent(part(counts[name], counts["messages"])) for name in ("identified_things", "unidentified")
    )
    rows = [
        _best(things),
        Reading(
            "Cannot be excluded",
            f"{singly} identified as things, {unknown} not identified",
            between(bounds["low"], bounds["high"]),
            "",
            drawing.interval(bounds, "cT"),
        ),
    ]
    control = things["case_control"]
    if control:
        cases, controls = control["cases"], control["controls"]
        rows.append(
            Reading(
                "At least, against neighbours",
                f"of addresses: {count(cases['seen'])} sources, {count(controls['seen'])} neighbours",
                lower_bound(control),
                "",
                drawing.interval(control, "cT", hollow=True),
            )
        )
    naive = things["naive_by_banner"]
    if naive is not None:
        of = f"of {count(things['naive']['messages_named'])} messages; " if things["naive"] else ""
        rows.append(
            Reading(
                "By banner alone",
                f"{of}the front, not the sender",
                f"{whole(naive)} %",
                banner_verdict(things),
                drawing.cross(naive),
            )
        )
    return rows


def _best(things: dict[str, Any]) -> Reading:
    share, counts = things["share_of_messages"], things["counts"]
    if things["status"] in ("estimated", "at most"):
        remark = "all evidence weighed" if things["status"] == "estimated" else "too near zero for a point"
        return Reading("Best estimate", remark, estimate(share), "", drawing.interval(share, "cT"))
    covered = percent(part(counts["with_sender_evidence"], counts["messages"]))
    remark = f"evidence about the sender for {covered} only"
    value = "no estimate" if things["status"] == "bounds only" else things["status"]
    if things["status"] == "cannot tell":
        remark = "only what the mail’s own headers say"
    return Reading("Best estimate", remark, value, "", drawing.unknown_bar())


def lower_bound(control: dict[str, Any]) -> str:
    """Return what the comparison with neighbours shows: "≥ 19 % [16, 22]", or that it shows nothing."""
    low, high = outward(max(0.0, control["low"]), max(0.0, control["high"]))
    if control["low"] < 0.01:
        return f"none shown [{low}, {high}]"
    return f"≥ {whole(control['point'])} % [{low}, {high}]"


def banner_verdict(things: dict[str, Any]) -> str:
    """Return "wrong" where the reading by banner lies outside what is possible or likely, else "unsafe"."""
    share, naive = things["share_of_messages"], things["naive_by_banner"]
    within = share if things["status"] in ("estimated", "at most") else things["bounds"]
    low, high = outward(within["low"], within["high"])
    return "unsafe" if low <= whole(naive) <= high else "wrong"


def claims(things: dict[str, Any]) -> list[tuple[str, str]]:
    """Return how sure the answer is, as pairs of a claim and what it rests on."""
    counts, status = things["counts"], things["status"]
    share, messages = things["share_of_messages"], counts["messages"]
    if status not in ("estimated", "at most"):
        return [(f"Which share things sent: {status}.", things["sentence"])]
    covered = percent(part(counts["with_sender_evidence"], messages))
    basis = f"with evidence about the sender for {covered} of the messages."
    if status == "estimated":
        low, high = outward(share["low"], share["high"])
        said = [(f"How much things sent: likely {whole(share['point'])} %,", f"{low} to {high} %, {basis}")]
    else:
        said = [("That things took part: not shown.", f"{at_most(share['high']).capitalize()}, {basis}")]
    blank = part(counts["unidentified"], messages)
    if blank:
        often = "often not" if blank >= 0.25 else "mostly known"
        said.append(
            (
                f"Which source in particular: {often}.",
                f"For {percent(blank)} of the messages this evidence does not say what sent them.",
            )
        )
    if things["rests_on_banners"]:
        said.append(
            ("It rests on banners.", "Without them the share moves by more than 10 points (section 4).")
        )
    control = things["case_control"]
    if control and control["low"] > share["high"]:
        said.append(
            (
                "Two estimators disagree.",
                f"Against their neighbours at least {whole(control['low'])} % of addresses are things; see 4.",
            )
        )
    return said


def asks(campaign: dict[str, Any]) -> list[Markup]:
    """Return what to collect so that the next reading can say more, most useful first."""
    things = campaign["things"]
    counts = things["counts"]
    if campaign["verdict"] not in ATTACKERS or things["status"] in ("estimated", "at most"):
        return []
    said: list[Markup] = []
    if part(counts["with_sender_evidence"], counts["messages"]) < LITTLE:
        said.append(
            Markup(
                "To learn what sent it: at the border, log the TCP SYN of each SMTP connection (p0f, MuonFP or "
                "Zeek) before the next wave, and give the log with <code>--evidence</code>."
            )
        )
    if part(counts["with_front_evidence"], counts["messages"]) < LITTLE:
        said.append(
            Markup(
                "Collect scan reports and proxy lists of these networks from the days of the waves: they say what "
                "answers there, and what their neighbours show."
            )
        )
    return said


def notices(campaign: dict[str, Any]) -> list[str]:
    """Return whom to tell: the networks of things, and those of computers, which need another advice."""
    things = campaign["things"]
    sources = {row["origin"]: row["sources"] for row in things["origins"]}
    found = sources.get("thing_self", 0) + sources.get("thing_relay", 0)
    said: list[str] = []
    if found:
        known = things["by_network"]
        listed = [known.get(str(row["asn"]), {"things": 0}) for row in campaign["spread"]["by_asn"]]
        having = sum(1 for row in listed if row["things"])
        where = (
            f" {count(having)} of the {plural(len(listed), 'largest network')} have some." if having else ""
        )
        said.append(
            f"Tell the networks of the {plural(found, 'source')} judged to be things, by origin in "
            f"sources.parquet.{where} What owner and provider can do stands in section 4."
        )
    if sources.get("nat_pc"):
        said.append(
            f"Tell the networks of the {plural(sources['nat_pc'], 'source')} judged a PC behind a router that a "
            "computer there needs cleaning. The router is not to blame."
        )
    return said


def ladder(things: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return the rungs of evidence, weakest first: (name, remark, row)."""
    return [(row["rung"].capitalize(), RUNGS.get(row["rung"], ""), row) for row in things["ladder"]]


def classes(things: dict[str, Any]) -> list[tuple[str, int]]:
    """Return device classes with their sources, most first."""
    found = sorted(things["by_device_class"].items(), key=lambda pair: (-pair[1], pair[0]))
    return [(class_words(name), sources) for name, sources in found]


def decades(things: dict[str, Any]) -> int:
    """Return how many powers of ten a log axis needs for the device classes; at least two."""
    most = max([*things["by_device_class"].values(), things["class_not_earned"], 1])
    return max(2, math.ceil(math.log10(most)))


def ablation(things: dict[str, Any]) -> Ablation:
    """Return the share with each family of evidence left out, on the smallest axis that holds all."""
    share = things["share_of_messages"]
    rows = [Left(f"without {FAMILIES.get(row['family'], row['family'])}", row) for row in things["ablation"]]
    highest = max([row["high"] or 0.0 for row in (share, *things["ablation"])])
    top = next(end for end in (20, 40, 60, 80, 100) if 100 * highest <= end or end == 100)
    return Ablation(rows, top / 100, ("0", str(top // 2), f"{top} %"), _rests_on(things))


def _rests_on(things: dict[str, Any]) -> str:
    share = things["share_of_messages"]
    if things["rests_on_banners"]:
        return (
            "The finding rests on banners: left out, they move it by more than 10 points, and a banner names the "
            "front, not the sender."
        )
    known = [row for row in things["ablation"] if row["point"] is not None]
    if share["point"] is None or not known:
        return ""
    far = max(known, key=lambda row: abs(row["point"] - share["point"]))
    if whole(far["point"]) == whole(share["point"]):
        return "No kind of evidence, left out, moves it by a whole per cent."
    name = FAMILIES.get(far["family"], far["family"])
    return f"Leaving out {name} moves it most, to {whole(far['point'])} %."


def examples(things: dict[str, Any]) -> Examples:
    """Return the example sources with their steps, and one axis around nought for all of them."""
    shown: list[Example] = []
    reach = 4.0
    for source in things["examples"][:MAX_EXAMPLES]:
        at = source["start_bits"]
        reach = max(reach, abs(at))
        pieces: list[Piece] = []
        for evidence in source["pieces"][:MAX_PIECES]:
            pieces.append(Piece(evidence, at))
            at += evidence["bits"]
            reach = max(reach, abs(at))
        reach = max(reach, abs(source["sum_bits"]))
        right, left = (ORIGINS[name] for name in source["against"].split(" against "))
        shown.append(Example(source, ORIGINS[source["origin"]], right, left, pieces, _likely(source["p"])))
    end = 4.0 * math.ceil(reach / 4)
    return Examples(shown, -end, end)


def _likely(chances: dict[str, float]) -> str:
    found = sorted(chances.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{ORIGINS[name].inline} {percent(p)}" for name, p in found if p >= 0.005)


def age(days: float | None) -> str:
    """Return how old a piece of evidence was when the mail came: "2 days before", "3 h after"."""
    if days is None:
        return ""
    side = "before" if days >= 0 else "after"
    hours = abs(days) * 24
    if hours < 1:
        return "about the same hour"
    return f"{round(hours)} h {side}" if hours < 36 else f"{plural(round(hours / 24), 'day')} {side}"


def cures(things: dict[str, Any], *, computer: bool) -> list[dict[str, Any]]:
    """Return the exposures of things, or with *computer* those of the PCs behind them; most sources first."""
    found = [row for row in things["exposures"] if (row["name"] == "compromised_pc") is computer]
    return sorted(found, key=lambda row: -row["sources"])[:MAX_CURES]


def warnings(report: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return every warning about a file of evidence, of most rows first: (path, warning)."""
    found = [(file["path"], warning) for file in report["evidence"]["files"] for warning in file["warnings"]]
    return sorted(found, key=lambda pair: -pair[1]["rows"])


def skips(found: dict[str, int], limit: int = 6) -> str:
    """Return skipped rows by reason on one line, most first."""
    ordered: Sequence[tuple[str, int]] = sorted(found.items(), key=lambda pair: -pair[1])
    said = ", ".join(f"{name} {count(rows)}" for name, rows in ordered[:limit])
    more = len(ordered) - limit
    return f"{said}, and {plural(more, 'more reason')}" if more > 0 else said
