"""The maker of the card in an IPv6 address, where one stands in it and the registry knows him."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from thingwatch.identify import makers
from thingwatch.identify.makers import maker_value

# Invented numbers, under names as the registry writes them.
ROWS = """Registry,Assignment,Organization Name,Organization Address
MA-L,000001,"TP-LINK TECHNOLOGIES CO.,LTD.",Somewhere
MA-L,000002,Dell Inc.,Somewhere
MA-L,000003,"Samsung Electronics Co.,Ltd",Somewhere
MA-L,00005E,ICANN,Somewhere
MA-L,short
"""
# The card 00:00:01:00:53:01 gives 0200:01ff:fe00:5301: the universal bit is turned over.
THING = "2001:db8::200:1ff:fe00:5301"


@pytest.fixture(autouse=True)
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A registry of our own in place of the system's."""
    path = tmp_path / "oui.csv"
    path.write_text(ROWS, encoding="utf-8")
    monkeypatch.setattr(makers, "REGISTRY", path)
    makers._registry.cache_clear()
    yield
    makers._registry.cache_clear()


@pytest.mark.parametrize(
    ("address", "value"),
    [
        (THING, "thing_maker"),
        ("2001:db8:5:6:200:1ff:fe99:1", "thing_maker"),
        ("2001:db8::200:2ff:fe00:5301", "other_maker"),
        ("2001:db8::200:3ff:fe00:5301", None),  # makes things and computers
        ("2001:db8::200:9ff:fe00:5301", None),  # in no registry
        ("2001:db8::1ff:fe00:5301", None),  # the bit says: made up by the host
        ("2001:db8::1", "none"),
        ("2001:db8::7d3a:19c0:44e1:9b02", "none"),
        (THING + "%eth0", "thing_maker"),
        ("192.0.2.1", None),
        ("", None),
        ("ff:fe", None),
        ("x" * 10_000, None),
    ],
)
def test_who_made_the_card(address: str, value: str | None) -> None:
    """A maker of things or of computers is told, one of both is not; a hidden number says that it is hidden."""
    assert maker_value(address) == value


@pytest.mark.parametrize(
    "name", ["AVM GmbH", "Hangzhou Hikvision Digital Technology Co.,Ltd.", "Espressif Inc."]
)
def test_makers_of_things_by_name(name: str) -> None:
    """Names are found in any case, with what the registry writes around them."""
    assert makers._of_maker(name) == makers._of_maker(name.upper()) == "thing_maker"


def test_without_the_registry_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the registry is not installed no address has a maker, and none is said to hide him."""
    monkeypatch.setattr(makers, "REGISTRY", tmp_path / "nowhere.csv")
    makers._registry.cache_clear()
    assert maker_value(THING) is None
    assert maker_value("2001:db8::1") is None


def test_a_longer_registry_is_read_to_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more rows than stated are read."""
    monkeypatch.setattr(makers, "MAX_ROWS", 2)
    makers._registry.cache_clear()
    assert maker_value(THING) == "thing_maker"
    assert maker_value("2001:db8::200:2ff:fe00:5301") is None
