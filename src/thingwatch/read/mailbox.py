"""Plan how mail on disk is read: find the mails under any path and cut them into pieces for many hands.

``plan`` runs in one process and looks no closer than it must; ``mails_in`` reads one piece anywhere the same
files can be seen. Formats one can seek in are named by range, streams are read here and carried along.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from thingwatch.errors import InputError
from thingwatch.model import RawMail, Skip
from thingwatch.read import jsonl, mbox, table
from thingwatch.read.archive import mail_at, mails_in_archive, mbox_mails, pieces_at, shown
from thingwatch.read.detect import HEAD_BYTES, LOG_FORMS, form_of, form_of_head, open_bytes
from thingwatch.read.mbox import MAX_MAIL_BYTES
from thingwatch.read.stream import compression_of, read_up_to

MAX_FOLDER_DEPTH = 40  # folders in folders; mail programs nest some ten
MAX_LOAD_FILES = 4096
_READ_BYTES = 8 << 20
_SEPARATOR = "\0"  # the one character no path holds


class Load(NamedTuple):
    """A piece of work that one process can read alone."""

    form: str  # "mbox", "files", "parquet", "arrow", "jsonl", "inline", or the form of a log
    path: str  # as the user gave it, and below; for "files" several, NUL between them
    start: int  # first byte; for "parquet" row group, for "arrow" record batch; 0 for "files" and "inline"
    end: int  # behind the last; for "files" and "inline" how many bytes of mail there are
    mails: tuple[RawMail, ...] | None  # only "inline" carries its mails with it
    skips: tuple[Skip, ...]  # what planning already found unreadable


def plan(paths: Iterable[Path], load_bytes: int = 8 << 20) -> Iterator[Load]:
    """Yield the work it takes to read *paths*, in their order, in pieces of about *load_bytes*.

    Folders are walked in a stable order: Maildir (``cur`` and ``new``), Maildir++ and MH folders, and files
    of any known form. Links inside a folder are not followed: their aim stands elsewhere, or is read there.
    Memory holds the names of one folder and about one load, plus one mail.

    Raises InputError, before anything is read, where a path is missing or of no known form. A file inside a
    folder or archive that is of no known form becomes Skip "unknown-form".
    """
    named = [(Path(path), form_of(Path(path))) for path in paths]
    for path, form in named:
        batch = _Batch(load_bytes)
        try:
            yield from _folder_loads(path, batch) if form == "folder" else _file_loads(path, form, batch)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
        yield from batch.flush()


def mails_in(load: Load) -> Iterator[RawMail | Skip]:
    """Yield each mail of *load*, or the Skip that says why it could not be read.

    A mail longer than ``MAX_MAIL_BYTES`` is cut and has Skip "mail-too-large" beside it; a stream that breaks
    off gives the mails before the break, the broken one as far as it goes, and a Skip such as
    "truncated-gzip". Never raises for what the files hold. Raises ValueError for a log: those have other
    readers.
    """
    yield from load.skips
    if load.form == "inline":
        yield from load.mails or ()
        return
    if load.form in LOG_FORMS:
        raise ValueError(f"{load.form} is a log: read it with its own reader")
    if load.form == "files":
        for name in load.path.split(_SEPARATOR):
            yield from _file_mails(Path(name))
        return
    path = Path(load.path)
    place = shown(path)
    try:
        if load.form == "mbox":
            yield from _mbox_range(path, load.start, load.end, place)
        elif load.form == "jsonl":
            yield from jsonl.json_mails(path, load.start, load.end, place, _compression(path) is not None)
        else:
            yield from table.table_rows(path, load.form, load.start, load.end, place)
    except OSError:
        yield Skip(place, "unreadable")


class _Batch:
    """Small things on their way into one load: files by name, or mails themselves, never both."""

    def __init__(self, load_bytes: int) -> None:
        self.load_bytes = load_bytes
        self._files: list[str] = []
        self._mails: list[RawMail] = []
        self._skips: list[Skip] = []
        self._bytes = 0

    def add_file(self, path: Path, size: int) -> Iterator[Load]:
        if self._mails:
            yield from self.flush()
        self._files.append(str(path))
        self._bytes += size
        if self._bytes >= self.load_bytes or len(self._files) >= MAX_LOAD_FILES:
            yield from self.flush()

    def add(self, found: RawMail | Skip) -> Iterator[Load]:
        if isinstance(found, Skip):
            self._skips.append(found)
        else:
            if self._files:
                yield from self.flush()
            self._mails.append(found)
            self._bytes += len(found.raw)
        if self._bytes >= self.load_bytes or len(self._skips) >= MAX_LOAD_FILES:
            yield from self.flush()

    def flush(self) -> Iterator[Load]:
        if self._files:
            yield Load("files", _SEPARATOR.join(self._files), 0, self._bytes, None, tuple(self._skips))
        elif self._mails or self._skips:
            yield Load("inline", "", 0, self._bytes, tuple(self._mails), tuple(self._skips))
        self._files, self._mails, self._skips, self._bytes = [], [], [], 0


def _file_loads(path: Path, form: str, batch: _Batch) -> Iterator[Load]:
    """Yield the loads of one file of a known form, single mails by way of *batch*."""
    size = path.stat().st_size
    if form == "empty":
        with open_bytes(path) as stream:
            stream.read(HEAD_BYTES)
            yield from batch.add(Skip(shown(path), stream.defect or "empty"))
    elif form == "eml":
        yield from batch.add_file(path, size)
    elif form in ("tar", "zip"):
        if form == "zip" and _compression(path):
            raise InputError(f"{path}: a compressed {form}; decompress it first")
        for found in mails_in_archive(path, form):
            yield from batch.add(found)
    elif form == "mbox" and _compression(path):
        with open_bytes(path) as stream:
            for found in mbox_mails(stream, shown(path)):
                yield from batch.add(found)
            if stream.defect:
                yield from batch.add(Skip(shown(path), stream.defect))
    else:
        yield from batch.flush()
        for start, end in _spans(path, form, size, batch.load_bytes):
            yield Load(form, str(path), start, end, None, ())


def _spans(path: Path, form: str, size: int, load_bytes: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges in which the file of *form* at *path* can be read piece by piece."""
    if form == "mbox":
        yield from _mbox_spans(path, size, load_bytes)
    elif form in ("parquet", "arrow"):
        if _compression(path):
            raise InputError(
                f"{path}: a compressed {form} file cannot be read in pieces; decompress it first"
            )
        yield from table.table_spans(path, form)
    elif form == "jsonl" and not _compression(path):
        yield from jsonl.json_spans(path, size, load_bytes)
    else:
        yield 0, size


def _compression(path: Path) -> str | None:
    with path.open("rb") as file:
        return compression_of(file.read(16))


# --- folders ---------------------------------------------------------------------------------------------


def _folder_loads(folder: Path, batch: _Batch, depth: int = 0, maildir: bool = False) -> Iterator[Load]:
    """Yield the loads of all mail in *folder*; in a *maildir* leaf each file is a mail, whatever it holds."""
    try:
        names = sorted(os.listdir(folder), key=_by_number)
    except OSError:
        yield from batch.add(Skip(shown(folder), "unreadable"))
        return
    # Maildir: files beside cur, new and tmp are the server's bookkeeping, those in tmp are not delivered.
    is_maildir = not maildir and {"cur", "new"} <= set(names)
    for name in names:
        path = folder / name
        try:
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode):
                if is_maildir and name == "tmp":
                    continue
                if depth >= MAX_FOLDER_DEPTH:
                    yield from batch.add(Skip(shown(path), "folder-too-deep"))
                else:
                    yield from _folder_loads(path, batch, depth + 1, is_maildir and name in ("cur", "new"))
            elif stat.S_ISLNK(status.st_mode):
                yield from batch.add(Skip(shown(path), "symlink"))
            elif not stat.S_ISREG(status.st_mode):
                yield from batch.add(Skip(shown(path), "not-a-file"))
            elif maildir:
                yield from batch.add_file(path, status.st_size)
            elif not is_maildir:
                yield from _found_loads(path, status.st_size, batch)
        except OSError:
            yield from batch.add(Skip(shown(path), "unreadable"))


def _by_number(name: str) -> tuple[int, int, str]:
    """Sort key: MH names its mails by number, and 10 comes behind 9."""
    number = name.removesuffix(".eml")
    return (0, int(number), name) if number.isascii() and number.isdigit() else (1, 0, name)


def _found_loads(path: Path, size: int, batch: _Batch) -> Iterator[Load]:
    """Yield the loads of a file nobody named: what is wrong with it is a Skip and no error."""
    with open_bytes(path) as stream:
        form = form_of_head(read_up_to(stream, HEAD_BYTES), path.name)
    if form in ("unknown", "outlook", "compressed"):
        yield from batch.add(Skip(shown(path), "unknown-form"))
    elif form == "eml" or (form == "mbox" and size < batch.load_bytes and not _compression(path)):
        # A folder of a thousand one-mail mboxes is a thousand mails, not a thousand pieces of work.
        yield from batch.add_file(path, size)
    else:
        try:
            yield from _file_loads(path, form, batch)
        except InputError:
            yield from batch.add(Skip(shown(path), f"unreadable-{form}"))


def _file_mails(path: Path) -> Iterator[RawMail | Skip]:
    """Yield the mail in the file at *path*, or the mails of the small mbox it turns out to be."""
    place = shown(path)
    try:
        with open_bytes(path) as stream:
            raw = read_up_to(stream, MAX_MAIL_BYTES + 1)
            defect = stream.defect
    except OSError:
        yield Skip(place, "unreadable")
        return
    if raw.startswith(b"From ") and mbox.is_from_line(raw[: mbox.MAX_FROM_LINE_BYTES]):
        dialect = mbox.dialect_of(lambda offset, size: raw[offset : offset + size], len(raw))
        yield from pieces_at(mbox.split((raw,), 0, dialect), place)
    elif raw or not defect:
        yield from mail_at(raw, place)
    if defect:
        yield Skip(place, defect)


# --- plain mbox ------------------------------------------------------------------------------------------


def _mbox_spans(path: Path, size: int, load_bytes: int) -> Iterator[tuple[int, int]]:
    dialect = _dialect(path)
    start = 0
    with path.open("rb", buffering=0) as file:
        # Read and not mapped: a mailbox that shrinks meanwhile would kill the process with SIGBUS.
        def read_at(offset: int, count: int) -> bytes:
            return os.pread(file.fileno(), count, offset)

        if dialect.lengths:
            # Only who walks from the start knows which From_ lines stand inside a mail.
            for piece in mbox.split(_range_blocks(file.fileno(), 0, size), 0, dialect):
                if piece.offset - start >= load_bytes:
                    yield start, piece.offset
                    start = piece.offset
        else:
            while size - start > load_bytes:
                end = mbox.next_start(read_at, start + load_bytes, size, dialect.line_end)
                yield start, end
                start = end
    if start < size:
        yield start, size


def _mbox_range(path: Path, start: int, end: int, place: str) -> Iterator[RawMail | Skip]:
    dialect = _dialect(path)
    with path.open("rb", buffering=0) as file:
        yield from pieces_at(mbox.split(_range_blocks(file.fileno(), start, end), start, dialect), place)


def _dialect(path: Path) -> mbox.Dialect:
    """Sample the mbox at *path*; planner and reader must find the same, so both ask here."""
    status = path.stat()
    return _sampled(str(path), status.st_size, status.st_mtime_ns, status.st_ino)


@lru_cache(maxsize=64)
def _sampled(path: str, size: int, _changed: int, _inode: int) -> mbox.Dialect:
    with open(path, "rb", buffering=0) as file:
        return mbox.dialect_of(lambda offset, count: os.pread(file.fileno(), count, offset), size)


def _range_blocks(descriptor: int, start: int, end: int) -> Iterator[bytes]:
    while start < end and (block := os.pread(descriptor, min(_READ_BYTES, end - start), start)):
        yield block
        start += len(block)
