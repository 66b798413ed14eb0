"""Who writes the mail of the stories, by which hand, from which line: small, invented, and the same every time.

Brands and people are invented, domains end in .example (RFC 2606), addresses lie in 198.18.0.0/15, the
largest block nobody is reached at (RFC 2544). A story draws everything from one ``Random`` of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from random import Random
from typing import Any, NamedTuple

BORDER = "mx.border.example"
SECOND = 1.0
MINUTE = 60.0
HOUR = 3600.0
DAY = 24 * HOUR


def at(text: str) -> float:
    """*text*, such as ``2014-01-02 08:00``, in seconds since 1970, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


class Line(NamedTuple):
    """Where a mail comes from: what the border writes of it."""

    client_ip: str
    ptr: str
    helo: str


class Lines:
    """Hands out lines nobody else has, each in a network of its own."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._nets = dice.sample(range(512), 512)

    def homes(self, count: int) -> list[Line]:
        """Lines of households, whose names carry the address."""
        return [self._line("dsl-{0}-{1}-{2}-{3}.pool.isp{4}.example", "home-pc") for _ in range(count)]

    def servers(self, count: int) -> list[Line]:
        """Mail servers under names people gave them."""
        return [self._line("mail.firm{2}{3}.example", "") for _ in range(count)]

    def rack(self, count: int) -> list[Line]:
        """Rented servers side by side: one network."""
        net = self._net()
        names = [f"out{i}.rack.example" for i in range(count)]
        return [Line(f"{net}.{10 + i}", name, name) for i, name in enumerate(names)]

    def _net(self) -> str:
        number = self._nets.pop()
        return f"198.{18 + number // 256}.{number % 256}"

    def _line(self, name: str, helo: str) -> Line:
        address = f"{self._net()}.{self._dice.randrange(2, 250)}"
        ptr = name.format(*address.split("."), self._dice.randrange(8))
        return Line(address, ptr, helo or ptr)


@dataclass(frozen=True)
class Hand:
    """How one mail program writes: the order of its headers, its Message-ID, its zone, its name."""

    order: str  # of f(rom) t(o) s(ubject) d(ate) i(d) m(ime-version) c(ontent-type) x(mailer)
    message_id: str  # X stands for a random hex digit, D for the sender's domain
    zone: str = "+0000"
    mailer: str = ""
    quoted: bool = False  # the display name


# What people write with. No two agree in all of order, Message-ID, zone and mailer.
PEOPLE = (
    Hand("ifdmtsc", "XXXXXXXX.XXXXXXX@D", "+0100"),
    Hand("ftsdimcx", "XXXXXXXXXXXX$XXXXXXXX@D", "+0000", "Invented Mail 6.00"),
    Hand("dfmtsic", "XXXXXXXX-XXXX-XXXX-XXXXXXXXXXXX@D", "-0500"),
    Hand("fcmsidt", "XXXX.XXXX@D", "+0900", quoted=True),
    Hand("xmfdistc", "XXXXXXXXXX@D", "+0200", "Penfriend 2.1"),
    Hand("disftmc", "X.XXXXXX.XXXXXXXX@D", "+0000", quoted=True),
    Hand("tfsdcmi", "XXXXXX_XXXXXX@D", "+0300"),
    Hand("ftdsimcx", "XXXXXXXXXXXXXXXX@D", "+0100", "Quill 9"),
    Hand("dsftimc", "XXXX-XXXXXX@D", "+0530"),
    Hand("fdtmsic", "XXXXX.XXX.XX@D", "-0800", quoted=True),
    Hand("sdftmci", "XXXXXX+XXXXXX@D", "+0000"),
    Hand("tdfsimcx", "XXXXXX=XXXX@D", "+0100", "Courier Pigeon 3"),
)
# What engines write with, who claim to be programs they are not.
ENGINE = Hand("xfitsdmc", "XXXXXX$XXXXXXXX$XXXXXXXX@D", "+0000", "Invented Mail 6.00", quoted=True)
ENGINE_TWO = Hand("mcfdtisx", "XXXXXXXX.XXXX~XXXXXX@D", "-0700", "Penfriend 2.1")
HOUSE = Hand("dfimctsx", "XXXXXXXXXX.bulk-XXX@D", "+0000", "House Mailer 4")
REPORTER = Hand("dftsimc", "XXXXXXXXXX.XXXXX@D", "+0000")


def engine(number: int) -> Hand:
    """An engine of many faces: another order, another Message-ID, for every *number*."""
    dice = Random(f"engine {number}")  # noqa: S311 - a story needs no secrets
    order = "".join(dice.sample("ftsdimc", 7))
    marks = "".join(dice.choice("$.-_~+=") + "X" * dice.randrange(3, 9) for _ in range(3))
    return Hand(order, f"XXXX{marks}@D", dice.choice(("+0000", "+0200", "-0400")), quoted=dice.random() < 0.5)


class Letter(NamedTuple):
    """What a mail says, and under whose name."""

    subject: str
    text: str
    from_name: str
    from_address: str
    html: str = ""
    image: bytes = b""
    extra: tuple[str, ...] = ()  # header lines of the sender's own


class Passing(NamedTuple):
    """One mail as it stands in the mailbox, and who it is in the story."""

    role: str
    received_at: float  # seconds since 1970
    raw: bytes


FIRST = [
    "anna",
    "bela",
    "carl",
    "dora",
    "emil",
    "fina",
    "gero",
    "hanna",
    "ivan",
    "jule",
    "kurt",
    "lena",
    "mika",
    "nora",
    "olaf",
    "pia",
    "quin",
    "rosa",
    "sven",
    "tina",
    "udo",
    "vera",
    "willi",
    "xenia",
    "yann",
    "zita",
]
FAMILY = [
    "adler",
    "berg",
    "cordes",
    "dahl",
    "eilers",
    "frank",
    "gross",
    "hahn",
    "iske",
    "jung",
    "kern",
    "lang",
    "moll",
    "nolte",
    "otten",
    "peters",
    "rabe",
]


def recipient(dice: Random) -> str:
    """Somebody of our own who gets mail."""
    return f"{dice.choice(FIRST)}.{dice.choice(FAMILY)}@{dice.choice(('border', 'branch', 'works'))}.example"


def hexed(dice: Random, form: str) -> str:
    """*form* with a random hex digit for every X."""
    return "".join(dice.choice("0123456789abcdef") if sign == "X" else sign for sign in form)


class Post:
    """The mailbox of one story: letters go in, bytes come out."""

    def __init__(self, name: str) -> None:
        self.dice = Random(name)  # noqa: S311 - a story needs no secrets
        self.lines = Lines(self.dice)
        self.mails: list[Passing] = []
        self.evidence: list[dict[str, Any]] = []  # sightings in the program's own form, see docs/evidence.md

    def witness(self, line: Line, time: str, kind: str, value: str) -> None:
        """Somebody saw *kind* of *value* at *line*."""
        row = {"ip": line.client_ip, "time": time, "kind": kind, "value": value, "source": "story"}
        self.evidence.append(row)

    def send(
        self,
        role: str,
        when: float,
        line: Line,
        hand: Hand,
        letter: Letter,
        to: str = "",
        signed: str = "",
        bounce: bool = False,
    ) -> None:
        """One mail from *line* at *when*; *signed* is the domain whose signature the border found good."""
        rcpt = to or recipient(self.dice)
        domain = letter.from_address.rpartition("@")[2]
        ptr = line.ptr or "unknown"
        stamp = format_datetime(datetime.fromtimestamp(int(when), UTC))
        checks = f"dkim=pass header.d={signed}" if signed else "dkim=none"
        spf = "pass" if signed else "none"
        head = [
            f"Return-Path: <{'' if bounce else letter.from_address}>",
            f"Authentication-Results: {BORDER}; spf={spf} smtp.mailfrom={signed or domain}; {checks}; dmarc=none",
            f"Received: from {line.helo} ({ptr} [{line.client_ip}])",
            f"\tby {BORDER} (Postfix) with ESMTP id {hexed(self.dice, 'XXXXXXXXXX').upper()}",
            f"\tfor <{rcpt}>; {stamp}",
            *self._own_headers(when, hand, letter, rcpt, domain),
        ]
        body_type, body = self._body(letter)
        raw = "\n".join([*head, *letter.extra, *body_type, "", body, ""])
        self.mails.append(Passing(role, when, raw.encode("utf-8")))

    def _own_headers(self, when: float, hand: Hand, letter: Letter, rcpt: str, domain: str) -> list[str]:
        hours = int(hand.zone[:3])
        local = datetime.fromtimestamp(int(when) + hours * 3600, UTC)
        name = f'"{letter.from_name}"' if hand.quoted else letter.from_name
        written = {
            "f": f"From: {name} <{letter.from_address}>",
            "t": f"To: {rcpt}",
            "s": f"Subject: {letter.subject}",
            "d": f"Date: {local:%a, %d %b %Y %H:%M:%S} {hand.zone}",
            "i": f"Message-ID: <{hexed(self.dice, hand.message_id).replace('D', domain)}>",
            "m": "MIME-Version: 1.0",
            "x": f"X-Mailer: {hand.mailer}",
        }
        return [written[sign] for sign in hand.order if sign in written]

    def _body(self, letter: Letter) -> tuple[list[str], str]:
        if letter.image:
            from base64 import encodebytes

            mark = hexed(self.dice, "----=_XXXXXXXX")
            picture = encodebytes(letter.image).decode("ascii")
            parts = (
                f"--{mark}\nContent-Type: text/plain\n\n{letter.text}\n"
                f"--{mark}\nContent-Type: image/gif; name=a.gif\nContent-Transfer-Encoding: base64\n\n{picture}"
                f"--{mark}--"
            )
            return [f'Content-Type: multipart/mixed; boundary="{mark}"'], parts
        if letter.html:
            return ["Content-Type: text/html; charset=utf-8"], letter.html
        return [] if any(x.lower().startswith("content-type") for x in letter.extra) else [
            "Content-Type: text/plain; charset=utf-8"
        ], letter.text

    def mbox(self) -> tuple[bytes, list[str]]:
        """The mailbox in order of arrival, and the role of each mail in it."""
        ordered = sorted(self.mails, key=lambda mail: mail.received_at)
        stamps = [f"{datetime.fromtimestamp(int(m.received_at), UTC):%a %b %e %H:%M:%S %Y}" for m in ordered]
        box = b"".join(
            f"From - {stamp}\n".encode() + mail.raw + b"\n"
            for stamp, mail in zip(stamps, ordered, strict=True)
        )
        return box, [mail.role for mail in ordered]

    # -- Those who write.

    def wave(
        self,
        role: str,
        lines: Sequence[Line],
        start: float,
        minutes: float,
        letter: Callable[[Random], Letter],
        hand: Hand = ENGINE,
        each: Sequence[int] = (1, 2),
    ) -> None:
        """Every one of *lines* sends a few letters within *minutes*."""
        for line in lines:
            for _ in range(self.dice.choice(each)):
                self.send(role, start + self.dice.random() * minutes * MINUTE, line, hand, letter(self.dice))

    def everyday(self, count: int, start: float, days: float) -> None:
        """People who write to each other: every letter its own, by many hands, mostly signed by their provider."""
        hosts = self.lines.servers(12)
        for i in range(count):
            number = i % len(hosts)
            name, family = self.dice.choice(FIRST), self.dice.choice(FAMILY)
            domain = f"firm{number}.example"
            sender = f"{name}.{family}@{domain}"
            letter = Letter(
                gossip(self.dice, 3),
                "\n\n".join(gossip(self.dice, 14) for _ in range(3)),
                f"{name} {family}",
                sender,
            )
            when = start + self.dice.random() * days * DAY
            self.send("everyday", when, hosts[number], PEOPLE[number], letter, signed=domain if i % 3 else "")

    def newsletter(
        self,
        role: str,
        lines: Sequence[Line],
        start: float,
        minutes: float,
        count: int,
        domain: str,
        letter: Letter,
    ) -> None:
        """One house writes to *count* readers under its own signed name."""
        for _ in range(count):
            when = start + self.dice.random() * minutes * MINUTE
            extra = (
                *letter.extra,
                f"List-Unsubscribe: <https://{domain}/leave/{hexed(self.dice, 'XXXXXXXX')}>",
            )
            self.send(role, when, self.dice.choice(lines), HOUSE, letter._replace(extra=extra), signed=domain)


_SYLLABLES = [
    "ba",
    "be",
    "bi",
    "bo",
    "da",
    "de",
    "di",
    "do",
    "fa",
    "fe",
    "fi",
    "fo",
    "ga",
    "ge",
    "ka",
    "ke",
    "la",
    "le",
    "li",
    "lo",
    "ma",
    "me",
    "mi",
    "mo",
    "na",
    "ne",
    "ni",
    "no",
    "ra",
    "re",
    "ri",
    "ro",
    "sa",
    "se",
    "ta",
    "te",
]


def words(dice: Random, count: int) -> str:
    """*count* words nobody else says."""
    return " ".join(
        "".join(dice.choice(_SYLLABLES) for _ in range(dice.randrange(2, 5))) for _ in range(count)
    )


_GOSSIP = (
    "the meeting on {} was moved because {} could not come",
    "we had {} for dinner and talked about {}",
    "could you send me the {} before {}",
    "my sister saw {} near the {} last week",
    "i think the {} needs a new {}",
    "nobody told us that {} had sold the {}",
    "the children want to bring {} to {}",
    "please ask {} whether the {} is ready",
)


def gossip(dice: Random, count: int) -> str:
    """About *count* words as people say them."""
    said = ""
    while len(said.split()) < count:
        said += (". " if said else "") + dice.choice(_GOSSIP).format(words(dice, 1), words(dice, 1))
    return said


def everybody(roles: Iterable[str]) -> dict[str, int]:
    """How many mails each role sent."""
    counted: dict[str, int] = {}
    for role in roles:
        counted[role] = counted.get(role, 0) + 1
    return counted


def ranges(numbers: Iterable[int]) -> str:
    """``1-4 7`` for 1, 2, 3, 4 and 7."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


class Found(NamedTuple):
    """What a story's promise looks at."""

    campaigns: list[dict[str, Any]]  # as in expected.json, attacks first
    sent: dict[str, int]  # mails by role

    def verdicts(self, role: str) -> set[str]:
        """What the campaigns that hold mail of *role* were called."""
        return {c["verdict"] for c in self.campaigns if role in c["belongs"]}

    def whole(self, campaign: dict[str, Any], role: str) -> bool:
        """Whether *campaign* holds every mail of *role*."""
        return bool(campaign["belongs"].get(role) == ranges(range(1, self.sent[role] + 1)))


# -- What lures say. Every one takes the dice and gives a letter to one reader.


def forged(dice: Random) -> str:
    """A sender address nobody owns."""
    return f"{dice.choice(FIRST)}{dice.randrange(10, 99)}@{words(dice, 1)}.example"


def parcel(dice: Random) -> Letter:
    """A parcel that cannot be delivered; name, number and link change."""
    number = dice.randrange(10**8, 10**9)
    text = (
        f"Dear {dice.choice(FIRST).title()},\n\nyour parcel {number} could not be handed over by our courier today"
        " because nobody was at the door of the address given.\nPlease print the label and bring it to the"
        f" nearest depot within two days, or storage is charged.\n\nhttp://{words(dice, 1)}.example/label/"
        f"{hexed(dice, 'XXXXXXXX')}.php?id={number}\n\nParcel Post of Invention, customer service"
    )
    return Letter(f"Parcel {number} could not be delivered", text, "Parcel Post of Invention", forged(dice))


def invoice(dice: Random) -> Letter:
    """An invoice nobody ordered."""
    number = dice.randrange(10**5, 10**6)
    text = (
        f"Good day,\n\nattached you find bill {number} for the goods ordered by telephone in the past month; the"
        f" amount of {dice.randrange(100, 999)} crowns falls due on receipt of this letter.\nShould you not have"
        f" ordered anything, open the page below and cancel at once:\nhttp://{words(dice, 1)}.example/bill/view.asp?n="
        f"{hexed(dice, 'XXXXXXXX')}\n\nAccounting, Figment & Daughters"
    )
    return Letter(f"Bill {number} of Figment & Daughters", text, "Figment & Daughters", forged(dice))


def pills(dice: Random) -> Letter:
    """Medicine at a price."""
    text = (
        "The apothecary without prescription sends tablets of every kind in plain envelopes to your door; eighty"
        f" in a hundred save more than half.\nSee the list of prices: http://{words(dice, 1)}.example/\n\n"
        f"No consultation, no questions, code {hexed(dice, 'XXXXXX')}"
    )
    return Letter("Tablets without prescription, half the price", text, "Apothecary Phantasm", forged(dice))
