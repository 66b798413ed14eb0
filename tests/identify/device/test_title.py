"""Titles of devices and titles written for people."""

from __future__ import annotations

import pytest

from thingwatch.identify.device.title import says_more


@pytest.mark.parametrize(
    "rest",
    ["", " - Login", "Welcome to the  web interface, v2.1", " (attic.example) 192.0.2.7", "Acme, Inc."],
)
def test_a_device_says_little_beside_its_name(rest: str) -> None:
    """Words of settings pages, figures, hosts and the maker's own name are no more than a name."""
    assert not says_more(rest, "Acme")


@pytest.mark.parametrize("rest", [" Mobile", "holidays in the Alps.", "Préférences", "Acme"])
def test_people_are_told_more(rest: str) -> None:
    """One word of the world is enough, whatever sign follows it; another maker's name is such a word."""
    assert says_more(rest, "")
