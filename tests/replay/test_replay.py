"""What a replay promises: known truth, the story of 2014, equal bytes for equal seeds, and no harm."""

from __future__ import annotations

import email
import email.policy
import json
import re
from collections import Counter
from datetime import datetime, timedelta
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from thingwatch import replay as front
from thingwatch.errors import OutputError, SettingError
from thingwatch.replay import replay, script

SEPARATOR = re.compile(
    rb"^From \S+ (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\n", re.MULTILINE
)
# Names no stranger can ever own (RFC 2606, RFC 6761, RFC 6762), and names that only stand in a HELO.
RESERVED = ("example", "test", "invalid", "localhost", "local", "lan", "localdomain")


def mails_of(folder: Path) -> list[bytes]:
    """The mails of mail.mbox, unescaped as mboxrd wants it."""
    parts = SEPARATOR.split((folder / "mail.mbox").read_bytes())
    assert parts[0] == b""
    assert all(part.endswith(b"\n\n") for part in parts[1:])
    return [re.sub(rb"^>(>*From )", rb"\1", part[:-1], flags=re.MULTILINE) for part in parts[1:]]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small replay at the hardest level."""
    out = tmp_path_factory.mktemp("played") / "hard"
    replay(0.004, 7, out, level=3)
    return out


@pytest.fixture(scope="module")
def truth(played: Path) -> list[dict[str, object]]:
    """Its truth, row by row."""
    rows: list[dict[str, object]] = pq.read_table(played / "truth.parquet").to_pylist()
    return rows


def test_every_mail_has_one_row_of_truth(played: Path, truth: list[dict[str, object]]) -> None:
    """Rows and mails run side by side, and each id stands in its own mail."""
    mails = mails_of(played)
    assert len(mails) == len(truth) == 6000
    assert [row["seq"] for row in truth] == list(range(len(truth)))
    assert len({row["message_id"] for row in truth}) == len(truth)
    for raw, row in zip(mails, truth, strict=True):
        assert f"<{row['message_id']}>".encode() in raw.split(b"\n\n", 1)[0]


def test_the_standard_parser_reads_every_mail(played: Path, truth: list[dict[str, object]]) -> None:
    """Each mail parses without a defect, names its client in the border's own line, and is for one of us."""
    homes = ("corp.example", "northgate-works.example", "tidewater.example", "homepost.example")
    for raw, row in zip(mails_of(played), truth, strict=True):
        mail = email.message_from_bytes(raw, policy=email.policy.compat32)
        assert not [part.defects for part in mail.walk() if part.defects]
        ours = [line for line in mail.get_all("Received") or [] if "by mx1.corp.example (Postfix)" in line]
        assert f"[{row['client_ip']}])" in ours[0]
        assert mail["Delivered-To"].endswith(homes)
        assert mail["Authentication-Results"].startswith("mx1.corp.example;")
        assert mail["Subject"] is not None


def test_the_story_of_2014(played: Path, truth: list[dict[str, object]]) -> None:
    """Half of the mail is the attack: eight waves about two days apart, of about an hour and equal size."""
    attack = [row for row in truth if row["kind"] == "campaign"]
    assert len(attack) == 3000
    waves = json.loads((played / "truth.json").read_text())["campaigns"]["thing"]["waves"]
    assert len(waves) == 8
    starts = [datetime.fromisoformat(wave["start"]) for wave in waves]
    ends = [datetime.fromisoformat(wave["end"]) for wave in waves]
    for one, other in pairwise(starts):
        assert timedelta(hours=45) < other - one < timedelta(hours=49)
    for start, end in zip(starts, ends, strict=True):
        assert timedelta(minutes=40) < end - start < timedelta(minutes=76)
    assert sum(wave["messages"] for wave in waves) == 3000
    assert max(wave["messages"] for wave in waves) < 1.5 * min(wave["messages"] for wave in waves)
    assert {row["lure"] for row in attack} == {
        f"thing/{name}" for name in ("parcel", "savings", "line", "nebel", "picture", "invoice")
    }


def test_nobody_sends_more_than_ten(truth: list[dict[str, object]]) -> None:
    """No source of the attack sends more than ten mails, and most take part in several waves."""
    attack = [row for row in truth if row["kind"] == "campaign"]
    assert max(Counter(row["client_ip"] for row in attack).values()) <= 10
    waves = Counter(source for source, _ in {(row["client_ip"], row["wave"]) for row in attack})
    assert sum(count > 1 for count in waves.values()) > len(waves) / 2


def test_both_pools_share_a_few_homes(truth: list[dict[str, object]]) -> None:
    """The PC botnet has its own pool, but a few homes hold both; shops and people share none with it."""
    pools = {kind: {row["client_ip"] for row in truth if row["kind"] == kind} for kind in script.KINDS}
    assert 0 < len(pools["campaign"] & pools["botnet"]) < 0.1 * len(pools["botnet"])
    for kind in ("newsletter", "personal", "transactional", "list", "snowshoe"):
        assert not pools["campaign"] & pools[kind]


def test_all_confounders_are_there(truth: list[dict[str, object]]) -> None:
    """Every kind of other mail occurs; personal mail is more than half of it, each newsletter run its own."""
    counts = Counter(row["kind"] for row in truth)
    assert set(counts) == set(script.KINDS)
    assert counts["personal"] > 0.55 * 3000
    assert counts["forward"] >= 5
    runs = {row["campaign"] for row in truth if row["kind"] == "newsletter"}
    assert len({str(run).split("/")[1] for run in runs}) >= 12
    assert all(
        row["campaign"] is None for row in truth if row["kind"] in ("personal", "list", "bounce", "forward")
    )


def test_received_order(truth: list[dict[str, object]]) -> None:
    """Mails stand in the order they came, within the fifteen days."""
    times = [row["received_at"] for row in truth]
    assert times == sorted(times, key=str)
    assert str(times[0]) >= "2013-12-23"
    assert str(times[-1]) < "2014-01-08"


def test_only_reserved_names(played: Path) -> None:
    """No host, link or address in any mail or log line could belong to anybody."""
    address = re.compile(rb"[\w.+-]+@([\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,})")
    link = re.compile(rb"https?://([^/\s\"'<>:]+)")
    for raw in mails_of(played):
        whole = email.message_from_bytes(raw)
        texts = [raw.split(b"\n\n", 1)[0]]
        texts += [
            part.get_payload(decode=True) or b""
            for part in whole.walk()
            if part.get_content_maintype() == "text"
        ]
        for text in texts:
            # A bounce may quote a mail as it was coded: join its soft line breaks (RFC 2045, 6.7).
            joined = text.replace(b"=\n", b"")
            for host in [*address.findall(joined), *link.findall(joined)]:
                assert host.decode().rsplit(".", 1)[-1].lower() in RESERVED, host
    ptr = re.compile(r"(?:client=|connect from )([^\[]+)\[")
    for line in (played / "mail.log").read_text("latin-1").splitlines():
        for name in ptr.findall(line):
            assert name == "unknown" or name.endswith(".example"), line


def test_sources_stand_on_public_addresses(truth: list[dict[str, object]]) -> None:
    """Every client address is a public one, and the attack's spread over many networks."""
    attack = {row["client_ip"] for row in truth if row["kind"] == "campaign"}
    assert all(ip_address(str(row["client_ip"])).is_global for row in truth)
    assert len({str(ip).rsplit(".", 2)[0] for ip in attack}) > 300


def test_the_log_tells_of_the_same_mails(played: Path, truth: list[dict[str, object]]) -> None:
    """The log is in time order, interleaves mails, and names each id, client and size once."""
    lines = (played / "mail.log").read_text("latin-1").splitlines()
    assert lines == sorted(lines, key=lambda line: line[:32])
    clients = {
        m[1]: m[2] for m in (re.search(r": (\w{10}): client=.*\[(.*)\]$", line) for line in lines) if m
    }
    ids = {m[2]: m[1] for m in (re.search(r": (\w{10}): message-id=<(.*)>$", line) for line in lines) if m}
    sizes = {
        m[1]: int(m[2]) for m in (re.search(r": (\w{10}): from=.* size=(\d+)", line) for line in lines) if m
    }
    assert len(clients) == len(ids) == len(sizes) == len(truth)
    for raw, row in zip(mails_of(played), truth, strict=True):
        queue_id = ids[str(row["message_id"])]
        assert clients[queue_id] == row["client_ip"]
        assert sizes[queue_id] == len(raw)
    assert any("NOQUEUE: reject" in line for line in lines)


def test_at_the_hardest_level_no_two_mails_of_a_lure_are_equal(
    played: Path, truth: list[dict[str, object]]
) -> None:
    """Stray words, synonyms and hosts differ, and each wave speaks another dialect."""
    bodies: Counter[bytes] = Counter()
    orders: dict[object, set[tuple[str, ...]]] = {}
    for raw, row in zip(mails_of(played), truth, strict=True):
        if row["kind"] == "campaign":
            mail = email.message_from_bytes(raw)
            leaf = next(part for part in mail.walk() if not part.is_multipart())
            bodies[leaf.get_payload(decode=True)] += 1
            own = [
                name
                for name, _ in mail.items()
                if name.lower() in ("from", "to", "subject", "date", "mime-version")
            ]
            orders.setdefault(row["wave"], set()).add(tuple(own))
    assert max(bodies.values()) <= 3
    assert all(len(seen) == 1 for seen in orders.values())
    assert len({next(iter(seen)) for seen in orders.values()}) >= 5


def test_one_line_lures_have_one_line(played: Path, truth: list[dict[str, object]]) -> None:
    """The one-line lure stays one line, stray words or not."""
    for raw, row in zip(mails_of(played), truth, strict=True):
        if row["lure"] == "thing/line" and row["kind"] == "campaign":
            body = email.message_from_bytes(raw).get_payload(decode=True)
            assert isinstance(body, bytes)
            assert len(body.strip().splitlines()) == 1


def test_equal_seeds_give_equal_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same arguments, same bytes, also with two processes; another seed gives another replay."""
    monkeypatch.setattr(front, "SLICE", 400)
    for name, workers in (("one", 1), ("two", 2)):
        replay(0.001, 3, tmp_path / name, workers=workers)
    for name in ("mail.mbox", "mail.log", "truth.parquet", "truth.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    replay(0.001, 4, tmp_path / "other", workers=1)
    assert (tmp_path / "one" / "mail.mbox").read_bytes() != (tmp_path / "other" / "mail.mbox").read_bytes()


def test_all_forms_hold_the_same_mails(tmp_path: Path) -> None:
    """mbox, Maildir and Parquet hold equal bytes in equal order."""
    for form in ("mbox", "maildir", "parquet"):
        replay(0.001, 3, tmp_path / form, form=form, level=2)
    mbox = mails_of(tmp_path / "mbox")
    files = sorted((tmp_path / "maildir" / "Maildir" / "new").iterdir())
    table = pq.read_table(tmp_path / "parquet" / "mail.parquet")
    assert mbox == [path.read_bytes() for path in files] == table["raw"].to_pylist()
    truth = pq.read_table(tmp_path / "mbox" / "truth.parquet")
    assert table["client_ip"] == truth["client_ip"]
    assert table["received_at"] == truth["received_at"]


def test_the_clean_level_repeats_itself(tmp_path: Path) -> None:
    """At level 0 a lure is the same text in every mail but for its receiver."""
    replay(0.001, 3, tmp_path / "clean", level=0)
    truth = pq.read_table(tmp_path / "clean" / "truth.parquet").to_pylist()
    said: dict[str, set[object]] = {}
    for raw, row in zip(mails_of(tmp_path / "clean"), truth, strict=True):
        if row["kind"] == "campaign" and row["lure"] not in ("thing/savings", "thing/picture"):
            parts = email.message_from_bytes(raw).walk()
            plain = next(part for part in parts if part.get_content_type() == "text/plain")
            said.setdefault(row["lure"], set()).add(plain.get_payload(decode=True))
    assert {lure: len(texts) for lure, texts in said.items()} == dict.fromkeys(said, 1)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("scale", {"scale": 0.0}), ("scale", {"scale": 3.0}), ("scale", {"scale": float("nan")}),
        ("seed", {"seed": -1}),
        ("level", {"level": 4}), ("format", {"form": "zip"}), ("workers", {"workers": 0}),
    ],
)  # fmt: skip
def test_bad_settings_are_named(tmp_path: Path, name: str, arguments: dict[str, object]) -> None:
    """A value out of range is refused by name before anything is written."""
    with pytest.raises(SettingError, match=f"^{name} = "):
        replay(**{"scale": 0.001, "seed": 1, "out": tmp_path / "x", **arguments})  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_foreign_folders_are_left_alone(tmp_path: Path) -> None:
    """A folder that is not a replay is never touched; a replay may be replaced."""
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(OutputError, match="not a replay"):
        replay(0.001, 1, tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "precious"
    replay(0.0005, 1, tmp_path / "new")
    replay(0.0005, 2, tmp_path / "new")
    assert json.loads((tmp_path / "new" / "truth.json").read_text())["parameters"]["seed"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt", "new"]


def test_a_failed_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When writing fails half way, neither the folder nor its neighbour stays."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        replay(0.0005, 1, tmp_path / "x", progress=full)
    assert not list(tmp_path.iterdir())


def test_progress_adds_up(tmp_path: Path) -> None:
    """The steps told to progress add up to all mails, which Truth counts by kind."""
    steps: list[int] = []
    told = replay(0.0005, 1, tmp_path / "x", progress=steps.append)
    assert sum(steps) == told.messages == sum(told.counts.values())
    assert told.sources >= told.things > 0
