"""What happens, one event a line: JSON to standard error or to a file, and to whoever else listens.

ASCII only, so that nothing a sender writes can end a line, forge one, or steer a terminal. Lines are written by a
thread of their own: a log that is stuck, or a disk that is full, costs lines and never a mail.
"""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from queue import Full, Queue
from time import time
from typing import Any

from thingwatch.errors import OutputError

MAX_WAITING = 10_000  # lines on their way; a wave makes one a mail
MAX_CHARS = 400  # of one value; longer than any address
MAX_VALUES = 100  # of one list or table
MAX_ALERTS = 50  # kept for whoever asks
_STDERR = 2
_REOPEN = b"\0"  # no line of ours


def line_of(event: Mapping[str, Any], at: float) -> bytes:
    """*event*, which happened *at* (seconds since 1970), as a line."""
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return json.dumps({"at": moment, **bounded(event)}, separators=(",", ":")).encode("ascii") + b"\n"


def bounded(value: Any, depth: int = 4) -> Any:
    """*value* as plain data of limited size."""
    if isinstance(value, str):
        return str(value) if len(value) <= MAX_CHARS else value[:MAX_CHARS] + "..."
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 6) if abs(value) < float("inf") else str(value)
    if depth and isinstance(value, Mapping):
        pairs = list(value.items())[:MAX_VALUES]
        return {bounded(str(name)): bounded(inner, depth - 1) for name, inner in pairs}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [bounded(inner, depth - 1) for inner in list(value)[:MAX_VALUES]]
    return bounded(str(value))


class EventLog:
    """Takes events from any thread; ``lost`` counts lines for which there was no room."""

    def __init__(self, path: Path | None, clock: Callable[[], float] = time) -> None:
        """*path*: a file to append to, None for standard error. Raises OutputError when it cannot be opened."""
        self.path = path
        self.lost = 0
        self.alerts: deque[dict[str, Any]] = deque(maxlen=MAX_ALERTS)
        self.told: dict[str, int] = {}  # event → how often
        self._clock = clock
        self._lines: Queue[bytes | None] = Queue(MAX_WAITING)
        self._file = self._opened()
        self._thread = threading.Thread(target=self._write, name="events", daemon=True)
        self._thread.start()

    def tell(self, event: Mapping[str, Any]) -> None:
        """Note *event*; never waits, never raises."""
        at = self._clock()
        name = str(event.get("event", ""))
        self.told[name] = self.told.get(name, 0) + 1
        if event.get("alert"):
            self.alerts.append({"at": at, **bounded(event)})
        self._put(line_of(event, at))

    def reopen(self) -> None:
        """Go on in a new file, after the system has moved the old one away."""
        self._put(_REOPEN)

    def close(self, seconds: float = 2.0) -> None:
        """Write what waits, and end."""
        self._put(None)
        self._thread.join(seconds)

    def _put(self, line: bytes | None) -> None:
        try:
            self._lines.put_nowait(line)
        except Full:
            self.lost += 1

    def _opened(self) -> int:
        if self.path is None:
            return _STDERR
        try:
            return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        except OSError as error:
            raise OutputError(
                f"{self.path}: cannot be opened: {error.strerror}; name a file we can write to"
            ) from error

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            if line == _REOPEN:
                self._reopen()
                continue
            try:
                if os.write(self._file, line) != len(line):
                    # A line cut short must not become one with the next.
                    self.lost += 1
                    os.write(self._file, b"\n")
            except OSError:
                self.lost += 1

    def _reopen(self) -> None:
        try:
            fresh = self._opened()
        except OutputError:
            return  # the old file is better than none
        if self._file != _STDERR:
            os.close(self._file)
        self._file = fresh
