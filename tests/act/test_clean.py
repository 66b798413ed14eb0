"""Cleaning: what is dangerous goes, what is language stays."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from thingwatch.act.clean import defang, safe, safe_cell


@given(st.text(st.characters(exclude_categories=()), max_size=300), st.integers(1, 80), st.booleans())
def test_safe_text(text: str, limit: int, lines: bool) -> None:
    """Any text becomes at most *limit* characters, encodable, with nothing unseen in it."""
    clean = safe(text, limit, lines=lines)
    assert len(clean) <= limit
    clean.encode()
    unseen = {unicodedata.category(c) for c in clean.replace("\n", "" if lines else "\n")}
    assert not unseen & {"Cc", "Cf", "Cs", "Co", "Cn"}


@given(st.text(max_size=100))
def test_safe_is_settled(text: str) -> None:
    """Cleaning twice changes nothing more."""
    assert safe(safe(text)) == safe(text)


def test_language_stays() -> None:
    """Accents, other scripts and emoji are left as they are."""
    for text in ("Ihr Paket für 12 €", "Việt Nam", "مرحبا", "日本語の件名", "Re: 🎁"):
        assert safe(unicodedata.normalize("NFC", text)) == unicodedata.normalize("NFC", text)


def test_long_names_are_cut_in_the_middle() -> None:
    """Both ends of a long name stay, and a megabyte is cut without being walked."""
    clean = safe("begin" + "x" * 10_000_000 + "end", 40)
    assert len(clean) == 40
    assert clean.startswith("begin")
    assert clean.endswith("end")


def test_defang() -> None:
    """Links lose their scheme and their dots; files and sentences keep theirs."""
    assert defang("http://a.b.example/x.php?u=c.d") == "hxxp://a[.]b[.]example/x.php?u=c.d"
    assert defang("HTTPS://A.EXAMPLE") == "HxxPS://A[.]EXAMPLE"
    assert defang("ftp://a.example/x") == "fxp://a[.]example/x"
    assert defang("mail bob@firm.example now") == "mail bob@firm[.]example now"
    assert defang("www.firm.example") == "www[.]firm[.]example"
    assert defang("go to firm.example/a") == "go to firm[.]example/a"
    assert defang("/{word}/label.php") == "/{word}/label.php"
    assert defang("see report.html", bare=False) == "see report.html"
    assert defang(defang("http://a.example")) == defang("http://a.example")


def test_numbers_in_cells() -> None:
    """A number is not a formula, not even a negative one."""
    assert safe_cell(-3) == "-3"
    assert safe_cell(0.5) == "0.5"
    assert safe_cell(None) == ""
    assert safe_cell("plain") == "plain"
