"""What ordinary defences would have caught on this very data, and what they would have cost."""

from __future__ import annotations

from typing import Any

from thingwatch.model import wilson
from thingwatch.profile.tally import Tallies
from thingwatch.store import Engine

LIMITS_PER_HOUR = (100, 10, 3)  # as in limits.sql
BLOCKS = (
    ("net", "block the /24 (or /64) after its first mail"),
    ("asn", "block the network (ASN) after its first mail"),
)


def share(numerator: int, denominator: int, unit: str, basis: str, unknown: int = 0) -> dict[str, Any]:
    """A share as the report prints it: what it is a share of, what is unknown, and its 90 % interval."""
    low, high = wilson(numerator, denominator)
    return {
        "numerator": int(numerator),
        "denominator": denominator,
        "unit": unit,
        "unknown": unknown,
        "low": round(low, 6),
        "high": round(high, 6),
        "basis": basis,
    }


def make_defence_tables(engine: Engine, blocklist: bool) -> None:
    """Count, once for all campaigns, what each defence stops of each campaign and of other mail."""
    for name in (
        "large",
        "nets",
        "net_times",
        "hour_counts",
        "limits",
        "limit_totals",
        "first_of_net",
        "equal_texts",
    ):
        engine.make(__package__, name)
    if blocklist:
        engine.make(__package__, "blocklisted")


def defences_of(tallies: Tallies, campaign: int, messages: int, all_messages: int) -> list[dict[str, Any]]:
    """The counterfactual of one campaign: a row per defence."""
    unknown = messages - tallies.placed.one(campaign)
    others = all_messages - messages
    rows: list[dict[str, Any]] = []
    stopped_here = dict(tallies.limits.of(campaign))
    for limit in LIMITS_PER_HOUR:
        stopped = stopped_here.get(limit, 0)
        beyond = max(0, (tallies.limit_totals.one(limit) or 0) - stopped)
        rows.append(
            {
                "name": f"per-address limit, {limit} an hour",
                "share": share(
                    stopped, messages, "messages", "mails beyond the limit in their clock hour", unknown
                ),
                "collateral": share(beyond, others, "messages", "other mail beyond the limit"),
                "sentence": f"An address may send {limit} mails an hour; what comes beyond is refused.",
            }
        )
    for kind, label in BLOCKS if campaign in tallies.large else ():
        stopped, collateral = next(iter(tallies.blocks.of((campaign, kind))), (0, 0))
        rows.append(
            {
                "name": label,
                "share": share(
                    stopped, messages, "messages", "mails from there after the campaign's first", unknown
                ),
                "collateral": share(
                    collateral, others, "messages", "other mail from there at any time after"
                ),
                "sentence": "Whoever sits beside a source is refused with it.",
            }
        )
    rows.append(
        {
            "name": "refuse equal texts",
            "share": share(
                tallies.equal.one(campaign),
                messages,
                "messages",
                "mails whose text, names and numbers masked, came before",
            ),
            "collateral": None,
            "sentence": "A filter that knows every text seen before, names and numbers masked.",
        }
    )
    if tallies.blocklist is not None:
        rows.append(
            {
                "name": "the blocklist you gave",
                "share": share(
                    tallies.blocklist.one(campaign),
                    messages,
                    "messages",
                    "mails from listed addresses",
                    unknown,
                ),
                "collateral": None,
                "sentence": "Addresses on the list at any time; when they were listed is not known.",
            }
        )
    return rows
