# ruff: noqa: E501 - a header or sentence of a mail stands whole on its line here, as it does in the mail.
"""Mail that people write: letters, list posts, a chain letter, and questions about a lure."""

from __future__ import annotations

from random import Random

from thingwatch.replay import attack, cast, dialects, letters
from thingwatch.replay.border import Arrival
from thingwatch.replay.cast import Cast
from thingwatch.replay.letters import Level
from thingwatch.replay.post import hop, sent_by, signature
from thingwatch.replay.prose import letter_from, popular_link, prose, quoted, topic, wrapped
from thingwatch.replay.words import dice_for, pick, sentence, words

SECOND = 1_000_000
SHORT_MAILS = 0.12  # of personal mail, the same few words from anybody
POINTERS = 0.2  # of those, a link and hardly a word: as short as the shortest lure
LINKS = 0.08  # of the longer ones, with a link to a site that everybody uses
REPLIES = 0.45
ATTACHMENTS = 0.08


def _file(dice: Random) -> tuple[str, str, bytes]:
    name = pick(words("noun"), dice.random)
    size = 600 + int(dice.random() ** 3 * 24_000)
    if dice.random() < 0.5:
        return "application/pdf", f"{name}{dice.randrange(100)}.pdf", b"%PDF-1.4\n" + dice.randbytes(size)
    return "image/jpeg", f"IMG_{dice.randrange(10_000):04d}.jpg", b"\xff\xd8\xff\xe0" + dice.randbytes(size)


def personal(people: Cast, number: int, aux: int, at: int, unique: int, dice: Random) -> Arrival:
    """A letter between people who know each other."""
    person = people.person(number)
    # Everybody writes to a handful of others.
    receiver = people.receiver(cast.mixed(number * 11 + aux % 6))
    throw = dice.random
    first = receiver[0].split(" ")[0]
    program = person.dialect.name
    if throw() < SHORT_MAILS:
        text = pick(words("short"), throw)
        if throw() < POINTERS:
            text = f"{pick(words('pointing'), throw)} {popular_link(dice)}".strip()
    else:
        said = prose(person, dice, 1 + int(throw() * throw() * 9))
        if throw() < LINKS:
            said.insert(int(throw() * (len(said) + 1)), popular_link(dice))
        hello = pick(words("greeting"), throw).replace("{name}", first)
        text = f"{hello}\n\n{wrapped(said, dice)}" if hello else wrapped(said, dice)
        if person.farewell:
            text += f"\n\n{person.farewell}\n{person.name.split(' ')[0] if throw() < 0.7 else person.name}"
    if person.signature and throw() < 0.8:
        text += f"\n\n{'-- ' + chr(10) if program in ('bird', 'birdlinux', 'mutt', 'evolution') else ''}{person.signature}"
    subject = topic(person, dice)
    extra: list[tuple[str, str]] = []
    if throw() < REPLIES:
        asked = people.person(cast.mixed(number) % people.people)
        earlier = wrapped(prose(asked, dice, 1 + int(throw() * 9)), dice)
        for back in range(int(throw() * throw() * 5)):
            older = people.person(cast.mixed(number + back) % people.people)
            said_before = wrapped(prose(older, dice, 1 + int(throw() * 7)), dice)
            before = at // SECOND - 200_000 * (back + 1) - dice.randrange(100_000)
            earlier += "\n\n" + quoted(older.name, older.address, before, said_before, program)
        text += "\n\n" + quoted(
            receiver[0], receiver[1], at // SECOND - dice.randrange(600, 200_000), earlier, program
        )
        subject = (
            "AW: "
            if person.language == "de" and throw() < 0.7
            else "RE: "
            if program in ("desk", "hall")
            else "Re: "
        ) + subject
        asked_id = f"{dice.getrandbits(64):016x}@{receiver[1].split('@')[1]}"
        extra = [("In-Reply-To", f"<{asked_id}>"), ("References", f"<{asked_id}>")]
    if person.office and person.house.seed % 3 == 0:
        company = person.house.domain.split(".")[0].title()
        rule = dice_for("disclaimer", person.house.seed)
        text += f"\n\n{'_' * 40}\n{rule.choice(words('disclaimer')).replace('{company}', company).replace('{place}', rule.choice(words('place'))).replace('{number}', str(rule.randrange(10_000)))}"
    content = letter_from(person, receiver, unique, at, subject, text + "\n", dice)
    content.extra = tuple(extra)
    if throw() < ATTACHMENTS:
        content.attachment = _file(dice)
    others = [people.receiver(cast.mixed(number * 11 + i))[1] for i in range(1, 3)] if throw() < 0.06 else []
    receivers = list(dict.fromkeys([receiver[1], *others]))
    return sent_by(person, content, receivers, at, dice, people.seed)


CHAIN_TEXT = (
    "THIS IS TRUE!! My cousin works at the harbour in Gullhaven and saw it herself.",
    "An old walrus sits on the quay and tells everyone's future for one herring.",
    "In 1987 a baker did not pass this letter on and his bread never rose again. A postman from Windmere passed it on to twelve friends and found his lost hat within nine days.",
    "Send this to TWELVE people you love before midnight and something lovely will happen to your garden. Do NOT keep it!",
    "It costs nothing and it made me cry. The walrus knows.",
)


def chain_letter(
    people: Cast, number: int, depth: int, receiver_number: int, at: int, unique: int, dice: Random
) -> Arrival:
    """The same old letter once more, from somebody real, deeper quoted each time."""
    person = people.person(number)
    receiver = people.receiver(receiver_number)
    lines = "\n\n".join(CHAIN_TEXT).split("\n")
    text = "\n".join(lines)
    style = dice.random()
    for i in range(depth):
        earlier = people.person(dice.randrange(people.people))
        if style < 0.5:
            text = "\n".join([f">{'' if line.startswith('>') else ' '}{line}" for line in text.split("\n")])
            text = f"{earlier.name} wrote:\n{text}"
        else:
            text = f"---------- Forwarded message ----------\nFrom: {earlier.name} <{earlier.address}>\nSubject: {'Fwd: ' * min(i, 3)}the walrus letter\n\n{text}"
    remark = sentence("opening", dice.random) if dice.random() < 0.5 else pick(words("short"), dice.random)
    subject = f"{pick(('Fwd: ', 'FW: ', 'Fw: ', 'WG: '), dice.random) * min(depth, 4)}the walrus letter"
    content = letter_from(person, receiver, unique, at, subject, f"{remark}\n\n{text}\n", dice)
    others = [people.receiver(dice.randrange(people.receivers))[1] for _ in range(dice.randrange(3))]
    arrival = sent_by(person, content, list(dict.fromkeys([receiver[1], *others])), at, dice, people.seed)
    arrival.lure = "chain-letter"
    return arrival


def forward(
    people: Cast,
    level: Level,
    number: int,
    lure_number: int,
    receiver_number: int,
    at: int,
    unique: int,
    dice: Random,
) -> Arrival:
    """Somebody asks whether a lure is real."""
    person = people.person(number)
    lure = letters.lures("thing")[lure_number]
    victim = (person.name, person.address)
    said = attack.say(
        lure,
        level,
        dice.randrange(8),
        victim,
        "",
        people.seed,
        unique ^ 0x5A5A5A5A,
        at // SECOND - 4000,
        dice,
    )
    receiver = (
        people.receiver(receiver_number)
        if dice.random() < 0.5
        else ("Help Desk", f"helpdesk@{cast.HOMES[dice.randrange(3)]}")
    )
    ask = pick(
        (
            "is this real?",
            "Is that from us? Please have a look.",
            "got this today, spam?",
            "should I click on it??",
            "Could you check this for me?",
        ),
        dice.random,
    )
    body = said.text or "[picture]"
    text = f"{ask}\n\n{person.name}\n\n-----Original Message-----\nFrom: {said.from_name} <{said.from_address}>\nTo: {person.address}\nSubject: {said.subject}\n\n{body}\n"
    content = letter_from(
        person,
        receiver,
        unique,
        at,
        f"{pick(('FW: ', 'Fwd: ', 'WG: '), dice.random)}{said.subject}",
        text,
        dice,
    )
    if said.image is not None:
        content.attachment = ("image/png", "picture.png", said.image)
    arrival = sent_by(person, content, [receiver[1]], at, dice, people.seed)
    arrival.lure = f"thing/{lure.name}"
    return arrival


def list_mail(
    people: Cast, number: int, aux: int, receiver_number: int, at: int, unique: int, dice: Random
) -> Arrival:
    """A post that a list server passes on."""
    seed = people.seed
    own = dice_for("list", number, seed)
    at_home = cast.house("lists", number // 2, seed)
    name = (
        f"{own.choice(words('noun'))}-{own.choice(('users', 'dev', 'talk', 'announce', 'friends'))}{number}"
    )
    person = people.person(cast.mixed(number * 1000 + aux % 60))
    thread = dice_for("thread", number, aux % 40, seed)
    subject = sentence("topic", thread.random) or "question"
    text = wrapped(prose(person, dice, 1 + int(dice.random() * 7)), dice)
    if dice.random() < 0.7:
        asked = people.person(cast.mixed(number * 1000 + aux % 7))
        text = (
            quoted(
                asked.name,
                asked.address,
                at // SECOND - 9000,
                wrapped(prose(asked, thread, 4), thread),
                "bird",
            )
            + "\n\n"
            + text
        )
        subject = f"Re: {subject}"
    footer = f"_______________________________________________\n{name} mailing list\n{name}@lists.{at_home.domain}\nhttp://lists.{at_home.domain}/listinfo/{name}\n"
    address = f"{name}@lists.{at_home.domain}"
    content = letter_from(
        person,
        (name, address),
        unique,
        at,
        f"[{name}] {subject}",
        f"{text}\n\n{person.farewell}\n{person.name}\n{footer}",
        dice,
    )
    content.html = None
    content.extra = (
        ("X-BeenThere", address), ("X-Mailman-Version", "2.1.15"), ("Precedence", "list"),
        ("List-Id", f"The {name} list <{name}.lists.{at_home.domain}>"),
        ("List-Unsubscribe", f"<http://lists.{at_home.domain}/options/{name}>,\n\t<mailto:{name}-request@lists.{at_home.domain}?subject=unsubscribe>"),
        ("List-Post", f"<mailto:{address}>"), ("Sender", f"{name}-bounces@lists.{at_home.domain}"), ("Errors-To", f"{name}-bounces@lists.{at_home.domain}"),
    )  # fmt: skip
    letter = dialects.write(content, person.dialect, dice)
    second = at // SECOND
    server = at_home.host(0)
    hops = f"Received: from {server.helo} (localhost [127.0.0.1])\n\tby {server.helo} (Postfix) with ESMTP id {dice.getrandbits(40):010X};\n\t{dialects.date(second - 3, 0, 'unpadded')}\n"
    hops += hop(
        at_home, person.house.host(0).ip, person.house.host(0).helo, address, second - 60, dice, False
    )
    if person.house.dkim:
        hops += signature(person.house.domain, second - 60, dice)
    readers = [people.receiver(receiver_number + i)[1] for i in range(1 + dice.randrange(4))]
    return Arrival(
        home=server, mail_from=f"{name}-bounces@lists.{at_home.domain}", receivers=readers, letter=hops + letter, message_id=content.message_id,
        spf="pass", header_from=person.house.domain, dkim="fail" if person.house.dkim else "none",
        dkim_domain=person.house.domain if person.house.dkim else "", dmarc="fail" if person.house.dmarc else "none",
    )  # fmt: skip
