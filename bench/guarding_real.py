"""What the guard does with real mail: is anybody wronged, and how much of real spam has the look of a campaign?

    python bench/guarding_real.py [--rate 1]

All corpora of ../shared/data/mail, in the order they were received, through detector and policy with canary off. They
are read as mail at rest, for that is what they are: below the border's own line. Mail that tells no time is left out.
With --rate 60 a minute of the corpora passes in a second, so that mail of different years meets in memory.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict

from corpora import INNOCENT, archives, where_of

from thingwatch.guard import Guard, Options
from thingwatch.guard.finding import Certainty
from thingwatch.guard.trace import trace_of
from thingwatch.model import Message, RawMail
from thingwatch.read import Border, plan, read_message
from thingwatch.read.mailbox import mails_in

COLUMNS = ("accept", "tag", "defer", "quarantine", "reject")


def mails() -> list[Message]:
    """Every mail that tells when it was received, the oldest first."""
    border = Border()
    read = (
        read_message(item, border)
        for load in plan(archives())
        for item in mails_in(load)
        if isinstance(item, RawMail)
    )
    return sorted((m for m in read if m.received_at), key=lambda m: m.received_at or 0)


def main() -> None:
    """Play and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--rate", type=float, default=1.0, help="seconds of the corpora in one of the guard's"
    )
    given = parser.parse_args()
    clock = [0.0]
    options = Options().changed(canary=False, max_messages=20_000, max_sources=50_000)
    guard = Guard(options, monotonic=lambda: clock[0], wall=lambda: clock[0])
    done: dict[str, Counter[str]] = defaultdict(Counter)
    wronged: Counter[str] = Counter()
    for message in mails():
        at = message.received_at or 0
        clock[0] = at / 1e6 / given.rate
        finding, trace = guard.state.observe(trace_of(message, at), clock[0])
        ruling = guard.state.policy.rule(finding, trace, clock[0])
        corpus = where_of(message.place).corpus
        done[corpus][str(ruling.action)] += 1
        if corpus in INNOCENT and finding.own and finding.certainty is not Certainty.NONE:
            wronged[f"{corpus}: {finding.certainty}, {finding.kind}"] += 1
    print(f"| corpus | mails | {' | '.join(COLUMNS)} |\n|---|---|{'---|' * len(COLUMNS)}")
    for corpus, counts in sorted(done.items()):
        cells = " | ".join(f"{counts[name]:,}" for name in COLUMNS)
        print(f"| {corpus} | {counts.total():,} | {cells} |")
    innocent = [done[corpus] for corpus in INNOCENT]
    above = sum(counts[name] for counts in innocent for name in COLUMNS[2:])
    print(
        f"\nhonest mail and bounces: {sum(c.total() for c in innocent):,}, above a tag {above}, {dict(wronged)}"
    )


if __name__ == "__main__":
    main()
