"""Read the files in a tar or zip as streams, one after another: reports are mailed in zips, a year of them in a tar.

Nothing is extracted, and the bounds are those of mail in archives (``read/archive.py``).
"""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

from thingwatch.model import Sighting, Skip
from thingwatch.read.archive import (
    DAMAGE,
    MAX_DIRECTORY_BYTES,
    Budget,
    Member,
    cleaned,
    directory_bytes,
)
from thingwatch.read.evidence.row import Reading
from thingwatch.read.stream import ByteSource, Inflated, Readable, compression_of, read_up_to
from thingwatch.read.tar import TarFile, tar_files

BUFFER_BYTES = 256 << 10  # more than any form looks ahead
_MAGIC_BYTES = 10

Reader = Callable[[ByteSource, Reading], Iterator[Sighting | Skip]]


class _Filled(io.RawIOBase):
    """A stream that fills what it is given: what looks ahead gets a whole buffer, not a decoder's first bit."""

    def __init__(self, source: Readable) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    @property
    def defect(self) -> str | None:
        return getattr(self._source, "defect", None)

    def readinto(self, buffer: Any, /) -> int:
        piece = read_up_to(self._source, len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


class _Joined:
    """A member from its beginning, after its first bytes were looked at."""

    def __init__(self, head: bytes, source: Readable) -> None:
        self._head = head
        self._source = source

    def read(self, size: int, /) -> bytes:
        if self._head:
            piece, self._head = self._head[:size], self._head[size:]
            return piece
        return self._source.read(size)


def filled(source: Readable) -> ByteSource:
    """*source* as the readers want it."""
    return ByteSource(_Filled(source), BUFFER_BYTES)


def tar_sightings(stream: ByteSource, reading: Reading, reader: Reader) -> Iterator[Sighting | Skip]:
    """Read every file in a tar with *reader*; compression of the whole is seen to already."""
    budget = Budget(1 << 40)  # files lie in a tar as they are; a compressed one has its own bound
    for file in tar_files(stream):
        if isinstance(file, TarFile):
            yield from _member(Member(file, budget), file.name, reading, reader)
        else:
            name, reason = file
            yield Skip(f"{reading.place}:{cleaned(name)}" if name else reading.place, reason)


def zip_sightings(
    stream: ByteSource, reading: Reading, reader: Reader, size: int
) -> Iterator[Sighting | Skip]:
    """Read every file in a zip of *size* bytes with *reader*."""
    if not stream.seekable():  # a zip compressed once more
        yield Skip(reading.place, "unreadable-zip")
        return
    try:
        if directory_bytes(stream) > MAX_DIRECTORY_BYTES:
            yield Skip(reading.place, "archive-bomb")
            return
        archive = zipfile.ZipFile(stream)
    except DAMAGE:
        yield Skip(reading.place, "damaged-zip")
        return
    budget = Budget(size)
    with archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            where = f"{reading.place}:{cleaned(info.filename)}"
            if reason := _refusal(info):
                yield Skip(where, reason)
                continue
            try:
                source = archive.open(info)
            except DAMAGE:
                yield Skip(where, "damaged-member")
                continue
            with source:
                member = Member(source, budget, info.compress_size)
                yield from _member(member, info.filename, reading, reader)
            if budget.left < 0:
                return


def _refusal(info: zipfile.ZipInfo) -> str:
    if stat.S_ISLNK(info.external_attr >> 16):
        return "symlink"
    if info.flag_bits & 0x1:  # APPNOTE.TXT, 4.4.4
        return "encrypted"
    # zipfile's decoders of bzip2 and LZMA have no limit on what one read may make.
    return "" if info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) else "compression-unknown"


def _member(member: Member, name: str, reading: Reading, reader: Reader) -> Iterator[Sighting | Skip]:
    shown = cleaned(name)
    inner = reading._replace(place=f"{reading.place}:{shown}", name=shown.rpartition("/")[2])
    head = read_up_to(member, _MAGIC_BYTES)
    source: Readable = _Joined(head, member)
    if kind := compression_of(head):
        source = Inflated(source, kind)
    with filled(source) as stream:
        yield from reader(stream, inner)
        yield from stream.skips(inner.place)
    if member.defect:
        yield Skip(inner.place, member.defect)
