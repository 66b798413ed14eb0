"""What a command costs: wall time, processor time and memory, over the whole tree of its processes."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

SAMPLE_SECONDS = 0.05
MAX_PROCESSES = 1024  # of one tree, looked at per sample; uncover has one per core and itself


class Cost(NamedTuple):
    """What one run of a command took."""

    wall_seconds: float
    cpu_seconds: float  # user and system, of the command and all its children
    tree_mb: (
        float  # largest sum of resident memory over the tree, seen at one moment; shared pages count twice
    )
    process_mb: float  # largest resident memory any one process ever had (VmHWM)
    output: str  # standard output


def cost_of(command: Sequence[str]) -> Cost:
    """Run *command* to its end. Raises CalledProcessError, with its error output, when it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 our own commands
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace"
    )
    streams = ["", ""]
    # Both pipes are emptied while the command runs, or it would wait for us.
    readers = [
        threading.Thread(target=_drain, args=(stream, streams, at))
        for at, stream in enumerate((process.stdout, process.stderr))
    ]
    for reader in readers:
        reader.start()
    tree_kb = process_kb = 0
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        now_kb, most_kb = _memory_of(process.pid)
        tree_kb, process_kb = max(tree_kb, now_kb), max(process_kb, most_kb)
        time.sleep(SAMPLE_SECONDS)
    wall = time.perf_counter() - started
    for reader in readers:
        reader.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(command), streams[0], streams[1])
    # Short runs may end between two samples; the kernel's own figure for the largest process stands in.
    process_kb = max(process_kb, usage.ru_maxrss)
    return Cost(
        wall, usage.ru_utime + usage.ru_stime, max(tree_kb, process_kb) / 1024, process_kb / 1024, streams[0]
    )


def cpu_seconds_of(pid: int) -> float:
    """Processor time so far of *pid* and everything below it, living and waited for."""
    ticks = 0
    for one in tree_of(pid):
        try:
            # proc(5): the name may hold blanks and brackets; fields 14 to 17 are counted behind it.
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def tree_of(pid: int) -> list[int]:
    """*pid* and all processes below it."""
    found = [pid]
    for one in found:
        if len(found) >= MAX_PROCESSES:
            break
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += map(int, children.read_text().split())
            except OSError:
                continue
    return found


def _memory_of(pid: int) -> tuple[int, int]:
    """Resident kB of the tree of *pid* now, and the most any one of its processes ever had."""
    now = most = 0
    for one in tree_of(pid):
        try:
            lines = Path(f"/proc/{one}/status").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            if line.startswith("VmRSS:"):
                now += int(line.split()[1])
            elif line.startswith("VmHWM:"):
                most = max(most, int(line.split()[1]))
    return now, most


def _drain(stream: object, streams: list[str], at: int) -> None:
    streams[at] = stream.read()  # type: ignore[attr-defined]
