"""Keys as people can read them: which words, which host, which form a hash stands for."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from thingwatch.fingerprint import attachment, kinds
from thingwatch.fingerprint.client import client_traits
from thingwatch.fingerprint.hashing import U64, hash_all
from thingwatch.fingerprint.links import grammar, links_of
from thingwatch.fingerprint.shapes import readable_shape
from thingwatch.fingerprint.text import SHINGLES, Dissection, dissect, shred
from thingwatch.fingerprint.words import own_words, text_of
from thingwatch.model import Message

SPECIMEN_CHARS = 1200  # of a lure shown; what it wants stands in the first lines
MAX_GAP_BYTES = 80  # of punctuation between two words shown; a ruled line has 72
_TOKEN = re.compile(r"[0-9a-z]*[0-9][0-9a-z]{2,}|\S{29,}", re.IGNORECASE)
_BLOCK = "▇"


class ReadableKey(NamedTuple):
    """One key of one message."""

    kind: int
    key: int  # signed, as in the table
    text: str  # what it stands for, from the mail and so hostile


def _phrase(found: Dissection, first: int, last: int) -> str:
    pieces = []
    for i in range(first, min(last, first + 14)):
        start, end = found.words[i]
        pieces.append(found.placeholders[i] or found.visible[start:end].decode("utf-8", "replace"))
    return " ".join(pieces) + (" …" if last - first > 14 else "")


def readable_keys(message: Message) -> list[ReadableKey]:
    """Every key ``fingerprint`` gives *message*, with what it stands for; in the order of the kinds."""
    text, is_html = text_of(message)
    own = own_words(message)
    body = dissect(text, is_html, own)
    title = dissect(message.subject.encode("utf-8", "replace"), False, own)
    shreds = shred([text], [is_html], [own])
    subject = shred([message.subject.encode("utf-8", "replace")], [False], [own])
    keys: list[ReadableKey] = []

    def add(kind: int, hashes: U64, texts: list[str]) -> None:
        salted = kinds.salted(kind, hashes).view(np.int64).tolist()
        keys.extend(
            ReadableKey(kind, key, text)
            for key, text, raw in zip(salted, texts, hashes.tolist(), strict=True)
            if raw
        )

    def named(hashes: U64, spans: dict[int, tuple[int, int]], found: Dissection) -> list[str]:
        return [_phrase(found, *spans[h]) if h in spans else "" for h in hashes.tolist()]

    add(kinds.SHINGLE, shreds.shingles[0], named(shreds.shingles[0], body.shingles, body))
    add(kinds.LINE, shreds.lines[0], named(shreds.lines[0], body.lines, body))
    if shreds.words[0] >= kinds.WHOLE_WORDS:
        add(kinds.WHOLE, shreds.exact, [f"all {int(shreds.words[0]):,} words"])
    add(kinds.SUBJECT, subject.exact, [_phrase(title, 0, len(title.words))])
    words = subject.shingles[0, : kinds.SUBJECT_SHINGLES]
    add(kinds.SUBJECT_WORDS, words, named(words, title.shingles, title))
    links = links_of(shreds.links[0])
    for kind, pieces in ((kinds.HOST, links.hosts), (kinds.DOMAIN, links.domains)):
        if pieces:
            add(kind, hash_all([p.encode() for p in pieces]), list(pieces))
    if links.grammars:
        add(kinds.GRAMMAR, hash_all(links.grammars), [g.decode("ascii", "replace") for g in links.grammars])
    files = attachment.telling(message)
    if files:
        exact, near = attachment.sampled([f.content for f in files])
        add(kinds.FILE, exact, [f.filename or f.media_type for f in files])
        for i, file in enumerate(files):
            add(
                kinds.FILE_PART, near[i], [f"part of {file.filename or file.media_type}"] * attachment.SAMPLES
            )
        images = [f for f in files if f.media_type.startswith("image/")]
        if images:
            forms = [attachment.form_of(f) for f in images]
            add(kinds.IMAGE_FORM, hash_all(forms), [form.decode("ascii", "replace") for form in forms])
    return keys


def readable_hand(message: Message) -> dict[str, str]:
    """The traits of the hand behind *message*, by the names of the columns they are hashed into."""
    hand = client_traits(message)
    local, at, domain = hand.message_id.rpartition(b"@")
    pieces = (
        hand.order.decode("latin-1"),
        readable_shape(local) + (at + domain).decode("latin-1"),
        readable_shape(hand.date),
        hand.mailer.decode("latin-1"),
    )
    return {
        "dialect": " · ".join(piece for piece in pieces if piece),
        "id_form": readable_shape(hand.message_id, fine=True),
        "mime_form": " ".join(hand.mime_form.decode("latin-1").split())
        + " · "
        + readable_shape(hand.boundary)
        + (f" · From {hand.from_form.decode('latin-1')}" if hand.from_form else ""),
        "layout": message.mime_tree,
    }


def specimen(message: Message) -> str:
    """The visible text of *message*, redacted: the recipient, addresses and tokens are blocks, links defanged."""
    text, is_html = text_of(message)
    found = dissect(text, is_html, own_words(message))
    out: list[str] = []
    length = at = 0
    for (start, end), sign in zip(found.words, found.placeholders, strict=True):
        out.append(found.visible[at : min(start, at + MAX_GAP_BYTES)].decode("utf-8", "replace"))
        word = found.visible[start:end].decode("utf-8", "replace")
        if sign == "link":
            word = _defanged(word)
        elif sign:
            word = _BLOCK * min(8, len(word))
        else:
            word = _TOKEN.sub(_BLOCK * 4, word)
        out.append(word)
        at = end
        length += len(out[-2]) + len(word)
        if length > SPECIMEN_CHARS:
            out.append(" …")
            break
    lines = (" ".join(line.split()) for line in "".join(out).splitlines())
    return "\n".join(line for line in lines if line).strip()


def _defanged(link: str) -> str:
    hosts = links_of([link.encode("utf-8", "replace")]).hosts
    if not hosts:
        return "hxxp:…"
    _, _, rest = link.partition("://")
    path = "/" + rest.partition("/")[2] if "/" in rest else ""
    return (
        "hxxp://"
        + hosts[0].replace(".", "[.]")
        + grammar(path.encode("utf-8", "replace")).decode("ascii", "replace")
    )


__all__ = ["SHINGLES", "ReadableKey", "readable_hand", "readable_keys", "specimen"]
