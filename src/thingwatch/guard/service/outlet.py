"""What else may hang on the daemon: outlets that publish what it finds, and taps that bring it mail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from thingwatch.guard.gateway import Decide, Delivery


class Outlet(Protocol):
    """Something that hears of every event, in the event loop, and works on its own besides."""

    def tell(self, event: dict[str, Any]) -> None:
        """An event of the guard; must not wait."""

    async def run(self) -> None:
        """Work until cancelled. What it raises is told as an alert, and it is started again after a while."""

    def status(self) -> Mapping[str, Any]:
        """How it stands, as plain data."""


# The body of a POST and its fields (lower-case names) → the mails in it. What is decided of them is answered and
# remembered; whether it is done is the asking program's affair. Raises UsageError for what is no mail.
Tap = Callable[[bytes, Mapping[str, Sequence[str]]], Iterable[Delivery]]


def _unchanged(decide: Decide) -> Decide:
    return decide


@dataclass(frozen=True, slots=True)
class Equipment:
    """All that hangs on one daemon."""

    outlets: Sequence[Outlet] = ()
    taps: Mapping[str, Tap] = field(default_factory=dict)  # by path
    beside: Callable[[Decide], Decide] = _unchanged  # puts itself around every decision
