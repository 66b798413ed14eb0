"""Messages that say the same become lures, lures of one hand become campaigns, and strangers stay strangers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from stories.cast import (
    ENGINE,
    ENGINE_TWO,
    HOUR,
    PEOPLE,
    Letter,
    Post,
    at,
    engine,
    forged,
    gossip,
    invoice,
    parcel,
    pills,
)

from thingwatch.config import Settings
from thingwatch.group import Join, group
from thingwatch.kernel import digest_all
from thingwatch.read import Border
from thingwatch.store import Embedded
from thingwatch.uncover import load_tables

SETTINGS = Settings().changed(workers=1)
MORNING = at("2014-01-02 08:00")


class Grouped:
    """What grouping made of a mailbox: the campaign and the lure of every mail, None for none."""

    def __init__(self, post: Post, order: Callable[[list[bytes]], None] | None = None) -> None:
        by_mail = {mail.raw: mail.role for mail in post.mails}
        mails = [mail.raw for mail in sorted(post.mails, key=lambda mail: mail.received_at)]
        if order is not None:
            order(mails)
        with tempfile.TemporaryDirectory() as folder:
            mbox, work = Path(folder, "mail.mbox"), Path(folder, "work")
            mbox.write_bytes(b"".join(b"From - Thu Jan  2 08:00:00 2014\n" + mail + b"\n" for mail in mails))
            work.mkdir()
            with Embedded(SETTINGS, work) as tables:
                load_tables(tables, digest_all(tables, [mbox], Border(), SETTINGS, lambda stage, rows: None))
                self.joins: list[Join] = group(tables, SETTINGS)
                self.rows = tables.rows("SELECT seq, campaign, lure FROM campaign_members ORDER BY seq")
        self.campaign = {seq: campaign for seq, campaign, _ in self.rows}
        self.lure = {seq: lure for seq, _, lure in self.rows}
        self.roles = [by_mail[mail] for mail in mails]
        self.mails = mails

    def campaigns(self, role: str) -> set[int | None]:
        """The campaigns that mails of *role* are in."""
        return {self.campaign.get(seq) for seq, found in enumerate(self.roles) if found == role}

    def lures(self, role: str) -> set[int | None]:
        """The lures that mails of *role* are in."""
        return {self.lure.get(seq) for seq, found in enumerate(self.roles) if found == role}

    def sets(self) -> set[frozenset[bytes]]:
        """The campaigns as sets of mails, whatever their numbers."""
        found: dict[int, set[bytes]] = {}
        for seq, campaign in self.campaign.items():
            found.setdefault(campaign, set()).add(self.mails[seq])
        return {frozenset(mails) for mails in found.values()}


def test_one_text_is_one_lure() -> None:
    """Mails that differ in name, number and link are one lure, and nobody else's mail is in it."""
    post = Post("one text")
    post.wave("parcel", post.lines.homes(40), MORNING, 20, parcel)
    post.everyday(100, at("2014-01-01"), 3)
    grouped = Grouped(post)
    assert len(grouped.lures("parcel")) == len(grouped.campaigns("parcel")) == 1
    assert None not in grouped.campaigns("parcel")
    assert not grouped.campaigns("parcel") & grouped.campaigns("everyday")


def test_a_message_is_in_one_campaign() -> None:
    """No message is counted twice."""
    post = Post("once")
    pool = post.lines.homes(40)
    for start, letter in ((0.0, parcel), (1.0, invoice), (2.0, pills)):
        post.wave("lure", pool, MORNING + start * HOUR, 20, letter)
    post.everyday(60, at("2014-01-01"), 3)
    seqs = [seq for seq, _, _ in Grouped(post).rows]
    assert len(seqs) == len(set(seqs))


@pytest.mark.parametrize("seed", [1, 2])
def test_order_of_input_does_not_matter(seed: int) -> None:
    """The same mail in any order falls into the same groups."""
    post = Post("order")
    pool = post.lines.homes(40)
    post.wave("parcel", pool, MORNING, 20, parcel)
    post.wave("invoice", pool, MORNING + 60, 20, invoice)
    post.everyday(100, at("2014-01-01"), 3)
    shuffle = Random(seed).shuffle  # noqa: S311 - dice of a story
    assert Grouped(post).sets() == Grouped(post, shuffle).sets()


def test_joins_say_why() -> None:
    """Every join has two kinds of evidence, or a pool mostly shared; each with weight, sentence and place."""
    post = Post("two kinds")
    pool = post.lines.homes(40)
    post.wave("parcel", pool, MORNING, 20, parcel)
    post.wave("invoice", pool, MORNING + 60, 20, invoice)
    post.everyday(100, at("2014-01-01"), 3)
    grouped = Grouped(post)
    assert grouped.campaigns("parcel") == grouped.campaigns("invoice")
    assert grouped.lures("parcel") != grouped.lures("invoice")
    assert grouped.joins
    for join in grouped.joins:
        names = {reason.name for reason in join.reasons}
        assert len(names) >= 2 or names == {"same sources"}
        assert all(reason.weight > 0 and reason.sentence and reason.evidence for reason in join.reasons)


@pytest.mark.parametrize("alike", ["a tenth of the pool", "hand", "time"])
def test_one_kind_of_evidence_joins_nothing(alike: str) -> None:
    """Some of the same homes, the same program, or the same minutes alone prove nothing about two lures."""
    post = Post(f"one kind {alike}")
    pool = post.lines.homes(40)
    post.wave("parcel", pool, MORNING, 20, parcel, ENGINE)
    other = pool[:4] + post.lines.homes(36) if alike == "a tenth of the pool" else post.lines.homes(40)
    start = MORNING + (0 if alike == "time" else 7 * HOUR)
    post.wave("pills", other, start, 20, pills, ENGINE if alike == "hand" else ENGINE_TWO)
    # The program is one that people use as well.
    for number, line in enumerate(post.lines.homes(60)):
        letter = Letter(gossip(post.dice, 3), gossip(post.dice, 40), "someone", forged(post.dice))
        post.send("stranger", MORNING - (number + 2) * HOUR, line, ENGINE, letter)
    post.everyday(100, at("2014-01-01"), 3)
    grouped = Grouped(post)
    assert not grouped.campaigns("parcel") & grouped.campaigns("pills")


def test_chain_of_strangers_does_not_merge() -> None:
    """A few mails that hold two texts do not make one lure of both."""
    post = Post("chain")
    post.wave("parcel", post.lines.homes(40), MORNING, 20, parcel, ENGINE)
    post.wave("pills", post.lines.homes(40), MORNING + 7 * HOUR, 20, pills, ENGINE_TWO)
    for number, line in enumerate(post.lines.servers(3)):
        one, two = parcel(post.dice), pills(post.dice)
        both = one._replace(text=one.text + "\n\n" + two.text)
        post.send("both", MORNING + 3 * HOUR, line, PEOPLE[number], both)
    post.everyday(100, at("2014-01-01"), 3)
    grouped = Grouped(post)
    assert not grouped.lures("parcel") & grouped.lures("pills")
    assert not grouped.campaigns("parcel") & grouped.campaigns("pills")


def test_two_names_are_two_hands() -> None:
    """One newsletter text under two signatures is two campaigns when the rest of it is ordinary mail."""
    post = Post("two names")
    provider = post.lines.servers(3)
    for shop in ("lamps.example", "trees.example"):
        text = (
            f"Dear reader, here is the letter of {shop} with all that is new in our garden and on our shelves. "
            + (
                gossip(Random(shop), 60)  # noqa: S311 - dice of a story
            )
        )
        post.newsletter(
            shop, provider, MORNING, 30, 40, shop, Letter(f"News of {shop}", text, shop, f"news@{shop}")
        )
    post.everyday(100, at("2014-01-01"), 3)
    grouped = Grouped(post)
    assert not grouped.campaigns("lamps.example") & grouped.campaigns("trees.example")


def test_nobody_is_grouped_for_common_phrases() -> None:
    """Letters of people who say the same phrases in their own programs are in no reportable group."""
    post = Post("people")
    post.everyday(240, at("2014-01-01"), 3)
    grouped = Grouped(post)
    sizes = [len(mails) for mails in grouped.sets()]
    assert max(sizes, default=0) < SETTINGS.min_messages


def test_no_mail_makes_no_groups() -> None:
    """A single mail is grouped with nobody."""
    post = Post("alone")
    post.everyday(1, at("2014-01-01"), 1)
    assert Grouped(post).sets() == set()


def test_most_of_the_mail_may_be_one_lure_in_many_hands() -> None:
    """A lure that is two thirds of all mail and comes in three dialects alike is still found whole."""
    post = Post("majority")
    pool = post.lines.homes(40)
    for number in range(3):
        post.wave("parcel", pool, MORNING + number * 8 * HOUR, 20, parcel, engine(100 + number))
    post.everyday(80, at("2014-01-01"), 3)
    grouped = Grouped(post)
    assert len(grouped.campaigns("parcel")) == 1
    assert None not in grouped.campaigns("parcel")
