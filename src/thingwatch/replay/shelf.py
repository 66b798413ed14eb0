"""Where the replay is put: mails as mbox, Maildir or Parquet, their log, and the truth about them."""

from __future__ import annotations

import re
from pathlib import Path
from time import gmtime
from typing import BinaryIO, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from thingwatch.replay.dialects import DAYS, MONTHS
from thingwatch.replay.scene import Scene, kinds_of
from thingwatch.replay.script import SECOND, Cues

FROM_LINE = re.compile(rb"^(>*From )", re.MULTILINE)
MOMENT = pa.timestamp("us", tz="UTC")
LOG_LEAD = 4 * SECOND  # a mail's first log line stands at most this long before its delivery

MAIL_SCHEMA = pa.schema([
    ("raw", pa.binary()), ("received_at", MOMENT), ("client_ip", pa.string()), ("helo", pa.string()),
    ("sender", pa.string()), ("recipient", pa.string()),
])  # fmt: skip
TRUTH_SCHEMA = pa.schema([
    ("message_id", pa.string()), ("seq", pa.int64()), ("kind", pa.string()), ("campaign", pa.string()),
    ("lure", pa.string()), ("wave", pa.int16()), ("received_at", MOMENT), ("client_ip", pa.string()),
    ("source_kind", pa.string()),
])  # fmt: skip


class Shelf(Protocol):
    """A place for mails."""

    def put(self, scene: Scene, cues: Cues) -> None: ...

    def close(self) -> None: ...


class Mbox:
    """mail.mbox in the mboxrd form: body lines that look like separators get one more ``>``."""

    def __init__(self, folder: Path) -> None:
        self._file: BinaryIO = (folder / "mail.mbox").open("wb", buffering=1 << 20)

    def put(self, scene: Scene, cues: Cues) -> None:
        """Append the mails of *scene*."""
        write = self._file.write
        for raw, sender, at in zip(scene.raws, scene.senders, cues["at"].tolist(), strict=True):
            clock = gmtime(at // SECOND)
            day = f"{DAYS[clock.tm_wday]} {MONTHS[clock.tm_mon - 1]} {clock.tm_mday:2d}"
            when = f"{day} {clock.tm_hour:02d}:{clock.tm_min:02d}:{clock.tm_sec:02d} {clock.tm_year}"
            write(f"From {sender or 'MAILER-DAEMON'} {when}\n".encode("latin-1", "replace"))
            write(FROM_LINE.sub(rb">\1", raw) if b"From " in raw else raw)
            write(b"\n")

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


class Maildir:
    """Maildir/ with one file per mail, named so that they sort in received order."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "Maildir"
        for name in ("cur", "new", "tmp"):
            (self._folder / name).mkdir(parents=True)
        self._seq = 0

    def put(self, scene: Scene, cues: Cues) -> None:
        """Add the mails of *scene*."""
        for raw, at in zip(scene.raws, cues["at"].tolist(), strict=True):
            second, rest = divmod(at, SECOND)
            name = f"{second}.M{rest:06d}P{self._seq:08d}.mx1,S={len(raw)}"
            (self._folder / "new" / name).write_bytes(raw)
            self._seq += 1

    def close(self) -> None:
        """Nothing is left open."""


class Table:
    """mail.parquet: the raw mail beside what its session said."""

    def __init__(self, folder: Path) -> None:
        self._writer = pq.ParquetWriter(folder / "mail.parquet", MAIL_SCHEMA, compression="zstd")

    def put(self, scene: Scene, cues: Cues) -> None:
        """Append the mails of *scene* as one row group."""
        columns = [
            pa.array(scene.raws, pa.binary()),
            pa.array(cues["at"], pa.int64()).cast(MOMENT),
            pa.array(scene.client_ips),
            pa.array(scene.helos),
            pa.array(scene.senders),
            pa.array(scene.receivers),
        ]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=MAIL_SCHEMA))

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


class Log:
    """mail.log: the lines of all mails, interleaved by time as a busy server writes them."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "mail.log").open(
            "w", encoding="latin-1", errors="replace", newline="\n", buffering=1 << 20
        )
        self._waiting: list[str] = []

    def put(self, lines: list[str], until: str) -> None:
        """Add *lines*; those before *until*, a time as lines begin with, can no longer be overtaken."""
        self._waiting += lines
        self._waiting.sort()
        ready = next((i for i, line in enumerate(self._waiting) if line >= until), len(self._waiting))
        self._write(self._waiting[:ready])
        del self._waiting[:ready]

    def _write(self, lines: list[str]) -> None:
        if lines:
            self._file.write("\n".join(lines) + "\n")

    def close(self) -> None:
        """Write what still waits."""
        self._write(self._waiting)
        self._file.close()


class TruthTable:
    """truth.parquet: one row per mail, in the order of the mails."""

    def __init__(self, folder: Path) -> None:
        self._writer = pq.ParquetWriter(folder / "truth.parquet", TRUTH_SCHEMA, compression="zstd")
        self._seq = 0

    def put(self, scene: Scene, cues: Cues) -> None:
        """Append the truth about *scene*."""
        count = len(cues)
        waves = [wave if wave >= 0 else None for wave in cues["wave"].tolist()]
        columns = [
            pa.array(scene.message_ids),
            pa.array(range(self._seq, self._seq + count), pa.int64()),
            pa.array(kinds_of(cues)),
            pa.array(scene.campaigns, pa.string()),
            pa.array(scene.lures, pa.string()),
            pa.array(waves, pa.int16()),
            pa.array(cues["at"], pa.int64()).cast(MOMENT),
            pa.array(scene.client_ips),
            pa.array(scene.source_kinds),
        ]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=TRUTH_SCHEMA))
        self._seq += count

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


FORMS: dict[str, type[Mbox] | type[Maildir] | type[Table]] = {
    "mbox": Mbox,
    "maildir": Maildir,
    "parquet": Table,
}
