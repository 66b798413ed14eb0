"""The stream detector on waves, and on the mail that looks like one and is none."""

from __future__ import annotations

from random import Random

import pytest
from guard.inflight import Stand, above_tag, actions, everyday
from stories.cast import (
    DAY,
    HOUR,
    HOUSE,
    MINUTE,
    PEOPLE,
    REPORTER,
    Letter,
    Line,
    Post,
    at,
    engine,
    hexed,
    invoice,
    parcel,
    words,
)

from thingwatch.guard import Action

START = at("2014-01-02 08:00")


def warm(name: str) -> Post:
    """A site with two days of everyday mail before the story begins."""
    return everyday(name, 300, START - 2 * DAY, 2.0)


def first(seen: list[Action], *wanted: Action) -> int | None:
    """The place, from 1, of the first action that is one of *wanted*."""
    return next((i for i, action in enumerate(seen, 1) if action in wanted), None)


def test_a_wave_is_flagged_by_its_twentieth_mail() -> None:
    """One lure from many homes within minutes: doubted after five mails, stopped before the twentieth."""
    post = warm("one wave")
    post.wave("parcel", post.lines.homes(80), START, 10, parcel, each=(1,))
    stand = Stand()
    seen = stand.play(post.mails)
    done = actions(seen, "parcel")
    flagged = first(done, Action.TAG, Action.DEFER, Action.QUARANTINE)
    stopped = first(done, Action.QUARANTINE)
    assert flagged is not None
    assert flagged <= 8
    assert stopped is not None
    assert stopped <= 20
    assert all(action is Action.QUARANTINE for action in done[stopped:])
    assert not above_tag(seen, "everyday")


def test_doubt_begins_before_the_verdict() -> None:
    """The sequential test speaks at the fifth mail in a warm memory, and its mails are told to come back."""
    post = warm("doubt")
    post.wave("parcel", post.lines.homes(30), START, 5, parcel, each=(1,))
    stand = Stand()
    done = actions(stand.play(post.mails), "parcel")
    doubted = first(done, Action.DEFER)
    assert doubted is not None
    assert doubted <= 6
    assert stand.named("doubt")


def test_later_waves_are_known_from_the_first_mail() -> None:
    """Hours later the same lure is stopped from its first mail on; in another hand as well."""
    post = warm("two waves")
    pool = post.lines.homes(80)
    post.wave("first", pool, START, 10, parcel)
    post.wave("second", pool, START + 9 * HOUR, 10, parcel)
    post.wave("third", post.lines.homes(40), START + 20 * HOUR, 10, parcel, engine(5))
    seen = Stand().play(post.mails)
    assert set(actions(seen, "second")) == {Action.QUARANTINE}
    third = actions(seen, "third")
    assert third.count(Action.QUARANTINE) >= 0.99 * len(third)


def test_two_lures_of_one_hand_become_one_campaign() -> None:
    """Two texts, one engine, one pool: one campaign."""
    post = warm("two lures")
    pool = post.lines.homes(60)
    post.wave("parcel", pool, START, 10, parcel)
    post.wave("invoice", pool, START, 10, invoice)
    stand = Stand()
    stand.play(post.mails)
    attacks = [row for row in stand.guard.campaigns() if row["verdict"] == "attack"]
    assert len(attacks) == 1
    assert attacks[0]["lures"] >= 2


def test_canary_decides_and_does_nothing() -> None:
    """A fresh install tags and says what it would have done; it never holds, defers or refuses."""
    post = warm("canary")
    post.wave("parcel", post.lines.homes(60), START, 10, parcel)
    stand = Stand(canary=True)
    seen = stand.play(post.mails)
    assert not above_tag(seen)
    tagged = [one for one in seen if one.answer.action is Action.TAG]
    assert any("would=quarantine" in dict(one.answer.headers)["X-Thingwatch-Verdict"] for one in tagged)
    assert {"THINGWATCH_SURE", "THINGWATCH_LIKELY"} & {one.symbol for one in tagged}
    assert stand.guard.status()["policy"]["wanted quarantine"] > 20


def servers(post: Post, count: int) -> list[Line]:
    """Mail servers whose names do not hold their addresses, which the cast's sometimes do by chance."""
    names = [f"mail.house-{hexed(post.dice, 'XXXX').translate(LETTERS)}.example" for _ in range(count)]
    return [
        line._replace(ptr=name, helo=name)
        for line, name in zip(post.lines.servers(count), names, strict=True)
    ]


LETTERS = str.maketrans("0123456789", "ghijklmnop")


def newsletter(post: Post) -> None:
    letter = Letter(
        "Spring lamps are here",
        "Dear reader,\n\nthe lamps of spring have come to our shop in nine colours, and until Sunday you pay for"
        " one and take two home.\nLook at them: https://lampshop.example/spring\n\nYour lamp shop",
        "Lamp Shop", "news@lampshop.example",
    )  # fmt: skip
    post.newsletter("bulk", post.lines.rack(20), START, 10, 10_000, "lampshop.example", letter)


def unsigned_invoices(post: Post) -> None:
    house = servers(post, 2)
    for number in range(400):
        text = (
            f"Dear customer,\n\nplease find invoice {number + 70_000} over {post.dice.randrange(10, 900)} crowns.\n"
            "It is due within thirty days to the account you know.\n\nWaterworks of Invention, accounts"
        )
        letter = Letter(f"Invoice {number + 70_000}", text, "Waterworks", "accounts@waterworks.example")
        post.send("bulk", START + number * 2.0, post.dice.choice(house), HOUSE, letter)


def digests(post: Post) -> None:
    house = servers(post, 3)
    said = "\n\n".join(words(Random(number), 30) for number in range(6))  # noqa: S311 - a story
    for number in range(300):
        letter = Letter(
            "Weavers Digest, Vol 12, Issue 3", f"Send submissions to weavers@lists.example\n\n{said}", "weavers",
            "weavers-bounces@lists.example", extra=("List-Id: <weavers.lists.example>", "Precedence: list"),
        )  # fmt: skip
        post.send("bulk", START + number * 0.5, post.dice.choice(house), HOUSE, letter)


def dmarc_reports(post: Post) -> None:
    for number, host in enumerate(servers(post, 200)):
        letter = Letter(
            f"Report Domain: border.example Submitter: firm{number}.example Report-ID: {hexed(post.dice, 'XXXX')}",
            "This is an aggregate report of DMARC results for border.example.\n", "DMARC reports",
            f"noreply-dmarc@firm{number}.example", extra=("Auto-Submitted: auto-generated",),
        )  # fmt: skip
        post.send("bulk", START + number * 5.0, host, REPORTER, letter, signed=f"firm{number}.example")


def bounces(post: Post) -> None:
    for number, host in enumerate(servers(post, 200)):
        lure = parcel(post.dice)
        letter = Letter(
            "Undelivered mail returned to sender",
            f"Your message could not be delivered: no such mailbox here.\n\nSubject: {lure.subject}\n\n{lure.text}",
            "Mail Delivery", f"mailer-daemon@firm{number}.example", extra=("Auto-Submitted: auto-replied",),
        )  # fmt: skip
        post.send("bulk", START + number * 3.0, host, REPORTER, letter, bounce=True)


def chain_letter(post: Post) -> None:
    text = (
        "The dog of the widow Adler has run away and she weeps by the window every night. He is brown, has one"
        " white ear and answers to Muck. Send this to everybody you know, somebody must have seen him."
    )
    for number, host in enumerate(servers(post, 120)):
        letter = Letter(
            "Fwd: have you seen this dog", text, f"friend {number}", f"friend{number}@firm{number}.example"
        )
        post.send("bulk", START + number * 30.0, host, PEOPLE[number % len(PEOPLE)], letter)


def snowshoe(post: Post) -> None:
    for number, line in enumerate(post.lines.rack(40)):
        domain = f"deal{number % 10}.example"
        for _ in range(8):
            text = (
                "The knife that cuts stone is sold for a quarter of its price until midnight, with a board of oak."
                f"\nTake it: http://{domain}/knife/{hexed(post.dice, 'XXXXXX')}\n\nLeave the list any time."
            )
            letter = Letter("The knife that cuts stone", text, "Kitchen Deals", f"deals@{domain}")
            post.send("bulk", START + post.dice.random() * 60 * MINUTE, line, HOUSE, letter, signed=domain)


@pytest.mark.parametrize(
    "kind", [newsletter, unsigned_invoices, digests, dmarc_reports, bounces, chain_letter, snowshoe]
)
def test_bulk_is_never_held(kind) -> None:  # type: ignore[no-untyped-def]
    """Newsletter bursts, invoice runs, digests, reports, bounces, chain letters: none is deferred, held, refused."""
    post = warm(kind.__name__)
    kind(post)
    stand = Stand()
    seen = stand.play(post.mails)
    assert not above_tag(seen)
    assert not stand.named("attack")
    assert not stand.named("failed")


def test_bulk_is_never_held_by_a_fresh_memory() -> None:
    """Nor on the first day, when every source is a new one."""
    post = Post("fresh")
    for kind in (newsletter, unsigned_invoices, digests, dmarc_reports, bounces):
        kind(post)
    seen = Stand().play(post.mails)
    assert not above_tag(seen)


def test_nobody_is_believed_without_an_authserv_id() -> None:
    """Where the operator names no checks of ours, an Authentication-Results in the mail says nothing."""
    post = Post("unbelieved")
    newsletter(post)
    stand = Stand(authserv_ids=[])
    stand.play(post.mails[:50])
    campaign = max(stand.guard.state.young.campaigns.values(), key=lambda c: c.messages)
    assert campaign.tally.unchecked == campaign.tally.messages
    assert campaign.tally.signed == 0
