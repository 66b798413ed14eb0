"""What the guard costs a mail server: Postfix alone, with a milter that does nothing, with the guard.

    python bench/gateway.py [--mails 3000] [--parallel 20] [--rate 60] [--rows alone,nothing,guard,unix] [--seed 1]

Mails are those of a replay, campaign and others in the order they came, as a border sees them; each on a connection
of its own, under its own client address (XCLIENT). Flat out: so many at a time as --parallel says, which tells
mails/s. Paced: --rate mails a second begun at even times, which tells how long a client waits. Client, Postfix and
guard share the machine's cores, so mails/s is a lower bound. Postfix throws the mails away after taking them.
Nothing leaves loopback; needs root and Postfix. For 100,000 mails say --mails 100000; making the replay for it takes
some minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
# This folder has a guard.py, and the tests a folder of that name: theirs is meant.
sys.path[0] = str(ROOT / "tests")

from guard.milter.serving import ServingProcess  # noqa: E402
from guard.postfix import DOMAIN, Postfix, free_port, why_not  # noqa: E402
from guard.service.running import Running  # noqa: E402

from thingwatch.guard.gateway import Action  # noqa: E402
from thingwatch.replay import replay  # noqa: E402

MAILS_IN_REPLAY = 1_500_000  # at scale 1
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
ROWS = ("alone", "nothing", "guard", "unix")
PACED = 2_000  # mails sent at a steady rate
NAMES = {
    "alone": "no milter",
    "nothing": "a milter that does nothing",
    "guard": "the guard",
    "unix": "the guard, at a Unix socket",
    "in-loop": "the guard, deciding in the event loop",
}
CONFIG = "canary = false\n[actions]\nknown = 'tag'\nsure = 'tag'\nlikely = 'tag'\ndoubtful = 'tag'\n"
IN_LOOP = """
import thingwatch.guard.service.daemon as daemon
real = daemon.MilterServer
daemon.MilterServer = lambda *given, executor, **named: real(*given, **named)
"""


class Letter(NamedTuple):
    """One mail as the client sends it."""

    client_ip: str
    mail_from: str
    content: bytes  # CRLF, dots doubled, with the closing dot


class Usage(NamedTuple):
    """What a process has used up."""

    cpu_seconds: float
    resident_bytes: int


class Measured(NamedTuple):
    """One row of the table."""

    per_second: float
    refused: int
    flat: list[float]  # seconds of whole sessions, flat out, sorted
    paced: list[float]  # the same, paced
    cpu_ms: float  # of the milter, a mail
    begun_bytes: int  # its memory after a tenth of the mails
    ended_bytes: int
    late: int
    busy: tuple[float, float]  # p50 and p99 of decisions, in milliseconds, flat out
    calm: tuple[float, float]  # and paced


def letters(mails: int, seed: int, build: Path) -> list[Letter]:
    """Mails of a replay, made where it is missing."""
    scale = max(0.02, round(mails / MAILS_IN_REPLAY * 1.1, 3))
    folder = build / f"{scale}-1-{seed}"
    if not (folder / "truth.json").is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        replay(scale, seed, folder, "parquet", 1, evidence="none")
    spec = importlib.util.spec_from_file_location("played", ROOT / "bench" / "guarding.py")
    if spec is None or spec.loader is None:
        raise SystemExit("bench/guarding.py is missing")
    played: Any = importlib.util.module_from_spec(spec)
    sys.modules["played"] = played
    spec.loader.exec_module(played)
    found = []
    for flight in islice(played.flights(folder), mails):
        raw, session = flight.delivery.raw, flight.delivery.session
        content = raw.replace(b"\n", b"\r\n").replace(b"\r\n.", b"\r\n..")
        found.append(
            Letter(
                session.client_ip or "192.0.2.1",
                session.mail_from or "",
                content.rstrip(b"\r\n") + b"\r\n.\r\n",
            )
        )
    return found


async def send(port: int, letter: Letter) -> tuple[bool, float]:
    """Send one; whether it was taken, and how long it took from connecting to the last reply."""
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def replies(count: int) -> bytes:
        line = b""
        for _ in range(count):
            while (line := await reader.readline())[3:4] == b"-":
                pass
        return line

    await replies(1)
    address = f"IPV6:{letter.client_ip}" if ":" in letter.client_ip else letter.client_ip
    writer.write(f"XCLIENT ADDR={address} NAME=[UNAVAILABLE]\r\n".encode())
    await replies(1)
    writer.write(b"EHLO client.test\r\n")
    await replies(1)
    writer.write(f"MAIL FROM:<{letter.mail_from}>\r\nRCPT TO:<x@{DOMAIN}>\r\nDATA\r\n".encode())
    await replies(3)
    writer.write(letter.content)
    last = await replies(1)
    took = time.perf_counter() - began
    writer.write(b"QUIT\r\n")
    writer.close()
    return last[:3] == b"250", took


async def flat_out(port: int, mails: list[Letter], parallel: int) -> tuple[float, list[tuple[bool, float]]]:
    """Send all, so many at a time; seconds in all, and what became of each."""
    queue = iter(mails)
    found: list[tuple[bool, float]] = []

    async def sender() -> None:
        for letter in queue:
            found.append(await send(port, letter))

    began = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(parallel)))
    return time.perf_counter() - began, found


async def paced(port: int, mails: list[Letter], rate: float) -> list[tuple[bool, float]]:
    """Begin one every 1/rate seconds, whatever became of the others."""
    began = time.perf_counter()
    tasks = []
    for number, letter in enumerate(mails):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(send(port, letter)))
    return list(await asyncio.gather(*tasks))


def usage(pid: int) -> Usage:
    """Of process *pid*, with the children it waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = sum(int(field) for field in fields[11:15])
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return Usage(ticks / TICK, pages * PAGE)


@contextmanager
def milter(row: str, folder: Path) -> Iterator[tuple[str, int, Running | None]]:
    """The milter of *row*: its address for Postfix, its process, the daemon if it is one."""
    if row == "alone":
        yield "", 0, None
    elif row == "nothing":
        port = free_port()
        process = ServingProcess(port, Action.ACCEPT)
        process.start()
        try:
            yield f"inet:127.0.0.1:{port}", process.started.pid if process.started else 0, None
        finally:
            process.kill()
    else:
        with Running(
            folder / row, CONFIG, before=IN_LOOP if row == "in-loop" else "", unix=row == "unix"
        ) as daemon:
            yield daemon.address, daemon.pid, daemon


def measure(row: str, mails: list[Letter], parallel: int, rate: float, folder: Path) -> Measured:
    """One row."""
    tenth = max(1, len(mails) // 10)
    with milter(row, folder) as (address, pid, daemon):
        settings = {"virtual_transport": "discard:", "smtpd_milters": address}
        with Postfix(**settings) as postfix:
            asyncio.run(flat_out(postfix.port, mails[:tenth], parallel))
            before = usage(pid) if pid else Usage(0, 0)
            took, found = asyncio.run(flat_out(postfix.port, mails[tenth:], parallel))
            after = usage(pid) if pid else Usage(0, 0)
            busy = decided(daemon)
            # As many as the guard keeps the times of, so that none of the flat-out ones is among them.
            slow = asyncio.run(paced(postfix.port, [*islice(cycle(mails), PACED)], rate))
            calm = decided(daemon)
            service = daemon.status()["service"] if daemon is not None else {}
            if daemon is not None and daemon.status()["guard"]["breaker"]["failures"]:
                raise SystemExit(daemon.log)
    return Measured(
        len(found) / took,
        sum(not taken for taken, _ in [*found, *slow]),
        sorted(seconds for _, seconds in found),
        sorted(seconds for _, seconds in slow),
        (after.cpu_seconds - before.cpu_seconds) / len(found) * 1e3,
        before.resident_bytes,
        after.resident_bytes,
        service.get("late", 0),
        busy,
        calm,
    )


def decided(daemon: Running | None) -> tuple[float, float]:
    """p50 and p99 of the daemon's last decisions, in milliseconds of the clock on the wall."""
    if daemon is None:
        return 0.0, 0.0
    told = daemon.status()["service"]["decision_seconds"]
    return told["p50"] * 1e3, told["p99"] * 1e3


def at(times: list[float], share: float) -> float:
    """The quantile, in milliseconds."""
    return times[min(len(times) - 1, int(len(times) * share))] * 1e3


def main() -> None:
    """Measure the rows that were asked for, and print them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mails", type=int, default=3_000)
    parser.add_argument("--parallel", type=int, default=20)
    parser.add_argument("--rate", type=float, default=60.0)
    parser.add_argument("--rows", default=",".join(ROWS), help=f"of {', '.join(NAMES)}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "guard")
    given = parser.parse_args()
    if why_not():
        raise SystemExit(why_not())
    mails = letters(given.mails, given.seed, given.build)
    size = sum(len(letter.content) for letter in mails) / len(mails)
    print(
        f"{len(mails):,} mails of {size / 1000:.1f} kB on average; {given.parallel} in parallel, or {given.rate:g}/s;"
        f" {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n"
    )
    print(
        "| | mails/s | session p50 / p99 ms | paced p50 / p99 ms | added p50 / p99 ms (paced) | milter CPU ms/mail"
        f" | decide p50 / p99 ms | paced | its memory MB, growth | refused | late |\n{'|---' * 11}|"
    )
    base: Measured | None = None
    with tempfile.TemporaryDirectory(prefix="thingwatch-bench-") as folder:
        Path(folder).chmod(0o755)  # Postfix must reach a socket in it
        for row in given.rows.split(","):
            one = measure(row, mails, given.parallel, given.rate, Path(folder))
            base = base or one
            added = [at(one.paced, share) - at(base.paced, share) for share in (0.5, 0.99)]
            grown = one.ended_bytes / one.begun_bytes - 1 if one.begun_bytes else 0.0
            print(
                f"| {NAMES[row]} | {one.per_second:.0f} | {at(one.flat, 0.5):.1f} / {at(one.flat, 0.99):.1f}"
                f" | {at(one.paced, 0.5):.1f} / {at(one.paced, 0.99):.1f} | {added[0]:.1f} / {added[1]:.1f}"
                f" | {one.cpu_ms:.2f} | {one.busy[0]:.1f} / {one.busy[1]:.1f} | {one.calm[0]:.1f} / {one.calm[1]:.1f}"
                f" | {one.ended_bytes / 2**20:.0f}, {grown:+.1%} | {one.refused} | {one.late} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
