"""What is shown of a campaign's sources: devices by class, a few sources weighed piece by piece, causes and cures.

A device class is named only for a source that is a thing by evidence about the sender, and whose front bears its
maker's own name: a banner alone makes nobody a sender, and a sender alone has no name.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from thingwatch.identify.causes import Reads, cure, exposures_of
from thingwatch.identify.device import PARENT_OF
from thingwatch.identify.likelihood import CAP, FRESHNESS, ORIGINS, REST, THING, UNSEEN, Floats, items
from thingwatch.identify.mixture import Mixture, item_logs
from thingwatch.identify.share import SURE_CLASS, Assessment
from thingwatch.identify.weigh import SENDER_VALUES, Case, shows
from thingwatch.model import Label, Sighting
from thingwatch.store import Engine

TOGETHER = 50_000  # addresses of known origin asked for in one query
TOP_DEVICES = 40  # rows of class, vendor and model in the report; sources.parquet holds every source
MAX_EXAMPLES = 3  # sources weighed piece by piece
MAX_SIGHTINGS = 500  # of one address looked at for causes; a busy household shows 20
UNNAMED = ("other_thing", "specialized")  # classes that are none: nothing in particular is named


class Front(NamedTuple):
    """What answers at a source, as far as a text names it."""

    device_class: str
    vendor: str
    model: str
    confidence: float  # faded by age


class Proof(NamedTuple):
    """The line behind one vote."""

    item: str
    value: int
    age_days: float
    at: int | None
    said: str
    where: str


class _Waiting(NamedTuple):
    """A campaign whose examples and exposures are still to be asked for."""

    assessment: Assessment
    case: Case
    chosen: list[int]  # rows of the case that serve as examples
    known: dict[str, str]  # of each address whose origin is known, which


class Portrayal:
    """The fronts and proofs of all sources, handed out by address; made once a run."""

    def __init__(self, engine: Engine, files: list[str], reads: Reads) -> None:
        self._engine = engine
        self._files = files
        self._reads = reads
        self._waiting: list[_Waiting] = []
        rows = engine.rows(
            "SELECT client_ip, device_class, vendor, model, confidence FROM source_labels ORDER BY client_ip"
        )
        spelt = _spellings(vendor for _, _, vendor, _, _ in rows if vendor)
        self.fronts = {
            ip: Front(device_class, spelt.get((vendor or "").casefold(), ""), model or "", confidence)
            for ip, device_class, vendor, model, confidence in rows
        }

    def earned(self, address: str, origin: str, sender_seen: bool) -> Front | None:
        """The device at *address*, where its class is earned."""
        front = self.fronts.get(address)
        if front is None or not sender_seen or origin not in ("thing_self", "thing_relay"):
            return None
        if PARENT_OF.get(front.device_class) != "thing" or front.device_class in UNNAMED:
            return None
        if not front.vendor or front.confidence < SURE_CLASS:
            return None
        return front

    def add(self, assessment: Assessment, case: Case) -> None:
        """Complete the document with devices and networks; examples and exposures come with `finish`."""
        document, origins, found = assessment.document, assessment.origins, assessment.found
        sender = shows(case.votes.values, SENDER_VALUES)
        devices: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
        classes: Counter[str] = Counter()
        unnamed = 0
        for row, (ip, origin) in enumerate(zip(case.addresses, origins, strict=True)):
            if origin not in ("thing_self", "thing_relay"):
                continue
            front = self.earned(ip, origin, bool(sender[row]))
            if front is None:
                unnamed += 1
                continue
            classes[front.device_class] += 1
            cell = devices[front.device_class, front.vendor, front.model]
            cell[0] += 1
            cell[1] += int(case.votes.messages[row])
        document["by_device_class"] = dict(classes.most_common())
        document["class_not_earned"] = unnamed
        ranked = sorted(devices.items(), key=lambda one: (-one[1][0], one[0]))
        document["devices"] = [
            {"device_class": c, "vendor": v, "model": m, "sources": s, "messages": n}
            for (c, v, m), (s, n) in ranked[:TOP_DEVICES]
        ]
        chosen = (
            list(self._chosen(assessment, case, found, sender))[:MAX_EXAMPLES] if found is not None else []
        )
        document["examples"] = document["exposures"] = []
        document["by_network"] = _by_network(case.asn, origins)
        known = {
            ip: origin for ip, origin in zip(case.addresses, origins, strict=True) if origin != "unknown"
        }
        self._waiting.append(_Waiting(assessment, case, chosen, known))
        if sum(len(one.known) for one in self._waiting) >= TOGETHER:
            self.finish()

    def finish(self) -> None:
        """Ask for the examples and exposures of all campaigns that wait: a query each would cost a cluster minutes."""
        waiting, self._waiting = self._waiting, []
        proofs = self.proofs(sorted({one.case.addresses[row] for one in waiting for row in one.chosen}))
        names: dict[str, set[str]] = {}
        for ip, sightings in self._sightings(sorted({ip for one in waiting for ip in one.known})):
            names[ip] = {exposure.name for exposure in exposures_of(sightings, self._label(ip), self._reads)}
        for one in waiting:
            document, found = one.assessment.document, one.assessment.found
            if found is not None:
                document["examples"] = [
                    self._example(row, one.assessment, one.case, found, proofs) for row in one.chosen
                ]
            document["exposures"] = self._exposures(one.known, names)

    def _label(self, address: str) -> Label | None:
        front = self.fronts.get(address)
        if front is None:
            return None
        parent = PARENT_OF.get(front.device_class, "unknown")
        return Label(front.device_class, parent, front.vendor, front.model, 1.0, "", "")

    def proofs(self, addresses: list[str]) -> dict[str, list[Proof]]:
        """The lines behind the votes of *addresses*."""
        found: dict[str, list[Proof]] = defaultdict(list)
        self._ask(addresses)
        for ip, item, value, age, at, said, where, file, place in self._engine.rows(
            "SELECT p.client_ip, p.item, p.value, p.age_days, p.seen_at, p.said, p.source, p.file, p.place"
            " FROM proofs AS p JOIN asked AS a ON a.client_ip = p.client_ip ORDER BY p.client_ip, p.item"
        ):
            found[ip].append(Proof(item, value, age, at, said or "", f"{where}, {self._place(file, place)}"))
        return found

    def _ask(self, addresses: list[str]) -> None:
        self._engine.add("asked", pa.table({"client_ip": pa.array(addresses, pa.string())}))

    def _place(self, file: int, place: str | None) -> str:
        return place or self._files[file]

    def _chosen(
        self, assessment: Assessment, case: Case, found: Mixture, sender: NDArray[np.bool_]
    ) -> Iterator[int]:
        """A thing whose class is earned, the rarest class first; a thing's banner before a PC; a relay."""
        origins = np.array(assessment.origins)
        seen = sum((case.votes.values[name] != UNSEEN).astype(int) for name in case.votes.values)
        order = np.argsort(-np.asarray(seen), kind="stable")
        counts = assessment.document["by_device_class"]
        named = [
            row
            for row in order[np.isin(origins[order], ("thing_self", "thing_relay"))].tolist()
            if self.earned(case.addresses[row], str(origins[row]), bool(sender[row]))
        ]
        wanted: list[list[int]] = [
            sorted(
                (row for row in named if origins[row] == "thing_self"),
                key=lambda row: counts[self.fronts[case.addresses[row]].device_class],
            ),
            order[(origins[order] == "nat_pc") & (case.votes.values["front"][order] == 0)].tolist(),
            order[origins[order] == "thing_relay"].tolist(),
            order[np.isin(origins[order], ("thing_self", "nat_pc", "server", "mobile"))].tolist(),
        ]
        given: set[int] = set()
        for rows in wanted:
            row = next((row for row in rows if row not in given), None)
            if row is not None:
                given.add(row)
                yield row

    def _example(
        self, row: int, assessment: Assessment, case: Case, found: Mixture, proofs: dict[str, list[Proof]]
    ) -> dict[str, Any]:
        ip, p = case.addresses[row], found.p[row]
        thing = int(np.where(THING, p, -1).argmax())
        other = int(np.where(THING, -1, p).argmax())
        shares = found.shares.mean(axis=0)
        start = float(np.log2(shares[thing] / shares[other]))
        pieces = _pieces(row, case, found, thing, other, {proof.item: proof for proof in proofs.get(ip, [])})
        front = self.earned(ip, assessment.origins[row], True)
        return {
            "client_ip": ip,
            "messages": int(case.votes.messages[row]),
            "origin": assessment.origins[row],
            "against": f"{ORIGINS[thing]} against {ORIGINS[other]}",
            "device_class": front.device_class if front else None,
            "vendor": front.vendor if front else "",
            "model": front.model if front else "",
            "start_bits": round(start, 1),
            "pieces": pieces,
            "sum_bits": round(round(start, 1) + sum(piece["bits"] for piece in pieces), 1),
            "p": {name: round(float(chance), 4) for name, chance in zip(ORIGINS, p, strict=True)},
        }

    def _exposures(self, origins: dict[str, str], names_of: dict[str, set[str]]) -> list[dict[str, Any]]:
        """Each exposure of the identified things, with how many of them show it; of PCs, that they are infected."""
        sources: Counter[str] = Counter()
        classes: dict[str, Counter[str | None]] = defaultdict(Counter)
        for ip in sorted(origins):
            front = self.fronts.get(ip)
            names = names_of.get(ip, set())
            if origins[ip] not in ("thing_self", "thing_relay"):
                names = names & {"compromised_pc"}
            for name in names:
                sources[name] += 1
                classes[name][front.device_class if front else None] += 1
        infected = sum(origin == "nat_pc" for origin in origins.values())
        if infected:
            sources["compromised_pc"] = infected
        rows = []
        for name, count in sorted(sources.items(), key=lambda one: (-one[1], one[0])):
            commonest = classes[name].most_common(1)
            told = cure(name, commonest[0][0] if commonest else None)
            rows.append(
                {
                    "name": name,
                    "label": told.label,
                    "sources": count,
                    "owner": list(told.owner),
                    "isp": list(told.isp),
                    "refs": [ref.title for ref in told.refs],
                }
            )
        return rows

    def _sightings(self, addresses: list[str]) -> Iterator[tuple[str, list[Sighting]]]:
        """What was said of each address, but for its connections."""
        self._ask(addresses)
        rows = self._engine.rows(
            "SELECT s.client_ip, s.kind, s.said, s.seen_at, s.port, s.source, s.place FROM sightings AS s"
            " JOIN asked AS a ON a.client_ip = s.client_ip WHERE s.ours AND s.item <> 'tcp_syn'"
            " AND s.item <> 'smtp_rtt' ORDER BY s.client_ip, s.file, s.place, s.kind, s.port, s.said"
        )
        for address, group in groupby(rows, key=lambda row: row[0]):
            yield (
                address,
                [
                    Sighting(ip, kind, said or "", at, port, "", source or "", place or "")
                    for ip, kind, said, at, port, source, place in islice(group, MAX_SIGHTINGS)
                ],
            )


def _pieces(
    row: int, case: Case, found: Mixture, thing: int, other: int, proofs: dict[str, Proof]
) -> list[dict[str, Any]]:
    """What each item moves a source, in bits, with the weaker items of a family at a third."""
    by_family: dict[str, list[tuple[float, dict[str, Any]]]] = defaultdict(list)
    for name, table in found.tables.items():
        item = items()[name]
        value = int(case.votes.values[name][row])
        if value == UNSEEN:
            continue
        fresh = float(FRESHNESS[case.votes.fresh[name][row]]) if item.fades else 1.0
        logs: Floats = item_logs(table, value, fresh)
        bits = float((logs[thing] - logs[other]) / np.log(2))
        proof = proofs.get(name)
        piece = {
            "family": item.family,
            "what": f"{name}: {item.values[value]}",
            "value": proof.said if proof else "",
            "when": _iso(proof.at) if proof else None,
            "where": proof.where if proof else "the mail's own headers",
            "age_days": round(proof.age_days, 1) if proof else None,
        }
        by_family[item.family].append((bits, piece))
    pieces = []
    most = float(np.log2(CAP))
    for members in by_family.values():
        members.sort(key=lambda one: -abs(one[0]))
        for turn, (bits, piece) in enumerate(members):
            counted = float(np.clip(bits * (REST if turn else 1.0), -most, most))
            pieces.append(piece | {"bits": round(counted, 1)})
    return sorted(pieces, key=lambda piece: -abs(piece["bits"]))


def _spellings(vendors: Iterable[str]) -> dict[str, str]:
    """The commonest way each maker's name is written: scanners spell it as they please."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for vendor in vendors:
        counted[vendor.casefold()][vendor] += 1
    return {name: ways.most_common(1)[0][0] for name, ways in counted.items()}


def _iso(at: int | None) -> str | None:
    if at is None:
        return None
    return str(np.datetime64(at, "us").astype("datetime64[s]")) + "Z"


def _by_network(asn: NDArray[np.int64], origins: list[str]) -> dict[str, dict[str, int]]:
    things: Counter[int] = Counter()
    judged: Counter[int] = Counter()
    for number, origin in zip(asn.tolist(), origins, strict=True):
        if origin != "unknown":
            judged[number] += 1
            things[number] += origin in ("thing_self", "thing_relay")
    return {str(n): {"things": things[n], "judged": count} for n, count in judged.most_common() if n > 0}
