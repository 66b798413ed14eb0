"""What really stands at each address of the replay: what sends there, and what answers a scan.

The mail was written first and knows only "thing", "pc" and servers. Everything else follows from the address by
lots, so that the mail stays as it is and every kind of evidence tells of the same household. Where a mail already
says something (its HELO, its PTR), the lot respects it: an office server is drawn only among machines that greet by
the name of their line, a phone only among those that do not greet as a Windows PC would.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from thingwatch.replay import cast
from thingwatch.replay.cast import Numbers
from thingwatch.replay.devices import devices
from thingwatch.replay.lots import Flags, Shares, chances, chosen, lots, mixed_all
from thingwatch.replay.words import seed_for

ORIGINS = ("thing_self", "thing_relay", "nat_pc", "mobile", "server", "nobody")
SELF, RELAY, PC, MOBILE, SERVER, NOBODY = range(6)  # nobody: a home that sends none of the mail
LINE_TYPES = ("residential", "mobile", "business", "hosting")
RESIDENTIAL, MOBILE_LINE, BUSINESS, HOSTING = range(4)
BLOCK_BITS = 12  # line types change by /20


@dataclass(frozen=True, slots=True)
class Homes:
    """Addresses and what stands there; arrays side by side."""

    address: Numbers
    line: Numbers  # row of lines.csv, -1 for hosting ranges
    line_type: Numbers  # of LINE_TYPES
    origin: Numbers  # of ORIGINS
    device: Numbers  # row of devices.toml: the thing that sends, else the home's own box; -1 at servers
    front: Numbers  # row of devices.toml that answers a scan, -1 where nothing does
    cwmp: Flags  # the provider's own management port is open

    def __len__(self) -> int:
        return len(self.address)

    def at(self, which: Numbers | Flags) -> Homes:
        """Some of them."""
        return Homes(*(getattr(self, name)[which] for name in self.__slots__))


@cache
def _ranges() -> tuple[Numbers, Numbers, Numbers]:
    """Consumer ranges by address: first, size, row of lines.csv."""
    lines = cast.consumer_lines()
    order = sorted(range(len(lines)), key=lambda row: lines[row].first)
    first = np.array([lines[row].first for row in order], dtype=np.int64)
    return first, np.array([lines[row].size for row in order], dtype=np.int64), np.array(order)


def line_of(addresses: Numbers) -> Numbers:
    """The row of lines.csv each address belongs to, -1 for none."""
    first, size, rows = _ranges()
    at = np.searchsorted(first, addresses, side="right") - 1
    inside = (at >= 0) & (addresses < first[at] + size[at])
    return np.asarray(np.where(inside, rows[at], -1))


def line_types(addresses: Numbers, lines: Numbers, seed: int) -> Numbers:
    """What kind of line each address is."""
    of = chances()["lines"]
    lot = lots(addresses >> BLOCK_BITS, seed, "block")
    kind = np.where(lot < of["mobile_blocks"], MOBILE_LINE, RESIDENTIAL)
    kind = np.where(lot > 1 - of["business_blocks"], BUSINESS, kind)
    return np.asarray(np.where(lines < 0, HOSTING, kind))


@cache
def home_exposures(seed: int) -> dict[str, float]:
    """By provider: the share of ordinary homes that show a thing of their own to a scan."""
    of = chances()["lines"]
    low, high = of["least_exposed"], of["most_exposed"]
    return {
        isp: low + (high - low) * (seed_for("exposure", isp, seed) % 10_000 / 10_000) ** 1.6
        for isp in sorted({line.isp for line in cast.consumer_lines()})
    }


def home_fronts(addresses: Numbers, lines: Numbers, kinds: Numbers, seed: int, *when: object) -> Numbers:
    """What an ordinary household at each address shows; *when* names another household than today's."""
    isps = home_exposures(seed)
    exposure = np.array([isps[line.isp] for line in cast.consumer_lines()] + [0.0])[lines]
    exposure = np.where(kinds == MOBILE_LINE, exposure * chances()["lines"]["mobile_exposed"], exposure)
    box = chosen(lots(addresses, seed, "box", *when), [one.owned for one in devices()])
    return np.asarray(np.where(lots(addresses, seed, "shown", *when) < exposure, box, -1))


def open_provider() -> str:
    """The careless provider that leaves its own management port (CWMP) open to everybody."""
    return f"{chances()['lines']['open_provider']}.example"


def open_ports(addresses: Numbers, lines: Numbers, seed: int, *when: object) -> Flags:
    """Where that port answers."""
    careless = np.array([line.isp == open_provider() for line in cast.consumer_lines()] + [False])[lines]
    return np.asarray(careless & (lots(addresses, seed, "cwmp", *when) < chances()["lines"]["open_lines"]))


def _pc_origins(addresses: Numbers, lines: Numbers, kinds: Numbers, seed: int) -> Numbers:
    """PCs behind a router, but for a few phones and office servers."""
    of = chances()["origins"]
    habit = mixed_all(addresses ^ 0x9C9C) % np.uint64(100)  # as cast.pc_helo draws it
    by_line_name = (habit >= 78) & (habit < 90)
    like_windows = (habit < 50) | ((habit >= 62) & (habit < 72))
    unnamed = np.array([line.unnamed if line.ptr else 1.0 for line in cast.consumer_lines()] + [0.0])[lines]
    named = (mixed_all(addresses) & np.uint64(0xFFFF)) / 0x10000 >= unnamed  # as cast.line_name draws it
    lot = lots(addresses, seed, "pc")
    server = np.where(kinds == BUSINESS, of["server_on_business_line"], of["server_elsewhere"])
    mobile = np.where(kinds == MOBILE_LINE, of["mobile_on_mobile_line"], of["mobile_elsewhere"])
    origin = np.where(~like_windows & (lot < mobile), MOBILE, PC)
    return np.asarray(np.where((by_line_name & named) & (lot > 1 - server), SERVER, origin))


def origins_of(addresses: Numbers, things: Flags, servers: Flags, seed: int) -> Numbers:
    """What sends at each address, given what its mails say of it."""
    lines = line_of(addresses)
    relay = lots(addresses, seed, "relay") < chances()["origins"]["relay_of_things"]
    pcs = _pc_origins(addresses, lines, line_types(addresses, lines, seed), seed)
    thing = np.where(relay, RELAY, SELF)
    return np.asarray(np.where(servers | (lines < 0), SERVER, np.where(things, thing, pcs)))


def column(table: dict[str, float], origins: Numbers) -> Shares:
    """The chance a table of chances.toml gives each origin; 0 where it says nothing."""
    return np.array([table.get(name, 0.0) for name in ORIGINS])[origins]


def homes_at(addresses: Numbers, origins: Numbers, seed: int) -> Homes:
    """The households and servers at *addresses*, which send as *origins* say."""
    lines = line_of(addresses)
    kinds = line_types(addresses, lines, seed)
    of = chances()["front"]
    things = (origins == SELF) | (origins == RELAY)
    taken = chosen(lots(addresses, seed, "taken"), [one.taken for one in devices()])
    owned = chosen(lots(addresses, seed, "box"), [one.owned for one in devices()])
    device = np.where(things, taken, np.where(origins == SERVER, -1, owned))
    front = home_fronts(addresses, lines, kinds, seed)
    # Behind a carrier's translator nobody's home can be reached, but for a few.
    hidden = (origins == MOBILE) & (lots(addresses, seed, "carrier") >= of["reached_through_carrier"])
    front = np.where(hidden, -1, front)
    front = np.where(things & (lots(addresses, seed, "itself") < column(of, origins)), taken, front)
    served = chosen(lots(addresses, seed, "served"), [one.served for one in devices()])
    front = np.where(lots(addresses, seed, "serves") < column(of["server_here"], origins), served, front)
    cwmp = open_ports(addresses, lines, seed) & (origins != SERVER)
    return Homes(addresses, lines, kinds, origins, device, front, cwmp)


def addresses_of(texts: npt.NDArray[np.object_]) -> Numbers:
    """IPv4 addresses as numbers."""
    parts = np.array([text.split(".") for text in texts.tolist()], dtype=np.int64).reshape(-1, 4)
    return np.asarray(parts @ np.array([1 << 24, 1 << 16, 1 << 8, 1]))


def texts_of(addresses: Numbers) -> npt.NDArray[np.object_]:
    """Addresses as dotted text."""
    parts = [(addresses >> shift & 255).astype(int).astype(str).astype(object) for shift in (24, 16, 8, 0)]
    return np.asarray(parts[0] + "." + parts[1] + "." + parts[2] + "." + parts[3])
