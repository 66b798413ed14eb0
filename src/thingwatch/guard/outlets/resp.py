"""Speak to Redis or Valkey: requests in a row, one deadline for all of them, replies of bounded size.

By hand and not with a library: we need a dozen commands, and of each that it is done, refused or given up within a
second, on one connection, without retries that nobody asked for. RESP2, as every Redis and Valkey since 2.0 speaks it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from thingwatch.errors import SettingError, ThingwatchError

MAX_LINE_BYTES = 1 << 16
MAX_BULK_BYTES = 16 << 20  # of one string; ours stay below one megabyte
MAX_ITEMS = 1 << 18  # of one reply, at all depths; 20,000 fields with values are the most we ask for
MAX_DEPTH = 8
SCHEMES = {"redis": 6379, "rediss": 6379, "unix": 0}


class Unreachable(ThingwatchError):  # noqa: N818 - the name says what is the case
    """Nobody answered in time, or not in Redis's words; whether the requests were carried out is not known."""


class Refused(NamedTuple):
    """A reply that is an error: the server's own words."""

    why: str

    @property
    def code(self) -> str:
        """The first word: READONLY, NOAUTH, OOM ..."""
        return self.why.partition(" ")[0]


class Address(NamedTuple):
    """Where the server is, and who we are there."""

    path: str  # of a Unix socket; "" for TCP
    host: str
    port: int
    user: str
    password: str
    database: int
    tls: bool

    @classmethod
    def of(cls, url: str) -> Address:
        """Read ``redis://user:password@host:port/0``, ``rediss://...`` or ``unix:///path``; raises SettingError."""
        cure = "write redis://127.0.0.1:6379/0, rediss://user:password@host:port/0 or unix:///run/redis/redis.sock"
        try:
            parts = urlsplit(url)
            port = parts.port or SCHEMES[parts.scheme]
            database = int(parts.path.strip("/") or 0) if parts.scheme != "unix" else 0
        except (ValueError, KeyError) as error:
            # The address may hold a password, so it is not shown.
            raise SettingError(f"the address of Redis cannot be read; {cure}") from error
        path = unquote(parts.path) if parts.scheme == "unix" else ""
        if not path and not parts.hostname:
            raise SettingError(f"the address of Redis names no host; {cure}")
        return cls(
            path, parts.hostname or "", port, unquote(parts.username or ""), unquote(parts.password or ""),
            database, parts.scheme == "rediss",
        )  # fmt: skip

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"


Reply = Any  # bytes, int, None, Refused, or a list of them
Command = Sequence[str | bytes | int | float]


class Redis:
    """One connection, made when it is needed and closed at the first doubt. For one task at a time."""

    def __init__(self, address: Address, seconds: float = 1.0) -> None:
        """*seconds*: within which connecting and all replies of one ``ask`` must be there."""
        self.address = address
        self._seconds = seconds
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, *commands: Command, wait: float = 0.0) -> list[Reply]:
        """The reply to each of *commands*; *wait*: seconds the server was told it may wait itself.

        Raises Unreachable. What the server refuses is a ``Refused`` in its place.
        """
        try:
            async with asyncio.timeout(self._seconds + wait):
                if self._writer is None:
                    await self._connect()
                return await self._exchange(commands)
        except (OSError, TimeoutError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            self.close()
            why = (
                "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
            )
            raise Unreachable(f"Redis at {self.address}: {why}; is it running?") from error
        except BaseException:
            # A cancelled request leaves its reply on the way: nobody may read it as another's.
            self.close()
            raise

    async def _connect(self) -> None:
        at = self.address
        if at.path:
            opened = await asyncio.open_unix_connection(at.path, limit=MAX_LINE_BYTES)
        else:
            secure = ssl.create_default_context() if at.tls else None
            opened = await asyncio.open_connection(at.host, at.port, ssl=secure, limit=MAX_LINE_BYTES)
        self._reader, self._writer = opened
        greetings: list[Command] = []
        if at.password:
            greetings.append(("AUTH", at.user, at.password) if at.user else ("AUTH", at.password))
        if at.database:
            greetings.append(("SELECT", at.database))
        for reply in await self._exchange(greetings):
            if isinstance(reply, Refused):
                raise ConnectionError(reply.why)

    async def _exchange(self, commands: Sequence[Command]) -> list[Reply]:
        assert self._reader is not None and self._writer is not None  # noqa: S101, PT018 - connected
        self._writer.write(b"".join(map(_encoded, commands)))
        await self._writer.drain()
        return [await _reply(self._reader, [MAX_ITEMS], MAX_DEPTH) for _ in commands]

    def close(self) -> None:
        """Let go of the connection; the next ``ask`` makes a new one."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None


def _encoded(command: Command) -> bytes:
    pieces = [b"*%d\r\n" % len(command)]
    for argument in command:
        raw = argument if isinstance(argument, bytes) else str(argument).encode()
        pieces.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(pieces)


async def _reply(reader: asyncio.StreamReader, room: list[int], depth: int) -> Reply:
    """One reply; raises ValueError for what is none, or too large."""
    room[0] -= 1
    if room[0] < 0 or depth < 0:
        raise ValueError("a reply too large")
    line = await reader.readuntil(b"\r\n")
    kind, rest = line[:1], line[1:-2]
    if kind == b"+":
        return rest
    if kind == b"-":
        return Refused(rest.decode("utf-8", "replace")[:200])
    if kind not in (b":", b"$", b"*"):
        raise ValueError("not a reply of Redis")
    number = int(rest)
    if kind == b":":
        return number
    if number < 0:
        return None
    if kind == b"*":
        if number > room[0]:
            raise ValueError("a reply too large")
        return [await _reply(reader, room, depth - 1) for _ in range(number)]
    if number > MAX_BULK_BYTES:
        raise ValueError("a reply too large")
    return (await reader.readexactly(number + 2))[:-2]
