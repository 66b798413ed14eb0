"""Write down what the next run needs to know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from thingwatch.config import Settings
from thingwatch.memory.recall import DAY, Memory, told
from thingwatch.memory.state import FOLDER, GROWING, LOOSE, OF_A_RUN, STANDING, Run, share, write_state
from thingwatch.store import Engine, query

MANY_SPOKESMEN, FEW_SPOKESMEN = 64, 16  # messages that stand for a lure; few are enough for bulk mail
# Lures up to this size are placed anew with all their keys, for what looks alike on one day may prove to be an ordinary
# phrase on the next; what more messages say is no accident.
SETTLING_MESSAGES = 256
MAX_KEYS = 256  # of a lure's signature

# A border's clock may be wrong by so much; what lies further ahead does not tell how old the rest is.
CLOCK_ERROR = DAY

_LARGE = (
    "settled",
    "linked",
    "marks",
    "loose",
    "loose_keys",
    "young",
    "young_keys",
    "spoken",
    "phrases",
)  # many machines may write them


def keep(
    engine: Engine,
    memory: Memory,
    folder: Path,
    run: Run,
    next_load: int,
    texts: pa.Table,
    settings: Settings,
    now: int,
) -> None:
    """Write the folder ``state`` of the case in *folder*, whole when state.json is there.

    *texts*: what keys, dialects and lures read like, as STANDING has it; *now*: microseconds since 1970, UTC.
    """
    out = folder / FOLDER
    out.mkdir()
    ahead = now + CLOCK_ERROR
    newest = max(
        (r.newest for r in (*memory.state.runs, run) if r.newest and r.newest <= ahead), default=ahead
    )
    numbers = {
        "newest": newest,
        "oldest": newest - int(settings.memory_days * DAY),
        "settling_messages": SETTLING_MESSAGES,
        "many": MANY_SPOKESMEN,
        "few": FEW_SPOKESMEN,
        "most": MAX_KEYS,
    }
    engine.run(
        "CREATE OR REPLACE TABLE all_keys AS SELECT seq, kind, key, dialect FROM fresh_keys"
        " UNION ALL SELECT seq, kind, key, dialect FROM carried_keys"
        " UNION ALL SELECT seq, kind, key, dialect FROM spoken"
    )
    for name in ("homes", "firm", "settling", "growing", "kept_campaigns", "kept_lures", "standing"):
        engine.make(__package__, name, **numbers)
    for name, schema in (GROWING | STANDING).items():
        path = out / (f"{name}-{run.number:06d}.parquet" if name in GROWING else f"{name}.parquet")
        if name == "texts":
            pq.write_table(texts.cast(schema), path, compression="zstd")
        elif name in _LARGE:
            engine.write(query(__package__, f"keep_{name}"), path, large=True)
        else:
            rows = engine.arrow(query(__package__, f"keep_{name}"), **numbers)
            pq.write_table(rows.cast(schema), path, compression="zstd")
    forgotten = _share_older(engine, memory, out, numbers["oldest"], newest - int(settings.carry_days * DAY))
    runs = (*(r for r in memory.state.runs if r.number not in forgotten), run)
    write_state(out, replace(memory.state, next_load=next_load, settings=told(settings), runs=runs))


def _share_older(engine: Engine, memory: Memory, out: Path, oldest: int, oldest_loose: int) -> set[int]:
    """Let the files of earlier runs stand in *out* too, but for those nothing remembered asks for; gives such runs."""
    old = {run.number for run in memory.state.runs if (run.newest or 0) < oldest}
    stale = {run.number for run in memory.state.runs if (run.newest or 0) < oldest_loose}
    dead = {number for number in old if not _in_use(engine, memory, number)}
    for name in GROWING:
        for path in memory.state.paths(name):
            number = int(path.stem.rpartition("-")[2])
            if number not in (stale if name in LOOSE else old if name in OF_A_RUN else dead):
                share(path, out / path.name)
    return dead


def _in_use(engine: Engine, memory: Memory, number: int) -> bool:
    """Whether a lure still known has messages in the file that run *number* settled."""
    files = [path for path in memory.state.paths("settled") if int(path.stem.rpartition("-")[2]) == number]
    engine.load("doubtful", files, GROWING["settled"])
    return bool(engine.number("SELECT count(*) FROM doubtful AS d JOIN kept_lures AS k ON k.lure = d.lure"))
