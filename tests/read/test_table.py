"""Raw mail in rows: Parquet and Arrow."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thingwatch.errors import InputError
from thingwatch.model import RawMail, Session, Skip
from thingwatch.read import table
from thingwatch.read.detect import form_of
from thingwatch.read.mailbox import mails_in, plan

MAILS = [b"Subject: %d\n\n\x00\xff text\n" % number for number in range(10)]
NOON = 1_389_009_600_000_000  # 2014-01-06 12:00 UTC


def read_all(path: Path, load_bytes: int = 8 << 20) -> list[RawMail | Skip]:
    return [found for load in plan([path], load_bytes) for found in mails_in(load)]


def written(path: Path, columns: dict[str, Any], rows_per_group: int = 4) -> Path:
    made = pa.table(columns)
    if path.suffix == ".parquet":
        pq.write_table(made, path, row_group_size=rows_per_group)
    elif path.suffix == ".feather":
        feather.write_feather(made, path, chunksize=rows_per_group)
    else:
        opener = pa.ipc.new_stream if path.suffix == ".arrows" else pa.ipc.new_file
        with opener(path, made.schema) as writer:
            writer.write_table(made, max_chunksize=rows_per_group)
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".arrows", ".feather"])
@pytest.mark.parametrize("name", ["raw", "message", "content", "EML"])
@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()])
def test_each_form_gives_its_rows(tmp_path: Path, suffix: str, name: str, kind: Any) -> None:
    """Each form, column name and type gives the mails byte for byte, at places that count rows."""
    if suffix == ".feather" and kind == pa.binary_view():
        pytest.skip("the Feather writer knows no views")
    path = written(tmp_path / f"mail{suffix}", {name: pa.array(MAILS, kind), "extra": list(range(10))})
    assert form_of(path) in ("parquet", "arrow")
    places = [f"{row}" if suffix == ".parquet" else f"{row // 4}.{row % 4}" for row in range(10)]
    assert read_all(path) == [RawMail(raw, f"{path}@{at}") for raw, at in zip(MAILS, places, strict=True)]


def test_row_groups_are_loads(tmp_path: Path) -> None:
    """Each row group can be read alone, and knows its rows' numbers."""
    path = written(tmp_path / "mail.parquet", {"raw": MAILS})
    loads = list(plan([path]))
    assert [(load.form, load.start, load.end) for load in loads] == [("parquet", n, n + 1) for n in range(3)]
    assert [found.place for found in mails_in(loads[2])] == [f"{path}@8", f"{path}@9"]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_text_columns_are_utf_8(tmp_path: Path, kind: Any) -> None:
    """Mail kept as text comes back as UTF-8."""
    path = written(tmp_path / "mail.parquet", {"raw": pa.array(["Subject: grüße\n\n"], kind)})
    assert read_all(path) == [RawMail("Subject: grüße\n\n".encode(), f"{path}@0")]


def test_columns_beside_the_mail_make_its_session(tmp_path: Path) -> None:
    """What the border wrote down reaches the session; what is missing is None."""
    columns = {
        "raw": [b"a", b"b", b"c"],
        "received_at": pa.array([NOON, None, NOON], pa.timestamp("us", tz="Europe/Berlin")),
        "client_ip": ["::ffff:192.0.2.7", None, "2001:DB8::1"],
        "helo": ["mail\x1b[31m", None, "x"],
        "ptr": ["", None, "host.example.org"],
        "sender": ["<>", None, "<a@example.org>"],
        "recipient": pa.array([["b@example.org", "<c@example.org>"], None, []]),
    }
    path = written(tmp_path / "mail.parquet", columns)
    sessions = [found.session for found in read_all(path) if isinstance(found, RawMail)]
    assert sessions == [
        Session(NOON, "192.0.2.7", "mail[31m", None, "", ("b@example.org", "c@example.org")),
        None,
        Session(NOON, "2001:db8::1", "x", "host.example.org", "a@example.org"),
    ]


@pytest.mark.parametrize(
    "times",
    [
        pa.array([NOON], pa.timestamp("us")),
        pa.array([NOON * 1000 + 7], pa.timestamp("ns", tz="Asia/Tokyo")),
        pa.array([NOON // 1000], pa.timestamp("ms")),
        pa.array([NOON // 1_000_000], pa.timestamp("s")),
        pa.array([NOON // 1_000_000], pa.int64()),
        pa.array([NOON // 1_000_000], pa.float64()),
        pa.array([NOON // 1000], pa.int64()),
        pa.array([NOON], pa.int64()),
        pa.array([NOON * 1000], pa.int64()),
        pa.array(["2014-01-06T12:00:00Z"]),
        pa.array(["2014-01-06 13:00:00+01:00"]),
        pa.array(["2014-01-06T12:00:00"]),
        pa.array([str(NOON // 1_000_000)]),
    ],
)
@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_times_of_all_shapes_are_one_time(tmp_path: Path, times: Any, suffix: str) -> None:
    """Timestamps of any unit and zone, epoch numbers and ISO text all come out as microseconds, UTC."""
    path = written(tmp_path / f"mail{suffix}", {"raw": [b"x"], "received_at": times})
    assert [(found.raw, found.session) for found in read_all(path) if isinstance(found, RawMail)] == [
        (b"x", Session(received_at=NOON))
    ]


@given(st.datetimes(datetime(1980, 1, 1), datetime(2200, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_microseconds_are_exact(when: datetime, minutes: int) -> None:
    """No time loses a microsecond on its way through text, zones and numbers."""
    aware = when.replace(tzinfo=UTC)
    expected = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    shifted = aware.astimezone(timezone(timedelta(minutes=minutes)))
    assert table.microseconds(shifted) == table.microseconds(shifted.isoformat()) == expected
    assert table.microseconds(when) == table.microseconds(expected) == expected
    assert table.microseconds(date(2014, 1, 6)) == NOON - 12 * 3_600_000_000


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"subject": ["x"]}, "no column with the mail; name it raw .it has subject"),
        ({"raw": [1]}, "column raw is int64: must be binary or text"),
        ({"raw": [b"x"], "client_ip": [7]}, "column client_ip is int64: must be text"),
        ({"raw": [b"x"], "rcpt_to": [7]}, "column rcpt_to is int64: must be text or a list"),
        ({"raw": [b"x"], "received_at": [True]}, "column received_at is bool: must be a timestamp"),
        ({"raw": [b"x"], "Sender": [b"x"]}, "column Sender is binary: must be text"),
    ],
)
@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".arrows"])
def test_wrong_types_name_the_column(tmp_path: Path, columns: Any, complaint: str, suffix: str) -> None:
    """A column of the wrong type is an error that names it and says what it must be."""
    path = written(tmp_path / f"mail{suffix}", columns)
    with pytest.raises(InputError, match=complaint):
        list(plan([path]))


def test_wrong_values_cost_their_row_by_name(tmp_path: Path) -> None:
    """A single wrong value is a Skip that names it; the rows around it are mails."""
    columns = {
        "raw": [b"a", b"b", None, b"", b"e", b"f"],
        "client_ip": ["192.0.2.7", "somewhere", None, None, "-", "192.0.2.999"],
        "received_at": ["2014-01-06", None, None, None, "yesterday", None],
    }
    path = written(tmp_path / "mail.parquet", columns)
    found = [item.reason if isinstance(item, Skip) else item.raw for item in read_all(path)]
    assert found == [
        b"a",
        "client-ip-malformed",
        "empty",
        "empty",
        "received-at-malformed",
        "client-ip-malformed",
    ]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_bytes_that_are_no_text_cost_nothing(tmp_path: Path, suffix: str, kind: Any) -> None:
    """Text columns with bytes that are not UTF-8, which any sender can cause, lose no row."""
    plain = {
        pa.string(): pa.binary(),
        pa.large_string(): pa.large_binary(),
        pa.string_view(): pa.binary_view(),
    }[kind]
    odd = pa.array([b"Subject: a\n\n\xff", b"Subject: b\n\n"], plain).view(kind)
    recipients = pa.ListArray.from_arrays([0, 1, 2], pa.array([b"\xfe@a", b"b@b"]).view(pa.string()))
    columns = {
        "raw": odd,
        "helo": odd.dictionary_encode() if kind == pa.string() else odd,
        "rcpt_to": recipients,
    }
    path = written(tmp_path / f"mail{suffix}", columns)
    found = [item for item in read_all(path) if isinstance(item, RawMail)]
    assert [item.raw for item in found] == [b"Subject: a\n\n\xff", b"Subject: b\n\n"]
    assert [item.session.rcpt_to for item in found if item.session] == [("\ufffd@a",), ("b@b",)]
    assert found[0].session is not None
    assert found[0].session.helo == "Subject: a\ufffd"


@given(
    st.integers(0, 2000),
    st.binary(min_size=1, max_size=30),
    st.sampled_from([".parquet", ".arrow", ".arrows"]),
)
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_overwritten_tables_never_raise(tmp_path: Path, at: int, noise: bytes, suffix: str) -> None:
    """Bytes overwritten anywhere in a table are an error by name, a Skip or a strange mail, nothing else."""
    path = written(tmp_path / f"mail{suffix}", {"raw": MAILS, "helo": ["x"] * 10})
    content = bytearray(path.read_bytes())
    at = 8 + at % (len(content) - 8)
    content[at : at + len(noise)] = noise
    path.write_bytes(content)
    try:
        read_all(path)
    except InputError as error:
        assert str(path) in str(error)  # noqa: PT017 - most bytes of so small a table are its description


def test_forged_offset_reads_no_foreign_memory(tmp_path: Path) -> None:
    """An offset far outside the column is damage by name; believed, it would end the process."""
    offsets = pa.py_buffer(struct.pack("<4i", 0, 1 << 30, 4, 6))
    forged = pa.Array.from_buffers(pa.binary(), 3, [None, offsets, pa.py_buffer(b"abcdef")])
    path = tmp_path / "mail.arrow"
    schema = pa.schema([("raw", pa.binary())])
    with pa.ipc.new_file(path, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays([forged], schema=schema))
    assert read_all(path) == [Skip(f"{path}@0.0", "damaged-arrow")]


def test_damaged_tables_are_named(tmp_path: Path) -> None:
    """A table without its end is an error that says so; one damaged inside loses that piece by name."""
    path = written(tmp_path / "mail.parquet", {"raw": [b"x" * 1000 + b"%d" % n for n in range(40)]}, 10)
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    with pytest.raises(InputError, match="a damaged parquet file"):
        list(plan([path]))
    path.write_bytes(content[:4] + b"\xff" * 60 + content[64:])
    found = read_all(path)
    assert [item.reason for item in found if isinstance(item, Skip)] == ["damaged-parquet"]
    assert len([item for item in found if isinstance(item, RawMail)]) == 30


def test_huge_row_group_is_read_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row group larger than memory would like comes in batches of bounded size."""
    path = written(tmp_path / "mail.parquet", {"raw": [bytes([65 + n % 20]) * 5000 for n in range(400)]}, 400)
    monkeypatch.setattr(table, "BATCH_BYTES", 20_000)
    sizes = [batch.num_rows for _, _, batch, _ in table._batches(path, "parquet", 0, 1, "")]
    assert sum(sizes) == 400
    assert max(sizes) < 400
    assert len(read_all(path)) == 400
