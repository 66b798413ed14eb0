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
from thingwatch.fingerprint.hashing import hash_all
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
# Two hashes beside each message, which later runs remember in its place.
MARKS = (
    pa.field(
        "mark", pa.int64()
    ),  # of who sent what when to whom: the same message given twice has the same; 0: cannot be told
    pa.field("whom", pa.int64()),  # of the first recipient; 0: none
)
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
        details = prints.mails.add_column(0, "seq", seq)
        for field, marks in zip(MARKS, _marks(batch), strict=True):
            details = details.append_column(field, marks)
        yield prefix + "details", details
        row = prints.keys["row"].to_numpy()
        columns = [
            pa.array(row.astype(np.int64) + first),
            prints.keys["kind"],
            prints.keys["key"],
            # Beside each key, because grouping asks for both together tens of millions of times.
            pa.array(prints.mails["dialect"].to_numpy()[row]),
        ]
        yield prefix + "keys", pa.Table.from_arrays(columns, schema=KEY_ROWS)
        rows += len(batch)
    gc.enable()
    return Digest(number, rows, dict(skips), places, dict(defects))


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
    engine: Engine,
    paths: Iterable[Path],
    border: Border,
    settings: Settings,
    progress: Progress,
    first: int = 0,
    prefix: str = "",
) -> list[Digest]:
    """Every load of *paths* through ``digest``, on all hands; makes the tables ``details`` and ``keys``.

    *first*: the number of the first load; *prefix*: what stands before the names of the tables.
    """
    fingerprint([Message(place="")])  # compiled here, so that forked workers find it done
    loads = enumerate(plan(paths, settings.load_mb << 20), first)
    found = engine.spread(
        partial(digest, border=border, prefix=prefix),
        loads,
        {prefix + name: form for name, form in TABLES.items()},
        lambda done: progress("read", done.messages),
    )
    return sorted(found)


def messages_at(
    paths: Iterable[Path], border: Border, settings: Settings, seqs: Iterable[int], first: int = 0
) -> dict[int, Message]:
    """The messages behind *seqs*, read again from the input: the store keeps no bodies. *first*: as in digest_all."""
    wanted: dict[int, set[int]] = {}
    for seq in seqs:
        if seq >> ROW_BITS < first:
            continue  # read by an earlier run
        wanted.setdefault(seq >> ROW_BITS, set()).add(seq & ((1 << ROW_BITS) - 1))
    found: dict[int, Message] = {}
    if not wanted:
        return found
    for number, load in enumerate(plan(paths, settings.load_mb << 20), first):
        rows = wanted.pop(number, None)
        if rows:
            found |= {(number << ROW_BITS) + row: message for row, message in messages_of(load, border, rows)}
        if not wanted:
            break
    return found
