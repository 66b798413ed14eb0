"""Files that Rspamd's multimap reads: one per kind of trait, a digest a line.

Rspamd sees a new file at once and rereads it after a random wait: up to four seconds with its defaults. What it reads
of a line is a key up to the first blank, which is why keys are digests, and a value behind it, which must be a
number: a word there would become a symbol of its own. A line that begins with # is for people.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from thingwatch.guard.outlets.listing import Listed
from thingwatch.guard.outlets.traits import TraitKind
from thingwatch.guard.outlets.whole_file import write_whole

VALUE = "1.0"  # multiplies the symbol's score
MAX_ENTRIES = 20_000  # of one map; one of so many lines is read in milliseconds


class FileMaps:
    """The maps of one guard, in one folder."""

    name = "rspamd files"

    def __init__(self, folder: Path) -> None:
        """*folder* must exist; Rspamd must be able to read it, and nobody but us to write there."""
        self._folder = folder
        self._written: dict[TraitKind, str] = {}

    def put(self, listed: Sequence[Listed]) -> None:
        """Make the files say *listed* and nothing else; raises OSError."""
        for kind in TraitKind:
            text = map_text(kind, (row for row in listed if row.trait.kind is kind))
            path = path_of(self._folder, kind)
            # Somebody may have taken the file away.
            if self._written.get(kind) != text or not path.exists():
                write_whole(path, text)
                self._written[kind] = text


def path_of(folder: Path, kind: TraitKind) -> Path:
    """Where the map of *kind* stands."""
    return folder / f"thingwatch_{kind}.map"


def map_text(kind: TraitKind, listed: Iterable[Listed]) -> str:
    """The whole file; a trait of two campaigns stands in it once."""
    lines = [f"# thingwatch: {kind} digests (SHA-1) of campaigns; written by the guard, changes are lost"]
    seen: set[str] = set()
    campaign = ""
    for row in sorted(listed, key=lambda row: (row.campaign, row.trait.digest)):
        if row.trait.digest in seen or len(seen) >= MAX_ENTRIES:
            continue
        seen.add(row.trait.digest)
        if row.campaign != campaign:
            campaign = row.campaign
            until = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(row.until))
            lines.append(f"# {_ascii(campaign)}, until {until} unless it goes on")
        lines.append(f"{row.trait.digest} {VALUE}")
    return "\n".join(lines) + "\n"


def _ascii(text: str) -> str:
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text[:80])
