"""One provider's own scan, the list of lines and the abuse desk's findings agree with the truth."""

from __future__ import annotations

import csv
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from thingwatch.replay import homes
from thingwatch.replay.homes import LINE_TYPES, ORIGINS
from thingwatch.replay.sources import Sources
from thingwatch.replay.surveys import scanned_range


def test_nmap_covers_one_range(sources: Sources, partial: Path) -> None:
    """Every address of one /22 stands in the XML once; open ports belong to homes that show something."""
    tree = ElementTree.parse(partial / "nmap.xml")  # noqa: S314 our own file
    hosts = {host.find("address").get("addr"): host for host in tree.iter("host")}  # type: ignore[union-attr]
    first, known = scanned_range(sources)
    assert len(hosts) == 1022
    assert {int(IPv4Address(ip)) >> 10 for ip in hosts if ip} == {first >> 10}
    assert len(known) > 0
    for address, front, cwmp in zip(
        known.address.tolist(), known.front.tolist(), known.cwmp.tolist(), strict=True
    ):
        host = hosts[str(IPv4Address(address))]
        answers = any(state.get("state") == "open" for state in host.iter("state"))
        assert not answers or front >= 0 or cwmp
    assert any(state.get("state") == "open" for host in hosts.values() for state in host.iter("state"))


def test_line_types_are_those_of_the_lines(sources: Sources, partial: Path) -> None:
    """The most specific range of the list tells the true kind of line, for nine in ten addresses at least."""
    with (partial / "line_types.csv").open() as lines:
        listed = [(IPv4Network(row["network"]), row["network_type"]) for row in csv.DictReader(lines)]
    assert {kind for _, kind in listed} == set(LINE_TYPES)
    known = {(int(network.network_address), network.prefixlen): kind for network, kind in listed}
    sample = sources.homes.at(np.arange(0, len(sources.homes), 7))
    right = covered = 0
    for address, kind in zip(sample.address.tolist(), sample.line_type.tolist(), strict=True):
        found = next(
            (said for bits in range(32, 7, -1)
             if (said := known.get((address >> (32 - bits) << (32 - bits), bits)))), None,
        )  # fmt: skip
        covered += found is not None
        right += found == LINE_TYPES[kind]
    assert covered / len(sample) > 0.75
    assert right == covered


def test_an_abuse_desk_is_mostly_right(sources: Sources, partial: Path) -> None:
    """A handful of outcomes, after the mail, nearly all of them true."""
    true = {}
    for place in np.flatnonzero(sources.attacking).tolist():
        true.setdefault(sources.text[place], set()).add(ORIGINS[sources.origin[place]])
    with (partial / "outcomes.csv").open() as lines:
        told = list(csv.DictReader(lines))
    assert 20 <= len(told) <= 60
    right = sum(row["outcome"] in true[row["ip"]] for row in told)
    assert len(told) * 0.85 <= right
    assert all(row["outcome"] in ORIGINS[:-1] for row in told)


def test_proxies_are_a_plain_list(partial: Path) -> None:
    """One address a line behind a remark."""
    lines = (partial / "proxies.txt").read_text().splitlines()
    assert lines[0].startswith("#")
    assert len(lines) > 5
    assert all(
        len(homes.addresses_of(np.array([line.split(",")[0]], dtype=object))) == 1 for line in lines[1:]
    )
