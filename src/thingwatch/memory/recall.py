"""Put what is remembered beside new mail: wake the campaigns it comes near, and give its lures their old names.

The hard idea is what must be looked at again. A campaign that new mail does not touch stays as it stands: nothing of
it is read but a few narrow columns. One that it touches is *woken*: all its messages come back, without their text
keys, so that its joins, waves, sources and verdict are those of the whole story. New mail finds its lure by being
compared with the lure's *spokesmen*, at most 64 messages whose keys are kept; and what belonged to a lure stays there,
for a message once placed is not placed again. Mail in no campaign is carried over whole for a few days: a slow
campaign shows little on each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from thingwatch.config import Settings
from thingwatch.errors import SettingError
from thingwatch.group import CAPS, KIND_BITS
from thingwatch.memory.state import GROWING, STANDING, State
from thingwatch.store import Engine, query

WAKING_BITS = 6.0  # of a signature's keys one new message must hold; half of what makes it a member
ALIKE_BITS = 10.0  # of what new mail says an old message must hold: what content gives to a likeness of 16
WAKING_SOURCES = 3  # sources of a campaign's nameless lures that send new mail
DAY = 86_400_000_000
SAME = ("min_likeness", "min_messages", "border")  # settings by which campaigns are made

# Before lures are made: what is there, whom it wakes, who speaks for them.
_WAKING = (
    "seen", "fresh", "fresh_keys", "all_mail", "telling", "recent", "old_keys", "alike", "woken", "recalled", "loaded",
    "carried", "carried_keys", "spokesmen",
)  # fmt: skip
# Tables the grouping made, kept under a second name while what is remembered is put beside them.
_FOUND = {
    "members": "placed", "buckets": "found_buckets", "held": "found_held", "votes": "found_votes",
    "signatures": "found_signatures",
}  # fmt: skip


class NamedFile(Protocol):
    """A file of evidence, as far as we ask."""

    @property
    def number(self) -> int: ...

    @property
    def path(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Memory:
    """What earlier runs left, and where; nothing, before the first."""

    state: State

    @classmethod
    def open(cls, case: Path | None, settings: Settings) -> Memory:
        """What the run that wrote *case* remembers; None for nothing.

        Raises InputError for a case without a whole state, SettingError where it was made with other settings.
        """
        if case is None:
            return cls(State(None))
        state = State.open(case)
        for name in SAME:
            then, now = (state.settings or {}).get(name), told(settings)[name]
            if then != now:
                raise SettingError(
                    f"{name} = {now}: --continue {case} was made with {then}; give the same, or uncover all mail anew"
                )
        return cls(state)

    @property
    def continues(self) -> bool:
        """Whether there was an earlier run."""
        return self.state.folder is not None

    @property
    def prefix(self) -> str:
        """What stands before the names of the tables that hold a run's own mail."""
        return "read_" if self.continues else ""

    def recall(self, engine: Engine, settings: Settings) -> int:
        """Make ``details`` and ``keys`` of new mail, of what was carried over, and of those who speak for old lures.

        Gives how many messages were seen before and are left out.
        """
        for name, table in _KNOWN.items():
            self.state.load(engine, name, table)
        values = ", ".join(f"({kind}, {bits})" for kind, bits in KIND_BITS.items())
        engine.run(
            f"CREATE OR REPLACE TABLE kind_weights AS SELECT * FROM (VALUES {values}) AS t(kind, bits)"
        )
        newest = max((run.newest for run in self.state.runs if run.newest), default=0)
        numbers = {
            "waking_bits": WAKING_BITS,
            "waking_sources": WAKING_SOURCES,
            "alike_bits": ALIKE_BITS,
            "since": newest - int(settings.carry_days * DAY),
            "carry_messages": settings.carry_messages,
            **CAPS,
        }
        for name in _WAKING:
            engine.make(__package__, name, **numbers)
        view(engine, "at_hand")
        engine.run("CREATE OR REPLACE TABLE present AS SELECT seq FROM spokesmen")
        engine.run(
            "CREATE OR REPLACE TABLE linked AS SELECT k.seq AS seq, k.kind AS kind, k.key AS key, k.dialect AS dialect"
            " FROM known_spoken AS k JOIN spokesmen AS s ON s.seq = k.seq"
        )
        engine.run("CREATE OR REPLACE TABLE spoken AS SELECT seq, kind, key, dialect FROM linked")
        for name in ("details", "keys", "ordinary"):
            engine.make(__package__, name)
        return engine.number("SELECT count(*) FROM seen")

    def place(self, engine: Engine) -> None:
        """Put every message of the woken campaigns beside the lures just found, and give those their old names."""
        for name in ("claims", "namings", "mergings"):
            engine.make(__package__, name)
        for name, table in _FOUND.items():
            engine.run(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM {name}")
        engine.run("CREATE OR REPLACE TABLE present AS SELECT seq FROM recalled")
        engine.run(
            "CREATE OR REPLACE TABLE linked AS SELECT k.seq AS seq, k.kind AS kind, k.key AS key, k.dialect AS dialect"
            " FROM known_linked AS k JOIN recalled AS r ON r.seq = k.seq"
        )
        for name in ("details", "keys"):
            engine.make(__package__, name)
        engine.make("thingwatch.store", "mails")
        for name in (
            "members", "attached", "frozen", "asleep", "source_totals", "dialect_totals", "key_totals", "buckets",
            "held", "votes", "signatures",
        ):  # fmt: skip
            engine.make(__package__, name)

    def sight(self, engine: Engine, wanted: Iterable[str], given: Collection[str]) -> None:
        """Add to ``sightings`` what earlier evidence, files *given* again left out, says of *wanted* addresses."""
        again = [number for number, path in self.files if path in given]
        engine.add("superseded", pa.table({"file": pa.array(again, pa.int32())}))
        engine.add("wanted", pa.table({"client_ip": pa.array(sorted(wanted), pa.string())}))
        engine.make(__package__, "recalled_sightings")
        engine.run(
            "CREATE OR REPLACE TABLE sightings AS SELECT * FROM fresh_sightings"
            " UNION ALL SELECT * FROM recalled_sightings"
        )

    @property
    def files(self) -> list[tuple[int, str]]:
        """The evidence files of earlier runs, each with its number."""
        return [file for run in self.state.runs for file in run.evidence]

    def names(self, given: Iterable[NamedFile]) -> list[str]:
        """The paths of all evidence files, by number: those of earlier runs, and those *given* now."""
        named = dict(self.files) | {file.number: file.path for file in given}
        return [named.get(number, "") for number in range(max(named, default=-1) + 1)]

    def nothing(self, engine: Engine) -> None:
        """Make the tables of a memory that is empty, so that a first run is kept as any other is."""
        for name, table in _KNOWN.items():
            self.state.load(engine, name, table)
        for name, columns in _NOTHING.items():
            engine.run(f"CREATE OR REPLACE TABLE {name} AS SELECT {columns} FROM known_lures WHERE 1 = 0")
        for name, source in (
            ("read_details", "details"),
            ("fresh_keys", "keys"),
            ("fresh_sightings", "sightings"),
        ):
            engine.run(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM {source}")
        view(engine, "fresh")
        engine.run("CREATE OR REPLACE TABLE spoken AS SELECT seq, kind, key, dialect FROM known_loose_keys")
        for name in ("carried", "carried_keys"):
            engine.make(__package__, name)
        view(engine, "at_hand")


def view(engine: Engine, name: str) -> None:
    """Make the table *name* as a view: of all mail of a first run little is asked once more."""
    engine.run(query(__package__, name).replace("REPLACE TABLE", "REPLACE VIEW", 1))


# What waking makes, as it is where nobody is woken; columns of ``known_lures``.
_NOTHING = {
    "seen": "lure AS seq", "loaded": "lure AS seq", "woken": "campaign", "recalled": "lure AS seq, lure, firm AS stray",
    "spokesmen": "lure, lure AS seq", "mergings": "lure, now",
}  # fmt: skip
_KNOWN = {
    name: name if name in ("settled", "young") else f"known_{name}"
    for name in (*GROWING, *STANDING)
    if name != "texts"
}


def told(settings: Settings) -> dict[str, Any]:
    """The settings by which campaigns are made, as JSON would give them back."""
    found: dict[str, Any] = {}
    for name in SAME:
        value: Sequence[str] | float = getattr(settings, name)
        found[name] = list(value) if isinstance(value, tuple) else value
    return found
