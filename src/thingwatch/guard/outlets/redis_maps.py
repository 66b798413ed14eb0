"""The same maps as hashes in Redis, which Rspamd asks anew for every mail: what is put there works at once.

Several guards write the same hashes. Beside each hash stands a sorted set that says until when each entry holds;
whoever comes by removes what is over. Everything here can be done twice without harm, so everything is done again
now and then: a server that lost its memory has the maps back within seconds, and we say that it was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from thingwatch.guard.outlets.listing import Listed
from thingwatch.guard.outlets.maps import MAX_ENTRIES, VALUE
from thingwatch.guard.outlets.server import Command, Redis, Refused, Unreachable
from thingwatch.guard.outlets.traits import TraitKind

PREFIX = "thingwatch:"
GRACE_SECONDS = 3600  # beyond its last entry's time a whole map may stay, should every guard be gone


class RedisMaps:
    """The maps in one Redis."""

    name = "rspamd redis"

    def __init__(self, redis: Redis, tell: Callable[[dict[str, Any]], None], prefix: str = PREFIX) -> None:
        """*tell* hears when maps were found missing; the keys are *prefix* with the trait's kind."""
        self._redis = redis
        self._tell = tell
        self._prefix = prefix
        self._mine: dict[TraitKind, dict[str, float]] = {kind: {} for kind in TraitKind}

    async def put(self, listed: Sequence[Listed], now: float) -> None:
        """Add what of *listed* is not there, take out what we put there and is not listed; raises Unreachable."""
        wanted: dict[TraitKind, dict[str, float]] = {kind: {} for kind in TraitKind}
        for row in listed:
            mine = wanted[row.trait.kind]
            if len(mine) < MAX_ENTRIES:
                mine[row.trait.digest] = max(row.until, mine.get(row.trait.digest, 0.0))
        await self._look(now)
        commands: list[Command] = []
        for kind in TraitKind:
            commands += self._changes(kind, wanted[kind], now)
        replies = await self._redis.ask(*commands) if commands else []
        for reply in replies:
            if isinstance(reply, Refused):
                raise Unreachable(f"Redis at {self._redis.address} refuses: {reply.why}; may we write there?")
        self._mine = wanted

    async def _look(self, now: float) -> None:
        """Whether what we put there is still there."""
        held = [kind for kind in TraitKind if any(until > now for until in self._mine[kind].values())]
        replies = await self._redis.ask(*(("EXISTS", self.key(kind)) for kind in held)) if held else []
        gone = [str(kind) for kind, there in zip(held, replies, strict=True) if there == 0]
        if gone:
            self._tell({"event": "maps-lost", "alert": True, "where": str(self._redis.address), "maps": gone})
            self._mine = {kind: {} for kind in TraitKind}

    def key(self, kind: TraitKind) -> str:
        """The hash of *kind*."""
        return f"{self._prefix}{kind}"

    def _changes(self, kind: TraitKind, wanted: dict[str, float], now: float) -> list[Command]:
        key, until_key = self.key(kind), f"{self.key(kind)}:until"
        gone = [digest for digest in self._mine[kind] if digest not in wanted]
        commands: list[Command] = []
        if gone:
            commands += [("HDEL", key, *gone), ("ZREM", until_key, *gone)]
        if wanted:
            pairs = [piece for digest in wanted for piece in (digest, VALUE)]
            scores = [piece for digest, until in wanted.items() for piece in (int(until), digest)]
            stay = int(max(wanted.values()) - now) + GRACE_SECONDS
            commands += [("HSET", key, *pairs), ("ZADD", until_key, "GT", *scores)]
            # The longest any of the guards asks for.
            for name in (key, until_key):
                commands += [("EXPIRE", name, stay, "NX"), ("EXPIRE", name, stay, "GT")]
        return commands

    async def expire(self, now: float) -> None:
        """Remove entries whose time is over, whoever put them there; raises Unreachable."""
        ranges = [("ZRANGEBYSCORE", f"{self.key(kind)}:until", "-inf", int(now)) for kind in TraitKind]
        commands: list[Command] = []
        for kind, over in zip(TraitKind, await self._redis.ask(*ranges), strict=True):
            if isinstance(over, list) and over:
                commands += [("HDEL", self.key(kind), *over), ("ZREM", f"{self.key(kind)}:until", *over)]
        if commands:
            await self._redis.ask(*commands)
