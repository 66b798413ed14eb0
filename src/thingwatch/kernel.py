"""The kernel: a load of mail in, rows of two tables out; the same function in any process on any machine."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from thingwatch.config import Settings
from thingwatch.fingerprint import KEYS_SCHEMA, MAILS_SCHEMA, fingerprint
from thingwatch.model import Message, Skip
from thingwatch.read import Border, Load, messages_in, messages_of, plan
from thingwatch.store import Engine, Steps, TableForm

ROW_BITS = 40  # a message's seq is the load's number and its row there: order without counting first
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
TABLES = {
    "details": TableForm(
        pa.schema([pa.field("seq", pa.int64()), *MAILS_SCHEMA]),
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


def digest(item: tuple[int, Load], border: Border) -> Steps[Digest]:
    """The kernel: read and fingerprint one numbered load; rows for ``details`` and ``keys``.

    Pure: the same load gives the same rows in any process on any machine.
    """
    number, load = item
    gc.disable()  # batches of small records make the cycle collector run for nothing; it runs between loads
    skips: Counter[str] = Counter()
    places: list[str] = []
    defects: Counter[str] = Counter()
    rows = 0
    for batch in _batches(_counted(messages_in(load, border), skips, places)):
        for message in batch:
            if message.defects:
                defects.update(message.defects)
        prints = fingerprint(batch)
        first = (number << ROW_BITS) + rows
        seq = pa.array(np.arange(first, first + len(batch), dtype=np.int64))
        yield "details", prints.mails.add_column(0, "seq", seq)
        row = prints.keys["row"].to_numpy()
        columns = [
            pa.array(row.astype(np.int64) + first),
            prints.keys["kind"],
            prints.keys["key"],
            # Beside each key, because grouping asks for both together tens of millions of times.
            pa.array(prints.mails["dialect"].to_numpy()[row]),
        ]
        yield "keys", pa.Table.from_arrays(columns, schema=KEY_ROWS)
        rows += len(batch)
    gc.enable()
    return Digest(number, rows, dict(skips), places, dict(defects))


def _counted(items: Iterable[Message | Skip], skips: Counter[str], places: list[str]) -> Iterator[Message]:
    for item in items:
        if isinstance(item, Skip):
            skips[item.reason] += 1
            if len(places) < 20:
                places.append(f"{item.place}: {item.reason}")
        else:
            yield item


def _batches(messages: Iterator[Message]) -> Iterator[list[Message]]:
    while batch := list(islice(messages, BATCH)):
        yield batch


def digest_all(
    engine: Engine, paths: Iterable[Path], border: Border, settings: Settings, progress: Progress
) -> list[Digest]:
    """Every load of *paths* through ``digest``, on all hands; makes the tables ``details`` and ``keys``."""
    fingerprint([Message(place="")])  # compiled here, so that forked workers find it done
    loads = enumerate(plan(paths, settings.load_mb << 20))
    found = engine.spread(
        partial(digest, border=border), loads, TABLES, lambda done: progress("read", done.messages)
    )
    return sorted(found)


def messages_at(
    paths: Iterable[Path], border: Border, settings: Settings, seqs: Iterable[int]
) -> dict[int, Message]:
    """The messages behind *seqs*, read again from the input: the store keeps no bodies."""
    wanted: dict[int, set[int]] = {}
    for seq in seqs:
        wanted.setdefault(seq >> ROW_BITS, set()).add(seq & ((1 << ROW_BITS) - 1))
    found: dict[int, Message] = {}
    if not wanted:
        return found
    for number, load in enumerate(plan(paths, settings.load_mb << 20)):
        rows = wanted.pop(number, None)
        if rows:
            found |= {(number << ROW_BITS) + row: message for row, message in messages_of(load, border, rows)}
        if not wanted:
            break
    return found
