"""Evidence that came in no mail → sightings: scans, reports, sensors and lists, each row a fact or a named skip.

The front doors are ``plan_evidence``, which says what lies at the user's paths, and ``sightings_in``, which reads
one file of it. A form has a reader of its own; what it is recognised by and what its rows become stands in
docs/evidence.md.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from thingwatch.errors import InputError
from thingwatch.model import Sighting, Skip
from thingwatch.read.archive import shown
from thingwatch.read.evidence.addresses import addresses
from thingwatch.read.evidence.archive import filled, tar_sightings, zip_sightings
from thingwatch.read.evidence.censys import censys
from thingwatch.read.evidence.form import HEAD_BYTES, form_of
from thingwatch.read.evidence.masscan import masscan
from thingwatch.read.evidence.muonfp import muonfp
from thingwatch.read.evidence.nmap import nmap
from thingwatch.read.evidence.outcomes import outcomes
from thingwatch.read.evidence.p0f import p0f
from thingwatch.read.evidence.row import OLDEST, Reading
from thingwatch.read.evidence.shadowserver import shadowserver
from thingwatch.read.evidence.shodan import shodan
from thingwatch.read.evidence.sightings import sightings
from thingwatch.read.evidence.zeek import zeek
from thingwatch.read.evidence.zgrab2 import zgrab2
from thingwatch.read.logtime import MICROSECONDS
from thingwatch.read.stream import ByteSource, open_bytes, read_up_to

__all__ = ["NOTHING_THERE", "EvidenceFile", "plan_evidence", "sightings_in"]

# Rows that were read and say that nothing was found, or nothing about senders; every other skip is something that could
# not be used.
NOTHING_THERE = frozenset(
    ("host-down", "port-closed", "no-answer", "no-evidence", "not-a-sender", "not-a-source")
)
MAX_FOLDER_DEPTH = 40  # folders in folders
DAY = 86_400 * MICROSECONDS

READERS: dict[str, Callable[[ByteSource, Reading], Iterator[Sighting | Skip]]] = {
    "shadowserver": shadowserver,
    "shodan": shodan,
    "censys": censys,
    "zgrab2": zgrab2,
    "nmap": nmap,
    "masscan": masscan,
    "p0f": p0f,
    "zeek": zeek,
    "muonfp": muonfp,
    "addresses": addresses,
    "outcomes": outcomes,
    "sightings": sightings,
}


class EvidenceFile(NamedTuple):
    """A file of evidence, ready to be read."""

    path: str  # as the user gave it, and below
    form: str  # a name on docs/evidence.md; "empty", "unknown" or a skip's name for what gives one Skip
    size: int  # bytes as it lies there
    newest: int  # no row can be later: a day after the file was written, microseconds since 1970


def plan_evidence(paths: Iterable[Path]) -> list[EvidenceFile]:
    """Every file at *paths*, folders walked in a stable order, each by the form its content shows.

    A file of no known form is listed too and gives one Skip, so that it is counted. Links inside a folder are
    not followed. Raises InputError where a path is missing or cannot be read.
    """
    files: list[EvidenceFile] = []
    for path in paths:
        try:
            if path.is_dir():
                files.extend(_in_folder(path, 0))
            elif path.is_file():
                files.append(_file(path))
            else:
                raise InputError(f"{path}: {_why_not(path)}")
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    return files


def _why_not(path: Path) -> str:
    if path.exists():
        return "neither a file nor a folder; save it to a file first"
    if path.is_symlink():
        return "a link that leads nowhere; name the file itself"
    return "nothing there; check the spelling"


def _in_folder(folder: Path, depth: int) -> Iterator[EvidenceFile]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        if depth == 0:  # the user named it
            raise
        yield EvidenceFile(str(folder), "unreadable", 0, 0)
        return
    for entry in names:
        if entry.is_symlink():
            yield EvidenceFile(entry.path, "symlink", 0, 0)
        elif entry.is_dir():
            if depth + 1 >= MAX_FOLDER_DEPTH:
                yield EvidenceFile(entry.path, "folder-too-deep", 0, 0)
            else:
                yield from _in_folder(Path(entry.path), depth + 1)
        elif entry.is_file():
            try:
                yield _file(Path(entry.path))
            except OSError:
                yield EvidenceFile(entry.path, "unreadable", 0, 0)
        else:
            yield EvidenceFile(entry.path, "not-a-file", 0, 0)


def _file(path: Path) -> EvidenceFile:
    about = path.stat()
    with closing(open_bytes(path)) as stream:
        form = form_of(read_up_to(stream, HEAD_BYTES))
        if form == "empty" and stream.defect:
            form = stream.defect
    written = about.st_mtime_ns // 1_000
    # Archives made to be the same everywhere set all times to 1970; such a time bounds nothing.
    newest = written + DAY if written >= OLDEST else 1 << 62
    return EvidenceFile(str(path), form, about.st_size, newest)


def sightings_in(
    file: EvidenceFile,
    wanted: Container[str] | None = None,
    *,
    now: int | None = None,
    utc_offset_minutes: int = 0,
    keep_private: bool = False,
) -> Iterator[Sighting | Skip]:
    """Every sighting in *file*, and exactly one named Skip for every row that gives none.

    Streams, and never raises for what the file holds. With *wanted*, canonical addresses, rows about the sender
    at any other address are Skip "not-a-source"; what answers elsewhere always comes, for it is the control.
    *now*, microseconds since 1970, is the latest time a row may claim; by default a day after the file was
    written. *utc_offset_minutes* is that of p0f's clock, which writes local time. *keep_private* is for a look
    at one's own network.
    """
    path = Path(file.path)
    newest = file.newest if now is None else now
    reading = Reading(shown(path), path.name, wanted, newest, utc_offset_minutes, keep_private)
    if file.form not in READERS and file.form not in ("tar", "zip"):
        yield Skip(reading.place, "unknown-form" if file.form == "unknown" else file.form)
        return
    try:
        with closing(open_bytes(path)) as opened:
            stream = opened if opened.seekable() else filled(opened)
            if file.form == "tar":
                yield from tar_sightings(stream, reading, _member)
            elif file.form == "zip":
                yield from zip_sightings(stream, reading, _member, file.size)
            else:
                _pass_mark(stream)
                yield from READERS[file.form](stream, reading)
            yield from stream.skips(reading.place)
    except OSError:
        yield Skip(reading.place, "unreadable")


def _member(stream: ByteSource, reading: Reading) -> Iterator[Sighting | Skip]:
    """What one file of an archive says."""
    form = form_of(stream.peek(HEAD_BYTES)[:HEAD_BYTES])
    if form in READERS:
        _pass_mark(stream)
        yield from READERS[form](stream, reading)
    elif form in ("tar", "zip"):
        yield Skip(reading.place, "archive-nested")
    elif form != "empty":
        yield Skip(reading.place, "unknown-form")
    elif not stream.defect:  # damage alone is named by its own name
        yield Skip(reading.place, "empty")


def _pass_mark(stream: ByteSource) -> None:
    """Leave out the byte order mark some editors put before UTF-8."""
    if stream.peek(3).startswith(codecs.BOM_UTF8):
        stream.read(3)
