"""Promises of read_message: one record per mail, whatever the mail."""

from __future__ import annotations

import io
import lzma
import tarfile
import time
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingwatch.model import Message, RawMail, Session
from thingwatch.read.message import read_message
from thingwatch.read.received import Border

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "mail"
MAIL = b"""\
Return-Path: <Bounce@Shop.example>
Delivered-To: Ann@Corp.example
Authentication-Results: mx1.corp.example; spf=pass smtp.mailfrom=shop.example; dkim=none
Received: from h.example (p.example [192.0.2.66])
\tby mx1.corp.example (Postfix) with ESMTP id 1
\tfor <ann@corp.example>; Mon, 23 Dec 2013 08:00:00 +0000
Authentication-Results: mx1.corp.example; dmarc=pass
Delivered-To: forged@other.example
Message-ID: <1@shop.example>
Date: Fri, 1 Jan 2100 00:00:00 +0000
From: "Shop \xc3\xbc" <News@Shop.example>
To: Ann <ann@corp.example>, bob@corp.example
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
List-Id: News <News.Shop.example>
References: <0@shop.example>
Auto-Submitted: auto-generated

hello
"""
MICROS = 1387785600 * 1_000_000


def read(raw: bytes, session: Session | None = None, border: Border | None = None) -> Message:
    """Read *raw* as if it stood alone in a file."""
    return read_message(RawMail(raw, "here", session), border or Border())


def test_every_field_of_the_record() -> None:
    """One ordinary mail, field by field."""
    message = read(MAIL)
    assert message.place == "here"
    assert message.message_id == "1@shop.example"
    assert message.received_at == MICROS
    assert (message.client_ip, message.helo, message.ptr) == ("192.0.2.66", "h.example", "p.example")
    assert (message.mail_from, message.null_sender) == ("bounce@shop.example", False)
    assert (message.header_from, message.from_name) == ("news@shop.example", "Shop ü")
    assert message.rcpt_to == ("ann@corp.example",)
    assert message.subject == "Grüße"
    assert (message.text, message.html, message.mime_tree) == (b"hello\n", b"", "text/plain")
    assert (message.list_id, message.reply, message.automatic) == ("news.shop.example", True, True)
    assert (message.size, message.logged, message.defects) == (len(MAIL), False, ("header-8bit",))


def test_the_senders_headers_are_those_below_the_border() -> None:
    """What our own servers added says nothing about the sender's software."""
    names = [name for name, _ in read(MAIL).headers]
    assert names[:3] == [b"Authentication-Results", b"Delivered-To", b"Message-ID"]
    assert len(names) == 10


def test_results_below_the_border_are_not_believed() -> None:
    """Only checks that stand above the border's own line are the border's."""
    assert read(MAIL).authentication == ("pass", "none", "", "shop.example")


def test_the_session_wins_over_every_header() -> None:
    """What was written down beside the mail is better than what the mail says."""
    session = Session(1, "2001:DB8::0:1", "helo", "Ptr.example", "", ("X@y.example",), 9)
    message = read(MAIL, session)
    assert message.received_at == 1
    assert (message.client_ip, message.helo, message.ptr) == ("2001:db8::1", "helo", "ptr.example")
    assert (message.mail_from, message.null_sender) == ("", True)
    assert (message.rcpt_to, message.size) == (("x@y.example",), 9)


def test_before_and_after_the_border_wrote_its_line_the_sender_is_the_same() -> None:
    """A mail caught in flight, without our line, has the same sender's headers as the one at rest."""
    rest = read(MAIL)
    flight = MAIL[MAIL.index(b"Authentication-Results: mx1.corp.example; dmarc") :]
    caught = read(flight, Session(client_ip="192.0.2.66"))
    assert caught.headers == rest.headers
    known = read(MAIL, Session(client_ip="192.0.2.66"))
    assert known.headers == rest.headers
    assert caught.authentication == ("", "", "", "")


def test_the_senders_clock_is_never_used() -> None:
    """Without a Received line there is no time, whatever Date says."""
    assert read(b"Date: Mon, 23 Dec 2013 08:00:00 +0000\n\n").received_at is None
    undated = MAIL.replace(b"; Mon, 23 Dec 2013 08:00:00 +0000", b"")
    assert read(undated).received_at is None
    below = b"Received: by h.example; Wed, 1 Jan 2014 00:00:00 +0000\nMessage-ID"
    assert read(undated.replace(b"Message-ID", below)).received_at is None
    assert read(below + b": x\n\n", Session(client_ip="192.0.2.66")).received_at is None
    above = b"Received: by store.corp.example; Mon, 23 Dec 2013 08:00:00 +0000\n"
    assert read(above + undated).received_at == MICROS


def test_a_field_above_the_border_stands_in_for_an_unreadable_line() -> None:
    """X-Originating-IP counts where our own server wrote it, and nowhere else."""
    line = b"Received: from h (p.net [broken.7]) by mx; Mon, 23 Dec 2013 08:00:00 +0000\n"
    field = b"X-Originating-IP: [192.0.2.9]\n"
    assert read(field + line + b"\n").client_ip == "192.0.2.9"
    assert read(line + field + b"\n").client_ip is None
    spf = b"Received-SPF: pass (x) client-ip=192.0.2.8;\n"
    assert read(spf + line + b"\n").client_ip == "192.0.2.8"


@pytest.mark.parametrize(
    ("raw", "automatic", "null_sender"),
    [
        (b"Return-Path: <>\n\n", False, True),
        (b"Return-Path: <MAILER-DAEMON>\n\n", False, True),
        (b"X-Failed-Recipients: a@b\n\n", True, False),
        (b"Auto-Submitted: No\n\n", False, False),
        (b"Auto-Submitted: auto-replied\n\n", True, False),
        (b"Content-Type: multipart/report; boundary=b\n\n--b\n\nx\n--b--\n", True, False),
    ],
)
def test_automatic_mail_is_known(raw: bytes, automatic: bool, null_sender: bool) -> None:
    """Bounces and answering machines are told apart by what the standards gave them."""
    message = read(raw)
    assert (message.automatic, message.null_sender) == (automatic, null_sender)


@pytest.mark.parametrize(
    ("value", "address", "name"),
    [
        (b"a@b.example", "a@b.example", ""),
        (b"a@b.example (Ann)", "a@b.example", "Ann"),
        (b'"info@bank.example" <X@bad.example>', "x@bad.example", "info@bank.example"),
        (b'"Bank <info@bank.example>" <x@bad.example>', "x@bad.example", "Bank <info@bank.example>"),
        (b"=?utf-8?q?B=C3=A4nk?= <x@bad.example", "x@bad.example", "Bänk"),
        (b"<>", "", ""),
    ],
)
def test_the_from_field_is_taken_apart(value: bytes, address: str, name: str) -> None:
    """The address is the one mail programs would answer, the name what readers see."""
    message = read(b"From: " + value + b"\n\n")
    assert (message.header_from, message.from_name) == (address, name)


def test_recipients_are_found_and_bounded() -> None:
    """Without an envelope the To: field says who it was for, at most a hundred."""
    to = b", ".join(b"u%d@Corp.example" % number for number in range(150))
    found = read(b"To: " + to + b"\n\n").rcpt_to
    assert found[:2] == ("u0@corp.example", "u1@corp.example")
    assert len(found) == 100


words = st.text(alphabet="abcdefghijklmnopqrstuvwxyzäöüß€中 ", min_size=1, max_size=40).filter(
    lambda text: text.strip() == text and "  " not in text
)


@settings(max_examples=60, deadline=None)
@given(
    words,
    st.lists(words, min_size=1, max_size=5),
    st.lists(st.sampled_from("ABCDE"), max_size=8),
    st.booleans(),
)
def test_a_well_formed_mail_round_trips(
    subject: str, lines: list[str], fields: list[str], crlf: bool
) -> None:
    """What a correct writer wrote is what we read: header order, subject and both bodies."""
    mail = EmailMessage()
    mail["Subject"] = subject
    for number, field in enumerate(fields):
        mail[f"X-{field}{number}"] = str(number)
    text = "\n".join(lines) + "\n"
    mail.set_content(text)
    mail.add_alternative(f"<p>{text}</p>", subtype="html")
    raw = mail.as_bytes()
    message = read(raw.replace(b"\n", b"\r\n") if crlf else raw)
    assert message.defects == ()
    assert message.subject == subject
    assert message.text.decode() == text
    assert message.html.decode() == f"<p>{text}</p>\n"
    assert [name.decode() for name, _ in message.headers] == list(mail.keys())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=600))
def test_random_bytes_never_raise(raw: bytes) -> None:
    """Any bytes give a record that can be written down."""
    message = read(raw)
    message.subject.encode()
    message.text.decode()


GRAINS = st.sampled_from(
    [
        *(
            b"\n",
            b"\r\n",
            b"\r",
            b"\n\n",
            b" ",
            b"\t",
            b":",
            b";",
            b"=",
            b'"',
            b"--b",
            b"--b--",
            b"\0",
            b"\xff",
        ),
        *(b"Content-Type: multipart/mixed; boundary=b\n", b"Content-Type: text/html; charset=utf-7\n"),
        *(b"Content-Transfer-Encoding: base64\n", b"Content-Disposition: attachment; filename*0*="),
        *(b"boundary=b", b"From: ", b"Received: from ", b" by mx (Postfix)", b"(x [192.0.2.1])"),
        *(b"Subject: =?utf-8?b?", b"?=", b"From x\n", b"a"),
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(GRAINS, max_size=40))
def test_broken_structure_never_raises(grains: list[bytes]) -> None:
    """Mails made of the pieces that matter, in any order, give a record that can be written down."""
    message = read(b"".join(grains))
    message.subject.encode()
    (message.text + message.html).decode()
    assert all(isinstance(value, bytes) for _, value in message.headers)


@pytest.mark.parametrize("corpus", ["parser_corpora", "bounces_sisimai"])
def test_odd_real_mail_is_read_soon(corpus: str) -> None:
    """Years of other parsers' trouble: never an exception, and each below 50 ms of CPU."""
    path = DATA / f"{corpus}.tar.xz"
    if not path.exists():
        pytest.skip(f"{corpus} is not beside this repository")
    worst, count = (0.0, ""), 0
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(path.read_bytes()))) as archive:
        for member in archive:
            stream = archive.extractfile(member)
            if stream is None:
                continue
            raw = stream.read()
            start = time.process_time()
            message = read(raw)
            worst = max(worst, (time.process_time() - start, member.name))
            count += 1
            assert message.size == len(raw)
    print(f"{corpus}: {count} mails, worst {worst[0] * 1000:.2f} ms ({worst[1]})")
    assert count > 200
    assert worst[0] < 0.05, worst
