"""Which network an address belongs to."""

from __future__ import annotations

import ipaddress
import json
import logging
import random
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingwatch.errors import InputError
from thingwatch.identify.mmdb import asn_in, country_in
from thingwatch.identify.network import Networks, _blocks4, _blocks6, _parsed, reference_folders
from thingwatch.identify.reference import write_reference

# Invented operators on real address space; numbers from RFC 5398, which are nobody's.
NETWORKS = """\
1.0.0.0,1.0.0.255,64496,"Marlowe, Access"
1.0.4.0,1.0.7.255,64497,Second Line
1.0.9.0,1.0.11.255,64498,Not One Block
2a00:1000::,2a00:1000:ffff:ffff:ffff:ffff:ffff:ffff,64499,Third Line
2a00:2000::5,2a00:2000::9,64500,Odd Ends
"""
COUNTRIES = (
    "1.0.0.0,1.0.3.255,AU\n1.0.4.0,1.0.11.255,cn\n2a00:1000::,2a00:2fff:ffff:ffff:ffff:ffff:ffff:ffff,DE\n"
)
RESERVED_ONES = """
    10.1.2.3 127.0.0.1 100.64.0.1 169.254.9.9 172.31.255.255 192.168.0.1 192.0.2.1 198.51.100.1 203.0.113.255
    224.0.0.1 255.255.255.255 ::1 :: fe80::1 fd00::1 2001:db8::1 ff02::1 ::ffff:10.0.0.1 3fff::1
"""
UNKNOWN = {"asn": 0, "asn_name": "", "country": "", "prefix": ""}
RESERVED = UNKNOWN | {"asn_name": "reserved"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables written from a few lines."""
    out = tmp_path_factory.mktemp("reference")
    _write(out)
    return out


def _write(out: Path, networks: str = NETWORKS, countries: str = COUNTRIES) -> Any:
    return write_reference(
        networks.splitlines(),
        countries.splitlines(),
        out,
        name="invented 1",
        date="2026-01-01",
        attribution="Made up for a test",
    )


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("1.0.0.0", (64496, "Marlowe, Access", "AU", "1.0.0.0/24")),
        ("1.0.0.255", (64496, "Marlowe, Access", "AU", "1.0.0.0/24")),
        ("1.0.1.0", (0, "", "AU", "")),
        ("1.0.6.1", (64497, "Second Line", "CN", "1.0.4.0/22")),
        ("1.0.9.7", (64498, "Not One Block", "CN", "1.0.9.0/24")),
        ("1.0.10.7", (64498, "Not One Block", "CN", "1.0.10.0/23")),
        ("1.0.12.0", (0, "", "", "")),
        ("0.255.255.255", (0, "reserved", "", "")),
        ("2a00:1000::", (64499, "Third Line", "DE", "2a00:1000::/32")),
        ("2A00:1000:0:0::1", (64499, "Third Line", "DE", "2a00:1000::/32")),
        ("2a00:2000::5", (64500, "Odd Ends", "DE", "2a00:2000::5/128")),
        ("2a00:2000::7", (64500, "Odd Ends", "DE", "2a00:2000::6/127")),
        ("2a00:2000::9", (64500, "Odd Ends", "DE", "2a00:2000::8/127")),
        ("2a00:2000::a", (0, "", "DE", "")),
        ("::ffff:1.0.6.1", (64497, "Second Line", "CN", "1.0.4.0/22")),
    ],
)
def test_ranges_are_found_to_their_very_ends(folder: Path, address: str, expected: tuple[Any, ...]) -> None:
    """First and last address of a range are inside, their neighbours outside, in both families."""
    assert tuple(Networks.load(folder).find([address]).to_pylist()[0].values()) == expected


@pytest.mark.parametrize("address", RESERVED_ONES.split())
def test_space_nobody_announces_is_reserved(folder: Path, address: str) -> None:
    """Private, documentation and multicast addresses are unknown by name, whatever a table says."""
    assert Networks.load(folder).find([address]).to_pylist() == [RESERVED]


def test_answers_stand_in_the_order_of_questions(folder: Path) -> None:
    """One row for each address, repeats, nulls and nonsense included; Arrow arrays and lists alike."""
    asked = ["1.0.0.1", None, "nonsense", "10.0.0.1", "1.0.0.1", "", "1.0.0.1\x00", "1.0.0", "x" * 100_000]
    networks = Networks.load(folder)
    rows = networks.find(asked).to_pylist()
    assert [row["asn"] for row in rows] == [64496, 0, 0, 0, 64496, 0, 0, 0, 0]
    assert networks.find(pa.array(asked)).to_pylist() == rows
    assert networks.find(pa.chunked_array([asked[:3], asked[3:]])).to_pylist() == rows
    assert networks.find([]).num_rows == 0
    assert networks.reference == {
        "name": "invented 1",
        "date": "2026-01-01",
        "attribution": "Made up for a test",
    }


@settings(max_examples=200)
@given(st.lists(st.one_of(st.none(), st.text(), st.ip_addresses().map(str)), max_size=20))
def test_any_text_has_an_answer(asked: list[str | None]) -> None:
    """No text raises, and without tables everything public is unknown."""
    asked = [text if text is None else text.encode("utf-8", "replace").decode() for text in asked]
    table = Networks(None, None).find(asked)
    assert table.num_rows == len(asked)
    assert set(table["asn"].to_pylist()) <= {0}


@settings(max_examples=300)
@given(st.data())
def test_the_prefix_is_the_largest_block_within_the_range(data: st.DataObject) -> None:
    """Checked against the standard library's own cutting of a range into blocks, in both families."""
    version = data.draw(st.sampled_from([4, 6]))
    kind: Any = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    base = 0x01000000 if version == 4 else 0x2A00 << 112
    first = base + data.draw(st.integers(0, 5000))
    last = first + data.draw(st.integers(0, 5000))
    asked = kind(data.draw(st.integers(first, last)))
    parsed = [
        _parsed([str(address)])[1 if version == 4 else 3] for address in (asked, kind(first), kind(last))
    ]
    blocks = ipaddress.summarize_address_range(kind(first), kind(last))
    expected = next(str(block) for block in blocks if asked in block)
    assert (_blocks4 if version == 4 else _blocks6)(*parsed) == [expected]


def test_a_hundred_thousand_addresses_take_no_time(folder: Path) -> None:
    """100,000 distinct IPv4 addresses in well under a second of processor time (0.2 s measured)."""
    chance = random.Random(1)  # noqa: S311 - repeatable, not secret
    asked = [str(ipaddress.IPv4Address(chance.randrange(1 << 24, 224 << 24))) for _ in range(100_000)]
    networks = Networks.load(folder)
    before = time.process_time()
    networks.find(asked)
    assert time.process_time() - before < 1


def test_absent_tables_are_said_once_and_are_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without data everything is unknown, and one line says so and how to cure it."""
    with caplog.at_level(logging.WARNING):
        networks = Networks.load(tmp_path)
        assert networks.find(["8.8.8.8", "10.0.0.1"]).to_pylist() == [UNKNOWN, RESERVED]
    assert not networks.known
    assert len(caplog.records) == 1
    assert "make reference" in caplog.text


@pytest.mark.parametrize("file", ["networks.parquet", "countries.parquet", "reference.json"])
def test_damaged_tables_leave_everything_unknown(
    tmp_path: Path, file: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A file cut short is said and not used, instead of half used."""
    _write(tmp_path)
    (tmp_path / file).write_bytes((tmp_path / file).read_bytes()[:20])
    with caplog.at_level(logging.WARNING):
        assert Networks.load(tmp_path).find(["1.0.0.1"]).to_pylist() == [UNKNOWN]
    assert len(caplog.records) == 1


def test_tables_are_looked_for_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The variable names the only folder; without it the user's data folder comes first."""
    monkeypatch.setenv("THINGWATCH_REFERENCE", str(tmp_path))
    assert reference_folders() == (tmp_path,)
    monkeypatch.delenv("THINGWATCH_REFERENCE")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert reference_folders()[0] == tmp_path / "thingwatch"


def test_overlapping_and_damaged_lines_are_counted(tmp_path: Path) -> None:
    """An overlap keeps the earlier range, a line that is none is left out; both are counted."""
    good = "".join(f"9.{n}.0.0,9.{n}.255.255,64500,Row {n}\n" for n in range(200))
    networks, _ = _write(
        tmp_path, good + "9.0.128.0,9.1.0.255,64501,Overlap\n" + "9.9.9.9,9.9.9.1,1,Inverted\n"
    )
    assert (networks.rows, networks.damaged, networks.overlapping) == (201, 1, 2)
    rows = Networks.load(tmp_path).find(["9.0.200.1", "9.1.0.9", "9.9.9.5"]).to_pylist()
    assert [row["asn"] for row in rows] == [64500, 64501, 64500]
    assert json.loads((tmp_path / "reference.json").read_text())["networks"] == 201


def test_lines_that_are_no_table_are_refused(tmp_path: Path) -> None:
    """Something else than ranges raises and writes nothing."""
    with pytest.raises(InputError):
        _write(tmp_path, "<html>\nnot found\n")
    assert not list(tmp_path.iterdir())


# A .mmdb file is a binary tree over address bits with a data section behind it (MaxMind DB format, 2.0).


def _encoded(value: Any) -> bytes:
    """A value in the format's own type-length-value coding; enough of it for these tests."""
    if isinstance(value, dict):
        return bytes([7 << 5 | len(value)]) + b"".join(_encoded(k) + _encoded(v) for k, v in value.items())
    if isinstance(value, str):
        raw = value.encode()
        return (bytes([2 << 5 | len(raw)]) if len(raw) < 29 else bytes([2 << 5 | 29, len(raw) - 29])) + raw
    if isinstance(value, list):
        return bytes([len(value), 4]) + b"".join(map(_encoded, value))
    if isinstance(value, tuple):
        kind, size, number = value
        head = bytes([kind << 5 | size]) if kind < 8 else bytes([size, kind - 7])
        return head + int(number).to_bytes(size, "big")
    return _encoded((6, 4, value))


def _mmdb(file: Path, network: str, record: dict[str, Any]) -> Path:
    """A file that knows one IPv4 network."""
    block = ipaddress.IPv4Network(network)
    count = block.prefixlen
    bits = f"{int(block.network_address):032b}"[:count]
    tree = b""
    for depth, bit in enumerate(bits):
        onward = depth + 1 if depth + 1 < count else count + 16  # 16: the separator before the data
        pair = (onward, count) if bit == "0" else (count, onward)
        tree += b"".join(one.to_bytes(3, "big") for one in pair)
    metadata = {
        "binary_format_major_version": (5, 2, 2),  # type, bytes, value: libmaxminddb is strict
        "binary_format_minor_version": (5, 2, 0),
        "build_epoch": (9, 8, 1),
        "database_type": "Test",
        "description": {},
        "ip_version": (5, 2, 4),
        "languages": ["en"],
        "node_count": count,
        "record_size": (5, 2, 24),
    }
    file.write_bytes(tree + bytes(16) + _encoded(record) + b"\xab\xcd\xefMaxMind.com" + _encoded(metadata))
    return file


def test_the_users_own_files_win(folder: Path, tmp_path: Path) -> None:
    """What an .mmdb knows replaces the table's word; what it does not know stays."""
    asn = _mmdb(
        tmp_path / "asn.mmdb",
        "1.0.4.0/23",
        {"autonomous_system_number": 64511, "autonomous_system_organization": "Own Word"},
    )
    country = _mmdb(tmp_path / "city.mmdb", "1.0.0.0/16", {"country": {"iso_code": "NZ"}})
    networks = Networks.load(folder, [asn, country])
    assert [
        tuple(row.values()) for row in networks.find(["1.0.4.1", "1.0.6.1", "2a00:1000::1"]).to_pylist()
    ] == [
        (64511, "Own Word", "NZ", "1.0.4.0/23"),
        (64497, "Second Line", "NZ", "1.0.4.0/22"),
        (64499, "Third Line", "DE", "2a00:1000::/32"),
    ]
    assert networks.reference is not None
    assert networks.reference["name"] == "asn.mmdb (Test), city.mmdb (Test), invented 1"
    assert Networks.load(folder, asn).find(["1.0.5.1"])["asn"].to_pylist() == [64511]


def test_a_named_file_that_is_none_is_an_error(tmp_path: Path) -> None:
    """What the user asked for and cannot have is said, not left out."""
    (tmp_path / "x.mmdb").write_bytes(b"not a database")
    for name in ("x.mmdb", "absent.mmdb"):
        with pytest.raises(InputError, match=name):
            Networks.load(tmp_path, tmp_path / name)


@pytest.mark.parametrize(
    ("record", "asn", "country"),
    [
        ({"autonomous_system_number": 1, "autonomous_system_organization": "A\x1bB"}, (1, "AB"), ""),
        ({"traits": {"autonomous_system_number": 2}}, (2, ""), ""),
        ({"asn": "AS3", "as_name": "C", "country": "US"}, (3, "C"), "US"),
        ({"asn": "AS4", "country": "United States", "country_code": "US"}, (4, ""), "US"),
        ({"registered_country": {"iso_code": "de"}}, (0, ""), "DE"),
        ({"asn": "AS" + "9" * 5000, "country": ["x"], "traits": 5}, (0, ""), ""),
        ({}, (0, ""), ""),
    ],
)
def test_shapes_of_records(record: dict[str, Any], asn: tuple[int, str], country: str) -> None:
    """GeoLite2, DB-IP and IPinfo write the same facts in different fields; nonsense is unknown."""
    assert (asn_in(record), country_in(record)) == (asn, country)
