"""One mail in flight as the detector remembers it: its keys, its hand, who sent it; no text, no addresses' names.

Reading and fingerprinting are those of mail at rest. What differs: nobody of ours has written in the mail yet, so
the connection's own facts come from the session, and what checks said only from the fields that an earlier milter
of ours put on top, under a name the operator gave us (``authserv_ids``; RFC 8601, section 5).
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thingwatch.fingerprint import prints_of
from thingwatch.guard.gateway import Delivery
from thingwatch.guard.sketch import spread, text_hash
from thingwatch.identify.names import ptr_class
from thingwatch.model import Authentication, Message, RawMail
from thingwatch.read import read_message
from thingwatch.read.authentication import read_authentication

MAX_TRACE_KEYS = 128  # keys of one mail that are looked up; text, subject and links give at most 50
# Fields that milters before us put on top; the block ends at the first other field.
_ON_TOP = frozenset((b"authentication-results", b"received-spf", b"dkim-filter", b"x-spam-status"))
MAX_ON_TOP = 20  # real milters add a handful
_PTR_CLASSES = {"none": 0, "end-user": 1, "server": 2, "generic": 3}


class Trace(NamedTuple):
    """What is remembered of a mail. Hashes are 64-bit and 0 for "none"; times are of the stream."""

    keys: NDArray[np.uint64]
    kinds: NDArray[np.int8]
    dialect: int
    layout: int
    mime_form: int
    id_form: int
    name: int  # under which the mail comes: list, signer, reporting host
    signed: bool  # a domain passed authentication
    unchecked: bool  # the border noted no check
    listed: bool
    automatic: bool
    answer: bool  # an answer or a forward, by header or subject
    logged: bool
    source: int  # who connected; IPv6 by its /64
    network: int  # the /24, /64 or, where known, the ASN it lies in
    name_class: int  # of its PTR: 0 none, 1 end-user, 2 server, 3 generic
    recipient: int
    at: int  # microseconds, by the stream's clock
    fresh: bool = True  # no earlier mail of this source is remembered
    familiar: bool = False  # the source has sent mail that is no attack's
    house: bool = False  # the source mostly sends mail under names, or much that is no campaign's

    @property
    def stranger(self) -> bool:
        """May be by a nameless lure's own hand: nobody's name, no answer, no list, no report, no house's."""
        return not (self.name or self.signed or self.listed or self.automatic or self.answer or self.house)


def trace_of(message: Message, at: int, network_of: dict[str, int] | None = None) -> Trace:
    """*message*, received *at*, as it is remembered."""
    prints = prints_of([message])
    _, kinds, keys = prints.keys
    keys, first = np.unique(keys[:MAX_TRACE_KEYS], return_index=True)
    authentication = message.authentication
    source, network = source_of(message.client_ip)
    if network_of and message.client_ip:
        network = network_of.get(message.client_ip, network)
    return Trace(
        keys=keys,
        kinds=kinds[:MAX_TRACE_KEYS][first],
        dialect=int(prints.dialect[0]),
        layout=int(prints.layout[0]),
        mime_form=int(prints.mime_form[0]),
        id_form=int(prints.id_form[0]),
        name=text_hash(prints.names[0]),
        signed=bool(authentication.domain),
        unchecked=not (
            authentication.domain or authentication.spf or authentication.dkim or authentication.dmarc
        ),
        listed=bool(prints.lists[0]),
        automatic=prints.reports[0],
        answer=message.reply or prints.forwards[0],
        logged=message.logged,
        source=source,
        network=network,
        name_class=_PTR_CLASSES[ptr_class(message.ptr, message.client_ip)],
        recipient=text_hash(message.rcpt_to[0]) if message.rcpt_to else 0,
        at=at,
    )


@lru_cache(maxsize=65536)
def source_of(client_ip: str | None) -> tuple[int, int]:
    """Hashes of the source behind *client_ip* and of the /24 or /64 it lies in; zeros where it is not known."""
    if not client_ip:
        return 0, 0
    try:
        address = ip_address(client_ip)
    except ValueError:
        return 0, 0
    if address.version == 4:
        number = int(address)
        return spread(number), spread((1 << 33) | number >> 8)
    # Whoever has one IPv6 address has the /64 around it: it is one source.
    block = int(address) >> 64
    return spread((1 << 40) ^ block), spread((1 << 41) ^ block)


def read_delivery(delivery: Delivery, authserv_ids: Collection[bytes]) -> Message:
    """The mail of *delivery* as a record; what checks said is believed under *authserv_ids* (lower case) only."""
    session = delivery.session
    message = read_message(RawMail(delivery.raw, "in flight", session._replace(size=None)), None)
    if not authserv_ids:
        return message
    return message._replace(authentication=_checks(message.headers, authserv_ids))


def _checks(headers: tuple[tuple[bytes, bytes], ...], authserv_ids: Collection[bytes]) -> Authentication:
    results = []
    for name, value in headers[:MAX_ON_TOP]:
        low = name.lower()
        if low not in _ON_TOP:
            break
        if low == b"authentication-results":
            found = value.split(b";", 1)[0].split()
            if found and found[0].lower() in authserv_ids:
                results.append(value)
    # Received-SPF bears no name of who wrote it, so in flight it is not believed.
    return read_authentication(results, [], [])
