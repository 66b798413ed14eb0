"""Hosts → the document an owner reads: findings in order of urgency, steps once per kind, and what was not seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from thingwatch.act.clean import safe
from thingwatch.act.wording import plural
from thingwatch.audit.hosts import Gathering, Host
from thingwatch.identify.causes import EXPOSURES, Exposure, Standing, class_name, cure, special, standing

SCHEMA = 1
MAX_MATCHED = 120  # characters of a banner that are shown; the rest stands in the file named beside it

_COUNTS = "addresses inside things others unknown silent urgent open close normal"
_COUNTED = {"thing": "things", "unknown": "unknown"}
_RANKS: dict[Standing, int] = {"urgent": 0, "open": 1, "close": 2, "normal": 3}


class _Open(NamedTuple):
    """One exposure of one host, with how pressing it is there."""

    exposure: Exposure
    standing: Standing


def document_of(hosts: Iterable[Host], files: list[dict[str, Any]], seen: Gathering) -> dict[str, Any]:
    """The audit as one document, docs/audit.md describes it; every text of a stranger in it is cleaned."""
    groups: dict[tuple[Any, ...], list[tuple[Host, list[_Open]]]] = {}
    quiet: dict[tuple[Any, ...], list[Host]] = {}
    counts: Counter[str] = Counter()
    classes: Counter[str] = Counter()
    for host in hosts:
        counts["addresses"] += 1
        counts["inside"] += host.inside
        parent = _parent(host)
        heard = host.answers or host.label is not None or bool(host.exposures)
        counts[_COUNTED.get(parent, "others") if heard else "silent"] += 1
        if host.label is not None and host.label.device_class:
            classes[host.label.device_class] += 1
        judged = _judged(host)
        worst = min((_RANKS[one.standing] for one in judged), default=3)
        counts["urgent"] += worst == 0
        counts["open"] += worst == 1
        counts["close"] += worst == 2
        if worst < 3:
            told = [one for one in judged if one.standing != "normal"]
            alike = tuple((o.exposure.name, o.exposure.port, o.standing, o.exposure.why) for o in told)
            groups.setdefault((worst, alike, _device_key(host), host.inside), []).append((host, told))
        elif heard:
            quiet.setdefault((parent, _device_key(host)), []).append(host)
        counts["normal"] += any(one.standing == "normal" for one in judged)
    ordered = sorted(groups.items(), key=lambda item: (_first(item[0]), -len(item[1]), item[1][0][0].ip))
    findings = [_finding(members) for _, members in ordered]
    skips = Counter[str]()
    for file in files:
        skips.update(file["skips"])
    return {
        "schema": SCHEMA,
        "headline": _headline(counts, findings, skips.total()),
        "counts": {name: counts[name] for name in _COUNTS.split()},
        "by_device_class": dict(sorted(classes.items(), key=lambda item: (-item[1], item[0]))),
        "findings": findings,
        "steps": _steps(findings),
        "without_findings": [
            {"device": _device(members[0]), "count": len(members), "addresses": [host.ip for host in members]}
            for _, members in sorted(quiet.items(), key=lambda item: (item[0][0] != "thing", -len(item[1])))
        ],
        "not_looked_at": _not_looked_at(counts, seen),
        "files": files,
        "skipped": skips.total(),
        "skips": dict(sorted(skips.items(), key=lambda item: (-item[1], item[0]))),
    }


def _judged(host: Host) -> list[_Open]:
    """A host's exposures with their standing. Being too old stands beside other exposures, not beside itself."""
    others = any(exposure.name != "eol_firmware" for exposure in host.exposures)
    return [
        # A router's other side faces the internet, wherever it was seen from.
        _Open(one, standing(one.name, inside=False, beside=False))
        if host.inside and one.name == "eol_firmware" and _device_key(host)[1] == "router"
        else _Open(one, standing(one.name, inside=host.inside, beside=others))
        for one in host.exposures
    ]


def _first(key: tuple[Any, ...]) -> tuple[int, int]:
    """Where a group stands: by its worst standing, then by the exposure that has it."""
    worst, alike = key[0], key[1]
    return worst, min(EXPOSURES.index(name) for name, _, how, _ in alike if _RANKS[how] == worst)


def _parent(host: Host) -> str:
    return host.label.parent if host.label is not None else "unknown"


def _device_key(host: Host) -> tuple[str, str, str, str]:
    label = host.label
    if label is None:
        return "", "", "", ""
    return label.parent, label.device_class or "", label.vendor, label.model


def _device(host: Host) -> dict[str, Any]:
    """What answers there, how sure that is, and the text it was read from. Of a group, its first host's."""
    label, text = host.label, host.read_from
    if label is None:
        return {
            "device_class": None, "name": "device not recognised", "parent": "unknown", "vendor": "", "model": "",
            "confidence": None, "rule": "", "matched": "", "kind": "", "where": "",
        }  # fmt: skip
    return {
        "device_class": label.device_class,
        "name": class_name(label.device_class)
        if label.device_class
        else _PARENTS.get(label.parent, "device"),
        "parent": label.parent,
        "vendor": safe(label.vendor, 60),
        "model": safe(label.model, 60),
        "confidence": round(label.confidence, 3),
        "rule": safe(label.rule, 80),
        "matched": safe(label.matched, MAX_MATCHED),
        "kind": text.kind if text else "",
        "where": safe(f"{text.source} {text.place}") if text else "",
    }


_PARENTS = {
    "thing": "device of unknown kind",
    "conventional": "computer or phone",
    "infrastructure": "server or network equipment",
    "unknown": "device not recognised",
}


def _finding(members: list[tuple[Host, list[_Open]]]) -> dict[str, Any]:
    """Hosts of one device with the same doors open, as one finding."""
    host, judged = members[0]
    names: dict[str, list[_Open]] = {}
    for one in judged:
        names.setdefault(one.exposure.name, []).append(one)
    return {
        "standing": min((one.standing for one in judged), key=_RANKS.__getitem__),
        "inside": host.inside,
        "device": _device(host),
        "count": len(members),
        "addresses": [member.ip for member, _ in members],
        "exposures": [
            {
                "name": name,
                "label": cure(name, None).label,
                "means": cure(name, None).means,
                "standing": opened[0].standing,
                "why": list(dict.fromkeys(safe(one.exposure.why, 200) for one in opened)),
                "ports": [one.exposure.port for one in opened if one.exposure.port is not None],
                "seen": [
                    _seen(member.ip, one.exposure)
                    for member, own in members
                    for one in own
                    if one.exposure.name == name
                ],
            }
            for name, opened in names.items()
        ],
    }


def _seen(ip: str, exposure: Exposure) -> dict[str, Any]:
    at = None
    if exposure.at is not None and 0 <= exposure.at < 253_402_300_800_000_000:  # the year 10000
        at = datetime.fromtimestamp(exposure.at / 1e6, UTC).isoformat(timespec="seconds")
    return {"address": ip, "port": exposure.port, "at": at, "where": safe(exposure.where)}


def _steps(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What to do, once per exposure, the most urgent first; what is special about a class stands beside it."""
    merged: dict[tuple[str, Standing], dict[str, Any]] = {}
    for finding in findings:
        device_class = finding["device"]["device_class"]
        for exposure in finding["exposures"]:
            name, how = exposure["name"], exposure["standing"]
            entry = merged.setdefault((name, how), _step(name, how))
            entry["count"] += finding["count"]
            entry["addresses"] += finding["addresses"]
            extra = special(name, device_class)
            entry["general"] = entry["general"] or not extra.instead
            if any(extra) and all(told["device_class"] != device_class for told in entry["for_class"]):
                entry["for_class"].append(
                    {"device_class": device_class, "name": class_name(device_class)}
                    | {part: list(told) for part, told in extra._asdict().items()}
                )
    return sorted(merged.values(), key=lambda e: (_RANKS[e["standing"]], EXPOSURES.index(e["name"])))


def _step(name: str, how: Standing) -> dict[str, Any]:
    advice = cure(name, None)
    return {
        "name": name,
        "label": advice.label,
        "means": advice.means,
        "standing": how,
        "count": 0,
        "addresses": [],
        "general": False,
        "owner": list(advice.owner),
        "isp": list(advice.isp),
        "for_class": [],
        "refs": [{"key": ref.key, "title": ref.title} for ref in advice.refs],
    }


def _headline(counts: Counter[str], findings: list[dict[str, Any]], skipped: int) -> str:
    total = counts["addresses"]
    if not total and skipped:
        return "Nothing in these files could be read, so nothing can be said about devices."
    if not total or counts["silent"] == total:
        return "Nothing in these files answered anything, so nothing can be said about devices."
    if urgent := counts["urgent"]:
        worst: Counter[str] = Counter()
        for finding in findings:
            for exposure in finding["exposures"]:
                if exposure["standing"] == "urgent":
                    worst[exposure["label"]] += finding["count"]
        told = "; ".join(f"{label} ({count:,})" for label, count in worst.most_common(3))
        return f"{urgent:,} of {plural(total, 'address', 'addresses')} {_need(urgent)} attention now: {told}."
    rest = counts["open"] + counts["close"]
    if rest:
        return f"Nothing urgent. At {plural(rest, 'address', 'addresses')} of {total:,} there is something to close."
    return (
        f"Nothing found that stands open at {plural(total, 'address', 'addresses')}. "
        "That is what these files show; it is no proof."
    )


def _need(number: int) -> str:
    return "needs" if number == 1 else "need"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _not_looked_at(counts: Counter[str], seen: Gathering) -> list[str]:
    """What these files cannot show, in sentences for the owner."""
    out = []
    if inside := counts["inside"]:
        if inside == counts["addresses"]:
            whose = "These addresses are private (RFC 1918 and the like) and were"
        else:
            whose = f"Private (RFC 1918 and the like) {_are(inside)} {inside:,} of these addresses,"
        out.append(
            f"{whose} seen from inside. Open there means open to "
            "the house, not to the internet; what your router forwards to them from outside does not show here. Look "
            "at its list of port forwardings, and have the line looked at from outside."
        )
    out.append(
        "A scan shows the ports it asked, when it asked. A port that is not in these files may be open all the same."
    )
    if "udp" not in seen.protocols:
        out.append(
            "Nothing over UDP is in these files. SNMP (161), SSDP (1900) and NAT-PMP (5351) can only be asked over UDP."
        )
    if not seen.texts and counts["addresses"]:
        out.append(
            "These files hold ports without what answers on them, so devices cannot be told. "
            "Nmap adds it with the option -sV."
        )
    if 6 not in seen.families:
        out.append(
            "No IPv6 address is in these files. Where a line has IPv6, each device has an address of its own, and "
            "the router's filter decides what is reached."
        )
    out.append(
        "No password was tried, and none will be. Whether a device still has the one it was sold with, its owner knows."
    )
    out.append(
        "The list of models without updates is short. A model that is not on it may be as old: ask its maker."
    )
    return out
