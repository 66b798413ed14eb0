"""What a mail says, as keys that survive what is random in it.

Text becomes words; names, numbers, addresses, links and the recipient's own words become placeholders
("blurred text"). Three things are kept of it:

- *shingles*: hashes of three blurred words in a row, of which the smallest ``SHINGLES`` are kept (bottom-k
  sampling, Broder 1997). Stray words spoil the shingles they touch and no others, and what they spoil is
  unique to one mail, so the likeness of two mails is later judged on the shingles that repeat.
- *lines*: hashes of whole blurred lines, for mails of one line.
- *exact*: one hash of all blurred words, for mails that are equal but for names and numbers.

Banded MinHash was the alternative: it needs a Jaccard likeness above one half to meet at all, and ten stray
words in a mail of sixty leave a quarter. Bottom-k keeps a dozen common shingles there.

Text is read up to ``TEXT_BYTES``; real lures repeat themselves long before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from thingwatch.fingerprint.characters import (
    CLASS,
    DIGIT,
    HIGH,
    LETTER,
    LOWER,
    SEPARATOR,
    WWW,
    alone_bytes,
    is_link,
    link_end,
    starts,
    unseen_bytes,
)
from thingwatch.fingerprint.hashing import U64, hash_all, mix, packed
from thingwatch.fingerprint.markup import MAX_LINKS, visible

SHINGLES = 20  # shingle keys kept of one mail
LINES = 4  # line keys kept of one mail
SHORT_WORDS = 24  # texts shorter than this are also cut into pairs of words
MAX_WORDS = 4096  # words read of one mail; the median lure has 90, a long newsletter 2,000
TEXT_BYTES = 64 << 10
OWN_WORDS = 6  # words of the recipient's own name masked in his mail
LONG_WORD = 28  # letters in a row that are no word of any language, but a token

_NUMBER, _TOKEN, _ADDRESS, _LINK, _OWN = (np.uint64(n) for n in (11, 12, 13, 14, 15))
_START = np.uint64(0x5EED)
_PAIR = np.uint64(0xFA12)
_LINE = np.uint64(0x11E5)
_EXACT = np.uint64(0xE8AC7)
_EMPTY = np.uint64(0)


@njit(cache=True)
def _words(
    text: Any,
    n: int,
    shift: int,
    note_links: bool,
    own: Any,
    words: Any,
    spans: Any,
    breaks: Any,
    links: Any,
    n_links: int,
) -> tuple[int, int, int]:
    """Cut *text* into blurred words.

    Gives the number of words, of line breaks (places in *words* where a line ends) and of links. Where each
    word stands goes into *spans*. Link spans are places in *text* plus *shift*.
    """
    n_words = 0
    n_breaks = 0
    i = 0
    while i < n and n_words < MAX_WORDS:
        c = text[i]
        kind = CLASS[c]
        if kind == SEPARATOR:
            if (c == 10 or c == 13) and n_words > 0 and n_breaks < MAX_WORDS:
                if n_breaks == 0 or breaks[n_breaks - 1] != n_words:
                    breaks[n_breaks] = n_words
                    n_breaks += 1
            i += 1
            continue
        if kind == LETTER and (c == 104 or c == 72) and is_link(text, i, n):
            stop = link_end(text, i, n)
            if note_links and n_links < MAX_LINKS:
                links[n_links, 0] = i + shift
                links[n_links, 1] = stop + shift
                n_links += 1
            words[n_words] = _LINK
            spans[n_words, 0] = i
            spans[n_words, 1] = stop
            n_words += 1
            i = stop
            continue
        if kind == LETTER and (c == 119 or c == 87) and starts(text, i, n, WWW):
            stop = link_end(text, i, n)
            if note_links and n_links < MAX_LINKS:
                links[n_links, 0] = i + shift
                links[n_links, 1] = stop + shift
                n_links += 1
            words[n_words] = _LINK
            spans[n_words, 0] = i
            spans[n_words, 1] = stop
            n_words += 1
            i = stop
            continue
        alone = alone_bytes(text, i, n) if kind == HIGH and unseen_bytes(text, i, n) == 0 else 0
        if alone > 0:
            character = np.uint64(0)
            for k in range(alone):
                character |= np.uint64(text[i + k]) << np.uint64(8 * k)
            words[n_words] = mix(_START, character)
            spans[n_words, 0] = i
            spans[n_words, 1] = i + alone
            n_words += 1
            i += alone
            continue
        h = _START
        letters = 0
        digits = 0
        first = i
        while i < n:
            c = text[i]
            kind = CLASS[c]
            if kind == SEPARATOR:
                break
            if kind == DIGIT:
                digits += 1
            elif kind == LETTER:
                letters += 1
            else:
                unseen = unseen_bytes(text, i, n)
                if unseen > 0:
                    i += unseen
                    continue
                if c == 0xC2 and i + 1 < n and text[i + 1] == 0xA0:
                    break  # no-break space parts words
                if c == 0xE2 and i + 2 < n and text[i + 1] == 0x80:
                    break  # dashes and curly quotes part words
                if alone_bytes(text, i, n) > 0:
                    break
                if c & 0xC0 != 0x80:
                    letters += 1  # a letter of several bytes counts once
            h = mix(h, np.uint64(LOWER[c]))
            i += 1
        if i == first:
            i += 2 if c == 0xC2 else 3
            continue
        if letters + digits == 0:
            continue
        if i < n and text[i] == 64 and i + 1 < n and CLASS[text[i + 1]] != SEPARATOR:
            i = link_end(text, i, n)
            words[n_words] = _ADDRESS
            spans[n_words, 0] = first
            spans[n_words, 1] = i
            n_words += 1
            continue
        if digits > 0:
            h = _NUMBER if letters == 0 else _TOKEN
        elif letters > LONG_WORD:
            h = _TOKEN
        else:
            for k in range(own.shape[0]):
                if own[k] == h:
                    h = _OWN
                    break
        words[n_words] = h
        spans[n_words, 0] = first
        spans[n_words, 1] = i
        n_words += 1
    return n_words, n_breaks, n_links


@njit(cache=True)
def _keep_smallest(pool: Any, n: int, out: Any) -> int:
    """The smallest distinct values of *pool* into *out*; gives how many."""
    kept = 0
    ordered = np.sort(pool[:n])
    for i in range(n):
        if i > 0 and ordered[i] == ordered[i - 1]:
            continue
        out[kept] = ordered[i]
        kept += 1
        if kept == out.shape[0]:
            break
    return kept


@njit(cache=True, nogil=True)
def _shred(
    data: Any,
    ends: Any,
    is_html: Any,
    own: Any,
    note_links: Any,
    shingles: Any,
    lines: Any,
    exact: Any,
    skeletons: Any,
    counts: Any,
    links: Any,
) -> None:
    # An entity of five bytes may give four; a lone '&' one: the visible text is never longer than the source.
    scratch = np.empty(TEXT_BYTES + 16, dtype=np.uint8)
    words = np.empty(MAX_WORDS + 1, dtype=np.uint64)
    spans = np.empty((MAX_WORDS + 1, 2), dtype=np.int64)
    breaks = np.empty(MAX_WORDS + 1, dtype=np.int64)
    pool = np.empty(2 * MAX_WORDS, dtype=np.uint64)
    start = 0
    for m in range(ends.shape[0]):
        end = ends[m]
        stop = min(end, start + TEXT_BYTES)
        n_links = 0
        skeletons[m] = _EMPTY
        if is_html[m]:
            n, n_links, skeleton, elements = visible(data, start, stop, scratch, links[m], 0)
            if elements > 2:
                skeletons[m] = skeleton
            n_words, n_breaks, n_links = _words(
                scratch, n, 0, False, own[m], words, spans, breaks, links[m], n_links
            )
        else:
            n_words, n_breaks, n_links = _words(
                data[start:stop], stop - start, start, True, own[m], words, spans, breaks, links[m], 0
            )
        counts[m, 0] = n_words
        counts[m, 1] = n_breaks
        counts[m, 2] = n_links
        start = end
        if n_words == 0:
            exact[m] = _EMPTY
            continue
        whole = _EXACT
        for i in range(n_words):
            whole = mix(whole, words[i])
        exact[m] = whole
        n = 0
        # Placeholders alone say nothing: a date is three numbers in anybody's mail.
        for i in range(n_words - 2):
            if words[i] > _OWN or words[i + 1] > _OWN or words[i + 2] > _OWN:
                pool[n] = mix(mix(mix(_START, words[i]), words[i + 1]), words[i + 2])
                n += 1
        if n_words < SHORT_WORDS:
            for i in range(n_words - 1):
                if words[i] > _OWN or words[i + 1] > _OWN:
                    pool[n] = mix(mix(_PAIR, words[i]), words[i + 1])
                    n += 1
        _keep_smallest(pool, n, shingles[m])
        n = 0
        first = 0
        for b in range(n_breaks + 1):
            last = breaks[b] if b < n_breaks else n_words
            if last - first >= 2:
                h = _LINE
                for i in range(first, last):
                    h = mix(h, words[i])
                pool[n] = h
                n += 1
            first = last
        _keep_smallest(pool, n, lines[m])


class Shreds(NamedTuple):
    """What ``shred`` found, a row per text; 0 stands for "none" in every array of hashes."""

    shingles: U64  # [n, SHINGLES]
    lines: U64  # [n, LINES]
    exact: U64  # [n]
    skeletons: U64  # [n] element order of HTML
    words: NDArray[np.int32]  # [n]
    line_breaks: NDArray[np.int32]  # [n]
    links: list[list[bytes]]  # per text, the links as written, at most MAX_LINKS


def shred(
    texts: Sequence[bytes], is_html: Sequence[bool], own_words: Sequence[Sequence[bytes]] = ()
) -> Shreds:
    """Keys of *texts* (UTF-8, HTML where *is_html*), with each reader's *own_words* masked.

    Never raises on any bytes; costs 10 to 15 nanoseconds a byte.
    """
    n = len(texts)
    data, ends = packed(texts)
    own = np.zeros((n, OWN_WORDS), dtype=np.uint64)
    if own_words:
        owners = [i for i, words in enumerate(own_words) for _ in words[:OWN_WORDS]]
        if owners:
            columns = [k for words in own_words for k in range(len(words[:OWN_WORDS]))]
            own[owners, columns] = word_hashes([w for words in own_words for w in words[:OWN_WORDS]])
    shingles = np.zeros((n, SHINGLES), dtype=np.uint64)
    lines = np.zeros((n, LINES), dtype=np.uint64)
    exact = np.zeros(n, dtype=np.uint64)
    skeletons = np.zeros(n, dtype=np.uint64)
    counts = np.zeros((n, 3), dtype=np.int32)
    links = np.zeros((n, MAX_LINKS, 2), dtype=np.int64)
    flags = np.fromiter(is_html, dtype=np.bool_, count=n)
    _shred(data, ends, flags, own, flags, shingles, lines, exact, skeletons, counts, links)
    found: list[list[bytes]] = [[] for _ in range(n)]
    held = np.arange(MAX_LINKS) < counts[:, 2, None]
    if held.any():
        joined = data.tobytes()
        for row, (a, b) in zip(
            np.repeat(np.arange(n), counts[:, 2]).tolist(), links[held].tolist(), strict=True
        ):
            found[row].append(joined[a:b])
    return Shreds(shingles, lines, exact, skeletons, counts[:, 0], counts[:, 1], found)


@njit(cache=True)
def _dissect(
    data: Any, is_html: bool, own: Any, scratch: Any, words: Any, spans: Any, breaks: Any, links: Any
) -> tuple[int, int, int]:
    n = data.shape[0]
    if is_html:
        n, _links, _skeleton, _elements = visible(data, 0, n, scratch, links, 0)
    else:
        scratch[:n] = data
    n_words, n_breaks, _links = _words(scratch, n, 0, False, own, words, spans, breaks, links, 0)
    return n, n_words, n_breaks


class Dissection(NamedTuple):
    """One text as ``shred`` saw it, for people: what is visible, and the words and lines its keys are made of."""

    visible: bytes
    words: list[tuple[int, int]]  # where each blurred word stands in ``visible``
    placeholders: list[str]  # what stands for the word: "#", "*", "@", "link", "name", or "" for itself
    shingles: dict[int, tuple[int, int]]  # key → the words it covers, first and behind the last
    lines: dict[int, tuple[int, int]]


_SIGNS = {int(_NUMBER): "#", int(_TOKEN): "*", int(_ADDRESS): "@", int(_LINK): "link", int(_OWN): "name"}


def dissect(text: bytes, is_html: bool, own_words: Sequence[bytes] = ()) -> Dissection:
    """Take one text apart as ``shred`` does, keeping where everything stands."""
    data = np.frombuffer(text[:TEXT_BYTES], dtype=np.uint8)
    own = np.zeros(OWN_WORDS, dtype=np.uint64)
    if own_words:
        hashes = word_hashes(own_words[:OWN_WORDS])
        own[: len(hashes)] = hashes
    scratch = np.empty(TEXT_BYTES + 16, dtype=np.uint8)
    words = np.empty(MAX_WORDS + 1, dtype=np.uint64)
    spans = np.empty((MAX_WORDS + 1, 2), dtype=np.int64)
    breaks = np.empty(MAX_WORDS + 1, dtype=np.int64)
    links = np.empty((MAX_LINKS, 2), dtype=np.int64)
    n, n_words, n_breaks = _dissect(data, is_html, own, scratch, words, spans, breaks, links)
    shingles: dict[int, tuple[int, int]] = {}
    for i in range(n_words - 2):
        shingles[_fold(words[i : i + 3], int(_START))] = (i, i + 3)
    if n_words < SHORT_WORDS:
        for i in range(n_words - 1):
            shingles[_fold(words[i : i + 2], int(_PAIR))] = (i, i + 2)
    lines: dict[int, tuple[int, int]] = {}
    first = 0
    for last in [*breaks[:n_breaks].tolist(), n_words]:
        if last - first >= 2:
            lines[_fold(words[first:last], int(_LINE))] = (first, last)
        first = last
    return Dissection(
        scratch[:n].tobytes(),
        [(a, b) for a, b in spans[:n_words].tolist()],
        [_SIGNS.get(word, "") for word in words[:n_words].tolist()],
        shingles,
        lines,
    )


@njit(cache=True)
def _fold_words(words: Any, salt: Any) -> Any:
    h = salt
    for i in range(words.shape[0]):
        h = mix(h, words[i])
    return h


def _fold(words: U64, salt: int) -> int:
    return int(_fold_words(words, np.uint64(salt)))


@njit(cache=True)
def _word_hashes(data: Any, ends: Any, out: Any) -> None:
    start = 0
    for i in range(ends.shape[0]):
        h = _START
        for j in range(start, ends[i]):
            h = mix(h, np.uint64(LOWER[data[j]]))
        out[i] = h
        start = ends[i]


def word_hashes(words: Sequence[bytes]) -> U64:
    """The hash of each of *words* as ``shred`` computes it for a word in a text."""
    data, ends = packed(words)
    out = np.empty(len(words), dtype=np.uint64)
    _word_hashes(data, ends, out)
    return out


__all__ = ["LINES", "SHINGLES", "Shreds", "hash_all", "shred", "word_hashes"]
