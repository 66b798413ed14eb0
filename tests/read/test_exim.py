"""Exim main logs as Messages."""

from datetime import UTC, datetime

import pytest

from thingwatch.model import Message
from thingwatch.read.maillog import exim


def moment(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000


EXIM = """\
2026-11-22 19:44:01 1abcde-000001-Aa <= offers@example.net H=tap-7.example.net (tap) [203.0.113.7]:4711 \
I=[198.51.100.1]:25 P=esmtps X=TLS1.3:AES:256 CV=no SNI=mx S=2345 id=Lure-1@example.net T="Cheap \\"taps\\"" \
from <offers@example.net> for anna@example.org bert@example.org
2026-11-22 19:44:02 1abcde-000001-Aa => anna <anna@example.org> R=local T=maildir
2026-11-22 19:44:02 1abcde-000001-Aa Completed
"""


def read_exim(text: str) -> list[Message]:
    found = list(exim(text.encode().splitlines(), "mainlog"))
    assert all(isinstance(message, Message) for message in found)
    return found  # type: ignore[return-value]


def test_an_exim_mail_is_one_message() -> None:
    """Arrival, deliveries and completion of an Exim mail are one Message with all its recipients."""
    assert read_exim(EXIM) == [
        Message(
            place="mainlog:1",
            message_id="Lure-1@example.net",
            received_at=moment(2026, 11, 22, 19, 44, 1),
            client_ip="203.0.113.7",
            helo="tap",
            ptr="tap-7.example.net",
            mail_from="offers@example.net",
            rcpt_to=("anna@example.org", "bert@example.org"),
            subject='Cheap "taps"',
            size=2345,
            logged=True,
        )
    ]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("2026-11-22 19:44:01 ", moment(2026, 11, 22, 19, 44, 1)),
        ("2026-11-22 19:44:01.250 +0100 [4711] ", moment(2026, 11, 22, 18, 44, 1) + 250_000),
        ("Nov 22 19:44:01 mx exim[4711]: 2026-11-22 19:44:01 ", moment(2026, 11, 22, 19, 44, 1)),
        ("2026-11-22T19:44:01+00:00 mx exim4[4711]: ", moment(2026, 11, 22, 19, 44, 1)),
        ("2026-11-22 19:44:01 mx.example.org exim[4711]: ", moment(2026, 11, 22, 19, 44, 1)),
        ("Nov 22 19:44:01 mx exim[4711]: ", None),
    ],
)
@pytest.mark.parametrize("exim_id", ["1abcde-000001-Aa", "1tAbcD-000000001Xy-2abc"])
def test_every_exim_head_is_read(head: str, exim_id: str, expected: int | None) -> None:
    """Both id lengths, with zone, with process id and through syslog."""
    (message,) = read_exim(f"{head}{exim_id} <= a@example.net H=([10.0.0.9]) [203.0.113.7] P=smtp S=12")
    assert (message.received_at, message.helo, message.ptr) == (expected, "[10.0.0.9]", "")


def test_exim_recipients_come_from_deliveries_where_for_is_not_logged() -> None:
    """Delivered, further, failed and deferred recipients count once each, as the sender wrote them."""
    head = "2026-11-22 19:44:01 1abcde-000001-Aa"
    (message,) = read_exim(
        f"{head} <= <> H=mx.example.net [203.0.113.7] P=esmtpa S=12\n"
        f"{head} => anna <Anna@example.org> R=local T=maildir\n"
        f"{head} -> bert@example.org R=dns T=smtp H=out.example [198.51.100.3]\n"
        f"{head} ** carl@example.org R=dns T=smtp: no such user\n"
        f"{head} == dora@example.org R=dns T=smtp defer (-44): later\n"
        f"{head} => dora@example.org R=dns T=smtp\n"
        f"{head} Completed\n"
    )
    assert message.rcpt_to == ("anna@example.org", "bert@example.org", "carl@example.org", "dora@example.org")
    assert (message.null_sender, message.helo, message.ptr) == (True, "mx.example.net", "mx.example.net")
    assert message.defects == ("submission",)


def test_exim_refusals_are_messages() -> None:
    """Refused at RCPT one after another is one mail; refused after DATA keeps no open mail."""
    text = "2026-11-22 19:44:01 H=(fridge) [203.0.113.9]:9 F=<a@example.net> rejected RCPT <{}@b.example>\n"
    found = read_exim(
        text.format("x")
        + text.format("y")
        + "2026-11-22 19:44:02 1abcde-000001-Aa H=(cam) [203.0.113.5] F=<b@example.net> "
        "rejected after DATA: spam\n"
        + "2026-11-22 19:44:03 H=(cam) [203.0.113.5] F=<> temporarily rejected RCPT r@example.org: later\n"
    )
    assert [(m.helo, m.mail_from, m.rcpt_to, m.defects) for m in found] == [
        ("fridge", "a@example.net", ("x@b.example", "y@b.example"), ("rejected",)),
        ("cam", "b@example.net", (), ("rejected",)),
        ("cam", "", ("r@example.org",), ("rejected",)),
    ]
