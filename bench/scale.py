"""How the cost of each stage grows with the mail, on DuckDB; the table of docs/scale.md.

    python bench/scale.py --sizes 10000 100000 1000000 1500000

Each size is a replay with partial evidence, made once into build/scale. Each run is a process of its own, so that its
peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "build" / "scale"
WHOLE = 1_500_000  # mails of a replay at scale 1.0
COMMAND = Path(sys.executable).with_name("thingwatch")


def main() -> None:
    """Run every size and print one row for each stage."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000, WHOLE])
    asked.add_argument("--engine", default="duckdb")
    given = asked.parse_args()
    columns = [_measured(size, given.engine) for size in given.sizes]
    names = list(columns[0][0])
    print("| stage | " + " | ".join(f"{size:,}" for size in given.sizes) + " |")
    print("| --- |" + " ---: |" * len(columns))
    for name in names:
        cells = [
            f"{seconds[name]:.1f} s, {seconds[name] / size * 1e6:.0f} us"
            for (seconds, _), size in zip(columns, given.sizes, strict=True)
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")
    print("| peak memory of a process | " + " | ".join(f"{peak / 1e6:.2f} GB" for _, peak in columns) + " |")


def _measured(size: int, engine: str) -> tuple[dict[str, float], float]:
    """Seconds of each stage and of all, and the largest process in kB."""
    played = FOLDER / str(size)
    if not (played / "mail.mbox").exists():
        played.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(  # noqa: S603
            [COMMAND, "replay", "--scale", str(size / WHOLE), "--out", played, "--quiet"], check=True
        )
    out = FOLDER / f"{size}-case"
    since = time.perf_counter()
    subprocess.run(  # noqa: S603
        [
            COMMAND, "uncover", played / "mail.mbox", "--evidence", played / "evidence", "--out", out, "--quiet",
            "--engine", engine,
        ],
        check=True,
    )  # fmt: skip
    whole = time.perf_counter() - since
    stages = json.loads((out / "report.json").read_text(encoding="utf-8"))["stages"]
    seconds = {stage["name"]: stage["seconds"] for stage in stages}
    seconds["start, write and all else"] = whole - sum(seconds.values())
    seconds["whole run"] = whole
    return seconds, float(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


if __name__ == "__main__":
    main()
