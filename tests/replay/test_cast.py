"""The cast is the same every evening, and nobody in it is real."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np

from thingwatch.replay import cast


def test_addresses_are_drawn_once() -> None:
    """No address twice, none that was taken, all in the consumer ranges."""
    taken = cast.draw_addresses(500, np.random.default_rng(1))
    found = cast.draw_addresses(3000, np.random.default_rng(2), taken)
    assert len(np.unique(found)) == 3000
    assert not np.isin(found, taken).any()
    lines = cast.consumer_lines()
    assert all(
        any(line.first <= one < line.first + line.size for line in lines) for one in found[:300].tolist()
    )


def test_ranges_cover_the_world_and_do_not_overlap() -> None:
    """At least sixty ranges in thirty countries, none inside another."""
    lines = sorted(cast.consumer_lines(), key=lambda line: line.first)
    assert len(lines) >= 60
    assert len({line.country for line in lines}) >= 30
    assert all(a.first + a.size <= b.first for a, b in itertools.pairwise(lines))


def test_line_names_are_invented() -> None:
    """Every PTR stands under example; some addresses have none."""
    names = [cast.line_name(one) for one in cast.draw_addresses(3000, np.random.default_rng(3)).tolist()]
    assert all(name.endswith(".example") for name in names if name)
    assert 0.1 < names.count("") / len(names) < 0.5


def test_a_household_keeps_its_habits() -> None:
    """One address always greets alike, and things greet in other ways than PCs."""
    addresses = cast.draw_addresses(2000, np.random.default_rng(4)).tolist()
    assert all(cast.household(one, True) == cast.household(one, True) for one in addresses[:50])
    things = Counter(cast.thing_helo(one) for one in addresses)
    assert things["localhost"] > 200
    assert sum(cast.pc_helo(one) == "dsldevice.lan" for one in addresses) > 100
    assert sum(cast.thing_helo(one).startswith("[") for one in addresses) > 400


def test_people_and_houses_are_stable() -> None:
    """Two casts of one seed hold the same people; another seed has others."""
    one, same, other = cast.Cast(0.01, 1), cast.Cast(0.01, 1), cast.Cast(0.01, 2)
    assert [one.person(i) for i in range(30)] == [same.person(i) for i in range(30)]
    assert [one.person(i).address for i in range(30)] != [other.person(i).address for i in range(30)]
    assert len({one.receiver(i)[1] for i in range(one.receivers)}) == one.receivers


def test_all_addresses_are_plain_text() -> None:
    """Mail addresses are ASCII and stand under a reserved name."""
    people = cast.Cast(0.02, 1)
    addresses = [people.person(i).address for i in range(1500)] + [people.receiver(i)[1] for i in range(1000)]
    assert all(one.isascii() and one.endswith(".example") for one in addresses)
