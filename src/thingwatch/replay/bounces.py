# ruff: noqa: E501 - a header or sentence of a mail stands whole on its line here, as it does in the mail.
"""Reports of other servers that a mail could not be delivered."""

from __future__ import annotations

from random import Random

from thingwatch.replay import attack, cast, dialects, letters
from thingwatch.replay.border import Arrival
from thingwatch.replay.cast import Cast, Home
from thingwatch.replay.dialects import Content
from thingwatch.replay.letters import Level
from thingwatch.replay.words import nonsense, pick, sentence, words

SECOND = 1_000_000


def bounce(
    people: Cast,
    level: Level,
    mta: int,
    lure_number: int,
    aux: int,
    receiver_number: int,
    at: int,
    unique: int,
    dice: Random,
) -> Arrival:
    """A report that a mail our people mostly never wrote could not be delivered (RFC 3464)."""
    seed = people.seed
    at_home = cast.house("office" if mta % 3 else "provider", mta if mta % 3 else mta % cast.PROVIDERS, seed)
    home = at_home.host(mta % at_home.servers)
    receiver = people.receiver(receiver_number)
    gone = f"{pick(words('first'), dice.random).lower()}.{nonsense(dice.random, 2)}@{at_home.domain}"
    second = at // SECOND
    if lure_number >= 0:
        lure = letters.lures("thing")[lure_number]
        said = attack.say(
            lure, level, dice.randrange(8), ("", gone), "", seed, unique ^ 0x5A5A5A5A, second - 60, dice
        )
        said.from_address = receiver[1]
        inside = dialects.write(said, attack.engine(lure, level, dice.randrange(8), seed), dice)
    else:
        said = Content(
            from_name=receiver[0],
            from_address=receiver[1],
            to_name="",
            to_address=gone,
            subject=sentence("topic", dice.random),
            at=second - 60,
            zone=60,
            unique=unique ^ 0x5A5A5A5A,
            id_host=receiver[1].split("@")[1],
            text=" ".join(sentence("line", dice.random) for _ in range(3)) + "\n",
        )
        inside = dialects.write(said, dialects.programs()["desk"], dice)
    mark = f"{unique:08X}.{second}/{home.helo}"
    style = cast.mixed(at_home.seed) % 5
    why = pick(
        (
            "550 5.1.1 User unknown",
            "552 5.2.2 Mailbox full",
            "554 5.7.1 Message refused as spam",
            "550 No such mailbox here",
        ),
        dice.random,
    )
    status = f"Reporting-MTA: dns; {home.helo}\nArrival-Date: {dialects.date(second - 30, 0, 'unpadded')}\n\nFinal-Recipient: rfc822; {gone}\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; {why}\n"
    whole = dice.random() < 0.5
    enclosed = inside if whole else inside.split("\n\n", 1)[0] + "\n"
    kind = "message/rfc822" if whole else "text/rfc822-headers"
    words_of = {
        0: ("Undelivered Mail Returned to Sender", "Mail Delivery System", f"This is the mail system at host {home.helo}.\n\nI am sorry to say that your message to <{gone}> went nowhere.\n\n<{gone}>: {why}\n"),
        1: ("Mail delivery failed: returning message to sender", "Mail Delivery System", f"A message that you sent did not reach all of its readers.\nThis is a lasting error:\n\n  {gone}\n    {why}\n"),
        2: ("Returned mail: see transcript for details", "Mail Delivery Subsystem", f"   ----- The following addresses had lasting errors -----\n<{gone}>\n\n   ----- Transcript of session follows -----\n{why}\n"),
        3: ("failure notice", "", f"Hi. This is the mail program at {at_home.domain}.\nNo luck with the address below, and it will not be tried again.\n\n<{gone}>:\n{why}\n"),
        4: (f"Undeliverable: {said.subject}", "postmaster", f"Delivery failed to these people or lists:\n\n{gone}\n{why}\n"),
    }  # fmt: skip
    subject, name, notice = words_of[style]
    if style in (1, 3):
        body = f"{notice}\n{'------ This is a copy of the message, with all its headers. ------' if style == 1 else '--- Below this line is a copy of the message.'}\n\n{enclosed}"
        ready = ("text/plain; charset=us-ascii", body)
    else:
        ready = (
            f'multipart/report; report-type=delivery-status;\n\tboundary="{mark}"',
            f"--{mark}\nContent-Type: text/plain; charset=us-ascii\n\n{notice}\n--{mark}\nContent-Type: message/delivery-status\n\n{status}\n--{mark}\nContent-Type: {kind}\n\n{enclosed}\n--{mark}--\n",
        )
    content = Content(
        from_name=name,
        from_address=f"MAILER-DAEMON@{home.helo}",
        to_name="",
        to_address=receiver[1],
        subject=subject,
        at=second,
        zone=0,
        unique=unique,
        id_host=home.helo,
        enclosed=ready,
        extra=(("Auto-Submitted", "auto-replied"),),
    )
    letter = dialects.write(content, cast.engine("mta", style), dice)
    return Arrival(
        home=Home(home.ip, home.ptr, home.helo, "server"), mail_from="", receivers=[receiver[1]], letter=letter, message_id=content.message_id,
        spf="none" if mta % 4 else "pass", header_from=home.helo, lure=f"thing/{letters.lures('thing')[lure_number].name}" if lure_number >= 0 else None,
    )  # fmt: skip
