"""Who sends and who receives: households, servers, people, all invented, all derived from one seed."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources
from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from thingwatch.replay.dialects import Dialect, invented, programs
from thingwatch.replay.words import dice_for, nonsense, seed_for, words

Numbers = npt.NDArray[np.int64]

BORDER = "mx1.corp.example"
# Three offices and one provider of mailboxes; all reserved names (RFC 2606, RFC 6761).
HOMES = ("corp.example", "northgate-works.example", "tidewater.example", "homepost.example")
HOME_SHARES = (0.3, 0.2, 0.15, 0.35)
MOST_MAILS_PER_SOURCE = 10
MEAN_MAILS_PER_SOURCE = 7.35
THING_SHARE = 0.28  # of the attack's sources; the report of 2014 said more than a quarter
SHARED_HOMES = 0.015  # of the PC botnet's addresses that also stand in the attack's pool


class Line(NamedTuple):
    """A consumer range: who runs it and how its lines are named."""

    country: str
    first: int
    size: int
    isp: str
    ptr: str
    unnamed: float


class Home(NamedTuple):
    """One sending host as the border meets it."""

    ip: str
    ptr: str  # "" when the address has no name
    helo: str
    kind: str  # "thing", "pc", "server" or "provider"


@cache
def consumer_lines() -> tuple[Line, ...]:
    """The ranges of lines.csv: illustrative, from general knowledge; their names are invented."""
    text = resources.files("thingwatch.replay").joinpath("lines.csv").read_text("utf-8")
    found = []
    for row in csv.DictReader(text.splitlines()):
        network = IPv4Network(row["prefix"])
        first = int(network.network_address)
        isp = f"{row['isp']}.example"
        found.append(
            Line(row["country"], first, network.num_addresses, isp, row["ptr"], float(row["unnamed"]))
        )
    return tuple(found)


@cache
def hosting_ranges() -> tuple[tuple[int, int], ...]:
    """The ranges of racks.csv as (first address, number of addresses)."""
    text = resources.files("thingwatch.replay").joinpath("racks.csv").read_text("utf-8")
    networks = [IPv4Network(row["prefix"]) for row in csv.DictReader(text.splitlines())]
    return tuple((int(network.network_address), network.num_addresses) for network in networks)


def mixed(value: int) -> int:
    """64 well-mixed bits (the finaliser of SplitMix64)."""
    value = (value + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return value ^ (value >> 31)


def _line_of(address: int) -> Line | None:
    for line in consumer_lines():
        if line.first <= address < line.first + line.size:
            return line
    return None


def line_name(address: int) -> str:
    """The PTR of a consumer *address*, "" when it has none."""
    line = _line_of(address)
    chance = mixed(address)
    if line is None or not line.ptr or (chance & 0xFFFF) / 0x10000 < line.unnamed:
        return ""
    a, b, c, d = address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255
    places = words("place")
    return line.ptr.format(
        a=a, b=b, c=c, d=d, a0=f"{a:03d}", b0=f"{b:03d}", c0=f"{c:03d}", d0=f"{d:03d}",
        hex=f"{address:08x}" if line.country != "DE" else f"{address:08X}",
        dec=address, n=chance >> 16 & 0x3FF, n2=chance >> 26 & 0x1F,
        w=places[(address >> 14) % len(places)][:4].lower(), isp=line.isp,
    )  # fmt: skip


def _router_helo(chance: int) -> str:
    names = (
        "router", "gateway", "home-gateway", "homerouter.lan", "(none)", "localhost.localdomain", "camera",
        "ipcam", "nvr", "mediabox", "tvbox", "storage", "nas", "buildroot", "openrouter", "adsl-modem",
        "myrouter.local",
    )  # fmt: skip
    return names[chance % len(names)]


def thing_helo(address: int) -> str:
    """What a small device says: often nothing a server would say."""
    chance = mixed(address ^ 0x7117)
    habit = chance % 100
    if habit < 30:
        return f"[{IPv4Address(address)}]"
    if habit < 42:
        return str(IPv4Address(address))
    if habit < 58:
        return "localhost"
    if habit < 80:
        return _router_helo(chance >> 8)
    return f"{chance >> 20 & 0xFFFFFFFF:x}"


def pc_helo(address: int) -> str:
    """What a PC says: its own name, or the name its gateway gave it."""
    chance = mixed(address ^ 0x9C9C)
    habit = chance % 100
    owner = words("first")[(chance >> 8) % len(words("first"))]
    if habit < 30:
        return f"{owner.upper()}-PC"
    if habit < 50:
        return f"PC-{chance >> 20 & 0xFFFFFFFF:08X}"
    if habit < 62:
        return f"{owner.lower()}-{chance >> 20 & 0xFFFF:x}"
    if habit < 72:
        return "dsldevice.lan"
    if habit < 78:
        return f"{owner}-Laptop.local"
    if habit < 90:
        return line_name(address) or str(IPv4Address(address))
    return f"[192.168.{chance >> 9 & 3}.{(chance >> 12) % 250 + 2}]"


def household(address: int, thing: bool) -> Home:
    """The host at a consumer *address*."""
    helo = thing_helo(address) if thing else pc_helo(address)
    return Home(str(IPv4Address(address)), line_name(address), helo, "thing" if thing else "pc")


def draw_addresses(count: int, dice: np.random.Generator, taken: Numbers | None = None) -> Numbers:
    """*count* different consumer addresses, none of them *taken*."""
    lines = consumer_lines()
    weights = np.array([line.size for line in lines], dtype=float) ** 0.5
    weights /= weights.sum()
    found = np.empty(0, dtype=np.int64)
    first = np.array([line.first for line in lines], dtype=np.int64)
    size = np.array([line.size for line in lines], dtype=np.int64)
    while len(found) < count:
        line = dice.choice(len(lines), size=count + 64, p=weights)
        address = first[line] + (dice.random(count + 64) * size[line]).astype(np.int64)
        last = address & 255
        address = address[(last > 0) & (last < 255)]
        if taken is not None:
            address = address[~np.isin(address, taken)]
        found = np.concatenate([found, address])
        found = found[np.sort(np.unique(found, return_index=True)[1])]
    return found[:count]


@dataclass(frozen=True, slots=True)
class House:
    """A mail domain with its own servers: a provider, an office, a shop, a sending service."""

    domain: str
    base: int  # first address of its servers
    servers: int
    prefix: str  # of its server names
    spf: str  # what its policy says of strangers: "fail", "softfail", "none"
    dkim: bool
    dmarc: bool
    server: str  # the software in its Received lines
    seed: int

    def host(self, number: int, kind: str = "server") -> Home:
        """Its outgoing server *number*."""
        number %= self.servers
        name = f"{self.prefix}{number + 1}.{self.domain}"
        return Home(str(IPv4Address(self.base + number)), name, name, kind)


@cache
def house(kind: str, number: int, seed: int) -> House:
    """House *number* of a *kind*; providers are big, offices have one or two servers."""
    dice = dice_for("house", kind, number, seed)
    first, size = hosting_ranges()[dice.randrange(len(hosting_ranges()))]
    servers = {"provider": 8 + dice.randrange(30), "sender": 12 + dice.randrange(20)}.get(
        kind, 1 + dice.randrange(2)
    )
    base = first + dice.randrange(1, size // 256 - 1) * 256 + dice.randrange(8, 200)
    name = (
        f"{nonsense(dice.random, 2)}{ {'provider': 'mail', 'sender': 'post', 'shop': 'shop'}.get(kind, '') }"
    )
    if kind == "office":
        name = f"{words('last')[number * 7 % len(words('last'))].lower()}-{nonsense(dice.random, 2)}"
        name = name.encode("ascii", "ignore").decode()
    return House(
        domain=f"{name}{number}.example",
        base=base,
        servers=servers,
        prefix=dice.choice(("mail", "out", "mx", "smtp-out-", "relay", "mo-p")),
        spf=dice.choice(("fail", "softfail", "softfail", "none")),
        dkim=kind != "office" or dice.random() < 0.3,
        dmarc=kind == "provider" and dice.random() < 0.4,
        server=dice.choice(("Postfix", "Postfix", "Exim 4.80", "8.14.5/8.14.5", "Microsoft SMTP Server")),
        seed=seed_for(kind, number, seed),
    )


PROVIDERS = 24
PROVIDER_WEIGHTS = tuple(1.0 / (rank + 1) for rank in range(PROVIDERS))
WEB = ("webg", "weby", "webh", "cube", "horde")
HOME_PROGRAMS = (
    "bird",
    "bird",
    "express",
    "live",
    "desk",
    "apple",
    "phone",
    "phone",
    "droid",
    "evolution",
    "mutt",
)
OFFICE_PROGRAMS = ("desk", "desk15", "desk", "hall", "hall", "notes", "bird", "apple", "birdlinux")
ZONES = (60, 60, 60, 0, 0, 120, -300, -300, -360, -480, 330, 480, 600, -120)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who writes letters."""

    name: str
    address: str
    house: House
    dialect: Dialect
    zone: int
    language: str  # "en", "de", "es"
    farewell: str
    signature: str  # "" for most
    line_ip: int  # the consumer address the letter was handed in from
    webmail: bool
    office: bool  # writes from work


class Cast:
    """Everybody on stage, for one seed, scale and share of things."""

    def __init__(self, scale: float, seed: int, things: float = THING_SHARE) -> None:
        self.scale = scale
        self.seed = seed
        self.things = things  # share of the attack's sources
        self.people = max(300, round(90_000 * scale))
        self.receivers = max(400, round(80_000 * scale))
        self._persons: dict[int, Person] = {}
        self._names: dict[int, tuple[str, str]] = {}

    def receiver(self, number: int) -> tuple[str, str]:
        """(name, address) of one of our own mailboxes."""
        number %= self.receivers
        known = self._names.get(number)
        if known is None:
            dice = dice_for("receiver", number, self.seed)
            first, last = dice.choice(words("first")), dice.choice(words("last"))
            domain = dice.choices(HOMES, HOME_SHARES)[0]
            last_ascii = last.lower().replace("ö", "oe")
            style = dice.randrange(3) if domain == HOMES[3] else 0
            local = (
                f"{first.lower()}.{last_ascii}{number}",
                f"{last_ascii}{number}",
                f"{first.lower()}{number}",
            )[style]
            known = self._names[number] = (f"{first} {last}", f"{local}@{domain}")
        return known

    def person(self, number: int) -> Person:
        """Stranger *number*."""
        number %= self.people
        known = self._persons.get(number)
        if known is None:
            known = self._persons[number] = self._invent(number)
        return known

    def _invent(self, number: int) -> Person:
        dice = dice_for("person", number, self.seed)
        first, last = dice.choice(words("first")), dice.choice(words("last"))
        office = dice.random() < 0.45
        last_ascii = last.lower().replace("ö", "oe")
        webmail = False
        if office:
            at = house("office", dice.randrange(max(40, self.people // 9)), self.seed)
            # One house, one or two programs: offices buy in bulk.
            usual = dice_for("programs", at.seed)
            choice = (usual.choice(OFFICE_PROGRAMS), usual.choice(OFFICE_PROGRAMS), "phone")
            program = dice.choices(choice, (6, 3, 1))[0]
            local = f"{first.lower()}.{last_ascii}"
            zone = usual.choice(ZONES)
        else:
            which = dice.choices(range(PROVIDERS), PROVIDER_WEIGHTS)[0]
            at = house("provider", which, self.seed)
            webmail = dice.random() < 0.5
            program = WEB[which % len(WEB)] if webmail else dice.choice(HOME_PROGRAMS)
            local = f"{first.lower()}{dice.choice(('.', '', '_'))}{last_ascii}{dice.randrange(100)}"
            zone = dice.choice(ZONES)
        signature = ""
        if office:
            place, line = dice.choice(words("place")), dice.randrange(10, 99)
            company, street = at.domain.split(".")[0].title(), dice.choice(words("noun")).title()
            signature = f"{first} {last}\n{company} Ltd\n{line} {street} Street, {place}\n"
            signature += f"Ext. {dice.randrange(100, 999)}"
        elif program == "phone":
            signature = dice.choice(
                ("Sent from my phone", "Sent from my phone", "Von meinem Telefon gesendet")
            )
        elif dice.random() < 0.12:
            signature = dice.choice(("Sent from my tablet", f"{first}\n{dice.choice(words('place'))}"))
        address = int(draw_addresses(1, np.random.default_rng(seed_for("line", number, self.seed)))[0])
        return Person(
            name=f"{first} {last}",
            address=f"{local}@{at.domain}",
            house=at,
            dialect=programs()[program],
            zone=zone,
            language=dice.choices(("en", "de", "es"), (0.72, 0.16, 0.12))[0],
            farewell=dice.choice(words("farewell")),
            signature=signature,
            line_ip=address,
            webmail=webmail,
            office=office,
        )


@cache
def engine(*seed: object) -> Dialect:
    """The dialect of a server's sending software."""
    return invented(seed)
