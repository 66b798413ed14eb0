"""One mail, read again from its place: the case keeps no bodies."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

from thingwatch.errors import InputError
from thingwatch.explain.case import Case
from thingwatch.model import Message
from thingwatch.read import Border, Load, messages_in, plan

MAX_CUTS = 64  # places are cut at ":" and "@" to find the file; archives nest 4 deep, names hold a few


def message_at(case: Case, place: str, message_id: str) -> Message:
    """The message that stood at *place* when the case was made; *message_id* proves it is still the one.

    Reads no more of an mbox than the mail itself; an archive, a table or a log is walked up to it.
    Raises InputError where the file is gone or holds another mail there now.
    """
    file, rest = _file_of(case, place)
    border = Border.of(case.border)
    wanted = str(file) + rest
    for load in _loads(file, rest):
        with closing(_only_messages(load, border)) as messages:
            for message in messages:
                if message.place == wanted or message.place == place:
                    if message.message_id != message_id:
                        raise InputError(
                            f"{place}: another mail stands there now; run uncover again for a new case"
                        )
                    return message
                if load.form == "mbox":
                    break  # the load begins at the mail: what comes first is it or none
    raise InputError(f"{place}: {file} is there, the mail in it is not; run uncover again for a new case")


def _only_messages(load: Load, border: Border) -> Generator[Message]:
    yield from (item for item in messages_in(load, border) if isinstance(item, Message))


def _file_of(case: Case, place: str) -> tuple[Path, str]:
    """The file that *place* begins with, and the rest of *place*."""
    # Paths stand as they were given: from where uncover ran, which most often is here or beside the case.
    for base in (Path(), case.folder.parent):
        named = place
        for _ in range(MAX_CUTS):
            try:
                if (base / named).is_file():
                    return base / named, place[len(named) :]
            except (OSError, ValueError):  # a name no file can have: too long, or with a NUL
                break
            cut = max(named.rfind("@"), named.rfind(":"))
            if cut <= 0:
                break
            named = named[:cut]
    raise InputError(
        f"{place}: the mail is not there any more; it was read from {', '.join(case.input_paths)}."
        " Put it back, or run from the folder uncover ran in; campaigns and lures can be shown without it"
    )


def _loads(file: Path, rest: str) -> Iterator[Load]:
    """Yield the loads in which the mail at *rest* of *file* can be, the smallest that will do."""
    size = file.stat().st_size
    if not rest:
        yield Load("files", str(file), 0, size, None, ())
        return
    for load in plan([file]):
        offset = int(rest[1:]) if rest[0] == "@" and rest[1:].isascii() and rest[1:].isdigit() else None
        if offset is not None and load.form == "mbox":
            yield load._replace(start=min(offset, size), end=size)
            return
        if offset is not None and load.form == "jsonl" and not load.start <= offset < load.end:
            continue
        yield load
