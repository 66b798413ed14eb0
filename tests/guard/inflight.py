"""Mail of the stories as a gateway hands it over, and a guard whose clock a test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from stories.cast import BORDER, Letter, Passing, Post, forged, words

from thingwatch.guard import Action, Answer, Delivery, Guard, Known, Options
from thingwatch.model import Message, RawMail, Session
from thingwatch.read import Border, read_message


def delivery_of(mail: Passing, number: int = 0, login: str = "") -> Delivery:
    """*mail* put back to when the border had not written in it yet; its checks stand on top."""
    message = read_message(RawMail(mail.raw, ""), Border.of([BORDER]))
    lines = mail.raw.split(b"\n")
    # Return-Path, Authentication-Results, and a Received field of three lines.
    raw = b"\n".join([lines[1], *lines[5:]])
    return handed_over(mail, message, raw, f"Q{number:06d}", login)


def handed_over(mail: Passing, message: Message, raw: bytes, queue_id: str, login: str = "") -> Delivery:
    """*raw*, what was left of *mail*, with the connection's facts that its border had noted in *message*."""
    session = Session(
        round(mail.received_at * 1e6),
        message.client_ip,
        message.helo,
        message.ptr,
        message.mail_from,
        message.rcpt_to,
    )
    return Delivery(raw, session, queue_id, login, False)


class Seen(NamedTuple):
    """One mail and what was answered."""

    role: str
    delivery: Delivery
    answer: Answer

    @property
    def symbol(self) -> str:
        """The guard's symbol in the header, "" where there is none."""
        return dict(self.answer.headers).get("X-Thingwatch-Symbol", "")


class Stand:
    """A guard in a test: time is ours, events are kept."""

    def __init__(
        self, folder: Path | None = None, known: Known | None = None, clock: float = 0.0, **options: Any
    ) -> None:
        """Canary is off unless a test says otherwise; every action is what the detector asks for."""
        self.clock = clock
        self.wall = 0.0  # beside the clock, which is never set
        self.events: list[dict[str, Any]] = []
        values: dict[str, Any] = {
            "canary": False,
            "authserv_ids": [BORDER],
            "max_messages": 5000,
            "max_sources": 5000,
        }
        self.guard = Guard(
            Options().changed(**(values | options)),
            known,
            folder,
            events=self.events.append,
            monotonic=lambda: self.clock,
            wall=lambda: self.wall + self.clock,
        )
        self._number = 0

    def decide(self, mail: Passing, login: str = "") -> Seen:
        """One mail at its time."""
        self.clock = max(self.clock, mail.received_at)
        self._number += 1
        delivery = delivery_of(mail, self._number, login)
        return Seen(mail.role, delivery, self.guard.decide(delivery))

    def play(self, mails: Iterable[Passing], upto: Callable[[], bool] = lambda: False) -> list[Seen]:
        """All *mails* in received order."""
        seen = []
        for mail in sorted(mails, key=lambda mail: mail.received_at):
            seen.append(self.decide(mail))
            if upto():
                break
        return seen

    def named(self, event: str) -> list[dict[str, Any]]:
        """The events of that name."""
        return [one for one in self.events if one["event"] == event]


def actions(seen: Iterable[Seen], role: str) -> list[Action]:
    """What was done with the mails of *role*."""
    return [one.answer.action for one in seen if one.role == role]


def above_tag(seen: Iterable[Seen], *roles: str) -> list[Seen]:
    """The mails of *roles* (of all, when none is named) that were held, deferred or refused."""
    return [
        one
        for one in seen
        if one.answer.action not in (Action.ACCEPT, Action.TAG) and (not roles or one.role in roles)
    ]


def everyday(name: str, count: int = 400, start: float = 0.0, days: float = 2.0) -> Post:
    """A site whose people write to each other: the past of most tests."""
    post = Post(name)
    post.everyday(count, start, days)
    return post


def fresh(dice: Random) -> Letter:
    """A mail that says what no other says, by one program."""
    return Letter(words(dice, 5), words(dice, 60), words(dice, 2), forged(dice))
