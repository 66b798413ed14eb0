"""Where links lead, and by which rule they are written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingwatch.fingerprint.links import MAX_GRAMMARS, MAX_HOSTS, grammar, links_of, registered_domain


@pytest.mark.parametrize(
    ("raw", "host"),
    [
        (b"http://A.Example/x", "a.example"),
        (b"https://user:pw@b.example:8443/x", "b.example"),
        (b"http://c.example.", "c.example"),
        (b"www.d.example/x", "www.d.example"),
        (b"http://[2001:db8::1]/x", "[2001:db8::1]"),
        (b"http://203.0.113.9/x", "203.0.113.9"),
        (b"http://e.example).", "e.example"),
        (b"http://f.example,", "f.example"),
        (b"http://g&#46;example/x", "g.example"),
        (b"http://h.example\\@i.example/", "h.example"),
        ("http://bücher.example/".encode(), "bücher.example"),
    ],
)
def test_hosts(raw: bytes, host: str) -> None:
    """The host is the one a browser goes to, lower case, without the punctuation of the sentence around."""
    assert links_of([raw]).hosts == (host,)


def test_domains() -> None:
    """The registered domain is what somebody paid for; addresses and unknown names stand for themselves."""
    assert registered_domain("a.b.example.co.uk") == "example.co.uk"
    assert registered_domain("203.0.113.9") == "203.0.113.9"
    assert registered_domain("[2001:db8::1]") == "[2001:db8::1]"
    assert links_of([b"http://x.foo.com/", b"http://y.foo.com/"]).domains == ("foo.com",)


@pytest.mark.parametrize(
    ("one", "other", "rule"),
    [
        (b"/go/k3j9x/login.php?id=8841", b"/go/p77/login.php?id=2", b"/go/*/login.php?id=*"),
        (b"/xkqzvtr/pay", b"/bcdfghj/pay", b"/*/pay"),
        (b"/a?x=1&amp;y=2".replace(b"&amp;", b"&"), b"/a?x=zz&y=9", b"/a?x=*&y=*"),
        (b"/%41%42c/x", b"/%43/x", b"/*/x"),
    ],
)
def test_grammar_masks_what_is_random(one: bytes, other: bytes, rule: bytes) -> None:
    """Links drawn by one rule have one grammar, and it can be read."""
    assert grammar(one) == grammar(other) == rule


def test_a_bare_host_has_no_grammar() -> None:
    """A link to a front page says nothing about how links are written."""
    assert grammar(b"") == grammar(b"/") == b""
    assert links_of([b"http://a.example/", b"http://b.example?"]).grammars == ()


def test_words_stay() -> None:
    """Words a person could say are part of the rule, not of the chance."""
    assert grammar(b"/customer/login/verify.html") == b"/customer/login/verify.html"


def test_bounds() -> None:
    """A mail of many links gives a bounded number of hosts and grammars, the first ones."""
    found = links_of(
        [b"http://h%d.example/p%s/q" % (n, b"aeio"[n % 4 : n % 4 + 1] * (n + 1)) for n in range(40)]
    )
    assert found.hosts == tuple(f"h{n}.example" for n in range(MAX_HOSTS))
    assert len(found.grammars) == MAX_GRAMMARS


def test_furniture_is_no_place() -> None:
    """Names every HTML mail holds by its own rules lead nowhere."""
    assert links_of([b"http://www.w3.org/1999/xhtml"]).hosts == ()


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(st.binary(max_size=80), st.binary(max_size=60).map(lambda b: b"http://" + b)), max_size=8
    )
)
def test_no_bytes_raise(raw: list[bytes]) -> None:
    """Any bytes as links give bounded lists of text that can be stored."""
    found = links_of(raw)
    assert len(found.hosts) <= MAX_HOSTS
    for host in (*found.hosts, *found.domains):
        assert host.encode("utf-8")
    for rule in found.grammars:
        assert rule
