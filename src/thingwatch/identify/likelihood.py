"""What evidence may say and what each word of it is worth: the table of likelihoods, as records.

The idea. A source is one of five origins. Each item of evidence (the SYN, the round trips, what answers there ...)
takes one of a few values, and the table says how often each origin shows each value. Items of one family (two things
read from the same packet; five banners of one host) are near-copies of one another: the strongest counts in full, the
others a third. No item moves the odds by more than ``CAP``: no forged line is worth more than that.

Old evidence fades. A scan of last month describes whoever had the address then: with the chance s = exp(-age/tau) it
is still the same household, otherwise it is anybody, and the value is as likely as in any home.

A value that nearly all sources of a campaign share tells nothing of any one of them. Learnt column by column it would
still do harm: the largest class learns it first, and pulls all others in. Hence ``homes_alike``.

The doubtful case is a list: scans, proxies and infections name those found, and a missing line means "not found" or
"not looked at". The chance q of having been looked at is one more unknown, learnt with the rest. Taking absence for
"not looked at" would read every banner as a guilty one; taking it for "nothing there" would acquit whom no scan saw.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ORIGINS = ("thing_self", "thing_relay", "nat_pc", "mobile", "server")
HOMES = slice(0, 3)  # what sends from a home
RARE = slice(3, 5)  # the others
THING = np.array([True, True, False, False, False])
PRIOR = np.array([0.5, 0.5, 3.0, 0.5, 1.5])  # sources' worth of belief before any evidence
CAP = 50.0  # most that one item, and one family, may move the odds between two origins
REST = 0.3  # weight of the weaker items of a family
UNSEEN = -1  # no word on this item

# How many sources' worth of belief stands behind a column of the table, and how many a campaign of any size may add to
# correct it (a coarsened posterior: Miller and Dunson, JASA 2019). The SYN is L: it names the origins, so a campaign
# may hardly rename them. Left free, 100,000 sources teach that PCs run small Linux, and there are no things any more.
STRENGTH = {"M": 100.0, "L": 60.0, "J": 12.0}
LEARNT = {"M": 400.0, "L": 40.0, "J": 200.0}

# Days in which half to two thirds of the lines of a kind still hold the same household (3,038 probes in 929 networks,
# IMC 2016: almost half of all changes leave even the prefix; 20 providers renumber daily).
TAU_DAYS = {"static": 180.0, "cable": 60.0, "dynamic": 10.0, "pppoe": 1.5, "shared": 0.05}
FRESHNESS = np.array(
    [1.0, 0.9, 0.75, 0.6, 0.45, 0.3, 0.15, 0.05]
)  # s is rounded to these: equal cases count together


@dataclass(frozen=True, slots=True)
class Item:
    """One kind of evidence and its likelihoods."""

    name: str
    family: str
    speaks_of: str  # "sender", "front", "host" or "line"
    quality: str  # "M", "L" or "J"
    fades: bool
    lists: bool  # names only those found; the last value is what all others would show if looked at
    homes_alike: bool  # the origins of a home share one column: the item cannot tell a thing from a PC
    source: str
    values: tuple[str, ...]
    table: Floats  # values x origins; each column adds up to 1


@cache
def items() -> dict[str, Item]:
    """Every item of ``likelihoods.toml``, by name, in the file's order."""
    read = tomllib.loads((resources.files(__package__) / "likelihoods.toml").read_text("utf-8"))
    return {name: _item(name, entry) for name, entry in read.items()}


def _item(name: str, entry: dict[str, Any]) -> Item:
    table = np.array(list(entry["values"].values()), dtype=np.float64)
    if table.shape[1] != len(ORIGINS) or not np.allclose(table.sum(axis=0), 1.0):
        raise ValueError(f"likelihoods.toml: {name}: each column must add up to 1")
    return Item(
        name, entry["family"], entry["speaks_of"], entry["quality"], entry["fades"],
        entry.get("lists", False), entry.get("homes_alike", False), entry["source"],
        tuple(entry["values"]), table,
    )  # fmt: skip


@cache
def families() -> tuple[str, ...]:
    """The families in the table's order."""
    return tuple(dict.fromkeys(item.family for item in items().values()))


def freshness_bin(age_days: Floats, tau_days: Floats) -> NDArray[np.int8]:
    """The place in ``FRESHNESS`` of evidence *age_days* old on lines that keep their household for *tau_days*."""
    s = np.exp(-np.maximum(age_days, 0.0) / tau_days)
    return np.asarray(np.abs(s[:, None] - FRESHNESS[None, :]).argmin(axis=1), dtype=np.int8)


def capped(logs: Floats) -> Floats:
    """Log-likelihoods (rows x origins) in which no origin lies more than ``CAP`` below the row's best."""
    return np.asarray(np.maximum(logs, logs.max(axis=-1, keepdims=True) - np.log(CAP)))
