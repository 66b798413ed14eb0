"""Every setting, its default, its unit and its range."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from thingwatch.errors import InputError, SettingError


def _setting(default: Any, doc: str, unit: str, low: float | None = None, high: float | None = None) -> Any:
    """A field whose metadata carry what the reference page prints and what ``checked`` enforces."""
    return field(default=default, metadata={"doc": doc, "unit": unit, "low": low, "high": high})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a run. Make one with ``Settings.load`` or ``Settings().changed(...)``."""

    border: tuple[str, ...] = _setting(
        (),
        "hosts and networks that wrote the trusted Received lines; empty: the topmost external hop",
        "name",
    )
    workers: int = _setting(0, "worker processes; 0: one per core", "processes", 0, 256)
    load_mb: int = _setting(8, "mail handed to a worker at a time", "MB", 1, 256)
    memory_mb: int = _setting(
        1800, "memory of the embedded database; it spills to disk beyond", "MB", 200, 1 << 20
    )
    temp_folder: str = _setting("", "where unfinished work lies; empty: beside the case folder", "path")
    staging: str = _setting(
        "",
        "where a cluster's tables lie while it works: a folder or URL all its workers can write to; empty: beside the"
        " case folder",
        "path or URL",
    )
    min_likeness: float = _setting(
        16.0, "summed weight of shared keys from which two messages are one lure", "bits", 4, 64
    )
    min_messages: int = _setting(
        5, "messages from which a lure or a campaign is reported", "messages", 2, 10**6
    )
    quiet_minutes: float = _setting(
        20.0,
        "silence that ends a wave, when the wave's own pace does not ask for more",
        "minutes",
        0.1,
        10**5,
    )
    min_wave: int = _setting(20, "messages below which a run is not called a wave", "messages", 2, 10**6)
    attack_sources: int = _setting(
        8, "distinct sources a campaign needs before it can be called an attack", "sources", 2, 10**6
    )
    p0f_utc_minutes: int = _setting(
        0,
        "minutes by which the clock of p0f logs is ahead of UTC; p0f writes local time",
        "minutes",
        -840,
        840,
    )
    carry_days: float = _setting(
        30.0, "mail in no reported campaign is kept for later runs for so long", "days", 0, 366
    )
    carry_messages: int = _setting(
        50_000,
        "such mail that every later run looks at again, the newest; older is looked at when new mail is like it",
        "messages",
        0,
        10**8,
    )
    memory_days: float = _setting(
        120.0, "silence after which a campaign is forgotten by later runs", "days", 1, 3650
    )
    seed: int = _setting(1, "seed of the draws behind sampled figures", "number", 0, 2**31)

    def changed(self, **values: Any) -> Settings:
        """A copy with *values* set; raises SettingError for a value outside its range."""
        known = {f.name: f for f in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise SettingError(f"{name}: no such setting; see docs/settings.md")
            low, high = known[name].metadata["low"], known[name].metadata["high"]
            default = known[name].default
            if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
                values[name] = value = float(value)
            if isinstance(default, tuple) and isinstance(value, list):
                values[name] = value = tuple(str(item) for item in value)
            if type(value) is not type(default):
                wanted = type(default).__name__
                raise SettingError(
                    f"{name} = {value!r}: must be a {wanted}; remove the line to get {default!r}"
                )
            if low is not None and not low <= value <= high:
                raise SettingError(
                    f"{name} = {value}: must be from {low:g} to {high:g} {known[name].metadata['unit']};"
                    f" remove the line to get {default}"
                )
        return replace(self, **values)

    @classmethod
    def load(cls, path: Path | None) -> Settings:
        """Settings from a TOML file of ``name = value`` lines; None gives the defaults.

        Raises InputError when the file cannot be read, SettingError for what it says.
        """
        if path is None:
            return cls()
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}; give a readable TOML file to --config") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingError(f"{path}: not TOML ({error}); write lines such as min_messages = 5") from error
        return cls().changed(**values)

    @property
    def worker_count(self) -> int:
        """Processes to start: what was asked for, or one per core we may use."""
        return self.workers or len(os.sched_getaffinity(0))
