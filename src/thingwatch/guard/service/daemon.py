"""One process: the guard, the milter, HTTP, signals; how they start, reload and stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from thingwatch import __version__
from thingwatch.errors import OutputError, ThingwatchError
from thingwatch.guard import Answer, Delivery, Guard, Known
from thingwatch.guard.milter import Limits, MilterServer
from thingwatch.guard.service.desk import Desk
from thingwatch.guard.service.door import opened
from thingwatch.guard.service.equip import equip
from thingwatch.guard.service.events import EventLog
from thingwatch.guard.service.http import HttpLimits, HttpServer
from thingwatch.guard.service.outlet import Equipment, Outlet
from thingwatch.guard.service.routes import Routes
from thingwatch.guard.service.runs import Runs
from thingwatch.guard.service.secret import own_token
from thingwatch.guard.service.settings import Setup, is_loopback
from thingwatch.guard.service.systemd import notify

TICK_SECONDS = 0.05  # how exactly the deadline is kept
SIGN_SECONDS = 1.0  # between signs of life
STALL_SECONDS = 5.0  # without a tick: the process was stopped, or the machine slept
OUTLET_REST_SECONDS = 10.0  # before an outlet that failed is started again
MIN_HANDLES = 4096  # a connection each, two for a mail that comes through Postfix

Load = Callable[[], Setup]


class Daemon:
    """Everything that runs beside the guard, and the order in which it begins and ends."""

    def __init__(
        self,
        load: Load,
        equip: Callable[[Daemon], Equipment] = equip,
    ) -> None:
        """*load* reads the configuration, at each reload again; *equip* makes what hangs on the daemon, whose
        guard is made by then. Raises what they and the guard raise."""
        self.setup = load()
        self._load = load
        service = self.setup.service
        self.folder = Path(service.state) if service.state else None
        self.log = EventLog(Path(service.log) if service.log else None)
        self.runs: Runs | None = None
        if self.folder is not None:
            self._make(self.folder)
            self.runs = Runs(self.folder)
        self.token = own_token(self.folder) if self.folder is not None else ""
        self.desk = Desk(service.deadline_seconds, self._tell_late)
        self.loop: asyncio.AbstractEventLoop | None = None
        self.equipment = Equipment()
        self._decision: dict[str, Any] | None = None  # the guard's event of the mail it decides on
        self._open = opened(service.milter_address)
        known = Known.load(*map(Path, service.known))
        self.guard = Guard(self.setup.options, known, self.folder, events=self.hear)
        self.guard.warm()
        self.equipment = equip(self)
        self.decide = self.equipment.beside(self.guard.decide)
        self.milter = MilterServer(
            self.decide,
            Limits(max_bytes=service.max_mail_bytes, max_connections=service.max_connections),
            executor=self.desk,
            failed=lambda error: self.log.tell(
                {"event": "unanswered", "error": f"{type(error).__name__}: {error}"}
            ),
        )
        self.routes = Routes(self, self.equipment.taps)
        self.http = HttpServer(
            self.routes.answer, HttpLimits(service.max_mail_bytes, service.max_http_connections)
        )
        self.began_at = time.time()
        self.addresses: dict[str, str] = {}
        self._ending = asyncio.Event()
        self._reloading = False

    # -- One mail.

    def decide_fully(self, delivery: Delivery) -> tuple[Answer, dict[str, Any] | None]:
        """The guard's answer to *delivery*, and its own event of it; on the desk's thread."""
        self._decision = None
        answer = self.decide(delivery)
        return answer, self._decision

    def hear(self, event: dict[str, Any]) -> None:
        """What the guard tells, on whatever thread."""
        if event.get("event") == "decision":
            self._decision = event
        self.log.tell(event)
        if self.equipment.outlets and self.loop is not None:
            # The loop is gone when the guard closes last of all.
            with contextlib.suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self._spread, event)

    def _spread(self, event: dict[str, Any]) -> None:
        for outlet in self.equipment.outlets:
            try:
                outlet.tell(event)
            except Exception as error:
                self.log.tell({"event": "outlet-failed", "outlet": _name(outlet), "error": str(error)})

    def _tell_late(self, delivery: Delivery) -> None:
        self.hear(
            {
                "event": "late", "queue_id": delivery.queue_id, "client_ip": delivery.session.client_ip,
                "deadline_seconds": self.desk.deadline_seconds,
            }
        )  # fmt: skip

    # -- From start to stop.

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until SIGTERM or SIGINT; *ready* is called when all listen."""
        loop = self.loop = asyncio.get_running_loop()
        _allow_handles()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ending.set)
        loop.add_signal_handler(signal.SIGHUP, self._begin_reload)
        self.desk.start()
        await self._listen()
        tasks = [loop.create_task(self._keep_time())]
        tasks += [loop.create_task(self._run_outlet(outlet)) for outlet in self.equipment.outlets]
        self.log.tell({"event": "listening", **self.about()})
        notify("READY=1")
        ready()
        try:
            await self._ending.wait()
        finally:
            await self._stop(tasks)

    async def _listen(self) -> None:
        service = self.setup.service
        self.addresses["milter"] = await self.milter.take_over(self._open)
        if (asked := service.http_address) is not None:
            self.routes.is_local = is_loopback(asked[0])
            if not self.routes.is_local and not self.token:
                raise OutputError(
                    f"http = {service.http!r}: beyond loopback a token is needed; name a state folder"
                )
            port = await self.http.listen(*asked)
            self.addresses["http"] = f"{asked[0]}:{port}"
        if self.runs is not None and (gap := self.runs.began(time.time(), self.about())):
            self.log.tell({"event": "gap", "alert": True, **gap._asdict()})

    def about(self) -> dict[str, Any]:
        """Who we are and where we listen."""
        return {"version": __version__, "pid": os.getpid(), "began_at": self.began_at, **self.addresses}

    async def _keep_time(self) -> None:
        last, signed = time.monotonic(), 0.0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            if now - last >= STALL_SECONDS and self.runs is not None:
                gap = self.runs.stalled(time.time() - (now - last), time.time())
                self.log.tell({"event": "gap", "alert": True, **gap._asdict()})
            last = now
            self.desk.expire()
            if now - signed >= SIGN_SECONDS:
                signed = now
                if self.runs is not None:
                    self.runs.alive()
                if not self.desk.stuck_seconds:
                    notify("WATCHDOG=1")

    async def _run_outlet(self, outlet: Outlet) -> None:
        while True:
            try:
                await outlet.run()
                return
            except Exception as error:
                self.log.tell(
                    {"event": "outlet-failed", "alert": True, "outlet": _name(outlet), "error": str(error)}
                )
            await asyncio.sleep(OUTLET_REST_SECONDS)

    async def _stop(self, tasks: list[asyncio.Task[None]]) -> None:
        notify("STOPPING=1")
        self.log.tell({"event": "stopping"})
        await self.milter.stop(self.setup.service.grace_seconds)
        self.http.stop()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.desk.ask(self.guard.close), 60)
        self.desk.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.runs is not None:
            with contextlib.suppress(OutputError):
                self.runs.ended(self.about())
        self.log.tell({"event": "stopped"})
        self.log.close()

    # -- Reload.

    def _begin_reload(self) -> None:
        self.log.reopen()
        if not self._reloading and self.loop is not None:
            self._reloading = True
            self._reload_task = self.loop.create_task(self._reload())

    async def _reload(self) -> None:
        try:
            setup, known = await asyncio.to_thread(self._loaded)
            kept = await self.desk.ask(self.guard.reload, known, setup.options)
            kept += [
                f"service.{name}" for name, value in asdict(setup.service).items()
                if name not in ("known", "log") and value != getattr(self.setup.service, name)
            ]  # fmt: skip
            if setup.outlets != self.setup.outlets:
                kept.append("outlets")
            self.log.tell({"event": "reload", "known": len(known.campaigns), "needs_restart": kept})
        except ThingwatchError as error:
            self.log.tell({"event": "reload-failed", "alert": True, "error": str(error)})
        finally:
            self._reloading = False

    def _loaded(self) -> tuple[Setup, Known]:
        setup = self._load()
        return setup, Known.load(*map(Path, setup.service.known))

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise OutputError(f"{folder}: {error.strerror}; name a folder we can make") from error


def _allow_handles() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else MIN_HANDLES
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, 1 << 16), hard))


def _name(outlet: Outlet) -> str:
    return type(outlet).__name__
