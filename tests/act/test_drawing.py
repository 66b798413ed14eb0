"""The drawings: no sample is lost, and figures agree with what is drawn."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from thingwatch.act.drawing import (
    area,
    fold,
    interval,
    judged,
    log_axis,
    log_dot,
    part_bar,
    share_bar,
    short,
    step,
    top_of,
)
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


def ends(low: float | None, point: float | None, high: float | None) -> dict[str, float | None]:
    """Return an interval with its point."""
    return {"low": low, "point": point, "high": high}


def test_intervals() -> None:
    """A dot stands for a point, an open one for a one-sided reading; without a point there is only a line."""
    drawn = str(interval(ends(0.24, 0.27, 0.31), "cT"))
    assert 'class="f cT" cx="27%"' in drawn
    assert 'x1="24%" y1="12" x2="31%"' in drawn
    assert 'class="open cT" cx="19%"' in str(interval(ends(0.16, 0.19, 0.22), "cT", hollow=True))
    for share in (ends(0.05, None, 0.55), ends(0.001, 0.01, 0.02)):
        assert "<circle" not in str(interval(share, "cT"))
    assert 'class="hat" x="0%" y="6" width="100%"' in str(interval(ends(None, None, None), "cT"))


def test_intervals_stay_on_their_axis() -> None:
    """What lies beyond an axis is drawn at its end, and the shade is that of all evidence."""
    drawn = str(interval(ends(-0.01, 0.0, 0.9), "cT", 0.6, hollow=True, shade=ends(0.24, 0.27, 0.3)))
    assert 'x1="0%" y1="12" x2="100%"' in drawn
    assert 'class="ref" x="40%" y="0" width="10%"' in drawn


def test_judged_and_estimated_are_apart() -> None:
    """What was judged one by one is a bar, what is estimated for all a dot below it."""
    drawn = str(judged(35, 100, ends(0.62, 0.67, 0.71), "cK"))
    assert 'class="bar cK" x="0%" y="3" width="35%"' in drawn
    assert 'cx="67%" cy="20"' in drawn
    assert "<circle" not in str(judged(35, 100, None, "hat"))


def test_log_scale_has_no_bars() -> None:
    """On a log scale one stands at the left end, and nothing is a bar, for there is no zero."""
    assert 'cx="0%"' in str(log_dot(1, 4, "cT"))
    assert 'cx="50%"' in str(log_dot(100, 4, "cT"))
    assert "<rect" not in str(log_dot(5000, 4, "cT"))
    assert re.findall(r">([^<]+)</text>", str(log_axis(4))) == ["1", "100", "10k"]
    assert re.findall(r">([^<]+)</text>", str(log_axis(3))) == ["1", "10", "100", "1k"]


def test_steps_point_to_their_story() -> None:
    """A step towards a story has its colour, one against it that of the other; nothing weighed stays visible."""
    assert "bar cT" in str(step(0, 2, -8, 8, "cT", "cK"))
    assert "bar cK" in str(step(0, -2, -8, 8, "cT", "cK"))
    assert 'width="0.4%"' in str(step(0, 0, -8, 8, "cT", "cK"))
