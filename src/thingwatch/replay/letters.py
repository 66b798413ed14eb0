# ruff: noqa: E501 - a header or sentence of a mail stands whole on its line here, as it does in the mail.
"""Spin a text, strew stray words, dress it as a page or a picture."""

from __future__ import annotations

import re
import tomllib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib import resources
from random import Random
from struct import pack

from thingwatch.replay.words import Pattern, nonsense, pick, stray_word, words

CHOICE = re.compile(r"\{([^{}]*)\}")
SLOT = re.compile(r"\$(name|number|amount|token|short|url2|url|digit|word)\b")


@dataclass(frozen=True, slots=True)
class Level:
    """How hard a replay is."""

    freedom: float  # chance that a choice of words is thrown instead of the first one taken
    stray_share: float  # of the mails that carry stray words
    most_strays: int
    stray_subjects: float  # of those, how many carry one in the subject
    tokens: bool  # names, numbers and links differ per recipient
    all_hosts: bool  # every linked lure draws a host per mail
    skeleton: str  # page skeletons change per "lure", "wave" or "mail"
    hidden: float  # of the one-line mails, those that link to a site that everybody uses
    dialects: str  # the engine's dialect changes never ("one"), per "lure" or per "wave"


LEVELS = (
    Level(0.0, 0.0, 0, 0.0, False, False, "lure", 0.0, "one"),
    Level(0.4, 0.35, 3, 0.1, True, False, "lure", 0.0, "one"),
    Level(0.75, 0.7, 6, 0.2, True, False, "wave", 0.1, "lure"),
    Level(1.0, 1.0, 10, 0.25, True, True, "mail", 0.2, "wave"),
)


@dataclass(frozen=True, slots=True)
class Lure:
    """One text of an attack with all its choices."""

    campaign: str
    name: str
    layout: str  # "alternative", "html", "line" or "image"
    brand: str
    domain: str
    local: str
    host: str
    path: str
    subjects: tuple[Pattern, ...]
    paragraphs: tuple[Pattern, ...]
    spun: bool = False
    language: str = "en"


def _spinnable(text: str) -> Pattern:
    pieces = CHOICE.split(text)
    return tuple(tuple(piece.split("|")) if i % 2 else piece for i, piece in enumerate(pieces))


@cache
def lures(campaign: str) -> tuple[Lure, ...]:
    """The lures of lures.toml that belong to *campaign*, in the file's order."""
    text = resources.files("thingwatch.replay").joinpath("lures.toml").read_text("utf-8")
    found = []
    for name, entry in tomllib.loads(text)[campaign].items():
        subjects = tuple(_spinnable(subject) for subject in entry.pop("subjects"))
        paragraphs = tuple(_spinnable(paragraph) for paragraph in entry.pop("paragraphs"))
        found.append(Lure(campaign=campaign, name=name, subjects=subjects, paragraphs=paragraphs, **entry))
    return tuple(found)


def spin(pattern: Pattern, throw: Callable[[], float], freedom: float) -> str:
    """One reading of *pattern*: at each choice the first word, or with chance *freedom* any."""
    return "".join(
        [
            part if type(part) is str else part[int(throw() * len(part))] if throw() < freedom else part[0]
            for part in pattern
        ]
    )


def filled(text: str, slots: dict[str, str]) -> str:
    """*text* with its $slots replaced."""
    if "$" not in text:
        return text
    return SLOT.sub(lambda found: slots[found.group(1)], text)


def strew(paragraphs: list[str], count: int, throw: Callable[[], float]) -> None:
    """Put *count* stray words anywhere between the words of *paragraphs*, in place."""
    for _ in range(count):
        i = int(throw() * len(paragraphs))
        split = paragraphs[i].split(" ")
        split.insert(int(throw() * (len(split) + 1)), stray_word(throw))
        paragraphs[i] = " ".join(split).strip()


def random_host(throw: Callable[[], float]) -> str:
    """A host nobody will see twice, under a reserved name (RFC 2606)."""
    chance = throw()
    name = f"{nonsense(throw, 2)}{nonsense(throw, 1 + int(throw() * 3))}"
    if chance < 0.5:
        return f"{name}{int(throw() * 1000)}.example"
    if chance < 0.8:
        return f"{pick(words('noun'), throw)}.{name}.example"
    return f"www.{name}-{pick(words('noun'), throw)}.test"


SKELETONS: dict[str, tuple[str, str, str]] = {
    # opening, around one paragraph, closing
    "old": (
        '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.0 Transitional//EN">\n<HTML><HEAD>\n<META content="text/html" http-equiv=Content-Type>\n<STYLE></STYLE>\n</HEAD>\n<BODY bgColor=#ffffff>\n',
        "<DIV><FONT size=2 face=Arial>%s</FONT></DIV>\n<DIV>&nbsp;</DIV>\n",
        "</BODY></HTML>\n",
    ),
    "word": (
        '<html xmlns:o="urn:schemas-office"><head><meta http-equiv=Content-Type content="text/html"><style><!--\np.MsoNormal {margin:0cm; font-size:11.0pt; font-family:"Calibri","sans-serif";}\n--></style></head><body lang=EN-GB link=blue vlink=purple><div class=WordSection1>\n',
        "<p class=MsoNormal>%s<o:p></o:p></p>\n",
        "</div></body></html>\n",
    ),
    "bird": (
        '<html>\n  <head>\n    <meta http-equiv="content-type" content="text/html">\n  </head>\n  <body bgcolor="#FFFFFF" text="#000000">\n',
        "    %s<br>\n    <br>\n",
        "  </body>\n</html>\n",
    ),
    "apple": (
        '<html><head><meta http-equiv="Content-Type" content="text/html"></head><body style="word-wrap: break-word; -webkit-nbsp-mode: space;">',
        "<div>%s</div><div><br></div>",
        "</body></html>\n",
    ),
    "div": ('<div dir="ltr">', "<div>%s</div><div><br></div>", "</div>\n"),
    "font": (
        "<html><head><meta http-equiv='Content-Language' content='en'><style>body, font { margin: 6px; color: #202020; } a:link { color: #0000aa; } a:visited { color: #550055; }</style></head><body><font face='Verdana' size='2'>\n",
        "%s<br /><br />\n",
        "</font></body></html>\n",
    ),
    "bare": ("<html><body>\n", "<p>%s</p>\n", "</body></html>\n"),
    "table": (
        '<html><head><style type="text/css">\nbody { margin: 0; padding: 0; background-color: #f4f4f0; }\ntd { font-family: Helvetica, Arial, sans-serif; font-size: 14px; line-height: 20px; color: #333333; }\na { color: #1a5a96; text-decoration: underline; }\n.foot { font-size: 11px; color: #999999; }\n</style></head><body>\n<table width="100%" border="0" cellspacing="0" cellpadding="0"><tr><td align="center">\n<table width="600" align="center" cellpadding="6" bgcolor="#ffffff">\n',
        "<tr><td>%s</td></tr>\n",
        "</table>\n</td></tr></table></body></html>\n",
    ),
    "letter": (
        '<html><head><title></title><meta name="viewport" content="width=device-width">\n<style>\n.outer { width: 100%; max-width: 640px; margin: 12px auto; border: 1px solid #dddddd; }\nh1, h2 { font-weight: normal; letter-spacing: 1px; }\np { margin: 8px; padding: 0 4px; }\n</style>\n</head><body><table width="100%" class="outer" bgcolor="#eeeeee"><tr><td><div style="font-family:Georgia">\n',
        '<p style="margin:8px">%s</p>\n',
        "</div></td></tr></table></body></html>\n",
    ),
}


def page(paragraphs: list[str], skeleton: str, links: dict[str, str]) -> str:
    """*paragraphs* as HTML; each address of *links* becomes a link with its words."""
    opening, around, closing = SKELETONS[skeleton]
    inside = []
    for paragraph in paragraphs:
        text = escape(paragraph, quote=False)
        for url, label in links.items():
            text = text.replace(escape(url, quote=False), f'<a href="{url}">{label}</a>')
        inside.append(around % text)
    return f"{opening}{''.join(inside)}{closing}"


def _chunk(kind: bytes, content: bytes) -> bytes:
    return pack(">I", len(content)) + kind + content + pack(">I", zlib.crc32(kind + content))


WIDTH, HEIGHT = 72, 40


@cache
def _drawing(subject: str) -> int:
    rows = []
    seed = sum(subject.encode()) or 1
    for y in range(HEIGHT):
        row = bytes(
            0xF0 if (x * seed // 7 + y * y // 5) % 11 < 4 else 0x40 + (x * 2 + y) % 64 for x in range(WIDTH)
        )
        rows.append(b"\x00" + row)
    return int.from_bytes(b"".join(rows), "big")


@cache
def _noise_mask() -> int:
    return int.from_bytes((b"\x00" + b"\x03" * WIDTH) * HEIGHT, "big")


def picture(subject: str, dice: Random | None) -> bytes:
    """A small grey PNG of *subject*; with *dice* every one differs in its lowest bits."""
    size = (WIDTH + 1) * HEIGHT
    pixels = _drawing(subject)
    extra = b""
    if dice is not None:
        pixels ^= int.from_bytes(dice.randbytes(size), "big") & _noise_mask()
        extra = _chunk(b"tEXt", b"Comment\x00" + dice.randbytes(12).hex().encode())
    head = pack(">IIBBBBB", WIDTH, HEIGHT, 8, 0, 0, 0, 0)
    data = zlib.compress(pixels.to_bytes(size, "big"), 6)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + extra + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")
