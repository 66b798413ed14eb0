"""Which kind of system opened a TCP connection, read from its first packet or from another program's word for it.

Address translators keep window, options and their order, and lower the TTL by one: the SYN still shows the host
behind the router. What a Linux SYN adds is the window scale, a gauge of memory: the kernel sets the largest receive
buffer to a 128th of low memory, at most 6 MB, so a scale of 5 or less means 256 MB or less.
"""

from __future__ import annotations

import re
from functools import lru_cache

KNOWN_STACKS = 1 << 14  # answers kept; a year of a busy border shows some thousand different SYNs
SMALL_SCALE = 5  # 2 to 5: at most 32 to 256 MB of memory
MIDDLE_SCALE = 6  # 512 MB: a small rented server as well as a large household device
MAX_SIGNATURE_CHARS = 200  # p0f writes below 80

_WINDOWS = re.compile(r"\bwin(?:dows|nt|xp|9x)?\b|\bwindows", re.I)
_APPLE = re.compile(r"\b(?:mac ?os|os x|ios|iphone|ipad|darwin|apple)\b", re.I)
_ANDROID = re.compile(r"\bandroid\b", re.I)
_LINUX = re.compile(r"\blinux\b|\bopenwrt\b", re.I)
_OTHER = re.compile(
    r"\b(?:free|open|net)bsd\b|\bsolaris\b|\bhp-?ux\b|\baix\b|\bvxworks\b|\bnintendo\b|\bcisco\b", re.I
)
# One old version, not a range that begins with one.
_SMALL_LINUX = re.compile(r"linux 2\.[0-6][.\w]*$|linux barebone|\buclinux\b|\bopenwrt\b|\bdd-wrt\b", re.I)

# The order in which systems write their options, as p0f spells them: the kernel's own, and rarely changed.
_WINDOWS_OPTIONS = frozenset(
    (
        "mss,nop,ws,nop,nop,sok",
        "mss,nop,nop,sok",
        "mss,nop,ws,sok,ts",
        "mss,nop,ws,nop,nop,ts,nop,nop,sok",
        "mss,nop,nop,ts,nop,nop,sok",
    )
)
_LINUX_OPTIONS = frozenset(
    ("mss,sok,ts,nop,ws", "mss,nop,nop,sok,nop,ws", "mss,sok,ts", "mss,nop,nop,ts,nop,ws")
)
_APPLE_OPTIONS = frozenset(
    ("mss,nop,ws,nop,nop,ts,sok,eol+1", "mss,nop,ws,nop,nop,ts,sok,eol", "mss,nop,ws,sok,eol+1")
)
# MuonFP writes options by their TCP kind numbers (IANA registry).
_BY_NUMBER = {"2": "mss", "1": "nop", "3": "ws", "4": "sok", "8": "ts", "0": "eol"}


@lru_cache(maxsize=KNOWN_STACKS)
def stack_of_syn(signature: str) -> str | None:
    """The kind of system behind p0f's raw signature ``ver:ittl:olen:mss:wsize,scale:olayout:quirks:pclass``.

    Gives a value of the item ``tcp_syn``, or None for text that is no signature. Never raises.
    """
    parts = signature[:MAX_SIGNATURE_CHARS].split(":")
    if len(parts) < 6:
        return None
    # "58+6": seen as 58, six hops away; "54-" where p0f would not guess.
    seen, _, hops = parts[1].rstrip("-").partition("+")
    window, _, scale = parts[4].partition(",")
    if not seen.isdecimal() or not window:
        return None
    ttl = int(seen) + (int(hops) if hops.isdecimal() else 0)
    return _stack(ttl, parts[5].lower().replace(" ", ""), int(scale) if scale.isdecimal() else None)


@lru_cache(maxsize=KNOWN_STACKS)
def stack_of_muonfp(fingerprint: str) -> str | None:
    """The same for MuonFP's ``window:options:mss:scale``, which says no TTL."""
    parts = fingerprint[:MAX_SIGNATURE_CHARS].split(":")
    if len(parts) != 4 or not parts[0].isdecimal():
        return None
    options = ",".join(_BY_NUMBER.get(number, "?") for number in parts[1].split("-") if number)
    return _stack(None, options, int(parts[3]) if parts[3].isdecimal() else None)


def _stack(ttl: int | None, options: str, scale: int | None) -> str:
    if options in _APPLE_OPTIONS or options.endswith("ts,sok,eol+1"):
        return "apple"
    if options in _WINDOWS_OPTIONS and (ttl is None or ttl > 64):
        return "windows"
    if options in _LINUX_OPTIONS and (ttl is None or ttl <= 64):
        # Without the option the window was never scaled: a kernel of 2.4's time, or one built without it.
        if scale is None or scale <= SMALL_SCALE:
            return "linux_small"
        return "linux_middle" if scale == MIDDLE_SCALE else "linux_large"
    return "other"


@lru_cache(maxsize=KNOWN_STACKS)
def stack_of_text(text: str) -> str | None:
    """The same from another program's word for a system: "Linux 2.6.x", "Windows XP"; None where it says nothing.

    A word carries no window scale. Old kernels alone say "small"; p0f also calls recent ones 2.2.x-3.x, so those
    are taken for "middle", which hardly weighs.
    """
    text = text[:MAX_SIGNATURE_CHARS].strip()
    if _WINDOWS.search(text):
        return "windows"
    if _APPLE.search(text):
        return "apple"
    if _ANDROID.search(text):
        return "linux_large"
    if _LINUX.search(text):
        return "linux_small" if _SMALL_LINUX.search(text) else "linux_middle"
    return "other" if _OTHER.search(text) else None
