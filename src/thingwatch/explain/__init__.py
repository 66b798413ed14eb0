"""Why a message belongs where it stands, and what a campaign is made of: read from a case, told in bits.

The front doors are ``explain``, which finds the facts, and ``lines``, which tells them. The case holds no
bodies; for a message the one mail is read again from its place.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from thingwatch.errors import InputError
from thingwatch.explain.case import Case
from thingwatch.explain.proof import proof_of
from thingwatch.explain.telling import lines

__all__ = ["explain", "lines"]

_CAMPAIGN = re.compile(r"c-[0-9a-f]{1,16}")
_LURE = re.compile(r"l-[0-9a-f]{1,16}")


def explain(case: Path, what: str) -> dict[str, Any]:
    """The facts of *case* about *what*: a campaign's id, a lure's, a Message-ID or a message's place.

    A Message-ID may stand in angle brackets; of a place the end is enough where no other message's ends so.
    The result's ``what`` is "campaign", "lure" or "message"; docs/cli.md has the fields. Weights are bits.

    Raises InputError where *case* is no case, holds nothing of that name, or the message's mail is gone.
    """
    opened = Case.open(case)
    name = what.strip()
    if _CAMPAIGN.fullmatch(name):
        return _campaign(opened, name)
    if _LURE.fullmatch(name):
        return _lure(opened, name)
    return proof_of(opened, opened.message_row(name))


def _campaign(case: Case, name: str) -> dict[str, Any]:
    document = case.campaigns.get(name)
    if document is not None:
        return {"what": "campaign", **document}
    row = case.campaign_row(name)
    if row is None:
        raise InputError(f"{name}: no campaign of this id in {case.folder}; campaigns.parquet lists them all")
    return {
        "what": "campaign",
        **row,
        "headline": "Too few messages to be described; only counts are kept.",
        "reasons": [],
        "signature": [],
        "joined": [],
        "waves": [],
        "lures": [],
    }


def _lure(case: Case, name: str) -> dict[str, Any]:
    for document in case.campaigns.values():
        for lure in document["lures"]:
            if lure["id"] == name:
                return {
                    "what": "lure",
                    **lure,
                    "campaign_id": document["id"],
                    "verdict": document["verdict"],
                    "joined": [join for join in document["joined"] if name in (join["from"], join["to"])],
                }
    found = case.lure_row(name)
    if found is None:
        raise InputError(
            f"{name}: no lure of this id in {case.folder}; messages.parquet, lure_id, lists them all"
        )
    known = case.campaigns.get(found["campaign_id"] or "")
    return {"what": "lure", **found, "verdict": known["verdict"] if known else None, "joined": []}
