"""A run that is killed, or finds no room, while it continues a case leaves that case whole."""

from __future__ import annotations

import hashlib
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stories.cast import Post, at, parcel

COMMAND = Path(sys.executable).with_name("thingwatch")
MAX_SECONDS = 60.0


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A folder with a case of one day's mail, and more mail for the next."""
    post = Post("continued and killed")
    post.wave("parcel", post.lines.homes(60), at("2014-01-02 08:00"), 20, parcel)
    post.everyday(60, at("2014-01-01"), 2)
    (tmp_path / "first.mbox").write_bytes(post.mbox()[0])
    post.mails.clear()
    post.wave("parcel", post.lines.homes(60), at("2014-01-03 08:00"), 20, parcel)
    post.everyday(200, at("2014-01-03"), 1)
    (tmp_path / "second.mbox").write_bytes(post.mbox()[0] * 60)
    (tmp_path / "settings.toml").write_text("load_mb = 1\n")
    subprocess.run(command("first.mbox"), cwd=tmp_path, check=True, timeout=MAX_SECONDS)
    return tmp_path / "case"


def command(mail: str, *more: str) -> list[str]:
    return [str(COMMAND), "uncover", mail, "--out", "case", "--quiet", "--config", "settings.toml", *more]


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("stage", [".work/read_details-*.parquet", "state/*"])
def test_killed_run_leaves_the_case_it_continues(case: Path, stage: str) -> None:
    """kill -9 while mail is read, or the state written: the case is as it was, and the next run continues it."""
    before = fingerprint(case)
    process = subprocess.Popen(command("second.mbox", "--continue", "case"), cwd=case.parent)
    end = time.monotonic() + MAX_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if any(any(partial.glob(stage)) for partial in case.parent.glob(".case.partial-*")):
            break
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    if process.wait(MAX_SECONDS) != -signal.SIGKILL:
        pytest.skip("the run was done before it could be killed")
    assert fingerprint(case) == before
    time.sleep(1.5)  # its workers look every second whether it lives
    done = subprocess.run(
        command("second.mbox", "--continue", "case"), cwd=case.parent, check=False, timeout=MAX_SECONDS
    )
    assert done.returncode == 0
    assert not list(case.parent.glob(".case.partial-*"))


def test_no_room_leaves_the_case_it_continues(case: Path) -> None:
    """Where a file cannot grow, the run ends in one sentence and code 3, and the case is as it was."""
    before = fingerprint(case)
    done = subprocess.run(
        command("second.mbox", "--continue", "case"),
        cwd=case.parent,
        capture_output=True,
        text=True,
        timeout=MAX_SECONDS,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)),
    )
    assert done.returncode == 3, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert fingerprint(case) == before
