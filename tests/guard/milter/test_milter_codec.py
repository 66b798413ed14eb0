"""Promises of the milter codec: what is well formed is read, what is not is named, what we send is safe."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from guard.milter.mta import client, frame, macros, offer, replies
from hypothesis import given
from hypothesis import strategies as st

from thingwatch.guard.milter import codec
from thingwatch.guard.milter.codec import FAULTS, Frames, ProtocolError


def frames_of(data: bytes, max_frame_bytes: int = codec.MAX_FRAME_BYTES) -> list[tuple[int, bytes]]:
    """Every frame of *data*."""
    frames = Frames(max_frame_bytes)
    frames.feed(data)
    return list(iter(frames.take, None))


@given(
    st.lists(st.tuples(st.sampled_from("OCHMRTLNBEAQKUD"), st.binary(max_size=40)), max_size=8),
    st.lists(st.integers(0, 400), max_size=12),
)
def test_frames_are_the_same_however_they_are_cut(wanted: list[tuple[str, bytes]], cuts: list[int]) -> None:
    """A frame is one frame, whether it comes byte by byte or with ten others."""
    data = b"".join(frame(*one) for one in wanted)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    frames = Frames()
    found = []
    for start, end in pairwise(places):
        frames.feed(data[start:end])
        found += list(iter(frames.take, None))
    assert found == [(ord(command), fields) for command, fields in wanted]
    assert len(frames) == 0
    assert frames.taken == len(wanted)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (bytes(4), "frame-empty"),
        (b"\xff\xff\xff\xff", "frame-too-long"),
        ((codec.MAX_FRAME_BYTES + 1).to_bytes(4), "frame-too-long"),
        (b"\0\0\0\x01Z", "command-unknown"),
        (b"\0\0\x01\0\0", "command-unknown"),
    ],
)
def test_a_frame_that_cannot_be_is_refused_at_once(data: bytes, fault: str) -> None:
    """Nothing is waited for, or held, that could not become a frame."""
    with pytest.raises(ProtocolError) as caught:
        frames_of(data)
    assert caught.value.name == fault
    assert FAULTS[fault] in str(caught.value)


def test_the_longest_frame_is_taken() -> None:
    """The bound itself is within bounds, and can be set lower."""
    longest = frame("B", bytes(codec.MAX_FRAME_BYTES - 1))
    assert frames_of(longest) == [(ord("B"), bytes(codec.MAX_FRAME_BYTES - 1))]
    with pytest.raises(ProtocolError, match="frame-too-long"):
        frames_of(longest, codec.MAX_FRAME_BYTES - 1)


def test_fields_of_every_command() -> None:
    """What Postfix and Sendmail send is read as they mean it."""
    assert codec.read_offer(offer(6, 7, 8)[5:]) == (6, 7, 8)
    assert codec.read_strings(b"<a@b.example>\0SIZE=1\0\0") == [b"<a@b.example>", b"SIZE=1", b""]
    assert codec.read_string(b"bot\0") == b"bot"
    assert codec.read_pair(b"Subject\0 a\n\tb\0") == (b"Subject", b" a\n\tb")
    assert codec.read_pair(b"X-Empty\0\0") == (b"X-Empty", b"")
    assert codec.read_macros(macros("M", i="4F", auth_authen="alice")[5:]) == {
        b"i": b"4F",
        b"auth_authen": b"alice",
    }
    assert codec.read_macros(b"H") == {}


@pytest.mark.parametrize(
    ("sent", "address"),
    [
        (client(address="203.0.113.7"), "203.0.113.7"),
        (client(address="2001:DB8::7", family="6"), "2001:db8::7"),
        (client(address="IPv6:2001:db8::7", family="6"), "2001:db8::7"),
        (client(address="fe80::1%eth0", family="6"), "fe80::1"),
        (client(address="::ffff:203.0.113.7", family="6"), "203.0.113.7"),
        (client(address="/run/socket", family="L"), None),
        (frame("C", b"localhost\0U"), None),
    ],
)
def test_the_client_is_who_the_server_says(sent: bytes, address: str | None) -> None:
    """Every family of address has its form; those without an address have none."""
    assert codec.read_client(sent[5:]).address == address


@pytest.mark.parametrize(
    ("read", "fields", "fault"),
    [
        (codec.read_offer, bytes(11), "field-missing"),
        (codec.read_offer, bytes(13), "field-excess"),
        (codec.read_strings, b"", "field-missing"),
        (codec.read_strings, b"<a@b>", "string-unterminated"),
        (codec.read_strings, b"x\0" * (codec.MAX_STRINGS + 1), "field-excess"),
        (codec.read_string, b"a\0b\0", "field-excess"),
        (codec.read_pair, b"Subject\0", "field-missing"),
        (codec.read_pair, b"Subject\0a\0b\0", "field-excess"),
        (codec.read_pair, b"Subject\0a", "string-unterminated"),
        (codec.read_nothing, b"\0", "field-excess"),
        (codec.read_macros, b"", "field-missing"),
        (codec.read_macros, b"Zi\x004F\0", "command-unknown"),
        (codec.read_macros, b"Mi\0", "field-missing"),
        (codec.read_macros, b"Mi\x004F", "string-unterminated"),
        (codec.read_client, b"", "field-missing"),
        (codec.read_client, b"name", "string-unterminated"),
        (codec.read_client, b"name\0", "field-missing"),
        (codec.read_client, b"name\0U1", "field-excess"),
        (codec.read_client, b"name\x004\0", "field-missing"),
        (codec.read_client, b"name\x004\0\x001.2.3.4", "string-unterminated"),
        (codec.read_client, b"name\x004\0\x001.2.3\0", "address-malformed"),
        (codec.read_client, b"name\x005\0\x001.2.3.4\0", "address-malformed"),
    ],
)
def test_fields_out_of_form_are_named(read: Callable[[bytes], object], fields: bytes, fault: str) -> None:
    """Nothing is guessed: each breach has its name."""
    with pytest.raises(ProtocolError) as caught:
        read(fields)
    assert caught.value.name == fault


def test_replies_are_what_the_protocol_has() -> None:
    """The bytes are those of Sendmail's libmilter."""
    assert codec.CONTINUE == b"\0\0\0\x01c"
    assert codec.PROGRESS == b"\0\0\0\x01p"
    assert codec.ACCEPT == b"\0\0\0\x01a"
    assert replies(codec.offer(6, 1, 2)) == [("O", bytes.fromhex("000000060000000100000002"))]
    assert replies(codec.insert_header("X-A", " b")) == [("i", b"\0\0\0\0X-A\0 b\0")]
    assert replies(codec.add_header("X-A", "b")) == [("h", b"X-A\0b\0")]
    assert replies(codec.delete_header(b"X-A", 3)) == [("m", b"\0\0\0\x03X-A\0\0")]
    assert replies(codec.quarantine("c001")) == [("q", b"c001\0")]


def test_a_percent_sign_survives_the_server() -> None:
    """The server reads our reply as a format: signs are doubled, so that they come out single."""
    assert replies(codec.reply_code("550 5.7.1 100% alike %s")) == [("y", b"550 5.7.1 100%% alike %%s\0")]


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "250 2.0.0 fine",
        "550 4.7.1 classes differ",
        "451 5.7.1 classes differ",
        "550 no enhanced code",
        "55 5.7.1 short",
        "550 5.7.1 ",
        "550-5.7.1 more follows",
        "550 5.7.1 two\r\n550 5.7.1 lines",
        "550 5.7.1 line\n",
        "550 5.7.1 nul\0",
        "550 5.7.1 grüße",
        "550 5.7.1 " + "x" * 481,
    ],
)
def test_a_reply_that_is_none_is_refused(reply: str) -> None:
    """Nobody can put a second reply, or a wrong one, into the server's mouth."""
    with pytest.raises(ValueError, match="reply"):
        codec.reply_code(reply)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "a"),
        ("X A", "a"),
        ("X:A", "a"),
        ("X-Ä", "a"),
        ("X-A\r\nB", "a"),
        ("X" * 77, "a"),
        ("X-A", "a\r\nBcc: x@y.example"),
        ("X-A", "a\nb"),
        ("X-A", "a\rb"),
        ("X-A", "a\0b"),
        ("X-A", "ä"),
        ("X-A", "a" * 901),
    ],
)
def test_a_header_field_that_breaks_the_header_is_refused(name: str, value: str) -> None:
    """What a decision puts into a mail is one field, whatever it was made of."""
    with pytest.raises(ValueError, match="header"):
        codec.insert_header(name, value)
    with pytest.raises(ValueError, match="header"):
        codec.add_header(name, value)


def test_a_reason_is_one_line() -> None:
    """The server logs it."""
    with pytest.raises(ValueError, match="reason"):
        codec.quarantine("a\nb")
