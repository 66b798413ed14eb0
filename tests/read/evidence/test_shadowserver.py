"""Shadowserver's reports, any type, by their columns."""

from __future__ import annotations

import lzma
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from thingwatch.model import Sighting, Skip
from thingwatch.read.evidence import plan_evidence, sightings_in

ARCHIVE = Path(__file__).parents[3] / "../shared/data/device/shadowserver_reports.tar.xz"
AT = 1_795_341_600_000_000  # 2026-11-22 10:00:00 UTC
HEAD = "timestamp,ip,protocol,port,hostname,tag,asn,geo"
ROW = "2026-11-22 10:00:00,192.0.2.7"

Read = Callable[..., list[Sighting | Skip]]


def facts(found: list[Sighting | Skip]) -> list[tuple[str, str]]:
    assert all(isinstance(item, Sighting) for item in found), found
    return [(item.kind, item.value) for item in found if isinstance(item, Sighting)]


def test_a_scan_gives_port_exposure_banner_and_label(read: Read) -> None:
    """One row of a Telnet scan becomes all it says, under one place, with the report's name as source."""
    head = f"{HEAD},banner,device_vendor,device_type,device_model"
    row = f'{ROW},tcp,2323,,"telnet-alt,iot",64496,AA,"|BusyBox|login:",Acme,router,R1'
    text = f"{head}\n{row}\n"
    found = read("2026-11-22-scan_telnet-example.csv", text, "shadowserver")
    place = "2026-11-22-scan_telnet-example.csv@2"
    source = "shadowserver:scan_telnet"
    assert found == [
        Sighting("192.0.2.7", kind, value, AT, 2323, "tcp", source, place)
        for kind, value in [
            ("port.open", "telnet"),
            ("exposure", "telnet_open"),
            ("telnet.banner", "BusyBox login:"),
            ("device.label", "router\tAcme\tR1"),
        ]
    ]


@pytest.mark.parametrize(
    ("report", "columns", "cells", "expected"),
    [
        ("scan_ssdp", "server,unique_service_name", "Acme UPnP/1.0,uuid:1::x", [
            ("port.open", "ssdp"), ("exposure", "upnp_ssdp_exposed"), ("upnp.server", "Acme UPnP/1.0"),
            ("upnp.device", "uuid:1::x")]),
        ("scan_snmp", "sysdesc,community", "Acme R1,secret", [
            ("port.open", "snmp"), ("exposure", "snmp_exposed"), ("snmp.sysdescr", "Acme R1")]),
        ("scan6_cwmp", "server", "RomPager/4.07", [
            ("port.open", "cwmp"), ("exposure", "tr069_exposed"), ("cwmp.server", "RomPager/4.07")]),
        ("scan_adb", "name,model,device", "a,TV Box,b", [
            ("port.open", "adb"), ("exposure", "adb_exposed"),
            ("banner", "device::ro.product.name=a;ro.product.model=TV Box;ro.product.device=b;")]),
        ("scan_dvr_dhcpdiscover", "manufacturer,device_type,device_model", "Acme,IPC,C1", [
            ("port.open", "dhcpdiscover"), ("exposure", "camera_dvr_exposed"), ("device.label", "IPC\tAcme\tC1")]),
        ("scan_http", "www_authenticate,server", '"Basic realm=""Acme Router""",Boa', [
            ("port.open", "http"), ("http.server", "Boa"), ("http.realm", "Acme Router"),
            ("exposure", "admin_ui_on_wan")]),
        ("scan_socks", "version", "5", [
            ("port.open", "socks"), ("proxy", "socks"), ("exposure", "open_proxy")]),
        ("scan_http_proxy", "via", "x", [
            ("port.open", "http_proxy"), ("proxy", "http"), ("exposure", "open_proxy")]),
        ("scan_ssl", "subject_common_name,issuer_organization_name", "cam.example,Acme", [
            ("port.open", "ssl"), ("tls.subject", "CN=cam.example"), ("tls.issuer", "O=Acme")]),
        ("scan_synfulknock", "raw_packet", "00", [("infection", "odd")]),
        ("compromised_iot", "infection,detail", ",", [("infection", "odd")]),
        ("special", "status", "likely compromised", [("infection", "odd")]),
        ("special", "status,device_vendor", "seen,Acme", [("device.label", "\tAcme\t")]),
        ("compromised_iot", "infection,detail", "mirai,default password", [
            ("infection", "mirai"), ("default.credentials", "")]),
    ],
)  # fmt: skip
def test_each_report_says_what_it_is_for(
    read: Read, report: str, columns: str, cells: str, expected: list[tuple[str, str]]
) -> None:
    """The report's name, not only its columns, decides what is exposed."""
    text = f"{HEAD},{columns}\n{ROW},tcp,99,,odd,64496,AA,{cells}\n"
    found = facts(read(f"2026-11-22-{report}-x.csv", text, "shadowserver"))
    assert sorted(found) == sorted(expected)


def test_a_file_with_a_name_that_tells_nothing_is_told_by_its_columns(read: Read) -> None:
    """A renamed report keeps its type; where even the columns are silent the tag names the protocol."""
    (first, *_) = read("a.csv", f"{HEAD},sysdesc\n{ROW},udp,161,,snmp,64496,AA,x\n", "shadowserver")
    assert isinstance(first, Sighting)
    assert first.source == "shadowserver:scan_snmp"
    found = read("b.csv", f"{HEAD}\n{ROW},tcp,23,,telnet,64496,AA\n", "shadowserver")
    assert facts(found) == [("port.open", "telnet"), ("exposure", "telnet_open")]
    assert {item.source for item in found if isinstance(item, Sighting)} == {"shadowserver"}


def test_an_event_names_who_did_it_and_never_the_other_end(read: Read) -> None:
    """Sinkhole and honeypot rows speak of src_ip; victims and visited servers give no evidence."""
    head = "timestamp,protocol,src_ip,src_port,src_asn,dst_ip,infection,family,tag,username,password"
    row = "2026-11-22 10:00:00,tcp,192.0.2.7,4000,64496,198.51.100.1,,mirai,,root,hunter2"
    (found,) = read("2026-11-22-event4_honeypot_brute_force-x.csv", f"{head}\n{row}\n", "shadowserver")
    assert isinstance(found, Sighting)
    assert found[:7] == (
        "192.0.2.7", "infection", "mirai", AT, 4000, "tcp", "shadowserver:event4_honeypot_brute_force",
    )  # fmt: skip
    assert "hunter2" not in repr(found)
    assert read("event4_honeypot_ddos_amp.csv", f"{head}\n{row}\n", "shadowserver") == [
        Skip("event4_honeypot_ddos_amp.csv@2", "no-evidence")
    ]


EVENT = "timestamp,protocol,src_ip,src_port,src_asn,infection,family,tag,device_vendor"
DONE_BY = "2026-11-22 10:00:00,tcp,192.0.2.7,4000,64496"


@pytest.mark.parametrize(
    ("report", "cells", "family"),
    [
        ("event4_honeypot_http_scan", "http-scan,,", ""),
        ("event4_honeypot_http_scan", 'http-scan,,"cve-2023-1389,scan"', ""),
        ("event4_honeypot_brute_force", "ssh-brute-force,,ssh", ""),
        ("event4_honeypot_brute_force", "telnet-brute-force,mirai,telnet", "mirai"),
        ("event4_honeypot_darknet", 'port-scan,,"telnet,mirai-like"', "mirai-like"),
        ("event4_ddos_participant", ",,ddos-participant", ""),
        ("event4_ddos_participant", "ddos-participant,xor-ddos,", "xor-ddos"),
        ("event4_honeypot_http_scan", "http-scan,,malware-scan", ""),
        ("event4_ip_spoofer", "ip-spoofer,,", ""),
        ("event4_sinkhole", "victorygate.b,victorygate,", "victorygate.b"),
        ("event4_sinkhole", ",,avalanche-andromeda", "avalanche-andromeda"),
        ("event4_sinkhole", ",,", ""),
        ("compromised_iot", ",,", "compromised"),
        ("compromised_iot", ',,"iot,telnet"', "compromised"),
    ],
)
def test_what_an_address_did_is_no_infection(read: Read, report: str, cells: str, family: str) -> None:
    """A scan or a guessed password gives a family only where the row names one; the row is counted either way."""
    (found,) = read(f"2026-11-22-{report}-x.csv", f"{EVENT}\n{DONE_BY},{cells},\n", "shadowserver")
    if family:
        assert isinstance(found, Sighting)
        assert (found.kind, found.value) == ("infection", family)
    else:
        assert found == Skip(f"2026-11-22-{report}-x.csv@2", "no-evidence")


def test_a_deed_still_tells_the_device(read: Read) -> None:
    """Who scanned us from a camera is known to have a camera, and not to have malware."""
    (found,) = read("event4_honeypot_http_scan.csv", f"{EVENT}\n{DONE_BY},http-scan,,,Acme\n", "shadowserver")
    assert isinstance(found, Sighting)
    assert (found.kind, found.value) == ("device.label", "\tAcme\t")


def test_an_empty_last_cell_may_be_left_out(read: Read) -> None:
    """One cell too few at the end is an empty one; two too few, or one too many, is a broken row."""
    head = f"{HEAD},banner,sector"
    rows = [f"{ROW},tcp,23,,telnet,64496,AA,login:{end}" for end in (",", "", ",a,b")]
    rows.append(f"{ROW},tcp,23,,telnet,64496,AA")
    found = read("scan_telnet.csv", "\n".join([head, *rows]) + "\n", "shadowserver")
    said = Counter(item.place[-2:] for item in found if isinstance(item, Sighting))
    assert said == {"@2": 3, "@3": 3}
    assert [item for item in found if isinstance(item, Skip)] == [
        Skip("scan_telnet.csv@4", "csv-malformed"),
        Skip("scan_telnet.csv@5", "csv-malformed"),
    ]


def test_a_blocklist_may_name_a_range(read: Read) -> None:
    """Blocklist rows are facts about the network, with the list's own name."""
    text = "timestamp,ip,source,reason,asn,geo\n2026-11-22 10:00:00,192.0.2.0/24,Some List,bad,1,AA\n"
    (found,) = read("blocklist.csv", text, "shadowserver")
    assert isinstance(found, Sighting)
    assert (found.ip, found.kind, found.value) == ("192.0.2.0/24", "listed", "Some List")


def test_every_row_that_cannot_be_used_is_named_once(read: Read) -> None:
    """Bad rows each give exactly one Skip, and the rows between them are read."""
    rows = [
        f"{ROW},tcp,23,,telnet,64496,AA",
        "2026-11-22 10:00:00,10.0.0.1,tcp,23,,telnet,64496,AA",
        "2026-11-22 10:00:00,5-6-x-x,tcp,23,,telnet,64496,AA",
        "yesterday,192.0.2.7,tcp,23,,telnet,64496,AA",
        "1999-12-31 23:59:59,192.0.2.7,tcp,23,,telnet,64496,AA",
        "2031-01-01 00:00:00,192.0.2.7,tcp,23,,telnet,64496,AA",
        "2026-11-22 10:00:00,192.0.2.7,tcp",
        "2026-11-22 10:00:00,::ffff:192.0.2.8,udp,,,telnet,64496,AA",
        ",192.0.2.9,tcp,70000,,,64496,AA",
    ]
    found = read("scan_telnet.csv", "\n".join([HEAD, *rows]) + "\n", "shadowserver")
    assert [(item.place[-2:], item.reason) for item in found if isinstance(item, Skip)] == [
        ("@3", "private-address"),
        ("@4", "no-address"),
        ("@5", "bad-time"),
        ("@6", "impossible-time"),
        ("@7", "impossible-time"),
        ("@8", "csv-malformed"),
        ("@9", "no-evidence"),
        ("10", "no-evidence"),
    ]


def test_real_reports_are_accounted_for_row_by_row() -> None:
    """In 49 published reports every row gives sightings or one Skip, and most kinds of report say something."""
    if not ARCHIVE.is_file():
        pytest.skip("the published reports are not here")
    (file,) = plan_evidence([ARCHIVE])
    found = list(sightings_in(file, keep_private=True))
    places = Counter(item.place for item in found)
    skipped = [item for item in found if isinstance(item, Skip)]
    assert all(places[item.place] == 1 for item in skipped)
    rows = 0
    with lzma.open(ARCHIVE) as packed, tarfile.open(fileobj=packed) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None and member.name.endswith(".csv"):
                rows += sum(1 for line in content.read().splitlines() if line.strip()) - 1
    tables = {place for place in places if ".csv@" in place}
    assert len(tables) == rows
    assert Counter(item.reason for item in skipped if ".csv@" in item.place) == {
        "no-evidence": 26,
    }
    infections = Counter(
        item.value for item in found if isinstance(item, Sighting) and item.kind == "infection"
    )
    assert "synfulknock" in infections
    assert infections.keys().isdisjoint({"http-scan", "ddos-participant", "ddos", "ddos-amplification"})
