"""The campaigns a case knows: which keys speak for them, and in which dialects they write.

``uncover`` writes the case, this reads it: verdicts from campaigns.parquet, signature keys with their worth from
keys.parquet, dialects from hands.parquet. In memory a key costs 16 bytes, in sorted arrays; a look-up of all keys
of a mail is one binary search.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from thingwatch.errors import InputError
from thingwatch.fingerprint import KINDS
from thingwatch.group.lures import CAPS, FAIR_PART, MIN_VOTES
from thingwatch.guard.memory import MIN_VOTE
from thingwatch.guard.trace import Trace
from thingwatch.model import Family

MAX_CAMPAIGNS = 4096  # of one case: attacks first, then the largest
_CAPS = {
    Family.TEXT: CAPS["cap_text"],
    Family.SUBJECT: CAPS["cap_subject"],
    Family.LINK: CAPS["cap_link"],
    Family.ATTACHMENT: CAPS["cap_file"],
}
_COLUMNS = {
    "campaigns": ["campaign_id", "verdict", "kind", "bits", "messages", "sources"],
    "keys": ["campaign_id", "key", "weight"],
    "hands": ["campaign_id", "dialect", "weight"],
}
_FAMILY_OF = {kind: family for kind, (family, _) in KINDS.items()}


class KnownCampaign(NamedTuple):
    """One campaign of the case."""

    id: str
    verdict: str
    kind: str
    bits: float
    messages: int
    sources: int
    signed: float  # share of its messages that are authenticated
    hands: dict[int, float]  # dialect → worth in bits


class Recognition(NamedTuple):
    """A mail's keys speak for a known campaign."""

    campaign: KnownCampaign
    votes: float  # bits of content, each family capped
    in_its_hand: bool  # written in one of its dialects


class Known:
    """The snapshot of known campaigns; empty when made without a case."""

    def __init__(self) -> None:
        """Know nothing."""
        self.campaigns: list[KnownCampaign] = []
        self._keys = np.zeros(0, dtype=np.uint64)
        self._campaign = np.zeros(0, dtype=np.uint32)
        self._worth = np.zeros(0, dtype=np.float32)

    @classmethod
    def load(cls, *cases: Path) -> Known:
        """What the case folders *cases* know together; of a campaign that several hold, the first one's word counts.

        Raises InputError for a folder that is no case, or one of before hands.parquet.
        """
        made = cls()
        if not cases:
            return made
        found: dict[str, list[pa.Table]] = {name: [] for name in _COLUMNS}
        signed: dict[str, float] = {}
        taken: set[str] = set()
        for case in dict.fromkeys(cases):
            try:
                tables = {n: pq.read_table(case / f"{n}.parquet", columns=c) for n, c in _COLUMNS.items()}
                report = json.loads((case / "report.json").read_text("utf-8"))
            except (OSError, ValueError, pa.ArrowException) as error:
                raise InputError(
                    f"{case}: cannot be read as a case ({error}); make it with: thingwatch uncover"
                ) from error
            for name, table in tables.items():
                fresh = pc.invert(pc.is_in(table["campaign_id"], pa.array(sorted(taken), pa.string())))
                found[name].append(table.filter(fresh))
            signed = {**_signed_shares(report), **signed}
            taken.update(tables["campaigns"]["campaign_id"].to_pylist())
        whole = {name: pa.concat_tables(parts, promote_options="permissive") for name, parts in found.items()}
        made._take(whole["campaigns"], whole["keys"], whole["hands"], signed)
        return made

    def _take(self, verdicts: pa.Table, keys: pa.Table, hands: pa.Table, signed: dict[str, float]) -> None:
        rows = [row for row in verdicts.to_pylist() if row["verdict"]]
        rows.sort(key=lambda row: (row["verdict"] != "attack", -row["messages"], row["campaign_id"]))
        dialects: dict[str, dict[int, float]] = {}
        for row in hands.to_pylist():
            dialects.setdefault(row["campaign_id"], {})[row["dialect"] & _U64] = row["weight"]
        self.campaigns = [
            KnownCampaign(
                row["campaign_id"], row["verdict"], row["kind"], row["bits"], row["messages"], row["sources"],
                signed.get(row["campaign_id"], 0.0), dialects.get(row["campaign_id"], {}),
            )
            for row in rows[:MAX_CAMPAIGNS]
        ]  # fmt: skip
        number = {campaign.id: i for i, campaign in enumerate(self.campaigns)}
        keys = keys.filter(pc.greater(keys["weight"], MIN_VOTE))
        owner = np.array([number.get(name, -1) for name in keys["campaign_id"].to_pylist()], dtype=np.int64)
        values = keys["key"].to_numpy().view(np.uint64)
        worth = keys["weight"].to_numpy()
        order = np.lexsort((owner, values))
        order = order[owner[order] >= 0]
        self._keys = values[order]
        self._campaign = owner[order].astype(np.uint32)
        self._worth = worth[order].astype(np.float32)

    @property
    def nbytes(self) -> int:
        """Bytes of the keys."""
        return int(self._keys.nbytes + self._campaign.nbytes + self._worth.nbytes)

    def recognise(self, trace: Trace) -> Recognition | None:
        """The known campaign *trace* speaks for loudest, if loud enough; what it is by, the caller decides."""
        if not len(self._keys):
            return None
        first = np.searchsorted(self._keys, trace.keys)
        last = np.searchsorted(self._keys, trace.keys, side="right")
        hit = np.flatnonzero(last > first)
        if not len(hit):
            return None
        sums: dict[int, dict[Family, float]] = {}
        speaking: dict[int, int] = {}
        for k in hit.tolist():
            family = _FAMILY_OF[int(trace.kinds[k])]
            for place in range(first[k], last[k]):
                campaign = int(self._campaign[place])
                row = sums.setdefault(campaign, {})
                row[family] = row.get(family, 0.0) + float(self._worth[place])
                speaking[campaign] = speaking.get(campaign, 0) + 1
        best, most = -1, 0.0
        for campaign, row in sums.items():
            votes = sum(min(_CAPS[family], bits) for family, bits in row.items())
            if votes > most and speaking[campaign] >= FAIR_PART * len(hit):
                best, most = campaign, votes
        if most < MIN_VOTES:
            return None
        found = self.campaigns[best]
        return Recognition(found, most, trace.dialect in found.hands)


def _signed_shares(report: Any) -> dict[str, float]:
    """The share of authenticated messages of each campaign the report describes."""
    found = {}
    for campaign in report.get("campaigns", ()):
        messages = campaign.get("messages") or 0
        if messages:
            found[str(campaign.get("id"))] = campaign.get("authentication", {}).get("pass", 0) / messages
    return found


_U64 = (1 << 64) - 1
