"""What is attached: equal files, nearly equal files, and the form of an image.

A near-duplicate hash is made of samples whose places the content itself chooses (content-defined sampling,
as in LBFS, Muthitacharoen et al., SOSP 2001): bytes added at the front or the end move nothing else. An image
re-encoded per mail shares no bytes; its kind and dimensions remain, a weak key that needs company.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit

from thingwatch.fingerprint.hashing import U64, mix, packed
from thingwatch.model import Attachment, Message

SAMPLES = 6  # sample keys kept of one attachment
MAX_ATTACHMENTS = 4  # attachments of one mail that become keys
MIN_BYTES = 64  # below this files agree by chance
_WINDOW = 16  # bytes that choose a place
_SAMPLE = 48  # bytes hashed there
_EVERY = np.uint64(127)  # one place in 128
_START = np.uint64(0xA77)


@njit(cache=True, nogil=True)
def _sample(data: Any, ends: Any, exact: Any, near: Any) -> None:
    pool = np.empty(4096, dtype=np.uint64)
    start = 0
    for i in range(ends.shape[0]):
        end = ends[i]
        h = np.uint64(end - start)
        word = np.uint64(0)
        for j in range(start, end):
            word = (word << np.uint64(8)) | np.uint64(data[j])
            if (j - start) & 7 == 7:
                h = mix(h, word)
        exact[i] = mix(h, word)
        n = 0
        rolling = np.uint64(0)
        j = start
        while j < end and n < pool.shape[0]:
            # A shift of four bits a byte forgets all but the last sixteen bytes: a rolling window for free.
            rolling = (rolling << np.uint64(4)) + np.uint64(data[j]) * np.uint64(0x9E3779B97F4A7C15)
            j += 1
            if j - start >= _WINDOW and (rolling >> np.uint64(40)) & _EVERY == 0 and j + _SAMPLE <= end:
                h = _START
                for k in range(j, j + _SAMPLE):
                    h = mix(h, np.uint64(data[k]))
                pool[n] = h
                n += 1
        kept = 0
        ordered = np.sort(pool[:n])
        for k in range(n):
            if k > 0 and ordered[k] == ordered[k - 1]:
                continue
            near[i, kept] = ordered[k]
            kept += 1
            if kept == near.shape[1]:
                break
        start = end


def telling(message: Message) -> list[Attachment]:
    """The attachments of *message* that can tell whom it belongs to: not empty parts, not signatures."""
    return [
        a
        for a in message.attachments[:MAX_ATTACHMENTS]
        if len(a.content) >= MIN_BYTES and "signature" not in a.media_type
    ]


def sampled(contents: Sequence[bytes]) -> tuple[U64, U64]:
    """For each of *contents* a hash of the whole, and up to ``SAMPLES`` hashes of parts (0: none)."""
    data, ends = packed(contents)
    exact = np.zeros(len(contents), dtype=np.uint64)
    near = np.zeros((len(contents), SAMPLES), dtype=np.uint64)
    _sample(data, ends, exact, near)
    return exact, near


def form_of(attachment: Attachment) -> bytes:
    """Kind and, for PNG, GIF and JPEG, the dimensions of *attachment*: ``image/png 600x400``."""
    data = attachment.content
    size = b""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        size = b"%dx%d" % struct.unpack(">II", data[16:24])
    elif data[:4] == b"GIF8" and len(data) >= 10:
        size = b"%dx%d" % struct.unpack("<HH", data[6:10])
    elif data[:2] == b"\xff\xd8":
        size = _jpeg_size(data)
    return attachment.media_type.encode("ascii", "replace") + b" " + size


def _jpeg_size(data: bytes) -> bytes:
    """Width and height from the first frame header of a JPEG (ITU-T T.81, B.2.2); empty when none is near."""
    at = 2
    for _ in range(64):  # segments before the frame: real files have 2 to 20
        if at + 9 > len(data) or data[at] != 0xFF:
            return b""
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return b"%dx%d" % (width, height)
        at += 2 + length
    return b""
