"""Every noun of the flow on one page.

The records made once per mail are named tuples, not dataclasses: they are as frozen, and a million of
them cost a quarter of the time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Session(NamedTuple):
    """One SMTP connection as the user's own border saw it; None means it was not recorded."""

    received_at: int | None = None  # microseconds since 1970, UTC, by the border's clock
    client_ip: str | None = None  # who connected to the border, canonical text; never a header's claim
    helo: str | None = None  # cleaned, for comparison
    ptr: str | None = None  # the name the border found for client_ip
    mail_from: str | None = None  # envelope sender, "" for the null sender of bounces
    rcpt_to: tuple[str, ...] = ()  # envelope recipients
    size: int | None = None  # bytes, as the log said


class RawMail(NamedTuple):
    """One mail as bytes, and what was written down beside it."""

    raw: bytes
    place: str  # where it stands: "inbox.mbox@10432" (byte offset) or "mail.tar:new/17.eml"
    session: Session | None = None  # from columns beside the mail; wins over what headers say


class Skip(NamedTuple):
    """A piece of input we could not read as mail; counted and named, never silent."""

    place: str
    reason: str  # one of the names in docs/inputs.md: "empty", "truncated-gzip", ...


class Attachment(NamedTuple):
    """One part of a mail that is not its text."""

    media_type: str  # lower case, "image/png"
    filename: str  # decoded, cleaned, "" when none
    content: bytes  # decoded, cut at max_attachment_bytes
    size: int  # decoded size before cutting


class Authentication(NamedTuple):
    """What the border's own checks said; "" where it said nothing. Values of RFC 8601, section 2.7."""

    spf: str = ""
    dkim: str = ""
    dmarc: str = ""
    domain: str = ""  # the domain that passed (DKIM d= first, then SPF), lower case


class Message(NamedTuple):
    """One delivered mail, read as far as it goes. Text from the sender is cleaned unless it is bytes."""

    place: str
    message_id: str = ""  # without angle brackets
    received_at: int | None = None  # microseconds since 1970, UTC, by the border's clock
    client_ip: str | None = None  # canonical text of who connected to the border
    helo: str = ""
    ptr: str = ""
    mail_from: str = ""  # envelope sender or Return-Path, lower case
    null_sender: bool = False  # the envelope sender was <>: a bounce or another automatic answer
    header_from: str = ""  # address in From:, lower case
    from_name: str = ""  # display name in From:
    rcpt_to: tuple[str, ...] = ()  # envelope recipients, else Delivered-To, else To:, lower case
    subject: str = ""
    headers: tuple[tuple[bytes, bytes], ...] = ()  # the sender's own, in order: (name, raw value)
    text: bytes = b""  # text/plain parts as UTF-8, bounded
    html: bytes = b""  # text/html parts as UTF-8, bounded
    mime_tree: str = ""  # "multipart/alternative(text/plain,text/html)"
    attachments: tuple[Attachment, ...] = ()
    authentication: Authentication = Authentication()
    list_id: str = ""  # List-Id (RFC 2919), lower case
    reply: bool = False  # In-Reply-To or References present
    automatic: bool = False  # delivery report or Auto-Submitted other than "no" (RFC 3464, RFC 3834)
    size: int = 0  # bytes of the whole mail
    logged: bool = False  # known from a log or export only: there was no body to read
    defects: tuple[str, ...] = ()  # breaches of format, by name
    system: str = ""  # what the border's TCP fingerprint said of the client; "" where it noted none


# What a sighting can speak of, and whose word it is. "front": what answers at the address; "sender": what made the
# connection that brought the mail; "any": some host behind the address; "network": the line, whoever sits there.
SIGHTING_KINDS: dict[str, str] = {
    # texts that device rules read
    "banner": "front",  # raw, of a protocol without a kind of its own
    "http.server": "front",
    "http.title": "front",
    "http.realm": "front",  # of WWW-Authenticate
    "http.body": "front",
    "http.cookie": "front",
    "http.favicon_md5": "front",
    "telnet.banner": "front",
    "ftp.banner": "front",
    "ssh.banner": "front",
    "smtp.banner": "front",
    "imap.banner": "front",
    "pop.banner": "front",
    "snmp.sysdescr": "front",
    "snmp.sysobjectid": "front",
    "upnp.server": "front",
    "upnp.device": "front",  # friendly name, model or unique service name
    "rtsp.server": "front",
    "sip.user_agent": "front",
    "tls.subject": "front",
    "tls.issuer": "front",
    "mdns.name": "front",
    "cwmp.server": "front",
    "netbios.name": "front",
    "device.label": "front",  # another program's word: "type<TAB>vendor<TAB>model", in that program's vocabulary
    "os.label": "front",
    # facts about the front
    "port.open": "front",  # value: the protocol spoken there, "" when unknown
    "front.silent": "front",  # a scan that covered the address got no answer
    "exposure": "front",  # value: a name of taxonomy.json's exposures
    "default.credentials": "front",  # a report says so; the credentials themselves are never kept
    "mac.address": "front",
    # facts about the sender
    "tcp.syn": "sender",  # p0f's raw_sig: ver:ittl:olen:mss:wsize,scale:olayout:quirks:pclass
    "tcp.muonfp": "sender",  # window:options:mss:scale
    "tcp.os": "sender",  # another program's reading of the SYN, as text
    "tcp.sharing": "sender",  # several systems seen on one address; value: why
    "smtp.helo": "sender",
    "smtp.rtt": "sender",  # "ratio extra_ms": SMTP round trip over TCP round trip, and their difference
    "outcome": "sender",  # an abuse desk's finding: thing_self, thing_relay, nat_pc, mobile, server
    # facts about some host behind the address
    "infection": "any",  # value: family
    "proxy": "any",  # value: socks4, socks5, http, residential ...
    # facts about the line; ``ip`` may be a range
    "network.type": "network",  # residential, mobile, business, hosting, shared (carrier NAT)
    "listed": "network",  # value: the list's name; ``at``: first listed
}
MAX_SIGHTING_CHARS = 8192  # of a value; banners of real devices stay below 4 kB


class Sighting(NamedTuple):
    """One dated fact about an address, from evidence that did not come in a mail."""

    ip: str  # canonical text of an address; for kinds about a network also a range in CIDR notation
    kind: str  # a name of SIGHTING_KINDS
    value: str  # cleaned text, at most MAX_SIGHTING_CHARS
    at: int | None  # microseconds since 1970, UTC; None when the row says no time
    port: int | None
    transport: str  # "tcp", "udp" or ""
    source: str  # who says so: "shadowserver:scan_telnet", "nmap", "p0f"
    place: str  # file and line: "scans/telnet.csv@17"; lines count from 1, the header's too


class Label(NamedTuple):
    """What a rule reads in one text: which device answers there, and how far to believe it."""

    device_class: str | None  # a class of taxonomy.json; None where only the parent is earned
    parent: str  # "thing", "conventional", "infrastructure" or "unknown"
    vendor: str  # "" when the text does not tell
    model: str
    confidence: float  # that the class (or, without one, the parent) is right; 0 to 1
    rule: str  # the rule's id, to be looked up
    matched: str  # the piece of text it matched, cleaned and short


class Family(StrEnum):
    """What a key speaks of; likeness is capped per family so that no one trait decides alone."""

    TEXT = "text"
    SUBJECT = "subject"
    LINK = "link"
    ATTACHMENT = "attachment"
    LAYOUT = "layout"
    CLIENT = "client"
    ENVELOPE = "envelope"


class Verdict(StrEnum):
    """What a campaign is. Not knowing is a verdict of its own."""

    ATTACK = "attack"
    BULK = "bulk"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a fact stands, so that a reader can walk back to it."""

    where: str  # "messages.parquet: received_at" or "header:Received[0]"
    value: str


@dataclass(frozen=True, slots=True)
class Reason:
    """A named push on a judgement, in bits: one bit doubles the odds."""

    name: str
    weight: float
    sentence: str
    evidence: tuple[Evidence, ...] = ()


Z90 = 1.6448536269514722  # of a normal: 90 % lie within so many standard deviations


def wilson(numerator: int, denominator: int) -> tuple[float, float]:
    """Wilson's score interval, 90 % (Wilson 1927); 0 to 1 when there is nothing to count."""
    if denominator <= 0:
        return 0.0, 1.0
    p, z2 = min(1.0, max(0.0, numerator / denominator)), Z90 * Z90
    centre = (p + z2 / (2 * denominator)) / (1 + z2 / denominator)
    half = Z90 / (1 + z2 / denominator) * math.sqrt(p * (1 - p) / denominator + z2 / (4 * denominator**2))
    return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True, slots=True)
class Share:
    """A share that says what it is a share of. The interval is Wilson's, 90 %, unless basis says else."""

    numerator: int
    denominator: int
    unit: str  # "messages", "sources"
    unknown: int  # of the denominator, those nothing is known about
    low: float  # 0 to 1
    high: float
    basis: str  # where the numbers come from, one sentence
