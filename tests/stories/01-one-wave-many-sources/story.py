"""Sixty homes send the same lure within twenty minutes, one or two mails each.

No address does anything a limit would notice; only together are they one effort. This is the plainest form of
what the program is for, so it must be found whole, called an attack, and take nobody's letters along.
"""

from __future__ import annotations

from stories.cast import Found, Post, at, parcel


def tell(post: Post) -> None:
    post.wave("parcel", post.lines.homes(60), at("2014-01-02 08:00"), 20, parcel)
    post.everyday(80, at("2014-01-01"), 3)


def promise(found: Found) -> None:
    (attack,) = [c for c in found.campaigns if c["verdict"] == "attack"]
    assert found.whole(attack, "parcel")
    assert set(attack["belongs"]) == {"parcel"}
    assert len(attack["waves"]) == 1
