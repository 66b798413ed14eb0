"""Cut a replay's mbox into one mbox a day, by the time our own border received each mail."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from thingwatch.model import Message
from thingwatch.read import Border, messages_in, plan

DAY = 86_400_000_000  # microseconds


def cut(box: Path, folder: Path) -> list[Path]:
    """Write the mails of *box* to ``folder/YYYY-MM-DD.mbox``, in their order; gives the files by day.

    Mail without a time of receipt goes with the mail before it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    starts: list[int] = []
    days: list[int] = []
    for load in plan([box]):
        for message in messages_in(load, Border.of(())):
            if isinstance(message, Message):
                moment = message.received_at
                starts.append(int(message.place.rpartition("@")[2]))
                days.append(moment // DAY if moment is not None else days[-1] if days else 0)
    data = box.read_bytes()
    ends = [*starts[1:], len(data)]
    files = {day: folder / f"{datetime.fromtimestamp(day * 86_400, UTC):%Y-%m-%d}.mbox" for day in set(days)}
    for path in files.values():
        path.unlink(missing_ok=True)
    opened = {day: path.open("wb") for day, path in files.items()}
    for start, end, day in zip(starts, ends, days, strict=True):
        opened[day].write(data[start:end])
    for file in opened.values():
        file.close()
    return [files[day] for day in sorted(files)]
