"""A mail that comes by HTTP: the same Delivery a milter makes, and the guard's answer as JSON."""

from __future__ import annotations

import re
import time
from ipaddress import ip_address
from typing import Any

from thingwatch.errors import UsageError
from thingwatch.guard.gateway import Answer, Delivery
from thingwatch.guard.milter.draft import Draft
from thingwatch.guard.service.http import Request
from thingwatch.model import Session
from thingwatch.read.field import MAX_RECIPIENTS, address_of, cleaned

MAX_OWN_RECEIVED = 5  # Received lines on top that the asking server wrote itself
MAX_TEXT = 1_000  # characters of one fact about the connection
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:((?:[^\n]*\n)(?:[ \t][^\n]*\n)*)")
_ATTACK = ("known", "sure", "likely")


def delivery_of(request: Request) -> Delivery:
    """The mail in *request*; raises UsageError for a client_ip or received_at that is none."""
    client_ip = request.one("client_ip").strip()
    if client_ip:
        try:
            client_ip = str(ip_address(client_ip.removeprefix("IPv6:").strip("[]")))
        except ValueError as error:
            raise UsageError(f"client_ip = {client_ip[:60]!r}: must be an address") from error
    own = request.one("own_received") or "0"
    if own not in map(str, range(MAX_OWN_RECEIVED + 1)):
        raise UsageError(f"own_received = {own[:20]!r}: must be 0 to {MAX_OWN_RECEIVED}")
    session = Session(
        _moment(request.one("received_at")),
        client_ip or None,
        cleaned(request.one("helo")[:MAX_TEXT].encode()),
        cleaned(request.one("ptr")[:MAX_TEXT].encode()).lower(),
        address_of(request.one("mail_from")[:MAX_TEXT].encode()),
        tuple(address_of(one[:MAX_TEXT].encode()) for one in request.all("rcpt_to")[:MAX_RECIPIENTS]),
    )
    raw, forged = _as_sent(request.body, int(own))
    return Delivery(
        raw, session, cleaned(request.one("queue_id")[:MAX_TEXT].encode()),
        cleaned(request.one("login")[:MAX_TEXT].encode()), request.truncated, forged,
    )  # fmt: skip


def _moment(said: str) -> int:
    if not said:
        return time.time_ns() // 1_000
    try:
        at = float(said)
        if not 0 <= at < 1 << 33:
            raise ValueError(said)
    except ValueError as error:
        raise UsageError(f"received_at = {said[:40]!r}: must be seconds since 1970, UTC") from error
    return int(at * 1_000_000)


def _as_sent(raw: bytes, own_received: int) -> tuple[bytes, int]:
    """*raw* with the line ends of a Maildir, without the first *own_received* Received lines and fields of ours."""
    raw = raw.replace(b"\r\n", b"\n")
    draft = Draft(len(raw) + 1)
    at = 0
    while found := _FIELD.match(raw, at):
        at = found.end()
        if own_received and found[1].lower() == b"received":
            own_received -= 1
            continue
        draft.add_field(found[1], found[2][:-1])
    body = raw[at:]
    # The empty line between is the draft's own; without one the rest is a body that began too early.
    draft.add_chunk(body.removeprefix(b"\n"))
    return draft.finish(), draft.forged


def answer_of(answer: Answer, decision: dict[str, Any] | None) -> dict[str, Any]:
    """What a program is told; *decision* is the guard's own event of it, None when it was simply accepted."""
    said = decision or {}
    certainty = str(said.get("certainty", "none"))
    verdict = "attack" if certainty in _ATTACK else "unsure" if certainty == "doubtful" else "none"
    return {
        "action": str(answer.action),
        "wanted": str(said.get("wanted", answer.action)),
        "campaign": str(said.get("campaign", "")),
        "verdict": verdict,
        "confidence": certainty,
        "bits": said.get("bits", 0.0),
        "headers": [list(pair) for pair in answer.headers],
        "reply": answer.reply,
        "reason": answer.reason,
    }
