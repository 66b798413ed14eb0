"""Lures by the same hand become campaigns, and the reasons are kept.

Lures that carry an authenticated name (a newsletter, a shop, a list) stay what they are: the name is the hand,
and whoever sends for many customers shares addresses, dialect and clock among strangers. Nameless lures are
joined by four kinds of evidence, each in bits and capped: the same sources, the same rare
dialects, the same ten minutes, the same rare places linked. Two kinds at least must speak, because each alone
has an innocent reading: a home may hold two infections, two botnets may forge one mail program, a night is
quiet for everybody. Only a pool of which the better part is shared speaks for itself.

Then single mails that no lure holds (a one-line text with ten stray words in it) are attached where source,
dialect and clock together leave little doubt; see ``strays.sql``.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from thingwatch.config import Settings
from thingwatch.model import Evidence, Reason
from thingwatch.store import Engine

NAMELESS = 0.5  # share of authenticated messages below which a lure carries no name
MAX_LURES_PER_SOURCE = 40  # nameless lures one source takes part in; a bot rotates a handful
BUSY_MESSAGES = 12  # mails from which a source counts as busy
BUSY_PART = 0.2  # of its mail may stand in nameless lures
JOIN_BITS = 10.0  # evidence needed to join two lures
STRAY_BITS = 15.0  # evidence needed to attach a single mail
MIN_STRAY_HOST = 20  # messages a campaign needs before single mails are attached to it
TWO_INFECTIONS = 0.05  # of a pool may be shared by unrelated ones; the replay and field reports see 1 to 2 %
HALF_POOL = 0.4  # of the smaller pool shared gives full weight: each source sends a few mails of a few lures
ALONE_BITS = 12.0  # of shared sources by which a pool speaks for itself
MIN_ALONE = 20  # shared sources it takes
_CAPS = {"pool": 12.0, "dialect": 8.0, "clock": 5.0, "links": 6.0}


class Join(NamedTuple):
    """Two lures of one campaign, and why."""

    lure: int
    other: int
    reasons: tuple[Reason, ...]


class _Facts(NamedTuple):
    messages: int
    sources: int


def group_campaigns(engine: Engine, settings: Settings) -> list[Join]:
    """Make the table ``campaign_members`` (seq, campaign, lure) from ``members``; gives the joins made."""
    numbers = {
        "min_messages": settings.min_messages,
        "nameless": NAMELESS,
        "busy_messages": BUSY_MESSAGES,
        "busy_part": BUSY_PART,
        "max_lures_per_source": MAX_LURES_PER_SOURCE,
        "stray_bits": STRAY_BITS,
        "min_stray_host": MIN_STRAY_HOST,
    }
    for name in (
        "lure_facts",
        "houses",
        "hand_candidates",
        "busy_sources",
        "own_hands",
        "lure_sources",
        "lure_dialects",
        "lure_clock",
        "lure_links",
    ):
        engine.make(__package__, name, **numbers)
    for name in ("pool_overlaps", "dialect_overlaps", "link_overlaps"):
        engine.make(__package__, name, **numbers)
    engine.run(
        "CREATE OR REPLACE TABLE candidate_pairs AS SELECT lure, other FROM pool_overlaps"
        " UNION SELECT lure, other FROM dialect_overlaps UNION SELECT lure, other FROM link_overlaps"
    )
    engine.make(__package__, "clock_overlaps")
    joins = _joins(engine)
    campaign_of = _components(joins)
    engine.add(
        "lure_campaigns",
        pa.table(
            {
                "lure": pa.array(campaign_of, pa.int64()),
                "campaign": pa.array(campaign_of.values(), pa.int64()),
            }
        ),
    )
    for name in (
        "core_members", "campaign_facts", "campaign_bins", "quiet_totals", "traits", "stray_traits", "loose",
        "pools", "pool_weights",
        "stray_scores", "strays", "lure_media", "said", "adopted", "campaign_members",
    ):  # fmt: skip
        engine.make(__package__, name, **numbers)
    return joins


def _joins(engine: Engine) -> list[Join]:
    facts = {
        lure: _Facts(messages, sources)
        for lure, messages, sources in engine.rows(
            "SELECT lure, count(*), count(DISTINCT client_ip) FROM own_hands GROUP BY lure"
        )
    }
    all_messages = max(1, engine.number("SELECT coalesce(sum(messages), 0) FROM dialect_totals"))
    evidence: dict[tuple[int, int], list[Reason]] = defaultdict(list)
    for lure, other, shared in engine.rows("SELECT lure, other, shared FROM pool_overlaps"):
        evidence[lure, other] += pool_reason(facts[lure].sources, facts[other].sources, shared)
    for lure, other, overlap, background in engine.rows(
        "SELECT lure, other, overlap, background FROM dialect_overlaps"
    ):
        evidence[lure, other].append(dialect_reason(overlap, background, all_messages))
    for lure, other, overlap in engine.rows("SELECT lure, other, overlap FROM clock_overlaps"):
        evidence[lure, other] += clock_reason(overlap)
    for lure, other, overlap in engine.rows("SELECT lure, other, overlap FROM link_overlaps"):
        evidence[lure, other].append(
            Reason(
                "same links",
                round(_CAPS["links"] * math.sqrt(overlap), 1),
                f"{overlap:.0%} of both lead to the same rare place, or write links by the same rare rule",
                (Evidence("keys.parquet: link", f"{overlap:.2f}"),),
            )
        )
    return [
        Join(lure, other, tuple(reasons))
        for (lure, other), reasons in sorted(evidence.items())
        if is_join(reasons)
    ]


def is_join(reasons: Sequence[Reason]) -> bool:
    """Whether *reasons* make one campaign of two lures: bits enough, of two kinds or of a pool that speaks alone."""
    return sum(r.weight for r in reasons) >= JOIN_BITS and (
        len([r for r in reasons if r.weight >= 1.5]) >= 2 or any(r.weight >= ALONE_BITS for r in reasons)
    )


def dialect_reason(overlap: float, background: float, all_messages: float) -> Reason:
    """What it proves that *overlap* of two lures is written alike; *background*: other mail in those dialects."""
    rate = background / max(overlap, 1e-9) / all_messages
    bits = min(_CAPS["dialect"], -math.log2(max(rate, 1e-6)) / 2) * overlap
    return Reason(
        "same dialects",
        round(bits, 1),
        f"{overlap:.0%} of both are written in the same dialects, which {rate:.2%} of other mail uses",
        (Evidence("messages: header order, Message-ID, Date, mailer", f"{overlap:.2f}"),),
    )


def clock_reason(overlap: float) -> list[Reason]:
    """What it proves that *overlap* of two lures arrives in the same ten minutes."""
    if overlap <= 0.2:
        return []
    return [
        Reason(
            "same clock",
            round(_CAPS["clock"] * overlap, 1),
            f"{overlap:.0%} of both arrive in the same ten minutes",
            (Evidence("messages.parquet: received_at", f"{overlap:.2f}"),),
        )
    ]


def pool_reason(sources: int, other_sources: int, shared: int) -> list[Reason]:
    """What it proves that two lures of so many sources have *shared* of them in common."""
    part = shared / max(1, min(sources, other_sources))
    if shared < 3 or part <= TWO_INFECTIONS:
        return []
    # Chance must not be counted on this mail: a campaign that is most of it would make its own pool look ordinary.
    # Pools that have nothing to do with each other share the homes that hold two infections.
    bits = min(_CAPS["pool"], _CAPS["pool"] * (part - TWO_INFECTIONS) / (HALF_POOL - TWO_INFECTIONS))
    if shared < MIN_ALONE:
        bits = min(bits, ALONE_BITS - 2)
    return [
        Reason(
            "same sources",
            round(bits, 1),
            f"{shared:,} sources send both, {part:.0%} of the smaller pool",
            (Evidence("sources.parquet: client_ip", f"{shared}"),),
        )
    ]


def _components(joins: list[Join]) -> dict[int, int]:
    """Each joined lure with the lowest lure it hangs together with."""
    parent: dict[int, int] = {}

    def root(lure: int) -> int:
        parent.setdefault(lure, lure)
        while parent[lure] != lure:
            parent[lure] = parent[parent[lure]]
            lure = parent[lure]
        return lure

    for join in joins:
        low, high = sorted((root(join.lure), root(join.other)))
        parent[high] = low
    return {lure: root(lure) for lure in parent}
