"""How a sender's software writes a mail: order and case of headers, shapes of ids, dates and boundaries."""

from __future__ import annotations

import tomllib
from base64 import b64encode
from binascii import b2a_base64, b2a_qp
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from random import Random
from time import gmtime

from thingwatch.replay.words import dice_for

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LINE_WIDTH = 76  # RFC 2045, section 6.8

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One program's habits."""

    name: str
    order: tuple[str, ...]  # header names as the program spells them, in its order
    message_id: str  # a shape known to message_id()
    boundary: str  # a shape known to boundary()
    date: str  # a shape known to date()
    encoding: str  # of text parts: 7bit, 8bit, quoted-printable, base64
    charset: str
    fold: str  # what stands between the parameters of Content-Type
    quoted: bool  # whether charset is quoted
    address: str  # "quoted" name, "plain" name or "bare" address
    preamble: str
    html: str  # a skeleton known to letters.page()
    fixed: Pairs = ()
    flowed: bool = False
    plain_only: bool = False
    spelling: dict[str, str] = field(default_factory=dict)  # lower case to the program's case


@dataclass(slots=True)
class Content:
    """What one mail says, before a dialect writes it down."""

    from_name: str
    from_address: str
    to_name: str
    to_address: str
    subject: str
    at: int  # seconds since 1970 by the sender's clock
    zone: int  # minutes east of Greenwich
    unique: int  # differs in every mail of a replay, below 2**32
    id_host: str
    text: str | None = None
    html: str | None = None
    image: bytes | None = None
    attachment: tuple[str, str, bytes] | None = None  # media type, file name, content
    enclosed: tuple[str, str] | None = None  # Content-Type and ready body of a report
    extra: Pairs = ()
    message_id: str = ""  # set by write()


def _dialect(name: str, habits: dict[str, object]) -> Dialect:
    order = tuple(str(header) for header in habits["order"])  # type: ignore[attr-defined]
    fixed = tuple((str(a), str(b)) for a, b in habits["fixed"])  # type: ignore[attr-defined]
    rest = {key: value for key, value in habits.items() if key not in {"order", "fixed"}}
    spelling = {header.lower(): header for header in order}
    return Dialect(name=name, order=order, fixed=fixed, spelling=spelling, **rest)  # type: ignore[arg-type]


@cache
def programs() -> dict[str, Dialect]:
    """The mail programs of dialects.toml by name."""
    text = resources.files("thingwatch.replay").joinpath("dialects.toml").read_text("utf-8")
    return {name: _dialect(name, habits) for name, habits in tomllib.loads(text).items()}


INVENTED_ORDER = (
    "Message-ID", "Date", "From", "Reply-To", "To", "Subject", "MIME-Version",
    "Content-Type", "Content-Transfer-Encoding", "X-Mailer", "X-Priority",
)  # fmt: skip
INVENTED_MAILERS = (
    "", "", "", "PHPMailer 5.2.7", "The Bat! (v3.99.29) Professional",
    "Microsoft Outlook Express 6.00.2800.1106",
    "Microsoft Office Outlook 11", "iPad Mail (10B141)", "QUALCOMM Windows Eudora Version 7.1.0.9",
    "Foxmail 6.5", "Apple Mail (2.1085)", "SwiftPost 4.$digit", "KMail/1.9.9", "Mailhopper $digit",
)  # fmt: skip
SHAPES = (
    "desk", "express", "bird", "uuid", "hex32", "digits", "java", "exim", "stamp", "horde", "evo", "letters",
)  # fmt: skip
BOUNDARIES = ("nextpart", "dashes", "equals", "java", "b1", "digits", "uuid", "mutt", "percent", "letters")


def invented(seed: object) -> Dialect:
    """A sending engine of our own invention, for ever the same for an equal *seed*."""
    dice = dice_for("engine", seed)
    order = list(INVENTED_ORDER)
    for _ in range(dice.randrange(2, 9)):
        a, b = dice.randrange(len(order)), dice.randrange(len(order))
        order[a], order[b] = order[b], order[a]
    case = dice.choice(("usual", "usual", "usual", "lower", "upper-id", "mime"))
    if case == "lower":
        order = [header.lower() for header in order]
    elif case == "upper-id":
        order = [header.replace("Message-ID", "Message-Id") for header in order]
    elif case == "mime":
        order = [
            header.replace("MIME-Version", "Mime-Version").replace("X-Mailer", "X-mailer") for header in order
        ]
    mailer = dice.choice(INVENTED_MAILERS)
    fixed: list[tuple[str, str]] = []
    if mailer:
        fixed.append(("X-Mailer", mailer))
    if dice.random() < 0.35:
        fixed.append(("X-Priority", dice.choice(("3", "3 (Normal)", "1"))))
    return Dialect(
        name=f"engine-{seed}",
        order=tuple(order),
        spelling={header.lower(): header for header in order},
        message_id=dice.choice(SHAPES),
        boundary=dice.choice(BOUNDARIES),
        date=dice.choice(("unpadded", "padded", "comment", "gmt", "short")),
        encoding=dice.choice(("7bit", "quoted-printable", "quoted-printable", "base64", "8bit")),
        charset=dice.choice(("utf-8", "UTF-8", "iso-8859-1", "windows-1252", "ISO-8859-1")),
        fold=dice.choice((" ", "\n\t", "\n ", ";")),
        quoted=dice.random() < 0.6,
        address=dice.choice(("quoted", "plain", "plain", "bare")),
        preamble=dice.choice(
            ("", "", "This is a multi-part message in MIME format.\n", "Multipart mail follows\n")
        ),
        html=dice.choice(("old", "div", "font", "bare", "table", "bird")),
        fixed=tuple(fixed),
    )


def date(at: int, zone: int, shape: str) -> str:
    """RFC 5322, section 3.3, as different programs print it; *zone* in minutes east."""
    clock = gmtime(at + zone * 60)
    sign = "-" if zone < 0 else "+"
    offset = f"{sign}{abs(zone) // 60:02d}{abs(zone) % 60:02d}"
    day = f"{clock.tm_mday:02d}" if shape == "padded" else str(clock.tm_mday)
    time = f"{clock.tm_hour:02d}:{clock.tm_min:02d}:{clock.tm_sec:02d}"
    core = f"{day} {MONTHS[clock.tm_mon - 1]} {clock.tm_year} {time}"
    if shape == "short":
        return f"{core} {offset}"
    weekday = DAYS[clock.tm_wday]
    if shape == "gmt" and zone == 0:
        return f"{weekday}, {core} GMT"
    if shape == "comment":
        return f"{weekday}, {core} {offset} ({'UTC' if zone == 0 else 'CET' if zone == 60 else 'LT'})"
    return f"{weekday}, {core} {offset}"


def letters_of(dice: Random, length: int) -> str:
    """*length* random letters and digits."""
    return b64encode(dice.randbytes(length), b"ab").decode()[:length]


def message_id(shape: str, unique: int, dice: Random, at: int, host: str) -> str:
    """An id without brackets; *unique* stands in each of them whole, so two mails never share one."""
    some = dice.getrandbits(64)
    low, high = some & 0xFFFFFFFF, some >> 32
    clock = gmtime(at)
    day = f"{clock.tm_year}{clock.tm_mon:02d}{clock.tm_mday:02d}"
    time = f"{clock.tm_hour:02d}{clock.tm_min:02d}{clock.tm_sec:02d}"
    match shape:
        case "desk":
            return f"{low & 0xFFF:06x}01ceff{high & 0xFF:02x}${unique:08x}${low:08x}$@{host}"
        case "express":
            return f"{low & 0xFFF:012X}${unique:08x}${high & 0xFFFFFF:08x}@{host}"
        case "bird":
            return f"{at:08X}.{unique:010d}@{host}"
        case "uuid":
            middle = f"{low >> 16:04X}-4{low & 0xFFF:03X}-{high >> 16:04X}"
            return f"{unique:08X}-{middle}-{at & 0xFFFF:04X}{high:08X}@{host}"
        case "webg":
            return f"CA{letters_of(dice, 18)}={unique:08x}-{letters_of(dice, 12)}@mail.{host}"
        case "weby":
            return f"{at}.{unique:010d}.WebPost@web{low % 180000}.mail.{host}"
        case "webh":
            return f"BAY{low % 999:03d}-W{high & 0xFF:02X}{unique:08X}{low:08X}@phx.{host}"
        case "droid":
            return f"{letters_of(dice, 20)}.{unique:010d}.{at}@email.android.{host}"
        case "mutt":
            return f"{day}{time}.GA{unique:010d}@{host}"
        case "evo":
            return f"{at}.{unique:010d}.{low % 100}.camel@{host}"
        case "horde":
            return f"{day}{time}.Horde.{letters_of(dice, 12)}{unique:08x}@{host}"
        case "hex32":
            return f"{unique:08x}{some:016x}{at & 0xFFFFFFFF:08x}@{host}"
        case "notes":
            return f"OF{unique:08X}.{low:08X}-ONC1257C4A.00{high & 0xFFFF:04X}@{host}"
        case "hall":
            return f"{unique:08X}{low:08X}{high:08X}4D@EXCH{high % 9}.{host}"
        case "live":
            return f"{unique:08X}{low:08X}{high:08X}@{letters_of(dice, 6)}PC"
        case "digits":
            return f"{day}{time}.{unique:010d}@{host}"
        case "java":
            return f"{unique}.{low % 90000}.{at}{high % 1000:03d}.JavaMail.root@{host}"
        case "exim":
            return f"1V{letters_of(dice, 4)}-{unique:08x}-{letters_of(dice, 2)}@{host}"
        case "stamp":
            return f"{at}.{unique:x}.qmail@{host}"
        case _:
            return f"{letters_of(dice, 10)}{unique:08x}@{host}"


def boundary(shape: str, dice: Random, at: int) -> str:
    """A MIME boundary (RFC 2046, section 5.1.1) of the given *shape*."""
    some = dice.getrandbits(96)
    low = some & 0xFFFFFFFF
    match shape:
        case "nextpart":
            return (
                f"----=_NextPart_000_{low & 0xFFF:04X}_01CEFF{some >> 88:02X}.{(some >> 40) & 0xFFFFFFFF:08X}"
            )
        case "dashes":
            return f"------------{some % 10**24:024d}"
        case "apple":
            return f"Apple-Mail{'=_' if low & 1 else '-'}{some:024X}"
        case "webg":
            return f"001a{some:020x}0{low:08x}"
        case "weby":
            return f"{low % 10**9}-{some % 10**10}-{at}=:{low % 90000}"
        case "webh":
            return f"_{some:024x}_"
        case "k9":
            return f"----{letters_of(dice, 30).upper()}"
        case "mutt":
            return letters_of(dice, 16)
        case "evo":
            return f"=-{letters_of(dice, 20)}"
        case "equals":
            return f"=_{some:024x}"
        case "horde":
            return f"=_{letters_of(dice, 22)}"
        case "notes":
            return f"=_alternative {low & 0xFFFFFF:06X}80C1257C4A_="
        case "hall":
            return f"_000_{some:024X}EXCH_"
        case "java":
            return f"----=_Part_{low % 99999}_{some % 10**9}.{at}000"
        case "b1":
            return f"b1_{some:024x}{low:08x}"
        case "digits":
            return f"{some % 10**20:020d}"
        case "uuid":
            return f"{low:08x}-{(some >> 32) & 0xFFFF:04x}-{(some >> 48) & 0xFFFF:04x}-{some >> 64:08x}"
        case "percent":
            return f"---{low:X}.MIME%{some >> 64:X}"
        case _:
            return f"{letters_of(dice, 28)}"


def encode(text: str, charset: str, encoding: str) -> tuple[str, str, str]:
    """*text* ready for the wire as Latin-1 text, with the charset and encoding that were really used."""
    if text.isascii():
        raw = text.encode("ascii")
        if encoding == "8bit":
            encoding = "7bit"
    else:
        if charset.lower() == "us-ascii":
            charset = "utf-8"
        raw = text.encode(charset, "replace")
        if encoding == "7bit":
            encoding = "8bit" if charset.lower() == "utf-8" else "quoted-printable"
    if encoding == "base64":
        return wrapped_base64(raw), charset, encoding
    if encoding == "quoted-printable":
        return b2a_qp(raw, istext=True).decode("latin-1"), charset, encoding
    return raw.decode("latin-1"), charset, encoding


def wrapped_base64(raw: bytes) -> str:
    """Base64 in lines of 76 (RFC 2045, section 6.8)."""
    flat = b2a_base64(raw, newline=False).decode("ascii")
    return "\n".join([flat[i : i + LINE_WIDTH] for i in range(0, len(flat), LINE_WIDTH)]) + "\n"


def header_text(text: str, charset: str) -> str:
    """*text* as an encoded word when it needs to be one (RFC 2047)."""
    if text.isascii():
        return text
    if charset.lower() == "us-ascii":
        charset = "utf-8"
    flat = b2a_base64(text.encode(charset, "replace"), newline=False).decode("ascii")
    return f"=?{charset}?B?{flat}?="


def _text_part(kind: str, text: str, dialect: Dialect) -> tuple[list[tuple[str, str]], str]:
    body, charset, encoding = encode(text, dialect.charset, dialect.encoding)
    charset = f'"{charset}"' if dialect.quoted else charset
    fold = dialect.fold
    between = fold if fold.startswith(";") else f";{fold}"
    between = "; " if between == ";" else between
    flowed = "; format=flowed" if dialect.flowed and kind == "plain" else ""
    headers = [
        ("content-type", f"text/{kind}{between}charset={charset}{flowed}"),
        ("content-transfer-encoding", encoding),
    ]
    return headers, body


def _part(headers: list[tuple[str, str]], body: str, dialect: Dialect) -> str:
    spelled = "".join(
        [f"{dialect.spelling.get(name, name.title())}: {value}\n" for name, value in headers if value]
    )
    return f"{spelled}\n{body}"


def _multipart(
    kind: str, parts: list[str], dialect: Dialect, dice: Random, at: int
) -> tuple[list[tuple[str, str]], str]:
    mark = boundary(dialect.boundary, dice, at)
    between = dialect.fold if dialect.fold.startswith(";") else f";{dialect.fold}"
    between = ";\n\t" if between.strip() == ";" and "\n" not in between else between
    body = dialect.preamble + "".join(
        [f"\n--{mark}\n{part}{'' if part.endswith(chr(10)) else chr(10)}" for part in parts]
    )
    return [("content-type", f'multipart/{kind}{between}boundary="{mark}"')], f"{body}\n--{mark}--\n"


def _body(content: Content, dialect: Dialect, dice: Random) -> tuple[list[tuple[str, str]], str]:
    if content.enclosed is not None:
        return [("content-type", content.enclosed[0])], content.enclosed[1]
    html = None if dialect.plain_only and content.text is not None else content.html
    if content.image is not None:
        cid = f"{dice.getrandbits(64):016x}@{content.id_host}"
        headers, text = _text_part("html", (html or "").replace("$cid", cid), dialect)
        picture = [
            ("content-type", f'image/png; name="{letters_of(dice, 6)}.png"'),
            ("content-transfer-encoding", "base64"),
            ("content-id", f"<{cid}>"),
        ]
        parts = [_part(headers, text, dialect), _part(picture, wrapped_base64(content.image), dialect)]
        return _multipart("related", parts, dialect, dice, content.at)
    if content.text is not None and html is not None:
        plain = _part(*_text_part("plain", content.text, dialect), dialect)
        rich = _part(*_text_part("html", html, dialect), dialect)
        headers, text = _multipart("alternative", [plain, rich], dialect, dice, content.at)
    elif html is not None:
        headers, text = _text_part("html", html, dialect)
    else:
        headers, text = _text_part("plain", content.text or "", dialect)
    if content.attachment is None:
        return headers, text
    media_type, filename, raw = content.attachment
    file_headers = [
        ("content-type", f'{media_type}; name="{filename}"'),
        ("content-transfer-encoding", "base64"),
        ("content-disposition", f'attachment; filename="{filename}"'),
    ]
    parts = [_part(headers, text, dialect), _part(file_headers, wrapped_base64(raw), dialect)]
    return _multipart("mixed", parts, dialect, dice, content.at)


def _address(name: str, address: str, dialect: Dialect) -> str:
    if not name or dialect.address == "bare":
        return address
    if not name.isascii():
        return f"{header_text(name, dialect.charset)} <{address}>"
    if dialect.address == "quoted" or not name.replace(" ", "").isalnum():
        return f'"{name}" <{address}>'
    return f"{name} <{address}>"


def _fill(value: str, content: Content, dice: Random) -> str:
    if "$" not in value:
        return value
    some = dice.getrandbits(64)
    for slot, filling in (
        ("$thread", b2a_base64(dice.randbytes(22), newline=False).decode("ascii")),
        ("$hex8", f"{some & 0xFFFFFFFF:08X}"),
        ("$hex4", f"{some >> 48:04X}"),
        ("$byte", str(some % 250)),
        ("$digit", str(some % 10)),
        ("$base", f"{dice.getrandbits(60):015x}"),
        ("$from", content.from_address),
        ("$subject", header_text(content.subject, "utf-8")),
        ("$$", "$"),
    ):
        value = value.replace(slot, filling)
    return value


def write(content: Content, dialect: Dialect, dice: Random, with_id: bool = True) -> str:
    """The mail as its sender's program hands it over, as Latin-1 text with bare line feeds.

    Sets ``content.message_id``; without *with_id* the mail has none and the border must add one.
    """
    headers, body = _body(content, dialect, dice)
    values = dict(headers)
    values["from"] = _address(content.from_name, content.from_address, dialect)
    values["to"] = _address(content.to_name, content.to_address, dialect)
    values["subject"] = header_text(content.subject, dialect.charset)
    values["date"] = date(content.at, content.zone, dialect.date)
    values["mime-version"] = "1.0"
    if with_id:
        content.message_id = message_id(dialect.message_id, content.unique, dice, content.at, content.id_host)
        values["message-id"] = f"<{content.message_id}>"
    for name, value in dialect.fixed:
        values[name.lower()] = _fill(value, content, dice)
    spelling = dialect.spelling
    late: list[str] = []
    for name, value in content.extra:
        if name.lower() in spelling:
            values[name.lower()] = value
        else:
            late.append(f"{name}: {value}\n")
    lines = [f"{name}: {values[name.lower()]}\n" for name in dialect.order if name.lower() in values]
    lines += [f"{name.title()}: {value}\n" for name, value in headers if name not in spelling]
    return f"{''.join(lines)}{''.join(late)}\n{body}"
