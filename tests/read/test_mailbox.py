"""Every dialect of mail on disk gives its mails back, in order and byte for byte."""

from __future__ import annotations

import gzip
import io
import os
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thingwatch.errors import InputError
from thingwatch.model import RawMail, Skip
from thingwatch.read import mbox
from thingwatch.read.archive import mbox_mails
from thingwatch.read.mailbox import MAX_FOLDER_DEPTH, MAX_LOAD_FILES, Load, mails_in, plan
from thingwatch.read.mbox import MAX_MAIL_BYTES

SHARED_MAIL = Path(__file__).parents[3] / "shared" / "data" / "mail"
FROM_LINE = b"From a@example.org Mon Jan  6 10:00:00 2014"


def read_all(*paths: Path, load_bytes: int = 8 << 20) -> list[RawMail | Skip]:
    return [found for load in plan(paths, load_bytes) for found in mails_in(load)]


def raws(*paths: Path, load_bytes: int = 8 << 20) -> list[bytes]:
    return [found.raw for found in read_all(*paths, load_bytes=load_bytes) if isinstance(found, RawMail)]


def skips(*paths: Path, load_bytes: int = 8 << 20) -> list[tuple[str, str]]:
    found = read_all(*paths, load_bytes=load_bytes)
    return [(skip.place, skip.reason) for skip in found if isinstance(skip, Skip)]


def mail(number: int, lines: int = 3) -> bytes:
    return b"From: a@example.org\nSubject: number %d\n\n" % number + b"some text\n" * lines


# --- dialects: how each writer makes an mbox, and what it must give back ---------------------------------


def written(mails: list[bytes], quote: Callable[[bytes], bytes], lengths: bool = False) -> bytes:
    made = []
    for raw in mails:
        header, _, body = quote(raw).partition(b"\n\n")
        stated = b"\nContent-Length: %d" % len(body) if lengths else b""
        made.append(FROM_LINE + b"\n" + header + stated + b"\n\n" + body + b"\n")
    return b"".join(made)


def quoted_o(raw: bytes) -> bytes:
    return re.sub(rb"(?m)^From ", b">From ", raw)


def quoted_rd(raw: bytes) -> bytes:
    return re.sub(rb"(?m)^(>*From )", rb">\1", raw)


def without_length(raw: bytes) -> bytes:
    return re.sub(rb"\nContent-Length: \d+", b"", raw, count=1)


BODY_LINES = st.lists(
    st.sampled_from(
        [
            b"",
            b"text",
            b"From here on",
            FROM_LINE,
            b">From quoted",
            b">>From twice",
            b"From: x",
            b"\x00\xff",
            b".",
        ]
    ),
    min_size=1,
    max_size=8,
)
MAILS = st.lists(
    BODY_LINES.map(lambda lines: b"Subject: s\n\n" + b"\n".join(lines) + b"\n"), min_size=1, max_size=8
)


@given(MAILS, st.integers(1, 400))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_mboxrd_comes_back_byte_for_byte(tmp_path: Path, mails: list[bytes], load_bytes: int) -> None:
    """mboxrd's quoting is undone exactly, however finely the file is cut into loads."""
    path = tmp_path / "rd.mbox"
    path.write_bytes(written(mails, quoted_rd))
    assert raws(path, load_bytes=load_bytes) == mails


@given(MAILS, st.integers(1, 400))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_crlf_mbox_comes_back_byte_for_byte(tmp_path: Path, mails: list[bytes], load_bytes: int) -> None:
    """Line ends of two bytes change nothing."""
    path = tmp_path / "crlf.mbox"
    path.write_bytes(written(mails, quoted_rd).replace(b"\n", b"\r\n"))
    assert raws(path, load_bytes=load_bytes) == [raw.replace(b"\n", b"\r\n") for raw in mails]


@given(MAILS, st.integers(1, 400))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_cr_only_mbox_comes_back_byte_for_byte(tmp_path: Path, mails: list[bytes], load_bytes: int) -> None:
    """Line ends of a single CR, as old Macs wrote them, change nothing."""
    path = tmp_path / "cr.mbox"
    path.write_bytes(written(mails, quoted_rd).replace(b"\n", b"\r"))
    assert raws(path, load_bytes=load_bytes) == [raw.replace(b"\n", b"\r") for raw in mails]


@given(MAILS, st.integers(1, 400))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_mboxo_comes_back_but_for_its_own_loss(tmp_path: Path, mails: list[bytes], load_bytes: int) -> None:
    """mboxo loses the difference between "From " and ">From "; nothing else is lost."""
    path = tmp_path / "o.mbox"
    path.write_bytes(written(mails, quoted_o))
    lossy = [re.sub(rb"(?m)^>(>*From )", rb"\1", raw) for raw in mails]
    assert raws(path, load_bytes=load_bytes) == lossy


@given(MAILS, st.integers(1, 400))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_mboxcl_comes_back_byte_for_byte(tmp_path: Path, mails: list[bytes], load_bytes: int) -> None:
    """A stated length is taken off again, with quoting as mboxrd does it."""
    path = tmp_path / "cl.mbox"
    path.write_bytes(written(mails, quoted_rd, lengths=True))
    assert [without_length(raw) for raw in raws(path, load_bytes=load_bytes)] == mails


@given(MAILS, st.integers(1, 400))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_mboxcl2_comes_back_byte_for_byte(tmp_path: Path, mails: list[bytes], load_bytes: int) -> None:
    """In mboxcl2 whole mails stand unquoted inside mails, and only Content-Length tells."""
    path = tmp_path / "cl2.mbox"
    forwarded = b"Subject: fwd\n\nFrom the other box:\n\n" + FROM_LINE + b"\nSubject: inner\n\nFrom me\n"
    path.write_bytes(written([forwarded, *mails], lambda raw: raw, lengths=True))
    assert [without_length(raw) for raw in raws(path, load_bytes=load_bytes)] == [forwarded, *mails]


@given(st.lists(st.sampled_from([b"\n", b"\r", b"\r\n", FROM_LINE, b"x", b">From ", b"Content-Length: 3"])))
def test_split_loses_no_byte_to_block_bounds(pieces: list[bytes]) -> None:
    """Whatever the bytes, blocks of one byte give the same mails as one block of all."""
    data = FROM_LINE + b"\n" + b"".join(pieces)
    for dialect in (mbox.Dialect(), mbox.Dialect(lengths=True, quoted=False), mbox.Dialect(line_end=b"\r")):
        whole = list(mbox.split([data], 0, dialect))
        bytewise = (data[at : at + 1] for at in range(len(data)))
        assert list(mbox.split(bytewise, 0, dialect)) == whole


@pytest.mark.parametrize(
    "line",
    [
        b"From a@example.org Mon Jan  6 10:00:00 2014",
        b"From a@example.org  Mon Jan 06 10:00 2014",
        b"From - Mon Jan  6 10:00:00 2014",
        b"From MAILER-DAEMON Mon Jan  6 10:00:00 2014",
        b"From ???@??? Mon Jan  6 10:00:00 2014",
        b"From 1466131311917154322@xxx Mon Jan 06 10:00:00 +0000 2014",
        b"From a@example.org Mon Jan  6 10:00:00 CET 2014",
        b"From a@example.org Mon Jan  6 10:00:00 2014 +0100",
        b"From a@example.org Mon Jan  6 10:00:00 2014 remote from gateway",
        b"From someone at example.org  Mon Jan  6 10:00:00 2014",
        b'From "a b"@example.org Mon Jan  6 10:00:00 2014',
        b"From a@example.org Mon, 06 Jan 2014 10:00:00 +0100",
        b"From a@example.org 2014-01-06 10:00:00",
    ],
)
def test_from_lines_of_all_writers_separate(line: bytes) -> None:
    """The From_ line of each known writer separates mails."""
    data = line + b"\nSubject: a\n\nx\n\n" + line + b"\nSubject: b\n\ny\n"
    assert [piece.raw for piece in mbox.split([data], 0, mbox.Dialect())] == [
        b"Subject: a\n\nx\n",
        b"Subject: b\n\ny\n",
    ]


@pytest.mark.parametrize(
    "line",
    [b"From now on", b"From the 6 Jan", b"From a@b", b"From a b Mon Jan  6 10:00:00 2014 we met", b"From "],
)
def test_prose_does_not_separate(line: bytes) -> None:
    """A line of a letter that begins with "From " is a line of the letter."""
    data = FROM_LINE + b"\nSubject: a\n\nx\n\n" + line + b"\ny\n"
    assert len(list(mbox.split([data], 0, mbox.Dialect()))) == 1


def test_separator_needs_a_blank_line() -> None:
    """A perfect From_ line in the middle of a paragraph separates nothing."""
    data = FROM_LINE + b"\nSubject: a\n\nx\n" + FROM_LINE + b"\ny\n"
    assert len(list(mbox.split([data], 0, mbox.Dialect()))) == 1


def test_lying_content_length_hides_no_mail(tmp_path: Path) -> None:
    """A length that would swallow the next mails is the sender's word and counts for nothing."""
    second = FROM_LINE + b"\nSubject: b\n\ny\n\n"
    lies = [b"%d" % (len(second) + 1 + 3), b"99999999999", b"0", b"1"]
    for lie in lies:
        path = tmp_path / f"lie{lie.decode()}.mbox"
        path.write_bytes(FROM_LINE + b"\nContent-Length: " + lie + b"\n\nxx\n\n" + second * 4)
        assert len(raws(path)) == 5


def test_lying_content_length_among_true_ones_hides_no_mail(tmp_path: Path) -> None:
    """Also where lengths are believed, one that lands in the middle of something is not."""
    honest = written([mail(number) for number in range(6)], lambda raw: raw, lengths=True)
    for lie in (0, 1, 40, 100, 300, 10**10):
        path = tmp_path / f"lie{lie}.mbox"
        liar = FROM_LINE + b"\nContent-Length: %d\n\nliar\n\n" % lie
        path.write_bytes(honest + liar + honest)
        assert [without_length(raw) for raw in raws(path) if b"liar" not in raw] == [
            mail(n) for n in range(6)
        ] * 2


def test_places_are_offsets_that_lead_back_to_the_bytes(tmp_path: Path) -> None:
    """A mail's place is the path as given and the offset of its From_ line."""
    path = tmp_path / "in.mbox"
    content = b"\n" + written([mail(number, number) for number in range(40)], quoted_rd)
    path.write_bytes(content)
    places = [found.place for found in read_all(path, load_bytes=500)]
    offsets = [int(place.rpartition("@")[2]) for place in places]
    assert len(offsets) == 40
    assert all(content[offset:].startswith(FROM_LINE) for offset in offsets)
    assert {place.rpartition("@")[0] for place in places} == {str(path)}


def test_relative_paths_stay_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user typed is what stands in a place."""
    monkeypatch.chdir(tmp_path)
    Path("in.mbox").write_bytes(written([mail(1)], quoted_rd))
    assert [found.place for found in read_all(Path("in.mbox"))] == ["in.mbox@0"]


def test_compressed_mbox_equals_plain(tmp_path: Path) -> None:
    """A compressed mbox is cut into loads of bounded size, with the mails and offsets of the plain one."""
    content = written([mail(number, 50) for number in range(200)], quoted_rd)
    plain, packed = tmp_path / "a.mbox", tmp_path / "a.mbox.gz"
    plain.write_bytes(content)
    packed.write_bytes(gzip.compress(content))
    loads = list(plan([packed], 20_000))
    assert {load.form for load in loads} == {"inline"}
    assert max(load.end for load in loads) < 21_000
    assert raws(packed, load_bytes=20_000) == raws(plain, load_bytes=20_000)
    offsets = [[found.place.rpartition("@")[2] for found in read_all(path)] for path in (plain, packed)]
    assert offsets[0] == offsets[1]


def test_truncated_mbox_keeps_what_is_there(tmp_path: Path) -> None:
    """A compressed mbox that breaks off gives the mails before the break, and says so."""
    content = written(
        [b"Subject: %d\n\n%s\n" % (n, os.urandom(400).hex().encode()) for n in range(200)], quoted_rd
    )
    packed = gzip.compress(content)
    path = tmp_path / "a.mbox.gz"
    path.write_bytes(packed[: len(packed) // 2])
    assert 90 < len(raws(path)) < 110
    assert skips(path) == [(str(path), "truncated-gzip")]


def test_file_without_any_mail_is_named(tmp_path: Path) -> None:
    """An empty file is a Skip and no error, and one whose compression is damaged says that instead."""
    for content, reason in ((b"", "empty"), (b"\x1f\x8b rubbish", "damaged-gzip"), (b"\n\n", "empty")):
        path = tmp_path / "in.mbox"
        path.write_bytes(content)
        assert read_all(path) == [Skip(str(path), reason)]


def test_too_large_mail_is_cut_and_the_next_is_whole(tmp_path: Path) -> None:
    """A mail above the bound is cut with a Skip beside it, in a stream as in a file, and hides no other."""

    def blocks() -> Iterator[bytes]:
        yield FROM_LINE + b"\nSubject: big\n\n"
        for _ in range(17):
            yield b"x" * (4 << 20) + b"\n"
        yield b"\n" + FROM_LINE + b"\nSubject: next\n\ny\n"

    pieces = list(mbox.split(blocks(), 0, mbox.Dialect()))
    assert [(len(piece.raw), piece.cut) for piece in pieces] == [(MAX_MAIL_BYTES, True), (17, False)]
    path = tmp_path / "big.eml"
    path.write_bytes(b"Subject: big\n\n" + bytes(MAX_MAIL_BYTES))
    assert [len(raw) for raw in raws(path)] == [MAX_MAIL_BYTES]
    assert skips(path) == [(str(path), "mail-too-large")]


# --- folders ---------------------------------------------------------------------------------------------


def test_folders_of_all_kinds_are_read_in_a_stable_order(tmp_path: Path) -> None:
    """Maildir, Maildir++, MH, loose files and mboxes mix in one tree; tmp and bookkeeping stay out."""
    root = tmp_path / "root"
    files = {
        "box/cur/1.a:2,S": mail(1),
        "box/new/2.a": b"no header at all\n",
        "box/tmp/3.a": mail(99),
        "box/dovecot-uidlist": b"3 V1 N2\n",
        "box/.Sent/cur/4.a:2,": mail(4),
        "box/.Sent/new/.keep": b"",
        "mh/9": mail(9),
        "mh/10": mail(10),
        "mh/11.eml": gzip.compress(mail(11)),
        "small.mbox": written([mail(20), mail(21)], quoted_rd),
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / "box/.Sent/tmp").mkdir()
    found = raws(root)
    assert found == [
        mail(4),
        mail(1),
        b"no header at all\n",
        mail(9),
        mail(10),
        mail(11),
        mail(20),
        mail(21),
    ]
    assert raws(root, load_bytes=1) == found
    assert skips(root) == [(f"{root}/box/.Sent/new/.keep", "empty")]


def test_odd_things_in_a_folder_are_named(tmp_path: Path) -> None:
    """Links, pipes, strangers and empty files are Skips; nothing outside the folder is read."""
    outside = tmp_path / "outside.eml"
    outside.write_bytes(mail(1))
    root = tmp_path / "root"
    root.mkdir()
    (root / "1.eml").write_bytes(mail(1))
    (root / "2.txt").write_bytes(b"a shopping list\n")
    (root / "3.msg").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    (root / "4.eml").write_bytes(b"")
    (root / "5\n\x1b[31m.txt").write_bytes(b"odd name\n")
    os.symlink(outside, root / "6.eml")
    os.symlink(tmp_path, root / "7")
    os.mkfifo(root / "8")
    assert raws(root) == [mail(1)]
    assert [(place.removeprefix(f"{root}/"), reason) for place, reason in skips(root)] == [
        ("4.eml", "empty"),
        ("6.eml", "symlink"),
        ("7", "symlink"),
        ("8", "not-a-file"),
        ("2.txt", "unknown-form"),
        ("3.msg", "unknown-form"),
        ("5??[31m.txt", "unknown-form"),
    ]


def test_deep_folders_end_at_a_bound(tmp_path: Path) -> None:
    """Folders in folders without end are a Skip, not a stack overflow."""
    deep = tmp_path.joinpath(*["d"] * (MAX_FOLDER_DEPTH + 3))
    deep.mkdir(parents=True)
    (deep / "1.eml").write_bytes(mail(1))
    assert [reason for _, reason in skips(tmp_path)] == ["folder-too-deep"]


def test_logs_in_a_folder_become_loads_of_their_own(tmp_path: Path) -> None:
    """A log found among mail is one load over the whole file, for its own reader."""
    (tmp_path / "a.eml").write_bytes(mail(1))
    log = tmp_path / "mail.log"
    log.write_bytes(b"Nov 22 19:44:01 mx postfix/smtpd[811]: connect from unknown[192.0.2.7]\n")
    loads = list(plan([tmp_path]))
    assert [load.form for load in loads] == ["files", "postfix"]
    assert loads[1] == Load("postfix", str(log), 0, log.stat().st_size, None, ())
    with pytest.raises(ValueError, match="is a log"):
        list(mails_in(loads[1]))


def test_plan_refuses_before_it_reads(tmp_path: Path) -> None:
    """A wrong path at the end of the line is said before hours go into the first ones."""
    good = tmp_path / "a.mbox"
    good.write_bytes(written([mail(1)], quoted_rd))
    with pytest.raises(InputError, match="nothing there"):
        next(plan([good, tmp_path / "gone"]))


def test_file_that_vanishes_is_a_skip(tmp_path: Path) -> None:
    """What is gone between planning and reading is named and stops nothing."""
    for number in range(3):
        (tmp_path / f"{number}.eml").write_bytes(mail(number))
    loads = list(plan([tmp_path]))
    (tmp_path / "1.eml").unlink()
    found = [item for load in loads for item in mails_in(load)]
    assert [isinstance(item, RawMail) for item in found] == [True, False, True]


def test_many_small_files_share_loads(tmp_path: Path) -> None:
    """Loads hold a bounded number of files, and every file once."""
    count = MAX_LOAD_FILES + 10
    for number in range(count):
        (tmp_path / str(number)).write_bytes(b"Subject: %d\n\n" % number)
    loads = list(plan([tmp_path]))
    assert len(loads) == 2
    assert [raw for load in loads for raw in _raws(load)] == [b"Subject: %d\n\n" % n for n in range(count)]


def _raws(load: Load) -> list[bytes]:
    return [found.raw for found in mails_in(load) if isinstance(found, RawMail)]


# --- archives --------------------------------------------------------------------------------------------


def tar_of(files: dict[str, bytes], mode: str = "w", form: int = tarfile.PAX_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode, format=form) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def zip_of(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


NAMES = ["new/17.eml", "a" * 180 + "/" + "b" * 90 + ".eml", "grüße.eml", "../../etc/x.eml", "/abs.eml"]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar_gives_its_mails(tmp_path: Path, mode: str, form: int) -> None:
    """Each form of tar header and each compression gives the mails; names are only shown, and shown clean."""
    names = NAMES if form != tarfile.USTAR_FORMAT else [NAMES[0], NAMES[3], NAMES[4]]
    path = tmp_path / "mail.tar"
    path.write_bytes(tar_of({name: mail(number) for number, name in enumerate(names)}, mode, form))
    found = read_all(path)
    assert [item.raw for item in found if isinstance(item, RawMail)] == [mail(n) for n in range(len(names))]
    places = [item.place.removeprefix(f"{path}:") for item in found]
    assert places[0] == "new/17.eml"
    assert places[-2:] == ["etc/x.eml", "abs.eml"]
    assert len(max(places, key=len)) <= 240


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_zip_gives_its_mails(tmp_path: Path, compression: int) -> None:
    """Each compression of zip gives the mails in order."""
    path = tmp_path / "mail.zip"
    path.write_bytes(zip_of({name: mail(number, 500) for number, name in enumerate(NAMES)}, compression))
    assert raws(path) == [mail(number, 500) for number in range(len(NAMES))]


def test_archives_hold_mboxes_json_lines_and_archives(tmp_path: Path) -> None:
    """Members are read for what they are; one archive inside another, not three."""
    inner = tar_of({"deep.eml": mail(5), "no.zip": zip_of({"deeper.eml": mail(6)})})
    files = {
        "in.mbox": written([mail(1), mail(2)], quoted_rd),
        "in.jsonl": b'{"raw": "Subject: three\\n\\n"}\n',
        "four.eml.gz": gzip.compress(mail(4)),
        "inner.tar.gz": gzip.compress(inner),
        "notes.txt": b"nothing here\n",
        "table.parquet": b"PAR1" + bytes(100),
        "void": b"",
    }
    expected = [mail(1), mail(2), b"Subject: three\n\n", mail(4), mail(5)]
    for name, content in (("a.zip", zip_of(files)), ("a.tar", tar_of(files))):
        path = tmp_path / name
        path.write_bytes(content)
        assert raws(path) == expected
        assert [(place.removeprefix(f"{path}:"), reason) for place, reason in skips(path)] == [
            ("inner.tar.gz:no.zip", "archive-nested"),
            ("notes.txt", "unknown-form"),
            ("table.parquet", "unpack-first"),
            ("void", "empty"),
        ]
        assert f"{path}:in.mbox@0" in [found.place for found in read_all(path)]


def test_large_stranger_in_a_tar_is_passed_over(tmp_path: Path) -> None:
    """A member that is not read to its end does not put the next one out of step."""
    path = tmp_path / "mail.tar"
    path.write_bytes(tar_of({"big.bin": b"\x01\x02\x03" * 100_001, "1.eml": mail(1)}))
    assert read_all(path) == [Skip(f"{path}:big.bin", "unknown-form"), RawMail(mail(1), f"{path}:1.eml")]


def test_tar_that_breaks_off_keeps_what_is_there(tmp_path: Path) -> None:
    """A tar cut in the middle of a mail gives the mails before and the beginning of that one."""
    path = tmp_path / "mail.tar"
    path.write_bytes(tar_of({"1.eml": mail(1), "2.eml": mail(2, 400)})[: 512 * 3 + 900])
    found = raws(path)
    assert found[0] == mail(1)
    assert mail(2, 400).startswith(found[1])
    assert skips(path) == [(f"{path}:2.eml", "truncated-tar")]


def test_links_and_devices_in_a_tar_are_named(tmp_path: Path) -> None:
    """What is no file in a tar is named and never followed."""
    path = tmp_path / "mail.tar"
    with tarfile.open(path, "w") as archive:
        for kind, name in ((tarfile.SYMTYPE, "link"), (tarfile.LNKTYPE, "hard"), (tarfile.CHRTYPE, "dev")):
            info = tarfile.TarInfo(name)
            info.type = kind
            info.linkname = "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("1.eml")
        info.size = len(mail(1))
        archive.addfile(info, io.BytesIO(mail(1)))
    assert raws(path) == [mail(1)]
    assert [reason for _, reason in skips(path)] == ["symlink", "symlink", "not-a-file"]


@given(st.binary(max_size=200), st.integers(0, 4000), st.sampled_from(["tar", "zip"]))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_damaged_archives_never_raise(tmp_path: Path, noise: bytes, at: int, kind: str) -> None:
    """Bytes overwritten anywhere in an archive are a Skip, a strange mail or nothing, never an error."""
    files = {f"{number}.eml": mail(number) for number in range(3)}
    content = bytearray(tar_of(files) if kind == "tar" else zip_of(files))
    at %= len(content)
    content[max(at, 4) : at + len(noise)] = noise
    path = tmp_path / f"damaged.{kind}"
    path.write_bytes(content)
    try:
        read_all(path)
    except InputError as error:
        assert "of no known form" in str(error)  # noqa: PT017 - the first header may be gone


# --- accounting ------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["mail", "empty", "unknown"]), min_size=1, max_size=12))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_message_is_a_mail_or_a_skip(tmp_path: Path, kinds: list[str]) -> None:
    """As many mails and Skips come out as files went in, in a folder, a tar and a zip alike."""
    contents = {"mail": mail(1), "empty": b"", "unknown": b"who knows\n"}
    files = {f"{number:02}.x": contents[kind] for number, kind in enumerate(kinds)}
    folder = tmp_path / "folder"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (tmp_path / "a.tar").write_bytes(tar_of(files))
    (tmp_path / "a.zip").write_bytes(zip_of(files))
    for path in (folder, tmp_path / "a.tar", tmp_path / "a.zip"):
        assert len(raws(path)) == kinds.count("mail")
        assert len(skips(path)) == len(kinds) - kinds.count("mail")


def test_empty_mails_in_an_mbox_are_named() -> None:
    """Two From_ lines with nothing between are a mail that is not there, and said so."""
    data = FROM_LINE + b"\n\n" + FROM_LINE + b"\nSubject: a\n\nx\n"
    found = list(mbox_mails(io.BytesIO(data), "m"))
    assert found == [Skip("m@0", "empty"), RawMail(b"Subject: a\n\nx\n", f"m@{len(FROM_LINE) + 2}")]


REAL = {  # archive: files, mails in them, files that are licences or prose, empty files
    "bounces_sisimai.tar.xz": (401, 402, 1, 0),
    "csdmc2010.tar.xz": (954, 954, 0, 0),
    "list_lkml_notmuch.tar.xz": (210, 210, 0, 0),
    "list_mjpeg_users.tar.xz": (392, 392, 0, 0),
    "parser_corpora.tar.xz": (282, 281, 5, 1),
    "spamassassin.tar.xz": (4645, 4645, 0, 0),
}


@pytest.mark.skipif(not SHARED_MAIL.is_dir(), reason="the shared real data is not here")
@pytest.mark.parametrize("name", REAL)
def test_real_archives_are_accounted_for(name: str) -> None:
    """Each member of the real archives is a mail, several mails, or a Skip by name."""
    path = SHARED_MAIL / name
    found = read_all(path)
    files, mails, strange, empty = REAL[name]
    reasons = [item.reason for item in found if isinstance(item, Skip)]
    assert len({item.place.partition("@")[0] for item in found}) == files
    assert len(found) - len(reasons) == mails
    assert (reasons.count("unknown-form"), reasons.count("empty")) == (strange, empty)
