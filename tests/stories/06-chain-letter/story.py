"""A warning about a lost dog goes from hand to hand for a week: the same text from forty servers.

Many sources, few mails each, the same words, and no crime in it. Every sender has a program of their own and puts
"Fwd:" before it; people who pass something on are not a pool.
"""

from __future__ import annotations

from stories.cast import DAY, PEOPLE, Found, Letter, Post, at, engine

DOG = (
    "please help: a brown dog called Wanda ran away from the mill bridge on Sunday, she is shy and limps on the left"
    " hind leg. Do not chase her, sit down and call the number on the poster. Send this to everybody you know near"
    " the river, her people miss her very much."
)


def tell(post: Post) -> None:
    hosts = post.lines.servers(40)
    for number, host in enumerate(hosts):
        hand = PEOPLE[number] if number < len(PEOPLE) else engine(number)
        sender = f"friend{number}@firm{number}.example"
        letter = Letter("Fwd: have you seen this dog", DOG, f"friend {number}", sender)
        post.send("dog", at("2014-01-01") + post.dice.random() * 7 * DAY, host, hand, letter)
    post.everyday(80, at("2014-01-01"), 7)


def promise(found: Found) -> None:
    assert "attack" not in found.verdicts("dog")
