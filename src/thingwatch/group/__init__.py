"""Fingerprints → campaigns. The front door is ``group``: messages meet in buckets of keys and become lures,
lures by the same hand become campaigns."""

from __future__ import annotations

from thingwatch.config import Settings
from thingwatch.group.campaigns import Join, group_campaigns
from thingwatch.group.logged import add_logged_runs
from thingwatch.group.lures import group_lures
from thingwatch.store import Engine

__all__ = ["Join", "group"]


def group(engine: Engine, settings: Settings) -> list[Join]:
    """Make ``members``, ``signatures`` and ``campaign_members`` from the tables ``mails`` and ``keys``.

    Gives the joins between lures that made campaigns of them, with their reasons.
    """
    group_lures(engine, settings)
    add_logged_runs(engine)
    return group_campaigns(engine, settings)
