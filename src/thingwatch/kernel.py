"""The kernel: a load of mail in, two Parquet files out; the same function in any process on any machine."""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from thingwatch.config import Settings
from thingwatch.errors import InputError
from thingwatch.fingerprint import KEYS_SCHEMA, MAILS_SCHEMA, fingerprint
from thingwatch.model import Message, Skip
from thingwatch.read import Border, Load, messages_in, messages_of, plan

ROW_BITS = 40  # a message's seq is the load's number and its row there: order without counting first
# Columns whose values repeat within a load; for the others a dictionary costs more than it saves.
REPEATING = [
    "client_ip", "helo", "ptr", "mail_from", "header_from", "from_name", "subject", "media", "spf", "dkim", "dmarc",
    "signer", "list_id", "name", "system", "claims",
]  # fmt: skip
BATCH = 1024  # messages fingerprinted at a time: enough to amortise, little enough for the cache
PARENT_SECONDS = 1.0  # between a worker's looks whether its run still lives
WORKER_ENDED = (
    "a worker process was ended from outside, most likely for want of memory;"
    " lower load_mb or workers and run again"
)
Progress = Callable[[str, int], None]


class Digest(NamedTuple):
    """What became of one load: how many messages, and what was skipped or found damaged."""

    number: int
    messages: int
    skips: dict[str, int]
    skip_places: list[str]
    defects: dict[str, int]


def digest(load: Load, number: int, border: Border, folder: Path) -> Digest:
    """The kernel: read and fingerprint one load, leave two Parquet files in *folder*.

    Pure but for those files: the same load gives the same rows in any process on any machine.
    """
    gc.disable()  # batches of small records make the cycle collector run for nothing; it runs between loads
    skips: Counter[str] = Counter()
    places: list[str] = []
    defects: Counter[str] = Counter()
    rows = 0
    with (
        _writer(folder / f"mails-{number:07d}.parquet", _with_seq(MAILS_SCHEMA), REPEATING) as mails,
        _writer(folder / f"keys-{number:07d}.parquet", KEY_ROWS, ["kind", "dialect", "seq"]) as keys,
    ):
        for batch in _batches(_counted(messages_in(load, border), skips, places)):
            for message in batch:
                if message.defects:
                    defects.update(message.defects)
            prints = fingerprint(batch)
            first = (number << ROW_BITS) + rows
            seq = pa.array(np.arange(first, first + len(batch), dtype=np.int64))
            mails.write_table(prints.mails.add_column(0, "seq", seq))
            row = prints.keys["row"].to_numpy()
            columns = [
                pa.array(row.astype(np.int64) + first),
                prints.keys["kind"],
                prints.keys["key"],
                # Beside each key, because grouping asks for both together tens of millions of times.
                pa.array(prints.mails["dialect"].to_numpy()[row]),
            ]
            keys.write_table(pa.Table.from_arrays(columns, schema=KEY_ROWS))
            rows += len(batch)
    gc.enable()
    return Digest(number, rows, dict(skips), places, dict(defects))


def _writer(path: Path, schema: pa.Schema, repeating: list[str]) -> pq.ParquetWriter:
    # Written once and read a few times within the minute: statistics and compression cost more than they save.
    return pq.ParquetWriter(
        path, schema, compression="none", use_dictionary=repeating, write_statistics=False
    )


def _with_seq(schema: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field("seq", pa.int64()), *schema])


KEY_ROWS = pa.schema(
    [
        pa.field("seq", pa.int64()),
        KEYS_SCHEMA.field("kind"),
        KEYS_SCHEMA.field("key"),
        pa.field("dialect", pa.int64()),
    ]
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
    paths: Iterable[Path], border: Border, settings: Settings, folder: Path, progress: Progress
) -> list[Digest]:
    """Every load of *paths* through ``digest``, on all cores, a bounded number of loads in flight."""
    done: list[Digest] = []
    loads = enumerate(plan(paths, settings.load_mb << 20))
    if settings.worker_count == 1:
        for number, load in loads:
            done.append(digest(load, number, border, folder))
            progress("read", done[-1].messages)
        return done
    # Fork: the compiled loops are loaded once and shared.
    fingerprint([Message(place="")])
    with ProcessPoolExecutor(
        settings.worker_count,
        mp_context=multiprocessing.get_context("fork"),
        initializer=end_with,
        initargs=(os.getpid(),),
    ) as pool:
        waiting: set[Future[Digest]] = set()
        try:
            for number, load in loads:
                waiting.add(pool.submit(digest, load, number, border, folder))
                if len(waiting) >= 3 * settings.worker_count:
                    finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in finished:
                        done.append(future.result())
                        progress("read", done[-1].messages)
            for future in waiting:
                done.append(future.result())
                progress("read", done[-1].messages)
        except BrokenProcessPool as error:
            raise InputError(WORKER_ENDED) from error
    done.sort()
    return done


def end_with(parent: int) -> None:
    """Have this worker end soon after *parent* does: a killed run cannot tell its workers to stop."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


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
