"""HTML as the text a reader sees, with the links in it and the skeleton of its elements."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from thingwatch.fingerprint.characters import CLASS, DIGIT, LETTER, LOWER, is_link, link_end, unseen
from thingwatch.fingerprint.hashing import mix

MAX_LINKS = 32  # links noted of one mail; what follows repeats
_START = np.uint64(0x5EED)
_SHIFT5, _SHIFT59 = np.uint64(5), np.uint64(59)

# Elements that end a line for the reader; the words left and right of any other element join.
_BLOCK_NAMES = (
    b"br p div td th tr li ul ol table tbody h1 h2 h3 h4 h5 h6 hr title center blockquote pre section "
    b"article header footer body option dt dd"
).split()


@njit(cache=True, inline="always")
def _tag_mix(h: Any, byte: Any) -> Any:
    return ((h << _SHIFT5) | (h >> _SHIFT59)) ^ np.uint64(byte)


def _tag_hash(name: bytes) -> int:
    h = 0
    for byte in name:
        h = (((h << 5) | (h >> 59)) & 0xFFFFFFFFFFFFFFFF) ^ byte
    return h


_BLOCKS = np.array([_tag_hash(name) for name in _BLOCK_NAMES], dtype=np.uint64)
_SCRIPT, _STYLE, _TITLE = (np.uint64(_tag_hash(name)) for name in (b"script", b"style", b"title"))
_SHY, _ZWJ, _ZWNJ, _LRM, _RLM = (
    np.uint64(_tag_hash(name)) for name in (b"shy", b"zwj", b"zwnj", b"lrm", b"rlm")
)
_HEX = np.full(256, 255, dtype=np.uint8)
for _i, _c in enumerate(b"0123456789abcdef"):
    _HEX[_c] = _i
for _i, _c in enumerate(b"ABCDEF"):
    _HEX[_c] = 10 + _i


@njit(cache=True)
def _put_entity(data: Any, at: int, end: int, out: Any, n: int) -> tuple[int, int]:
    """Decode the character reference at *at*; gives the next input place and the output length."""
    i = at + 1
    if i < end and data[i] == 35:  # '#'
        i += 1
        base = 10
        if i < end and LOWER[data[i]] == 120:
            base = 16
            i += 1
        code = 0
        first = i
        while i < end and i - first < 8:
            digit = _HEX[data[i]]
            if digit >= base:
                break
            code = code * base + digit
            i += 1
        if i == first:
            out[n] = 38
            return at + 1, n + 1
        if i < end and data[i] == 59:
            i += 1
        if code < 128:
            out[n] = code if code >= 32 else 32
            return i, n + 1
        if code > 0x10FFFF or unseen(code):
            return i, n
        if code == 0xA0:
            out[n] = 32
            return i, n + 1
        if code < 0x800:
            out[n] = 0xC0 | (code >> 6)
            out[n + 1] = 0x80 | (code & 63)
            return i, n + 2
        if code < 0x10000:
            out[n] = 0xE0 | (code >> 12)
            out[n + 1] = 0x80 | ((code >> 6) & 63)
            out[n + 2] = 0x80 | (code & 63)
            return i, n + 3
        out[n] = 0xF0 | (code >> 18)
        out[n + 1] = 0x80 | ((code >> 12) & 63)
        out[n + 2] = 0x80 | ((code >> 6) & 63)
        out[n + 3] = 0x80 | (code & 63)
        return i, n + 4
    first = i
    name = np.uint64(0)
    while i < end and i - first < 10 and CLASS[data[i]] == LETTER:
        name = _tag_mix(name, data[i])
        i += 1
    if i < end and data[i] == 59 and i > first:
        if name == _SHY or name == _ZWJ or name == _ZWNJ or name == _LRM or name == _RLM:
            return i + 1, n
        # The other named ones matter little; any of them parts words as a blank does.
        out[n] = 38 if LOWER[data[first]] == 97 and i - first == 3 else 32
        return i + 1, n + 1
    out[n] = 38
    return at + 1, n + 1


@njit(cache=True)
def visible(data: Any, start: int, end: int, out: Any, links: Any, n_links: int) -> tuple[int, int, Any, int]:
    """HTML from *start* to *end* as the text a reader sees, into *out*.

    Gives the length of it, the number of links noted (spans in *data*), a hash of the skeleton of
    elements, and how many elements there were. An unclosed element is read to its end, as browsers do:
    where comments, quoted values and silent elements end is theirs to say (WHATWG HTML, 13.2.5), for what we
    overlook and they show is where a lure would stand.

    *out* needs no more room than the input takes: no reference is shorter than what it stands for.
    """
    n = 0
    skeleton = _START
    elements = 0
    silent = np.uint64(0)
    i = start
    while i < end:
        c = data[i]
        if silent != 0:
            # Only its own end tag ends a script; "a < b" in it is no element, "<!--" no comment.
            i += 1
            if c == 60 and i < end and data[i] == 47:
                j = i + 1
                name = np.uint64(0)
                while j < end and j - i <= 16 and (CLASS[data[j]] == LETTER or CLASS[data[j]] == DIGIT):
                    name = _tag_mix(name, LOWER[data[j]])
                    j += 1
                if name == silent:
                    silent = np.uint64(0)
                    while j < end and data[j] != 62:
                        j += 1
                    i = j + 1
            continue
        if c == 60:  # '<'
            if i + 3 < end and data[i + 1] == 33 and data[i + 2] == 45 and data[i + 3] == 45:
                i += 4
                while i < end and not (
                    data[i] == 62
                    and (
                        (data[i - 1] == 45 and data[i - 2] == 45)
                        or (data[i - 1] == 33 and data[i - 2] == 45 and data[i - 3] == 45)
                    )
                ):
                    i += 1
                i += 1
                continue
            j = i + 1
            closing = j < end and data[j] == 47
            if closing:
                j += 1
            name = np.uint64(0)
            first = j
            while (
                j < end
                and j - first < 16
                and (CLASS[data[j]] == LETTER or (CLASS[data[j]] == DIGIT and j > first))
            ):
                name = _tag_mix(name, LOWER[data[j]])
                j += 1
            declaration = first < end and (data[first] == 33 or data[first] == 63)
            if j == first and not closing and not declaration:
                out[n] = 60
                n += 1
                i += 1
                continue
            quote = np.int64(62)  # what ends the scan at hand: the tag's own '>', or the quote of a value
            while j < end:
                c = data[j]
                if c == quote:
                    if c == 62:
                        break
                    quote = np.int64(62)
                elif c == 104 or c == 72:
                    if not declaration and n_links < MAX_LINKS and is_link(data, j, end):
                        stop = link_end(data, j, end)
                        links[n_links, 0] = j
                        links[n_links, 1] = stop
                        n_links += 1
                        j = stop
                        continue
                elif (c == 34 or c == 39) and quote == 62 and not declaration:
                    k = j - 1
                    while k > first and data[k] <= 32:
                        k -= 1
                    if data[k] == 61 and k > first:
                        quote = np.int64(c)
                j += 1
            i = j + 1
            if declaration:
                continue
            if not closing and (name == _SCRIPT or name == _STYLE or name == _TITLE):
                silent = name
            block = False
            for k in range(_BLOCKS.shape[0]):
                if _BLOCKS[k] == name:
                    block = True
                    break
            if block:
                out[n] = 10
                n += 1
            if not closing and elements < 400:
                skeleton = mix(skeleton, name)
                elements += 1
            continue
        if c == 38:  # '&'
            i, n = _put_entity(data, i, end, out, n)
            continue
        if (c == 104 or c == 72) and n_links < MAX_LINKS and is_link(data, i, end):
            stop = link_end(data, i, end)
            links[n_links, 0] = i
            links[n_links, 1] = stop
            n_links += 1
            while i < stop:
                out[n] = data[i]
                n += 1
                i += 1
            continue
        # A line end inside a paragraph is a blank to the reader.
        out[n] = 32 if c == 10 or c == 13 else c
        n += 1
        i += 1
    return n, n_links, skeleton, elements
