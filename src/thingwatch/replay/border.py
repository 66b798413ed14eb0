# ruff: noqa: E501 - a header or sentence of a mail stands whole on its line here, as it does in the mail.
"""What the user's own server adds to a mail, and what it writes into its log about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from time import gmtime

from thingwatch.replay.cast import BORDER, Home, mixed
from thingwatch.replay.dialects import date

SECOND = 1_000_000


@dataclass(slots=True)
class Arrival:
    """One mail at the border's door."""

    home: Home
    mail_from: str  # "" for the null sender
    receivers: list[str]
    letter: str  # as the sender handed it over, Latin-1 text, with its own older Received lines
    message_id: str  # "" when the letter carries none
    spf: str
    header_from: str  # domain of From:
    dkim: str = "none"
    dkim_domain: str = ""
    dmarc: str = "none"
    lure: str | None = None  # truth
    campaign: str | None = None  # truth


@dataclass(slots=True)
class Delivery:
    """The mail as it lies in the mailbox, and the log lines it left."""

    raw: bytes
    message_id: str
    log: list[str] = field(default_factory=list)


class Border:
    """The server mx1 during one slice of time. Log times never run backwards within one mail."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def _stamp(self, at: int) -> str:
        second, rest = divmod(at, SECOND)
        if second != self._second:
            clock = gmtime(second)
            self._second = second
            self._text = f"{clock.tm_year}-{clock.tm_mon:02d}-{clock.tm_mday:02d}T{clock.tm_hour:02d}:{clock.tm_min:02d}:{clock.tm_sec:02d}"
        return f"{self._text}.{rest:06d}+00:00 mx1 postfix/"

    def deliver(self, arrival: Arrival, at: int, unique: int, dice: Random) -> Delivery:
        """Take *arrival* in at the moment *at* (microseconds since 1970)."""
        home = arrival.home
        throw = dice.random
        queue_id = f"{mixed(unique) >> 24:010X}"
        second = at // SECOND
        received = date(second, 0, "unpadded") + " (UTC)"
        name = home.ptr or "unknown"
        single = arrival.receivers[0]
        protocol = "ESMTP" if home.kind in ("server", "provider") or unique & 3 else "SMTP"
        top = [f"Return-Path: <{arrival.mail_from}>\nDelivered-To: {single}\n"]
        if unique % 5 < 2:
            store = f"store{unique % 3 + 1}.corp.example"
            top.append(
                f"Received: from {BORDER} ({BORDER} [10.0.0.25])\n\tby {store} (Postfix) with ESMTP id {dice.getrandbits(40):010X}\n\tfor <{single}>; {date(second + 1, 0, 'unpadded')} (UTC)\n"
            )
        dkim = f"dkim={arrival.dkim}" + (f" header.d={arrival.dkim_domain}" if arrival.dkim_domain else "")
        sender = f"smtp.mailfrom={arrival.mail_from}" if arrival.mail_from else f"smtp.helo={home.helo}"
        top.append(
            f"Authentication-Results: {BORDER};\n\tspf={arrival.spf} {sender};\n\t{dkim};\n\tdmarc={arrival.dmarc} header.from={arrival.header_from}\n"
        )
        whom = f"\n\tfor <{single}>; " if len(arrival.receivers) == 1 else "; "
        top.append(
            f"Received: from {home.helo} ({name} [{home.ip}])\n\tby {BORDER} (Postfix) with {protocol} id {queue_id}{whom}{received}\n"
        )
        message_id = arrival.message_id
        if not message_id:
            clock = gmtime(second)
            message_id = f"{clock.tm_year}{clock.tm_mon:02d}{clock.tm_mday:02d}{clock.tm_hour:02d}{clock.tm_min:02d}{clock.tm_sec:02d}.{queue_id}@{BORDER}"
            top.append(f"Message-Id: <{message_id}>\n")
        raw = ("".join(top) + arrival.letter).encode("latin-1", "replace")
        if not raw.endswith(b"\n"):
            raw += b"\n"

        smtpd, cleanup, relay = 2000 + unique % 97, 3000 + unique % 41, 4000 + unique % 23
        who = f"{name}[{home.ip}]"
        lead = int(throw() * 2_400_000) + 60_000
        work = int(throw() * 350_000) + 4_000
        done = at + work + int(throw() * 1_500_000) + 20_000
        stamp = self._stamp
        delay = (done - at) / SECOND
        log = [
            f"{stamp(at - lead)}smtpd[{smtpd}]: connect from {who}",
            f"{stamp(at)}smtpd[{smtpd}]: {queue_id}: client={who}",
            f"{stamp(at + work // 2)}cleanup[{cleanup}]: {queue_id}: message-id=<{message_id}>",
            f"{stamp(at + work)}qmgr[911]: {queue_id}: from=<{arrival.mail_from}>, size={len(raw)}, nrcpt={len(arrival.receivers)} (queue active)",
        ]
        for i, receiver in enumerate(arrival.receivers):
            log.append(
                f"{stamp(done + i)}lmtp[{relay}]: {queue_id}: to=<{receiver}>, relay=store.corp.example[10.0.0.31]:24, delay={delay:.2g}, delays={delay * 0.6:.2g}/0.01/0.02/{delay * 0.3:.2g}, dsn=2.0.0, status=sent (250 2.0.0 <{receiver}> {dice.getrandbits(32):08x} Saved)"
            )
        log.append(f"{stamp(done + 900)}qmgr[911]: {queue_id}: removed")
        log.append(f"{stamp(at + work + 90_000 + lead // 9)}smtpd[{smtpd}]: disconnect from {who}")
        return Delivery(raw, message_id, log)

    def refuse(self, home: Home, at: int, receiver: str, greylisted: bool, dice: Random) -> list[str]:
        """The log lines of a connection that was turned away."""
        smtpd = 2000 + dice.randrange(97)
        who = f"{home.ptr or 'unknown'}[{home.ip}]"
        why = (
            f"450 4.2.0 <{receiver}>: Recipient address rejected: Greylisted, please try again later"
            if greylisted
            else f"554 5.7.1 Service unavailable; Client host [{home.ip}] blocked using zone.blocklist.example"
        )
        sender = f"{dice.getrandbits(32):x}@{dice.getrandbits(20):x}.example"
        return [
            f"{self._stamp(at)}smtpd[{smtpd}]: connect from {who}",
            f"{self._stamp(at + 200_000)}smtpd[{smtpd}]: NOQUEUE: reject: RCPT from {who}: {why}; from=<{sender}> to=<{receiver}> proto=ESMTP helo=<{home.helo}>",
            f"{self._stamp(at + 310_000)}smtpd[{smtpd}]: disconnect from {who}",
        ]
