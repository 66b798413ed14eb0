"""A run that continues an earlier one: what the old case says of campaigns that today's mail did not touch."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from thingwatch.act.wording import plural
from thingwatch.config import Settings
from thingwatch.errors import InputError
from thingwatch.evidence import SIGHTINGS_SCHEMA, Sifted, gather
from thingwatch.identify import Rules
from thingwatch.kernel import Digest, Progress
from thingwatch.memory import Memory, Run, keep
from thingwatch.outcome import RANK
from thingwatch.read.evidence import EvidenceFile
from thingwatch.store import Engine

TABLES = ("campaigns", "waves", "keys", "hands", "sources")  # of a case, by campaign_id
BATCH = 1 << 16  # rows of an old file taken over at a time


@dataclass(slots=True)
class Texts:
    """How keys, dialects and specimens read: of messages of this run, and as earlier runs have read them."""

    known: dict[tuple[str, int], str] = field(default_factory=dict)
    used: dict[tuple[int, str, int], str] = field(default_factory=dict)

    def of(self, campaign: int, what: str, number: int, text: str) -> str:
        """*text*, or where there is none the text that an earlier run had; remembered for *campaign*."""
        text = text or self.known.get((what, number), "")
        if text:
            self.used[campaign, what, number] = text
        return text

    def lend(self, campaign: int, lures: list[dict[str, Any]]) -> None:
        """Give each of *lures* that shows no message the one it was shown by earlier."""
        for lure in lures:
            lure["specimen"] = self.of(campaign, "lure", int(lure["id"][2:], 16), lure["specimen"])

    def table(self, older: pa.Table, kept: set[int]) -> pa.Table:
        """What to remember: the texts used, and of those of *older* the campaigns *kept*."""
        rows = [(*key, text) for key, text in self.used.items()]
        names = ("campaign", "what", "id", "text")
        kinds = (pa.int64(), pa.string(), pa.int64(), pa.string())
        table = pa.table({n: pa.array([row[i] for row in rows], kinds[i]) for i, n in enumerate(names)})
        stays = older.filter(pc.field("campaign").isin(pa.array(sorted(kept), pa.int64())))
        return pa.concat_tables([table, stays.select(table.column_names)])


@dataclass(slots=True)
class Story:
    """The earlier case, and which of its campaigns stand as they are."""

    case: Path | None
    memory: Memory
    report: dict[str, Any]  # of the earlier case
    texts: Texts
    older_texts: pa.Table
    newest: int | None = None  # of this run's mail: microseconds since 1970, UTC
    seen: int = 0  # messages of this run that an earlier one has read
    asleep: frozenset[str] = frozenset()  # ids of campaigns taken over as they stand
    small: frozenset[str] = frozenset()  # likewise, of groups too small to be judged

    @classmethod
    def open(cls, case: Path | None, memory: Memory) -> Story:
        """The story so far; raises InputError where *case* has a state, but no whole report beside it."""
        older = pa.table(
            {
                "campaign": pa.array([], pa.int64()), "what": pa.array([], pa.string()), "id": pa.array([], pa.int64()),
                "text": pa.array([], pa.string()),
            }
        )  # fmt: skip
        if case is None:
            return cls(None, memory, {}, Texts(), older)
        try:
            report = json.loads((case / "report.json").read_text(encoding="utf-8"))
            for path in memory.state.paths("texts"):
                older = pq.read_table(path)
            for name in TABLES:
                pq.read_metadata(case / f"{name}.parquet")
            _ = [document["id"] for document in report["campaigns"]], report["made_at"]
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise InputError(
                f"--continue {case}: not a whole case ({error}); restore it from a copy, or uncover its mail again"
            ) from error
        columns = older.to_pydict()
        known = dict(zip(zip(columns["what"], columns["id"], strict=True), columns["text"], strict=True))
        return cls(case, memory, report, Texts(known), older)

    def settle(self, engine: Engine, memory_days: float) -> None:
        """Find the campaigns that stand as they are: not woken, not carried over, not forgotten."""
        self.newest = engine.rows(
            "SELECT max(m.received_at) FROM mails AS m JOIN loads AS o ON o.number = m.seq // 1099511627776"
        )[0][0]
        if self.case is None:
            return
        engine.make("thingwatch.memory", "moved")
        oldest = (self.newest or 0) - int(memory_days * 86_400_000_000)
        sleeping = engine.rows(
            "SELECT k.campaign_id FROM known_campaigns AS k LEFT JOIN woken AS w ON w.campaign = k.campaign"
            " WHERE w.campaign IS NULL AND coalesce(k.last_seen, $oldest) >= $oldest",
            oldest=oldest,
        )
        self.asleep = frozenset(row[0] for row in sleeping)
        known = {row[0] for row in engine.rows("SELECT campaign_id FROM known_campaigns")}
        again = {row[0] for row in engine.rows("SELECT DISTINCT campaign_id FROM carried")}
        taken = {row[0] for row in engine.rows("SELECT campaign_id FROM campaign_names")}
        table = pq.read_table(self.case / "campaigns.parquet", columns=["campaign_id", "last_seen"])
        moments = table["last_seen"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
        self.small = frozenset(
            name
            for name, last in zip(table["campaign_id"].to_pylist(), moments, strict=True)
            if name not in known and name not in again and name not in taken and (last or oldest) >= oldest
        )

    def whole(self, documents: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
        """*documents* and those of campaigns that sleep, attacks first, each verdict by size; *most* of them."""
        documents = documents + [d for d in self.report.get("campaigns", ()) if d["id"] in self.asleep]
        documents.sort(key=lambda d: (RANK[d["verdict"]], -d["messages"], d["id"]))
        return documents[:most]

    def account(self, engine: Engine) -> dict[str, Any] | None:
        """The report's part on what this run continues; None where it continues nothing."""
        if self.case is None:
            return None
        state = self.memory.state
        known = engine.number("SELECT count(*) FROM known_campaigns")
        woken = engine.number(
            "SELECT count(*) FROM known_campaigns AS k JOIN woken AS w ON w.campaign = k.campaign"
        )
        merged = engine.rows(
            "SELECT DISTINCT k.campaign_id, n.campaign_id FROM known_campaigns AS k JOIN woken AS w"
            " ON w.campaign = k.campaign JOIN known_lures AS l ON l.campaign = k.campaign"
            " JOIN kept_lures AS x ON x.lure = l.lure JOIN campaign_names AS n ON n.campaign = x.campaign"
            " WHERE k.campaign_id <> n.campaign_id ORDER BY k.campaign_id, n.campaign_id"
        )
        carried = engine.number("SELECT count(*) FROM carried")
        old = sum(run.messages for run in state.runs)
        return {
            "case": str(self.case),
            "made_at": self.report["made_at"],
            "runs": state.runs[-1].number,
            "messages_before": old,
            "seen_before": self.seen,
            "carried": carried,
            "moved": engine.number("SELECT count(*) FROM moved"),
            "known": known,
            "woken": woken,
            "sleeping": len(self.asleep),
            "renamed": [{"from": a, "to": b} for a, b in merged],
            "sentence": (
                f"This case continues {self.case}, which holds {plural(state.runs[-1].number, 'run')} over"
                f" {plural(old, 'message')}: totals count the mail read now, campaigns are told from their beginning."
                f" Of {plural(known, 'campaign')} known, new mail came near {woken:,}."
            ),
        }

    def keep(
        self,
        engine: Engine,
        folder: Path,
        report: dict[str, Any],
        digests: list[Digest],
        sifted: list[Sifted],
        settings: Settings,
    ) -> None:
        """Remember what the next run needs."""
        memory = self.memory
        if not memory.continues:
            memory.nothing(engine)
        run = Run(
            number=memory.state.runs[-1].number + 1 if memory.state.runs else 1,
            made_at=report["made_at"],
            messages=report["totals"]["messages"],
            newest=self.newest,
            paths=tuple(report["input"]["paths"]),
            evidence=tuple((file.number, file.path) for file in sifted),
        )
        asleep = engine.rows(
            "SELECT k.campaign FROM known_campaigns AS k LEFT JOIN woken AS w ON w.campaign = k.campaign"
            " WHERE w.campaign IS NULL"
        )
        texts = self.texts.table(self.older_texts, {row[0] for row in asleep})
        next_load = max([memory.state.next_load, *(digest.number + 1 for digest in digests)])
        keep(engine, memory, folder, run, next_load, texts, settings, int(time.time() * 1e6))

    def extend(self, folder: Path) -> None:
        """Add the rows of campaigns that stand as they are to the tables in *folder*, as the old case has them."""
        if self.case is None:
            return
        for name in TABLES:
            stay = self.asleep | self.small if name == "campaigns" else self.asleep
            if stay:
                _add_rows(folder / f"{name}.parquet", self.case / f"{name}.parquet", stay)


def _add_rows(path: Path, older: Path, stay: frozenset[str]) -> None:
    """Put the rows of *older* whose campaign_id is in *stay* behind those of *path*."""
    wanted = pa.array(sorted(stay), pa.string())
    partial = path.with_suffix(".partial")
    with (
        pq.ParquetFile(path) as mine,
        pq.ParquetFile(older) as theirs,
        pq.ParquetWriter(partial, mine.schema_arrow, compression="zstd") as out,
    ):
        for batch in mine.iter_batches(BATCH):
            out.write_batch(batch)
        for batch in theirs.iter_batches(BATCH):
            rows = batch.filter(pc.is_in(batch.column("campaign_id"), wanted))
            if rows.num_rows:
                out.write_table(
                    pa.Table.from_batches([rows]).select(mine.schema_arrow.names).cast(mine.schema_arrow)
                )
    partial.replace(path)


def sift(
    engine: Engine,
    files: list[EvidenceFile],
    rules: Rules,
    settings: Settings,
    progress: Progress,
    memory: Memory,
) -> list[Sifted]:
    """Read the evidence about the sources found, into the table ``sightings``."""
    engine.make("thingwatch.identify", "source_systems")
    table = "fresh_sightings" if memory.continues else "sightings"
    if not files:
        engine.add(table, SIGHTINGS_SCHEMA.empty_table())
        if not memory.continues:
            return []
    sources = engine.arrow(
        "SELECT DISTINCT c.client_ip FROM campaign_sources AS c JOIN verdicts AS j ON j.campaign = c.campaign"
        " WHERE j.verdict <> 'bulk'"
    )
    wanted = frozenset(sources["client_ip"].to_pylist())
    first = max((number + 1 for number, _ in memory.files), default=0)
    sifted = gather(engine, files, wanted, rules, settings, progress, first, table) if files else []
    if memory.continues:
        memory.sight(engine, wanted, {file.path for file in sifted})
    return sifted
