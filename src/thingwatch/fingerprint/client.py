"""How the sender's software speaks: traits that stay when text, links and addresses are changed.

A program that makes mail leaves its hand in the order and casing of the headers it writes, in how it
spells Message-ID, Date and MIME boundaries, and in the mailer it claims to be (compare B@bel, Stringhini et
al., USENIX Security 2012, who do the same for SMTP itself). Only headers below the border's Received line
count: what our own side adds says nothing about the sender.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from thingwatch.model import Message

# Headers nearly every program writes, whatever the mail is about. Their order and casing is the hand.
# Content-Transfer-Encoding is left out: it depends on the body, not on the program.
_STANDARD = frozenset(
    b"from to subject date message-id mime-version content-type x-mailer user-agent x-priority "
    b"x-msmail-priority x-mimeole importance organization thread-index thread-topic accept-language "
    b"content-language x-originating-ip priority x-accept-language".split()
)
# Written by hosts on the way, never by the program that made the mail.
_ON_THE_WAY = re.compile(
    rb"(?:received|dkim-|domainkey-|arc-|authentication-|return-path|delivered-|envelope-|x-ms-|x-microsoft|"
    rb"x-forefront|x-spam|x-virus|x-google|x-gm-|x-received|x-eop|x-sid|x-sender|x-original|x-amavis|"
    rb"x-mailman|list-|precedence|errors-to|resent-|status|x-status|x-uid|x-keywords|content-length|lines|"
    rb"sender|cc|bcc|reply-to|in-reply-to|references|content-transfer-encoding)"
)
MAX_NAME_BYTES = 2000  # names of headers, together, that are worth remembering; a mail has 100 to 600
MAX_HEADERS = 120  # headers that count as habit; a mail has 8 to 40
_BOUNDARY = re.compile(rb"boundary\s*=\s*(\"?)([^\";\r\n]*)", re.IGNORECASE)
_CHARSET = re.compile(rb"charset\s*=\s*(\"?[^\";\s]*)", re.IGNORECASE)
_DIGITS = re.compile(rb"[0-9]+")
_BLANKS = re.compile(rb"[ \t\r\n]+")


class ClientTraits(NamedTuple):
    """The hand behind one mail, as bytes to be hashed; readable, so that they can be shown."""

    order: bytes  # standard headers as written, in order
    extras: bytes  # the other headers the program wrote, sorted, numbers blurred
    message_id: bytes  # Message-ID with its domain replaced by what it equals
    date: bytes  # Date with the zone's sign folded
    mailer: bytes  # claimed mailer, numbers blurred
    mime_form: bytes  # how Content-Type is written, folded and quoted
    boundary: bytes
    from_form: bytes  # how From is written: quoted, bare, encoded


class _Habits(NamedTuple):
    order: bytes
    extras: bytes
    places: dict[bytes, int]  # lower-case name → its first place among the headers


def _header_habits(names: tuple[bytes, ...]) -> _Habits:
    order, extras = [], set()
    places: dict[bytes, int] = {}
    for at, name in enumerate(names):
        low = name.lower()
        places.setdefault(low, at)
        if at >= MAX_HEADERS:
            continue
        if low in _STANDARD:
            order.append(name)
        elif not _ON_THE_WAY.match(low):
            extras.add(_DIGITS.sub(b"9", name[:60]))
    return _Habits(b" ".join(order), b" ".join(sorted(extras)[:20]), places)


_known_habits = lru_cache(maxsize=8192)(_header_habits)


@lru_cache(maxsize=4096)
def _mailer_form(mailer: bytes) -> bytes:
    return _DIGITS.sub(b"9", _BLANKS.sub(b" ", mailer.strip()))


def _id_domain(domain: bytes, message: Message) -> bytes:
    """What a Message-ID's domain equals; the domain itself changes with the forged sender."""
    text = domain.decode("latin-1").lower()
    if not text:
        return b"none"
    if (message.header_from or message.mail_from).endswith("@" + text):
        return b"from"
    if text == message.helo.lower():
        return b"helo"
    if any(rcpt.endswith("@" + text) for rcpt in message.rcpt_to[:3]):
        return b"rcpt"
    if text[0] == "[" or text[-1].isdigit():
        return b"address"
    return b"name" if "." in text else b"label"


def client_traits(message: Message) -> ClientTraits:
    """The hand behind *message*; empty fields where it shows none (a log line has no headers)."""
    headers = message.headers
    names = tuple([name for name, _ in headers])
    # Only headers of common size are remembered: a stranger could fill the memory with others.
    common = len(names) <= MAX_HEADERS and len(b"".join(names)) <= MAX_NAME_BYTES
    habits = _known_habits(names) if common else _header_habits(names)
    order, extras, places = habits

    def value(name: bytes) -> bytes:
        at = places.get(name)
        return b"" if at is None else headers[at][1]

    raw_id = value(b"message-id") or message.message_id.encode("utf-8", "replace")
    local, _, domain = raw_id.strip().rpartition(b"@")
    message_id = local + b"@" + _id_domain(domain.rstrip(b"> \t"), message) if raw_id else b""
    content_type = value(b"content-type")[:400]
    boundary = b""
    form = content_type
    found = _BOUNDARY.search(content_type)
    if found:
        boundary = found[2]
        form = content_type[: found.start(2)] + content_type[found.end(2) :]
    else:
        found = _CHARSET.search(content_type)
        if found:
            form = content_type[: found.start(1)] + found[1].lower()[:12]
    sender = value(b"from").strip()
    if sender[:1] == b'"':
        from_form = b"quoted"
    elif sender[:2] == b"=?":
        from_form = b"encoded"
    elif b"<" in sender:
        from_form = b"named" if sender[:1] != b"<" else b"angle"
    else:
        from_form = b"bare"
    mailer = value(b"x-mailer") or value(b"user-agent")
    return ClientTraits(
        order,
        extras,
        message_id,
        value(b"date").replace(b"-", b"+")[:80],
        _mailer_form(mailer[:120]),
        form,
        boundary,
        from_form if message.headers else b"",
    )


# Programs that run on one kind of system only, by what they call themselves. A claim, and easily forged. Outlook runs
# on telephones and on the Mac too and says so there, so they are asked first.
_CLAIMS = (
    ("other", re.compile(rb"android|blackberry|symbian", re.I)),
    ("apple", re.compile(rb"apple mail|iphone|ipad|outlook-ios|macoutlook|entourage|macos|mac os", re.I)),
    (
        "windows",
        re.compile(rb"outlook|windows|the bat!|incredimail|foxmail|eudora.{0,20}win|pegasus|\bbecky\b", re.I),
    ),
)


@lru_cache(maxsize=4096)
def claimed_system(mailer: bytes) -> str:
    """The system a mail's program says it runs on: "windows", "apple", "other", or "" where it names no program."""
    if not mailer:
        return ""
    for name, pattern in _CLAIMS:
        if pattern.search(mailer):
            return name
    return "other"


NO_NAME, ADDRESS_NAME, OTHER_NAME = (
    0,
    1,
    2,
)  # what an address is called: nothing, after itself, or something else
_DIGIT_RUNS = re.compile(r"[0-9]+")


@lru_cache(maxsize=65536)
def line_of(ptr: str, client_ip: str | None) -> int:
    """Whether the name of *client_ip* is made from its own digits, as names of customers' lines are."""
    if not ptr or not client_ip:
        return NO_NAME
    if ":" in client_ip:
        return OTHER_NAME
    octets = client_ip.split(".")
    named = ptr.lower()
    runs = {run.lstrip("0") or "0" for run in _DIGIT_RUNS.findall(named)}
    if octets[3] in runs and octets[2] in runs:
        return ADDRESS_NAME
    # Some networks write the address in hexadecimal or without separators.
    low = int(octets[2]), int(octets[3])
    tight = f"{low[0]:03d}{low[1]:03d}", f"{low[0]:02x}{low[1]:02x}"
    return ADDRESS_NAME if any(form in named for form in tight) else OTHER_NAME
