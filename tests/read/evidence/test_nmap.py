"""Nmap's XML: open ports, silence, and what lies outside the scan."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network

import pytest

from thingwatch.model import Sighting, Skip
from thingwatch.read.evidence.nmap import scope_of

AT = 1_795_341_600_000_000  # 2026-11-22 10:00:00 UTC

Read = Callable[..., list[Sighting | Skip]]


def scan(*hosts: str, args: str = "nmap -sV -oX out.xml 192.0.2.0/24") -> str:
    return (
        f'<?xml version="1.0"?>\n<!DOCTYPE nmaprun>\n<nmaprun scanner="nmap" args="{args}" start="1795341600">\n'
        + "".join(hosts)
        + "<runstats/></nmaprun>\n"
    )


def host(ip: str, inside: str = "", state: str = "up") -> str:
    return f'<host><status state="{state}"/><address addr="{ip}" addrtype="ipv4"/>{inside}</host>\n'


PORTS = """<address addr="00:00:5E:00:53:01" addrtype="mac"/><ports>
<port protocol="tcp" portid="80"><state state="open"/>
<service name="http" product="Acme httpd" version="1" devicetype="router" method="probed"/>
<script id="http-title" output="Acme &amp;amp; Co&#10;Requested resource"/>
<script id="http-auth" output="&#10;HTTP/1.1 401&#10;  Basic realm=Acme R1&#10;"/>
<script id="ssl-cert" output="Subject: commonName=r1/organizationName=Acme&#10;Issuer: commonName=CA"/></port>
<port protocol="tcp" portid="23"><state state="open"/><service name="telnet" method="table"/></port>
<port protocol="tcp" portid="7547"><state state="filtered"/></port></ports>
<os><osmatch name="Acme firmware" accuracy="97"><osclass type="WAP" vendor="Acme" osfamily="embedded"/></osmatch></os>
"""


def test_a_host_says_what_its_open_ports_say(read: Read) -> None:
    """Probed services give names and texts; a port named only after its number gives the bare port."""
    found = read("scan.xml", scan(host("192.0.2.7", PORTS)), "nmap")
    assert [(item.kind, item.value, item.port) for item in found if isinstance(item, Sighting)] == [
        ("mac.address", "00:00:5E:00:53:01", None),
        ("port.open", "http", 80),
        ("banner", "Acme httpd 1", 80),
        ("device.label", "router\t\tAcme httpd", 80),
        ("http.title", "Acme & Co", 80),
        ("http.realm", "Acme R1", 80),
        ("exposure", "admin_ui_on_wan", 80),
        ("tls.subject", "CN=r1, O=Acme", 80),
        ("tls.issuer", "CN=CA", 80),
        ("port.open", "", 23),
        ("os.label", "Acme firmware", None),
        ("device.label", "WAP\tAcme\tembedded", None),
    ]
    assert {(item.place, item.at) for item in found if isinstance(item, Sighting)} == {("scan.xml@1", AT)}


def test_silence_is_a_fact_and_absence_is_not(read: Read) -> None:
    """A host that is up but has nothing open was covered; one that is down, or not asked for, was not."""
    closed = '<ports><port protocol="tcp" portid="80"><state state="closed"/></port></ports>'
    text = scan(
        host("192.0.2.7", closed), host("192.0.2.8"), host("192.0.2.9", state="down"), host("203.0.113.5", PORTS)
    )  # fmt: skip
    first, second, *rest = read("scan.xml", text, "nmap")
    assert isinstance(first, Sighting)
    assert isinstance(second, Sighting)
    assert (first.kind, first.ip, second.kind) == ("front.silent", "192.0.2.7", "front.silent")
    assert rest == [Skip("scan.xml@3", "host-down"), Skip("scan.xml@4", "outside-scan")]


def test_a_service_without_a_name_gives_its_raw_answers(read: Read) -> None:
    """What Nmap could not name is what device rules are for: the answers come as they were."""
    raw = r"SF-Port23-TCP:V=7.9%r(NULL,9,&quot;\r\nAcme\x20R1\x20login:&quot;)"
    raw += r"%r(GetRequest,9,&quot;HTTP/1\.0\x20200\x20OK\r\nServer:\x20Boa\r\n\r\n&quot;)"
    port = f'<ports><port protocol="tcp" portid="9"><state state="open"/><service name="unknown" servicefp="{raw}"'
    found = read("scan.xml", scan(host("192.0.2.7", port + ' method="probed"/></port></ports>')), "nmap")
    assert [(item.kind, item.value) for item in found if isinstance(item, Sighting)] == [
        ("port.open", ""),
        ("banner", "Acme R1 login:"),
        ("http.server", "Boa"),
    ]


def test_a_scan_without_ports_knows_no_silence(read: Read) -> None:
    """Where only the presence of hosts was asked for, nobody was asked to answer."""
    text = scan(host("192.0.2.7"), args="nmap -sn 192.0.2.0/24")
    assert read("scan.xml", text, "nmap") == [Skip("scan.xml@1", "no-evidence")]


@pytest.mark.parametrize(
    ("args", "networks"),
    [
        ("nmap -sV -p 22,80 192.0.2.0/24 198.51.100.7", ["192.0.2.0/24", "198.51.100.7/32"]),
        ("nmap -A --exclude 192.0.2.9 2001:db8::/64", ["2001:db8::/64"]),
        ("nmap -oX out.xml router.example 192.0.2.1", None),
        ("nmap -iL targets.txt 192.0.2.1", None),
        ("nmap 192.0.2.1-20", None),
        ("", None),
    ],
)
def test_the_scope_is_known_only_where_all_targets_are_plain(args: str, networks: list[str] | None) -> None:
    """A name or a file of targets may mean anything, so nothing is called outside then."""
    assert scope_of(args) == (None if networks is None else [ip_network(name) for name in networks])


def test_a_scan_that_was_broken_off_gives_the_hosts_before(read: Read) -> None:
    """An interrupted scan leaves half a file; whole hosts are read, the rest is one named Skip."""
    text = scan(host("192.0.2.7"), host("192.0.2.8", PORTS))
    found = read("scan.xml", text[: text.index("<os>")], "nmap")
    assert [item.place for item in found] == ["scan.xml@1", "scan.xml@2"]
    assert found[1] == Skip("scan.xml@2", "xml-malformed")


def test_an_owner_keeps_private_addresses(read: Read) -> None:
    """Nobody outside is told anything by 192.168.0.1; its owner is."""
    text = scan(host("192.168.0.1"), args="nmap 192.168.0.0/24")
    assert read("scan.xml", text, "nmap") == [Skip("scan.xml@1", "private-address")]
    (found,) = read("scan.xml", text, "nmap", keep_private=True)
    assert isinstance(found, Sighting)
    assert found.ip == "192.168.0.1"
