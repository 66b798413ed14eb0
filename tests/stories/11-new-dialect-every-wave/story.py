"""Three waves of one lure, eight hours apart, and each is written by a program nobody saw before.

A filter that learns the hand of the first wave is blind to the second. The text and the pool stay, so the three
waves are one campaign, and their clock can be read from them.
"""

from __future__ import annotations

from stories.cast import HOUR, Found, Post, at, engine, parcel


def tell(post: Post) -> None:
    pool = post.lines.homes(40)
    for number in range(3):
        start = at("2014-01-02 08:00") + number * 8 * HOUR
        post.wave(f"wave {number + 1}", pool, start, 20, parcel, engine(100 + number))
    post.everyday(300, at("2014-01-01"), 3)


def promise(found: Found) -> None:
    (attack,) = [c for c in found.campaigns if c["verdict"] == "attack"]
    assert all(found.whole(attack, f"wave {number}") for number in (1, 2, 3))
    assert len(attack["waves"]) == 3
