"""What guards that remember as one tell each other of people's words, and how each finds the campaign that is meant.

A campaign's number is each guard's own, so a word of a person travels with a witness: a sample of the campaign's
sources and keys. What came from elsewhere is looked at here before anything believes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from thingwatch.fingerprint import KINDS
from thingwatch.guard.lure import Campaign
from thingwatch.guard.trace import MAX_TRACE_KEYS, Trace

MARKS = ("attack", "bulk", "good")  # what a person may say
MAX_SOURCES = 64  # in a witness: of the smallest hashes, which every guard keeps
MAX_KEYS = 256
SAME_SOURCES = 0.5  # of a witness, that a campaign must have
SAME_KEYS = 0.3  # likewise; lures keep the keys of one mail each, and not every guard of the same one
ENOUGH_SOURCES = 8  # from so many on sources alone tell


def is_sound(trace: Trace) -> bool:
    """Whether *trace*, which came from elsewhere, can be remembered: compiled code looks up its kinds unchecked."""
    if len(trace.keys) > MAX_TRACE_KEYS or not 0 <= trace.name_class <= 3:
        return False
    return len(trace.keys) == len(trace.kinds) and all(kind in KINDS for kind in trace.kinds.tolist())


def word_of(value: Any) -> dict[str, Any] | None:
    """*value*, which came from elsewhere, as a person's word; None when it is none."""
    if not isinstance(value, dict) or value.get("op") not in ("mark", "rollback"):
        return None
    if value["op"] == "mark" and value.get("mark") not in MARKS:
        return None
    witness = value.get("witness")
    if not isinstance(witness, dict):
        return None
    for name, most in (("sources", MAX_SOURCES), ("keys", MAX_KEYS)):
        row = witness.get(name)
        if not isinstance(row, list) or len(row) > most or not all(type(item) is int for item in row):
            return None
    texts = {name: str(value.get(name, ""))[:80] for name in ("campaign", "by")}
    return {"op": value["op"], "mark": value.get("mark", ""), "witness": witness, **texts}


def witness_of(groups: Iterable[Campaign]) -> dict[str, list[int]]:
    """By what others know the campaign that is *groups* here."""
    sources: set[int] = set()
    keys: dict[int, None] = {}
    for group in groups:
        sources.update(group.tally.sources.held)
        for lure in group.lures:
            keys.update(dict.fromkeys(lure.keys.tolist()))
    return {"sources": sorted(sources)[:MAX_SOURCES], "keys": list(keys)[:MAX_KEYS]}


def found_by(witness: dict[str, list[int]], groups: Iterable[Campaign]) -> Campaign | None:
    """The one of *groups* that *witness* was taken of, None when none is like it."""
    sources, keys = set(witness["sources"]), set(witness["keys"])
    best, most = None, 0.0
    for group in groups:
        same = len(sources.intersection(group.tally.sources.held)) / max(1, len(sources))
        if sources and same < SAME_SOURCES:
            continue
        held = {key for lure in group.lures for key in lure.keys.tolist()}
        said = len(keys & held) / max(1, len(keys))
        if said < SAME_KEYS and len(sources) < ENOUGH_SOURCES:
            continue
        if same + said > most:
            best, most = group, same + said
    return best
