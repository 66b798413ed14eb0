"""How far a guard has listened: kept in a file, so that after a restart nothing counts twice."""

from __future__ import annotations

import json
from pathlib import Path

from thingwatch.guard.outlets.stream import Batch
from thingwatch.guard.outlets.whole_file import write_whole

BEGINNING = "0-0"
MAX_GUARDS = 64
MAX_WORDS = 2000  # of people that were heeded


class Heard:
    """Where in which stream, and the last batch of each guard.

    The file is written before a batch is remembered and not after: a crash between the two loses that batch, and
    never counts it twice, because evidence that is there twice is worse than evidence that is missing.
    """

    def __init__(self, path: Path | None) -> None:
        """Go on from *path*; with None, or when it says nothing, from the beginning."""
        self._path = path
        self.epoch = ""  # of the server's memory
        self.last = BEGINNING  # entry of the stream
        self.batches: dict[str, tuple[int, int]] = {}  # guard → start and number of the last batch
        self.words: dict[str, None] = {}
        self.resumed = False
        try:
            plain = json.loads(path.read_text("ascii")) if path is not None else {}
            if plain:
                self.epoch, self.last = str(plain["epoch"]), str(plain["last"])
                self.batches = {str(k): (int(a), int(b)) for k, (a, b) in plain["batches"].items()}
                self.words = dict.fromkeys(map(str, plain["words"]))
                self.resumed = True
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            # Only what was said in the last minutes is heard again then; nothing is lost that was remembered.
            self.epoch, self.last, self.batches, self.words = "", BEGINNING, {}, {}

    def is_new(self, batch: Batch) -> bool:
        """Whether *batch* was not heard before."""
        return (batch.start, batch.number) > self.batches.get(batch.guard, (0, 0))

    def gap_before(self, batch: Batch) -> int:
        """Batches of its guard that are missing before *batch*, as far as can be told."""
        start, number = self.batches.get(batch.guard, (0, 0))
        return max(0, batch.number - number - 1) if batch.start == start else 0

    def note(self, batch: Batch) -> None:
        """*batch* is heard."""
        self.batches[batch.guard] = (batch.start, batch.number)
        while len(self.batches) > MAX_GUARDS:
            del self.batches[min(self.batches, key=lambda guard: self.batches[guard])]

    def heed(self, word: str) -> None:
        """The *word* of that id is heeded."""
        self.words[word] = None
        while len(self.words) > MAX_WORDS:
            del self.words[next(iter(self.words))]

    def save(self) -> None:
        """Write it down; raises OSError."""
        if self._path is not None:
            plain = {
                "epoch": self.epoch,
                "last": self.last,
                "batches": self.batches,
                "words": list(self.words),
            }
            write_whole(self._path, json.dumps(plain))
