"""The other end of a connection to Redis may be anything: it is read with bounds, or given up."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingwatch.errors import SettingError
from thingwatch.guard.outlets.resp import Address, Redis, Refused, Unreachable, _encoded, _reply

ROOM = 1000


def read(data: bytes) -> object:
    """The reply that *data* is."""

    async def reading() -> object:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await _reply(reader, [ROOM], 4)

    return asyncio.run(reading())


def test_replies_are_read() -> None:
    """Every kind RESP2 has, and requests as they are sent."""
    assert read(b"+OK\r\n") == b"OK"
    assert read(b":-7\r\n") == -7
    assert read(b"$-1\r\n") is None
    assert read(b"*3\r\n$4\r\na\r\nb\r\n*-1\r\n-READONLY no\r\n") == [b"a\r\nb", None, Refused("READONLY no")]
    assert Refused("READONLY no").code == "READONLY"
    assert _encoded(("SET", b"\r\n", 7)) == b"*3\r\n$3\r\nSET\r\n$2\r\n\r\n\r\n$1\r\n7\r\n"


@pytest.mark.parametrize(
    "data",
    [
        b"*2000000000\r\n",
        b"$2000000000\r\nx",
        b"*1\r\n" * 9 + b":1\r\n",
        b"HTTP/1.1 400 Bad\r\n",
        b":x\r\n",
        b"$3\r\nab",
    ],
)
def test_claims_too_large_are_given_up(data: bytes) -> None:
    """A billion items, a gigabyte, depth, another protocol, and what ends early."""
    with pytest.raises((ValueError, EOFError)):
        read(data)


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=80))
def test_arbitrary_bytes(data: bytes) -> None:
    """Nothing but the two errors that ``ask`` makes Unreachable of."""
    for start in (b"", b"*2\r\n", b"$5\r\n", b"-"):
        try:
            read(start + data)
        except (ValueError, EOFError, asyncio.LimitOverrunError):
            continue


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
            redis = Redis(Address.of(f"redis://127.0.0.1:{port}"), 0.2)
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
    """Users, passwords with odd characters, sockets, TLS; what cannot be read is named without its password."""
    found = Address.of("rediss://guard:p%40ss@cache.example:6390/2")
    assert found == ("", "cache.example", 6390, "guard", "p@ss", 2, True)
    assert str(found) == "cache.example:6390"
    assert Address.of("unix:///run/redis.sock").path == "/run/redis.sock"
    for url in ("http://user:hunter2@host", "redis://:hunter2@host:port", "redis:///0", "redis://host/x"):
        with pytest.raises(SettingError, match="write redis://") as caught:
            Address.of(url)
        assert "hunter2" not in str(caught.value)
