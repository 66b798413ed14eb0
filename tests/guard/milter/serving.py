"""A milter server beside the test: in a thread of its own, or in a process that can be killed.

As a process: ``python -m guard.milter.serving --port 8899 --action tag`` in tests/, until it is ended.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from pathlib import Path
from types import TracebackType
from typing import Any

from thingwatch.guard.gateway import Action, Answer, Decide, Delivery
from thingwatch.guard.milter import Limits, MilterServer

TESTS = Path(__file__).parents[2]
LIMITS = Limits()
OWN_FIELD = ("X-Thingwatch-Verdict", "unsure; campaign=c001")
ANSWERS = {
    Action.ACCEPT: Answer(),
    Action.TAG: Answer(Action.TAG, (OWN_FIELD, ("X-Thingwatch-Reason", "100% alike"))),
    Action.QUARANTINE: Answer(Action.QUARANTINE, (OWN_FIELD,), reason="campaign c001"),
    Action.DEFER: Answer(Action.DEFER, reply="451 4.7.1 come back in 5% of a day"),
    Action.REJECT: Answer(Action.REJECT, reply="550 5.7.1 part of campaign c001"),
}


class Serving:
    """A server within ``with``; what it was asked about stands in ``deliveries``, ``answer`` may be replaced."""

    def __init__(
        self,
        decide: Decide | None = None,
        limits: Limits = LIMITS,
        unix: Path | None = None,
        executor: Executor | None = None,
    ) -> None:
        """Take who answers (else every mail is tagged), the limits, a path for a Unix socket, where to decide."""
        self.deliveries: list[Delivery] = []
        self.failures: list[BaseException] = []
        self.answer = decide or (lambda delivery: ANSWERS[Action.TAG])
        self._limits = limits
        self._unix = unix
        self._executor = executor
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.port = 0

    @property
    def address(self) -> str:
        """As Postfix writes it."""
        return f"unix:{self._unix}" if self._unix else f"inet:127.0.0.1:{self.port}"

    @property
    def target(self) -> tuple[socket.AddressFamily, Any]:
        """As sockets take it."""
        if self._unix:
            return socket.AF_UNIX, str(self._unix)
        return socket.AF_INET, ("127.0.0.1", self.port)

    def run(self, deed: Coroutine[Any, Any, Any]) -> Any:
        """What *deed* gives, done in the server's own loop."""
        return self.begin(deed).result(60)

    def begin(self, deed: Coroutine[Any, Any, Any]) -> Future[Any]:
        """The same without waiting for it."""
        return asyncio.run_coroutine_threadsafe(deed, self._loop)

    def wait_for(self, met: Callable[[], bool], seconds: float = 10.0) -> None:
        """Until *met* says so."""
        deadline = time.monotonic() + seconds
        while not met():
            assert time.monotonic() < deadline, self.server.counters
            time.sleep(0.01)

    def __enter__(self) -> Serving:
        self._thread.start()
        self.run(self.listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.run(self.server.stop(grace_seconds=0))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def listen(self, port: int = 0) -> None:
        """Begin anew, at the same path or at *port*."""
        self.server = MilterServer(
            self._decide, self._limits, executor=self._executor, failed=self.failures.append
        )
        if self._unix:
            await self.server.listen_unix(self._unix, 0o666)
        else:
            self.port = await self.server.listen_tcp("127.0.0.1", port)

    def _decide(self, delivery: Delivery) -> Answer:
        self.deliveries.append(delivery)
        return self.answer(delivery)


class ServingProcess:
    """The same as a process, to be stopped and killed; answers every mail alike."""

    def __init__(self, port: int, action: Action = Action.TAG) -> None:
        """Take a free port of loopback, and the one answer."""
        self._command = [
            sys.executable,
            "-m",
            "guard.milter.serving",
            "--port",
            str(port),
            "--action",
            action,
        ]
        self.started: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it; seconds until it listened."""
        began = time.monotonic()
        path = os.pathsep.join(entry for entry in (str(TESTS), *sys.path) if entry)
        self.started = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}
        )
        assert self.started.stdout is not None
        assert self.started.stdout.readline() == b"listening\n"
        return time.monotonic() - began

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self.started is not None
        self.started.send_signal(number)

    def kill(self) -> None:
        """End it as the kernel would, mid-word."""
        assert self.started is not None
        self.started.kill()
        self.started.wait()
        assert self.started.stdout is not None
        self.started.stdout.close()


async def _serve(port: int, action: Action) -> None:
    server = MilterServer(lambda delivery: ANSWERS[action])
    await server.listen_tcp("127.0.0.1", port)
    print("listening", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--action", type=Action, required=True)
    wanted = parser.parse_args()
    asyncio.run(_serve(wanted.port, wanted.action))
