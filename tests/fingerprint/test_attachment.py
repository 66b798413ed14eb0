"""Equal files, nearly equal files, and the form of an image."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingwatch.fingerprint.attachment import MAX_ATTACHMENTS, MIN_BYTES, SAMPLES, form_of, sampled, telling
from thingwatch.model import Attachment, Message


def attachment(content: bytes, media_type: str = "image/png") -> Attachment:
    return Attachment(media_type, "a.bin", content, len(content))


def noise(size: int, seed: int) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def near(content: bytes) -> set[int]:
    return set(sampled([content])[1][0].tolist()) - {0}


def test_equal_files() -> None:
    """Equal bytes are equal, one changed byte is not."""
    content = noise(5000, 1)
    exact, _ = sampled([content, content, content[:-1] + b"x", content[1:]])
    assert exact[0] == exact[1]
    assert len(set(exact.tolist())) == 3


def test_nearly_equal_files_share_parts() -> None:
    """Bytes added at the front and the end, as builders of malware do, leave most parts."""
    content = noise(20_000, 2)
    base = near(content)
    assert len(base) == SAMPLES
    for front, back in ((7, 0), (0, 333), (100, 100)):
        assert len(base & near(noise(front, 3) + content + noise(back, 4))) >= SAMPLES - 2
    assert not base & near(noise(20_000, 5))


def test_a_small_file_has_no_parts_and_does_not_raise() -> None:
    """A file shorter than a sample gives its whole only."""
    exact, parts = sampled([b"", b"x", noise(60, 1)])
    assert exact.shape == (3,)
    assert not parts[:2].any()


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 600, 400), b"image/png 600x400"),
        (b"GIF89a" + struct.pack("<HH", 80, 15), b"image/png 80x15"),
        (b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x11\x08" + struct.pack(">HH", 30, 40), b"image/png 40x30"),
        (b"\xff\xd8" + b"\xff\xe0\0\x02" * 100, b"image/png "),
        (b"\xff\xd8\xff\xc0", b"image/png "),
        (b"\xff\xd8\xff\xe0\0\0" * 70, b"image/png "),
        (b"\x89PNG\r\n\x1a\n", b"image/png "),
        (b"", b"image/png "),
    ],
)
def test_form_of_images(content: bytes, form: bytes) -> None:
    """Kind and dimensions are read from the head of the file; a damaged head gives the kind alone."""
    assert form_of(attachment(content)) == form


def test_what_tells_nothing_is_left_out() -> None:
    """Tiny parts and signatures are nobody's trait, and only the first few attachments count."""
    whole = attachment(noise(MIN_BYTES, 1))
    message = Message(
        place="",
        attachments=(
            attachment(b"x"), attachment(noise(900, 1), "application/pkcs7-signature"), *[whole] * 10
        ),
    )  # fmt: skip
    assert 0 < len(telling(message)) <= MAX_ATTACHMENTS
    assert all(a is whole for a in telling(message))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=500), max_size=5))
def test_any_bytes_alone_or_together(contents: list[bytes]) -> None:
    """No bytes raise, and a file's hashes do not depend on its neighbours."""
    exact, parts = sampled(contents)
    for i, content in enumerate(contents):
        one, few = sampled([content])
        assert one[0] == exact[i]
        assert (few[0] == parts[i]).all()
        assert form_of(attachment(content))
