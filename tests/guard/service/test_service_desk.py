"""One decision at a time, none beyond its deadline."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from thingwatch.guard.gateway import Action, Answer, Delivery
from thingwatch.guard.service.desk import Desk
from thingwatch.model import Session

MAIL = Delivery(b"\n", Session(), "Q1", "", False)
TAG = Answer(Action.TAG)


def at_desk(deed: Callable[[Desk], Awaitable[Any]], seconds: float = 5.0) -> Any:
    """What *deed* gives, with a desk that keeps its time."""

    async def both() -> Any:
        desk = Desk(seconds, lambda delivery: None)
        desk.start()

        async def keep_time() -> None:
            while True:
                desk.expire()
                await asyncio.sleep(0.01)

        keeping = asyncio.create_task(keep_time())
        try:
            return await deed(desk)
        finally:
            keeping.cancel()
            desk.close()

    return asyncio.run(both())


def test_decisions_are_made_in_order_by_one_thread() -> None:
    """A hundred at once: one after the other, in their order."""
    seen: list[tuple[int, str]] = []

    async def deed(desk: Desk) -> list[Any]:
        def decide(number: int) -> Callable[[Delivery], Answer]:
            def one(delivery: Delivery) -> Answer:
                seen.append((number, threading.current_thread().name))
                return TAG

            return one

        return await asyncio.gather(*(asyncio.wrap_future(desk.submit(decide(n), MAIL)) for n in range(100)))

    assert at_desk(deed) == [TAG] * 100
    assert seen == [(number, "desk") for number in range(100)]


def test_what_takes_too_long_is_accepted_and_left_out() -> None:
    """The one that hangs and those behind it: accepted at the deadline; those behind are never decided on."""
    decided = []

    async def deed(desk: Desk) -> Any:
        def hang(delivery: Delivery) -> Answer:
            time.sleep(0.5)
            decided.append("hung")
            return TAG

        def quick(delivery: Delivery) -> Answer:
            decided.append("quick")
            return TAG

        began = time.monotonic()
        found = await asyncio.gather(
            asyncio.wrap_future(desk.submit(hang, MAIL)), asyncio.wrap_future(desk.submit(quick, MAIL))
        )
        took = time.monotonic() - began
        stuck = desk.stuck_seconds
        await asyncio.sleep(0.6)
        after = await asyncio.wrap_future(desk.submit(quick, MAIL))
        return found, took, desk.late, stuck, after

    found, took, late, _, after = at_desk(deed, 0.1)
    assert found == [Answer(), Answer()]
    assert took < 0.4
    assert late == 2
    assert after == TAG
    assert decided == ["hung", "quick"]


def test_people_are_answered_before_the_mails_that_wait() -> None:
    """What is asked is done before the next mail, not behind all of them."""
    order: list[str] = []

    async def deed(desk: Desk) -> None:
        gate = threading.Event()

        def first(delivery: Delivery) -> Answer:
            gate.wait(5)
            return TAG

        def later(delivery: Delivery) -> Answer:
            order.append("mail")
            return TAG

        waiting = [desk.submit(first, MAIL), *(desk.submit(later, MAIL) for _ in range(3))]
        asked = desk.ask(order.append, "asked")
        gate.set()
        await asked
        await asyncio.gather(*map(asyncio.wrap_future, waiting))

    at_desk(deed)
    assert order == ["asked", "mail", "mail", "mail"]


def test_what_a_deed_raises_comes_back() -> None:
    """Errors travel to who asked, and the desk works on."""

    async def deed(desk: Desk) -> Any:
        with pytest.raises(ZeroDivisionError):
            await desk.ask(lambda: 1 // 0)
        return await desk.ask(lambda: 7)

    assert at_desk(deed) == 7


def test_a_closed_desk_takes_nothing_more() -> None:
    """What waits is worked off; then submit and ask raise."""

    async def deed(desk: Desk) -> Any:
        waiting = [desk.submit(lambda delivery: TAG, MAIL) for _ in range(20)]
        desk.close()
        with pytest.raises(RuntimeError):
            desk.submit(lambda delivery: TAG, MAIL)
        return [one.result(0) for one in waiting]

    assert at_desk(deed) == [TAG] * 20
