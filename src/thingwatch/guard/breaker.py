"""Let mail pass when the detector itself fails, and say so: a circuit breaker."""

from __future__ import annotations

from collections import deque

FAILURES = 3  # within WINDOW_SECONDS open the breaker
WINDOW_SECONDS = 10.0
REST_SECONDS = 60.0  # before one mail is tried again


class Breaker:
    """Closed while all is well; open, nothing is tried; then one mail is, and a failure opens it again."""

    def __init__(self) -> None:
        """Closed."""
        self.failures = 0  # in all
        self.passed = 0  # mails let pass untried
        self._recent: deque[float] = deque(maxlen=FAILURES)
        self._open_until = 0.0
        self._trying = False

    def lets(self, now: float) -> bool:
        """Whether the detector is asked at *now* (seconds of the waiting clock)."""
        if not self._open_until:
            return True
        if now < self._open_until:
            self.passed += 1
            return False
        self._trying = True
        return True

    def succeeded(self) -> bool:
        """A mail went well; gives whether that closed the breaker."""
        if not self._trying:
            return False
        self._trying, self._open_until = False, 0.0
        self._recent.clear()
        return True

    def failed(self, now: float) -> bool:
        """A mail went wrong; gives whether the breaker opened with it."""
        self.failures += 1
        self._recent.append(now)
        full = len(self._recent) == FAILURES and now - self._recent[0] <= WINDOW_SECONDS
        if not (full or self._trying):
            return False
        opened = not self._open_until or self._trying
        self._trying, self._open_until = False, now + REST_SECONDS
        return opened

    @property
    def is_open(self) -> bool:
        """Whether mail passes untried."""
        return bool(self._open_until)
