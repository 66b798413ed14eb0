"""What is asked of Redis is answered, refused, or given up in time."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from outlet_daemons import RedisServer, needs

from thingwatch.errors import SettingError
from thingwatch.guard.outlets.server import Address, Redis, Refused, Unreachable


@needs("redis-server")
def test_replies_stand_in_their_order() -> None:
    """Numbers, bytes, nothing, lists, and refusals among them, in a transaction too; the connection goes on."""

    async def asking(url: str) -> list[Any]:
        redis = Redis(Address(url))
        first = await redis.ask(
            ("SET", "a", b"\r\n"), ("GET", "a"), ("GET", "b"), ("INCR", "a"), ("LLEN", "c")
        )
        second = await redis.ask(("MULTI",), ("HSET", "h", "x", 7), ("INCR", "h"), ("EXEC",))
        third = await redis.ask(("HGETALL", "h"))
        await redis.close()
        return [first, second, third]

    with RedisServer() as server:
        first, second, third = asyncio.run(asking(server.url))
    assert first[:3] == [b"OK", b"\r\n", None]
    assert isinstance(first[3], Refused)
    assert "integer" in first[3].why
    assert first[4] == 0
    assert second[:3] == [b"OK", b"QUEUED", b"QUEUED"]
    assert second[3][0] == 1
    assert isinstance(second[3][1], Refused)
    assert third == [[b"x", b"7"]]


def test_who_does_not_answer_is_given_up_in_time() -> None:
    """A server that reads and is silent, one that talks nonsense, and one that is not there."""

    async def asking() -> list[float]:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.read(100):
                pass
            writer.close()

        async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"x" * 200_000)
            await silent(reader, writer)

        took = []
        for server in (silent, nonsense):
            listener = await asyncio.start_server(server, "127.0.0.1", 0)
            port = listener.sockets[0].getsockname()[1]
            redis = Redis(Address(f"redis://127.0.0.1:{port}"), 0.2)
            began = time.monotonic()
            with pytest.raises(Unreachable, match="is it running"):
                await redis.ask(("PING",))
            took.append(time.monotonic() - began)
            listener.close()
            with pytest.raises(Unreachable):
                await redis.ask(("PING",))
        return took

    assert max(asyncio.run(asking())) < 3


def test_addresses() -> None:
    """Users, passwords with odd characters, sockets, TLS; nothing that is shown holds a password."""
    found = Address("rediss://guard:p%40ss@cache.example:6390/2")
    assert str(found) == "cache.example:6390"
    connection: Any = found.connection()
    assert (connection.username, connection.password, connection.db) == ("guard", "p@ss", 2)
    assert connection.ssl_context is not None
    assert str(Address("unix:///run/redis.sock")) == "/run/redis.sock"
    for url in (
        "http://user:hunter2@host",
        "redis://:hunter2@host:port",
        "redis:///0",
        "redis://:hunter2@host/x",
    ):
        with pytest.raises(SettingError, match="write redis://") as caught:
            Address(url)
        assert "hunter2" not in str(caught.value)
