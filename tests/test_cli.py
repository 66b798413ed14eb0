"""What people and scripts meet: exit codes, what is printed where, and no surprises in either."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from stories.cast import Post, at, parcel

COMMAND = Path(sys.executable).with_name("thingwatch")


@pytest.fixture(scope="module")
def mbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small mailbox with one attack in it, and a subject that tries to colour the terminal."""
    post = Post("command line")
    post.wave(
        "parcel",
        post.lines.homes(40),
        at("2014-01-02 08:00"),
        20,
        lambda dice: parcel(dice)._replace(subject="\x1b[31mred\x1b[0m parcel for you"),
    )
    post.everyday(60, at("2014-01-01"), 3)
    path = tmp_path_factory.mktemp("cli") / "mail.mbox"
    path.write_bytes(post.mbox()[0])
    return path


def run(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "COLUMNS")
    }
    return subprocess.run(
        [COMMAND, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )


def test_a_run_ends_in_zero_and_a_summary(mbox: Path, tmp_path: Path) -> None:
    """Found or not, a run that could read everything ends in 0, and says where the report lies."""
    done = run("uncover", mbox, "--out", "case", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "attack campaign" in done.stdout
    assert "case/report.html" in done.stdout
    assert (tmp_path / "case" / "report.html").is_file()


def test_piped_output_has_no_escape_codes(mbox: Path, tmp_path: Path) -> None:
    """A pipe gets text: no colours of ours, no progress bars, and no escape codes out of a mail's subject."""
    done = run("uncover", mbox, "--out", "case", cwd=tmp_path)
    for text in (done.stdout, done.stderr):
        assert [sign for sign in text if ord(sign) < 32 and sign != "\n"] == []


def test_json_is_the_report_and_nothing_else(mbox: Path, tmp_path: Path) -> None:
    """--json prints report.json on standard output, ready for the next program."""
    done = run("uncover", mbox, "--out", "case", "--json", cwd=tmp_path)
    assert done.returncode == 0
    printed = json.loads(done.stdout)
    written = json.loads((tmp_path / "case" / "report.json").read_text("utf-8"))
    assert printed["campaigns"] == written["campaigns"]
    assert printed["totals"] == written["totals"]


def test_quiet_says_nothing(mbox: Path, tmp_path: Path) -> None:
    """--quiet prints nothing when nothing went wrong, and still writes the case."""
    done = run("uncover", mbox, "--out", "case", "--quiet", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "case" / "report.json").is_file()


def refused(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line a refusal prints; never a traceback, never anything on standard output."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if "no reference data" not in line]
    lines = [line for line in lines if "no table of networks" not in line]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("thingwatch: ")
    return lines[0]


def test_unreadable_input_ends_in_three(tmp_path: Path) -> None:
    """A file that is not there is named, with code 3, and no case is begun."""
    assert "nowhere.mbox" in refused(run("uncover", "nowhere.mbox", cwd=tmp_path), 3)
    assert list(tmp_path.iterdir()) == []


def test_folder_without_mail_ends_in_three(tmp_path: Path) -> None:
    """A folder without mail is said to be one."""
    (tmp_path / "empty").mkdir()
    assert "empty" in refused(run("uncover", "empty", "--out", "case", cwd=tmp_path), 3)
    assert not (tmp_path / "case").exists()


def test_partial_input_ends_in_four(mbox: Path, tmp_path: Path) -> None:
    """Input that had to be skipped in part gives a whole case and code 4."""
    (tmp_path / "broken.tar.gz").write_bytes(b"\x1f\x8b\x08\x00broken")
    done = run("uncover", mbox, "broken.tar.gz", "--out", "case", "--json", cwd=tmp_path)
    assert done.returncode == 4, done.stderr
    assert json.loads(done.stdout)["totals"]["skipped"] > 0
    assert (tmp_path / "case" / "report.html").is_file()


@pytest.mark.parametrize(
    "arguments",
    [
        ("uncover",),
        ("uncover", "mail.mbox", "--no-such-option"),
        ("no-such-command",),
        ("uncover", "mail.mbox", "--engine", "abacus"),
        ("uncover", "mail.mbox", "--border", "not a host"),
        ("uncover", "mail.mbox", "--config", "bad.toml"),
    ],
)
def test_wrong_usage_ends_in_two(arguments: tuple[str, ...], mbox: Path, tmp_path: Path) -> None:
    """What cannot be meant is refused with code 2, by a message and not a traceback, before anything is written."""
    (tmp_path / "mail.mbox").write_bytes(mbox.read_bytes())
    (tmp_path / "bad.toml").write_text("quiet_minutes = -3\n")
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"mail.mbox", "bad.toml"}


def test_a_setting_out_of_range_says_its_cure(mbox: Path, tmp_path: Path) -> None:
    """A bad setting is named with its value and what to do."""
    (tmp_path / "bad.toml").write_text("quiet_minutes = -3\n")
    line = refused(run("uncover", mbox, "--config", "bad.toml", cwd=tmp_path), 2)
    assert "quiet_minutes = -3" in line
    assert "remove the line" in line


def test_a_folder_of_others_is_refused(mbox: Path, tmp_path: Path) -> None:
    """--out never replaces a folder that is not a case."""
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("precious")
    assert "thesis" in refused(run("uncover", mbox, "--out", "thesis", cwd=tmp_path), 3)
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.txt"]


def test_an_unwritable_place_is_refused(mbox: Path, tmp_path: Path) -> None:
    """--out below a folder that is not there, or below a file, is refused with its cure."""
    (tmp_path / "file").write_text("")
    for out, cure in (
        ("missing/case", "make it first"),
        ("file/case", "make it first"),
        ("file", "another --out"),
    ):
        assert cure in refused(run("uncover", mbox, "--out", out, cwd=tmp_path), 3)
    assert {path.name for path in tmp_path.iterdir()} == {"file"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission_is_said(mbox: Path, tmp_path: Path) -> None:
    """A folder one may not write to is said to be one."""
    (tmp_path / "closed").mkdir(mode=0o500)
    assert "permission" in refused(run("uncover", mbox, "--out", "closed/case", cwd=tmp_path), 3)


def test_a_case_is_replaced_by_the_next(mbox: Path, tmp_path: Path) -> None:
    """The same --out twice gives the newer case, whole."""
    for _ in range(2):
        assert run("uncover", mbox, "--out", "case", "--quiet", cwd=tmp_path).returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"case"}


def test_a_blocklist_with_an_error_is_refused(mbox: Path, tmp_path: Path) -> None:
    """A line that is no address is named."""
    (tmp_path / "list.txt").write_text("# ours\n198.18.0.0/16 ; all\nnonsense\n")
    assert "nonsense" in refused(run("uncover", mbox, "--blocklist", "list.txt", cwd=tmp_path), 3)


def test_version(tmp_path: Path) -> None:
    """--version prints one line."""
    done = run("--version", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("thingwatch ")
    assert done.stdout.count("\n") == 1


def test_a_reader_that_goes_away_is_no_error(mbox: Path, tmp_path: Path) -> None:
    """``thingwatch ... --json | head -c 1`` ends without a traceback."""
    line = f"{COMMAND} uncover {mbox} --out case --json | head -c 1"
    done = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "{"
    assert "Traceback" not in done.stderr
