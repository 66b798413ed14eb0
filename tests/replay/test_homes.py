"""What stands at an address follows from the address, and agrees with what its mail already said."""

from __future__ import annotations

import numpy as np
import pytest

from thingwatch.replay import cast, homes
from thingwatch.replay.devices import devices
from thingwatch.replay.homes import BUSINESS, MOBILE, MOBILE_LINE, NOBODY, PC, RELAY, SELF, SERVER
from thingwatch.replay.lots import chances, chosen, lots, mixed_all

SEED = 3
DRAWN = cast.draw_addresses(40_000, np.random.default_rng(1))
NONE = np.zeros(len(DRAWN), dtype=bool)


def test_lots_are_even_and_hang_on_their_purpose() -> None:
    """Lots fill 0 to 1 evenly, fall alike for one purpose, and two purposes know nothing of each other."""
    one, again, other = lots(DRAWN, SEED, "a"), lots(DRAWN, SEED, "a"), lots(DRAWN, SEED, "b")
    assert (one == again).all()
    assert (one.min() >= 0) & (one.max() < 1)
    assert np.histogram(one, 10, (0, 1))[0].min() > 3700
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.02
    assert (lots(DRAWN, SEED + 1, "a") != one).all()


def test_many_are_mixed_as_one_is() -> None:
    """The arrays' arithmetic is cast.mixed's, whose habits the HELO in a mail follows."""
    assert mixed_all(DRAWN[:200]).tolist() == [cast.mixed(one) for one in DRAWN[:200].tolist()]


def test_choices_follow_their_weights() -> None:
    """A weight of 0 is never chosen, three times the weight about three times as often."""
    counts = np.bincount(chosen(lots(DRAWN, SEED, "c"), [1, 0, 3]), minlength=3)
    assert counts[1] == 0
    assert counts[2] / counts[0] == pytest.approx(3, rel=0.05)


def test_addresses_and_texts_are_one() -> None:
    """An address survives its text and back."""
    assert (homes.addresses_of(homes.texts_of(DRAWN)) == DRAWN).all()


def test_lines_are_those_of_the_cast() -> None:
    """Each consumer address is found in its own range, a rented one in none."""
    lines = cast.consumer_lines()
    for address, row in zip(DRAWN[:500].tolist(), homes.line_of(DRAWN[:500]).tolist(), strict=True):
        assert lines[row].first <= address < lines[row].first + lines[row].size
    assert homes.line_of(np.array([cast.hosting_ranges()[0][0] + 5])).tolist() == [-1]


def test_things_send_or_relay() -> None:
    """About three in ten of the things relay, and a thing is nothing else."""
    found = homes.origins_of(DRAWN, ~NONE, NONE, SEED)
    assert set(found.tolist()) == {SELF, RELAY}
    assert (found == RELAY).mean() == pytest.approx(chances()["origins"]["relay_of_things"], abs=0.01)


def test_a_few_pcs_are_none_and_their_mail_agrees() -> None:
    """A few per cent are mobiles and servers: servers greet by their line's name, mobiles never as a Windows PC."""
    found = homes.origins_of(DRAWN, NONE, NONE, SEED)
    assert 0.94 < (found == PC).mean() < 0.985
    for address in DRAWN[found == SERVER].tolist():
        assert cast.pc_helo(address) == cast.line_name(address) != ""
    for address in DRAWN[found == MOBILE].tolist():
        helo = cast.pc_helo(address)
        assert not helo.endswith("-PC")
        assert not helo.startswith("PC-")
        assert helo != "dsldevice.lan"


def test_mobiles_and_servers_sit_on_their_lines() -> None:
    """Most mobiles sit on lines sold as mobile; servers are ten times as common on business lines."""
    found = homes.origins_of(DRAWN, NONE, NONE, SEED)
    kinds = homes.line_types(DRAWN, homes.line_of(DRAWN), SEED)
    assert (kinds[found == MOBILE] == MOBILE_LINE).mean() > 0.6
    business = kinds == BUSINESS
    assert (found[business] == SERVER).mean() > 5 * (found[~business] == SERVER).mean()


def test_exposure_differs_by_provider() -> None:
    """Each provider's homes show things at a rate of their own, 2 to 20 %; neighbours of bots are no exception."""
    exposures = homes.home_exposures(SEED)
    assert min(exposures.values()) >= 0.02
    assert max(exposures.values()) <= 0.2
    assert max(exposures.values()) > 4 * min(exposures.values())
    isp = max(exposures, key=lambda name: exposures[name] * (name != homes.open_provider()))
    line = next(one for one in cast.consumer_lines() if one.isp == isp)
    street = np.arange(line.first, line.first + 30_000, dtype=np.int64)
    for origin in (PC, NOBODY):
        seen = homes.homes_at(street, np.full(len(street), origin), SEED)
        fixed = seen.line_type != MOBILE_LINE
        things = np.array([one.device_class != "server" for one in devices()] + [False])[seen.front]
        assert things[fixed].mean() == pytest.approx(exposures[isp], rel=0.12)


def test_one_provider_leaves_its_port_open() -> None:
    """CWMP is open on nearly every line of one provider and on none of another by that rule."""
    lines = homes.line_of(DRAWN)
    port = homes.open_ports(DRAWN, lines, SEED)
    isps = np.array([line.isp for line in cast.consumer_lines()])[lines]
    assert port[isps == homes.open_provider()].mean() > 0.88
    assert not port[isps != homes.open_provider()].any()


def test_another_household_is_another_household() -> None:
    """Weeks before, what answered at an address has nothing to do with what answers today."""
    isp = max(homes.home_exposures(SEED), key=homes.home_exposures(SEED).__getitem__)
    line = next(one for one in cast.consumer_lines() if one.isp == isp)
    street = np.arange(line.first, line.first + 40_000, dtype=np.int64)
    lines, kinds = homes.line_of(street), np.zeros(len(street), dtype=np.int64)
    now, then = (homes.home_fronts(street, lines, kinds, SEED, *when) for when in ((), ("former",)))
    both = (now >= 0) & (then >= 0)
    assert both.mean() == pytest.approx((now >= 0).mean() * (then >= 0).mean(), rel=0.1)
    assert (now[both] == then[both]).mean() < 0.3


def test_every_device_says_something() -> None:
    """Each product has a class, a text of at most one screen, and no text twice in a field."""
    assert len(devices()) >= 35
    for one in devices():
        assert one.device_class
        assert one.texts
        for texts in one.texts.values():
            assert len(set(texts)) == len(texts)
            assert all(0 < len(text) < 400 for text in texts)
