"""Read the mails in a tar or zip archive, in memory and as a stream.

Nothing is extracted: a member's name is only text, so absolute names and ".." do no harm. Bombs are met three
times: a member that grows beyond ``MAX_RATIO``, all members together beyond ``MAX_RATIO`` times the archive
(which catches zips whose members overlap), and archives in archives in archives.
"""

from __future__ import annotations

import io
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from thingwatch.model import RawMail, Skip
from thingwatch.read import mbox
from thingwatch.read.detect import HEAD_BYTES, form_of_head, open_bytes
from thingwatch.read.jsonl import json_rows
from thingwatch.read.mbox import MAX_MAIL_BYTES
from thingwatch.read.stream import (
    MAX_RATIO,
    RATIO_FLOOR_BYTES,
    Inflated,
    Readable,
    blocks_of,
    compression_of,
    read_up_to,
)
from thingwatch.read.tar import TarFile, tar_files

MAX_DEPTH = 1  # archives inside the archive; a folder of zips, zipped once more, is the most people send
MAX_DIRECTORY_BYTES = 64 << 20  # of a zip's list of members, some 600,000; zipfile holds all of it in memory
MAX_NAME_CHARS = 240
_CAREFUL_BYTES = 4 << 10  # read step where zipfile's decoder has no output limit of its own (bzip2, LZMA)
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    OSError,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
    LookupError,
)


def cleaned(name: str) -> str:
    """Return *name* fit to be shown and stored: printable, of bounded length, never leading anywhere."""
    pieces = [piece for piece in name.replace("\\", "/").split("/") if piece not in ("", ".", "..")]
    return "/".join(pieces).encode("utf-8", "replace").decode()[:MAX_NAME_CHARS].translate(_UNPRINTABLE)


_UNPRINTABLE = dict.fromkeys((*range(32), *range(127, 160), 0x2028, 0x2029, *range(0x202A, 0x202F)), "?")


class Budget:
    """What an archive may grow to, its inner archives included."""

    def __init__(self, archive_bytes: int) -> None:
        self.left = max(RATIO_FLOOR_BYTES, MAX_RATIO * archive_bytes)


class Member:
    """A member's bytes, counted against the budget; ``defect`` says why they ended early."""

    def __init__(
        self, source: Readable, budget: Budget, packed: int | None = None, step: int = 1 << 20
    ) -> None:
        self.defect: str | None = None
        self._source = source
        self._budget = budget
        self._step = step
        self._left = None if packed is None else max(RATIO_FLOOR_BYTES, MAX_RATIO * packed)

    def read(self, size: int, /) -> bytes:
        if self.defect:
            return b""
        try:
            data = self._source.read(min(size, self._step))
        except DAMAGE:
            self.defect = "damaged-member"
            return b""
        self._budget.left -= len(data)
        if self._left is not None:
            self._left -= len(data)
        if self._budget.left < 0 or (self._left is not None and self._left < 0):
            self.defect = "archive-bomb"
            return b""
        return data


def mails_in_archive(path: Path, form: str) -> Iterator[RawMail | Skip]:
    """Yield the mails in the archive at *path*, of *form* "tar" or "zip", in the order they stand in.

    Members are single mails, mboxes or JSON lines, each possibly compressed, and archives of those. Places
    are "mail.tar:new/17.eml" or "mail.tar:inbox.mbox@10432". Never raises for what the archive holds; raises
    OSError where the file cannot be read.
    """
    place = shown(path)
    budget = Budget(path.stat().st_size)
    with open_bytes(path) as stream:
        if form == "zip":
            yield from _zip_mails(stream, place, budget, 0)
        else:
            yield from _tar_mails(stream, place, budget, 0)
        if stream.defect:
            yield Skip(place, stream.defect)


def mails_in_bytes(content: bytes, place: str) -> Iterator[RawMail | Skip]:
    """Yield the mails in *content*, a whole file that stood at *place*: of any form but tables and logs."""
    budget = Budget(len(content))
    yield from _member_mails(Member(io.BytesIO(content), budget, len(content)), place, budget, 0)


def shown(path: Path) -> str:
    """Return *path* as it stands in a place: as given, with what cannot be printed replaced."""
    return str(path).encode("utf-8", "replace").decode().translate(_UNPRINTABLE)


def _tar_mails(stream: Readable, place: str, budget: Budget, depth: int) -> Iterator[RawMail | Skip]:
    for file in tar_files(stream):
        if isinstance(file, TarFile):
            yield from _member_mails(Member(file, budget), f"{place}:{cleaned(file.name)}", budget, depth)
        else:
            name, reason = file
            yield Skip(f"{place}:{cleaned(name)}" if name else place, reason)
        if budget.left < 0:
            return


def _zip_mails(file: IO[bytes], place: str, budget: Budget, depth: int) -> Iterator[RawMail | Skip]:
    try:
        if directory_bytes(file) > MAX_DIRECTORY_BYTES:
            yield Skip(place, "archive-bomb")
            return
        archive = zipfile.ZipFile(file)
    except DAMAGE:
        yield Skip(place, "damaged-zip")
        return
    with archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            where = f"{place}:{cleaned(info.filename)}"
            if stat.S_ISLNK(info.external_attr >> 16):
                yield Skip(where, "symlink")
            elif info.flag_bits & 0x1:  # APPNOTE.TXT, 4.4.4
                yield Skip(where, "encrypted")
            elif info.file_size > max(RATIO_FLOOR_BYTES, MAX_RATIO * info.compress_size):
                yield Skip(where, "archive-bomb")
            else:
                yield from _zip_member(archive, info, where, budget, depth)
            if budget.left < 0:
                return


def _zip_member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, place: str, budget: Budget, depth: int
) -> Iterator[RawMail | Skip]:
    bounded = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    try:
        source = archive.open(info)
    except NotImplementedError:
        yield Skip(place, "compression-unknown")
        return
    except DAMAGE:
        yield Skip(place, "damaged-member")
        return
    with source:
        member = Member(source, budget, info.compress_size, 1 << 20 if bounded else _CAREFUL_BYTES)
        yield from _member_mails(member, place, budget, depth)


def directory_bytes(file: IO[bytes]) -> int:
    """Return how long a zip says its list of members is (APPNOTE.TXT, 4.3.14 and 4.3.16)."""
    size = file.seek(0, io.SEEK_END)
    tail_bytes = min(size, (1 << 16) + 22 + 20 + 56)
    file.seek(size - tail_bytes)
    tail = file.read(tail_bytes)
    file.seek(0)
    end = tail.rfind(b"PK\x05\x06")
    wide = tail.rfind(b"PK\x06\x06")
    stated = int.from_bytes(tail[end + 12 : end + 16], "little") if end >= 0 else 0
    return (
        int.from_bytes(tail[wide + 40 : wide + 48], "little")
        if wide >= 0 and stated == 0xFFFFFFFF
        else stated
    )


def _member_mails(member: Member, place: str, budget: Budget, depth: int) -> Iterator[RawMail | Skip]:
    """Yield what *member* holds, and a Skip for what was wrong with it."""
    head = read_up_to(member, HEAD_BYTES)
    kind = compression_of(head)
    if kind is None:
        yield from _content_mails(head, member, place, budget, depth)
    else:
        inflated = Inflated(_Joined(head, member), kind)
        inner = Member(inflated, budget)
        head = read_up_to(inner, HEAD_BYTES)
        if head:
            yield from _content_mails(head, inner, place, budget, depth)
        if inner.defect or inflated.defect:
            yield Skip(place, inner.defect or inflated.defect or "")
        elif not head:
            yield Skip(place, "empty")
    if member.defect:
        yield Skip(place, member.defect)


def _content_mails(
    head: bytes, member: Member, place: str, budget: Budget, depth: int
) -> Iterator[RawMail | Skip]:
    form = form_of_head(head, place)
    if form == "eml":
        raw = head + read_up_to(member, MAX_MAIL_BYTES + 1 - len(head))
        if member.defect != "archive-bomb":
            yield from mail_at(raw, place)
    elif form == "mbox":
        yield from mbox_mails(_Joined(head, member), place)
    elif form == "jsonl":
        yield from json_rows(blocks_of(member, head), 0, place)
    elif form in ("tar", "zip") and depth >= MAX_DEPTH:
        yield Skip(place, "archive-nested")
    elif form == "tar":
        yield from _tar_mails(_Joined(head, member), place, budget, depth + 1)
    elif form == "zip":
        content = head + read_up_to(member, MAX_MAIL_BYTES + 1 - len(head))
        if len(content) > MAX_MAIL_BYTES:
            yield Skip(place, "member-too-large")
        elif not member.defect:
            yield from _zip_mails(io.BytesIO(content), place, budget, depth + 1)
    elif form == "empty":
        # A damaged member that gave nothing is named by its damage alone.
        if not member.defect:
            yield Skip(place, "empty")
    else:
        yield Skip(place, "unknown-form" if form in ("unknown", "outlook", "compressed") else "unpack-first")


class _Joined:
    """Bytes already read, and the stream they came from."""

    def __init__(self, head: bytes, rest: Readable) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int, /) -> bytes:
        if self._head:
            piece, self._head = self._head[:size], self._head[size:]
            return piece
        return self._rest.read(size)


def mail_at(raw: bytes, place: str) -> Iterator[RawMail | Skip]:
    """Yield *raw* as one mail; cut at MAX_MAIL_BYTES with a Skip beside it, or the Skip alone where empty."""
    if not raw.strip():
        yield Skip(place, "empty")
        return
    yield RawMail(raw[:MAX_MAIL_BYTES], place)
    if len(raw) > MAX_MAIL_BYTES:
        yield Skip(place, "mail-too-large")


def mbox_mails(stream: Readable, place: str) -> Iterator[RawMail | Skip]:
    """Yield the mails of an mbox read as a stream; places are *place* and "@" and the offset in it."""
    head = read_up_to(stream, 1 << 20)
    dialect = mbox.dialect_of(
        lambda offset, size: head[offset : offset + size], len(head), whole=len(head) < 1 << 20
    )
    yield from pieces_at(mbox.split(blocks_of(stream, head), 0, dialect), place)


def pieces_at(pieces: Iterator[mbox.Piece], place: str) -> Iterator[RawMail | Skip]:
    """Yield each of *pieces* as a mail at *place*, or the Skip that says why not."""
    for offset, raw, cut in pieces:
        where = f"{place}@{offset}"
        if raw and not raw.isspace():
            yield RawMail(raw, where)
        else:
            yield Skip(where, "empty")
        if cut:
            yield Skip(where, "mail-too-large")
