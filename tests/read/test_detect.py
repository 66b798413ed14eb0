"""What a path is, by content."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from thingwatch.errors import InputError
from thingwatch.read.detect import HEAD_BYTES, form_of, form_of_head, open_bytes
from thingwatch.read.stream import MAX_LINE_BYTES

SHARED_LOGS = Path(__file__).parents[3] / "shared" / "data" / "logs"

MAIL = b"From: a@example.org\nSubject: one\n\ntext\n"
FORMS = {
    "eml": MAIL,
    "mbox": b"From a@example.org Mon Jan  6 10:00:00 2014\n" + MAIL,
    "postfix": (
        b"Nov 22 19:44:00 mx dovecot: imap-login: Login: user=<a>\n"
        b"Nov 22 19:44:01 mx postfix/smtpd[811]: connect from unknown[192.0.2.7]\n"
    ),
    "exim": b"2026-11-22 19:44:01 1tEabc-0001Ab-2C <= a@example.org H=(x) [192.0.2.7] P=esmtp S=812\n",
    "zeek": b"#separator \\x09\n#path\tsmtp\n#fields\tts\tuid\tid.orig_h\thelo\tmailfrom\n",
    "rspamd": b'{"ip":"192.0.2.7","action":"reject","score":17.2,"symbols":[{"name":"R_SPF_FAIL"}]}\n',
    "m365": b"Received,SenderAddress,RecipientAddress,Subject,Status,FromIP,Size\n",
    "defender": b'"Timestamp","NetworkMessageId","SenderFromAddress","RecipientEmailAddress"\n',
    "jsonl": b'{"raw": "From: a@example.org\\n\\ntext"}\n',
}
VARIANTS = [
    (
        "postfix",
        b"2026-11-22T19:44:01.123456+01:00 mx postfix/submission/smtpd[811]: connect from x[192.0.2.7]\n",
    ),
    ("postfix", b"Nov  2 19:44:01 mx postfix-out/qmgr[9]: 4F: from=<a@example.org>, size=1, nrcpt=1\n"),
    ("exim", b"2026-11-22 19:44:01.123 +0100 [77] H=(x) [192.0.2.7] F=<a@b> rejected RCPT <c@d>: no\n"),
    ("exim", b"2026-11-22 19:44:01 1tEabc-00000001Ab2-2Cde => c@example.org R=local T=lda\n"),
    ("zeek", b'{"ts":1.5,"uid":"C1","id.orig_h":"192.0.2.7","helo":"x","mailfrom":"a@example.org"}\n'),
    ("rspamd", b'{"rows": [{"unix_time": 1, "score": 2, "action": "reject", "symbols": {"A": {}}}]}'),
    ("m365", "\ufefforigin_timestamp_utc,sender_address,recipient_status\n".encode("utf-16-le")),
    ("m365", b'#TYPE System.Object\r\n"Received","SenderAddress","RecipientAddress"\r\n'),
    ("m365", b"Received;SenderAddress;RecipientAddress;FromIP\n"),
    ("defender", b'[{"NetworkMessageId": "1", "SenderMailFromAddress": "a@example.org"}]'),
    ("defender", b'{"properties": {"NetworkMessageId": "1", "RecipientEmailAddress": "a@example.org"}}\n'),
    ("jsonl", b'{"received_at": 1, "raw_base64": "RnJvbTog"}\n'),
    ("jsonl", b'{"id": 1, "message": "Received: from x\\r\\n by y\\r\\nSubject: z"}\n'),
    ("eml", b">From a\nReturn-Path: <a@example.org>\n\n"),
    ("eml", b"\xef\xbb\xbfSubject: with a byte order mark\n\n"),
    ("empty", b"\r\n \n"),
]
COMPRESSIONS = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize(("form", "content"), [*FORMS.items(), *VARIANTS])
def test_form_is_told_by_content(tmp_path: Path, form: str, content: bytes) -> None:
    """Each form is recognised under a name that says nothing."""
    path = tmp_path / "thing.dat"
    path.write_bytes(content)
    assert form_of(path) == form


@pytest.mark.parametrize("kind", COMPRESSIONS)
@pytest.mark.parametrize("form", FORMS)
def test_compression_is_looked_through(tmp_path: Path, form: str, kind: str) -> None:
    """A compressed file has the form of what is in it, and reads as that."""
    path = tmp_path / "thing"
    path.write_bytes(COMPRESSIONS[kind](FORMS[form]))
    assert form_of(path) == form
    with open_bytes(path) as stream:
        assert stream.read() == FORMS[form]
        assert stream.defect is None


@pytest.mark.parametrize(
    "content",
    [
        b"Dear all,\nthis is a letter: nothing more.\n",
        b"note: a file of settings\nvalue: 7\n",
        b"\x89PNG\r\n\x1a\n" + bytes(50),
        b"a,b,c\n1,2,3\n",
        b'{"event": "login", "message": "it was: a failure"}\n',
        b"#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid.orig_h\n",
        b"\xef\xbb\xbf",
    ],
)
def test_unknown_form_names_the_cure(tmp_path: Path, content: bytes) -> None:
    """What is neither mail nor a log of it is refused by name, with what would be taken instead."""
    path = tmp_path / "thing"
    path.write_bytes(content)
    with pytest.raises(InputError, match="thing: of no known form; give mbox"):
        form_of(path)


def test_outlook_files_name_the_cure(tmp_path: Path) -> None:
    """Outlook's own containers are refused with the way out."""
    for magic in (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"!BDN"):
        path = tmp_path / "inbox"
        path.write_bytes(magic + bytes(600))
        with pytest.raises(InputError, match=r"export it as \.eml or mbox"):
            form_of(path)


def test_missing_path_is_named(tmp_path: Path) -> None:
    """A path where nothing stands is an error that names it."""
    with pytest.raises(InputError, match=r"gone\.mbox: nothing there"):
        form_of(tmp_path / "gone.mbox")


def test_headless_mail_is_believed_by_its_name() -> None:
    """Where the bytes say nothing, .eml is a mail and .txt is not."""
    assert form_of_head(b"just a text\n", "a.eml") == "eml"
    assert form_of_head(b"just a text\n", "a.txt") == "unknown"


def test_old_tar_without_magic_is_tar(tmp_path: Path) -> None:
    """A tar header is known by its checksum, so archives older than POSIX are read."""
    path = tmp_path / "old"
    with tarfile.open(path, "w") as archive:
        archive.add(__file__, "a.eml")
    header = bytearray(path.read_bytes()[:512])
    header[257:265] = bytes(8)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    assert form_of_head(bytes(header), "old") == "tar"
    header[0] ^= 1
    assert form_of_head(bytes(header), "old") != "tar"


@given(
    st.binary(max_size=600),
    st.sampled_from([b"", b"{", b"From ", b"PK\x03\x04", b"\xff\xfe", b"#fields", b"<"]),
)
def test_any_bytes_have_a_form(content: bytes, start: bytes) -> None:
    """No bytes make detection raise."""
    assert form_of_head(start + content, "x")


def test_truncated_stream_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """A stream cut in the middle gives its beginning, and says that it was cut."""
    text = b"".join(b"line %d of many\n" % number for number in range(50_000))
    for kind, compress in COMPRESSIONS.items():
        path = tmp_path / kind
        packed = compress(text)
        path.write_bytes(packed[: len(packed) * 2 // 3])
        with open_bytes(path) as stream:
            read = stream.read()
            assert stream.defect == f"truncated-{kind}"
            assert [skip.reason for skip in stream.skips("x")] == [f"truncated-{kind}"]
        assert text.startswith(read)
        # bzip2 hands out whole blocks of 900 kB, and this text is one.
        assert len(read) > len(text) // 3 or kind == "bzip2"


def test_members_and_padding_read_as_one_stream(tmp_path: Path) -> None:
    """Concatenated members, as log rotation and pigz leave them, are one text; padding is none."""
    for kind, compress in COMPRESSIONS.items():
        path = tmp_path / kind
        path.write_bytes(compress(b"one\n") + compress(b"two\n") + bytes(512))
        with open_bytes(path) as stream:
            assert stream.read() == b"one\ntwo\n"
            assert stream.defect is None
        path.write_bytes(compress(b"one\n") + b"rubbish behind the end")
        with open_bytes(path) as stream:
            assert stream.read() == b"one\n"
            assert stream.defect == f"damaged-{kind}"


@given(
    st.binary(max_size=300), st.sampled_from(sorted(COMPRESSIONS)), st.integers(0, 400), st.integers(1, 255)
)
def test_damaged_stream_never_raises(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, kind: str, at: int, flip: int
) -> None:
    """A flipped byte anywhere ends the stream or changes nothing; it never raises."""
    packed = bytearray(COMPRESSIONS[kind](content * 5))
    packed[at % len(packed)] ^= flip
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(packed)
    with open_bytes(path) as stream:
        stream.read()


def test_overlong_line_is_cut_and_its_rest_is_no_line(tmp_path: Path) -> None:
    """A line beyond all bounds is cut, its rest never passes for a line, and the next one is whole."""
    path = tmp_path / "log"
    path.write_bytes(b"a" * (2 * MAX_LINE_BYTES + 7) + b"\nnext\n")
    with open_bytes(path) as stream:
        assert [len(line) for line in stream] == [MAX_LINE_BYTES, 5]
    assert [skip.reason for skip in stream.skips("log")] == ["line-too-long"]


@pytest.mark.skipif(not SHARED_LOGS.is_dir(), reason="the shared real data is not here")
def test_real_logs_are_recognised() -> None:
    """Real Zeek, Postfix and Exim logs are known for what they are."""
    seen = []
    for name, wanted in (("zeek_smtp_logs", "zeek"), ("fail2ban_logs", "")):
        with tarfile.open(SHARED_LOGS / f"{name}.tar.xz") as archive:
            for member in archive.getmembers():
                file = archive.extractfile(member)
                stem = member.name.rpartition("/")[2]
                expected = wanted or (stem if stem in ("postfix", "exim") else "")
                if file is not None and expected and stem not in ("COPYING", "README"):
                    seen.append((member.name, form_of_head(file.read(HEAD_BYTES), stem), expected))
    assert len(seen) >= 10
    assert [found for found in seen if found[1] != found[2]] == []
