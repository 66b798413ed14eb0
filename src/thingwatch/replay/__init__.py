"""Re-enact the run of 2014 as test mail with known truth. It only writes files; nothing is ever sent."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from thingwatch.errors import OutputError, SettingError
from thingwatch.replay import cast, script
from thingwatch.replay.evidence import COVERAGES, write_evidence
from thingwatch.replay.homes import home_exposures, open_provider
from thingwatch.replay.letters import LEVELS
from thingwatch.replay.scene import Play, Scene, Stage
from thingwatch.replay.script import SECOND, Cues, Script, write_script
from thingwatch.replay.shelf import FORMS, LOG_LEAD, Log, TruthTable
from thingwatch.replay.sources import read_sources, shares_by_origin, write_truth

__all__ = ["Truth", "replay"]

SLICE = 4096  # mails played in one go; changing it changes every replay
MARK = "thingwatch-replay"  # in truth.json, so that we only ever replace a folder of our own
LARGEST_SCALE = 2.0  # the numbering of mails and addresses is laid out for this much
README = """\
This folder holds test mail made by `thingwatch replay`. All of it is invented: brands, people, texts, and
every domain is reserved for examples (RFC 2606, RFC 6761). The client addresses lie in ranges of consumer
networks only so that look-ups behave as in real mail; nothing was sent from them or to anybody.
The mails and mail.log are what a mail server would have kept; truth.parquet and truth.json say what each
mail really is.
sources_truth.parquet says what really sent at each address: a thing itself, a thing that relayed for another
machine, a PC behind a router, a mobile, a server; what device that is, and what answers a scan there.
"""
EVIDENCE_README = """
evidence/ holds what a border and others would have known of the senders, made up as the mail is. It takes parts of
them only (option --evidence), and a part of the scans is weeks old and of other households. Times are in UTC.
  p0f.log            the first packet of each connection, as p0f 3 logs it
  timing.jsonl       SMTP round trip over TCP round trip, and their difference in milliseconds
  *-replay.csv       reports in the columns of Shadowserver's: scans, device labels, sinkholes, open proxies
  survey.jsonl       addresses the scans went over where nothing answered
  nmap.xml           one small provider's scan of its own range
  line_types.csv     what kind of line stands in which range
  proxies.txt        a list of open proxies
  outcomes.csv       what an abuse desk heard back from a few households
Names of makers and models in the texts are those of real products; that they stand at these addresses is invented.
"""


@dataclass(frozen=True, slots=True)
class Truth:
    """What a replay holds, as truth.json says it."""

    out: Path
    messages: int
    counts: dict[str, int]  # mails by kind
    waves: tuple[script.Wave, ...]
    sources: int  # of the attack
    things: int  # of those, devices; the rest are PCs, mobiles and servers
    evidence: dict[str, int]  # rows of evidence by form


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / SECOND, UTC).isoformat(timespec="microseconds")


def _checked(
    scale: float, seed: int, form: str, level: int, workers: int | None, things: float, evidence: str
) -> None:
    if not 0 < scale <= LARGEST_SCALE:
        raise SettingError(
            f"scale = {scale}: must be above 0 and at most {LARGEST_SCALE:g}; 1.0 is 750,000 attack mails"
        )
    if seed < 0:
        raise SettingError(f"seed = {seed}: must be 0 or more")
    if form not in FORMS:
        raise SettingError(f"format = {form!r}: must be one of {', '.join(FORMS)}")
    if level not in range(len(LEVELS)):
        raise SettingError(f"level = {level}: must be 0 to {len(LEVELS) - 1}")
    if not 0 <= things <= 1:
        raise SettingError(f"things = {things}: must be 0 to 1; leave it out to get {cast.THING_SHARE:g}")
    if evidence not in COVERAGES:
        raise SettingError(f"evidence = {evidence!r}: must be one of {', '.join(COVERAGES)}")
    if workers is not None and workers < 1:
        raise SettingError(f"workers = {workers}: must be above 0; leave it out to use every core")


def _is_ours(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / "truth.json").read_text("utf-8")).get("made_by") == MARK)
    except (OSError, ValueError, AttributeError):
        return False


_stage: Stage | None = None  # of a worker process, set once when it starts


def _enter(play: Play) -> None:
    global _stage
    _stage = Stage(play)


def _play(number: int, first: int, cues: Cues, refusals: Cues, brands: tuple[int, ...]) -> Scene:
    if _stage is None:
        raise RuntimeError("a worker was asked to play before it entered the stage")
    return _stage.play(number, first, cues, refusals, brands)


def _slices(whole: Script) -> Iterator[tuple[int, int, Cues, Cues]]:
    """(number, first row, cues, refusals of the same time) of each slice."""
    cues, refusals = whole.cues, whole.refusals
    firsts = list(range(0, len(cues), SLICE))
    ends = [int(cues["at"][first]) for first in firsts[1:]]
    cuts = [0, *np.searchsorted(refusals["at"], ends).tolist(), len(refusals)]
    for number, first in enumerate(firsts):
        yield number, first, cues[first : first + SLICE], refusals[cuts[number] : cuts[number + 1]]


def _scenes(play: Play, whole: Script, workers: int) -> Iterator[tuple[Cues, Scene]]:
    """All scenes in order; at most two per worker wait, so memory stays bounded."""
    if workers == 1:
        stage = Stage(play)
        for number, first, cues, refusals in _slices(whole):
            yield cues, stage.play(number, first, cues, refusals, whole.runs)
        return
    with get_context("spawn").Pool(workers, _enter, (play,)) as pool:
        waiting: deque[tuple[Cues, object]] = deque()
        for number, first, cues, refusals in _slices(whole):
            waiting.append((cues, pool.apply_async(_play, (number, first, cues, refusals, whole.runs))))
            if len(waiting) > 2 * workers:
                done, result = waiting.popleft()
                yield done, result.get()  # type: ignore[attr-defined]
        while waiting:
            done, result = waiting.popleft()
            yield done, result.get()  # type: ignore[attr-defined]


def _sources(whole: Script) -> tuple[int, int]:
    """(sources of the attack, those of them that are things)."""
    attack = whole.cues[whole.cues["kind"] == script.CAMPAIGN]
    sources, first = np.unique(attack["address"], return_index=True)
    return len(sources), int((attack["aux"][first] > 0).sum())


def _summary(
    play: Play,
    whole: Script,
    form: str,
    evidence: str,
    counts: Counter[str],
    lures: Counter[str],
    runs: dict[str, list[int]],
) -> dict[str, object]:
    attack = whole.cues[whole.cues["kind"] == script.CAMPAIGN]
    sources, things = _sources(whole)
    campaigns: dict[str, dict[str, object]] = {}
    for name, (start, end, messages) in sorted(runs.items()):
        waves: list[dict[str, object]] = []
        if name == "thing":
            waves = [
                {
                    "number": wave.number,
                    "start": _moment(wave.start),
                    "end": _moment(wave.end),
                    "messages": wave.messages,
                }
                for wave in whole.waves
            ]
        campaigns[name] = {"start": _moment(start), "end": _moment(end), "messages": messages, "waves": waves}
    return {
        "made_by": MARK,
        "parameters": {**asdict(play), "format": form, "evidence": evidence},
        "counts": dict(sorted(counts.items())),
        "lures": dict(sorted(lures.items())),
        "campaigns": campaigns,
        "things": {
            "sources": things, "of_sources": sources,
            "messages": int((attack["aux"] > 0).sum()), "of_messages": len(attack),
        },
        "note": "start and end of a wave leave out stragglers, its messages count them",
    }  # fmt: skip


def _write(
    folder: Path,
    play: Play,
    whole: Script,
    form: str,
    evidence: str,
    workers: int,
    progress: Callable[[int], None] | None,
) -> tuple[dict[str, object], dict[str, int]]:
    shelf, log, truth = FORMS[form](folder), Log(folder), TruthTable(folder)
    counts: Counter[str] = Counter()
    lures: Counter[str] = Counter()
    runs: dict[str, list[int]] = {}
    for cues, scene in _scenes(play, whole, workers):
        shelf.put(scene, cues)
        truth.put(scene, cues)
        last = int(cues["at"][-1])
        log.put(scene.log, _moment(last - LOG_LEAD))
        counts.update(np.asarray(script.KINDS)[cues["kind"]].tolist())
        # Bounces and questions name the lure they enclose, but are none of its mails.
        pairs = zip(scene.lures, scene.campaigns, strict=True)
        lures.update(lure for lure, campaign in pairs if lure and campaign)
        for name, at in zip(scene.campaigns, cues["at"].tolist(), strict=True):
            if name is not None:
                run = runs.setdefault(name, [at, at, 0])
                run[1], run[2] = at, run[2] + 1
        if progress is not None:
            progress(len(cues))
    for place in (shelf, log, truth):
        place.close()
    summary = _summary(play, whole, form, evidence, counts, lures, runs)
    sources = read_sources(folder / "truth.parquet", play.seed)
    write_truth(sources, folder / "sources_truth.parquet")
    summary["origins"] = shares_by_origin(sources)
    summary["home_exposure"] = home_exposures(play.seed)
    summary["open_provider"] = open_provider()
    return summary, write_evidence(sources, play.seed, evidence, folder / "evidence")


def replay(
    scale: float,
    seed: int,
    out: Path,
    form: str = "mbox",
    level: int = 1,
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
    things: float = cast.THING_SHARE,
    evidence: str = "partial",
) -> Truth:
    """Write the re-enactment to the folder *out*, whole or not at all.

    *scale* 1.0 is 750,000 attack mails from 102,000 sources and as much other mail. An equal *seed*, *scale*
    and *level* (0 clean, 3 hardest) give equal bytes, whatever *form* ("mbox", "maildir", "parquet") and
    however many *workers* (default: every core). *progress* is told how many mails each step added.
    *things* is the share of the attack's sources that are things; *evidence* ("full", "partial", "headers" or
    "none") is how much is known of the senders beside their mail, and changes nothing in the mail.

    Raises SettingError for a value out of range, and OutputError when *out* cannot be written or holds
    something that is not a replay.
    """
    _checked(scale, seed, form, level, workers, things, evidence)
    if out.exists() and not _is_ours(out) and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out}: exists and is not a replay; choose another folder or remove it")
    play = Play(float(scale), seed, level, float(things))
    whole = write_script(cast.Cast(play.scale, play.seed, play.things))
    processes = workers or (os.cpu_count() or 1 if len(whole.cues) > 8 * SLICE else 1)
    neighbour = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        neighbour.mkdir(parents=True)
        summary, rows = _write(neighbour, play, whole, form, evidence, processes, progress)
        readme = README + EVIDENCE_README if rows else README
        (neighbour / "README.txt").write_text(readme, "utf-8")
        (neighbour / "truth.json").write_text(json.dumps(summary, indent=1) + "\n", "utf-8")
        if out.exists():
            shutil.rmtree(out)
        neighbour.rename(out)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(neighbour, ignore_errors=True)
    sources, devices = _sources(whole)
    counts = np.bincount(whole.cues["kind"], minlength=len(script.KINDS)).tolist()
    return Truth(
        out=out,
        messages=len(whole.cues),
        counts=dict(zip(script.KINDS, counts, strict=True)),
        waves=whole.waves,
        sources=sources,
        things=devices,
        evidence=rows,
    )
