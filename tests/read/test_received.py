"""Promises of the Received chain: who connected to the border, and whose word that is."""

from __future__ import annotations

import csv
import io
import lzma
import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingwatch.errors import SettingError
from thingwatch.model import RawMail
from thingwatch.read.authentication import read_authentication
from thingwatch.read.hop import canonical_address, is_inner_address, parse_hop, received_date
from thingwatch.read.message import read_message
from thingwatch.read.received import Border, find_crossing

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "mail"
AT = b"; Mon, 23 Dec 2013 08:00:00 +0000"


@pytest.mark.parametrize(
    ("line", "peer", "helo", "ptr"),
    [
        (b"from h.org (p.net [192.0.2.7]) by mx (Postfix)", "192.0.2.7", "h.org", "p.net"),
        (b"from h.org (unknown [192.0.2.7]) by mx (Postfix)", "192.0.2.7", "h.org", ""),
        (b"from h.org (unknown [192.0.2.7]:4711)\n\tby mx (Postfix)", "192.0.2.7", "h.org", ""),
        (b"from [198.51.100.9] (p.net [192.0.2.7]) by mx", "192.0.2.7", "198.51.100.9", "p.net"),
        (b"from h (p.net [IPv6:2001:DB8:0::7]) by mx", "2001:db8::7", "h", "p.net"),
        (b"from h (p.net [::ffff:192.0.2.7]) by mx", "192.0.2.7", "h", "p.net"),
        (b"from h (p.net [192.0.2.7] (may be forged)) by mx (8.14.1/8.14.1)", "192.0.2.7", "h", ""),
        (b"from h (IDENT:squid@[192.0.2.7]) by mx (8.11.6)", "192.0.2.7", "h", ""),
        (b"from h (p.net.\n        [192.0.2.7])\n        by mx.google.com", "192.0.2.7", "h", "p.net"),
        (b"from p.net ([192.0.2.7] helo=h) by mx with esmtp (Exim 4.9)", "192.0.2.7", "h", "p.net"),
        (b"from p.net ([192.0.2.7]) by mx with esmtp (Exim 4.9)", "192.0.2.7", "p.net", "p.net"),
        (b"from h ([192.0.2.7]) by mx with ESMTP", "192.0.2.7", "h", ""),
        (b"from [192.0.2.7] (helo=h) by mx with esmtp (Exim 4.9)", "192.0.2.7", "h", ""),
        (b"from [192.0.2.7] (port=99 helo=[198.51.100.9]) by mx (Exim 4.9)", "192.0.2.7", "198.51.100.9", ""),
        (b"from p.net (HELO h) (192.0.2.7) by mx with SMTP", "192.0.2.7", "h", "p.net"),
        (b"from unknown (HELO 198.51.100.9) (u@192.0.2.7) by mx with SMTP", "192.0.2.7", "198.51.100.9", ""),
        (b"from unknown (HELO [198.51.100.9]) (192.0.2.7) by mx", "192.0.2.7", "198.51.100.9", ""),
        (b"from p.net (HELO h) ([192.0.2.7]) by mx with ESMTP", "192.0.2.7", "h", "p.net"),
        (b'from p.net ([192.0.2.7]:501 "EHLO h" rhost-flags-OK) by mx with ESMTP', "192.0.2.7", "h", "p.net"),
        (
            b"from h.org (192.0.2.7) by x.outlook.com (10.1.1.1) with Microsoft SMTP Server",
            "192.0.2.7",
            "h.org",
            "",
        ),
        (b"from h [192.0.2.7] by mx with SMTP", "192.0.2.7", "h", ""),
        (b"from 192.0.2.7 (SquirrelMail authenticated user u) by web with HTTP", "192.0.2.7", "", ""),
        # A HELO that imitates the server's own note: the server's stands last.
        (b"from x (y [198.51.100.9]) (p.net [192.0.2.7])\n\tby mx (Postfix)", "192.0.2.7", "x", "p.net"),
        (b"from x by y (unknown [192.0.2.7])\n\tby mx (Postfix)", "192.0.2.7", "x", ""),
        (b"from x (y [198.51.100.9]) by z (p.net [192.0.2.7])\n\tby mx (Postfix)", "192.0.2.7", "x", "p.net"),
        # HELO alone is nobody's address.
        (b"from 198.51.100.9 by mx with SMTP", None, "198.51.100.9", ""),
        (b"from h (p.net [192.phishing@pot.2.7]) by mx", None, "h", ""),
    ],
)
def test_the_peer_is_what_the_server_noted(line: bytes, peer: str | None, helo: str, ptr: str) -> None:
    """Every widespread server's line gives the address it saw, never what HELO said."""
    hop = parse_hop(line + AT)
    assert (hop.peer, hop.helo, hop.ptr) == (peer, helo, ptr)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.256", None),
        ("192.0.2", None),
        ("010.0.0.1", None),
        ("dead", None),
        ("1:2", None),
    ],
)
def test_an_address_has_one_spelling(text: str, expected: str | None) -> None:
    """Addresses compare as text, and what is none is None."""
    assert canonical_address(text) == expected


def test_inner_addresses() -> None:
    """Private, loopback and carrier-shared ranges are inside; documentation ranges stand for the world."""
    inner = (
        "10.0.0.1",
        "172.16.0.1",
        "172.31.9.9",
        "192.168.1.1",
        "127.0.0.1",
        "100.64.0.1",
        "::1",
        "fd00::1",
    )
    outer = (
        "172.32.0.1",
        "100.128.0.1",
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.1",
        "2001:db8::1",
        "11.0.0.1",
    )
    assert all(map(is_inner_address, inner))
    assert not any(map(is_inner_address, outer))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"x; Mon, 23 Dec 2013 09:30:01 +0100 (CET)", datetime(2013, 12, 23, 8, 30, 1, tzinfo=UTC)),
        (b"x; 23 Dec 2013 08:30:01 -0000", datetime(2013, 12, 23, 8, 30, 1, tzinfo=UTC)),
        (b"x; Mon, 23 Dec 13 03:30:01 EST", datetime(2013, 12, 23, 8, 30, 1, tzinfo=UTC)),
        (b"x; Sun, 29 Feb 2004 23:59 -0230", datetime(2004, 3, 1, 2, 29, tzinfo=UTC)),
        (
            b"for 3 Jan 1999 00:00:00; Mon,\n 23 Dec\n 2013 08:30:01\n +0000",
            datetime(2013, 12, 23, 8, 30, 1, tzinfo=UTC),
        ),
    ],
)
def test_the_borders_date_is_read(line: bytes, expected: datetime) -> None:
    """The date after the last semicolon, with its zone, in microseconds UTC."""
    assert received_date(line) == int(expected.timestamp()) * 1_000_000


@pytest.mark.parametrize(
    "line", [b"x; 31 Feb 2013 00:00:00 +0000", b"x; 1 Jan 1950 00:00:00", b"x", b"x; 1 Foo 2013 00:00:00"]
)
def test_a_date_that_is_none_is_none(line: bytes) -> None:
    """Impossible days and dates before 1970 are not guessed at."""
    assert received_date(line) is None


OUTER = b"from bad.example (unknown [192.0.2.66])\n\tby mx1.corp.example (Postfix) with ESMTP id 1" + AT
FORGED = b"from victim.example (victim.example [203.0.113.5]) by bad.example with SMTP id 2" + AT


@pytest.mark.parametrize(
    "above",
    [
        [],
        [b"from localhost (localhost [127.0.0.1]) by mx1.corp.example (Postfix) with ESMTP id 3" + AT],
        [b"from mx1.corp.example ([10.1.2.3]) by store.corp.example with LMTP id 3" + AT],
        [b"by 2002:a59:d6ca:0:b0:3fe:f445:57e1 with SMTP id 4" + AT],
        [b"(qmail 11764 invoked from network); 22 Aug 2002 11:46:29 -0000"],
        [
            b"from mx1.corp.example (mx1.corp.example [198.51.100.1]) by store.corp.example (Postfix) id 5"
            + AT
        ],
    ],
)
def test_the_default_border_is_the_topmost_stranger(above: list[bytes]) -> None:
    """Our own hops, private or public, are passed over; the sender's lines below are never believed."""
    crossing = find_crossing([*above, OUTER, FORGED], Border())
    assert crossing.hop.peer == "192.0.2.66"
    assert crossing.line == len(above)


def test_a_helo_with_our_name_does_not_open_the_border() -> None:
    """A stranger who says HELO with our domain and forges the next line is still the stranger."""
    first = b"from a.corp.example (unknown [192.0.2.66]) by mx1.corp.example (Postfix) with ESMTP id 1" + AT
    forged = b"from victim (victim.example [203.0.113.5]) by a.corp.example (Postfix) with ESMTP id 2" + AT
    assert find_crossing([first, forged], Border()).hop.peer == "192.0.2.66"
    exchange = (
        b"from a.outlook.com (192.0.2.66) by X1.mail.protection.outlook.com (10.1.1.1)"
        b" with Microsoft SMTP Server id 1 via Frontend\n Transport" + AT
    )
    forged = b"from victim (203.0.113.5) by a.outlook.com (10.1.1.2) with Microsoft SMTP Server id 2" + AT
    assert find_crossing([exchange, forged], Border()).hop.peer == "192.0.2.66"


def test_a_customers_line_is_no_server_of_the_provider() -> None:
    """A bot on the provider's own consumer lines is outside, though it shares the provider's domain."""
    line = (
        b"from dsl-2-66.isp.example (dsl-2-66.isp.example [192.0.2.66]) by mx.isp.example (Postfix) id 1" + AT
    )
    forged = b"from x (victim.example [203.0.113.5]) by dsl-2-66.isp.example (Postfix) id 2" + AT
    assert find_crossing([line, forged], Border()).hop.peer == "192.0.2.66"


def test_an_unreadable_client_is_unknown_never_the_next_one() -> None:
    """Where the border's line cannot be read we say so, and do not believe the line below."""
    crossing = find_crossing([b"from h (p.net [192.x@y.2.7]) by mx.corp.example" + AT, FORGED], Border())
    assert crossing.hop.peer is None
    assert crossing.defects == ("peer-unreadable",)


LIST = [
    b"from lists.example (lists.example [198.51.100.1]) by mail.home.example (Postfix) id 1" + AT,
    b"from [127.0.0.1] (helo=l1.lists.example) by l1.lists.example with esmtp (Exim 4.9)" + AT,
    b"from [10.0.0.2] (helo=mx.lists.example) by l1.lists.example with esmtp (Exim 4.9)" + AT,
    b"from poster.example ([192.0.2.66]) by mx-2.lists.example with esmtp (Exim 4.9)" + AT,
    FORGED,
]


@pytest.mark.parametrize(
    ("border", "peer"),
    [
        ([], "198.51.100.1"),
        (["mx-2.lists.example"], "192.0.2.66"),
        (["lists.example"], "192.0.2.66"),
        (["198.51.100.0/24"], "192.0.2.66"),
        (["mail.home.example", "198.51.100.1"], None),
        (["elsewhere.example"], None),
    ],
)
def test_the_border_can_be_named(border: list[str], peer: str | None) -> None:
    """Behind a list server the border is told by name or network; one that is not there gives no address."""
    crossing = find_crossing(LIST, Border.of(border))
    assert crossing.hop.peer == peer
    assert ("border-not-found" in crossing.defects) == (peer is None)


@pytest.mark.parametrize("value", ["", "mx example", "203.0.113.0/99", "-/x", "a..b", "1.2.3"])
def test_a_border_that_is_neither_name_nor_network_is_refused(value: str) -> None:
    """The error names the value and the cure."""
    with pytest.raises(SettingError, match=re.escape(repr(value))):
        Border.of([value])


def test_mail_from_inside_has_its_inner_client() -> None:
    """A mail that never crossed the border is laid to the machine it came from."""
    lines = [
        b"from store (s.corp.example [10.0.0.2]) by a.corp.example" + AT,
        b"from pc ([10.0.0.77]) by s" + AT,
    ]
    assert find_crossing(lines, Border()).hop.peer == "10.0.0.77"


def test_authentication_ignores_what_the_sender_slips_in() -> None:
    """Results hidden in comments and quoted names are the sender's words."""
    value = (
        b'mx; spf=fail (x; dkim=pass) smtp.mailfrom="; dmarc=pass header.d=b.example"@bad.example; dkim=none'
    )
    assert read_authentication([value], [], []) == ("fail", "none", "", "")


def test_authentication_in_every_field() -> None:
    """Results come from one field or several, from Received-SPF, and from ARC where there is nothing else."""
    both = [
        b"mx; dmarc=pass header.from=a.example",
        b"mx; dkim=fail; dkim=pass header.d=A.example; spf=softfail",
    ]
    assert read_authentication(both, [b"pass (x)"], []) == ("softfail", "pass", "pass", "a.example")
    assert read_authentication([], [b"Pass (x) client-ip=192.0.2.1"], []) == ("pass", "", "", "")
    arc = b"i=1; mx.example; spf=pass smtp.mailfrom=u@b.example"
    assert read_authentication([], [], [arc]) == ("pass", "", "", "b.example")


@given(st.lists(st.one_of(st.binary(max_size=120), st.just(OUTER), st.just(FORGED)), max_size=5))
def test_no_chain_raises(lines: list[bytes]) -> None:
    """Random lines, alone or between good ones, give an address that is one, or none."""
    peer = find_crossing(lines, Border()).hop.peer
    assert peer is None or canonical_address(peer) == peer


@given(st.text(alphabet="from by([]).:;0123456789abHELO=@\n\t ", max_size=120))
def test_no_line_raises(text: str) -> None:
    """Lines made of the letters that matter give an address that is one, or none."""
    hop = parse_hop(b"from " + text.encode())
    assert hop.peer is None or canonical_address(hop.peer) == hop.peer


CHECKED_BY_OTHERS = re.compile(
    rb"^(?:X-Sender-IP|Received-SPF|Authentication-Results):[^\n]*\n(?:[ \t][^\n]*\n)*", re.M | re.I
)


def members(corpus: str) -> Iterator[tuple[str, bytes]]:
    """The mails of a corpus, with their names."""
    path = DATA / f"{corpus}.tar.xz"
    if not path.exists():
        pytest.skip(f"{corpus} is not beside this repository")
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(path.read_bytes()))) as archive:
        for member in archive:
            stream = archive.extractfile(member)
            if stream:
                yield member.name, stream.read()


def score(corpus: str, border: Border) -> tuple[Counter[str], list[str]]:
    """Compare with the address the border's own software wrote down elsewhere in the mail."""
    counts: Counter[str] = Counter()
    misses = []
    gold = {}
    if (DATA / f"{corpus}.csv").exists():
        with (DATA / f"{corpus}.csv").open(encoding="utf-8", newline="") as table:
            gold = {row["file"]: row["client_ip_gold"] for row in csv.DictReader(table)}
    for name, raw in members(corpus):
        expected = gold.get(name.partition("/")[2])
        if not expected:
            continue
        head, blank, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
        head = CHECKED_BY_OTHERS.sub(b"", head + b"\n")[:-1]
        found = read_message(RawMail(head + blank + body, name), border).client_ip
        outcome = "right" if found == expected else "none" if found is None else "wrong"
        counts[outcome] += 1
        if outcome != "right":
            misses.append(name)
    print(corpus, dict(counts), misses)
    return counts, misses


def test_the_client_is_found_in_real_phishing() -> None:
    """At least 99.9 % right on real mail behind a provider's own hops, and nothing wrong beyond that."""
    counts, misses = score("phishing_pot", Border())
    assert counts["right"] >= 0.999 * counts.total() > 0, misses


def test_the_client_is_found_behind_a_list_server() -> None:
    """With the list provider's servers as border, every poster's own server is found."""
    border = Border.of(["v28.lw.sourceforge.com", "v29.lw.sourceforge.com"])
    counts, misses = score("list_mjpeg_users", border)
    assert counts["right"] >= 0.999 * counts.total() > 0, misses
