"""The evidence beside a replay's mail: what instruments, scans and lists would have known of its senders.

Everything follows from the truth that origins and homes draw, and from nothing the finder believes. How much of it
there is, is the level of evidence: a border with every instrument, one as borders are, or one that kept nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from thingwatch.replay.scans import scan, write_scans
from thingwatch.replay.sensors import write_p0f, write_timing
from thingwatch.replay.sources import Sources
from thingwatch.replay.surveys import write_line_types, write_nmap, write_outcomes


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much was seen, as shares of the addresses."""

    syn: float
    timing: float
    scans: float
    stale: float  # of the scans, those of weeks or months before


COVERAGES: dict[str, Coverage | None] = {
    "full": Coverage(1.0, 1.0, 1.0, 0.0),
    "partial": Coverage(0.6, 0.4, 0.45, 0.04),
    "headers": None,  # only what the mails say of themselves
    "none": None,
}


def write_evidence(sources: Sources, seed: int, level: str, folder: Path) -> dict[str, int]:
    """Write the evidence of a *level* to the new *folder*; rows by form, nothing when there is none."""
    coverage = COVERAGES[level]
    if coverage is None:
        return {}
    folder.mkdir()
    seen = scan(sources, seed, coverage.scans, coverage.stale)
    return {
        "p0f": write_p0f(sources, seed, folder / "p0f.log", coverage.syn),
        "timing": write_timing(sources, seed, folder / "timing.jsonl", coverage.timing),
        "scans": write_scans(seen, seed, folder),
        "nmap": write_nmap(sources, seed, folder / "nmap.xml"),
        "line_types": write_line_types(seed, folder / "line_types.csv"),
        "outcomes": write_outcomes(sources, seed, folder / "outcomes.csv"),
    }
