"""A shop writes to two hundred readers from two servers, signed, within half an hour.

It is as alike and as sudden as any attack. A name stands behind it and two addresses send it all, and that is what
bulk mail is; calling it an attack would cost the operator all trust in the rest.
"""

from __future__ import annotations

from stories.cast import Found, Letter, Post, at

OFFER = Letter(
    "Spring lamps are here",
    "Dear reader,\n\nthe lamps of spring have come to our shop in nine colours, and until Sunday you pay for one and"
    " take two home.\nLook at them: https://lampshop.example/spring\n\nYour lamp shop",
    "Lamp Shop",
    "news@lampshop.example",
)


def tell(post: Post) -> None:
    post.newsletter(
        "newsletter", post.lines.servers(2), at("2014-01-02 09:00"), 30, 200, "lampshop.example", OFFER
    )
    post.everyday(80, at("2014-01-01"), 3)


def promise(found: Found) -> None:
    assert found.verdicts("newsletter") == {"bulk"}
    assert not [c for c in found.campaigns if c["verdict"] == "attack"]
