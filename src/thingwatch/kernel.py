"""The kernel: a load of mail in, rows of two tables out; the same function in any process on any machine."""

from __future__ import annotations

import gc
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from thingwatch.config import Settings
from thingwatch.errors import InputError
from thingwatch.fingerprint import KEYS_SCHEMA, MAILS_SCHEMA, fingerprint
from thingwatch.fingerprint.hashing import hash_all
from thingwatch.model import Message, Skip
from thingwatch.read import Border, Load, arrived_messages, columns_of_table, messages_in, messages_of, plan
from thingwatch.store import Engine, Steps, TableForm

ROW_BITS = 40  # a message's seq is the load's number and its row there: order without counting first
MAX_PLACES = 20  # of skipped pieces that are named
BATCH = 1024  # messages fingerprinted at a time: enough to amortise, little enough for the cache
Progress = Callable[[str, int], None]

KEY_ROWS = pa.schema(
    [
        pa.field("seq", pa.int64()),
        KEYS_SCHEMA.field("kind"),
        KEYS_SCHEMA.field("key"),
        pa.field("dialect", pa.int64()),
    ]
)
# Two hashes beside each message, which later runs remember in its place: of who sent what when to whom, the same for a
# message given twice (0: cannot be told), and of the first recipient (0: none).
MARKS = (pa.field("mark", pa.int64()), pa.field("whom", pa.int64()))
TABLES = {
    "details": TableForm(
        pa.schema([pa.field("seq", pa.int64()), *MAILS_SCHEMA, *MARKS]),
        (
            "client_ip", "helo", "ptr", "mail_from", "header_from", "from_name", "subject", "media", "spf", "dkim",
            "dmarc", "signer", "list_id", "name", "system", "claims",
        ),
    ),
    "keys": TableForm(KEY_ROWS, ("kind", "dialect", "seq")),
}  # fmt: skip


class Digest(NamedTuple):
    """What became of one load: how many messages, and what was skipped or found damaged."""

    number: int
    messages: int
    skips: dict[str, int]
    skip_places: list[str]
    defects: dict[str, int]


def digest(item: tuple[int, Load], border: Border, prefix: str = "") -> Steps[Digest]:
    """The kernel: read and fingerprint one numbered load; rows for ``details`` and ``keys``, *prefix* before the names.

    Pure: the same load gives the same rows in any process on any machine.
    """
    number, load = item
    tally = _Tally()
    found = tally.messages(messages_in(load, border))
    yield from _rows(zip(count(number << ROW_BITS), found, strict=False), prefix)
    return tally.digest(number)


def digest_arrived(
    batches: Iterable[pa.RecordBatch], border: Border, first: int = 0, prefix: str = ""
) -> Steps[list[Digest]]:
    """The same for mail an engine brings: rows or whole files, numbered by their file's rank and the place there.

    *first*: the number of the first load.
    """
    tallies: dict[int, _Tally] = defaultdict(_Tally)

    def counted() -> Iterator[tuple[int, Message]]:
        for place, found in arrived_messages(batches, border):
            seq = place + (first << ROW_BITS)
            for message in tallies[seq >> ROW_BITS].messages([found]):
                yield seq, message

    yield from _rows(counted(), prefix)
    return [tally.digest(number) for number, tally in sorted(tallies.items())]


class _Tally:
    """What became of the pieces of one load."""

    def __init__(self) -> None:
        self.read = 0
        self.skips: Counter[str] = Counter()
        self.places: list[str] = []
        self.defects: Counter[str] = Counter()

    def messages(self, found: Iterable[Message | Skip]) -> Iterator[Message]:
        for item in found:
            if isinstance(item, Skip):
                self.skips[item.reason] += 1
                if len(self.places) < MAX_PLACES:
                    self.places.append(f"{item.place}: {item.reason}")
                continue
            self.read += 1
            if item.defects:
                self.defects.update(item.defects)
            yield item

    def digest(self, number: int) -> Digest:
        return Digest(number, self.read, dict(self.skips), self.places, dict(self.defects))


def _rows(found: Iterator[tuple[int, Message]], prefix: str) -> Iterator[tuple[str, pa.Table]]:
    """The rows of numbered messages, a batch at a time."""
    gc.disable()  # batches of small records make the cycle collector run for nothing; it runs between loads
    while batch := list(islice(found, BATCH)):
        messages = [message for _, message in batch]
        prints = fingerprint(messages)
        seq = np.array([number for number, _ in batch], dtype=np.int64)
        details = prints.mails.add_column(0, "seq", pa.array(seq))
        for field, marks in zip(MARKS, _marks(messages), strict=True):
            details = details.append_column(field, marks)
        yield prefix + "details", details
        row = prints.keys["row"].to_numpy()
        columns = [
            pa.array(seq[row]),
            prints.keys["kind"],
            prints.keys["key"],
            # Beside each key, because grouping asks for both together tens of millions of times.
            pa.array(prints.mails["dialect"].to_numpy()[row]),
        ]
        yield prefix + "keys", pa.Table.from_arrays(columns, schema=KEY_ROWS)
    gc.enable()


def _marks(batch: list[Message]) -> tuple[pa.Array, pa.Array]:
    """The columns of ``MARKS`` for *batch*."""
    told = [
        "\0".join(
            (
                m.message_id,
                str(m.received_at),
                str(m.client_ip),
                *m.rcpt_to,
                m.header_from,
                m.subject,
                str(m.size),
            )
        ).encode("utf-8", "replace")
        for m in batch
    ]
    whom = [m.rcpt_to[0].encode("utf-8", "replace") if m.rcpt_to else b"" for m in batch]
    # Without a time a mail that comes again looks like the same given again.
    sure = np.array([m.received_at is not None for m in batch])
    named = np.array([bool(text) for text in whom])
    return tuple(
        pa.array(np.where(known, hash_all(texts), 0).astype(np.uint64).view(np.int64))
        for known, texts in ((sure, told), (named, whom))
    )


def digest_all(
    engine: Engine,
    paths: Sequence[Path | str],
    border: Border,
    settings: Settings,
    progress: Progress,
    first: int = 0,
    prefix: str = "",
) -> list[Digest]:
    """All mail at *paths* through the kernel, on all hands; makes the tables ``details`` and ``keys``.

    Paths are of this machine, texts are URLs that the engine can read; not both. *first*: the number of the first load;
    *prefix*: what stands before the names of the tables.
    """
    fingerprint([Message(place="")])  # compiled here, so that forked workers find it done
    tables = {prefix + name: form for name, form in TABLES.items()}
    if urls := [path for path in paths if isinstance(path, str)]:
        if len(urls) < len(paths):
            raise InputError(f"{urls[0]}: URLs and paths of this machine cannot be read in one run")
        work = partial(digest_arrived, border=border, first=first, prefix=prefix)
        arrived = engine.spread_arrived(work, urls, columns_of_table, tables)
        found = [one for task in arrived for one in task]
        progress("read", sum(one.messages for one in found))
        return _merged(found)
    loads = enumerate(plan([Path(path) for path in paths], settings.load_mb << 20), first)
    digests = engine.spread(
        partial(digest, border=border, prefix=prefix),
        loads,
        tables,
        lambda done: progress("read", done.messages),
    )
    return sorted(digests)


def _merged(digests: Iterable[Digest]) -> list[Digest]:
    """One digest per load: several tasks may have read pieces of it."""
    tallies: dict[int, _Tally] = defaultdict(_Tally)
    for one in digests:
        tally = tallies[one.number]
        tally.read += one.messages
        tally.skips.update(one.skips)
        tally.places = (tally.places + one.skip_places)[:MAX_PLACES]
        tally.defects.update(one.defects)
    return [tally.digest(number) for number, tally in sorted(tallies.items())]


def messages_at(
    engine: Engine,
    paths: Sequence[Path | str],
    border: Border,
    settings: Settings,
    seqs: Iterable[int],
    first: int = 0,
) -> dict[int, Message]:
    """The messages behind *seqs*, read again from the input: the store keeps no bodies. *first*: as in digest_all."""
    asked = {seq for seq in seqs if seq >> ROW_BITS >= first}  # the others were read by an earlier run
    if not asked:
        return {}
    if urls := [path for path in paths if isinstance(path, str)]:
        skipped = first << ROW_BITS
        batches = engine.arrived(urls, columns_of_table, {seq - skipped for seq in asked})
        again = ((place + skipped, found) for place, found in arrived_messages(batches, border))
        return {seq: found for seq, found in again if seq in asked and isinstance(found, Message)}
    wanted: dict[int, set[int]] = {}
    for seq in asked:
        wanted.setdefault(seq >> ROW_BITS, set()).add(seq & ((1 << ROW_BITS) - 1))
    messages: dict[int, Message] = {}
    for number, load in enumerate(plan([Path(path) for path in paths], settings.load_mb << 20), first):
        rows = wanted.pop(number, None)
        if rows:
            messages |= {
                (number << ROW_BITS) + row: message for row, message in messages_of(load, border, rows)
            }
        if not wanted:
            break
    return messages
