"""One line, one link to a new host each time, and ten words that no other mail has.

The stray words are there to make every copy differ, and in so short a mail they are most of it. What repeats is
the line, the rule by which the links are written, and the hand; that must be enough.
"""

from __future__ import annotations

from stories.cast import Found, Letter, Post, at, forged, hexed, words


def line(dice):
    link = f"http://{words(dice, 1)}.example/gallery/?{hexed(dice, 'XXXXXXXX')}"
    said = f"look who is on these pictures from last night {link}"
    return Letter("look at this", f"{words(dice, 5)}\n{said}\n{words(dice, 5)}", "", forged(dice))


def tell(post: Post) -> None:
    post.wave("one line", post.lines.homes(60), at("2014-01-02 08:00"), 20, line)
    post.everyday(80, at("2014-01-01"), 3)


def promise(found: Found) -> None:
    (attack,) = [c for c in found.campaigns if c["verdict"] == "attack"]
    assert found.whole(attack, "one line")
    assert set(attack["belongs"]) == {"one line"}
