"""Message → fingerprint: pure, total, and the same for ever."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingwatch.fingerprint import KEYS_SCHEMA, KINDS, MAILS_SCHEMA, fingerprint
from thingwatch.fingerprint.attachment import sampled
from thingwatch.fingerprint.hashing import hash_all
from thingwatch.fingerprint.kinds import FILE, HOST, IMAGE_FORM, SHINGLE
from thingwatch.fingerprint.shapes import shape_hashes
from thingwatch.fingerprint.text import shred
from thingwatch.model import Attachment, Authentication, Message
from thingwatch.read import Border, RawMail, read_message

GIF = b"GIF89a" + b"\x10\0\x10\0" + bytes(range(256)) * 2


def rows_of(messages: list[Message]) -> tuple[list[dict[str, Any]], list[set[tuple[int, int]]]]:
    """The mail rows, and for each the set of its keys."""
    prints = fingerprint(messages)
    assert prints.mails.schema == MAILS_SCHEMA
    assert prints.keys.schema == KEYS_SCHEMA
    keys: list[set[tuple[int, int]]] = [set() for _ in messages]
    for row in prints.keys.to_pylist():
        assert (row["kind"], row["key"]) not in keys[row["row"]], "a key stands once"
        keys[row["row"]].add((row["kind"], row["key"]))
    return prints.mails.to_pylist(), keys


MESSAGES = st.builds(
    Message,
    place=st.just("p"),
    message_id=st.text(max_size=20),
    received_at=st.one_of(st.none(), st.integers(-(10**15), 10**16)),
    client_ip=st.sampled_from([None, "192.0.2.1", "2001:db8::1"]),
    helo=st.text(max_size=10),
    ptr=st.sampled_from(["", "host-192-0-2-1.isp.example", "mx.example"]),
    mail_from=st.text(max_size=20),
    header_from=st.sampled_from(["", "a@b.example"]),
    rcpt_to=st.sampled_from([(), ("alice@b.example",), ("a.b@c.example", "d@e.example")]),
    subject=st.text(max_size=40),
    headers=st.lists(
        st.tuples(st.sampled_from([b"From", b"Date", b"X-Mailer", b"Message-ID"]), st.binary(max_size=20)), max_size=5
    ).map(tuple),
    text=st.binary(max_size=120),
    html=st.binary(max_size=120),
    attachments=st.sampled_from([(), (Attachment("image/gif", "a", GIF, 522),) * 2]),
    automatic=st.booleans(),
    logged=st.booleans(),
    size=st.integers(0, 1 << 41),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(MESSAGES, min_size=1, max_size=6))
def test_pure(messages: list[Message]) -> None:
    """A batch gives what its messages give one by one: no mail's print depends on its company."""
    mails, keys = rows_of(messages)
    for i, message in enumerate(messages):
        alone, own = rows_of([message])
        assert alone[0] == mails[i]
        assert own[0] == keys[i]


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=600))
def test_no_mail_raises(raw: bytes) -> None:
    """Whatever the reader makes of any bytes has a fingerprint."""
    mails, _ = rows_of([read_message(RawMail(b"Subject: x\n" + raw, "p"), Border.of(()))])
    assert len(mails) == 1


def test_nothing() -> None:
    """No messages give two empty tables of the right columns."""
    assert rows_of([]) == ([], [])


def test_what_a_log_may_claim() -> None:
    """An absurd size and lone surrogates, which JSON logs can spell, are stored as far as columns allow."""
    mails, _ = rows_of([Message(place="p", size=10**14, subject="a\ud800b", helo="\udfff", logged=True)])
    assert mails[0]["size"] == 2**31 - 1
    assert (mails[0]["subject"], mails[0]["helo"], mails[0]["media"]) == ("a?b", "?", "not read")


def test_a_key_stands_once() -> None:
    """Four icons of one size, or the same file twice, are one trait: weight is not to be had by repetition."""
    icon = Attachment("image/gif", "i.gif", GIF, len(GIF))
    _, keys = rows_of([Message(place="p", attachments=(icon,) * 4)])
    assert [kind for kind, _ in keys[0]].count(FILE) == 1
    assert [kind for kind, _ in keys[0]].count(IMAGE_FORM) == 1


def test_kinds_do_not_meet() -> None:
    """The same words as subject and as text are different keys."""
    _, keys = rows_of([Message(place="p", subject="one two three four", text=b"one two three four")])
    by_kind: dict[int, set[int]] = {}
    for kind, key in keys[0]:
        by_kind.setdefault(kind, set()).add(key)
    assert SHINGLE in by_kind
    assert set(by_kind) <= set(KINDS)
    for kind, found in by_kind.items():
        assert not any(found & others for other, others in by_kind.items() if other != kind)


@pytest.mark.parametrize(
    ("fields", "media"),
    [
        ({"text": b"word " * 60}, "text"),
        ({"html": b"<p>" + b"word " * 60}, "html"),
        ({"text": b"look at this http://a.example"}, "one line"),
        ({"attachments": (Attachment("image/png", "", b"x", 1),)}, "image-only"),
        (
            {"attachments": (Attachment("image/png", "", b"x", 1),), "text": b"tiger ledger moon"},
            "image-only",
        ),
        ({}, "none"),
        ({"logged": True}, "not read"),
    ],
)
def test_media(fields: dict[str, Any], media: str) -> None:
    """By what means a mail speaks is told from what it holds."""
    assert rows_of([Message(place="p", **fields)])[0][0]["media"] == media


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"list_id": "l.example"}, "l.example"),
        ({"authentication": Authentication(domain="d.example")}, "d.example"),
        ({"automatic": True, "header_from": "mailer-daemon@MX.example"}, "report:mx.example"),
        ({"header_from": "a@b.example"}, ""),
    ],
)
def test_name(fields: dict[str, Any], name: str) -> None:
    """Only what is proven or a list counts as a name; a From: alone proves nothing."""
    assert rows_of([Message(place="p", **fields)])[0][0]["name"] == name


@pytest.mark.parametrize(
    ("subject", "forward"),
    [
        ("Re: x", True),
        ("AW: x", True),
        ("Fwd: x", True),
        ("re[2]: x", True),
        ("Reply: x", False),
        ("x", False),
    ],
)
def test_forward(subject: str, forward: bool) -> None:
    """What mail programs put before the subject of an answer is known in several languages."""
    assert rows_of([Message(place="p", subject=subject)])[0][0]["forward"] is forward


def test_hosts_become_keys() -> None:
    """A link's host is a column and a key."""
    mails, keys = rows_of([Message(place="p", text=b"go to http://w1.tea.example/x/9 now")])
    assert mails[0]["hosts"] == ["w1.tea.example"]
    assert any(kind == HOST for kind, _ in keys[0])


# Written once and compared for ever: prints are stored and shared, and a changed hash makes them strangers.
# A row may be changed only with a note in the changelog that old prints no longer match.
GOLDEN_TEXTS = {
    "Dear customer, the parcel 4711 could not be delivered today.": (
        18375357577760260540,
        154677118077742693,
    ),
    "Уважаемый клиент, ваш заказ 12 готов": (4137059144203728353, 3294932642563332040),
    "お客様の荷物を確認してください": (6762836975253679971, 205840282804673277),
    "עסקה חדשה ממתינה לאישור": (15589477971370475172, 839972281184897923),
    "🎁 you won a prize 🎉 today": (11978127385807574087, 150790304491485060),
    "<p>Your <b>tea</b>pot waits&nbsp;at <a href=http://a.example/1>the pier</a>": (
        11647732078824300669,
        2641884831978476074,
    ),
    "hi there": (13507614292277887716, 8376311098441457402),
}
GOLDEN_HASHES = {
    b"": 16294208416658607535,
    b"a": 17360999193197444373,
    b"tea.example": 14400730305429024331,
    b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00": 16155217503040470937,
    bytes(range(40)): 5052305114882362693,
}
GOLDEN_SHAPES = {
    b"": (0, 0),
    b"<4f2a.11$b@host>": (5620363856838925022, 3745703417433224411),
    b"Mon, 23 Dec 2013 09:00:00 +0000": (1935420600781961821, 5761493349976482834),
    b"box-12": (4060315076969675490, 14169392455127688125),
}
GOLDEN_FILE = [
    4118840738177047464,
    2168119817169997859,
    5748435881672870857,
    12695047614012471005,
    15172693930257502683,
    15310129895479611968,
    0,
]
GOLDEN_MAIL = [
    -8792871575695072308,
    5790998373775905929,
    -7521067806244123570,
    893078750106998611,
    8540888819175852152,
    4060315076969675490,
    719859467766583211,
    4520794000065150960,
]


@pytest.mark.parametrize("text", GOLDEN_TEXTS)
def test_golden_texts(text: str) -> None:
    """The whole and the smallest shingle of fixed texts, in several scripts, never change."""
    found = shred([text.encode()], [text.startswith("<")])
    assert (int(found.exact[0]), int(found.shingles[0, 0])) == GOLDEN_TEXTS[text]


@pytest.mark.parametrize("piece", GOLDEN_HASHES)
def test_golden_hashes(piece: bytes) -> None:
    """The hash of fixed bytes never changes."""
    assert int(hash_all([piece])[0]) == GOLDEN_HASHES[piece]


@pytest.mark.parametrize("piece", GOLDEN_SHAPES)
def test_golden_shapes(piece: bytes) -> None:
    """The coarse and the fine shape of fixed strings never change."""
    assert (int(shape_hashes([piece])[0]), int(shape_hashes([piece], fine=True)[0])) == GOLDEN_SHAPES[piece]


def golden_file() -> bytes:
    return bytes((n * n * 7 + n // 3) % 251 for n in range(4000))


def test_golden_file() -> None:
    """The hash and the parts of a fixed file never change."""
    exact, near = sampled([golden_file()])
    assert [int(exact[0]), *near[0].tolist()] == GOLDEN_FILE


def golden_mail() -> Message:
    return Message(
        place="p",
        message_id="1.a@x.example",
        helo="box-12",
        mail_from="desk.7@x.example",
        header_from="desk@x.example",
        rcpt_to=("alice@y.example",),
        subject="Alice, your teapot 12",
        headers=(
            (b"From", b"Desk <desk@x.example>"),
            (b"Message-ID", b"<1.a@x.example>"),
            (b"Date", b"Mon, 23 Dec 2013 09:00:00 +0000"),
            (b"Content-Type", b'multipart/mixed; boundary="b.1"'),
        ),
        html=b"<p>Dear Alice, <b>collect</b> your teapot at <a href=http://w.x.example/tea/12a.html>the pier</a>",
        mime_tree="multipart/mixed(text/html,image/gif)",
        attachments=(Attachment("image/gif", "a.gif", GIF, len(GIF)),),
        size=4321,
    )


def test_golden_mail() -> None:
    """All keys and traits of a fixed mail, folded into one number each, never change."""
    mails, keys = rows_of([golden_mail()])
    forms = ("dialect", "id_form", "mime_form", "layout", "helo_form", "sender_form", "exact")
    folded = 0
    for _, key in keys[0]:
        folded ^= key
    assert [folded, *(mails[0][form] for form in forms)] == GOLDEN_MAIL
    assert len(keys[0]) == len({key for _, key in keys[0]})
    assert np.int64(folded) == folded
