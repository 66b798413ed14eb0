"""Bytes of UTF-8 text: which make words, which a reader does not see, and where a link begins and ends."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

SEPARATOR, LETTER, DIGIT, HIGH = 0, 1, 2, 3
CLASS = np.zeros(256, dtype=np.uint8)
CLASS[ord("a") : ord("z") + 1] = LETTER
CLASS[ord("A") : ord("Z") + 1] = LETTER
CLASS[ord("0") : ord("9") + 1] = DIGIT
CLASS[0x80:] = HIGH
LOWER = np.arange(256, dtype=np.uint8)
LOWER[ord("A") : ord("Z") + 1] += 32


@njit(cache=True, inline="always")
def starts(data: Any, at: int, end: int, word: Any) -> bool:
    """Whether lower-case *word* stands at *at*, whatever its case there."""
    if at + word.shape[0] > end:
        return False
    for k in range(word.shape[0]):
        if LOWER[data[at + k]] != word[k]:
            return False
    return True


HTTP = np.frombuffer(b"http", dtype=np.uint8)
WWW = np.frombuffer(b"www.", dtype=np.uint8)


@njit(cache=True, inline="always")
def unseen(code: Any) -> Any:
    """Whether a character is drawn as nothing, wherever it stands: what parts words only for programs."""
    return (
        code == 0xAD  # soft hyphen
        or code == 0x34F  # combining grapheme joiner
        or code == 0x61C  # Arabic mark of direction
        or code == 0x180E
        or 0x200B <= code <= 0x200F  # zero width, marks of direction
        or 0x202A <= code <= 0x202E  # embeddings and overrides of direction
        or 0x2060 <= code <= 0x206F  # word joiner, invisible operators, isolates
        or 0xFE00 <= code <= 0xFE0F  # variation selectors
        or code == 0xFEFF
        or 0xE0000 <= code <= 0xE01EF  # tags, more variation selectors
    )


@njit(cache=True, inline="always")
def unseen_bytes(data: Any, at: int, end: int) -> int:
    """How many bytes the unseen character at *at* takes in UTF-8; 0 where another one stands."""
    c = data[at]
    if c == 0xC2 or c == 0xCD or c == 0xD8:
        if at + 1 < end and unseen((np.int64(c & 31) << 6) | np.int64(data[at + 1] & 63)):
            return 2
    elif c == 0xE1 or c == 0xE2 or c == 0xEF:
        if at + 2 < end and unseen(
            (np.int64(c & 15) << 12) | (np.int64(data[at + 1] & 63) << 6) | np.int64(data[at + 2] & 63)
        ):
            return 3
    elif c == 0xF3:
        if at + 3 < end and data[at + 1] == 0xA0 and data[at + 2] <= 0x87:
            return 4
    return 0


@njit(cache=True, inline="always")
def alone_bytes(data: Any, at: int, end: int) -> int:
    """Bytes of the character at *at* where it is a word by itself; 0 where words are made of several."""
    c = data[at]
    # Written without blanks: U+3000 to U+D7FF (kana, Han, Hangul), Thai and Lao, Burmese, Khmer.
    if 0xE3 <= c <= 0xED:
        return 3 if at + 2 < end else 0
    if c == 0xE0:
        return 3 if at + 2 < end and 0xB8 <= data[at + 1] <= 0xBB else 0
    if c == 0xE1:
        second = data[at + 1] if at + 2 < end else 0
        return 3 if 0x80 <= second <= 0x82 or 0x9E <= second <= 0x9F else 0
    # Beyond the basic plane: emoji, styled letters. A sign thrown in between must not change the word beside it.
    return 4 if 0xF0 <= c <= 0xF4 and at + 3 < end else 0


@njit(cache=True)
def link_end(data: Any, at: int, end: int) -> int:
    """Where the link that begins at *at* ends: at white space, a quote or a bracket."""
    stop = min(end, at + 2048)
    i = at
    while i < stop:
        c = data[i]
        if c <= 32 or c == 34 or c == 39 or c == 60 or c == 62 or c == 96 or c == 124:
            break
        i += 1
    return i


@njit(cache=True)
def is_link(data: Any, at: int, end: int) -> bool:
    if LOWER[data[at]] != 104 or not starts(data, at, end, HTTP):
        return False
    i = at + 4
    if i < end and LOWER[data[i]] == 115:
        i += 1
    return i + 3 < end and data[i] == 58 and data[i + 1] == 47 and data[i + 2] == 47
