"""The table of likelihoods holds what its page says."""

import numpy as np
import pytest

from thingwatch.identify.likelihood import (
    CAP,
    FRESHNESS,
    ORIGINS,
    STRENGTH,
    capped,
    families,
    freshness_bin,
    items,
)
from thingwatch.identify.reading import taxonomy

FROM_TAXONOMY = {
    "smtp_rtt": "smtp_rtt_ratio", "proxy": "proxy_report", "front": "front_device", "ip_sharing": "ip_sharing",
    "eui64": "ipv6_eui64_oui",
}  # fmt: skip


def test_each_column_is_a_distribution() -> None:
    """Every item gives each origin chances that add up to one, none of them zero."""
    for item in items().values():
        assert item.table.shape == (len(item.values), len(ORIGINS))
        assert np.allclose(item.table.sum(axis=0), 1)
        assert (item.table > 0).all()
        assert item.quality in STRENGTH
        assert item.source.endswith(".")


@pytest.mark.parametrize(("ours", "theirs"), FROM_TAXONOMY.items())
def test_rows_agree_with_the_taxonomy(ours: str, theirs: str) -> None:
    """Where the table repeats the taxonomy's evidence model, it repeats its numbers."""
    kind = next(k for k in taxonomy()["evidence_model"]["kinds"] if k["kind"] == theirs)
    assert np.allclose(items()[ours].table, np.array(list(kind["values"].values())), atol=1e-9)


def test_homes_look_alike_where_we_say_so() -> None:
    """HELO, names and kinds of lines never part a thing from a PC: one column serves what sends from a home."""
    alike = [item for item in items().values() if item.homes_alike]
    assert {item.name for item in alike} == {"helo", "rdns", "network_type"}
    for item in alike:
        assert (item.table[:, 0] == item.table[:, 1]).all()
        assert (item.table[:, 0] == item.table[:, 2]).all()


def test_the_strongest_marks_are_the_senders_own() -> None:
    """What parts a thing from a PC most is the SYN, then an infection; a banner comes far behind."""

    def strength(name: str) -> float:
        thing, pc = items()[name].table[:, 0], items()[name].table[:, 2]
        return float(np.abs(np.log2(thing / pc)).max())

    assert strength("tcp_syn") > strength("front") + 1
    assert strength("infection") > strength("front")


def test_no_item_is_worth_more_than_the_cap() -> None:
    """Whatever stands in the table, no origin falls further behind than the cap."""
    logs = capped(np.log(np.array([[1e-9, 1e-3, 0.9, 0.02, 0.1]])))
    assert np.exp(logs.max() - logs.min()) == pytest.approx(CAP)


def test_evidence_fades_by_the_kind_of_line() -> None:
    """A week tells little of a line renumbered daily, much of a hosting address, and yesterday is fresh on both."""
    age, tau = np.array([0.0, 7.0, 7.0, 7.0, 1e9]), np.array([1.5, 1.5, 10.0, 180.0, 180.0])
    fresh = FRESHNESS[freshness_bin(age, tau)]
    assert fresh[0] == 1
    assert fresh[1] == FRESHNESS.min()
    assert 0.4 < fresh[2] < 0.6
    assert fresh[3] > 0.9
    assert fresh[4] == FRESHNESS.min()


def test_every_item_has_one_family() -> None:
    """The families are few, and each item stands in one."""
    assert set(families()) == {item.family for item in items().values()}
    assert len(families()) < len(items())
