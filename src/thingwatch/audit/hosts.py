"""Sightings, in whatever order files hold them, gathered to one host per address."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import NamedTuple, Protocol

from thingwatch.identify.causes import Exposure, exposures_of
from thingwatch.model import SIGHTING_KINDS, Label, Sighting

MAX_ADDRESSES = 250_000  # a provider of a city; at 3 to 4 kilobytes each, a gigabyte
MAX_SIGHTINGS = 500  # different ones kept of an address; a scan of all ports of a home finds some dozens

_TOLD_KINDS = frozenset(
    kind for kind, about in SIGHTING_KINDS.items() if about in ("front", "any")
) | frozenset(("outcome",))
_ANSWERS = frozenset(kind for kind, about in SIGHTING_KINDS.items() if about == "front") - frozenset(
    ("front.silent", "mac.address")
)
_TEXTS = _ANSWERS - frozenset(("port.open", "exposure", "default.credentials"))  # what rules read

# RFC 1918, RFC 6598 (carrier NAT), RFC 3927, RFC 4193, RFC 4291 (link-local) and loopback. Not ipaddress.is_private,
# which counts the documentation ranges in.
_INSIDE = tuple(
    ip_network(block)
    for block in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "127.0.0.0/8",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
)

_REPORTS = frozenset(("infection", "outcome", "proxy", "default.credentials"))

Combine = Callable[[Iterable[Label]], Label | None]


class Reader(Protocol):
    """What reads a text: identify.device.Rules, or a stand-in in a test."""

    def label(self, kind: str, value: str) -> Label | None:
        """The label of one text, None where no rule knows it."""


class Host(NamedTuple):
    """One address of the owner's network: what answers there, and which of its doors stand open."""

    ip: str
    inside: bool  # an address of a private network, that the internet cannot reach by itself
    label: Label | None
    read_from: Sighting | None  # the text the label was read from
    answers: bool  # whether anything answered there at all
    exposures: tuple[Exposure, ...]  # most urgent first


class Gathering:
    """The sightings of many addresses, bounded; ``hosts`` turns them into hosts once all are in."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[tuple[str, str, int | None, str], Sighting]] = {}
        self.protocols: set[str] = set()  # "tcp", "udp": over which anything was seen
        self.texts = 0  # sightings with words in them
        self.families: set[int] = set()  # 4, 6

    def add(self, sighting: Sighting) -> str | None:
        """Keep *sighting*; or the name of the reason why it was not kept."""
        if sighting.kind not in _TOLD_KINDS:
            return None
        kept = self._kept.get(sighting.ip)
        if kept is None:
            if len(self._kept) >= MAX_ADDRESSES:
                return "too-many-addresses"
            kept = self._kept[sighting.ip] = {}
            self.families.add(6 if ":" in sighting.ip else 4)
        key = (sighting.kind, sighting.value, sighting.port, sighting.transport)
        before = kept.get(key)
        # What others report has room of its own: a device with a thousand ports cannot push it out.
        limit = 2 * MAX_SIGHTINGS if sighting.kind in _REPORTS else MAX_SIGHTINGS
        if before is None and len(kept) >= limit:
            return "too-many-sightings"
        if before is None or (sighting.at or 0) > (before.at or 0):
            kept[key] = sighting
        if sighting.kind != "front.silent":
            self.protocols.add(sighting.transport)
        self.texts += sighting.kind in _TEXTS
        return None

    def hosts(self, rules: Reader, combined: Combine) -> Iterator[Host]:
        """The hosts, by address; the sightings of each are let go as it is made."""
        for ip in sorted(self._kept, key=_order):
            sightings = list(self._kept.pop(ip).values())
            labels: list[tuple[Label, Sighting]] = []
            for sighting in sightings:
                if sighting.kind in _TEXTS:
                    label = rules.label(sighting.kind, sighting.value)
                    if label is not None:
                        labels.append((label, sighting))
            label = combined([one for one, _ in labels])
            yield Host(
                ip,
                is_inside(ip),
                label,
                _read_from(label, labels),
                any(sighting.kind in _ANSWERS for sighting in sightings),
                tuple(exposures_of(sightings, label, rules.label)),
            )


@lru_cache(maxsize=4096)
def is_inside(ip: str) -> bool:
    """Whether *ip* is an address of a private network: open there is open to the house, not to the internet."""
    try:
        address = ip_address(ip.partition("%")[0])
    except ValueError:
        return False
    return any(address.version == block.version and address in block for block in _INSIDE)


def _order(ip: str) -> tuple[int, int, str]:
    try:
        address = ip_address(ip)
    except ValueError:
        return 9, 0, ip
    return address.version, int(address), ip


def _read_from(label: Label | None, labels: list[tuple[Label, Sighting]]) -> Sighting | None:
    """The sighting that speaks for *label*: the one its rule matched, else one that says the same class."""
    if label is None:
        return None
    for same in (
        lambda one: (one.rule, one.matched) == (label.rule, label.matched),
        lambda one: one.rule == label.rule,
        lambda one: one.device_class == label.device_class,
    ):
        for one, sighting in labels:
            if same(one):
                return sighting
    return None
