"""A run that is killed leaves no case, and the next one cleans up after it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stories.cast import Post, at, parcel

COMMAND = Path(sys.executable).with_name("thingwatch")
MAX_SECONDS = 60.0


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    post = Post("killed")
    post.wave("parcel", post.lines.homes(60), at("2014-01-02 08:00"), 20, parcel)
    post.everyday(60, at("2014-01-01"), 3)
    return post.mbox()[0]


def begin(folder: Path, mail: bytes, workers: int) -> tuple[subprocess.Popen[bytes], Path]:
    """Start a run on more mail than it can do at once; give it when its unfinished folder is there."""
    with (folder / "mail.mbox").open("wb") as box:
        for _ in range(150):
            box.write(mail)
    (folder / "settings.toml").write_text(f"workers = {workers}\nload_mb = 1\n")
    command = [COMMAND, "uncover", "mail.mbox", "--out", "case", "--quiet", "--config", "settings.toml"]
    # A session of its own, so that its workers can be counted, and ended if they should outlive it.
    process = subprocess.Popen(command, cwd=folder, start_new_session=True)
    end = time.monotonic() + MAX_SECONDS
    while time.monotonic() < end:
        for partial in folder.glob(".case.partial-*"):
            if any(partial.glob(".work/details-*.parquet")):
                return process, partial
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.01)
    process.kill()
    raise AssertionError("the run never began to write")


def workers_of(session: int) -> list[int]:
    """The processes that still run in *session*."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            state, _, _, its_session = text.rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z":
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_run_leaves_no_case(tmp_path: Path, mail: bytes, workers: int) -> None:
    """kill -9 in the middle leaves no case folder, and the next run succeeds and sweeps what is left."""
    process, partial = begin(tmp_path, mail, workers)
    process.send_signal(signal.SIGKILL)
    assert process.wait(MAX_SECONDS) == -signal.SIGKILL
    try:
        assert not (tmp_path / "case").exists()
        end = time.monotonic() + MAX_SECONDS
        while workers_of(process.pid) and time.monotonic() < end:
            time.sleep(0.05)
        assert workers_of(process.pid) == [], "workers outlive the run"
    finally:
        for pid in workers_of(process.pid):
            os.kill(pid, signal.SIGKILL)
    assert partial.exists(), "nothing was left to sweep"
    (tmp_path / "mail.mbox").write_bytes(mail)
    done = subprocess.run(
        [COMMAND, "uncover", "mail.mbox", "--out", "case", "--quiet"],
        cwd=tmp_path,
        timeout=MAX_SECONDS,
        check=False,
    )
    assert done.returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"mail.mbox", "settings.toml", "case"}


@pytest.mark.parametrize("sent", [signal.SIGINT])
def test_stopped_run_cleans_up_itself(tmp_path: Path, mail: bytes, sent: signal.Signals) -> None:
    """Ctrl-C ends the run with code 130, one line, and nothing left behind."""
    process, _ = begin(tmp_path, mail, 1)
    process.send_signal(sent)
    assert process.wait(MAX_SECONDS) == 130
    assert {path.name for path in tmp_path.iterdir()} == {"mail.mbox", "settings.toml"}


def test_older_case_survives_a_killed_run(tmp_path: Path, mail: bytes) -> None:
    """The case of an earlier run stays whole when the next is killed."""
    (tmp_path / "mail.mbox").write_bytes(mail)
    command = [COMMAND, "uncover", "mail.mbox", "--out", "case", "--quiet"]
    assert subprocess.run(command, cwd=tmp_path, timeout=MAX_SECONDS, check=False).returncode == 0
    before = {path: path.read_bytes() for path in (tmp_path / "case").rglob("*") if path.is_file()}
    process, _ = begin(tmp_path, mail, 1)
    process.send_signal(signal.SIGKILL)
    process.wait(MAX_SECONDS)
    after = {path: path.read_bytes() for path in (tmp_path / "case").rglob("*") if path.is_file()}
    assert after == before
