"""How soon the guard stops a wave, whom it wrongs, and what a decision costs: a replay played in received order.

    python bench/guarding.py [--scale 0.1] [--seed 1] [--level 1] [--known] [--folder STATE]

Time is compressed: the guard's clocks are the replay's. Mails come as a milter hands them over: the border's own
fields are not in them but for Authentication-Results, as an earlier milter would have put it on top. Deferred mails
of servers come again after 5, 10, 20 ... minutes; bots do not. The table of actions is the default one with canary
off. --known begins with the case that uncover makes of the same replay: an equal past.
"""

from __future__ import annotations

import argparse
import heapq
import re
import resource
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from thingwatch.config import Settings
from thingwatch.guard import Action, Delivery, Guard, Known, Options
from thingwatch.identify import Networks
from thingwatch.model import RawMail, Session
from thingwatch.read import Border, read_message
from thingwatch.replay import replay
from thingwatch.uncover import uncover

ROOT = Path(__file__).parents[1]
ATTACKS = ("campaign", "botnet", "snowshoe")
_CHECKS = re.compile(rb"^Authentication-Results: (\S+?);(?:.*\n)(?:[ \t].*\n)*", re.MULTILINE)
MAX_DEFER_TRIES = 12


class Flight(NamedTuple):
    """One mail on its way to the guard, and the truth about it."""

    at: int  # microseconds
    delivery: Delivery
    truth: dict[str, Any]


def flights(folder: Path) -> Iterator[Flight]:
    """The mails of a Parquet replay as a gateway sees them."""
    truths = pq.ParquetFile(folder / "truth.parquet").iter_batches(batch_size=4096)
    mails = pq.ParquetFile(folder / "mail.parquet").iter_batches(batch_size=4096)
    held: list[dict[str, Any]] = []
    border = Border()
    seq = 0
    for batch in mails:
        for row in batch.to_pylist():
            if not held:
                held = next(truths).to_pylist()[::-1]
            truth = held.pop()
            at = _micros(row["received_at"])
            yield Flight(at, in_flight(row["raw"], at, row["sender"], row["recipient"], seq, border), truth)
            seq += 1


def in_flight(raw: bytes, at: int, sender: str, recipient: str, seq: int, border: Border) -> Delivery:
    """A mail as it lies in the mailbox, put back to when the border had not written in it yet."""
    message = read_message(RawMail(raw, ""), border)
    start = raw.index(b"by mx1.")
    end = raw.index(b"\n", start) + 1
    while raw[end : end + 1] in (b" ", b"\t"):
        end = raw.index(b"\n", end) + 1
    checks = _CHECKS.search(raw[:end])
    session = Session(at, message.client_ip, message.helo, message.ptr, sender, (recipient,))
    return Delivery((checks[0] if checks else b"") + raw[end:], session, f"Q{seq:09d}", "", False)


def _micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)


class Played:
    """What came of a replay."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.mails = 0
        self.by_kind: dict[str, Counter[str]] = defaultdict(Counter)
        self.waves: dict[tuple[str, int], list[tuple[int, bool, bool]]] = defaultdict(
            list
        )  # at, flagged, stopped
        self.cpu: list[float] = []
        self.wall: list[float] = []
        self.good_waits: list[float] = []  # seconds a good mail was deferred
        self.wrong: list[str] = []
        self.events: Counter[str] = Counter()
        self.wanted: dict[str, dict[str, Any]] = {}


def play(guard: Guard, clock: list[float], folder: Path, played: Played, last: dict[str, Any]) -> None:
    """Every mail in received order, deferred ones again when they come back."""
    waiting: list[tuple[float, int, int, Flight, int]] = []
    for flight in flights(folder):
        while waiting and waiting[0][0] <= flight.at / 1e6:
            due, _, tries, again, first = heapq.heappop(waiting)
            clock[0] = due
            _decide(guard, again, played, last, waiting, tries, first)
        clock[0] = flight.at / 1e6
        _decide(guard, flight, played, last, waiting, 0, flight.at)


def _decide(
    guard: Guard, flight: Flight, played: Played, last: dict[str, Any],
    waiting: list[tuple[float, int, int, Flight, int]], tries: int, first: int,
) -> None:  # fmt: skip
    last.clear()
    wall, cpu = time.perf_counter(), time.thread_time()
    answer = guard.decide(flight.delivery)
    if not tries:
        played.cpu.append(time.thread_time() - cpu)
        played.wall.append(time.perf_counter() - wall)
    truth = flight.truth
    kind = truth["kind"]
    flagged = answer.action is not Action.ACCEPT
    good = kind not in ATTACKS
    if answer.action is Action.DEFER:
        server = truth["source_kind"] in ("server", "provider")
        if server and tries < MAX_DEFER_TRIES:
            due = guard.state.clock.now() + 300.0 * 2 ** min(tries, 4)
            heapq.heappush(waiting, (due, len(played.cpu), tries + 1, flight, first))
    elif tries and good:
        played.good_waits.append(guard.state.clock.now() - first / 1e6)
    if good and answer.action not in (Action.ACCEPT, Action.TAG) and not tries and len(played.wrong) < 20:
        played.wrong.append(
            f"{kind} {truth['lure']} {answer.action} {last.get('campaign')} {last.get('certainty')}"
        )
    if tries:
        return
    played.mails += 1
    played.by_kind[kind][str(answer.action)] += 1
    name = truth["campaign"]
    if name in ("thing", "botnet"):
        wave = truth["wave"] if truth["wave"] is not None else -1
        stopped = answer.action not in (Action.ACCEPT, Action.TAG)
        played.waves[name, wave].append((flight.at, flagged, stopped))


def tell(played: Played, guard: Guard, baseline: int) -> None:
    """Print every figure."""
    legit = sum(sum(c.values()) for kind, c in played.by_kind.items() if kind not in ATTACKS)
    print(f"mails: {played.mails:,}, of them legitimate {legit:,}\n")
    print("| kind | mails | accepted | tagged | deferred | held | refused |\n|---|---|---|---|---|---|---|")
    for kind, counts in sorted(played.by_kind.items(), key=lambda one: -sum(one[1].values())):
        cells = [f"{counts[a]:,}" for a in ("accept", "tag", "defer", "quarantine", "reject")]
        print(f"| {kind} | {sum(counts.values()):,} | {' | '.join(cells)} |")
    above = sum(
        counts[a] for kind, counts in played.by_kind.items() if kind not in ATTACKS
        for a in ("defer", "quarantine", "reject")
    )  # fmt: skip
    print(f"\nlegitimate mails above a tag: {above} of {legit:,}; {played.wrong}")
    waits = played.good_waits
    print(
        f"the price of doubt: {len(waits)} good mails deferred and let in later,"
        f" waited {statistics.median(waits) / 60 if waits else 0:.1f} min (median),"
        f" {max(waits, default=0) / 60:.1f} min (longest)\n"
    )
    print(
        "| campaign, wave | mails | flagged at mail | s | stopped from mail | s | flagged, all | stopped, all |"
    )
    print("|---|---|---|---|---|---|---|---|")
    flagged_at, flagged_s = [], []
    later = [0, 0]
    for (name, wave), rows in sorted(played.waves.items()):
        cells = [f"{name} {wave}", f"{len(rows):,}"]
        for column in (1, 2):
            place = next((i for i, row in enumerate(rows) if row[column]), None)
            seconds = None if place is None else (rows[place][0] - rows[0][0]) / 1e6
            cells += ["never", "-"] if place is None else [str(place + 1), f"{seconds:.1f}"]
            if column == 1 and name == "thing" and place is not None and seconds is not None:
                flagged_at.append(place + 1)
                flagged_s.append(seconds)
        cells += [f"{sum(row[column] for row in rows) / len(rows):.4f}" for column in (1, 2)]
        print(f"| {' | '.join(cells)} |")
        if name == "thing" and wave > 0:
            later[0] += sum(row[1] for row in rows)
            later[1] += len(rows)
    if flagged_at:
        print(
            f"\nwaves of thing flagged: mail {statistics.median(flagged_at):g} (median), {max(flagged_at)} (worst);"
            f" {statistics.median(flagged_s):.1f} s (median), {max(flagged_s):.1f} s (worst)"
        )
        print(f"later waves recognised: {later[0] / max(1, later[1]):.4%} of {later[1]:,}")
    for name, times in (("wall", played.wall), ("CPU", played.cpu)):
        ordered = sorted(times)
        p50, p99, p999 = (ordered[int(len(ordered) * q)] * 1e3 for q in (0.5, 0.99, 0.999))
        print(
            f"{name} per mail: mean {statistics.fmean(times) * 1e3:.2f} ms, median {p50:.2f}, p99 {p99:.2f},"
            f" p99.9 {p999:.2f}, longest {ordered[-1] * 1e3:.1f}"
        )
    status = guard.status()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - baseline
    memory = status["memory"]
    print(
        f"memory: {grown / 1024:,.0f} MB over the start for {memory['remembered']:,} remembered"
        f" ({memory['lures']:,} lures, {memory['campaigns']:,} campaigns), {memory['bytes_set_aside'] / 2**20:,.0f}"
        f" MB set aside, {memory['forgotten']:,} forgotten"
    )
    print(f"status: {status['policy']}, {status['deferrals']}, failures {status['breaker']['failures']}")
    print(f"events: {dict(played.events)}")


def main() -> None:
    """Make the replay where it is missing, play it, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scale", type=float, default=0.02)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--level", type=int, default=1)
    parser.add_argument("--known", action="store_true")
    parser.add_argument(
        "--state", type=Path, help="keep the guard's memory in this folder: journal and snapshots"
    )
    parser.add_argument("--max-messages", type=int, default=200_000)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "guard")
    given = parser.parse_args()
    folder = given.build / f"{given.scale}-{given.level}-{given.seed}"
    if not (folder / "truth.json").is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        replay(given.scale, given.seed, folder, "parquet", given.level, evidence="none")
    known = Known()
    if given.known:
        case = folder.with_name(folder.name + "-case")
        if not case.is_dir():
            uncover([folder / "mail.parquet"], case, Settings(), Networks.load(None))
        known = Known.load(case)
        print(f"known: {len(known.campaigns)} campaigns, {known.nbytes / 1024:,.0f} kB of keys")
    first = next(flights(folder))
    authserv = _CHECKS.search(first.delivery.raw)
    options = Options().changed(
        canary=False,
        authserv_ids=(authserv[1].decode() if authserv else "mx1",),
        max_messages=given.max_messages,
    )
    played, clock, last = Played(), [first.at / 1e6], {}

    def hear(event: dict[str, Any]) -> None:
        played.events[event["event"]] += 1
        if event["event"] == "decision":
            last.update(event)
        elif event.get("alert") or event["event"] == "failed":
            print(event, file=sys.stderr)

    def now() -> float:
        return clock[0]

    guard = Guard(options, known, given.state, events=hear, monotonic=now, wall=now)
    guard.warm()
    baseline = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    play(guard, clock, folder, played, last)
    took = time.perf_counter() - began
    tell(played, guard, baseline)
    print(f"played in {took:.0f} s, {played.mails / took:,.0f} mails/s, the bench's own reading included")
    guard.close()


if __name__ == "__main__":
    main()
