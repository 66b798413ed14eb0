"""The form of a string without what is random in it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from thingwatch.fingerprint.shapes import MAX_SHAPE, readable_shape, shape_hashes


def shape(piece: bytes, fine: bool = False) -> int:
    return int(shape_hashes([piece], fine)[0])


def test_coarse_shapes_fold_random_parts() -> None:
    """Runs of letters and digits are one sign whatever their length; punctuation is the generator's own."""
    assert shape(b"<4f2a.11$b@host>") == shape(b"<zz.9$12345@other>")
    assert shape(b"<4f2a.11@host>") != shape(b"<4f2a-11@host>")
    assert shape(b"a \t b") == shape(b"c d")


def test_fine_shapes_keep_lengths() -> None:
    """Two generators of the same signs are told apart by how long their parts are."""
    assert shape(b"ab.cd", fine=True) == shape(b"xy.12", fine=True)
    assert shape(b"ab.cd", fine=True) != shape(b"abc.d", fine=True)


def test_nothing_is_no_shape() -> None:
    """An empty string has the hash that means "none"."""
    assert shape(b"") == 0
    assert shape(b"x") != 0


def test_shapes_are_readable() -> None:
    """The shape people are shown is the shape that is hashed."""
    assert readable_shape(b"<4f2a.11$b@host>") == "<x.x$x@x>"
    assert readable_shape(b"ab.cde", fine=True) == "x{2}.x{3}"
    assert readable_shape(b"x" * (MAX_SHAPE + 50), fine=True) == f"x{{{MAX_SHAPE}}}"


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=6), st.booleans())
def test_any_bytes_have_a_shape_of_their_own(pieces: list[bytes], fine: bool) -> None:
    """No bytes raise, and a shape is the same in any company."""
    together = shape_hashes(pieces, fine).tolist()
    assert together == [shape(piece, fine) for piece in pieces]
    for piece in pieces:
        assert readable_shape(piece, fine).isprintable()


@given(st.text("ab.<>@ -", max_size=20), st.text("ab.<>@ -", max_size=20))
def test_equal_to_read_is_equal_hashed(one: str, other: str) -> None:
    """Two strings have one shape exactly when their shapes read alike."""
    a, b = one.encode(), other.encode()
    assert (readable_shape(a) == readable_shape(b)) == (shape(a) == shape(b))
