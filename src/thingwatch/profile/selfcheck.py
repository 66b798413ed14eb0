"""A profile whose numbers contradict each other is not printed.

The 2014 report said three bursts of 100,000 a day for fifteen days and 750,000 mails in all, and called the
same mails both "sent by things" and "a quarter sent by things". Each check here would have stopped such a page.
"""

from __future__ import annotations

from typing import Any


def check(doc: dict[str, Any]) -> list[dict[str, Any]]:
    """The checks of one campaign's document, each with what was compared."""
    n = doc["messages"]
    in_waves = sum(wave["messages"] for wave in doc["waves"])
    per_source = sum(messages * sources for messages, sources in doc["per_source"]["histogram"])
    sources = sum(count for _, count in doc["per_source"]["histogram"])
    whole_histogram = len(doc["per_source"]["histogram"]) < 400
    lures = sum(lure["messages"] for lure in doc["lures"])
    kinds = sum(doc["targets"]["by_kind"].values())
    auth = sum(doc["authentication"][name] for name in ("pass", "fail", "none", "unknown"))
    shares = [row["share"] for row in doc["counterfactual"]] + [
        r["collateral"] for r in doc["counterfactual"] if r["collateral"]
    ]
    checks = [
        (
            "waves add up",
            in_waves + doc["outside_waves"] == n,
            f"{in_waves:,} in waves and {doc['outside_waves']:,} outside are {n:,} messages.",
        ),
        (
            "waves in order",
            all(a["end"] <= b["start"] for a, b in zip(doc["waves"], doc["waves"][1:], strict=False)),
            "Each wave ends before the next begins.",
        ),
        (
            "sources add up",
            not whole_histogram or sources == doc["sources"],
            f"{sources:,} sources stand in the histogram, {doc['sources']:,} in the headline.",
        ),
        (
            "messages per source add up",
            per_source <= n,
            f"The histogram's sources sent {per_source:,} of {n:,} messages.",
        ),
        (
            "cap holds",
            doc["sources"] * doc["max_per_source"] >= per_source,
            f"{doc['sources']:,} sources times at most {doc['max_per_source']:,} cover {per_source:,} messages.",
        ),
        ("lures fit", lures <= n, f"Lures hold {lures:,} of {n:,} messages."),
        ("recipients add up", kinds == n, f"Kinds of recipient domains add up to {kinds:,}."),
        ("authentication adds up", auth == n, f"Outcomes add up to {auth:,}."),
        (
            "shares are shares",
            all(0 <= s["numerator"] <= max(s["denominator"], 0) and s["low"] <= s["high"] for s in shares),
            "Every numerator lies within its denominator.",
        ),
    ]
    checks += _senders(doc["things"], n)
    return [{"name": name, "passed": bool(passed), "sentence": sentence} for name, passed, sentence in checks]


def _senders(things: dict[str, Any], n: int) -> list[tuple[str, bool, str]]:
    """The checks of what is said about the senders."""
    counts, share, bounds = things["counts"], things["share_of_messages"], things["bounds"]
    identified = counts["identified_things"], counts["identified_others"], counts["unidentified"]
    judged = [row for row in things["origins"] if row["origin"] in ("thing_self", "thing_relay")]
    rungs, origins = (sum(row["messages"] for row in things[name]) for name in ("ladder", "origins"))
    devices = sum(things["by_device_class"].values()) + things["class_not_earned"]
    intervals = [
        share,
        *(row["estimate"] for row in things["origins"]),
        *(row["share"] for row in things["ladder"]),
    ]
    intervals += [*things["ablation"], things["case_control"], things["background"]]
    ordered = [i for i in intervals if i and i["low"] is not None]
    return [
        (
            "senders add up",
            sum(identified) == counts["messages"] and counts["messages"] <= n,
            f"{identified[0]:,} by things, {identified[1]:,} by others and {identified[2]:,} not identified are"
            f" {counts['messages']:,} of {n:,} messages.",
        ),
        (
            "origins add up",
            not things["origins"]
            or (origins == counts["messages"] and sum(row["messages"] for row in judged) == identified[0]),
            f"The origins hold {origins:,} messages.",
        ),
        (
            "ladder adds up",
            not things["ladder"] or rungs == counts["messages"],
            f"The rungs of evidence hold {rungs:,} messages.",
        ),
        (
            "device classes add up",
            not things["origins"] or devices == sum(row["sources"] for row in judged),
            f"{devices:,} sources have a class or have not earned one.",
        ),
        (
            "bounds hold the estimate",
            share["point"] is None or (share["low"] <= bounds["high"] and share["high"] >= bounds["low"]),
            "What cannot be excluded and the estimate overlap.",
        ),
        (
            "intervals are intervals",
            all(
                0 <= i["low"] <= (i["high"] if i["point"] is None else i["point"]) <= i["high"] <= 1
                for i in ordered
            ),
            "Every interval holds its estimate, between nothing and all.",
        ),
        (
            "a point needs senders",
            share["point"] is None or things["status"] == "estimated",
            f"The status is: {things['status']}.",
        ),
    ]
