"""Campaign → profile: when, from where, to whom, saying what, and what would have stopped it.

The front doors are ``prepare``, which counts for all campaigns at once, ``facts_of`` for the judge, and
``portrait`` for one campaign's part of the report.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib import resources
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from thingwatch.config import Settings
from thingwatch.profile.defences import defences_of, make_defence_tables
from thingwatch.profile.lures import lure_id, lures_of, signature_of
from thingwatch.profile.pace import Pace, Wave, clock_of, iso, series_of, waves_of
from thingwatch.profile.selfcheck import check
from thingwatch.profile.tally import TABLES, TOP, Tallies
from thingwatch.store import Engine

__all__ = ["Campaign", "Pace", "Tallies", "facts_of", "iso", "lure_id", "portrait", "prepare"]

MAX_HISTOGRAM = 400  # bars of messages per source; a source that sends more often is a server
NAMED_SCHEMA = pa.schema(
    [
        ("client_ip", pa.string()),
        ("asn", pa.int64()),
        ("asn_name", pa.string()),
        ("country", pa.string()),
        ("ptr_class", pa.string()),
        ("helo_class", pa.string()),
    ]
)
ADDRESS_SCHEMA = pa.schema([("client_ip", pa.string()), ("asn", pa.int64()), ("prefix", pa.string())])
CONSUMER_PROVIDERS = frozenset(
    line
    for line in resources.files(__package__)
    .joinpath("providers.txt")
    .read_text(encoding="utf-8")
    .splitlines()
    if not line.startswith("#")
)


class Campaign(NamedTuple):
    """One reported campaign, with what its sections are counted from. Times in microseconds, sorted."""

    number: int  # the engine's own
    id: str
    row: dict[str, Any]
    times: NDArray[np.int64]
    waves: list[Wave]


def prepare(
    engine: Engine,
    settings: Settings,
    name_sources: Callable[[pa.Table], pa.Table],
    blocklist: list[str] | None,
) -> tuple[list[Campaign], Tallies]:
    """Count for all campaigns at once; gives them by size, largest first, and what was counted."""
    numbers = {"min_messages": settings.min_messages}
    for name in (
        "reported",
        "belonging",
        "campaign_sources",
        "source_facts",
        "lure_sizes",
        "subjects",
        "dialect_spread",
    ):
        engine.make(__package__, name, **numbers)
    engine.apply("named_sources", "SELECT client_ip, ptr, helo FROM source_facts", name_sources, NAMED_SCHEMA)
    engine.apply(
        "addresses",
        "SELECT DISTINCT client_ip FROM mails WHERE client_ip IS NOT NULL",
        partial(_placed, name_sources=name_sources),
        ADDRESS_SCHEMA,
    )
    if blocklist is not None:
        engine.apply(
            "listed_addresses",
            "SELECT client_ip FROM addresses",
            partial(_listed, blocklist=blocklist),
            ADDRESS_SCHEMA.empty_table().select(["client_ip"]).schema,
        )
    make_defence_tables(engine, blocklist is not None)
    columns = engine.columns("reported")
    everything = engine.arrow(
        "SELECT campaign, received_at FROM belonging WHERE received_at IS NOT NULL ORDER BY campaign, received_at"
    )
    owner, times = everything["campaign"].to_numpy(), everything["received_at"].to_numpy()
    ids = _name_campaigns(engine)
    campaigns = []
    for values in engine.rows("SELECT * FROM reported ORDER BY messages DESC, campaign"):
        row = dict(zip(columns, values, strict=True))
        first, last = np.searchsorted(owner, [row["campaign"], row["campaign"] + 1])
        mine = times[first:last]
        campaigns.append(Campaign(row["campaign"], ids[row["campaign"]], row, mine, waves_of(mine, settings)))
    _add_waves(engine, campaigns)
    for name in (*TABLES, "wave_sources"):
        engine.make(__package__, name)
    return campaigns, Tallies(engine, blocklist is not None)


def _add_waves(engine: Engine, campaigns: list[Campaign]) -> None:
    """The table ``campaign_waves``: the span of each wave's messages, and its edges without stragglers."""
    rows = [
        (
            c.number,
            number,
            int(c.times[wave.first]),
            int(c.times[wave.last - 1]),
            wave.start,
            wave.end,
            wave.messages,
        )
        for c in campaigns
        for number, wave in enumerate(c.waves, 1)
    ]
    names = ("campaign", "number", "low", "high", "starts", "ends", "messages")
    engine.add(
        "campaign_waves",
        pa.table({n: pa.array([r[i] for r in rows], pa.int64()) for i, n in enumerate(names)}),
    )


def _placed(addresses: pa.Table, name_sources: Callable[[pa.Table], pa.Table]) -> pa.Table:
    """*addresses* (column client_ip) with the network each stands in: its ASN, and its /24 or /64."""
    nameless = pa.array([""] * addresses.num_rows, pa.string())
    named = name_sources(pa.table({"client_ip": addresses["client_ip"], "ptr": nameless, "helo": nameless}))
    prefixes = pa.array([_prefix(ip) for ip in addresses["client_ip"].to_pylist()], pa.string())
    return pa.table({"client_ip": addresses["client_ip"], "asn": named["asn"], "prefix": prefixes})


def _prefix(address: str) -> str:
    if ":" not in address:
        return address.rpartition(".")[0] + ".0/24"
    return str(ip_network((int(ip_address(address)) >> 64 << 64, 64))) if address.count(":") > 1 else address


def _listed(addresses: pa.Table, blocklist: list[str]) -> pa.Table:
    """Those of *addresses* that stand on *blocklist* (addresses and CIDR ranges)."""
    singles = {line for line in blocklist if "/" not in line}
    ranges = [ip_network(line, strict=False) for line in blocklist if "/" in line]
    spans = sorted((int(r.network_address), int(r.broadcast_address)) for r in ranges if r.version == 4)
    starts = np.array([s for s, _ in spans], dtype=np.int64)
    ends = np.maximum.accumulate(np.array([e for _, e in spans], dtype=np.int64)) if spans else starts
    found = []
    for text in addresses["client_ip"].to_pylist():
        if text in singles:
            found.append(text)
            continue
        address = ip_address(text)
        if address.version == 4 and len(starts):
            at = int(np.searchsorted(starts, int(address), side="right")) - 1
            if at >= 0 and int(address) <= ends[at]:
                found.append(text)
        elif address.version == 6 and any(address in r for r in ranges if r.version == 6):
            found.append(text)
    return pa.table({"client_ip": pa.array(found, pa.string())})


def _name_campaigns(engine: Engine) -> dict[int, str]:
    """A name for each campaign that stays when mail is added behind it: made of its earliest message."""
    first = engine.rows(
        "SELECT f.campaign, f.first_seen, min(m.message_id || ' ' || m.header_from) FROM"
        " (SELECT c.campaign AS campaign, min(coalesce(m.received_at, 0)) AS first_seen FROM campaign_members AS c"
        " JOIN mails AS m ON m.seq = c.seq GROUP BY c.campaign) AS f"
        " JOIN campaign_members AS c ON c.campaign = f.campaign JOIN mails AS m ON m.seq = c.seq"
        " AND coalesce(m.received_at, 0) = f.first_seen GROUP BY f.campaign, f.first_seen ORDER BY f.campaign"
    )
    ids: dict[int, str] = {}
    taken: Counter[str] = Counter()
    for campaign, when, name in first:
        text = "c-" + hashlib.sha256(f"{when} {name}".encode()).hexdigest()[:8]
        taken[text] += 1
        ids[campaign] = text if taken[text] == 1 else f"{text}-{taken[text]}"
    engine.add(
        "campaign_names",
        pa.table({"campaign": pa.array(ids, pa.int64()), "campaign_id": pa.array(ids.values(), pa.string())}),
    )
    return ids


def facts_of(tallies: Tallies, campaign: Campaign) -> dict[str, Any]:
    """What the judge looks at, by the names of ``judge.Facts``."""
    row, number = campaign.row, campaign.number
    ptr = {name: sources for what, name, sources in tallies.names.of(number) if what == "ptr"}
    span = (campaign.times[-1] - campaign.times[0]) / 3.6e9 if len(campaign.times) else 0.0
    return {
        "messages": row["messages"],
        "sources": row["sources"],
        "max_per_source": max((messages for messages, _ in tallies.histogram.of(number)), default=0),
        "networks": tallies.apart.one(number),
        "dialects": row["dialects"],
        "top_dialects": tallies.shared_dialects.one(number) / row["messages"],
        "in_waves": sum(wave.messages for wave in campaign.waves) / row["messages"],
        "span_hours": float(span),
        "signed": row["signed"],
        "one_name": tallies.one_name.one(number) / row["messages"],
        "unchecked": row["unchecked"],
        "listed": row["listed"],
        "automatic": row["automatic"],
        "answers": row["answers"],
        "logged": row["logged"],
        "end_user": ptr.get("end-user", 0),
        "server": ptr.get("server", 0),
        "named_sources": sum(count for name, count in ptr.items() if name != "none"),
    }


def portrait(
    tallies: Tallies,
    campaign: Campaign,
    everything: Pace,
    all_messages: int,
    specimen: Callable[[int], str],
    read_key: Callable[[int, int], str],
    things: dict[str, Any],
) -> dict[str, Any]:
    """One campaign's part of the report, but for verdict, reasons and joins. *everything*: the pace of all mail.

    *things*: what was found of its senders.
    *specimen* shows a message, redacted; *read_key* says what a key of a message stands for; "" for neither.
    """
    row, number = campaign.row, campaign.number
    lures = lures_of(tallies, number, specimen)
    brands: Counter[str] = Counter()
    for lure in lures:
        for brand in lure["brands"]:
            brands[brand] += lure["messages"]
    in_waves = sum(wave.messages for wave in campaign.waves)
    doc = {
        "id": campaign.id,
        "messages": row["messages"],
        "sources": row["sources"],
        "first_seen": iso(row["first_seen"]),
        "last_seen": iso(row["last_seen"]),
        "waves": _waves(tallies, campaign),
        "outside_waves": row["messages"] - in_waves,
        "clock": clock_of(campaign.waves),
        "series": series_of(campaign.times, everything),
        "per_source": _per_source(tallies, number),
        "spread": _spread(tallies, number, row["sources"]),
        **_names(tallies, number),
        "targets": _targets(tallies, number, row),
        "lures": lures,
        "brands": [{"name": name, "messages": count} for name, count in brands.most_common(TOP)],
        "links": _links(tallies, number, row["messages"]),
        "authentication": _authentication(row),
        "counterfactual": defences_of(tallies, number, row["messages"], all_messages),
        "things": things,
        "signature": signature_of(tallies, number, read_key),
    }
    doc["max_per_source"] = doc["per_source"]["cap"]
    doc["self_check"] = check(doc)
    return doc


def _waves(tallies: Tallies, campaign: Campaign) -> list[dict[str, Any]]:
    waves = []
    for number, wave in enumerate(campaign.waves, 1):
        inside = campaign.times[wave.first : wave.last]
        minutes = np.bincount((inside - inside[0]) // 60_000_000)
        sources, fresh = next(iter(tallies.waves.of((campaign.number, number))), (0, 0))
        waves.append(
            {
                "number": number,
                "start": iso(wave.start),
                "end": iso(wave.end),
                "messages": wave.messages,
                "sources": sources,
                "new_sources": fresh,
                "peak_per_minute": int(minutes.max()),
            }
        )
    return waves


def _per_source(tallies: Tallies, campaign: int) -> dict[str, Any]:
    histogram = tallies.histogram.of(campaign)
    sources = sum(count for _, count in histogram)
    sent = sum(messages * count for messages, count in histogram)
    cap = max((messages for messages, _ in histogram), default=0)
    mean = sent / sources if sources else 0.0
    if not sources:
        sentence = "No client address was recorded."
    elif cap <= 20:
        sentence = f"No address sent more than {cap:,}; {mean:.1f} on average."
    else:
        sentence = f"An address sent {mean:.1f} on average, the busiest {cap:,}."
    return {
        "histogram": [[m, c] for m, c in histogram[:MAX_HISTOGRAM]],
        "mean": round(mean, 3),
        "cap": cap,
        "sentence": sentence,
    }


def _spread(tallies: Tallies, campaign: int, sources: int) -> dict[str, Any]:
    by_asn, by_country = tallies.networks.of(campaign), tallies.countries.of(campaign)
    total = sum(int(row[4]) for row in by_asn)
    curve, sent = [], 0
    marks = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, len(by_asn)}
    for rank, found in enumerate(by_asn, 1):
        sent += int(found[4])
        if rank in marks:
            curve.append([rank, round(sent / total, 4)])
    return {
        "asn_count": len(by_asn),
        "country_count": len(by_country),
        "unknown_sources": sources - sum(row[3] for row in by_asn),
        "by_asn": [
            {"asn": a, "name": name, "country": country, "sources": s, "messages": int(m)}
            for a, name, country, s, m in by_asn[:TOP]
        ],
        "by_country": [{"country": c, "sources": s, "messages": int(m)} for c, s, m in by_country[:TOP]],
        "asn_curve": curve,
    }


def _names(tallies: Tallies, campaign: int) -> dict[str, Any]:
    found: dict[str, dict[str, int]] = {
        "ptr": {"end-user": 0, "server": 0, "generic": 0, "none": 0, "unknown": 0},
        "helo": {},
    }
    for what, name, sources in tallies.names.of(campaign):
        found[what][name] = sources
    return dict(found)


def _targets(tallies: Tallies, campaign: int, row: dict[str, Any]) -> dict[str, Any]:
    domains = tallies.domains.of(campaign)
    kinds = {"consumer": 0, "enterprise": 0, "unknown": 0}
    for domain, messages in domains:
        kinds["unknown" if not domain else "consumer" if domain in CONSUMER_PROVIDERS else "enterprise"] += (
            messages
        )
    return {
        "recipients": row["recipients"],
        "max_per_recipient": tallies.most.one(campaign),
        "domains": len([d for d, _ in domains if d]),
        "by_kind": kinds,
        "by_domain": [{"domain": d, "messages": m} for d, m in domains if d][:TOP],
    }


def _links(tallies: Tallies, campaign: int, messages: int) -> dict[str, Any]:
    linked, hosts, domains = next(iter(tallies.links.of(campaign)), (0, 0, 0))
    if not linked:
        sentence = "No message links anywhere."
    elif hosts > 0.5 * linked:
        sentence = (
            f"{linked:,} messages link to {hosts:,} hosts: a new host for nearly every message,"
            " so a list of hosts comes too late."
        )
    else:
        sentence = f"{linked:,} of {messages:,} messages link to {hosts:,} host{'s' if hosts != 1 else ''}."
    return {
        "hosts": hosts,
        "domains": domains,
        "patterns": [{"pattern": p, "messages": m} for p, m in tallies.patterns.of(campaign)],
        "sentence": sentence,
    }


def _authentication(row: dict[str, Any]) -> dict[str, Any]:
    n = row["messages"]
    none = n - row["signed"] - row["failed"] - row["unchecked"]
    if row["unchecked"] == n:
        sentence = "The border noted no authentication checks."
    else:
        sentence = (
            f"{row['signed']:,} of {n:,} messages were authenticated by a domain, {row['failed']:,} failed a check,"
            f" {none:,} offered nothing to check, {row['unchecked']:,} were not checked."
        )
    return {
        "pass": row["signed"],
        "fail": row["failed"],
        "none": none,
        "unknown": row["unchecked"],
        "domains": max(0, row["names"] - 1) if row["signed"] else 0,
        "sentence": sentence,
    }
