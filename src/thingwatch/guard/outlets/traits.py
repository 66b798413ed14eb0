"""What of one mail others can look up by themselves: its subject, the hosts it links to, the files attached to it.

Rspamd, SpamAssassin and a mail server know nothing of our keys, but they can all take SHA-1 of a piece of a mail and
look it up. SHA-1 is a short name here and guards nothing: forty characters, which fit a label of the DNS, the end of
a map's key and SpamAssassin's HashBL alike. Each trait also bears our own key for the same thing, so that the
guard's memory can be asked whose it is.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha1
from typing import NamedTuple

import numpy as np

from thingwatch.fingerprint import prints_of
from thingwatch.fingerprint.attachment import sampled, telling
from thingwatch.fingerprint.hashing import hash_all
from thingwatch.fingerprint.kinds import DOMAIN, FILE, HOST, SUBJECT, salted
from thingwatch.model import Message

MIN_SUBJECT_BYTES = 8  # "Re:", "hello": everybody's
MAX_FILES = 8  # of one mail


class TraitKind(StrEnum):
    """What a trait is of; also the name of its map."""

    SUBJECT = "subject"  # in lower case, as far as ASCII has one
    HOST = "host"  # a link leads to
    DOMAIN = "domain"  # registered, above such a host
    FILE = "file"  # attached, decoded


class Trait(NamedTuple):
    """One thing to look up."""

    kind: TraitKind
    digest: str  # SHA-1, forty characters of lower-case hex
    name: str = ""  # the host or domain itself; "" for what has no name
    key_kind: int = 0  # the guard's kind and key for the same thing
    key: int = 0


def digest_of(text: bytes) -> str:
    """How a trait is named in maps and zones."""
    return sha1(text, usedforsecurity=False).hexdigest()


def subject_digest(subject: str) -> str:
    """The digest of *subject*, which is decoded; "" for one that is everybody's."""
    # Only ASCII is folded: that is what Rspamd's `lower` does.
    folded = subject.encode("utf-8", "replace").lower()
    return digest_of(folded) if len(folded) >= MIN_SUBJECT_BYTES else ""


def traits_of(message: Message) -> list[Trait]:
    """The traits of *message*. Never raises for what it says."""
    prints = prints_of([message])
    found: list[Trait] = []
    subject, key = subject_digest(message.subject), int(prints.traits.subjects.exact[0])
    if subject and key:
        found.append(Trait(TraitKind.SUBJECT, subject, "", SUBJECT, _salted(SUBJECT, key)))
    links = prints.traits.links[0]
    for kind, number, names in (
        (TraitKind.HOST, HOST, links.hosts),
        (TraitKind.DOMAIN, DOMAIN, links.domains),
    ):
        encoded = [name.encode("utf-8", "replace") for name in names]
        keys = hash_all(encoded).tolist() if encoded else []
        found += [
            Trait(kind, digest_of(raw), name, number, _salted(number, key))
            for raw, name, key in zip(encoded, names, keys, strict=True)
        ]
    # A file that was cut has another digest than the whole that others see.
    files = [a.content for a in telling(message) if len(a.content) == a.size][:MAX_FILES]
    if files:
        exact, _ = sampled(files)
        found += [
            Trait(TraitKind.FILE, digest_of(content), "", FILE, _salted(FILE, key))
            for content, key in zip(files, exact.tolist(), strict=True)
        ]
    return list(dict.fromkeys(found))


def _salted(kind: int, key: int) -> int:
    return int(salted(kind, np.array([key], dtype=np.uint64))[0])
