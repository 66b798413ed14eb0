"""Where decisions are made: one at a time, in a thread of their own, and none is waited for beyond its deadline.

The guard remembers between mails and is not made for two threads, so all that touches it goes through here. In a
thread and not in the event loop, because a decision that hangs must not keep the loop from letting mail pass.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, InvalidStateError
from queue import SimpleQueue
from typing import Any, NamedTuple

from thingwatch.guard.gateway import Answer, Delivery

# How long a thread may keep the interpreter while the other wants it; Python's own 5 ms are ten decisions.
SWITCH_SECONDS = 0.0005
TIMED = 2_000  # decisions whose durations are kept: the last quarter of a minute of a wave


class _Task(NamedTuple):
    future: Future[Any]
    deed: Callable[..., Any]
    given: tuple[Any, ...]


class _Due(NamedTuple):
    at: float
    future: Future[Any]
    instead: Any  # what is answered when the time is over
    delivery: Delivery | None


class Desk(Executor):
    """One thread that works off mails in their order, and what people ask before the next mail."""

    def __init__(
        self,
        deadline_seconds: float,
        late: Callable[[Delivery], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """*late* hears of every mail that was let pass because its time was over; begin with ``start``."""
        self.deadline_seconds = deadline_seconds
        self.late = 0  # mails let pass undecided
        self.durations: deque[float] = deque(maxlen=TIMED)  # seconds of the last decisions
        self._on_late = late
        self._now = now
        self._mails: SimpleQueue[_Task | None] = SimpleQueue()
        self._asked: SimpleQueue[_Task] = SimpleQueue()
        self._due: deque[_Due] = deque()
        self._thread = threading.Thread(target=self._work, name="desk", daemon=True)
        self._closed = False

    def start(self) -> None:
        """Begin to work."""
        sys.setswitchinterval(SWITCH_SECONDS)
        self._thread.start()

    # A gateway calls this through ``loop.run_in_executor``.
    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        """Decide with *fn* on the mail in *args*; a plain Answer, accept, when that takes too long."""
        return self.decide(fn, args[0], Answer())

    def decide(self, deed: Callable[[Delivery], Any], delivery: Delivery, instead: Any) -> Future[Any]:
        """Have *deed* decide on *delivery*; its result, or *instead* once the deadline is over."""
        if self._closed:
            raise RuntimeError("the desk is closed")
        future: Future[Any] = Future()
        self._due.append(_Due(self._now() + self.deadline_seconds, future, instead, delivery))
        self._mails.put(_Task(future, deed, (delivery,)))
        return future

    def ask(self, deed: Callable[..., Any], *given: Any) -> asyncio.Future[Any]:
        """Do *deed* between two mails, before those that wait; for the loop's thread."""
        if self._closed:
            raise RuntimeError("the desk is closed")
        future: Future[Any] = Future()
        self._asked.put(_Task(future, deed, given))
        self._mails.put(None)
        return asyncio.wrap_future(future)

    def expire(self) -> None:
        """Let pass what has waited too long; the loop calls this a few times a second."""
        now = self._now()
        while self._due and (self._due[0].future.done() or self._due[0].at <= now):
            due = self._due.popleft()
            if _settle(due.future, due.instead) and due.delivery is not None:
                self.late += 1
                self._on_late(due.delivery)

    @property
    def waiting(self) -> int:
        """Mails that are not answered yet."""
        return sum(not due.future.done() for due in self._due)

    @property
    def stuck_seconds(self) -> float:
        """By how much the oldest unanswered mail is over a quarter of its deadline; 0 when all is well."""
        oldest = next((due for due in self._due if not due.future.done()), None)
        if oldest is None:
            return 0.0
        waited = self._now() - (oldest.at - self.deadline_seconds)
        return max(0.0, waited - self.deadline_seconds / 4)

    def close(self, seconds: float = 30.0) -> None:
        """Work off what waits, take nothing more, and end."""
        self._closed = True
        self._mails.put(None)
        if self._thread.ident is not None:
            self._thread.join(seconds)

    def _work(self) -> None:
        while True:
            task = self._mails.get()
            while not self._asked.empty():
                self._do(self._asked.get())
            if task is not None:
                began = time.perf_counter()
                if self._do(task):
                    self.durations.append(time.perf_counter() - began)
            elif self._closed and self._mails.empty():
                return

    def _do(self, task: _Task) -> bool:
        """Gives whether it was done: what was answered meanwhile is left out."""
        if task.future.done():
            return False
        try:
            found = task.deed(*task.given)
        except BaseException as error:
            _fail(task.future, error)
        else:
            _settle(task.future, found)
        return True


def _settle(future: Future[Any], found: Any) -> bool:
    """Whether *found* became the answer; False when there was one."""
    try:
        future.set_result(found)
    except InvalidStateError:
        return False
    return True


def _fail(future: Future[Any], error: BaseException) -> None:
    try:
        future.set_exception(error)
    except InvalidStateError:
        return
