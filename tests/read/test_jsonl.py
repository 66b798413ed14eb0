"""Raw mail in JSON lines."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thingwatch.model import RawMail, Session, Skip
from thingwatch.read import jsonl
from thingwatch.read.mailbox import mails_in, plan

NOON = 1_389_009_600_000_000  # 2014-01-06 12:00 UTC


def read_all(path: Path, load_bytes: int = 8 << 20) -> list[RawMail | Skip]:
    return [found for load in plan([path], load_bytes) for found in mails_in(load)]


def lines_of(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@given(
    st.lists(st.binary(min_size=1, max_size=80).map(lambda raw: b"Subject: x\n\n" + raw), min_size=1),
    st.data(),
)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_json_lines_come_back_byte_for_byte(tmp_path: Path, mails: list[bytes], data: st.DataObject) -> None:
    """Text and base64 both give the exact bytes, however finely the file is cut, and compressed too."""
    rows = [
        {"raw_base64": base64.b64encode(raw).decode()}
        if data.draw(st.booleans())
        else {"raw": raw.decode("utf-8", "surrogateescape")}
        for raw in mails
    ]
    path = lines_of(tmp_path / "mail.jsonl", rows)
    for load_bytes in (1, 50, 8 << 20):
        found = read_all(path, load_bytes)
        assert [item.raw for item in found if isinstance(item, RawMail)] == mails
    packed = tmp_path / "mail.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    places = [item.place.rpartition("@")[2] for item in found]
    assert [item.place.rpartition("@")[2] for item in read_all(packed)] == places


def test_json_rows_carry_a_session(tmp_path: Path) -> None:
    """Columns beside the mail work as in a jsonl."""
    row = {
        "raw": "Subject: x\n\n",
        "received_at": NOON,
        "client_ip": "192.0.2.7",
        "rcpt_to": "a@b.example, c@d.example",
    }
    path = lines_of(tmp_path / "mail.jsonl", [row])
    session = Session(NOON, "192.0.2.7", rcpt_to=("a@b.example", "c@d.example"))
    assert read_all(path) == [RawMail(b"Subject: x\n\n", f"{path}@0", session)]


def test_bad_lines_are_skips_at_their_offset(tmp_path: Path) -> None:
    """Each line that is no mail is named where it stands; empty lines are nothing."""
    bad = [
        (b'{"raw": "Subject: x\\n\\n"}', None),
        (b"", None),
        (b"{not json", "json-malformed"),
        (b"[" * 100_000, "json-malformed"),
        (b'["raw"]', "json-malformed"),
        (b"9" * 5000, "json-malformed"),
        (b'{"raw": null}', "empty"),
        (b'{"subject": "x"}', "empty"),
        (b'{"raw": 7}', "raw-malformed"),
        (b'{"raw_base64": "%%"}', "raw-malformed"),
        (b'{"raw": "x", "client_ip": {"a": 1}}', "client-ip-malformed"),
        (b'{"raw": "x", "rcpt_to": 7}', "rcpt-to-malformed"),
        (b'{"raw": "x", "rcpt_to": [7]}', "rcpt-to-malformed"),
        (b'{"raw": "x", "received_at": 1e400}', "received-at-malformed"),
        (b'{"raw": "x", "received_at": NaN}', "received-at-malformed"),
        (b'{"raw": "x", "received_at": [1]}', "received-at-malformed"),
    ]
    path = tmp_path / "mail.jsonl"
    path.write_bytes(b"\n".join(line for line, _ in bad))
    found = read_all(path)
    assert [item.reason for item in found if isinstance(item, Skip)] == [
        reason for _, reason in bad if reason
    ]
    assert found[1] == Skip(f"{path}@{len(bad[0][0]) + 2}", "json-malformed")


def test_overlong_line_is_named_and_the_next_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line beyond the bound costs no memory and hides no other line."""
    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", 100)
    blocks = [b'{"raw": "', b"x" * 90, b"y" * 90, b'"}\n{"raw"', b': "z"}\n']
    assert list(jsonl.json_rows(blocks, 0, "m")) == [Skip("m@0", "line-too-long"), RawMail(b"z", "m@192")]


@given(st.binary(max_size=200))
def test_any_line_is_a_mail_or_a_skip(line: bytes) -> None:
    """No line raises, and each line with something in it gives exactly one answer."""
    for content in (line, b'{"raw": "a", "received_at": "' + line + b'"}', b'{"raw":' + line + b"}"):
        expected = sum(1 for piece in content.split(b"\n") if piece.strip())
        assert len(list(jsonl.json_rows([content], 0, "m"))) == expected
