"""Mail as other tools export it: Zeek, rspamd, Microsoft 365 and Defender records, one Message per mail.

Bodies are unknown. Where an export has a row per recipient (Microsoft), the rows of one mail that stand
near each other become one Message with all its recipients. Nothing here raises for what a row says: a row
that cannot be read is a Skip("place:line", reason).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from thingwatch.model import Authentication, Message, Skip
from thingwatch.read.field import (
    MAX_FIELD_CHARS,
    MAX_RECIPIENTS,
    address_of,
    cleaned,
    domain_of,
    ip_of,
    message_id_of,
    named_address,
    subject_of,
)
from thingwatch.read.logtime import time_of
from thingwatch.read.maillog import exim, postfix
from thingwatch.read.records import Bad, Row, csv_rows, json_rows, sniffed, zeek_rows

MAX_WAITING = 10_000  # mails that may still gain a recipient from a later row
MAX_SYMBOLS = 1_000  # of an rspamd result; it writes 20 to 60
MAX_SIZE = 1 << 40  # bytes; above this a size is nonsense

_OUTBOUND = {"outbound", "intra-org", "intraorg", "originating", "2"}  # Microsoft's words for our own mail
_RESULTS = {
    "pass",
    "fail",
    "softfail",
    "neutral",
    "none",
    "temperror",
    "permerror",
    "policy",
    "bestguesspass",
}
_SPF = {
    "R_SPF_ALLOW": "pass",
    "R_SPF_FAIL": "fail",
    "R_SPF_SOFTFAIL": "softfail",
    "R_SPF_NEUTRAL": "neutral",
    "R_SPF_NA": "none",
    "R_SPF_DNSFAIL": "temperror",
    "R_SPF_PERMFAIL": "permerror",
}
_DKIM = {
    "R_DKIM_ALLOW": "pass",
    "R_DKIM_REJECT": "fail",
    "R_DKIM_TEMPFAIL": "temperror",
    "R_DKIM_PERMFAIL": "permerror",
    "R_DKIM_NA": "none",
}
_DMARC = {
    "DMARC_POLICY_ALLOW": "pass",
    "DMARC_POLICY_ALLOW_WITH_FAILURES": "pass",
    "DMARC_POLICY_REJECT": "fail",
    "DMARC_POLICY_QUARANTINE": "fail",
    "DMARC_POLICY_SOFTFAIL": "fail",
    "DMARC_DNSFAIL": "temperror",
    "DMARC_BAD_POLICY": "permerror",
    "DMARC_NA": "none",
}


def zeek(stream: Iterable[bytes], place: str) -> Iterator[Message | Skip]:
    """Read a Zeek smtp.log, TSV with its #fields line or JSON lines.

    Zeek sees the client's own words, and every SMTP connection that passes it, outgoing ones too; a
    session without sender and recipient is Skip(..., "no-envelope"). X-Originating-IP is the sender's
    claim and is not used. A reply of 4xx or 5xx gives the defect "rejected".
    """
    head, stream = sniffed(stream)
    rows = json_rows(stream) if head.lstrip()[:1] in (b"{", b"[") else zeek_rows(stream)
    for row in rows:
        if isinstance(row, Bad):
            yield Skip(f"{place}:{row.number}", row.reason)
            continue
        get = row.get
        if not get("mailfrom") and not get("rcptto"):
            yield Skip(f"{place}:{row.number}", "no-envelope")
            continue
        header_from, from_name = named_address(_text(get("from")))
        defects = ["rejected"] if re.match(r"[45]\d\d", _text(get("last_reply"))) else []
        yield _message(
            f"{place}:{row.number}",
            _time(get("ts"), defects),
            defects,
            _list(get("rcptto")),
            sender=get("mailfrom"),
            client_ip=ip_of(_text(get("id.orig_h"))),
            helo=cleaned(_text(get("helo"))),
            message_id=message_id_of(_text(get("msg_id"))),
            header_from=header_from,
            from_name=from_name,
            subject=subject_of(_text(get("subject"))),
            reply=bool(get("in_reply_to")),
        )


def rspamd(stream: Iterable[bytes], place: str) -> Iterator[Message | Skip]:
    """Read rspamd results: history rows or metadata_exporter's JSON, one object a line or an array of them.

    The metadata format says no time: ``received_at`` is None then, with the defect "time-missing". An
    authenticated user gives "submission", the actions reject and soft reject give "rejected".
    """
    for row in json_rows(stream):
        if isinstance(row, Bad):
            yield Skip(f"{place}:{row.number}", row.reason)
            continue
        get = row.get
        sender = _known(get("sender_smtp", "from", "sender"))
        recipients = _list(get("rcpt_smtp", "rcpt", "recipients"))
        client_ip = ip_of(_text(get("ip")))
        if client_ip is None and not sender and not recipients:
            yield Skip(f"{place}:{row.number}", "no-envelope")
            continue
        defects = ["submission"] if _known(get("user")) else []
        if get("action") in ("reject", "soft reject"):
            defects.append("rejected")
        mime = get("sender_mime")
        header_from, from_name = named_address(_known(mime) or _known(_first(get("header_from"))))
        yield _message(
            f"{place}:{row.number}",
            _time(get("unix_time", "timestamp", "time", "time_real"), defects),
            defects,
            recipients,
            sender=sender,
            client_ip=client_ip,
            helo=cleaned(_known(get("helo"))),
            message_id=message_id_of(_known(get("message-id", "message_id"))),
            header_from=header_from,
            from_name=from_name,
            subject=subject_of(_known(get("subject"))),
            authentication=_symbols(get("symbols"), address_of(sender)),
            reply=get("is_reply") is True,
            size=_size(get("size")),
        )


def m365(stream: Iterable[bytes], place: str) -> Iterator[Message | Skip]:
    """Read a Microsoft 365 message trace: the cmdlet's CSV or the portal's historical search.

    Columns may stand in any order and any case; UTF-8 or UTF-16. JSON of the reporting service is read
    too. Mail that left us, or never left, gets the defect "submission".
    """
    return _joined(_m365(stream, place))


def _m365(stream: Iterable[bytes], place: str) -> Iterator[tuple[str, Message] | Skip]:
    for row in _csv_or_json(stream):
        if isinstance(row, Bad):
            yield Skip(f"{place}:{row.number}", row.reason)
            continue
        get = row.get
        received = get("received", "origin_timestamp_utc", "date_time_utc", "date (utc value)")
        sender = get("senderaddress", "sender_address", "sender address")
        status = _text(get("recipient_status", "recipient status"))
        # "a@example.org##Receive, Deliver;b@example.org##Receive, Fail"
        recipients = [part.partition("##")[0] for part in status.split(";", MAX_RECIPIENTS)] if status else []
        recipients = recipients or _list(get("recipientaddress", "recipient_address", "recipient address"))
        if not sender and not recipients:
            yield Skip(f"{place}:{row.number}", "no-envelope")
            continue
        direction = _text(get("directionality", "direction")).lower()
        defects = ["submission"] if direction in _OUTBOUND else []
        message_id = message_id_of(_text(get("messageid", "message_id", "message id")))
        key = _text(get("messagetraceid", "network_message_id", "message trace id"))
        yield (
            key and f"{key} {_text(sender)}",
            _message(
                f"{place}:{row.number}",
                _time(received, defects),
                defects,
                recipients,
                sender=sender,
                client_ip=ip_of(_text(get("fromip", "original_client_ip", "from ip"))),
                message_id=message_id,
                subject=subject_of(_text(get("subject", "message_subject"))),
                size=_size(get("size", "total_bytes")),
            ),
        )


def defender(stream: Iterable[bytes], place: str) -> Iterator[Message | Skip]:
    """Read Defender's EmailEvents: CSV, JSON lines or an array, bare or inside {"Results": [...]}.

    Mail that left us, or never left, gets the defect "submission"; DeliveryAction Blocked gives "rejected".
    """
    return _joined(_defender(stream, place))


def _defender(stream: Iterable[bytes], place: str) -> Iterator[tuple[str, Message] | Skip]:
    for row in _csv_or_json(stream):
        if isinstance(row, Bad):
            yield Skip(f"{place}:{row.number}", row.reason)
            continue
        # Azure's event hub wraps each row: {"time": ..., "category": ..., "properties": {...}}
        get = row.inside("properties").get
        sender = get("sendermailfromaddress")
        recipients = _list(get("recipientemailaddress"))
        if not sender and not recipients:
            yield Skip(f"{place}:{row.number}", "no-envelope")
            continue
        defects = ["submission"] if _text(get("emaildirection")).lower() in _OUTBOUND else []
        if _text(get("deliveryaction")).lower() == "blocked":
            defects.append("rejected")
        key = _text(get("networkmessageid"))
        header_from = address_of(_text(get("senderfromaddress")))
        yield (
            key and f"{key} {_text(sender)}",
            _message(
                f"{place}:{row.number}",
                _time(get("timestamp", "timestamp [utc]"), defects),
                defects,
                recipients,
                sender=sender,
                client_ip=ip_of(_text(get("senderipv4"))) or ip_of(_text(get("senderipv6"))),
                message_id=message_id_of(_text(get("internetmessageid"))),
                header_from=header_from,
                from_name=cleaned(_text(get("senderdisplayname"))),
                subject=subject_of(_text(get("subject"))),
                authentication=_details(get("authenticationdetails"), address_of(_text(sender)), header_from),
                size=_size(get("emailsize")),
            ),
        )


# By form name; each takes the stream and its place, and postfix the year as well.
READERS: dict[str, Callable[..., Iterator[Message | Skip]]] = {
    "postfix": postfix,
    "exim": exim,
    "zeek": zeek,
    "rspamd": rspamd,
    "m365": m365,
    "defender": defender,
}


def _joined(rows: Iterable[tuple[str, Message] | Skip]) -> Iterator[Message | Skip]:
    """Rows of one mail, told by an equal key, as one Message; in the order of the first row of each."""
    waiting: dict[str, Message] = {}
    for row in rows:
        if isinstance(row, Skip):
            yield row
            continue
        key, message = row
        known = waiting.get(key)
        if not key:
            yield message
        elif known is None:
            if len(waiting) >= MAX_WAITING:
                yield waiting.pop(next(iter(waiting)))
            waiting[key] = message
        elif len(known.rcpt_to) < MAX_RECIPIENTS:
            waiting[key] = known._replace(rcpt_to=tuple(dict.fromkeys(known.rcpt_to + message.rcpt_to)))
    yield from waiting.values()


def _message(
    place: str,
    received_at: int | None,
    defects: list[str],
    recipients: list[str],
    *,
    sender: object,
    **known: Any,
) -> Message:
    mail_from = address_of(_text(sender))
    if len(recipients) > MAX_RECIPIENTS:
        defects.append("too-many-recipients")
    rcpt_to = dict.fromkeys(address_of(recipient.strip()) for recipient in recipients[:MAX_RECIPIENTS])
    rcpt_to.pop("", None)
    return Message(
        place=place,
        received_at=received_at,
        mail_from=mail_from,
        null_sender=not mail_from and _text(sender).strip() == "<>",
        rcpt_to=tuple(rcpt_to),
        logged=True,
        defects=tuple(defects),
        **known,
    )


def _csv_or_json(stream: Iterable[bytes]) -> Iterator[Row | Bad]:
    head, stream = sniffed(stream)
    return json_rows(stream) if head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"[") else csv_rows(stream)


def _text(value: object) -> str:
    """A value of a row as bounded text; "" for anything that is not one value."""
    if isinstance(value, str):
        return value[: 4 * MAX_FIELD_CHARS]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return str(value) if abs(value) < 1e18 else ""


def _known(value: object) -> str:
    """The same, and rspamd's "unknown" is nothing."""
    text = _text(value)
    return "" if text == "unknown" else text


def _first(value: object) -> object:
    return value[0] if isinstance(value, list) and value else value


def _list(value: object) -> list[str]:
    if isinstance(value, list):
        return [_known(item) for item in value[: MAX_RECIPIENTS + 1]]
    return [text] if (text := _known(value)) else []


def _size(value: object) -> int:
    text = _text(value).strip().replace(",", "")
    return min(int(text), MAX_SIZE) if text.isascii() and text.isdigit() else 0


def _time(value: object, defects: list[str]) -> int | None:
    text = f"{value:.6f}" if isinstance(value, float) and abs(value) < 1e18 else _text(value)
    moment = time_of(text)
    if moment is None:
        defects.append("time-malformed" if text.strip() else "time-missing")
    return moment


def _symbols(symbols: object, sender: str) -> Authentication:
    """What rspamd's symbols say; a history row has them by name, the metadata format as a list."""
    if isinstance(symbols, list):
        named = (item for item in symbols[:MAX_SYMBOLS] if isinstance(item, dict))
        symbols = {_text(item.get("name")): item for item in named}
    if not isinstance(symbols, dict):
        return Authentication()
    spf = next((result for name, result in _SPF.items() if name in symbols), "")
    dkim = next((result for name, result in _DKIM.items() if name in symbols), "")
    dmarc = next((result for name, result in _DMARC.items() if name in symbols), "")
    domain = domain_of(sender) if spf == "pass" else ""
    if dkim == "pass":
        symbol = symbols["R_DKIM_ALLOW"]
        options = symbol.get("options") if isinstance(symbol, dict) else None
        # "example.org:s=selector"
        signer = _text(_first(options)).partition(":")[0]
        domain = cleaned(signer).lower() or domain
    return Authentication(spf, dkim, dmarc, domain)


def _details(value: object, sender: str, header_from: str) -> Authentication:
    """What AuthenticationDetails says: {"SPF": "pass", "DKIM": "fail", ...}, as an object or as text."""
    if isinstance(value, str):
        try:
            value = json.loads(value[: 4 * MAX_FIELD_CHARS])
        except (ValueError, RecursionError):
            return Authentication()
    if not isinstance(value, dict):
        return Authentication()
    said = {str(name).lower(): _text(result).lower() for name, result in value.items()}
    spf, dkim, dmarc = (
        said.get(name, "") if said.get(name) in _RESULTS else "" for name in ("spf", "dkim", "dmarc")
    )
    # The signer is not told. DMARC passed by DKIM alone means that it was the domain of From:.
    domain = domain_of(sender) if spf == "pass" else ""
    if dkim == "pass" and dmarc == "pass":
        domain = domain_of(header_from) or domain
    return Authentication(spf, dkim, dmarc, domain)
