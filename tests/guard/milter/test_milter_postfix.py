"""The milter with a real Postfix: what it is shown, what becomes of its answers, what happens when it is gone."""

from __future__ import annotations

import pytest
from guard.milter.border import MAX_MAIL_BYTES, OWN_LINE, PLAIN, Border, below_received
from guard.milter.serving import ANSWERS, Serving
from guard.postfix import DOMAIN, Postfix, needs_postfix

from thingwatch.guard.gateway import Action, Answer, Delivery

pytestmark = needs_postfix


def test_a_tagged_mail_has_our_fields_on_top(border: Border) -> None:
    """Above Postfix's own Received line, so that they are the border's word, and in their order."""
    assert border.send(PLAIN).startswith("250")
    lines = border.delivered().split(b"\n")
    top = lines.index(OWN_LINE)
    assert lines[top + 1] == b"X-Thingwatch-Reason: 100% alike"
    assert lines[top + 2].startswith(b"Received: from client.test")
    assert border.asked().raw == PLAIN.replace(b"\r\n", b"\n")


def test_an_accepted_mail_is_not_touched(border: Border) -> None:
    """A mail nobody minds is delivered as it came."""
    border.serving.answer = lambda delivery: Answer()
    assert border.send(PLAIN).startswith("250")
    mail = border.delivered()
    assert b"Thingwatch" not in mail
    assert below_received(mail) == PLAIN.replace(b"\r\n", b"\n")


def test_a_quarantined_mail_is_held(border: Border) -> None:
    """The sender sees it taken; it lies on hold under the queue id we were told, with our field on top."""
    border.serving.answer = lambda delivery: ANSWERS[Action.QUARANTINE]
    before = set(border.postfix.held)
    assert border.send(PLAIN).startswith("250")
    (held,) = set(border.postfix.held) - before
    assert border.asked().queue_id == held
    assert border.postfix.held_mail(held).startswith(OWN_LINE + b"\nReceived:")
    assert border.postfix.inbox == []


def test_a_deferred_mail_is_told_to_come_back(border: Border) -> None:
    """The client reads our words, percent sign and all."""
    border.serving.answer = lambda delivery: ANSWERS[Action.DEFER]
    assert border.send(PLAIN) == ANSWERS[Action.DEFER].reply
    border.serving.answer = lambda delivery: Answer(Action.DEFER)
    assert border.send(PLAIN).startswith("451 4.7.1")


def test_a_rejected_mail_is_told_no(border: Border) -> None:
    """The client reads our words; nothing is delivered or held."""
    held = border.postfix.held
    border.serving.answer = lambda delivery: ANSWERS[Action.REJECT]
    assert border.send(PLAIN) == ANSWERS[Action.REJECT].reply
    border.serving.answer = lambda delivery: Answer(Action.REJECT)
    assert border.send(PLAIN).startswith("550 5.7.1")
    assert (border.postfix.inbox, border.postfix.held) == ([], held)


def test_a_detector_with_a_bug_loses_no_mail(border: Border) -> None:
    """What fails lets the mail pass, untagged."""

    def boom(delivery: Delivery) -> Answer:
        raise KeyError("bug")

    border.serving.answer = boom
    assert border.send(PLAIN).startswith("250")
    assert b"Thingwatch" not in border.delivered()
    assert [type(error) for error in border.serving.failures] == [KeyError]


@pytest.mark.parametrize("same_connection", [True, False])
def test_fifty_mails(border: Border, same_connection: bool) -> None:
    """On one connection, or on one each: every mail is asked about and tagged once."""
    connections = border.serving.server.counters.connections
    if same_connection:
        with border.postfix.smtp() as client:
            for number in range(50):
                client.sendmail("a@b.example", [f"x@{DOMAIN}"], b"Subject: %d\r\n\r\ntext\r\n" % number)
    else:
        for number in range(50):
            border.send(b"Subject: %d\r\n\r\ntext\r\n" % number)
    assert all(mail.count(OWN_LINE) == 1 for mail in border.postfix.wait_for(50))
    seen = [delivery.raw for delivery in border.serving.deliveries]
    assert seen == [b"Subject: %d\n\ntext\n" % number for number in range(50)]
    assert len({delivery.queue_id for delivery in border.serving.deliveries}) == 50
    assert border.serving.server.counters.connections - connections == (1 if same_connection else 50)


def test_a_large_mail_is_read_to_the_bound_and_delivered_whole(border: Border) -> None:
    """Five megabytes, one of which is looked at."""
    content = (
        b"Subject: large\r\n\r\n"
        + b"line of sixty-four bytes that holds nothing anybody looks at..\r\n" * 80_000
    )
    assert border.send(content).startswith("250")
    delivery = border.asked()
    whole = content.replace(b"\r\n", b"\n")
    assert (delivery.truncated, delivery.raw) == (True, whole[:MAX_MAIL_BYTES])
    mail = border.delivered()
    assert OWN_LINE in mail
    assert below_received(mail) == whole


# Content with the dots of the wire, and what of it Postfix shows us; None: the same.
ODD = {
    "folded": (b"Subject:  two\r\n\tfold\r\n  more \r\nX:no blank\r\nY:\ttab\r\nW:\r\n\r\nb\r\n", None),
    "8-bit": (b"Subject: \xe9\xff\x80\r\nTo: \xc3\xa9\r\n\r\n\xff\xfe\x00\x01\r\n", None),
    "NUL in the body": (b"Subject: a\r\n\r\nx\0y\0\0\r\n\0\r\n", None),
    "bare CR": (b"Subject: a\rb\r\n\r\nx\ry\r\r\rz\r\n\rend\r\n", None),
    "bare LF": (b"Subject: a\nX-B: c\n\nx\ny\r\nz\n\r\n", None),
    "dots": (b"Subject: a\r\n\r\n..\r\n..x\r\n....\r\n", b"Subject: a\n\n.\n.x\n...\n"),
    "a line of 70,000": (b"Subject: a\r\n\r\n" + b"x" * 70_000 + b"\r\nend\r\n", None),
    "CR at a chunk's end": (b"Subject: a\r\n\r\n" + b"z" * 65_534 + b"\r\ntail\r\n", None),
    "no header": (b"hello\r\nworld\r\n", b"\nhello\nworld\n"),
    "a line that is no field": (
        b"Subject: a\r\nnonsense\r\nTo: b\r\n\r\nc\r\n",
        b"Subject: a\n\nnonsense\nTo: b\n\nc\n",
    ),
    "an mbox separator": (
        b"From a Mon Jan 1\r\nTo: b\r\n\r\nc\r\n",
        b"X-Mailbox-Line: From a Mon Jan 1\nTo: b\n\nc\n",
    ),
    "NUL in a field": (b"Subject: a\0b\r\nTo: c\r\n\r\nd\r\n", b"Subject: a\nTo: c\n\nd\n"),
    "blank before the colon": (b"Subject : a\r\n\r\nb\r\n", b"Subject: a\n\nb\n"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_bytes_are_the_same_in_flight_and_at_rest(border: Border, name: str) -> None:
    """What we compare is what was sent but for line ends, and is what lies in the Maildir: one fingerprint.

    Where it is not what was sent, Postfix had changed it before it asked us.
    """
    content, shown = ODD[name]
    assert border.send(content).startswith("250")
    raw = border.asked().raw
    assert raw == (content.replace(b"\r\n", b"\n") if shown is None else shown)
    assert raw == below_received(border.delivered())


def test_only_a_missing_body_is_not_as_at_rest(border: Border) -> None:
    """A mail of header fields alone gets an empty line from us: the protocol does not say that there was none."""
    assert border.send(b"Subject: a\r\n").startswith("250")
    assert border.asked().raw == b"Subject: a\n\n"
    assert below_received(border.delivered()) == b"Subject: a\n"


def test_names_beyond_ascii(border: Border) -> None:
    """SMTPUTF8 (RFC 6531) is bytes like any other."""
    content = "Subject: grüße\r\n\r\nx\r\n".encode()
    assert border.send(content, "SMTPUTF8").startswith("250")
    assert border.asked().raw == content.replace(b"\r\n", b"\n")


def test_a_sender_cannot_tag_his_own_mail(border: Border) -> None:
    """Our names in a mail are taken out, whatever their spelling and number, before ours go in."""
    forged = b"".join(
        (
            b"X-Thingwatch-Verdict: clean\r\nSubject: a\r\nx-THINGWATCH-verdict : clean\r\n",
            b"X-Thingwatch-Reason:\r\n folded\r\nX-Thingwatch-Verdict: clean\r\n\r\nb\r\n",
        )
    )
    assert border.send(forged).startswith("250")
    delivery, mail = border.asked(), border.delivered()
    assert (delivery.raw, delivery.forged) == (b"Subject: a\n\nb\n", 4)
    assert below_received(mail) == b"Subject: a\n\nb\n"
    assert mail.count(b"hingwatch") == 2
    border.serving.answer = lambda delivery: Answer()
    assert border.send(forged).startswith("250")
    assert b"hingwatch" not in border.delivered()


def test_a_header_without_end_is_read_to_its_bound(border: Border) -> None:
    """Twelve thousand fields: the first ten thousand are looked at, all are delivered."""
    content = b"".join(b"X%d: v\r\n" % number for number in range(12_000)) + b"\r\nbody\r\n"
    assert border.send(content).startswith("250")
    delivery = border.asked()
    assert delivery.truncated
    assert delivery.raw.count(b"\n") == 10_000
    assert below_received(border.delivered()) == content.replace(b"\r\n", b"\n")


def test_postfix_never_complained(border: Border) -> None:
    """After all of the above its log has no word of a milter that broke the protocol."""
    assert [line for line in border.postfix.log.splitlines() if "warning: milter" in line] == []
    assert not border.serving.server.counters.protocol_errors


@pytest.mark.parametrize("protocol", ["2", "3", "4"])
def test_older_protocols(protocol: str) -> None:
    """What an operator may have written under ``milter_protocol`` works too, one blank of a field aside."""
    with Serving() as serving, Postfix(smtpd_milters=serving.address, milter_protocol=protocol) as postfix:
        with postfix.smtp() as client:
            for _ in range(3):
                client.sendmail("a@b.example", [f"x@{DOMAIN}"], PLAIN)
        assert all(OWN_LINE in mail for mail in postfix.wait_for(3))
        assert {delivery.raw for delivery in serving.deliveries} == {PLAIN.replace(b"\r\n", b"\n")}
        assert "warning: milter" not in postfix.log
