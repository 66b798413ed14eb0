"""The sentences a report opens with, written from its numbers."""

from __future__ import annotations

from typing import Any

from thingwatch.config import Settings

RANK = {"attack": 0, "unsure": 1, "bulk": 2}


def sentence_of(document: dict[str, Any], verdict: str, kind: str) -> str:
    """One campaign in a sentence."""
    n, sources, cap = document["messages"], document["sources"], document["max_per_source"]
    waves = len(document["waves"])
    start, end = (document["first_seen"] or "")[:10], (document["last_seen"] or "")[:10]
    when = f"on {start}" if start == end else f"{start} to {end}"
    rhythm = f", in {waves} wave{'s' if waves != 1 else ''}" if waves else ""
    if verdict == "attack":
        return (
            f"{n:,} messages from {sources:,} sources, none of which sent more than {cap:,}{rhythm}, {when}."
        )
    what = "Too little to tell what it is" if verdict == "unsure" else f"No distributed attack ({kind})"
    return f"{what}: {n:,} messages from {sources:,} source{'s' if sources != 1 else ''}{rhythm}, {when}."


def headline(report: dict[str, Any]) -> str:
    """The whole run in a sentence or two."""
    totals = report["totals"]
    days = [(report["input"][name] or "")[:10] for name in ("first_seen", "last_seen")]
    when = "time unknown" if not all(days) else f"on {days[0]}" if days[0] == days[1] else " to ".join(days)
    mails = f"{totals['messages']:,} mail{'s' if totals['messages'] != 1 else ''}"
    attacks = [doc for doc in report["campaigns"] if doc["verdict"] == "attack"]
    if not attacks:
        return f"No attack campaign in {mails}, {when}."
    largest = attacks[0]
    part = largest["messages"] / max(1, totals["messages"])
    lead = "One attack campaign" if len(attacks) == 1 else f"{len(attacks)} attack campaigns"
    waves = len(largest["waves"])
    rhythm = f" in {waves} waves" if waves > 1 else ""
    which = "," if len(attacks) == 1 else "; the largest:"
    return (
        f"{lead} in {mails}, {when}{which} {largest['messages']:,} messages ({part:.0%})"
        f" from {largest['sources']:,} sources{rhythm},"
        f" none of which sent more than {largest['max_per_source']:,}."
    )


def smallest_seen(settings: Settings) -> dict[str, Any]:
    """How small a campaign this run would still have seen."""
    return {
        "messages": settings.min_messages,
        "sources": settings.attack_sources,
        "sentence": f"Groups of {settings.min_messages} alike messages are reported; an attack must show at least"
        f" {settings.attack_sources} sources.",
    }
