"""What a household, and its provider, should do about an exposure, in words for laymen.

The words are data, in ``cures.toml``; the references come from ``taxonomy.json``. The order of the steps matters and
is kept: malware that lives in memory is back within hours when a device is plugged in again before its hole is closed.
Advice for the wrong device costs a household money, so a computer behind the router has its own; and machines on
which other people depend, in a plant or a practice, are never to be switched off on our word.
"""

from __future__ import annotations

import json
import tomllib
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple

_HERE = resources.files(__package__)
_TOLD = tomllib.loads((_HERE / "cures.toml").read_text("utf-8"))
_REFERENCES: dict[str, Any] = json.loads((_HERE / "taxonomy.json").read_text("utf-8"))["references"]

# The answering device is not the one to treat.
_NOT_OF_THE_FRONT = "compromised_pc"


class Reference(NamedTuple):
    """Where the advice comes from."""

    key: str  # of taxonomy.json's references
    title: str


class Cure(NamedTuple):
    """What to do about one exposure of one class of device."""

    label: str  # the exposure in a few words
    means: str  # what it is to the household
    owner: tuple[str, ...]  # steps of the household, in order
    isp: tuple[str, ...]  # steps of the provider
    refs: tuple[Reference, ...]


class Special(NamedTuple):
    """What is special about an exposure at one class of device; mostly nothing."""

    first: tuple[str, ...]  # what the household does before all other steps
    instead: tuple[str, ...]  # what it does in place of all of them
    owner: tuple[str, ...]  # steps of the household after all others
    isp: tuple[str, ...]  # steps of the provider after all others


@lru_cache(maxsize=1024)
def special(name: str, device_class: str | None) -> Special:
    """What is added or changed where the exposure *name* is found at a device of *device_class*."""
    told = _TOLD["class"].get(device_class or "", {})
    if name == _NOT_OF_THE_FRONT or name not in told.get("only", (name,)):
        told = {}
    first, instead, owner, isp = (tuple(told.get(part, ())) for part in Special._fields)
    return Special(first, instead, owner, isp)


@lru_cache(maxsize=1024)
def cure(name: str, device_class: str | None) -> Cure:
    """The cure for the exposure *name* at a device of *device_class*; None where the class is not known.

    Raises KeyError for a name that is no exposure: see causes.EXPOSURES.
    """
    told = _TOLD["exposure"][name]
    extra = special(name, device_class)
    return Cure(
        told["label"],
        told["means"],
        extra.instead or (*extra.first, *told["owner"], *extra.owner),
        (*told["isp"], *extra.isp),
        tuple(Reference(key, _REFERENCES[key]["title"]) for key in told["refs"]),
    )


def class_name(device_class: str | None) -> str:
    """What people call a class: "router", "video recorder"; "device" where none is known."""
    return str(_TOLD["class"].get(device_class or "", {}).get("name", "device"))
