"""The evidence about every source of every campaign, as columns of votes; one campaign at a time for the estimators.

The relational part is one query a table (spans, weighed, file_votes, tallied, votes, proofs, neighbours, fronts). What
the mail itself shows of a source (names, HELO, the border's own TCP fingerprint) joins here; it needs no file.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from thingwatch.identify.likelihood import TAU_DAYS, UNSEEN, freshness_bin, items
from thingwatch.identify.makers import maker_value
from thingwatch.identify.mixture import Votes
from thingwatch.identify.network import Networks
from thingwatch.identify.stack import stack_of_text
from thingwatch.store import Engine

UNKNOWN_AGE_DAYS = 15.0  # of a row without a time
LEAST_FRESH = 0.02  # chance that a line still speaks of the same household, below which it is not heard
CROWD = 50  # lines of one kind about one address in one file, beyond which the file is named; a busy device shows 20
MANY_OLD = 20  # lines from another time, from which on a file is named, if they are a fifth of it
CHOSEN_SOURCES = 100  # addresses from which on a file of fronts can be told to hold chosen ones
# Of a file's fronts, those that stand at the campaigns' own sources: no scan knows who will attack.
CHOSEN_SHARE = 0.95
ENOUGH_SCANNED = 200  # neighbours whose silence is known, from which on a background is measured
HOME_GROUPS = 6  # backgrounds told apart; networks are sorted into them by exposure
# Share of sources with the same claim from which on the claim is the campaign's, not the source's.
ONE_VOICE = 0.9

# Which families a stranger's file may speak in, strongest first: such a file has one vote about an address.
FOREIGN = ("outcome", "compromise", "proxy", "banner", "network")

_HELO = {
    "matches-ptr": "confirmed",
    "ip-in-name": "line_name",
    "address-literal": "bare",
    "localhost": "bare",
    "single-label": "bare",
    "local-name": "bare",
    "fqdn": "other",
}
_PTR = {"end-user": "dynamic", "generic": "named", "server": "named", "none": "none"}
# What says something of the machine that connected. A round trip as long as TCP's, an address without a maker in it or
# a second system on the line are as common with a thing as with a PC: they refine, and prove no sender.
SENDER_VALUES = {
    "tcp_syn": items()["tcp_syn"].values,
    "smtp_rtt": ("far",),
    "eui64": ("thing_maker", "other_maker"),
}
RELAY_VALUES = {"smtp_rtt": ("far",), "proxy": ("reported",), "outcome": ("thing_relay",)}
SILENT_PART = 0.5  # of the addresses a scan shows: from so many silent ones on, it names the silent
TABLES = ("weighed", "file_votes", "tallied", "votes", "proofs", "fronts", "neighbours")


def shows(values: dict[str, NDArray[np.int8]], wanted: Mapping[str, Sequence[str]]) -> NDArray[np.bool_]:
    """Which sources show one of the *wanted* values."""
    seen = np.zeros(len(next(iter(values.values()))), dtype=bool)
    for name, told in wanted.items():
        seen |= np.isin(values[name], [items()[name].values.index(value) for value in told])
    return seen


class Case(NamedTuple):
    """One campaign's sources and all that was seen of them."""

    addresses: list[str]
    asn: NDArray[np.int64]
    votes: Votes
    rows: NDArray[np.intp]  # places of the addresses among all sources
    shared: NDArray[np.bool_]  # behind a carrier's address translation: many homes at one address


@dataclass(frozen=True, slots=True)
class Comparison:
    """Sources and neighbours, as the same scans show them; by network.

    Seen are the addresses scanned, where the scans also name the silent; otherwise those that answered.
    """

    cases: dict[int, tuple[int, int]]  # ASN -> (with a thing's banner, seen)
    controls: dict[int, tuple[int, int]]
    silent_named: bool
    matched_by: str = "ASN"  # or "/22", where no operator is known


@dataclass(frozen=True, slots=True)
class Weighed:
    """Every source's votes; made by `weigh`."""

    addresses: list[str]
    asn: NDArray[np.int64]
    values: dict[str, NDArray[np.int8]]
    fresh: dict[str, NDArray[np.int8]]
    age_days: dict[str, NDArray[np.float64]]
    claims: list[str]
    home: NDArray[np.int8]
    backgrounds: tuple[tuple[int, int], ...]
    fronts: NDArray[np.int8]  # 0 not scanned, 1 silent, 2 answered, 3 a thing's banner; chosen files left out
    neighbours: dict[int, tuple[int, int, int]]  # ASN -> (with a thing's banner, answered, scanned)
    # Of each campaign: the places of its sources, and how many messages each sent.
    members: dict[int, tuple[NDArray[np.intp], NDArray[np.int64]]]
    attacks: frozenset[int]  # of these campaigns, those judged attacks
    silent_named: bool  # whether the scans also name most of those that did not answer
    shared: NDArray[np.bool_]  # whether many homes stand behind the address

    def of(self, campaign: int) -> Case:
        """The sources of *campaign*, largest sender first."""
        rows, messages = self.members[campaign]
        values = {name: column[rows] for name, column in self.values.items()}
        fresh = {name: column[rows] for name, column in self.fresh.items()}
        claims = [self.claims[row] for row in rows.tolist()]
        values["dialect_and_stack"] = _fit(claims, values["tcp_syn"])
        fresh["dialect_and_stack"] = fresh["tcp_syn"]
        votes = Votes(values, fresh, messages, self.asn[rows], self.home[rows], self.backgrounds)
        return Case(
            [self.addresses[row] for row in rows.tolist()], self.asn[rows], votes, rows, self.shared[rows]
        )

    def comparison(self, case: Case) -> Comparison:
        """*case* beside the neighbours in its networks, from scans that were not made of chosen addresses."""
        seen = self.fronts[case.rows]
        silent_named = self.silent_named and bool((seen == 1).sum() >= SILENT_PART * (seen > 0).sum() > 0)
        found: dict[int, list[int]] = defaultdict(lambda: [0, 0])
        for asn, front in zip(case.asn.tolist(), seen.tolist(), strict=True):
            if front >= (1 if silent_named else 2):
                found[asn][0] += front == 3
                found[asn][1] += 1
        cases = {asn: (things, seen) for asn, (things, seen) in found.items()}
        controls = {
            asn: (things, scanned if silent_named else answered)
            for asn, (things, answered, scanned) in self.neighbours.items()
            if asn in cases
        }
        return Comparison(cases, controls, silent_named, "ASN" if any(n > 0 for n in cases) else "/22")


def weigh(engine: Engine, networks: Networks) -> Weighed:
    """Make the tables of votes; asks for ``sightings`` (empty where no evidence was given) and the profile's tables."""
    engine.add("item_families", _families())
    for name in ("translated", "shared_lines"):
        engine.make(__package__, name)
    engine.make(
        __package__,
        "spans",
        shared_days=TAU_DAYS["shared"],
        static_days=TAU_DAYS["static"],
        cable_days=TAU_DAYS["cable"],
        dynamic_days=TAU_DAYS["dynamic"],
    )
    engine.make(__package__, "file_facts")
    engine.add("chosen_files", _chosen(engine))
    for name in TABLES:
        engine.make(__package__, name, unknown_age_days=UNKNOWN_AGE_DAYS, least_fresh=LEAST_FRESH)
    for name in ("crowded", "contradicting", "old_lines"):
        engine.make(__package__, name, crowd=CROWD, many_old=MANY_OLD)
    return _columns(engine, networks)


def _families() -> pa.Table:
    rows = [
        (
            item.name,
            item.family,
            FOREIGN.index(item.family) if item.family in FOREIGN else 99,
            item.family in FOREIGN,
            item.fades,
        )
        for item in items().values()
    ]
    names = ("item", "family", "rank", "foreign_word", "fades")
    return pa.table({name: [row[k] for row in rows] for k, name in enumerate(names)})


def _chosen(engine: Engine) -> pa.Table:
    """Files of fronts that name hardly anybody but the campaigns' own sources."""
    found = [
        file
        for file, fronts, ours in engine.rows("SELECT file, fronts, fronts_of_sources FROM file_facts")
        if ours >= CHOSEN_SOURCES and ours >= CHOSEN_SHARE * fronts
    ]
    return pa.table({"file": pa.array(found, pa.int32())})


def _columns(engine: Engine, networks: Networks) -> Weighed:
    sources = engine.arrow(
        "SELECT n.client_ip, n.asn, n.ptr_class, n.helo_class, p.tau_days, f.ptr FROM named_sources AS n"
        " JOIN spans AS p ON p.client_ip = n.client_ip JOIN source_facts AS f ON f.client_ip = n.client_ip"
        " ORDER BY n.client_ip"
    )
    addresses = sources["client_ip"].to_pylist()
    place = {ip: row for row, ip in enumerate(addresses)}
    count = len(addresses)
    values = {name: np.full(count, UNSEEN, np.int8) for name in items()}
    age = {name: np.zeros(count) for name in items()}
    _from_names(sources, values)
    found = engine.arrow("SELECT client_ip, item, value, age_days FROM votes")
    rows = np.array([place[ip] for ip in found["client_ip"].to_pylist()], dtype=np.intp)
    item = np.array(found["item"].to_pylist(), dtype=object)
    value, days = found["value"].to_numpy(), found["age_days"].to_numpy()
    for name in values:
        mine = item == name
        values[name][rows[mine]] = value[mine]
        age[name][rows[mine]] = days[mine]
    claims, systems = _from_systems(engine, place)
    # The border's own word of the day goes before a log from another time.
    told = (systems != UNSEEN) & ((values["tcp_syn"] == UNSEEN) | (age["tcp_syn"] > 0))
    values["tcp_syn"][told], age["tcp_syn"][told] = systems[told], 0.0
    # Who watched the connections and noted no second system saw one.
    if (values["ip_sharing"] != UNSEEN).any():
        watched = (values["tcp_syn"] != UNSEEN) & (values["ip_sharing"] == UNSEEN)
        values["ip_sharing"][watched] = items()["ip_sharing"].values.index("one")
    tau = sources["tau_days"].to_numpy()
    fresh = {name: freshness_bin(days, tau) for name, days in age.items()}
    asn = sources["asn"].to_numpy().astype(np.int64)
    network = _networks_of(addresses, asn)
    neighbours = _neighbours(engine, networks)
    silent_named = _names_the_silent(neighbours)
    home, backgrounds = _homes(network, neighbours) if silent_named else (np.zeros(count, np.int8), ((0, 0),))
    fronts = np.zeros(count, np.int8)
    for ip, thing, answered in engine.rows("SELECT client_ip, thing, answered FROM fronts"):
        fronts[place[ip]] = 3 if thing else 2 if answered else 1
    return Weighed(
        addresses, network, values, fresh, age, claims, home, backgrounds, fronts, neighbours,
        _members(engine, place),
        frozenset(row[0] for row in engine.rows("SELECT campaign FROM verdicts WHERE verdict = 'attack'")),
        silent_named,
        np.isin(addresses, [row[0] for row in engine.rows("SELECT client_ip FROM translated")]),
    )  # fmt: skip


def _members(engine: Engine, place: dict[str, int]) -> dict[int, tuple[NDArray[np.intp], NDArray[np.int64]]]:
    table = engine.arrow(
        "SELECT c.campaign, c.client_ip, c.messages FROM campaign_sources AS c JOIN verdicts AS j"
        " ON j.campaign = c.campaign AND j.verdict <> 'bulk' ORDER BY c.campaign, c.messages DESC, c.client_ip"
    )
    owner = table["campaign"].to_numpy()
    rows = np.array([place[ip] for ip in table["client_ip"].to_pylist()], dtype=np.intp)
    messages = table["messages"].to_numpy()
    starts = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]]) if len(owner) else np.array([], np.intp)
    ends = np.r_[starts[1:], len(owner)] if len(owner) else starts
    return {
        int(owner[a]): (rows[a:b], messages[a:b].astype(np.int64))
        for a, b in zip(starts.tolist(), ends.tolist(), strict=True)
    }


def _from_names(sources: pa.Table, values: dict[str, NDArray[np.int8]]) -> None:
    """What HELO, PTR and an IPv6 address say. Where the border noted no name of anybody, it asked for none."""
    noted = any(sources["ptr"].to_pylist())
    helo_values, ptr_values = items()["helo"].values, items()["rdns"].values
    maker_values = items()["eui64"].values
    rows = zip(
        sources["client_ip"].to_pylist(),
        sources["helo_class"].to_pylist(),
        sources["ptr_class"].to_pylist(),
        strict=True,
    )
    for row, (ip, helo, ptr) in enumerate(rows):
        if helo in _HELO:
            values["helo"][row] = helo_values.index(_HELO[helo])
        if noted and ptr in _PTR:
            values["rdns"][row] = ptr_values.index(_PTR[ptr])
        if ":" in ip and (maker := maker_value(ip)) is not None:
            values["eui64"][row] = maker_values.index(maker)


def _from_systems(engine: Engine, place: dict[str, int]) -> tuple[list[str], NDArray[np.int8]]:
    """What each source's mail program claims, and the border's own word for the client's system."""
    stacks: dict[int, Counter[str]] = defaultdict(Counter)
    claims: dict[int, Counter[str]] = defaultdict(Counter)
    for ip, system, claim, messages in engine.rows(
        "SELECT client_ip, system, claims, messages FROM source_systems ORDER BY client_ip, system, claims"
    ):
        row = place.get(ip)
        if row is None:
            continue
        if stack := stack_of_text(system):
            stacks[row][stack] += messages
        if claim:
            claims[row][claim] += messages
    names = items()["tcp_syn"].values
    systems = np.full(len(place), UNSEEN, np.int8)
    for row, counted in stacks.items():
        systems[row] = names.index(counted.most_common(1)[0][0])
    return [claims[row].most_common(1)[0][0] if row in claims else "" for row in range(len(place))], systems


def _fit(claims: list[str], stacks: NDArray[np.int8]) -> NDArray[np.int8]:
    """Whether a claim of Windows fits the SYN, for sources of a campaign whose mails claim different programs.

    Where nearly all mails claim the same, the claim is the template's and tells nothing of any one source.
    """
    found = np.full(len(claims), UNSEEN, np.int8)
    named = Counter(claim for claim in claims if claim)
    if not named or named.most_common(1)[0][1] >= ONE_VOICE * named.total():
        return found
    windows = items()["tcp_syn"].values.index("windows")
    fit, mismatch = (items()["dialect_and_stack"].values.index(word) for word in ("fit", "mismatch"))
    claimed = np.array([claim == "windows" for claim in claims])
    seen = stacks != UNSEEN
    found[claimed & seen & (stacks == windows)] = fit
    found[claimed & seen & (stacks != windows)] = mismatch
    return found


def _neighbours(engine: Engine, networks: Networks) -> dict[int, tuple[int, int, int]]:
    table = engine.arrow("SELECT client_ip, thing, answered FROM neighbours ORDER BY client_ip")
    if not table.num_rows:
        return {}
    found = networks.find(table["client_ip"])["asn"].to_numpy().astype(np.int64)
    asn = _networks_of(table["client_ip"].to_pylist(), found)
    thing, answered = table["thing"].to_numpy(), table["answered"].to_numpy()
    numbers, group = np.unique(asn, return_inverse=True)
    counts = [
        np.bincount(group, weights=w, minlength=len(numbers)) for w in (thing, answered, np.ones(len(asn)))
    ]
    return {int(n): (int(a), int(b), int(c)) for n, a, b, c in zip(numbers.tolist(), *counts, strict=True)}


def _names_the_silent(neighbours: dict[int, tuple[int, int, int]]) -> bool:
    """Whether the scans name those that did not answer, too. One silent line among many answers is no such scan."""
    scanned = sum(n for _, _, n in neighbours.values())
    return (
        scanned > 0
        and scanned - sum(answered for _, answered, _ in neighbours.values()) >= SILENT_PART * scanned
    )


def _networks_of(addresses: list[str], asn: NDArray[np.int64]) -> NDArray[np.int64]:
    """The operator's number of each address; where it is unknown, a negative number for its /22 (IPv6: /48)."""
    found = asn.copy()
    for row in np.flatnonzero(asn <= 0).tolist():
        number = ip_address(addresses[row])
        bits = 22 if number.version == 4 else 48
        found[row] = -1 - (int(number) >> (number.max_prefixlen - bits))
    return found


def _homes(
    asn: NDArray[np.int64], neighbours: dict[int, tuple[int, int, int]]
) -> tuple[NDArray[np.int8], tuple[tuple[int, int], ...]]:
    """Each source's group of networks of like exposure, and each group's (things, scanned).

    For scans that name the silent: a share needs those that showed nothing in its denominator.
    """
    home = np.zeros(len(asn), np.int8)
    rates = {
        n: (things, scanned) for n, (things, _, scanned) in neighbours.items() if scanned >= ENOUGH_SCANNED
    }
    total = (sum(t for t, _, _ in neighbours.values()), sum(s for _, _, s in neighbours.values()))
    if total[1] < ENOUGH_SCANNED:
        return home, ((0, 0),)
    groups = [total]
    ranked = sorted(rates, key=lambda n: (rates[n][0] / rates[n][1], n))
    for part in np.array_split(np.array(ranked, dtype=np.int64), min(HOME_GROUPS, len(ranked)) or 1):
        if len(part):
            home[np.isin(asn, part)] = len(groups)
            groups.append((sum(rates[n][0] for n in part.tolist()), sum(rates[n][1] for n in part.tolist())))
    return home, tuple(groups)
