"""JSON objects in whatever way a scanner laid them out: a line each, in an array, or one spread over many lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from thingwatch.read.records import MAX_RECORD_BYTES, Bad, Row, json_rows
from thingwatch.read.stream import ByteSource

HEAD_BYTES = 64 << 10  # looked at to tell the layout
_BLOCK_BYTES = 1 << 20


def objects(stream: ByteSource) -> Iterator[Row | Bad]:
    """Each object of *stream*: by its line where lines hold one each, else by its place in the order."""
    head = stream.peek(HEAD_BYTES)[:HEAD_BYTES].lstrip()
    opening = head[:1]
    first = _first_line(head)
    if first is None or not _is_object(first):
        chunks: Iterable[bytes] = iter(lambda: stream.read(_BLOCK_BYTES), b"")
        if opening == b"{" and first is not None:
            chunks = chain((b"[",), chunks, (b"]",))
        if opening == b"[" or first is not None:
            rows = json_rows(chunks)
            yield from (row._replace(number=number) for number, row in enumerate(rows, 1))
        else:
            yield from json_rows(chunks)
    elif opening == b"[" or first.endswith(b","):
        yield from json_rows(_bare(stream))
    else:
        yield from json_rows(stream)


def _first_line(head: bytes) -> bytes | None:
    """The first line with an object on it; None where it is longer than what we saw, or there is none."""
    for line in head.splitlines(keepends=True)[:8]:
        if not line.endswith((b"\n", b"\r")) and len(head) == HEAD_BYTES:
            return None
        if line.strip() not in (b"", b"[", b","):
            return line.strip()
    return None


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line.rstrip(b",")), dict)
    except (ValueError, RecursionError):
        return False


def _bare(stream: ByteSource) -> Iterator[bytes]:
    """The lines of an array without the array: masscan ends some of its files in a comma, or not at all."""
    while line := stream.readline(MAX_RECORD_BYTES + 2):
        if not line.endswith(b"\n"):
            yield line
            continue
        text = line.strip()
        yield b"\n" if text in (b"[", b"]", b",") else text.rstrip(b",") + b"\n"


def inside(value: Any, *names: str) -> Any:
    """What stands in *value* under *names*, one in the other; None where it stops."""
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def several(value: Any, most: int) -> list[Any]:
    """The first *most* items of a list; a lone object counts as a list of one."""
    if isinstance(value, list):
        return value[:most]
    return [value] if isinstance(value, dict) else []
