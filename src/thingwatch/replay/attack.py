# ruff: noqa: E501 - a header or sentence of a mail stands whole on its line here, as it does in the mail.
"""The letters of the three attacks: the campaign of things, an unrelated PC botnet, and snowshoe spam."""

from __future__ import annotations

from ipaddress import IPv4Address
from random import Random

from thingwatch.replay import cast, dialects, letters
from thingwatch.replay.border import Arrival
from thingwatch.replay.cast import Cast
from thingwatch.replay.dialects import Content, Dialect, programs
from thingwatch.replay.letters import Level, Lure
from thingwatch.replay.words import dice_for, nonsense, pick, words

SECOND = 1_000_000
POOL_HOSTS = 40  # link hosts of the PC botnet
SNOW_DOMAINS = 120
SNOW_NETWORKS = 4  # /24s
FORGED_HOPS = 0.3  # of the attack's mails with an older Received line of their own making
HTML_SKELETONS = ("old", "div", "font", "bare", "table", "letter", "bird")


def receiver_slots(name: str, address: str, level: Level, dice: Random) -> dict[str, str]:
    """What the $slots of a lure stand for in one mail."""
    throw = dice.random
    if not level.tokens:
        return {
            "name": "customer",
            "number": "481516",
            "amount": "42",
            "token": "8f3a",
            "short": "q7",
            "digit": "7",
            "word": "a",
        }
    style = throw()
    return {
        "name": name if style < 0.4 else name.split(" ")[0] if style < 0.7 else address.split("@")[0],
        "number": str(10_000 + int(throw() * 10 ** (4 + int(throw() * 4)))),
        "amount": f"{int(throw() * 900) + 20}.{int(throw() * 100):02d}",
        "token": f"{dice.getrandbits(32 + 8 * int(throw() * 9)):x}",
        "short": nonsense(throw, 1 + int(throw() * 3)),
        "digit": str(int(throw() * 10)),
        "word": pick(words("noun"), throw),
    }


def link_host(lure: Lure, level: Level, seed: int, sender: str, dice: Random) -> str:
    """Where the link of one mail leads; always a reserved name."""
    if lure.host == "$pool":
        return letters.random_host(dice_for("pool", lure.campaign, dice.randrange(POOL_HOSTS), seed).random)
    if lure.host == "$sender":
        return sender
    if lure.host == "$host" or (level.all_hosts and lure.campaign == "thing"):
        if not level.tokens:
            return f"{lure.name}.link-hall.example"
        if lure.layout == "line" and dice.random() < level.hidden:
            return pick(words("popular"), dice.random)
        return letters.random_host(dice.random)
    return lure.host


def engine(lure: Lure, level: Level, wave: int, seed: int) -> Dialect:
    """The dialect the attacker's software writes in."""
    if lure.campaign == "botnet":
        # Claims to be a common program, and gets its habits slightly wrong.
        real = programs()["express"]
        order = tuple(name for name in real.order if name != "X-MimeOLE")
        return Dialect(
            name="forged", order=order, spelling={name.lower(): name for name in order}, message_id="hex32",
            boundary="nextpart", date="padded", encoding="7bit", charset="windows-1252", fold="; ", quoted=True,
            address="quoted", preamble="", html="old",
            fixed=(("X-Priority", "3"), ("X-MSMail-Priority", "Normal"), ("X-Mailer", "Microsoft Outlook Express 6.00.2900.2180")),
        )  # fmt: skip
    if lure.campaign == "snowshoe":
        return cast.engine("snowshoe", seed)
    if level.dialects == "wave":
        return cast.engine("thing", "wave", wave, seed)
    if level.dialects == "lure":
        return cast.engine("thing", "lure", len(lure.name) % 2, seed)
    return cast.engine("thing", seed)


def skeleton(lure: Lure, level: Level, wave: int, dice: Random) -> str:
    """The page skeleton of one mail."""
    if level.skeleton == "mail" and lure.campaign == "thing":
        return HTML_SKELETONS[int(dice.random() * len(HTML_SKELETONS))]
    changing = wave if level.skeleton == "wave" else 0
    return HTML_SKELETONS[(len(lure.name) * 5 + len(lure.brand) + changing) % len(HTML_SKELETONS)]


def say(
    lure: Lure,
    level: Level,
    wave: int,
    receiver: tuple[str, str],
    sender: str,
    seed: int,
    unique: int,
    at: int,
    dice: Random,
) -> Content:
    """One mail of *lure*, not yet written down; *sender* is the sending domain of snowshoe mail."""
    throw = dice.random
    name, address = receiver
    slots = receiver_slots(name, address, level, dice)
    freedom = min(1.0, level.freedom + 0.4) if lure.spun and level.tokens else level.freedom
    host = link_host(lure, level, seed, sender, dice)
    url = f"http://{host}{letters.filled(lure.path, slots)}" if host else ""
    slots["url"] = url
    slots["url2"] = f"http://{host}/u/{slots['token']}" if host else ""
    subject_pattern = lure.subjects[int(throw() * len(lure.subjects)) if level.tokens else 0]
    subject = letters.filled(letters.spin(subject_pattern, throw, freedom), slots)
    paragraphs = [letters.filled(letters.spin(part, throw, freedom), slots) for part in lure.paragraphs]
    if lure.campaign == "thing" and throw() < level.stray_share:
        letters.strew(paragraphs, 1 + int(throw() * level.most_strays), throw)
        if throw() < level.stray_subjects:
            subject_words = [subject]
            letters.strew(subject_words, 1, throw)
            subject = subject_words[0]

    if lure.domain and lure.domain != "$sender":
        shown = lure.brand
        local = (
            lure.local if not level.tokens else f"{lure.local}{int(throw() * 90) if throw() < 0.6 else ''}"
        )
        domain = lure.domain if not level.tokens or throw() < 0.5 else letters.random_host(throw)
    elif lure.domain == "$sender":
        shown, local, domain = lure.brand, lure.local, sender
    else:
        # A stranger's name at a well-known provider, forged.
        first, last = (
            pick(words("first"), throw),
            pick(words("last"), throw).encode("ascii", "ignore").decode(),
        )
        shown, local = f"{first} {last}", f"{first}{last[:3]}{int(throw() * 1000)}".lower()
        domain = cast.house("provider", int(throw() * cast.PROVIDERS), seed).domain
    content = Content(
        from_name=shown if throw() < 0.9 or not level.tokens else "",
        from_address=f"{local}@{domain}",
        to_name=name if level.tokens and throw() < 0.5 else "",
        to_address=address,
        subject=subject,
        at=at + (int(dice.gauss(0, 5400)) if lure.campaign != "snowshoe" else 0),
        zone=cast.ZONES[int(throw() * len(cast.ZONES))] if level.tokens else 0,
        unique=unique,
        id_host=domain if throw() < 0.6 else f"{nonsense(throw, 3)}.invalid",
    )
    if lure.layout == "image":
        content.image = letters.picture(lure.name, dice if level.tokens else None)
        text = paragraphs[0]
        content.html = f'<html><body><img src="cid:$cid" alt="">{f"<br><small>{text}</small>" if text else ""}</body></html>\n'
    elif lure.layout == "line":
        content.text = f"{paragraphs[0]}\n"
    else:
        links = {
            slots["url"]: url if throw() < 0.5 else {"de": "Hier lesen"}.get(lure.language, "Read it here")
        }
        links[slots["url2"]] = slots["url2"]
        content.html = letters.page(
            paragraphs, skeleton(lure, level, wave, dice), {url: label for url, label in links.items() if url}
        )
        if lure.layout == "alternative":
            content.text = "\n\n".join(paragraphs) + "\n"
    return content


def _forged_hop(home_ip: str, domain: str, at: int, dice: Random) -> str:
    address = ".".join(str(dice.randrange(1, 250)) for _ in range(4))
    style = dice.randrange(3)
    when = dialects.date(at - dice.randrange(2, 4000), 0, "unpadded")
    if style == 0:
        return f"Received: from {nonsense(dice.random, 3)} ({address}) by mx.{domain}; {when}\n"
    if style == 1:
        return f"Received: from unknown (HELO localhost) ({nonsense(dice.random, 2)}@{domain}@{address})\n\tby {home_ip} with ESMTPA; {when}\n"
    return f"Received: from [{address}] (helo={nonsense(dice.random, 3)}.{domain})\n\tby {home_ip} with esmtpa (Exim 4.69)\n\tid 1MMX{dice.randrange(10**6)}-{dice.randrange(10**4)}; {when}\n"


def arrive(
    people: Cast,
    level: Level,
    lure: Lure,
    wave: int,
    number: int,
    address: int,
    thing: bool,
    at: int,
    unique: int,
    dice: Random,
) -> Arrival:
    """A mail of the campaign or of the PC botnet at the border; *number* names the receiver."""
    receiver = people.receiver(number)
    content = say(lure, level, wave, receiver, "", people.seed, unique, at // SECOND, dice)
    dialect = engine(lure, level, wave, people.seed)
    # The campaign's engine leaves the id to the first server in some waves.
    with_id = lure.campaign != "thing" or not level.tokens or (wave * 7 + people.seed) % 5 > 0
    letter = dialects.write(content, dialect, dice, with_id)
    home = cast.household(address, thing)
    domain = content.from_address.split("@")[1]
    if level.tokens and lure.campaign == "thing" and dice.random() < FORGED_HOPS:
        letter = _forged_hop(home.ip, domain, at // SECOND, dice) + letter
    provider = cast.house("provider", dice.randrange(cast.PROVIDERS), people.seed)
    forged = dice.random() < 0.5
    mail_from = (
        f"{nonsense(dice.random, 4)}{dice.randrange(99)}@{provider.domain}"
        if forged
        else content.from_address
    )
    return Arrival(
        home=home,
        mail_from=mail_from,
        receivers=[receiver[1]],
        letter=letter,
        message_id=content.message_id,
        spf=provider.spf if forged else ("none", "softfail", "fail")[dice.randrange(3)],
        header_from=domain,
        dmarc="none",
        lure=f"{lure.campaign}/{lure.name}",
        campaign=lure.campaign,
    )


def snow_domain(number: int, seed: int) -> str:
    """Throwaway domain *number* of the snowshoe sender."""
    dice = dice_for("snow", number, seed)
    return f"{dice.choice(words('noun'))}{dice.choice(words('adjective'))}{number % SNOW_DOMAINS}.example"


def snow(
    people: Cast,
    level: Level,
    lure: Lure,
    server: int,
    day: int,
    slot: int,
    number: int,
    at: int,
    unique: int,
    dice: Random,
) -> Arrival:
    """A snowshoe mail: from a rented server, with a valid policy, under a domain that lasts a day or two."""
    domain = snow_domain(server % 8 + 8 * (day % 15), people.seed)
    receiver = people.receiver(number)
    content = say(lure, level, 0, receiver, domain, people.seed, unique, at // SECOND, dice)
    content.from_name = lure.brand if slot % 2 else f"{lure.brand} {lure.local.title()}"
    content.extra = (("List-Unsubscribe", f"<http://{domain}/u/{unique:x}>"), ("Precedence", "bulk"))
    letter = dialects.write(content, engine(lure, level, 0, people.seed), dice)
    first, size = cast.hosting_ranges()[(server % SNOW_NETWORKS) * 3 % len(cast.hosting_ranges())]
    base = first + (cast.mixed(people.seed + server % SNOW_NETWORKS) % (size // 256 - 2) + 1) * 256
    helo = f"{nonsense(dice_for('snowhost', server, people.seed).random, 2)}{server}.{domain}"
    ip = str(IPv4Address(base + 10 + server % 200))
    return Arrival(
        home=cast.Home(ip, helo, helo, "server"),
        mail_from=f"b{unique:x}@{domain}",
        receivers=[receiver[1]],
        letter=letter,
        message_id=content.message_id,
        spf="pass",
        header_from=domain,
        dkim="pass" if lure.name != "boots" else "none",
        dkim_domain=domain if lure.name != "boots" else "",
        dmarc="none",
        lure=f"snowshoe/{lure.name}",
        campaign="snowshoe",
    )
