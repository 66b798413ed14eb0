"""Which network an address belongs to: operator's number and name, country, prefix.

The tables are made by ``scripts/fetch_reference.py`` (see ``identify.reference``); a user's own ``.mmdb``
files win over them. Without either, everything is unknown: that is said once, and is no error.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from typing import Any

import maxminddb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from thingwatch.identify.mmdb import opened, opened_bytes, said_of

_log = logging.getLogger(__name__)

REFERENCE_VARIABLE = "THINGWATCH_REFERENCE"
NETWORKS_FILE = "networks.parquet"
COUNTRIES_FILE = "countries.parquet"
SIDECAR_FILE = "reference.json"
RESERVED = "reserved"  # the name given to addresses no operator announces

MAX_ADDRESS_CHARACTERS = 64  # the longest real text is 45; longer is no address

# Nobody may announce these: the IANA special-purpose registries (RFC 6890), multicast (RFC 5771, RFC 4291).
_RESERVED_BLOCKS = """
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
    192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
    ::/96 64:ff9b:1::/48 100::/64 2001:2::/48 2001:10::/28 2001:20::/28 2001:db8::/32 3fff::/20 5f00::/16
    fc00::/7 fe80::/10 fec0::/10 ff00::/8
"""
_MAPPED = bytes(10) + b"\xff\xff"  # RFC 4291, 2.5.5.2: how an IPv4 address is written as IPv6

Keys = npt.NDArray[Any]  # uint32 for IPv4; big-endian bytes "S16" for IPv6, which sort like numbers


@dataclass(frozen=True, slots=True)
class _Ranges:
    """Ranges of one family, sorted, without overlaps; row says which entry of the table a range is."""

    first: Keys
    last: Keys
    row: npt.NDArray[np.int64]

    def find(self, keys: Keys) -> npt.NDArray[np.int64]:
        """The position in these ranges of the one around each key, -1 where there is none."""
        if not len(self.first):
            return np.full(len(keys), -1, dtype=np.int64)
        at = np.searchsorted(self.first, keys, side="right").astype(np.int64) - 1
        inside = (at >= 0) & (keys <= self.last[np.maximum(at, 0)])
        return np.where(inside, at, -1)


@dataclass(frozen=True, slots=True)
class _Table:
    """One reference table: its ranges by family, and what it says of each row."""

    ipv4: _Ranges
    ipv6: _Ranges
    columns: Mapping[str, pa.Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Networks:
    """What is known of address space; made by `load`, asked by `find`."""

    networks: _Table | None
    countries: _Table | None
    readers: tuple[maxminddb.Reader, ...] = ()
    reference: Mapping[str, str] | None = None  # what the answers rest on: name, date, attribution
    files: tuple[Path, ...] = ()  # behind the readers

    def __reduce__(self) -> tuple[Any, ...]:
        """What other machines need: the tables, and the user's files themselves, which stand only here."""
        contents = tuple(file.read_bytes() for file in self.files)
        return _carried, (self.networks, self.countries, contents, self.reference)

    @classmethod
    def load(cls, path: Path | None = None, mmdb: Path | Sequence[Path] | None = None) -> Networks:
        """Open the reference tables and the user's own ``.mmdb`` files.

        *path* is a folder with the tables, by default the first that exists of `reference_folders`. *mmdb* is
        one file or several (GeoLite2, DB-IP and IPinfo field shapes); the first that knows a field wins, the
        tables come last. Missing or unreadable tables leave everything unknown and are said once in the log;
        a file the user named and we cannot open raises InputError.
        """
        files = () if mmdb is None else (mmdb,) if isinstance(mmdb, Path) else tuple(mmdb)
        readers = tuple(opened(file) for file in files)
        networks, countries, reference = _tables(path)
        described = [
            f"{file.name} ({one.metadata().database_type})" for file, one in zip(files, readers, strict=True)
        ]
        if described:
            shipped = reference or {"name": "", "date": "", "attribution": ""}
            reference = shipped | {"name": ", ".join(filter(None, [*described, shipped["name"]]))}
        return cls(networks, countries, readers, reference, files)

    @property
    def known(self) -> bool:
        """Whether there is anything to look up in; without it every answer is "unknown"."""
        return self.networks is not None or self.countries is not None or bool(self.readers)

    def find(self, addresses: pa.Array | pa.ChunkedArray | Iterable[str | None]) -> pa.Table:
        """Look up many addresses at once.

        Takes texts in any spelling; gives a table with one row for each, in order: ``asn`` (int64, 0 where
        unknown), ``asn_name``, ``country`` (ISO 3166-1 alpha-2) and ``prefix``, all "" where unknown. The
        prefix is the largest block around the address that lies within one operator's space. Reserved
        addresses are unknown by the name "reserved"; text that is no address is unknown. Never raises for
        content.
        """
        if isinstance(addresses, pa.ChunkedArray):
            addresses = addresses.combine_chunks()
        elif not isinstance(addresses, pa.Array):
            addresses = pa.array(list(addresses), pa.string())
        coded = addresses.dictionary_encode()
        found = self._found(coded.dictionary.to_pylist())
        places = coded.indices.fill_null(len(coded.dictionary))  # the last row of found is "unknown"
        return found.take(places)

    def _found(self, texts: Sequence[str]) -> pa.Table:
        """The same for distinct addresses, with one row more at the end: unknown."""
        count = len(texts) + 1
        at4, keys4, at6, keys6 = _parsed(texts)
        asn = np.zeros(count, dtype=np.int64)
        network_row = np.full(count, -1, dtype=np.int64)
        country_row = np.full(count, -1, dtype=np.int64)
        prefix = np.full(count, "", dtype=object)
        for places, keys, reserved, family in (
            (at4, keys4, _RESERVED4, "ipv4"),
            (at6, keys6, _RESERVED6, "ipv6"),
        ):
            open_ones = reserved.find(keys) < 0
            asn[places[~open_ones]] = -1
            places, keys = places[open_ones], keys[open_ones]
            if self.networks is not None:
                ranges: _Ranges = getattr(self.networks, family)
                at = ranges.find(keys)
                hit = at >= 0
                network_row[places[hit]] = ranges.row[at[hit]]
                blocks = _blocks4 if family == "ipv4" else _blocks6
                prefix[places[hit]] = blocks(keys[hit], ranges.first[at[hit]], ranges.last[at[hit]])
            if self.countries is not None:
                ranges = getattr(self.countries, family)
                at = ranges.find(keys)
                country_row[places[at >= 0]] = ranges.row[at[at >= 0]]
        reserved_rows = asn < 0
        asn[reserved_rows] = 0
        names = _taken(self.networks, "asn_name", network_row)
        names[reserved_rows] = RESERVED
        if self.networks is not None:
            numbers = self.networks.columns["asn"].to_numpy(zero_copy_only=False)
            asn[network_row >= 0] = numbers[network_row[network_row >= 0]]
        countries = _taken(self.countries, "country", country_row)
        if self.readers:
            plain = {
                place: str(IPv4Address(key)) for place, key in zip(at4.tolist(), keys4.tolist(), strict=True)
            }
            for place in [*plain, *at6.tolist()]:
                if not reserved_rows[place]:
                    own = said_of(plain.get(place, texts[place]), self.readers)
                    asn[place], names[place] = (own[0], own[1]) if own[0] else (asn[place], names[place])
                    countries[place] = own[2] or countries[place]
                    prefix[place] = own[3] or prefix[place]
        return pa.table(
            {
                "asn": pa.array(asn),
                "asn_name": pa.array(names, pa.string()),
                "country": pa.array(countries, pa.string()),
                "prefix": pa.array(prefix, pa.string()),
            }
        )


def _carried(
    networks: _Table | None,
    countries: _Table | None,
    contents: Sequence[bytes],
    reference: Mapping[str, str] | None,
) -> Networks:
    return Networks(networks, countries, tuple(map(opened_bytes, contents)), reference)


def reference_folders() -> tuple[Path, ...]:
    """Where the tables may lie, best first: THINGWATCH_REFERENCE alone if set, else the user's, Python's."""
    named = os.environ.get(REFERENCE_VARIABLE)
    if named:
        return (Path(named),)
    data = os.environ.get("XDG_DATA_HOME")
    home = Path(data) if data else Path.home() / ".local" / "share"
    return (home / "thingwatch", Path(sys.prefix) / "share" / "thingwatch")


def _tables(path: Path | None) -> tuple[_Table | None, _Table | None, dict[str, str] | None]:
    """The two tables and where they come from, of the first folder that has them."""
    folders = (path,) if path is not None else reference_folders()
    for folder in folders:
        if not (folder / SIDECAR_FILE).is_file():
            continue
        try:
            networks = _table(folder / NETWORKS_FILE, ("asn", "asn_name"))
            countries = _table(folder / COUNTRIES_FILE, ("country",))
            sidecar = json.loads((folder / SIDECAR_FILE).read_text("utf-8"))
            return networks, countries, {name: str(sidecar[name]) for name in ("name", "date", "attribution")}
        except (OSError, ValueError, KeyError, TypeError) as error:  # pa.ArrowInvalid is a ValueError
            _log.warning(
                "%s: not a readable table of networks (%s); run `make reference` again", folder, error
            )
            return None, None, None
    _log.warning(
        "no table of networks in %s: operators and countries stay unknown; "
        "run `make reference`, or name an .mmdb file",
        " or ".join(str(folder) for folder in folders),
    )
    return None, None, None


def _table(file: Path, names: Sequence[str]) -> _Table:
    """Read one table: first and last as 16 bytes, IPv4 mapped, ascending, and the named columns."""
    # One file by its own name: pyarrow must not take "a=b" folders on the way for partitions.
    table = pq.read_table(file, partitioning=None).combine_chunks()
    first, last = (_bytes16(table.column(name)) for name in ("first", "last"))
    mapped = np.frombuffer(_MAPPED, dtype=np.uint8)
    is4 = (first[:, :12] == mapped).all(axis=1)
    rows = np.arange(len(first), dtype=np.int64)
    ipv4 = _Ranges(_quads(first[is4]), _quads(last[is4]), rows[is4])
    ipv6 = _Ranges(_wholes(first[~is4]), _wholes(last[~is4]), rows[~is4])
    for ranges in (ipv4, ipv6):
        if len(ranges.first) and not (
            (ranges.first[1:] > ranges.last[:-1]).all() and (ranges.first <= ranges.last).all()
        ):
            raise ValueError(f"{file.name} is not in ascending order")
    return _Table(ipv4, ipv6, {name: table.column(name).combine_chunks() for name in names})


def _quads(ends: npt.NDArray[np.uint8]) -> Keys:
    """Rows of 16 bytes as the numbers of the IPv4 addresses mapped in them."""
    return np.ascontiguousarray(ends[:, 12:]).view(">u4").ravel().astype(np.uint32)


def _wholes(ends: npt.NDArray[np.uint8]) -> Keys:
    return np.ascontiguousarray(ends).view("S16").ravel()


def _bytes16(column: pa.ChunkedArray) -> npt.NDArray[np.uint8]:
    array = column.combine_chunks()
    if array.type != pa.binary(16) or array.null_count:
        raise ValueError(f"a column of {array.type} where addresses were expected")
    raw = np.frombuffer(array.buffers()[1], dtype=np.uint8)
    return raw[array.offset * 16 : (array.offset + len(array)) * 16].reshape(-1, 16)


def _taken(table: _Table | None, name: str, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
    """One column of a table at these rows; "" where the row is -1."""
    out = np.full(len(rows), "", dtype=object)
    if table is not None:
        hit = rows >= 0
        out[hit] = table.columns[name].take(pa.array(rows[hit])).to_numpy(zero_copy_only=False)
    return out


def _parsed(texts: Sequence[str]) -> tuple[npt.NDArray[np.int64], Keys, npt.NDArray[np.int64], Keys]:
    """Addresses as numbers: where the IPv4 ones stood and their keys, then the same for IPv6."""
    at4: list[int] = []
    at6: list[int] = []
    packed4: list[bytes] = []
    packed6: list[bytes] = []
    for place, text in enumerate(texts):
        if len(text) > MAX_ADDRESS_CHARACTERS:
            continue
        try:
            if ":" not in text:
                packed4.append(socket.inet_pton(socket.AF_INET, text))
                at4.append(place)
                continue
            whole = socket.inet_pton(socket.AF_INET6, text)
        except (OSError, ValueError):  # ValueError: a NUL or a lone surrogate inside
            continue
        if whole.startswith(_MAPPED):
            packed4.append(whole[12:])
            at4.append(place)
        else:
            packed6.append(whole)
            at6.append(place)
    keys4 = np.frombuffer(b"".join(packed4), dtype=">u4").astype(np.uint32)
    keys6 = np.frombuffer(b"".join(packed6), dtype="S16")
    return np.array(at4, dtype=np.int64), keys4, np.array(at6, dtype=np.int64), keys6


# The block around an address reaches as far as it shares no prefix with the neighbours just outside the
# range: with first - 1 and last + 1 it must differ within the block's own bits.


def _blocks4(keys: Keys, first: Keys, last: Keys) -> list[str]:
    """The largest CIDR block around each address within its range (RFC 4632), as text."""
    key, low, high = (part.astype(np.int64) for part in (keys, first, last))
    beyond = np.int64(1) << 32  # differs from every address in bit 33: no neighbour on that side
    below = np.where(low == 0, beyond, low - 1)
    # frexp's exponent of an integer is its length in bits; exact below 2**53.
    bits = np.minimum(
        np.frexp((key ^ below).astype(np.float64))[1], np.frexp((key ^ (high + 1)).astype(np.float64))[1]
    )
    host_bits = bits.astype(np.int64) - 1
    base = (key >> host_bits) << host_bits
    named: dict[tuple[int, int], str] = {}
    texts = []
    for number, free in zip(base.tolist(), host_bits.tolist(), strict=True):
        text = named.get((number, free))
        if text is None:
            text = named[number, free] = f"{socket.inet_ntoa(number.to_bytes(4))}/{32 - free}"
        texts.append(text)
    return texts


def _blocks6(keys: Keys, first: Keys, last: Keys) -> list[str]:
    """The same for IPv6; 128 bits are beyond numpy, so it goes one by one."""
    texts = []
    named: dict[tuple[int, int], str] = {}
    # .tolist() drops NULs at the end of an "S16", so each value is filled up again.
    for key, low, high in zip(keys.tolist(), first.tolist(), last.tolist(), strict=True):
        number, lowest, highest = (int.from_bytes(part.ljust(16, b"\0"), "big") for part in (key, low, high))
        below = (number ^ (lowest - 1)).bit_length() if lowest else 129
        free = min(below, (number ^ (highest + 1)).bit_length()) - 1
        base = (number >> free) << free
        text = named.get((base, free))
        if text is None:
            text = named[base, free] = f"{IPv6Address(base)}/{128 - free}"
        texts.append(text)
    return texts


def _reserved(version: int) -> _Ranges:
    """The reserved blocks of one family as ranges."""
    blocks = sorted(
        (int(block.network_address), int(block.broadcast_address))
        for block in map(ip_network, _RESERVED_BLOCKS.split())
        if block.version == version
    )
    rows = np.zeros(len(blocks), dtype=np.int64)
    if version == 4:
        pairs = np.array(blocks, dtype=np.uint32)
        return _Ranges(pairs[:, 0].copy(), pairs[:, 1].copy(), rows)
    first, last = (
        np.array([pair[side].to_bytes(16, "big") for pair in blocks], dtype="S16") for side in (0, 1)
    )
    return _Ranges(first, last, rows)


_RESERVED4 = _reserved(4)
_RESERVED6 = _reserved(6)
