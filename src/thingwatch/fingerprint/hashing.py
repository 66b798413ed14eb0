"""Hashes of our own arithmetic: equal on every machine and version, because fingerprints outlive both.

Python salts ``hash`` and no database promises its own; these are 64-bit multiply-and-xor mixes
(finaliser constants of SplitMix64, Steele et al., OOPSLA 2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

U64 = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31 = np.uint64(30), np.uint64(27), np.uint64(31)


@njit(cache=True, inline="always")
def mix(state: Any, value: Any) -> Any:
    """*state* with *value* folded in, both uint64."""
    x = (state + _GOLDEN) ^ value
    x = (x ^ (x >> _S30)) * _MIX_A
    x = (x ^ (x >> _S27)) * _MIX_B
    return x ^ (x >> _S31)


@njit(cache=True, nogil=True)
def _hash_spans(data: Any, ends: Any, out: Any) -> None:
    start = 0
    for i in range(ends.shape[0]):
        h = np.uint64(ends[i] - start)
        word = np.uint64(0)
        shift = 0
        for j in range(start, ends[i]):
            word |= np.uint64(data[j]) << np.uint64(shift)
            shift += 8
            if shift == 64:
                h = mix(h, word)
                word = np.uint64(0)
                shift = 0
        out[i] = mix(h, word)
        start = ends[i]


def packed(pieces: Sequence[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """*pieces* end to end, and where each ends: what the compiled loops read."""
    data = np.frombuffer(b"".join(pieces), dtype=np.uint8)
    ends = np.cumsum(np.fromiter(map(len, pieces), dtype=np.int64, count=len(pieces)))
    return data, ends


def hash_all(pieces: Sequence[bytes]) -> U64:
    """One 64-bit hash for each of *pieces*; equal bytes give equal hashes everywhere."""
    data, ends = packed(pieces)
    out = np.empty(len(pieces), dtype=np.uint64)
    _hash_spans(data, ends, out)
    return out
