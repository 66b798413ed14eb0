"""A subject that carries escape sequences must not reach the reader's terminal."""

from __future__ import annotations

import io
import runpy
from pathlib import Path

import pytest
from rich.console import Console

from thingwatch.act import safe, summary

REPORTS = runpy.run_path(str(Path(__file__).parents[1] / "act" / "reports.py"))


@pytest.mark.parametrize(
    "attack",
    [
        "\x1b[2J\x1b[H",
        "\x1b]0;owned\x07",
        "\x1b]8;;http://x.example\x1b\\go\x1b]8;;\x1b\\",
        "\x9b31m",
        "\x90q\x9c",
        "\x1bP+q544e\x1b\\",
        "\r\n\x08\x7f",
        "\u202etxt.exe",
        "\u2066\u2069",
        "a\u200bb\u200d\ufeff",
        "\U000e0041",
        "\x0e\x0f",
    ],
)
def test_no_byte_steers(attack: str) -> None:
    """ESC and C1 sequences, titles, hyperlinks, bidi overrides, tags and shift codes all lose their power."""
    document = REPORTS["one"]()
    document["headline"] = attack + "headline"
    found = document["campaigns"][0]
    found["headline"] = found["lures"][0]["subject"] = found["counterfactual"][0]["name"] = attack + "words"
    out = io.StringIO()
    summary(document, Console(file=out, width=80))
    text = out.getvalue()
    assert "headline" in text
    assert all(char == "\n" or (char.isprintable() and char not in "\u200b\u200d") for char in text)


@pytest.mark.parametrize(
    "attack", ["[/foo]", "[red]", "[link=http://x.example]a[/link]", ":warning:", "[@click=bell()]x"]
)
def test_markup_is_text(attack: str) -> None:
    """Markup of the terminal library is shown letter by letter; it neither raises nor colours."""
    document = REPORTS["one"]()
    document["headline"] = f"Subject {attack} end"
    out = io.StringIO()
    summary(document, Console(file=out, width=200))
    assert f"Subject {attack.replace('http://x.example', 'hxxp://x[.]example')} end" in out.getvalue()


def test_lines_cannot_be_forged() -> None:
    """A subject with line feeds stays one line: it cannot add a line that looks like ours."""
    assert safe("a\nThe mail is clean\rb\u2028c\x85d") == "a The mail is clean b cd"
