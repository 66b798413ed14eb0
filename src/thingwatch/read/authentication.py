"""Read what the border's own checks of SPF, DKIM and DMARC said (RFC 8601, RFC 7208)."""

from __future__ import annotations

import re
from functools import lru_cache

from thingwatch.model import Authentication

MAX_FIELDS = 20  # real mail: one field for each check, four at most
MAX_RESULTS = 50  # in one field; real mail: one for each signature, five at most

# Comments and quoted strings may hold anything, results of the sender's invention too.
_INSERTED = re.compile(r'"(?:[^"\\]|\\.)*+"|\([^()]*+\)')
_RESULT = re.compile(r"\s*(spf|dkim|dmarc)\s*=\s*([a-z]{1,20})", re.I)
_PROPERTY = re.compile(r"\b(header\.d|header\.i|smtp\.mail(?:from)?)\s*=\s*(\S+)", re.I)
_SPF = re.compile(r"\s*([a-z]{1,20})", re.I)
_RESULTS = frozenset(("pass", "fail", "softfail", "neutral", "none", "policy", "temperror", "permerror"))
_OLD_NAMES = {"error": "temperror", "unknown": "permerror", "hardfail": "fail", "bestguesspass": "none"}


def read_authentication(results: list[bytes], received_spf: list[bytes], arc: list[bytes]) -> Authentication:
    """Put together what the *results* (Authentication-Results), *received_spf* and *arc* values say.

    The topmost value stands first, and only fields the border wrote may be given. For each check the
    first field that names it decides; of several signatures in one field one that passed is enough.
    ARC-Authentication-Results repeat the border's own results (RFC 8617, section 4.1.1) and are read
    where the field itself is missing.
    """
    spf = dkim = dmarc = spf_domain = dkim_domain = ""
    for value in (results or arc[:1])[:MAX_FIELDS]:
        text = value.decode("latin-1")
        if '"' in text or "(" in text:
            text = _INSERTED.sub(" ", text)
        field_dkim = ""
        for part in text.split(";", MAX_RESULTS)[:MAX_RESULTS]:
            m = _RESULT.match(part)
            if not m:
                continue
            method, result = m[1].lower(), _known(m[2])
            if method == "spf" and not spf:
                spf = result
                if result == "pass":
                    spf_domain = _domain_in(part)
            elif method == "dmarc" and not dmarc:
                dmarc = result
            elif method == "dkim" and not dkim and field_dkim != "pass":
                field_dkim = result
                if result == "pass":
                    dkim_domain = _domain_in(part)
        dkim = dkim or field_dkim
    for value in received_spf[:1]:
        m = _SPF.match(value.decode("latin-1"))
        if m and not spf:
            spf = _known(m[1])
    return Authentication(spf, dkim, dmarc, dkim_domain or spf_domain)


@lru_cache(maxsize=1024)
def _known(result: str) -> str:
    result = result.lower()
    result = _OLD_NAMES.get(result, result)
    return result if result in _RESULTS else ""


def _domain_in(part: str) -> str:
    m = _PROPERTY.search(part)
    return m[2].rpartition("@")[2].strip("<>.").lower()[:255] if m else ""
