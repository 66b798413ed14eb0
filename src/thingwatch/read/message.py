"""Read one mail as far as it goes: the front door of everything that looks inside a mail."""

from __future__ import annotations

import re

from thingwatch.model import Authentication, Message, RawMail, Session
from thingwatch.read.authentication import read_authentication
from thingwatch.read.charset import clean, header_text, plain_text
from thingwatch.read.hop import Hop, canonical_address, recipient_of
from thingwatch.read.mime import Header, split_headers, unify_line_ends, walk_body
from thingwatch.read.part import PartHead, part_head
from thingwatch.read.received import Border, Crossing, find_crossing
from thingwatch.read.system import system_of

MAX_RECIPIENTS = 100  # what RFC 5321, 4.5.3.1.8 asks a server to take at least
MAX_ADDRESS_CHARS = 320  # 64 + 1 + 255, RFC 5321, 4.5.3.1

_ADDRESSES = re.compile(r"""[^\s<>,;:"()\[\]]{1,64}@[^\s<>,;:"()]{1,255}""")
_CLIENT_IN_SPF = re.compile(rb"\bclient-ip\s*=\s*\"?([0-9A-Fa-f.:]{3,45})")
_NO_SESSION = Session()
_NO_AUTHENTICATION = Authentication()
_NO_HEAD = PartHead()
_IN_FLIGHT = Crossing(Hop(), -1, -1, None)
_CHECK_FIELDS = (b"authentication-results", b"received-spf", b"arc-authentication-results")
# Written by the server that took the mail in, where its own line may be missing or unreadable.
_CLIENT_FIELDS = (b"x-originating-ip", b"x-sender-ip", b"x-client-ip", b"x-remote-ip")
_RECIPIENT_FIELDS = (b"x-original-to", b"delivered-to", b"envelope-to", b"x-envelope-to")


def read_message(mail: RawMail, border: Border | None) -> Message:
    """Read *mail*; *border* says which servers are the user's own (empty: found in the mail).

    None: the mail is in flight and no server of ours has written in it yet, so that every header is the
    sender's, a Received line that names the client too.

    Never raises: what is wrong with the mail is named in ``Message.defects``. What ``mail.session``
    says wins over every header. The headers down to the border's own Received line are the border's
    part and evidence; those below are the sender's, and are kept as ``Message.headers``.
    """
    defects: list[str] = []
    raw, defect = unify_line_ends(mail.raw)
    if defect:
        defects.append(defect)
    if b"\0" in raw:
        defects.append("nul-byte")
    headers, body_start = split_headers(raw, defects)
    session = mail.session or _NO_SESSION
    client_ip = canonical_address(session.client_ip) if session.client_ip else None

    received = [k for k, (name, _) in enumerate(headers) if len(name) == 8 and name.lower() == b"received"]
    crossing = (
        _IN_FLIGHT if border is None else find_crossing([headers[k][1] for k in received], border, client_ip)
    )
    if crossing.defects:
        defects += crossing.defects
    ours = received[crossing.inner_line] + 1 if crossing.inner_line >= 0 else 0
    own, above = headers[ours:], headers[:ours]
    # The first of a repeated field counts, the sender's own before those above the border's line.
    field = {name.lower(): value for name, value in above[::-1] + own[::-1]}
    get = field.get
    border_part = [(name.lower(), value) for name, value in above] if ours > 1 else []

    hop = crossing.hop
    authentication = _NO_AUTHENTICATION
    if border_part:
        checks: dict[bytes, list[bytes]] = {}
        for name, value in border_part:
            if name in _CHECK_FIELDS:
                checks.setdefault(name, []).append(value)
        if checks:
            authentication = read_authentication(*(checks.get(name, []) for name in _CHECK_FIELDS))
        if client_ip is None and hop.peer is None:
            client_ip = _client_above(border_part)
    mail_from, null_sender = _sender(session, border_part, get(b"return-path"))
    border_line = headers[received[crossing.line]][1] if crossing.line >= 0 else b""

    encoding = get(b"content-transfer-encoding", b"")
    content_type = get(b"content-type", b"")
    disposition = get(b"content-disposition", b"")
    head = part_head(content_type, encoding, disposition) if content_type or encoding else _NO_HEAD
    body = walk_body(raw, body_start, head, defects)
    automatic = (
        head.media_type == "multipart/report"
        or b"x-failed-recipients" in field
        or not get(b"auto-submitted", b"no").strip().lower().startswith(b"no")
    )
    header_from, from_name = _mailbox(get(b"from", b""))
    list_id = get(b"list-id")
    return Message(
        mail.place,
        _message_id(get(b"message-id", b"")),
        session.received_at if session.received_at is not None else crossing.received_at,
        client_ip or hop.peer,
        clean(session.helo) if session.helo is not None else hop.helo,
        clean(session.ptr).lower() if session.ptr is not None else hop.ptr,
        mail_from,
        null_sender,
        header_from,
        from_name,
        _recipients(session, border_part, border_line, get(b"to", b"")),
        header_text(get(b"subject", b"")),
        tuple(own),
        body.text,
        body.html,
        body.tree,
        body.attachments,
        authentication,
        _list_id(list_id) if list_id else "",
        b"in-reply-to" in field or b"references" in field,
        automatic,
        len(mail.raw) if session.size is None else session.size,
        False,
        tuple(dict.fromkeys(defects)) if defects else (),
        system_of(border_part) if border_part else "",
    )


def _client_above(border_part: list[Header]) -> str | None:
    """The client from fields the border wrote above its own line, where that line does not name it."""
    for name, value in border_part:
        address = None
        if name == b"received-spf":
            if m := _CLIENT_IN_SPF.search(value):
                address = canonical_address(m[1].decode("latin-1"))
        elif name in _CLIENT_FIELDS:
            address = canonical_address(value[:60].decode("latin-1").strip(" []\t"))
        if address:
            return address
    return None


def _sender(session: Session, border_part: list[Header], return_path: bytes | None) -> tuple[str, bool]:
    """The envelope sender in lower case, and whether it was the null sender (RFC 5321, 4.5.5)."""
    if session.mail_from is not None:
        address = session.mail_from.strip("<> ").lower()[:MAX_ADDRESS_CHARS]
        return address, not address
    value = return_path
    for name, above in border_part:
        if name == b"return-path":
            value = above
            break
    if value is None:
        return "", False
    address = plain_text(value, MAX_ADDRESS_CHARS).strip("<> ").lower()
    # sendmail writes its own name where the envelope said <>.
    return address, address in ("", "mailer-daemon")


def _mailbox(value: bytes) -> tuple[str, str]:
    """The address, in lower case, and the display name of a From: field (RFC 5322, 3.6.2)."""
    opened = value.rfind(b"<", 0, 4000)
    if opened >= 0:
        closed = value.find(b">", opened)
        name = value[:opened].strip()
        if name[:1] == b'"' and name[-1:] == b'"':
            name = name[1:-1].replace(b'\\"', b'"')
        address = value[opened + 1 : closed if closed >= 0 else opened + MAX_ADDRESS_CHARS]
    else:
        address, _, comment = value[:4000].strip().partition(b" (")
        name = comment.rstrip(b") \t\n")
    text = plain_text(address, MAX_ADDRESS_CHARS).lower()
    return text.replace(" ", ""), header_text(name) if name else ""


def _message_id(value: bytes) -> str:
    text = plain_text(value)
    opened = text.find("<")
    if opened >= 0:
        text = text[opened + 1 :].partition(">")[0]
    return text.strip()


def _list_id(value: bytes) -> str:
    """The identifier between the angle brackets (RFC 2919, section 2), in lower case."""
    text = plain_text(value).lower()
    inside = text.rpartition("<")[2].partition(">")[0]
    return inside or text


def _recipients(
    session: Session, border_part: list[Header], border_line: bytes, to: bytes
) -> tuple[str, ...]:
    """Who the mail was for: the session's word, the border's fields, its "for" clause, then To:."""
    if session.rcpt_to:
        return tuple(dict.fromkeys(address.lower() for address in session.rcpt_to[:MAX_RECIPIENTS]))
    for name, value in border_part:
        if name in _RECIPIENT_FIELDS:
            found = _ADDRESSES.findall(value[:1000].decode("utf-8", "replace").lower())
            if found:
                return (found[0],)
    recipient = recipient_of(border_line) if border_line else ""
    if recipient:
        return (recipient,)
    found = _ADDRESSES.findall(to.decode("utf-8", "replace").lower())
    return tuple(dict.fromkeys(found[:MAX_RECIPIENTS]))
