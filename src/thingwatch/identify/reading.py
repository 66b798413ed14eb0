"""What one sighting says in the words of the likelihood table: which item, which value.

Texts of the front go through the device rules; everything else is read here. A sighting that says nothing about the
origin (an open port, an exposure) gets no item and is kept for the causes.
"""

from __future__ import annotations

import json
import re
from functools import cache, lru_cache
from importlib import resources
from typing import Any, NamedTuple, Protocol

from thingwatch.identify.likelihood import items
from thingwatch.identify.stack import stack_of_muonfp, stack_of_syn, stack_of_text
from thingwatch.model import SIGHTING_KINDS, Label, Sighting

FAR_RATIO = 2.0  # SMTP round trip over TCP round trip from which somebody stands between
MAX_FAMILY_CHARS = 80  # of a malware's name; feeds stay below 40
FAR_ALONE = 4.0  # the same for a ratio without its milliseconds: between the two it says nothing
FAR_MS = 30.0  # and at least so much longer, or a slow disk looks like a relay

_NOT_TEXT = ("port.open", "front.silent", "exposure", "default.credentials", "mac.address", "os.label")
TEXT_KINDS = frozenset(
    kind for kind, role in SIGHTING_KINDS.items() if role == "front" and kind not in _NOT_TEXT
)


class Reader(Protocol):
    """The device rules, as far as they are needed here."""

    def label(self, kind: str, value: str) -> Label | None:
        """What device *value* shows, if any."""
        ...


class Word(NamedTuple):
    """A sighting as a vote: an item of the table and the place of its value, None where it only answered."""

    item: str
    value: int | None
    label: Label | None = None


@cache
def taxonomy() -> dict[str, Any]:
    """The classes, exposures and families of infection, as shipped."""
    read: dict[str, Any] = json.loads(
        (resources.files(__package__) / "taxonomy.json").read_text(encoding="utf-8")
    )
    return read


@cache
def _place(item: str, value: str) -> int:
    return items()[item].values.index(value)


def read_sighting(sighting: Sighting, rules: Reader) -> Word | None:
    """The vote in *sighting*; None where it says nothing of the origin. Pure, never raises for content."""
    kind, value = sighting.kind, sighting.value
    if kind == "tcp.syn":
        return _word("tcp_syn", stack_of_syn(value))
    if kind == "tcp.muonfp":
        return _word("tcp_syn", stack_of_muonfp(value))
    if kind == "tcp.os":
        return _word("tcp_syn", stack_of_text(value))
    if kind == "smtp.rtt":
        return _word("smtp_rtt", _distance(value))
    if kind in TEXT_KINDS:
        label = rules.label(kind, value)
        return Word("front", front_value(label), label)
    if kind in ("port.open", "mac.address", "os.label", "exposure", "default.credentials"):
        return Word("front", None)
    if kind == "front.silent":
        return Word("front", _place("front", "none_seen"))
    if kind == "proxy":
        return Word("proxy", _place("proxy", "reported"))
    if kind == "infection":
        return _word("infection", family_of(value))
    if kind == "network.type":
        return _word("network_type", value if value in items()["network_type"].values else None)
    if kind == "outcome":
        return _word("outcome", value if value in items()["outcome"].values else None)
    if kind == "tcp.sharing":
        return Word("ip_sharing", _place("ip_sharing", "several"))
    return None


def _word(item: str, value: str | None) -> Word | None:
    return None if value is None else Word(item, _place(item, value))


def front_value(label: Label | None) -> int | None:
    """The place of a label among the values of ``front``; None where it names neither a thing nor a server."""
    if label is None:
        return None
    if label.parent == "thing":
        return _place("front", "thing")
    if label.parent == "infrastructure" or label.device_class in ("server", "computer"):
        return _place("front", "server")
    return None


def _distance(value: str) -> str | None:
    """ "near" or "far" of "ratio extra_ms"; a ratio alone is believed when it is far beyond doubt."""
    try:
        parts = [float(part) for part in value.split()[:2]]
    except ValueError:
        return None
    if not parts or not 0 < parts[0] < 1e6:
        return None
    if len(parts) > 1:
        extra = parts[1]
        if extra != extra:  # not a number
            return None
        return "far" if parts[0] >= FAR_RATIO and extra >= FAR_MS else "near"
    return "far" if parts[0] >= FAR_ALONE else "near" if parts[0] < FAR_RATIO else None


@cache
def _families() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The values of ``infection``, and how names of their families begin anywhere in a feed's own name."""
    listed = taxonomy()["infection_families"]
    kinds = (("thing", "thing_family"), ("windows_pc", "windows_family"), ("server", "server_family"))
    return tuple(
        (value, re.compile(rf"(?:^|[^a-z0-9])(?:{'|'.join(map(re.escape, listed[kind]))})"))
        for kind, value in kinds
    )


@lru_cache(maxsize=4096)
def family_of(infection: str) -> str | None:
    """Which kind of host an infection lives on: "mirai", "Backdoor.Linux.Mirai.b" or "b68-zeroaccess-2-32bit"."""
    name = infection.strip().lower()[:MAX_FAMILY_CHARS]
    return next((value for value, pattern in _families() if pattern.search(name)), None)
