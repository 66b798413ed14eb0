"""The whole message is a picture, and every copy has other noise in its last bytes.

There are no words to compare and no hash that repeats. What a picture shares with its copies, and what the mails
around it share, still has to bring them together.
"""

from __future__ import annotations

from random import Random

from stories.cast import Found, Letter, Post, at, forged, words

PICTURE = b"GIF89a\x40\x01\xf0\x00\xf7\x00\x00" + Random("picture").randbytes(2400)  # noqa: S311 - a story needs no secrets


def picture(dice):
    return Letter(words(dice, 2), "", "", forged(dice), image=PICTURE[:-40] + dice.randbytes(40))


def tell(post: Post) -> None:
    post.wave("picture", post.lines.homes(60), at("2014-01-02 08:00"), 20, picture)
    post.everyday(80, at("2014-01-01"), 3)


def promise(found: Found) -> None:
    (attack,) = [c for c in found.campaigns if c["verdict"] == "attack"]
    assert found.whole(attack, "picture")
    assert set(attack["belongs"]) == {"picture"}
