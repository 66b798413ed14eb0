"""Compare two case folders, report and tables, row for row after sorting; exit 1 if there is a difference."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

TABLES = ("messages", "campaigns", "waves", "keys", "sources")
OF_THE_RUN = ("made_at", "stages")  # what differs between two runs of one engine, too
SHOWN = 20


def differences(first: Path, second: Path) -> list[str]:
    """What differs between the cases, in words; empty when they are equal."""
    reports = [json.loads((case / "report.json").read_text(encoding="utf-8")) for case in (first, second)]
    for report in reports:
        for name in OF_THE_RUN:
            report.pop(name)
        (report.get("continued") or {}).pop("made_at", None)
    found = [f"report.json {line}" for line in _unlike(*reports, "")]
    for name in TABLES:
        found += [
            f"{name}.parquet {line}"
            for line in unlike_tables(*(_table(case, name) for case in (first, second)))
        ]
    return found


def unlike_tables(first: pa.Table, second: pa.Table) -> list[str]:
    """What differs between two tables, in whatever order their rows are. Which column may be null is not compared."""
    kinds = [{field.name: field.type for field in table.schema} for table in (first, second)]
    if kinds[0] != kinds[1]:
        return [f"columns: {kinds[0]} and {kinds[1]}"]
    if first.num_rows != second.num_rows:
        return [f"rows: {first.num_rows:,} and {second.num_rows:,}"]
    rows = [sorted(map(repr, table.to_pylist())) for table in (first, second)]
    return [f"row: {_around(a, b)} and {_around(b, a)}" for a, b in zip(*rows, strict=True) if a != b]


def _around(text: str, other: str) -> str:
    at = next((place for place, pair in enumerate(zip(text, other, strict=False)) if pair[0] != pair[1]), 0)
    return f"{text[:40]} ... {text[max(0, at - 30) : at + 60]}"


def _table(case: Path, name: str) -> pa.Table:
    return pq.read_table(case / f"{name}.parquet")


def _unlike(first: Any, second: Any, where: str) -> Iterator[str]:
    if isinstance(first, dict) and isinstance(second, dict):
        for key in sorted({*first, *second}):
            yield from _unlike(first.get(key), second.get(key), f"{where}/{key}")
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for place, pair in enumerate(zip(first, second, strict=True)):
            yield from _unlike(*pair, f"{where}[{place}]")
    elif first != second:
        yield f"{where}: {str(first)[:200]} and {str(second)[:200]}"


def main() -> None:
    """Compare the two folders named on the command line."""
    first, second = map(Path, sys.argv[1:3])
    found = differences(first, second)
    for line in found[:SHOWN]:
        print(line)
    print(f"{first} and {second}: " + (f"{len(found):,} differences" if found else "equal"))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
