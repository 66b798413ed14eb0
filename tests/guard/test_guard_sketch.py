"""Counting in little room: what is exact is exact, what is estimated is within its stated error."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from thingwatch.guard.memory import LURE, SINGLE, Memory, hands_in
from thingwatch.guard.senders import Senders
from thingwatch.guard.sketch import FEW, STANDARD_ERROR, Distinct, Sample, spread

numbers = st.sets(st.integers(0, (1 << 64) - 1), max_size=FEW)
KINDS = np.array([1] * 8, dtype=np.int8)


@settings(deadline=None)
@given(numbers)
def test_few_are_counted_exactly(members: set[int]) -> None:
    """Up to FEW members the count is exact, whatever they are and however often they come."""
    count = Distinct()
    for member in [*members, *members]:
        count.add(member)
    assert count.count() == len(members)
    assert count.exact


def test_many_are_counted_within_the_error() -> None:
    """Over twenty counts of 300 to 100,000 the mean square error is near the standard error stated."""
    errors = []
    for trial in range(20):
        many = 300 * 3 ** (trial % 6)
        count = Distinct()
        for i in range(many):
            count.add(spread(trial * 10**7 + i))
        errors.append((count.count() - many) / many)
    assert (sum(e * e for e in errors) / len(errors)) ** 0.5 < 1.6 * STANDARD_ERROR


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 900), st.integers(0, 900), st.integers(0, 900))
def test_two_counts_merge_to_the_count_of_both(a: int, b: int, both: int) -> None:
    """Merged, and put through the snapshot's JSON, a count is that of all members together."""
    left, right, whole = Distinct(), Distinct(), Distinct()
    for i in range(a + b + both):
        member = spread(i)
        whole.add(member)
        if i < a + both:
            left.add(member)
        if i >= a:
            right.add(member)
    left.merge(Distinct.of_plain(json.loads(json.dumps(right.as_plain()))))
    assert left.count() == whole.count()


def test_the_overlap_of_two_pools_is_seen_in_their_samples() -> None:
    """A fifth of two pools of 5,000 is shared: the samples say a fifth, within six per cent."""
    a, b = Sample(), Sample()
    for i in range(5000):
        a.add(spread(i), 1, 0)
        b.add(spread(i + 4000), 1, 0)
    shared, mine, theirs = a.shared_part(b)
    assert abs(shared / min(mine, theirs) - 0.2) < 0.06
    a.merge(b)
    assert len(a.held) <= FEW


@settings(deadline=None)
@given(st.integers(1, 12))
def test_hands_are_counted_once(hands: int) -> None:
    """A key written again in the same hand is written in no more hands."""
    memory = Memory(64)
    keys = np.array([12345], dtype=np.uint64)
    slot = memory.take()
    memory.slots["state"][slot], memory.slots["messages"][slot] = SINGLE, 1
    for _ in range(3):
        for hand in range(hands):
            memory.hold(keys, spread(hand), slot)
    bitmap = memory.places["hands"][memory.places["tag"] != 0][0]
    assert 0.5 * hands <= hands_in(bitmap) <= 2 * hands + 1


def test_a_forgotten_holder_is_never_met_again() -> None:
    """Whoever gets the slot of a forgotten mail does not inherit its keys."""
    memory = Memory(64)
    keys = np.arange(1, 9, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    slot = memory.take()
    memory.slots["state"][slot], memory.slots["messages"][slot] = SINGLE, 1
    memory.hold(keys, 7, slot)
    assert memory.meet(keys, KINDS, 7, 64.0, 1000.0)[0][0][0] == slot
    memory.give_back(slot)
    assert memory.meet(keys, KINDS, 7, 64.0, 1000.0)[0] == []
    again = memory.take()
    memory.slots["state"][again], memory.slots["messages"][again] = LURE, 5
    assert again == slot
    assert memory.meet(keys, KINDS, 7, 64.0, 1000.0)[0] == []


def test_a_full_memory_stays_within_its_room() -> None:
    """Ten times as many keys as there are places: nothing grows, nothing raises."""
    memory = Memory(64)
    before = memory.nbytes
    slot = memory.take()
    memory.slots["state"][slot], memory.slots["messages"][slot] = SINGLE, 1
    dice = np.random.default_rng(1)
    for _ in range(700):
        memory.hold(dice.integers(1, 1 << 63, 40, dtype=np.uint64), 1, slot)
    assert memory.nbytes == before


def test_a_house_is_known_by_what_it_sent() -> None:
    """Mostly signed mail, or much that is no campaign's, makes a house; a bot's few do not."""
    senders = Senders(1000)
    for _ in range(5):
        senders.meet(spread(1), 20_000, True)
        row, _ = senders.meet(spread(2), 20_000, False)
        senders.suspect(row, 9)
    assert senders.meet(spread(1), 20_000, True)[1].house
    bot = senders.meet(spread(2), 20_001, False)[1]
    assert not bot.house
    assert not bot.familiar
    assert bot.campaign == 9
