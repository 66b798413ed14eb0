"""The hand behind a mail: what stays when addresses, dates and numbers change, and what tells programs apart."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingwatch.fingerprint.client import MAX_HEADERS, client_traits
from thingwatch.model import Message

HEADERS = (
    (b"From", b'"Tea Desk" <a@x.example>'),
    (b"To", b"b@y.example"),
    (b"Subject", b"s"),
    (b"Date", b"Mon, 23 Dec 2013 09:00:00 +0000"),
    (b"Message-ID", b"<4f2a.11@x.example>"),
    (b"X-Mailer", b"Tea 1.0"),
    (b"Content-Type", b'multipart/mixed; boundary="b1_22"'),
)


def message(*headers: tuple[bytes, bytes], **fields: object) -> Message:
    return Message(place="", headers=headers or HEADERS, header_from="a@x.example")._replace(**fields)


def changed(name: bytes, value: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((n, value if n == name else v) for n, v in HEADERS)


@pytest.mark.parametrize(
    ("name", "value"),
    [(b"To", b"zz@elsewhere.example"), (b"Subject", b"quite another"), (b"X-Mailer", b"Tea  9.7")],
)
def test_what_changes_from_mail_to_mail(name: bytes, value: bytes) -> None:
    """Recipient, subject and version numbers are no part of the hand."""
    assert client_traits(message(*changed(name, value))) == client_traits(message())


def test_order_and_casing_are_the_hand() -> None:
    """The same headers in another order, or spelt another way, are another program's."""
    swapped = (HEADERS[1], HEADERS[0], *HEADERS[2:])
    assert client_traits(message(*swapped)).order != client_traits(message()).order
    respelt = tuple((b"Message-Id" if n == b"Message-ID" else n, v) for n, v in HEADERS)
    assert client_traits(message(*respelt)).order != client_traits(message()).order


def test_what_hosts_on_the_way_add_is_not_the_senders() -> None:
    """Received, signatures and list headers, wherever they stand, leave the hand alone."""
    added = ((b"Received", b"from x"), (b"DKIM-Signature", b"v=1"), *HEADERS, (b"List-Id", b"<l.example>"))
    assert client_traits(message(*added)) == client_traits(message())


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (b"<1@x.example>", b"1@from"),
        (b"<1@helo.example>", b"1@helo"),
        (b"<1@y.example>", b"1@rcpt"),
        (b"<1@[192.0.2.1]>", b"1@address"),
        (b"<1@other.example>", b"1@name"),
        (b"<1@localhost>", b"1@label"),
        (b"<1@>", b"1@none"),
    ],
)
def test_the_domain_of_a_message_id_by_what_it_equals(value: bytes, kind: bytes) -> None:
    """A generator that takes the forged sender's domain is told from one that takes the host's own name."""
    traits = client_traits(
        message(*changed(b"Message-ID", value), helo="helo.example", rcpt_to=("b@y.example",))
    )
    assert traits.message_id == b"<" + kind


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (b'"A" <a@x>', b"quoted"),
        (b"=?utf-8?q?A?= <a@x>", b"encoded"),
        (b"A <a@x>", b"named"),
        (b"<a@x>", b"angle"),
        (b"a@x", b"bare"),
    ],
)
def test_how_from_is_written(value: bytes, form: bytes) -> None:
    """How the name stands before the address is a habit."""
    assert client_traits(message(*changed(b"From", value))).from_form == form


def test_boundary_and_type_are_apart() -> None:
    """The boundary's own random text is out of the form of Content-Type, its quotes are in."""
    quoted = client_traits(message())
    assert quoted.boundary == b"b1_22"
    assert quoted.mime_form == b'multipart/mixed; boundary=""'
    bare = client_traits(message(*changed(b"Content-Type", b"multipart/mixed; boundary=b1_22")))
    assert bare.mime_form != quoted.mime_form


def test_a_log_line_has_no_hand() -> None:
    """Without headers every trait of the hand is empty."""
    assert set(client_traits(Message(place="", logged=True))) == {b""}


def test_more_headers_than_any_mail_has() -> None:
    """Thousands of headers are read without a word of the last ones, and are not remembered."""
    many = (*HEADERS, *((b"X-%d" % n, b"v") for n in range(MAX_HEADERS * 20)))
    traits = client_traits(message(*many))
    assert traits.order == client_traits(message()).order
    assert len(traits.extras) < 100


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.binary(max_size=30), st.sampled_from([name for name, _ in HEADERS])),
            st.binary(max_size=80),
        ),
        max_size=20,
    )
)
def test_no_headers_raise(headers: list[tuple[bytes, bytes]]) -> None:
    """Any headers have traits, all of them bytes."""
    assert all(isinstance(trait, bytes) for trait in client_traits(Message(place="", headers=tuple(headers))))
