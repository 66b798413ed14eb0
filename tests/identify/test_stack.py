"""The kind of system behind a SYN, from raw signatures and from other programs' words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingwatch.identify.likelihood import items
from thingwatch.identify.stack import stack_of_muonfp, stack_of_syn, stack_of_text

# Signatures composed from what the kernels' sources and documents say of each system.
SYNS = {
    "4:118+10:0:1460:8192,8:mss,nop,ws,nop,nop,sok:df,id+:0": "windows",
    "4:128+0:0:1452:64240,8:mss,nop,ws,nop,nop,sok:df,id+:0": "windows",
    "4:113+15:0:1460:65535,0:mss,nop,nop,sok:df,id+:0": "windows",
    "4:57+7:0:1452:mss*4,2:mss,sok,ts,nop,ws:df,id+:0": "linux_small",
    "4:64+0:0:1460:5840,5:mss,sok,ts,nop,ws:df,id+:0": "linux_small",
    "4:64+0:0:1460:mss*20,6:mss,sok,ts,nop,ws:df,id+:0": "linux_middle",
    "4:49+15:0:1460:64240,7:mss,sok,ts,nop,ws:df,id+:0": "linux_large",
    "4:54+10:0:1380:65535,9:mss,sok,ts,nop,ws:df,id+:0": "linux_large",
    "6:52+12:0:1440:65535,6:mss,nop,ws,nop,nop,ts,sok,eol+1:df:0": "apple",
    "4:64-:0:1460:4096,0:mss:df:0": "other",
}


@pytest.mark.parametrize(("signature", "stack"), SYNS.items())
def test_a_raw_signature_tells_the_system(signature: str, stack: str) -> None:
    """Options and their order, initial TTL and window scale decide."""
    assert stack_of_syn(signature) == stack


def test_hops_are_counted_into_the_ttl() -> None:
    """Windows far away is still Windows, and its options over a Linux TTL are no Windows."""
    assert stack_of_syn("4:40+88:0:1460:8192,2:mss,nop,ws,nop,nop,sok:df:0") == "windows"
    assert stack_of_syn("4:60+4:0:1460:8192,2:mss,nop,ws,nop,nop,sok:df:0") == "other"


@pytest.mark.parametrize(
    "text", ["", "nonsense", "4:64", "4:a:0:1:2,3:mss:df:0", "a:b:c:d:e:f:g:h", "4:64+0:0:1460::mss:df:0"]
)
def test_what_is_no_signature_says_nothing(text: str) -> None:
    """Damaged lines give no system rather than a wrong one."""
    assert stack_of_syn(text) is None


@pytest.mark.parametrize(
    ("fingerprint", "stack"),
    [
        ("26847:2-4-8-1-3:1460:8", "linux_large"),
        ("5840:2-4-8-1-3:1452:2", "linux_small"),
        ("64240:2-1-3-1-1-4:1460:8", "windows"),
    ],
)
def test_muonfp_tells_the_same(fingerprint: str, stack: str) -> None:
    """MuonFP's numbers are read as the options they stand for; it says no TTL."""
    assert stack_of_muonfp(fingerprint) == stack


@pytest.mark.parametrize(
    ("text", "stack"),
    [
        ("Windows NT kernel", "windows"),
        ("Windows XP", "windows"),
        ("Linux 2.6.x", "linux_small"),
        ("Linux 2.2.x-3.x", "linux_middle"),  # p0f's word for any Linux since 2002
        ("Linux 3.11 and newer", "linux_middle"),
        ("Linux (Android)", "linux_large"),
        ("Mac OS X 10.x", "apple"),
        ("iOS iPhone or iPad", "apple"),
        ("FreeBSD 9.x", "other"),
        ("???", None),
        ("", None),
        ("Darwinian window", None),
    ],
)
def test_other_programs_words(text: str, stack: str | None) -> None:
    """A word without a window scale weighs little, unless it names an old kernel or another system."""
    assert stack_of_text(text) == stack


@given(st.text(max_size=300))
def test_any_text_is_read_without_error(text: str) -> None:
    """Whatever stands in a log gives a value of the table or nothing."""
    values = {*items()["tcp_syn"].values, None}
    assert {stack_of_syn(text), stack_of_muonfp(text), stack_of_text(text)} <= values
