"""What we remember: the tables of a run, in an engine. The front doors are ``open_engine`` and ``query``."""

from __future__ import annotations

from pathlib import Path

from thingwatch.config import Settings
from thingwatch.store.embedded import Embedded
from thingwatch.store.engine import FILE_BITS, WHOLE, Engine, Steps, TableForm, accounted, query

__all__ = [
    "FILE_BITS",
    "WHOLE",
    "Embedded",
    "Engine",
    "Steps",
    "TableForm",
    "accounted",
    "open_engine",
    "query",
]


def open_engine(name: str, settings: Settings, folder: Path) -> Engine:
    """The engine *name*, "duckdb", "spark" or "spark=MASTER_URL"; unfinished work lies in *folder*.

    Raises UsageError for another name, SettingError where what the engine needs is not installed.
    """
    if name == "duckdb":
        return Embedded(settings, folder)
    from thingwatch.store.cluster import Cluster

    return Cluster(name.partition("=")[2], settings, folder)
