"""What can change while the guard runs: the operator's options, and the cases whose campaigns are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from thingwatch.errors import InputError
from thingwatch.guard import Guard, Known, Options
from thingwatch.guard.sketch import text_hash

# Memory is laid out by these when the guard starts; another size has no place for what is remembered.
FIXED = ("max_messages", "max_sources")


def load_known(cases: Sequence[str]) -> Known:
    """What the case folders *cases* know together; raises InputError for one that is none."""
    if len(cases) <= 1:
        return Known.load(Path(cases[0])) if cases else Known()
    tables: dict[str, list[pa.Table]] = {"campaigns": [], "keys": [], "hands": []}
    signed: dict[str, float] = {}
    taken: set[str] = set()
    for case in cases:
        # Read as one first: it says what is wrong with a case.
        signed = {**{one.id: one.signed for one in Known.load(Path(case)).campaigns}, **signed}
        try:
            rows = pq.read_table(Path(case) / "campaigns.parquet")
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{case}: cannot be read as a case ({error})") from error
        new = [name not in taken for name in rows["campaign_id"].to_pylist()]
        tables["campaigns"].append(rows.filter(pa.array(new, pa.bool_())))
        for name, columns in (
            ("keys", ["campaign_id", "key", "weight"]),
            ("hands", ["campaign_id", "dialect", "weight"]),
        ):
            table = pq.read_table(Path(case) / f"{name}.parquet", columns=columns)
            known_before = [one not in taken for one in table["campaign_id"].to_pylist()]
            tables[name].append(table.filter(pa.array(known_before, pa.bool_())))
        taken.update(rows["campaign_id"].to_pylist())
    whole = {name: pa.concat_tables(parts, promote_options="permissive") for name, parts in tables.items()}
    made = Known()
    made._take(whole["campaigns"], whole["keys"], whole["hands"], signed)
    return made


def take_options(guard: Guard, options: Options) -> list[str]:
    """Have *guard* go by *options* from its next mail on; gives the names of what only a new start would change."""
    kept = [
        f.name
        for f in fields(options)
        if f.name in FIXED and getattr(guard.options, f.name) != getattr(options, f.name)
    ]
    options = options.changed(**{name: getattr(guard.options, name) for name in kept})
    guard.options = options
    guard._authserv_ids = tuple(name.lower().encode() for name in options.authserv_ids)
    guard._networks = options.networks
    state = guard.state
    state.options = state.policy.options = options
    state.policy._table = options.table
    state._traps = frozenset(text_hash(address.lower()) for address in options.traps)
    return kept
