"""Where a mail's links lead, and by which grammar they are written.

A campaign that draws a new host for every mail still writes its links by one rule. The grammar of a link is
its path and query with the random parts masked: ``/go/k3j9x/login.php?id=8841`` becomes
``/go/*/login.php?id=*``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from publicsuffixlist import PublicSuffixList

MAX_HOSTS = 6  # hosts of one mail that become keys; newsletters point to dozens of pages on few hosts
MAX_GRAMMARS = 4
_LINK = re.compile(
    rb"(?:[a-z]{3,9}://)?(?:[^/?#@\\]*@)?(\[[0-9a-f:.]+\]|[^/?#:\\]*)(?::[0-9]*)?([^#]*)", re.IGNORECASE
)
_REFERENCE = re.compile(rb"&#(?:[xX]([0-9a-fA-F]{1,6})|([0-9]{1,7}));?")
# Punctuation of the sentence a bare link stands in: "(see http://a.example/b)."
_BEHIND = b".,;:!?)]}*"
_RANDOM = re.compile(rb"[A-Za-z]*[0-9][A-Za-z0-9]*|[A-Za-z0-9]{13,}|%[0-9A-Fa-f]{2}(?:[%A-Za-z0-9]*)")
_VALUE = re.compile(rb"=[^&;]*")
_VOWELS = re.compile(rb"[aeiouyAEIOUY]")
_WORD = re.compile(rb"[A-Za-z]{5,12}")
# Named in every HTML mail by its own rules; they say nothing about where a mail leads.
_FURNITURE = frozenset({"www.w3.org", "w3.org", "schemas.microsoft.com", "schema.org", "www.schema.org"})

_suffixes: PublicSuffixList | None = None


@lru_cache(maxsize=65536)
def registered_domain(host: str) -> str:
    """The domain somebody registered, ``a.b.example.co.uk`` → ``example.co.uk``; *host* where none is known."""
    global _suffixes
    if _suffixes is None:
        _suffixes = PublicSuffixList()
    if not host or host[-1].isdigit() or host[0] == "[":
        return host
    return _suffixes.privatesuffix(host) or host


class Links(NamedTuple):
    """The places one mail leads to, each list without repeats and bounded."""

    hosts: tuple[str, ...]
    domains: tuple[str, ...]
    grammars: tuple[bytes, ...]


def _referred(match: re.Match[bytes]) -> bytes:
    code = int(match[1], 16) if match[1] else int(match[2])
    return bytes((code,)) if 32 < code < 127 else b""


def _blur_word(match: re.Match[bytes]) -> bytes:
    # A run of letters a person could not say is a random token, not a word.
    word = match[0]
    return word if len(_VOWELS.findall(word)) * 5 >= len(word) else b"*"


def grammar(target: bytes) -> bytes:
    """Path and query of a link with the random parts masked; empty for a bare host."""
    path, mark, query = target[:300].partition(b"?")
    path = _WORD.sub(_blur_word, _RANDOM.sub(b"*", path))
    if mark:
        path += b"?" + _RANDOM.sub(b"*", _VALUE.sub(b"=*", query))
    return b"" if path in (b"", b"/") else path


def links_of(raw_links: Sequence[bytes]) -> Links:
    """Hosts, registered domains and grammars of *raw_links* (as written, HTML references allowed)."""
    hosts: dict[str, None] = {}
    grammars: dict[bytes, None] = {}
    for raw in dict.fromkeys(raw_links):
        if len(hosts) == MAX_HOSTS and len(grammars) == MAX_GRAMMARS:
            break
        if b"&" in raw:
            raw = _REFERENCE.sub(_referred, raw).replace(b"&amp;", b"&")
        if raw[-1:] in _BEHIND:
            raw = raw.rstrip(_BEHIND)
        found = _LINK.match(raw)
        if found is None:
            continue
        host = found[1].decode("utf-8", "replace").lower().rstrip(".")
        if not host or host in _FURNITURE or len(host) > 253:
            continue
        if len(hosts) < MAX_HOSTS:
            hosts[host] = None
        if len(grammars) < MAX_GRAMMARS:
            written = grammar(found[2])
            if written:
                grammars[written] = None
    return Links(tuple(hosts), tuple(dict.fromkeys(map(registered_domain, hosts))), tuple(grammars))
