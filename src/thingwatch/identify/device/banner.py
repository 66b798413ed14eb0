"""Take a raw answer apart: the texts that device rules read, each with its kind.

Scanners store the same answer in many forms: whole, or by header field; with the reply code of FTP or without;
a realm alone or its header. Rules are written for one form each; this is where the others become that form.
"""

from __future__ import annotations

import html
import re

from thingwatch.model import MAX_SIGHTING_CHARS

MAX_HEADER_LINES = 64  # of an HTTP answer; devices send about ten
SHORT_PAGE_CHARS = 2048  # a page up to this length is a device's; a longer one may write about devices
MAX_TITLE_CHARS = 200
MAX_PIECES = 12  # texts out of one answer

_TITLE = re.compile(r"<title[^<>]{0,80}>([^<]{1,400})", re.I)
_REALM = re.compile(r'realm\s{0,4}=\s{0,4}"?([^"\r\n,]{1,200})', re.I)
_REPLY_CODE = re.compile(r"^(?:\d{3}[- ]\s{0,4})")
_SSH_VERSION = re.compile(r"^SSH-\d\.\d{1,2}-")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+")

_HTTP_FIELDS = {"server": "http.server", "www-authenticate": "http.realm", "set-cookie": "http.cookie"}
_SSDP_FIELDS = {
    "server": "upnp.server",
    "st": "upnp.device",
    "nt": "upnp.device",
    "friendlyname": "upnp.device",
}


def texts_of(kind: str, value: str) -> list[tuple[str, str]]:
    """The texts in *value*, most telling first, as (kind, text); a plain text gives itself."""
    value = value[:MAX_SIGHTING_CHARS]
    if kind in ("banner", "upnp.server", "upnp.device", "http.body", "http.server") and value[:5] in (
        "HTTP/",
        "NOTIF",
    ):
        return _http(value)
    if kind == "banner":
        return _raw(value)
    if kind == "http.body":
        return _page(value)
    return [(kind, clean(kind, value))]


def clean(kind: str, text: str) -> str:
    """*text* in the form rules are written for."""
    text = _CONTROL.sub(" ", text)
    if kind in ("http.title", "http.body"):
        if "&" in text:
            text = html.unescape(text)
        if kind == "http.title":
            text = text[:MAX_TITLE_CHARS]
    elif kind == "http.realm":
        found = _REALM.search(text)
        text = found[1] if found else text
    elif kind in ("ftp.banner", "smtp.banner"):
        text = _REPLY_CODE.sub("", text, count=1)
    elif kind == "ssh.banner":
        text = _SSH_VERSION.sub("", text, count=1)
    return text.replace("\xa0", " ").strip()


def _raw(value: str) -> list[tuple[str, str]]:
    """A banner of an unnamed protocol: its first bytes name it."""
    head = value.lstrip()[:8]
    if head.startswith("SSH-"):
        return [("ssh.banner", clean("ssh.banner", value.lstrip()))]
    if head.startswith("RTSP/"):
        return _fields(value, {"server": "rtsp.server", "www-authenticate": "http.realm"})
    if head.startswith("SIP/"):
        return _fields(value, {"user-agent": "sip.user_agent", "server": "sip.user_agent"})
    if head.startswith("* OK"):
        return [("imap.banner", clean("imap.banner", value))]
    if head.startswith("+OK"):
        return [("pop.banner", clean("pop.banner", value))]
    if head.startswith("220"):
        mail = "SMTP" in value[:400].upper()
        return [(kind := "smtp.banner" if mail else "ftp.banner", clean(kind, value))]
    if "<title" in value or "<TITLE" in value or "<html" in value[:200].lower():
        return _page(value)
    return [("banner", clean("banner", value))]


def _http(value: str) -> list[tuple[str, str]]:
    """An HTTP answer, or SSDP's, which has the same form and other fields."""
    head, gap, body = value.partition("\r\n\r\n")
    if not gap:
        head, _, body = value.partition("\n\n")
    low = head.lower()
    ssdp = "\nusn:" in low or "\nst:" in low or value.startswith("NOTIFY")
    pieces = _fields(head, _SSDP_FIELDS if ssdp else _HTTP_FIELDS)
    if not ssdp:
        pieces[:0] = [piece for piece in pieces if piece[0] == "http.realm"]
        pieces += _page(body)
    pieces.append(("banner", clean("banner", head)))
    return pieces[:MAX_PIECES]


def _fields(head: str, wanted: dict[str, str]) -> list[tuple[str, str]]:
    pieces = []
    for line in head.splitlines()[:MAX_HEADER_LINES]:
        name, colon, text = line.partition(":")
        kind = wanted.get(name.strip().lower())
        if colon and kind and text.strip():
            pieces.append((kind, clean(kind, text)))
    return pieces[:MAX_PIECES]


def _page(body: str) -> list[tuple[str, str]]:
    """A page's title, and the page itself while it is short."""
    pieces = []
    if found := _TITLE.search(body):
        pieces.append(("http.title", clean("http.title", found[1])))
    if 0 < len(body) <= SHORT_PAGE_CHARS:
        pieces.append(("http.body", clean("http.body", body)))
    return pieces
