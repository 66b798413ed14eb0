"""One text goes out twice, from two sets of homes that share no address, by two engines, days apart.

Who rents two pools still says the same thing. The text holds the two runs together as one lure, and neither run
may be lost because the other uses other machines and another program.
"""

from __future__ import annotations

from stories.cast import ENGINE, ENGINE_TWO, Found, Post, at, parcel


def tell(post: Post) -> None:
    post.wave("first pool", post.lines.homes(40), at("2014-01-02 08:00"), 20, parcel, ENGINE)
    post.wave("second pool", post.lines.homes(40), at("2014-01-04 17:00"), 20, parcel, ENGINE_TWO)
    post.everyday(80, at("2014-01-01"), 5)


def promise(found: Found) -> None:
    (attack,) = [c for c in found.campaigns if c["verdict"] == "attack"]
    assert found.whole(attack, "first pool")
    assert found.whole(attack, "second pool")
    assert set(attack["belongs"]) == {"first pool", "second pool"}
    assert len(attack["waves"]) == 2
