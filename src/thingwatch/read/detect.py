"""Say what a path is by looking at its first bytes; its name is only asked where the bytes are silent."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

from thingwatch.errors import InputError
from thingwatch.read.mbox import is_from_line
from thingwatch.read.stream import ByteSource, compression_of, open_bytes, read_up_to

__all__ = ["HEAD_BYTES", "LOG_FORMS", "MAIL_NAMES", "ByteSource", "form_of", "form_of_head", "open_bytes"]

HEAD_BYTES = 64 << 10  # decompressed; a log names itself within a few lines, a mail's header within a screen
MAX_LINES = 400  # of those, looked at one by one
MAIL_NAMES = (".eml", ".mbox", ".mbx")

LOG_FORMS = frozenset({"postfix", "exim", "zeek", "rspamd", "m365", "defender"})

_MSG_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # MS-CFB, 2.2: the container of .msg
_PST_MAGIC = b"!BDN"  # MS-PST, 2.2.2.6

_HEADER_NAME = re.compile(rb"([!-9;-~]{1,76})[ \t]*:")
# One of these must stand in the header block: "Note: see below" alone makes no mail.
_KNOWN_NAMES = frozenset(
    b"received return-path delivered-to x-original-to envelope-to from sender reply-to to cc bcc subject "
    b"date message-id mime-version content-type content-transfer-encoding in-reply-to references list-id "
    b"dkim-signature arc-seal authentication-results received-spf x-mailer x-received x-originating-ip "
    b"resent-from precedence auto-submitted x-priority x-spam-status".split()
)

_STAMP = (
    rb"(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)?|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*|\d{10}(?:\.\d+)?)"
)
_POSTFIX = re.compile(
    rb"^(?:<\d{1,3}>1? ?)?"
    + _STAMP
    + rb" \S{1,255} (?:[\w.-]{0,64}postfix[\w.-]{0,64}/[\w./-]{1,64}(?:\[\d+\])?:"
    rb"|postfix[\w./-]{0,64} \d+ \S+ )"
)
_EXIM = re.compile(
    rb"^(?:" + _STAMP + rb" \S{1,255} exim\d?\S{0,8}(?:\[\d+\])?: )?(?:\[\d+\] )?"
    rb"(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?(?: [+-]\d{4})?(?: \[\d+\])? )"
    rb"(?:\w{6}-\w{6,11}-\w{2,4} (?:<=|[=*-][=>*]|>>|Completed|SA:|H=|U=)|(?:\[\d+\] )?H="
    rb"|End queue run|Start queue run|SMTP |no host name found|exim [\d.]+ daemon started)"
)
_EXIM_SYSLOG = re.compile(
    rb"^" + _STAMP + rb" \S{1,255} exim\d?\S{0,8}(?:\[\d+\])?: .{0,80}?(?:<=|=>|\*\*|==|->|H=|Completed)"
)
_JSON_KEY = re.compile(r'"([^"\\]{1,60})"\s*:')
_JSON_RAW = re.compile(r'"(?:raw_base64|raw|eml)"\s*:\s*(?:"|null)')
_JSON_MAIL = re.compile(r'"(?:message|content)"\s*:\s*"(?:From |[!#-9;-\[\]-~]{1,76}:)[^"]{0,2000}?\\n')


def form_of(path: Path) -> str:
    """Name the form of the file or folder at *path*.

    One of "folder", "empty", "eml" (one mail), "mbox", "tar", "zip", "parquet", "arrow", "jsonl",
    "postfix", "exim", "zeek", "rspamd", "m365" or "defender"; compression is looked through.

    Raises InputError where nothing stands at *path*, or where it is of no form we read.
    """
    try:
        if path.is_dir():
            return "folder"
        if not path.is_file():
            if path.exists():
                raise InputError(f"{path}: neither a file nor a folder; save it to a file first")
            raise InputError(f"{path}: nothing there; check the spelling")
        form = _form_of_file(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    if form == "outlook":
        raise InputError(f"{path}: an Outlook .msg or .pst file; export it as .eml or mbox")
    if form == "unknown":
        raise InputError(
            f"{path}: of no known form; give mbox, Maildir, .eml, tar, zip, Parquet, Arrow, JSON lines"
            " or the log of a mail server"
        )
    return form


def _form_of_file(path: Path) -> str:
    with open_bytes(path) as stream:
        return form_of_head(read_up_to(stream, HEAD_BYTES), path.name)


def form_of_head(head: bytes, name: str) -> str:
    """Name the form that *head*, the first 64 kB of a file called *name*, shows.

    As ``form_of``, and "compressed", "outlook" or "unknown"; never raises. A mail without a header is
    still a mail, so where the bytes say nothing a name ending in ".eml" is believed.
    """
    if not head:
        return "empty"
    for test, form in _TESTS:
        if test(head):
            return form
    if not head.strip():
        return "empty"
    return _form_of_text(head) or ("eml" if name.lower().endswith(MAIL_NAMES) else "unknown")


def _is_tar(head: bytes) -> bool:
    # Pre-POSIX archives have no magic; the checksum of the first header serves for all of them.
    if len(head) < 512 or not head[0]:
        return False
    try:
        stated = int(head[148:156].strip(b"\0 ") or b"0", 8)
    except ValueError:
        return False
    return stated == sum(head[:148]) + 8 * 0x20 + sum(head[156:512])


_TESTS: tuple[tuple[Callable[[bytes], bool], str], ...] = (
    (lambda head: compression_of(head) is not None, "compressed"),
    (lambda head: head.startswith((b"PK\x03\x04", b"PK\x05\x06")), "zip"),
    (lambda head: head.startswith(b"PAR1"), "parquet"),
    (lambda head: head.startswith(b"ARROW1"), "arrow"),
    # Arrow's stream form has no magic: a continuation mark, and the length of a schema.
    (lambda head: head.startswith(b"\xff\xff\xff\xff") and head[6:8] in (b"\0\0", b"\x01\0"), "arrow"),
    (lambda head: head.startswith((_MSG_MAGIC, _PST_MAGIC)), "outlook"),
    (_is_tar, "tar"),
)


def _form_of_text(head: bytes) -> str | None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        # Microsoft's portal writes its tables as UTF-16.
        head = head.decode("utf-16", "replace").encode("utf-8", "replace")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n\t ")
    lines = text.splitlines()[:MAX_LINES]
    if not lines:
        return None
    if is_from_line(lines[0]):
        return "mbox"
    if text.startswith((b"{", b"[")):
        return _form_of_json(text.decode("utf-8", "replace"))
    if text.startswith(b"#") and (form := _form_of_zeek(lines)):
        return form
    if _is_mail(lines):
        return "eml"
    return _form_of_log(lines) or _form_of_csv(lines)


def _is_mail(lines: list[bytes]) -> bool:
    if lines[0].startswith((b"From ", b">From ")):
        lines = lines[1:]
    for number, line in enumerate(lines):
        found = _HEADER_NAME.match(line)
        if found is None:
            if not line.strip() or number == 0 or line[:1] not in (b" ", b"\t"):
                return False
        elif found[1].lower() in _KNOWN_NAMES:
            return True
    return False


def _form_of_json(text: str) -> str | None:
    if _JSON_RAW.search(text):
        return "jsonl"
    keys = set(_JSON_KEY.findall(text))
    if "NetworkMessageId" in keys and keys & {
        "SenderMailFromAddress",
        "SenderFromAddress",
        "RecipientEmailAddress",
    }:
        return "defender"
    if "id.orig_h" in keys and keys & {"helo", "mailfrom", "rcptto", "last_reply"}:
        return "zeek"
    if "symbols" in keys and keys & {"action", "score", "required_score", "unix_time", "rcpt_smtp"}:
        return "rspamd"
    return "jsonl" if _JSON_MAIL.search(text) else None


def _form_of_zeek(lines: list[bytes]) -> str | None:
    for line in lines:
        if line.startswith(b"#fields"):
            return "zeek" if {b"helo", b"mailfrom"} & set(re.split(rb"[\t,; |]", line)) else None
    return None


def _form_of_log(lines: list[bytes]) -> str | None:
    for line in lines:
        if _POSTFIX.match(line):
            return "postfix"
        if _EXIM.match(line) or _EXIM_SYSLOG.match(line):
            return "exim"
    return None


def _form_of_csv(lines: list[bytes]) -> str | None:
    # Export-Csv of Windows PowerShell writes the type's name above the columns.
    first = lines[1] if lines[0].startswith(b"#TYPE") and len(lines) > 1 else lines[0]
    header = first.decode("utf-8", "replace")
    delimiter = max(",;\t", key=header.count)
    try:
        cells = next(csv.reader([header], delimiter=delimiter), [])
    except csv.Error:
        return None
    columns = {re.sub(r"[ _]", "", cell).lower() for cell in cells}
    if "networkmessageid" in columns and columns & {
        "sendermailfromaddress",
        "senderfromaddress",
        "recipientemailaddress",
    }:
        return "defender"
    if "senderaddress" in columns and columns & {"recipientaddress", "recipientstatus"}:
        return "m365"
    return None
