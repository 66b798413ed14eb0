"""Archives made to eat memory, disk or time end in a Skip, soon, and write nothing."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import struct
import tarfile
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import zstandard

from thingwatch.model import RawMail, Skip
from thingwatch.read.mailbox import mails_in, plan

MAIL = b"Subject: small\n\ntext\n"
MAX_SECONDS = 5.0
MAX_MEMORY_BYTES = 220 << 20  # one mail of 64 MB, its copy on the way, and a block


def read_bounded(path: Path) -> list[RawMail | Skip]:
    """Read *path* and fail where it takes more time or memory than an attack may cost, or writes a file."""
    before = sorted(path.parent.rglob("*"))
    tracemalloc.start()
    started = time.process_time()
    try:
        found = [item for load in plan([path]) for item in mails_in(load)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.process_time() - started < MAX_SECONDS
    assert peak < MAX_MEMORY_BYTES
    assert sorted(path.parent.rglob("*")) == before
    return found


def reasons(found: list[RawMail | Skip]) -> list[str]:
    return [item.reason for item in found if isinstance(item, Skip)]


def zip_of(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def tar_of(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


BIG = b"Subject: big\n\n" + bytes(40 << 20)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_member_that_explodes(tmp_path: Path, compression: int) -> None:
    """A member a thousand times its packed size is a Skip; the honest one beside it is read."""
    path = tmp_path / "bomb.zip"
    path.write_bytes(zip_of({"bomb.eml": BIG, "good.eml": MAIL}, compression))
    found = read_bounded(path)
    assert reasons(found) == ["archive-bomb"]
    assert [item.raw for item in found if isinstance(item, RawMail)] == [MAIL]


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_member_that_lies_about_its_size(tmp_path: Path, compression: int) -> None:
    """A forged size in the directory does not get a bomb past: what comes out is counted."""
    path = tmp_path / "bomb.zip"
    content = bytearray(zip_of({"bomb.eml": BIG}, compression))
    directory = content.rfind(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = struct.pack("<I", 1000)
    path.write_bytes(content)
    found = read_bounded(path)
    assert len(found) <= 2
    assert set(reasons(found)) <= {"archive-bomb", "damaged-member"}
    assert reasons(found)


def test_zip_members_that_overlap(tmp_path: Path) -> None:
    """Many names for the same packed bytes are stopped by the sum of what they give."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        text = b"Subject: x\n\n" + b"".join(b"%d" % (n % 7919) for n in range(300_000)) * 4
        archive.writestr("kernel.eml", text)
    content = packed.getvalue()
    directory = content.rfind(b"PK\x01\x02")
    entry = content[directory : content.rfind(b"PK\x05\x06")]
    count = 3000
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(entry) * count, directory, 0)
    path = tmp_path / "overlap.zip"
    path.write_bytes(content[:directory] + entry * count + end)
    found = read_bounded(path)
    assert reasons(found)[-1] in ("archive-bomb", "damaged-member")
    assert sum(len(item.raw) for item in found if isinstance(item, RawMail)) < 200 * path.stat().st_size


def test_zip_directory_without_end(tmp_path: Path) -> None:
    """A zip that promises a directory of gigabytes is refused before it is loaded."""
    path = tmp_path / "directory.zip"
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 9, 9, 1 << 31, 0, 0)
    path.write_bytes(b"PK\x03\x04" + bytes(100) + end)
    assert reasons(read_bounded(path)) == ["archive-bomb"]


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
@pytest.mark.parametrize("form", ["tar", "mbox", "jsonl", "eml"])
def test_compressed_stream_that_explodes(tmp_path: Path, kind: str, form: str) -> None:
    """Each compression of each form is cut where the ratio passes any mail's."""
    content = {
        "tar": tar_of({"good.eml": MAIL, "bomb.eml": BIG}),
        "mbox": b"From a Mon Jan  6 10:00:00 2014\n" + MAIL + b"\nFrom a Mon Jan  6 10:00:00 2014\n" + BIG,
        "jsonl": b'{"raw": "Subject: x\\n\\n"}\n' + bytes(40 << 20),
        "eml": BIG,
    }[form]
    compress = {
        "gzip": gzip.compress,
        "bzip2": bz2.compress,
        "xz": lzma.compress,
        "zstd": zstandard.ZstdCompressor().compress,
    }[kind]
    path = tmp_path / "bomb"
    path.write_bytes(compress(content))
    found = read_bounded(path)
    assert "archive-bomb" in reasons(found)
    assert sum(len(item.raw) for item in found if isinstance(item, RawMail)) < 4 << 20


def test_bombs_in_archives_in_archives(tmp_path: Path) -> None:
    """Nesting multiplies nothing: inner archives share one budget, and a third is not opened."""
    inner = zip_of({"bomb.eml": BIG})
    deeper = zip_of({"inner.zip": zip_of({"inner.zip": inner})})
    path = tmp_path / "nested.zip"
    path.write_bytes(zip_of({"a.zip": inner, "b.zip": deeper, "c.eml": MAIL}))
    found = read_bounded(path)
    assert reasons(found) == ["archive-bomb", "archive-nested"]
    assert found[-1] == RawMail(MAIL, f"{path}:c.eml")


def test_tar_header_that_asks_for_memory(tmp_path: Path) -> None:
    """A long-name or pax header of eight gigabytes is refused, not read."""
    for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE):
        info = tarfile.TarInfo("x")
        info.type = kind
        info.size = 8 << 30
        path = tmp_path / "header.tar"
        path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
        assert reasons(read_bounded(path)) == ["damaged-tar"]


def test_tar_member_that_promises_too_much(tmp_path: Path) -> None:
    """A member whose header promises a terabyte gives what is there."""
    info = tarfile.TarInfo("x.eml")
    info.size = 1 << 40
    path = tmp_path / "long.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + MAIL + bytes(4096))
    found = read_bounded(path)
    assert reasons(found) == ["truncated-tar"]
    assert [item.raw[: len(MAIL)] for item in found if isinstance(item, RawMail)] == [MAIL]


def test_encrypted_zip_member_is_named(tmp_path: Path) -> None:
    """An encrypted member is a Skip of its own name; no password is tried."""
    content = bytearray(zip_of({"secret.eml": MAIL, "open.eml": MAIL}))
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.find(magic) + flags] |= 1
    path = tmp_path / "secret.zip"
    path.write_bytes(content)
    found = read_bounded(path)
    assert found == [Skip(f"{path}:secret.eml", "encrypted"), RawMail(MAIL, f"{path}:open.eml")]


def test_names_lead_nowhere(tmp_path: Path) -> None:
    """Absolute names, "..", device names and escape codes are shown clean and open nothing."""
    target = tmp_path / "target"
    names = [
        str(target),
        "../../target",
        "..\\..\\target",
        "\x1b]0;x\x07.eml",
        "a\nb.eml",
        "C:\\target",
        "\u202etxt.eml",
    ]
    for content in (tar_of(dict.fromkeys(names, MAIL)), zip_of(dict.fromkeys(names, MAIL))):
        path = tmp_path / "names"
        path.write_bytes(content)
        found = read_bounded(path)
        assert [isinstance(item, RawMail) for item in found] == [True] * len(names)
        for item in found:
            shown = item.place.removeprefix(f"{path}:")
            assert shown.isprintable()
            assert ".." not in shown
            assert not shown.startswith("/")
    assert not target.exists()


def test_mbox_without_end_of_mail_stays_in_memory_bounds(tmp_path: Path) -> None:
    """A file that is one mail of 200 MB is cut, and the mail behind it is found."""
    path = tmp_path / "long.mbox"
    with path.open("wb") as file:
        file.write(b"From a Mon Jan  6 10:00:00 2014\nSubject: long\n\n")
        file.seek(200 << 20, os.SEEK_CUR)  # a hole: nothing is written
        file.write(b"\n\nFrom a Mon Jan  6 10:00:00 2014\n" + MAIL)
    found = read_bounded(path)
    assert reasons(found) == ["mail-too-large"]
    assert found[-1].place.startswith(str(path))
    assert isinstance(found[-1], RawMail)
    assert found[-1].raw == MAIL
