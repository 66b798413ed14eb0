"""Shodan, Censys, ZGrab2 and masscan: what answered, whoever asked."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from thingwatch.model import Sighting, Skip
from thingwatch.read.evidence import plan_evidence, sightings_in
from thingwatch.read.evidence.protocol import EXPOSURES

SOURCE = Path(__file__).parents[3] / "src" / "thingwatch"
TAXONOMY = SOURCE / "identify" / "taxonomy.json"
READERS = SOURCE / "read" / "evidence"
ARCHIVE = Path(__file__).parents[3] / "../shared/data/device/zgrab2_output_samples.tar.xz"
ZTAG = Path(__file__).parents[3] / "../shared/data/device/ztag_hosts.jsonl"
AT = 1_795_341_600_000_000  # 2026-11-22 10:00:00 UTC

Read = Callable[..., list[Sighting | Skip]]


def facts(found: list[Sighting | Skip]) -> set[tuple[str, str]]:
    assert all(isinstance(item, Sighting) for item in found), found
    return {(item.kind, item.value) for item in found if isinstance(item, Sighting)}


SHODAN = {
    "ip_str": "192.0.2.7",
    "port": 80,
    "transport": "tcp",
    "timestamp": "2026-11-22T10:00:00.000000",
    "data": "HTTP/1.1 401 Unauthorized\r\nServer: Boa/0.94\r\nWWW-Authenticate: Basic realm=\"IP Camera\"\r\n\r\n",
    "_shodan": {"module": "http-simple-new"},
    "http": {"server": "Boa/0.94", "title": "Login", "favicon": {"data": base64.b64encode(b"ico").decode(), "hash": 1}},
    "ssl": {"cert": {"subject": {"CN": "cam.example", "O": "Acme"}, "issuer": {"CN": "Acme CA"}}},
    "devicetype": "webcam",
    "product": "Acme httpd",
    "hikvision": {"model": "DS-1"},
    "tags": ["iot", "vpn", "compromised"],
    "mac": {"00:00:5E:00:53:01": {}},
}  # fmt: skip


def test_shodan_gives_texts_labels_and_tags(read: Read) -> None:
    """A banner becomes the kinds device rules read; the icon is hashed the way they know it."""
    found = read("shodan.json", json.dumps(SHODAN) + "\n", "shodan")
    assert facts(found) == {
        ("port.open", "http"),
        ("http.server", "Boa/0.94"),
        ("http.title", "Login"),
        ("http.realm", "IP Camera"),
        ("exposure", "admin_ui_on_wan"),
        ("http.favicon_md5", hashlib.md5(b"ico").hexdigest()),  # noqa: S324
        ("tls.subject", "CN=cam.example, O=Acme"),
        ("tls.issuer", "CN=Acme CA"),
        ("device.label", "webcam\t\tAcme httpd"),
        ("device.label", "webcam\tHikvision\tDS-1"),
        ("proxy", "vpn"),
        ("infection", "compromised"),
        ("mac.address", "00:00:5E:00:53:01"),
    }
    assert {(item.at, item.port, item.place) for item in found if isinstance(item, Sighting)} == {
        (AT, 80, "shodan.json@1")
    }


def test_shodan_without_text_takes_the_number_of_the_address(read: Read) -> None:
    """Old downloads have the address as a number only."""
    row = {"ip": 0xC0000207, "_shodan": {"module": "telnet"}, "port": 23, "data": "login:"}
    found = read("old.json", json.dumps(row), "shodan")
    assert facts(found) == {("port.open", "telnet"), ("exposure", "telnet_open"), ("telnet.banner", "login:")}
    assert {item.ip for item in found if isinstance(item, Sighting)} == {"192.0.2.7"}


SERVICE = {
    "port": 8080,
    "protocol": "HTTP",
    "transport_protocol": "tcp",
    "scan_time": "2026-11-22T10:00:00Z",
    "banner": "HTTP/1.1 200 OK\r\nServer: GoAhead\r\n",
    "endpoints": [{"http": {"headers": {"Server": {"headers": ["GoAhead"]}}, "html_title": "NVR"}}],
    "cert": {"parsed": {"subject_dn": "CN=nvr", "issuer": {"common_name": ["CA"]}}},
    "hardware": [{"vendor": "Acme", "product": "N1", "type": ["nvr"]}],
}
PLATFORM = {
    "ip": "192.0.2.7",
    "services": [SERVICE, {"port": 7547, "protocol": "CWMP", "cwmp": {"server": "gSOAP"}}],
    "network": [{"mobile": True}],
    "privacy": [{"proxy": True}],
    "operating_system": {"vendor": "linux", "product": "linux"},
}
PLATFORM_FACTS = {
    ("port.open", "http"),
    ("http.server", "GoAhead"),
    ("http.title", "NVR"),
    ("tls.subject", "CN=nvr"),
    ("tls.issuer", "CN=CA"),
    ("device.label", "nvr\tAcme\tN1"),
    ("port.open", "cwmp"),
    ("exposure", "tr069_exposed"),
    ("cwmp.server", "gSOAP"),
    ("network.type", "mobile"),
    ("proxy", "proxy"),
    ("os.label", "linux linux"),
}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(PLATFORM),
        json.dumps(PLATFORM, indent=2),
        json.dumps({"result": {"resource": PLATFORM}}, indent=1),
        json.dumps([PLATFORM]),
        json.dumps({"code": 200, "result": {"hits": [PLATFORM]}}),
    ],
    ids=["line", "document", "wrapped", "array", "hits"],
)
def test_censys_hosts_are_found_in_any_wrapping(read: Read, text: str) -> None:
    """One host says the same as a line, a document, an element or a search's only hit."""
    found = read("host.json", text, "censys")
    assert facts(found) == PLATFORM_FACTS
    assert {item.place for item in found} == {"host.json@1"}


def test_censys_version_two_is_read(read: Read) -> None:
    """The older field names give the same kinds; several hits have places of their own."""
    service = {
        "port": 23,
        "service_name": "TELNET",
        "observed_at": "2026-11-22T10:00:00Z",
        "banner": "login:",
        "tls": {"certificates": {"leaf_data": {"subject_dn": "CN=x"}}},
        "http": {"response": {"headers": {"Server": ["Boa"]}, "favicons": [{"md5_hash": "0" * 32}]}},
    }
    hits = {"result": {"hits": [{"ip": "192.0.2.7", "services": [service]}, {"ip": "192.0.2.8"}]}}
    found = read("v2.json", json.dumps(hits), "censys")
    assert facts(found[:-1]) == {
        ("port.open", "telnet"),
        ("exposure", "telnet_open"),
        ("telnet.banner", "login:"),
        ("tls.subject", "CN=x"),
        ("http.server", "Boa"),
        ("http.favicon_md5", "0" * 32),
    }
    assert found[-1] == Skip("v2.json@1.2", "no-evidence")


OLD = {
    "23": {"telnet": {"banner": {"banner": "login:", "support": True}}},
    "22": {"ssh": {"v2": {"banner": {"raw": "SSH-2.0-dropbear", "software": "dropbear"}}}},
    "80": {"http": {"get": {"title": "NVR", "body": "<html>", "headers": {"server": "Boa", "unknown": []}}}},
    "443": {"https": {"tls": {"certificate": {"parsed": {"subject_dn": "CN=nvr", "issuer": {"common_name": ["CA"]}}}}}},
    "1900": {"upnp": {"discovery": {"server": "Acme UPnP/1.0", "usn": "uuid:1"}}},
    "7547": {"cwmp": {"get": {"headers": {"server": "RomPager"}}}},
    "metadata": {"device_type": "camera", "manufacturer": "Acme", "product": "C1", "os": "Linux"},
    "updated_at": "2026-11-22T10:00:00+00:00",
}  # fmt: skip
OLD_FACTS = {
    ("port.open", "telnet"),
    ("exposure", "telnet_open"),
    ("telnet.banner", "login:"),
    ("port.open", "ssh"),
    ("ssh.banner", "SSH-2.0-dropbear"),
    ("port.open", "http"),
    ("http.title", "NVR"),
    ("http.body", "<html>"),
    ("http.server", "Boa"),
    ("port.open", "https"),
    ("tls.subject", "CN=nvr"),
    ("tls.issuer", "CN=CA"),
    ("port.open", "upnp"),
    ("exposure", "upnp_ssdp_exposed"),
    ("upnp.server", "Acme UPnP/1.0"),
    ("upnp.device", "uuid:1"),
    ("port.open", "cwmp"),
    ("exposure", "tr069_exposed"),
    ("cwmp.server", "RomPager"),
    ("device.label", "camera\tAcme\tC1"),
    ("os.label", "Linux"),
}


def dumped() -> dict[str, object]:
    return {
        "ip": "192.0.2.7",
        "ports": [23, 22],
        **{f"p{k}" if k.isdigit() else k: v for k, v in OLD.items()},
    }


def columns(value: object, way: str = "") -> dict[str, object]:
    if not isinstance(value, dict) or way == "metadata":
        return {way: value}
    return {
        name: leaf
        for key, inner in value.items()
        for name, leaf in columns(inner, f"{way}.{key}".strip(".")).items()
    }


@pytest.mark.parametrize(
    "host",
    [
        {"ip": "192.0.2.7", **OLD},
        dumped(),
        {"ip": "192.0.2.7", **columns(OLD)},
        {"ip_address": "192.0.2.7", "evidence": OLD},
        {"id": "x", "evidence": {"ip": "192.0.2.7", **OLD}},
    ],
    ids=["view", "dump", "columns", "wrapped", "inside"],
)
def test_old_censys_hosts_are_read(read: Read, host: dict[str, object]) -> None:
    """Ports by number, with p before them, as columns or in ZTag's wrapping say the same, with the host's time."""
    found = read("old.json", json.dumps(host) + "\n", "censys")
    assert facts(found) == OLD_FACTS
    assert {item.at for item in found if isinstance(item, Sighting)} == {AT}
    ports = {(item.port, item.transport) for item in found if isinstance(item, Sighting)}
    assert ports == {
        (22, "tcp"),
        (23, "tcp"),
        (80, "tcp"),
        (443, "tcp"),
        (1900, "udp"),
        (7547, "tcp"),
        (None, ""),
    }


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "x",
        [],
        {"http": None},
        {"http": {"get": "x"}},
        {"http": {"get": {"headers": [1], "banner": {}}}},
    ],
)
def test_an_old_host_of_any_shape_is_read_as_far_as_it_goes(read: Read, value: object) -> None:
    """What is no grab says nothing; the port beside it stays."""
    host = {
        "ip": "192.0.2.7",
        "80": value,
        "80.http": 1,
        "80.http.get.title": "x",
        "p99999": OLD["23"],
        "23": OLD["23"],
    }
    found = facts(read("old.json", json.dumps(host), "censys"))
    assert ("telnet.banner", "login:") in found


def test_real_old_hosts_are_read_once_they_have_an_address(tmp_path: Path) -> None:
    """ZTag's 57 published hosts have none and are skipped for it by name; given one, each of them says something."""
    if not ZTAG.is_file():
        pytest.skip("the published hosts are not here")
    (file,) = plan_evidence([ZTAG])
    assert Counter(item.reason for item in sightings_in(file) if isinstance(item, Skip)) == {"no-address": 57}
    rows = [json.loads(line) for line in ZTAG.read_text("utf-8").splitlines()]
    path = tmp_path / "hosts.jsonl"
    path.write_text("".join(json.dumps({"ip": f"192.0.2.{n}", **row}) + "\n" for n, row in enumerate(rows)))
    (file,) = plan_evidence([path])
    found = list(sightings_in(file))
    assert not [item for item in found if isinstance(item, Skip)]
    assert len({item.place for item in found}) == 57
    assert Counter(item.kind for item in found if isinstance(item, Sighting)) == {
        "port.open": 87,
        "ftp.banner": 40,
        "tls.subject": 19,
        "tls.issuer": 19,
        "http.server": 9,
        "http.title": 8,
        "http.body": 7,
        "ssh.banner": 5,
        "pop.banner": 5,
        "imap.banner": 4,
        "smtp.banner": 2,
        "telnet.banner": 2,
        "exposure": 2,
    }


def test_a_service_with_a_bad_time_does_not_take_the_host_along(read: Read) -> None:
    """Times are per service: what cannot be dated is left out, the rest stays."""
    services = [{**SERVICE, "scan_time": "soon"}, {"port": 22, "protocol": "SSH", "banner": "SSH-2.0-x"}]
    found = read("h.json", json.dumps({"ip": "192.0.2.7", "services": services}), "censys")
    assert facts(found) == {("port.open", "ssh"), ("ssh.banner", "SSH-2.0-x")}
    only = {"ip": "192.0.2.7", "services": services[:1]}
    assert read("b.json", json.dumps(only), "censys") == [Skip("b.json@1", "bad-time")]


def test_zgrab2_uses_what_succeeded_and_notes_silence(read: Read) -> None:
    """A failed module says nothing beside one that worked; where none was answered the front is silent."""
    good = {
        "status": "success",
        "protocol": "telnet",
        "result": {"banner": "login:"},
        "timestamp": "2026-11-22T10:00:00Z",
    }
    gone = {"status": "connection-timeout", "timestamp": "2026-11-22T10:00:00Z"}
    odd = {"status": "protocol-error"}
    rows = [
        {"ip": "192.0.2.7", "data": {"telnet": good, "http": gone}},
        {"ip": "192.0.2.8", "data": {"telnet": gone, "http": gone}},
        {"ip": "192.0.2.9", "data": {"telnet": odd}},
    ]
    found = read("z.json", "".join(json.dumps(row) + "\n" for row in rows), "zgrab2")
    assert facts(found[:3]) == {
        ("port.open", "telnet"),
        ("exposure", "telnet_open"),
        ("telnet.banner", "login:"),
    }
    assert isinstance(found[3], Sighting)
    assert (found[3].ip, found[3].kind, found[3].at) == ("192.0.2.8", "front.silent", AT)
    assert found[4:] == [Skip("z.json@3", "no-answer")]


def test_real_grabs_are_accounted_for() -> None:
    """Each of 24 published records is one row; they stand at private addresses, which only an owner keeps."""
    if not ARCHIVE.is_file():
        pytest.skip("the published grabs are not here")
    (file,) = plan_evidence([ARCHIVE])
    found = [item for item in sightings_in(file) if ".json@" in item.place]
    assert Counter(item.reason for item in found if isinstance(item, Skip)) == {"private-address": 24}
    kept = [item for item in sightings_in(file, keep_private=True) if ".json@" in item.place]
    assert len({item.place for item in kept}) == 24
    assert Counter(item.kind for item in kept if isinstance(item, Sighting)) == {
        "port.open": 24,
        "smtp.banner": 7,
        "pop.banner": 4,
        "http.server": 2,
        "http.body": 2,
        "ftp.banner": 2,
        "tls.subject": 2,
        "tls.issuer": 2,
        "ssh.banner": 1,
        "telnet.banner": 1,
        "exposure": 1,
    }


def test_every_exposure_is_one_of_the_taxonomy() -> None:
    """Readers say what is exposed in the words that causes and cures are kept under."""
    known = json.loads(TAXONOMY.read_text("utf-8"))["exposures"]
    assert set(EXPOSURES.values()) <= set(known)
    sources = "".join(file.read_text("utf-8") for file in READERS.glob("*.py"))
    said = set(re.findall(r'add\("exposure", "(\w+)"', sources))
    assert said >= {"open_proxy", "admin_ui_on_wan"}
    assert said <= set(known)


MASSCAN = [
    '{   "ip": "192.0.2.7",   "timestamp": "1795341600", "ports": [ {"port": 80, "proto": "tcp", "status": "open"} ] }',
    '{"ip": "192.0.2.7", "timestamp": "1795341600", "ports": [{"port": 80, "proto": "tcp",'
    ' "service": {"name": "http", "banner": "HTTP/1.0 200 OK\\u000d\\u000aServer: mini_httpd\\u000d\\u000a"}}]}',
    '{"ip": "192.0.2.7", "timestamp": "1795341600", "ports": [{"port": 80, "proto": "tcp",'
    ' "service": {"name": "title", "banner": "Setup"}}]}',
    '{"ip": "192.0.2.7", "timestamp": "1795341600", "ports": [{"port": 81, "proto": "tcp", "status": "closed"}]}',
]


@pytest.mark.parametrize(
    "text",
    [
        "[\n" + ",\n".join(MASSCAN) + "\n]\n",
        "[\n" + ",\n".join(MASSCAN) + ",\n]\n",
        ",\n".join(MASSCAN) + ",\n{finished: 1}\n",
        "\n".join(MASSCAN) + "\n",
        "[" + ",".join(MASSCAN) + "]",
        json.dumps([json.loads(row) for row in MASSCAN], indent=2),
    ],
    ids=["array", "comma", "old", "lines", "one line", "pretty"],
)
def test_masscan_is_read_in_every_layout(read: Read, text: str) -> None:
    """The layout changes with the version; what it says does not."""
    found = [
        item for item in read("m.json", text, "masscan") if getattr(item, "reason", "") != "json-malformed"
    ]
    assert facts(found[:-1]) == {
        ("port.open", ""),
        ("port.open", "http"),
        ("http.server", "mini_httpd"),
        ("http.title", "Setup"),
    }
    assert isinstance(found[-1], Skip)
    assert found[-1].reason == "port-closed"
