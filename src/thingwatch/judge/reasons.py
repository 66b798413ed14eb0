"""Every reason that moves a verdict: its name, its weight in bits and its sentence. No number moves one from elsewhere.

The case the rules are made for is the one no per-address view sees: many sources, few mails each, one hand,
one clock, no name. The readings they must leave standing: newsletters and shops (a name, few sources), lists (a
name of their own), letters people forward (many hands), reports by mail servers (automatic), snowshoe runs (few
networks, much from each).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from thingwatch.model import Evidence, Reason, Verdict

ATTACK_BITS = 10.0  # from here a campaign is an attack
BULK_BITS = -2.0  # up to here it is ordinary bulk; between the two we are unsure


class ReasonRule(NamedTuple):
    """A reason as the reference page lists it."""

    name: str
    weight: float  # bits at full strength
    sentence: str


REASONS: dict[str, ReasonRule] = {
    rule.name: rule
    for rule in (
        ReasonRule(
            "many sources, few mails each",
            6.0,
            "Many addresses send a handful each; nobody who may send at all needs that.",
        ),
        ReasonRule(
            "many networks", 3.0, "The sources sit in networks that have nothing to do with each other."
        ),
        ReasonRule("one hand", 3.0, "Unrelated sources write mail in the same few dialects."),
        ReasonRule("synchronised", 3.0, "Unrelated sources start and stop together."),
        ReasonRule("no name", 3.0, "Checks were made and hardly a message carries an authenticated name."),
        ReasonRule(
            "end-user lines",
            3.0,
            "The sources are lines of households, by the names their networks gave them.",
        ),
        ReasonRule("servers", -4.0, "The sources are mail servers, by their names."),
        ReasonRule(
            "a name stands behind it",
            -10.0,
            "Most messages are authenticated by one domain or belong to one list.",
        ),
        ReasonRule(
            "throwaway names",
            -3.0,
            "Messages are authenticated, by many domains: a sender with a house, if a shady one.",
        ),
        ReasonRule("few sources", -8.0, "A handful of addresses send it all; ordinary limits see them."),
        ReasonRule(
            "much from each source", -5.0, "The sources send many mails each; ordinary limits see them."
        ),
        ReasonRule("many hands", -6.0, "Nearly every source writes in its own way: people, not one engine."),
        ReasonRule(
            "answers and forwards", -6.0, "Most messages answer or forward something: people talking."
        ),
        ReasonRule("automatic reports", -12.0, "Most messages are delivery reports or automatic answers."),
        ReasonRule(
            "trickle",
            -2.0,
            "It comes singly over weeks; whether one effort is behind it cannot be told from its pace.",
        ),
    )
}


class Facts(NamedTuple):
    """What the judge looks at; counts of messages unless said otherwise."""

    messages: int
    sources: int
    max_per_source: int
    networks: int  # distinct ASNs, or /16 prefixes where no ASN is known
    dialects: int
    top_dialects: float  # share of messages in dialects that at least five sources use
    in_waves: float  # share of messages inside waves
    span_hours: float
    signed: int
    one_name: float  # share of messages under the commonest name
    unchecked: int
    listed: int
    automatic: int
    answers: int
    logged: int
    end_user: int  # sources
    server: int  # sources
    named_sources: int  # sources with a PTR we know of


def reasons_of(facts: Facts) -> list[Reason]:
    """The reasons that apply, each with the strength the facts give it."""
    found: list[Reason] = []

    def say(name: str, strength: float, sentence: str, where: str, value: str) -> None:
        if strength > 0.05:
            rule = REASONS[name]
            found.append(
                Reason(name, round(rule.weight * min(1.0, strength), 1), sentence, (Evidence(where, value),))
            )

    n, sources = facts.messages, max(1, facts.sources)
    mean = n / sources
    if facts.sources >= 8 and mean <= 15:
        strength = min(1.0, math.log2(facts.sources / 4) / 5) * min(1.0, 15 / max(mean, 7.5))
        say(
            "many sources, few mails each", strength,
            f"{facts.sources:,} sources sent {mean:.1f} mails each, none more than {facts.max_per_source:,}.",
            "sources.parquet: client_ip, messages", f"{facts.sources} sources, {n} messages",
        )  # fmt: skip
    if facts.sources <= 7:
        say(
            "few sources",
            (8 - facts.sources) / 5,
            f"All of it comes from {facts.sources:,} sources.",
            "sources.parquet: client_ip",
            str(facts.sources),
        )
    if mean > 15:
        say(
            "much from each source",
            math.log2(mean / 7.5) / 3,
            f"A source sent {mean:,.0f} mails on average.",
            "sources.parquet: messages",
            f"{mean:.0f}",
        )
    if facts.networks >= 5:
        say(
            "many networks",
            math.log2(facts.networks / 2.5) / 4,
            f"The sources sit in {facts.networks:,} networks.",
            "sources.parquet: asn",
            str(facts.networks),
        )
    if facts.sources >= 5 and facts.top_dialects > 0.5:
        say(
            "one hand", (facts.top_dialects - 0.5) * 2,
            f"{facts.top_dialects:.0%} of the messages are written in dialects that at least five sources share.",
            "keys.parquet: client", f"{facts.top_dialects:.2f}",
        )  # fmt: skip
    if facts.sources >= 8 and facts.top_dialects < 0.4 and facts.dialects > 0.3 * facts.sources:
        say(
            "many hands",
            (0.4 - facts.top_dialects) * 2.5,
            f"{facts.dialects:,} dialects among {facts.sources:,} sources.",
            "keys.parquet: client",
            str(facts.dialects),
        )
    if facts.in_waves > 0.5 and facts.sources >= 8:
        say(
            "synchronised",
            (facts.in_waves - 0.5) * 2,
            f"{facts.in_waves:.0%} of the messages fall into common waves.",
            "waves.parquet",
            f"{facts.in_waves:.2f}",
        )
    elif facts.span_hours > 21 * 24 and n / max(1.0, facts.span_hours / 24) < 20:
        say(
            "trickle",
            1.0,
            f"{n:,} messages over {facts.span_hours / 24:,.0f} days.",
            "messages.parquet: received_at",
            f"{facts.span_hours / 24:.0f} days",
        )
    checked = n - facts.unchecked
    if checked > 0.5 * n:
        unnamed = (checked - facts.signed) / checked
        say(
            "no name",
            (unnamed - 0.5) * 2,
            f"{unnamed:.0%} of the {checked:,} checked messages carry no authenticated name.",
            "details: spf, dkim, dmarc",
            f"{unnamed:.2f}",
        )
    if facts.one_name > 0.5:
        say(
            "a name stands behind it",
            (facts.one_name - 0.3) * 1.5,
            f"{facts.one_name:.0%} of the messages come under one name.",
            "details: name",
            f"{facts.one_name:.2f}",
        )
    elif facts.signed > 0.5 * n:
        say(
            "throwaway names",
            facts.signed / n,
            f"{facts.signed / n:.0%} of the messages are authenticated, by many domains.",
            "details: signer",
            f"{facts.signed / n:.2f}",
        )
    # Households' lines send neither lists nor delivery reports: what such a campaign calls itself counts for less.
    believed = 1.0 - facts.end_user / facts.named_sources if facts.named_sources else 1.0
    if facts.named_sources:
        end_user, server = facts.end_user / facts.named_sources, facts.server / facts.named_sources
        seen = min(1.0, facts.named_sources / max(1, 0.2 * facts.sources))
        say(
            "end-user lines",
            (end_user - 0.2) * 1.5 * seen,
            f"{end_user:.0%} of the sources with a name bear that of a household's line.",
            "sources.parquet: evidence",
            f"{end_user:.2f}",
        )
        say(
            "servers",
            (server - 0.4) * 2 * seen,
            f"{server:.0%} of the sources with a name bear that of a mail server.",
            "sources.parquet: evidence",
            f"{server:.2f}",
        )
    say(
        "answers and forwards",
        (facts.answers / n - 0.3) * 2,
        f"{facts.answers / n:.0%} of the messages answer or forward something.",
        "details: reply, forward",
        str(facts.answers),
    )
    say(
        "automatic reports",
        (facts.automatic / n * 1.5 - 0.2) * believed,
        f"{facts.automatic / n:.0%} of the messages are automatic.",
        "details: automatic",
        str(facts.automatic),
    )
    if facts.listed > 0.5 * n and facts.one_name <= 0.5:
        say(
            "a name stands behind it",
            facts.listed / n * believed,
            f"{facts.listed / n:.0%} of the messages come from mailing lists.",
            "details: list_id",
            str(facts.listed),
        )
    return found


def verdict_of(facts: Facts, reasons: list[Reason], attack_sources: int) -> Verdict:
    """What the campaign is. An attack needs its sources and something seen of the sender besides their number."""
    bits = sum(reason.weight for reason in reasons)
    names = {reason.name for reason in reasons}
    seen = names & {"no name", "end-user lines", "one hand"}
    if (
        bits >= ATTACK_BITS
        and facts.sources >= attack_sources
        and "many sources, few mails each" in names
        and len(seen) >= 2
    ):
        return Verdict.ATTACK
    if bits <= BULK_BITS:
        return Verdict.BULK
    return Verdict.UNSURE


def kind_of(facts: Facts, verdict: Verdict) -> str:
    """A word for the kind of campaign, for people; it moves nothing."""
    n = facts.messages
    if verdict is Verdict.ATTACK:
        return "distributed campaign"
    if facts.automatic > 0.5 * n:
        return "delivery reports"
    if facts.listed > 0.5 * n:
        return "list mail"
    if facts.answers > 0.5 * n:
        return "forwarded letter"
    if facts.one_name > 0.5:
        return "newsletter or service mail"
    if facts.signed > 0.5 * n:
        return "many throwaway senders"
    if facts.sources <= 7:
        return "few senders"
    return "similar mail"
