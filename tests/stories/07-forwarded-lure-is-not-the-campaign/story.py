"""Six colleagues forward the parcel lure to ask whether it is real.

Their mails hold every word of it. Whoever counts them in accuses the very people who took care, and an address of
our own partners ends on a list. The campaign is what its own hand sent.
"""

from __future__ import annotations

from stories.cast import HOUR, PEOPLE, Found, Post, at, parcel


def tell(post: Post) -> None:
    post.wave("parcel", post.lines.homes(50), at("2014-01-02 08:00"), 20, parcel)
    for number, host in enumerate(post.lines.servers(6)):
        lure = parcel(post.dice)
        letter = lure._replace(
            subject="Fwd: " + lure.subject,
            text="Is this one real?\n\n-------- Forwarded message --------\n" + lure.text,
            from_name=f"colleague {number}",
            from_address=f"colleague{number}@firm{number}.example",
        )
        post.send("forward", at("2014-01-02 08:30") + number * HOUR, host, PEOPLE[number], letter)
    post.everyday(80, at("2014-01-01"), 3)


def promise(found: Found) -> None:
    (attack,) = [c for c in found.campaigns if c["verdict"] == "attack"]
    assert found.whole(attack, "parcel")
    assert "forward" not in attack["belongs"]
