"""A guard that can be told what others observed, and tells what it observed itself.

What a guard remembers changes by three things only (``state``): a mail observed, a mail taken as good, a person's
word. They are what its journal holds, and they are all that several guards have to give each other in order to
remember alike. A campaign's number is each guard's own, so a word of a person travels with a witness: a sample of the
campaign's sources and keys, by which the others find theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from thingwatch.fingerprint import KINDS
from thingwatch.guard import MARKS, Guard
from thingwatch.guard.lure import Campaign
from thingwatch.guard.record import Mail, pack, word
from thingwatch.guard.trace import MAX_TRACE_KEYS, Trace

MAX_SOURCES = 64  # in a witness: of the smallest hashes, which every guard keeps
MAX_KEYS = 256
SAME_SOURCES = 0.5  # of a witness, that a campaign must have
SAME_KEYS = 0.3  # likewise; lures keep the keys of one mail each, and not every guard of the same one
ENOUGH_SOURCES = 8  # from so many on sources alone tell


class SharingGuard(Guard):
    """The same guard; ``outgoing`` is handed every record that others should hear, in the thread that decides."""

    def __init__(self, *given: Any, **named: Any) -> None:
        """As of ``Guard``."""
        self.outgoing: Callable[[bytes], None] | None = None
        self._hearing = False
        super().__init__(*given, **named)

    def _note(self, mail: Mail) -> None:
        super()._note(mail)
        if self.outgoing is not None and not self._hearing and not mail.exempt:
            # What was done with it, and for whom, is nobody else's business: no entry.
            self.outgoing(pack(mail._replace(entry=None)))

    def _say(self, op: dict[str, Any]) -> None:
        super()._say(op)
        if self.outgoing is not None and not self._hearing and op["op"] in ("mark", "rollback"):
            self.outgoing(word({**op, "witness": witness_of(self.state.groups(op["campaign"]))}))

    def hear(self, traces: Sequence[Trace]) -> None:
        """Others observed *traces*: remember them as if they had come here. Nothing is done with them."""
        self._hearing = True
        try:
            for trace in traces:
                now = self.state.clock.now()
                try:
                    self.state.observe(trace, now)
                except Exception as error:
                    self.counts["hearsay failed"] += 1
                    self._tell(
                        {"event": "failed", "error": f"{type(error).__name__}: {error}", "queue_id": ""}
                    )
                    continue
                self.counts["heard"] += 1
                self._note(Mail(now, trace, False, None))
        finally:
            self._hearing = False

    def hear_word(self, op: dict[str, Any]) -> bool:
        """Somebody told another guard *op*; whether a campaign here is the one that was meant."""
        groups = self.state.young.campaigns.values()
        known = {campaign.id for campaign in self.state.detector.known.campaigns}
        name = op["campaign"]
        if name not in known:
            found = found_by(op["witness"], groups)
            if found is None:
                return False
            name = found.id
        self._hearing = True
        try:
            if op["op"] == "mark":
                self.mark(name, op["mark"], op["by"])
            else:
                released = self.rollback(name, op["by"])
                # Whoever holds them here has to let them go.
                self._tell(
                    {"event": "to-release", "campaign": name, "queue_ids": [e.queue_id for e in released]}
                )
        finally:
            self._hearing = False
        return True


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
