"""Every setting, its default, its unit and its range."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from thingwatch.errors import InputError, SettingError


def setting(default: Any, doc: str, unit: str, low: float | None = None, high: float | None = None) -> Any:
    """A field whose metadata carry what the reference page prints and what ``checked`` enforces."""
    return field(default=default, metadata={"doc": doc, "unit": unit, "low": low, "high": high})


def checked(settings: Any, values: dict[str, Any], where: str, before: str = "") -> dict[str, Any]:
    """*values* as the fields of *settings* (a dataclass whose metadata holds low, high, unit) can hold them.

    Raises SettingError for a name that is none, a value of another kind or outside its range; *where* all are listed,
    *before*: what a name bears in front when it is told.
    """
    known = {f.name: f for f in fields(settings)}
    found = {}
    for name, value in values.items():
        if name not in known:
            raise SettingError(f"{before}{name}: no such setting; {where}")
        default, meta = known[name].default, known[name].metadata
        if isinstance(default, float) and type(value) is int:
            value = float(value)
        if isinstance(default, tuple) and isinstance(value, list):
            value = tuple(str(item) for item in value)
        elif isinstance(default, tuple) and isinstance(value, dict):
            value = tuple((str(key), str(item)) for key, item in value.items())
        if type(value) is not type(default):
            wanted = type(default).__name__
            raise SettingError(
                f"{before}{name} = {value!r}: must be a {wanted}; remove the line to get {default!r}"
            )
        if meta["low"] is not None and not meta["low"] <= value <= meta["high"]:
            raise SettingError(
                f"{before}{name} = {value}: must be from {meta['low']:g} to {meta['high']:g} {meta['unit']};"
                f" remove the line to get {default}"
            )
        found[name] = value
    return found


def read_toml(path: Path | None, example: str) -> dict[str, Any]:
    """What the TOML file *path* says; None says nothing. *example*: a line of such a file, for whoever wrote none.

    Raises InputError when the file cannot be read, SettingError when it is no TOML.
    """
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a readable TOML file to --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"{path}: not TOML ({error}); write lines such as {example}") from error


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a run. Make one with ``Settings.load`` or ``Settings().changed(...)``."""

    border: tuple[str, ...] = setting(
        (),
        "hosts and networks that wrote the trusted Received lines; empty: the topmost external hop",
        "name",
    )
    workers: int = setting(0, "worker processes; 0: one per core", "processes", 0, 256)
    load_mb: int = setting(8, "mail handed to a worker at a time", "MB", 1, 256)
    memory_mb: int = setting(
        1800, "memory of the embedded database; it spills to disk beyond", "MB", 200, 1 << 20
    )
    temp_folder: str = setting("", "where unfinished work lies; empty: beside the case folder", "path")
    staging: str = setting(
        "",
        "where a cluster's tables lie while it works: a folder or URL all its workers can write to; empty: beside the"
        " case folder",
        "path or URL",
    )
    min_likeness: float = setting(
        16.0, "summed weight of shared keys from which two messages are one lure", "bits", 4, 64
    )
    min_messages: int = setting(
        5, "messages from which a lure or a campaign is reported", "messages", 2, 10**6
    )
    quiet_minutes: float = setting(
        20.0,
        "silence that ends a wave, when the wave's own pace does not ask for more",
        "minutes",
        0.1,
        10**5,
    )
    min_wave: int = setting(20, "messages below which a run is not called a wave", "messages", 2, 10**6)
    attack_sources: int = setting(
        8, "distinct sources a campaign needs before it can be called an attack", "sources", 2, 10**6
    )
    p0f_utc_minutes: int = setting(
        0,
        "minutes by which the clock of p0f logs is ahead of UTC; p0f writes local time",
        "minutes",
        -840,
        840,
    )
    carry_days: float = setting(
        30.0, "mail in no reported campaign is kept for later runs for so long", "days", 0, 366
    )
    carry_messages: int = setting(
        50_000,
        "such mail that every later run looks at again, the newest; older is looked at when new mail is like it",
        "messages",
        0,
        10**8,
    )
    memory_days: float = setting(
        120.0, "silence after which a campaign is forgotten by later runs", "days", 1, 3650
    )
    seed: int = setting(1, "seed of the draws behind sampled figures", "number", 0, 2**31)

    def changed(self, **values: Any) -> Settings:
        """A copy with *values* set; raises SettingError for a value outside its range."""
        return replace(self, **checked(self, values, "see docs/settings.md"))

    @classmethod
    def load(cls, path: Path | None) -> Settings:
        """Settings from a TOML file of ``name = value`` lines; None gives the defaults.

        Raises InputError when the file cannot be read, SettingError for what it says.
        """
        return cls().changed(**read_toml(path, "min_messages = 5"))

    @property
    def worker_count(self) -> int:
        """Processes to start: what was asked for, or one per core we may use."""
        return self.workers or len(os.sched_getaffinity(0))
