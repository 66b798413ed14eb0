"""A mail while its log is still telling of it: what is known so far, and the Message it becomes."""

from __future__ import annotations

from thingwatch.model import Message
from thingwatch.read.field import MAX_RECIPIENTS, address_of, cleaned, ip_of

MAX_OPEN = 200_000  # mails under way at once; a gateway of 100 mails/s with an hour's deferrals has fewer


class Underway:
    """One mail under way in the log."""

    __slots__ = (
        "addressed",
        "began",
        "defects",
        "helo",
        "ip",
        "joined",
        "message_id",
        "null_sender",
        "place",
        "probe",
        "ptr",
        "rcpt_to",
        "received_at",
        "sender",
        "size",
        "subject",
    )

    def __init__(self, place: str, received_at: int | None) -> None:
        self.place = place
        self.received_at = received_at
        self.began = False  # its arrival was seen
        self.addressed = False  # all its recipients are known already
        self.joined = False  # it is another mail's second passage, after a filter
        self.probe = False  # Postfix asking whether an address exists: no mail at all
        self.ip: str | None = None
        self.ptr = self.helo = self.sender = self.message_id = self.subject = ""
        self.null_sender = False
        self.size = 0
        self.rcpt_to: dict[str, None] = {}
        self.defects: list[str] = []

    def name_client(self, ptr: bytes, ip: bytes) -> None:
        self.ip = ip_of(ip)
        self.ptr = "" if ptr == b"unknown" else cleaned(ptr).lower()

    def name_sender(self, address: bytes) -> None:
        self.sender = address_of(address)
        self.null_sender = not address

    def add_recipient(self, address: bytes) -> None:
        if len(self.rcpt_to) < MAX_RECIPIENTS:
            if address:
                self.rcpt_to[address_of(address)] = None
        elif "too-many-recipients" not in self.defects:
            self.defects.append("too-many-recipients")

    def message(self, *defects: str) -> Message:
        return Message(
            place=self.place,
            message_id=self.message_id,
            received_at=self.received_at,
            client_ip=self.ip,
            helo=self.helo,
            ptr=self.ptr,
            mail_from=self.sender,
            null_sender=self.null_sender,
            rcpt_to=tuple(self.rcpt_to),
            subject=self.subject,
            size=self.size,
            logged=True,
            defects=(*self.defects, *defects),
        )
