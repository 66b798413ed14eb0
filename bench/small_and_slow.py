"""How small and how slow a campaign may be: each real phishing group alone among 10,000 honest mails.

    python bench/small_and_slow.py [--ham 10000] [--smallest 10]

A group counts as found when one campaign holds four fifths of it and no honest mail. It is looked for first whole
and then as it grew, in the order it was received: after 5 messages, 10, 15 and so on. There are fewer honest mails
than that, so some stand in the heap several times, under new Message-IDs; that makes groups of honest mail, and
the task harder.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
from collections import Counter, defaultdict
from pathlib import Path

import pyarrow as pa
from corpora import HAM, MAIL, labels, where_of

from thingwatch.config import Settings
from thingwatch.group import group
from thingwatch.kernel import digest_all
from thingwatch.read import Border
from thingwatch.store import Embedded, Engine
from thingwatch.uncover import load_tables

FOLDER = Path(__file__).parents[1] / "build" / "small_and_slow"
PHISH = "phishing_pot"
STEP = 5  # messages a group grows by
FOUND = 0.8  # of the group that one campaign must hold
SEED = 1


def main() -> None:
    """Measure every group and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--ham", type=int, default=10_000, help="honest mails around each group")
    parser.add_argument("--smallest", type=int, default=10, help="messages a group needs to be tried")
    given = parser.parse_args()
    paths = [
        MAIL / f"{name}.tar.xz"
        for name in ("csdmc2010", "list_lkml_notmuch", "list_mjpeg_users", "spamassassin", PHISH)
    ]
    if not all(path.is_file() for path in paths):
        raise SystemExit("no real mail: ../shared/data/mail is not beside the repository")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    settings = Settings()
    with Embedded(settings, FOLDER) as engine:
        load_tables(engine, digest_all(engine, paths, Border(), settings, lambda stage, rows: None))
        engine.run("CREATE TABLE all_mails AS FROM mails")
        engine.run("CREATE TABLE all_keys AS FROM keys")
        engine.run("DROP VIEW keys")
        ham, groups = _heap(engine, given.ham, given.smallest)
        print(
            f"{len(groups)} groups of {given.smallest} or more, each among {len(ham):,} honest mails"
            f" ({len(set(ham)):,} different)\n"
        )
        print("| messages | held | honest beside | found at |\n| --- | --- | --- | --- |")
        reached = [_grown(engine, settings, ham, one) for one in groups]
    found = [at for at in reached if at]
    print(f"\nfound {len(found)} of {len(groups)}")
    if found:
        print(f"at message {statistics.median(found):.0f} (median), {max(found)} at the latest")


def _heap(engine: Engine, count: int, smallest: int) -> tuple[list[int], list[list[int]]]:
    """The honest mails as drawn, and the groups, each in the order received; as numbers of messages."""
    kept = labels(PHISH)
    honest, groups = [], defaultdict(list)
    for seq, place in engine.rows("SELECT seq, place FROM details ORDER BY coalesce(received_at, 0), seq"):
        where = where_of(place)
        if where.corpus in HAM:
            honest.append(seq)
        elif where.archive == PHISH and (name := kept.get(where.file, {}).get("neardup_id")):
            groups[name].append(seq)
    drawn = random.Random(SEED)  # noqa: S311 a sample, no secret
    rest = max(0, count - len(honest))
    ham = drawn.sample(honest, min(count, len(honest))) + drawn.choices(honest, k=rest)
    return ham, sorted((one for one in groups.values() if len(one) >= smallest), key=len)


def _grown(engine: Engine, settings: Settings, ham: list[int], wanted: list[int]) -> int | None:
    """After how many of its messages the group is found; None if not even whole."""
    held, beside = _held(engine, settings, ham, wanted)
    at = None
    if _is_found(held, beside, len(wanted)):
        at = len(wanted)
        for size in range(STEP, len(wanted), STEP):
            if _is_found(*_held(engine, settings, ham, wanted[:size]), size):
                at = size
                break
    print(f"| {len(wanted)} | {held} | {beside} | {at or 'missed'} |", flush=True)
    return at


def _held(engine: Engine, settings: Settings, ham: list[int], wanted: list[int]) -> tuple[int, int]:
    """How many of *wanted* the best campaign holds, and how many honest mails stand beside them."""
    originals = ham + wanted
    chosen = {"seq": pa.array(range(len(originals)), pa.int64()), "original": pa.array(originals, pa.int64())}
    engine.add("chosen", pa.table(chosen))
    engine.run(
        "CREATE OR REPLACE TABLE mails AS SELECT c.seq, m.* EXCLUDE (seq) FROM chosen AS c"
        " JOIN all_mails AS m ON m.seq = c.original"
    )
    engine.run(
        "CREATE OR REPLACE TABLE keys AS SELECT c.seq, k.* EXCLUDE (seq) FROM chosen AS c"
        " JOIN all_keys AS k ON k.seq = c.original"
    )
    group(engine, settings)
    inside: Counter[int] = Counter()
    beside: Counter[int] = Counter()
    for seq, campaign in engine.rows("SELECT seq, campaign FROM campaign_members"):
        (inside if seq >= len(ham) else beside)[campaign] += 1
    if not inside:
        return 0, 0
    best, held = inside.most_common(1)[0]
    return held, beside[best]


def _is_found(held: int, beside: int, size: int) -> bool:
    return held >= FOUND * size and held >= 2 and not beside


if __name__ == "__main__":
    main()
