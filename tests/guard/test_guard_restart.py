"""What the guard remembers outlives it: restart, crash, torn tail, full disk, clock steps."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import Any

import pytest
from guard.inflight import Stand, actions, delivery_of, everyday, fresh
from hypothesis import given, settings
from hypothesis import strategies as st
from stories.cast import DAY, HOUR, Passing, Post, at, parcel

from thingwatch.errors import InputError, OutputError
from thingwatch.guard import Action
from thingwatch.guard.ledger import Entry
from thingwatch.guard.record import Mail, framed, pack, records, unpack
from thingwatch.guard.trace import read_delivery, trace_of

START = at("2014-01-02 08:00")


def two_waves(name: str) -> tuple[list[Passing], list[Passing]]:
    """A past with one wave in it, and the next wave."""
    post = everyday(name, 120, START - DAY, 1.0)
    pool = post.lines.homes(60)
    post.wave("first", pool, START, 10, parcel)
    past = list(post.mails)
    later = Post(name + " later")
    later.wave("second", pool, START + 8 * HOUR, 10, parcel)
    return past, sorted(later.mails, key=lambda mail: mail.received_at)


def summary(stand: Stand) -> Any:
    """Everything a restart must keep."""
    guard = stand.guard
    return (
        guard.campaigns(2),
        guard.state.young.mails,
        guard.state.young.memory.used,
        len(guard.state.policy.good),
    )


def crash(stand: Stand) -> None:
    """Leave everything as kill -9 does; only the lock goes, as it would with the process."""
    journal = stand.guard.journal
    assert journal is not None
    os.close(journal._lock)
    journal._closing.set()


def test_a_clean_restart_keeps_everything(tmp_path: Path) -> None:
    """Closed and opened again, the guard knows the same campaigns and stops the next wave's first mail."""
    past, later = two_waves("clean")
    stand = Stand(tmp_path)
    stand.play(past)
    before = summary(stand)
    stand.guard.close()
    again = Stand(tmp_path, clock=stand.clock)
    assert summary(again) == before
    assert set(actions(again.play(later), "second")) == {Action.QUARANTINE}


def test_a_crash_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    """Killed without a word, the journal gives back every mail that was answered."""
    past, later = two_waves("crash")
    stand = Stand(tmp_path)
    stand.play(past)
    before = summary(stand)
    crash(stand)
    again = Stand(tmp_path, clock=stand.clock)
    assert summary(again) == before
    assert 0 < again.named("restored")[0]["replayed"] <= len(past) + 1  # and the clock
    assert set(actions(again.play(later), "second")) == {Action.QUARANTINE}


def test_a_crash_after_a_snapshot_replays_only_what_came_after(tmp_path: Path) -> None:
    """A forked snapshot and the journal behind it together are the whole memory."""
    past, _ = two_waves("snapshot")
    past = sorted(past, key=lambda mail: mail.received_at)
    stand = Stand(tmp_path, snapshot_mails=100)
    for mail in past:
        stand.decide(mail)
        while stand.guard.journal._child:  # type: ignore[union-attr]
            time.sleep(0.01)
            stand.guard.journal.poll()  # type: ignore[union-attr]
    before = summary(stand)
    crash(stand)
    again = Stand(tmp_path, clock=stand.clock)
    assert summary(again) == before
    assert again.named("restored")[0]["replayed"] < 100


@pytest.mark.parametrize("cut", [1, 7, 100])
def test_a_torn_tail_is_cut_off(tmp_path: Path, cut: int) -> None:
    """A record that a power cut left half is left out, and said."""
    past, _ = two_waves("torn")
    stand = Stand(tmp_path)
    stand.play(past)
    crash(stand)
    journal = max(tmp_path.glob("journal.*"))
    data = journal.read_bytes()
    journal.write_bytes(data[:-cut])
    again = Stand(tmp_path)
    assert again.guard.state.young.mails >= stand.guard.state.young.mails - 1
    assert again.guard.status()["journal"]["torn_bytes"] > 0


def test_closing_waits_for_the_snapshot_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop while a child still writes: its snapshot and the last one stand, and nothing is left half done."""
    past, _ = two_waves("closing")
    stand = Stand(tmp_path)
    journal = stand.guard.journal
    assert journal is not None
    write = journal._write

    def slowly(*given: Any) -> None:
        time.sleep(0.5)
        write(*given)

    monkeypatch.setattr(journal, "_write", slowly)
    stand.play(past[:50])
    assert journal._child
    before = summary(stand)
    stand.guard.close()
    assert (tmp_path / "guard.snapshot").is_file()
    assert not list(tmp_path.glob(".*.part"))
    again = Stand(tmp_path, clock=stand.clock)
    assert summary(again) == before
    assert not again.named("restored"), "the last snapshot holds all"


def test_a_damaged_snapshot_is_never_written_over_in_silence(tmp_path: Path) -> None:
    """It is refused with the way out."""
    past, _ = two_waves("damaged")
    stand = Stand(tmp_path)
    stand.play(past[:50])
    stand.guard.close()
    snapshot = tmp_path / "guard.snapshot"
    snapshot.write_bytes(snapshot.read_bytes()[:5000])
    with pytest.raises(InputError, match="move it away"):
        Stand(tmp_path)


def test_two_guards_do_not_share_a_folder(tmp_path: Path) -> None:
    """The second is told so."""
    stand = Stand(tmp_path)
    with pytest.raises(OutputError, match="another guard"):
        Stand(tmp_path)
    stand.guard.close()


def test_a_full_disk_stops_the_journal_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decisions go on, an alert is given, nothing is said to be saved that is not; with room again, all is."""
    past, later = two_waves("full")
    stand = Stand(tmp_path)
    stand.play(past[: len(past) // 2])
    write = os.write

    def full(file: int, data: bytes) -> int:
        if file == stand.guard.journal._file:  # type: ignore[union-attr]
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data)

    monkeypatch.setattr(os, "write", full)
    seen = stand.play(past[len(past) // 2 :])
    assert actions(seen, "first").count(Action.QUARANTINE) > 10
    assert [event["alert"] for event in stand.named("journal-stopped")] == [True]
    status = stand.guard.status()["journal"]
    assert status["saved"] is False
    assert status["lost"] > 0
    monkeypatch.setattr(os, "write", write)
    journal = stand.guard.journal
    assert journal is not None
    journal._retry_at = 0.0
    assert journal.snapshot(stand.guard._plain, stand.guard.state.young.arrays, wait=True)
    assert stand.guard.status()["journal"]["saved"] is True
    stand.play(later[:5])
    before = summary(stand)
    crash(stand)
    assert summary(Stand(tmp_path, clock=stand.clock)) == before


def test_words_of_people_outlive_a_crash(tmp_path: Path) -> None:
    """A rollback and a mark hold after a restart."""
    past, later = two_waves("words")
    stand = Stand(tmp_path)
    stand.play(past)
    (campaign,) = [row["id"] for row in stand.guard.campaigns() if row["verdict"] == "attack"]
    stand.guard.rollback(campaign)
    crash(stand)
    again = Stand(tmp_path, clock=stand.clock)
    assert set(actions(again.play(later), "second")) == {Action.TAG}


@pytest.mark.parametrize("cut", [5, 14, 40])
def test_a_campaign_without_a_lure_goes_on_after_a_restart(tmp_path: Path, cut: int) -> None:
    """What spoke for a hand before the restart counts behind it: the same campaign as without one."""
    post = everyday("wordless", 300, START - 2 * DAY, 2.0)
    past = list(post.mails)
    wave = Post("wordless wave")
    wave.wave("bots", wave.lines.homes(60), START, 10, fresh)
    mails = sorted(wave.mails, key=lambda mail: mail.received_at)
    whole = Stand()
    whole.play([*past, *mails])
    stand = Stand(tmp_path)
    stand.play([*past, *mails[:cut]])
    stand.guard.close()
    again = Stand(tmp_path, clock=stand.clock)
    again.play(mails[cut:])
    assert summary(again) == summary(whole)
    assert [row["lures"] for row in again.guard.campaigns(20) if row["verdict"] == "attack"] == [0]


def test_a_restart_before_the_first_mail_knows_no_time(tmp_path: Path) -> None:
    """A guard that nobody asked yet has not seen the gateway's clock: after a restart the first mail tells it."""
    past, _ = two_waves("idle")
    idle = Stand(tmp_path)
    idle.guard.close()
    again = Stand(tmp_path, clock=5.0)
    again.play(past)
    assert not again.named("clock-step")
    assert again.guard.status()["clock_steps"] == 0
    assert again.guard.campaigns(20)[0]["first_at"] > START * 1e6 - 1e6


@pytest.mark.parametrize("step", [3600.0, -3600.0])
def test_a_clock_step_opens_and_closes_nothing(step: float) -> None:
    """The gateway's clock is set by an hour in the middle of a wave: same campaigns, same verdict, one alert."""
    past, _ = two_waves("clock")
    plain, stepped = Stand(), Stand()
    plain.play(past)
    for mail in sorted(past, key=lambda mail: mail.received_at):
        stepped.clock = max(stepped.clock, mail.received_at)
        moved = mail.received_at + (step if mail.received_at > START + 300 else 0.0)
        delivery = delivery_of(mail)
        session = delivery.session._replace(received_at=round(moved * 1e6))
        stepped.guard.decide(delivery._replace(session=session))
    keep = ("id", "verdict", "messages", "sources", "lures")
    rows = [[{k: row[k] for k in keep} for row in stand.guard.campaigns()] for stand in (plain, stepped)]
    assert rows[0] == rows[1]
    assert len(stepped.named("clock-step")) == 1


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=20), st.integers(0, 5000))
def test_records_end_at_the_first_that_is_not_whole(payloads: list[bytes], cut: int) -> None:
    """Whatever is cut off, what comes before it is read and nothing else."""
    data = b"".join(framed(b"w", payload) for payload in payloads)
    found = [payload for _, payload, _ in records(data[:cut])]
    assert found == payloads[: len(found)]
    assert len(found) == len(payloads) or cut < len(data)


def test_a_mail_survives_the_journal() -> None:
    """A record gives back the trace and the entry."""
    post = everyday("record", 3)
    trace = trace_of(read_delivery(delivery_of(post.mails[0]), ()), 17)
    mail = Mail(4.5, trace, False, Entry("Q1", "id@x.example", ("a@b.example",), 5, Action.TAG))
    back = unpack(pack(mail)[9:])
    assert back.entry == mail.entry
    assert back.now == mail.now
    assert back.trace.keys.tolist() == trace.keys.tolist()
    assert back.trace._replace(keys=None, kinds=None) == trace._replace(keys=None, kinds=None)  # type: ignore[arg-type]
