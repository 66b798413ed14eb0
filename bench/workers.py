"""Does a second worker help? The fingerprint stage on one worker of one core and on two, in turn; and what is shuffled.

    python bench/workers.py --messages 60000 --rounds 3

Each cluster is real (a master and its workers on loopback) and warm: its first reading of the mail is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
from spark_cluster import standalone

FOLDER = Path(__file__).parents[1] / "build" / "workers"
WHOLE = 1_500_000
COMMAND = Path(sys.executable).with_name("thingwatch")


def main() -> None:
    """Measure in turn, print the seconds and their ratio, then what a whole run shuffles."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--messages", type=int, default=60_000)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument(
        "--shuffle", action="store_true", help="also run the whole flow and count shuffled bytes"
    )
    given = asked.parse_args()
    played = FOLDER / str(given.messages)
    if not (played / "mail.mbox").exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        subprocess.run(  # noqa: S603
            [COMMAND, "replay", "--scale", str(given.messages / WHOLE), "--out", played, "--quiet"],
            check=True,
        )
    taken: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(given.rounds):
        for workers in taken:
            taken[workers].append(_fingerprinted(played / "mail.mbox", workers))
    for workers, seconds in taken.items():
        print(
            f"{workers} workers: "
            + ", ".join(f"{one:.1f}" for one in seconds)
            + f" s, median {median(seconds):.1f} s"
        )
    print(f"ratio of medians {median(taken[1]) / median(taken[2]):.2f}")
    if given.shuffle:
        _shuffled(played, given.messages)


def _fingerprinted(mbox: Path, workers: int) -> float:
    with tempfile.TemporaryDirectory(prefix="thingwatch-workers-") as name:
        with standalone(Path(name), workers=workers) as cluster:
            done = subprocess.run(  # noqa: S603
                [sys.executable, __file__, "--inside", cluster.master_url, str(mbox), name],
                env=cluster.environment, check=True, capture_output=True, text=True,
            )  # fmt: skip
        return float(done.stdout.strip().splitlines()[-1])


def _inside(master: str, mbox: str, folder: str) -> None:
    """In the driver's process: read all mail twice, print how long the second time took."""
    from thingwatch.config import Settings
    from thingwatch.kernel import digest_all
    from thingwatch.read import Border
    from thingwatch.store import open_engine

    settings = Settings()
    work = Path(folder, "work")
    work.mkdir()
    with open_engine(f"spark={master}", settings, work) as engine:
        for _ in range(2):
            since = time.perf_counter()
            digest_all(engine, [Path(mbox)], Border(), settings, lambda stage, rows: None)
            seconds = time.perf_counter() - since
    print(seconds)


def _shuffled(played: Path, messages: int) -> None:
    with tempfile.TemporaryDirectory(prefix="thingwatch-workers-") as name:
        with standalone(Path(name), workers=2) as cluster:
            subprocess.run(  # noqa: S603
                [
                    COMMAND, "uncover", played / "mail.mbox", "--evidence", played / "evidence", "--out",
                    Path(name, "case"), "--quiet", "--engine", f"spark={cluster.master_url}",
                ],
                env=cluster.environment, check=True,
            )  # fmt: skip
        written = read = tasks = 0
        for log in Path(name, "events").rglob("*"):
            if not log.is_file():
                continue
            for line in log.read_text(encoding="utf-8").splitlines():
                if '"SparkListenerTaskEnd"' in line:
                    metrics = json.loads(line).get("Task Metrics") or {}
                    tasks += 1
                    written += metrics.get("Shuffle Write Metrics", {}).get("Shuffle Bytes Written", 0)
                    read += metrics.get("Input Metrics", {}).get("Bytes Read", 0)
    print(
        f"whole run: {tasks:,} tasks; for each message {written / messages:,.0f} bytes shuffled and"
        f" {read / messages:,.0f} bytes read from staging"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        _inside(*sys.argv[2:5])
    else:
        main()
