"""Evidence made to eat time or memory, to fetch files or to lie: it costs little, is named, and the rest is read."""

from __future__ import annotations

import gzip
import io
import json
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from thingwatch.model import MAX_SIGHTING_CHARS, Sighting, Skip
from thingwatch.read.evidence import plan_evidence, sightings_in

MAX_SECONDS = 6.0
MAX_MEMORY_BYTES = 80 << 20
MEGABYTE = 1_000_000
NOW = 1_795_341_600_000_000  # 2026-11-22 10:00:00 UTC


def read_bounded(path: Path, content: bytes) -> list[Sighting | Skip]:
    """What *content* says, failing where it takes more time or memory than a bad file may cost."""
    path.write_bytes(content)
    del content
    tracemalloc.start()
    started = time.process_time()
    try:
        # Kept are only the first and the last: a list of a million would be the memory measured.
        found: list[Sighting | Skip] = []
        for file in plan_evidence([path]):
            for item in sightings_in(file, now=NOW):
                found.append(item)
                if len(found) > 3_000:
                    del found[1_000:2_000]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.process_time() - started < MAX_SECONDS
    assert peak < MAX_MEMORY_BYTES
    return found


def nmap(inside: str, doctype: str = "<!DOCTYPE nmaprun>") -> bytes:
    return f'<?xml version="1.0"?>\n{doctype}\n<nmaprun args="nmap 192.0.2.0/24">{inside}</nmaprun>'.encode()


HOST = '<host><status state="up"/><address addr="192.0.2.7" addrtype="ipv4"/>'
LAUGHS = "<!DOCTYPE nmaprun [" + "".join(
    f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(12)
) + "]>"  # fmt: skip
ROW = b'{"ip": "192.0.2.7", "kind": "banner", "value": '

REMARKS = (b"#" * 999 + b"\n") * 80_000  # 80 MB that pack to some 100 kB

CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    "billion laughs": (lambda: nmap("<host>&l11;</host>", LAUGHS), "xml-entity"),
    "a file as entity": (
        lambda: nmap(f"{HOST}&f;</host>", '<!DOCTYPE nmaprun [<!ENTITY f SYSTEM "file:secret">]>'),
        "xml-entity",
    ),
    "a type from elsewhere": (
        lambda: nmap(f"{HOST}</host>", '<!DOCTYPE nmaprun SYSTEM "http://host.example/n.dtd">'),
        "xml-entity",
    ),
    "a parameter entity": (
        lambda: nmap("", '<!DOCTYPE nmaprun [<!ENTITY % p SYSTEM "http://host.example/p"> %p;]>'),
        "xml-entity",
    ),
    "tags in tags": (lambda: nmap("<a>" * MEGABYTE), "xml-too-deep"),
    "one tag of 50 MB": (lambda: nmap(f'<host a="{"x" * 50 * MEGABYTE}"/>'), "xml-tag-too-long"),
    "a remark of 50 MB": (lambda: nmap(f"<!--{'x' * 50 * MEGABYTE}-->"), "xml-tag-too-long"),
    "an encoding nobody has": (
        lambda: b'<?xml version="1.0" encoding="klingon"?><nmaprun></nmaprun>',
        "xml-malformed",
    ),
    "JSON in JSON": (lambda: ROW + b'"x"}\n' + b'{"ip": ' + b"[" * 5 * MEGABYTE, "line-too-long"),
    "JSON in JSON, shorter": (lambda: ROW + b'"x"}\n' + b'{"ip": ' + b"[" * MEGABYTE + b"\n", "json-malformed"),
    "an array in arrays": (lambda: b'[{"ip": 1, "kind": ' + b"[" * MEGABYTE, "json-malformed"),
    "a line of 50 MB": (lambda: ROW + b'"x"}\n' + ROW + b'"' + b"x" * 50 * MEGABYTE + b'"}\n', "line-too-long"),
    "a number of 5,000 digits": (lambda: ROW + b"9" * 5_000 + b"}\n", "json-malformed"),
    "p0f without an end": (
        lambda: b"[2026/11/22 10:00:00] mod=syn|cli=192.0.2.7/1|srv=x|subj=cli|" + b"x" * 50 * MEGABYTE,
        "line-too-long",
    ),
    "an address without an end": (lambda: b"192.0.2.7\n" + b"1" * 50 * MEGABYTE, "line-too-long"),
    "a million columns": (
        lambda: b"timestamp,ip,tag,asn\n" + b"," * MEGABYTE + b"\n2026-11-22,192.0.2.7,x,1\n",
        "csv-malformed",
    ),
    "a quote that never ends": (
        lambda: b"timestamp,ip,tag,asn\n" + b'2026-11-22,"192.0.2.7\n' * (4 * MEGABYTE // 22),
        "csv-malformed",
    ),
    "zeros in a table": (lambda: b"timestamp,ip,tag,asn\n2026-11-22,\x00192.0.2.7,x,1\n", "no-address"),
    "a gzip bomb": (lambda: gzip.compress(b"192.0.2.7\n" + REMARKS), "archive-bomb"),
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(CASES))
def test_a_hostile_file_costs_little_and_is_named(tmp_path: Path, case: str) -> None:
    """Each ends soon, in little memory, with the one name that says what was wrong."""
    make, reason = CASES[case]
    found = read_bounded(tmp_path / "evidence", make())
    assert reason in {item.reason for item in found if isinstance(item, Skip)}


def test_no_entity_brings_a_file_in(tmp_path: Path) -> None:
    """What an entity names is never read: the host that holds it gives nothing."""
    secret = tmp_path / "secret"
    secret.write_text("kept at home")
    doctype = f'<!DOCTYPE nmaprun [<!ENTITY f SYSTEM "{secret.as_uri()}">]>'
    inside = f'{HOST}<hostscript><script id="nbstat" output="&f;"/></hostscript></host>'
    assert "kept at home" not in repr(read_bounded(tmp_path / "scan.xml", nmap(inside, doctype)))


def test_a_zip_bomb_of_evidence_is_stopped(tmp_path: Path) -> None:
    """A member that unpacks beyond reason is read up to there, and the next is read all the same."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("list.txt", b"192.0.2.7\n" + REMARKS)
        archive.writestr("next.txt", b"192.0.2.8\n")
    found = read_bounded(tmp_path / "reports.zip", made.getvalue())
    assert "archive-bomb" in {item.reason for item in found if isinstance(item, Skip)}


def test_a_host_with_every_port_open_is_cut(tmp_path: Path) -> None:
    """A tarpit answers on 65,535 ports; a thousand facts of one row are enough to see that."""
    ports = "".join(f'<port protocol="tcp" portid="{n}"><state state="open"/></port>' for n in range(65_536))
    found = read_bounded(tmp_path / "scan.xml", nmap(f"{HOST}<ports>{ports}</ports></host>"))
    assert len(found) == 1_000
    row = {
        "ip": "192.0.2.7",
        "services": [{"port": n, "hardware": [{"vendor": str(n)}]} for n in range(9_999)],
    }
    assert len(read_bounded(tmp_path / "host.json", json.dumps(row).encode())) <= 1_000


def test_a_host_of_endless_scripts_is_cut(tmp_path: Path) -> None:
    """Neither many long outputs nor a million tags of one host are held; the host is read all the same."""
    long = f'<script id="nbstat" output="{"x" * 3 * MEGABYTE}"/>' * 30
    many = "".join(f'<address addr="1" addrtype="{n}"/>' for n in range(250_000))
    for inside in (f"<hostscript>{long}</hostscript>", many):
        found = read_bounded(tmp_path / "scan.xml", nmap(f"{HOST}{inside}</host>"))
        assert [item[1] for item in found] == ["front.silent"]


@pytest.mark.parametrize(
    "text",
    [
        "<title>" * 60_000,
        "<title " * 60_000,
        "WWW-Authenticate: Basic realm" + "=" * 60_000,
        "Server: " + "password is " * 30_000,
        "password: " * 40_000,
        "\x1b[2J\u202e\u2028\x00" * 20_000,
        "\ud800" * 20_000,
        "&#1234567890;" * 20_000,
    ],
    ids=["titles", "half titles", "realms", "secrets", "prompts", "controls", "surrogates", "entities"],
)
def test_a_hostile_answer_is_read_in_its_time(tmp_path: Path, text: str) -> None:
    """No text makes a pattern run away, and what comes out is clean, short and can be written down."""
    row = {
        "ip_str": "192.0.2.7",
        "port": 80,
        "data": "HTTP/1.1 200 OK\r\n" + text,
        "_shodan": {"module": "http"},
    }
    row["http"] = {"html": text, "server": text, "title": None}
    found = read_bounded(tmp_path / "shodan.json", (json.dumps(row) + "\n").encode() * 5)
    assert all(isinstance(item, Sighting) for item in found)
    for item in found:
        assert isinstance(item, Sighting)
        assert len(item.value) <= MAX_SIGHTING_CHARS
        assert item.value.isprintable()
        item.value.encode()


def test_a_scan_speaks_only_for_what_it_asked(tmp_path: Path) -> None:
    """A forged scan that claims addresses outside its own targets says nothing about them."""
    inside = HOST + '</host><host><status state="up"/><address addr="203.0.113.5" addrtype="ipv4"/></host>'
    found = read_bounded(tmp_path / "scan.xml", nmap(inside))
    assert [getattr(item, "reason", item[1]) for item in found] == ["front.silent", "outside-scan"]
