"""One event, one line, whatever is in it (S4)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingwatch.errors import OutputError
from thingwatch.guard.service.events import MAX_CHARS, EventLog, line_of

NASTY = (
    'x\r\n{"event":"forged"}', "\x00\x1b[2J\x9b31m", "\u202egnp.exe", "\u2028\u2029\x85\x0b\x0c", "\ud800",
    "a" * 10_000,
)  # fmt: skip
PLAIN = st.recursive(
    st.text() | st.integers() | st.floats() | st.none() | st.booleans() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), PLAIN))
def test_an_event_is_one_line_of_printable_ascii(event: dict[str, object]) -> None:
    """Any event: one line, JSON, no control bytes."""
    line = line_of(event, 0.0)
    assert line.endswith(b"\n")
    assert all(32 <= byte < 127 for byte in line[:-1])
    json.loads(line)


@pytest.mark.parametrize("text", NASTY)
def test_nothing_forges_a_line(tmp_path: Path, text: str) -> None:
    """What a sender writes stays within its own value."""
    log = EventLog(tmp_path / "log")
    log.tell({"event": "decision", "queue_id": text, text: [text]})
    log.close()
    lines = (tmp_path / "log").read_bytes().splitlines()
    assert len(lines) == 1
    found = json.loads(lines[0])
    assert found["event"] == "decision"
    assert found["queue_id"].startswith(text[:MAX_CHARS])


def test_a_log_is_opened_again_where_it_was_moved_away(tmp_path: Path) -> None:
    """As logrotate does it: moved, told, and the next line stands in a new file."""
    log = EventLog(tmp_path / "log")
    log.tell({"event": "one"})
    log.reopen()
    (tmp_path / "log").rename(tmp_path / "log.1") if (tmp_path / "log").exists() else None
    log.tell({"event": "two"})
    log.reopen()
    log.tell({"event": "three"})
    log.close()
    told = [json.loads(line)["event"] for line in (tmp_path / "log").read_bytes().splitlines()]
    assert told[-1] == "three"


def test_a_log_that_is_stuck_costs_lines_and_no_time(tmp_path: Path) -> None:
    """Nobody reads the pipe: telling returns at once, and what had no room is counted."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    log = EventLog(pipe)
    for number in range(20_000):
        log.tell({"event": "decision", "number": number})
    assert log.lost > 0
    assert log.told["decision"] == 20_000
    os.close(reader)


def test_a_log_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    """With the file's name, at the start."""
    with pytest.raises(OutputError, match="no/log"):
        EventLog(tmp_path / "no" / "log")


def test_alerts_are_kept(tmp_path: Path) -> None:
    """The last of them, for whoever asks."""
    log = EventLog(tmp_path / "log")
    for number in range(100):
        log.tell({"event": "attack", "alert": True, "number": number})
    log.close()
    assert [one["number"] for one in log.alerts] == list(range(50, 100))
