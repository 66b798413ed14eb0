"""Whoever can hand us a file of evidence wants a household accused, or excused: he gets one vote, and is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from thingwatch.config import Settings
from thingwatch.identify import Networks
from thingwatch.identify.likelihood import CAP
from thingwatch.replay import replay
from thingwatch.uncover import Witness, uncover

SETTINGS = Settings().changed(workers=1)
NETWORKS = Networks.load()


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small replay with partial evidence."""
    folder = tmp_path_factory.mktemp("replay") / "replay"
    replay(0.006, 4, folder)
    return folder


Chances = dict[str, float]


def ran(played: Path, case: Path, *more: Path) -> tuple[dict[str, Any], Chances]:
    """The report, and the chance of being a thing of each source of the largest attack."""
    witness = Witness([played / "evidence", *more])
    report = uncover([played / "mail.mbox"], case, SETTINGS, NETWORKS, witness=witness).report
    main = next(c for c in report["campaigns"] if c["verdict"] == "attack")["id"]
    return report, {
        row["client_ip"]: row["p_thing_self"] + row["p_thing_relay"]
        for row in pq.read_table(case / "sources.parquet").to_pylist()
        if row["campaign_id"] == main and row["p_thing_self"] is not None
    }


@pytest.fixture(scope="module")
def before(played: Path, tmp_path_factory: pytest.TempPathFactory) -> Chances:
    """The chances without any forged file."""
    return ran(played, tmp_path_factory.mktemp("before") / "case")[1]


def victims(before: Chances, count: int) -> list[str]:
    """Sources that are most likely PCs, but not surely."""
    return sorted(before, key=lambda ip: abs(before[ip] - 0.15))[:count]


def odds(p: float) -> float:
    p = min(max(p, 1e-6), 1 - 1e-6)
    return float(np.log(p / (1 - p)))


def forged(path: Path, ips: list[str], claims: list[tuple[str, str]], time: str, times: int = 1) -> Path:
    """A file of our own record form that makes *claims* about *ips*, again and again."""
    with path.open("w") as file:
        for _ in range(times):
            for ip in ips:
                for kind, value in claims:
                    row = {
                        "ip": ip,
                        "time": time,
                        "kind": kind,
                        "value": value,
                        "source": "somebody",
                        "port": 80,
                    }
                    file.write(json.dumps(row) + "\n")
    return path


EVERYTHING = [("infection", "mirai"), ("proxy", "socks5"), ("device.label", "router\tNETGEAR\tWNR2000")]


def warnings(report: dict[str, Any], path: Path) -> set[str]:
    """The names of what is odd about the file *path*."""
    file = next(file for file in report["evidence"]["files"] if file["path"] == str(path))
    return {warning["name"] for warning in file["warnings"]}


def test_ten_thousand_rows_are_one_vote(played: Path, before: Chances, tmp_path: Path) -> None:
    """10,000 rows claiming everything of one address move it by one vote at most, nobody else, and are named."""
    victim = victims(before, 1)
    file = forged(tmp_path / "crowd.jsonl", victim, EVERYTHING, "2013-12-28T00:00:00Z", 3400)
    report, after = ran(played, tmp_path / "case", file)
    assert odds(after[victim[0]]) - odds(before[victim[0]]) <= np.log(CAP) + 0.7
    others = np.array([after[ip] - before[ip] for ip in before if ip not in victim])
    assert np.abs(others).mean() < 0.01
    assert "crowded-address" in warnings(report, file)


def test_many_rows_weigh_no_more_than_one(played: Path, before: Chances, tmp_path: Path) -> None:
    """The same claim a thousand times is the same claim."""
    victim = victims(before, 1)
    claim = [("infection", "mirai")]
    once = forged(tmp_path / "once.jsonl", victim, claim, "2013-12-28T00:00:00Z")
    often = forged(tmp_path / "often.jsonl", victim, claim, "2013-12-28T00:00:00Z", 1000)
    _, one = ran(played, tmp_path / "a", once)
    _, thousand = ran(played, tmp_path / "b", often)
    assert thousand[victim[0]] == pytest.approx(one[victim[0]], abs=0.02)


def test_claims_of_another_time_count_for_nothing(played: Path, before: Chances, tmp_path: Path) -> None:
    """Claims about all sources from four years before move nobody, and the file is named."""
    file = forged(tmp_path / "old.jsonl", list(before), EVERYTHING, "2009-06-01T00:00:00Z")
    report, after = ran(played, tmp_path / "case", file)
    moved = np.array([abs(after[ip] - before[ip]) for ip in before])
    assert moved.mean() < 0.03
    assert "other-times" in warnings(report, file)


def test_a_list_made_of_the_senders_is_no_sample(played: Path, before: Chances, tmp_path: Path) -> None:
    """A "scan" that names nobody but this campaign's sources is named, and takes no part in the comparison."""
    claims = [("device.label", "router\tNETGEAR\tWNR2000")]
    file = forged(tmp_path / "chosen.jsonl", list(before), claims, "2013-12-28T00:00:00Z")
    report, _ = ran(played, tmp_path / "case", file)
    plain, _ = ran(played, tmp_path / "plain")

    def compared(report: dict[str, Any]) -> Any:
        return next(c for c in report["campaigns"] if c["verdict"] == "attack")["things"]["case_control"]

    assert "chosen-addresses" in warnings(report, file)
    assert compared(report) == compared(plain)


def test_a_scan_speaks_only_of_what_it_scanned(played: Path, before: Chances, tmp_path: Path) -> None:
    """An Nmap file that says it scanned one network and speaks of others is not heard on those."""
    ips = victims(before, 50)
    hosts = "".join(
        f'<host starttime="1388188800"><status state="up"/><address addr="{ip}" addrtype="ipv4"/><ports><port'
        ' protocol="tcp" portid="80"><state state="open"/><service name="http" product="Boa httpd"'
        ' devicetype="webcam"/></port></ports></host>'
        for ip in ips
    )
    file = tmp_path / "scan.xml"
    head = '<?xml version="1.0"?><nmaprun scanner="nmap" args="nmap -sV 192.0.2.0/24" start="1388188800">'
    file.write_text(f"{head}{hosts}</nmaprun>")
    report, after = ran(played, tmp_path / "case", file)
    row = next(file_ for file_ in report["evidence"]["files"] if file_["path"] == str(file))
    assert row["skips"] == {"outside-scan": 50}
    assert max(abs(after[ip] - before[ip]) for ip in ips) < 0.05


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("late", lambda row: row | {"time": "2199-01-01T00:00:00Z"}),
        ("early", lambda row: row | {"time": "1980-01-01T00:00:00Z"}),
    ],
)
def test_impossible_times_are_refused_by_name(
    played: Path,
    before: Chances,
    tmp_path: Path,
    name: str,
    change: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    """Rows from the future or from before the scanners were written are skipped, counted, and move nobody."""
    victim = victims(before, 1)[0]
    row = {"ip": victim, "kind": "infection", "value": "mirai", "source": "somebody"}
    file = tmp_path / f"{name}.jsonl"
    file.write_text(json.dumps(change(row)) + "\n")
    report, after = ran(played, tmp_path / "case", file)
    listed = next(file_ for file_ in report["evidence"]["files"] if file_["path"] == str(file))
    assert listed["skips"] == {"impossible-time": 1}
    assert abs(after[victim] - before[victim]) < 0.05
