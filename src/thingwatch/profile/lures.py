"""What a campaign says: its lures with a redacted specimen each, and its readable signature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thingwatch.profile.pace import iso
from thingwatch.profile.tally import MAX_LURES, Tallies

MAX_SIGNATURE = 24  # keys of one campaign in the report


def lure_id(lure: int) -> str:
    """The name of a lure: the place of its first message, in hexadecimal."""
    return f"l-{lure:x}"


def lures_of(tallies: Tallies, campaign: int, specimen: Callable[[int], str]) -> list[dict[str, Any]]:
    """The lures of *campaign*, largest first. *specimen* gives the redacted text of a message, "" for none."""
    lures = []
    for lure, messages, sources, first, last in tallies.lures.of(campaign)[:MAX_LURES]:
        key = (campaign, lure)
        subject, example, subjects = tallies.subjects.of(key)[0]
        media, part = next(iter(tallies.means.of(key)), ("none", 0.0))
        lures.append(
            {
                "id": lure_id(lure),
                "messages": messages,
                "sources": sources,
                "subject": subject,
                "subjects": subjects,
                "specimen": specimen(example),
                "first_seen": iso(first),
                "last_seen": iso(last),
                "brands": [name for (name,) in tallies.brands.of(key)[:3]],
                "links": [host.replace(".", "[.]") for (host,) in tallies.hosts.of(key)],
                "media": media,
                "similar": round(part, 3),
                "series": [],
            }
        )
    return lures


def signature_of(
    tallies: Tallies, campaign: int, read_key: Callable[[int, int], str]
) -> list[dict[str, Any]]:
    """The keys that tell *campaign* from other mail, strongest first; *read_key* names one held by a message."""
    found = []
    for key, kind, weight, messages, others, example in tallies.keys.of(campaign):
        text = read_key(example, key)
        if text:
            found.append(
                {
                    "kind": kind,
                    "key": text,
                    "weight": round(weight, 1),
                    "messages": messages,
                    "others": others,
                }
            )
    return found[:MAX_SIGNATURE]
