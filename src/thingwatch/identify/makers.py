"""Whose network card sent from an IPv6 address: the maker in an EUI-64 interface identifier.

Hosts that make their address from their card's number put ``ff:fe`` into its middle (RFC 4291, appendix A). No
translator stands between, so it is the sender's own card. Most systems hide it today (RFC 8981), so it is rarely there.
The registry of makers is the IEEE's, as Debian's package ieee-data installs it; without it the maker is unknown.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from ipaddress import IPv6Address
from pathlib import Path

REGISTRY = Path("/usr/share/ieee-data/oui.csv")
MAX_ROWS = 200_000  # the registry has about 40,000

# Makers that sell little else than things, and those of cards in computers. Makers of both say nothing.
_THINGS = re.compile(
    r"\b(?:hikvision|dahua|axis communications|tp-link|d-link|zyxel|avm|mikrotik|routerboard|ubiquiti|netgear|sagemcom|"
    r"technicolor|arcadyan|zte corp|tenda|fiberhome|sercomm|compal broadband|hitron|ubee|arris|pace plc|"
    r"synology|qnap|sonos|roku|nest labs|ring llc|reolink|foscam|xiongmai|vivotek|mobotix|amcrest|"
    r"signify|philips lighting|espressif|tuya|shelly|fritz|draytek|mediatrix|grandstream|yealink|snom)\b",
    re.I,
)
_COMPUTERS = re.compile(
    r"\b(?:intel corporate|dell inc|hewlett.packard|hp inc|lenovo|micro-star|giga-byte|realtek|"
    r"super micro|vmware|acer|fujitsu|clevo|pegatron|quanta|wistron|liteon|hon hai)\b",
    re.I,
)


def maker_value(address: str) -> str | None:
    """The value of the item ``eui64`` for an IPv6 *address*; None where the registry is not there or does not know."""
    registry = _registry()
    if not registry:
        return None
    try:
        number = int(IPv6Address(address.partition("%")[0])) & 0xFFFF_FFFF_FFFF_FFFF
    except ValueError:
        return None
    if (number >> 24) & 0xFFFF != 0xFFFE:
        return "none"
    # The universal/local bit is turned over in the address.
    prefix = (number >> 40) ^ 0x020000
    return _of_maker(registry.get(f"{prefix:06X}", ""))


def _of_maker(name: str) -> str | None:
    if _THINGS.search(name):
        return "thing_maker"
    return "other_maker" if _COMPUTERS.search(name) else None


@cache
def _registry() -> dict[str, str]:
    try:
        with REGISTRY.open(encoding="utf-8", errors="replace", newline="") as file:
            rows = csv.reader(file)
            return {row[1]: row[2] for _, row in zip(range(MAX_ROWS), rows, strict=False) if len(row) > 2}
    except OSError:
        return {}
