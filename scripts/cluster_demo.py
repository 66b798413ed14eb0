"""`make cluster-demo`: the replay through a real Spark cluster on loopback and through DuckDB, compared."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from same_case import differences
from spark_cluster import standalone


def main() -> None:
    """Play, uncover twice, compare; exit 1 when the cases differ."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--scale", default="0.004", help="size of the replay; 1.0 is 1.5 million mails")
    asked.add_argument("--seed", default="1")
    asked.add_argument("--workers", type=int, default=2)
    asked.add_argument("--out", type=Path, default=None, help="keep the two cases in this folder")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="thingwatch-cluster-") as temporary:
        folder = given.out or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        played = folder / "replay"
        _run("replay", "--scale", given.scale, "--seed", given.seed, "--out", str(played), "--quiet")
        asked_of = [str(played / "mail.mbox"), "--evidence", str(played / "evidence"), "--quiet"]
        seconds = {}
        with standalone(Path(temporary) / "cluster", workers=given.workers) as cluster:
            print(f"{cluster.master_url} with {given.workers} workers of one core each")
            since = time.perf_counter()
            _run(
                "uncover", *asked_of, "--out", str(folder / "spark"), "--engine", f"spark={cluster.master_url}",
                environment=cluster.environment,
            )  # fmt: skip
            seconds["spark"] = time.perf_counter() - since
        since = time.perf_counter()
        _run("uncover", *asked_of, "--out", str(folder / "duckdb"))
        seconds["duckdb"] = time.perf_counter() - since
        found = differences(folder / "duckdb", folder / "spark")
        for line in found[:20]:
            print(line)
        print(", ".join(f"{name} {took:.0f} s" for name, took in seconds.items()))
        print(f"{len(found):,} differences between the two cases" if found else "the two cases are equal")
    sys.exit(1 if found else 0)


def _run(*words: str, environment: dict[str, str] | None = None) -> None:
    command = [str(Path(sys.executable).with_name("thingwatch")), *words]
    done = subprocess.run(command, env=environment or dict(os.environ))  # noqa: S603
    if done.returncode:
        sys.exit(f"thingwatch {words[0]} ended with {done.returncode}")


if __name__ == "__main__":
    main()
