"""How fast, how large, how linear: what `make bench` measures, as a page of Markdown tables.

    python bench/run.py [--scales 0.02,0.1] [--rounds 3] [--sample 1000] [--mail FILE]...

Each round measures, one after the other and in the same order, what it costs at least (read the file and split
it into mails), what parsing costs, and what the whole of `thingwatch uncover` costs, all as processes of their own
on the same file and with the same number of workers; the median round counts. So the ratios hold on a machine
whose speed changes, and the seconds only for the machine at hand.
"""

from __future__ import annotations

import argparse
import mailbox
import os
import platform
import shutil
import statistics
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

from cost import Cost, cost_of
from filters import Speed, speeds_of

from thingwatch.model import RawMail
from thingwatch.read import Border, Load, plan, read_message
from thingwatch.read.mailbox import mails_in

ROOT = Path(__file__).parents[1]
THINGWATCH = str(Path(sys.executable).with_name("thingwatch"))
NOTHING = Border()
WITH_EVIDENCE = "uncover with evidence"
SPEED_HEAD = (
    "mails", "MB", "part", "wall s", "CPU s", "mails/s", "peak of the tree MB", "largest process MB",
    "CPU to split", "CPU to parse",
)  # fmt: skip


def main() -> None:
    """Measure and print; or, as a measured child, do one of the parts."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--scales", default="0.02,0.1", help="replays to make or use again, comma between them"
    )
    parser.add_argument("--rounds", type=int, default=3, help="times everything is measured")
    parser.add_argument("--sample", type=int, default=1000, help="mails given to other filters; 0: none")
    parser.add_argument("--mail", type=Path, action="append", help="measure on this mbox instead of replays")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--part", choices=("split", "parse"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        print(part(given.part, given.mail))
        return
    boxes = given.mail or [replayed(scale, given.folder) for scale in given.scales.split(",")]
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}, median of {given.rounds} rounds.\n")
    measured = {box: rounds_on(box, given.folder, given.rounds) for box in boxes}
    print_speed(measured)
    print_linearity(measured)
    print_evidence(measured)
    if given.sample:
        largest = max(boxes, key=lambda box: measured[box].mails)
        print_filters(largest, measured[largest], given.sample, given.folder)


class Measured(dict[str, list[Cost]]):
    """The costs of each part, a round each, and how many mails they were for."""

    mails: int = 0
    mail_bytes: int = 0

    def wall(self, name: str) -> float:
        return statistics.median(cost.wall_seconds for cost in self[name])

    def cpu(self, name: str) -> float:
        return statistics.median(cost.cpu_seconds for cost in self[name])

    def ratio(self, name: str, floor: str) -> float:
        """Median over the rounds of the ratio of processor times within one round."""
        return statistics.median(
            a.cpu_seconds / b.cpu_seconds for a, b in zip(self[name], self[floor], strict=True)
        )

    def tree_mb(self, name: str) -> float:
        return max(cost.tree_mb for cost in self[name])

    def process_mb(self, name: str) -> float:
        return max(cost.process_mb for cost in self[name])


def replayed(scale: str, folder: Path) -> Path:
    """The mailbox of a replay of that scale, made where it is not there yet."""
    replay = folder / f"replay-{scale}"
    if not (replay / "truth.json").is_file():
        print(f"making a replay of scale {scale}", file=sys.stderr)
        cost_of([THINGWATCH, "replay", "--scale", scale, "--out", str(replay), "--quiet"])
    return replay / "mail.mbox"


def rounds_on(box: Path, folder: Path, rounds: int) -> Measured:
    """Split, parse and uncover *box*, in turns."""
    here = [sys.executable, __file__, "--mail", str(box), "--part"]
    case = folder / "case"
    measured = Measured()
    for _ in range(rounds):
        for name in ("split", "parse"):
            cost = cost_of([*here, name])
            measured.setdefault(name, []).append(cost)
            measured.mails = int(cost.output)
        shutil.rmtree(case, ignore_errors=True)
        command = [THINGWATCH, "uncover", str(box), "--out", str(case), "--quiet"]
        measured.setdefault("uncover", []).append(cost_of(command))
        if (evidence := box.parent / "evidence").is_dir():
            shutil.rmtree(case, ignore_errors=True)
            measured.setdefault(WITH_EVIDENCE, []).append(cost_of([*command, "--evidence", str(evidence)]))
    measured.mail_bytes = box.stat().st_size
    return measured


def part(name: str, boxes: list[Path]) -> int:
    """Split or parse all mail in *boxes*, with a process per core; gives how many mails there were."""
    work = split_load if name == "split" else parse_load
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), mp_context=get_context("fork")) as pool:
        return sum(pool.map(work, plan(boxes)))


def split_load(load: Load) -> int:
    """Read the bytes of *load* and cut them into mails."""
    return sum(isinstance(mail, RawMail) for mail in mails_in(load))


def parse_load(load: Load) -> int:
    """Read the mails of *load* into records."""
    count = 0
    for mail in mails_in(load):
        if isinstance(mail, RawMail):
            read_message(mail, NOTHING)
            count += 1
    return count


def print_speed(measured: dict[Path, Measured]) -> None:
    """One row per mailbox and part."""
    print(f"| {' | '.join(SPEED_HEAD)} |\n|{' --- |' * len(SPEED_HEAD)}")
    for one in measured.values():
        for name in one:
            row: Sequence[str] = (
                f"{one.mails:,}", f"{one.mail_bytes / 1e6:,.0f}", name,
                f"{one.wall(name):.1f}", f"{one.cpu(name):.1f}", f"{one.mails / one.wall(name):,.0f}",
                f"{one.tree_mb(name):,.0f}", f"{one.process_mb(name):,.0f}",
                f"{one.ratio(name, 'split'):.1f}", f"{one.ratio(name, 'parse'):.1f}",
            )  # fmt: skip
            print(f"| {' | '.join(row)} |")
    print()


def print_linearity(measured: dict[Path, Measured]) -> None:
    """What more mail costs, from each mailbox to the next larger."""
    ordered = sorted(measured.values(), key=lambda one: one.mails)
    for small, large in pairwise(ordered):
        wall, cpu, memory = (
            of(large, "uncover") / of(small, "uncover")
            for of in (Measured.wall, Measured.cpu, Measured.tree_mb)
        )
        print(
            f"{large.mails / small.mails:.1f} times the mail costs {wall:.1f} times the time, {cpu:.1f} times the CPU"
            f" and {memory:.1f} times the memory.\n"
        )


def print_evidence(measured: dict[Path, Measured]) -> None:
    """What evidence adds to each mailbox's run, within the same rounds."""
    for one in measured.values():
        if WITH_EVIDENCE in one:
            wall = statistics.median(
                a.wall_seconds / b.wall_seconds
                for a, b in zip(one[WITH_EVIDENCE], one["uncover"], strict=True)
            )
            cpu = one.ratio(WITH_EVIDENCE, "uncover")
            print(f"Evidence on {one.mails:,} mails: {wall:.2f} times the time, {cpu:.2f} times the CPU.\n")


def print_filters(box: Path, measured: Measured, sample: int, folder: Path) -> None:
    """What other filters take for mails of *box*, beside what we take per mail of it."""
    files = sampled(box, sample, folder / "sample")
    speeds, missing = speeds_of(files, folder)
    print("| per mail, same mailbox | mails | mails/s | CPU ms |\n| --- | --- | --- | --- |")
    ours = [
        Speed(f"thingwatch, {name}", measured.mails, measured.wall(name), measured.cpu(name))
        for name in ("parse", "uncover")
    ]
    for speed in ours + speeds:
        rate, cost = speed.mails / speed.wall_seconds, speed.cpu_seconds / speed.mails
        print(f"| {speed.name} | {speed.mails:,} | {rate:,.0f} | {cost * 1e3:.2f} |")
    for name in missing:
        print(f"| {name} | not installed | | |")
    if speeds:
        print(
            "\nThe others' network checks are off; their mails/s include their client programs, their CPU does not."
        )


def sampled(box: Path, count: int, folder: Path) -> list[Path]:
    """*count* mails spread evenly over *box*, a file each."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    mails = mailbox.mbox(box, create=False)
    keys = mails.keys()
    step = max(1, len(keys) // count)
    files = []
    for number, key in enumerate(keys[::step][:count]):
        files.append(folder / f"{number:05d}.eml")
        files[-1].write_bytes(mails.get_bytes(key))
    return files


def machine() -> str:
    """Processor, cores and memory in a few words."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = next(
        (line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{len(os.sched_getaffinity(0))} cores of {model}, {memory:.0f} GiB"


if __name__ == "__main__":
    main()
