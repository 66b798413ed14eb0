"""Mails that were let in while nobody looked: remembered after the fact, and noted as delivered.

They are read as mail at rest is, below the line of the border, so that they meet their campaign.
"""

from __future__ import annotations

import json
from typing import Any

from thingwatch.errors import UsageError
from thingwatch.guard import PASSED_UNSEEN, Guard
from thingwatch.guard.finding import Certainty
from thingwatch.guard.ledger import MAX_CHARS, MAX_RECIPIENTS
from thingwatch.model import Message, RawMail, Session
from thingwatch.read import Border, read_message
from thingwatch.read.field import cleaned


def take_passed(guard: Guard, message: Message) -> dict[str, Any]:
    """Have *guard* remember *message*, received while it was away; gives what it is, and who got it."""
    finding = guard.passed(message)
    attack = finding.certainty is not Certainty.NONE and finding.own
    return {
        "label": PASSED_UNSEEN,
        "campaign": finding.campaign if attack else "",
        "confidence": str(finding.certainty if attack else Certainty.NONE),
        "message_id": message.message_id[:MAX_CHARS],
        "recipients": list(message.rcpt_to[:MAX_RECIPIENTS]),
        "received_at": message.received_at or 0,
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
