"""The same homes send a parcel note and a bill in the same half hour, in the same dialect.

The two texts have no line in common, and a search for like texts shows two small things. Sources, hand and clock
say that it is one campaign with two lures, and the report must say by what they were joined.
"""

from __future__ import annotations

from stories.cast import Found, Post, at, invoice, parcel


def tell(post: Post) -> None:
    pool = post.lines.homes(50)
    post.wave("parcel", pool, at("2014-01-02 08:00"), 25, parcel)
    post.wave("invoice", pool, at("2014-01-02 08:03"), 25, invoice)
    post.everyday(80, at("2014-01-01"), 3)


def promise(found: Found) -> None:
    (attack,) = [c for c in found.campaigns if c["verdict"] == "attack"]
    assert found.whole(attack, "parcel")
    assert found.whole(attack, "invoice")
    assert len(attack["lures"]) == 2
    assert len(attack["joined_by"]) >= 2
