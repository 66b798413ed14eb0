"""A profile that contradicts itself is caught, each contradiction by its own check."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from thingwatch.identify import not_assessed
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
    "things": {
        "status": "estimated",
        "share_of_messages": {"low": 0.3, "point": 0.5, "high": 0.6},
        "counts": {"messages": 9, "identified_things": 4, "identified_others": 3, "unidentified": 2},
        "bounds": {"low": 4 / 9, "high": 6 / 9},
        "case_control": {"low": 0.2, "point": 0.3, "high": 0.4},
        "background": None,
        "origins": [
            {
                "origin": "thing_self",
                "messages": 3,
                "sources": 2,
                "estimate": {"low": 0.2, "point": 0.3, "high": 0.4},
            },
            {
                "origin": "thing_relay",
                "messages": 1,
                "sources": 1,
                "estimate": {"low": 0.0, "point": 0.1, "high": 0.2},
            },
            {
                "origin": "nat_pc",
                "messages": 3,
                "sources": 1,
                "estimate": {"low": 0.4, "point": 0.5, "high": 0.6},
            },
            {"origin": "unknown", "messages": 2, "sources": 1, "estimate": None},
        ],
        "ladder": [
            {"rung": "front seen", "messages": 2, "share": {"low": None, "point": None, "high": None}},
            {"rung": "sender seen", "messages": 7, "share": {"low": 0.4, "point": 0.5, "high": 0.6}},
        ],
        "by_device_class": {"router": 2},
        "class_not_earned": 1,
        "ablation": [{"family": "banner", "low": 0.2, "point": 0.4, "high": 0.7}],
    },
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
    "senders add up": ("things.counts.unidentified", 3),
    "origins add up": ("things.origins.3.messages", 1),
    "ladder adds up": ("things.ladder.0.messages", 3),
    "device classes add up": ("things.class_not_earned", 0),
    "bounds hold the estimate": ("things.bounds", {"low": 0.7, "high": 0.8}),
    "intervals are intervals": ("things.ablation.0.point", 0.8),
    "a point needs senders": ("things.status", "bounds only"),
}
# Other ways to be wrong that a check must see too.
ALSO_WRONG = [
    ("senders add up", "things.counts.identified_others", 4),
    ("origins add up", "things.origins.0.messages", 2),
    ("device classes add up", "things.by_device_class", {"router": 2, "nas": 1}),
    ("bounds hold the estimate", "things.bounds", {"low": 0.0, "high": 0.2}),
    ("intervals are intervals", "things.share_of_messages.high", 1.1),
    ("intervals are intervals", "things.share_of_messages.low", 0.55),
    ("intervals are intervals", "things.case_control.low", -0.1),
    ("intervals are intervals", "things.background", {"low": 0.2, "point": 0.1, "high": 0.3}),
    ("intervals are intervals", "things.origins.2.estimate.high", 0.45),
    ("intervals are intervals", "things.ladder.1.share.point", 0.7),
    ("a point needs senders", "things.status", "at most"),
]


def failed(doc: dict[str, Any]) -> set[str]:
    return {found["name"] for found in check(doc) if not found["passed"]}


def test_a_sound_profile_passes() -> None:
    """Nothing is wrong with a profile whose numbers fit."""
    assert failed(GOOD) == set()
    assert all(found["sentence"] for found in check(GOOD))


def changed(path: str, value: Any) -> dict[str, Any]:
    """The sound profile with another value at *path*."""
    doc = deepcopy(GOOD)
    *way, last = path.split(".")
    place: Any = doc
    for step in way:
        place = place[int(step)] if step.isdigit() else place[step]
    place[last] = value
    return doc


@pytest.mark.parametrize("name", WRONG)
def test_each_check_can_fail(name: str) -> None:
    """One wrong number fails the check that is there for it."""
    assert name in failed(changed(*WRONG[name]))


@pytest.mark.parametrize(("name", "path", "value"), ALSO_WRONG)
def test_senders_are_checked_from_every_side(name: str, path: str, value: Any) -> None:
    """A figure about the senders that is wrong in another way fails the same check, and no check of the mail."""
    assert failed(changed(path, value)) == {name}


def test_whom_nobody_looked_at_contradicts_nothing() -> None:
    """A campaign without evidence passes: what was not assessed has no origins, rungs or points to add up."""
    doc = changed("things", not_assessed(10, 4))
    assert failed(doc) == set()


def test_at_most_has_no_point() -> None:
    """An upper end alone is an interval, and needs no point."""
    doc = changed("things.share_of_messages", {"low": 0.0, "point": None, "high": 0.02})
    doc["things"]["status"] = "at most"
    assert failed(doc) == set()


def test_every_check_has_its_wrong_number() -> None:
    """No check is without a proof that it can fail."""
    assert {found["name"] for found in check(GOOD)} == set(WRONG)
