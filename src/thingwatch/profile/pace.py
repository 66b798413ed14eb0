"""When a campaign ran: its waves, their period, and when the next is due.

A wave is a run between silences. A fixed gap would cut a slow campaign into crumbs and glue fast ones
together, so the silence that ends a wave is ``quiet_minutes`` or forty times the pace at which the
messages around it come, whichever is longer. Runs of fewer than ``min_wave`` messages, or smaller than a
fiftieth of the largest, are not waves: a retry after greylisting makes no wave.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thingwatch.config import Settings

MICRO = 1_000_000
BIN_SECONDS = (10, 60, 600, 3600, 86400, 7 * 86400)
MAX_BINS = 3000
_PACE_WINDOW = 64  # messages over which the pace around a gap is taken
_PACE_FACTOR = 40.0
_SMALL_PART = 0.02  # of the largest wave
_TAIL_FACTOR = 25.0  # a message as many paces away from its wave is a straggler, not an edge


class Wave(NamedTuple):
    """One run of a campaign; times in microseconds since 1970."""

    start: int
    end: int
    messages: int
    first: int  # index of its first message in time order
    last: int  # index behind its last


def iso(micros: int | None) -> str | None:
    """A time in microseconds as ISO 8601, UTC, seconds."""
    if micros is None:
        return None
    # The border's clock may be wrong by centuries; what datetime cannot hold is not a time.
    seconds = min(max(micros // MICRO, -62135596800), 253402300799)
    # Not strftime: it writes the year 1 as "1".
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def waves_of(times: NDArray[np.int64], settings: Settings) -> list[Wave]:
    """The waves in *times* (sorted, microseconds); empty when the campaign only trickles."""
    n = len(times)
    if n < settings.min_wave:
        return []
    gaps = np.diff(times) / MICRO
    quiet = settings.quiet_minutes * 60
    cuts = [i + 1 for i in np.flatnonzero(gaps > quiet).tolist() if _ends_wave(gaps, i, quiet)]
    runs = [
        _trimmed(times, first, last)
        for first, last in zip([0, *cuts], [*cuts, n], strict=True)
        if last - first >= settings.min_wave
    ]
    if not runs:
        return []
    largest = max(run.messages for run in runs)
    span = (times[-1] - times[0]) / MICRO
    lasting = sum((run.end - run.start) / MICRO for run in runs)
    # Waves are short against the silences between them. What runs most of the time is a stream: a botnet that
    # hums with its owners' days, a newsletter that drips. A single run of hours is a wave as far as we see.
    if lasting > (0.3 if len(runs) > 1 else 0.5) * span and lasting > 6 * 3600:
        return []
    return [run for run in runs if run.messages >= max(settings.min_wave, _SMALL_PART * largest)]


def _ends_wave(gaps: NDArray[np.float64], at: int, quiet: float) -> bool:
    before = gaps[max(0, at - _PACE_WINDOW) : at]
    after = gaps[at + 1 : at + 1 + _PACE_WINDOW]
    pace = min((float(np.median(side)) for side in (before, after) if len(side) >= 8), default=quiet)
    return float(gaps[at]) > max(quiet, _PACE_FACTOR * pace)


def _trimmed(times: NDArray[np.int64], first: int, last: int) -> Wave:
    """The run without the few messages that stand far outside its pace: retries come minutes late."""
    run = times[first:last]
    n = len(run)
    pace = (run[int(n * 0.95)] - run[int(n * 0.05)]) / max(1, int(n * 0.9))
    reach = max(_TAIL_FACTOR * pace, 90.0 * MICRO)
    head, tail = first, last
    few = max(1, n // 100)
    for i in range(min(few, n - 1)):
        if run[i + 1] - run[i] > reach:
            head = first + i + 1
    for i in range(1, min(few, n - 1) + 1):
        if run[n - i] - run[n - i - 1] > reach:
            tail = first + n - i
    return Wave(int(times[head]), int(times[tail - 1]), last - first, first, last)


def clock_of(waves: list[Wave]) -> dict[str, Any]:
    """The period of *waves*, how far their starts stray from it, and when the next is due."""
    nothing = {"period_hours": None, "drift_minutes": None, "forecast": None}
    if len(waves) < 3:
        return nothing | {"sentence": "Too few waves to tell a clock."}
    starts = np.array([wave.start for wave in waves], dtype=np.float64) / (3600 * MICRO)
    steps = np.diff(starts)
    # A wave we did not see makes one double step: count in units of the smallest regular one.
    unit = float(np.median(steps))
    turns = np.concatenate(([0.0], np.cumsum(np.maximum(1.0, np.round(steps / unit)))))
    period, origin = np.polyfit(turns, starts, 1)
    residual = starts - (origin + period * turns)
    drift = float(np.sqrt(np.mean(residual**2)) * 60)
    if drift > 0.15 * period * 60:
        return nothing | {"sentence": "The waves keep no regular distance."}
    sure = max(2.0 * drift / 60, 0.05)
    due = origin + period * (turns[-1] + 1)
    length = float(np.median([(wave.end - wave.start) / (3600 * MICRO) for wave in waves]))
    sentence = f"The starts keep {_hours(period)}, straying by {max(1, round(drift))} min."
    return {
        "period_hours": round(float(period), 3),
        "drift_minutes": round(drift, 1),
        "sentence": sentence,
        "forecast": {
            "start": iso(int((due - sure) * 3600 * MICRO)),
            "end": iso(int((due + sure + length) * 3600 * MICRO)),
            "sentence": "The next wave, if it keeps its clock; the window spans twice the drift on either side.",
        },
    }


def _hours(hours: float) -> str:
    whole, minutes = divmod(round(hours * 60), 60)
    return f"{whole} h {minutes:02d} min" if whole else f"{minutes} min"


class Pace:
    """How much mail of any kind arrived when: messages per ``BIN_SECONDS[0]``."""

    def __init__(self, bins: NDArray[np.int64], messages: NDArray[np.int64]) -> None:
        self._starts = bins * (BIN_SECONDS[0] * MICRO)
        self._messages = messages

    def per(self, edges: NDArray[np.int64]) -> NDArray[np.int64]:
        """Messages between each two *edges*, which lie on whole bins."""
        first, last = np.searchsorted(self._starts, [edges[0], edges[-1] + 1])
        counts = np.histogram(self._starts[first:last], edges, weights=self._messages[first:last])[0]
        return counts.astype(np.int64)


def series_of(times: NDArray[np.int64], everything: Pace) -> dict[str, Any]:
    """Messages of the campaign and all other mail per bin, over the campaign's time and a little around it."""
    if len(times) == 0:
        return {"start": None, "bin_seconds": BIN_SECONDS[0], "campaign": [], "other": []}
    low, high = int(times[0]), int(times[-1])
    margin = max((high - low) // 40, 60 * MICRO)
    low, high = low - margin, high + margin
    seconds = (high - low) / MICRO
    width = next((size for size in BIN_SECONDS if seconds / size <= MAX_BINS), BIN_SECONDS[-1])
    low -= low % (width * MICRO)
    bins = min(MAX_BINS * 4, int((high - low) // (width * MICRO)) + 1)
    edges = low + np.arange(bins + 1, dtype=np.int64) * (width * MICRO)
    mine = np.histogram(times, edges)[0]
    other = everything.per(edges) - mine
    return {"start": iso(low), "bin_seconds": width, "campaign": mine.tolist(), "other": other.tolist()}
