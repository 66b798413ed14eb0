"""The things and servers of the replay, and the texts they show to a scan."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Device:
    """One product as a scan meets it."""

    device_class: str
    vendor: str  # "" where nothing it shows names its maker
    model: str
    taken: float  # weight among compromised things
    owned: float  # weight among what ordinary homes show
    served: float  # weight among servers
    texts: dict[str, tuple[str, ...]]  # protocol and field -> firmware versions' texts

    @property
    def protocols(self) -> tuple[str, ...]:
        """What it speaks, in the order of its texts: "http", "telnet" ..."""
        return tuple(dict.fromkeys(field.split(".")[0] for field in self.texts))


@cache
def devices() -> tuple[Device, ...]:
    """The products of devices.toml."""
    text = resources.files("thingwatch.replay").joinpath("devices.toml").read_text("utf-8")
    return tuple(
        Device(
            device_class=row["class"],
            vendor=row["vendor"],
            model=row["model"],
            taken=row["taken"],
            owned=row["owned"],
            served=row.get("served", 0),
            texts={field: tuple(texts) for field, texts in row.items() if "." in field},
        )
        for row in tomllib.loads(text)["device"]
    )
