"""Two shops send through the same provider: the same servers, the same program, the same hour.

Everything that joins the lures of a botnet holds here too, but for the names: two signatures are two hands. They
must stay two, or a provider would become one enormous campaign.
"""

from __future__ import annotations

from stories.cast import Found, Letter, Post, at

LAMPS = Letter(
    "Spring lamps are here",
    "Dear reader,\n\nthe lamps of spring have come to our shop in nine colours, and until Sunday you pay for one and"
    " take two home.\nLook at them: https://lampshop.example/spring\n\nYour lamp shop",
    "Lamp Shop",
    "news@lampshop.example",
)
TREES = Letter(
    "What to cut in January",
    "Good morning,\n\napple and pear want their cut now, before the sap rises; our gardener shows in seven steps"
    " where to put the saw and where never.\nRead on: https://orchard.example/january\n\nThe orchard letter",
    "The Orchard",
    "letter@orchard.example",
)


def tell(post: Post) -> None:
    provider = post.lines.servers(4)
    post.newsletter("lamps", provider, at("2014-01-02 09:00"), 30, 80, "lampshop.example", LAMPS)
    post.newsletter("trees", provider, at("2014-01-02 09:05"), 30, 80, "orchard.example", TREES)
    post.everyday(80, at("2014-01-01"), 3)


def promise(found: Found) -> None:
    assert found.verdicts("lamps") == found.verdicts("trees") == {"bulk"}
    assert not [c for c in found.campaigns if {"lamps", "trees"} <= set(c["belongs"])]
