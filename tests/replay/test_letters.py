"""Texts are spun, strewn and drawn as the level says."""

from __future__ import annotations

import zlib

from thingwatch.replay import letters
from thingwatch.replay.letters import LEVELS
from thingwatch.replay.words import dice_for


def test_a_clean_text_takes_every_first_choice() -> None:
    """Without freedom all mails read alike, and none of the markup is left."""
    for campaign in ("thing", "botnet", "snowshoe"):
        for lure in letters.lures(campaign):
            said = {letters.spin(part, dice_for(i).random, 0.0) for i in range(5) for part in lure.paragraphs}
            assert len(said) == len(set(lure.paragraphs))
            assert not any(mark in text for text in said for mark in "{|}")


def test_free_choices_differ() -> None:
    """With all freedom the longest lure hardly repeats itself."""
    lure = next(lure for lure in letters.lures("thing") if lure.name == "invoice")
    said = {
        " ".join(letters.spin(part, dice_for(i).random, 1.0) for part in lure.paragraphs) for i in range(200)
    }
    assert len(said) > 190


def test_stray_words_are_counted() -> None:
    """Exactly as many words are added as were asked for, and none is taken away."""
    for count in range(1, 11):
        paragraphs = ["one two three", "four http://a.example/x five"]
        letters.strew(paragraphs, count, dice_for(count).random)
        assert len(" ".join(paragraphs).split()) == 6 + count
        kept = [
            word
            for word in " ".join(paragraphs).split()
            if word in ["one", "two", "three", "four", "http://a.example/x", "five"]
        ]
        assert kept[:3] == ["one", "two", "three"]


def test_the_hardest_level_strews_every_mail() -> None:
    """Level 3 puts one to ten stray words into every mail and another dialect into every wave."""
    assert (LEVELS[3].stray_share, LEVELS[3].most_strays, LEVELS[3].dialects) == (1.0, 10, "wave")


def test_hosts_are_reserved_and_rarely_twice() -> None:
    """Link hosts stand under example or test and hardly ever repeat."""
    dice = dice_for("hosts")
    hosts = [letters.random_host(dice.random) for _ in range(2000)]
    assert all(host.endswith((".example", ".test")) for host in hosts)
    assert len(set(hosts)) > 1950


def test_pictures_look_alike_and_differ_in_bytes() -> None:
    """Two pictures of one lure are valid, equal but for their lowest bits, and never the same file."""
    one, other = (letters.picture("cabbage", dice_for(seed)) for seed in (1, 2))
    assert one != other
    assert letters.picture("cabbage", None) == letters.picture("cabbage", None)
    pixels = []
    for png in (one, other):
        assert png.startswith(b"\x89PNG\r\n\x1a\n")
        at = png.index(b"IDAT")
        pixels.append(zlib.decompress(png[at + 4 : at + 4 + int.from_bytes(png[at - 4 : at], "big")]))
    assert all(a >> 2 == b >> 2 for a, b in zip(*pixels, strict=True))
