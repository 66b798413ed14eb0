"""A disk that fills up ends the run with a clear sentence and code 3, and leaves nothing half written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stories.cast import Post, at, parcel

COMMAND = Path(sys.executable).with_name("thingwatch")


@pytest.fixture(scope="module")
def mbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Mail whose working files need more than a megabyte."""
    post = Post("full")
    post.wave("parcel", post.lines.homes(400), at("2014-01-02 08:00"), 20, parcel)
    post.everyday(800, at("2014-01-01"), 3)
    path = tmp_path_factory.mktemp("full") / "mail.mbox"
    path.write_bytes(post.mbox()[0] * 4)
    return path


def refused(mbox: Path, out: Path, before: Callable[[], None] | None = None) -> str:
    """Run uncover where there is no room, and give the sentence it ends in."""
    done = subprocess.run(
        [COMMAND, "uncover", str(mbox), "--out", str(out), "--quiet"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=before,
    )
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1
    return lines[0]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_full_disk(mbox: Path, small_disk: Path) -> None:
    """Out of space: the sentence names the disk and the cure, and the disk is as empty as before."""
    assert "disk" in refused(mbox, small_disk / "case")
    assert list(small_disk.iterdir()) == []


def test_full_disk_keeps_the_older_case(mbox: Path, small_disk: Path, tmp_path: Path) -> None:
    """The case of an earlier run survives the run that found no room."""
    small = tmp_path / "small.mbox"
    small.write_bytes(mbox.read_bytes()[:20000])
    done = subprocess.run(
        [COMMAND, "uncover", str(small), "--out", str(small_disk / "case"), "--quiet"], check=False
    )
    assert done.returncode == 0
    before = {path: path.read_bytes() for path in (small_disk / "case").rglob("*") if path.is_file()}
    refused(mbox, small_disk / "case")
    after = {path: path.read_bytes() for path in (small_disk / "case").rglob("*") if path.is_file()}
    assert after == before
    assert [path.name for path in small_disk.iterdir()] == ["case"]


def test_file_size_limit(mbox: Path, tmp_path: Path) -> None:
    """A limit on the size of files, as shared hosts set, ends the same way."""
    import resource

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    refused(mbox, tmp_path / "case", limit)
    assert list(tmp_path.iterdir()) == []
