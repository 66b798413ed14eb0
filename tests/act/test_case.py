"""The case folder: whole or not at all, whatever happens on the way."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from thingwatch.act import case
from thingwatch.act.case import MARK, write_case
from thingwatch.errors import OutputError


def writer(text: str) -> Callable[[Path], None]:
    """Return a function that writes a small case."""

    def write(folder: Path) -> None:
        (folder / "report.json").write_text(text)
        (folder / "campaigns").mkdir()
        (folder / "campaigns" / "c-1.html").write_text(text)

    return write


def inside(folder: Path) -> list[str]:
    """Return all names below *folder*."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_new_case(tmp_path: Path) -> None:
    """A case appears whole, marked as ours, and nothing else is left."""
    write_case(tmp_path / "case", writer("one"))
    assert inside(tmp_path) == [
        "case",
        f"case/{MARK}",
        "case/campaigns",
        "case/campaigns/c-1.html",
        "case/report.json",
    ]


def test_older_case_is_replaced(tmp_path: Path) -> None:
    """A second run replaces the first entirely: no file of the older one survives."""
    write_case(tmp_path / "case", writer("one"))
    (tmp_path / "case" / "stale.parquet").write_text("old")
    write_case(tmp_path / "case", writer("two"))
    assert (tmp_path / "case" / "report.json").read_text() == "two"
    assert not (tmp_path / "case" / "stale.parquet").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["case"]


def test_empty_folder_is_taken(tmp_path: Path) -> None:
    """An empty folder made beforehand is fine."""
    (tmp_path / "case").mkdir()
    write_case(tmp_path / "case", writer("one"))
    assert (tmp_path / "case" / "report.json").exists()


@pytest.mark.parametrize(
    ("name", "words"), [("full", "not a case"), ("file", "is a file"), ("no/case", "make it first")]
)
def test_refused(name: str, words: str, tmp_path: Path) -> None:
    """What is not ours is never touched, and the message says what to do."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("x")
    before = inside(tmp_path)
    with pytest.raises(OutputError, match=words) as caught:
        write_case(tmp_path / name, writer("one"))
    assert str(tmp_path / name) in str(caught.value)
    assert inside(tmp_path) == before


@pytest.mark.parametrize(
    ("number", "cure"),
    [(errno.ENOSPC, "free some space"), (errno.EACCES, "no permission"), (errno.EIO, "another --out")],
)
def test_disk_says_no(number: int, cure: str, tmp_path: Path) -> None:
    """A full disk or a missing permission leaves the older case as it was, and nothing half written."""
    write_case(tmp_path / "case", writer("one"))
    before = inside(tmp_path)

    def write(folder: Path) -> None:
        (folder / "report.json").write_text("half")
        raise OSError(number, os.strerror(number))

    with pytest.raises(OutputError, match=cure):
        write_case(tmp_path / "case", write)
    assert inside(tmp_path) == before
    assert (tmp_path / "case" / "report.json").read_text() == "one"


def test_other_errors_travel(tmp_path: Path) -> None:
    """An error that is not the disk's travels on unchanged; nothing stays behind."""

    def write(folder: Path) -> None:
        (folder / "report.json").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_case(tmp_path / "case", write)
    assert not inside(tmp_path)


def test_last_step_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the new case cannot take its place, the older one is put back."""
    write_case(tmp_path / "case", writer("one"))
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if ".partial-" in self.name:
            raise OSError(errno.EIO, "no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OutputError):
        write_case(tmp_path / "case", writer("two"))
    assert (tmp_path / "case" / "report.json").read_text() == "one"
    assert [p.name for p in tmp_path.iterdir()] == ["case"]


def test_killed_run_is_swept(tmp_path: Path) -> None:
    """A run killed half-way leaves no case; the next run removes what it left."""
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from thingwatch.act.case import write_case\n"
        "def write(folder):\n (folder / 'report.json').write_text('half')\n"
        " os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_case(Path(sys.argv[1]), write)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "case")], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "case").exists()
    assert len(list(tmp_path.glob(".case.partial-*"))) == 1
    write_case(tmp_path / "case", writer("two"))
    assert [p.name for p in tmp_path.iterdir()] == ["case"]


def test_killed_between_renames(tmp_path: Path) -> None:
    """Killed after the older case was put aside, the next run that fails still finds it back in place."""
    write_case(tmp_path / "case", writer("one"))
    (tmp_path / "case").rename(tmp_path / ".case.aside-0123abcd")

    def write(folder: Path) -> None:
        raise OSError(errno.ENOSPC, "full")

    with pytest.raises(OutputError):
        write_case(tmp_path / "case", write)
    assert (tmp_path / "case" / "report.json").read_text() == "one"
    assert [p.name for p in tmp_path.iterdir()] == ["case"]


def test_sweeping_is_careful(tmp_path: Path) -> None:
    """Folders that only resemble a leftover, and those a living run still fills, are left alone."""
    strangers = [".case.partial-mine", ".case.partial-0123abcd", ".other.partial-0123abcd"]
    for name in strangers:
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").write_text("mine")

    def write(folder: Path) -> None:
        write_case(tmp_path / "case", writer("inner"))
        assert folder.is_dir()
        (folder / "report.json").write_text("outer")

    write_case(tmp_path / "case", write)
    assert (tmp_path / "case" / "report.json").read_text() == "outer"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*strangers, "case"])


def test_all_is_forced_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file and folder is synced before the case takes its name, and the parent after."""
    synced: list[str] = []
    monkeypatch.setattr(case, "_sync", lambda path: synced.append(path.name))
    write_case(tmp_path / "case", writer("one"))
    assert {"report.json", "c-1.html", "campaigns", MARK} <= set(synced[:-1])
    assert synced[-1] == tmp_path.name
