"""Which text of a mail counts, and which of its words are the recipient's own."""

from __future__ import annotations

import re

from thingwatch.model import Message

_PIECES = re.compile(r"[._+\-]")


def text_of(message: Message) -> tuple[bytes, bool]:
    """The text a reader would see, and whether it is HTML: mail programs show HTML where there is any."""
    if len(message.html) > 20:
        return message.html, True
    return message.text, False


def own_words(message: Message) -> list[bytes]:
    """The recipient's name as it can be read from the address: what a lure puts behind "Dear"."""
    words: list[bytes] = []
    for rcpt in message.rcpt_to[:2]:
        for piece in _PIECES.split(rcpt.partition("@")[0].rstrip("0123456789")):
            if len(piece) > 2 and not piece.isdigit():
                words.append(piece.encode("utf-8", "replace"))
    return words
