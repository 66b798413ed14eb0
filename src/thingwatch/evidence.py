"""The evidence kernel: one file of evidence in, rows of sightings out; the same in any process.

What is kept depends on whose address a row names. Of the mail's sources everything is kept that can weigh or that
names an exposure. Of all others only what their front says: they are the neighbours the sources are compared with.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from thingwatch.config import Settings
from thingwatch.errors import InputError
from thingwatch.identify import Rules, read_sighting, warnings_of
from thingwatch.kernel import Progress
from thingwatch.model import Sighting, Skip
from thingwatch.profile import iso
from thingwatch.read.archive import shown
from thingwatch.read.evidence import NOTHING_THERE, EvidenceFile, plan_evidence, sightings_in
from thingwatch.store import Engine, Steps, TableForm

BATCH = 16_384  # sightings written at a time
MAX_SAID_CHARS = 160  # of a value that is shown
MAX_RANGES = 1_000_000  # networks of one file; a large blocklist of end-user ranges has some 100,000
MAX_SPREAD = 5_000_000  # rows those make of sources inside them; 100,000 sources stand in a few ranges each

SIGHTINGS_SCHEMA = pa.schema(
    [
        ("client_ip", pa.string()),
        ("item", pa.string()),
        ("value", pa.int8()),
        ("seen_at", pa.int64()),
        ("kind", pa.string()),
        ("said", pa.string()),
        ("port", pa.int32()),
        ("source", pa.string()),
        ("file", pa.int32()),
        ("place", pa.string()),
        ("device_class", pa.string()),
        ("vendor", pa.string()),
        ("model", pa.string()),
        ("confidence", pa.float64()),
        ("ours", pa.bool_()),
    ]
)
_REPEATING = ("item", "kind", "source", "device_class", "vendor", "model", "said")


class Sifted(NamedTuple):
    """What became of one file of evidence."""

    number: int
    path: str
    form: str
    rows: int
    sightings: int
    skips: dict[str, int]


def planned(paths: Sequence[Path]) -> list[EvidenceFile]:
    """The evidence files at *paths*; asked for before any mail is read, so that a wrong path costs no hour.

    Raises InputError for a path that is missing, or names a file of no known form.
    """
    files = plan_evidence(paths)
    named = {str(path) for path in paths}
    for file in files:
        if file.form == "unknown" and file.path in named:
            raise InputError(
                f"{file.path}: no form of evidence we know; see docs/evidence.md, or leave it out"
            )
    return files


def gather(
    engine: Engine,
    files: Sequence[EvidenceFile],
    sources: frozenset[str],
    rules: Rules,
    settings: Settings,
    progress: Progress,
    first: int = 0,
    table: str = "sightings",
) -> list[Sifted]:
    """Sift *files* on all hands into *table*. *sources*: the addresses that sent the mail.

    *first*: the number of the first file.
    """
    # Largest first, so that no worker ends late alone.
    work = sorted(enumerate(files, first), key=lambda one: -one[1].size)
    found = engine.spread(
        partial(
            sift,
            sources=sources,
            lookup=Ranges(sources),
            rules=rules,
            p0f_utc_minutes=settings.p0f_utc_minutes,
            table=table,
        ),
        work,
        {table: TableForm(SIGHTINGS_SCHEMA, _REPEATING)},
        lambda one: progress("evidence", one.rows),
    )
    return sorted(found)


class Ranges:
    """Which of the sources lie in a range; asked once per line of a list of networks."""

    def __init__(self, sources: Iterable[str]) -> None:
        pairs = sorted((int(ip_network(ip).network_address), ip) for ip in sources if _is_address(ip))
        self._numbers = [[n for n, ip in pairs if (":" in ip) == six] for six in (False, True)]
        self._texts = [[ip for _, ip in pairs if (":" in ip) == six] for six in (False, True)]

    def inside(self, network: str) -> list[str]:
        """The sources inside *network* (CIDR)."""
        block = ip_network(network, strict=False)
        numbers, texts = self._numbers[block.version == 6], self._texts[block.version == 6]
        first = bisect_left(numbers, int(block.network_address))
        return texts[first : bisect_right(numbers, int(block.broadcast_address))]


def _is_address(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def sift(
    item: tuple[int, EvidenceFile],
    sources: frozenset[str],
    lookup: Ranges,
    rules: Rules,
    p0f_utc_minutes: int = 0,
    table: str = "sightings",
) -> Steps[Sifted]:
    """The kernel: read one numbered file; rows for *table*."""
    number, file = item
    skips: Counter[str] = Counter()
    rows = sightings = spread = 0
    ranges: set[int] = set()
    last = None
    batch: list[tuple[object, ...]] = []
    for found in sightings_in(file, sources, utc_offset_minutes=p0f_utc_minutes):
        if found.place != last:
            rows += 1
            last = found.place
        if isinstance(found, Skip):
            skips[found.reason] += 1
            continue
        sightings += 1
        if "/" in found.ip:
            # A list may say the same of a network again and again, and its networks may lie in one another.
            mark = hash((found.ip, found.kind, found.value))
            inside = () if mark in ranges else lookup.inside(found.ip)
            spread += len(inside)
            if spread > MAX_SPREAD or len(ranges) >= MAX_RANGES:
                skips["too-many-ranges"] += 1
                continue
            ranges.add(mark)
            for ip in inside:
                batch.append(_row(found._replace(ip=ip), number, rules))
        elif found.ip in sources:
            batch.append(_row(found, number, rules))
        elif (row := _neighbour_row(found, number, rules)) is not None:
            batch.append(row)
        if len(batch) >= BATCH:
            yield table, _table(batch)
            batch = []
    if batch:
        yield table, _table(batch)
    return Sifted(number, shown(Path(file.path)), file.form, rows, sightings, dict(skips))


def _table(batch: list[tuple[object, ...]]) -> pa.Table:
    columns = zip(*batch, strict=True)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, SIGHTINGS_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SIGHTINGS_SCHEMA)


def _row(sighting: Sighting, number: int, rules: Rules) -> tuple[object, ...]:
    """A sighting of a source, with all that a report may show of it."""
    word = read_sighting(sighting, rules)
    label = word.label if word else None
    named = (label.device_class, label.vendor, label.model, label.confidence) if label else (None,) * 4
    return (
        sighting.ip, word.item if word else "", word.value if word else None, sighting.at, sighting.kind,
        sighting.value[:MAX_SAID_CHARS], sighting.port, sighting.source, number, sighting.place, *named, True,
    )  # fmt: skip


def _neighbour_row(sighting: Sighting, number: int, rules: Rules) -> tuple[object, ...] | None:
    """A sighting of any other address: what its front says, and nothing else."""
    word = read_sighting(sighting, rules)
    if word is None or word.item != "front":
        return None
    return (
        sighting.ip, "front", word.value, sighting.at, sighting.kind, None, sighting.port, None, number, None,
        None, None, None, None, False,
    )  # fmt: skip


def accounts_of(engine: Engine, sifted: list[Sifted]) -> dict[str, Any]:
    """The report's part on the evidence: what became of each file, and what is odd about it."""
    warnings = warnings_of(engine)
    facts = {
        row[0]: row[1:]
        for row in engine.rows("SELECT file, addresses, of_sources, first_seen, last_seen FROM file_facts")
    }
    files = []
    for file in sifted:
        addresses, of_sources, first, last = facts.get(file.number, (0, 0, None, None))
        files.append(
            {
                "path": file.path,
                "form": file.form,
                "rows": file.rows,
                "sightings": file.sightings,
                "addresses": addresses,
                "of_sources": of_sources,
                "first_seen": iso(first),
                "last_seen": iso(last),
                "skips": dict(sorted(file.skips.items())),
                "warnings": warnings.get(file.number, []),
            }
        )
    lost = sum(n for file in sifted for name, n in file.skips.items() if name not in NOTHING_THERE)
    return {"files": files, "rows": sum(file.rows for file in sifted), "skipped": lost}
