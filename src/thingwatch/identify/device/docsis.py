"""Read what every cable modem must say of itself.

DOCSIS (CM-SP-OSSI, "sysDescr requirements") fixes the form:
``... <<HW_REV: 1; VENDOR: Acme; BOOTR: 2; SW_REV: 3; MODEL: X1>>``. Vendor and model come for free.
"""

from __future__ import annotations

import re

MAX_BLOCK_CHARS = 512  # between << and >>; real ones have below 200
MAX_FIELDS = 12  # the standard names five

_FIELD = re.compile(r"\s{0,4}([A-Z][A-Z_]{1,20}):([^;]{0,120})")


def docsis_fields(text: str) -> dict[str, str]:
    """The fields of the block in *text*; empty when there is none with a vendor or a model."""
    start = text.find("<<")
    end = text.find(">>", start + 2, start + 2 + MAX_BLOCK_CHARS) if start >= 0 else -1
    if end < 0:
        return {}
    fields: dict[str, str] = {}
    for part in text[start + 2 : end].split(";", MAX_FIELDS)[:MAX_FIELDS]:
        if found := _FIELD.fullmatch(part):
            fields.setdefault(found[1], found[2].strip())
    return fields if fields.get("VENDOR") or fields.get("MODEL") else {}
