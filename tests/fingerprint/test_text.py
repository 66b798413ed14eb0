"""What a mail says, as keys: what is blurred, what is not seen, and what no bytes can do to it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingwatch.fingerprint.text import (
    LINES,
    MAX_LINKS,
    MAX_WORDS,
    SHINGLES,
    TEXT_BYTES,
    dissect,
    shred,
    word_hashes,
)

LURE = (
    "Dear customer, the parcel you ordered could not be delivered because the address on the label was "
    "incomplete. Please confirm your street and the number of the house before Friday evening, otherwise our "
    "driver returns it to the sender and the fee for storage is charged to the card you used for the order. "
    "You find the form behind the button below; it takes less than two minutes and needs no password."
)
HTML = b"<html><head><title>t</title></head><body><p>%s</p></body></html>"


def words(text: str | bytes, is_html: bool = False, own: list[bytes] | None = None) -> list[str]:
    """The blurred words of *text*, placeholders by their sign."""
    found = dissect(text.encode() if isinstance(text, str) else text, is_html, own or [])
    return [
        sign or found.visible[a:b].decode("utf-8", "replace")
        for (a, b), sign in zip(found.words, found.placeholders, strict=True)
    ]


def exact(text: str | bytes, is_html: bool = False, own: list[bytes] | None = None) -> int:
    raw = text.encode() if isinstance(text, str) else text
    return int(shred([raw], [is_html], [own or []]).exact[0])


def shingles(text: str) -> set[int]:
    return set(shred([text.encode()], [False]).shingles[0].tolist()) - {0}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("invoice 4711 is due", "invoice 9 is due"),
        ("your code is a8f3k2", "your code is 77zz1"),
        ("see http://a.example/x?y=1 now", "see https://b.example now"),
        ("see www.a.example/x now", "see http://b.example now"),
        ("write to bob@a.example today", "write to eve.x@b.example today".replace("eve.x", "eve")),
        ("FREE money NOW", "free Money now"),
        ("token " + "q" * 40 + " end", "token " + "z" * 33 + " end"),
        ("a - b", "a\n\nb"),
    ],
)
def test_what_changes_from_mail_to_mail_is_blurred(one: str, other: str) -> None:
    """Numbers, tokens, links, addresses, case and punctuation do not part two mails of one lure."""
    assert exact(one) == exact(other)


def test_the_readers_own_name_is_blurred() -> None:
    """Two readers' names in the same place give the same keys; a name that is not the reader's does not."""
    assert exact("Dear Alice welcome", own=[b"alice"]) == exact("Dear Robert welcome", own=[b"robert"])
    assert exact("Dear Alice welcome", own=[b"alice"]) != exact("Dear Robert welcome", own=[b"alice"])
    assert words("Dear Alice", own=[b"alice"]) == ["Dear", "name"]


@pytest.mark.parametrize(
    "inside",
    [
        "\u200b",
        "\u00ad",
        "\u2060",
        "\u200d",
        "\ufeff",
        "\u202e",
        "\u2066",
        "\u034f",
        "\ufe0f",
        "\u061c",
        "\U000e0041",
    ],
)
def test_unseen_characters_part_no_word(inside: str) -> None:
    """What is drawn as nothing within a word leaves the word what a reader sees."""
    assert exact(f"pass{inside}word reset now") == exact("password reset now")
    assert exact(f"{inside}password{inside} reset now{inside}") == exact("password reset now")
    reference = "".join(f"&#{ord(c)};" for c in inside)
    assert exact(f"<p>pass{reference}word reset now", True) == exact("<p>password reset now", True)


@pytest.mark.parametrize("name", ["shy", "zwj", "zwnj", "lrm", "rlm"])
def test_unseen_named_references_part_no_word(name: str) -> None:
    """The named references for unseen characters vanish as the characters do."""
    assert exact(f"<p>pass&{name};word now", True) == exact("<p>password now", True)


@pytest.mark.parametrize(
    "html", ["pass<b>wo</b>rd", "pass<!-- x -->word", "pass<span title='>'>word</span>", "pass<wbr>word"]
)
def test_tags_within_a_word_part_it_no_more_than_for_the_reader(html: str) -> None:
    """Elements that are not blocks, and comments, leave a word whole."""
    assert words(html, True) == ["password"]


def test_blocks_part_words() -> None:
    """What begins a new line for the reader begins a new word, and a new line key."""
    assert words("one<br>two<p>three</p>four<td>five", True) == ["one", "two", "three", "four", "five"]
    lines = shred([b"<p>alpha beta<p>gamma delta", b"alpha beta\ngamma delta"], [True, False]).lines
    assert set(lines[0]) == set(lines[1])


@pytest.mark.parametrize(
    "hidden",
    [
        "<!-- secret words -->",
        "<!-- a > secret --!>",
        "<!--><!-- secret -->",
        "<script>if (a < b) { secret('</p>') }</script>",
        "<script><!-- secret </script>",
        "<SCRIPT type=x>secret</ScRiPt >",
        "<style><!-- .secret{} </style>",
        "<title>secret</title>",
        "<?xml secret?>",
        "<!DOCTYPE secret>",
        "<img alt='a > secret'>",
        '<a title = "x > secret" href=#></a>',
    ],
)
def test_what_no_reader_sees_gives_no_words(hidden: str) -> None:
    """Comments, scripts, styles, titles, declarations and attributes are not text; what follows them is."""
    assert words(f"<p>before {hidden} after</p>", True) == ["before", "after"]


@pytest.mark.parametrize("shown", ["a < b", "I <3 you", "a <1 b> c", "a <", "x <= y"])
def test_a_lone_bracket_hides_nothing(shown: str) -> None:
    """Only a letter behind "<" opens an element; everything else is text to the reader, and so to us."""
    assert words(shown + " <b>end</b>", True) == words(shown + " end")


def test_references_are_read() -> None:
    """Character references are what they stand for, in any width; broken ones are text."""
    assert words("<p>&#72;ello &#x77;orld&nbsp;a&amp;b &#1087;&#1088; &#26085; &#128512;", True) == [
        "Hello", "world", "a", "b", "пр", "日", "😀",
    ]  # fmt: skip
    assert words("<p>a &#; &#x; & &; b", True) == ["a", "x", "b"]
    assert words("<p>a&#99999999;b &#xFFFFFFFF;c", True) == ["ab", "c"]


def test_scripts_without_blanks() -> None:
    """Where no blanks part words every character is one; elsewhere letters of many bytes are one letter."""
    assert words("今すぐ") == ["今", "す", "ぐ"]
    assert len(words("ยินดีต้อนรับ")) > 5
    assert words("поздравляем победителя") == ["поздравляем", "победителя"]
    assert words("достопримечательностями") == ["достопримечательностями"]
    assert words("مرحبا بالعالم") == ["مرحبا", "بالعالم"]
    assert words("שלום עולם") == ["שלום", "עולם"]
    assert words("win🎉prize 🎁") == ["win", "🎉", "prize", "🎁"]


def test_stray_words_leave_most_keys() -> None:
    """Ten random words thrown into a lure leave most of its shingles."""
    rng = np.random.default_rng(7)
    base = shingles(LURE)
    assert len(base) == SHINGLES
    kept = []
    for _ in range(50):
        pieces = LURE.split()
        for _ in range(10):
            stray = "".join(chr(97 + c) for c in rng.integers(0, 26, 8))
            pieces.insert(int(rng.integers(0, len(pieces))), stray)
        kept.append(len(base & shingles(" ".join(pieces))))
    assert float(np.mean(kept)) > SHINGLES / 2
    assert min(kept) >= 4


def test_strangers_share_nothing() -> None:
    """Two texts about different things have no shingle in common."""
    other = (
        "The choir meets on Tuesday in the small hall, bring the blue folders and somebody please the key."
    )
    assert not shingles(LURE) & shingles(other)


def test_one_line_has_keys() -> None:
    """A text of two words still has keys to meet by: a pair and a line."""
    found = shred([b"hello penguin"], [False])
    assert found.words[0] == 2
    assert np.count_nonzero(found.shingles) == 1
    assert np.count_nonzero(found.lines) == 1
    assert np.count_nonzero(shred([b""], [False]).shingles) == 0


def test_links_are_noted_as_written() -> None:
    """Links of attributes and of text are given with their bytes, in order, up to the bound."""
    html = (
        b'<a href="http://a.example/x?y=1&amp;z=2">go</a> <img src=https://b.example/i.png> http://c.example/'
    )
    assert shred([html], [True]).links == [
        [b"http://a.example/x?y=1&amp;z=2", b"https://b.example/i.png", b"http://c.example/"]
    ]
    assert shred([b"see www.a.example/b and http://c.example"], [False]).links == [
        [b"www.a.example/b", b"http://c.example"]
    ]
    many = b" ".join(b"http://h%d.example" % n for n in range(100))
    assert [len(links) for links in shred([many, many], [False, True]).links] == [MAX_LINKS, MAX_LINKS]


def test_a_text_is_read_alone() -> None:
    """Keys are equal in any company: no text reaches into its neighbour's bytes."""
    texts = [
        b"http://a.example/x",
        b"<a href=http://b",
        b"&#1",
        b"abc \xe3",
        b"\xf0\x9f",
        b"",
        LURE.encode(),
        b"<!--",
        b"w",
    ]
    flags = [False, True, True, False, False, True, False, True, False]
    together = shred(texts, flags)
    for i, (text, flag) in enumerate(zip(texts, flags, strict=True)):
        alone = shred([text], [flag])
        for name in ("shingles", "lines", "exact", "skeletons", "words", "line_breaks"):
            assert (getattr(alone, name)[0] == getattr(together, name)[i]).all(), (name, text)
        assert alone.links[0] == together.links[i]


def test_word_hashes_are_the_words_of_a_text() -> None:
    """What masks a word is hashed as the word is."""
    assert exact("Alice", own=[b"ALICE"]) == exact("Robert", own=[b"robert"])
    assert int(word_hashes([b"Alice"])[0]) == int(word_hashes([b"aLICE"])[0])


HOSTILE = st.one_of(
    st.binary(max_size=400),
    st.lists(
        st.sampled_from(
            [
                b'<', b'>', b'&', b'&#', b'&#x', b';', b'<!--', b'-->', b'--!>', b'<script', b'</script',
                b'<style>', b'</', b'"', b"'", b'=', b'http://', b'HTTPS://', b'www.', b'a@b', b'@',
                b'\xe2\x80\x8b', b'\xc2\xad', b'\xe3', b'\xf0', b'\xe2\x80', b'\xc2', b'\xf3\xa0\x80',
                b'&#128512;', b'&#xD800;', b'word', b'12', b'\n', b' ', b'<p>', b'<title>', b'\x00',
                b'&shy;', b'<a href=', b'<!', b'<?', b'/', b'\xe0\xb8', b'\xe1\x80',
            ]
        ),
        max_size=60,
    ).map(b"".join),
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(HOSTILE, st.booleans())
def test_no_bytes_raise_and_explain_agrees(text: bytes, is_html: bool) -> None:
    """Any bytes are read, and the dissection people are shown has every key the table has."""
    shreds = shred([text], [is_html])
    found = dissect(text, is_html)
    assert {int(h) for h in shreds.shingles[0]} - {0} <= set(found.shingles)
    assert {int(h) for h in shreds.lines[0]} - {0} <= set(found.lines)
    assert len(found.words) == shreds.words[0] <= MAX_WORDS
    assert len(found.visible) <= len(text)
    assert all(link in text for link in shreds.links[0])


_BOUNDS = """
import numpy as np
from thingwatch.fingerprint.text import TEXT_BYTES, dissect, shred
from thingwatch.fingerprint.shapes import shape_hashes
from thingwatch.fingerprint.attachment import sampled
from thingwatch.fingerprint.hashing import hash_all

rng = np.random.default_rng(3)
bits = [b"<", b">", b"&", b"&#", b"&#9;", b"&#128512;", b"<!--", b"-->", b"<script>", b"</script", b"http://",
        b"a@", b"\\"", b"=", b"'", b"\\xe2\\x80\\x8b", b"\\xe3", b"\\xf0\\x9f\\x98", b"\\xc2",
        b"word ", b"1 ", b"\\n", b"<p>", b"\\x00", b"x"]
texts = [bytes(rng.integers(0, 256, int(rng.integers(0, 300)), dtype=np.uint8)) for _ in range(150)]
texts += [b"".join(bits[int(k)] for k in rng.integers(0, len(bits), int(rng.integers(0, 80)))) for _ in range(400)]
for one in bits:
    many = one * TEXT_BYTES
    texts += [one, one * 7, many[:TEXT_BYTES], many[: TEXT_BYTES + 9], b"a " * (TEXT_BYTES // 2) + one]
for flag in (False, True):
    shred(texts, [flag] * len(texts), [[b"word", b"x"]] * len(texts))
    for text in texts[:600] + texts[-5:]:
        dissect(text, flag, [b"word"])
shape_hashes(texts), shape_hashes(texts, fine=True), hash_all(texts), sampled(texts + [bytes(range(256)) * 4000])
try:
    np.zeros(1)  # keep numpy imported; the next line proves that bounds are really checked
    from numba import njit
    @njit
    def beyond(a):
        return a[5]
    beyond(np.zeros(2))
except IndexError:
    print("checked")
"""


@pytest.mark.slow
def test_the_compiled_loops_stay_within_bounds(tmp_path: Path) -> None:
    """With bounds checked, fuzzed and outsized input touches nothing outside its arrays."""
    done = subprocess.run(
        [sys.executable, "-c", _BOUNDS],
        env={**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "checked"


def seconds(text: bytes, is_html: bool) -> float:
    started = time.perf_counter()
    shred([text], [is_html])
    return time.perf_counter() - started


@pytest.mark.parametrize("is_html", [False, True])
@pytest.mark.parametrize(
    "piece",
    [
        b"<", b"&", b"&#", b"&#1", b"<!--", b"<script>", b"<script><", b"</", b"<a ", b'<a b="', b"a='", b"' ", b'=" ',
        b"http://", b"http", b"@", b"a@", b"x", b"\xe2\x80\x8b", b"\xc2", b"\xf0", b"1", b"\n", b"<title><", b"www.",
    ],
)  # fmt: skip
def test_hostile_text_takes_linear_time(piece: bytes, is_html: bool) -> None:
    """A hundred kilobytes of any trap cost milliseconds: a text is read once, and only its first part."""
    text = (piece * 100_000)[:100_000]
    shred([b"warm"], [is_html])
    assert min(seconds(text, is_html) for _ in range(3)) < 0.05


def test_text_beyond_the_bound_is_not_read() -> None:
    """What stands behind the first part of an outsized text changes no key."""
    text = (b"lorem ipsum " * TEXT_BYTES)[:TEXT_BYTES]
    assert exact(text) == exact(text + b" more words that nobody reads")
    assert shred([text], [False]).words[0] == MAX_WORDS
    assert shred([text], [False]).lines.shape == (1, LINES)
