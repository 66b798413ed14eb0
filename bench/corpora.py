"""The real mail beside the repository: archives, labels, and which mail of it is honest.

It may be measured on, not passed on; so nothing here prints an address or a text of it.
"""

from __future__ import annotations

import csv
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MAIL = Path(__file__).parents[2] / "shared" / "data" / "mail"
# Mail people wanted: personal, lists, newsletters. Bounces are innocent too, but no corpus of anybody's mail.
HAM = ("spamassassin-ham", "csdmc2010-ham", "list_mjpeg_users", "list_lkml_notmuch")
INNOCENT = (*HAM, "bounces_sisimai")

_PLACE = re.compile(r"([a-z_0-9]+)\.tar\.xz:(.*)", re.S)
_RANDOM = re.compile(r"[0-9a-f]{6,}|\d+|\S+@\S+")


class Where(NamedTuple):
    """Where a mail stands."""

    archive: str  # "phishing_pot"
    corpus: str  # the archive, and for mixed ones "-ham" or "-spam"
    file: str  # below the archive's folder


def archives() -> list[Path]:
    """All archives of mail; ends the program where there are none."""
    found = sorted(MAIL.glob("*.tar.xz"))
    if not found:
        raise SystemExit("no real mail: ../shared/data/mail is not beside the repository")
    return found


def where_of(place: str) -> Where:
    """The corpus of a mail by its *place* as uncover writes it."""
    found = _PLACE.search(place)
    if found is None:
        raise ValueError(f"{place}: not in one of the archives")
    archive, file = found[1], found[2].partition("/")[2]
    corpus = archive
    if archive == "spamassassin":
        corpus += "-ham" if "ham" in file.partition("/")[0] else "-spam"
    elif archive == "csdmc2010":
        corpus += "-ham" if file.startswith("ham") else "-spam"
    return Where(archive, corpus, file)


def labels(archive: str) -> dict[str, dict[str, str]]:
    """The table beside *archive*, by file."""
    with (MAIL / f"{archive}.csv").open(encoding="utf-8", newline="") as table:
        return {row["file"]: row for row in csv.DictReader(table)}


def members(archive: Path) -> Iterator[tuple[str, int]]:
    """Name and bytes of each file in *archive*."""
    with tarfile.open(archive) as opened:
        for member in opened:
            if member.isfile():
                yield member.name, member.size


def blurred(subject: str) -> str:
    """*subject* without what changes from mail to mail; made here, so that nothing measures itself."""
    return _RANDOM.sub("#", subject.lower()).strip()
