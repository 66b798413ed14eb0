"""Twelve homes send one lure each over three weeks, hours or days apart.

There is no wave, no crowd and hardly any mail; nothing proves one effort but the text and the hand. The mails must
be brought together, and the verdict must stay below certainty: so little is not enough to accuse anybody.
"""

from __future__ import annotations

from stories.cast import DAY, ENGINE, Found, Post, at, parcel


def tell(post: Post) -> None:
    for number, line in enumerate(post.lines.homes(12)):
        when = at("2014-01-01 08:00") + (number + post.dice.random()) * 2 * DAY
        post.send("parcel", when, line, ENGINE, parcel(post.dice))
    post.everyday(120, at("2014-01-01"), 24)


def promise(found: Found) -> None:
    (campaign,) = [c for c in found.campaigns if "parcel" in c["belongs"]]
    assert found.whole(campaign, "parcel")
    assert campaign["verdict"] != "bulk"
    assert campaign["waves"] == []
