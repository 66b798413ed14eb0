"""The drawings: no sample is lost, and figures agree with what is drawn."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from thingwatch.act.drawing import area, fold, part_bar, share_bar, short, top_of
from thingwatch.act.figures import histogram
from thingwatch.act.wording import percent, share_text

SHARE = {
    "numerator": 0,
    "denominator": 100,
    "unit": "messages",
    "unknown": 0,
    "low": 0.0,
    "high": 0.03,
    "basis": "",
}


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=4000), st.integers(1, 1200))
def test_fold_keeps_the_peak(counts: list[int], columns: int) -> None:
    """Folding never exceeds the columns and never hides the highest bin."""
    folded = fold(counts, columns)
    assert len(folded) <= columns
    assert max(folded) == max(counts)


@given(st.floats(0, 1e12))
def test_axes_hold_their_values(value: float) -> None:
    """An axis ends at or above the largest value, and not above three times it."""
    assert value <= top_of(value) <= max(4, 3 * value)


def test_silence_costs_nothing() -> None:
    """A thousand empty bins add nothing to the page."""
    assert area([0] * 1000, 10) == ""
    assert area([5, 0, 0, 5], 10) == "M0 10V5H1V10M3 10V5H4V10"


def test_unknown_is_hatched() -> None:
    """Not knowing is drawn as hatching and never as a figure of zero."""
    unknown = SHARE | {"unknown": 100}
    for share in (None, unknown, SHARE | {"denominator": 0}):
        assert 'class="hat" x="0%" y="6" width="100%"' in share_bar(share, "cA")
        assert share_text(share) == "cannot tell"
    assert 'class="hat"' in part_bar(1, 2, "hat")
    assert 'class="hat" x="20%" y="6" width="30%"' in share_bar(
        SHARE | {"numerator": 20, "unknown": 30}, "cA"
    )


def test_long_tail_folds() -> None:
    """A sender of a million mails gets bars of doublings; every source is in one of them."""
    drawn = histogram([[1, 5], [3, 7], [1_000_000, 1]], 1_000_000, "cB")
    bars = re.findall(r"<title>(\S+) sources? sent", drawn)
    assert len(bars) <= 21
    assert sum(int(bar.replace(",", "")) for bar in bars) == 13


def test_shares_never_lie_by_rounding() -> None:
    """Something is never 0 %, and not quite all is never 100 %."""
    assert percent(0) == "0 %"
    assert percent(1e-9) == "< 0.1 %"
    assert percent(0.99999) == "> 99.9 %"
    assert percent(1) == "100 %"
    assert percent(0.27) == "27 %"
    assert percent(0.479) == "47.9 %"


def test_short_numbers() -> None:
    """Short numbers stay true to two figures."""
    assert [short(n) for n in (0, 999, 1200, 12_345, 999_999, 1_000_000)] == [
        "0",
        "999",
        "1.2k",
        "12k",
        "1M",
        "1M",
    ]
