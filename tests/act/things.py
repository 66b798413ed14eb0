"""What a report says of the senders, made by code: one document for every status, and an odd one."""

from __future__ import annotations

from typing import Any

from thingwatch.outcome import things_sentence

RUNGS = (
    "address only",
    "kind of line known",
    "front seen",
    "sender seen",
    "sender seen twice",
    "sender and front agree",
    "confirmed",
)
RUNG_PARTS = (0.06, 0.22, 0.14, 0.33, 0.17, 0.065, 0.015)
ORIGINS = ("thing_self", "thing_relay", "nat_pc", "mobile", "server", "unknown")
CLASSES = {
    "router": 4871,
    "dvr_nvr": 906,
    "ip_camera": 588,
    "nas": 341,
    "media_player": 214,
    "smart_tv": 152,
    "voip": 97,
    "printer": 42,
    "home_appliance": 1,
}


def ends(low: float | None, point: float | None, high: float | None) -> dict[str, Any]:
    """Return an interval with its point."""
    return {"low": low, "point": point, "high": high}


def not_assessed(messages: int, sources: int) -> dict[str, Any]:
    """Return the whole document of a campaign whose senders were not asked about."""
    things: dict[str, Any] = {
        "status": "not assessed",
        "share_of_messages": ends(None, None, None) | {"basis": "not assessed"},
        "counts": {
            "unit": "messages",
            "messages": messages,
            "with_sender_evidence": 0,
            "with_front_evidence": 0,
            "identified_things": 0,
            "identified_others": 0,
            "unidentified": messages,
            "sources": sources,
            "sources_identified": 0,
        },
        "bounds": {"low": 0.0, "high": 1.0},
        "case_control": None,
        "naive_by_banner": None,
        "naive": None,
        "background": None,
        "origins": [],
        "ladder": [],
        "by_device_class": {},
        "devices": [],
        "class_not_earned": 0,
        "ablation": [],
        "rests_on_banners": False,
        "examples": [],
        "exposures": [],
        "by_network": {},
    }
    things["sentence"] = things_sentence(things, messages)
    return things


def _rows(messages: int, sources: int, parts: tuple[float, ...]) -> list[tuple[int, int]]:
    """Return messages and sources cut into *parts*; the last takes what is left over."""
    rows = [(int(messages * part), int(sources * part)) for part in parts[:-1]]
    return [*rows, (messages - sum(m for m, _ in rows), sources - sum(s for _, s in rows))]


def estimated(messages: int, sources: int, text: str | None = None) -> dict[str, Any]:
    """Return the document of the 2014 story; *text* replaces everything that banners or files could say."""
    judged = _rows(messages, sources, (0.07, 0.10, 0.345, 0.005, 0.04, 0.44))
    estimates = (
        ends(0.09, 0.11, 0.14),
        ends(0.13, 0.16, 0.19),
        ends(0.61, 0.662, 0.71),
        ends(0.001, 0.008, 0.02),
        ends(0.04, 0.06, 0.08),
        None,
    )
    rungs = (
        ends(None, None, None),
        ends(0.05, None, 0.55),
        ends(0.16, None, 0.58),
        ends(0.22, 0.27, 0.32),
        ends(0.21, 0.24, 0.27),
        ends(0.37, 0.41, 0.45),
        ends(0.66, 0.72, 0.78),
    )
    singly = judged[0][0] + judged[1][0]
    unknown = judged[5][0]
    named = int(messages * 0.53)
    things = not_assessed(messages, sources) | {
        "status": "estimated",
        "share_of_messages": ends(0.24, 0.272, 0.31) | {"basis": "all evidence, weighed"},
        "case_control": ends(0.16, 0.19, 0.22)
        | {
            "cases": {"things": 5690, "seen": 23_400},
            "controls": {"things": 2980, "seen": 43_160},
            "expected": 0.069,
            "seen_means": "scanned",
            "matched_by": "ASN",
            "networks": 412,
        },
        "naive_by_banner": 0.53,
        "naive": {
            "messages_things": int(named * 0.53),
            "messages_named": named,
            "sources_things": 28_000,
            "sources_named": 53_000,
            "both_known": 9310,
            "both_windows": 4469,
        },
        "background": ends(0.066, 0.069, 0.072) | {"addresses": 43_160},
        "origins": [
            {"origin": name, "messages": m, "sources": s, "estimate": estimate}
            for name, (m, s), estimate in zip(ORIGINS, judged, estimates, strict=True)
        ],
        "ladder": [
            {"rung": name, "messages": m, "sources": s, "share": share}
            for name, (m, s), share in zip(RUNGS, _rows(messages, sources, RUNG_PARTS), rungs, strict=True)
        ],
        "by_device_class": dict(CLASSES),
        "devices": [
            {
                "device_class": name,
                "vendor": text or f"Example Maker {i}",
                "model": text or ("" if i % 3 else f"X-{i}00"),
                "sources": found,
                "messages": 7 * found,
            }
            for i, (name, found) in enumerate(CLASSES.items())
        ],
        "class_not_earned": 9704,
        "ablation": [
            {"family": family} | ends(*share)
            for family, share in (
                ("transport", (0.25, 0.33, 0.43)),
                ("timing", (0.24, 0.28, 0.33)),
                ("smtp", (0.23, 0.27, 0.31)),
                ("banner", (0.21, 0.25, 0.29)),
                ("proxy", (0.22, 0.25, 0.29)),
                ("compromise", (0.23, 0.26, 0.30)),
                ("network", (0.24, 0.27, 0.31)),
            )
        ],
        "examples": [
            example("thing_self", "thing_self against nat_pc", "home_appliance", text),
            example("nat_pc", "thing_self against nat_pc", None, text),
            example("thing_relay", "thing_relay against nat_pc", "smart_tv", text),
        ],
        "exposures": [
            {
                "name": name,
                "label": label,
                "sources": found,
                "owner": [text or "turn Telnet off", "never forward its port"],
                "isp": [text or "block inbound TCP 23 toward consumer lines"],
                "refs": [text or "ETSI EN 303 645, provision 5.6"],
            }
            for name, label, found in (
                ("telnet_open", "Telnet reachable from the internet", 1204),
                ("open_proxy", "open SOCKS or HTTP proxy", 3391),
                ("compromised_pc", "infected computer behind the line", 2210),
            )
        ],
        "by_network": {
            str(64496 + i): {"things": 100 // (i + 2), "judged": 300 // (i + 1)} for i in range(10)
        },
    }
    things["counts"] |= {
        "with_sender_evidence": int(messages * 0.58),
        "with_front_evidence": int(messages * 0.71),
        "identified_things": singly,
        "identified_others": messages - singly - unknown,
        "unidentified": unknown,
        "sources_identified": sources - judged[5][1],
    }
    things["bounds"] = {
        "low": singly / messages if messages else 0.0,
        "high": (singly + unknown) / messages if messages else 1.0,
    }
    return _told(things)


def example(origin: str, against: str, device_class: str | None, text: str | None) -> dict[str, Any]:
    """Return a source weighed piece by piece, its bits adding up."""
    computer = origin == "nat_pc"
    rows = [
        (
            "transport",
            "tcp_syn: windows",
            "4:128:0:1452:8192,2:mss,nop,ws,nop,nop,sok",
            0.0,
            "p0f, syn.log@77",
            -5.6,
        )
        if computer
        else (
            "transport",
            "tcp_syn: linux_small",
            "4:64:0:1452:mss*4,3:mss,sok,ts",
            0.0,
            "p0f, syn.log@1204",
            5.1,
        ),
        (
            "banner",
            "front: thing",
            "fridge/1.0 (ARM)",
            2.0,
            "shadowserver:scan_http, scans/http.csv@40112",
            2.7,
        ),
        ("smtp", "helo: bare", "localhost", 0.0, "the mail's own headers", 1.2),
        ("proxy", "proxy: unreported", "", None, "", -0.1),
        ("timing", "smtp_rtt: near", "1.04 2", 0.0, "zeek, smtp.log@88", 0.0),
    ]
    return {
        "client_ip": "203.0.113.47",
        "messages": 9,
        "origin": origin,
        "against": against,
        "device_class": device_class,
        "vendor": text or ("Example Maker" if device_class else ""),
        "model": text or ("RF-4000" if device_class else ""),
        "start_bits": -1.3,
        "pieces": [
            {
                "family": family,
                "what": text or what,
                "value": text or value,
                "when": None if age is None else "2013-12-28T10:00:00Z",
                "where": text or where,
                "age_days": age,
                "bits": weight,
            }
            for family, what, value, age, where, weight in rows
        ],
        "sum_bits": round(-1.3 + sum(row[-1] for row in rows), 1),
        "p": {"thing_self": 0.02, "thing_relay": 0.02, "nat_pc": 0.955, "mobile": 0.004, "server": 0.001}
        if computer
        else {"thing_self": 0.964, "thing_relay": 0.02, "nat_pc": 0.011, "mobile": 0.001, "server": 0.004},
    }


def _told(things: dict[str, Any]) -> dict[str, Any]:
    things["sentence"] = things_sentence(things, things["counts"]["messages"])
    return things


def at_most(messages: int, sources: int) -> dict[str, Any]:
    """Return a campaign of PCs alone, seen well: no thing is shown."""
    things = estimated(messages, sources)
    judged = _rows(messages, sources, (0.0, 0.0, 0.86, 0.0, 0.02, 0.12))
    estimates = (
        ends(0.0, 0.002, 0.009),
        ends(0.0, 0.003, 0.011),
        ends(0.95, 0.968, 0.98),
        ends(0.0, 0.003, 0.01),
        ends(0.018, 0.024, 0.03),
        None,
    )
    things |= {
        "status": "at most",
        "share_of_messages": ends(0.001, None, 0.0161) | {"basis": "all evidence, weighed"},
        "case_control": things["case_control"]
        | ends(-0.01, 0.0, 0.01)
        | {"cases": {"things": 1600, "seen": 23_400}},
        "naive_by_banner": 0.49,
        "origins": [
            {"origin": name, "messages": m, "sources": s, "estimate": estimate}
            for name, (m, s), estimate in zip(ORIGINS, judged, estimates, strict=True)
        ],
        "bounds": {"low": 0.0, "high": judged[5][0] / messages},
        "by_device_class": {},
        "devices": [],
        "class_not_earned": 0,
        "ablation": [row | ends(0.0, 0.01, 0.03) for row in things["ablation"]],
        "examples": things["examples"][1:2],
        "exposures": things["exposures"][2:],
        "by_network": {asn: row | {"things": 0} for asn, row in things["by_network"].items()},
    }
    things["ladder"] = [
        row | {"share": row["share"] if row["share"]["point"] is None else ends(0.0, 0.004, 0.02)}
        for row in things["ladder"]
    ]
    things["counts"] |= {
        "with_sender_evidence": int(messages * 0.97),
        "identified_things": 0,
        "identified_others": messages - judged[5][0],
        "unidentified": judged[5][0],
    }
    return _told(things)


def bounds_only(messages: int, sources: int) -> dict[str, Any]:
    """Return a campaign of which scans tell much and SYN records little."""
    things = estimated(messages, sources)
    things |= {
        "status": "bounds only",
        "share_of_messages": ends(None, None, None) | {"basis": "evidence about the sender on 12 %"},
        "origins": [row | {"estimate": None} for row in things["origins"]],
        "rests_on_banners": True,
    }
    things["counts"]["with_sender_evidence"] = int(messages * 0.12)
    things["ladder"][-1] |= {"messages": 0, "sources": 0, "share": ends(None, None, None)}
    return _told(things)


def cannot_tell(messages: int, sources: int) -> dict[str, Any]:
    """Return a campaign known from its mail's headers alone."""
    things = not_assessed(messages, sources)
    parts = _rows(messages, sources, (0.2, 0.8))
    rows = [*parts, *[(0, 0)] * 5]
    things |= {
        "status": "cannot tell",
        "origins": [
            {"origin": name, "messages": m, "sources": s, "estimate": None}
            for name, (m, s) in zip(ORIGINS, [(0, 0)] * 5 + [(messages, sources)], strict=True)
        ],
        "ladder": [
            {"rung": name, "messages": m, "sources": s, "share": ends(None, None, None)}
            for name, (m, s) in zip(RUNGS, rows, strict=True)
        ],
    }
    return _told(things)


def banners_only(messages: int, sources: int) -> dict[str, Any]:
    """Return an estimate that falls with its banners, beside neighbours that say more than it."""
    things = estimated(messages, sources)
    things["rests_on_banners"] = True
    things["case_control"] |= ends(0.35, 0.4, 0.45)
    things["ablation"][3] |= ends(0.04, 0.08, 0.15)
    return _told(things)


STATUS = {
    "estimated": estimated,
    "at most": at_most,
    "bounds only": bounds_only,
    "cannot tell": cannot_tell,
    "not assessed": not_assessed,
}


def evidence(*, poisoned: bool = False, text: str | None = None) -> dict[str, Any]:
    """Return the files of evidence as a report lists them."""
    forms = (
        ("syn.log.zst", "p0f log", 1_500_000, 812_000, {"not-a-source": 688_000}),
        ("scans/http-2013-12.csv.gz", "Shadowserver CSV: scan_http", 214_300, 391_000, {"no-time": 12}),
        ("socks.txt", "address list", 4100, 4100, {}),
    )
    files = [
        {
            "path": text or path,
            "form": text or form,
            "rows": rows,
            "sightings": sightings,
            "addresses": rows // 9,
            "of_sources": rows // 30,
            "first_seen": "2013-12-20T00:00:00Z",
            "last_seen": "2014-01-06T23:59:00Z",
            "skips": {text: 3} if text else skips,
            "warnings": [],
        }
        for path, form, rows, sightings, skips in forms
    ]
    if poisoned:
        files[1]["warnings"] = [
            {
                "name": text or "one-address-many-rows",
                "rows": 10_000,
                "sentence": text or "10,000 rows speak of one address; they count as one vote.",
            },
            {
                "name": text or "times-impossible",
                "rows": 812,
                "sentence": text or "812 rows are dated after the report was made.",
            },
        ]
        files[2] |= {"first_seen": None, "last_seen": None}
    return {
        "files": files,
        "rows": sum(int(file["rows"]) for file in files),
        "skipped": sum(sum(file["skips"].values()) for file in files),
    }


NO_EVIDENCE: dict[str, Any] = {"files": [], "rows": 0, "skipped": 0}
