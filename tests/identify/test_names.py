"""What names say about the line behind an address."""

from __future__ import annotations

import csv
import time
from collections import Counter
from collections.abc import Iterable
from ipaddress import IPv4Address
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingwatch.identify.names import HeloClass, PtrClass, helo_class, ptr_class

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "mail"

LINES = [
    ("p5DC1A2B3.dip.isp.example", "93.193.162.179"),  # hexadecimal
    ("dslb-088-074-049-184.pools.isp.example", "88.74.49.184"),  # padded with zeros
    ("ppp-124-120-143-91.revip2.isp.example.th", "124.120.143.91"),
    ("91-143-120-124.isp.example", "124.120.143.91"),  # reversed, no word
    ("chello089173033070.isp.example", "89.173.33.70"),  # padded, run together
    ("dsl.dynamic85982657.isp.example", "85.98.26.57"),  # run together as it comes
    ("18924018188.user.isp.com.br", "189.24.18.188"),  # only the middle padded
    ("110.105.broadband4.isp.example", "85.71.105.110"),  # two numbers and a word
    ("awq249.neo.adsl.isp.example", "83.27.76.249"),
    ("58.108.196.180.isp.com.au", "58.108.196.180"),
    ("x.dynamic.isp.example", "198.51.100.7"),
    ("host-2001db8000000012.dyn.isp.example", "2001:db8:0:12::1"),
    ("c-24-1-2-3.hsd1.il.isp.example", "203.0.113.9"),  # another address than its own
]
SERVERS = [
    ("mail.example.com", "198.51.100.7"),
    ("mx17.example.com", "198.51.100.17"),
    ("outgoing2.example.com", "198.51.100.7"),
    ("example.com", "198.51.100.7"),
    ("col0-omc2-s6.col0.example.com", "198.51.100.34"),
    ("smtp-out-0051.example.com", "198.51.100.51"),
    ("lists.example.org", "198.51.100.7"),
    ("bran.mc.mpls.example.com", "198.51.100.7"),
]
GENERIC = [
    ("ec2-54-12-3-4.compute-1.amazonaws.com", "54.12.3.4"),
    ("static-71-97-122-240.isp.example", "71.97.122.240"),
    ("host2120.isp.example", "195.3.182.120"),
    ("80-93-2-12-ptr.example.com", "80.93.2.12"),
    ("vps12345.example.net", "198.51.100.7"),
]


@pytest.mark.parametrize(("ptr", "client_ip"), LINES)
def test_lines_of_customers_are_end_user(ptr: str, client_ip: str) -> None:
    """A name made by rule from the address, or with a word for an access line, is an end user's."""
    assert ptr_class(ptr, client_ip) == "end-user"


@pytest.mark.parametrize(("ptr", "client_ip"), SERVERS)
def test_names_given_by_hand_are_servers(ptr: str, client_ip: str) -> None:
    """A name that holds no address and no word for a line is a server's, numbered or not."""
    assert ptr_class(ptr, client_ip) == "server"


@pytest.mark.parametrize(("ptr", "client_ip"), GENERIC)
def test_numbered_names_of_fixed_and_rented_hosts_are_generic(ptr: str, client_ip: str) -> None:
    """Rented servers and fixed lines are numbered too; they are not counted as homes."""
    assert ptr_class(ptr, client_ip) == "generic"


@pytest.mark.parametrize(
    "ptr", ["", None, "unknown", "UNKNOWN.", "198.51.100.7", "2001:db8::1", "localhost", "  "]
)
def test_no_name_is_said_to_be_none(ptr: str | None) -> None:
    """An absent name, "unknown" and a bare address are no name."""
    assert ptr_class(ptr, "198.51.100.7") == "none"


@pytest.mark.parametrize(
    ("helo", "expected"),
    [
        ("", "empty"),
        ("   ", "empty"),
        (None, "empty"),
        ("[198.51.100.7]", "address-literal"),
        ("198.51.100.7", "address-literal"),
        ("[IPv6:2001:db8::1]", "address-literal"),
        ("2001:db8::1", "address-literal"),
        ("localhost", "localhost"),
        ("LOCALHOST.localdomain", "localhost"),
        ("pc1", "single-label"),
        ("microatx", "single-label"),
        ("dsldevice.lan", "local-name"),
        ("speedtouch.lan", "local-name"),
        ("printer.local", "local-name"),
        ("nas.home.arpa", "local-name"),
        ("front door.example.com", "local-name"),
        ("mail..example.com", "local-name"),
        ("host.123", "local-name"),
        ("ip-198-51-100-7.isp.example", "ip-in-name"),
        ("7.100.51.198.isp.example", "ip-in-name"),
        ("MX1.example.com.", "matches-ptr"),
        ("mail.example.com", "fqdn"),
        ("xn--bcher-kva.example", "fqdn"),
    ],
)
def test_helo_classes(helo: str | None, expected: str) -> None:
    """Each shape of HELO has its class; case and the dot at the end do not matter."""
    assert helo_class(helo, "198.51.100.7", "mx1.example.com") == expected


def test_a_name_with_the_address_says_so_even_where_it_is_the_ptr() -> None:
    """A client that greets with its line's name is told by the line, not by the match."""
    name = "dsl-198-51-100-7.isp.example"
    assert helo_class(name, "198.51.100.7", name) == "ip-in-name"


@given(
    st.one_of(st.none(), st.text(max_size=400)),
    st.one_of(st.none(), st.text(max_size=60)),
    st.text(max_size=80),
)
def test_any_text_has_a_class(name: str | None, client_ip: str | None, ptr: str) -> None:
    """Names come from strangers: no text raises, and the answer is always one of the classes."""
    assert ptr_class(name, client_ip) in get_args(PtrClass)
    assert helo_class(name, client_ip, ptr) in get_args(HeloClass)


@given(
    st.integers(min_value=0x01000000, max_value=0xDFFFFFFF),
    st.sampled_from(["-", ".", "x", "_"]),
    st.booleans(),
)
def test_an_address_in_the_name_is_found_in_any_order(number: int, between: str, backwards: bool) -> None:
    """Whatever the address, forward or backward, with any separator: the name is a line's."""
    address = str(IPv4Address(number))
    octets = address.split(".")[:: -1 if backwards else 1]
    assert ptr_class(f"n{between.join(octets)}.isp.example", address) == "end-user"


def test_hostile_names_cost_little() -> None:
    """A name as long as a mail may carry is cut before it is looked at: a thousand take under a second."""
    before = time.process_time()
    for number in range(1000):
        ptr_class(f"{number}" + "1-" * 50_000 + ".example", "1.1.1.1")
        helo_class(f"{number}" + "a." * 50_000, "1.1.1.1", "")
    assert time.process_time() - before < 1


def _auc(high: Iterable[int], low: Iterable[int]) -> float:
    """The chance that one of *high* stands above one of *low*, ties counting half."""
    ups, downs = Counter(high), Counter(low)
    won = sum(
        n * m * (1.0 if a > b else 0.5 if a == b else 0.0) for a, n in ups.items() for b, m in downs.items()
    )
    return won / (ups.total() * downs.total())


def test_botnet_lines_and_honest_servers_are_told_apart() -> None:
    """Distinct names of real spam of 2009 (237) against real ham (133): AUC .93; must not fall below .91."""
    if not (DATA / "csdmc2010.csv").exists():
        pytest.skip("the labelled mail tables are not beside the repository")
    rank: dict[str, int] = {"server": 0, "none": 1, "generic": 2, "end-user": 3}
    spam, ham = set(), set()
    for corpus in ("csdmc2010", "spamassassin"):
        with (DATA / f"{corpus}.csv").open(encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                if row["ptr"] and row["label"] == "ham":
                    ham.add((row["ptr"], row["client_ip"]))
                elif row["ptr"] and corpus == "csdmc2010":
                    spam.add((row["ptr"], row["client_ip"]))
    assert len(spam) > 200
    assert len(ham) > 100
    assert _auc([rank[ptr_class(*one)] for one in spam], [rank[ptr_class(*one)] for one in ham]) >= 0.91
