"""When the guard was away: the gaps in which mail may have passed unseen, and where a running guard can be asked.

Both lie in the state folder. ``service.json`` says where the daemon listens, and is touched every second: at the
next start its age tells since when nobody looked. A gap stays open until its mails were read after (``rescan``).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from thingwatch.errors import OutputError

SERVICE = "service.json"
GAPS = "gaps.json"
MAX_GAPS = 200  # the oldest go first
LEAST_SECONDS = 0.5  # shorter than that is a gap in the clock, not in the watch


class Gap(NamedTuple):
    """A time without a guard."""

    since: float  # seconds since 1970: the last sign of life, so mails before it were surely seen
    until: float  # when the next guard listened
    how: str  # "stopped", "killed" or "stalled"
    rescanned_at: float | None = None
    mails: int = 0  # found when it was rescanned

    def holds(self, at: float) -> bool:
        """Whether a mail received *at* fell into it; a second of slack, for mail logs count in seconds."""
        return self.since - 1.0 <= at <= self.until + 1.0


def written(path: Path, value: Any) -> None:
    """Write *value* to *path*, whole or not at all; raises OutputError."""
    part = path.with_name(f".{path.name}.part")
    try:
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(file, json.dumps(value, indent=1).encode() + b"\n")
        finally:
            os.close(file)
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}; free some room or name another folder") from error


def read(path: Path) -> Any:
    """What stands in *path*; None where it is missing or damaged: neither is worth a stop."""
    try:
        return json.loads(path.read_bytes()[: 1 << 20])
    except (OSError, ValueError):
        return None


class Runs:
    """The runs of one state folder."""

    def __init__(self, folder: Path) -> None:
        """Read what earlier runs left."""
        self.folder = folder
        found = read(folder / GAPS)
        self.gaps = [_gap(one) for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        self._before = read(folder / SERVICE)
        try:
            self._last_sign = (folder / SERVICE).stat().st_mtime
        except OSError:
            self._last_sign = 0.0

    def began(self, now: float, about: dict[str, Any]) -> Gap | None:
        """A guard listens, as *about* says; gives the gap that ended with it. Raises OutputError."""
        gap = None
        if self._last_sign and now - self._last_sign >= LEAST_SECONDS:
            clean = isinstance(self._before, dict) and bool(self._before.get("stopped"))
            gap = self._add(Gap(self._last_sign, now, "stopped" if clean else "killed"))
        written(self.folder / SERVICE, about)
        return gap

    def alive(self) -> None:
        """A sign of life; without room on disk it is left out."""
        try:
            os.utime(self.folder / SERVICE)
        except OSError:
            return

    def stalled(self, since: float, until: float) -> Gap:
        """The process did not run in between."""
        return self._add(Gap(since, until, "stalled"))

    def ended(self, about: dict[str, Any]) -> None:
        """The guard stops on purpose; raises OutputError."""
        written(self.folder / SERVICE, {**about, "stopped": True})

    def open_gaps(self) -> list[Gap]:
        """Those whose mails were not looked at since."""
        return [gap for gap in self.gaps if gap.rescanned_at is None]

    def rescanned(self, now: float, mails: dict[float, int]) -> None:
        """The gaps that began at the keys of *mails* were looked at; so many were found. Raises OutputError."""
        self.gaps = [
            gap._replace(rescanned_at=now, mails=gap.mails + mails[gap.since]) if gap.since in mails else gap
            for gap in self.gaps
        ]
        self._write()

    def _add(self, gap: Gap) -> Gap:
        self.gaps = [*self.gaps, gap][-MAX_GAPS:]
        try:
            self._write()
        except OutputError:
            return gap  # still told and remembered while we run
        return gap

    def _write(self) -> None:
        written(self.folder / GAPS, [gap._asdict() for gap in self.gaps])


def _gap(found: dict[str, Any]) -> Gap:
    again = found.get("rescanned_at")
    return Gap(
        float(found.get("since", 0)), float(found.get("until", 0)), str(found.get("how", "killed")),
        None if again is None else float(again), int(found.get("mails", 0)),
    )  # fmt: skip
