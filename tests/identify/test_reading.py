"""A sighting becomes a word of the likelihood table, or none: whatever it says, and whoever wrote it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingwatch.identify import Rules
from thingwatch.identify.likelihood import items
from thingwatch.identify.reading import TEXT_KINDS, Word, family_of, front_value, read_sighting, taxonomy
from thingwatch.model import SIGHTING_KINDS, Label, Sighting

RULES = Rules.load()
LINUX_SMALL = "4:58+6:0:1460:mss*4,2:mss,sok,ts,nop,ws:df,id+:0"
WINDOWS = "4:115+13:0:1460:8192,8:mss,nop,ws,nop,nop,sok:df,id+:0"


class Says:
    """A rule book that reads the same in every text, and remembers what it was asked."""

    def __init__(self, label: Label | None = None) -> None:
        self.answer = label
        self.asked: list[str] = []

    def label(self, kind: str, value: str) -> Label | None:
        self.asked.append(kind)
        return self.answer


def sighting(kind: str, value: str) -> Sighting:
    return Sighting("192.0.2.1", kind, value, None, 80, "tcp", "test", "a@1")


def said(kind: str, value: str) -> tuple[str, str | None] | None:
    """Item and value by name."""
    word = read_sighting(sighting(kind, value), RULES)
    if word is None:
        return None
    return word.item, None if word.value is None else items()[word.item].values[word.value]


@pytest.mark.parametrize(
    ("kind", "value", "word"),
    [
        ("tcp.syn", LINUX_SMALL, ("tcp_syn", "linux_small")),
        ("tcp.syn", WINDOWS, ("tcp_syn", "windows")),
        ("tcp.syn", "no signature", None),
        ("tcp.muonfp", "8192:2-1-3-1-1-4:1460:8", ("tcp_syn", "windows")),
        ("tcp.muonfp", "x", None),
        ("tcp.os", "Windows 7 or 8", ("tcp_syn", "windows")),
        ("tcp.os", "???", None),
        ("tcp.sharing", "tstamp", ("ip_sharing", "several")),
        ("smtp.rtt", "1.1 4", ("smtp_rtt", "near")),
        ("smtp.rtt", "2.4 80", ("smtp_rtt", "far")),
        ("smtp.rtt", "2.4 12", ("smtp_rtt", "near")),
        ("smtp.rtt", "1.9 300", ("smtp_rtt", "near")),
        ("smtp.rtt", "9", ("smtp_rtt", "far")),
        ("smtp.rtt", "0 80", None),
        ("smtp.rtt", "-3 80", None),
        ("smtp.rtt", "nan 80", None),
        ("smtp.rtt", "inf 80", None),
        ("smtp.rtt", "", None),
        ("smtp.rtt", "twice", None),
        ("front.silent", "", ("front", "none_seen")),
        ("port.open", "http", ("front", None)),
        ("exposure", "telnet_open", ("front", None)),
        ("default.credentials", "", ("front", None)),
        ("mac.address", "00:00:5e:00:53:01", ("front", None)),
        ("os.label", "Linux 2.6", ("front", None)),
        ("device.label", "router\tNETGEAR\tWNR2000", ("front", "thing")),
        ("http.title", "nothing any rule knows", ("front", None)),
        ("proxy", "socks5", ("proxy", "reported")),
        ("infection", "Mirai", ("infection", "thing_family")),
        ("infection", "andromeda", ("infection", "windows_family")),
        ("infection", "hacked-webserver-stealrat-t1", ("infection", "server_family")),
        ("infection", "an unheard of one", None),
        ("network.type", "residential", ("network_type", "residential")),
        ("network.type", "shared", None),
        ("outcome", "thing_relay", ("outcome", "thing_relay")),
        ("outcome", "guilty", None),
        ("listed", "some list", None),
        ("smtp.helo", "localhost", None),
        ("a kind nobody knows", "x", None),
    ],
)
def test_what_a_sighting_says(kind: str, value: str, word: tuple[str, str | None] | None) -> None:
    """Each kind speaks of its own item, and only where its value is one we understand."""
    assert said(kind, value) == word


def label(device_class: str | None, parent: str) -> Label:
    return Label(device_class, parent, "", "", 0.9, "r", "m")


@pytest.mark.parametrize(
    ("found", "value"),
    [
        (label("router", "thing"), "thing"),
        (label(None, "thing"), "thing"),
        (label("server", "infrastructure"), "server"),
        (label("telecom_pbx", "infrastructure"), "server"),
        (label("computer", "conventional"), "server"),
        (label("mobile", "conventional"), None),
        (label(None, "unknown"), None),
        (None, None),
    ],
)
def test_a_label_is_a_thing_a_server_or_an_answer(found: Label | None, value: str | None) -> None:
    """What is neither thing nor server has answered, and no more."""
    place = front_value(found)
    assert (None if place is None else items()["front"].values[place]) == value
    assert read_sighting(sighting("http.title", "x"), Says(found)) == Word("front", place, found)


def test_only_texts_are_read_by_the_rules() -> None:
    """Rules are asked for what a front shows in words, and for nothing else."""
    rules = Says()
    for kind in SIGHTING_KINDS:
        read_sighting(sighting(kind, "x"), rules)
    assert set(rules.asked) == TEXT_KINDS
    assert not {"port.open", "exposure", "default.credentials", "front.silent", "infection"} & TEXT_KINDS


def test_every_family_listed_is_one_of_its_kind() -> None:
    """Each name of the taxonomy is read as what it is listed under, with a version behind it too."""
    families = taxonomy()["infection_families"]
    for listed, value in (
        ("thing", "thing_family"),
        ("windows_pc", "windows_family"),
        ("server", "server_family"),
    ):
        for name in families[listed]:
            assert {family_of(name), family_of(name.upper() + ".b"), family_of(f"win32.{name}")} == {value}


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(SIGHTING_KINDS)) | st.text(max_size=20),
    st.text(max_size=300) | st.from_regex(r"[0-9:+,*-]{0,40}(:[a-z0-9,+ ]{0,20}){0,8}", fullmatch=True),
)
def test_no_value_raises(kind: str, value: str) -> None:
    """Whatever a stranger's file says, there is a word of the table or none."""
    word = read_sighting(sighting(kind, value), RULES)
    assert word is None or word.value is None or 0 <= word.value < len(items()[word.item].values)
