"""Mails that were let in while nobody looked: remembered after the fact, and noted as delivered.

They are read as mail at rest is, below the line of the border, so that they meet their campaign.
"""

from __future__ import annotations

import json
from typing import Any

from thingwatch.errors import UsageError
from thingwatch.guard import Entry, Guard
from thingwatch.guard.finding import Certainty
from thingwatch.guard.gateway import Action
from thingwatch.guard.ledger import MAX_CHARS, MAX_RECIPIENTS
from thingwatch.guard.record import Mail, pack
from thingwatch.guard.trace import trace_of
from thingwatch.model import Message, RawMail, Session
from thingwatch.read import Border, read_message
from thingwatch.read.field import cleaned

LABEL = "passed unseen"  # stands where the ledger has the queue id, which nobody knows


def take_passed(guard: Guard, message: Message) -> dict[str, Any]:
    """Have *guard* remember *message*, received while it was away; gives what it is, and who got it."""
    state = guard.state
    now = state.clock.now()
    at = message.received_at or 0
    finding, trace = state.observe(trace_of(message, at), now)
    entry = Entry(
        LABEL, message.message_id[:MAX_CHARS], tuple(one[:MAX_CHARS] for one in message.rcpt_to[:MAX_RECIPIENTS]),
        at, Action.ACCEPT,
    )  # fmt: skip
    place = finding.place or f"c{finding.campaign}"
    if place != "c":
        state.ledger.note(place, entry)
    if guard.journal is not None:
        guard.journal.append(pack(Mail(now, trace, False, entry)))
    guard.counts[LABEL] += 1
    attack = finding.certainty is not Certainty.NONE and finding.own
    return {
        "label": LABEL,
        "campaign": finding.campaign if attack else "",
        "confidence": str(finding.certainty if attack else Certainty.NONE),
        "message_id": entry.message_id,
        "recipients": list(entry.recipients),
        "received_at": at,
        "client_ip": message.client_ip or "",
        "place": message.place,
    }


def message_of_raw(raw: bytes, place: str, received_at: int | None, border: tuple[str, ...]) -> Message:
    """A delivered mail; *received_at* as its archive says, in microseconds, else by its own topmost line."""
    message = read_message(RawMail(raw, cleaned(place)), Border.of(border))
    return (
        message if message.received_at or received_at is None else message._replace(received_at=received_at)
    )


def message_of_log(line: bytes) -> Message:
    """A mail that is known from a log only, as JSON; raises UsageError for what is none."""
    try:
        said = json.loads(line)
        at = int(said["received_at"])
        recipients = tuple(cleaned(str(one)) for one in list(said.get("rcpt_to", []))[:MAX_RECIPIENTS])
        session = {
            name: cleaned(str(said.get(name) or "")) for name in ("client_ip", "helo", "ptr", "mail_from")
        }
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            "a logged mail must be JSON with received_at, client_ip, mail_from, rcpt_to"
        ) from error
    message = read_message(
        RawMail(
            b"\n", cleaned(str(said.get("place", ""))),
            Session(
                at, session["client_ip"] or None, session["helo"], session["ptr"], session["mail_from"], recipients
            ),
        ),
        None,
    )  # fmt: skip
    return message._replace(message_id=cleaned(str(said.get("message_id", ""))), logged=True)
