"""Lists of addresses, an abuse desk's outcomes, and sightings in the program's own form."""

from __future__ import annotations

import json
from collections.abc import Callable
from ipaddress import ip_network

import pytest

from thingwatch.model import SIGHTING_KINDS, Sighting, Skip

AT = 1_795_341_600_000_000  # 2026-11-22 10:00:00 UTC
DAY = 86_400_000_000
MIDNIGHT = AT // DAY * DAY

Read = Callable[..., list[Sighting | Skip]]


@pytest.mark.parametrize(
    ("line", "ip", "kind", "value", "at"),
    [
        ("192.0.2.7", "192.0.2.7", "listed", "blocked", None),
        ("192.0.2.7 # since 2026-11-22", "192.0.2.7", "listed", "blocked", MIDNIGHT),
        ("192.0.2.0/24 ; SBL256894", "192.0.2.0/24", "listed", "blocked", None),
        ("192.0.2.9/24", "192.0.2.0/24", "listed", "blocked", None),
        ("192.0.2.7/32", "192.0.2.7", "listed", "blocked", None),
        ("2001:DB8::/32\t1795341600", "2001:db8::/32", "listed", "blocked", AT),
        ("192.0.2.7\t8", "192.0.2.7", "listed", "blocked", None),
        ('"192.0.2.7","2026-11-22 10:00:00",""', "192.0.2.7", "listed", "blocked", AT),
        ("192.0.2.0/24,2026-11-22T10:00:00Z,Residential", "192.0.2.0/24", "network.type", "residential", AT),
        ("192.0.2.7,2026-11-22 10:00:00 UTC", "192.0.2.7", "listed", "blocked", AT),
        ("192.0.2.7,2026-11-22 10:00:00 Z,cgnat", "192.0.2.7", "network.type", "shared", AT),
        ("192.0.2.0-192.0.2.255 residential", "192.0.2.0/24", "network.type", "residential", None),
        ('"192.0.2.0 - 192.0.2.255",2026-11-22', "192.0.2.0/24", "listed", "blocked", MIDNIGHT),
        ("192.0.2.7 - 45 hits", "192.0.2.7", "listed", "blocked", None),
        ("192.0.2.7 - 2026-11-22", "192.0.2.7", "listed", "blocked", MIDNIGHT),
        ("192.0.2.7-192.0.2.7", "192.0.2.7", "listed", "blocked", None),
        ("2001:db8::-2001:db8::ffff;hosting", "2001:db8::/112", "network.type", "hosting", None),
        ("192.0.2.0/24 cgnat", "192.0.2.0/24", "network.type", "shared", None),
        ("192.0.2.0/24 business", "192.0.2.0/24", "network.type", "business", None),
    ],
)
def test_a_line_gives_a_listing_or_a_kind_of_line(
    read: Read, line: str, ip: str, kind: str, value: str, at: int | None
) -> None:
    """Address or range, time and kind of line are found in whatever way they are set apart."""
    found = read("blocked.txt", f"# a remark\n{line}\n", "addresses")
    assert found == [Sighting(ip, kind, value, at, None, "", "list:blocked", "blocked.txt@2")]


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [
        ("pbl-2026.txt", "network.type", "residential"),
        ("isp_dynamic.csv", "network.type", "residential"),
        ("cgnat.txt", "network.type", "shared"),
        ("drop.txt", "listed", "drop"),
    ],
)
def test_the_name_of_a_list_says_what_it_lists(read: Read, name: str, kind: str, value: str) -> None:
    """A list of dynamic lines is known by its name; anything else is somebody's blocklist."""
    (found,) = read(name, "network,first_listed\n192.0.2.0/24,\n", "addresses")
    assert isinstance(found, Sighting)
    assert (found.kind, found.value) == (kind, value)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("192.0.2.300", "no-address"),
        ("word", "no-address"),
        (",,,", "no-address"),
        ("0.0.0.0/0", "range-too-wide"),
        ("::/0", "range-too-wide"),
        ("10.0.0.0/8", "private-address"),
        ("10.0.0.1-10.0.0.9", "private-address"),
        ("192.0.2.9-192.0.2.1", "bad-range"),
        ("192.0.2.1-2001:db8::1", "bad-range"),
        ("2001:db8::1-2001:db8:1::fffe", "bad-range"),  # 206 blocks
        ("0.0.0.0-255.255.255.255", "range-too-wide"),
        ("192.0.2.1-192.0.2.300", "no-address"),
        ("192.0.2.1-192.0.2.9,2026-13-40", "bad-time"),
        ("224.0.0.1", "private-address"),
        ("192.0.2.7,31.31.2026", "bad-time"),
        ("192.0.2.7,2026-13-40", "bad-time"),
        ("192.0.2.7,1999-01-01", "impossible-time"),
        ("192.0.2.7,2030-01-01", "impossible-time"),
    ],
)
def test_a_line_that_says_nothing_is_named(read: Read, line: str, reason: str) -> None:
    """Each such line is one Skip, and does not stop the list."""
    found = read("blocked.txt", f"192.0.2.1\n{line}\n192.0.2.2\n", "addresses")
    assert [getattr(item, "reason", "") for item in found] == ["", reason, ""]


def test_a_range_by_its_ends_is_the_blocks_it_is_made_of(read: Read) -> None:
    """No more and no less than what stands between the ends, under one place; the first line may be such a one."""
    text = "192.0.2.1-192.0.2.6\n9.255.255.255 - 10.0.0.3\n1.0.0.1-1.255.255.254\n"
    found = read("blocked.txt", text, "addresses")
    assert all(isinstance(item, Sighting) for item in found)
    lines = [[item.ip for item in found if item.place == f"blocked.txt@{n}"] for n in (1, 2, 3)]  # type: ignore[union-attr]
    assert lines[0] == ["192.0.2.1", "192.0.2.2/31", "192.0.2.4/31", "192.0.2.6"]
    assert lines[1] == ["9.255.255.255"]  # the rest is private
    networks = [ip_network(block) for block in lines[2]]
    assert len(networks) == 46
    assert sum(network.num_addresses for network in networks) == (1 << 24) - 2


@pytest.mark.parametrize(
    "time",
    ["2026-11-22T10:00:00Z", "2026-11-22t10:00:00z", "2026-11-22 10:00:00 Z", "2026-11-22 10:00:00 UTC",
     "2026-11-22 10:00:00 utc", "2026-11-22 10:00:00UTC", "2026-11-22 10:00:00 (UTC)", "2026-11-22 10:00:00 GMT",
     "2026-11-22 10:00:00.000 UTC", "2026-11-22 10:00:00 +0000 UTC", "2026-11-22T11:00:00+01:00",
     " 2026-11-22 10:00:00 UTC ", "1795341600", "1795341600000"],
)  # fmt: skip
def test_utc_may_be_written_in_every_way(read: Read, time: str) -> None:
    """However a tool marks UTC, the moment is the same."""
    (found,) = read("own.jsonl", given(time=time), "sightings")
    assert isinstance(found, Sighting), found
    assert found.at == AT


@pytest.mark.parametrize("head", ["ip,time,outcome\n", ""])
def test_an_abuse_desk_may_use_plain_words(read: Read, head: str) -> None:
    """With a header or without, the words people use stand for the five origins."""
    rows = [("pc", "nat_pc"), ("Router", "thing_self"), ("proxy", "thing_relay"), ("camera", "thing_self"),
            ("phone", "mobile"), ("mail server", "server"), ("thing_relay", "thing_relay")]  # fmt: skip
    text = head + "".join(f"192.0.2.7,2026-11-22 10:00:00,{word}\n" for word, _ in rows)
    found = read("found.csv", text, "outcomes")
    first = 2 if head else 1
    assert found == [
        Sighting("192.0.2.7", "outcome", origin, AT, None, "", "abuse desk", f"found.csv@{first + row}")
        for row, (_, origin) in enumerate(rows)
    ]


def test_an_outcome_nobody_knows_is_no_guess(read: Read) -> None:
    """A word of another tongue or a missing address is a Skip; other addresses are not asked about."""
    text = "ip,time,outcome\n192.0.2.7,,gremlin\n,,pc\n192.0.2.8,,pc\n192.0.2.7,,pc\n"
    found = read("found.csv", text, "outcomes", wanted={"192.0.2.7"})
    assert [getattr(item, "reason", "") for item in found] == [
        "unknown-outcome", "no-address", "not-a-source", "",
    ]  # fmt: skip


def given(**row: object) -> str:
    return (
        json.dumps({"ip": "192.0.2.7", "time": "2026-11-22T10:00:00Z", "kind": "banner", "value": "x", **row})
        + "\n"
    )


def test_every_kind_can_be_given(read: Read) -> None:
    """The own form knows each kind of sighting and carries its value as it is."""
    values = {
        "smtp.rtt": "2.5 61.0",
        "outcome": "nat_pc",
        "device.label": "router\tAcme\tR1",
        "default.credentials": "",
    }
    text = "".join(
        given(kind=kind, value=values.get(kind, "x"), port=25, transport="tcp") for kind in SIGHTING_KINDS
    )
    found = read("own.jsonl", text, "sightings")
    assert [(item[:6]) for item in found] == [
        ("192.0.2.7", kind, values.get(kind, "x"), AT, 25, "tcp") for kind in SIGHTING_KINDS
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"kind": "smell"}, "unknown-kind"),
        ({"kind": ["banner"]}, "unknown-kind"),
        ({"value": {"a": 1}}, "bad-value"),
        ({"value": ""}, "no-evidence"),
        ({"kind": "smtp.rtt", "value": "fast"}, "bad-value"),
        ({"kind": "smtp.rtt", "value": "nan 1"}, "bad-value"),
        ({"kind": "smtp.rtt", "value": "1 2 3"}, "bad-value"),
        ({"kind": "smtp.rtt", "value": True}, "bad-value"),
        ({"kind": "outcome", "value": "gremlin"}, "bad-value"),
        ({"kind": "device.label", "value": "router"}, "bad-value"),
        ({"ip": 7}, "no-address"),
        ({"ip": "192.0.2.0/24"}, "no-address"),
        ({"time": "soon"}, "bad-time"),
        ({"time": True}, "bad-time"),
        ({"time": 5}, "impossible-time"),
    ],
)
def test_a_given_sighting_must_be_of_its_kinds_form(read: Read, row: dict[str, object], reason: str) -> None:
    """What does not fit is named, not repaired."""
    assert read("own.jsonl", given() + given(**row), "sightings")[1:] == [Skip("own.jsonl@2", reason)]


@pytest.mark.parametrize(
    ("value", "kept"), [("1.5", "1.5"), (3.4, "3.4"), (2, "2"), ("2.40 61.5", "2.40 61.5")]
)
def test_timing_comes_as_text_or_number(read: Read, value: object, kept: str) -> None:
    """A ratio may stand alone, and a number is taken as it would be written."""
    found = read("own.jsonl", given(kind="smtp.rtt", value=value), "sightings")
    assert [item.value for item in found if isinstance(item, Sighting)] == [kept]


def test_a_password_is_never_carried_along(read: Read) -> None:
    """Neither as the value of a finding nor in the greeting of a device that tells everybody."""
    text = given(kind="default.credentials", value="admin:hunter2") + given(
        value="Welcome. Password: hunter2 | user"
    )
    found = read("own.jsonl", text, "sightings")
    assert [item.value for item in found if isinstance(item, Sighting)] == [
        "",
        "Welcome. Password: *** | user",
    ]
