"""What the guard remembers, on disk: a snapshot, and a journal of what came after it.

*Journal*: every mail observed and every word of a person is one record, handed to the system before the mail is
answered: a killed guard loses nothing. A thread forces it to disk every ``fsync_seconds``: that much a power cut
may cost. *Snapshot*: all memory in one file, written by a forked child, so that nobody waits for the disk, to a
temporary neighbour that is renamed when it is whole and on disk. The journal starts anew when a snapshot begins; the
old one is removed when the snapshot stands. A restart reads the snapshot, then the journals of its number and later.

When the disk is full the journal stops, says so, and says until when things are saved; decisions go on. A new
snapshot is tried every minute, and when one stands all is saved again.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from thingwatch.errors import InputError, OutputError
from thingwatch.guard.record import records

SNAPSHOT = "guard.snapshot"
SCHEMA = 1
RETRY_SECONDS = 60.0
_CHUNK = 1 << 20
_ZERO = bytes(_CHUNK)
Arrays = Iterable[tuple[str, np.ndarray[Any, Any]]]
Event = Callable[[dict[str, Any]], None]


class Journal:
    """The state folder of one guard; nobody else may have it open."""

    def __init__(self, folder: Path, fsync_seconds: float, event: Event) -> None:
        """Open *folder*, made where it is missing; raises OutputError when it is in use or cannot be written."""
        self.folder = folder
        self.saved = True  # everything observed so far is in the system's hands
        self.lost = 0  # records that could not be written since
        self.torn = 0  # bytes cut off behind the last whole record, at the last start
        self.since_snapshot = 0  # records
        self._event = event
        self._child = 0
        self._resuming = False  # written again after a stop, but not saved until a snapshot stands
        self._retry_at = 0.0
        self._file = -1
        self._dirty = threading.Event()
        self._closing = threading.Event()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise OutputError(
                f"{folder}: another guard works here; stop it, or name another folder"
            ) from error
        except OSError as error:
            raise OutputError(
                f"{folder}: cannot be used: {error.strerror}; name a folder we can write to"
            ) from error
        self._part = folder / f".{SNAPSHOT}.{os.getpid()}.part"
        for left in folder.glob(f".{SNAPSHOT}.*.part"):
            left.unlink(missing_ok=True)
        self._base = self._snapshot_number()  # of the snapshot that was read
        self._number = max([self._base, *self._numbers()], default=0)
        self._sync_thread = threading.Thread(target=self._keep_synced, args=(fsync_seconds,), daemon=True)
        self._sync_thread.start()

    # -- Reading.

    def _numbers(self) -> list[int]:
        return sorted(int(p.suffix[1:]) for p in self.folder.glob("journal.*") if p.suffix[1:].isdigit())

    def _path(self, number: int) -> Path:
        return self.folder / f"journal.{number:08d}"

    def _snapshot_number(self) -> int:
        try:
            with (self.folder / SNAPSHOT).open("rb") as file:
                return int(json.loads(file.readline(1 << 16))["number"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def read_snapshot(self, arrays: Arrays) -> dict[str, Any] | None:
        """Fill *arrays* and give the plain part; None when there is no snapshot.

        Raises InputError for one of other sizes, or that cannot be read: it is never written over in silence.
        """
        path = self.folder / SNAPSHOT
        if not path.exists():
            return None
        try:
            with path.open("rb") as file:
                head = json.loads(file.readline(1 << 16))
                targets = dict(arrays)
                sizes = [[name, str(array.dtype), len(array)] for name, array in targets.items()]
                if head["schema"] != SCHEMA or head["arrays"] != sizes:
                    raise InputError(
                        f"{path}: laid out for another max_messages or max_sources, or by another version; set them"
                        " back, or move the folder away to start with an empty memory"
                    )
                plain = json.loads(file.read(head["plain_bytes"]))
                for array in targets.values():
                    got = file.readinto(memoryview(array.view(np.uint8).data))
                    if got != array.nbytes:
                        raise ValueError("cut short")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path}: cannot be read ({error}); move it away to start with an empty memory"
            ) from error
        return dict(plain)

    def tail(self) -> Iterator[tuple[bytes, bytes]]:
        """Records behind the snapshot; what was torn off at the end of a file is counted and left."""
        for number in self._numbers():
            if number < self._base:
                continue
            data = self._path(number).read_bytes()
            end = 0
            for kind, payload, end in records(data):  # noqa: B007 - the last end counts
                yield kind, payload
            self.torn += len(data) - end

    # -- Writing.

    def begin(self) -> None:
        """Start a journal of the next number."""
        if self._file >= 0:
            os.close(self._file)
        self._number += 1
        self._file = os.open(self._path(self._number), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.since_snapshot = 0

    def append(self, record: bytes) -> None:
        """Hand *record* to the system; never raises, ``saved`` tells."""
        self.since_snapshot += 1
        if not self.saved and not self._resuming:
            self.lost += 1
            return
        try:
            if os.write(self._file, record) != len(record):
                raise OSError(28, "written in part")
        except OSError as error:
            self._resuming = False
            self._stop(f"{self._path(self._number)}: {error.strerror}")
            self.lost += 1
            return
        self._dirty.set()

    def _stop(self, why: str) -> None:
        if self.saved:
            self.saved = False
            self._retry_at = time.monotonic() + RETRY_SECONDS
            self._event({"event": "journal-stopped", "alert": True, "why": why})

    def snapshot(
        self, plain: Callable[[], dict[str, Any]], arrays: Callable[[], Arrays], wait: bool = False
    ) -> bool:
        """Begin a snapshot of what *plain* and *arrays* give, by a child; with *wait*, here and now.

        Gives whether it was begun, with *wait* whether it stands.
        """
        if self._child or (not self.saved and time.monotonic() < self._retry_at):
            return False
        self._retry_at = time.monotonic() + RETRY_SECONDS
        try:
            self.begin()
            self._resuming = not self.saved
        except OSError as error:
            self._stop(f"{self._path(self._number)}: {error.strerror}")
            return False
        number = self._number
        if wait:
            try:
                self._write(number, plain(), arrays())
            except OSError as error:
                self._failed(str(error))
                return False
            self._stands(number)
            return True
        child = os.fork()
        if child == 0:  # pragma: no cover - another process
            code = 1
            try:
                os.closerange(3, 4096)  # sockets of the parent must close when it closes them
                self._write(number, plain(), arrays())
                code = 0
            finally:
                os._exit(code)
        self._child = child
        return True

    def poll(self, wait: bool = False) -> None:
        """See whether the child is done, with *wait* once it is."""
        if not self._child:
            return
        done, status = os.waitpid(self._child, 0 if wait else os.WNOHANG)
        if not done:
            return
        self._child = 0
        if status == 0:
            self._stands(self._number)
        else:
            self._failed("the snapshot could not be written; is the disk full?")

    def _failed(self, why: str) -> None:
        self._resuming = False
        self._event({"event": "snapshot-failed", "alert": True, "why": why})

    def _stands(self, number: int) -> None:
        # Renamed by us and not by the child: one that outlives a killed guard must not undo its successor's.
        try:
            self._part.replace(self.folder / SNAPSHOT)
            folder = os.open(self.folder, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
        except OSError as error:
            self._failed(f"{self._part}: {error.strerror}")
            return
        for old in self._numbers():
            if old < number:
                self._path(old).unlink(missing_ok=True)
        if self._resuming:
            # The journal since this snapshot is whole, and the snapshot holds what no journal does.
            missed, self.lost = self.lost, 0
            self._resuming, self.saved = False, True
            self._event({"event": "journal-resumed", "missed": missed})

    def _write(self, number: int, plain: dict[str, Any], arrays: Arrays) -> None:
        body = json.dumps(plain, separators=(",", ":")).encode()
        held = list(arrays)
        head = {
            "schema": SCHEMA,
            "number": number,
            "plain_bytes": len(body),
            "arrays": [[name, str(array.dtype), len(array)] for name, array in held],
        }
        try:
            with self._part.open("wb") as file:
                file.write(json.dumps(head).encode() + b"\n" + body)
                for _, array in held:
                    view = memoryview(array.view(np.uint8).data)
                    for start in range(0, len(view), _CHUNK):
                        chunk = view[start : start + _CHUNK]
                        # Room never used takes no room on disk either.
                        if chunk == _ZERO[: len(chunk)]:
                            file.seek(len(chunk), os.SEEK_CUR)
                        else:
                            file.write(chunk)
                file.truncate()
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            self._part.unlink(missing_ok=True)
            raise

    def _keep_synced(self, seconds: float) -> None:
        while not self._closing.wait(max(0.05, seconds)):
            if self._dirty.is_set():
                self._dirty.clear()
                try:
                    os.fsync(self._file)
                except OSError:
                    # A closed file was synced by its successor's snapshot; anything else shows at the next write.
                    continue

    def close(self) -> None:
        """Force what is written to disk and let go of the folder."""
        self._closing.set()
        self._sync_thread.join(5)
        if self._child:
            os.waitpid(self._child, 0)
            self._child = 0
        if self._file >= 0:
            os.fsync(self._file)
            os.close(self._file)
            self._file = -1
        os.close(self._lock)
