"""What device rules say of a text, of several texts, and of hostile ones."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingwatch.errors import InputError
from thingwatch.identify.device import Rules, combined
from thingwatch.identify.device.docsis import docsis_fields
from thingwatch.identify.device.signature import PARENT_OF, PARENTS, TEXT_KINDS
from thingwatch.identify.device.vocabulary import class_of_word, router_or_carrier
from thingwatch.model import MAX_SIGHTING_CHARS, Label

RULES = Rules.load()
DATA = Path(__file__).parents[4] / "shared" / "data" / "device"
KINDS = sorted(TEXT_KINDS)


def label(
    device_class: str | None, confidence: float, vendor: str = "", model: str = "", parent: str = ""
) -> Label:
    """A label as a rule would give it."""
    return Label(
        device_class, parent or PARENT_OF[device_class or ""], vendor, model, confidence, "rule", "text"
    )


@pytest.mark.parametrize(
    ("kind", "text", "device_class", "vendor", "model"),
    [
        ("http.title", "FRITZ!Box 7590", "router", "AVM", "FRITZ!Box 7590"),
        ("http.realm", 'Basic realm="TP-LINK Wireless N Router WR841N"', "router", "TP-Link", "WR841N"),
        ("http.realm", "TP-LINK Wireless N Router WR841N", "router", "TP-Link", "WR841N"),
        ("ftp.banner", "220 Welcome to ASUS RT-AC68U FTP service.\r\n", "router", "ASUS", "RT-AC68U"),
        ("ssh.banner", "SSH-2.0-ROSSSH\r\n", "router", "MikroTik", ""),
        ("http.title", "DiskStation&nbsp;-&nbsp;Synology&nbsp;DiskStation", "nas", "Synology", "DiskStation"),
        ("snmp.sysobjectid", ".1.3.6.1.4.1.14988.1", "router", "MikroTik", ""),
        ("snmp.sysobjectid", "1.3.6.1.4.1.11.2.3.9.1", "printer", "HP", ""),
        ("upnp.device", "[Refrigerator] Samsung", "home_appliance", "Samsung", ""),
        ("sip.user_agent", "Yealink SIP-T46S 66.84.0.15", "voip", "Yealink", "T46S"),
        ("http.title", "MyBookLive", "nas", "Western Digital", "MyBookLive"),
        ("snmp.sysobjectid", "1.3.6.1.4.1.14823.1.2.45", "access_point", "Aruba", ""),
    ],
)
def test_a_text_names_its_device(kind: str, text: str, device_class: str, vendor: str, model: str) -> None:
    """Class, vendor and model come out alike whatever form a scanner stored the text in."""
    found = RULES.label(kind, text)
    assert found is not None
    assert (found.device_class, found.parent) == (device_class, PARENT_OF[device_class])
    assert (found.vendor, found.model) == (vendor, model)


def test_nothing_is_said_of_what_says_nothing() -> None:
    """Facts, empty texts, unknown kinds and plain words earn no label."""
    assert RULES.label("port.open", "http") is None
    assert RULES.label("tcp.syn", "4:64:0:1460") is None
    assert RULES.label("no.such.kind", "FRITZ!Box") is None
    assert RULES.label("http.title", "") is None
    assert RULES.label("http.title", "My holiday photos") is None
    assert RULES.label("snmp.sysobjectid", "1.3.6.1.4.1.8072.3.2.10") is None  # any Linux
    assert RULES.label("snmp.sysobjectid", "1.3.6.1.4.1.171.10") is None  # D-Link: switches and cameras alike


@pytest.mark.parametrize(
    ("kind", "text", "parent", "vendor"),
    [
        ("http.server", "App-webs/", "thing", ""),
        ("tls.issuer", "O=Hikvision", "thing", "Hikvision"),
        ("http.realm", "NETGEAR", "thing", "NETGEAR"),
        ("tls.subject", "O=Ubiquiti Networks Inc., CN=UBNT", "thing", "Ubiquiti"),
        ("snmp.sysobjectid", "1.3.6.1.4.1.41112.1.6", "thing", "Ubiquiti"),
        ("mdns.name", "Android TV", "thing", ""),
        ("snmp.sysdescr", "Digi TransPort WR21-HX1B-DE1-XX Ser#:1", "thing", "Digi"),
        ("tls.subject", "O=Fortinet", "infrastructure", "Fortinet"),
        ("snmp.sysdescr", "PR:CS 1000 SW:NRS+SS_EM, Backup Server HW:HP DL360G7", "infrastructure", ""),
        ("banner", "Microsoft Windows RPC", "conventional", "Microsoft"),
        ("http.server", "Microsoft-HTTPAPI/2.0", "conventional", "Microsoft"),
    ],
)
def test_a_class_is_earned(kind: str, text: str, parent: str, vendor: str) -> None:
    """A maker of several kinds, or a program that several kinds run, gives what all of them are, and no class."""
    found = RULES.label(kind, text)
    assert found is not None
    assert (found.device_class, found.parent, found.vendor) == (None, parent, vendor)


@pytest.mark.parametrize("text", ["Asterisk PBX 13.14.1", "AudioCodes", "Blue Iris"])
def test_what_anything_may_run_says_nothing(text: str) -> None:
    """A program of rented servers, PCs and boxes alike, or a maker from desk to exchange, earns no word."""
    assert RULES.label("banner", text) is None


def test_a_brand_in_a_title_stands_alone() -> None:
    """A device adds "login" to its name; who adds a word of the world sells it. A model speaks for itself."""
    for title in ("Xfinity", "Xfinity Login", "IP Camera Viewer 2.1", "Fronius"):
        assert RULES.label("http.title", title) is not None, title
    for title in ("Xfinity Mobile", "Live Webcam Alps", "Fronius International", "Solar inverter repair"):
        assert RULES.label("http.title", title) is None, title
    assert RULES.label("http.title", "LG OLED55C8PLA in my bedroom") is not None


def test_a_modem_is_read_by_its_fields() -> None:
    """The form of DOCSIS is parsed, in any order and with odd values; a head end stays one."""
    text = "Modem <<HW_REV: 1.0; VENDOR: Acme, Inc.; BOOTR: 2; SW_REV: 3; MODEL: X-100>>"
    found = RULES.label("snmp.sysdescr", text)
    assert found is not None
    assert (found.device_class, found.vendor, found.model) == ("router", "Acme, Inc.", "X-100")
    turned = RULES.label("snmp.sysdescr", "<<MODEL: X-100; VENDOR: Acme>>")
    assert turned is not None
    assert turned.model == "X-100"
    head_end = RULES.label(
        "snmp.sysdescr", "ARRIS D5 Universal EdgeQAM <<HW_REV: 1; VENDOR: ARRIS; MODEL: D5>>"
    )
    assert head_end is not None
    assert head_end.device_class == "network_equipment"
    assert docsis_fields("<<" + "A: b; " * 1000 + ">>") == {}
    assert docsis_fields("<<no fields>>") == docsis_fields("no block") == {}


def test_a_whole_answer_is_taken_apart() -> None:
    """HTTP, SSDP, RTSP and the rest come raw from some scanners; their fields count, not the prose below them."""
    http = 'HTTP/1.1 401 Unauthorized\r\nServer: micro_httpd\r\nWWW-Authenticate: Basic realm="DSL-2750U"\r\n\r\n'
    found = RULES.label("banner", http)
    assert found is not None
    assert (found.device_class, found.vendor) == ("router", "D-Link")
    ssdp = (
        "HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nSERVER: Linux UPnP/1.0 Sonos/34.16-37101 (ZP120)\r\n\r\n"
    )
    speaker = RULES.label("banner", ssdp)
    assert speaker is not None
    assert speaker.device_class == "smart_speaker"
    camera = RULES.label("banner", "RTSP/1.0 200 OK\r\nServer: Hipcam RealServer/V1.0\r\n\r\n")
    assert camera is not None
    assert camera.device_class == "ip_camera"
    article = (
        "HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n<html><title>Our blog</title>"
        + "FRITZ!Box 7490 tested. " * 200
    )
    page = RULES.label("banner", article)
    assert page is not None
    assert page.parent == "infrastructure"


@pytest.mark.parametrize(
    ("value", "device_class"),
    [
        ("WAP\tAcme\tX1", "access_point"),  # Nmap's
        ("broadband router\t\t", "router"),
        ("SURVEILLANCE_CAMERA\t\t", "ip_camera"),  # Fing's
        ("HCVR\tDahua\t", "dvr_nvr"),  # Shadowserver's
        ("fire alarm\tAcme\t", "smart_home"),  # ZTag's
        ("router\tJuniper\tMX480", "network_equipment"),
        ("router\tCisco\tASR 1001", "network_equipment"),
        ("router\tCisco\tRV320", "router"),
        ("router\tHuawei\tHG8245", "router"),
        ("router\tHuawei\tNE40E", "network_equipment"),
        ("router\tMikroTik\t", "router"),
        ("\tHikvision\tDS-7608NI-E2", "dvr_nvr"),
        ("camera\tHikvision\tDS-7608NI-E2", "dvr_nvr"),
        ("network thermostat\tAcme\t", "smart_home"),  # in no table: the word decides
    ],
)
def test_other_programs_words_are_understood(value: str, device_class: str) -> None:
    """Each vocabulary maps into our classes; the maker settles what "router" means."""
    found = RULES.label("device.label", value)
    assert found is not None
    assert found.device_class == device_class


def test_words_that_say_nothing_stay_so() -> None:
    """ "general purpose" is no device, and a broken value is no error."""
    assert RULES.label("device.label", "general purpose\t\t") is None
    assert RULES.label("device.label", "\t\t\t\t") is None
    assert class_of_word("no such word") is None
    assert router_or_carrier(None, "Cisco", "") is None


def test_the_strongest_label_wins_in_any_order() -> None:
    """Five banners of one host are one vote, and their order is nobody's vote."""
    labels = [
        label("nas", 0.95, "Synology"),
        label("nas", 0.9, "Synology", "DS218"),
        label(None, 0.6, parent="infrastructure"),
        label(None, 0.7, parent="thing"),
    ]
    results = {combined(order) for order in itertools.permutations(labels)}
    assert len(results) == 1
    best = results.pop()
    assert best is not None
    assert (best.device_class, best.vendor, best.model) == ("nas", "Synology", "DS218")
    assert best.confidence == 0.95
    assert combined([*labels, *labels]) == best
    assert combined([]) is None


def test_contradiction_lowers_confidence() -> None:
    """Behind a port forward stand several devices; then none of them is sure. Of one family, none loses."""
    alone = combined([label("router", 0.9)])
    both = combined([label("router", 0.9), label("ip_camera", 0.8)])
    kin = combined([label("router", 0.9), label("access_point", 0.8)])
    assert alone is not None
    assert both is not None
    assert kin is not None
    assert both.device_class == "router"
    assert both.confidence == pytest.approx(0.9 * 0.6)
    assert kin.confidence == alone.confidence == 0.9


def test_a_general_program_never_outvotes_a_device() -> None:
    """Network storage runs Apache; its name still tells."""
    found = combined([label(None, 0.99, parent="infrastructure"), label("nas", 0.6)])
    assert found is not None
    assert found.device_class == "nas"


def test_own_rules_speak_first(tmp_path: Path) -> None:
    """A user's rule stands before ours, and its mistakes are named."""
    own = tmp_path / "own.toml"
    own.write_text("[[rule]]\nid = 'mine'\npattern = 'FRITZ!Box'\nclass = 'nas'\nvendor = 'Mine'\n", "utf-8")
    found = Rules.load(extra=[own]).label("http.title", "FRITZ!Box 7490")
    assert found is not None
    assert (found.rule, found.device_class) == ("mine", "nas")
    own.write_text("[[rule]]\nid = 'mine'\npattern = '(?=look)ahead'\nclass = 'nas'\n", "utf-8")
    with pytest.raises(InputError, match="rule mine"):
        Rules.load(extra=[own])
    own.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="UTF-8"):
        Rules.load(extra=[own])
    with pytest.raises(InputError, match=r"missing\.toml"):
        Rules.load(extra=[tmp_path / "missing.toml"])


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.text(max_size=300) | st.binary(max_size=300).map(lambda raw: raw.decode("latin-1")),
)
def test_no_text_raises(kind: str, text: str) -> None:
    """Whatever a stranger shows, the answer is a label in our words or none."""
    found = RULES.label(kind, text)
    if found is not None:
        assert found.parent in PARENTS
        assert found.device_class is None or PARENT_OF[found.device_class] == found.parent
        assert 0 < found.confidence <= 1
        assert len(found.matched) <= 80
        assert found.matched.isprintable()
        assert len(found.vendor) <= 60
        assert len(found.model) <= 60


@pytest.mark.parametrize(
    "text",
    [
        "\ud800" * 100,  # half a surrogate pair
        "a" * 100_000,
        "<title>" * 2000,
        "HTTP/1.1 200\r\n" + "Server: x\r\n" * 5000,
        "<<" * 5000,
        "<<A:" + ";" * 9000,
        "realm=" * 2000,
        "&" * 9000,
        "&#x41;" * 2000,
        "\x00" * 9000,
        " => \t" * 3000,
        " ".join(rule.pattern[2:14] for rule in RULES.signatures) * 9,
    ],
    ids=range(12),
)
def test_a_hostile_text_costs_little(text: str) -> None:
    """8 kB of anything is judged within a bound, over all kinds: no pattern can be made to backtrack."""
    started = time.process_time()
    for kind in KINDS:
        RULES.label(kind, text)
        RULES.label(kind, text[: MAX_SIGHTING_CHARS + 1])
    assert (time.process_time() - started) / len(KINDS) / 2 < 0.2  # ten times what was measured


def test_real_banners_of_servers_are_no_things() -> None:
    """At most one in a hundred texts of known server systems is called a thing."""
    path = DATA / "recog_examples.jsonl"
    if not path.exists():
        pytest.skip("no labelled banners: ../shared/data/device is not beside the repository")
    kinds = {"smtp.banner": "smtp.banner", "imap4.banner": "imap.banner", "pop3.banner": "pop.banner"}
    texts = [
        (kinds[entry["matches"]], entry["banner"])
        for entry in map(json.loads, path.read_text("utf-8").splitlines())
        if entry["matches"] in kinds and not entry["device_class"] and entry["banner_encoding"] == "text"
    ]
    things = [text for kind, text in texts if (found := RULES.label(kind, text)) and found.parent == "thing"]
    assert len(texts) > 50
    assert len(things) <= len(texts) / 100
