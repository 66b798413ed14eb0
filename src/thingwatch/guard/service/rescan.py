"""Look after the fact at mail that came while no guard was there: read it at rest, tell the guard, list it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from thingwatch.guard.service.client import Asked
from thingwatch.guard.service.runs import Gap
from thingwatch.model import Message, RawMail, Skip
from thingwatch.read import Border, messages_in, plan, read_message
from thingwatch.read.detect import LOG_FORMS
from thingwatch.read.mailbox import mails_in

Heard = Callable[[dict[str, Any]], None]


def rescan(
    asked: Asked, paths: Sequence[Path], gaps: Sequence[Gap], border: tuple[str, ...], hear: Heard
) -> Counter[str]:
    """Tell *asked* of every mail at *paths* that fell into one of *gaps*; *hear* gets each one's row.

    Gives counts: read, skipped, in a gap, of an attack. Gaps are closed only when something was read at all.
    """
    counts: Counter[str] = Counter()
    found: dict[float, int] = {gap.since: 0 for gap in gaps}
    seen: set[str] = set()  # a mail may stand in a log and in a mailbox
    rows: list[tuple[int, Callable[[], Any], Gap]] = []
    for at, message_id, tell in _mails(asked, paths, border, counts):
        gap = next((gap for gap in gaps if gap.holds(at / 1e6)), None)
        if gap is None or (message_id and message_id in seen):
            continue
        seen.add(message_id)
        rows.append((at, tell, gap))
    # In the order they came, as the guard would have met them.
    for _, tell, gap in sorted(rows, key=lambda row: row[0]):
        row = tell()
        counts["in a gap"] += 1
        counts["of an attack"] += bool(row["campaign"])
        found[gap.since] += 1
        hear(row)
    if counts["read"]:
        asked.rescanned(found)
    return counts


def _mails(
    asked: Asked, paths: Sequence[Path], border: tuple[str, ...], counts: Counter[str]
) -> Iterator[tuple[int, str, Callable[[], Any]]]:
    """(received_at, Message-ID, how to tell the guard of it) of every mail with a time."""
    edge = Border.of(border)
    for load in plan(paths):
        items: Iterator[Message | RawMail | Skip]
        items = messages_in(load, edge) if load.form in LOG_FORMS else mails_in(load)
        for item in items:
            if isinstance(item, Skip):
                counts["skipped"] += 1
                continue
            message = item if isinstance(item, Message) else read_message(item, edge)
            counts["read"] += 1
            if message.received_at is None:
                counts["without a time"] += 1
                continue
            if isinstance(item, RawMail):
                yield message.received_at, message.message_id, _told_mail(asked, item, message, border)
            else:
                yield message.received_at, message.message_id, _told_log(asked, message)


def _told_mail(asked: Asked, mail: RawMail, message: Message, border: tuple[str, ...]) -> Callable[[], Any]:
    return lambda: asked.passed_mail(mail.raw, mail.place, message.received_at, border)


def _told_log(asked: Asked, message: Message) -> Callable[[], Any]:
    said = {
        "message_id": message.message_id, "received_at": message.received_at, "client_ip": message.client_ip,
        "helo": message.helo, "ptr": message.ptr, "mail_from": message.mail_from,
        "rcpt_to": list(message.rcpt_to), "place": message.place,
    }  # fmt: skip
    return lambda: asked.passed_log(said)
