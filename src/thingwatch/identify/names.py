"""What the name of an address, and the name a client calls itself by, say about the line behind them.

Providers name their customers' lines by rule: the address is written into the name, beside a word for the
line (``dsl``, ``pool``, ``dyn``) or for the customer. People name their servers one by one. Nothing here
says that a line is guilty; it says whether a mail server is likely to stand there.

The doubtful case is an address in the name with no word beside it (``84-23-1-9.example.net``). Small access
providers name lines so, and so do many hosts of rented servers; without a word for hosting we read it as a
line, because rented servers mostly carry one.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from importlib import resources
from ipaddress import IPv6Address, ip_address
from typing import Literal

PtrClass = Literal["end-user", "server", "generic", "none"]
HeloClass = Literal[
    "address-literal",
    "ip-in-name",
    "localhost",
    "single-label",
    "local-name",
    "matches-ptr",
    "fqdn",
    "empty",
]

MAX_NAME_CHARACTERS = 255  # RFC 1035, 2.3.4: no real name is longer; the rest of a longer one is not read
KNOWN_NAMES = 1 << 17  # answers kept: the sources of a 2014-sized run, about 100,000

_WORDS = {
    name: frozenset(words)
    for name, words in tomllib.loads((resources.files(__package__) / "names.toml").read_text("utf-8")).items()
}
LINE_WORDS = _WORDS["line"]
CUSTOMER_WORDS = _WORDS["customer"]
MAIL_WORDS = _WORDS["mail"]
RENTED_WORDS = _WORDS["rented"]
RENTED_PROVIDERS = _WORDS["rented_providers"]
FIXED_WORDS = _WORDS["fixed"]
LOCAL_ENDINGS = _WORDS["local_endings"]
SECOND_LEVEL = _WORDS["second_level"]

_WORD = re.compile(r"[a-z]+")
_NUMBER = re.compile(r"[0-9]+")
_HOST_NAME = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.){1,127}(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})"
)
_OCTETS = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})")
_FOUR_NUMBERS = re.compile(r"(?<![0-9])[0-9]{1,3}([-._x])[0-9]{1,3}\1[0-9]{1,3}\1[0-9]{1,3}(?![0-9])")
_NO_NAME = frozenset(("", "unknown", "none", "-"))

_NOTHING, _A_PIECE, _ENOUGH = 0, 1, 2  # how much of an address stands in a name


@lru_cache(maxsize=KNOWN_NAMES)
def ptr_class(ptr: str | None, client_ip: str | None) -> PtrClass:
    """Say what kind of host the border's name for *client_ip* speaks of.

    Takes the PTR as the border noted it ("" or "unknown" when there was none) and the address as text; gives
    ``end-user`` for names of access lines, ``server`` for names given by hand, ``generic`` for numbered names
    that say neither (rented servers, fixed business lines), ``none`` where there is no name. Never raises.
    """
    name = _cleaned(ptr)
    if name in _NO_NAME or "." not in name or _is_address(name):
        return "none"
    own, provider = _split(name)
    words = frozenset(_WORD.findall(own))
    carried = _carried(own, client_ip or "")
    line = not words.isdisjoint(LINE_WORDS)
    fixed = "static" in own or not words.isdisjoint(FIXED_WORDS)
    rented = provider in RENTED_PROVIDERS or not words.isdisjoint(RENTED_WORDS)
    if carried == _ENOUGH:
        return "generic" if fixed or (rented and not line) else "end-user"
    if not words.isdisjoint(MAIL_WORDS) or "mail" in own or own.startswith(("mx", "smtp", "relay")):
        return "server"
    if fixed or rented:
        return "generic" if carried or _NUMBER.search(own) else "server"
    if line:
        return "end-user" if _NUMBER.search(own) or "." in own else "generic"
    if not words.isdisjoint(CUSTOMER_WORDS) and _NUMBER.search(own):
        return "end-user" if carried else "generic"
    return "generic" if carried else "server"


@lru_cache(maxsize=KNOWN_NAMES)
def helo_class(helo: str | None, client_ip: str | None, ptr: str | None) -> HeloClass:
    """Say what kind of name a client gave in HELO or EHLO (RFC 5321, 4.1.1.1).

    Takes the name as sent, the address that sent it and the border's PTR for it. Gives the first that
    fits: ``empty``; ``address-literal`` (bare addresses too, which RFC 5321, 4.1.3 forbids);
    ``localhost``; ``single-label``; ``local-name`` for names no public DNS holds; ``ip-in-name``, even where
    it equals the PTR, because it tells more; ``matches-ptr``; ``fqdn``. Never raises.
    """
    name = _cleaned(helo)
    if not name:
        return "empty"
    if name[0] == "[" or _is_address(name):
        return "address-literal"
    if name == "localhost" or name.startswith("localhost."):
        return "localhost"
    if "." not in name:
        return "single-label"
    if name.rpartition(".")[2] in LOCAL_ENDINGS or not _HOST_NAME.fullmatch(name):
        return "local-name"
    if _carried(name, client_ip or "") == _ENOUGH:
        return "ip-in-name"
    return "matches-ptr" if name == _cleaned(ptr) else "fqdn"


def _cleaned(name: str | None) -> str:
    """Lower case, without the blanks around and the dot at the end, cut at a name's greatest length."""
    return name[: MAX_NAME_CHARACTERS + 1].strip().rstrip(".").lower() if name else ""


def _split(name: str) -> tuple[str, str]:
    """The labels a host is told by and its provider's own: "p54.dip" and "isp" of "p54.dip.isp.example"."""
    labels = name.split(".")
    keep = 3 if len(labels) > 3 and len(labels[-1]) == 2 and labels[-2] in SECOND_LEVEL else 2
    return ".".join(labels[:-keep]), labels[-keep]


def _is_address(name: str) -> bool:
    """Whether a text is a bare IPv4 or IPv6 address."""
    if ":" in name:
        try:
            ip_address(name)
        except ValueError:
            return False
        return True
    return name[0] in "0123456789" and _OCTETS.fullmatch(name) is not None


def _carried(name: str, client_ip: str) -> int:
    """How much of the address stands in the name: nothing, a piece (its last numbers), or enough to be sure.

    Providers write it in any order, padded with zeros, run together, or in hexadecimal.
    """
    address = _OCTETS.fullmatch(client_ip)
    if address is None:
        if ":" in client_ip:
            return _carried_ipv6(name, client_ip)
        return _ENOUGH if _FOUR_NUMBERS.search(name) else _NOTHING
    octets = address.groups()
    numbers = _NUMBER.findall(name)
    if not numbers:
        return _NOTHING
    a, b, c, d = octets
    plain = [number.lstrip("0") or "0" for number in numbers]
    if len(plain) >= 3 and sum([octet in plain for octet in octets]) >= 3 and (a in plain or b in plain):
        return _ENOUGH
    digits = "".join(numbers)
    if len(digits) >= 6 and (_runs_together(digits, a, b, c, d) or _runs_together(digits, d, c, b, a)):
        return _ENOUGH
    hexed = f"{int(a) & 255:02x}{int(b) & 255:02x}{int(c) & 255:02x}{int(d) & 255:02x}"
    if hexed in name or hexed[6:] + hexed[4:6] + hexed[2:4] + hexed[:2] in name:
        return _ENOUGH
    # Another whole address: the line was renumbered, or stands behind a translator.
    if len(numbers) >= 4 and _FOUR_NUMBERS.search(name):
        return _ENOUGH
    if c in plain and d in plain:
        return _A_PIECE
    if len(digits) >= 4 and (c + d in numbers or d + c in numbers or c.zfill(3) + d.zfill(3) in numbers):
        return _A_PIECE
    # One short number alone proves nothing: "mx17" meets .17 once in 250 times.
    return _A_PIECE if len(d) >= 2 and plain[0] == d and len(numbers[0]) >= 2 else _NOTHING


def _runs_together(digits: str, *octets: str) -> bool:
    """Whether digits are the address without separators, each number padded with zeros or not.

    The first number may be missing: some providers leave out what all their lines share.
    """
    padded = "".join([octet.zfill(3) for octet in octets])
    if padded in digits or padded[3:] in digits:
        return True
    place = digits.find(octets[0])
    if place < 0:
        return False
    for octet in octets:
        while digits.startswith("0", place) and not digits.startswith(octet, place):
            place += 1
        if not digits.startswith(octet, place):
            return False
        place += len(octet)
    return True


def _carried_ipv6(name: str, client_ip: str) -> int:
    """The same for IPv6: its interface's or its network's digits, with or without separators."""
    try:
        digits = IPv6Address(client_ip).exploded.replace(":", "")
    except ValueError:
        return _NOTHING
    plain = name.replace("-", "").replace(".", "")
    return _ENOUGH if digits[4:16] in plain or digits[16:] in plain or digits[16::-1] in plain else _NOTHING
