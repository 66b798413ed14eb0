"""What an answer on a port says, by the protocol spoken there: the kind of its text, and what is exposed.

Scanners name protocols in their own ways ("http-simple-new", "imap4", "ssl/http"); all readers of scans come
here, so that one banner gives one kind whoever collected it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from thingwatch.read.evidence.row import Draft, text_of

MAX_ANSWER_CHARS = 65_536  # of a raw answer looked at for its headers and its title
MAX_HEADER_CHARS = 2_000

BANNER_KINDS = {
    "telnet": "telnet.banner",
    "telnets": "telnet.banner",
    "ftp": "ftp.banner",
    "ftps": "ftp.banner",
    "ssh": "ssh.banner",
    "smtp": "smtp.banner",
    "smtps": "smtp.banner",
    "submission": "smtp.banner",
    "imap": "imap.banner",
    "imaps": "imap.banner",
    "imap4": "imap.banner",
    "pop": "pop.banner",
    "pop3": "pop.banner",
    "pop3s": "pop.banner",
    "snmp": "snmp.sysdescr",
    "netbios": "netbios.name",
    "mdns": "mdns.name",
}
# Protocols that answer with header lines as HTTP does, and what their Server line is.
SERVER_KINDS = {
    "http": "http.server",
    "https": "http.server",
    "ssdp": "upnp.server",
    "upnp": "upnp.server",
    "cwmp": "cwmp.server",
    "rtsp": "rtsp.server",
    "sip": "sip.user_agent",
}
# Spoken over UDP, where a scanner does not say what it used.
UDP_PROTOCOLS = frozenset({"ntp", "bacnet", "snmp", "dns", "sip", "ssdp", "upnp", "mdns", "netbios"})
# Names of taxonomy.json. A protocol named only after its port number is not spoken, so says nothing here.
EXPOSURES = {
    "telnet": "telnet_open",
    "ssdp": "upnp_ssdp_exposed",
    "snmp": "snmp_exposed",
    "cwmp": "tr069_exposed",
    "adb": "adb_exposed",
    "android_debug_bridge": "adb_exposed",
    "rtsp": "camera_dvr_exposed",
    "dvr_ip": "camera_dvr_exposed",
    "hikvision": "camera_dvr_exposed",
    "dahua": "camera_dvr_exposed",
    "dahua_dhip": "camera_dvr_exposed",
    "dhcpdiscover": "camera_dvr_exposed",
}

_HEADER = re.compile(
    r"^(server|www-authenticate|set-cookie|user-agent):[ \t]*([^\r\n]{1,2000})", re.IGNORECASE | re.MULTILINE
)
_REALM = re.compile(r"realm\s{0,4}=\s{0,4}[\\\"']{0,4}([^\"\\]{1,1000})", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]{0,200}>(.{0,1000}?)</title", re.IGNORECASE | re.DOTALL)
_NAMES = {
    "commonname": "CN",
    "common_name": "CN",
    "cn": "CN",
    "organizationalunitname": "OU",
    "organizational_unit": "OU",
    "organization_unit_name": "OU",
    "ou": "OU",
    "organizationname": "O",
    "organization": "O",
    "organization_name": "O",
    "o": "O",
    "localityname": "L",
    "locality": "L",
    "locality_name": "L",
    "l": "L",
    "stateorprovincename": "ST",
    "province": "ST",
    "state_or_province_name": "ST",
    "st": "ST",
    "countryname": "C",
    "country": "C",
    "c": "C",
}
_ORDER = ("CN", "OU", "O", "L", "ST", "C")


def protocol_of(name: Any) -> str:
    """A scanner's name for a protocol, in lower case and without what it adds behind a dash."""
    text = text_of(name, 60).lower().rpartition("/")[2].replace("-", "_")
    if text in BANNER_KINDS or text in SERVER_KINDS or text in EXPOSURES:
        return text
    if "proxy" in text:
        return text
    head = text.partition("_")[0]
    return head if head in BANNER_KINDS or head in SERVER_KINDS else text


def open_port(draft: Draft, protocol: str, port: int | None, transport: str) -> None:
    """Say that *protocol* is spoken on *port*, and what that exposes."""
    draft.add("port.open", protocol, port, transport)
    if protocol == "upnp" and transport == "udp":
        protocol = "ssdp"
    if protocol in EXPOSURES:
        draft.add("exposure", EXPOSURES[protocol], port, transport)


def answer(draft: Draft, protocol: str, text: Any, port: int | None, transport: str) -> None:
    """Add a raw answer under the kind of its protocol; one with header lines is read for those."""
    if not isinstance(text, str) or not text:
        return
    if protocol in SERVER_KINDS or text.startswith(("HTTP/1.", "RTSP/1.")):
        text = text[:MAX_ANSWER_CHARS]
        kind = SERVER_KINDS.get(protocol, "rtsp.server" if text.startswith("RTSP") else "http.server")
        found = [(name.lower(), value) for name, value in _HEADER.findall(text)][:20]
        for name, value in found:
            if name == "server" or (name == "user-agent" and kind == "sip.user_agent"):
                draft.add(kind, value, port, transport)
            elif name != "user-agent":
                header(draft, name, value, port, transport)
        if title := _TITLE.search(text):
            draft.add("http.title", html.unescape(title[1]), port, transport)
        if not found and not title:
            draft.add("banner", text, port, transport)
    else:
        draft.add(BANNER_KINDS.get(protocol, "banner"), text, port, transport)


def header(draft: Draft, name: str, value: Any, port: int | None, transport: str) -> None:
    """Add one HTTP header that device rules read; *name* in lower case, with dashes or underscores."""
    if isinstance(value, Mapping):  # Censys: {"headers": [...]}
        value = value.get("headers")
    if isinstance(value, list):
        value = ", ".join(item for item in value[:10] if isinstance(item, str))
    name = name.replace("-", "_")
    text = value[:MAX_HEADER_CHARS] if isinstance(value, str) else ""
    if name == "server":
        draft.add("http.server", text, port, transport)
    elif name == "www_authenticate" and (realm := _REALM.search(text)):
        draft.add("http.realm", realm[1], port, transport)
        # A page that asks for a password on its own is somebody's management page.
        draft.add("exposure", "admin_ui_on_wan", port, transport)
    elif name == "set_cookie":
        draft.add("http.cookie", text, port, transport)


def page(draft: Draft, body: Any, title: Any, port: int | None, transport: str) -> None:
    """Add a web page and its title, which is looked for in the page where it is not given."""
    if not isinstance(title, str) and isinstance(body, str):
        found = _TITLE.search(body[:MAX_ANSWER_CHARS])
        title = html.unescape(found[1]) if found else None
    draft.add("http.title", title, port, transport)
    draft.add("http.body", body, port, transport)


def distinguished_name(parts: Any) -> str:
    """The subject or issuer of a certificate as one line, "CN=..., OU=..., O=..."; "" for nothing."""
    if isinstance(parts, str):
        return parts
    if not isinstance(parts, Mapping):
        return ""
    found: dict[str, str] = {}
    for name, value in list(parts.items())[:40]:
        short = _NAMES.get(str(name).lower())
        text = text_of(value[0] if isinstance(value, list) and value else value, 300)
        if short and text:
            found.setdefault(short, text)
    return ", ".join(f"{short}={found[short]}" for short in _ORDER if short in found)
