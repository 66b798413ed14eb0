"""What a campaign says: its lures with a redacted specimen each, and its readable signature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thingwatch.profile.pace import iso
from thingwatch.store import Engine

MAX_LURES = 40  # lures of one campaign in the report; the Parquet files hold all
MAX_SIGNATURE = 24  # keys of one campaign in the report


def lures_of(engine: Engine, campaign: int, specimen: Callable[[int], str]) -> list[dict[str, Any]]:
    """The lures of *campaign*, largest first. *specimen* gives the redacted text of a message, "" for none."""
    rows = engine.rows(
        "SELECT lure, messages, sources, first_seen, last_seen FROM lure_sizes WHERE campaign = $campaign"
        " ORDER BY messages DESC, lure LIMIT $most",
        campaign=campaign,
        most=MAX_LURES,
    )
    lures = []
    for lure, messages, sources, first, last in rows:
        called = engine.rows(
            "SELECT subject, sum(messages) AS n, min(example) FROM subjects WHERE campaign = $campaign AND lure = $lure"
            " GROUP BY subject ORDER BY n DESC, subject LIMIT 1",
            campaign=campaign,
            lure=lure,
        )[0]
        subjects = engine.number(
            "SELECT count(DISTINCT subject) FROM subjects WHERE campaign = $campaign AND lure = $lure", campaign=campaign, lure=lure
        )
        media = engine.rows(
            "SELECT media, sum(messages) AS n FROM subjects WHERE campaign = $campaign AND lure = $lure GROUP BY media ORDER BY n DESC, media LIMIT 1",
            campaign=campaign,
            lure=lure,
        )[0][0]
        # A name a quarter of the lure claims to come from, from addresses that are not all one, is a borrowed one.
        brands = engine.rows(
            "SELECT from_name, sum(messages) AS n FROM subjects WHERE campaign = $campaign AND lure = $lure AND from_name <> ''"
            " GROUP BY from_name HAVING sum(messages) >= 0.25 * $messages ORDER BY n DESC, from_name LIMIT 3",
            campaign=campaign,
            lure=lure,
            messages=messages,
        )
        hosts = engine.rows(
            "SELECT h.host, count(*) AS n FROM (SELECT unnest(d.hosts) AS host FROM belonging AS b JOIN details AS d ON d.seq = b.seq"
            " WHERE b.campaign = $campaign AND b.lure = $lure) AS h GROUP BY h.host ORDER BY n DESC, h.host LIMIT 3",
            campaign=campaign,
            lure=lure,
        )
        similar = engine.rows(
            "SELECT avg(x.part) FROM (SELECT least(1.0, v.keys * 1.0 / h.keys) AS part FROM belonging AS b JOIN votes AS v ON v.seq = b.seq"
            " AND v.lure = b.lure JOIN holdings AS h ON h.seq = b.seq WHERE b.campaign = $campaign AND b.lure = $lure) AS x",
            campaign=campaign,
            lure=lure,
        )[0][0]
        lures.append(
            {
                "id": f"l-{lure & 0xFFFFFFFFFFFF:x}",
                "messages": messages,
                "sources": sources,
                "subject": called[0],
                "subjects": subjects,
                "specimen": specimen(called[2]),
                "first_seen": iso(first),
                "last_seen": iso(last),
                "brands": [name for name, _ in brands],
                "links": [host.replace(".", "[.]") for host, _ in hosts],
                "media": media,
                "similar": round(similar or 0.0, 3),
                "series": [],
            }
        )
    return lures


def signature_of(engine: Engine, campaign: int, read_key: Callable[[int, int], str]) -> list[dict[str, Any]]:
    """The keys that tell *campaign* from other mail, strongest first; *read_key* names one held by a message."""
    rows = engine.rows(
        "SELECT key, kind, weight, messages, others, example FROM signature_keys WHERE campaign = $campaign"
        " ORDER BY messages * weight DESC, key LIMIT $most",
        campaign=campaign,
        most=MAX_SIGNATURE * 2,
    )
    found = []
    for key, kind, weight, messages, others, example in rows:
        text = read_key(example, key)
        if text:
            found.append({"kind": kind, "key": text, "weight": round(weight, 1), "messages": messages, "others": others})
    return found[:MAX_SIGNATURE]
