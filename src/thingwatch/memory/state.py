"""The folder ``state`` of a case: which files it has, and whether they are whole.

Files ending in a run's number are written by that run and never again: a later case holds them as hard links. All
others are written anew by every run and say what stands now.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from thingwatch.errors import InputError
from thingwatch.fingerprint import MAILS_SCHEMA
from thingwatch.store import Engine

FOLDER = "state"
VERSION = 1

_UNKEPT = {"place", "recipients", "words", "defects"}
_MAIL = [field for field in MAILS_SCHEMA if field.name not in _UNKEPT]
_KEY = [("kind", pa.int8()), ("key", pa.int64()), ("dialect", pa.int64())]
_COUNTED = [("weight", pa.float64()), ("messages", pa.int64()), ("others", pa.int64())]

# One per run, never rewritten.
GROWING = {
    "settled": pa.schema(
        [("seq", pa.int64()), ("lure", pa.int64()), ("stray", pa.bool_()), ("label", pa.int64()), *_MAIL]
    ),
    "linked": pa.schema([("lure", pa.int64()), ("seq", pa.int64()), *_KEY]),
    "loose": pa.schema([("seq", pa.int64()), ("place", pa.string()), *_MAIL]),
    "loose_keys": pa.schema([("seq", pa.int64()), *_KEY]),
    "marks": pa.schema([("mark", pa.int64())]),
    "sources": pa.schema([("client_ip", pa.string()), ("messages", pa.int64()), ("named", pa.int64())]),
    "dialects": pa.schema([("dialect", pa.int64()), ("messages", pa.int64())]),
    "links": pa.schema([("key", pa.int64()), ("kind", pa.int8()), ("messages", pa.int64())]),
    "phrases": pa.schema([("key", pa.int64()), ("dialect", pa.int64()), ("messages", pa.int64())]),
    "bins": pa.schema([("bin", pa.int64()), ("messages", pa.int64())]),
    "sightings": pa.schema(
        [
            ("client_ip", pa.string()), ("item", pa.string()), ("value", pa.int8()), ("seen_at", pa.int64()),
            ("kind", pa.string()), ("said", pa.string()), ("port", pa.int32()), ("source", pa.string()),
            ("file", pa.int32()), ("place", pa.string()), ("device_class", pa.string()), ("vendor", pa.string()),
            ("model", pa.string()), ("confidence", pa.float64()), ("ours", pa.bool_()),
        ]
    ),
}  # fmt: skip
LOOSE = ("loose", "loose_keys")  # forgotten after carry_days
# What they tell of all mail of a run: forgotten with the run.
OF_A_RUN = ("marks", "sources", "dialects", "links", "phrases", "bins", "sightings")
# Written anew by every run.
STANDING = {
    "campaigns": pa.schema(
        [
            ("campaign", pa.int64()), ("campaign_id", pa.string()), ("verdict", pa.string()), ("kind", pa.string()),
            ("bits", pa.float64()), ("messages", pa.int64()), ("sources", pa.int64()), ("first_seen", pa.int64()),
            ("last_seen", pa.int64()),
        ]
    ),
    "lures": pa.schema(
        [
            ("lure", pa.int64()), ("now", pa.int64()), ("campaign", pa.int64()), ("nameless", pa.bool_()),
            ("firm", pa.bool_()),
        ]
    ),
    "signatures": pa.schema([("lure", pa.int64()), ("key", pa.int64()), ("kind", pa.int8()), *_COUNTED]),
    "hands": pa.schema([("campaign", pa.int64()), ("dialect", pa.int64()), *_COUNTED]),
    "spokesmen": pa.schema([("lure", pa.int64()), ("seq", pa.int64())]),
    "spoken": pa.schema([("lure", pa.int64()), ("seq", pa.int64()), *_KEY]),
    "young": pa.schema(
        [
            ("seq", pa.int64()), ("place", pa.string()), ("lure", pa.int64()), ("campaign", pa.int64()),
            ("campaign_id", pa.string()), *_MAIL,
        ]
    ),
    "young_keys": pa.schema([("seq", pa.int64()), ("campaign", pa.int64()), *_KEY]),
    "grouped": pa.schema([("seq", pa.int64()), ("campaign_id", pa.string())]),
    "texts": pa.schema([("campaign", pa.int64()), ("what", pa.string()), ("id", pa.int64()), ("text", pa.string())]),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """One run that a state remembers."""

    number: int  # from 1
    made_at: str
    messages: int  # read, those seen before left out
    newest: int | None  # microseconds since 1970, UTC
    paths: tuple[str, ...]
    evidence: tuple[tuple[int, str], ...]  # number and path of each file


@dataclass(frozen=True, slots=True)
class State:
    """What a state folder says of itself."""

    folder: Path | None  # None: nothing is remembered yet
    next_load: int = 0
    settings: dict[str, Any] | None = None  # those that change what a campaign is
    runs: tuple[Run, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def messages(self) -> int:
        """Messages read by all runs, also those whose files are forgotten."""
        return sum(run.messages for run in self.runs)

    @classmethod
    def open(cls, case: Path) -> State:
        """The state in *case*. Raises InputError where there is none, half of one, or one of another version."""
        folder = case / FOLDER
        path = folder / "state.json"
        if not case.is_dir():
            raise InputError(f"--continue {case}: no such folder; name a case that uncover wrote")
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise InputError(
                f"--continue {case}: no state in it; it is no case, or one of an older version:"
                " uncover its mail again with this one"
            ) from error
        except (OSError, ValueError) as error:
            raise InputError(
                f"--continue {case}: its state is damaged ({path.name}: {error}); {_CURE}"
            ) from error
        if not isinstance(told, dict) or told.get("version") != VERSION:
            version = told.get("version") if isinstance(told, dict) else None
            raise InputError(
                f"--continue {case}: its state is of version {version}, and we read {VERSION};"
                " uncover its mail again with this version"
            )
        try:
            for name, size in told["files"].items():
                if size_of(folder / name) != size:
                    raise InputError(
                        f"--continue {case}: its state is damaged ({name}: not as written); {_CURE}"
                    )
            runs = tuple(
                Run(**run | {"paths": tuple(run["paths"]), "evidence": tuple(map(tuple, run["evidence"]))})
                for run in told["runs"]
            )
            return cls(folder, int(told["next_load"]), told["settings"], runs, tuple(told["files"]))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InputError(
                f"--continue {case}: its state is damaged (a field is missing: {error}); {_CURE}"
            ) from error

    def paths(self, name: str) -> list[Path]:
        """The files of the table *name*, in the order of their runs."""
        if self.folder is None:
            return []
        return [
            self.folder / file
            for file in sorted(self.files)
            if file.removesuffix(".parquet").rpartition("-")[0] == name or file == f"{name}.parquet"
        ]

    def load(self, engine: Engine, name: str, table: str) -> None:
        """Make *table* of the files of *name*; empty where nothing is remembered."""
        engine.load(table, self.paths(name), (GROWING | STANDING)[name])


_CURE = "restore it from a copy, or uncover its mail again"


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files of a folder; -1 where there is none."""
    if path.is_dir():
        return sum(inside.stat().st_size for inside in path.iterdir())
    return path.stat().st_size if path.is_file() else -1


def share(old: Path, new: Path) -> None:
    """Let *new* be *old*: the same bytes on the same disk, a copy on another."""
    if old.is_dir():
        new.mkdir()
        for inside in old.iterdir():
            share(inside, new / inside.name)
        return
    try:
        os.link(old, new)
    except OSError:
        shutil.copyfile(old, new)


def write_state(folder: Path, state: State) -> None:
    """Write state.json, which makes the files beside it a state."""
    told = {
        "version": VERSION,
        "next_load": state.next_load,
        "settings": state.settings,
        "runs": [asdict(run) for run in state.runs],
        "files": {path.name: size_of(path) for path in sorted(folder.iterdir())},
    }
    (folder / "state.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
