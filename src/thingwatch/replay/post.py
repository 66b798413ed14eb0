# ruff: noqa: E501 - a header or sentence of a mail stands whole on its line here, as it does in the mail.
"""How a letter travels from its writer through his provider or office to the border."""

from __future__ import annotations

from base64 import b64encode
from ipaddress import IPv4Address
from random import Random

from thingwatch.replay import cast, dialects
from thingwatch.replay.border import Arrival
from thingwatch.replay.cast import House, Person
from thingwatch.replay.dialects import Content, letters_of

SECOND = 1_000_000


def signature(domain: str, at: int, dice: Random, folded: bool = True) -> str:
    """A DKIM-Signature header (RFC 6376) of the right shape; nothing was signed."""
    hash_, text = (
        b64encode(dice.randbytes(32)).decode(),
        b64encode(dice.randbytes(128)).decode(),
    )
    if folded:
        return (
            f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\n        d={domain}; s=s{dice.randrange(3)}2013;\n"
            f"        h=from:to:subject:date:message-id;\n        bh={hash_};\n        b={text[:60]}\n         {text[60:120]}\n         {text[120:]}\n"
        )
    return f"DKIM-Signature: v=1; a=rsa-sha256; q=dns/txt; c=relaxed/simple; d={domain}; s=mail; t={at};\n\th=Date:From:To:Subject;\n\tbh={hash_};\n\tb={text[:72]}\n\t {text[72:]}\n"


def hop(house: House, from_ip: str, helo: str, whom: str, at: int, dice: Random, signed_in: bool) -> str:
    """The Received line a house's own server wrote when it took the mail from its user."""
    when = dialects.date(at, 0, "unpadded")
    server = f"{house.prefix}{dice.randrange(house.servers) + 1}.{house.domain}"
    some = letters_of(dice, 12)
    if house.server == "Postfix":
        how = "ESMTPSA" if signed_in else "ESMTP"
        return f"Received: from {helo} ({cast.line_name(int(IPv4Address(from_ip))) or 'unknown'} [{from_ip}])\n\tby {server} (Postfix) with {how} id {some}\n\tfor <{whom}>; {when}\n"
    if house.server.startswith("Exim"):
        return f"Received: from [{from_ip}] (helo={helo})\n\tby {server} with esmtpsa (TLSv1:DHE-RSA-AES256-SHA:256)\n\t(Exim 4.80)\n\t(envelope-from <{house.domain}>)\n\tid 1V{some[:4]}-{some[4:10]}-{some[10:]}\n\tfor {whom}; {when}\n"
    if house.server.startswith("Microsoft"):
        return f"Received: from EXCH1.{house.domain} ([fe80::{dice.getrandbits(16):x}:{dice.getrandbits(16):x}]) by\n EXCH2.{house.domain} ([10.1.{dice.randrange(250)}.12]) with mapi id 14.03.0158.001; {when}\n"
    return f"Received: from {helo} ([{from_ip}])\n\t(authenticated bits=0)\n\tby {server} (8.14.5/8.14.5) with ESMTP id {some};\n\t{when}\n"


def sent_by(
    person: Person, content: Content, receivers: list[str], at: int, dice: Random, seed: int
) -> Arrival:
    """A letter on its way through its writer's own provider or office to the border."""
    second = at // SECOND
    letter = dialects.write(content, person.dialect, dice)
    ip = str(IPv4Address(person.line_ip))
    at_home = person.house
    if person.webmail:
        handed_in = f"Received: from [{ip}] by web{dice.randrange(300)}.mail.{at_home.domain} via HTTP; {dialects.date(second - 2, 0, 'unpadded')}\n"
    else:
        inside = f"[192.168.{person.line_ip % 3}.{person.line_ip % 200 + 2}]"
        handed_in = hop(at_home, ip, inside, receivers[0], second - 1, dice, True)
    signed = signature(at_home.domain, second, dice, at_home.seed % 2 == 0) if at_home.dkim else ""
    home = at_home.host(dice.randrange(at_home.servers), "provider")
    passes = dice.random() < 0.97
    return Arrival(
        home=home,
        mail_from=person.address,
        receivers=receivers,
        letter=handed_in + signed + letter,
        message_id=content.message_id,
        spf="none" if at_home.spf == "none" else "pass" if passes else "softfail",
        header_from=at_home.domain,
        dkim="pass" if at_home.dkim else "none",
        dkim_domain=at_home.domain if at_home.dkim else "",
        dmarc="pass" if at_home.dmarc else "none",
    )
