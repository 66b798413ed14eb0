"""Smaller evidence from other hands: one provider's own scan, lists of lines, an abuse desk's findings."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from thingwatch.replay import cast, homes
from thingwatch.replay.cast import Numbers
from thingwatch.replay.devices import Device, devices
from thingwatch.replay.homes import BLOCK_BITS, LINE_TYPES, NOBODY, ORIGINS, RESIDENTIAL, Homes
from thingwatch.replay.lots import chances, lots
from thingwatch.replay.scans import NEIGHBOURHOOD, field_texts, spoken
from thingwatch.replay.script import DAYS, FIRST, SECOND
from thingwatch.replay.sensors import moments
from thingwatch.replay.sources import Sources
from thingwatch.replay.words import seed_for

SCANNED_AT = FIRST // SECOND + DAYS * 12 * 3600  # in the middle of the run
PORTS = {21: "ftp", 22: "ssh", 23: "telnet", 80: "http", 554: "rtsp", 7547: "cwmp"}
# What Nmap calls them: its own words for kinds of devices.
NMAP_TYPES = {
    "router": "broadband router", "ip_camera": "webcam", "dvr_nvr": "webcam", "nas": "storage-misc",
    "media_player": "media device", "smart_tv": "media device", "printer": "printer", "voip": "VoIP adapter",
}  # fmt: skip
MOST_OUTCOMES = 60
WRONG_OUTCOMES = 0.04  # an abuse desk is told wrong now and then


def write_line_types(seed: int, path: Path) -> int:
    """line_types.csv: what providers say of their ranges, the more specific range right; rows written."""
    listed = chances()["lines"]["listed_providers"]
    rows = []
    for line in cast.consumer_lines():
        if seed_for("listed", line.isp, seed) % 1000 >= listed * 1000:
            continue
        bits = 32 - (line.size - 1).bit_length()
        rows.append(f"{IPv4Address(line.first)}/{bits},{LINE_TYPES[RESIDENTIAL]}")
        blocks = np.arange(line.first, line.first + line.size, 1 << BLOCK_BITS, dtype=np.int64)
        kinds = homes.line_types(blocks, homes.line_of(blocks), seed)
        for block, kind in zip(blocks.tolist(), kinds.tolist(), strict=True):
            if kind != RESIDENTIAL:
                rows.append(f"{IPv4Address(block)}/{32 - BLOCK_BITS},{LINE_TYPES[kind]}")
    for first, size in cast.hosting_ranges():
        rows.append(f"{IPv4Network((first, 33 - size.bit_length()))},hosting")
    path.write_text("network,network_type\n" + "\n".join(rows) + "\n", "ascii")
    return len(rows)


def write_outcomes(sources: Sources, seed: int, path: Path) -> int:
    """outcomes.csv: what an abuse desk heard back from a handful of households; rows written."""
    attacking = np.flatnonzero(sources.attacking & (sources.homes.line[sources.home] >= 0))
    order = np.argsort(lots(sources.address[attacking], seed, "outcome"), kind="stable")
    told = np.sort(attacking[order[: min(MOST_OUTCOMES, len(attacking) // 25)]])
    wrong = lots(sources.address[told], seed, "told wrong") < WRONG_OUTCOMES
    other = (sources.origin[told] + 2) % (len(ORIGINS) - 1)
    outcome = np.array(ORIGINS, dtype=object)[np.where(wrong, other, sources.origin[told])]
    # People answer a day or two after they are asked.
    at = (
        sources.last[told]
        + (lots(sources.address[told], seed, "answered") * 48 * 3600).astype(np.int64) * SECOND
    )
    times = moments(at, "%Y-%m-%dT%H:%M:%SZ").to_pylist()
    rows = zip(sources.text[told].tolist(), times, outcome.tolist(), strict=True)
    path.write_text(
        "ip,time,outcome\n" + "".join(f"{ip},{time},{word}\n" for ip, time, word in rows), "ascii"
    )
    return len(told)


def scanned_range(sources: Sources) -> tuple[int, Homes]:
    """(first address, homes) of the /22 that holds most sources of the attacks: the small provider's range."""
    of = sources.homes
    blocks = of.address[of.line >= 0] >> NEIGHBOURHOOD
    found, counts = np.unique(blocks, return_counts=True)
    first = int(found[np.argmax(counts)]) << NEIGHBOURHOOD
    return first, of.at((of.address >> NEIGHBOURHOOD) == first >> NEIGHBOURHOOD)


def _hosts(first: int, known: Homes, seed: int) -> Homes:
    """Everybody in the range, ordered by address."""
    every: Numbers = np.arange(first + 1, first + (1 << NEIGHBOURHOOD) - 1, dtype=np.int64)
    origins = np.full(len(every), NOBODY)
    at = np.searchsorted(every, known.address)
    origins[at] = known.origin
    return homes.homes_at(every, origins, seed)


def write_nmap(sources: Sources, seed: int, path: Path) -> int:
    """nmap.xml: one small provider's scan of its own range; hosts written."""
    if not (sources.homes.line >= 0).any():
        return 0
    of = _hosts(*scanned_range(sources), seed)
    products = devices()
    answers = {
        port: spoken(of.front, of.address, protocol, seed) | (of.cwmp & (port == 7547))
        for port, protocol in PORTS.items()
    }
    titles = field_texts("http.title", of.front, of.address, seed).tolist()
    texts = homes.texts_of(of.address).tolist()
    # It recognises what answers more often than not.
    known = lots(of.address, seed, "nmap knows") < 0.6
    fronts = np.where(known, of.front, -1).tolist()
    hosts = []
    for row, ip in enumerate(texts):
        product = products[fronts[row]] if fronts[row] >= 0 else None
        ports = []
        for port, protocol in PORTS.items():
            if not answers[port][row]:
                ports.append(_closed(port))
                continue
            ports.append(_open(port, protocol, product, titles[row]))
        at = SCANNED_AT + row * 2
        hosts.append(
            f'<host starttime="{at}" endtime="{at + 1}"><status state="up" reason="user-set"/>'
            f'<address addr="{ip}" addrtype="ipv4"/><ports>{"".join(ports)}</ports></host>\n'
        )
    start = datetime.fromtimestamp(SCANNED_AT, UTC).strftime("%a %b %e %H:%M:%S %Y")
    args = f"nmap -sV -p {','.join(str(port) for port in PORTS)} -oX nmap.xml {texts[0]}/{32 - NEIGHBOURHOOD}"
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE nmaprun>\n'
        f'<nmaprun scanner="nmap" args={quoteattr(args)} start="{SCANNED_AT}" startstr="{start}" '
        'version="6.40" xmloutputversion="1.04">\n'
    )
    foot = (
        f'<runstats><finished time="{SCANNED_AT + 2 * len(hosts)}" exit="success"/>'
        f'<hosts up="{len(hosts)}" down="0" total="{len(hosts)}"/></runstats>\n</nmaprun>\n'
    )
    path.write_text(head + "".join(hosts) + foot, "utf-8")
    return len(hosts)


def _closed(port: int) -> str:
    return f'<port protocol="tcp" portid="{port}"><state state="filtered" reason="no-response" reason_ttl="0"/></port>'


def _open(port: int, protocol: str, product: Device | None, title: str | None) -> str:
    service = f'name="{protocol}"'
    if product is not None:
        name = f"{product.vendor} {product.model} {protocol}".strip()
        service += f" product={quoteattr(name)}" if product.vendor else ""
        kind = NMAP_TYPES.get(product.device_class)
        service += f' devicetype="{kind}"' if kind else ""
    script = ""
    if protocol == "http" and title:
        script = f'<script id="http-title" output={quoteattr(title)}/>'
    return (
        f'<port protocol="tcp" portid="{port}"><state state="open" reason="syn-ack" reason_ttl="58"/>'
        f'<service {service} method="probed" conf="10"/>{script}</port>'
    )
