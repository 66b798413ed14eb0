"""The status as Prometheus reads it (text format 0.0.4).

By hand: two dozen numbers that lie in a dictionary already; prometheus_client would keep them a second time, in a
registry of the process, and is made for code that counts all over the place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_WORD = re.compile(r"[^a-z0-9_]+")

# name → (kind, sentence, where it stands in the status)
_SINGLE = {
    "up_seconds": ("gauge", "Since this process began to listen.", ("service", "up_seconds")),
    "waiting_mails": ("gauge", "Mails not answered yet.", ("service", "waiting")),
    "late_mails_total": (
        "counter",
        "Mails let pass undecided: their deadline was over.",
        ("service", "late"),
    ),
    "decision_seconds_p50": ("gauge", "Of the last decisions.", ("service", "decision_seconds", "p50")),
    "decision_seconds_p99": ("gauge", "Of the last decisions.", ("service", "decision_seconds", "p99")),
    "resident_bytes": ("gauge", "Memory of this process.", ("service", "resident_bytes")),
    "log_lines_lost_total": ("counter", "Events for which there was no room.", ("service", "log_lines_lost")),
    "open_gaps": (
        "gauge",
        "Times without a guard whose mails were not looked at since.",
        ("service", "open_gaps"),
    ),
    "breaker_open": ("gauge", "1 while mail passes untried.", ("guard", "breaker", "open")),
    "breaker_passed_total": ("counter", "Mails let pass untried.", ("guard", "breaker", "passed")),
    "failures_total": (
        "counter",
        "Decisions that failed; the mail passed.",
        ("guard", "breaker", "failures"),
    ),
    "clock_steps_total": ("counter", "Times the clock was found set.", ("guard", "clock_steps")),
    "remembered": ("gauge", "Single mails and lures remembered.", ("guard", "memory", "remembered")),
    "remembered_limit": ("gauge", "Most that can be.", ("guard", "memory", "capacity")),
    "campaigns": ("gauge", "Campaigns remembered.", ("guard", "memory", "campaigns")),
    "known_campaigns": ("gauge", "Campaigns of cases.", ("guard", "memory", "known_campaigns")),
    "journal_saved": (
        "gauge",
        "1 while all that is observed is in the system's hands.",
        ("guard", "journal", "saved"),
    ),
    "journal_lost_records": ("gauge", "Records not written since it stopped.", ("guard", "journal", "lost")),
    "deferred_total": ("counter", "Mails told to come back.", ("guard", "deferrals", "deferred")),
    "deferred_returned_total": ("counter", "Of them, let in later.", ("guard", "deferrals", "returned")),
}
# name → (sentence, label, where the table stands)
_TABLES = {
    "mails_total": ("What the guard was asked about.", "what", ("guard", "counts")),
    "policy_total": ("What was wanted, done, and why it was softened.", "what", ("guard", "policy")),
    "milter_total": ("What the milter saw.", "what", ("service", "milter")),
    "http_requests_total": ("Answers by HTTP.", "status", ("service", "http", "requests")),
    "events_total": ("What happened.", "event", ("service", "events")),
}


def as_text(status: Mapping[str, Any]) -> bytes:
    """*status* in the text format."""
    return "".join(_lines(status)).encode()


def _lines(status: Mapping[str, Any]) -> Iterator[str]:
    for name, (kind, sentence, path) in _SINGLE.items():
        value = _at(status, path)
        if isinstance(value, int | float):
            yield f"# HELP thingwatch_{name} {sentence}\n# TYPE thingwatch_{name} {kind}\n"
            yield f"thingwatch_{name} {float(value):.12g}\n"
    for name, (sentence, label, path) in _TABLES.items():
        table = _at(status, path)
        if not isinstance(table, Mapping):
            continue
        yield f"# HELP thingwatch_{name} {sentence}\n# TYPE thingwatch_{name} counter\n"
        merged: dict[str, float] = {}
        for key, value in table.items():
            if isinstance(value, int | float):
                word = _WORD.sub("_", str(key).lower())[:60].strip("_")
                merged[word] = merged.get(word, 0) + value
        for word, number in sorted(merged.items()):
            yield f'thingwatch_{name}{{{label}="{word}"}} {float(number):.12g}\n'


def _at(found: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found
