"""Mail known from a log only: no text, so a run of one hand takes the place of a lure.

What a log shows of a mail is who connected, by what name, when, how the Message-ID is written and who the
envelope names. A *run* is mail of one Message-ID dialect from sources that send little, where either the
dialect comes in bursts far above its own pace, or its sources are for the most part customers' lines. Runs
then join into campaigns as lures do, by sources and clock.

Ordinary mail that is written alike and arrives within a burst is taken in; the only guard against it is that
its source must be one that sends little. That is why a log-only campaign says so.
"""

from __future__ import annotations

from thingwatch.store import Engine

MAX_PER_DAY = 20  # mails a source may send a day and still count as one that sends little
BURST_MAILS = 10  # mails of one hand in ten minutes that can be a burst
BURST_FACTOR = 8.0  # times the hand's own mean
MIN_LINE_SOURCES = 30  # sources from which the names of a hand's lines are telling
LINE_PART = 0.6  # of its named sources must be customers' lines


def add_logged_runs(engine: Engine) -> None:
    """Add the runs found in logged mail to the table ``members``, each as a lure."""
    if not engine.number("SELECT count(*) FROM mails WHERE logged"):
        return
    numbers = {
        "max_per_day": MAX_PER_DAY,
        "burst_mails": BURST_MAILS,
        "burst_factor": BURST_FACTOR,
        "min_line_sources": MIN_LINE_SOURCES,
        "line_part": LINE_PART,
    }
    for name in ("quiet_sources", "hand_bins", "burst_bins", "line_hands", "logged_runs", "in_runs"):
        engine.make(__package__, name, **numbers)
    engine.run(
        "CREATE OR REPLACE TABLE members AS SELECT seq, lure, likeness FROM members"
        " UNION ALL SELECT seq, lure, 0.0 FROM in_runs"
    )
