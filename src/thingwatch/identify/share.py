"""The share of things in one campaign: three estimators, the tempting wrong reading, and what may be printed.

A. The mixture weighs all evidence and gives an interval (`mixture`).
B. The bounds assume nothing about sources we could not judge: at least what was identified, at most that and all that
   was not (Manski). They are always printed beside A.
C. Case-control needs no verdict on any address: it asks how much more often the campaign's addresses show a thing's
   banner than their neighbours in the same networks, in the same scans. It is a lower bound.

The rule for printing: without evidence about the sender for ``ENOUGH_SENDER`` of the messages no point is given, only
bounds; with nothing but what the mail's headers say, nothing can be told; and a low end under ``NEAR_ZERO`` makes the
answer "at most", because a mixture never returns zero.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thingwatch.identify.likelihood import CAP, FRESHNESS, ORIGINS, THING, UNSEEN, Floats, families, items
from thingwatch.identify.mixture import NAT_PC, Mixture, mixture
from thingwatch.identify.weigh import RELAY_VALUES, SENDER_VALUES, Case, Comparison, Weighed, shows
from thingwatch.model import Z90, wilson

ENOUGH_SENDER = 0.30  # share of messages with evidence about the sender, below which no point is printed
NEAR_ZERO = 0.01  # low end below which the answer is "at most"
SURE = 0.8  # chance from which on a source is said to have an origin
SURE_CLASS = 0.7  # confidence of a label from which on a device class is earned
ABLATION_SWEEPS = 100  # kept
MIN_ABLATION = 50  # sources below which leaving out a family says nothing
BANNER_POINTS = 0.10  # move of the share without banners from which on the finding rests on them
MIN_COMPARED = 30  # addresses on either side, below which nothing is compared
LEANING = 5.0  # neighbours' worth of the pooled rate in each network's own
RUNGS = (
    "address only",
    "kind of line known",
    "front seen",
    "sender seen",
    "sender seen twice",
    "sender and front agree",
    "confirmed",
)


class Assessment(NamedTuple):
    """What is said of one campaign: its document, and each source's chances in the order of the case."""

    document: dict[str, Any]
    p: Floats | None  # sources x origins; None where no chances may be printed
    origins: list[str]
    found: Mixture | None  # None where nothing but the mail's headers was seen


def assess(weighed: Weighed, case: Case, seed: int, thorough: bool = True) -> Assessment:
    """Assess one campaign. The document holds all but what devices and examples add (`portrayal`).

    *thorough* also estimates with each family of evidence left out, which costs as much again.
    """
    votes = case.votes
    messages = votes.messages
    total = int(messages.sum())
    sender = shows(votes.values, SENDER_VALUES)
    front = votes.values["front"] != UNSEEN
    told = _any_seen(votes.values, ("infection", "outcome"))
    listed = votes.values["proxy"] != UNSEEN
    sender_share = float(messages[sender].sum()) / total if total else 0.0
    beyond_headers = bool((sender | front | told | listed).any())
    status = "cannot tell"
    found: Mixture | None = None
    if beyond_headers:
        found = mixture(votes, seed)
        status = "bounds only" if sender_share < ENOUGH_SENDER else "estimated"
    interval = _interval(found.things) if found is not None and status == "estimated" else None
    if interval is not None and interval["low"] < NEAR_ZERO:
        status = "at most"
    parted = bool((_any_seen(votes.values, ("smtp_rtt",)) | shows(votes.values, RELAY_VALUES)).any())
    # Behind a translated address are hundreds of homes: what one of them sent is no verdict on the address.
    judged = (sender | told) & ~case.shared
    origins = _origins(found.p if found is not None else None, judged, parted)
    thing = np.array([origin in ("thing_self", "thing_relay") for origin in origins], dtype=bool)
    known = np.array([origin != "unknown" for origin in origins], dtype=bool)
    identified, others = int(messages[thing].sum()), int(messages[known & ~thing].sum())
    bounds = {
        "low": identified / total if total else 0.0,
        "high": (total - others) / total if total else 1.0,
    }
    if interval is not None:
        # One in five of the identified may be something else: what the interval holds is not excluded either.
        bounds = {"low": min(bounds["low"], interval["low"]), "high": max(bounds["high"], interval["high"])}
    document: dict[str, Any] = {
        "status": status,
        "sentence": "",
        "share_of_messages": _share(status, interval, bounds),
        "counts": {
            "unit": "messages",
            "messages": total,
            "with_sender_evidence": int(messages[sender].sum()),
            "with_front_evidence": int(messages[front].sum()),
            "identified_things": identified,
            "identified_others": others,
            "unidentified": total - identified - others,
            "sources": len(messages),
            "sources_identified": int(known.sum()),
        },
        "bounds": bounds,
        "case_control": case_control(weighed.comparison(case), len(messages)),
        **_naive(votes.values, messages),
        "background": _background(weighed, case),
        "origins": _origin_rows(
            origins, messages, found if status in ("estimated", "at most") else None, parted
        ),
        "ladder": _ladder(votes.values, messages, found, status),
        **_ablations(case, seed, found, interval if thorough else None),
    }
    p = found.p if found is not None and status != "cannot tell" else None
    if p is not None and status == "bounds only":
        # Without enough senders seen the shares are mostly the prior's: only whose connection was seen gets chances.
        p = np.where((sender | told)[:, None], p, np.nan)
    return Assessment(document, p, origins, found)


def not_assessed(messages: int, sources: int) -> dict[str, Any]:
    """The document of a campaign whose senders were not looked at."""
    return {
        "status": "not assessed",
        "sentence": "",
        "share_of_messages": {"low": None, "point": None, "high": None, "basis": "not assessed"},
        "counts": {
            "unit": "messages", "messages": messages, "with_sender_evidence": 0, "with_front_evidence": 0,
            "identified_things": 0, "identified_others": 0, "unidentified": messages, "sources": sources,
            "sources_identified": 0,
        },
        "bounds": {"low": 0.0, "high": 1.0},
        "case_control": None, "naive_by_banner": None, "naive": None, "background": None, "origins": [],
        "ladder": [], "by_device_class": {}, "devices": [], "class_not_earned": 0, "ablation": [],
        "rests_on_banners": False, "examples": [], "exposures": [], "by_network": {},
    }  # fmt: skip


def _any_seen(values: dict[str, NDArray[np.int8]], names: tuple[str, ...]) -> NDArray[np.bool_]:
    seen = np.zeros(len(next(iter(values.values()))), dtype=bool)
    for name in names:
        seen |= values[name] != UNSEEN
    return seen


def _interval(draws: Floats) -> dict[str, float]:
    low, point, high = np.quantile(draws, [0.05, 0.5, 0.95]).tolist() if len(draws) else (0.0, 0.0, 1.0)
    return {"low": round(low, 4), "point": round(point, 4), "high": round(high, 4)}


def _share(status: str, interval: dict[str, float] | None, bounds: dict[str, float]) -> dict[str, Any]:
    if interval is not None and status == "estimated":
        return interval | {
            "basis": "all evidence weighed source by source, and summed up for all (5 to 95 %)"
        }
    if interval is not None:
        return {
            "low": 0.0, "point": None, "high": interval["high"],
            "basis": "all evidence weighed; the low end is under 1 %, so only the upper end is given (95 %)",
        }  # fmt: skip
    basis = "bounds that assume nothing: evidence about too few senders for an estimate"
    return {"low": bounds["low"], "point": None, "high": bounds["high"], "basis": basis}


def _origins(p: Floats | None, earned: NDArray[np.bool_], parted: bool) -> list[str]:
    """The origin of each source, where it is sure enough and rests on evidence about the sender.

    Unless something *parted* relays from senders, a thing is said to have sent itself: nothing speaks of a relay.
    """
    if p is None:
        return ["unknown"] * len(earned)
    things = p[:, THING].sum(axis=1)
    best = p.argmax(axis=1)
    best_thing = np.where((p[:, 0] >= p[:, 1]) | (not parted), 0, 1)
    found = []
    for row in range(len(p)):
        if not earned[row]:
            found.append("unknown")
        elif things[row] >= SURE:
            found.append(ORIGINS[best_thing[row]])
        elif p[row, best[row]] >= SURE:
            found.append(ORIGINS[best[row]])
        else:
            found.append("unknown")
    return found


def case_control(found: Comparison, sources: int) -> dict[str, Any] | None:
    """The attributable fraction (p1 - p0) / (1 - p0): at least so many of the campaign's addresses are things.

    p1 is the share with a thing's banner among the campaign's addresses seen, p0 the same among their neighbours,
    network by network in the campaign's own mix. Where scans name the silent, seen is scanned, and the fraction is one
    of the scanned. Where they do not, seen is answered, and the fraction is brought down to all sources, as if none of
    those that did not answer were a thing. Interval: delta method, 90 %. None with fewer than 30 of either.
    """
    things = seen = control_things = control_seen = networks = 0
    weighted = variance = 0.0
    pooled = _pooled(found)
    for asn, (mine, mine_seen) in found.cases.items():
        theirs, theirs_seen = found.controls.get(asn, (0, 0))
        if not theirs_seen or not mine_seen:
            continue
        networks += 1
        things, seen = things + mine, seen + mine_seen
        control_things, control_seen = control_things + theirs, control_seen + theirs_seen
        # A few neighbours without a banner do not prove that there are none: lean on all networks together.
        rate = (theirs + LEANING * pooled) / (theirs_seen + LEANING)
        weighted += mine_seen * rate
        variance += mine_seen**2 * rate * (1 - rate) / theirs_seen
    if seen < MIN_COMPARED or control_seen < MIN_COMPARED:
        return None
    p1, p0 = things / seen, weighted / seen
    fraction = (p1 - p0) / (1 - p0)
    error = Z90 * float(
        np.sqrt(p1 * (1 - p1) / seen / (1 - p0) ** 2 + variance / seen**2 * (1 - p1) ** 2 / (1 - p0) ** 4)
    )
    reach = 1.0 if found.silent_named else seen / sources
    return {
        "low": round(min(1.0, max(0.0, (fraction - error) * reach)), 4),
        "point": round(min(1.0, max(0.0, fraction * reach)), 4),
        "high": round(min(1.0, max(0.0, (fraction + error) * reach)), 4),
        "cases": {"things": things, "seen": seen},
        "controls": {"things": control_things, "seen": control_seen},
        "expected": round(p0, 4),
        "seen_means": "scanned" if found.silent_named else "answered",
        "matched_by": found.matched_by,
        "networks": networks,
    }


def _pooled(found: Comparison) -> float:
    """The share with a thing's banner among all neighbours; half a one is added, so that it is never zero."""
    things = sum(one for one, _ in found.controls.values())
    return (things + 0.5) / (sum(seen for _, seen in found.controls.values()) + 1)


def _naive(values: dict[str, NDArray[np.int8]], messages: NDArray[np.int64]) -> dict[str, Any]:
    """The tempting reading: whose address shows a thing's banner is a thing."""
    front, stack = values["front"], values["tcp_syn"]
    thing, named = front == 0, (front == 0) | (front == 1)
    if not named.any():
        return {"naive_by_banner": None, "naive": None}
    both = thing & (stack != UNSEEN)
    windows = items()["tcp_syn"].values.index("windows")
    return {
        "naive_by_banner": round(float(messages[thing].sum() / messages[named].sum()), 4),
        "naive": {
            "messages_things": int(messages[thing].sum()),
            "messages_named": int(messages[named].sum()),
            "sources_things": int(thing.sum()),
            "sources_named": int(named.sum()),
            "both_known": int(both.sum()),
            "both_windows": int((both & (stack == windows)).sum()),
        },
    }


def _background(weighed: Weighed, case: Case) -> dict[str, Any] | None:
    """How many uninvolved neighbours show a thing's banner; only where scans name the silent too."""
    mine = set(case.asn.tolist()) if weighed.silent_named else set()
    things = scanned = 0
    for asn, (t, answered, n) in weighed.neighbours.items():
        if asn in mine and n > answered:
            things, scanned = things + t, scanned + n
    if not scanned:
        return None
    low, high = wilson(things, scanned)
    return {
        "low": round(low, 4), "point": round(things / scanned, 4), "high": round(high, 4), "addresses": scanned,
    }  # fmt: skip


def _origin_rows(
    origins: list[str], messages: NDArray[np.int64], found: Mixture | None, parted: bool
) -> list[dict[str, Any]]:
    """What was judged singly, and the estimate for all; none for things alone and relays where nothing parts them."""
    said = np.array(origins)
    rows = []
    for k, origin in enumerate((*ORIGINS, "unknown")):
        mine = said == origin
        told = found is not None and origin != "unknown" and (parted or not THING[k])
        estimate = _interval(found.shares[:, k]) if told and found is not None else None
        rows.append(
            {
                "origin": origin,
                "messages": int(messages[mine].sum()),
                "sources": int(mine.sum()),
                "estimate": estimate,
            }
        )
    return rows


def _ladder(
    values: dict[str, NDArray[np.int8]], messages: NDArray[np.int64], found: Mixture | None, status: str
) -> list[dict[str, Any]]:
    """The best evidence held about each source, rung by rung; every source stands on one."""
    syn, timing = values["tcp_syn"] != UNSEEN, values["smtp_rtt"] != UNSEEN
    front = values["front"] != UNSEEN
    sender = shows(values, SENDER_VALUES)
    twice = syn & (timing | (values["eui64"] != UNSEEN) | (values["dialect_and_stack"] != UNSEEN))
    embedded = np.isin(values["tcp_syn"], [1, 2])
    agree = sender & (((values["front"] == 0) & embedded) | ((values["front"] == 1) & ~embedded & syn))
    line = _any_seen(values, ("rdns", "network_type"))
    rung = np.zeros(len(messages), dtype=int)
    for step, holds in enumerate((line, front, sender, twice, agree), 1):
        rung[holds] = step
    rung[_any_seen(values, ("infection", "outcome"))] = 6
    rows = []
    for step, name in enumerate(RUNGS):
        mine = rung == step
        share: dict[str, float | None] = {"low": None, "point": None, "high": None}
        if found is not None and mine.any() and step >= 3 and status in ("estimated", "at most"):
            share = dict(_rung_share(found.p[mine][:, THING].sum(axis=1), messages[mine], found))
        rows.append(
            {
                "rung": name,
                "messages": int(messages[mine].sum()),
                "sources": int(mine.sum()),
                "share": share,
            }
        )
    return rows


def _rung_share(p: Floats, messages: NDArray[np.int64], found: Mixture) -> dict[str, float]:
    """The things' share on one rung: its mean chance, give or take the draws of who it was and of the whole."""
    total = messages.sum()
    mean = float(messages @ p) / total
    alone = float((messages.astype(float) ** 2) @ (p * (1 - p))) / float(total) ** 2
    whole = found.things
    # What is uncertain about the table is so for all rungs alike.
    relative = float(whole.std() / max(whole.mean(), 1e-6))
    spread = Z90 * float(np.sqrt(alone + (relative * mean * (1 - mean)) ** 2))
    return {
        "low": round(max(0.0, mean - spread), 4), "point": round(mean, 4), "high": round(min(1.0, mean + spread), 4),
    }  # fmt: skip


def _ablations(
    case: Case, seed: int, found: Mixture | None, interval: dict[str, float] | None
) -> dict[str, Any]:
    """The share with each family of evidence left out."""
    if found is None or interval is None or len(case.addresses) < MIN_ABLATION:
        return {"ablation": [], "rests_on_banners": False}
    rows = []
    moved = 0.0
    for family in families():
        members = [item.name for item in items().values() if item.family == family]
        if not _any_seen(case.votes.values, tuple(members)).any():
            continue
        left = _interval(mixture(case.votes, seed, (family,), ABLATION_SWEEPS, found).things)
        rows.append({"family": family, **left})
        if family == "banner":
            moved = abs(left["point"] - interval["point"])
    return {"ablation": rows, "rests_on_banners": moved > BANNER_POINTS}


def worth(case: Case, found: Mixture | None) -> dict[str, tuple[Floats, NDArray[np.int8], NDArray[np.int8]]]:
    """What each item tells of each source, in bits for a thing: (bits, values, freshness); without *found*, 0 bits.

    The bits compare things with all others in the campaign's own mixture of them, one item at a time.
    """
    told = {}
    for name, values in case.votes.values.items():
        if not (values != UNSEEN).any():
            continue
        item = items()[name]
        fresh = case.votes.fresh[name]
        bits = np.zeros(len(values))
        if found is not None and name in found.tables:
            shares = np.maximum(found.shares.mean(axis=0), 1e-6)
            table = np.stack([_bits(found.tables[name], shares, s if item.fades else 1.0) for s in FRESHNESS])
            bits = table[fresh, np.maximum(values, 0)]
        told[name] = (bits, values, fresh)
    return told


def _bits(table: Floats, shares: Floats, fresh: float) -> Floats:
    """Bits for a thing of each value of one item, seen with freshness *fresh*."""
    faded = fresh * table + (1 - fresh) * table[:, NAT_PC : NAT_PC + 1]
    things = faded[:, THING] @ shares[THING] / shares[THING].sum()
    others = faded[:, ~THING] @ shares[~THING] / shares[~THING].sum()
    return np.asarray(np.clip(np.log2(things / others), -np.log2(CAP), np.log2(CAP)))
