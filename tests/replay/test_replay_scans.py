"""The reports of scans have the shape of Shadowserver's, and tell of homes, neighbours and former tenants."""

from __future__ import annotations

import csv
import json
import re
import tarfile
from collections import defaultdict
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from truths import SEED

from thingwatch.replay import cast, homes
from thingwatch.replay.homes import NOBODY
from thingwatch.replay.lots import lots
from thingwatch.replay.scans import neighbours_of, scan
from thingwatch.replay.sources import Sources

NAME = re.compile(r"(\d{4}-\d\d-\d\d)-(\w+)-replay\.csv")
SAMPLES = Path(__file__).parents[3] / "shared/data/device/shadowserver_reports.tar.xz"
BEGINNING = datetime(2013, 12, 21)


def rows(folder: Path, report: str = "") -> list[tuple[str, dict[str, str]]]:
    """(day of the file, row) of one report, or of all."""
    found = []
    for path in sorted(folder.glob("*-replay.csv")):
        match = NAME.fullmatch(path.name)
        assert match, path.name
        if report in ("", match[2]):
            with path.open(encoding="utf-8", newline="") as lines:
                found += [(match[1], row) for row in csv.DictReader(lines)]
    return found


def test_all_reports_are_there(partial: Path) -> None:
    """Scans, labels, infections and proxies each have their files, by week and by month before."""
    names = {match[2] for path in partial.glob("*.csv") if (match := NAME.fullmatch(path.name))}
    assert names >= {
        "scan_http", "scan_telnet", "scan_ssdp", "scan_snmp", "scan_cwmp", "scan_ftp", "scan_socks", "scan_http_proxy",
        "device_id", "event4_sinkhole", "compromised_iot",
    }  # fmt: skip


def test_columns_are_those_of_the_real_reports(partial: Path) -> None:
    """Where a sample of the real report is at hand, the header row is its header row."""
    if not SAMPLES.is_file():
        pytest.skip("the samples of Shadowserver's reports are not at hand")
    compared = 0
    with tarfile.open(SAMPLES) as archive:
        for path in partial.glob("2013-12-28-*-replay.csv"):
            match = NAME.fullmatch(path.name)
            assert match
            name = f"shadowserver/{match[2]}.csv"
            if name not in archive.getnames():
                continue
            sample = archive.extractfile(name)
            assert sample
            real = next(csv.reader([sample.readline().decode()]))
            ours = next(csv.reader(path.open(newline="")))
            # The columns about TLS came later, behind all others.
            assert ours == real[: len(ours)]
            compared += 1
    assert compared >= 8


def test_rows_stand_in_the_file_of_their_week(partial: Path) -> None:
    """No row is younger than its file, and none older than the month the file covers."""
    for day, row in rows(partial):
        age = datetime.fromisoformat(day).date() - datetime.fromisoformat(row["timestamp"]).date()
        assert 0 <= age.days < 31


def test_scans_cover_their_share_and_some_are_stale(sources: Sources) -> None:
    """45 % of the addresses are gone over, 4 % of that weeks to months before, with another household's face."""
    seen = scan(sources, SEED, 0.45, 0.04)
    senders = np.unique(sources.address[sources.attacking])
    assert np.isin(senders, seen.homes.address).mean() == pytest.approx(0.45, abs=0.02)
    assert seen.stale.mean() == pytest.approx(0.04, abs=0.005)
    homes_only = seen.stale & (seen.homes.line >= 0)
    assert (seen.front[homes_only] != seen.homes.front[homes_only]).mean() > 0.1
    assert (seen.front[~seen.stale] == seen.homes.front[~seen.stale]).all()
    before = int(BEGINNING.timestamp()) * 1_000_000
    assert seen.at[homes_only].max() < seen.at[~seen.stale].max() - 10 * 86_400_000_000
    assert (seen.at[homes_only] < before).mean() > 0.8
    assert len(np.unique(seen.homes.address)) == len(seen)


def test_full_scans_cover_all(sources: Sources) -> None:
    """With full evidence every sender of the attacks was gone over, and nothing is stale."""
    seen = scan(sources, SEED, 1.0, 0.0)
    assert np.isin(sources.address[sources.attacking], seen.homes.address).all()
    assert not seen.stale.any()


def test_neighbours_are_near_and_uninvolved(sources: Sources) -> None:
    """A neighbour shares a /22 with a source and sends nothing."""
    near = neighbours_of(sources.address[:500], sources.homes.address, 4, SEED)
    assert len(near) > 1000
    assert not np.isin(near, sources.address).any()
    assert np.isin(near >> 10, sources.address[:500] >> 10).all()
    seen = scan(sources, SEED, 0.45, 0.04)
    assert (seen.homes.origin == NOBODY).sum() > 2 * (seen.homes.origin != NOBODY).sum()


def test_each_network_shows_its_own_rate(sources: Sources, full: Path) -> None:
    """Neighbours with a thing's banner are as common as their provider's exposure says, in the files themselves."""
    answered = {row["ip"] for report in ("scan_http", "scan_telnet", "scan_ssdp", "scan_snmp", "scan_ftp", "scan_sip")
                for _, row in rows(full, report)}  # fmt: skip
    silent = {json.loads(line)["ip"] for line in (full / "survey.jsonl").open()}
    assert not answered & silent
    known = set(sources.text.tolist())
    tally: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    lines = cast.consumer_lines()
    every = [ip for ip in answered | silent if ip not in known]
    numbers = homes.addresses_of(np.array(every, dtype=object))
    for ip, row in zip(every, homes.line_of(numbers).tolist(), strict=True):
        tally[lines[row].isp][0] += ip in answered
        tally[lines[row].isp][1] += 1
    exposures = homes.home_exposures(SEED)
    enough = [isp for isp, (_, whole) in tally.items() if whole > 400 and isp != homes.open_provider()]
    assert len(enough) > 10
    said = [tally[isp][0] / tally[isp][1] for isp in enough]
    true = [exposures[isp] for isp in enough]
    assert np.corrcoef(said, true)[0, 1] > 0.9
    assert np.mean(said) == pytest.approx(np.mean(true), rel=0.25)


def test_the_open_port_is_no_sign(full: Path) -> None:
    """The careless provider's port answers in most reports of CWMP, at sources and neighbours alike."""
    found = [row for _, row in rows(full, "scan_cwmp")]
    theirs = [row for row in found if row["hostname"].endswith(homes.open_provider())]
    assert len(theirs) > len(found) / 3
    assert all(row["server"].startswith("RomPager") for row in theirs)


def test_infections_name_the_right_kind(sources: Sources, full: Path) -> None:
    """Families of Windows stand behind PCs for the most part, families of things behind things."""
    true = {}
    for text, origin in zip(sources.text.tolist(), sources.origin.tolist(), strict=True):
        true.setdefault(text, homes.ORIGINS[origin])
    windows = [true[row["src_ip"]] for _, row in rows(full, "event4_sinkhole") if row["src_ip"] in true]
    things = [true[row["ip"]] for _, row in rows(full, "compromised_iot") if row["ip"] in true]
    assert windows.count("nat_pc") / len(windows) > 0.9
    assert sum(one.startswith("thing") for one in things) / len(things) > 0.8
    relays = [true[row["ip"]] for _, row in rows(full, "scan_socks") if row["ip"] in true]
    assert relays.count("thing_relay") / len(relays) > 0.4


def test_nothing_is_said_of_credentials(full: Path) -> None:
    """No report holds a user name or a password; a prompt for one is all there is."""
    for path in full.glob("*-replay.csv"):
        header = path.open().readline().lower()
        assert "user" not in header.replace("user_agent", "")
        assert "pass" not in header


def test_scanned_addresses_are_drawn_by_lot(sources: Sources) -> None:
    """Whether an address is gone over hangs on nothing but the address."""
    seen = scan(sources, SEED, 0.45, 0.04)
    assert (lots(seen.homes.address, SEED, "covered") < 0.45).all()
