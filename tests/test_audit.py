"""What an owner learns from scans of his own network."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from thingwatch.audit import audit, exit_code, judged, lines
from thingwatch.audit.hosts import MAX_SIGHTINGS, is_inside
from thingwatch.audit.telling import FINDINGS_SHOWN
from thingwatch.errors import InputError
from thingwatch.model import Label, Sighting, Skip
from thingwatch.read.evidence import plan_evidence, sightings_in

SCANS = Path(__file__).parent / "audit"
AT = 1_763_200_001_000_000  # 15 November 2025
HOSTILE = "\x1b[31mred\x1b[0m\u202eback\x07 [/bold] https://evil.example/x"

# What the rules of these tests read, by a word of the text.
READ = {
    "VMG1312": Label("router", "thing", "Zyxel", "VMG1312-B10A", 0.97, "zyxel", "VMG1312-B10A"),
    "DCS-932L": Label("ip_camera", "thing", "D-Link", "DCS-932L", 0.95, "dlink", "DCS-932L"),
    "TX3": Label("media_player", "thing", "", "TX3 Mini", 0.9, "box", "TX3"),
    "Officejet": Label("printer", "thing", "HP", "Officejet Pro 8600", 0.95, "hp", "Officejet"),
    "Windows": Label("computer", "conventional", "", "", 0.9, "windows", "Windows"),
    "Apache": Label("server", "infrastructure", "Apache", "", 0.9, "apache", "Apache"),
    "controller": Label("industrial", "thing", "Example", "", 0.9, "plc", "controller"),
    "evil": Label("router", "thing", HOSTILE, HOSTILE, 0.9, HOSTILE, HOSTILE),
}


class Rules:
    """Stands in for the device rules."""

    def label(self, kind: str, value: str) -> Label | None:
        return next((label for word, label in READ.items() if word in value), None)


def combined(labels: Iterable[Label]) -> Label | None:
    return max(labels, key=lambda label: label.confidence, default=None)


def seen(ip: str, kind: str, value: str = "", port: int | None = None, transport: str = "tcp") -> Sighting:
    return Sighting(ip, kind, value, AT, port, transport, "nmap", f"scan.xml@{ip.rpartition('.')[2]}")


def audited(*found: Sighting | Skip) -> dict[str, Any]:
    return judged([("scan.xml", "nmap", iter(found))], Rules(), combined)


def text(document: dict[str, Any], width: int = 80) -> str:
    """The lines as one text without line ends, so that a sentence can be looked for."""
    return " ".join(" ".join(lines(document, width)).split())


def read(name: str) -> dict[str, Any]:
    """A scan of tests/audit through the real readers."""
    files = plan_evidence([SCANS / name])
    return judged(((f.path, f.form, sightings_in(f, keep_private=True)) for f in files), Rules(), combined)


def test_a_home_from_inside() -> None:
    """Seen from inside a house nothing is urgent that is open to the house only, and the page says so first."""
    document = read("home.xml")
    assert exit_code(document) == 0
    assert document["counts"] == {
        "addresses": 6, "inside": 6, "things": 4, "others": 1, "unknown": 0, "silent": 1,
        "urgent": 0, "open": 1, "close": 1, "normal": 3,
    }  # fmt: skip
    told = lines(document)
    assert told[0].startswith("Nothing urgent.")
    assert "open to the house, not to the internet" in " ".join(" ".join(told[:7]).split())
    assert "Do this first" not in told
    standings = {e["name"]: e["standing"] for f in document["findings"] for e in f["exposures"]}
    # A router faces the internet with its other side; its age counts wherever it was seen from.
    assert standings == {"telnet_open": "close", "adb_exposed": "close", "eol_firmware": "open"}


def test_the_same_devices_from_outside() -> None:
    """The same ports on addresses of the internet are urgent, in order, and the code says so."""
    document = read("street.xml")
    assert exit_code(document) == 1
    assert document["counts"]["urgent"] == 3
    assert [step["name"] for step in document["steps"] if step["standing"] == "urgent"] == [
        "telnet_open",
        "adb_exposed",
        "camera_dvr_exposed",
        "eol_firmware",
    ]
    assert "open to the house" not in text(document).replace("- open to the house only", "")
    printer = next(f for f in document["findings"] if f["device"]["device_class"] == "printer")
    assert {e["name"] for e in printer["exposures"]} == {"admin_ui_on_wan", "snmp_exposed"}


def test_a_finding_leads_back_to_its_text() -> None:
    """A finding says what the device is, how sure that is, in which text it was read, and where each door was seen."""
    document = read("street.xml")
    router = document["findings"][0]
    device = router["device"]
    assert (device["name"], device["vendor"], device["model"]) == ("router", "Zyxel", "VMG1312-B10A")
    assert (device["confidence"], device["rule"], device["matched"]) == (0.97, "zyxel", "VMG1312-B10A")
    assert (device["kind"], device["where"].endswith("street.xml@1")) == ("telnet.banner", True)
    (telnet,) = [e for e in router["exposures"] if e["name"] == "telnet_open"]
    assert telnet["ports"] == [23]
    assert telnet["seen"][0]["address"] == "203.0.113.1"
    assert telnet["seen"][0]["at"] == "2025-11-15T09:46:41+00:00"


def test_equal_devices_are_one_finding() -> None:
    """200 equal routers are one finding and one set of steps; the addresses are cut on the page, never in JSON."""
    document = audited(
        *(
            sighting
            for number in range(1, 201)
            for sighting in (
                seen(f"203.0.113.{number}", "telnet.banner", "VMG1312", 23),
                seen(f"203.0.113.{number}", "port.open", "", 7547),
            )
        )
    )
    (finding,) = document["findings"]
    assert finding["count"] == len(finding["addresses"]) == 200
    assert all(len(exposure["seen"]) == 200 for exposure in finding["exposures"])
    assert [step["name"] for step in document["steps"]] == ["telnet_open", "eol_firmware", "tr069_exposed"]
    told = text(document)
    assert "203.0.113.4 and 196 more" in told
    assert told.count("Switch Telnet off in the device's settings.") == 1
    assert len(lines(document)) < 120
    # So many addresses are a provider's: he reads his own steps as well.
    assert "As the provider:" in told


def test_many_kinds_are_cut_with_a_count() -> None:
    """More kinds of findings than fit a page are counted on it."""
    document = audited(*(seen(f"203.0.113.{n}", "telnet.banner", "login:", 1000 + n) for n in range(1, 41)))
    assert len(document["findings"]) == 40
    assert f"and {40 - FINDINGS_SHOWN} more kinds at {40 - FINDINGS_SHOWN} addresses" in text(document)


def test_servers_and_computers_are_named_briefly() -> None:
    """What is no thing is listed, and an open port 80 on it is no finding."""
    document = audited(
        seen("203.0.113.1", "http.server", "Apache/2.4", 80),
        seen("203.0.113.1", "port.open", "http", 80),
        seen("203.0.113.2", "os.label", "Windows 10"),
    )
    assert document["findings"] == []
    assert document["counts"]["others"] == 2
    assert exit_code(document) == 0
    assert "Nothing found that stands open at 2 addresses" in text(document)


def test_a_pc_behind_the_router_gets_its_own_advice() -> None:
    """A Windows infection behind a router says that the router is innocent, and no step resets the router."""
    document = audited(
        seen("203.0.113.1", "http.realm", "VMG9999 router", 8080), seen("203.0.113.1", "infection", "Necurs")
    )
    step = document["steps"][0]
    assert step["name"] == "compromised_pc"
    assert "do not throw it away" in step["means"]
    assert step["for_class"] == []
    assert exit_code(document) == 1


def test_a_plant_is_not_switched_off() -> None:
    """For a controller of a plant the steps of a household are not printed at all."""
    document = audited(seen("203.0.113.1", "telnet.banner", "controller", 23))
    told = text(document)
    assert "Do not switch it off or restart it by yourself" in told
    assert "Switch Telnet off" not in told


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([seen("203.0.113.1", "telnet.banner", "login:", 23)], 1),
        ([seen("203.0.113.1", "telnet.banner", "login:", 23), Skip("scan.xml@2", "bad-time")], 1),
        ([seen("203.0.113.1", "snmp.sysdescr", "x", 161, "udp")], 0),
        ([seen("203.0.113.1", "snmp.sysdescr", "x", 161, "udp"), Skip("scan.xml@2", "bad-time")], 4),
        ([seen("203.0.113.1", "port.open", "http", 80), Skip("scan.xml@2", "host-down")], 0),
        ([seen("192.168.1.1", "telnet.banner", "login:", 23)], 0),
        ([seen("192.168.1.1", "infection", "mirai")], 1),
        ([], 0),
    ],
)
def test_exit_codes(found: list[Sighting | Skip], code: int) -> None:
    """1 where something urgent is open, else 4 where input was skipped, else 0; a host that is down is no skip."""
    assert exit_code(audited(*found)) == code


def test_what_was_not_looked_at_is_said() -> None:
    """No UDP, no IPv6, ports without words: each is said, for silence is not safety."""
    sparse = text(audited(seen("203.0.113.1", "port.open", "", 80)))
    assert "Nothing over UDP" in sparse
    assert "No IPv6 address" in sparse
    assert "ports without what answers" in sparse
    full = text(
        audited(
            seen("203.0.113.1", "snmp.sysdescr", "x", 161, "udp"),
            seen("2001:db8::7", "http.title", "Apache", 80),
        )
    )
    assert "Nothing over UDP" not in full
    assert "No IPv6 address" not in full
    assert "ports without what answers" not in full
    assert "No password was tried" in full


def test_nothing_read_is_not_nothing_found() -> None:
    """An empty scan, a silent one and an unreadable one do not read like a clean bill of health."""
    assert "nothing can be said" in audited()["headline"]
    assert "nothing can be said" in audited(seen("203.0.113.1", "front.silent"))["headline"]
    assert "could be read" in audited(Skip("scan.xml@1", "xml-malformed"))["headline"]


def test_a_doubtful_device_is_named_with_a_perhaps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts that disagree leave little confidence, and the page does not sound surer than the rules are."""
    telnet = seen("203.0.113.1", "telnet.banner", "VMG1312", 23)
    assert "203.0.113.1: router, Zyxel" in text(audited(telnet))
    monkeypatch.setitem(READ, "VMG1312", READ["VMG1312"]._replace(confidence=0.5))
    assert "203.0.113.1: perhaps a router, Zyxel" in text(audited(telnet))


def test_from_file_to_page_with_the_real_rules() -> None:
    """The shipped readers, device rules and causes together know the devices of the invented home."""
    told: list[tuple[str, int]] = []
    document = audit([SCANS / "home.xml"], progress=lambda stage, rows: told.append((stage, rows)))
    things = ("ip_camera", "media_player", "printer", "router")
    assert [document["by_device_class"].get(thing) for thing in things] == [1, 1, 1, 1]
    assert (document["counts"]["things"], document["counts"]["others"]) == (4, 1)
    assert exit_code(document) == 0
    assert sum(rows for _, rows in told) == document["files"][0]["sightings"] > 0
    assert exit_code(audit([SCANS / "home.xml", SCANS / "street.xml"])) == 1
    assert document["findings"][0]["device"]["model"] == "VMG1312-B10A"


def test_what_is_no_scan_is_refused(tmp_path: Path) -> None:
    """A file of no known form, a folder without files and a missing path end in a sentence with the cure."""
    (tmp_path / "letter.txt").write_text("Dear neighbour,\nyour camera is open.\n")
    (tmp_path / "empty").mkdir()
    for path in ("letter.txt", "empty", "missing.xml"):
        with pytest.raises(InputError, match=path):
            audit([tmp_path / path])


def test_private_addresses() -> None:
    """Private is what RFC 1918 and its kin say; documentation ranges count as the internet."""
    inside = "10.1.2.3 172.31.0.1 192.168.0.1 100.64.0.1 169.254.1.1 127.0.0.1 fd00::1 fe80::1%eth0 ::1"
    assert all(is_inside(ip) for ip in inside.split())
    outside = "192.0.2.1 203.0.113.1 172.32.0.1 100.128.0.1 2001:db8::1 8.8.8.8 not-an-address"
    assert not any(is_inside(ip) for ip in outside.split())


def test_mixed_networks_are_judged_apart() -> None:
    """One port open on a private address and on one of the internet is two findings."""
    document = audited(
        seen("192.168.1.1", "telnet.banner", "login:", 23), seen("203.0.113.1", "telnet.banner", "login:", 23)
    )
    assert [(f["addresses"], f["standing"]) for f in document["findings"]] == [
        (["203.0.113.1"], "urgent"),
        (["192.168.1.1"], "close"),
    ]
    assert "(RFC 1918 and the like) is 1 of these addresses, seen from inside." in text(document)


def test_a_flood_about_one_address_is_bounded_and_named() -> None:
    """Ten thousand rows for one address are cut, counted by name, and leave its neighbour as it was."""
    neighbour = seen("203.0.113.2", "telnet.banner", "login:", 23)
    flood = [seen("203.0.113.1", "port.open", "x", port) for port in range(1, 10_001)]
    document = audited(*flood, neighbour, seen("203.0.113.1", "infection", "mirai"))
    assert document["skips"] == {"too-many-sightings": 10_000 - MAX_SIGHTINGS}
    assert [f["addresses"] for f in document["findings"]] == [["203.0.113.1"], ["203.0.113.2"]]


def test_facts_about_lines_and_senders_make_no_host() -> None:
    """A range on a list, or who sent a mail, is no device of the owner's."""
    document = audited(
        seen("203.0.113.0/24", "network.type", "residential"),
        seen("203.0.113.9", "tcp.syn", "4:64+0:0:1460:mss*20,7:mss,sok,ts,nop,ws:df:0"),
    )
    assert document["counts"]["addresses"] == 0


@pytest.mark.parametrize("width", [1, 40, 80, 500])
def test_hostile_banners_are_harmless(width: int) -> None:
    """No escape code, bidi override, live link or markup of a banner reaches the terminal, at any width."""
    document = audited(
        seen("203.0.113.1", "telnet.banner", "evil", 23)._replace(source=HOSTILE, place=HOSTILE),
        seen("203.0.113.1", "infection", HOSTILE),
        Skip("scan.xml@1", HOSTILE),
    )
    told = lines(document, width)
    for line in told:
        assert line.isprintable(), ascii(line)
        assert "https://" not in line
        assert len(line) <= 100 or " " not in line.strip()
    for value in _texts(document["findings"]):
        assert value.isprintable(), ascii(value)


def test_a_file_name_that_is_no_text_can_be_printed() -> None:
    """A path that is no UTF-8 ends in a document that can be written all the same."""
    document = judged([("home\udcff.xml", "nmap", iter(()))], Rules(), combined)
    json.dumps(document, ensure_ascii=False).encode("utf-8")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def test_the_document_is_what_the_page_says() -> None:
    """Every field of the JSON stands on docs/audit.md, and nothing else does."""
    document = json.loads(json.dumps(read("street.xml")))
    page = (Path(__file__).parents[1] / "docs" / "audit.md").read_text("utf-8")
    table = page.partition("\n## JSON\n")[2].partition("\n## ")[0]
    told = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
    assert told == set(_fields(document))


def _fields(value: Any, name: str = "") -> Iterator[str]:
    """The names of all fields, "findings[].device.vendor"; those keyed by data count as one."""
    if isinstance(value, dict):
        if name in ("by_device_class", "skips", "files[].skips"):
            yield name
            return
        for key, part in value.items():
            yield from _fields(part, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for part in value:
            yield from _fields(part, f"{name}[]")
    else:
        yield name
