"""The sentences a report opens with, written from its numbers."""

from __future__ import annotations

from typing import Any

from thingwatch.act.wording import all_mails, at_most, outward, percent, whole
from thingwatch.config import Settings

RANK = {"attack": 0, "unsure": 1, "bulk": 2}


def sentence_of(document: dict[str, Any], verdict: str, kind: str) -> str:
    """One campaign in a sentence or two."""
    n, sources, cap = document["messages"], document["sources"], document["max_per_source"]
    waves = len(document["waves"])
    start, end = (document["first_seen"] or "")[:10], (document["last_seen"] or "")[:10]
    when = f"on {start}" if start == end else f"{start} to {end}"
    rhythm = f", in {waves} wave{'s' if waves != 1 else ''}" if waves else ""
    things = _things_in_short(document["things"], "it")
    if verdict == "attack":
        return (
            f"{n:,} messages from {sources:,} sources, none of which sent more than {cap:,}{rhythm},"
            f" {when}.{things}"
        )
    what = "Too little to tell what it is" if verdict == "unsure" else f"No distributed attack ({kind})"
    return f"{what}: {n:,} messages from {sources:,} source{'s' if sources != 1 else ''}{rhythm}, {when}.{things}"


def things_sentence(things: dict[str, Any], messages: int) -> str:
    """What can be said of the share that things sent and what cannot, for every status."""
    of = f"the {messages:,} message{'s' if messages != 1 else ''}"
    share, possible = things["share_of_messages"], _possible(things["bounds"])
    assuming_nothing = f"Assuming nothing of the senders that were not identified, {possible}."
    match things["status"]:
        case "estimated":
            low, high = outward(share["low"], share["high"])
            return (
                f"Things sent about {whole(share['point'])} % of {of} ({low} to {high} %). {assuming_nothing}"
            )
        case "at most":
            return (
                f"Things sent {at_most(share['high'])} of {of}; that any took part is not shown."
                f" {assuming_nothing}"
            )
        case "bounds only":
            seen = percent(things["counts"]["with_sender_evidence"] / messages) if messages else "none"
            return (
                f"Which share of {of} things sent cannot be told: evidence about the sender itself covers {seen} of"
                f" them, too little for an estimate. {assuming_nothing}"
            )
        case "cannot tell":
            return (
                f"Which share of {of} things sent cannot be told: of the senders nothing is known but what the"
                f" mail's own headers say. {possible.capitalize()}."
            )
    return (
        "Which share of this campaign things sent is not assessed: that needs evidence about the senders, such as"
        " TCP fingerprints of their connections or scans of their addresses, and is asked of attacks and unsure"
        " campaigns only."
    )


def _possible(bounds: dict[str, float]) -> str:
    low, high = outward(bounds["low"], bounds["high"])
    if (low, high) == (0, 100):
        return "any share is possible"
    return f"between {low} and {high} % is possible" if low < high else f"only {low} % is possible"


def _things_in_short(things: dict[str, Any], of: str) -> str:
    """The share of things for the end of a headline, with the blank before it; "" where it was not assessed."""
    share = things["share_of_messages"]
    match things["status"]:
        case "estimated":
            low, high = outward(share["low"], share["high"])
            return f" Things sent about {whole(share['point'])} % of {of} ({low} to {high} %)."
        case "at most":
            return f" Things sent {at_most(share['high'])} of {of}."
        case "bounds only" | "cannot tell":
            return (
                f" Which share things sent cannot be told from this evidence: {_possible(things['bounds'])}."
            )
    return ""


def headline(report: dict[str, Any]) -> str:
    """The whole run in a sentence or two."""
    days = [(report["input"][name] or "")[:10] for name in ("first_seen", "last_seen")]
    when = "time unknown" if not all(days) else f"on {days[0]}" if days[0] == days[1] else " to ".join(days)
    read = all_mails(report)
    mails = f"{read:,} mail{'s' if read != 1 else ''}"
    if "continued" in report:
        mails, when = (
            f"{mails} of {report['continued']['runs'] + 1} runs",
            f"up to {days[1] or 'a time unknown'}",
        )
    attacks = [doc for doc in report["campaigns"] if doc["verdict"] == "attack"]
    if not attacks:
        return f"No attack campaign in {mails}, {when}."
    largest = attacks[0]
    part = largest["messages"] / max(1, read)
    lead = "One attack campaign" if len(attacks) == 1 else f"{len(attacks)} attack campaigns"
    waves = len(largest["waves"])
    rhythm = f" in {waves} waves" if waves > 1 else ""
    which = "," if len(attacks) == 1 else "; the largest:"
    return (
        f"{lead} in {mails}, {when}{which} {largest['messages']:,} messages ({part:.0%})"
        f" from {largest['sources']:,} sources{rhythm},"
        f" none of which sent more than {largest['max_per_source']:,}."
        f"{_things_in_short(largest['things'], 'it' if len(attacks) == 1 else 'the largest')}"
    )


def smallest_seen(settings: Settings) -> dict[str, Any]:
    """How small a campaign this run would still have seen."""
    return {
        "messages": settings.min_messages,
        "sources": settings.attack_sources,
        "sentence": f"Groups of {settings.min_messages} alike messages are reported; an attack must show at least"
        f" {settings.attack_sources} sources.",
    }
