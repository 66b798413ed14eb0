"""Fingerprints → campaigns. The front door is ``group``: messages meet in buckets of keys and become lures,
lures by the same hand become campaigns."""

from __future__ import annotations

from collections.abc import Callable

from thingwatch.config import Settings
from thingwatch.group.campaigns import Join, group_campaigns
from thingwatch.group.logged import add_logged_runs
from thingwatch.group.lures import CAPS, KIND_BITS, group_lures
from thingwatch.store import Engine

__all__ = ["CAPS", "KIND_BITS", "Join", "group"]


def group(engine: Engine, settings: Settings, recall: Callable[[], None] | None = None) -> list[Join]:
    """Make ``members``, ``signatures`` and ``campaign_members`` from the tables ``mails`` and ``keys``.

    *recall*: called once lures stand, it puts what earlier runs knew beside them: the same tables, and
    ``source_totals``, ``dialect_totals``, ``attached`` and ``frozen``, which otherwise are counted on this mail.
    Whoever gives it has made ``ordinary`` and ``all_mail``, likewise.

    Gives the joins between lures that made campaigns of them, with their reasons.
    """
    if recall is None:
        for name in ("ordinary", "all_mail"):
            engine.make(__package__, name)
    group_lures(engine, settings)
    if recall is None:
        for name in ("source_totals", "dialect_totals", "attached", "frozen"):
            engine.make(__package__, name)
    else:
        recall()
    add_logged_runs(engine)
    return group_campaigns(engine, settings)
