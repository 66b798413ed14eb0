"""A small HTTP/1.1 server with hard bounds; it knows nothing of mail.

h11 reads and writes the protocol: it is strict (no two lengths, no bare line ends, no folded surprises), has no
input or output of its own and no dependencies, and is what uvicorn and httpx rest on. Where a request ends is a
question that has been answered wrongly too often to answer it once more here.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl, urlsplit

import h11

from thingwatch.errors import OutputError

MAX_HEAD_BYTES = 32 << 10  # of request line and fields; a hundred recipients in a query take below 10 kB
MAX_FIELDS = 100
MAX_QUERY = 200  # names and values
MAX_BODY_BYTES = 64 << 20  # beyond what is kept it is read and dropped, beyond this refused
MAX_HELD_BYTES = 256 << 20  # of all unfinished requests together
BACKLOG = 512


class Request(NamedTuple):
    """One whole request."""

    method: str
    path: str
    query: dict[str, list[str]]
    fields: dict[str, list[str]]  # lower-case names
    body: bytes
    truncated: bool  # the body was longer: this is its first part
    peer: str  # address of who asks

    def one(self, name: str) -> str:
        """The value of query or field *name*, the query's first; "" when there is none."""
        found = self.query.get(name) or self.fields.get(name.replace("_", "-")) or [""]
        return found[0]

    def all(self, name: str) -> list[str]:
        """Every value of it."""
        return self.query.get(name) or self.fields.get(name.replace("_", "-")) or []


class Response(NamedTuple):
    """What is answered."""

    status: int
    body: bytes
    media_type: str = "application/json"


def as_json(value: Any, status: int = 200) -> Response:
    """*value* as an answer; ASCII."""
    return Response(status, json.dumps(value, separators=(",", ":")).encode() + b"\n")


def refusal(status: int, why: str) -> Response:
    """An answer that says why there is none."""
    return as_json({"error": why}, status)


Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What the server grants its peers."""

    max_kept_bytes: int = 4 << 20  # of one body
    max_connections: int = 200
    request_seconds: float = 30.0  # from the first byte to the last
    idle_seconds: float = 60.0  # between two requests
    reply_seconds: float = 30.0  # for our reply to be taken


@dataclass(slots=True)
class HttpCounters:
    """What the server has seen; only ever grows."""

    connections: int = 0
    evicted: int = 0  # closed to make room
    slow: int = 0  # closed because a request or the taking of a reply took too long
    requests: Counter[str] = field(default_factory=Counter)  # by status
    protocol_errors: int = 0


def _target_of(head: h11.Request) -> tuple[str, dict[str, list[str]]]:
    """Path and query; raises ValueError."""
    target = urlsplit(head.target.decode("latin-1"))
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(target.query, keep_blank_values=True, max_num_fields=MAX_QUERY):
        query.setdefault(name, []).append(value)
    return target.path, query


class HttpServer:
    """Listens, and has every whole request handled."""

    def __init__(self, handle: Handler, limits: HttpLimits | None = None) -> None:
        """*handle* answers; what it raises becomes a 500."""
        self.handle = handle
        self.limits = limits or HttpLimits()
        self.counters = HttpCounters()
        self.connections: OrderedDict[_Connection, None] = OrderedDict()  # who waited longest first
        self.held_bytes = 0
        self._listening: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> int:
        """Listen; give the port. Raises OutputError where it is taken."""
        loop = asyncio.get_running_loop()
        try:
            self._listening = await loop.create_server(lambda: _Connection(self), host, port, backlog=BACKLOG)
        except OSError as error:
            raise OutputError(f"{host}:{port}: {error}; give another --http") from error
        return int(self._listening.sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Listen no more and close everything."""
        if self._listening is not None:
            self._listening.close()
        for connection in tuple(self.connections):
            connection.abort()

    def make_room(self) -> None:
        """Close who has been without a whole request for longest, when there are too many."""
        if len(self.connections) < self.limits.max_connections:
            return
        for connection in self.connections:
            if connection.handling is None:
                self.counters.evicted += 1
                connection.abort()
                del self.connections[connection]
                return


class _Connection(asyncio.Protocol):
    """One client."""

    transport: asyncio.Transport

    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.loop = asyncio.get_running_loop()
        self.machine = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        self.handling: asyncio.Task[None] | None = None
        self.head: h11.Request | None = None
        self.target: tuple[str, dict[str, list[str]]] = "", {}
        self.body = bytearray()
        self.body_bytes = 0
        self.timer: asyncio.TimerHandle | None = None
        self.reading = False  # a request has begun

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        server = self.server
        server.make_room()
        if len(server.connections) >= server.limits.max_connections:
            self.transport.abort()
            return
        server.counters.connections += 1
        server.connections[self] = None
        self._allow(server.limits.idle_seconds)

    def connection_lost(self, error: Exception | None) -> None:
        self.server.connections.pop(self, None)
        self._forget()
        if self.timer is not None:
            self.timer.cancel()

    def abort(self) -> None:
        """Close at once."""
        self.transport.abort()

    def pause_writing(self) -> None:
        self._allow(self.server.limits.reply_seconds)

    def data_received(self, data: bytes) -> None:
        if not self.reading:
            self.reading = True
            self._allow(self.server.limits.request_seconds)
        try:
            self.machine.receive_data(data)
            self._advance()
        except h11.RemoteProtocolError as error:
            self.server.counters.protocol_errors += 1
            self._refuse(error.error_status_hint, "no request we can read")

    def eof_received(self) -> bool:
        # A client may close its sending side and wait for the reply.
        return self.handling is not None

    def _advance(self) -> None:
        while self.handling is None and not self.transport.is_closing():
            event = self.machine.next_event()
            if isinstance(event, h11.Request):
                if not self._begins(event):
                    return
            elif isinstance(event, h11.Data):
                if not self._take(event.data):
                    return
            elif isinstance(event, h11.EndOfMessage):
                self.transport.pause_reading()
                if self.timer is not None:
                    self.timer.cancel()
                self.handling = self.loop.create_task(self._answer(self._request()))
            elif isinstance(event, h11.ConnectionClosed):
                self.transport.close()
                return
            else:  # NEED_DATA, PAUSED
                return

    def _begins(self, head: h11.Request) -> bool:
        # h11 bounds a head that is unfinished; one that came at one go may be longer.
        size = len(head.target) + sum(len(name) + len(value) for name, value in head.headers)
        if len(head.headers) > MAX_FIELDS or size > MAX_HEAD_BYTES:
            return self._refuse(431, f"more than {MAX_FIELDS} fields, or {MAX_HEAD_BYTES} bytes of them")
        try:
            self.target = _target_of(head)
        except ValueError:
            return self._refuse(400, f"a query of more than {MAX_QUERY} values, or none that can be read")
        self.head = head
        length = next((int(value) for name, value in head.headers if name == b"content-length"), 0)
        if length > MAX_BODY_BYTES:
            return self._refuse(413, f"longer than {MAX_BODY_BYTES} bytes")
        if self.machine.they_are_waiting_for_100_continue:
            self._send(h11.InformationalResponse(status_code=100, headers=[]))
        return True

    def _take(self, data: bytes) -> bool:
        server = self.server
        self.body_bytes += len(data)
        if self.body_bytes > MAX_BODY_BYTES:
            return self._refuse(413, f"longer than {MAX_BODY_BYTES} bytes")
        kept = data[: max(0, server.limits.max_kept_bytes - len(self.body))]
        if server.held_bytes + len(kept) > MAX_HELD_BYTES:
            return self._refuse(503, "too much is being sent at a time")
        self.body += kept
        server.held_bytes += len(kept)
        return True

    def _request(self) -> Request:
        head = self.head
        assert head is not None  # noqa: S101 - h11 gives the head first
        path, query = self.target
        fields: dict[str, list[str]] = {}
        for raw_name, raw in head.headers:
            fields.setdefault(raw_name.decode("latin-1"), []).append(raw.decode("utf-8", "replace"))
        peer = self.transport.get_extra_info("peername")
        body = bytes(self.body)
        return Request(
            head.method.decode("latin-1"), path, query, fields, body, self.body_bytes > len(body),
            peer[0] if peer else "",
        )  # fmt: skip

    async def _answer(self, request: Request) -> None:
        try:
            response = await self.server.handle(request)
        except Exception:
            response = refusal(500, "failed inside; see the guard's log")
        self._forget()
        self.handling = None
        if self.transport.is_closing():
            return
        self._reply(response)
        if self.machine.our_state is h11.MUST_CLOSE:
            self.transport.close()
            return
        self.machine.start_next_cycle()
        self.reading = False
        server = self.server
        if self in server.connections:
            server.connections.move_to_end(self)
        self._allow(server.limits.idle_seconds)
        self.transport.resume_reading()
        try:
            self._advance()
        except h11.RemoteProtocolError as error:
            server.counters.protocol_errors += 1
            self._refuse(error.error_status_hint, "no request we can read")

    def _reply(self, response: Response) -> None:
        self.server.counters.requests[str(response.status)] += 1
        fields = [
            ("Content-Type", response.media_type),
            ("Content-Length", str(len(response.body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        self._send(h11.Response(status_code=response.status, headers=fields))
        if self.head is None or self.head.method != b"HEAD":
            self._send(h11.Data(data=response.body))
        self._send(h11.EndOfMessage())

    def _send(self, event: Any) -> None:
        data = self.machine.send(event)
        if data:
            self.transport.write(data)

    def _refuse(self, status: int, why: str) -> bool:
        """Say why and hang up."""
        if self.machine.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            response = refusal(status, why)
            self.server.counters.requests[str(status)] += 1
            fields = [
                ("Content-Type", response.media_type),
                ("Content-Length", str(len(response.body))),
                ("Connection", "close"),
            ]
            self._send(h11.Response(status_code=status, headers=fields))
            self._send(h11.Data(data=response.body))
        self.transport.close()
        return False

    def _forget(self) -> None:
        self.server.held_bytes -= len(self.body)
        self.body = bytearray()
        self.body_bytes = 0

    def _allow(self, seconds: float) -> None:
        """Give the peer so long from now."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = self.loop.call_later(seconds, self._over)

    def _over(self) -> None:
        if self.handling is None:
            self.server.counters.slow += 1
            self.transport.abort()
