"""Twenty rented servers side by side sign with ten fresh domains and send thirty mails each.

Many addresses, each below most limits, and everything authenticated: a sender who spreads the load to leave a
shallow track. It is unwanted, and it is not what a pool of homes does; it must not be called an attack.
"""

from __future__ import annotations

from stories.cast import HOUSE, MINUTE, Found, Letter, Post, at, hexed

NAMES = [f"deal{number}.example" for number in range(10)]


def tell(post: Post) -> None:
    for number, line in enumerate(post.lines.rack(20)):
        domain = NAMES[number % len(NAMES)]
        for _ in range(30):
            text = (
                "The knife that cuts stone is sold for a quarter of its price until midnight, with a board of oak and"
                f" a lifelong promise to sharpen it.\nTake it: http://{domain}/knife/{hexed(post.dice, 'XXXXXX')}"
                "\n\nLeave the list any time."
            )
            letter = Letter("The knife that cuts stone", text, "Kitchen Deals", f"deals@{domain}")
            when = at("2014-01-02 08:00") + post.dice.random() * 300 * MINUTE
            post.send("knife", when, line, HOUSE, letter, signed=domain)
    post.everyday(80, at("2014-01-01"), 3)


def promise(found: Found) -> None:
    assert "attack" not in found.verdicts("knife")
    assert found.verdicts("knife")
