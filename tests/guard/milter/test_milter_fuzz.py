"""The milter stands what is thrown at it; a million cases are `make nightly`'s."""

from __future__ import annotations

import pytest
from guard.milter import fuzz_milter

from thingwatch.guard.milter.codec import FAULTS


@pytest.mark.parametrize("cases", [20_000, pytest.param(1_000_000, marks=pytest.mark.nightly)])
def test_broken_conversations_end_in_a_named_refusal_or_go_on(cases: int) -> None:
    """No other error escapes, no reply is owed or too many, no case takes a second, nothing is kept."""
    found = fuzz_milter.run(cases, seed=1)
    assert found.slowest_seconds <= fuzz_milter.MAX_SECONDS
    assert found.growth_bytes <= fuzz_milter.MAX_GROWTH_BYTES
    # The mutations reach every refusal, and leave enough whole to be read.
    assert set(found.ends) == {"", *FAULTS}
    assert found.mails > 1_000
