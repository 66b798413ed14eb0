"""Many patterns asked at once, in time linear in the text whatever the text is.

One automaton over all patterns says which of them match; only those are then run alone, for what they capture.
Both are RE2, which knows no backtracking: docs/decisions/google-re2.md has the comparison.
"""

from __future__ import annotations

from collections.abc import Sequence

import re2

MAX_AUTOMATON_BYTES = 32 << 20  # of one set's states; beyond it RE2 starts afresh and stays right
MAX_MATCH_BYTES = (
    2048  # of a text that are matched: makers name themselves early, and 8 kB cost four times as much
)
MAX_READERS = 4096  # single patterns kept compiled


class PatternError(ValueError):
    """A pattern RE2 cannot read: look-around, back-references, or simply wrong."""


def _options(fold: bool) -> re2.Options:
    options = re2.Options()
    # Bytes stay bytes: UTF-8 in a pattern meets UTF-8 in the text, and broken text is no error.
    options.encoding = re2.Options.Encoding.LATIN1
    options.case_sensitive = not fold
    options.max_mem = MAX_AUTOMATON_BYTES
    options.log_errors = False
    return options


class PatternSet:
    """Patterns that are asked together."""

    def __init__(self, patterns: Sequence[str], *, fold: bool = True) -> None:
        self._patterns = patterns
        self._options = _options(fold)
        self._readers: dict[int, re2._Regexp] = {}
        self._set = re2.Set.SearchSet(self._options)
        for place, pattern in enumerate(patterns):
            try:
                self._set.Add(pattern.encode())
            except re2.error as why:
                raise PatternError(f"pattern {place + 1}: {_words(why)}") from None
        if patterns:
            self._set.Compile()

    def hits(self, data: bytes) -> list[int]:
        """Which patterns match *data*, by their place, in order."""
        return sorted(self._set.Match(data) or ()) if self._patterns else []

    def read(self, place: int, data: bytes) -> tuple[str, dict[str, str], tuple[str, ...]]:
        """What the pattern at *place* matched in *data*: the whole, its named groups that matched, all groups."""
        reader = self._reader(place)
        match = reader.search(data)
        if match is None:
            return "", {}, ()
        groups = tuple(_text(group) for group in match.groups())
        names = {name.decode(): groups[index - 1] for name, index in reader.groupindex.items()}
        return _text(match.group()), {name: text for name, text in names.items() if text}, groups

    def without(self, place: int, data: bytes) -> str:
        """*data* without all that the pattern at *place* matches in it."""
        return _text(self._reader(place).sub(b" ", data))

    def _reader(self, place: int) -> re2._Regexp:
        reader = self._readers.get(place)
        if reader is None:
            reader = re2.compile(self._patterns[place].encode(), self._options)
            if len(self._readers) < MAX_READERS:
                self._readers[place] = reader
        return reader


def check_pattern(pattern: str) -> str:
    """Why RE2 cannot read *pattern*; "" when it can."""
    try:
        re2.compile(pattern.encode(), _options(fold=True))
    except re2.error as why:
        return _words(why)
    return ""


def _text(group: bytes | None) -> str:
    return group.decode("utf-8", "replace") if group else ""


def _words(why: Exception) -> str:
    said = why.args[0] if why.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
