"""Words put where readers do not look, to make mails of one lure look unalike, or to hide the lure from us."""

from __future__ import annotations

import numpy as np
import pytest

from thingwatch.fingerprint.text import shred

LURE = (
    b"<p>Dear customer, the parcel you ordered could not be delivered because the address on the label was "
    b"incomplete. Please confirm your street before Friday evening, otherwise our driver returns it."
)
NOISE_WORDS = 400


def noise(seed: int) -> bytes:
    """Random words, other ones for every mail."""
    rng = np.random.default_rng(seed)
    letters = rng.integers(97, 123, (NOISE_WORDS, 7), dtype=np.uint8)
    return b" ".join(word.tobytes() for word in letters)


@pytest.mark.parametrize(
    "hiding",
    [
        b"<!-- %s -->",
        b"<!-- %s --!>",
        b"<script>x = 1 <y; %s</script>",
        b"<style><!-- %s </style>",
        b"<title>%s</title>",
        b"<img alt='> %s'>",
        b'<a name="x > %s"></a>',
        b"<?x %s>",
    ],
)
def test_unseen_words_change_no_key(hiding: bytes) -> None:
    """Hundreds of random words in comments, scripts, styles, titles and attributes leave every key as it was."""
    plain = shred([LURE], [True])
    for seed in range(3):
        for html in (hiding % noise(seed) + LURE, LURE + hiding % noise(seed)):
            hidden = shred([html], [True])
            assert hidden.exact[0] == plain.exact[0]
            assert (hidden.shingles == plain.shingles).all()
            assert hidden.words[0] == plain.words[0]


@pytest.mark.parametrize(
    "before",
    [
        b"<script>if (a<b) c</script>",
        b"<style><!-- </style>",
        b"<script><!-- </script>",
        b"<!--x--!>",
        b"<!-->",
        b"<1 ",
        b"I <3 you ",
        b"< ",
        b"<title><p></title>",
        b"</3>",
        b'<p title=a"b>',
    ],
)
def test_what_a_browser_shows_is_read(before: bytes) -> None:
    """Bytes that once hid the rest of a mail from a careless reader of HTML do not hide it from us."""
    words = shred([LURE], [True]).words[0]
    assert words <= shred([before + LURE], [True]).words[0] <= words + 3


@pytest.mark.parametrize(
    "joint", ["\u200b", "\u00ad", "\u2060", "&shy;", "&#8203;", "<i></i>", "<!---->", "\ufe0f"]
)
def test_broken_words_are_whole(joint: str) -> None:
    """A joint nobody sees, in every word of the lure, changes no key."""
    broken = (
        b"<p>" + joint.encode().join([b"pass", b"word"]) + b" for your bank" + joint.encode() + b" account"
    )
    assert shred([broken], [True]).exact[0] == shred([b"<p>password for your bank account"], [True]).exact[0]
