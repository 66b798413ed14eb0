"""Small tables in a real engine, and votes made by hand: what the tests of the weighing stage share.

Addresses are reserved ones (RFC 5737, RFC 3849, RFC 2544); every row is written out by the test that needs it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from thingwatch.config import Settings
from thingwatch.evidence import SIGHTINGS_SCHEMA
from thingwatch.identify import Networks
from thingwatch.identify.likelihood import UNSEEN, items
from thingwatch.identify.mixture import Votes
from thingwatch.identify.weigh import Case, Weighed, weigh
from thingwatch.store import Embedded, Engine

DAY = 86_400_000_000
SENT = 1_388_620_800_000_000  # 2014-01-02 00:00, UTC
HOME = "198.51.100.7"


def place(item: str, value: str) -> int:
    """Where *value* stands among the values of *item*."""
    return items()[item].values.index(value)


class World:
    """Sources of campaigns, and what evidence says of them."""

    def __init__(self) -> None:
        self.sources: list[dict[str, Any]] = []
        self.said: list[dict[str, Any]] = []
        self.systems: list[tuple[str, str, str, int]] = []  # address, border's word, claim, messages
        self.verdicts = {1: "attack"}

    def source(
        self,
        ip: str = HOME,
        messages: int = 1,
        first: int | None = SENT,
        last: int | None = None,
        ptr_class: str = "end-user",
        helo_class: str = "",
        ptr: str = "",
        asn: int = 64500,
        campaign: int = 1,
    ) -> World:
        """One source of one campaign."""
        sent = {"messages": messages, "first_seen": first, "last_seen": last or first, "campaign": campaign}
        named = {"ptr_class": ptr_class, "helo_class": helo_class, "ptr": ptr, "asn": asn}
        self.sources.append({"client_ip": ip} | sent | named)
        return self

    def says(
        self, item: str, value: str | None, ip: str = HOME, at: int | None = SENT, file: int = 0, **more: Any
    ) -> World:
        """One line of evidence, already read."""
        number = None if value is None else place(item, value)
        line = {
            "client_ip": ip, "item": item, "value": number, "seen_at": at, "kind": "banner", "said": "", "port": 80,
            "source": "test", "file": file, "place": f"file{file}@{len(self.said) + 1}", "ours": True,
        }  # fmt: skip
        self.said.append(line | more)
        return self

    def neighbour(self, ip: str, value: str | None, file: int = 0, times: int = 1) -> World:
        """What answers at an address that sent nothing."""
        for _ in range(times):
            self.says("front", value, ip, None, file, ours=False, place=None, source=None, said=None)
        return self

    def engine(self, folder: Path) -> Engine:
        """An engine that holds what the stages before leave."""
        engine = Embedded(Settings().changed(workers=1), folder)
        rows = [dict.fromkeys(SIGHTINGS_SCHEMA.names) | line for line in self.said]
        engine.add("sightings", pa.Table.from_pylist(rows, schema=SIGHTINGS_SCHEMA))
        text, number = pa.string(), pa.int64()
        self._add(engine, "campaign_sources", campaign=number, client_ip=text, messages=number, first_seen=number,
                  last_seen=number)  # fmt: skip
        once = {row["client_ip"]: row for row in self.sources}.values()
        self._add(engine, "named_sources", once, client_ip=text, asn=number, ptr_class=text, helo_class=text)
        self._add(engine, "source_facts", once, client_ip=text, ptr=text)
        verdicts = [{"campaign": n, "verdict": verdict} for n, verdict in self.verdicts.items()]
        self._add(engine, "verdicts", verdicts, campaign=number, verdict=text)
        systems = [
            {"client_ip": ip, "system": system, "claims": claims, "messages": messages}
            for ip, system, claims, messages in self.systems
        ]
        self._add(
            engine, "source_systems", systems, client_ip=text, system=text, claims=text, messages=number
        )
        return engine

    def _add(self, engine: Engine, name: str, rows: Any = None, **columns: pa.DataType) -> None:
        found = self.sources if rows is None else list(rows)
        kept = [{column: row[column] for column in columns} for row in found]
        engine.add(name, pa.Table.from_pylist(kept, schema=pa.schema(list(columns.items()))))

    def weighed(self, folder: Path, asn: dict[str, int] | None = None) -> tuple[Engine, Weighed]:
        """The engine after weighing, and the votes. *asn*: operators of neighbours by the first three octets."""
        engine = self.engine(folder)
        return engine, weigh(engine, known_networks(asn or {}))


def known_networks(asn: dict[str, int]) -> Networks:
    """Networks by the first three octets, all others of one operator."""

    class Known:
        def find(self, addresses: pa.ChunkedArray) -> pa.Table:
            found = [asn.get(ip.rpartition(".")[0], 64500) for ip in addresses.to_pylist()]
            return pa.table({"asn": pa.array(found, pa.int64())})

    return cast(Networks, Known())


def assessed_by_hand(
    count: int,
    messages: NDArray[np.int64] | None = None,
    asn: NDArray[np.int64] | None = None,
    fronts: NDArray[np.int8] | None = None,
    neighbours: dict[int, tuple[int, int, int]] | None = None,
    **values: NDArray[np.int8] | int,
) -> tuple[Weighed, Case]:
    """Votes of *count* sources with these values and nothing else, as `assess` takes them."""
    columns = {name: np.full(count, UNSEEN, np.int8) for name in items()}
    for name, value in values.items():
        columns[name] = np.broadcast_to(np.asarray(value, np.int8), count).copy()
    none = np.zeros(count, np.int8)
    fresh = dict.fromkeys(items(), none)
    number = np.arange(count, dtype=np.int64) % 40 + 64500 if asn is None else asn
    sent = np.ones(count, np.int64) if messages is None else messages
    rows = np.arange(count, dtype=np.intp)
    votes = Votes(columns, fresh, sent, number, none, ((0, 0),))
    addresses = [f"198.18.{row // 250}.{row % 250 + 1}" for row in range(count)]
    seen = [(answered, scanned) for _, answered, scanned in (neighbours or {}).values()]
    silent_named = any(2 * (scanned - answered) >= scanned > 0 for answered, scanned in seen)
    weighed = Weighed(
        addresses=addresses, asn=number, values=columns, fresh=fresh, age_days={}, claims=[""] * count, home=none,
        backgrounds=((0, 0),), fronts=none if fronts is None else fronts, neighbours=neighbours or {},
        members={1: (rows, sent)}, attacks=frozenset({1}), silent_named=silent_named,
        shared=none.astype(bool),
    )  # fmt: skip
    return weighed, Case(addresses, number, votes, rows, none.astype(bool))
