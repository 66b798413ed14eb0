"""Report documents made by code: realistic ones, and odd ones that real mail leads to sooner or later."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import things as sent

START = datetime(2013, 12, 23, tzinfo=UTC)

# One of everything that text from mail has tried: markup, markup of the terminal, ESC and OSC sequences,
# bidi overrides, zero width, a formula, a template, a lone surrogate, stacked marks, a long word.
HOSTILE = (
    "<script>alert(1)</script>\"'><img src=https://evil.example/x.png onerror=alert(1)> [/foo][red]x[/] "
    "\x1b[31mred\x1b]0;title\x07\x9b2J\r\n\x00\x08\u202egnp.exe\u2066x\u200b\u200d\ufeff"
    "=cmd|' /C calc'!A0 {{ 7*7 }}{% raw %} \ud800 Z\u0300\u0301\u0302\u0303\u0304\u0305\u0306 "
    "مرحبا بالعالم العربي الطويل جدا https://evil.example/a?b=1 " + "W" * 900
)


PARCEL = "Your parcel could not be delivered"


def iso(at: datetime) -> str:
    """Return *at* as the report writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def share(numerator: int, denominator: int, unknown: int = 0) -> dict[str, Any]:
    """Return a SHARE with Wilson's interval at 90 %."""
    z = 1.645
    known = max(1, denominator - unknown)
    p = numerator / known
    middle = (p + z * z / (2 * known)) / (1 + z * z / known)
    half = z * math.sqrt(p * (1 - p) / known + z * z / (4 * known * known)) / (1 + z * z / known)
    return {
        "numerator": numerator,
        "denominator": denominator,
        "unit": "messages",
        "unknown": unknown,
        "low": max(0.0, middle - half),
        "high": min(1.0, middle + half),
        "basis": "counted in the mail read",
    }


def series(waves: int, bins: int, bin_seconds: int, start: datetime, scale: int = 15_000) -> dict[str, Any]:
    """Return bins with *waves* humps, six bins wide, spread evenly."""
    own = [0] * bins
    for i in range(waves):
        at = int((i + 0.35) * bins / waves)
        for j, part in enumerate((0.6, 0.9, 1.0, 0.9, 0.5, 0.2)):
            if at + j < bins:
                own[at + j] = int(scale * part) + (i * 37 + j * 11) % 50
    other = [int(300 + 120 * math.sin(i / 23)) for i in range(bins)]
    return {"start": iso(start), "bin_seconds": bin_seconds, "campaign": own, "other": other}


def campaign(
    number: int = 1,
    verdict: str = "attack",
    *,
    waves: int = 8,
    bins: int = 2160,
    bin_seconds: int = 600,
    start: datetime = START,
    lures: int = 4,
    messages: int | None = None,
    text: str | None = None,
    bodies: bool = True,
    networks: bool = True,
    things: Callable[[int, int], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return one campaign; *text* replaces everything that mail or a name server could have written."""
    flow = series(waves, bins, bin_seconds, start)
    total = messages if messages is not None else sum(flow["campaign"])
    sources = max(1, total // 7)
    drawn = []
    for i in range(waves):
        at = int((i + 0.35) * bins / waves)
        first = start + timedelta(seconds=at * bin_seconds)
        drawn.append(
            {
                "number": i + 1,
                "start": iso(first),
                "end": iso(first + timedelta(seconds=5.5 * bin_seconds)),
                "messages": total // waves,
                "sources": sources // 2,
                "new_sources": sources // (i + 2),
                "peak_per_minute": 1559 + i * 30,
            }
        )
    end = start + timedelta(seconds=bins * bin_seconds)
    due = end + timedelta(hours=40)
    ident = f"c-{number:08x}"
    asns = [
        {
            "asn": 64496 + i,
            "name": text or f"Example Network {i} Telecom",
            "country": "DE",
            "sources": 900 // (i + 1),
            "messages": total // (30 + 4 * i),
        }
        for i in range(12)
    ]
    return {
        "id": ident,
        "verdict": verdict,
        "kind": "distributed campaign" if verdict != "bulk" else "newsletter",
        "headline": f"{total:,} messages with the subject “{text or PARCEL}” from {sources:,} addresses",
        "messages": total,
        "sources": sources,
        "max_per_source": 10,
        "first_seen": iso(start),
        "last_seen": iso(end),
        "waves": drawn,
        "outside_waves": 120,
        "clock": {
            "period_hours": 46.95,
            "drift_minutes": 18.0,
            "sentence": "The starts drift by 18 minutes around 46 h 57 min.",
            "forecast": {
                "start": iso(due),
                "end": iso(due + timedelta(minutes=75)),
                "sentence": "If it keeps its clock, the next wave starts near Wed 8 Jan, 00:10 UTC.",
            },
        },
        "series": flow,
        "per_source": {
            "histogram": [[i, sources * i // 60] for i in range(1, 11)],
            "mean": 7.4,
            "cap": 10,
            "sentence": "No address sent more than ten; 28 % of them stopped exactly there.",
        },
        "spread": {
            "asn_count": 1146 if networks else 0,
            "country_count": 123 if networks else 0,
            "unknown_sources": 90 if networks else sources,
            "by_asn": asns if networks else [],
            "by_country": [
                {"country": c, "sources": 4000 - i * 300, "messages": total // (5 + i)}
                for i, c in enumerate(
                    ("MX", "TR", "VN", "US", "BR", "CO", "KR", "IT", "EG", "HU", "IN", "AR")
                )
            ]
            if networks
            else [],
            "asn_curve": [
                [r, 1 - math.exp(-r / 60) * (1 - r / 1146)]
                for r in (1, 2, 3, 5, 8, 13, 21, 40, 60, 100, 160, 325, 600, 1146)
            ]
            if networks
            else [],
        },
        "ptr": {
            "end-user": sources // 2,
            "server": 3,
            "generic": sources // 9,
            "none": sources // 8,
            "unknown": sources // 7,
        },
        "helo": {text or "address literal": sources // 2, "own name": sources // 3, "unknown": sources // 9},
        "targets": {
            "recipients": total // 2,
            "max_per_recipient": 9,
            "domains": 4711,
            "by_kind": {"consumer": total // 4, "enterprise": total // 2, "unknown": total // 4},
            "by_domain": [{"domain": text or f"firm-{i}.example", "messages": 900 - i} for i in range(20)],
        },
        "lures": [
            {
                "id": f"l-{number:04x}{i:04x}",
                "messages": total // lures,
                "sources": sources // lures,
                "subject": text or (PARCEL, "You have a new voice message", "Invoice", "A card")[i % 4],
                "subjects": 412,
                "first_seen": iso(start),
                "last_seen": iso(end),
                "specimen": (
                    text
                    or "From: Parcel Service <notice@brand.example>\nSubject: Parcel RX not delivered\n\n"
                    "Dear ▇▇▇▇▇▇▇▇▇,\n\nour courier could not reach you. Print the label:\n\n"
                    "http://garden-shop.example/wp-content/label.php?r=▇▇▇▇▇▇▇▇▇▇▇▇\n"
                )
                if bodies
                else "",
                "brands": [text or "Parcel Service"],
                "links": [text or "http://garden-shop.example/{word}/label.php?r={24}"] if bodies else [],
                "media": "html",
                "similar": 0.93,
                "series": flow["campaign"],
            }
            for i in range(lures)
        ],
        "brands": [{"name": text or "Parcel Service", "messages": total // 3}],
        "links": {
            "hosts": 9214,
            "domains": 8800,
            "patterns": [{"pattern": text or "/{word}/label.php?r={24}", "messages": total // 3}]
            if bodies
            else [],
            "sentence": "9,214 hosts, one path grammar.",
        },
        "authentication": {
            "pass": total // 80,
            "fail": total // 5,
            "none": total // 2,
            "unknown": total // 9,
            "domains": 31,
            "sentence": "1.3 % pass, for 31 domains.",
        },
        "counterfactual": [
            {
                "name": "per-address limit, 10 an hour",
                "share": share(0, total),
                "collateral": share(14_200, 100_000),
                "sentence": "A limit of ten an hour per address stops none of it and loses newsletters.",
            },
            {
                "name": "per-address limit, 3 an hour",
                "share": share(total // 14, total, total // 40),
                "collateral": share(31_000, 100_000),
                "sentence": "Three an hour stops a fourteenth.",
            },
            {
                "name": "exact copies of a body",
                "share": share(total // 300, total),
                "collateral": share(0, 100_000),
                "sentence": "No two bodies are equal.",
            },
            {
                "name": "known bad addresses",
                "share": share(0, total, total),
                "collateral": None,
                "sentence": "No list was given.",
            },
        ],
        "things": things(total, sources) if things else sent.not_assessed(total, sources),
        "reasons": [
            {
                "name": name,
                "weight": weight,
                "sentence": sentence,
                "evidence": [{"where": "messages.parquet: client_ip", "value": text or "102,000 of 750,000"}],
            }
            for name, weight, sentence in (
                ("many-sources", 5.6, "Many sources, few mails each."),
                ("same-hand", 5.6, "One dialect in 99.8 % of messages."),
                ("synchronised", 4.8, "All sources of a wave start within 20 seconds."),
                ("unauthenticated", 3.4, "SPF passes for 1.3 %."),
                ("list-headers", -0.7, "Some mails carry a list header."),
            )
        ],
        "signature": [
            {"family": f, "key": text or k, "weight": w, "messages": max(0, total - i * 900), "others": i}
            for i, (f, k, w) in enumerate(
                (
                    ("text", "blurred lines of the four lures (31 lines)", 9.1),
                    ("link", "path /{word}/label.php?r={24 of base64}", 8.4),
                    ("client", "header order From Subject To Date Message-ID MIME-Version", 7.9),
                    ("layout", "one HTML table, no text part", 2.3),
                )
            )
        ],
        "joined": [
            {
                "from": f"l-{number:04x}0000",
                "to": f"l-{number:04x}{i:04x}",
                "reasons": [
                    {
                        "name": "same-sources",
                        "weight": 6.1,
                        "sentence": "They share sources 64 times more often than chance.",
                    }
                ],
            }
            for i in range(1, lures)
        ],
        "self_check": [
            {"name": "Waves add up to the campaign", "passed": True, "sentence": f"{total:,} = {total:,}"}
        ],
    }


def report(campaigns: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """Return the whole document around *campaigns*."""
    kinds = [c["verdict"] for c in campaigns]
    messages = sum(c["messages"] for c in campaigns) + 257_400
    found = {
        "schema": 1,
        "program": {"name": "thingwatch", "version": "0.1.0"},
        "made_at": "2014-01-07T06:40:00Z",
        "input": {
            "paths": ["gateway-2013-12.mbox.zst"],
            "first_seen": iso(START),
            "last_seen": iso(START + timedelta(days=15)),
            "border": ["mx1.example.org"],
        },
        "totals": {
            "messages": messages,
            "sources": 162_752,
            "campaigns": len(kinds),
            "attacks": kinds.count("attack"),
            "bulk": kinds.count("bulk"),
            "unsure": kinds.count("unsure"),
            "skipped": 214,
            "skips": {"truncated-gzip": 43, "empty": 171},
            "defects": {"boundary-missing": 3118, "charset-unknown": 2640},
            "without_client_ip": 12,
            "without_received_at": 0,
            "logged_only": 0,
        },
        "headline": "One attack campaign sent 750,000 of the 1,565,000 mails read, in eight waves from 23 "
        "December 2013 to 6 January 2014, through 102,000 addresses of which none sent more than ten.",
        "smallest_seen": {
            "messages": 12,
            "sources": 9,
            "sentence": "A campaign of 12 messages from 9 sources would have been seen.",
        },
        "reference": {
            "network": {
                "name": "networks.mmdb",
                "date": "2013-12-20",
                "attribution": "made from public routing tables",
            }
        },
        "evidence": sent.NO_EVIDENCE,
        "stages": [
            {"name": n, "seconds": 3.25, "rows": messages}
            for n in ("read", "fingerprint", "group", "identify", "profile", "judge", "act")
        ],
        "settings": {"quiet_hours": 6, "min_likeness_bits": 14, "seed": 1},
        "campaigns": campaigns,
    }
    return found | changes


def one() -> dict[str, Any]:
    """The story the program was made for: one campaign, four lures, eight waves, a quarter of it by things."""
    document = report(
        [
            campaign(things=sent.estimated),
            campaign(2, "unsure", messages=3140, waves=1, lures=1, things=sent.cannot_tell),
            *(campaign(10 + i, "bulk", messages=20_000 - 900 * i, waves=3, lures=1) for i in range(12)),
        ],
        evidence=sent.evidence(),
    )
    document["headline"] += " Things sent about 27 % of it (24 to 31 %)."
    return document


def none() -> dict[str, Any]:
    """Mail in which nothing was found."""
    headline = "No campaign in 12,400 mails, 23 December to 7 January."
    return report([], headline=headline, reference={"network": None})


def several() -> dict[str, Any]:
    """Three attacks, all on the first page."""
    shares = (sent.estimated, sent.bounds_only, sent.cannot_tell)
    return report(
        [campaign(i, messages=100_000 // i, lures=i, things=share) for i, share in enumerate(shares, 1)]
    )


def unsure() -> dict[str, Any]:
    """No attack, one case that people must decide."""
    return report([campaign(1, "unsure", messages=90, waves=1, lures=1)])


def many(number: int = 500) -> dict[str, Any]:
    """More campaigns than a page can hold: two fifths attacks."""
    verdicts = ["attack"] * (number * 2 // 5) + ["unsure"] * (number // 10)
    verdicts += ["bulk"] * (number - len(verdicts))
    return report(
        [
            campaign(
                i + 1,
                v,
                messages=90_000 // (i + 1) + 20,
                waves=3,
                lures=2,
                things=None if v == "bulk" else sent.estimated,
            )
            for i, v in enumerate(verdicts)
        ]
    )


def hour() -> dict[str, Any]:
    """An hour of mail in bins of ten seconds, without a forecast."""
    found = campaign(waves=1, bins=360, bin_seconds=10, lures=1)
    found["clock"] = {
        "period_hours": None,
        "drift_minutes": None,
        "sentence": "One wave shows no clock.",
        "forecast": None,
    }
    document = report([found])
    document["input"]["last_seen"] = iso(START + timedelta(hours=1))
    return document


def decade() -> dict[str, Any]:
    """Ten years in bins of a day, 120 waves."""
    start = datetime(2004, 3, 2, tzinfo=UTC)
    found = campaign(waves=120, bins=3650, bin_seconds=86_400, start=start, lures=14)
    document = report([found])
    document["input"] |= {"first_seen": iso(start), "last_seen": iso(start + timedelta(days=3650))}
    return document


def hostile() -> dict[str, Any]:
    """Every place that strangers can write to holds the worst they wrote."""
    found = campaign(text=HOSTILE, lures=2, things=partial(sent.estimated, text=HOSTILE))
    found["kind"] = HOSTILE
    document = report(
        [found, campaign(2, "bulk", text=HOSTILE, messages=50, lures=1)], headline="One campaign: " + HOSTILE
    )
    document["evidence"] = sent.evidence(poisoned=True, text=HOSTILE)
    document["input"] |= {"paths": [HOSTILE], "border": [HOSTILE]}
    document["totals"]["skips"] = {HOSTILE: 214}
    document["totals"]["defects"] = {HOSTILE: 2}
    document["settings"] = {HOSTILE: HOSTILE}
    document["reference"]["network"] = {"name": HOSTILE, "date": "2013-12-20", "attribution": HOSTILE}
    return document


def failed() -> dict[str, Any]:
    """A campaign whose numbers contradict each other."""
    document = one()
    document["campaigns"][0]["self_check"].append(
        {
            "name": "Sources times most per source",
            "passed": False,
            "sentence": "750,000 messages are more than 9 sources of 10.",
        }
    )
    return document


def logged() -> dict[str, Any]:
    """Known from logs alone: no bodies, no networks."""
    document = report([campaign(bodies=False, networks=False)], reference={"network": None})
    document["totals"]["logged_only"] = document["totals"]["messages"]
    return document


def empty() -> dict[str, Any]:
    """Not one mail was read, and no time is known."""
    document = none()
    document["headline"] = "No mail was read."
    document["input"] |= {"paths": [], "first_seen": None, "last_seen": None, "border": []}
    document["totals"] = {name: {} if name in ("skips", "defects") else 0 for name in document["totals"]}
    document["stages"], document["settings"] = [], {}
    return document


def bare() -> dict[str, Any]:
    """A campaign with nothing in its lists and zeros in its counts."""
    found = campaign(waves=1, lures=1, messages=1)
    found |= {
        "waves": [],
        "lures": [],
        "brands": [],
        "counterfactual": [],
        "reasons": [],
        "signature": [],
        "joined": [],
        "self_check": [],
        "ptr": {"end-user": 0, "server": 0, "generic": 0, "none": 0, "unknown": 0},
        "helo": {},
    }
    found["series"] = {"start": iso(START), "bin_seconds": 60, "campaign": [], "other": []}
    found["per_source"] |= {"histogram": [], "cap": 0, "mean": 0}
    found["spread"] |= {"by_asn": [], "by_country": [], "asn_curve": []}
    return report([found])


def told(status: str) -> dict[str, Any]:
    """One campaign with the senders' document of *status*, and evidence where any was read."""
    found = campaign(things=sent.STATUS[status])
    files = sent.NO_EVIDENCE if status in ("not assessed", "cannot tell") else sent.evidence()
    return report([found], evidence=files)


def poisoned() -> dict[str, Any]:
    """A file of evidence that is not to be trusted, and a finding that rests on it."""
    return report([campaign(things=sent.banners_only)], evidence=sent.evidence(poisoned=True))


ODD = {
    "one": one,
    "none": none,
    "several": several,
    "unsure": unsure,
    "many": many,
    "hour": hour,
    "decade": decade,
    "hostile": hostile,
    "failed": failed,
    "logged": logged,
    "empty": empty,
    "bare": bare,
    "poisoned": poisoned,
    **{f"told {status}": partial(told, status) for status in sent.STATUS},
}
