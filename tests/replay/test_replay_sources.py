"""The truth about who sent is one row per address and campaign, and adds up to the mail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from truths import SEED, written_truth

from thingwatch.replay.homes import ORIGINS, RELAY, SELF
from thingwatch.replay.sources import Sources, read_sources, shares_by_origin, write_truth


def test_each_mail_has_its_source(sources: Sources) -> None:
    """Mails add up, and no address stands twice in one campaign."""
    assert sources.messages.sum() == len(sources.mail_at)
    assert (np.bincount(sources.mail_source) == sources.messages).all()
    places = list(zip(sources.text.tolist(), sources.campaign.tolist(), strict=True))
    assert len(set(places)) == len(places)
    assert (sources.first <= sources.last).all()


def test_shares_by_origin_add_up(sources: Sources) -> None:
    """The shares of a campaign add up to 1; things hold a quarter of the attack and none of the others."""
    shares = shares_by_origin(sources)
    assert set(shares) == {"thing", "botnet", "snowshoe"}
    for campaign in shares.values():
        assert sum(one["share"] for one in campaign.values()) == pytest.approx(1)
    attack = shares["thing"]
    assert attack["thing_self"]["share"] + attack["thing_relay"]["share"] == pytest.approx(0.28, abs=0.02)
    assert shares["botnet"]["thing_self"]["messages"] == shares["botnet"]["thing_relay"]["messages"] == 0
    assert shares["snowshoe"]["server"]["share"] == 1


@pytest.mark.parametrize("things", [0.0, 0.5, 1.0])
def test_the_share_of_things_is_what_was_asked(tmp_path: Path, things: float) -> None:
    """None, half or all of the attack's sources are things."""
    drawn = read_sources(written_truth(tmp_path / "truth.parquet", things, 0.01), SEED)
    attack = drawn.origin[drawn.campaign == "thing"]
    assert np.isin(attack, (SELF, RELAY)).mean() == pytest.approx(things, abs=0.05 if things == 0.5 else 0)


def test_a_home_in_two_campaigns_shows_its_thing(sources: Sources) -> None:
    """Some addresses send for both; their PC stays a PC in the botnet, and the home shows one face."""
    shared, counts = np.unique(sources.home[sources.attacking], return_counts=True)
    twice = shared[counts > 1]
    assert len(twice)
    for home in twice.tolist():
        origins = sources.origin[sources.home == home]
        assert sources.homes.origin[home] == origins.min()


def test_the_table_of_truth(sources: Sources, tmp_path: Path) -> None:
    """A thing has a class; a server of rented ranges has no device; what is silent has no front."""
    write_truth(sources, tmp_path / "t.parquet")
    rows = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert len(rows) == len(sources)
    assert {row["origin"] for row in rows} == set(ORIGINS[:-1])
    for row in rows:
        if row["origin"].startswith("thing"):
            assert row["device_class"] not in (None, "server")
        if row["line_type"] == "hosting":
            assert row["origin"] == "server"
            assert row["device_class"] is row["provider"] is None
    silent = sum(row["front"] is None for row in rows if row["origin"] == "nat_pc")
    assert 0.75 < silent / sum(row["origin"] == "nat_pc" for row in rows) < 0.97
    fronts = {origin: [row["front"] for row in rows if row["origin"] == origin] for origin in ORIGINS[:4]}
    shown = {origin: sum(one is not None for one in seen) / len(seen) for origin, seen in fronts.items()}
    assert shown["thing_self"] > 4 * shown["nat_pc"] > 4 * shown["mobile"]
