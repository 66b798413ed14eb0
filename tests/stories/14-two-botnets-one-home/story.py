"""Two botnets with texts, engines and hours of their own, and four homes that have caught both.

Shared addresses are the strongest sign that two lures are one campaign, and homes that hold two infections are
common. Four of forty prove nothing; the two must stay two.
"""

from __future__ import annotations

from stories.cast import ENGINE, ENGINE_TWO, Found, Post, at, parcel, pills


def tell(post: Post) -> None:
    both = post.lines.homes(4)
    post.wave("parcel", post.lines.homes(40) + both, at("2014-01-02 08:00"), 20, parcel, ENGINE)
    post.wave("pills", post.lines.homes(40) + both, at("2014-01-02 15:00"), 40, pills, ENGINE_TWO)
    post.everyday(80, at("2014-01-01"), 3)


def promise(found: Found) -> None:
    attacks = [c for c in found.campaigns if c["verdict"] == "attack"]
    assert [set(c["belongs"]) for c in attacks] in ([{"parcel"}, {"pills"}], [{"pills"}, {"parcel"}])
    assert all(found.whole(c, role) for c in attacks for role in c["belongs"])
