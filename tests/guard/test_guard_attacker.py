"""The attacker's view: who tries to have a good sender blocked, or to slip under, gets what. See docs/guard.md."""

from __future__ import annotations

from random import Random

from guard.inflight import Stand, above_tag, actions, everyday, fresh
from stories.cast import (
    BORDER,
    DAY,
    ENGINE,
    HOUR,
    HOUSE,
    MINUTE,
    PEOPLE,
    Letter,
    Line,
    Post,
    at,
    engine,
    forged,
    hexed,
    parcel,
    words,
)

from thingwatch.guard import Action

START = at("2014-01-02 08:00")
NEWS = (
    "Dear reader,\n\nthe lamps of spring have come to our shop in nine colours, and until Sunday you pay for one and"
    " take two home.\nOur workshop mends what others throw away, every Thursday from nine to noon.\n"
    "Look at them: https://lampshop.example/spring\n\nYour lamp shop, Lantern Lane 4"
)
SHOP = Letter("Spring lamps are here", NEWS, "Lamp Shop", "news@lampshop.example")


def warm(name: str) -> Post:
    return everyday(name, 300, START - 2 * DAY, 2.0)


def house(count: int = 2) -> list[Line]:
    return [
        Line(f"198.51.100.{10 + i}", f"out-{'ab'[i]}.lampshop.example", f"out-{'ab'[i]}.lampshop.example")
        for i in range(count)
    ]


def copied(dice: Random) -> Letter:
    """The newsletter word for word, with the attacker's link in it."""
    text = f"{NEWS}\n\nOr claim your lamp here: http://{words(dice, 1)}.example/lamp/{hexed(dice, 'XXXXXXXX')}.php"
    return Letter("Spring lamps are here", text, "Lamp Shop", forged(dice))


def unsigned_news(post: Post, role: str, start: float, count: int) -> None:
    for number in range(count):
        post.send(role, start + number * 2.0, house()[number % 2], HOUSE, SHOP)


def test_poisoning_a_signed_newsletter_blocks_nobody_but_the_bots() -> None:
    """A botnet that copies a newsletter is stopped; the newsletter itself, signed, is never more than accepted."""
    post = warm("poison signed")
    post.newsletter("news", house(), START - DAY, 30, 150, "lampshop.example", SHOP)
    post.wave("bots", post.lines.homes(80), START, 10, copied)
    post.newsletter("news", house(), START + 5 * MINUTE, 30, 150, "lampshop.example", SHOP)
    seen = Stand().play(post.mails)
    assert not above_tag(seen, "news", "everyday")
    bots = actions(seen, "bots")
    assert bots.count(Action.QUARANTINE) >= 0.7 * len(bots)


def test_poisoning_an_unsigned_newsletter_in_its_own_dialect_buys_tags() -> None:
    """Text and hand of a house that signs nothing: its mail is never held, and the bots' is tagged at worst for us."""
    post = warm("poison unsigned")
    unsigned_news(post, "news", START - DAY, 150)
    post.wave("bots", post.lines.homes(80), START, 10, copied, HOUSE)
    unsigned_news(post, "news", START + 12 * MINUTE, 100)
    seen = Stand().play(post.mails)
    assert not above_tag(seen, "news", "everyday")


def test_poisoning_a_newsletter_that_comes_later_does_not_hold_it() -> None:
    """The text is stolen before the guard ever saw its owner; the owner's servers are known from other mail."""
    post = warm("poison early")
    for number in range(60):
        letter = Letter(
            f"Your lamp {number}",
            f"Order {number} of {words(post.dice, 8)} is on its way",
            "Lamp Shop",
            "orders@lampshop.example",
        )
        post.send("orders", START - DAY + number * 300.0, house()[number % 2], HOUSE, letter)
    post.wave("bots", post.lines.homes(80), START, 10, copied)
    unsigned_news(post, "news", START + HOUR, 100)
    seen = Stand().play(post.mails)
    assert not above_tag(seen, "news", "orders", "everyday")


def test_a_stolen_text_does_not_hold_its_owners_first_mail() -> None:
    """Text and program of a house nobody here ever had mail from, stolen before: its servers' names are no lines'."""
    post = warm("thief early")
    post.wave("bots", post.lines.homes(80), START, 10, copied, HOUSE)
    unsigned_news(post, "news", START + HOUR, 60)
    seen = Stand().play(post.mails)
    assert not above_tag(seen, "news", "everyday")
    assert actions(seen, "bots").count(Action.QUARANTINE) >= 70


def test_forged_authentication_results_sign_nothing() -> None:
    """A field of our checks' name below the place where ours stand is the sender's own word, and is not read."""
    post = warm("forged checks")

    def signed(dice: Random) -> Letter:
        extra = (f"Authentication-Results: {BORDER}; dkim=pass header.d=bank.example; spf=pass",)
        return parcel(dice)._replace(extra=extra)

    post.wave("bots", post.lines.homes(80), START, 10, signed)
    bots = actions(Stand().play(post.mails), "bots")
    assert bots.count(Action.QUARANTINE) >= 0.7 * len(bots)


def test_a_received_line_with_the_own_address_moves_no_trust() -> None:
    """In flight nobody of ours has written in the mail: a forged border line with checks above it buys nothing."""
    post = warm("forged border")
    lines = post.lines.homes(80)

    def bordered(line: Line):  # type: ignore[no-untyped-def]
        def letter(dice: Random) -> Letter:
            return parcel(dice)._replace(
                extra=(
                    f"Authentication-Results: {BORDER}; dkim=pass header.d=bank.example",
                    f"Received: from x ([{line.client_ip}]) by {BORDER} with ESMTP; Thu, 2 Jan 2014 08:00:00 +0000",
                )
            )

        return letter

    for line in lines:
        post.wave("bots", [line], START, 10, bordered(line))
    bots = actions(Stand().play(post.mails), "bots")
    assert bots.count(Action.QUARANTINE) >= 0.7 * len(bots)


def test_a_forged_list_id_gets_no_list() -> None:
    """Bots that call themselves a mailing list: no allowlist, and no name, as customers' lines run no lists."""
    post = warm("forged list")

    def listed(dice: Random) -> Letter:
        return parcel(dice)._replace(extra=("List-Id: <friends.example>",))

    post.wave("bots", post.lines.homes(80), START, 10, listed)
    stand = Stand(allow_lists=["friends.example"])
    seen = stand.play(post.mails)
    assert "exempt: list" not in stand.guard.counts
    assert actions(seen, "bots").count(Action.QUARANTINE) > 50


def test_fresh_dialect_in_every_mail_is_seen_by_its_text() -> None:
    """A hand that changes with every mail loses one hand, and is flagged by text, lines and clock all the same."""
    post = warm("fresh dialects")
    for number, line in enumerate(post.lines.homes(120)):
        post.wave("bots", [line], START + number * 3.0, 0.05, parcel, engine(1000 + number))
    stand = Stand()
    stand.play(post.mails)
    found = max(stand.guard.campaigns(), key=lambda row: row["messages"])
    assert found["messages"] >= 100
    assert found["verdict"] == "attack"


def test_calling_every_mail_an_answer_is_no_pass() -> None:
    """Re: before every subject costs the campaign bits, and it is stopped later, not never."""
    post = warm("answers")

    def answer(dice: Random) -> Letter:
        letter = parcel(dice)
        return letter._replace(subject=f"Re: {letter.subject}")

    post.wave("bots", post.lines.homes(80), START, 10, answer)
    bots = actions(Stand().play(post.mails), "bots")
    assert bots.count(Action.QUARANTINE) >= 0.5 * len(bots)


def test_bots_that_behaved_for_a_day_buy_what_they_paid_for() -> None:
    """Thirteen harmless mails from each bot make it somebody's server here: its lure is let through. It is said so."""
    post = warm("warmed up")
    pool = post.lines.homes(40)
    for line in pool:
        for number in range(13):
            said = Letter(words(post.dice, 4), words(post.dice, 30), "x y", forged(post.dice))
            post.send("warm", START - DAY - number * HOUR, line, PEOPLE[number % 12], said)
    post.wave("bots", pool, START, 10, parcel)
    assert not above_tag(Stand().play(post.mails))


def test_fresh_text_in_every_mail_is_known_by_its_hand() -> None:
    """No two mails say the same, and one program writes them on sixty new lines: tagged, and nobody else is hurt."""
    post = warm("fresh texts")
    post.wave("bots", post.lines.homes(60), START, 10, fresh)
    stand = Stand()
    seen = stand.play(post.mails)
    bots = actions(seen, "bots")
    assert bots.count(Action.ACCEPT) <= 20
    assert bots.count(Action.TAG) >= 0.6 * len(bots)
    assert not [one for one in seen if one.role == "everyday" and one.answer.action is not Action.ACCEPT]
    (found,) = [row for row in stand.guard.campaigns() if row["verdict"] == "attack"]
    assert found["lures"] == 0
    assert found["certainty"] == "likely"


def test_fresh_text_and_dialect_in_every_mail_passes() -> None:
    """Where neither words nor program are shared nothing joins such mail: it is let through, and it is said so."""
    post = warm("fresh all")

    def changing(dice: Random) -> Letter:
        return fresh(dice)._replace(extra=(f"X-{hexed(dice, 'XXXXXX')}: {hexed(dice, 'XXXX')}",))

    post.wave("bots", post.lines.homes(60), START, 10, changing)
    seen = Stand().play(post.mails)
    assert not above_tag(seen)


def test_a_program_that_people_use_is_no_hand() -> None:
    """The same sixty lines with the program everybody here writes with, whose mail comes from servers all the while."""
    post = warm("people's program")
    started = START
    for number, line in enumerate(post.lines.homes(60)):
        post.send("bots", started + number * 20, line, PEOPLE[0], fresh(post.dice))
    for number in range(60):
        post.send("people", started + number * 20 + 10, post.lines.servers(1)[0], PEOPLE[0], fresh(post.dice))
    seen = Stand().play(post.mails)
    assert not [one for one in seen if one.answer.action is not Action.ACCEPT]


def test_a_slow_drip_is_still_one_campaign() -> None:
    """One mail in twenty minutes for two days: no burst, but the lure is remembered from mail to mail."""
    post = warm("slow drip")
    for number, line in enumerate(post.lines.homes(100)):
        post.wave("bots", [line], START + number * 20 * MINUTE, 5, parcel, each=(1,))
    bots = actions(Stand().play(post.mails), "bots")
    assert sum(action is not Action.ACCEPT for action in bots) >= 0.7 * len(bots)


def test_a_forwarded_lure_is_not_held() -> None:
    """Somebody asks a colleague about the mail, quoting it whole."""
    post = warm("forwarded")
    post.wave("bots", post.lines.homes(80), START, 10, parcel)
    for number, line in enumerate(post.lines.servers(8)):
        lure = parcel(post.dice)
        letter = Letter(
            f"Fwd: {lure.subject}", f"Is this real?\n\n{lure.text}", "A colleague", f"a@firm{number}.example"
        )
        post.send("asked", START + 12 * MINUTE + number, line, PEOPLE[number], letter)
    assert not above_tag(Stand().play(post.mails), "asked", "everyday")


def test_mail_in_pairs_fills_no_memory_and_hides_no_wave() -> None:
    """Two mails of each of a thousand texts, to fill memory with lures: the oldest go, and the running wave stays."""
    post = warm("pairs")
    pool = post.lines.homes(60)
    post.wave("bots", pool, START, 30, parcel)
    others = post.lines.homes(100)
    for number in range(1000):
        twice = fresh(post.dice)
        for line in (others[number % 100], others[number // 10 - 1]):
            post.send("pairs", START + number * 1.8, line, engine(number), twice)
    stand = Stand(max_lures=100)
    seen = stand.play(post.mails)
    assert len(stand.guard.state.young.by_number) <= 100
    assert actions(seen, "bots").count(Action.QUARANTINE) > 50
    assert not above_tag(seen, "everyday")


def test_one_ipv6_network_is_one_source() -> None:
    """Ten thousand addresses of one /64 are one sender, not ten thousand."""
    post = warm("one /64")
    for number in range(60):
        line = Line(f"2001:db8:1:2::{number + 1:x}", "", "home-pc")
        post.send("bots", START + number, line, ENGINE, parcel(post.dice))
    stand = Stand()
    seen = stand.play(post.mails)
    assert not stand.named("attack")
    assert not above_tag(seen)
