"""What can be asked by HTTP, who may, and what is answered. No request names a file of ours."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thingwatch.errors import ThingwatchError, UsageError
from thingwatch.guard import PASSED_UNSEEN, Answer, Entry, Guard
from thingwatch.guard.service import metrics
from thingwatch.guard.service.check import answer_of, delivery_of
from thingwatch.guard.service.http import Request, Response, as_json, refusal
from thingwatch.guard.service.outlet import Tap
from thingwatch.guard.service.passed import message_of_log, message_of_raw, take_passed
from thingwatch.guard.service.secret import is_bearer
from thingwatch.guard.service.settings import is_loopback
from thingwatch.guard.sketch import text_hash
from thingwatch.read.field import cleaned

if TYPE_CHECKING:
    from thingwatch.guard.service.daemon import Daemon

ASK_SECONDS = 10.0  # for what people ask; a status takes a millisecond
MAX_TAPPED = 100  # mails in one request of a tap
LABELS = "labels.jsonl"
MAX_LABELS_BYTES = 64 << 20
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Routes:
    """The paths of one daemon."""

    def __init__(self, daemon: Daemon, taps: Mapping[str, Tap]) -> None:
        """Of *daemon*; *taps* by path."""
        self.daemon = daemon
        self.is_local = True
        self.denied = 0
        self.labels: Counter[str] = Counter()
        self._taps = dict(taps)
        # Path → method, whether the token is needed on loopback too, who answers.
        self._routes: dict[str, tuple[str, bool, Callable[[Request], Awaitable[Response]]]] = {
            "/health": ("GET", False, self._health),
            "/status": ("GET", False, self._status),
            "/metrics": ("GET", False, self._metrics),
            "/campaigns": ("GET", False, self._campaigns),
            "/check": ("POST", False, self._check),
            "/delivered": ("GET", True, self._entries),
            "/mark": ("POST", True, self._mark),
            "/rollback": ("POST", True, self._rollback),
            "/labels": ("POST", True, self._label),
            "/passed": ("POST", True, self._passed),
            "/rescanned": ("POST", True, self._rescanned),
            **dict.fromkeys(self._taps, ("POST", False, self._tapped)),
        }

    async def answer(self, request: Request) -> Response:
        """The answer to *request*."""
        route = self._routes.get(request.path)
        if route is None:
            return refusal(404, "no such path")
        method, guarded, deed = route
        if request.method != method and not (method == "GET" and request.method == "HEAD"):
            return refusal(405, f"ask with {method}")
        if self.is_local and not _named_here(request.one("host")):
            # A page in a browser of this machine could ask us under a name that leads here.
            return refusal(403, "ask under an address or as localhost")
        needed = (guarded or not self.is_local) and request.path != "/health"
        if needed and not is_bearer(request.one("authorization"), self.daemon.token):
            self.denied += 1
            self.daemon.log.tell({"event": "denied", "path": request.path, "client_ip": request.peer})
            return refusal(401, "needs: Authorization: Bearer TOKEN, from the file token in the state folder")
        try:
            return await deed(request)
        except UsageError as error:
            return refusal(400, str(error))
        except ThingwatchError as error:
            return refusal(500, str(error))
        except (TimeoutError, RuntimeError):
            return refusal(503, "the guard is busy or stopping; mail is let pass meanwhile")

    def _ask(self, deed: Callable[..., Any], *given: Any) -> Awaitable[Any]:
        return asyncio.wait_for(asyncio.shield(self.daemon.desk.ask(deed, *given)), ASK_SECONDS)

    # -- Mail.

    async def _check(self, request: Request) -> Response:
        delivery = delivery_of(request)
        instead: tuple[Answer, None] = (Answer(), None)
        future = self.daemon.desk.decide(self.daemon.decide_fully, delivery, instead)
        answer, decision = await asyncio.wrap_future(future)
        return as_json(
            {**answer_of(answer, decision), "forged": delivery.forged, "truncated": delivery.truncated}
        )

    async def _tapped(self, request: Request) -> Response:
        tap, desk = self._taps[request.path], self.daemon.desk
        deliveries = list(tap(request.body, request.fields))[:MAX_TAPPED]
        futures = [
            asyncio.wrap_future(desk.decide(self.daemon.decide_fully, delivery, (Answer(), None)))
            for delivery in deliveries
        ]
        found = await asyncio.gather(*futures)
        return as_json([answer_of(answer, decision) for answer, decision in found])

    async def _passed(self, request: Request) -> Response:
        def take() -> dict[str, Any]:
            if request.one("form") == "log":
                message = message_of_log(request.body)
            else:
                at = request.one("received_at")
                border = tuple(request.all("border"))
                message = message_of_raw(
                    request.body, request.one("place"), int(at) if at.isdigit() else None, border
                )
            return take_passed(self.daemon.guard, message)

        return as_json(await self._ask(take))

    async def _rescanned(self, request: Request) -> Response:
        said = _body(request)
        mails = {float(since): int(count) for since, count in dict(said.get("gaps", {})).items()}
        if self.daemon.runs is not None:
            self.daemon.runs.rescanned(time.time(), mails)
        self.daemon.log.tell({"event": "rescanned", "gaps": len(mails), "mails": sum(mails.values())})
        return as_json({"gaps": len(mails)})

    # -- People.

    async def _mark(self, request: Request) -> Response:
        said = _body(request)
        campaign, verdict, by = (_text(said, name) for name in ("campaign", "verdict", "by"))
        await self._ask(self.daemon.guard.mark, campaign, verdict, by)
        return as_json({"campaign": campaign, "mark": verdict})

    async def _rollback(self, request: Request) -> Response:
        said = _body(request)
        campaign, by = _text(said, "campaign"), _text(said, "by")
        released = await self._ask(self.daemon.guard.rollback, campaign, by)
        return as_json({"campaign": campaign, "released": [entry_as_plain(one) for one in released]})

    async def _entries(self, request: Request) -> Response:
        campaign, guard = request.one("campaign"), self.daemon.guard
        delivered, held = await self._ask(lambda: (guard.delivered(campaign), guard.held(campaign)))
        found = {"delivered": delivered, "held": held}
        return as_json(
            {"campaign": campaign, **{name: list(map(entry_as_plain, rows)) for name, rows in found.items()}}
        )

    async def _label(self, request: Request) -> Response:
        said = _body(request)
        label = _text(said, "label")
        names = ("campaign", "message_id", "queue_id", "recipient", "by")
        row = {"at": time.time(), "label": label, **{name: _text(said, name) for name in names}}
        if not (row["campaign"] or row["message_id"] or row["queue_id"]):
            raise UsageError("a label needs a campaign, a message_id or a queue_id")
        reporter = str(row["recipient"] or row["by"])
        campaign, effect = await self._ask(
            self.daemon.guard.label, label, reporter, *(str(row[name]) for name in names[:3])
        )
        if row["recipient"]:
            # Who reported is of no use but to count persons once.
            row["recipient"] = f"{text_hash(reporter.lower()):016x}"
        row |= {"campaign": campaign or row["campaign"], "effect": effect}
        if self.daemon.folder is not None:
            await asyncio.to_thread(_append, self.daemon.folder / LABELS, row)
        self.labels[label] += 1
        self.daemon.hear({"event": "label", **row})
        return as_json({"noted": label, "campaign": campaign, "effect": effect})

    # -- Whoever watches.

    async def _health(self, request: Request) -> Response:
        stuck = self.daemon.desk.stuck_seconds
        return as_json({"ok": not stuck, "stuck_seconds": round(stuck, 3)}, 503 if stuck else 200)

    async def _status(self, request: Request) -> Response:
        return as_json(await self.status())

    async def _metrics(self, request: Request) -> Response:
        return Response(200, metrics.as_text(await self.status()), metrics.MEDIA_TYPE)

    async def _campaigns(self, request: Request) -> Response:
        least = request.one("least")
        wanted = int(least) if least.isdigit() and len(least) < 10 else 5
        return as_json(await self._ask(campaigns_of, self.daemon.guard, wanted))

    async def status(self) -> dict[str, Any]:
        """How all is, as plain data."""
        daemon = self.daemon
        gaps = daemon.runs.open_gaps() if daemon.runs is not None else []
        durations = sorted(daemon.desk.durations)
        return {
            "guard": await self._ask(daemon.guard.status),
            "service": {
                **daemon.about(),
                "now": time.time(), "up_seconds": time.time() - daemon.began_at,
                "waiting": daemon.desk.waiting, "late": daemon.desk.late,
                "decision_seconds": {
                    "p50": durations[len(durations) // 2] if durations else 0.0,
                    "p99": durations[len(durations) * 99 // 100] if durations else 0.0,
                },
                "resident_bytes": resident_bytes(),
                "log_lines_lost": daemon.log.lost, "events": dict(daemon.log.told),
                "milter": {**_plain(daemon.milter.counters), "open": len(daemon.milter.connections)},
                "http": {**_plain(daemon.http.counters), "open": len(daemon.http.connections), "denied": self.denied},
                "labels": dict(self.labels), "open_gaps": len(gaps),
            },
            "outlets": {
                type(outlet).__name__.lower(): dict(outlet.status()) for outlet in daemon.equipment.outlets
            },
            "gaps": [gap._asdict() for gap in gaps],
            "alerts": list(daemon.log.alerts),
        }  # fmt: skip


def campaigns_of(guard: Guard, least: int) -> list[dict[str, Any]]:
    """What *guard* remembers of campaigns, at most the hundred foremost."""
    return guard.campaigns(least)[:100]


def entry_as_plain(entry: Entry) -> dict[str, Any]:
    """*entry* as JSON takes it, with whether it passed while nobody looked."""
    unseen = entry.queue_id == PASSED_UNSEEN
    return {
        **entry._asdict(), "queue_id": "" if unseen else entry.queue_id, "recipients": list(entry.recipients),
        "action": str(entry.action), "passed_unseen": unseen,
    }  # fmt: skip


def resident_bytes() -> int:
    """Memory of this process that is really there."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0


def _plain(counters: Any) -> dict[str, Any]:
    # Not asdict: it counts the pairs of a Counter instead of copying it.
    found = {one.name: getattr(counters, one.name) for one in fields(counters)}
    return {name: dict(value) if isinstance(value, Counter) else value for name, value in found.items()}


def _named_here(host: str) -> bool:
    name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
    return not name or is_loopback(name.strip("[]"))


def _body(request: Request) -> dict[str, Any]:
    try:
        said = json.loads(request.body)
    except ValueError as error:
        raise UsageError("the body must be JSON") from error
    if not isinstance(said, dict):
        raise UsageError("the body must be a JSON table")
    return said


def _text(said: Mapping[str, Any], name: str) -> str:
    return cleaned(str(said.get(name) or ""))


def _append(path: Path, row: dict[str, Any]) -> None:
    line = json.dumps(row).encode() + b"\n"
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if os.fstat(file).st_size + len(line) > MAX_LABELS_BYTES or os.write(file, line) != len(line):
                raise ThingwatchError(f"{LABELS} is full or the disk is; move it away")
        finally:
            os.close(file)
    except OSError as error:
        raise ThingwatchError(f"{LABELS}: {error.strerror}") from error
