"""What a border that fingerprints TCP wrote into the mail about the client's system.

Three programs do so: Haraka's p0f plugin (``X-Haraka-p0f: os="Windows 7 or 8" link_type="DSL" distance=14 ...``),
Amavis (``X-Amavis-OS-Fingerprint: Linux 2.6.x (up: 120 hrs), (distance 9, link: DSL)``) and Rspamd's symbol P0F
(``P0F(0.00)[Windows NT kernel, link=DSL, distance=14]`` in X-Spamd-Result). Only fields that stand above the border's
own Received line count: below it anybody can write them.
"""

from __future__ import annotations

import re

from thingwatch.read.charset import plain_text
from thingwatch.read.mime import Header

MAX_FIELD_BYTES = 8 << 10  # X-Spamd-Result names every symbol; real ones stay below 4 kB
MAX_SYSTEM_CHARS = 120  # "Linux 3.11 and newer (up: 1200 hrs)"

_HARAKA = re.compile(rb'\bos="([^"]{1,120})"')
_RSPAMD = re.compile(rb"\bP0F\s?\([^)]{0,20}\)\s?\[([^\]]{1,300})\]")
_AMAVIS_END = re.compile(rb"\s*[,(]\s*(?:up:|\(?distance|link:)")


def system_of(border_part: list[Header]) -> str:
    """The system named in *border_part*, header fields with names in lower case; "" where none is named."""
    for name, value in border_part:
        found = b""
        if name in (b"x-haraka-p0f", b"x-p0f-os"):
            match = _HARAKA.search(value[:MAX_FIELD_BYTES])
            found = match[1] if match else b""
        elif name == b"x-amavis-os-fingerprint":
            found = _AMAVIS_END.split(value[:MAX_FIELD_BYTES], maxsplit=1)[0]
        elif name in (b"x-spamd-result", b"x-spam-result"):
            match = _RSPAMD.search(b" ".join(value[:MAX_FIELD_BYTES].split()))
            found = match[1].partition(b",")[0] if match else b""
        text = plain_text(found, MAX_SYSTEM_CHARS).strip() if found else ""
        if text and text != "???":
            return text
    return ""
