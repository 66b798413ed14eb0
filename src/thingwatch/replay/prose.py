"""What people write to each other: openings, sentences, quotes, signatures."""

from __future__ import annotations

from random import Random

from thingwatch.replay import dialects, letters
from thingwatch.replay.cast import Person
from thingwatch.replay.dialects import Content, letters_of
from thingwatch.replay.words import pick, sentence, words

SECOND = 1_000_000


def upper_first(text: str) -> str:
    """*text* with a capital at its beginning, and nowhere else."""
    return text[:1].upper() + text[1:]


def prose(person: Person, dice: Random, sentences: int) -> list[str]:
    throw = dice.random
    kind = {"de": "german", "es": "spanish"}.get(person.language)
    if kind and throw() < 0.75:
        said = [sentence(kind, throw) for _ in range(sentences)]
        return [upper_first(part) for part in said] if throw() < 0.6 else said
    said = [sentence("opening", throw)] if throw() < 0.6 else []
    said += [sentence("line", throw) for _ in range(sentences)]
    if throw() < 0.5:
        said.append(sentence("closing", throw))
    if throw() < 0.8:
        said = [upper_first(part) for part in said]
    return said


def wrapped(sentences: list[str], dice: Random) -> str:
    text, line = [], ""
    for part in sentences:
        line = f"{line} {part}" if line else part
        if dice.random() < 0.4:
            text.append(line)
            line = ""
    if line:
        text.append(line)
    return "\n\n".join(text) if len(text) < 4 else "\n".join(text)


def popular_link(dice: Random) -> str:
    """A link as people pass them on, to one of the sites that everybody uses."""
    host = pick(words("popular"), dice.random)
    if host.startswith(("tinyway", "go.")):
        return f"http://{host}/{letters_of(dice, 6)}"
    path = pick(("watch?v=%s", "a/%s", "item/%s.html", "%s", "share?id=%s"), dice.random)
    return f"http://{host}/{path % letters_of(dice, 4 + dice.randrange(8))}"


def topic(person: Person, dice: Random) -> str:
    """What a letter is about."""
    kind = (
        {"de": "topic_de", "es": "topic_es"}.get(person.language, "topic") if dice.random() < 0.8 else "topic"
    )
    said = sentence(kind, dice.random)
    return upper_first(said) if dice.random() < 0.7 else said


def quoted(name: str, address: str, at: int, text: str, program: str) -> str:
    when = dialects.date(at, 60, "unpadded")
    if program.startswith(("desk", "hall", "express", "live", "webh")):
        return f"-----Original Message-----\nFrom: {name} <{address}>\nSent: {when}\n\n{text}"
    if program == "notes":
        return f"\n\n\nFrom:   {name}\nDate:   {when}\n\n{text}"
    lines = "\n".join([f"> {line}" if not line.startswith(">") else f">{line}" for line in text.split("\n")])
    return f"On {when}, {name} wrote:\n{lines}" if program != "mutt" else f"* {name} [{when}]:\n{lines}"


def letter_from(
    person: Person, receiver: tuple[str, str], unique: int, at: int, subject: str, text: str, dice: Random
) -> Content:
    content = Content(
        from_name=person.name,
        from_address=person.address,
        to_name=receiver[0] if dice.random() < 0.7 else "",
        to_address=receiver[1],
        subject=subject,
        at=at // SECOND - dice.randrange(1, 30),
        zone=person.zone,
        unique=unique,
        id_host=person.house.domain,
        text=text,
    )
    if not person.dialect.plain_only and dice.random() < 0.55:
        content.html = letters.page(text.rstrip("\n").split("\n"), person.dialect.html, {})
    return content
