"""What Rspamd's metadata_exporter posts about a mail it has scanned: the mail itself, or what can be said without it.

Forms, told apart by what the bytes are: the whole mail with ``X-Rspamd-...`` fields (``default`` with
``meta_headers``, any version); JSON or MessagePack of what Rspamd knows, with the mail in it (4.x
``json_with_message``, ``msgpack``, ``multipart``) or without it (``json``, 4.x ``structured`` with text and links).

A whole mail becomes a ``Delivery``: the guard remembers it as if it had come through its milter. Of a mail without its
header fields the guard knows no hand, and it does not take it in: every such mail would look written by one hand, and
an ordinary phrase like a signature. It becomes a ``Metadata``, whose traits tell whether the mail belongs to a
campaign that is listed already.
"""

from __future__ import annotations

import json
import re
import time
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgpack
import zstandard

from thingwatch.errors import UsageError
from thingwatch.fingerprint.links import registered_domain
from thingwatch.guard.gateway import Delivery
from thingwatch.guard.outlets.publish import Publisher
from thingwatch.guard.outlets.traits import Trait, TraitKind, digest_of, subject_digest
from thingwatch.model import Message, Session
from thingwatch.read.export import rspamd
from thingwatch.read.field import cleaned

# Under this name Rspamd's own checks are written on top of a mail; authserv_ids must name it to have them believed.
AUTHSERV_ID = "rspamd.thingwatch.invalid"
PREFIX = "x-rspamd-"
MAX_BODY_BYTES = 64 << 20
MAX_RAW_BYTES = 4 << 20  # of a mail that are looked at
MAX_URLS = 100  # Rspamd tells as many
MAX_TEXT_BYTES = 1 << 16  # Rspamd gives 32 kB
MAX_FIELDS_ON_TOP = 100  # beyond these nothing is read as put on top by a milter
_FIELD = re.compile(rb"[!-9;-~]{1,100}[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*")
_DOMAIN = re.compile(r"[a-z0-9._-]{1,253}")
_BOUNDARY = re.compile(r"boundary=\"?([0-9A-Za-z'()+_,./:=?-]{1,70})")
Fields = Mapping[str, Sequence[str]]


class Metadata(NamedTuple):
    """A mail of which only this is known."""

    message: Message  # envelope, subject, checks; no body
    queue_id: str
    text: str  # of 4.x; "" where it was not told
    hosts: tuple[str, ...]
    traits: tuple[Trait, ...]


def delivery_of(body: bytes, fields: Fields, wall: Callable[[], float] = time.time) -> Delivery | Metadata:
    """What was posted; *fields* by lower-case name. Raises UsageError for what is no report of Rspamd, else nothing."""
    if len(body) > MAX_BODY_BYTES:
        raise UsageError(
            f"{len(body)} bytes: more than {MAX_BODY_BYTES}; lower max_message in Rspamd's options"
        )
    try:
        known, raw = _parts(body, fields)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"no report of Rspamd ({error}); see packaging/rspamd/metadata_exporter.conf"
        ) from error
    message = next(rspamd([json.dumps(_plain(known)).encode()], "rspamd"), None)
    if not isinstance(message, Message):
        raise UsageError("neither sender nor recipient nor client is told; set meta_headers = true")
    queue_id = _word(known.get("qid"))
    if raw is None:
        return _metadata(known, message, queue_id)
    session = Session(int(wall() * 1e6), message.client_ip, None, None, message.mail_from, message.rcpt_to)
    checked = _with_checks(raw.replace(b"\r\n", b"\n"), message)
    return Delivery(
        checked[:MAX_RAW_BYTES], session, queue_id, _word(known.get("user")), len(checked) > MAX_RAW_BYTES
    )


def tap(
    publisher: Publisher, wall: Callable[[], float] = time.time
) -> Callable[[bytes, Fields], list[Delivery]]:
    """For the daemon: mails to be looked at; of what is told without its mail, *publisher* counts the campaigns."""

    def mails(body: bytes, fields: Fields) -> list[Delivery]:
        found = delivery_of(body, fields, wall)
        if isinstance(found, Delivery):
            return [found]
        campaign = publisher.campaign_of(found.traits)
        publisher.counts["reported without the mail"] += 1
        if campaign:
            publisher.counts["of them in listed campaigns"] += 1
            publisher.report(campaign, found.queue_id, found.message)
        return []

    return mails


def _parts(body: bytes, fields: Fields) -> tuple[dict[str, Any], bytes | None]:
    """What Rspamd knows, by name, and the mail if it is there; raises ValueError."""
    kind = next(iter(fields.get("content-type", ())), "")
    if kind.startswith("multipart/form-data"):
        found = _BOUNDARY.search(kind)
        if found is None:
            raise ValueError("multipart without a boundary")
        return _multipart(body, found[1].encode())
    if body[:1] == b"{":
        known = json.loads(body)
        raw = known.pop("message", None)
        return known, b64decode(raw, validate=True) if isinstance(raw, str) else None
    if is_packed_map(body):
        named = {name.decode("utf-8", "replace"): value for name, value in unpacked(body).items()}
        raw = named.pop("message", None)
        return named, raw if isinstance(raw, bytes) else None
    told = {
        name[len(PREFIX) :]: values[0]
        for name, values in fields.items()
        if name.startswith(PREFIX) and values
    }
    if not told:
        raise ValueError("a mail without X-Rspamd fields")
    return {name: _json_or_text(value) for name, value in told.items()}, body


def _multipart(body: bytes, boundary: bytes) -> tuple[dict[str, Any], bytes | None]:
    known: dict[str, Any] = {}
    raw = None
    for part in body.split(b"--" + boundary)[1:8]:
        head, _, content = part.lstrip(b"\r\n").partition(b"\r\n\r\n")
        content = content.removesuffix(b"\r\n")
        if b'name="metadata"' in head:
            known = json.loads(content)
        elif b'name="message"' in head:
            raw = content
    if not isinstance(known, dict):
        raise ValueError("metadata that is no object")
    return known, raw


def is_packed_map(body: bytes) -> bool:
    """Whether *body* begins as a map of MessagePack does; no text and no JSON does."""
    return body[:1] != b"" and (0x80 <= body[0] <= 0x8F or body[0] in (0xDE, 0xDF))


def unpacked(body: bytes) -> dict[bytes, Any]:
    """The map that *body* is in MessagePack; texts and binaries both as bytes. Raises ValueError for anything else.

    A count larger than the body could hold is refused before room is made for it.
    """
    try:
        value = msgpack.unpackb(body, raw=True, strict_map_key=False, ext_hook=_refused)
    except (msgpack.UnpackException, TypeError, RecursionError) as error:  # TypeError: a list as a name
        raise ValueError(f"not MessagePack: {error}") from error
    if not isinstance(value, dict):
        raise ValueError("not a map")
    # Maps of Rspamd are named by texts; whatever else one is named by is nothing we look for.
    return {name: item for name, item in value.items() if isinstance(name, bytes)}


def _refused(code: int, data: bytes) -> None:
    raise ValueError(f"an extension type ({code})")


def _json_or_text(value: str) -> Any:
    if value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _plain(value: Any, depth: int = 6) -> Any:
    """*value* as JSON can hold it, without what only the mail's content is."""
    if isinstance(value, bytes):
        return value[:MAX_TEXT_BYTES].decode("utf-8", "replace")
    if depth and isinstance(value, dict):
        content = ("text", "attachments", "images", "urls")
        named = (
            (k.decode("utf-8", "replace") if isinstance(k, bytes) else str(k), v) for k, v in value.items()
        )
        return {name: _plain(inner, depth - 1) for name, inner in named if name not in content}
    if depth and isinstance(value, list):
        return [_plain(inner, depth - 1) for inner in value]
    return value if value is None or isinstance(value, str | int | float | bool) else None


def _word(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return "" if not isinstance(text, str) or text in ("unknown", "undef") else cleaned(text)[:100]


def _metadata(known: dict[str, Any], message: Message, queue_id: str) -> Metadata:
    urls = known.get("urls")
    hosts: dict[str, None] = {}
    for row in urls[:MAX_URLS] if isinstance(urls, list) else ():
        host = row.get(b"host", row.get("host")) if isinstance(row, dict) else None
        name = _word(host).lower().rstrip(".")
        if name:
            hosts[name] = None
    traits = [Trait(TraitKind.HOST, digest_of(host.encode()), host) for host in hosts]
    domains = dict.fromkeys(map(registered_domain, hosts))
    traits += [Trait(TraitKind.DOMAIN, digest_of(domain.encode()), domain) for domain in domains]
    if subject := subject_digest(message.subject):
        traits.append(Trait(TraitKind.SUBJECT, subject))
    return Metadata(message, queue_id, _text(known), tuple(hosts), tuple(traits))


def _text(known: dict[str, Any]) -> str:
    text = known.get("text")
    if isinstance(text, bytes) and known.get("text_compressed") is True:
        try:
            text = zstandard.ZstdDecompressor(max_window_size=1 << 23).decompress(
                text, max_output_size=MAX_TEXT_BYTES
            )
        except zstandard.ZstdError:
            return ""
    if isinstance(text, bytes):
        return text[:MAX_TEXT_BYTES].decode("utf-8", "replace")
    return text[:MAX_TEXT_BYTES] if isinstance(text, str) else ""


def _with_checks(raw: bytes, message: Message) -> bytes:
    """*raw* with what Rspamd's SPF, DKIM and DMARC symbols say on top, as a milter before us would have put it."""
    checks = message.authentication
    domain = checks.domain if _DOMAIN.fullmatch(checks.domain) else ""
    said = []
    for name, result, about in (
        ("spf", checks.spf, "smtp.mailfrom"),
        ("dkim", checks.dkim, "header.d"),
        ("dmarc", checks.dmarc, ""),
    ):
        if result:
            said.append(
                f"{name}={result}" + (f" {about}={domain}" if about and domain and result == "pass" else "")
            )
    raw = _without_ours(raw)
    return f"Authentication-Results: {AUTHSERV_ID}; {'; '.join(said)}\n".encode() + raw if said else raw


def _without_ours(raw: bytes) -> bytes:
    """*raw* without fields at its top that bear our name for Rspamd: its sender wants to be believed."""
    kept, at = [], 0
    for _ in range(MAX_FIELDS_ON_TOP):
        field = _FIELD.match(raw, at)
        if field is None:
            break
        at = field.end()
        if AUTHSERV_ID.encode() not in field[0].lower():
            kept.append(field[0])
    return b"".join(kept) + raw[at:]
