"""Speak to Redis or Valkey: requests in a row, and one deadline for all of them.

redis-py connects, greets, sends and parses; its client is left out, because it retries by itself and gives each reply
a time of its own. Of our requests it must be known within a second that they are done, refused or given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from thingwatch.errors import SettingError, ThingwatchError

CURE = "write redis://127.0.0.1:6379/0, rediss://user:password@host:port/0 or unix:///run/redis/redis.sock"


class Unreachable(ThingwatchError):  # noqa: N818 - the name says what is the case
    """Nobody answered in time, or not in Redis's words; whether the requests were carried out is not known."""


class Refused(NamedTuple):
    """A reply that is an error: the server's own words."""

    why: str


class Address:
    """Where the server is, and who we are there. Shown without user and password."""

    def __init__(self, url: str) -> None:
        """Read ``redis://user:password@host:port/0``, ``rediss://...`` or ``unix:///path``; raises SettingError."""
        parts = urlsplit(url)
        try:
            if parts.scheme != "unix":
                int(parts.path.strip("/") or 0)  # redis-py takes what is no number for 0
            # RESP2 is what every Redis and Valkey since 2.0 speaks. Time is kept by ``Redis.ask`` alone: with times of
            # its own, redis-py waits with wait_for, which swallows a cancellation up to Python 3.11.
            self._pool = ConnectionPool.from_url(
                url, protocol=2, retry=Retry(NoBackoff(), 0), socket_timeout=None, socket_connect_timeout=None
            )
            known = self._pool.connection_kwargs
            self._shown = known["path"] if "path" in known else f"{known['host']}:{known.get('port', 6379)}"
        except (ValueError, KeyError) as error:
            # It may hold a password, so it is not shown.
            raise SettingError(f"the address of Redis cannot be read or names no host; {CURE}") from error

    def connection(self) -> AbstractConnection:
        """A connection that is not open yet."""
        made: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call] # redis-py has none
        return made

    def __str__(self) -> str:
        return str(self._shown)


Reply = Any  # bytes, int, None, Refused, or a list of them
Command = Sequence[str | bytes | int | float]


class Redis:
    """One connection, made when it is needed and closed at the first doubt. For one task at a time."""

    def __init__(self, address: Address, seconds: float = 1.0) -> None:
        """*seconds*: within which connecting and all replies of one ``ask`` must be there."""
        self.address = address
        self._seconds = seconds
        self._connection: AbstractConnection | None = None

    async def ask(self, *commands: Command, wait: float = 0.0) -> list[Reply]:
        """The reply to each of *commands*; *wait*: seconds the server was told it may wait itself.

        Raises Unreachable. What the server refuses is a ``Refused`` in its place.
        """
        try:
            async with asyncio.timeout(self._seconds + wait):
                if self._connection is None:
                    self._connection = self.address.connection()
                    await self._connection.connect()  # type: ignore[no-untyped-call] # redis-py has none
                await self._connection.send_packed_command(self._connection.pack_commands(commands), False)
                return [await self._reply(self._connection) for _ in commands]
        except (RedisError, OSError, TimeoutError, EOFError, ValueError) as error:
            await self.close()
            why = (
                "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
            )
            raise Unreachable(f"Redis at {self.address}: {why}; is it running?") from error
        except BaseException:
            # A cancelled request leaves its reply on the way: nobody may read it as another's.
            await self.close()
            raise

    async def _reply(self, connection: AbstractConnection) -> Reply:
        try:
            return _plain(await connection.read_response())
        except ResponseError as error:
            return _plain(error)

    async def close(self) -> None:
        """Let go of the connection; the next ``ask`` makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)


def _plain(reply: Any) -> Reply:
    if isinstance(reply, ResponseError):
        return Refused(str(reply)[:200])
    return [_plain(item) for item in reply] if isinstance(reply, list) else reply
