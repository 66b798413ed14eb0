"""Small mailboxes with one moral each: mail in, what must be found out, a paragraph why.

Every folder holds ``story.py``, whose docstring is the paragraph, whose ``tell`` fills a mailbox, and whose
``promise`` states what the story stands for; and ``expected.json``, the whole result. Renewing writes the
second, never against the first: ``pytest tests/stories --renew``.
"""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from stories.cast import Found, Post, everybody, ranges

from thingwatch.config import Settings
from thingwatch.identify import Networks
from thingwatch.uncover import Witness, uncover

HERE = Path(__file__).parent
STORIES = sorted(path.parent for path in HERE.glob("[0-9][0-9]-*/story.py"))


def belongs(names: list[tuple[str, int]]) -> dict[str, str]:
    """Mails as role and number in the order of arrival, folded by role."""
    return {role: ranges(n for r, n in names if r == role) for role in sorted({r for r, _ in names})}


def senders(things: dict[str, Any]) -> dict[str, Any]:
    """What a story with evidence expects of the senders; shares to the percent, which is what a story is about."""
    share = things["share_of_messages"]
    kept = ("status", "naive_by_banner", "naive", "by_device_class")
    return {name: things[name] for name in kept} | {
        "share": [round(share[end], 2) for end in ("low", "high")]
    }


def outcome(folder: Path, tmp_path: Path) -> tuple[dict[str, Any], Found]:
    """Run the story in *folder* and give what expected.json holds."""
    post = Post(folder.name)
    runpy.run_path(str(folder / "story.py"))["tell"](post)
    box, roles = post.mbox()
    (tmp_path / "mail.mbox").write_bytes(box)
    settings = Settings().changed(workers=1)
    networks = Networks.load(tmp_path)
    seen = tmp_path / "seen.jsonl"
    seen.write_text("".join(json.dumps(row) + "\n" for row in post.evidence), encoding="utf-8")
    witness = Witness([seen] if post.evidence else [])
    report = uncover([tmp_path / "mail.mbox"], tmp_path / "case", settings, networks, witness=witness).report
    rows = pq.read_table(tmp_path / "case" / "messages.parquet").to_pylist()
    assert len(rows) == len(roles)
    counted: dict[str, int] = {}
    names = []
    for role in roles:
        counted[role] = counted.get(role, 0) + 1
        names.append((role, counted[role]))
    campaigns = []
    for doc in report["campaigns"]:
        mine = [name for name, row in zip(names, rows, strict=True) if row["campaign_id"] == doc["id"]]
        campaigns.append(
            {
                "verdict": doc["verdict"],
                "kind": doc["kind"],
                "messages": doc["messages"],
                "sources": doc["sources"],
                "max_per_source": doc["max_per_source"],
                "waves": [f"{w['start']} to {w['end']}, {w['messages']}" for w in doc["waves"]],
                "lures": [lure["messages"] for lure in doc["lures"]],
                "belongs": belongs(mine),
                "reasons": sorted(reason["name"] for reason in doc["reasons"]),
                "joined_by": sorted({r["name"] for join in doc["joined"] for r in join["reasons"]}),
                **({"things": senders(doc["things"])} if post.evidence else {}),
            }
        )
    campaigns.sort(key=lambda c: (c["verdict"], -c["messages"], json.dumps(c["belongs"])))
    reported = {doc["id"] for doc in report["campaigns"]}
    alone = [name for name, row in zip(names, rows, strict=True) if row["campaign_id"] not in reported]
    sent = everybody(roles)
    return {"sent": sent, "campaigns": campaigns, "alone": belongs(alone)}, Found(campaigns, sent)


@pytest.mark.parametrize("folder", STORIES, ids=lambda folder: folder.name)
def test_story(folder: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The story keeps its promise, and nothing else about it changed."""
    story = runpy.run_path(str(folder / "story.py"))
    result, found = outcome(folder, tmp_path)
    story["promise"](found)
    expected = folder / "expected.json"
    if request.config.getoption("--renew", default=False):
        expected.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert result == json.loads(expected.read_text("utf-8")), "renew on purpose: pytest tests/stories --renew"


@pytest.mark.parametrize("folder", STORIES, ids=lambda folder: folder.name)
def test_story_says_why(folder: Path) -> None:
    """Every story opens with a paragraph why it is told."""
    assert len(runpy.run_path(str(folder / "story.py"))["__doc__"].split()) > 25
