"""The kinds of keys: their numbers in the table, their families, their names."""

from __future__ import annotations

import numpy as np

from thingwatch.fingerprint.hashing import U64
from thingwatch.model import Family

SHINGLE, LINE, WHOLE, SUBJECT, SUBJECT_WORDS, HOST, DOMAIN, GRAMMAR, FILE, FILE_PART, IMAGE_FORM = range(
    1, 12
)

KINDS: dict[int, tuple[Family, str]] = {
    SHINGLE: (Family.TEXT, "words in a row"),
    LINE: (Family.TEXT, "a line"),
    WHOLE: (Family.TEXT, "the whole text"),
    SUBJECT: (Family.SUBJECT, "the subject"),
    SUBJECT_WORDS: (Family.SUBJECT, "words of the subject"),
    HOST: (Family.LINK, "a link's host"),
    DOMAIN: (Family.LINK, "a link's registered domain"),
    GRAMMAR: (Family.LINK, "how links are written"),
    FILE: (Family.ATTACHMENT, "an attached file"),
    FILE_PART: (Family.ATTACHMENT, "a part of an attached file"),
    IMAGE_FORM: (Family.ATTACHMENT, "an image's kind and size"),
}

SUBJECT_SHINGLES = 5  # word keys kept of a subject
WHOLE_WORDS = 3  # words a text needs for its whole to be a key: "ok thanks" is nobody's signature


def salted(kind: int, hashes: U64) -> U64:
    """*hashes* in the key space all kinds share; the salt keeps a host from meeting a subject."""
    return hashes ^ np.uint64(kind * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF)
