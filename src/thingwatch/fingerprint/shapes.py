"""The form of a string without what is random in it: ``<4f2a.11$b@host>`` becomes ``<x.x$x@x>``.

Two grades. The *coarse* shape folds every run of letters and digits into one sign, so that a generator
whose random parts vary in length keeps one shape. The *fine* shape keeps the length of each run, which
tells generators apart that use the same signs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit

from thingwatch.fingerprint.hashing import U64, mix, packed

MAX_SHAPE = 200  # bytes of a string that count; a Message-ID has 30 to 80

_RUN = np.zeros(256, dtype=np.uint8)
for _c in range(256):
    if (chr(_c).isascii() and chr(_c).isalnum()) or _c >= 0x80:
        _RUN[_c] = 1
_BLANK = np.zeros(256, dtype=np.uint8)
_BLANK[[9, 10, 13, 32]] = 1
_X = np.uint64(ord("x"))
_START = np.uint64(0x5AFE)


@njit(cache=True, nogil=True)
def _shapes(data: Any, ends: Any, fine: bool, out: Any) -> None:
    start = 0
    for i in range(ends.shape[0]):
        stop = min(ends[i], start + MAX_SHAPE)
        h = _START
        j = start
        while j < stop:
            c = data[j]
            if _RUN[c]:
                first = j
                while j < stop and _RUN[data[j]]:
                    j += 1
                h = mix(h, _X)
                if fine:
                    h = mix(h, np.uint64(j - first))
                continue
            if _BLANK[c]:
                while j < stop and _BLANK[data[j]]:
                    j += 1
                h = mix(h, np.uint64(32))
                continue
            h = mix(h, np.uint64(c))
            j += 1
        out[i] = h if stop > start else np.uint64(0)
        start = ends[i]


def shape_hashes(pieces: Sequence[bytes], fine: bool = False) -> U64:
    """A hash of the shape of each of *pieces*; 0 for an empty one."""
    data, ends = packed(pieces)
    out = np.empty(len(pieces), dtype=np.uint64)
    _shapes(data, ends, fine, out)
    return out


def readable_shape(piece: bytes, fine: bool = False) -> str:
    """The shape that ``shape_hashes`` hashes, for people."""
    out: list[str] = []
    run = 0
    for byte in [*piece[:MAX_SHAPE], 0]:
        if _RUN[byte]:
            run += 1
            continue
        if run:
            out.append(f"x{{{run}}}" if fine else "x")
            run = 0
        if byte == 0:
            continue
        if _BLANK[byte]:
            if out[-1:] != [" "]:
                out.append(" ")
        else:
            out.append(chr(byte) if 32 < byte < 127 else "?")
    return "".join(out)
