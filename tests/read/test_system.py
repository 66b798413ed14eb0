"""What the border's TCP fingerprint said of the client, from the part of the mail only the border writes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingwatch.model import RawMail
from thingwatch.read import Border, read_message
from thingwatch.read.system import MAX_FIELD_BYTES, MAX_SYSTEM_CHARS, system_of

HARAKA = 'X-Haraka-p0f: os="Windows 7 or 8" link_type="DSL" distance=14 total_conn=1 shared_ip=N'
AMAVIS = "X-Amavis-OS-Fingerprint: Linux 2.6.x (up: 120 hrs), (distance 9, link: DSL)"
RSPAMD = (
    "X-Spamd-Result: default: False [4.20 / 15.00];\n\tRBL_SPAMHAUS(2.00)[192.0.2.7:from];"
    "\n\tP0F(0.00)[Windows NT kernel,\n\t link=DSL, distance=14];\n\tTO_DN_NONE(0.00)[]"
)
BORDER_LINE = (
    "Received: from home-pc (dsl-7.isp.example [192.0.2.7])\n\tby mx.border.example (Postfix) with ESMTP id 4F2A11"
    "\n\tfor <anna@border.example>; Thu, 2 Jan 2014 08:00:00 +0000"
)
OWN = "From: a@x.example\nTo: anna@border.example\nSubject: s\n\ntext\n"
BORDERS = [Border.of([]), Border.of(["mx.border.example"])]


def system(head: str, border: Border) -> str:
    return read_message(RawMail((head + "\n" + OWN).encode(), "a"), border).system


@pytest.mark.parametrize("border", BORDERS, ids=["found", "named"])
@pytest.mark.parametrize(
    ("field", "named"),
    [
        (HARAKA, "Windows 7 or 8"),
        (HARAKA.replace("X-Haraka-p0f", "x-haraka-P0F"), "Windows 7 or 8"),
        (AMAVIS, "Linux 2.6.x"),
        (
            "X-Amavis-OS-Fingerprint: Windows XP/2000 SP3, (distance 20, link: pppoe (DSL))",
            "Windows XP/2000 SP3",
        ),
        (
            "X-Amavis-OS-Fingerprint: FreeBSD 8.x (1) (up: 1390 hrs), (distance 17, link: unknown)",
            "FreeBSD 8.x (1)",
        ),
        ("X-Amavis-OS-Fingerprint: Linux 3.x", "Linux 3.x"),
        (RSPAMD, "Windows NT kernel"),
        (
            "X-Spamd-Result: default: False [0.00 / 15.00]; P0F(0.00)[Linux 3.11 and newer]",
            "Linux 3.11 and newer",
        ),
    ],
)
def test_the_borders_word_is_read(field: str, named: str, border: Border) -> None:
    """Each of the three programs' fields above the border's Received line names the client's system."""
    assert system(f"{field}\n{BORDER_LINE}", border) == named


@pytest.mark.parametrize("border", BORDERS, ids=["found", "named"])
@pytest.mark.parametrize("field", [HARAKA, AMAVIS, RSPAMD], ids=["haraka", "amavis", "rspamd"])
def test_what_stands_below_is_anybodys(field: str, border: Border) -> None:
    """The same field below the border's line was there when the mail came, and says nothing: neither alone, nor with a
    forged Received line under it, nor beside the border's own."""
    assert system(f"{BORDER_LINE}\n{field}", border) == ""
    assert system(f"Return-Path: <a@x.example>\n{BORDER_LINE}\n{field}", border) == ""
    forged = "Received: from a (b.example [203.0.113.5]) by relay.far.example; Thu, 2 Jan 2014 07:59:00 +0000"
    assert system(f"{BORDER_LINE}\n{field}\n{forged}", border) == ""
    ours = 'X-Haraka-p0f: os="Mac OS X 10.x"'
    assert system(f"{ours}\n{BORDER_LINE}\n{field}", border) == "Mac OS X 10.x"


@pytest.mark.parametrize("field", [HARAKA, AMAVIS, RSPAMD], ids=["haraka", "amavis", "rspamd"])
def test_without_a_border_line_nobody_wrote_it(field: str) -> None:
    """A mail that shows no line of ours has no part that is ours."""
    assert system(field, BORDERS[0]) == ""


@pytest.mark.parametrize("border", BORDERS, ids=["found", "named"])
def test_a_relay_inside_adds_its_line_above(border: Border) -> None:
    """Between the border and the mailbox more lines are written; the field among them is still ours."""
    inside = (
        "Received: from mx.border.example (localhost [127.0.0.1])\n\tby mx.border.example (Postfix) with ESMTP"
        " id 1; Thu, 2 Jan 2014 08:00:02 +0000"
    )
    assert system(f"{inside}\n{AMAVIS}\n{BORDER_LINE}", border) == "Linux 2.6.x"


@pytest.mark.parametrize(
    "field",
    [
        (b"x-haraka-p0f", b'link_type="DSL" distance=14'),
        (b"x-haraka-p0f", b'os=""'),
        (b"x-haraka-p0f", b'os="???" distance=3'),
        (b"x-haraka-p0f", b'kudos="Windows"'),
        (b"x-amavis-os-fingerprint", b" (up: 3 hrs)"),
        (b"x-amavis-os-fingerprint", b""),
        (b"x-spamd-result", b"default: False [1 / 15]; P0F_FAIL(0.00)[Windows]"),
        (b"x-spamd-result", b"default: False [1 / 15]; P0F(0.00)[]"),
        (b"x-spamd-result", b"MY_P0F(0.00)[Windows]"),
        (b"subject", b'os="Windows"'),
        (b"x-spam-status", b"P0F(0.00)[Windows]"),
    ],
)
def test_fields_that_name_no_system(field: tuple[bytes, bytes]) -> None:
    """An unknown system, an empty field and a look-alike name none."""
    assert system_of([field]) == ""


def test_the_first_field_that_names_one_counts() -> None:
    """Servers write on top: the topmost named system is the last word, and an empty one above it is passed over."""
    fields = [
        (b"x-haraka-p0f", b'os="???"'),
        (b"x-amavis-os-fingerprint", b"Linux 2.6.x"),
        (b"x-haraka-p0f", b'os="B"'),
    ]
    assert system_of(fields) == "Linux 2.6.x"
    assert system_of([]) == ""


def test_long_fields_are_cut() -> None:
    """Only the stated bytes of a field are looked at, and what is kept is short, whatever fills the field."""
    assert system_of([(b"x-spamd-result", b"A(1)[x]; " * MAX_FIELD_BYTES + b"P0F(0)[Windows]")]) == ""
    assert len(system_of([(b"x-amavis-os-fingerprint", b"Linux " * 5000)])) <= MAX_SYSTEM_CHARS
    for name in (b"x-amavis-os-fingerprint", b"x-spamd-result", b"x-haraka-p0f"):
        for filler in (b" ", b"(", b"P0F(", b"P0F()[", b"\t,", b'os="'):
            assert len(system_of([(name, filler * MAX_FIELD_BYTES)])) <= MAX_SYSTEM_CHARS


NAMES = [b"x-haraka-p0f", b"x-p0f-os", b"x-amavis-os-fingerprint", b"x-spamd-result", b"x-spam-result"]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(NAMES),
    st.binary(max_size=200)
    | st.binary(max_size=60).map(lambda b: b'os="' + b + b'"')
    | st.binary(max_size=60).map(lambda b: b"P0F(0.00)[" + b + b"]"),
)
def test_no_field_raises(name: bytes, value: bytes) -> None:
    """Any bytes give a text of one line, within its bound."""
    found = system_of([(name, value)])
    assert len(found) <= MAX_SYSTEM_CHARS
    assert len(found.splitlines()) <= 1
