"""Promises of the piecing together: the mail comes out as a mailbox would hold it, within its bound."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from thingwatch.guard.milter.draft import MAX_FIELDS, MAX_FORGED, Draft

MEGABYTE = 1 << 20

# Bytes in which line ends of all sorts are common.
texts = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"\0", b"\xff", b"long text "]), max_size=40
).map(b"".join)
values = st.lists(st.sampled_from([b" ", b"a", b"\xe9", b"\n\t", b"\r\n ", b":"]), max_size=8).map(b"".join)
names = st.sampled_from([b"Subject", b"X-A", b"From", b"x-thing"])


@given(
    st.lists(st.tuples(names, values), max_size=6), texts, st.lists(st.integers(1, 60)), st.integers(1, 300)
)
def test_a_mail_is_the_same_however_it_is_cut(
    header: list[tuple[bytes, bytes]], body: bytes, cuts: list[int], max_bytes: int
) -> None:
    """CRLF becomes LF wherever chunks end, nothing else changes, and the bound cuts the end off."""
    whole = b"".join(b"%b:%b\n" % (name, value.replace(b"\r\n", b"\n")) for name, value in header)
    whole += b"\n" + body.replace(b"\r\n", b"\n")
    draft = Draft(max_bytes)
    for name, value in header:
        draft.add_field(name, value)
    places = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    for start, end in pairwise(places):
        draft.add_chunk(body[start:end])
    assert draft.finish() == whole[:max_bytes]
    assert draft.truncated == (len(whole) > max_bytes)
    assert draft.forged == 0


def test_fields_beyond_the_bound_cut_the_mail() -> None:
    """A header without end is read to its bound, and said to be cut."""
    draft = Draft(MEGABYTE)
    for number in range(MAX_FIELDS + 5):
        draft.add_field(b"X%d" % number, b" v")
    draft.add_chunk(b"body")
    assert draft.finish().count(b"\n") == MAX_FIELDS
    assert draft.truncated


def test_our_own_names_are_the_sender_s_forgery() -> None:
    """Fields that would be taken for ours are left out, and listed so that places hold while they are taken out."""
    draft = Draft(MEGABYTE)
    for name in (b"X-Thingwatch-Verdict", b"Subject", b"x-THINGWATCH-verdict", b"X-Thingwatch-Reason"):
        draft.add_field(name, b" clean")
    assert draft.finish() == b"Subject: clean\n\n"
    assert draft.forged == 3
    assert draft.own_fields() == [
        (b"x-thingwatch-verdict", 2),
        (b"x-thingwatch-verdict", 1),
        (b"x-thingwatch-reason", 1),
    ]


def test_names_like_ours_are_left_alone() -> None:
    """Only our prefix is ours, and no field of ours has a name so long."""
    draft = Draft(MEGABYTE)
    draft.add_field(b"X-Thingwatchful", b" a")
    draft.add_field(b"X-Thingwatch-" + b"x" * 80, b" b")
    assert draft.forged == 0
    assert draft.finish().startswith(b"X-Thingwatchful: a\nX-Thingwatch-xx")


def test_forgeries_without_end_are_counted_and_not_listed() -> None:
    """The server walks its header for each we take out; whoever decides is told that there were more."""
    draft = Draft(MEGABYTE)
    for number in range(3 * MAX_FORGED):
        draft.add_field(b"X-Thingwatch-%d" % number, b" clean")
    assert draft.forged == 3 * MAX_FORGED
    assert len(draft.own_fields()) == MAX_FORGED


def test_a_mail_costs_little_more_than_itself() -> None:
    """Two-byte chunks, or names of our own, take no more than twice the bound."""
    chunks = [b"%02d" % number for number in range(100)]
    names = [b"X-Thingwatch-%d" % number + b"x" * 50 for number in range(30 * MAX_FORGED)]
    tracemalloc.start()
    try:
        draft = Draft(MEGABYTE)
        for name in names:
            draft.add_field(name, b" v")
        for _ in range(MEGABYTE // 100):
            for chunk in chunks:
                draft.add_chunk(chunk)
        raw = draft.finish()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(raw) == MEGABYTE
    assert draft.truncated
    assert peak <= 2 * MEGABYTE
