"""A private DNS zone of the same traits, for whatever can look a name up: rbldnsd reads it, a `combined` data set.

``<digest>.hash.<zone>`` answers for every trait, 127.0.0.2 to .5 by its kind; ``<name>.name.<zone>`` for listed hosts
and domains by their name, for lookups that cannot hash. Addresses of senders are not in it: behind a home's address
there are other people than the device. A miss may be remembered for ``NEGATIVE_SECONDS`` at most, since a name that
was asked for before it was listed would stay unlisted for so long.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from thingwatch.guard.outlets.listing import Listed
from thingwatch.guard.outlets.maps import MAX_ENTRIES
from thingwatch.guard.outlets.traits import TraitKind
from thingwatch.guard.outlets.whole_file import write_whole

TTL_SECONDS = 60  # how long a hit may be remembered, and so how long a withdrawn one lasts
NEGATIVE_SECONDS = 20
ANSWERS = {TraitKind.SUBJECT: 2, TraitKind.HOST: 3, TraitKind.DOMAIN: 4, TraitKind.FILE: 5}  # 127.0.0.x
# A name that may stand in a zone file: letters, digits, hyphens and underscores between dots (RFC 1035, 2.3.4).
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,180}}\Z){_LABEL}(?:\.{_LABEL})+")
_ADDRESS = re.compile(r"[0-9.]+")


class Zone:
    """The zone of one guard."""

    name = "DNS zone"

    def __init__(self, path: Path, origin: str = "localhost") -> None:
        """*origin*: what the zone's SOA calls its server; nobody asks there."""
        self._path = path
        self._origin = origin
        self._written = ""

    def put(self, listed: Sequence[Listed]) -> None:
        """Make the file say *listed* and nothing else; raises OSError."""
        text = zone_text(listed, self._origin)
        if text != self._written or not self._path.exists():
            write_whole(self._path, text)
            self._written = text


def zone_text(listed: Sequence[Listed], origin: str = "localhost") -> str:
    """The whole file. Serial 0 is rbldnsd's word for "when the file was written"."""
    lines = [
        "# thingwatch: written by the guard, changes are lost",
        f"$SOA {TTL_SECONDS} {origin} hostmaster.{origin} 0 {TTL_SECONDS} {TTL_SECONDS} 86400 {NEGATIVE_SECONDS}",
        f"$TTL {TTL_SECONDS}",
        "$DATASET dnset:hash hash",
    ]
    for kind in TraitKind:
        lines.append(f":127.0.0.{ANSWERS[kind]}:thingwatch {kind}")
        lines += sorted({row.trait.digest for row in listed if row.trait.kind is kind})[:MAX_ENTRIES]
    lines.append("$DATASET dnset:name name")
    for kind in (TraitKind.HOST, TraitKind.DOMAIN):
        lines.append(f":127.0.0.{ANSWERS[kind]}:thingwatch {kind}")
        names = {row.trait.name for row in listed if row.trait.kind is kind and is_zone_name(row.trait.name)}
        # A registered domain was listed for whatever stands below it.
        dot = "." if kind is TraitKind.DOMAIN else ""
        lines += [dot + name for name in sorted(names)[:MAX_ENTRIES]]
    return "\n".join(lines) + "\n"


def is_zone_name(name: str) -> bool:
    """Whether *name* is a host's name as DNS knows it; an address is none."""
    return _NAME.fullmatch(name) is not None and _ADDRESS.fullmatch(name) is None
