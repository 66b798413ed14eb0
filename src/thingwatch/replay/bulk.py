# ruff: noqa: E501 - a header or sentence of a mail stands whole on its line here, as it does in the mail.
"""Mail that machines send to many on request: newsletters, orders, reports, invitations."""

from __future__ import annotations

from functools import cache
from random import Random

from thingwatch.replay import attack, cast, dialects, letters
from thingwatch.replay.border import Arrival
from thingwatch.replay.cast import Cast
from thingwatch.replay.dialects import Content
from thingwatch.replay.post import signature
from thingwatch.replay.prose import upper_first
from thingwatch.replay.words import dice_for, nonsense, pick, sentence, words

SECOND = 1_000_000
SENDING_SERVICES = 3  # shared by most newsletter brands


@cache
def _run(run: int, brand: int, seed: int) -> tuple[str, str, tuple[str, ...], tuple[str, ...]]:
    """(brand name, subject, paragraphs, link paths) of one newsletter run."""
    own = dice_for("brand", brand, seed)
    name = f"{own.choice(words('last')).encode('ascii', 'ignore').decode()} {own.choice(('Garden', 'Outfitters', 'Books', 'Travel', 'Kitchen', 'Weekly', 'Toys', 'Records', 'Bicycles', 'Museum', 'Theatre', 'Farm'))}"
    dice = dice_for("run", run, brand, seed)
    throw = dice.random
    subject = f"{pick(words('adjective'), throw).title()} {pick(words('noun'), throw)}s, now {dice.randrange(10, 60)} % off"
    if throw() < 0.5:
        subject = f"News from {name}: {sentence('topic', throw) or 'the new year'}"
    said = []
    for _ in range(dice.randrange(7, 20)):
        noun, adjective = pick(words("noun"), throw), pick(words("adjective"), throw)
        said.append(
            pick((
                f"{adjective.title()} {noun}, was {dice.randrange(30, 90)}, now {dice.randrange(5, 30)}: $link",
                f"The {noun} of the month comes from {pick(words('place'), throw)}. {upper_first(sentence('line', throw))} $link",
                f"How to {pick(words('verb'), throw)} a {adjective} {noun} in {dice.randrange(3, 9)} steps: $link",
                f"{upper_first(sentence('line', throw))} {upper_first(sentence('line', throw))}",
            ), throw)
        )  # fmt: skip
    return name, subject, tuple(said), tuple(nonsense(throw, 3) for _ in said)


def newsletter(
    people: Cast, run: int, brand: int, receiver_number: int, at: int, unique: int, dice: Random
) -> Arrival:
    """One copy of a newsletter that its readers asked for."""
    seed = people.seed
    name, subject, said, paths = _run(run, brand, seed)
    # Nine of fourteen brands rent one of three sending services: same servers, same footer, same software.
    shared = brand % 14 < 9
    service = cast.house("sender", brand % SENDING_SERVICES if shared else 50 + brand, seed)
    dialect = cast.engine("service", service.domain)
    domain = f"{name.split(' ')[0].lower()}-{name.split(' ')[1].lower()}.example"
    host = f"click.{service.domain}" if shared else f"news.{domain}"
    receiver = people.receiver(receiver_number)
    token = f"{unique:08x}{dice.getrandbits(48):012x}"
    paragraphs = [f"Hello {receiver[0]}," if brand % 3 else f"{name} - our letter to you"]
    links = {}
    for text, path in zip(said, paths, strict=True):
        url = f"http://{host}/{path}/{token}"
        links[url] = "more"
        paragraphs.append(text.replace("$link", url))
    leave = f"http://{host}/leave/{token}"
    links[leave] = "unsubscribe"
    paragraphs.append(
        f"You receive this letter because {receiver[1]} is on the list of {name}. Leave the list: {leave}. Sent for {name} by {service.domain}, {brand + 11} Post Street."
    )
    content = Content(
        from_name=name, from_address=f"news@{domain}", to_name=receiver[0] if brand % 2 else "", to_address=receiver[1],
        subject=subject, at=at // SECOND - dice.randrange(1, 90), zone=0, unique=unique, id_host=service.domain,
        html=letters.page(paragraphs, "table" if shared else attack.HTML_SKELETONS[brand % 7], links),
        text="\n\n".join(paragraphs) + "\n" if brand % 4 else None,
        extra=(
            ("List-Unsubscribe", f"<{leave}>"), ("Precedence", "bulk"), ("List-Id", f"<{domain.replace('.', '-')}.{service.domain}>"),
            ("X-Job", f"{run}-{brand}"), ("Feedback-ID" if shared else "X-Campaign", f"{run}:{brand}:{service.domain}"),
        ),
    )  # fmt: skip
    letter = dialects.write(content, dialect, dice)
    letter = signature(domain, at // SECOND, dice, brand % 2 == 0) + letter
    return Arrival(
        home=service.host(dice.randrange(service.servers)),
        mail_from=f"bounce-{unique:x}@{service.domain if shared else domain}",
        receivers=[receiver[1]], letter=letter, message_id=content.message_id, spf="pass", header_from=domain,
        dkim="pass", dkim_domain=domain, dmarc="pass" if brand % 3 else "none",
        lure=f"newsletter/{brand}/{run}", campaign=f"newsletter/{brand}/{run}",
    )  # fmt: skip


ERRANDS = ("order", "shipping", "invoice", "reset", "welcome", "reminder", "receipt")


def transactional(
    people: Cast, shop: int, aux: int, receiver_number: int, at: int, unique: int, dice: Random
) -> Arrival:
    """What a machine sends because somebody did something: orders, resets, reports, invitations."""
    seed = people.seed
    own = dice_for("shop", shop, seed)
    at_home = cast.house("shop", shop, seed)
    name = f"{own.choice(words('last')).encode('ascii', 'ignore').decode()} {own.choice(('Shop', 'Store', 'Direct', 'Online', 'Bank', 'Air', 'Energy', 'Hotel', 'Clinic', 'Rail'))}"
    receiver = people.receiver(receiver_number)
    throw = dice.random
    content = Content(
        from_name=name, from_address=f"{own.choice(('noreply', 'service', 'orders', 'no-reply', 'info'))}@{at_home.domain}",
        to_name="", to_address=receiver[1], subject="", at=at // SECOND - 1, zone=own.choice(cast.ZONES), unique=unique,
        id_host=at_home.domain, extra=(("Auto-Submitted", "auto-generated"),) if own.random() < 0.4 else (),
    )  # fmt: skip
    chance = aux % 100
    if chance < 8:
        begin = at // SECOND // 86_400 * 86_400 - 86_400
        domain = receiver[1].split("@")[1]
        content.subject = f"Report domain: {domain} Submitter: {at_home.domain} Report-ID: {unique:010d}"
        content.text = "This is a DMARC aggregate report.\n"
        content.attachment = (
            "application/zip",
            f"{at_home.domain}!{domain}!{begin}!{begin + 86_399}.zip",
            b"PK\x03\x04" + dice.randbytes(420),
        )
    elif chance < 16:
        person = people.person(aux % people.people)
        when = f"2014{dice.randrange(1, 4):02d}{dice.randrange(1, 28):02d}T{dice.randrange(8, 17):02d}0000Z"
        content.from_name, content.subject = (
            f"{person.name} via {name}",
            f"Invitation: {sentence('topic', throw) or 'Meeting'}",
        )
        invitation = f"BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:{unique:08x}@{at_home.domain}\nDTSTART:{when}\nSUMMARY:{content.subject[12:]}\nEND:VEVENT\nEND:VCALENDAR\n"
        content.text = f"{person.name} invites you: {content.subject[12:]}\nRoom {dice.randrange(1, 90)}, {pick(words('place'), throw)}\n"
        content.attachment = ("text/calendar", "invite.ics", invitation.encode())
    else:
        errand = ERRANDS[aux // 100 % len(ERRANDS)]
        number, amount = dice.randrange(10**6, 10**8), f"{dice.randrange(5, 400)}.{dice.randrange(100):02d}"
        item = f"{pick(words('adjective'), throw)} {pick(words('noun'), throw)}"
        url = f"http://www.{at_home.domain}/{errand}/{number}/{dice.getrandbits(64):016x}"
        content.subject, said = {
            "order": (f"Your order {number}", [f"thank you for your order {number} of {item}. The total is {amount}.", f"You can see the order at {url}"]),
            "shipping": (f"Your parcel is on its way ({number})", [f"we handed parcel {number} with your {item} to the carrier today.", f"Follow it at {url}"]),
            "invoice": (f"Invoice {number}", [f"please find below invoice {number} of {amount} for {item}.", f"The amount is due within 14 days. Details: {url}"]),
            "reset": (f"{name}: choose a new password", ["somebody, hopefully you, asked for a new password.", f"Choose one within one hour at {url}", "If it was not you, there is nothing to do."]),
            "welcome": (f"Welcome to {name}", ["your account is ready.", f"Please confirm your address at {url}"]),
            "reminder": (f"Reminder: {item}", [f"this is a reminder of your booking {number} for {item}.", f"Change it at {url}"]),
            "receipt": (f"Receipt {number}", [f"we received {amount} for {item}. Thank you.", f"Receipt: {url}"]),
        }[errand]  # fmt: skip
        paragraphs = [
            f"Dear {receiver[0]},",
            *said,
            f"Your {name} team, {own.randrange(1, 99)} {own.choice(words('place'))} Road. {own.choice(words('disclaimer')).replace('{company}', name).replace('{place}', own.choice(words('place'))).replace('{number}', str(own.randrange(9999)))}",
        ]
        if own.random() < 0.75:
            content.html = letters.page(paragraphs, attack.HTML_SKELETONS[shop % 7], {url: "link"})
        if content.html is None or own.random() < 0.6:
            content.text = "\n\n".join(paragraphs) + "\n"
    letter = dialects.write(content, cast.engine("shop", shop % 17, seed), dice)
    signed = at_home.dkim and own.random() < 0.7
    if signed:
        letter = signature(at_home.domain, at // SECOND, dice, shop % 2 == 0) + letter
    return Arrival(
        home=at_home.host(dice.randrange(at_home.servers)), mail_from=f"return-{unique:x}@{at_home.domain}" if own.random() < 0.5 else content.from_address,
        receivers=[receiver[1]], letter=letter, message_id=content.message_id, spf="none" if at_home.spf == "none" else "pass",
        header_from=at_home.domain, dkim="pass" if signed else "none", dkim_domain=at_home.domain if signed else "",
    )  # fmt: skip
