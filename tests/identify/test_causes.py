"""Which doors stand open, which to close first, and what to do about them in plain words."""

from __future__ import annotations

import csv
import json
import re
import tomllib
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingwatch.identify.causes import (
    EXPOSURES,
    MAX_EXPOSURES,
    Exposure,
    class_name,
    cure,
    exposures_of,
    retirement,
    special,
    standing,
)
from thingwatch.identify.device import Rules
from thingwatch.model import MAX_SIGHTING_CHARS, SIGHTING_KINDS, Label, Sighting

HERE = resources.files("thingwatch.identify")
TAXONOMY = json.loads((HERE / "taxonomy.json").read_text("utf-8"))
CAUSES: dict[str, Any] = tomllib.loads((HERE / "causes.toml").read_text("utf-8"))
CURES: dict[str, Any] = tomllib.loads((HERE / "cures.toml").read_text("utf-8"))
OWN_EXPOSURES = {"known_infection"}  # ours, beside the taxonomy's
DAY = 86_400_000_000
AT = 1_780_000_000_000_000

ROUTER = Label("router", "thing", "Example", "", 0.95, "test.router", "Example")
CAMERA = Label("ip_camera", "thing", "Example", "", 0.95, "test.camera", "Example")
SPEAKER = Label("smart_speaker", "thing", "Example", "", 0.95, "test.speaker", "Example")
SERVER = Label("server", "infrastructure", "", "", 0.95, "test.server", "Apache")


def seen(
    kind: str,
    value: str = "",
    port: int | None = None,
    transport: str = "tcp",
    at: int | None = AT,
    row: int = 1,
) -> Sighting:
    return Sighting("192.0.2.7", kind, value, at, port, transport, "nmap", f"home.xml@{row}")


def names(*sightings: Sighting, label: Label | None = None) -> list[str]:
    return [exposure.name for exposure in exposures_of(sightings, label)]


@pytest.mark.parametrize(
    ("sighting", "label", "expected"),
    [
        (seen("telnet.banner", "login:", 23), ROUTER, "telnet_open"),
        (seen("port.open", "telnet", 10023), None, "telnet_open"),
        (seen("port.open", "", 2323), None, "telnet_open"),
        (seen("default.credentials", "", 22), CAMERA, "default_credentials"),
        (seen("exposure", "open_relay", 25), None, "open_relay"),
        (seen("http.realm", "Example router", 8080), ROUTER, "admin_ui_on_wan"),
        (seen("port.open", "", 8291), ROUTER, "admin_ui_on_wan"),
        (seen("upnp.server", "MiniUPnPd", 5000), ROUTER, "upnp_nat_injection"),
        (seen("port.open", "", 5351, "udp"), ROUTER, "upnp_nat_injection"),
        (seen("upnp.server", "MiniUPnPd", 1900, "udp"), ROUTER, "upnp_ssdp_exposed"),
        (seen("upnp.device", "Living room", 1400), SPEAKER, "upnp_ssdp_exposed"),
        (seen("port.open", "cwmp", 7547), ROUTER, "tr069_exposed"),
        (seen("cwmp.server", "gSOAP", 30005), ROUTER, "tr069_exposed"),
        (seen("snmp.sysdescr", "Linux", 161, "udp"), ROUTER, "snmp_exposed"),
        (seen("port.open", "adb", 5555), None, "adb_exposed"),
        (seen("port.open", "freeciv", 5555), None, "adb_exposed"),
        (seen("port.open", "", 34567), None, "camera_dvr_exposed"),
        (seen("port.open", "", 8000), CAMERA, "camera_dvr_exposed"),
        (seen("rtsp.server", "Example RTSP", 554), CAMERA, "camera_dvr_exposed"),
        (seen("proxy", "socks5", 1080), None, "open_proxy"),
        (seen("port.open", "socks5", 4145), ROUTER, "open_proxy"),
        (seen("infection", "Mirai"), None, "known_infection"),
        (seen("infection", "stealrat-t1"), SERVER, "known_infection"),
        (seen("infection", "never heard of"), None, "known_infection"),
        (seen("infection", "Necurs"), ROUTER, "compromised_pc"),
        (seen("infection", "victorygate.b"), ROUTER, "compromised_pc"),
        (seen("outcome", "nat_pc"), ROUTER, "compromised_pc"),
        (seen("outcome", "thing_relay"), ROUTER, "open_proxy"),
        (seen("outcome", "thing_self"), ROUTER, "known_infection"),
    ],
)
def test_each_sign_shows_its_exposure(sighting: Sighting, label: Label | None, expected: str) -> None:
    """What a scan or a report shows is named, once, with where it stands and why we say so."""
    (found,) = exposures_of([sighting], label)
    assert found.name == expected
    assert found.where == "nmap home.xml@1"
    assert found.at == sighting.at
    assert found.port == (None if sighting.kind == "infection" else sighting.port)
    assert found.why


@pytest.mark.parametrize(
    ("sighting", "label"),
    [
        (seen("port.open", "http", 80), SERVER),
        (seen("port.open", "http", 80), ROUTER),  # a port is not a page
        (seen("port.open", "ssh", 22), ROUTER),
        (seen("http.title", "Example router", 80), SERVER),
        (seen("http.title", "Welcome", 80), None),
        (seen("port.open", "http", 23), None),  # the port of Telnet, and something else on it
        (seen("port.open", "ssh", 2323), None),
        (seen("port.open", "http-proxy", 8080), ROUTER),  # the name of 8080 in Nmap's table
        (seen("port.open", "socks", 1080), ROUTER),  # likewise
        (seen("port.open", "", 8000), None),
        (seen("port.open", "", 5555), SERVER),
        (seen("rtsp.server", "AirTunes/366.0", 5000), None),
        (seen("upnp.device", "Living room", 1400), SERVER),
        (seen("front.silent"), None),
        (seen("outcome", "server"), SERVER),
        (seen("tcp.syn", "4:128+0:0:1460:8192,8:mss,nop,ws:df,id+:0"), ROUTER),
        (seen("exposure", "made_up"), None),
    ],
)
def test_what_is_no_exposure(sighting: Sighting, label: Label | None) -> None:
    """An open port on a server, a name out of a table, a page that is no device's own: nothing to close."""
    assert exposures_of([sighting], label) == []


def test_a_web_site_behind_a_router_is_not_its_settings_page() -> None:
    """Where texts can be read one by one, only a page that is itself a device's counts."""

    def reads(kind: str, value: str) -> Label | None:
        return ROUTER if "router" in value else None

    pages = [seen("http.title", "My recipes", 80), seen("http.title", "Example router", 8080)]
    assert [e.port for e in exposures_of(pages, ROUTER, reads)] == [8080]
    # A login of a known device is its own, whatever name it asks under, unless a web server stands there.
    login = seen("http.realm", "Members only", 8443)
    assert [e.port for e in exposures_of([login], ROUTER, reads)] == [8443]
    assert exposures_of([login, seen("http.server", "nginx", 8443)], ROUTER, reads) == []
    assert exposures_of([login], None, reads) == []
    # What a server shows is no device's, though it may call itself one.
    assert exposures_of(pages, SERVER, reads) == []
    # Without, a general web server's name is the only sign.
    pages = [
        seen("http.title", "Recipes", 80),
        seen("http.server", "nginx", 80),
        seen("http.realm", "x", 8080),
    ]
    assert [e.port for e in exposures_of(pages, ROUTER)] == [8080]


def test_another_programs_word_is_weighed() -> None:
    """That a page asks for a password, or that RTSP is spoken, is told of things that are no gate to them."""
    asks = seen("exposure", "admin_ui_on_wan", 80)
    realm = seen("http.realm", "Members only", 80)
    assert names(asks, realm, label=SERVER) == []
    assert names(asks, realm, label=None) == []
    assert names(asks, realm, label=ROUTER) == ["admin_ui_on_wan"]
    assert names(asks, realm, seen("http.server", "Apache", 80), label=ROUTER) == []
    rtsp = seen("exposure", "camera_dvr_exposed", 7000)
    assert names(rtsp, label=SPEAKER) == []
    assert names(rtsp, label=None) == ["camera_dvr_exposed"]
    assert names(rtsp, seen("rtsp.server", "AirTunes/366.0", 7000), label=None) == []


def test_what_a_scanner_calls_a_web_port_tells_whose_page_it_is() -> None:
    """Nmap names the product on a port; where that is a device and the port speaks HTTP, it is its page."""

    def reads(kind: str, value: str) -> Label | None:
        return ROUTER if "router" in value else None

    web, told = seen("port.open", "http", 80), seen("banner", "Example router http admin", 80)
    assert [e.name for e in exposures_of([web, told], ROUTER, reads)] == ["admin_ui_on_wan"]
    assert exposures_of([web, told._replace(port=22)], ROUTER, reads) == []


def test_a_port_has_an_exposure_once() -> None:
    """Ten rows about one port are one exposure: the most telling, then the newest."""
    rows = [
        seen("port.open", "telnet", 23, at=AT + DAY, row=1),
        seen("telnet.banner", "login:", 23, at=AT - DAY, row=2),
        seen("telnet.banner", "login:", 23, at=AT, row=3),
        seen("telnet.banner", "login:", 23, at=None, row=4),
    ]
    for order in (rows, rows[::-1]):
        (found,) = exposures_of(order, None)
        assert found.where == "nmap home.xml@3"


def test_a_flood_of_rows_is_bounded() -> None:
    """Thousands of ports of one address end in a bounded list, and do not push out what matters more."""
    flood = [seen("telnet.banner", "login:", port) for port in range(1, 9_000)]
    found = exposures_of([*flood, seen("infection", "mirai", 4711)], None)
    assert len(found) == MAX_EXPOSURES
    assert found[0].name == "known_infection"


def test_an_infection_is_told_once_per_family() -> None:
    """A sinkhole writes a row for each connection; the ports they came from are no doors of the device."""
    rows = [
        seen("infection", family, port) for family in ("mirai", "Mirai", "gafgyt") for port in (4711, 4712)
    ]
    assert [(e.name, e.port) for e in exposures_of(rows, None)] == [("known_infection", None)] * 2


@given(
    st.lists(
        st.builds(
            Sighting,
            ip=st.just("192.0.2.7"),
            kind=st.sampled_from(sorted(SIGHTING_KINDS)),
            value=st.text(max_size=60),
            at=st.none() | st.integers(-(10**18), 10**18),
            port=st.none() | st.integers(0, 65535),
            transport=st.sampled_from(["tcp", "udp", ""]),
            source=st.text(max_size=5),
            place=st.text(max_size=5),
        ),
        max_size=20,
    ),
    st.none() | st.sampled_from([ROUTER, CAMERA, SERVER]),
)
def test_no_sighting_raises(sightings: list[Sighting], label: Label | None) -> None:
    """Whatever stands in a file, the answer is a list of known names, most urgent first."""
    found = exposures_of(sightings, label)
    order = [EXPOSURES.index(exposure.name) for exposure in found]
    assert order == sorted(order)
    assert all(exposure == Exposure(*exposure) for exposure in found)


def test_a_banner_that_quotes_a_protocol_does_not_speak_it() -> None:
    """The debugging service is known by how its first bytes begin, not by a text that holds them."""
    assert names(seen("banner", "CNXN", 5556)) == ["adb_exposed"]
    quoting = "x" + "device::ro." * (MAX_SIGHTING_CHARS // 11)
    assert names(seen("banner", quoting, 5556)) == []


@pytest.mark.parametrize(
    ("vendor", "model", "retired"),
    [
        ("Linksys", "E1200", True),
        ("Cisco Linksys", "E1200 v2", True),
        ("D-Link", "DIR-859", True),
        ("D-Link Corporation", "dir859", True),
        ("D-Link", "D-Link DIR-655 Rev. A1", True),
        ("ZyXEL", "VMG1312-B10A", True),
        ("NETGEAR", "WNDR4500v2", True),
        ("GeoVision", "GV-LX4C V2", True),
        ("NETGEAR", "WNDR4500v3", False),  # another model under nearly the same name
        ("NETGEAR", "WNDR4500 v3", False),
        ("Cradlepoint", "E100", False),  # on the FBI's list, and disputed
        ("Linksys", "E300", False),
        ("TP-Link", "TL-WR841N", False),  # its later hardware gets updates
        ("Another", "E1200", False),
        ("Linksys", "E12000", False),
        ("Linksys", "", False),
        ("", "E1200", False),
    ],
)
def test_models_without_updates(vendor: str, model: str, retired: bool) -> None:
    """A model is retired by maker and name, whatever its spelling; a similar name is another model."""
    label = ROUTER._replace(vendor=vendor, model=model)
    assert (retirement(label) is not None) is retired


def test_the_end_of_support_names_its_source() -> None:
    """The exposure says which model, who said so, and in which text the model was read."""
    label = ROUTER._replace(vendor="Linksys", model="E1200", matched="E1200")
    (found,) = exposures_of(
        [seen("ssh.banner", "x", 22), seen("ftp.banner", "Linksys E1200", 21, row=5)], label
    )
    assert (found.name, found.where) == ("eol_firmware", "nmap home.xml@5")
    assert "FBI" in found.why


def test_every_retired_model_has_a_source() -> None:
    """Each row of the table names maker, model and a public source, once."""
    rows = list(csv.DictReader((HERE / "end_of_support.csv").read_text("utf-8").splitlines()))
    assert rows
    for row in rows:
        assert row["vendor"], row
        assert row["model"], row
        assert len(row["source"]) > 10, row
        assert re.fullmatch(r"(\d{4}(-\d\d-\d\d)?)?", row["since"]), row
        assert row["revisions"] in ("", "any"), row
        assert retirement(ROUTER._replace(vendor=row["vendor"], model=row["model"])), row
    assert len({(row["vendor"], row["model"]) for row in rows}) == len(rows)


def test_the_device_rules_name_retired_models_so_that_they_are_found() -> None:
    """Makers are called the same in the table as by the device rules, or a model would never be looked up."""
    rules = Rules.load()
    lost = []
    for row in csv.DictReader((HERE / "end_of_support.csv").read_text("utf-8").splitlines()):
        label = rules.label("device.label", f"router\t{row['vendor']}\t{row['model']}")
        if retirement(label) is None:
            lost.append((row["vendor"], row["model"], label))
    assert lost == []


def test_the_order_of_urgency() -> None:
    """Infection before open doors, open doors before pages, pages before what merely announces itself."""
    told = [
        "known_infection",
        "default_credentials",
        "telnet_open",
        "open_proxy",
        "upnp_nat_injection",
        "eol_firmware",
        "admin_ui_on_wan",
        "tr069_exposed",
        "snmp_exposed",
        "upnp_ssdp_exposed",
    ]
    assert [name for name in EXPOSURES if name in told] == told
    found = names(
        seen("snmp.sysdescr", "x", 161, "udp"), seen("infection", "mirai"), seen("telnet.banner", "x", 23)
    )
    assert found == ["known_infection", "telnet_open", "snmp_exposed"]


def test_what_is_urgent() -> None:
    """An open door on the internet is urgent; the same door inside a house is not, and infection always is."""
    assert standing("telnet_open", inside=False, beside=False) == "urgent"
    assert standing("telnet_open", inside=True, beside=False) == "close"
    assert standing("known_infection", inside=True, beside=False) == "urgent"
    assert standing("compromised_pc", inside=True, beside=False) == "urgent"
    assert standing("eol_firmware", inside=False, beside=False) == "open"
    assert standing("eol_firmware", inside=False, beside=True) == "urgent"
    assert standing("admin_ui_on_wan", inside=False, beside=True) == "open"
    assert standing("admin_ui_on_wan", inside=True, beside=True) == "normal"


def test_every_exposure_has_its_place_and_its_cure() -> None:
    """Each exposure of the taxonomy stands in the order and has steps for household and provider, and references."""
    known = set(TAXONOMY["exposures"]) | OWN_EXPOSURES
    assert set(EXPOSURES) == known
    assert set(CURES["exposure"]) == known
    assert {rule["exposure"] for rule in CAUSES["rule"]} <= known
    for name in known:
        advice = cure(name, None)
        assert advice.label
        assert advice.means
        assert advice.owner
        assert advice.isp
        assert [ref.title for ref in advice.refs], name
        wanted = TAXONOMY["exposures"].get(name, {"refs": []})["refs"]
        assert set(wanted) <= {ref.key for ref in advice.refs}, name


def test_every_class_has_its_words() -> None:
    """Each class of the taxonomy has a name people use and advice of its own."""
    classes = {one["id"] for one in TAXONOMY["classes"]}
    assert set(CURES["class"]) == classes
    for one in classes:
        assert class_name(one) != "device"
        assert any(any(special(name, one)) for name in EXPOSURES), one
        assert set(CURES["class"][one].get("only", ())) <= set(EXPOSURES)


def test_rules_speak_of_what_exists() -> None:
    """Rules name kinds of sightings, classes and parents that there are; a misspelt one would never match."""
    devices = {one["id"] for one in TAXONOMY["classes"]} | set(TAXONOMY["parents"])
    fields = {
        "exposure",
        "kinds",
        "ports",
        "transport",
        "values",
        "matches",
        "unless",
        "device",
        "not_device",
        "own_page",
        "reason",
    }
    for rule in CAUSES["rule"]:
        assert set(rule) <= fields, rule
        assert set(rule["kinds"]) <= set(SIGHTING_KINDS), rule
        assert set(rule.get("device", ())) | set(rule.get("not_device", ())) <= devices, rule
        assert all(value == value.lower() for value in rule.get("values", ())), rule


def test_the_router_in_front_of_a_pc_is_innocent() -> None:
    """A PC behind a router gets its own advice, without a word on resetting or replacing the router."""
    advice = cure("compromised_pc", "router")
    assert "do not throw it away" in advice.means
    assert advice.owner == cure("compromised_pc", None).owner
    assert not re.search(r"(?i)reset|factory|firmware", " ".join(advice.owner))


def test_the_order_of_cleaning() -> None:
    """Infected: unplug, reset, update, new password, and only then plug in again."""
    steps = cure("known_infection", "router").owner
    order = [
        next(number for number, step in enumerate(steps) if re.search(word, step))
        for word in ("^Unplug", "factory settings", "newest firmware", "new password", "plug it in again")
    ]
    assert order == sorted(set(order))


def test_nobody_is_told_to_switch_off_a_plant() -> None:
    """Where others depend on a machine, the steps of a household do not apply at all."""
    for one in ("industrial", "server", "network_equipment", "telecom_pbx"):
        assert cure("known_infection", one).owner == special("known_infection", one).instead
    assert "Do not switch it off" in cure("known_infection", "industrial").owner[0]
    # A reset of network storage may cost its data.
    assert cure("known_infection", "nas").owner[0].startswith("Copy your data")


def test_advice_holds_no_way_in() -> None:
    """No password, no default user and no recipe of an attack stands in the words we give."""
    text = json.dumps([CURES, CAUSES], ensure_ascii=False).lower()
    for word in ("admin:", "root:", "12345", "exploit", "cve-", "brute", "metasploit", "payload"):
        assert word not in text
