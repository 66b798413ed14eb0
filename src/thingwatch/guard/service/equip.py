"""Tables [outlets.NAME] of guard.toml → what hangs on the daemon. Without tables nothing of it is loaded.

[outlets.maps]      # Rspamd's maps as files
folder = "/var/lib/thingwatch/maps"
[outlets.redis]     # the same in Redis
url = "redis://127.0.0.1:6379/0"
[outlets.zone]      # a private DNS zone
file = "/var/lib/thingwatch/zone"
[outlets.rspamd]    # POST /rspamd takes what its metadata_exporter sends
tap = true
[outlets.shared]    # several guards remember as one
url = "redis://127.0.0.1:6379/1"
name = "mx1"
[outlets.publish]   # of maps, redis and zone together
hold_hours = 12.0
in_canary = false
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thingwatch.errors import SettingError
from thingwatch.guard.service.outlet import Equipment, Outlet, Tap

if TYPE_CHECKING:
    from thingwatch.guard.service.daemon import Daemon

# Table → its settings with what stands for "not given": a type where it must be.
TABLES: dict[str, dict[str, Any]] = {
    "maps": {"folder": str},
    "redis": {"url": str},
    "zone": {"file": str, "origin": "localhost"},
    "rspamd": {"tap": True},
    "shared": {"url": str, "name": str},
    "publish": {"hold_hours": 12.0, "in_canary": False},
}
TAP_PATH = "/rspamd"


def equip(daemon: Daemon) -> Equipment:
    """What the tables of *daemon* ask for; raises SettingError."""
    tables = checked(daemon.setup.outlets)
    if not tables:
        return Equipment()
    from thingwatch.guard.outlets.maps import FileMaps
    from thingwatch.guard.outlets.publish import Publisher
    from thingwatch.guard.outlets.redis_maps import RedisMaps
    from thingwatch.guard.outlets.rspamd import tap
    from thingwatch.guard.outlets.server import Address, Redis
    from thingwatch.guard.outlets.shared import Shared
    from thingwatch.guard.outlets.zone import Zone

    files: list[Any] = []
    if "maps" in tables:
        files.append(FileMaps(Path(tables["maps"]["folder"])))
    if "zone" in tables:
        files.append(Zone(Path(tables["zone"]["file"]), tables["zone"]["origin"]))
    redis = RedisMaps(Redis(Address(tables["redis"]["url"])), daemon.hear) if "redis" in tables else None
    publisher = Publisher(
        daemon.guard, files, redis, ask=daemon.desk.ask, events=daemon.hear, **tables.get("publish", {})
    )
    outlets: list[Outlet] = [publisher]
    taps: dict[str, Tap] = {}
    if tables.get("rspamd", {}).get("tap"):
        taps[TAP_PATH] = tap(publisher)
    if "shared" in tables:
        about = tables["shared"]
        outlets.append(
            Shared(
                daemon.guard, Address(about["url"]), about["name"], daemon.folder, ask=daemon.desk.ask,
                events=daemon.hear,
            )
        )  # fmt: skip
    return Equipment(outlets, taps, publisher.beside)


def checked(tables: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """*tables* with what is not given; raises SettingError for what is not known or of another kind."""
    made = {}
    for name, table in tables.items():
        if name not in TABLES or not isinstance(table, dict):
            raise SettingError(f"[outlets.{name}]: no such outlet; there are {', '.join(TABLES)}")
        known = TABLES[name]
        for key, value in table.items():
            if key not in known:
                raise SettingError(f"outlets.{name}.{key}: no such setting; there are {', '.join(known)}")
            wanted = known[key] if isinstance(known[key], type) else type(known[key])
            if type(value) is not wanted:
                raise SettingError(f"outlets.{name}.{key} = {value!r}: must be a {wanted.__name__}")
        missing = [key for key, default in known.items() if isinstance(default, type) and key not in table]
        if missing:
            raise SettingError(
                f"[outlets.{name}]: {', '.join(missing)} is missing; see docs/guard-outlets.md"
            )
        made[name] = {**known, **table}
    return made
