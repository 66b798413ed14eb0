"""The summary: told in a minute, at any width, and never steered by what a mail says."""

from __future__ import annotations

import io
import unicodedata

import pytest
from reports import ODD, hostile, one
from rich.cells import cell_len
from rich.console import Console

from thingwatch.act.terminal import summary


def told(name: str, width: int, *, colour: bool = False) -> str:
    """Return what the summary of the odd report *name* prints."""
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=colour, color_system="standard" if colour else None
    )
    summary(ODD[name](), console)
    return out.getvalue()


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("name", ODD)
def test_fits(name: str, width: int) -> None:
    """Every odd report is told within 40, 80 and 200 columns, in plain text, without blanks at line ends."""
    text = told(name, width)
    assert text
    for line in text.split("\n"):
        assert cell_len(line) <= width
        assert not {unicodedata.category(c) for c in line} & {"Cc", "Cf", "Cs", "Co"}


def test_says_what_matters() -> None:
    """Headline, attack, waves, cap, defences and the next place to look are all there."""
    text = " ".join(told("one", 100).split())
    for words in (
        "One attack campaign",
        "c-00000001",
        "8 waves",
        "No address sent more than ten",
        "What ordinary defences would have caught",
        "per-address limit, 10 an hour",
        "Who sent it: estimated. Things sent about 27 %",
        "27 % [24, 31] all evidence weighed",
        "53 % wrong",
        "PC behind a router",
        "Router or modem 4,871",
        "report.html",
        "214 pieces of input skipped",
    ):
        assert words in text


def test_not_knowing_is_told() -> None:
    """Where the share of things cannot be told, no figure for it stands in the summary."""
    assert "Share of things: not assessed." in " ".join(told("told not assessed", 100).split())
    text = told("told cannot tell", 100)
    assert "best estimate       cannot tell" in text
    assert "PC behind a router" not in text


def test_poisoned_evidence_is_named() -> None:
    """A file of evidence that is not to be trusted is named with the reason."""
    text = " ".join(told("poisoned", 100).split())
    assert "Evidence in doubt: scans/http-2013-12.csv.gz: 10,000 rows speak of one address" in text


def test_columns_of_senders_line_up() -> None:
    """Values of the readings end at one column, so that they can be compared."""
    lines = told("told estimated", 100).split("\n")
    first = next(i for i, line in enumerate(lines) if "best estimate" in line)
    ends = {
        lines[first + i].index(value) + len(value) for i, value in enumerate(("[24, 31]", "61 %", "[16, 22]"))
    }
    assert len(ends) == 1


def test_one_screen_a_minute() -> None:
    """The summary of any report is at most seventy lines on a common terminal."""
    for name in ODD:
        if name != "hostile":
            assert told(name, 100).count("\n") <= 70


def test_failed_check_first() -> None:
    """A contradiction is told instead of the profile."""
    text = told("failed", 80)
    assert text.startswith("A self-check failed")
    assert "750,000 messages are more than 9 sources of 10" in text
    assert "8 waves" not in text


def test_colour_only_on_a_terminal() -> None:
    """Colour codes appear on a terminal and only there; with them removed the words are the same."""
    coloured = told("one", 100, colour=True)
    assert "\x1b[1m" in coloured
    assert "\x1b" not in told("one", 100)


def test_terminal_sees_only_our_codes() -> None:
    """On a terminal the only escapes are our own colours: none from mail, no links, no titles."""
    out = io.StringIO()
    summary(hostile(), Console(file=out, width=80, force_terminal=True, color_system="standard"))
    pieces = out.getvalue().split("\x1b")[1:]
    assert pieces
    for piece in pieces:
        assert piece[:1] == "["
        assert piece[1:].split("m")[0].replace(";", "").isdigit()


def test_links_harmless() -> None:
    """Terminals make links clickable; those of a mail are written so that they are none."""
    document = one()
    document["campaigns"][0]["lures"][0]["subject"] = "see https://evil.example/a"
    out = io.StringIO()
    summary(document, Console(file=out, width=200))
    assert "https://" not in out.getvalue()
    assert "hxxps://evil[.]example/a" in out.getvalue()
