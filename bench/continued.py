"""What a continued run costs: one new day beside a case that holds 1, 4 and 14 days, and one run over all days.

    python bench/continued.py [--scale 0.1] [--folder DIR]

Prints a line a run: wall seconds of each stage, CPU seconds in all, and the size of the state. The replay and the
chain of cases in DIR are made where they are missing.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

from thingwatch.config import Settings
from thingwatch.identify import Networks
from thingwatch.replay import replay
from thingwatch.uncover import uncover

sys.path.insert(0, str(Path(__file__).parent))
from days import cut

HELD = (1, 4, 14)  # days the old case holds


def cpu() -> float:
    """CPU seconds of this process and the workers that ended."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def timed(name: str, mail: list[Path], out: Path, earlier: Path | None) -> None:
    """Run once and print the line."""
    shutil.rmtree(out, ignore_errors=True)
    before, began = cpu(), time.perf_counter()
    report = uncover(mail, out, Settings(), Networks.load(None, None), earlier=earlier).report
    wall, used = time.perf_counter() - began, cpu() - before
    state = sum(path.stat().st_size for path in (out / "state").iterdir())
    told = report.get("continued", {})
    woken = next((stage["rows"] for stage in report["stages"] if stage["name"] == "recall"), 0)
    print(
        f"{name:<24} {report['totals']['messages']:>8,} new {told.get('messages_before', 0):>9,} old"
        f" {woken:>8,} woken {told.get('carried', 0):>7,} carried  wall {wall:6.1f} s  CPU {used:6.1f} s"
        f"  state {state / 1e6:5.1f} MB  "
        + " ".join(f"{stage['name'].replace(' ', '-')}={stage['seconds']}" for stage in report["stages"]),
        flush=True,
    )


def main() -> None:
    """Make what is missing, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    box = folder / "replay" / "mail.mbox"
    if not box.is_file():
        replay(options.scale, 1, folder / "replay")
    days = cut(box, folder / "days")
    new, older = days[-1], days[:-1]
    for number, day in enumerate(older, 1):
        case = folder / f"held-{number:02d}"
        if not (case / "state").is_dir():
            uncover(
                [day], case, Settings(), Networks.load(None, None),
                earlier=folder / f"held-{number - 1:02d}" if number > 1 else None,
            )  # fmt: skip
    timed("the new day alone", [new], folder / "out", None)
    for number in HELD:
        if number <= len(older):
            timed(f"continues {number} days", [new], folder / "out", folder / f"held-{number:02d}")
    timed(f"all {len(days)} days at once", days, folder / "out", None)


if __name__ == "__main__":
    main()
