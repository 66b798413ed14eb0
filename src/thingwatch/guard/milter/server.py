"""Serve milter over TCP and Unix sockets: many connections, one event loop, no mail lost by our own fault.

Whatever goes wrong here, the mail server goes on: a decision that fails lets the mail pass, and a connection
that is closed makes the server do what its operator wrote under ``milter_default_action``.

The protocol has no passwords: listen on loopback or on a Unix socket, or behind a firewall.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from thingwatch.errors import OutputError
from thingwatch.guard.gateway import Answer, Decide, Delivery
from thingwatch.guard.milter.address import DEFAULT_MODE, bind_unix, remove_own
from thingwatch.guard.milter.codec import MAX_FRAME_BYTES, ProtocolError
from thingwatch.guard.milter.session import DEFAULT_MAX_BYTES, Conversation

BACKLOG = 1_024  # connections the kernel holds for us; a restart of the mail server opens 100 at once
GRACE_SECONDS = 10.0
DRAIN_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server grants its peers."""

    max_bytes: int = DEFAULT_MAX_BYTES  # of one mail that are held
    # More than Postfix's header_size_limit, or a field as long as that has its mail passed unread.
    max_frame_bytes: int = MAX_FRAME_BYTES
    # More than the mail server has processes (Postfix: 100 unless told otherwise), or a sender who opens that
    # many has his mail passed unread. Each needs a file handle.
    max_connections: int = 1_000
    # Without a word. The mail's text comes at one go when the client has ended it, and a client may drip it for
    # hours: whoever is less patient than the mail server passes that mail unread. libmilter waits 7,210.
    idle_seconds: float = 86_400.0
    # For the first frame, for each frame of a mail's text, and for our reply to be taken.
    frame_seconds: float = 60.0


@dataclass(slots=True)
class Counters:
    """What a server has seen since it began; only ever grows."""

    connections: int = 0
    refused: int = 0  # connections beyond the limit, or while stopping
    mails: int = 0  # asked about
    bytes: int = 0  # of those mails, as far as they were held
    truncated: int = 0  # mails larger than the limit
    failed: int = 0  # decisions that failed; the mail passed
    late: int = 0  # decisions for which the mail server did not wait
    idle: int = 0  # connections closed because nothing came
    slow: int = 0  # connections closed because a frame did not come in time, or a reply was not taken
    protocol_errors: Counter[str] = field(default_factory=Counter)  # by name, see codec.FAULTS


def _clock() -> int:
    return time.time_ns() // 1_000


def _ignore(error: BaseException) -> None:
    """Nobody wants to hear of failures."""


class MilterServer:
    """Listens for mail servers, asks about every mail, carries out the answers.

    ``decide`` may be replaced at any time; each mail is asked about once, with what stands there when it is
    whole. All methods belong to one event loop.
    """

    def __init__(
        self,
        decide: Decide,
        limits: Limits = Limits(),
        *,
        executor: Executor | None = None,
        failed: Callable[[BaseException], None] = _ignore,
        now: Callable[[], int] = _clock,
    ) -> None:
        """Take who decides, the limits, where decisions are made, who hears of failures, and a clock.

        Without *executor* decisions are made in the event loop, which is right while they take a millisecond;
        *now* gives microseconds since 1970, UTC.
        """
        self.decide = decide
        self.limits = limits
        self.executor = executor
        self.failed = failed
        self.now = now
        self.counters = Counters()
        self.connections: set[_Connection] = set()
        self.stopping = False
        self._listening: list[asyncio.Server] = []
        self._socket_files: list[tuple[Path, int]] = []

    async def listen_tcp(self, host: str, port: int) -> int:
        """Listen on *host* and *port* (0: any free one); give the port. Raises OutputError where it is taken."""
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(self._connection, host, port, backlog=BACKLOG)
        except OSError as error:
            raise OutputError(f"{host}:{port}: {error}; give another address or port") from error
        self._listening.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def listen_unix(self, path: Path, mode: int = DEFAULT_MODE) -> None:
        """Listen at *path*, see ``bind_unix``; the file goes away with ``stop``."""
        bound = bind_unix(path, mode)
        bound.listen(BACKLOG)
        await self.take_over(bound)

    async def take_over(self, bound: socket.socket) -> str:
        """Serve who waits at *bound*, which listens already, and who comes; its address as Postfix writes it."""
        loop = asyncio.get_running_loop()
        if bound.family == socket.AF_UNIX:
            path = Path(bound.getsockname())
            self._listening.append(
                await loop.create_unix_server(self._connection, sock=bound, backlog=BACKLOG)
            )
            self._socket_files.append((path, path.stat().st_ino))
            return f"unix:{path}"
        self._listening.append(await loop.create_server(self._connection, sock=bound, backlog=BACKLOG))
        host, port = bound.getsockname()[:2]
        return f"inet:[{host}]:{port}" if ":" in host else f"inet:{host}:{port}"

    async def stop(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """Listen no more, close what is idle, finish the mails in hand within the grace, then close all; for good.

        In hand is what the mail server has shown us: Postfix shows envelope and text when the client has sent
        all of it, so that a client in the middle of its text looks idle. Waiting for it would cost more than
        it saves: meanwhile nobody listens for the others.
        """
        self.stopping = True
        for server in self._listening:
            server.close()
        for path, inode in self._socket_files:
            remove_own(path, inode)
        self._listening.clear()
        self._socket_files.clear()
        for connection in tuple(self.connections):
            connection.close_if_idle()
        deadline = time.monotonic() + grace_seconds
        while self.connections and time.monotonic() < deadline:
            await asyncio.sleep(DRAIN_POLL_SECONDS)
        for connection in tuple(self.connections):
            connection.abort()
        # The loop tells connections of their end in its next rounds.
        while self.connections:
            await asyncio.sleep(0)

    def _connection(self) -> _Connection:
        return _Connection(self)


class _Connection(asyncio.Protocol):
    """One mail server's connection: moves bytes, keeps time."""

    transport: asyncio.Transport

    def __init__(self, server: MilterServer) -> None:
        self.server = server
        limits = server.limits
        self.conversation = Conversation(server.now, limits.max_bytes, limits.max_frame_bytes)
        self.loop = asyncio.get_running_loop()
        self.heard_at = self.loop.time()  # when bytes came last
        self.hurried_since: float | None = self.heard_at  # since when the next frame is due
        self.stuck_since: float | None = None  # when the peer stopped taking replies
        self.deciding: asyncio.Future[Answer] | None = None
        self.unread = b""  # came while a decision was made
        self.timer: asyncio.TimerHandle | None = None
        self.tcp: socket.socket | None = None  # where the connection is one

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        server = self.server
        if server.stopping or len(server.connections) >= server.limits.max_connections:
            server.counters.refused += 1
            self.transport.abort()
            return
        server.counters.connections += 1
        server.connections.add(self)
        raw = self.transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # a peer that vanished says nothing
            self.tcp = raw
            self._hasten()
        self._watch()

    def connection_lost(self, error: Exception | None) -> None:
        self.server.connections.discard(self)
        if self.timer is not None:
            self.timer.cancel()
        if self.deciding is not None:
            self.server.counters.late += 1

    def _hasten(self) -> None:
        """Acknowledge what comes next at once.

        A mail server writes small frames without waiting for replies. Its kernel holds back each until the one before
        is acknowledged, and ours would hold that back for 40 ms. The kernel forgets the wish after a while (tcp(7)).
        """
        if self.tcp is not None:
            self.tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def data_received(self, data: bytes) -> None:
        self._hasten()
        self.heard_at = self.loop.time()
        if self.deciding is None:
            self._go_on(data)
            return
        # A server that waits for us says nothing; reading went on to hear it hang up.
        self.unread += data
        self.transport.pause_reading()

    def pause_writing(self) -> None:
        # Replies nobody takes would pile up.
        self.stuck_since = self.loop.time()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.stuck_since = None
        if self.deciding is None:
            self.transport.resume_reading()

    def close_if_idle(self) -> None:
        """Close unless a mail is in hand; then ``_answer`` closes behind it."""
        if not self.conversation.in_mail:
            self.transport.close()

    def abort(self) -> None:
        """Close at once."""
        self.transport.abort()

    def _go_on(self, data: bytes) -> None:
        """Feed the conversation, and answer the mails in it."""
        conversation, server = self.conversation, self.server
        frames = conversation.frames_taken
        try:
            while not self.transport.is_closing():
                out, delivery = conversation.feed(data)
                if out:
                    self.transport.write(out)
                if delivery is None:
                    break
                data = b""
                if server.executor is not None:
                    self._ask_elsewhere(delivery, server.executor)
                    return
                self._answer(self._ask(delivery))
        except ProtocolError as error:
            server.counters.protocol_errors[error.name] += 1
            self.transport.abort()
            return
        if conversation.closed:
            self.transport.close()
        if not conversation.hurried:
            self.hurried_since = None
        elif conversation.frames_taken > frames:
            self.hurried_since = self.heard_at

    def _count(self, delivery: Delivery) -> None:
        counters = self.server.counters
        counters.mails += 1
        counters.bytes += len(delivery.raw)
        counters.truncated += delivery.truncated

    def _ask(self, delivery: Delivery) -> Answer | Exception:
        self._count(delivery)
        try:
            return self.server.decide(delivery)
        except Exception as error:
            return error

    def _ask_elsewhere(self, delivery: Delivery, executor: Executor) -> None:
        self._count(delivery)
        try:
            self.deciding = self.loop.run_in_executor(executor, self.server.decide, delivery)
        except RuntimeError as error:  # the executor was shut down
            self.deciding = self.loop.create_future()
            self.deciding.set_exception(error)
        self.deciding.add_done_callback(self._decided)

    def _decided(self, deciding: asyncio.Future[Answer]) -> None:
        if deciding.cancelled():
            found: Answer | BaseException = asyncio.CancelledError()
        else:
            found = deciding.exception() or deciding.result()
        self.deciding = None
        if self.transport.is_closing():
            return
        self._answer(found)
        if self.stuck_since is None:
            self.transport.resume_reading()
        self.heard_at = self.loop.time()
        data, self.unread = self.unread, b""
        self._go_on(data)

    def _answer(self, found: Answer | BaseException) -> None:
        """Send what was decided; what failed, or cannot be said in the protocol, lets the mail pass."""
        conversation, server = self.conversation, self.server
        error: BaseException | None = None
        if isinstance(found, BaseException):
            error, found = found, Answer()
        try:
            out = conversation.answer(found)
        except Exception as wrong:
            error, out = wrong, conversation.answer(Answer())
        if error is not None:
            server.counters.failed += 1
        self.transport.write(out)
        if server.stopping:
            self.transport.close()
        if error is not None:
            server.failed(error)

    def _watch(self) -> None:
        """Close a connection that made us wait too long; else look again when it could have."""
        now, limits, counters = self.loop.time(), self.server.limits, self.server.counters
        look_at = now + limits.frame_seconds
        # While a decision is made it is not the peer we wait for.
        if self.deciding is None:
            idle_at = self.heard_at + limits.idle_seconds
            waits = [since for since in (self.hurried_since, self.stuck_since) if since is not None]
            slow_at = min(waits) + limits.frame_seconds if waits else look_at
            if min(slow_at, idle_at) <= now:
                if slow_at <= now:
                    counters.slow += 1
                else:
                    counters.idle += 1
                self.transport.abort()
                return
            look_at = min(look_at, slow_at, idle_at)
        self.timer = self.loop.call_at(look_at, self._watch)
