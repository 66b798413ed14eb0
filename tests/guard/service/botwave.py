"""A wave for tests: many addresses, a mail each, one lure in changing words; and how it is sent through Postfix."""

from __future__ import annotations

import random
import re
import smtplib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from guard.postfix import DOMAIN, Postfix

_WORDS = (
    "parcel",
    "waits",
    "customs",
    "fee",
    "small",
    "today",
    "office",
    "driver",
    "closed",
    "depot",
    "hour",
)


def mail_of(number: int, seed: int = 1) -> bytes:
    """The *number*-th mail of wave *seed*, with its number in the Message-ID."""
    draw = random.Random(f"{seed}/{number}")  # noqa: S311 - equal seeds give equal mail
    words = " ".join(draw.sample(_WORDS, 8))
    return (
        f"Message-ID: <{seed}.{number}@sender.example>\r\nFrom: Parcel <p{number}@sender.example>\r\n"
        f"To: <u{number}@{DOMAIN}>\r\nSubject: Your parcel {draw.randrange(10**6)} is waiting\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        "Dear customer, your parcel could not be delivered because a fee of 1.99 is open. "
        f"{words}. Please pay the fee at http://parcel-fee-{seed}.example/pay?id={draw.randrange(10**9)} "
        "within two days, or it will be sent back to the sender at your cost. Kind regards, the depot.\r\n"
    ).encode()


def client_ip(number: int) -> str:
    """Whose address the *number*-th mail comes from. Not of a range for examples: those are taken for inside."""
    return f"93.{64 + number // 62500 % 64}.{number // 250 % 250}.{number % 250 + 1}"


class Sent(NamedTuple):
    """What the client saw of one mail."""

    number: int
    code: int
    seconds: float


def send(postfix: Postfix, number: int, seed: int = 1) -> Sent:
    """Send one mail on a connection of its own, as its own address."""
    began = time.monotonic()
    code = 250
    try:
        with postfix.smtp() as client:
            client.docmd("XCLIENT", f"ADDR={client_ip(number)} NAME=dsl-{number}.example")
            client.sendmail(f"p{number}@sender.example", [f"u{number}@{DOMAIN}"], mail_of(number, seed))
    except smtplib.SMTPResponseException as error:
        code = error.smtp_code
    except smtplib.SMTPRecipientsRefused as error:
        code = next(iter(error.recipients.values()))[0]
    except (OSError, smtplib.SMTPServerDisconnected):
        code = 0
    return Sent(number, code, time.monotonic() - began)


class Wave:
    """So many mails from several senders at a time; starts with ``begin``."""

    def __init__(self, postfix: Postfix, mails: int, seed: int = 1, senders: int = 6, first: int = 0) -> None:
        """Of *mails*, numbered from *first*."""
        self.sent: list[Sent] = []
        self._postfix, self._seed = postfix, seed
        self._numbers = range(first, first + mails)
        self._pool = ThreadPoolExecutor(senders)
        self._lock = threading.Lock()

    def begin(self) -> Wave:
        """Send, beside the test."""
        for number in self._numbers:
            self._pool.submit(self._send, number)
        return self

    def _send(self, number: int) -> None:
        sent = send(self._postfix, number, self._seed)
        with self._lock:
            self.sent.append(sent)

    def wait_for(self, mails: int, seconds: float = 60.0) -> None:
        """Until so many are sent."""
        deadline = time.monotonic() + seconds
        while len(self.sent) < mails:
            assert time.monotonic() < deadline, f"{len(self.sent)} sent"
            time.sleep(0.005)

    def end(self) -> list[Sent]:
        """All of them, once they are sent."""
        self._pool.shutdown(wait=True)
        return self.sent


def numbers_in(mails: list[bytes]) -> list[int]:
    """The numbers of *mails*, sorted."""
    found = (re.search(rb"^Message-ID: <\d+\.(\d+)@", mail, re.M) for mail in mails)
    return sorted(int(match[1]) for match in found if match)
