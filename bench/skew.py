"""What one enormous bucket and one giant campaign do to a cluster: the largest part of a stage that one task did.

    python bench/skew.py --messages 1000000

Every message holds one key in common, most are of one campaign in one dialect; the rest are strangers. Where a hot key
made one task do it all, its share of the rows would be near 1.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from thingwatch.config import Settings
from thingwatch.fingerprint import MAILS_SCHEMA
from thingwatch.group import group
from thingwatch.kernel import KEY_ROWS
from thingwatch.store import Engine, open_engine

COMMON = 1  # the key that all hold
CAMPAIGN_PART = 0.9
KEYS_EACH = 8  # that the campaign's mails share: a lure of a few sentences
BIG_PART = 0.5  # of the messages: stages that read fewer rows are no danger


def main() -> None:
    """Make the mail, group it, print the worst stages as JSON."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--messages", type=int, default=1_000_000)
    asked.add_argument("--cores", type=int, default=2)
    asked.add_argument(
        "--sizes-in-kb", type=int, default=16 << 10, help="what one task should read; for small trials"
    )
    asked.add_argument(
        "--forgiven-seconds", type=float, default=2.0, help="a shorter task keeps nobody waiting"
    )
    given = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="thingwatch-skew-") as name:
        folder = Path(name)
        (folder / "events").mkdir()
        (folder / "spark-defaults.conf").write_text(
            f"spark.eventLog.enabled true\nspark.eventLog.dir {(folder / 'events').as_uri()}\n"
            "spark.eventLog.compress false\nspark.ui.enabled false\n"
            f"spark.sql.adaptive.advisoryPartitionSizeInBytes {given.sizes_in_kb}k\n"
            f"spark.sql.adaptive.coalescePartitions.enabled {str(given.sizes_in_kb >= 1024).lower()}\n"
            f"spark.sql.adaptive.skewJoin.skewedPartitionThresholdInBytes {2 * given.sizes_in_kb}k\n",
            encoding="utf-8",
        )
        os.environ["SPARK_CONF_DIR"] = name
        settings = Settings().changed(workers=given.cores, memory_mb=4000)
        with open_engine("spark", settings, folder) as engine:
            _mail(engine, given.messages)
            since = time.perf_counter()
            group(engine, settings)
            seconds = time.perf_counter() - since
            largest = engine.number(
                "SELECT max(n) FROM (SELECT count(*) AS n FROM campaign_members GROUP BY campaign) AS x"
            )
        stages = _stages(folder / "events", BIG_PART * given.messages)
    stages.sort(key=lambda stage: -stage["share"])
    waiting = [stage for stage in stages if stage["longest_seconds"] > given.forgiven_seconds]
    print(
        json.dumps(
            {
                "messages": given.messages,
                "seconds": round(seconds, 1),
                "largest_campaign": largest,
                "big_stages": len(stages),
                "worst_share": max((stage["share"] for stage in waiting), default=0.0),
                "worst": waiting[:3],
            }
        )
    )


def _mail(engine: Engine, count: int) -> None:
    """Tables ``mails`` and ``keys`` of *count* messages, as the kernel would leave them."""
    dice = np.random.default_rng(1)
    seq = np.arange(count, dtype=np.int64)
    ours = seq < CAMPAIGN_PART * count
    dialect = np.where(ours, 77, 1000 + dice.integers(0, 200, count))
    columns: dict[str, Any] = {}
    for field in MAILS_SCHEMA:
        columns[field.name] = pa.repeat(pa.scalar(_nothing(field.type), field.type), count)
    columns |= {
        "received_at": pa.array(1_388_000_000_000_000 + dice.integers(0, 3_600_000_000, count)),
        "client_ip": pa.array([f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in (seq // 8).tolist()]),
        "dialect": pa.array(dialect),
    }
    table = pa.table({"seq": pa.array(seq), **{f.name: columns[f.name].cast(f.type) for f in MAILS_SCHEMA}})
    engine.add("details", table)
    engine.make("thingwatch.store", "mails")
    parts = [(seq, np.full(count, COMMON))]
    parts += [(seq[ours], np.full(int(ours.sum()), 100 + key)) for key in range(KEYS_EACH)]
    parts += [(seq[~ours], 10_000 + dice.integers(0, count // 20 + 1, int((~ours).sum()))) for _ in range(3)]
    holder = np.concatenate([part[0] for part in parts])
    key = np.concatenate([part[1] for part in parts]).astype(np.int64)
    kind = pa.array(np.full(len(key), 2, np.int8))
    engine.add(
        "keys",
        pa.Table.from_arrays(
            [pa.array(holder), kind, pa.array(key), pa.array(dialect[holder])], schema=KEY_ROWS
        ),
    )


def _nothing(kind: pa.DataType) -> Any:
    if pa.types.is_boolean(kind):
        return False
    return [] if pa.types.is_list(kind) else "" if pa.types.is_string(kind) else 0


def _stages(folder: Path, least_rows: float) -> list[dict[str, Any]]:
    """Of each stage that read so many rows in a shuffle: the part its largest task read, and its longest task."""
    rows: dict[tuple[int, int], list[tuple[int, float]]] = defaultdict(list)
    for log in folder.rglob("*"):
        if not log.is_file():
            continue
        for line in log.read_text(encoding="utf-8").splitlines():
            if '"SparkListenerTaskEnd"' not in line:
                continue
            event = json.loads(line)
            metrics = event.get("Task Metrics") or {}
            read = metrics.get("Shuffle Read Metrics", {}).get("Total Records Read", 0)
            rows[event["Stage ID"], event["Stage Attempt ID"]].append(
                (read, metrics.get("Executor Run Time", 0) / 1000)
            )
    return [
        {
            "stage": stage,
            "tasks": len(tasks),
            "rows": total,
            "share": round(max(read for read, _ in tasks) / total, 3),
            "longest_seconds": max(seconds for _, seconds in tasks),
        }
        for (stage, _), tasks in rows.items()
        if (total := sum(read for read, _ in tasks)) >= least_rows
    ]


if __name__ == "__main__":
    main()
