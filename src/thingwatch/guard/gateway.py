"""The words between a mail server and the detector: the mail that was delivered, and what to do with it.

Whatever protocol a gateway speaks, it makes a ``Delivery``, asks a ``Decide``, and carries out its ``Answer``.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from thingwatch.model import Session

# Fields under our names that are taken out of a mail: each costs the server a walk through its header, and a thousand
# cost Postfix 1.6 seconds. Real mail has none, or a handful from a guard it met before.
MAX_FORGED = 100


class Action(StrEnum):
    """What is done with a mail, from the mildest to the harshest."""

    ACCEPT = "accept"
    TAG = "tag"  # accepted, with header fields that say why
    QUARANTINE = "quarantine"  # accepted, and held until a person decides
    DEFER = "defer"  # the sender is told to come back later; SMTP 4xx
    REJECT = "reject"  # the sender is told no; SMTP 5xx


class Delivery(NamedTuple):
    """One mail the mail server has received and not yet promised to deliver."""

    # Header fields byte for byte, the blank after the colon too; then an empty line; then the body. CRLF of the
    # wire is LF here, as in a Maildir or an mbox, so that a mail has one fingerprint in flight and at rest; a CR
    # without LF stays. What the server itself writes (its Received line) is not here yet.
    raw: bytes
    session: Session  # of the border's own knowledge; received_at is when MAIL was said; size is not known
    queue_id: str  # by which the server's log calls the mail; "" when it gave none
    login: str  # who the sender signed in as (SASL); "" for strangers
    truncated: bool  # the mail is larger than the limit: raw is its first part
    # Fields the sender wrote under names of ours (X-Thingwatch-...). They are not in raw, and the first MAX_FORGED
    # are taken out of the mail; one with more of them is no mail to take.
    forged: int = 0


class Answer(NamedTuple):
    """What to do with a mail. The gateway leaves out what does not belong to the action."""

    action: Action = Action.ACCEPT
    headers: tuple[tuple[str, str], ...] = ()  # (name, value) to put on top, the first one topmost; ASCII
    # Of DEFER "451 4.7.1 text", of REJECT "550 5.7.1 text"; one line of ASCII. "" for the server's own words.
    reply: str = ""
    reason: str = ""  # of QUARANTINE, for the server's log; ASCII


# Synchronous and bound to the processor: about a millisecond, no waiting for anything.
Decide = Callable[[Delivery], Answer]
