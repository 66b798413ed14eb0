"""What lies at the user's paths, and that every byte of it is accounted for."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
import zipfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thingwatch.errors import InputError
from thingwatch.model import MAX_SIGHTING_CHARS, SIGHTING_KINDS, Sighting, Skip
from thingwatch.read import evidence
from thingwatch.read.evidence import READERS, plan_evidence, sightings_in
from thingwatch.read.evidence.form import FORMS

AT = 1_795_341_600_000_000  # 2026-11-22 10:00:00 UTC
ROW = json.dumps({"ip": "192.0.2.7", "time": "2026-11-22T10:00:00Z", "kind": "banner", "value": "x"}).encode()
SAMPLES = {
    "shadowserver": b"timestamp,ip,protocol,port,tag,asn\n2026-11-22 10:00:00,192.0.2.7,tcp,23,telnet,1\n",
    "shodan": b'{"ip_str": "192.0.2.7", "port": 80, "data": "HTTP/1.1 200 OK\\r\\nServer: x"}\n',
    "censys": b'{"ip": "192.0.2.7", "services": [{"port": 23, "protocol": "TELNET"}]}\n',
    "zgrab2": b'{"ip": "192.0.2.7", "data": {"ftp": {"status": "success", "result": {"banner": "220"}}}}\n',
    "nmap": b'<?xml version="1.0"?><!DOCTYPE nmaprun><nmaprun start="1795341600"><host><status state="up"/>'
    b'<address addr="192.0.2.7" addrtype="ipv4"/></host></nmaprun>',
    "masscan": b'[\n{"ip": "192.0.2.7", "timestamp": "1795341600", "ports": [{"port": 80, "proto": "tcp"}]},\n]\n',
    "p0f": b"[2026/11/22 10:00:00] mod=syn|cli=192.0.2.7/1|srv=192.0.2.1/25|subj=cli|os=x|raw_sig=4:64\n",
    "zeek": b"#separator \\x09\n#path\tsmtp\n#fields\tts\tid.orig_h\thelo\n1795341600\t192.0.2.7\tcam\n",
    "muonfp": b"192.0.2.7:26847:2-4-8-1-3:1460:8\n",
    "addresses": b"192.0.2.0/24\n",
    "outcomes": b"ip,time,outcome\n192.0.2.7,2026-11-22,pc\n",
    "sightings": ROW + b"\n",
}  # fmt: skip


def read_at(path: Path) -> list[Sighting | Skip]:
    return [item for file in plan_evidence([path]) for item in sightings_in(file, now=AT)]


def zip_of(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
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


def test_every_form_has_a_sample_here() -> None:
    """No form can be added without being tried below."""
    assert set(SAMPLES) == set(READERS) == set(FORMS) - {"tar", "zip"}


@pytest.mark.parametrize("form", sorted(SAMPLES))
def test_a_form_is_known_by_its_content_however_it_is_packed(tmp_path: Path, form: str) -> None:
    """Without a telling name, compressed in each way, or as UTF-8 with a mark, a file says the same."""
    content = SAMPLES[form]
    packings = {
        "plain": content,
        "gzip": gzip.compress(content),
        "xz": lzma.compress(content),
        "bzip2": bz2.compress(content),
        "zstd": zstandard.compress(content),
        "marked": b"\xef\xbb\xbf" + content,
    }
    said = {}
    for name, packed in packings.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "thing").write_bytes(packed)
        (file,) = plan_evidence([folder / "thing"])
        assert file.form == form, name
        found = list(sightings_in(file, now=AT))
        assert [item for item in found if isinstance(item, Skip)] == [], name
        said[name] = [
            (i.ip, i.kind, i.value, i.at, i.place.rpartition("@")[2])
            for i in found
            if isinstance(i, Sighting)
        ]
    assert said["plain"]
    assert all(facts == said["plain"] for facts in said.values())


@pytest.mark.parametrize("form", ["p0f", "addresses"])
def test_a_first_line_that_tells_nothing_hides_no_form(tmp_path: Path, form: str) -> None:
    """A log cut within a line and a list that begins with a sentence are known by their other lines."""
    path = tmp_path / "thing"
    path.write_bytes(b"raw_sig=4:64 of a line before\n" + SAMPLES[form] * 5)
    (file,) = plan_evidence([path])
    assert file.form == form
    found = list(sightings_in(file, now=AT))
    assert [isinstance(item, Skip) for item in found] == [True] + [False] * 5


@pytest.mark.parametrize("pack", [zip_of, tar_of, lambda files: lzma.compress(tar_of(files))])
def test_archives_are_read_member_by_member(tmp_path: Path, pack: object) -> None:
    """A member says what it says outside; its place names archive, member and line."""
    files = {
        "a/scan_telnet.csv": SAMPLES["shadowserver"],
        "b.log.gz": gzip.compress(SAMPLES["p0f"]),
        "c.txt": b"hello",
        "empty": b"",
        "more.zip": zip_of({"x": ROW}),
    }
    path = tmp_path / "reports"
    path.write_bytes(pack(files))  # type: ignore[operator]
    found = read_at(path)
    prefix = f"{path}:"
    assert {item.place.removeprefix(prefix) for item in found if isinstance(item, Sighting)} == {
        "a/scan_telnet.csv@2",
        "b.log.gz@1",
    }
    assert [(item.place.removeprefix(prefix), item.reason) for item in found if isinstance(item, Skip)] == [
        ("c.txt", "unknown-form"),
        ("empty", "empty"),
        ("more.zip", "archive-nested"),
    ]
    assert {i.source for i in found if isinstance(i, Sighting)} == {"shadowserver:scan_telnet", "p0f"}


def test_folders_are_walked_and_what_is_no_evidence_is_counted(tmp_path: Path) -> None:
    """In a stable order; links are not followed, unknown and empty files give one Skip each."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b").write_bytes(SAMPLES["addresses"])
    (tmp_path / "a.txt").write_bytes(b"hello there\n")
    (tmp_path / "z").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "a.txt")
    os.mkfifo(tmp_path / "pipe")
    files = plan_evidence([tmp_path])
    assert [(Path(file.path).name, file.form) for file in files] == [
        ("a.txt", "unknown"), ("b", "addresses"), ("link", "symlink"), ("pipe", "not-a-file"), ("z", "empty"),
    ]  # fmt: skip
    reasons = [item.reason for item in read_at(tmp_path) if isinstance(item, Skip)]
    assert reasons == ["unknown-form", "symlink", "not-a-file", "empty"]


def test_leftovers_in_a_folder_are_named_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locked files and folders, links that go round or nowhere and a desktop's droppings cost themselves only."""
    (tmp_path / "list.txt").write_bytes(SAMPLES["addresses"])
    (tmp_path / ".DS_Store").write_bytes(b"\0\0\0\1Bud1\0\0\x10\0")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "round").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "locked").mkdir()
    (tmp_path / "closed.txt").write_bytes(SAMPLES["addresses"])

    # Modes do not stop a test that runs as root.
    scandir, opened = os.scandir, evidence.open_bytes

    def scan(path: Path) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    def opening(path: Path) -> object:
        if path.name == "closed.txt":
            raise PermissionError(13, "Permission denied")
        return opened(path)

    monkeypatch.setattr(evidence.os, "scandir", scan)
    monkeypatch.setattr(evidence, "open_bytes", opening)
    found = {str(Path(item.place).relative_to(tmp_path)): item for item in read_at(tmp_path)}
    assert isinstance(found.pop("list.txt@1"), Sighting)
    assert {name: item.reason for name, item in found.items() if isinstance(item, Skip)} == {
        ".DS_Store": "unknown-form",
        "a/round": "symlink",
        "self": "symlink",
        "dangling": "symlink",
        "locked": "unreadable",
        "closed.txt": "unreadable",
    }
    # What the user named himself he is told about at once.
    for name in ("locked", "closed.txt"):
        with pytest.raises(InputError, match=r"Permission denied\); check its permissions"):
            plan_evidence([tmp_path / name])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing", "nothing there"),
        ("dangling", "leads nowhere"),
        ("self", "leads nowhere"),
        ("pipe", "save it"),
    ],
)
def test_a_path_the_user_named_is_an_error_with_its_cure(tmp_path: Path, name: str, said: str) -> None:
    """A link to nothing and a pipe are not called missing."""
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "self").symlink_to("self")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=said):
        plan_evidence([tmp_path / name])


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """The user is told before anything is read."""
    with pytest.raises(InputError, match="nothing there"):
        plan_evidence([tmp_path / "missing"])


def test_a_damaged_stream_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """What came before the break stays; the break is named."""
    rows = b"".join(
        b'{"ip": "192.0.2.%d", "kind": "banner", "value": "%d"}\n' % (n % 250, n * n) for n in range(5_000)
    )
    path = tmp_path / "own.jsonl.gz"
    path.write_bytes(gzip.compress(rows)[:-4_000])
    found = read_at(path)
    assert len(found) > 1_000
    assert Skip(str(path), "truncated-gzip") in found


def test_a_row_cannot_be_later_than_its_file(tmp_path: Path) -> None:
    """Without a given time the file's own bounds its rows; a file dated 1970 bounds nothing."""
    path = tmp_path / "own.jsonl"
    path.write_bytes(ROW + b"\n")
    for written, reasons in [(AT - 2 * 86_400_000_000, ["impossible-time"]), (AT, []), (0, [])]:
        os.utime(path, ns=(written * 1_000, written * 1_000))
        (file,) = plan_evidence([path])
        assert [item.reason for item in sightings_in(file) if isinstance(item, Skip)] == reasons


def test_only_sender_facts_are_asked_for_by_address(tmp_path: Path) -> None:
    """With a set of sources, fronts, infections and networks elsewhere still come: they are the controls."""
    path = tmp_path / "own.jsonl"
    values = {"smtp.rtt": "1 0", "outcome": "nat_pc", "device.label": "a\tb\tc"}
    rows = [{"ip": "192.0.2.9", "kind": kind, "value": values.get(kind, "x")} for kind in SIGHTING_KINDS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (file,) = plan_evidence([path])
    found = list(sightings_in(file, {"192.0.2.7"}))
    assert [isinstance(item, Skip) for item in found] == [
        role == "sender" for role in SIGHTING_KINDS.values()
    ]
    assert {item.reason for item in found if isinstance(item, Skip)} == {"not-a-source"}


NEWEST = int(datetime(2026, 11, 25, tzinfo=UTC).timestamp()) * 1_000_000
pieces = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(sorted(SAMPLES.values())),
    st.sampled_from(
        [
            b'{"ip": "192.0.2.7", "p80": {"http": {"get": {"title": "x"}}}, "23.telnet.banner.banner": "login:"}\n',
            b"192.0.2.1-192.0.2.6 2026-11-22 10:00:00 UTC\n",
            b"2001:db8::1 - 2001:db8:1::fffe\n",
        ]
    ),
    st.sampled_from(
        [b"\n", b",", b"{", b"[", b"]", b"}", b'"', b"\0", b"<host>", b"\xff\xfe", b"|", b"\t", b"\r"]
    ),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(pieces, max_size=8), cut=st.integers(0, 400), at=st.integers(0, 400))
def test_any_bytes_are_read_and_accounted_for(tmp_path: Path, parts: list[bytes], cut: int, at: int) -> None:
    """Whatever a file holds, reading it never raises; a row is either sightings or exactly one Skip."""
    content = b"".join(parts)
    path = tmp_path / "file"
    path.write_bytes(content[:at] + content[at + cut % 7 :])
    (file,) = plan_evidence([path])
    found = list(sightings_in(file, now=NEWEST))
    if file.form not in READERS:
        assert [type(item) for item in found] == [Skip]
    skipped = Counter(item.place for item in found if isinstance(item, Skip))
    said = {item.place for item in found if isinstance(item, Sighting)}
    assert all(count == 1 for place, count in skipped.items() if "@" in place)
    assert said.isdisjoint(skipped)
    for item in found:
        if isinstance(item, Sighting):
            assert item.kind in SIGHTING_KINDS
            assert len(item.value) <= MAX_SIGHTING_CHARS
            assert item.value.replace("\t", "").isprintable()
            item.value.encode()
            assert item.at is None or item.at <= NEWEST
            assert item.port is None or 0 <= item.port <= 65_535
