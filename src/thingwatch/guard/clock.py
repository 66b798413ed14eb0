"""Two clocks of the guard, neither of which jumps: one for waiting, one for when mail came.

Waiting (expiry, quiet times) is measured by the monotonic clock alone. When a mail came is the gateway's word, but a
gateway's clock can be set: a step of more than ``MAX_DRIFT_SECONDS`` against the monotonic clock is counted, told
once, and not followed, so that no campaign closes or opens because somebody mended the time. Smaller drift is
followed, as a clock that is being slewed asks for.
"""

from __future__ import annotations

from collections.abc import Callable

MAX_DRIFT_SECONDS = 300.0  # mail waits less than this between MAIL and the end of its data, almost always
_MICRO = 1_000_000


class StreamClock:
    """When mails came, on an axis that only moves as fast as time."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """*monotonic*: seconds from any start, never set."""
        self._monotonic = monotonic
        self._offset: float | None = None  # seconds to add to the monotonic clock to get stream time
        self.steps = 0  # times the gateway's clock was found set

    def now(self) -> float:
        """Seconds of the waiting clock."""
        return self._monotonic()

    def stamp(self, received_at: int | None, now: float) -> int:
        """The stream's time, in microseconds, of a mail the gateway says came at *received_at*."""
        if self._offset is None:
            self._offset = (received_at / _MICRO if received_at is not None else 0.0) - now
        expected = now + self._offset
        if received_at is None:
            return int(expected * _MICRO)
        drift = received_at / _MICRO - expected
        if abs(drift) > MAX_DRIFT_SECONDS:
            self.steps += 1
            return int(expected * _MICRO)
        if drift > 0:
            # Never backwards: mails that waited for their data come with an older time.
            self._offset += drift * 0.01
        return received_at

    def as_plain(self, now: float) -> list[float | None]:
        """Waiting clock and stream time, for the snapshot; no stream time before the first mail has told it."""
        return [now, None if self._offset is None else now + self._offset]

    def resume(self, plain: list[float | None], now: float, downtime: float) -> float:
        """Go on from a snapshot after *downtime* seconds; gives what to add to its waiting-clock times."""
        before, stream = plain
        if stream is not None:
            self._offset = stream + downtime - now
        return now - downtime - (before or 0.0)
