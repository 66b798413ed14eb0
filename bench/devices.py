"""How well device rules name what answers (E8, E9), on labelled banners beside the repository.

    .venv/bin/python bench/devices.py [--recog] [--wrong]

The truth of Recog's rows is Recog's own label, of ZTag's and LibreNMS's theirs, of Ferret's its authors'. Each is
mapped into our classes by taxonomy.json. Recog's rows are cut into two halves by a hash of the banner: rules were
written while looking at the first, never at the second. Rates are followed by their counts.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from thingwatch.identify.device import Rules
from thingwatch.identify.device.signature import FAMILY_OF, PARENT_OF
from thingwatch.identify.device.vocabulary import class_of_word, router_or_carrier
from thingwatch.model import MAX_SIGHTING_CHARS, Label

DATA = Path(__file__).parents[2] / "shared" / "data" / "device"
KINDS = {
    "http_header.server": "http.server",
    "http_header.wwwauth": "http.realm",
    "http_header.cookie": "http.cookie",
    "html_title": "http.title",
    "favicon.md5": "http.favicon_md5",
    "telnet_banners": "telnet.banner",
    "ftp.banner": "ftp.banner",
    "ssh.banner": "ssh.banner",
    "smtp.banner": "smtp.banner",
    "imap4.banner": "imap.banner",
    "pop3.banner": "pop.banner",
    "snmp.sys_description": "snmp.sysdescr",
    "snmp.sys_object_id": "snmp.sysobjectid",
}
MAIL = ("smtp.banner", "imap.banner", "pop.banner")
HOME = {one for one, parent in PARENT_OF.items() if parent == "thing"} - {
    "industrial",
    "specialized",
    "other_thing",
}
# Systems that PCs and servers run; "Linux" alone, without a distribution, is not among them.
SYSTEMS = re.compile(
    r"Windows(?! CE)|Solaris|AIX|HP-UX|IRIX|OpenVMS|BSD|NetWare|OS/400|Mac OS|Ubuntu|Debian|Red Hat|CentOS|Fedora"
    r"|SuSE|Amazon|Gentoo|Mandr|Oracle|UNIX|Ultrix|OpenServer|Digital UNIX|Dynix",
    re.I,
)
LIBRENMS_PARENTS = {
    "power": "thing",
    "wireless": "thing",
    "environment": "thing",
    "printer": "thing",
    "camera": "thing",
    "storage": "thing",
    "firewall": "infrastructure",
    "loadbalancer": "infrastructure",
    "server": "infrastructure",
}
FERRET_CLASSES = {"Router/Gateway": "router", "Smart TV": "smart_tv", "Laptop": "computer"}
ROUNDS = 3


class Row(NamedTuple):
    """One labelled text."""

    source: str  # "recog looked", "recog held", "ztag" ...
    kind: str
    text: str
    device_class: str | None
    parent: str | None  # None where the truth says nothing
    server: bool  # the truth names a system of PCs and servers, or a mail program, and no device
    vendor: str
    model: str


class Judged(NamedTuple):
    """A row and what the rules said."""

    row: Row
    label: Label | None


def rows() -> Iterator[Row]:
    """All labelled texts of kinds that sightings carry."""
    for entry in _lines("recog_examples.jsonl"):
        kind = KINDS.get(entry["matches"])
        text = entry["banner"]
        if kind is None:
            continue
        half = "recog looked" if hashlib.sha256(text.encode()).digest()[0] & 1 == 0 else "recog held"
        if entry["banner_encoding"] == "base64":
            text = base64.b64decode("".join(text.split())).decode("utf-8", "replace")
        labels = entry["labels"]
        named = f"{labels.get('os.vendor', '')} {labels.get('os.family', '')} {labels.get('os.product', '')}"
        # The table's exception ("Cisco, but not RV") needs the model, which Recog's label often lacks.
        device_class = _class(entry["device_class"], entry["vendor"], f"{entry['product']} {text[:80]}")
        server = (
            not entry["device_class"]
            and "Windows CE" not in named
            and (kind in MAIL or SYSTEMS.search(named) is not None)
        )
        yield _row(half, kind, text, device_class, server, entry["vendor"], entry["product"])
    for entry in _lines("ztag_hosts.jsonl"):
        device_class = _class(entry["device_type"] or "", entry["manufacturer"] or "", entry["product"] or "")
        for kind, text in _ztag_texts(entry["evidence"]):
            yield _row(
                "ztag", kind, text, device_class, False, entry["manufacturer"] or "", entry["product"] or ""
            )
    for entry in _lines("ferret_home_banners.jsonl"):
        types = [FERRET_CLASSES.get(one) for label in entry["labels"] for one in label["deviceTypes"][:1]]
        device_class = types[0] if types else None
        yield _row("ferret", "banner", entry["banner"], device_class, False, "", "")
    for entry in _lines("librenms_sysdescr.jsonl"):
        parent = LIBRENMS_PARENTS.get(entry["device_type"])
        yield Row("librenms", "snmp.sysdescr", entry["sysDescr"], None, parent, False, "", "")


def _lines(name: str) -> Iterator[dict]:  # type: ignore[type-arg]
    path = DATA / name
    if not path.exists():
        raise SystemExit("no labelled banners: ../shared/data/device is not beside the repository")
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _row(source, kind, text, device_class, server, vendor, model) -> Row:  # type: ignore[no-untyped-def]
    parent = PARENT_OF[device_class] if device_class else "infrastructure" if server else None
    return Row(source, kind, text[:MAX_SIGHTING_CHARS], device_class, parent, server, vendor, model)


def _class(word: str, vendor: str, model: str) -> str | None:
    return router_or_carrier(class_of_word(word), vendor, model) if word else None


def _ztag_texts(evidence: dict) -> Iterator[tuple[str, str]]:  # type: ignore[type-arg]
    for services in evidence.values():
        if text := services.get("ftp", {}).get("banner", {}).get("banner"):
            yield "ftp.banner", text
        page = services.get("http", {}).get("get", {})
        if text := page.get("headers", {}).get("server"):
            yield "http.server", text
        if text := page.get("title"):
            yield "http.title", text


def share(part: int, whole: int) -> str:
    return f"{part / whole:6.1%} ({part:,} of {whole:,})" if whole else "     - (0 of 0)"


def family(device_class: str) -> str:
    return FAMILY_OF.get(device_class, device_class)


def report(name: str, judged: list[Judged]) -> None:
    """Print the figures of one source."""
    said = [
        (row, label) for row, label in judged if label is not None and label.device_class and row.device_class
    ]
    right = sum(label.device_class == row.device_class for row, label in said)
    kin = sum(family(label.device_class or "") == family(row.device_class or "") for row, label in said)
    parents = [(row, label) for row, label in judged if label is not None and row.parent]
    # A system of PCs and servers: either is right, a thing is not.
    same = sum(
        label.parent == row.parent or (row.server and label.parent == "conventional")
        for row, label in parents
    )
    home = [(row, label) for row, label in judged if row.device_class in HOME]
    read = [(row, label) for row, label in home if row.kind != "http.favicon_md5"]
    servers = [label for row, label in judged if row.server]
    mute = [label for row, label in judged if row.parent is None]
    print(
        f"\n{name}: {len(judged):,} texts, {sum(row.device_class is not None for row, _ in judged):,} with a class"
    )
    print("  class given is right           ", share(right, len(said)))
    print("  family given is right          ", share(kin, len(said)))
    print("  parent given is right          ", share(same, len(parents)))
    print(
        "  home things given a class      ",
        share(sum(bool(one and one.device_class) for _, one in home), len(home)),
    )
    print(
        "  the same, without favicons     ",
        share(sum(bool(one and one.device_class) for _, one in read), len(read)),
    )
    print("  things of all kinds called so  ", share(*_things(judged)))
    print(
        "  servers called things          ",
        share(sum(bool(one and one.parent == "thing") for one in servers), len(servers)),
    )
    print(
        "  texts without a truth, called things",
        share(sum(bool(one and one.parent == "thing") for one in mute), len(mute)),
    )
    vendors = [(row, label) for row, label in said if row.vendor and label.vendor]
    models = [(row, label) for row, label in said if row.model and label.model]
    print(
        "  vendor right, equal / normal   ",
        share(sum(a.vendor == b.vendor for a, b in vendors), len(vendors)),
        "/",
        share(sum(_alike(a.vendor, b.vendor) for a, b in vendors), len(vendors)),
    )
    print(
        "  model right, equal / normal    ",
        share(sum(a.model == b.model for a, b in models), len(models)),
        "/",
        share(sum(_alike(a.model, b.model) for a, b in models), len(models)),
    )
    table: dict[str, Counter[str]] = {}
    for row, label in judged:
        got = label.device_class if label else None
        if row.device_class:
            table.setdefault(row.device_class, Counter())["n"] += 1
            table[row.device_class]["given"] += got is not None
            table[row.device_class]["right"] += got == row.device_class
            table[row.device_class]["kin"] += got is not None and family(got) == family(row.device_class)
            if got:
                table.setdefault(got, Counter())["said"] += 1
    if table:
        print("  class                   n   given   right  recall  of family   precision")
    for one in sorted(table, key=lambda key: -table[key]["n"]):
        count = table[one]
        recall = f"{count['right'] / count['n']:7.1%}" if count["n"] else "      -"
        precision = share(count["right"], count["said"])
        print(
            f"  {one:21}{count['n']:4}{count['given']:8}{count['right']:8} {recall}{count['kin']:11}   {precision}"
        )


def _things(judged: list[Judged]) -> tuple[int, int]:
    things = [label for row, label in judged if row.parent == "thing"]
    return sum(bool(label and label.parent == "thing") for label in things), len(things)


def _alike(one: str, other: str) -> bool:
    """Equal but for case and signs, or one contained in the other."""
    a, b = (re.sub(r"[^a-z0-9]", "", text.lower()) for text in (one, other))
    return bool(a and b) and (a in b or b in a)


def speed(rules: Rules, texts: list[tuple[str, str]]) -> None:
    """Print what a label costs."""
    costs = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for kind, text in texts:
            rules._judge(kind, text)
        costs.append((time.perf_counter() - started) / len(texts) * 1e6)
    print(
        f"\n{len(texts):,} texts, not remembered: first round {costs[0]:.0f} us each, "
        f"then {statistics.median(costs[1:]):.0f} us"
    )
    words = " ".join(rule.pattern[2:14] for rule in rules.signatures)
    noise = "".join(
        chr(33 + int(hashlib.sha256(str(at).encode()).hexdigest(), 16) % 94) for at in range(8192)
    )
    hostile = {
        "our own words": (words * 9)[:8192],
        "noise": noise,
        "one letter": "a" * 8192,
        "signs": "[TV] \r\n" * 1170,
        "titles": "<title>" * 1170,
        "header lines": "HTTP/1.1 200\r\n" + "Server: x\r\n" * 740,
    }
    for name, text in hostile.items():
        worst = 0.0
        for kind in ("banner", "http.body", "snmp.sysdescr"):
            started = time.perf_counter()
            rules._judge(kind, text)
            worst = max(worst, time.perf_counter() - started)
        print(f"  8 kB of {name}: {worst * 1e3:.1f} ms at worst")


def _tell(row: Row, label: Label | None) -> None:
    """Print a text that was judged otherwise than its truth, or not at all."""
    said = "nothing" if label is None else label.device_class or label.parent
    wrong = label is not None and bool(
        (row.device_class and label.device_class and label.device_class != row.device_class)
        or (row.parent and label.parent != row.parent and not (row.server and label.parent == "conventional"))
    )
    if wrong or (label is None and row.device_class):
        rule = label.rule if label else ""
        print(
            f"{row.source} | {row.kind} | {row.device_class or row.parent} | {said} | {rule} | {row.text[:90]!r}"
        )


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument(
        "--recog",
        action="store_true",
        help="with Recog's own rules as well (its rows then only test our reading)",
    )
    options.add_argument(
        "--wrong", action="store_true", help="list what was judged otherwise, of sources that were looked at"
    )
    chosen = options.parse_args()
    started = time.perf_counter()
    rules = Rules.load(DATA / "recog_xml" if chosen.recog else None)
    print(
        f"{len(rules.signatures)} rules loaded in {time.perf_counter() - started:.2f} s; "
        f"{len(rules.skips)} of Recog's left out"
    )
    judged = [Judged(row, rules.label(row.kind, row.text)) for row in rows()]
    for source in dict.fromkeys(one.row.source for one in judged):
        report(source, [one for one in judged if one.row.source == source])
    if chosen.wrong:
        for one in judged:
            if one.row.source != "recog held":  # looking would spoil it
                _tell(*one)
    speed(rules, [(one.row.kind, one.row.text) for one in judged])


if __name__ == "__main__":
    main()
