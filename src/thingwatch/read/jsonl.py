"""Read raw mail from JSON lines: one object a line, the mail as text or in base64, its columns beside it."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from thingwatch.model import RawMail, Skip
from thingwatch.read.stream import open_bytes, read_up_to
from thingwatch.read.table import COLUMN_NAMES, RAW_COLUMNS, BadValueError, mail_of_row

MAX_LINE_BYTES = 96 << 20  # a mail of 64 MB in base64, and its columns
_BLOCK_BYTES = 4 << 20


def json_spans(path: Path, size: int, load_bytes: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of about *load_bytes* of the uncompressed JSON lines at *path*, cut behind line ends."""
    start = 0
    with path.open("rb", buffering=0) as file:
        while start < size:
            end = min(start + load_bytes, size)
            file.seek(end - 1)
            while end < size and (block := file.read(1 << 20)):
                at = block.find(b"\n")
                end += at if at >= 0 else len(block)
                if at >= 0:
                    break
            end = min(end, size)
            yield start, end
            start = end


def json_mails(path: Path, start: int, end: int, place: str, compressed: bool) -> Iterator[RawMail | Skip]:
    """Yield a mail or a Skip for each line in the bytes *start* to *end*, or in all of a compressed file."""
    with open_bytes(path) as stream:
        if not compressed:
            stream.seek(start)
        left = end - start

        def blocks() -> Iterator[bytes]:
            nonlocal left
            while block := read_up_to(stream, _BLOCK_BYTES if compressed else min(left, _BLOCK_BYTES)):
                left -= len(block)
                yield block

        yield from json_rows(blocks(), start, place)
        if stream.defect:
            yield Skip(place, stream.defect)


def json_rows(blocks: Iterable[bytes], offset: int, place: str) -> Iterator[RawMail | Skip]:
    """Yield a mail or a Skip for each line of JSON in *blocks*; places end in "@" and the line's offset."""
    for at, line in _lines(blocks, offset):
        where = f"{place}@{at}"
        if line is None:
            yield Skip(where, "line-too-long")
        elif line.strip():
            yield from _json_row(line, where)


def _lines(blocks: Iterable[bytes], offset: int) -> Iterator[tuple[int, bytes | None]]:
    """Yield (offset, line), and (offset, None) for a line above MAX_LINE_BYTES."""
    parts: list[bytes] = []
    held = 0  # bytes in parts, or seen of a line too long to keep
    for block in chain(blocks, (b"\n",)):
        position = 0
        while (at := block.find(b"\n", position)) >= 0:
            held += at - position
            if held > MAX_LINE_BYTES:
                yield offset, None
            elif held:
                yield offset, b"".join([*parts, block[position:at]])
            offset += held + 1
            parts, held, position = [], 0, at + 1
        held += len(block) - position
        if held <= MAX_LINE_BYTES:
            parts.append(block[position:])
        else:
            parts = []


def _json_row(line: bytes, place: str) -> Iterator[RawMail | Skip]:
    try:
        row = json.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        yield Skip(place, "json-malformed")
        return
    columns = {noun: next((row[n] for n in names if n in row), None) for noun, names in COLUMN_NAMES.items()}
    try:
        raw = _json_raw(row)
    except (BadValueError, binascii.Error, ValueError):
        yield Skip(place, "raw-malformed")
        return
    yield from mail_of_row(raw, columns, place)


def _json_raw(row: dict[str, Any]) -> bytes | None:
    encoded = row.get("raw_base64")
    if encoded is not None:
        if not isinstance(encoded, str):
            raise BadValueError("raw-malformed")
        return base64.b64decode(re.sub(r"\s+", "", encoded), validate=True)
    text = next((row[name] for name in RAW_COLUMNS if row.get(name) is not None), None)
    if text is None:
        return None
    if not isinstance(text, str):
        raise BadValueError("raw-malformed")
    try:
        # Python's own JSON writer keeps undecodable bytes as U+DC80 to U+DCFF; give them back as they were.
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")
