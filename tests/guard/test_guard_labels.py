"""What users and traps report takes effect on the next mail, from several of them, and never over a person's word."""

from __future__ import annotations

from pathlib import Path

import pytest
from guard.inflight import Seen, Stand, actions, everyday
from stories.cast import DAY, HOUR, Post, at, invoice, parcel

from thingwatch.errors import UsageError
from thingwatch.guard import Action

START = at("2014-01-02 08:00")


def small(name: str, stand: Stand, homes: int = 6) -> tuple[list[Seen], Post]:
    """A campaign of a few mails that nobody can be sure of yet, and its next mails."""
    post = everyday(name, 150, START - 2 * DAY, 2.0)
    pool = post.lines.homes(homes)
    post.wave("bots", pool, START, 30, parcel, each=(1,))
    seen = [one for one in stand.play(post.mails) if one.role == "bots"]
    later = Post(f"{name} later")
    later.wave("later", pool[:3], START + HOUR, 5, parcel, each=(1,))
    return seen, later


def reported(stand: Stand, seen: list[Seen], label: str, people: list[str]) -> list[tuple[str, str]]:
    """Each of *people* reports a mail of *seen*, found by its queue id."""
    return [
        stand.guard.label(label, person, queue_id=one.delivery.queue_id)
        for person, one in zip(people, seen, strict=False)
    ]


def test_three_users_make_an_attack_of_a_small_campaign() -> None:
    """The judge is not sure of six mails; three people are, and the next mail is held."""
    stand = Stand()
    seen, later = small("reports", stand)
    said = reported(stand, seen, "spam", ["anna@b.example", "bela@b.example", "cleo@b.example"])
    campaign = said[0][0]
    assert said == [(campaign, ""), (campaign, ""), (campaign, "marked attack")]
    assert set(actions(stand.play(later.mails), "later")) == {Action.QUARANTINE}
    assert [event["by"] for event in stand.named("marked")] == ["reports"]


def test_one_user_is_one_however_often(tmp_path: Path) -> None:
    """The same person three times, in other letters, and across a restart, counts once; a second then adds."""
    stand = Stand(tmp_path)
    seen, later = small("insistent", stand)
    reported(stand, seen, "spam", ["anna@b.example", "Anna@B.example"])
    stand.guard.close()
    again = Stand(tmp_path, clock=stand.clock)
    assert [effect for _, effect in reported(again, seen, "spam", ["anna@b.example", "bela@b.example"])] == [
        "",
        "",
    ]
    assert Action.QUARANTINE not in actions(again.play(later.mails), "later")
    assert reported(again, seen, "spam", ["cleo@b.example"])[0][1] == "marked attack"


def test_a_newsletter_is_not_reported_away() -> None:
    """A name stands behind it: people who are tired of it make no attack of it."""
    stand = Stand()
    post = everyday("tired", 150, START - 2 * DAY, 2.0)
    post.newsletter("news", post.lines.servers(2), START, 30, 40, "lampshop.example", invoice(post.dice))
    news = [one for one in stand.play(post.mails) if one.role == "news"]
    campaign = (
        stand.guard.state.campaign_of("", news[-1].delivery.queue_id)
        or max(stand.guard.campaigns(), key=lambda row: row["last_at"])["id"]
    )
    said = [stand.guard.label("spam", f"u{number}@b.example", campaign) for number in range(20)]
    assert set(said) == {(campaign, "")}
    assert not stand.named("marked")


def test_two_who_wanted_it_disarm_a_campaign() -> None:
    """Held mail that two people ask for: the next is tagged only, with an alert; what is held waits for a person."""
    stand = Stand()
    post = everyday("wanted", 150, START - 2 * DAY, 2.0)
    pool = post.lines.homes(40)
    post.wave("bots", pool, START, 10, parcel)
    seen = [one for one in stand.play(post.mails) if one.answer.action is Action.QUARANTINE]
    said = reported(stand, seen, "ham", ["anna@b.example", "bela@b.example"])
    assert [effect for _, effect in said] == ["", "disarmed"]
    assert [entry.queue_id for entry in stand.guard.held(said[0][0])] == [
        one.delivery.queue_id for one in seen
    ]
    later = Post("wanted later")
    later.wave("later", pool, START + HOUR, 5, parcel)
    assert set(actions(stand.play(later.mails), "later")) == {Action.TAG}
    assert stand.named("disarmed")[0]["alert"]


def test_a_persons_mark_is_above_reports() -> None:
    """Marked an attack by somebody who may: reports of wanting it change nothing; and the other way round."""
    stand = Stand()
    seen, later = small("above", stand, homes=30)
    campaign = reported(stand, seen, "ham", ["anna@b.example"])[0][0]
    stand.guard.mark(campaign, "attack", "soc")
    assert reported(stand, seen, "ham", ["bela@b.example", "cleo@b.example"]) == [(campaign, "")] * 2
    assert set(actions(stand.play(later.mails), "later")) == {Action.QUARANTINE}
    stand.guard.mark(campaign, "good", "soc")
    spam = reported(stand, seen, "spam", [f"u{number}@b.example" for number in range(9)])
    assert {effect for _, effect in spam} == {""}


def test_a_trap_reported_twice_marks() -> None:
    """A honeypot elsewhere tells of two mails with the campaign's Message-IDs."""
    stand = Stand()
    seen, _ = small("honeypot", stand)
    ids = [
        one.delivery.raw.split(b"Message-ID: ")[1].split(b"\n")[0].decode().strip("<>") for one in seen[:2]
    ]
    said = [stand.guard.label("trap", f"trap{n}@pot.example", message_id=one) for n, one in enumerate(ids)]
    assert [effect for _, effect in said] == ["", "marked attack"]


def test_what_is_not_remembered_is_said_to_be_so() -> None:
    """A mail nobody knows, a campaign nobody knows, and a word that is none."""
    stand = Stand()
    assert stand.guard.label("spam", "anna@b.example", message_id="x@y.example") == ("", "")
    assert stand.guard.label("spam", "anna@b.example", campaign="y-99") == ("", "")
    with pytest.raises(UsageError, match="one of spam"):
        stand.guard.label("evil", "anna@b.example", campaign="y-1")
