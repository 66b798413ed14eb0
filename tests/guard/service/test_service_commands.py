"""The commands: of a daemon that runs, and of the folder of one that does not."""

from __future__ import annotations

import json
import mailbox
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from guard.service.botwave import client_ip, mail_of
from guard.service.running import ARMED, Running
from rich.console import Console
from typer.testing import CliRunner, Result

from thingwatch.cli import app
from thingwatch.errors import InputError, UsageError
from thingwatch.guard.commands import _queue_ids, release_commands
from thingwatch.guard.service.runs import Runs
from thingwatch.guard.service.top import ago, screen


def said(*words: str) -> Result:
    """What the command prints."""
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One daemon that has met a campaign."""
    with Running(tmp_path_factory.mktemp("daemon"), ARMED) as running:
        for number in range(30):
            running.check(
                mail_of(number),
                client_ip=client_ip(number),
                rcpt_to=f"u{number}@border.test",
                queue_id=f"4Q{number}",
            )
        yield running


def test_status_says_how_it_is(daemon: Running) -> None:
    """For people and for programs."""
    found = said("guard", "status", "--state", str(daemon.state))
    campaign = daemon.campaigns()[0]["id"]
    assert "30 mails" in found.output
    assert campaign in found.output
    plain = json.loads(said("guard", "status", "--json", "--state", str(daemon.state)).output)
    assert plain["guard"]["counts"]["mails"] == 30
    assert plain["campaigns"][0]["id"] == campaign


def test_a_campaign_is_marked_listed_and_rolled_back(daemon: Running) -> None:
    """The whole way of a person who finds a mistake: mark, list, roll back, release."""
    campaign = daemon.campaigns()[0]["id"]
    state = ("--state", str(daemon.state))
    assert "marked attack" in said("mark", campaign, "attack", *state).output
    held = daemon.check(mail_of(99), client_ip=client_ip(99), rcpt_to="v@border.test", queue_id="4XHELD99")
    assert held["action"] == "quarantine"
    listed = said("guard", "delivered", campaign, *state).output
    assert "delivered: 30" in listed
    assert "u7@border.test" in listed
    assert "4XHELD99" in listed
    back = said("guard", "rollback", campaign, *state).output
    assert "postsuper -H 4XHELD99\n" in back
    plain = json.loads(said("guard", "delivered", campaign, "--json", *state).output)
    assert len(plain["delivered"]) == 31
    assert plain["held"] == []


def test_wrong_words_are_refused(daemon: Running) -> None:
    """With the words that are right."""
    for words in (
        ("mark", "c-none", "attack"),
        ("mark", daemon.campaigns()[0]["id"], "evil"),
        ("guard", "rollback", "x"),
    ):
        with pytest.raises(UsageError):
            said(*words, "--state", str(daemon.state))


def test_release_runs_only_postsuper_and_only_when_asked(
    daemon: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Queue ids go to postsuper -H, nothing is ever deleted, and odd ids never reach a command line."""
    fake = tmp_path / "postsuper"
    fake.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/ran\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    campaign = daemon.campaigns()[0]["id"]
    said("mark", campaign, "attack", "--state", str(daemon.state))
    for queue_id in ("4XA", "-d ALL", "4XB;id", "4XC"):
        daemon.check(
            mail_of(7), client_ip=client_ip(7), queue_id=queue_id, rcpt_to=f"{queue_id[:3]}@border.test"
        )
    said("guard", "rollback", campaign, "--release", "--state", str(daemon.state))
    assert (tmp_path / "ran").read_text() == "-H 4XA -H 4XC\n"


def test_release_commands_are_bounded() -> None:
    """A thousand ids: several calls, each id once."""
    ids = _queue_ids([{"queue_id": f"4X{n}"} for n in range(1_000)] * 2)
    commands = release_commands(ids)
    assert [len(command) for command in commands] == [401] * 5
    assert sorted(word for command in commands for word in command[2::2]) == sorted(ids)


def test_on_a_folder_without_a_daemon(tmp_path: Path) -> None:
    """Read it, change it, and the next daemon holds to that; one that is running is never read behind its back."""
    daemon = Running(tmp_path, ARMED)
    state = ("--state", str(daemon.state), "--config", str(daemon.config))
    with daemon:
        for number in range(12):
            daemon.check(mail_of(number), client_ip=client_ip(number))
        daemon.kill()
        assert "no guard runs" in said("guard", "status", *state).output
        campaign = json.loads(said("guard", "campaigns", "--json", *state).output)[0]["id"]
        assert "marked" in said("mark", campaign, "attack", *state).output
        daemon.start()
        assert daemon.campaigns()[0]["mark"] == "attack"
        assert daemon.campaigns()[0]["messages"] == 12


def test_a_folder_of_other_sizes_is_not_written_over(tmp_path: Path) -> None:
    """Opened with another max_messages its memory would be lost: that is refused."""
    daemon = Running(tmp_path, ARMED + "max_messages = 5000\n")
    with daemon:
        for number in range(12):
            daemon.check(mail_of(number), client_ip=client_ip(number))
        daemon.stop()
        with pytest.raises(InputError, match="max_messages"):
            said("mark", "y-2", "attack", "--state", str(daemon.state))
        daemon.start()
        assert daemon.campaigns()[0]["messages"] == 12


def test_there_must_be_a_folder(tmp_path: Path) -> None:
    """Neither a daemon nor a folder: said, with the cure."""
    with pytest.raises(InputError, match="--state"):
        said("guard", "status", "--state", str(tmp_path / "none"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="guard run"):
        said("guard", "top", "--state", str(tmp_path / "empty"))


def test_mails_of_a_gap_are_listed_with_their_campaign(tmp_path: Path) -> None:
    """Killed, mail passes, started again: the gap is named, its mails are found, labelled, and the gap closed (R3)."""
    daemon = Running(tmp_path, ARMED)
    state = ("--state", str(daemon.state))
    with daemon:
        for number in range(20):
            daemon.check(mail_of(number), client_ip=client_ip(number), rcpt_to=f"u{number}@border.test")
        campaign = daemon.campaigns()[0]["id"]
        said("mark", campaign, "attack", *state)
        time.sleep(1.2)
        daemon.kill()
        time.sleep(1.2)
        passed_at = datetime.now(UTC)
        time.sleep(0.2)
        daemon.start()
        gaps = daemon.status()["gaps"]
        assert [gap["how"] for gap in gaps] == ["killed"]
        assert gaps[0]["since"] - 1 <= passed_at.timestamp() <= gaps[0]["until"]
        inbox = mailbox.mbox(tmp_path / "inbox.mbox")
        for number in range(40):
            # Twenty of before the gap, twenty of within it.
            at = passed_at if number >= 20 else datetime.fromtimestamp(passed_at.timestamp() - 3600, UTC)
            line = (
                f"Received: from bot (dsl-{number}.example [{client_ip(number)}])\r\n\tby mx.border.test (Postfix)"
                f" with ESMTP id 4X{number}\r\n\tfor <u{number}@border.test>; {format_datetime(at)}\r\n"
            )
            inbox.add(line.encode() + mail_of(number))
        inbox.flush()
        began = time.monotonic()
        found = json.loads(
            said(
                "guard",
                "rescan",
                str(tmp_path / "inbox.mbox"),
                "--border",
                "mx.border.test",
                "--json",
                *state,
            ).stdout
        )
        took = time.monotonic() - began
        listed = json.loads(said("guard", "delivered", campaign, "--json", *state).output)
        assert daemon.status()["gaps"] == []
        assert "no gap is open" in said("guard", "rescan", str(tmp_path / "inbox.mbox"), *state).stderr
    print(f"rescan: {found['counts']} in {took:.2f} s")
    assert found["counts"]["in a gap"] == 20
    assert found["counts"]["of an attack"] == 20
    assert {row["campaign"] for row in found["mails"]} == {campaign}
    assert {row["label"] for row in found["mails"]} == {"passed unseen"}
    unseen = [row for row in listed["delivered"] if row["passed_unseen"]]
    assert sorted(row["message_id"] for row in unseen) == sorted(
        f"1.{n}@sender.example" for n in range(20, 40)
    )


def test_gaps_are_remembered(tmp_path: Path) -> None:
    """A run, a death, a run: one gap, from the last sign of life to the next start; a damaged file is no stop."""
    first = Runs(tmp_path)
    assert first.began(1000.0, {"pid": 1}) is None
    os.utime(tmp_path / "service.json", (1010.0, 1010.0))
    second = Runs(tmp_path)
    gap = second.began(1070.0, {"pid": 2})
    assert gap is not None
    assert (gap.since, gap.until, gap.how) == (1010.0, 1070.0, "killed")
    assert gap.holds(1040.0)
    assert not gap.holds(1005.0)
    (tmp_path / "gaps.json").write_text("{")
    assert Runs(tmp_path).gaps == []


HOSTILE = "[bold]x[/foo]\x1b[2J\x9b31m\u202e\r\nforged"


def test_nothing_from_mail_steers_the_terminal(daemon: Running) -> None:
    """Escapes, markup and line ends in any value of status and campaigns stay text (S5)."""
    status: Any = daemon.status()
    status["alerts"] = [{"at": 0, "event": HOSTILE, "why": HOSTILE}]
    status["guard"]["policy"][f"did {HOSTILE}"] = 3
    status["gaps"] = [{"since": 0.0, "until": 9.0, "how": HOSTILE}]
    campaigns = daemon.campaigns()
    for name, value in campaigns[0].items():
        if isinstance(value, str):
            campaigns[0][name] = HOSTILE
    campaigns[0]["reasons"] = [HOSTILE]
    console = Console(
        width=200, markup=False, highlight=False, force_terminal=True, color_system=None, record=True
    )
    with console.capture() as captured:
        console.print(screen(status, campaigns, status))
    text = captured.get()
    assert not [
        char
        for char in text
        if (ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160 or char == "\u202e"
    ]
    assert not [line for line in text.splitlines() if line.startswith("forged")]
    assert "[/foo]" in text


@pytest.mark.parametrize(
    ("seconds", "words"), [(3, "3 s"), (150, "2 m"), (7200, "2 h"), (259200, "3 d"), (-5, "0 s")]
)
def test_times_are_told_in_a_person_s_unit(seconds: float, words: str) -> None:
    """Seconds, minutes, hours, days."""
    assert ago(seconds) == words
