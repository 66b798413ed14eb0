"""A profile that contradicts itself is caught, each contradiction by its own check."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from thingwatch.profile.selfcheck import check

SHARE = {"numerator": 1, "denominator": 10, "low": 0.02, "high": 0.3}
GOOD: dict[str, Any] = {
    "messages": 10,
    "sources": 4,
    "max_per_source": 4,
    "waves": [
        {"start": "2014-01-02T08:00:00Z", "end": "2014-01-02T08:10:00Z", "messages": 5},
        {"start": "2014-01-02T16:00:00Z", "end": "2014-01-02T16:10:00Z", "messages": 3},
    ],
    "outside_waves": 2,
    "per_source": {"histogram": [[2, 3], [4, 1]]},
    "lures": [{"messages": 6}, {"messages": 3}],
    "targets": {"by_kind": {"consumer": 4, "enterprise": 5, "unknown": 1}},
    "authentication": {"pass": 0, "fail": 3, "none": 6, "unknown": 1},
    "counterfactual": [{"share": SHARE, "collateral": SHARE}, {"share": SHARE, "collateral": None}],
}

WRONG = {
    "waves add up": ("outside_waves", 3),
    "waves in order": ("waves.0.end", "2014-01-02T17:00:00Z"),
    "sources add up": ("sources", 5),
    "messages per source add up": ("per_source.histogram", [[2, 3], [5, 1]]),
    "cap holds": ("max_per_source", 2),
    "lures fit": ("lures.0.messages", 8),
    "recipients add up": ("targets.by_kind.consumer", 3),
    "authentication adds up": ("authentication.none", 7),
    "shares are shares": ("counterfactual.1.share.numerator", 11),
}


def failed(doc: dict[str, Any]) -> set[str]:
    return {found["name"] for found in check(doc) if not found["passed"]}


def test_a_sound_profile_passes() -> None:
    """Nothing is wrong with a profile whose numbers fit."""
    assert failed(GOOD) == set()
    assert all(found["sentence"] for found in check(GOOD))


@pytest.mark.parametrize("name", WRONG)
def test_each_check_can_fail(name: str) -> None:
    """One wrong number fails the check that is there for it."""
    doc = deepcopy(GOOD)
    path, value = WRONG[name]
    *way, last = path.split(".")
    place: Any = doc
    for step in way:
        place = place[int(step)] if step.isdigit() else place[step]
    place[last] = value
    assert name in failed(doc)


def test_every_check_has_its_wrong_number() -> None:
    """No check is without a proof that it can fail."""
    assert {found["name"] for found in check(GOOD)} == set(WRONG)
