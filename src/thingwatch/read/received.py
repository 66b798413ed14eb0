"""Find who connected to the border: the Received chain and the trust boundary (RFC 5321, section 4.4).

Every server puts its line on top. From the top down the lines are ours until the one our border wrote
when a stranger connected; that line names the client, and everything below it is the stranger's word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from publicsuffixlist import PublicSuffixList

from thingwatch.errors import SettingError
from thingwatch.read.hop import EXCHANGE_ONLINE, Hop, is_inner_address, parse_hop, received_date

MAX_HOPS = 50  # RFC 5321, 6.3 asks servers to give up at 100; real mail has at most 25

_suffixes = PublicSuffixList()


@dataclass(frozen=True)
class Border:
    """The servers where mail enters the user's own network; empty means: find it in the mail."""

    hosts: tuple[str, ...] = ()  # names as the servers write them after "by", lower case
    networks: tuple[IPv4Network | IPv6Network, ...] = ()  # everything in them is inside

    @classmethod
    def of(cls, values: tuple[str, ...] | list[str]) -> Border:
        """Read ``["mx.example.org", "203.0.113.0/24"]``: a name stands for itself and what lies below it.

        Raises SettingError for a value that is neither a host name nor a network.
        """
        hosts, networks = [], []
        for value in values:
            text = value.strip().lower().rstrip(".")
            try:
                networks.append(ip_network(text, strict=False))
                continue
            except ValueError:
                pass
            if not re.fullmatch(r"(?=.*[a-z])[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63}){0,20}", text):
                raise SettingError(
                    f"border = {value!r}: must be a host name or a network; "
                    "write mx.example.org or 203.0.113.0/24"
                )
            hosts.append(text)
        return cls(tuple(hosts), tuple(networks))

    def wrote(self, by: str) -> bool:
        """Whether *by* is the name of a border host."""
        return any(by == host or by.endswith("." + host) for host in self.hosts)

    def holds(self, address: str) -> bool:
        """Whether *address* lies in a border network."""
        if not self.networks:
            return False
        parsed = ip_address(address)
        return any(parsed in network for network in self.networks)


class Crossing(NamedTuple):
    """Where the mail came in from outside."""

    hop: Hop  # of the border's own line; empty when there is none
    line: int  # which Received line that is, from 0 at the top; -1: all headers are the sender's
    inner_line: int  # the last line that is surely ours, -1 for none
    received_at: int | None  # microseconds since 1970, UTC; by the border's line, else the topmost of ours
    defects: tuple[str, ...] = ()


@lru_cache(maxsize=4096)
def _organisation(host: str) -> tuple[str, ...]:
    """The domains that belong to whoever runs a server of this name, each with a leading dot."""
    if "." not in host or len(host) > 255:
        return ()
    domain = _suffixes.privatesuffix(host)
    if not domain:
        return ()
    return EXCHANGE_ONLINE if "." + domain in EXCHANGE_ONLINE else ("." + domain,)


def _is_continued(hop: Hop, below: Hop) -> bool:
    """Whether the machine that spoke in *hop* wrote the line *below* it."""
    if hop.peer is not None and hop.peer == below.by_address:
        return True
    names = {name for name in (hop.claimed, hop.helo, hop.ptr) if name}
    if below.by in names:
        return True
    # Exchange writes one machine under several domains.
    label = below.by.partition(".")[0]
    return len(label) > 4 and any(name.partition(".")[0] == label for name in names)


def _is_same_network(a: str, b: str) -> bool:
    if ":" in a and ":" in b:
        # The three leading bytes: the largest blocks given to one organisation.
        return int(ip_address(a)) >> 104 == int(ip_address(b)) >> 104
    return ":" not in a and ":" not in b and a.rpartition(".")[0] == b.rpartition(".")[0]


def _is_ours(hop: Hop) -> bool:
    """Whether the client of *hop* looks like a machine of the organisation that wrote it.

    Names alone would let a stranger in who says HELO with one of ours: a name counts where the server
    looked it up, or where Exchange wrote the line behind the door for strangers. A name made from the
    address is a customer's line, not a server.
    """
    peer = hop.peer
    name = hop.ptr or (hop.claimed if hop.exchange_inside else "")
    if name and ("." + name).endswith(_organisation(hop.by)):
        if peer is None or ":" in peer:
            return True
        numbers = re.split(r"\D+", name)
        return not all(octet in numbers for octet in peer.split(".")[2:])
    return peer is not None and hop.by_address is not None and _is_same_network(peer, hop.by_address)


def find_crossing(lines: list[bytes], border: Border, client_ip: str | None = None) -> Crossing:
    """Find the line in *lines* (Received values, topmost first) that the border wrote for a stranger.

    With *client_ip* known from elsewhere, it is the topmost line with that client, and where there is
    none the mail was caught before the border wrote its line. With border hosts, it is the topmost line
    one of them wrote for a client that is not inside. With border networks alone, the topmost line with
    a client outside them. With neither, lines are passed over while their client is inside the
    organisation of the server that wrote them; where the mail never came from outside, the lowest line
    with an address stands. A line whose client cannot be read ends the search: what is below is not ours.
    """
    hops: list[Hop] = []
    count = min(len(lines), MAX_HOPS)
    defects: tuple[str, ...] = ("hops-too-many",) if len(lines) > MAX_HOPS else ()

    def hop_at(line: int) -> Hop:
        while len(hops) <= line:
            hops.append(parse_hop(lines[len(hops)]))
        return hops[line]

    found, inner = -1, -1
    if client_ip is not None:
        for k in range(count):
            if hop_at(k).peer == client_ip and (not border.hosts or border.wrote(hop_at(k).by)):
                found = k
                break
        inner = found
    elif border.hosts:
        for k in range(count):
            hop = hop_at(k)
            if not border.wrote(hop.by):
                continue
            inner = k
            if _is_within(border, hop):
                continue
            found = k
            break
        if found < 0:
            defects += ("border-not-found",)
    elif border.networks:
        for k in range(count):
            hop = hop_at(k)
            if _is_within(border, hop):
                inner = k
                continue
            found = inner = k
            break
        if found < 0 and count:
            defects += ("border-not-found",)
    else:
        lowest_public = lowest = -1
        for k in range(count):
            hop = hop_at(k)
            # A machine of ours has written the next line itself.
            if not (hop.local or (hop.peer is not None and is_inner_address(hop.peer))) and not (
                _is_ours(hop) and k + 1 < count and _is_continued(hop, hop_at(k + 1))
            ):
                found = k
                break
            inner = k
            if hop.peer is not None:
                if not is_inner_address(hop.peer):
                    lowest_public = k
                if not hop.peer.startswith(("127.", "::1")):
                    lowest = k
        else:
            found = lowest_public if lowest_public >= 0 else lowest
        inner = max(inner, found)
    hop = hop_at(found) if found >= 0 else Hop()
    if found >= 0 and hop.peer is None:
        defects += ("peer-unreadable",)
    # Below the border's line every clock is the sender's; where it wrote none, so is every line.
    ours = [found, *range(inner + 1)] if found >= 0 else range(count if client_ip is None else 0)
    dates = (received_date(lines[k]) for k in ours)
    received_at = next((micros for micros in dates if micros is not None), None)
    return Crossing(hop, found, inner, received_at, defects)


def _is_within(border: Border, hop: Hop) -> bool:
    if hop.peer is None:
        return hop.local
    return is_inner_address(hop.peer) or border.holds(hop.peer) or border.wrote(hop.ptr)
