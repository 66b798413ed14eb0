"""Rows of a table that strangers helped to write: CSV, JSON lines, JSON arrays and Zeek's TSV, one by one."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, NamedTuple

from thingwatch.read.field import READ_BYTES

MAX_RECORD_BYTES = 4 << 20  # of one JSON object or CSV row; real ones stay below 100 kB
MAX_BLANK_CHUNKS = 16  # before the first record: a line each from a list, 1 MB each from a stream
MAX_COLUMNS = 512  # EmailEvents has about 60
MAX_SET_ITEMS = 1_001  # of one Zeek set: one more than the recipients we keep, so that excess shows

_WRAPPED = re.compile(
    r'\s*\{\s*(?:"[@\w.]{1,40}"\s*:\s*(?:\d{1,9}|"[^"]{0,400}")\s*,\s*){0,4}"(?:rows|results|value)"\s*:\s*\[',
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"[\s,\ufeff]*")
_ZEEK_ESCAPE = re.compile(r"\\x([0-9A-Fa-f]{2})")


class Row(NamedTuple):
    """One record by lower-case column name, and the line it begins on."""

    number: int
    values: dict[str, Any]

    def get(self, *names: str) -> Any:
        """The first of *names* that has a value; None when none has."""
        for name in names:
            value = self.values.get(name)
            if value is not None and value != "":
                return value
        return None

    def inside(self, name: str) -> Row:
        """The row that stands in column *name*, else this one."""
        inner = self.values.get(name)
        return Row(self.number, _lowered(inner)) if isinstance(inner, dict) else self


class Bad(NamedTuple):
    """A record that could not be read."""

    number: int
    reason: str


def sniffed(stream: Iterable[bytes]) -> tuple[bytes, Iterable[bytes]]:
    """The first bytes of *stream* that are not blank, and the whole of it as chunks."""
    chunks = _chunks(stream)
    head = b""
    for count, chunk in enumerate(chunks):
        head += chunk
        if head.strip() or count >= MAX_BLANK_CHUNKS:
            break
    return head.lstrip(), chain((head,), chunks)


def _chunks(stream: Iterable[bytes]) -> Iterator[bytes]:
    read = getattr(stream, "read", None)
    if read is None:
        yield from stream
        return
    while chunk := read(READ_BYTES):
        yield chunk


def _decoded(stream: Iterable[bytes]) -> Iterator[str]:
    """The text of a UTF-8 or UTF-16 stream; UTF-16 is told by its byte order mark or its zeros."""
    chunks = _chunks(stream)
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= 4:
            break
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif head[1:2] == b"\0" or head[:1] == b"\0":
        encoding = "utf-16-le" if head[1:2] == b"\0" else "utf-16-be"
    else:
        encoding = "utf-8-sig"
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for chunk in chain((head,), chunks):
        yield decoder.decode(chunk)
    yield decoder.decode(b"", True)


def _lines(stream: Iterable[bytes]) -> Iterator[str]:
    # The csv module wants the line ends, for a quoted cell may hold some.
    for line in _text_lines(_decoded(stream)):
        yield line + "\n"


def csv_rows(stream: Iterable[bytes], *, may_lack: int = 0) -> Iterator[Row | Bad]:
    """The rows of a CSV file by its header line; comma, semicolon or tab, what the header has most of.

    A row with up to *may_lack* cells too few at its end is read as if they stood there empty.
    """
    lines = _lines(stream)
    before, header = next(
        ((n, line) for n, line in enumerate(lines, 1) if line.strip() and not line.startswith("#TYPE")),
        (0, ""),
    )
    mark = max(",;\t", key=header.count)
    try:
        named = next(iter(csv.reader([header], delimiter=mark)), [])
    except csv.Error:  # a carriage return in the middle of the line
        yield Bad(before, "csv-malformed")
        return
    names = [name.strip().lower() for name in named][:MAX_COLUMNS]
    reader = csv.reader(lines, delimiter=mark)
    while True:
        number = before + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:  # NUL, a field beyond the limit
            yield Bad(number, "csv-malformed")
            continue
        if not cells:
            continue
        lacking = len(names) - len(cells)
        if not 0 <= lacking <= may_lack:
            yield Bad(number, "csv-malformed")
            continue
        yield Row(number, dict(zip(names, cells + [""] * lacking, strict=True)))


def json_rows(stream: Iterable[bytes]) -> Iterator[Row | Bad]:
    """The objects of a JSON array, bare or under "rows", "Results" or "value", or of JSON lines."""
    texts = _decoded(stream)
    head = ""
    for count, text in enumerate(texts):
        head += text
        if head.strip() or count >= MAX_BLANK_CHUNKS:
            break
    wrapped = _WRAPPED.match(head)
    if wrapped or head.lstrip()[:1] == "[":
        start = wrapped.end() if wrapped else head.index("[") + 1
        yield from _array_rows(chain((head,), texts), start)
        return
    for number, line in enumerate(_text_lines(chain((head,), texts)), 1):
        if line.strip():
            yield _row(number, line)


def _text_lines(texts: Iterable[str]) -> Iterator[str]:
    rest = ""
    for text in texts:
        lines = (rest + text).split("\n")
        rest = lines.pop()[: MAX_RECORD_BYTES + 1]
        yield from lines
    if rest:
        yield rest


def _row(number: int, line: str) -> Row | Bad:
    if len(line) > MAX_RECORD_BYTES:
        return Bad(number, "line-too-long")
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):  # RecursionError: ten thousand brackets
        return Bad(number, "json-malformed")
    return Row(number, _lowered(record)) if isinstance(record, dict) else Bad(number, "json-malformed")


def _lowered(record: dict[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in record.items()}


def _array_rows(texts: Iterator[str], start: int) -> Iterator[Row | Bad]:
    """The objects of an array whose first element begins at *start* of the text; what follows it is let be.

    Text is read only as an object needs it, twice as much each time, so a record costs what its length
    costs; one that is still open after MAX_RECORD_BYTES, or is no JSON, ends the reading with one Bad.
    """
    decoder = json.JSONDecoder()
    text = next(texts, "")
    number = 1 + text.count("\n", 0, start)
    position = start
    ended = False
    while True:
        begin = _BETWEEN.match(text, position).end()  # type: ignore[union-attr]  # it matches the empty string
        number += text.count("\n", position, begin)
        position = begin
        if position >= len(text):
            if ended:
                yield Bad(number, "json-truncated")
                return
            text, position = next(texts, ""), 0
            ended = not text
            continue
        if text[position] == "]":
            return
        try:
            record, end = decoder.raw_decode(text, position)
        except RecursionError:
            yield Bad(number, "json-malformed")
            return
        except ValueError as error:
            cut = str(error).startswith("Unterminated") or getattr(error, "pos", 0) >= len(text) - 16
            text, position = text[position:], 0
            more = "" if ended or len(text) > MAX_RECORD_BYTES else _more(texts, max(len(text), 1))
            ended = ended or not more
            if more:
                text += more
                continue
            yield Bad(number, "json-truncated" if cut else "json-malformed")
            return
        yield Row(number, _lowered(record)) if isinstance(record, dict) else Bad(number, "json-malformed")
        number += text.count("\n", position, end)
        position = end


def _more(texts: Iterator[str], length: int) -> str:
    pieces: list[str] = []
    while length > 0 and (piece := next(texts, "")):
        pieces.append(piece)
        length -= len(piece)
    return "".join(pieces)


def zeek_rows(stream: Iterable[bytes]) -> Iterator[Row | Bad]:
    """The rows of a Zeek log in its own TSV, whose "#" lines say separators, unset value and names."""
    separator, set_separator, empty, unset = "\t", ",", "(empty)", "-"
    names: list[str] = []
    types: list[str] = []
    for number, raw in enumerate(_text_lines(_decoded(stream)), 1):
        line = raw.rstrip("\r")
        if len(line) > MAX_RECORD_BYTES:
            yield Bad(number, "line-too-long")
        elif line.startswith("#"):
            # "#separator" itself is set off by a space, all others by the separator it names.
            name, _, value = line[1:].partition(" " if line.startswith("#separator") else separator)
            if name == "separator" and value:
                separator = _unescaped(value.strip()) or separator
            elif name == "set_separator" and value:
                set_separator = _unescaped(value)
            elif name == "empty_field":
                empty = value
            elif name == "unset_field":
                unset = value
            elif name == "fields":
                names = [part.lower() for part in value.split(separator)][:MAX_COLUMNS]
            elif name == "types":
                types = value.split(separator)[:MAX_COLUMNS]
        elif line:
            cells = line.split(separator)
            if not names or len(cells) != len(names):
                yield Bad(number, "tsv-malformed")
                continue
            kinds = types if len(types) == len(names) else ["string"] * len(names)
            yield Row(
                number,
                {
                    name: _zeek_value(cell, kind, set_separator, empty)
                    for name, cell, kind in zip(names, cells, kinds, strict=True)
                    if cell != unset
                },
            )


def _zeek_value(cell: str, kind: str, set_separator: str, empty: str) -> str | list[str]:
    if kind.startswith(("set", "vector")):
        if cell == empty:
            return []
        return [_unescaped(item) for item in cell.split(set_separator, MAX_SET_ITEMS)[:MAX_SET_ITEMS]]
    return "" if cell == empty else _unescaped(cell)


def _unescaped(text: str) -> str:
    r"""*text* with Zeek's ``\x09`` read; the bytes of one UTF-8 character come one by one."""
    if "\\x" not in text:
        return text
    raw = _ZEEK_ESCAPE.sub(lambda found: chr(int(found[1], 16)), text.replace("\ufffd", "?"))
    try:
        return raw.encode("latin-1").decode("utf-8", "replace")
    except UnicodeEncodeError:  # not all of it was escaped
        return raw
