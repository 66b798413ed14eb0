"""What an owner's own scans show: which devices could become thingbots, why, and what to do first.

The front doors are ``audit``, which finds the facts, ``lines``, which tells them, and ``exit_code``. Nothing here
scans: the owner did, with a tool and a permission of his own, and gives us what it wrote down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from thingwatch.act.clean import safe
from thingwatch.audit.findings import document_of
from thingwatch.audit.hosts import Combine, Gathering, Reader
from thingwatch.audit.telling import lines
from thingwatch.errors import InputError
from thingwatch.identify.device import Rules, combined
from thingwatch.model import Sighting, Skip
from thingwatch.read.evidence import NOTHING_THERE, plan_evidence, sightings_in

__all__ = ["audit", "exit_code", "lines"]

EXIT_URGENT = 1
EXIT_PARTIAL = 4
TOLD_EVERY = 10_000  # sightings between two words of progress


def _silent(_stage: str, _rows: int) -> None:
    """Progress that nobody watches."""


def audit(
    scans: Iterable[Path],
    recog: Path | None = None,
    rules: Sequence[Path] = (),
    progress: Callable[[str, int], None] = _silent,
) -> dict[str, Any]:
    """What the evidence files at *scans* show of their addresses; docs/audit.md has the fields.

    *recog* is a folder of Recog XML and *rules* are files of own device rules, both optional. Raises InputError where
    a path cannot be read at all; what cannot be read within a file is counted by name.
    """
    paths = list(scans)
    files = plan_evidence(paths)
    if all(file.form in ("unknown", "empty") for file in files):
        where = files[0].path if files else ", ".join(map(str, paths)) or "nothing given"
        raise InputError(f"{where}: no scan or report of a known form; docs/evidence.md lists them")
    reader = Rules.load(recog, rules)
    sources = ((file.path, file.form, sightings_in(file, keep_private=True)) for file in files)
    return judged(sources, reader, combined, progress)


def judged(
    sources: Iterable[tuple[str, str, Iterator[Sighting | Skip]]],
    reader: Reader,
    combine: Combine,
    progress: Callable[[str, int], None] = _silent,
) -> dict[str, Any]:
    """The document for *sources*: path, form and what stands in each."""
    gathering = Gathering()
    files = []
    for path, form, found in sources:
        number, skips = 0, Counter[str]()
        for one in found:
            if isinstance(one, Skip):
                skips[one.reason] += 1
                continue
            number += 1
            if number % TOLD_EVERY == 0:
                progress("sightings read", TOLD_EVERY)
            if reason := gathering.add(one):
                skips[reason] += 1
        progress("sightings read", number % TOLD_EVERY)
        files.append({"path": safe(path), "form": form, "sightings": number, "skips": dict(skips)})
    return document_of(gathering.hosts(reader, combine), files, gathering)


def exit_code(document: dict[str, Any]) -> int:
    """1 where something urgent is open; else 4 where part of the input was skipped; else 0."""
    if document["counts"]["urgent"]:
        return EXIT_URGENT
    return EXIT_PARTIAL if set(document["skips"]) - NOTHING_THERE else 0
