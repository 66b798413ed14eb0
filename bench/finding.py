"""How much is found, and who is wronged: replays of several sizes, seeds and levels, uncovered and scored.

    python bench/finding.py [--scales 0.02,0.1] [--seeds 1,2,3] [--levels 1,3] [--keep]

Prints a Markdown table. The mail is invented by the program itself; what that is worth, and what it is not,
stands in docs/measure.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from itertools import product
from pathlib import Path
from typing import Any

from cost import Cost, cost_of

ROOT = Path(__file__).parents[1]
THINGWATCH = str(Path(sys.executable).with_name("thingwatch"))
HEAD = (
    "scale", "level", "seed", "mails", "thing: precision", "recall", "attacks B³: precision", "recall",
    "lures B³: precision", "recall", "waves", "worst edge", "accused", "mixed", "wall",
)  # fmt: skip


def main() -> None:
    """Measure every combination asked for; the mail is thrown away after each unless --keep."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scales", default="0.02,0.1")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--levels", default="1,3")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "finding")
    parser.add_argument("--keep", action="store_true", help="keep replays and cases")
    given = parser.parse_args()
    print(f"| {' | '.join(HEAD)} |\n|{' --- |' * len(HEAD)}", flush=True)
    asked = (given.scales.split(","), given.levels.split(","), given.seeds.split(","))
    for scale, level, seed in product(*asked):
        folder = given.folder / f"{scale}-{level}-{seed}"
        measured, cost = measure(folder, scale, level, seed)
        print(f"| {' | '.join([scale, level, seed, *cells(measured, cost)])} |", flush=True)
        if not given.keep:
            shutil.rmtree(folder)


def measure(folder: Path, scale: str, level: str, seed: str) -> tuple[dict[str, Any], Cost]:
    """The score of one replay, and what uncovering it cost."""
    replay, case = folder / "replay", folder / "case"
    made = ["--scale", scale, "--seed", seed, "--level", level, "--out", str(replay), "--quiet"]
    if not (replay / "truth.json").is_file():
        cost_of([THINGWATCH, "replay", *made])
    shutil.rmtree(case, ignore_errors=True)
    cost = cost_of([THINGWATCH, "uncover", str(replay / "mail.mbox"), "--out", str(case), "--quiet"])
    return json.loads(cost_of([THINGWATCH, "score", str(case), str(replay), "--json"]).output), cost


def cells(measured: dict[str, Any], cost: Cost) -> list[str]:
    """One row of the table behind scale, level and seed."""
    thing = next(one for one in measured["campaigns"] if one["name"] == "thing")
    waves = measured["waves"]
    edge = waves["worst_edge_minutes"]
    accused = [f"{one['accused']} {one['kind']}" for one in measured["innocents"] if one["accused"]]
    innocents = sum(one["messages"] for one in measured["innocents"])
    attacks = {match["name"] for match in measured["campaigns"]}
    mixed = [" + ".join(names) for names in measured["merges"] if attacks & set(names)]
    return [
        f"{measured['truth_messages']:,}",
        f"{thing['precision']:.4f}",
        f"{thing['recall']:.4f}",
        *(
            f"{measured[name][side]:.4f}"
            for name in ("cubed", "cubed_lures")
            for side in ("precision", "recall")
        ),
        f"{waves['found']} of {waves['true']}, {waves['invented']} invented",
        "-" if edge is None else f"{edge:.1f} min",
        f"{', '.join(accused) or '0'} of {innocents:,}",
        ", ".join(mixed) or "none",
        f"{cost.wall_seconds:.0f} s",
    ]


if __name__ == "__main__":
    main()
