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

from thingwatch.fingerprint.hashing import U64, hash_all, mix, packed

SHINGLES = 20  # shingle keys kept of one mail
LINES = 4  # line keys kept of one mail
SHORT_WORDS = 24  # texts shorter than this are also cut into pairs of words
MAX_WORDS = 4096  # words read of one mail; the median lure has 90, a long newsletter 2,000
MAX_LINKS = 32  # links noted of one mail; what follows repeats
TEXT_BYTES = 64 << 10
OWN_WORDS = 6  # words of the recipient's own name masked in his mail
LONG_WORD = 28  # letters in a row that are no word of any language, but a token

_SEPARATOR, _LETTER, _DIGIT, _HIGH = 0, 1, 2, 3
_CLASS = np.zeros(256, dtype=np.uint8)
_CLASS[ord("a") : ord("z") + 1] = _LETTER
_CLASS[ord("A") : ord("Z") + 1] = _LETTER
_CLASS[ord("0") : ord("9") + 1] = _DIGIT
_CLASS[0x80:] = _HIGH
_LOWER = np.arange(256, dtype=np.uint8)
_LOWER[ord("A") : ord("Z") + 1] += 32

_NUMBER, _TOKEN, _ADDRESS, _LINK, _OWN = (np.uint64(n) for n in (11, 12, 13, 14, 15))
_START = np.uint64(0x5EED)
_PAIR = np.uint64(0xFA12)
_LINE = np.uint64(0x11E5)
_EXACT = np.uint64(0xE8AC7)
_SHIFT5, _SHIFT59 = np.uint64(5), np.uint64(59)
_EMPTY = np.uint64(0)

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


@njit(cache=True, inline="always")
def _starts(data: Any, at: int, end: int, word: Any) -> bool:
    """Whether lower-case *word* stands at *at*, whatever its case there."""
    if at + word.shape[0] > end:
        return False
    for k in range(word.shape[0]):
        if _LOWER[data[at + k]] != word[k]:
            return False
    return True


_HTTP = np.frombuffer(b"http", dtype=np.uint8)
_WWW = np.frombuffer(b"www.", dtype=np.uint8)


@njit(cache=True, inline="always")
def _unseen(code: Any) -> Any:
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
def _unseen_bytes(data: Any, at: int, end: int) -> int:
    """How many bytes the unseen character at *at* takes in UTF-8; 0 where another one stands."""
    c = data[at]
    if c == 0xC2 or c == 0xCD or c == 0xD8:
        if at + 1 < end and _unseen((np.int64(c & 31) << 6) | np.int64(data[at + 1] & 63)):
            return 2
    elif c == 0xE1 or c == 0xE2 or c == 0xEF:
        if at + 2 < end and _unseen(
            (np.int64(c & 15) << 12) | (np.int64(data[at + 1] & 63) << 6) | np.int64(data[at + 2] & 63)
        ):
            return 3
    elif c == 0xF3:
        if at + 3 < end and data[at + 1] == 0xA0 and data[at + 2] <= 0x87:
            return 4
    return 0


@njit(cache=True, inline="always")
def _alone_bytes(data: Any, at: int, end: int) -> int:
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
def _link_end(data: Any, at: int, end: int) -> int:
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
def _is_link(data: Any, at: int, end: int) -> bool:
    if _LOWER[data[at]] != 104 or not _starts(data, at, end, _HTTP):
        return False
    i = at + 4
    if i < end and _LOWER[data[i]] == 115:
        i += 1
    return i + 3 < end and data[i] == 58 and data[i + 1] == 47 and data[i + 2] == 47


@njit(cache=True)
def _put_entity(data: Any, at: int, end: int, out: Any, n: int) -> tuple[int, int]:
    """Decode the character reference at *at*; gives the next input place and the output length."""
    i = at + 1
    if i < end and data[i] == 35:  # '#'
        i += 1
        base = 10
        if i < end and _LOWER[data[i]] == 120:
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
        if code > 0x10FFFF or _unseen(code):
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
    while i < end and i - first < 10 and _CLASS[data[i]] == _LETTER:
        name = _tag_mix(name, data[i])
        i += 1
    if i < end and data[i] == 59 and i > first:
        if name == _SHY or name == _ZWJ or name == _ZWNJ or name == _LRM or name == _RLM:
            return i + 1, n
        # The other named ones matter little; any of them parts words as a blank does.
        out[n] = 38 if _LOWER[data[first]] == 97 and i - first == 3 else 32
        return i + 1, n + 1
    out[n] = 38
    return at + 1, n + 1


@njit(cache=True)
def _visible(
    data: Any, start: int, end: int, out: Any, links: Any, n_links: int
) -> tuple[int, int, Any, int]:
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
                while j < end and j - i <= 16 and (_CLASS[data[j]] == _LETTER or _CLASS[data[j]] == _DIGIT):
                    name = _tag_mix(name, _LOWER[data[j]])
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
                and (_CLASS[data[j]] == _LETTER or (_CLASS[data[j]] == _DIGIT and j > first))
            ):
                name = _tag_mix(name, _LOWER[data[j]])
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
                    if not declaration and n_links < MAX_LINKS and _is_link(data, j, end):
                        stop = _link_end(data, j, end)
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
        if (c == 104 or c == 72) and n_links < MAX_LINKS and _is_link(data, i, end):
            stop = _link_end(data, i, end)
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
        kind = _CLASS[c]
        if kind == _SEPARATOR:
            if (c == 10 or c == 13) and n_words > 0 and n_breaks < MAX_WORDS:
                if n_breaks == 0 or breaks[n_breaks - 1] != n_words:
                    breaks[n_breaks] = n_words
                    n_breaks += 1
            i += 1
            continue
        if kind == _LETTER and (c == 104 or c == 72) and _is_link(text, i, n):
            stop = _link_end(text, i, n)
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
        if kind == _LETTER and (c == 119 or c == 87) and _starts(text, i, n, _WWW):
            stop = _link_end(text, i, n)
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
        alone = _alone_bytes(text, i, n) if kind == _HIGH and _unseen_bytes(text, i, n) == 0 else 0
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
            kind = _CLASS[c]
            if kind == _SEPARATOR:
                break
            if kind == _DIGIT:
                digits += 1
            elif kind == _LETTER:
                letters += 1
            else:
                unseen = _unseen_bytes(text, i, n)
                if unseen > 0:
                    i += unseen
                    continue
                if c == 0xC2 and i + 1 < n and text[i + 1] == 0xA0:
                    break  # no-break space parts words
                if c == 0xE2 and i + 2 < n and text[i + 1] == 0x80:
                    break  # dashes and curly quotes part words
                if _alone_bytes(text, i, n) > 0:
                    break
                if c & 0xC0 != 0x80:
                    letters += 1  # a letter of several bytes counts once
            h = mix(h, np.uint64(_LOWER[c]))
            i += 1
        if i == first:
            i += 2 if c == 0xC2 else 3
            continue
        if letters + digits == 0:
            continue
        if i < n and text[i] == 64 and i + 1 < n and _CLASS[text[i + 1]] != _SEPARATOR:
            i = _link_end(text, i, n)
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
            n, n_links, skeleton, elements = _visible(data, start, stop, scratch, links[m], 0)
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
        n, _links, _skeleton, _elements = _visible(data, 0, n, scratch, links, 0)
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
            h = mix(h, np.uint64(_LOWER[data[j]]))
        out[i] = h
        start = ends[i]


def word_hashes(words: Sequence[bytes]) -> U64:
    """The hash of each of *words* as ``shred`` computes it for a word in a text."""
    data, ends = packed(words)
    out = np.empty(len(words), dtype=np.uint64)
    _word_hashes(data, ends, out)
    return out


__all__ = ["LINES", "SHINGLES", "Shreds", "hash_all", "shred", "word_hashes"]
