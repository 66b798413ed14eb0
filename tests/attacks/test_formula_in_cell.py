"""A subject that begins like a formula must not run in the spreadsheet that opens our export."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingwatch.act import safe_cell

STARTS = "=+-@|%\t\r\n\uff1d\uff0b\uff0d\uff20"


@pytest.mark.parametrize(
    "attack",
    [
        "=cmd|' /C calc'!A0",
        "+1+1",
        "-2+3",
        "@SUM(A1)",
        "\t=1+1",
        "\r=1",
        " =1",
        "\u200b=1",
        "\uff1d1+1",
        "\x00=1",
        "|cmd",
        "%0",
    ],
)
def test_formula_becomes_text(attack: str) -> None:
    """However it is dressed, a formula gets an apostrophe before it."""
    assert safe_cell(attack).startswith("'")


@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_no_cell_is_a_formula(text: str) -> None:
    """No text at all yields a cell that a spreadsheet would run, or one that breaks out of its quotes."""
    cell = safe_cell(text)
    assert cell[:1] not in STARTS or not cell
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerow([cell, "next"])
    assert next(csv.reader(io.StringIO(out.getvalue()))) == [cell, "next"]
    assert out.getvalue().count("\n") == 1
