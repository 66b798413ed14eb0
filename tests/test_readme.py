"""The README's commands run, and its output is what they print."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
THINGWATCH = str(Path(sys.executable).with_name("thingwatch"))
SCALE = "0.004"  # 6,000 mails: the smallest at which all that the README shows is there
MAX_LINES = 64  # one screen, a large one


def run(*command: str, folder: Path) -> str:
    """What *command* prints on a terminal 80 columns wide."""
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "80", "TERM": "dumb"},
    )
    assert done.returncode == 0, f"{shlex.join(command)}: {done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """What the lines of `make demo` leave and print, at a tiny scale, with the README's own command for uncover."""
    folder = tmp_path_factory.mktemp("readme")
    run(THINGWATCH, "replay", "--scale", SCALE, "--seed", "1", "--out", "replay", "--quiet", folder=folder)
    (folder / "inbox.mbox").symlink_to(folder / "replay" / "mail.mbox")
    (folder / "evidence").symlink_to(folder / "replay" / "evidence")
    printed = run(THINGWATCH, *commands()[0][1:], folder=folder)
    printed += run(THINGWATCH, "score", "case", "replay", folder=folder)
    return folder, printed


def commands() -> list[list[str]]:
    """The README's calls of thingwatch."""
    found = [
        shlex.split(line) for line in README.splitlines() if line.startswith("    .venv/bin/thingwatch ")
    ]
    assert len(found) >= 3
    return found


def shape(text: str) -> str:
    """*text* without its numbers, days and runs of blanks: lines may break elsewhere at another size."""
    text = re.sub(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b", "DAY", text)
    text = re.sub(r"\b(?:Jan|Dec)\b", "MONTH", text)
    text = re.sub(r"[+-]?\d[\d,.:-]*\d|[+-]?\d", "#", text)
    return re.sub(r"\s+", " ", re.sub(r" \[#, #\]", "", text)).strip()


def test_the_output_shown_is_the_output_made(demo: tuple[Path, str]) -> None:
    """Each line shown stands in what the commands print, but for numbers and days."""
    shown = re.search(r"```text\n(.*?)```", README, re.S)
    assert shown is not None
    printed = shape(demo[1])
    lines = [line for line in shown[1].splitlines() if line.strip() != "..."]
    assert len(lines) > 10
    assert [line for line in lines if shape(line) not in printed] == []


def test_every_command_shown_runs(demo: tuple[Path, str]) -> None:
    """The README's calls are accepted as written: their options exist, and JSON comes out where it says so."""
    folder, _ = demo
    (folder / "Maildir" / "new").mkdir(parents=True)
    (folder / "Maildir" / "cur").mkdir()
    (folder / "Maildir" / "new" / "1.host").write_bytes(
        b"Received: from a (b [192.0.2.1]) by mx1.example.org\n\nhello\n"
    )
    run("tar", "cJf", "archive.tar.xz", "Maildir", folder=folder)
    (folder / "inbox.mbox").unlink()
    (folder / "inbox.mbox").write_bytes(
        b"From a@example.org Mon Dec 23 06:00:00 2013\nSubject: x\n\nhello\n\n"
    )
    (folder / "scan.xml").write_bytes((ROOT / "tests" / "audit" / "home.xml").read_bytes())
    for command in commands()[1:]:
        printed = run(THINGWATCH, *command[1:], folder=folder)
        assert ("--json" in command) == printed.startswith("{")
        assert ("audit" in command) == ("urgent" in printed)
        assert (folder / "case" / "report.html").is_file()


def test_the_readme_fits_a_screen() -> None:
    """Who comes here decides on one screen whether to stay."""
    assert len(README.splitlines()) <= MAX_LINES
    assert "make demo" in README
    assert "make test" in README


def test_the_guards_commands_exist() -> None:
    """Every command of the guard that the README names, and the options it is shown with."""
    shown = set(re.findall(r"thingwatch (guard [a-z]+|mark)\b", " ".join(README.split())))
    assert {"guard run", "guard top", "guard delivered", "guard rollback", "mark"} <= shown
    reference = (ROOT / "docs" / "commands.md").read_text("utf-8")
    assert {name for name in shown if f"\n## {name}\n" not in reference} == set()
    (started,) = re.findall(r"^    thingwatch guard run (.*)$", README, re.MULTILINE)
    section = reference.partition("\n## guard run\n")[2].partition("\n## ")[0]
    assert all(f"`{option}`" in section for option in re.findall(r"--[a-z]+", started))
