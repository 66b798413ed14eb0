"""Message → fingerprint: everything comparable about a mail, as hashes. Pure; the front door is ``fingerprint``."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from thingwatch.fingerprint.attachment import form_of, sampled, telling
from thingwatch.fingerprint.client import ADDRESS_NAME, ClientTraits, claimed_system, client_traits, line_of
from thingwatch.fingerprint.hashing import U64, hash_all
from thingwatch.fingerprint.kinds import (
    DOMAIN,
    FILE,
    FILE_PART,
    GRAMMAR,
    HOST,
    IMAGE_FORM,
    KINDS,
    LINE,
    SHINGLE,
    SUBJECT,
    SUBJECT_SHINGLES,
    SUBJECT_WORDS,
    WHOLE,
    WHOLE_WORDS,
    salted,
)
from thingwatch.fingerprint.links import Links, links_of
from thingwatch.fingerprint.shapes import shape_hashes
from thingwatch.fingerprint.text import Shreds, shred
from thingwatch.fingerprint.words import own_words, text_of
from thingwatch.model import Message

__all__ = [
    "KEYS_SCHEMA", "KINDS", "MAILS_SCHEMA", "Fingerprints", "Prints", "fingerprint", "prints_of", "traits_of",
]  # fmt: skip

# What mail programs put before the subject of an answer or a forward, in the languages they come in.
_FORWARD = re.compile(
    r"\s*(?:re|fwd?|aw|wg|sv|vs|rv|tr|rif|i|res|enc|antw|doorst|odp|pd|ynt|ilt)(?:\[\d+\])?\s*:", re.I
)

MAX_SIZE = (1 << 31) - 1  # bytes; a log may claim any number
ONE_LINE_WORDS = 24  # a text of at most so many words is called one line; ten may be strays

MAILS_SCHEMA = pa.schema(
    [
        ("place", pa.string()),
        ("message_id", pa.string()),
        ("received_at", pa.int64()),
        ("client_ip", pa.string()),
        ("helo", pa.string()),
        ("ptr", pa.string()),
        ("mail_from", pa.string()),
        ("header_from", pa.string()),
        ("from_name", pa.string()),
        ("recipient", pa.string()),
        ("recipients", pa.int32()),
        ("subject", pa.string()),
        ("size", pa.int32()),
        ("words", pa.int32()),
        ("media", pa.string()),
        ("spf", pa.string()),
        ("dkim", pa.string()),
        ("dmarc", pa.string()),
        ("signer", pa.string()),
        ("list_id", pa.string()),
        ("name", pa.string()),
        ("reply", pa.bool_()),
        ("forward", pa.bool_()),
        ("automatic", pa.bool_()),
        ("logged", pa.bool_()),
        ("hosts", pa.list_(pa.string())),
        ("grammars", pa.list_(pa.string())),
        ("dialect", pa.int64()),
        ("id_form", pa.int64()),
        ("mime_form", pa.int64()),
        ("layout", pa.int64()),
        ("helo_form", pa.int64()),
        ("sender_form", pa.int64()),
        ("exact", pa.int64()),
        ("line", pa.int8()),
        ("system", pa.string()),
        ("claims", pa.string()),
        ("defects", pa.list_(pa.string())),
    ]
)
KEYS_SCHEMA = pa.schema([("row", pa.int32()), ("kind", pa.int8()), ("key", pa.int64())])


class Fingerprints(NamedTuple):
    """Two tables: a row per message, and a row per key (``row`` counts from 0 within this batch)."""

    mails: pa.Table
    keys: pa.Table


class Traits(NamedTuple):
    """What ``fingerprint`` compares, before hashing; kept apart so that ``explain`` can show it."""

    shreds: Shreds
    subjects: Shreds
    links: list[Links]


def traits_of(messages: Sequence[Message]) -> Traits:
    """Text, subject and link traits of *messages*, a row each."""
    texts, flags = zip(*map(text_of, messages), strict=True) if messages else ((), ())
    own = list(map(own_words, messages))
    shreds = shred(texts, flags, own)
    subjects = shred([m.subject.encode("utf-8", "replace") for m in messages], [False] * len(messages), own)
    return Traits(shreds, subjects, [links_of(raw) if raw else Links((), (), ()) for raw in shreds.links])


class KeyColumns(NamedTuple):
    """Keys side by side: the message's row, the kind, the key."""

    rows: np.ndarray[tuple[int], np.dtype[np.int32]]
    kinds: np.ndarray[tuple[int], np.dtype[np.int8]]
    keys: U64


class Prints(NamedTuple):
    """What ``fingerprint`` makes tables of, as columns: all that one mail in flight needs."""

    keys: KeyColumns
    traits: Traits
    hands: list[ClientTraits]
    dialect: U64
    id_form: U64
    mime_form: U64
    layout: U64
    helo_form: U64
    sender_form: U64
    lines: list[int]  # of the address's name, as ``line_of`` says
    lists: list[str]  # List-Ids that are believed
    names: list[str]  # under whose name a mail comes, "" for none
    forwards: list[bool]  # the subject begins as an answer's or a forward's does
    reports: list[bool]  # by a mail server or an answering machine


def _media_of(message: Message, words: int, linked: bool, has_html: bool) -> str:
    """By what means a mail speaks; stray words beside an image or a link do not make it a text."""
    if message.logged:
        return "not read"
    short = words <= ONE_LINE_WORDS
    if short and not linked and any(a.media_type.startswith("image/") for a in message.attachments):
        return "image-only"
    if words == 0:
        return "none"
    if short:
        return "one line"
    return "html" if has_html else "text"


class _KeyTable:
    """Collects the key columns of one batch."""

    def __init__(self) -> None:
        self.rows: list[np.ndarray[tuple[int], np.dtype[np.int32]]] = []
        self.kinds: list[np.ndarray[tuple[int], np.dtype[np.int8]]] = []
        self.keys: list[U64] = []

    def add(self, kind: int, rows: np.ndarray[tuple[int], np.dtype[np.int64]], keys: U64) -> None:
        """*keys* of one *kind*, each with its row; zeros are "none" and left out."""
        there = keys != 0
        kept = keys[there]
        self.rows.append(rows[there].astype(np.int32))
        self.kinds.append(np.full(len(kept), kind, dtype=np.int8))
        self.keys.append(salted(kind, kept))

    def add_once(self, kind: int, rows: np.ndarray[tuple[int], np.dtype[np.int64]], keys: U64) -> None:
        """As ``add``, but a row that has a key twice (four icons of one size) has it once."""
        pairs = dict.fromkeys(zip(rows.tolist(), keys.tolist(), strict=True))
        self.add(
            kind, np.array([row for row, _ in pairs]), np.array([key for _, key in pairs], dtype=np.uint64)
        )

    def add_grid(self, kind: int, grid: U64) -> None:
        """A row of keys per message."""
        self.add(kind, np.repeat(np.arange(grid.shape[0]), grid.shape[1]), grid.ravel())

    def columns(self) -> KeyColumns:
        """All that was added, end to end."""
        return KeyColumns(np.concatenate(self.rows), np.concatenate(self.kinds), np.concatenate(self.keys))


def _add_lists(table: _KeyTable, kind: int, lists: Sequence[Sequence[bytes]]) -> None:
    rows = [i for i, items in enumerate(lists) for _ in items]
    if rows:
        table.add(kind, np.array(rows), hash_all([item for items in lists for item in items]))


def _add_attachments(table: _KeyTable, messages: Sequence[Message]) -> None:
    rows, found = [], []
    for i, message in enumerate(messages):
        if message.attachments:
            kept = telling(message)
            rows.extend([i] * len(kept))
            found.extend(kept)
    if not rows:
        return
    exact, near = sampled([a.content for a in found])
    where = np.array(rows)
    table.add_once(FILE, where, exact)
    table.add_once(FILE_PART, np.repeat(where, near.shape[1]), near.ravel())
    images = [i for i, a in enumerate(found) if a.media_type.startswith("image/")]
    if images:
        table.add_once(IMAGE_FORM, where[images], hash_all([form_of(found[i]) for i in images]))


def prints_of(messages: Sequence[Message]) -> Prints:
    """Traits and keys of *messages* as columns. Pure: equal messages give equal rows on any machine.

    Few calls over long columns: one mail in flight pays for each call, not for its bytes.
    """
    traits = traits_of(messages)
    shreds, subjects, links = traits
    hands = list(map(client_traits, messages))
    n = len(messages)

    table = _KeyTable()
    table.add_grid(SHINGLE, shreds.shingles)
    table.add_grid(LINE, shreds.lines)
    table.add(WHOLE, np.arange(n), np.where(shreds.words >= WHOLE_WORDS, shreds.exact, np.uint64(0)))
    table.add(SUBJECT, np.arange(n), subjects.exact)
    table.add_grid(SUBJECT_WORDS, subjects.shingles[:, :SUBJECT_SHINGLES])
    _add_lists(table, HOST, [[h.encode() for h in link.hosts] for link in links])
    _add_lists(table, DOMAIN, [[d.encode() for d in link.domains] for link in links])
    _add_lists(table, GRAMMAR, [link.grammars for link in links])
    _add_attachments(table, messages)

    lines = [line_of(m.ptr, m.client_ip) for m in messages]
    reports = [_is_report(m, line) for m, line in zip(messages, lines, strict=True)]
    lists = [_list_of(m, line) for m, line in zip(messages, lines, strict=True)]
    ids = [h.message_id for h in hands]
    cut = [i.rpartition(b"@") for i in ids]
    order, id_end, mailer, mime_form, from_form, tree, size_class = hash_all(
        [
            *[h.order for h in hands],
            *[c[2] for c in cut],
            *[h.mailer for h in hands],
            *[h.mime_form for h in hands],
            *[h.from_form for h in hands],
            *[m.mime_tree.encode() for m in messages],
            # Powers of a quarter bit: a lure with names and tokens in it stays within a class or two.
            *[str(int(math.log2(m.size + 1) * 4)).encode() for m in messages],
        ]
    ).reshape(7, n)
    id_form, date, boundary, sender_form, helo_form = shape_hashes(
        [
            *[c[0] for c in cut],
            *[h.date for h in hands],
            *[h.boundary for h in hands],
            *[m.mail_from.partition("@")[0].encode("utf-8", "replace") for m in messages],
            *[m.helo.encode("utf-8", "replace") for m in messages],
        ]
    ).reshape(5, n)
    return Prints(
        keys=table.columns(),
        traits=traits,
        hands=hands,
        dialect=order ^ ((id_form ^ id_end) * np.uint64(3)) ^ (date * np.uint64(5)) ^ (mailer * np.uint64(7)),
        id_form=shape_hashes(ids, fine=True),
        # How From is written goes with the lure's name, not with the engine: a comma in it asks for quotes.
        mime_form=mime_form ^ boundary ^ (from_form * np.uint64(11)),
        layout=tree ^ shreds.skeletons,
        helo_form=helo_form,
        sender_form=sender_form ^ size_class,
        lines=lines,
        lists=lists,
        names=[_name_of(m, name, report) for m, name, report in zip(messages, lists, reports, strict=True)],
        forwards=[_FORWARD.match(m.subject) is not None for m in messages],
        reports=reports,
    )


def fingerprint(messages: Sequence[Message]) -> Fingerprints:
    """Tables of traits and keys for *messages*; see ``prints_of``."""
    prints = prints_of(messages)
    shreds, _, links = prints.traits
    columns = (
        dict(zip(Message._fields, zip(*messages, strict=True), strict=True))
        if messages
        else dict.fromkeys(Message._fields, ())
    )
    mails = pa.Table.from_arrays(
        [
            _texts(columns["place"]),
            _texts(columns["message_id"]),
            pa.array(columns["received_at"], pa.int64()),
            _texts(columns["client_ip"]),
            _texts(columns["helo"]),
            _texts(columns["ptr"]),
            _texts([m.rpartition("@")[2] for m in columns["mail_from"]]),
            _texts(columns["header_from"]),
            _texts(columns["from_name"]),
            _texts([r[0] if r else "" for r in columns["rcpt_to"]]),
            pa.array(list(map(len, columns["rcpt_to"])), pa.int32()),
            _texts(columns["subject"]),
            pa.array([min(size, MAX_SIZE) for size in columns["size"]], pa.int32()),
            pa.array(shreds.words, pa.int32()),
            pa.array(
                [
                    _media_of(m, w, bool(link), len(m.html) > 20)
                    for m, w, link in zip(messages, shreds.words.tolist(), shreds.links, strict=True)
                ],
                pa.string(),
            ),
            _texts([a.spf for a in columns["authentication"]]),
            _texts([a.dkim for a in columns["authentication"]]),
            _texts([a.dmarc for a in columns["authentication"]]),
            _texts([a.domain for a in columns["authentication"]]),
            _texts(prints.lists),
            _texts(prints.names),
            pa.array(columns["reply"], pa.bool_()),
            pa.array(prints.forwards, pa.bool_()),
            pa.array(prints.reports, pa.bool_()),
            pa.array(columns["logged"], pa.bool_()),
            pa.array([link.hosts for link in links], pa.list_(pa.string())),
            pa.array(
                [[g.decode("ascii", "replace") for g in link.grammars] for link in links],
                pa.list_(pa.string()),
            ),
            _signed(prints.dialect),
            _signed(prints.id_form),
            _signed(prints.mime_form),
            _signed(prints.layout),
            _signed(prints.helo_form),
            _signed(prints.sender_form),
            _signed(np.where(shreds.words >= WHOLE_WORDS, shreds.exact, np.uint64(0))),
            pa.array(prints.lines, pa.int8()),
            _texts(columns["system"]),
            pa.array([claimed_system(h.mailer) for h in prints.hands], pa.string()),
            pa.array(columns["defects"], pa.list_(pa.string())),
        ],
        schema=MAILS_SCHEMA,
    )
    rows, kinds, keys = prints.keys
    held = [pa.array(rows), pa.array(kinds), pa.array(keys.view(np.int64))]
    return Fingerprints(mails, pa.Table.from_arrays(held, schema=KEYS_SCHEMA))


def _is_report(message: Message, line: int) -> bool:
    """Whether a mail server or an answering machine wrote *message*. A customer's line that says so is not believed."""
    if line == ADDRESS_NAME:
        return False
    return message.automatic or message.header_from.partition("@")[0] in ("mailer-daemon", "postmaster")


def _list_of(message: Message, line: int) -> str:
    """The list a mail came over. A customer's line that says so is believed only where a check passed."""
    return "" if line == ADDRESS_NAME and not message.authentication.domain else message.list_id


def _name_of(message: Message, list_id: str, report: bool) -> str:
    """Under whose name a mail comes: its list, the domain that passed authentication, or the host that reports."""
    if list_id:
        return list_id
    if report:
        host = message.header_from.rpartition("@")[2] or message.message_id.rpartition("@")[2] or message.helo
        return "report:" + host.lower()
    return message.authentication.domain


def _texts(values: Sequence[str | None]) -> pa.Array:
    """*values* as Arrow strings; a lone surrogate, which UTF-8 cannot hold, becomes a question mark."""
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        return pa.array(
            [None if v is None else v.encode("utf-8", "replace").decode() for v in values], pa.string()
        )


def _signed(hashes: U64) -> pa.Array:
    return pa.array(hashes.view(np.int64))
