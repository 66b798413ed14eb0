"""Turn published tables of address ranges into the files that `identify.network` reads.

The sources write one range a line: first address, last address, then what is said of it. We keep 16 bytes for
each end (IPv4 mapped into IPv6), sorted, without overlaps, and the attribution beside the tables.
"""

from __future__ import annotations

import csv
import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from thingwatch.errors import InputError, OutputError
from thingwatch.identify.mmdb import MAX_NAME_CHARACTERS
from thingwatch.identify.network import COUNTRIES_FILE, NETWORKS_FILE, SIDECAR_FILE

MAX_ROWS = 5_000_000  # one source has 515,000 ranges in 2026; ten times that is not address space any more
MAX_DAMAGED_SHARE = 0.01  # beyond this the file is something else, not a table with flaws

Range = tuple[int, int, str, str]  # first and last as 128-bit numbers, then the two values beside them


@dataclass(frozen=True, slots=True)
class Written:
    """What one table became."""

    rows: int
    damaged: int  # lines left out: no range, or ends in the wrong order
    overlapping: int  # ranges cut or left out because an earlier one covers them


def write_reference(
    networks: Iterable[str],
    countries: Iterable[str],
    folder: Path,
    *,
    name: str,
    date: str,
    attribution: str,
) -> tuple[Written, Written]:
    """Write the tables of networks and countries, and the sidecar that says where they come from.

    *networks* gives lines ``first,last,asn,name``; *countries* gives ``first,last,code``; both families may
    be mixed, in any order. *name* says which edition they are, *date* is the day of fetching, ISO 8601. Each
    file is written whole or not at all, the sidecar last, so that tables without it are never used. Raises
    InputError where the lines are no such table, OutputError where the folder cannot be written.
    """
    network_ranges, network_count = _ranges(networks, 4)
    country_ranges, country_count = _ranges(countries, 3)
    sidecar = {
        "name": name,
        "date": date,
        "attribution": attribution,
        "networks": network_count.rows,
        "countries": country_count.rows,
    }
    network_columns = {
        "asn": pa.array([int(row[2]) for row in network_ranges], pa.int64()),
        "asn_name": pa.array([row[3] for row in network_ranges], pa.string()),
    }
    country_columns = {"country": pa.array([row[2].upper() for row in country_ranges], pa.string())}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SIDECAR_FILE).unlink(missing_ok=True)
        _write_table(folder / NETWORKS_FILE, network_ranges, network_columns, attribution)
        _write_table(folder / COUNTRIES_FILE, country_ranges, country_columns, attribution)
        _write_whole(
            folder / SIDECAR_FILE, json.dumps(sidecar, indent=2, ensure_ascii=False).encode() + b"\n"
        )
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error}); set THINGWATCH_REFERENCE to another"
        ) from error
    return network_count, country_count


def _ranges(lines: Iterable[str], width: int) -> tuple[list[Range], Written]:
    """Sorted ranges without overlaps; where two overlap, the one that starts first keeps its space."""
    ranges: list[Range] = []
    damaged = 0
    for number, row in enumerate(csv.reader(lines)):
        if number >= MAX_ROWS:
            raise InputError(f"more than {MAX_ROWS:,} ranges: not a table of address space")
        if (one := _range(row, width)) is None:
            damaged += 1
        else:
            ranges.append(one)
    if damaged > MAX_DAMAGED_SHARE * (len(ranges) + damaged) or not ranges:
        raise InputError(
            f"{damaged:,} of {len(ranges) + damaged:,} lines are no address range: not such a table"
        )
    ranges.sort(key=lambda one: one[:2])
    kept: list[Range] = []
    overlapping = 0
    for first, last, value, name in ranges:
        start = first
        if kept and first <= kept[-1][1]:
            overlapping += 1
            start = kept[-1][1] + 1
        if start <= last:
            kept.append((start, last, value, name))
    return kept, Written(len(kept), damaged, overlapping)


def _range(row: Sequence[str], width: int) -> Range | None:
    """One line as a range, None where it is none."""
    if len(row) < width:
        return None
    try:
        ends = [ip_address(text.strip()) for text in row[:2]]
    except ValueError:
        return None
    first, last = (_number(end) for end in ends)
    value = row[2].strip()
    name = "".join(c for c in row[3][:MAX_NAME_CHARACTERS] if c.isprintable()).strip() if width > 3 else ""
    fits = value.isdecimal() and len(value) <= 10 if width > 3 else len(value) == 2 and value.isalpha()
    return (
        (first, last, value, name) if fits and first <= last and ends[0].version == ends[1].version else None
    )


def _number(address: IPv4Address | IPv6Address) -> int:
    return int(address) + (0xFFFF << 32 if address.version == 4 else 0)


def _write_table(file: Path, ranges: Sequence[Range], columns: dict[str, pa.Array], attribution: str) -> None:
    ends = {
        "first": pa.array([row[0].to_bytes(16, "big") for row in ranges], pa.binary(16)),
        "last": pa.array([row[1].to_bytes(16, "big") for row in ranges], pa.binary(16)),
    }
    table = pa.table(ends | columns).replace_schema_metadata({"attribution": attribution})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    _write_whole(file, sink.getvalue().to_pybytes())


def _write_whole(file: Path, content: bytes) -> None:
    """Write a file under a temporary neighbour's name, then rename."""
    handle, neighbour = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(neighbour).chmod(0o644)
        Path(neighbour).replace(file)
    except BaseException:
        Path(neighbour).unlink(missing_ok=True)
        raise
