"""Read a Postfix log: one Message per mail, from the lines of many processes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from thingwatch.model import Message, Skip
from thingwatch.read import logtime
from thingwatch.read.field import (
    MAX_LINE_BYTES,
    cleaned,
    ip_of,
    lines_of,
    message_id_of,
    subject_of,
)
from thingwatch.read.hop import is_inner_address
from thingwatch.read.logtime import SyslogClock
from thingwatch.read.underway import MAX_OPEN, Underway

MAX_HOSTS = 64  # servers writing into one log, among which "queued as" is followed
MAX_REFUSING = 10_000  # smtpd processes whose last refusal may still gain a recipient
SETTLING = 2_000  # mails kept back after they left: a filter's copy can leave before the line that names it
MAX_TAIL_BYTES = 2_048  # of a refusal, where the envelope stands; RFC 5321, 4.5.3.1.3 caps a path at 256

# Postfix 3.5 and later quote a local part as RFC 5321, 4.1.2 does: ">" and spaces are then inside quotes.
_ADDRESS = rb'((?:"(?:[^"\\]|\\.)*+"|[^"<>])*+)'

_HEADER = rb"(?:<\d{1,3}>)?(?:1 )?(" + logtime.TIME + rb") (?:<[a-z0-9.]+> )?"
_POSTFIX = re.compile(
    _HEADER + rb"(\S+) ((?:[^\s\[\]:/]+/)+)"
    rb"(smtpd|cleanup|qmgr|oqmgr|nqmgr|smtp|lmtp|local|virtual|pipe|pickup|relay|error|discard|postscreen)"
    rb"(\[\d+\]:|:| \d+ \S+ (?:-|\[.*?\])) (?:\[ID \d+ [a-z0-9.]+\] )?"
    rb"(?:([0-9A-Za-z]{5,25}): (.*)|(connect) from )",
    re.DOTALL,
)
_CLIENT = re.compile(
    rb"client=([^\s\[]*)\[([0-9A-Fa-f.:]+|unknown)\](?::\d+)?(, sasl_\w+=.*|)"
    rb"(?:, orig_queue_id=([0-9A-Za-z]{5,25}))?(?:, orig_client=([^\s\[]*)\[([0-9A-Fa-f.:]+)\](?::\d+)?)?"
    rb"(?:, .*)?$"
)
_QUEUED = re.compile(rb"from=<" + _ADDRESS + rb">, size=(\d{1,15}), nrcpt=\d+")
_PICKED_UP = re.compile(rb"uid=\d+ from=<" + _ADDRESS + rb">")
_DELIVERED = re.compile(
    rb"to=(?:<" + _ADDRESS + rb">|([^\s,<>]+)), (?:orig_to=(?:<" + _ADDRESS + rb">|([^\s,<>]+)), )?"
    rb"relay=([^,]*), (?:conn_use=\d+, )?delay=([\d.]{1,12}), "
    rb"(?:(?!status=)[a-z_]+=[^,]*, )*+status=([\w-]+)(.*)"
)
_RELAY = re.compile(rb"[^\s\[]*\[([0-9A-Fa-f.:]+)\]")
_QUEUED_AS = re.compile(rb"queued as ([0-9A-Za-z]{5,25})\)?$")
_REFUSED = re.compile(
    rb"(reject|milter-reject|discard): ([A-Z-]+) from ([^\s\[]*)\[([0-9A-Fa-f.:]+|unknown)\](?::\d+)?: "
)
# Postfix turns space and <>()\";:@ in a HELO into "?", so that one cannot end its own field.
_ENVELOPE = re.compile(
    rb"; (?:from=<" + _ADDRESS + rb">,? ?)?(?:to=<" + _ADDRESS + rb">,? ?)?"
    rb"(?:proto=\w+)?(?:,? helo=(?:<([^<>\s]*)>)?)?(: .*)?$"
)
_SUBJECT = re.compile(rb"(?:warning|info): header Subject: ", re.IGNORECASE)
_NOT_MAIL = (b"VRFY", b"ETRN")  # asked after an address or a queue; no mail was offered
_SUBMISSION = re.compile(rb"/(?:submissions?|smtps)/")


def first_year(lines: Iterable[bytes], newest_year: int | None) -> int | None:
    """The year of a log's first line, for RFC 3164 times; *newest_year* is that of the last.

    Reads the whole log, ten times faster than postfix does. For a stream that can be read only once (a
    decompressor), open it twice and hand the answer to postfix.
    """
    return logtime.first_year(_times(lines), newest_year)


def _times(lines: Iterable[bytes]) -> Iterator[bytes]:
    header = re.compile(_HEADER)
    date = b""
    for line in lines_of(lines):
        if line[:10] != date:
            date = line[:10]
            if found := header.match(line):
                yield found[1]


def postfix(lines: Iterable[bytes], place: str, year: int | None = None) -> Iterator[Message | Skip]:
    """Read a Postfix log: one Message per mail, and one per refused attempt with defect "rejected".

    Takes a binary stream or lines, and the log's name for ``Message.place`` ("mail.log:17", the line where
    the mail began). *year* is needed for RFC 3164 times only: the year of the newest line, for which the
    file's modification time serves, since no line can be later. A stream that cannot be read twice is
    taken to begin in *year*; see first_year. Without a year ``received_at`` is None and the defect
    "year-unknown". Local times without offset are taken as UTC.

    received_at is when the client handed the mail over. A filter's re-injection is the same mail: the
    outer client is kept. Defects: "submission" (authenticated or on a submission port, so not from
    outside), "rejected", "discarded", "log-incomplete" (the log does not hold the whole life of the mail),
    "too-many-recipients". Yields Skip(..., "line-too-long") and never raises for what a line says.
    """
    reader = _Postfix(place, SyslogClock(_year_to_begin(lines, year)))
    yield from reader.read(lines)


def _year_to_begin(lines: Iterable[bytes], year: int | None) -> int | None:
    if isinstance(lines, Sequence):
        return first_year(lines, year)
    seekable = getattr(lines, "seekable", None)
    if seekable is None or not seekable():
        return year
    stream: Any = lines
    start = stream.tell()
    began = first_year(lines, year)
    stream.seek(start)
    return began


class _Postfix:
    """The mails under way while a Postfix log is read."""

    def __init__(self, place: str, clock: SyslogClock) -> None:
        self.place = place
        self.clock = clock
        self.number = 0
        self.open: dict[bytes, Underway] = {}  # by host and queue id, oldest first
        self.settling: dict[bytes, Underway] = {}  # gone from the queue, given out a little later
        self.refusing: dict[bytes, Underway] = {}  # the last refusal of each smtpd process
        self.hosts: dict[bytes, None] = {}
        self.ready: list[Message | Skip] = []

    def read(self, lines: Iterable[bytes]) -> Iterator[Message | Skip]:
        parse, clock, ready = _POSTFIX.match, self.clock, self.ready
        date = b""
        for line in lines_of(lines):
            self.number += 1
            found = parse(line)
            if found is None:
                if len(line) > MAX_LINE_BYTES:
                    yield Skip(f"{self.place}:{self.number}", "line-too-long")
                continue
            when, host, service, daemon, process, queue_id, event, connect = found.groups()
            if line[:10] != date:
                date = line[:10]
                clock.see(when)
            if connect:
                # A new session of this process: what it refused before is whole now.
                if refused := self.refusing.pop(host + process, None):
                    ready.append(refused.message())
            elif daemon == b"smtpd" or daemon == b"postscreen":
                self._received(when, host, service, process, queue_id, event)
            elif daemon == b"cleanup":
                self._cleaned_up(when, host, service, process, queue_id, event)
            elif event == b"removed":
                self._removed(host + b" " + queue_id)
            elif event.startswith(b"from=<"):
                self._queued(when, host + b" " + queue_id, event)
            elif event.startswith(b"to="):
                self._delivered(when, host, queue_id, event)
            elif daemon == b"pickup" and (picked := _PICKED_UP.match(event)):
                mail = self._begin(when, host + b" " + queue_id)
                mail.name_sender(picked[1])
            if ready:
                yield from ready
                ready.clear()
        for mail in [*self.refusing.values(), *self.settling.values()]:
            yield mail.message()
        for mail in self.open.values():
            if not mail.joined and not mail.probe:
                yield mail.message("log-incomplete")

    def _new(self, when: bytes) -> Underway:
        mail = Underway(f"{self.place}:{self.number}", self.clock.read(when))
        if mail.received_at is None:
            mail.defects.append("year-unknown" if self.clock.year is None else "time-malformed")
        return mail

    def _mail(self, when: bytes, key: bytes) -> Underway:
        """The mail under way under *key*, begun here when the log did not show its arrival."""
        mail = self.open.get(key)
        if mail is None:
            if len(self.open) >= MAX_OPEN:
                self._give_out_incomplete(next(iter(self.open)))
            mail = self.open[key] = self._new(when)
        return mail

    def _begin(self, when: bytes, key: bytes) -> Underway:
        if key in self.open:  # a queue id used anew: the log lost the end of the mail before
            self._give_out_incomplete(key)
        mail = self._mail(when, key)
        mail.began = True
        return mail

    def _give_out_incomplete(self, key: bytes) -> None:
        mail = self.open.pop(key)
        if not mail.joined and not mail.probe:
            self.ready.append(mail.message("log-incomplete"))

    def _received(
        self, when: bytes, host: bytes, service: bytes, process: bytes, queue_id: bytes, event: bytes
    ) -> None:
        if not event.startswith(b"client="):
            self._refused(when, host, service, process, queue_id, event)
            return
        found = _CLIENT.match(event)
        if (
            found is None or queue_id == b"NOQUEUE"
        ):  # a proxy filter's: the mail gets its id behind the filter
            return
        ptr, ip, sasl, outer, outer_ptr, outer_ip = found.groups()
        if host not in self.hosts and len(self.hosts) < MAX_HOSTS:
            self.hosts[host] = None
        mail = self._begin(when, host + b" " + queue_id)
        mail.name_client(ptr, ip)
        if sasl or _SUBMISSION.search(b"/" + service):
            mail.defects.append("submission")
        elif _ours(mail.ip):
            # XFORWARD: our own filter says whose mail it hands back. Nobody else is listened to.
            mail.joined = outer is not None and self._knows(host, outer)
            if outer_ip:
                mail.name_client(outer_ptr, outer_ip)

    def _knows(self, host: bytes, queue_id: bytes) -> bool:
        key = host + b" " + queue_id
        return key in self.open or key in self.settling

    def _cleaned_up(
        self, when: bytes, host: bytes, service: bytes, process: bytes, queue_id: bytes, event: bytes
    ) -> None:
        if event.startswith(b"message-id="):
            mail = self._mail(when, host + b" " + queue_id)
            mail.began = True  # a mail without a client is our own server's: a bounce, a forward
            mail.message_id = message_id_of(event[11:])
        elif subject := _SUBJECT.match(event):
            mail = self._mail(when, host + b" " + queue_id)
            tail = max(subject.end(), len(event) - MAX_TAIL_BYTES)
            envelope = _ENVELOPE.search(event, tail)
            # The text is the stranger's up to the last " from ", where Postfix goes on.
            text = event[subject.end() : envelope.start() if envelope else len(event)].rpartition(b" from ")[
                0
            ]
            mail.subject = subject_of(text)
            if envelope and envelope[1] is not None:
                mail.name_sender(envelope[1])
            if envelope and envelope[3]:
                mail.helo = cleaned(envelope[3])
        else:
            self._refused(when, host, service, process, queue_id, event)

    def _refused(
        self, when: bytes, host: bytes, service: bytes, process: bytes, queue_id: bytes, event: bytes
    ) -> None:
        found = _REFUSED.match(event)
        if found is None or found[2] in _NOT_MAIL:
            return
        envelope = _ENVELOPE.search(event, max(found.end(), len(event) - MAX_TAIL_BYTES))
        sender, recipient, helo = envelope.group(1, 2, 3) if envelope else (None, None, None)
        key = host + b" " + queue_id
        known = None if queue_id == b"NOQUEUE" else self._mail(when, key)
        mail = known or self._new(when)
        if not mail.ip:
            mail.name_client(found[3], found[4])
        if helo:
            mail.helo = cleaned(helo)
        if sender is not None:
            mail.name_sender(sender)
        if known and found[2] == b"RCPT":
            return  # one recipient of a mail that goes on without it
        if recipient:
            mail.add_recipient(recipient)
        mail.defects.append("discarded" if found[1] == b"discard" else "rejected")
        if known:
            del self.open[key]
            self.ready.append(mail.message())
        else:
            self._hold_refusal(host + process, mail)

    def _hold_refusal(self, process: bytes, mail: Underway) -> None:
        """Keep a refusal for the next recipient the same session is refused, so that one mail stays one."""
        held = self.refusing.pop(process, None)
        if held is not None:
            if (held.ip, held.sender, held.helo, held.defects) == (
                mail.ip,
                mail.sender,
                mail.helo,
                mail.defects,
            ):
                for address in mail.rcpt_to:
                    held.add_recipient(address.encode())
                mail = held
            else:
                self.ready.append(held.message())
        elif len(self.refusing) >= MAX_REFUSING:
            self.ready.append(self.refusing.pop(next(iter(self.refusing))).message())
        self.refusing[process] = mail

    def _queued(self, when: bytes, key: bytes, event: bytes) -> None:
        found = _QUEUED.match(event)
        if found is not None:  # else "from=<...>, status=expired": nothing new
            mail = self._mail(when, key)
            mail.name_sender(found[1])
            mail.size = int(found[2])

    def _delivered(self, when: bytes, host: bytes, queue_id: bytes, event: bytes) -> None:
        found = _DELIVERED.match(event)
        if found is None:
            return
        to, bare_to, asked, bare_asked, relay, delay, status, response = found.groups()
        key = host + b" " + queue_id
        mail = self.open.get(key)
        if mail is None:
            mail = self._mail(when, key)
            if mail.received_at is not None:
                mail.received_at -= int(float(delay.strip(b".").split(b".")[0] or b"0") * 1_000_000)
        # What the sender asked for stands in orig_to where an alias or a canonical map rewrote it.
        mail.add_recipient(asked or bare_asked or to or bare_to or b"")
        mail.probe = mail.probe or status.startswith((b"deliverable", b"undeliverable"))
        if status == b"sent" and (passed := _QUEUED_AS.search(response, max(0, len(response) - 200))):
            self._join(relay, passed[1])

    def _join(self, relay: bytes, queue_id: bytes) -> None:
        """Make the mail that *relay* handed back under *queue_id* part of the one it was.

        The reply is a stranger's text where the relay is a stranger: a server out there could name any
        queue id to hide another mail. So both the relay and that mail's client must be our own.
        """
        found = _RELAY.match(relay)
        if found is None or not _ours(ip_of(found[1])):
            return
        for host in self.hosts:
            key = host + b" " + queue_id
            inner = self.open.get(key)
            if inner is not None and _ours(inner.ip):
                inner.joined = True
            elif (settled := self.settling.get(key)) is not None and _ours(settled.ip):
                del self.settling[key]

    def _removed(self, key: bytes) -> None:
        mail = self.open.pop(key, None)
        if mail is None or mail.joined or mail.probe:
            return
        if not mail.began:
            mail.defects.append("log-incomplete")
        if earlier := self.settling.pop(key, None):
            self.ready.append(earlier.message())
        self.settling[key] = mail
        if len(self.settling) > SETTLING:
            self.ready.append(self.settling.pop(next(iter(self.settling))).message())


def _ours(ip: str | None) -> bool:
    return ip is not None and is_inner_address(ip)
