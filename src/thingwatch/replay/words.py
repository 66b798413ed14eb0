"""Dice that fall alike for an equal seed, and sentences to throw with them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import blake2b
from importlib import resources
from random import Random

Pattern = tuple[str | tuple[str, ...], ...]  # fixed text and lists to choose from, in turn

SLOT = re.compile(r"\{(\w+)\}")


def seed_for(*parts: object) -> int:
    """64 bits from *parts*, the same on every machine and in every process."""
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=8).digest(), "big")


def dice_for(*parts: object) -> Random:
    """Dice for one purpose. Reproducible on purpose, so never fit for a secret."""
    return Random(seed_for(*parts))  # noqa: S311


@cache
def table(name: str) -> dict[str, list[str]]:
    """The lists of a data file of this folder, by name."""
    text = resources.files("thingwatch.replay").joinpath(name).read_text("utf-8")
    read = tomllib.loads(text)
    return {key: value.split() if isinstance(value, str) else value for key, value in read.items()}


@cache
def words(kind: str) -> tuple[str, ...]:
    """One list of words.toml."""
    return tuple(table("words.toml")[kind])


@cache
def _number_words() -> tuple[str, ...]:
    return tuple(str(number) for number in range(2, 100))


@cache
def patterns(kind: str) -> tuple[Pattern, ...]:
    """The sentences of one list of words.toml, ready to be filled."""
    compiled: list[Pattern] = []
    for sentence in words(kind):
        pieces = SLOT.split(sentence)
        pattern: list[str | tuple[str, ...]] = []
        for i, piece in enumerate(pieces):
            if i % 2 == 0:
                pattern.append(piece)
            elif piece in {"name", "company"}:
                pattern.append(f"{{{piece}}}")
            else:
                pattern.append(_number_words() if piece == "number" else words(piece))
        compiled.append(tuple(pattern))
    return tuple(compiled)


def fill(pattern: Pattern, throw: Callable[[], float]) -> str:
    """One sentence; *throw* gives numbers from 0 to below 1."""
    return "".join([part if type(part) is str else part[int(throw() * len(part))] for part in pattern])


def sentence(kind: str, throw: Callable[[], float]) -> str:
    """A sentence of the given *kind*, its slots filled."""
    choice = patterns(kind)
    return fill(choice[int(throw() * len(choice))], throw)


def pick(items: Sequence[str], throw: Callable[[], float]) -> str:
    """One of *items*."""
    return items[int(throw() * len(items))]


def nonsense(throw: Callable[[], float], syllables: int) -> str:
    """A pronounceable word that means nothing."""
    return "".join([pick(words("syllable"), throw) for _ in range(syllables)])


def stray_word(throw: Callable[[], float]) -> str:
    """A word with no business where it will stand."""
    chance = throw()
    if chance < 0.4:
        return nonsense(throw, 2 + int(throw() * 3))
    kind = "noun" if chance < 0.65 else "adjective" if chance < 0.8 else "verb" if chance < 0.92 else "place"
    return pick(words(kind), throw)
