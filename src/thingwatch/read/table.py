"""Read raw mail from the rows of a table: Parquet and Arrow (Feather).

One column holds the mail, others what the border wrote down beside it. A column of the wrong type is the
user's to correct and raises; a single wrong value costs its row, by name: who sends the wrong client address
with a mail may not have it guessed from the mail's own header.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from thingwatch.errors import InputError
from thingwatch.model import RawMail, Session, Skip
from thingwatch.read.mbox import MAX_MAIL_BYTES

RAW_COLUMNS = ("raw", "eml", "raw_message", "message", "content")
MAX_RCPT_TO = 1000  # addresses of one mail; servers take 100 to 1,000 (RFC 5321, 4.5.3.1.8)
MAX_TEXT_CHARS = 512  # of a name or an address
BATCH_BYTES = 8 << 20
MAX_BATCH_ROWS = 4096
ARROW_ROWS = 256  # turned into Python's objects at a time; the batch itself is in memory whole
_READ_BYTES = 1 << 20  # without it a column of a row group is read whole before its first row comes

COLUMN_NAMES = {
    "received_at": ("received_at", "received"),
    "client_ip": ("client_ip",),
    "helo": ("helo",),
    "ptr": ("ptr",),
    "mail_from": ("mail_from", "sender"),
    "rcpt_to": ("rcpt_to", "recipient", "recipients"),
}
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]+")
_MISSING = ("", "-", "unknown", "null", "none")


class BadValueError(ValueError):
    """A value that no mail or session can hold; its text is the name of the Skip."""


# --- what a row says -------------------------------------------------------------------------------------


def microseconds(value: object) -> int | None:
    """Return *value*, a time in any of the usual shapes, as microseconds since 1970, UTC.

    Numbers are seconds, milli-, micro- or nanoseconds, told apart by their size (right for 1973 to 5138);
    text is ISO 8601 or such a number. Times without a zone are UTC. Raises ValueError for anything else.
    """
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in _MISSING:
            return None
        if re.fullmatch(r"\d{9,19}(\.\d{1,9})?", text):
            return microseconds(float(text) if "." in text else int(text))
        value = datetime.fromisoformat(text)
    if value is None:
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        since = aware - _EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("received-at-malformed")
    if not abs(value) < 1 << 63:
        raise ValueError("received-at-malformed")
    if abs(value) < 10**11:
        return round(value * 1_000_000)
    if abs(value) < 10**14:
        return round(value * 1_000)
    return round(value) if abs(value) < 10**17 else round(value) // 1_000


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=1 << 16)
def _address(text: str) -> str:
    address = ip_address(text.strip().strip("[]").partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _text(value: object, name: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadValueError(f"{name}-malformed")
    return _UNPRINTABLE.sub("", value[: 4 * MAX_TEXT_CHARS]).strip()[:MAX_TEXT_CHARS]


def _session(row: dict[str, Any]) -> Session | None:
    """Make a session of the columns beside a mail; None where all are empty. Raises BadValueError."""
    try:
        received_at = row["received_us"] if "received_us" in row else microseconds(row.get("received_at"))
    except (ValueError, OverflowError) as error:
        raise BadValueError("received-at-malformed") from error
    client_ip = _text(row.get("client_ip"), "client-ip")
    try:
        client_ip = _address(client_ip) if client_ip and client_ip.lower() not in _MISSING else None
    except ValueError as error:
        raise BadValueError("client-ip-malformed") from error
    mail_from = _text(row.get("mail_from"), "mail-from")
    rcpt_to = row.get("rcpt_to") or ()
    listed = re.split(r"[,;\s]+", rcpt_to[: 1 << 18]) if isinstance(rcpt_to, str) else rcpt_to
    if not isinstance(listed, list | tuple):
        raise BadValueError("rcpt-to-malformed")
    recipients = [(_text(item, "rcpt-to") or "").strip("<>") for item in listed[:MAX_RCPT_TO]]
    session = Session(
        received_at=received_at,
        client_ip=client_ip,
        helo=_text(row.get("helo"), "helo") or None,
        ptr=_text(row.get("ptr"), "ptr") or None,
        mail_from=None if mail_from is None else mail_from.strip("<>"),
        rcpt_to=tuple(item for item in recipients if item),
    )
    return None if session == Session() else session


def mail_of_row(raw: bytes | None, columns: dict[str, Any], place: str) -> Iterator[RawMail | Skip]:
    """Yield the mail *raw* with the session its *columns* make, or the Skip that says why not.

    *columns* has the names of ``COLUMN_NAMES``; "received_us", whole microseconds, wins over "received_at".
    """
    if not raw or raw.isspace():
        yield Skip(place, "empty")
        return
    try:
        session = _session(columns)
    except BadValueError as error:
        yield Skip(place, str(error))
        return
    yield RawMail(raw[:MAX_MAIL_BYTES], place, session)
    if len(raw) > MAX_MAIL_BYTES:
        yield Skip(place, "mail-too-large")


# --- Parquet and Arrow -----------------------------------------------------------------------------------


def _is_textual(kind: Any) -> bool:
    types = pa.types
    tests = (types.is_string, types.is_large_string, types.is_string_view)
    return any(test(kind) for test in tests) or (types.is_dictionary(kind) and _is_textual(kind.value_type))


def _is_binary(kind: Any) -> bool:
    types = pa.types
    tests = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
    return any(test(kind) for test in tests) or (types.is_dictionary(kind) and _is_binary(kind.value_type))


def _is_time(kind: Any) -> bool:
    types = pa.types
    tests = (types.is_timestamp, types.is_date, types.is_integer, types.is_floating, types.is_null)
    return any(test(kind) for test in tests) or _is_textual(kind)


def _is_list_of_text(kind: Any) -> bool:
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return False
    return _is_textual(kind.value_type) or pa.types.is_null(kind.value_type)


def mail_columns(schema: Any, path: Path | str) -> dict[str, str]:
    """Map our names to the columns of *schema* that hold them. Raises InputError naming the column."""
    standing: dict[str, str] = {}
    for column in schema.names:
        standing.setdefault(column.lower(), column)
    raw = next((standing[name] for name in RAW_COLUMNS if name in standing), None)
    if raw is None:
        raise InputError(
            f"{path}: no column with the mail; name it raw (it has {', '.join(schema.names[:20])})"
        )
    kind = schema.field(raw).type
    if not _is_binary(kind) and not _is_textual(kind):
        raise InputError(f"{path}: column {raw} is {kind}: must be binary or text, the whole mail in it")
    found = {"raw": raw}
    for noun, names in COLUMN_NAMES.items():
        column = next((standing[name] for name in names if name in standing), None)
        if column is None:
            continue
        kind = schema.field(column).type
        if noun == "received_at":
            fits, wanted = _is_time(kind), "a timestamp, a number of seconds or ISO 8601 text"
        elif noun == "rcpt_to":
            fits, wanted = _is_textual(kind) or _is_list_of_text(kind), "text or a list of text"
        else:
            fits, wanted = _is_textual(kind), "text"
        if not fits and not pa.types.is_null(kind):
            raise InputError(f"{path}: column {column} is {kind}: must be {wanted}")
        found[noun] = column
    return found


def table_spans(path: Path, form: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) for each piece of a table that can be read alone: row groups, or record batches.

    An Arrow stream has no index and is one piece. *form* is "parquet" or "arrow". Raises InputError where the
    file is damaged, or has not the columns.
    """
    try:
        if form == "parquet":
            with pq.ParquetFile(path) as table:
                mail_columns(table.schema_arrow, path)
                count = table.num_row_groups
        else:
            with pa.OSFile(str(path)) as file:
                reader = _arrow_reader(file)
                mail_columns(reader.schema, path)
                count = getattr(reader, "num_record_batches", 1)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise InputError(f"{path}: a damaged {form} file ({_first_line(error)}); write it again") from error
    for number in range(count):
        yield number, number + 1


def _arrow_reader(file: Any) -> Any:
    magic = file.read(6)
    file.seek(0)
    return pa.ipc.open_file(file) if magic == b"ARROW1" else pa.ipc.open_stream(file)


def _first_line(error: Exception) -> str:
    return _UNPRINTABLE.sub(" ", str(error).partition("\n")[0])[:200]


def table_rows(path: Path, form: str, start: int, end: int, place: str) -> Iterator[RawMail | Skip]:
    """Yield a mail or a Skip for each row of the pieces *start* to *end*; places end in "@" and the row.

    In Arrow, where no index says how many rows went before, they end in "@", the batch, "." and its row.
    """
    where, at = f"{place}@" if form == "parquet" else f"{place}@{start}.", 0
    try:
        for where, at, batch, columns in _batches(path, form, start, end, place):
            for row, (raw, beside) in enumerate(values_of(batch, columns), at):
                yield from mail_of_row(raw, beside, f"{where}{row}")
            at += batch.num_rows
    except (pa.ArrowException, OSError, ValueError, InputError):
        yield Skip(f"{where}{at}", f"damaged-{form}")


def _batches(
    path: Path, form: str, start: int, end: int, place: str
) -> Iterator[tuple[str, int, Any, dict[str, str]]]:
    """Yield (place but for the row, number of the first row, batch of bounded size, columns)."""
    if form == "parquet":
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=_READ_BYTES) as table:
            columns = mail_columns(table.schema_arrow, path)
            groups = [table.metadata.row_group(number) for number in range(end)]
            at = sum(group.num_rows for group in groups[:start])
            total = sum(group.total_byte_size for group in groups[start:])
            rows = max(sum(group.num_rows for group in groups[start:]), 1)
            step = min(max(BATCH_BYTES * rows // max(total, 1), 1), MAX_BATCH_ROWS)
            wanted = list(columns.values())
            for batch in table.iter_batches(step, row_groups=list(range(start, end)), columns=wanted):
                yield f"{place}@", at, batch, columns
                at += batch.num_rows
        return
    with pa.OSFile(str(path)) as file:
        reader = _arrow_reader(file)
        columns = mail_columns(reader.schema, path)
        indexed = hasattr(reader, "num_record_batches")
        batches = (reader.get_batch(number) for number in range(start, end)) if indexed else reader
        for number, batch in enumerate(batches, start):
            for first in range(0, batch.num_rows, ARROW_ROWS):
                yield f"{place}@{number}.", first, batch.slice(first, ARROW_ROWS), columns


def values_of(batch: Any, columns: dict[str, str]) -> Iterator[tuple[bytes | None, dict[str, Any]]]:
    """Yield the mail of each row of *batch* and what stands beside it; *columns* as `mail_columns` gives them."""
    taken: dict[str, list[Any]] = {}
    for noun, name in columns.items():
        column = batch.column(name)
        if pa.types.is_timestamp(column.type):
            # Python's datetime knows no nanoseconds and would raise on them.
            column.validate(full=True)
            unit = pa.timestamp("us", tz=column.type.tz)
            column = pc.cast(pc.cast(column, unit, safe=False), pa.int64(), safe=False)
            noun = "received_us"
        values = _checked(column).to_pylist()
        taken[noun] = values if noun == "raw" else [_decoded(value) for value in values]
    names = [noun for noun in taken if noun != "raw"]
    for number, raw in enumerate(taken["raw"]):
        row: dict[str, Any] = {noun: taken[noun][number] for noun in names}
        yield raw, row


def _checked(column: Any) -> Any:
    """Return *column* with text seen as bytes, after a look at every offset and index. Raises ArrowInvalid.

    Arrow believes the offsets in a file: unchecked, a forged one reads foreign memory. And text is looked at
    as bytes, since one byte that is not UTF-8 would raise and take the rows behind it along.
    """
    if pa.types.is_dictionary(column.type):
        column.indices.validate(full=True)
        return pa.DictionaryArray.from_arrays(column.indices, _checked(column.dictionary)).dictionary_decode()
    column.validate()
    seen = column.view(_as_bytes(column.type))
    seen.validate(full=True)
    return seen


def _as_bytes(kind: Any) -> Any:
    """Return *kind* with bytes in the place of text."""
    types = pa.types
    if types.is_list(kind):
        return pa.list_(_as_bytes(kind.value_type))
    if types.is_large_list(kind):
        return pa.large_list(_as_bytes(kind.value_type))
    if types.is_string_view(kind):
        return pa.binary_view()
    if types.is_large_string(kind):
        return pa.large_binary()
    return pa.binary() if types.is_string(kind) else kind


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value[:MAX_RCPT_TO]]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
