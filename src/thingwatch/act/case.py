"""Write a case folder whole or not at all.

A reader never finds half a case: everything is written to a hidden neighbour in the same parent, forced
to disk, then renamed. What a killed run left is recognised by its name and mark, and removed by the next.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from thingwatch.errors import OutputError

MARK = ".thingwatch-case"  # a file in every case: only what carries it is ever replaced or removed
MAX_LEFTOVERS = 100  # of killed runs looked at; each run removes those before it

_MARK_TEXT = "A case folder of thingwatch: a later run with the same --out replaces it.\n"
_CURES = {
    errno.ENOSPC: "the disk is full; free some space or choose another --out",
    errno.EDQUOT: "the quota is used up; free some space or choose another --out",
    errno.EFBIG: "a file would be larger than this file system allows; choose another --out",
    errno.EACCES: "no permission to write there; choose a folder of your own with --out",
    errno.EPERM: "no permission to write there; choose a folder of your own with --out",
    errno.EROFS: "the file system is read-only; choose another --out",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter --out",
    errno.EBUSY: "it is in use, perhaps mounted; name a folder inside it with --out",
}


def write_case(folder: Path, write: Callable[[Path], None]) -> None:
    """Make *folder* a case: *write* is called with an empty folder to fill, which then takes its place.

    An empty folder or an older case of ours is replaced; the older one stays until the new one is
    complete, and is put back if the last step fails. Raises OutputError, which names the folder and the
    cure, when the folder holds something else or cannot be written. Whatever *write* raises that is not
    an OSError travels on unchanged. In every such case nothing new stays behind.
    """
    target = folder.resolve()
    try:
        _check(folder, target)
        _sweep(target)
        with _neighbour(target) as partial:
            write(partial)
            _settle(partial)
            _exchange(partial, target)
    except OSError as error:
        raise OutputError(f"{folder}: {_cure(error)}") from error


def _cure(error: OSError) -> str:
    known = _CURES.get(error.errno or 0)
    return known or f"cannot be written ({error.strerror or error}); choose another --out"


def _check(folder: Path, target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise OutputError(f"{folder}: is a file, not a folder; choose another --out")
    if not target.parent.is_dir():
        raise OutputError(f"{folder}: the folder {target.parent} does not exist; make it first")
    if target.is_dir() and not (target / MARK).is_file() and any(target.iterdir()):
        raise OutputError(
            f"{folder}: holds files that are not a case of thingwatch; choose an empty or new --out"
        )


def _leftovers(target: Path, kind: str) -> Iterator[Path]:
    """Yield the folders that a killed run left beside *target*, recognised by name and mark."""
    name = re.compile(re.escape(f".{target.name}.{kind}-") + "[0-9a-f]{8}")
    found = 0
    with os.scandir(target.parent) as entries:
        for entry in entries:
            if not name.fullmatch(entry.name) or not entry.is_dir(follow_symlinks=False):
                continue
            path = Path(entry.path)
            # Killed between making the folder and marking it, it is still empty.
            if (path / MARK).is_file() or not any(path.iterdir()):
                yield path
            found += 1
            if found >= MAX_LEFTOVERS:
                return


def _sweep(target: Path) -> None:
    for aside in _leftovers(target, "aside"):
        # Killed between the two renames: the older case is whole, and it is all there is.
        if target.exists():
            shutil.rmtree(aside)
        else:
            aside.rename(target)
    for partial in _leftovers(target, "partial"):
        with _held(partial) as ours:
            if ours:
                shutil.rmtree(partial)


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Hold the lock on *folder*; False if another run has it. A killed run's lock is gone with it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            flock(handle, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


@contextmanager
def _neighbour(target: Path) -> Iterator[Path]:
    """Give a marked, locked folder beside *target*; it is gone at the end unless it was renamed."""
    partial = target.with_name(f".{target.name}.partial-{secrets.token_hex(4)}")
    partial.mkdir()
    try:
        with _held(partial):
            (partial / MARK).write_text(_MARK_TEXT, encoding="utf-8")
            yield partial
    finally:
        # Best effort: a disk that refuses even this must not hide the error that brought us here.
        shutil.rmtree(partial, ignore_errors=True)


def _settle(folder: Path) -> None:
    """Force *folder* and all within to disk, or a power cut could leave a whole name on half a case."""
    for place, _, files in os.walk(folder, topdown=False):
        for name in files:
            _sync(Path(place, name))
        _sync(Path(place))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _exchange(partial: Path, target: Path) -> None:
    aside = target.with_name(f".{target.name}.aside-{secrets.token_hex(4)}")
    older = target.exists()
    if older:
        target.rename(aside)
    try:
        partial.rename(target)
    except OSError:
        if older:
            aside.rename(target)
        raise
    _sync(target.parent)
    # The new case stands; an older one that cannot be removed now is swept by the next run.
    shutil.rmtree(aside, ignore_errors=True)
