"""Mails for the outlets' tests: a wave from homes all over, and a shop's letter; and a guard with a clock one sets."""

from __future__ import annotations

from typing import Any

from thingwatch.guard import Action, Delivery, Guard, Options
from thingwatch.model import Session

NOON = 1_795_000_000.0
HOST = "pay.evil-lure.example"
SUBJECT = "Ihre Rechnung ist überfällig"
ARMED = Options().changed(canary=False, max_messages=20_000, max_sources=20_000)
_TEXT = """\
Dear customer,

your invoice number {number} is overdue since last week and we ask you kindly to settle it without further delay.
Open the document here: http://{host}/doc/{token:x}/view.php?id={number}

The accounting team wishes you a pleasant day and thanks you for your trust.
"""


class Clock:
    """Seconds that pass when told to."""

    def __init__(self, at: float = NOON) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def guard_with(clock: Clock, events: list[dict[str, Any]], options: Options = ARMED, **more: Any) -> Guard:
    """A guard whose events are kept in *events*."""
    return Guard(options, events=events.append, monotonic=clock, wall=clock, **more)


def wave_mail(number: int, at: float, host: str = HOST, subject: str = SUBJECT) -> Delivery:
    """One mail of the wave: each from another home in another network."""
    raw = (
        f'From: "Anna {number}" <anna{number}@home{number}.example>\nTo: user{number}@border.test\n'
        f"Subject: {subject}\nMessage-ID: <{number:08x}.{number * 7919:08x}@mail>\n"
        "Date: Tue, 25 Nov 2025 10:00:00 +0000\nX-Mailer: iPhone Mail\nMIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
        + _TEXT.format(number=number * 31, host=host, token=number * 977)
    ).encode()
    ip = f"{20 + number % 150}.{number * 7 % 250}.{number * 13 % 250}.{1 + number % 250}"
    session = Session(
        int(at * 1e6), ip, f"host{number}", f"dsl-{number}.pool.example", f"anna{number}@home{number}.example",
        (f"user{number}@border.test",),
    )  # fmt: skip
    return Delivery(raw, session, f"Q{number}", "", False)


def shop_mail(number: int, at: float, host: str = "www.shop.example") -> Delivery:
    """A letter of a shop, from its one server."""
    raw = (
        f"From: Shop <news@shop.example>\nTo: user{number}@border.test\nSubject: New chairs in week {number}\n"
        f"Message-ID: <{number}@shop.example>\nDate: Tue, 25 Nov 2025 10:00:00 +0000\nMIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=utf-8\n\nGood day,\n\nthis week we have chairs, tables and lamps for you,"
        f" all of them made of oak by the people of our village.\nLook at http://{host}/week/{number}\n\nYour shop\n"
    ).encode()
    session = Session(
        int(at * 1e6), "198.51.100.7", "mail.shop.example", "mail.shop.example", "news@shop.example",
        (f"user{number}@border.test",),
    )  # fmt: skip
    return Delivery(raw, session, f"S{number}", "", False)


def play(decide: Any, clock: Clock, numbers: range, seconds: float = 3.0, **more: Any) -> list[Action]:
    """The wave's mails of *numbers*, one every *seconds*; what was done with each."""
    done = []
    for number in numbers:
        clock.at += seconds
        done.append(decide(wave_mail(number, clock.at, **more)).action)
    return done
