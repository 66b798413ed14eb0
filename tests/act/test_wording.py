"""Numbers in words: none is surer than what it stands for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from thingwatch.act.wording import at_most, between, bits, estimate, outward, whole


def test_whole_per_cents() -> None:
    """Something is never 0 %, and not quite all is never 100 %."""
    assert [whole(x) for x in (0, 0.001, 0.272, 0.29, 0.999, 1)] == [0, 1, 27, 29, 99, 100]


def test_outward() -> None:
    """An interval grows when rounded, but not by the noise of binary fractions."""
    assert outward(0.29, 0.07) == (29, 7)
    assert outward(0.244, 0.306) == (24, 31)
    assert outward(0, 1) == (0, 100)


@given(st.floats(0, 1), st.floats(0, 1))
def test_outward_holds(a: float, b: float) -> None:
    """The rounded interval holds the given one, to half a tenth of a point."""
    low, high = outward(min(a, b), max(a, b))
    assert 0 <= low <= 100 * min(a, b) + 0.0501
    assert 100 >= high >= 100 * max(a, b) - 0.0501


def test_estimates() -> None:
    """An estimate shows its interval; near zero it is an upper bound; without a point it is a range."""

    def said(low: float | None, point: float | None, high: float | None) -> str:
        return estimate({"low": low, "point": point, "high": high})

    assert said(0.24, 0.272, 0.31) == "27 % [24, 31]"
    assert said(0.004, 0.01, 0.016) == "at most 2 %"
    assert said(0.0, None, 0.016) == "at most 2 %"
    assert said(0.05, None, 0.55) == "5 to 55 %"
    assert said(0.0, None, 1.0) == "cannot tell"
    assert said(None, None, None) == estimate(None) == "cannot tell"


def test_zero_is_never_claimed() -> None:
    """An upper bound of nothing is still one per cent."""
    assert at_most(0.0) == "at most 1 %"
    assert at_most(0.021) == "at most 3 %"


def test_ranges() -> None:
    """A range of one value is that value."""
    assert between(0.17, 0.61) == "17 to 61 %"
    assert between(0.25, 0.25) == "25 %"


def test_bits() -> None:
    """A weight has its sign, and next to nothing has none."""
    assert [bits(x) for x in (5.64, -0.7, 0.0, -0.01)] == ["+5.6", "−0.7", "0.0", "0.0"]
