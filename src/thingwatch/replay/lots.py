"""Lots that hang on an address alone, so that every file of a replay tells of the same household."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from thingwatch.replay.cast import Numbers
from thingwatch.replay.words import seed_for

Shares = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]


@cache
def chances() -> dict[str, Any]:
    """The tables of chances.toml."""
    return tomllib.loads(resources.files("thingwatch.replay").joinpath("chances.toml").read_text("utf-8"))


def mixed_all(values: Numbers | Words) -> Words:
    """cast.mixed of many values at once."""
    # Arithmetic modulo 2**64 is meant.
    value = values.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(value ^ (value >> np.uint64(31)))


def lots(addresses: Numbers, seed: int, *purpose: object) -> Shares:
    """For each address a number from 0 to below 1, fixed by *seed* and *purpose*."""
    bits = mixed_all(addresses.astype(np.uint64) ^ np.uint64(seed_for("lot", seed, *purpose)))
    return np.asarray((bits >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def chosen(throws: Shares, weights: Sequence[float] | Shares) -> Numbers:
    """For each throw the number of a choice, in proportion to *weights*."""
    edges = np.cumsum(np.asarray(weights, dtype=float))
    found = np.searchsorted(edges, throws * edges[-1], side="right")
    return np.asarray(np.minimum(found, len(edges) - 1), dtype=np.int64)
