"""Each program writes mail that can be read, and no two mails get one id."""

from __future__ import annotations

import email
import string

import pytest

from thingwatch.replay import dialects
from thingwatch.replay.dialects import Content, invented, programs, write
from thingwatch.replay.words import dice_for

ENGINES = [*programs().values(), *(invented(("test", number)) for number in range(25))]


def content() -> Content:
    return Content(
        from_name="Zoë Falk", from_address="zoe@a.example", to_name="Ben", to_address="ben@corp.example",
        subject="Grüße", at=1_388_000_000, zone=-330, unique=77, id_host="a.example",
        text="Schöne Grüße\nFrom here\n", html="<p>Schöne Grüße</p>",
    )  # fmt: skip


@pytest.mark.parametrize("dialect", ENGINES, ids=lambda one: one.name)
def test_what_is_written_can_be_read(dialect: dialects.Dialect) -> None:
    """Subject, sender, date and text come back as they were meant, whatever the program."""
    said = content()
    mail = email.message_from_bytes(write(said, dialect, dice_for("test")).encode("latin-1"))
    assert not [part.defects for part in mail.walk() if part.defects]
    subject, charset = email.header.decode_header(mail["Subject"])[0]
    assert subject.decode(charset) == "Grüße"
    assert "zoe@a.example" in mail["From"]
    assert email.utils.parsedate_to_datetime(mail["Date"]).timestamp() == 1_388_000_000
    assert mail["Message-ID"] == f"<{said.message_id}>"
    leaf = next(part for part in mail.walk() if not part.is_multipart())
    text = leaf.get_payload(decode=True).decode(leaf.get_content_charset())
    assert text.startswith("Schöne Grüße")
    assert [name.lower() for name, _ in mail.items()].count("content-type") == 1


@pytest.mark.parametrize(
    "shape", [*dialects.SHAPES, "webg", "weby", "webh", "droid", "mutt", "notes", "hall", "live"]
)
def test_ids_never_repeat(shape: str) -> None:
    """Ten thousand mails of one second by one program have ten thousand ids, even with equal dice."""
    ids = {
        dialects.message_id(shape, unique, dice_for("same"), 1_388_000_000, "a.example")
        for unique in range(2_000)
    }
    assert len(ids) == 2_000
    assert not any(set(one) - set(string.ascii_letters + string.digits + "$.@=-_/+") for one in ids)


@pytest.mark.parametrize("shape", dialects.BOUNDARIES)
def test_boundaries_are_short_enough(shape: str) -> None:
    """A boundary has 1 to 70 characters (RFC 2046, section 5.1.1)."""
    assert all(0 < len(dialects.boundary(shape, dice_for(i), 1_388_000_000)) <= 70 for i in range(50))


def test_an_engine_is_the_same_for_ever() -> None:
    """Equal seeds invent equal engines, other seeds mostly others."""
    assert invented(("a", 1)) == invented(("a", 1))
    assert len({invented(("a", number)).order for number in range(20)}) > 15
