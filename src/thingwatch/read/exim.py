"""Read an Exim main log: one Message per mail, from its arrival, delivery and rejection lines.

Exim specification, chapter "Log files", with any log_selector.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from thingwatch.model import Message, Skip
from thingwatch.read import logtime
from thingwatch.read.field import MAX_LINE_BYTES, cleaned, lines_of, message_id_of, subject_of
from thingwatch.read.logtime import SyslogClock, time_of
from thingwatch.read.underway import MAX_OPEN, Underway

MAX_FIELDS = 64  # of an arrival line; Exim writes about 20

# Exim 4.97 and later write the longer form.
_ID = rb"[0-9A-Za-z]{6}-[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4}"
_OWN_TIME = rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?(?: [+-]\d\d:?\d\d)?"
_LINE = re.compile(
    rb"(?:(?:<\d{1,3}>)?(?:1 )?("
    + logtime.TIME
    + rb") \S+ exim[\w.-]*(?:\[\d+\]:|:| \d+ \S+ (?:-|\[.*?\])) )?"
    rb"(?:(" + _OWN_TIME + rb") )?(?:\[(\d+)\] )?(?:(" + _ID + rb") )?"
    rb"(?:(<=|=>|->|>>|\*\*|==) (.*)|(Completed)|(H=.*))",
    re.DOTALL,
)
_ADDRESS = rb'(?:"(?:[^"\\]|\\.)*+"|[^\s"<>])++'
_SENDER = re.compile(rb"(<>|" + _ADDRESS + rb")(?= |$)")
# The name is there when DNS vouches for it, the bracketed one is what HELO said. Exim refuses a HELO with
# brackets or spaces; under helo_accept_junk_hosts one could imitate the address that follows it.
_HOST = re.compile(rb" ?H=(?:([^\s(\[]+) )?(?:\(([^)]*)\) )?\[([0-9A-Fa-f:.]+)\](?::\d+)?")
_FIELD = re.compile(rb' ([A-Za-z0-9]{1,4})=("(?:[^"\\]|\\.)*+"|<(?:"(?:[^"\\]|\\.)*+"|[^"<>])*+>|\S*)')
_FROM = re.compile(rb" from <[^>]*>")
_VERDICT = re.compile(
    rb" (?:temporarily )?rejected (?:RCPT <?(" + _ADDRESS + rb")>?(?=[:,\s]|$)|[A-Z]|after DATA)"
)
_RECIPIENT = re.compile(rb"(" + _ADDRESS + rb")(?: <(" + _ADDRESS + rb")>)?(?= |$|:)")


def exim(lines: Iterable[bytes], place: str) -> Iterator[Message | Skip]:
    """Read an Exim main log: one Message per mail, and one per refused attempt with defect "rejected".

    Takes a binary stream or lines, and the log's name for ``Message.place`` ("mainlog:17", the line where
    the mail began). Times without offset are taken as UTC; a syslog time without a year leaves
    ``received_at`` None and the defect "year-unknown". Recipients are those after "for" where they are
    logged, else those of the deliveries, as the sender wrote them.

    Defects: "submission" (authenticated, so not from outside), "rejected", "log-incomplete",
    "too-many-recipients". Yields Skip(..., "line-too-long") and never raises for what a line says.
    """
    clock = SyslogClock(None)
    open_: dict[bytes, Underway] = {}
    refused: tuple[bytes, Underway] | None = None
    for number, line in enumerate(lines_of(lines), 1):
        found = _LINE.match(line)
        if found is None or not (found[1] or found[2]):
            if len(line) > MAX_LINE_BYTES:
                yield Skip(f"{place}:{number}", "line-too-long")
            continue
        when, own, _pid, exim_id, flag, rest, completed, host = found.groups()
        if host is not None:
            mail = _refusal(host, _begun(f"{place}:{number}", when, own, clock))
            if mail is None:
                continue
            # Recipients refused one after the other with an equal line beginning are one mail.
            session = host[: host.find(b" rejected ")]
            if refused and refused[0] == session and b" rejected RCPT " in host:
                for address in mail.rcpt_to:
                    refused[1].add_recipient(address.encode())
                continue
            if refused:
                yield refused[1].message()
            refused = (session, mail)
            if exim_id:  # refused after DATA: the id is not used again
                open_.pop(exim_id, None)
        elif exim_id is None:
            continue
        elif flag == b"<=":
            if exim_id in open_:
                yield open_.pop(exim_id).message("log-incomplete")
            elif len(open_) >= MAX_OPEN:
                yield open_.pop(next(iter(open_))).message("log-incomplete")
            mail = open_[exim_id] = _begun(f"{place}:{number}", when, own, clock)
            mail.began = True
            _arrived(rest, mail)
        elif completed:
            if gone := open_.pop(exim_id, None):
                yield gone.message() if gone.began else gone.message("log-incomplete")
        else:
            known = open_.get(exim_id)
            if known is None:
                if len(open_) >= MAX_OPEN:
                    yield open_.pop(next(iter(open_))).message("log-incomplete")
                known = open_[exim_id] = _begun(f"{place}:{number}", when, own, clock)
            _delivered(rest, known)
    if refused:
        yield refused[1].message()
    for mail in open_.values():
        yield mail.message("log-incomplete")


def _begun(place: str, when: bytes | None, own: bytes | None, clock: SyslogClock) -> Underway:
    # Exim's own time is the finer one, and has a year.
    received_at = time_of(own.decode()) if own else clock.read(when or b"")
    mail = Underway(place, received_at)
    if received_at is None:
        yearless = own is None and when is not None and when[:1].isalpha()
        mail.defects.append("year-unknown" if yearless else "time-malformed")
    return mail


def _name_host(found: re.Match[bytes], mail: Underway) -> None:
    name, helo, ip = found.groups()
    mail.name_client(name or b"", ip)
    # A name that stands alone was HELO's as well, and DNS agreed.
    mail.helo = cleaned(helo if helo is not None else name or b"")


def _fields(text: bytes, position: int, mail: Underway) -> tuple[dict[bytes, bytes], int]:
    """The "X=value" fields from *position* on, in Exim's order; a name's first value is the true one.

    What a stranger fills in (SNI=, id=, T=) comes after what it could imitate.
    """
    fields: dict[bytes, bytes] = {}
    for _ in range(MAX_FIELDS):
        if b"H" not in fields and (host := _HOST.match(text, position)):
            fields[b"H"] = b""
            _name_host(host, mail)
            position = host.end()
        elif found := _FIELD.match(text, position):
            fields.setdefault(found[1], found[2])
            position = found.end()
        else:
            break
    return fields, position


def _arrived(rest: bytes, mail: Underway) -> None:
    sender = _SENDER.match(rest)
    if sender is None:
        return
    mail.name_sender(b"" if sender[1] == b"<>" else sender[1])
    fields, position = _fields(rest, sender.end(), mail)
    # RFC 3848: esmtpa, esmtpsa. Not A=: an id= without quotes could add one.
    if fields.get(b"P", b"").endswith(b"a") and mail.ip:
        mail.defects.append("submission")
    size = fields.get(b"S", b"")
    mail.size = int(size) if size.isdigit() and len(size) < 16 else 0
    mail.message_id = message_id_of(fields.get(b"id", b""))
    subject = fields.get(b"T", b"")
    if subject[:1] == b'"':
        mail.subject = subject_of(re.sub(rb"\\(.)", _unescaped, subject[1:-1]))
    if original := _FROM.match(rest, position):
        position = original.end()
    if rest.startswith(b" for ", position):
        mail.addressed = True
        for address in rest[position + 5 :].split():
            mail.add_recipient(address)


def _unescaped(found: re.Match[bytes]) -> bytes:
    return b" " if found[1] in b"nrt" else found[1]


def _delivered(rest: bytes, mail: Underway) -> None:
    found = _RECIPIENT.match(rest)
    if found is None:
        return
    # "=> user <user@example.org>": the address before aliases stands in the brackets.
    address = found[2] or found[1]
    if b"@" in address and not mail.addressed:
        mail.add_recipient(address)


def _refusal(host: bytes, mail: Underway) -> Underway | None:
    """The attempt that an "H=... rejected ..." line tells of; None for any other line about a host."""
    fields, position = _fields(host, 0, mail)
    verdict = _VERDICT.match(host, position)
    if verdict is None or mail.ip is None:
        return None
    sender = fields.get(b"F")
    if sender is not None:
        mail.name_sender(sender[1:-1] if sender[:1] == b"<" else sender)
    if verdict[1]:
        mail.add_recipient(verdict[1].rstrip(b":,"))
    mail.defects.append("rejected")
    return mail
