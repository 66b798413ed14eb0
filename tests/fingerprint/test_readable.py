"""Keys as people read them: every key of the table has its words, and nothing private is among them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from thingwatch.fingerprint import fingerprint, kinds
from thingwatch.fingerprint.readable import SPECIMEN_CHARS, readable_hand, readable_keys, specimen
from thingwatch.model import Attachment, Message

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02X\0\0\x01\x90" + bytes(range(256)) * 40
HEADERS = (
    (b"From", b"a@x.example"),
    (b"Date", b"Mon, 23 Dec 2013 09:00:00 +0000"),
    (b"Message-ID", b"<4f2a.11@x.example>"),
    (b"X-Mailer", b"Tea 1.0"),
)
MESSAGE = Message(
    place="a",
    rcpt_to=("alice.brown@y.example",),
    header_from="a@x.example",
    subject="Alice, parcel 4711 waits",
    headers=HEADERS,
    html=b"<p>Dear Alice,<br>your parcel 4711 waits at the pier.<p>Pay at "
    b"<a href='http://k3j9x.evil.example/go/8841/login.php?id=12'>the form</a> with code ab12cd34."
    b"<p>Write to clerk@evil.example or see http://k3j9x.evil.example/go/1/login.php?id=alice now",
    mime_tree="multipart/mixed(text/html,image/png)",
    attachments=(
        Attachment("image/png", "a.png", PNG, len(PNG)),
        Attachment("image/png", "b.png", PNG, len(PNG)),
    ),
)


def table_of(message: Message) -> set[tuple[int, int]]:
    keys = fingerprint([message]).keys
    return set(zip(keys["kind"].to_pylist(), keys["key"].to_pylist(), strict=True))


def test_every_key_of_the_table_can_be_read() -> None:
    """The keys shown are the keys counted, all of them and no more, each with words."""
    found = readable_keys(MESSAGE)
    assert {(key.kind, key.key) for key in found} == table_of(MESSAGE)
    assert all(key.text for key in found)
    assert {key.kind for key in found} == set(kinds.KINDS)


def test_keys_say_what_they_stand_for() -> None:
    """Placeholders stand for what is blurred; hosts, rules and files are named."""
    texts = {(kinds.KINDS[key.kind][1], key.text) for key in readable_keys(MESSAGE)}
    assert ("the subject", "name parcel # waits") in texts
    assert ("a link's host", "k3j9x.evil.example") in texts
    assert ("a link's registered domain", "evil.example") in texts
    assert ("how links are written", "/go/*/login.php?id=*") in texts
    assert ("an attached file", "a.png") in texts
    assert ("an image's kind and size", "image/png 600x400") in texts
    assert any(name == "a line" and text == "Dear name" for name, text in texts)


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=60),
    st.text(max_size=120),
    st.binary(max_size=200),
    st.lists(st.emails(), max_size=2),
    st.binary(max_size=300),
)
def test_table_and_words_agree_on_any_mail(
    subject: str, text: str, html: bytes, rcpt_to: list[str], content: bytes
) -> None:
    """Whatever a mail says, no key of the table is without words, and none is shown that is not there."""
    message = Message(
        place="",
        subject=subject,
        text=text.encode("utf-8", "replace"),
        html=html,
        rcpt_to=tuple(rcpt_to),
        attachments=(Attachment("image/gif", "", content, len(content)),),
    )
    found = readable_keys(message)
    assert {(key.kind, key.key) for key in found} == table_of(message)
    assert all(key.text for key in found)
    assert isinstance(specimen(message), str)


def test_the_hand_can_be_read() -> None:
    """The dialect names header order, forms of Message-ID and Date, and mailer; how From is written stands apart."""
    dialect = readable_hand(MESSAGE)["dialect"]
    for piece in ("From Date Message-ID X-Mailer", "<x.x@from", "Tea 9.9"):
        assert piece in dialect
    other = MESSAGE._replace(headers=tuple((n, b"<a@x.example>" if n == b"From" else v) for n, v in HEADERS))
    assert readable_hand(other)["dialect"] == dialect
    assert readable_hand(other)["mime_form"] != readable_hand(MESSAGE)["mime_form"]
    assert fingerprint([other]).mails["dialect"] == fingerprint([MESSAGE]).mails["dialect"]


def test_a_specimen_is_redacted() -> None:
    """The reader's name, numbers, tokens and addresses are blocks, and no link can be followed."""
    shown = specimen(MESSAGE)
    for private in ("Alice", "alice", "4711", "ab12cd34", "clerk@", "8841", "http://"):
        assert private not in shown
    assert "Dear ▇▇▇▇▇" in shown
    assert "hxxp://k3j9x[.]evil[.]example/go/*/login.php?id=*" in shown


def test_a_specimen_is_short() -> None:
    """A long mail is cut, also one of a single word or of no words."""
    for text in (b"word " * 20_000, b"w" * 64_000, b"." * 64_000, b". " * 9_000 + b"end"):
        assert len(specimen(Message(place="", text=text))) < 2 * SPECIMEN_CHARS + 100
