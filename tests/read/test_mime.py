"""Promises of the header splitter, the walk through the parts and the decoding."""

from __future__ import annotations

import base64
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingwatch.read.charset import clean, codec_of, header_text
from thingwatch.read.mime import MAX_TEXT_BYTES, Body, split_headers, unify_line_ends, walk_body
from thingwatch.read.part import PartHead, decoded, parameters_of, part_head


def walked(raw: bytes) -> tuple[Body, list[str]]:
    """Split and walk a whole mail."""
    defects: list[str] = []
    headers, start = split_headers(raw, defects)
    field = {name.lower(): value for name, value in reversed(headers)}
    head = part_head(
        field.get(b"content-type", b""),
        field.get(b"content-transfer-encoding", b""),
        field.get(b"content-disposition", b""),
    )
    return walk_body(raw, start, head, defects), defects


def multipart(*parts: bytes, kind: bytes = b"mixed", end: bytes = b"--B--\n") -> bytes:
    """A multipart mail of ready-made parts."""
    head = b'Content-Type: multipart/%s; boundary="B"\n\n' % kind
    return head + b"".join(b"--B\n%s\n" % part for part in parts) + end


def test_headers_keep_order_casing_and_folding() -> None:
    """How the sender's software writes its fields is evidence, so nothing of it is lost."""
    defects: list[str] = []
    headers, start = split_headers(b"SUBJECT:  a\n\tb\nsubject: c\nX-y :d\n\nbody", defects)
    assert headers == [(b"SUBJECT", b"a\n\tb"), (b"subject", b"c"), (b"X-y", b"d")]
    assert (start, defects) == (len(b"SUBJECT:  a\n\tb\nsubject: c\nX-y :d\n\n"), [])


@pytest.mark.parametrize(
    ("raw", "defect", "body"),
    [
        (b"\nbody", "no-header", b"body"),
        (b"no header at all", "no-header", b"no header at all"),
        (b"Subject: x\n>garbage\nTo: y\n\nbody", "header-malformed", b"body"),
        (b"Subject: x\nTo: y\nhello there\nmore: yes", "header-malformed", b"hello there\nmore: yes"),
        (b"Subject: \xe9\n\nbody", "header-8bit", b"body"),
    ],
)
def test_damaged_headers_are_named_and_lose_no_body(raw: bytes, defect: str, body: bytes) -> None:
    """Each breach of the header's format is named, and the text after it is still read."""
    found, defects = walked(raw)
    assert defect in defects
    assert found.text == body


def test_an_mbox_separator_is_no_header() -> None:
    """A From line that travelled along is passed over."""
    defects: list[str] = []
    headers, _ = split_headers(b"From a@b Thu Apr 19 23:45:00 2009\nSubject: x\n\n", defects)
    assert headers == [(b"Subject", b"x")]
    assert not defects


@pytest.mark.parametrize(
    ("raw", "expected", "defect"),
    [
        (b"a\r\nb\r\n", b"a\nb\n", ""),
        (b"a\rb\r", b"a\nb\n", "bare-cr"),
        (b"a\r\r\nb\n", b"a\nb\n", "bare-cr"),
        (b"a\r\nb\rc\n", b"a\nb\nc\n", "bare-cr"),
    ],
)
def test_line_ends_become_one(raw: bytes, expected: bytes, defect: str) -> None:
    """CRLF, LF, lone CR and doubled CR are read alike, and the odd ones are named."""
    assert unify_line_ends(raw) == (expected, defect)


def test_alternatives_are_text_and_html() -> None:
    """Both views of a message are read, decoded, and the tree says how they stood."""
    raw = multipart(
        b"Content-Type: text/plain; charset=latin1\nContent-Transfer-Encoding: quoted-printable\n\ncaf=E9",
        b'Content-Type: text/html; charset="utf-8"\nContent-Transfer-Encoding: base64\n\n'
        + base64.encodebytes("<p>café</p>".encode()),
        kind=b"alternative",
    )
    body, defects = walked(raw)
    assert (body.text.decode(), body.html.decode()) == ("café", "<p>café</p>")
    assert body.tree == "multipart/alternative(text/plain,text/html)"
    assert not defects


def test_a_boundary_that_begins_another_is_not_taken_for_it() -> None:
    """A delimiter counts only when its line ends there: RFC 2046, 5.1.1."""
    inner = b'Content-Type: multipart/alternative; boundary="Bx"\n\n--Bx\n\nin\n--Bx--\n'
    body, defects = walked(multipart(inner, b"\nout"))
    assert body.tree == "multipart/mixed(multipart/alternative(text/plain),text/plain)"
    assert body.text == b"in\nout"
    assert not defects


@pytest.mark.parametrize(
    ("raw", "defect", "text"),
    [
        (multipart(b"\none", end=b""), "boundary-unclosed", b"one\n"),
        (
            b"Content-Type: multipart/mixed; boundary=a; boundary=b\n\n--a\n\none\n--a--",
            "boundary-ambiguous",
            b"one",
        ),
        (b"Content-Type: multipart/mixed\n\njust text", "boundary-missing", b"just text"),
        (
            b"Content-Type: multipart/mixed\n\n--q\nContent-Type: text/plain\n\none\n--q--",
            "boundary-missing",
            b"one",
        ),
        (b"Content-Type: multipart/mixed; boundary=never\n\nseen", "boundary-missing", b"seen"),
        (b"Content-Type: html\n\ntext", "content-type-malformed", b"text"),
        (multipart(b"no header here"), "part-header-malformed", b"no header here"),
        (b"Content-Type: text/plain; charset=klingon\n\ncaf\xc3\xa9", "charset-unknown", "café".encode()),
        (b"Content-Type: text/plain; charset=klingon\n\ncaf\xe9", "charset-unknown", "café".encode()),
        (b"Content-Type: text/plain; charset=utf-8\n\ncaf\xe9!", "charset-damaged", "caf\ufffd!".encode()),
    ],
)
def test_damaged_parts_are_read_as_far_as_they_go(raw: bytes, defect: str, text: bytes) -> None:
    """Each breach of MIME is named, and the words that are there are found."""
    body, defects = walked(raw)
    assert set(defects) == {defect}
    assert body.text == text


def test_a_mail_inside_is_an_attachment() -> None:
    """The words of a forwarded mail are not the mail's own."""
    body, _ = walked(multipart(b"\nmine", b"Content-Type: message/rfc822\n\nSubject: x\n\ntheirs"))
    assert body.text == b"mine"
    assert [part.media_type for part in body.attachments] == ["message/rfc822"]
    digest, _ = walked(multipart(b"\nSubject: x\n\ntheirs", kind=b"digest"))
    assert digest.tree == "multipart/digest(message/rfc822)"


def test_of_a_report_only_the_first_part_is_text() -> None:
    """A bounce quotes somebody else's mail; only what is written for people counts (RFC 3462)."""
    raw = multipart(b"\nsorry", b"Content-Type: message/delivery-status\n\nx", b"\nquoted", kind=b"report")
    body, _ = walked(raw)
    assert body.text == b"sorry"
    assert [part.media_type for part in body.attachments] == ["message/delivery-status", "text/plain"]


@pytest.mark.parametrize(
    ("head", "filename"),
    [
        (b'Content-Disposition: attachment; filename="a b.pdf"', "a b.pdf"),
        (b"Content-Disposition: attachment; filename*=utf-8''caf%C3%A9.pdf", "café.pdf"),
        (b"Content-Disposition: attachment; filename*0=inv; filename*1=oice.pdf", "invoice.pdf"),
        (b"Content-Disposition: attachment; filename*1*=%C3%A9.pdf; filename*0*=utf-8''caf", "café.pdf"),
        (b'Content-Disposition: attachment; filename="=?utf-8?q?caf=C3=A9?="', "café"),
        (b'Content-Type: application/pdf; name="old.pdf"', "old.pdf"),
    ],
)
def test_file_names_in_every_spelling(head: bytes, filename: str) -> None:
    """RFC 2231 in one piece or several and in any order, RFC 2047 where it must not be, and the old way."""
    if not head.startswith(b"Content-Type"):
        head += b"\nContent-Type: application/pdf"
    body, _ = walked(multipart(head + b"\n\nx"))
    assert body.attachments[0].filename == filename


def test_an_attached_text_is_not_the_text() -> None:
    """Content-Disposition: attachment takes a text part out of the mail's own words."""
    body, _ = walked(multipart(b"\nmine", b"Content-Disposition: Attachment\n\nfile"))
    assert body.text == b"mine"
    assert body.attachments[0].content == b"file"


def test_a_large_attachment_is_cut_and_its_size_told() -> None:
    """What is kept is bounded; the size is that of the whole."""
    content = bytes(range(256)) * 12_000
    head = b"Content-Type: image/png\nContent-Transfer-Encoding: base64\n\n"
    body, defects = walked(multipart(head + base64.encodebytes(content)))
    assert body.attachments[0].content == content[: 1024 * 1024]
    assert body.attachments[0].size == len(content)
    assert defects == ["attachment-too-long"]


def test_long_text_is_cut_between_characters() -> None:
    """Text beyond the bound is left out, never half a character."""
    body, defects = walked(b"Content-Type: text/plain; charset=utf-8\n\n" + "aé".encode() * 200_000)
    assert MAX_TEXT_BYTES - 3 < len(body.text) <= MAX_TEXT_BYTES
    assert body.text.decode().startswith("aéaé")
    assert "text-too-long" in defects


@pytest.mark.parametrize("data", [b"aGVsbG8gd29ybGQh\n", b"aGVsbG8g\nd29y bGQh"])
def test_honest_base64_has_no_defect(data: bytes) -> None:
    """Blanks and line ends between the letters are allowed."""
    assert decoded(data, b"base64") == (b"hello world!", "")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"aGVsbG8=\n\n____\nlist footer, with text\n", b"hello"),
        (b"aGVs!bG8=", b"hello"),
        (b"aGVsbG8", b"hello"),
        (b"aGVsbG8gd29ybGQhX", b"hello world!"),
        (b"====", b""),
    ],
)
def test_base64_is_read_as_far_as_it_goes(data: bytes, expected: bytes) -> None:
    """Footers, noise, missing padding and a lost letter do not cost the rest."""
    assert decoded(data, b"base64") == (expected, "base64-damaged")


@given(st.binary(max_size=300))
def test_transfer_encodings_round_trip(content: bytes) -> None:
    """What an honest encoder wrote comes back byte for byte, without a defect."""
    assert decoded(base64.encodebytes(content), b"base64") == (content, "")
    flat = content.replace(b"\r", b"").replace(b"\n", b"")
    assert decoded(quopri.encodestring(flat, quotetabs=True), b"quoted-printable") == (flat, "")


@given(st.binary(max_size=300), st.sampled_from([b"base64", b"quoted-printable", b"x", b""]))
def test_decoding_never_raises(data: bytes, encoding: bytes) -> None:
    """No bytes make a decoder raise."""
    assert isinstance(decoded(data, encoding)[0], bytes)


@given(st.binary(max_size=200))
def test_parameters_never_raise(value: bytes) -> None:
    """No field makes the parameter reader raise, whatever its continuations say."""
    parameters_of(b"x; a*0*=" + value + b"; a*1=" + value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", "plain"),
        (b"folded\n  line", "folded line"),
        (b"=?utf-8?q?caf=C3=A9_au?= lait", "café au lait"),
        (b"=?utf-8?B?w6k=?=\n =?utf-8?B?w6k=?=", "éé"),
        (b"=?utf-8?B?4oKs4g==?= =?utf-8?B?gqw=?=", "€€"),
        (b"a =?iso-8859-1?Q?=E9?= b =?utf-8?q?=C3=A9?=", "a é b é"),
        (b"=?utf-8*en?q?x?=", "x"),
        (b"=?utf-8?q?unclosed", "=?utf-8?q?unclosed"),
        (b"=?klingon?q?=E9?=", "é"),
        (b"=?utf-8?b?a?=", ""),
        ("caf\u00e9".encode(), "café"),
        (b"caf\xe9", "café"),
        (b"\x1b[31mred\x07 \x00 x", "[31mred x"),
    ],
)
def test_header_text_is_decoded_and_clean(value: bytes, text: str) -> None:
    """Encoded words in every state, raw 8-bit and control characters give one clean line."""
    assert header_text(value) == text


@given(st.binary(max_size=300))
def test_header_text_is_always_one_clean_line(value: bytes) -> None:
    """Whatever the bytes, the line has no control character and can be written as UTF-8."""
    text = header_text(value) + header_text(b"=?utf-7?q?" + value + b"?=")
    assert not any(ord(letter) < 32 or letter == "\x7f" for letter in text)
    text.encode()


@given(st.text(max_size=60))
def test_codecs_are_looked_up_without_raising(charset: str) -> None:
    """A charset of any spelling is known or unknown."""
    codec_of(charset)


def test_dangerous_codecs_are_not_charsets() -> None:
    """Codecs that are quadratic or run a syntax are refused."""
    for name in ("punycode", "idna", "unicode_escape", "rot13", "zip", "undefined"):
        assert codec_of(name).name == ""


def test_seven_bit_charsets_are_still_decoded() -> None:
    """ISO-2022 is ASCII to look at and Japanese to read."""
    body, _ = walked(b"Content-Type: text/plain; charset=iso-2022-jp\n\n" + "伊東".encode("iso-2022-jp"))
    assert body.text.decode() == "伊東"


def test_clean_bounds_and_trims() -> None:
    """The bound counts characters of the cleaned line."""
    assert clean("  a \n b  ", 3) == "a b"
    assert PartHead().media_type == "text/plain"
