"""The driver at rest: many mails through all the stages, in order, to one case folder."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from thingwatch import __version__
from thingwatch.act import with_evidence, write_case, write_page
from thingwatch.config import Settings
from thingwatch.continued import Story, Texts, sift
from thingwatch.errors import ContradictionError, InputError
from thingwatch.evidence import accounts_of, planned
from thingwatch.fingerprint import KINDS
from thingwatch.fingerprint.readable import readable_hand, readable_keys, specimen
from thingwatch.group import Join, group
from thingwatch.identify import Networks, Rules, identify, name_sources, not_assessed
from thingwatch.judge import Facts, judge
from thingwatch.kernel import Digest, Progress, digest_all, messages_at
from thingwatch.memory import Memory
from thingwatch.model import Message, Reason
from thingwatch.outcome import RANK, headline, sentence_of, smallest_seen, things_sentence
from thingwatch.profile import Campaign, Pace, Tallies, facts_of, iso, lure_id, portrait, prepare
from thingwatch.read import Border
from thingwatch.store import Engine, open_engine, query

ELSEWHERE = ("temp_folder", "staging")  # settings that say where work lies: nobody's business but the run's
MAX_PORTRAITS = 1000  # campaigns described in report.json; campaigns.parquet lists all
MAX_SPECIMENS = 240  # messages read again to be shown
LURE_EXAMPLES = 12  # lures of a campaign shown with a specimen
EXAMPLES = 12  # messages read again per campaign to name its keys


class Witness(NamedTuple):
    """Evidence that did not come in the mail, and what it is read with."""

    paths: Sequence[Path] = ()  # files or folders, see docs/evidence.md
    recog: Path | None = None  # a folder of Recog's fingerprints
    rules: Sequence[Path] = ()  # the user's own device rules


NO_WITNESS = Witness()


class Outcome(NamedTuple):
    """What a run gives its caller: the report as written, and whether anything had to be skipped."""

    report: dict[str, Any]
    partial: bool


def uncover(
    paths: Sequence[Path | str],
    out: Path,
    settings: Settings,
    networks: Networks,
    blocklist: list[str] | None = None,
    progress: Progress = lambda stage, rows: None,
    witness: Witness = NO_WITNESS,
    engine: str = "duckdb",
    earlier: Path | None = None,
) -> Outcome:
    """Find the campaigns in the mail at *paths*, say who sent them by *witness*, and write the case folder *out*.

    *earlier*: a case whose campaigns this run continues; see docs/continue.md. Texts among the paths are URLs that a
    cluster can read. *engine*: where the work is done: "duckdb", "spark" or "spark=MASTER_URL"; the result is the same.

    Raises InputError for input that cannot be read at all, OutputError for a case that cannot be written,
    ContradictionError for a profile whose numbers contradict each other.
    """
    outcome: list[Outcome] = []
    memory = Memory.open(earlier, settings)
    story = Story.open(earlier, memory)

    def fill(folder: Path) -> None:
        work = Path(settings.temp_folder or folder) / ".work"
        work.mkdir(parents=True, exist_ok=True)
        try:
            with open_engine(engine, settings, work) as opened:
                outcome.append(
                    _run(opened, paths, folder, settings, networks, blocklist, progress, witness, story)
                )
        finally:
            shutil.rmtree(work, ignore_errors=True)

    write_case(out, fill)
    return outcome[0]


def _run(
    engine: Engine,
    paths: Sequence[Path | str],
    folder: Path,
    settings: Settings,
    networks: Networks,
    blocklist: list[str] | None,
    progress: Progress,
    witness: Witness,
    story: Story,
) -> Outcome:
    memory = story.memory
    stages = _Stages(progress)
    border = Border.of(settings.border)
    rules, files = Rules.load(witness.recog, witness.rules), planned(witness.paths)
    try:
        digests = digest_all(engine, paths, border, settings, progress, memory.state.next_load, memory.prefix)
    except (FileNotFoundError, PermissionError) as error:
        # The case folder is ours and open: what is missing now was there when the run began.
        raise InputError(
            f"{error.filename or paths[0]}: went away while it was read; run again on mail at rest"
        ) from error
    messages = sum(digest.messages for digest in digests)
    if not messages and not any(digest.skips for digest in digests):
        named = ", ".join(map(str, paths))
        raise InputError(f"{named}: no mail in it; name an mbox, a Maildir, .eml files or a mail log")
    stages.done("read and fingerprint", messages)
    if memory.continues:
        story.seen = memory.recall(engine, settings)
        stages.done("recall", engine.number("SELECT count(*) FROM recalled"))
    load_tables(engine, digests)
    joins = group(engine, settings, partial(memory.place, engine) if memory.continues else None)
    stages.done("group", engine.number("SELECT count(*) FROM campaign_members"))
    campaigns, tallies = prepare(engine, settings, partial(name_sources, networks=networks), blocklist)
    judged = _judged(tallies, campaigns, settings)
    _add_verdicts(engine, judged)
    stages.done("name and judge", len(campaigns))
    sifted = sift(engine, files, rules, settings, progress, memory)
    stages.done("read evidence", sum(file.rows for file in sifted))
    things = identify(engine, networks, memory.names(sifted), rules.label, settings.seed)
    stages.done("identify", len(things))
    documents = _documents(engine, tallies, judged, things, paths, border, settings, story)
    _explain_joins(joins, judged, documents)
    story.settle(engine, settings.memory_days)
    documents = story.whole(documents, MAX_PORTRAITS)
    report = _report(engine, documents, digests, paths, settings, networks, messages - story.seen, story.seen)
    report["evidence"] = accounts_of(engine, sifted)
    _refuse_contradictions(documents)
    stages.done("profile", len(documents))
    _write_tables(engine, folder)
    story.extend(folder)
    stages.done("write tables", messages)
    story.keep(engine, folder, report, digests, sifted, settings)
    stages.done("remember", len(documents))
    if (account := story.account(engine)) is not None:
        report["continued"] = account
        report["headline"] = headline(report)
    report["stages"] = list(stages.rows)
    (folder / "report.json").write_text(
        json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
    write_page(report, folder / "report.html")
    stages.done("write", len(documents))
    lost = report["totals"]["skipped"] - story.seen
    return Outcome(report, bool(lost or report["evidence"]["skipped"]))


class _Stages:
    """How long each stage took, for the report."""

    def __init__(self, progress: Progress) -> None:
        self.rows: list[dict[str, Any]] = []
        self._progress = progress
        self._since = time.perf_counter()

    def done(self, name: str, rows: int) -> None:
        """Note that the stage *name* ended with *rows* rows."""
        now = time.perf_counter()
        self.rows.append({"name": name, "seconds": round(now - self._since, 2), "rows": rows})
        self._since = now
        self._progress(name, rows)


def load_tables(engine: Engine, digests: list[Digest]) -> None:
    """Make ``mails`` of what is there, and ``loads``: how many messages were read before each load."""
    before = [0, *accumulate(digest.messages for digest in digests)]
    engine.add(
        "loads",
        pa.table(
            {
                "number": pa.array([digest.number for digest in digests], pa.int64()),
                "messages_before": pa.array(before[:-1], pa.int64()),
            }
        ),
    )
    engine.add("moved", pa.table({"seq": pa.array([], pa.int64())}))  # of earlier runs' messages
    engine.make("thingwatch.store", "mails")


class _Judged(NamedTuple):
    campaign: Campaign
    verdict: str
    kind: str
    reasons: list[Reason]
    facts: Facts


def _judged(tallies: Tallies, campaigns: list[Campaign], settings: Settings) -> list[_Judged]:
    """Every campaign with its verdict: attacks first, then unsure, then bulk, each by size."""
    judged = []
    for campaign in campaigns:
        found = judge(facts := Facts(**facts_of(tallies, campaign)), settings)
        judged.append(_Judged(campaign, found.verdict.value, found.kind, found.reasons, facts))
    judged.sort(key=lambda j: (RANK[j.verdict], -j.facts.messages, j.campaign.id))
    return judged


def _documents(
    engine: Engine,
    tallies: Tallies,
    judged: list[_Judged],
    things: dict[int, dict[str, Any]],
    paths: Sequence[Path | str],
    border: Border,
    settings: Settings,
    story: Story,
) -> list[dict[str, Any]]:
    shown = judged[:MAX_PORTRAITS]
    messages = engine.number("SELECT count(*) FROM mails")
    pace = engine.arrow(
        query("thingwatch.memory", "all_bins")
        if story.memory.continues
        else "SELECT received_at // 10000000 AS bin, count(*) AS messages FROM mails WHERE received_at IS NOT NULL"
        " GROUP BY received_at // 10000000 ORDER BY bin"
    )
    texts = story.texts
    everything = Pace(pace["bin"].to_numpy(), pace["messages"].to_numpy())
    examples = messages_at(
        engine, paths, border, settings, _examples(tallies, shown), story.memory.state.next_load
    )
    named: dict[int, dict[int, str]] = {}

    def show(campaign: int, seq: int) -> str:
        message = examples.get(seq)
        text = specimen(message) if message is not None and not message.logged else ""
        return texts.of(campaign, "specimen", seq, text)

    def read_key(campaign: int, seq: int, key: int) -> str:
        if seq not in named:
            message = examples.get(seq)
            named[seq] = (
                {} if message is None else {found.key: found.text for found in readable_keys(message)}
            )
        return texts.of(campaign, "key", key, named[seq].get(key, ""))

    documents = []
    for item in shown:
        row = item.campaign.row
        who = things.get(item.campaign.number) or not_assessed(row["messages"], row["sources"])
        who["sentence"] = things_sentence(who, row["messages"])
        number = item.campaign.number
        document = portrait(
            tallies,
            item.campaign,
            everything,
            messages,
            partial(show, number),
            partial(read_key, number),
            who,
        )
        texts.lend(number, document["lures"])
        for row in document["signature"]:
            family, name = KINDS[row.pop("kind")]
            row["family"] = family.value
            row["key"] = f"{name}: {row['key']}"
        document["signature"] += _hands(tallies, item.campaign, examples, texts)
        document["signature"].sort(key=lambda row: -row["weight"])
        document |= {
            "verdict": item.verdict,
            "kind": item.kind,
            "headline": sentence_of(document, item.verdict, item.kind),
            "reasons": [_as_dict(reason) for reason in item.reasons],
            "joined": [],
        }
        documents.append(document)
    return documents


def _as_dict(reason: Reason) -> dict[str, Any]:
    return asdict(reason) | {"evidence": [asdict(e) for e in reason.evidence]}


def _examples(tallies: Tallies, shown: list[_Judged]) -> list[int]:
    """The messages to read again: those that show lures, keys and dialects, of the first campaigns first."""
    wanted: dict[int, None] = {}
    for item in shown:
        if len(wanted) > MAX_SPECIMENS * (1 if item.verdict == "bulk" else 3):
            break
        number = item.campaign.number
        lures = [lure for lure, *_ in tallies.lures.of(number)[:LURE_EXAMPLES]]
        wanted.update(dict.fromkeys(tallies.subjects.of((number, lure))[0][1] for lure in lures))
        wanted.update(dict.fromkeys(example for *_, example in tallies.dialects.of(number)))
        keyed = dict.fromkeys(example for *_, example in tallies.keys.of(number))
        wanted.update(dict.fromkeys(list(keyed)[:EXAMPLES]))
    return list(wanted)


def _hands(
    tallies: Tallies, campaign: Campaign, examples: dict[int, Message], texts: Texts
) -> list[dict[str, Any]]:
    """The dialects of a campaign as rows of its signature."""
    found = []
    for dialect, messages, others, weight, example in tallies.dialects.of(campaign.number):
        message = examples.get(example)
        text = texts.of(
            campaign.number, "dialect", dialect, "" if message is None else readable_hand(message)["dialect"]
        )
        text = text or f"no example kept ({dialect & 0xFFFFFFFF:08x})"
        found.append(
            {
                "family": "client",
                "key": f"dialect: {text}",
                "weight": round(weight, 1),
                "messages": messages,
                "others": others,
            }
        )
    return found


def _explain_joins(joins: list[Join], judged: list[_Judged], documents: list[dict[str, Any]]) -> None:
    """Put the joins between lures, with their reasons, into the campaigns they made."""
    lure_ids = {doc["id"]: {lure["id"] for lure in doc["lures"]} for doc in documents}
    for join in sorted(joins, key=lambda j: -sum(r.weight for r in j.reasons)):
        ends = [lure_id(lure) for lure in (join.lure, join.other)]
        for document in documents:
            if (
                ends[0] in lure_ids[document["id"]]
                and ends[1] in lure_ids[document["id"]]
                and len(document["joined"]) < 40
            ):
                document["joined"].append(
                    {
                        "from": ends[0],
                        "to": ends[1],
                        "reasons": [
                            {"name": r.name, "weight": r.weight, "sentence": r.sentence} for r in join.reasons
                        ],
                    }
                )
                break


def _report(
    engine: Engine,
    documents: list[dict[str, Any]],
    digests: list[Digest],
    paths: Sequence[Path | str],
    settings: Settings,
    networks: Networks,
    messages: int,
    seen: int,
) -> dict[str, Any]:
    skips: Counter[str] = Counter({"seen-before": seen} if seen else {})
    defects: Counter[str] = Counter()
    for digest in digests:
        skips.update(digest.skips)
        defects.update(digest.defects)
    sources, no_ip, no_time, logged, first, last = engine.rows(
        "SELECT count(DISTINCT client_ip), sum(CASE WHEN client_ip IS NULL THEN 1 ELSE 0 END),"
        " sum(CASE WHEN received_at IS NULL THEN 1 ELSE 0 END), sum(CASE WHEN logged THEN 1 ELSE 0 END),"
        " min(received_at), max(received_at) FROM mails JOIN loads ON loads.number = mails.seq // 1099511627776"
    )[0]
    verdicts = Counter(doc["verdict"] for doc in documents)
    report = {
        "schema": 1,
        "program": {"name": "thingwatch", "version": __version__},
        "made_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "input": {
            "paths": [str(path) for path in paths],
            "first_seen": iso(first),
            "last_seen": iso(last),
            "border": list(settings.border),
        },
        "totals": {
            "messages": messages,
            "sources": sources,
            "campaigns": len(documents),
            "attacks": verdicts["attack"],
            "bulk": verdicts["bulk"],
            "unsure": verdicts["unsure"],
            "skipped": sum(skips.values()),
            "skips": dict(sorted(skips.items())),
            "defects": dict(sorted(defects.items())),
            "without_client_ip": no_ip or 0,
            "without_received_at": no_time or 0,
            "logged_only": logged or 0,
        },
        "headline": "",
        "smallest_seen": smallest_seen(settings),
        "reference": {"network": networks.reference},
        "stages": [],
        "settings": {
            name: getattr(settings, name) for name in settings.__dataclass_fields__ if name not in ELSEWHERE
        },
        "campaigns": documents,
    }
    report["headline"] = headline(report)
    return report


def _refuse_contradictions(documents: list[dict[str, Any]]) -> None:
    for document in documents:
        failed = [check["sentence"] for check in document["self_check"] if not check["passed"]]
        if failed:
            raise ContradictionError(
                f"{document['id']}: the profile contradicts itself ({' '.join(failed)});"
                " please report this with the version; nothing was written"
            )


def _write_tables(engine: Engine, folder: Path) -> None:
    """The Parquet files of the case; see docs/tables.md for every column."""
    for name in ("messages", "campaigns", "waves", "keys", "hands"):
        engine.write(
            query("thingwatch.store", f"case_{name}"), folder / f"{name}.parquet", large=name == "messages"
        )
    sources, entries = (
        engine.arrow(query("thingwatch.store", name)) for name in ("case_sources", "source_evidence")
    )
    pq.write_table(with_evidence(sources, entries), folder / "sources.parquet", compression="zstd")


def _add_verdicts(engine: Engine, judged: list[_Judged]) -> None:
    engine.add(
        "verdicts",
        pa.table(
            {
                "campaign": pa.array([j.campaign.number for j in judged], pa.int64()),
                "verdict": pa.array([j.verdict for j in judged], pa.string()),
                "kind": pa.array([j.kind for j in judged], pa.string()),
                "bits": pa.array([sum(r.weight for r in j.reasons) for j in judged], pa.float64()),
            }
        ),
    )
