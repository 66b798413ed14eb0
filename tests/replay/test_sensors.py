"""The border's instruments saw the true senders: p0f's log and the round trips agree with the truth."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from thingwatch.replay.homes import ORIGINS, RELAY
from thingwatch.replay.sensors import round_trips, stacks
from thingwatch.replay.sources import Sources

LINE = re.compile(
    r"^\[(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)\] mod=syn\|cli=([\d.]+)/(\d+)\|srv=192\.0\.2\.25/25\|subj=cli\|os=([^|]+)"
    r"\|dist=(\d+)\|params=none\|raw_sig=4:(\d+)\+(\d+):0:(\d+):([\w*]+),(\d+):([\w,+]+):([\w,+-]*):0$"
)
SHARING = re.compile(
    r"^\[[\d/]+ [\d:]+\] mod=ip sharing\|cli=([\d.]+)/\d+\|srv=[\d./]+\|subj=cli\|reason=[\w ]+\|raw_hits=[\d,]+$"
)


def syns(folder: Path) -> dict[str, re.Match[str]]:
    """The first packet of each address."""
    found: dict[str, re.Match[str]] = {}
    for line in (folder / "p0f.log").read_text("ascii").splitlines():
        match = LINE.match(line)
        if match is None:
            assert SHARING.match(line), line
        else:
            found.setdefault(match[2], match)
    return found


def family(match: re.Match[str]) -> str:
    """The kind of system, from the raw signature alone."""
    if int(match[6]) + int(match[7]) == 128:
        return "windows"
    if match[11] == "mss,sok,ts,nop,ws":
        return "small" if int(match[10]) <= 5 else "large"
    return "other"


def test_the_log_has_a_line_for_each_mail(sources: Sources, full: Path) -> None:
    """With every instrument on, each mail has its connection in the log, in order of time, all within the days."""
    lines = (full / "p0f.log").read_text("ascii").splitlines()
    matched = [match for line in lines if (match := LINE.match(line))]
    assert len(matched) == len(sources.mail_at)
    counts = Counter(match[2] for match in matched)
    mails: Counter[str] = Counter()
    for text, messages in zip(sources.text.tolist(), sources.messages.tolist(), strict=True):
        mails[text] += messages
    assert counts == mails
    times = [line[1:20] for line in lines]
    assert times == sorted(times)
    assert datetime.strptime(times[0], "%Y/%m/%d %H:%M:%S").year == 2013


def test_first_packets_are_the_true_senders(sources: Sources, full: Path) -> None:
    """PCs behind routers are Windows by and large, things small Linux, rented servers large Linux; none purely."""
    seen = syns(full)
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for text, origin in zip(sources.text.tolist(), sources.origin.tolist(), strict=True):
        found[ORIGINS[origin]][family(seen[text])] += 1
    share = {origin: {name: n / one.total() for name, n in one.items()} for origin, one in found.items()}
    assert 0.9 < share["nat_pc"]["windows"] < 0.97
    assert 0.7 < share["thing_self"]["small"] < 0.85
    assert 0.03 < share["thing_relay"]["windows"] < 0.15
    assert share["thing_self"]["windows"] > 0
    assert share["server"]["large"] > 0.6
    assert share["mobile"]["large"] > 0.4


def test_distances_and_sizes_are_possible(full: Path) -> None:
    """A packet arrives with its system's TTL less the hops it came; segments fit a line; windows are the system's."""
    known = {(one["window"], one["scale"], one["options"]) for one in stacks()}
    for match in syns(full).values():
        assert match[5] == match[7]
        assert int(match[6]) + int(match[7]) in (64, 128, 255)
        assert 4 < int(match[7]) < 22
        assert 1360 <= int(match[8]) <= 1460
        assert (match[9], int(match[10]), match[11]) in known


def test_less_was_seen_of_the_same(full: Path, partial: Path) -> None:
    """Partial evidence is a part of the full: six addresses in ten with SYN, four with timing."""
    seen, some = syns(full), syns(partial)
    assert set(some) < set(seen)
    assert len(some) / len(seen) == pytest.approx(0.6, abs=0.02)
    assert all(one.groups()[3:] == seen[ip].groups()[3:] for ip, one in some.items())
    timed, few = (
        {json.loads(line)["ip"] for line in (folder / "timing.jsonl").open()} for folder in (full, partial)
    )
    assert few < timed
    assert len(few) / len(timed) == pytest.approx(0.4, abs=0.02)


def test_relays_take_twice_as_long(sources: Sources, full: Path) -> None:
    """Most relays need twice the TCP round trip and 50 ms more, few others do, and some of each look alike."""
    ratio, extra = round_trips(sources, 5)
    relays = sources.origin == RELAY
    far = (ratio >= 2) & (extra >= 50)
    assert 0.6 < far[relays].mean() < 0.8
    assert 0.005 < far[~relays].mean() < 0.06
    assert (ratio >= 1).all()
    for line in (full / "timing.jsonl").open():
        record = json.loads(line)
        assert record["kind"] == "smtp.rtt"
        assert record["source"] == "border"
        one, other = record["value"].split()
        assert float(one) >= 1
        assert int(other) >= 0
        assert record["time"].endswith("Z")


def test_some_homes_hold_several_systems(sources: Sources, full: Path) -> None:
    """p0f says so for a share of homes, and more often behind carriers' translators than at servers."""
    shared = {m[1] for line in (full / "p0f.log").open() if (m := SHARING.match(line.rstrip("\n")))}
    several = np.isin(sources.text.astype(str), list(shared))
    share = {name: several[sources.origin == row].mean() for row, name in enumerate(ORIGINS[:-1])}
    assert share["mobile"] > share["nat_pc"] > share["thing_self"] > share["server"]
