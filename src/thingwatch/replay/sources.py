"""Who sent the mail of a replay: one row per address and campaign, and the truth about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from thingwatch.replay import cast, homes
from thingwatch.replay.cast import Numbers
from thingwatch.replay.devices import devices
from thingwatch.replay.homes import LINE_TYPES, ORIGINS, Homes
from thingwatch.replay.lots import Flags

ATTACKS = ("thing", "botnet", "snowshoe")
SOURCE_SCHEMA = pa.schema([
    ("client_ip", pa.string()),
    ("campaign", pa.string()),  # null for mail of no campaign
    ("origin", pa.string()),
    ("device_class", pa.string()),  # of the thing that sent, else of the home's own box; null at servers
    ("vendor", pa.string()),  # "" where its maker cannot be told
    ("model", pa.string()),
    ("front", pa.string()),  # class of what answers a scan; null when nothing does
    ("line_type", pa.string()),
    ("provider", pa.string()),
    ("messages", pa.int64()),
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sources:
    """All senders of the mail, ordered by address and campaign; arrays side by side."""

    address: Numbers
    text: npt.NDArray[np.object_]  # the address as the mail has it
    campaign: npt.NDArray[np.object_]  # name or None
    origin: Numbers  # of ORIGINS, in this campaign
    messages: Numbers
    first: Numbers  # microseconds since 1970
    last: Numbers
    home: Numbers  # row of homes
    homes: Homes  # one per address
    mail_at: Numbers  # of each mail, in received order
    mail_source: Numbers  # its row here

    def __len__(self) -> int:
        return len(self.address)

    @property
    def attacking(self) -> Flags:
        """Those that take part in an attack."""
        return np.isin(self.campaign.astype(str), ATTACKS)


def read_sources(truth: Path, seed: int) -> Sources:
    """The senders of the replay whose truth.parquet stands at *truth*."""
    table = pq.read_table(truth, columns=["client_ip", "campaign", "source_kind", "received_at"])
    at = table["received_at"].cast(pa.int64()).to_numpy()
    ips = table["client_ip"].combine_chunks().dictionary_encode()
    names = table["campaign"].combine_chunks().dictionary_encode()
    kind = table["source_kind"]
    known = np.array([*names.dictionary.to_pylist(), None], dtype=object)
    campaign = names.indices.fill_null(len(known) - 1).to_numpy()
    texts = np.asarray(ips.dictionary.to_pylist(), dtype=object)
    numbers = homes.addresses_of(texts)
    # Ordered by address and campaign name, so that nothing hangs on the order of dictionaries.
    place = np.empty(len(known), dtype=np.int64)
    place[sorted(range(len(known)), key=lambda code: str(known[code] or ""))] = np.arange(len(known))
    key = numbers[ips.indices.to_numpy()] * len(known) + place[campaign]
    _, first, source, messages = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    last = len(key) - 1 - np.unique(key[::-1], return_index=True)[1]

    text = texts[ips.indices.to_numpy()[first]]
    address = numbers[ips.indices.to_numpy()[first]]
    things = pc.equal(kind, "thing").to_numpy()[first]
    servers = pc.is_in(kind, pa.array(["server", "provider"])).to_numpy()[first]
    origin = homes.origins_of(address, things, servers, seed)
    unique, home = np.unique(address, return_inverse=True)
    # A home that takes part in two campaigns shows the face of its thing.
    leading = np.full(len(unique), len(ORIGINS))
    np.minimum.at(leading, home, origin)
    return Sources(
        address, text, known[campaign[first]], origin, messages, at[first], at[last], home,
        homes.homes_at(unique, leading, seed), at, source,
    )  # fmt: skip


def write_truth(sources: Sources, path: Path) -> None:
    """sources_truth.parquet: what really sent, and what answers there."""
    of = sources.homes.at(sources.home)
    fields = [[one.device_class, one.vendor, one.model] for one in devices()]
    product = np.array([*fields, [None, None, None]], dtype=object)
    sender = product[of.device]
    front = product[:, 0][of.front]
    front[(of.front < 0) & of.cwmp] = "router"
    providers = np.array([line.isp for line in cast.consumer_lines()] + [None], dtype=object)
    columns = [
        sources.text, sources.campaign, np.array(ORIGINS, dtype=object)[sources.origin],
        sender[:, 0], sender[:, 1], sender[:, 2], front,
        np.array(LINE_TYPES, dtype=object)[of.line_type], providers[of.line], sources.messages,
    ]  # fmt: skip
    arrays = [pa.array(one, field.type) for one, field in zip(columns, SOURCE_SCHEMA, strict=True)]
    pq.write_table(pa.Table.from_arrays(arrays, schema=SOURCE_SCHEMA), path, compression="zstd")


def _shares(sources: Sources, campaign: str) -> Iterator[tuple[str, dict[str, float]]]:
    inside = sources.campaign == campaign
    whole = int(sources.messages[inside].sum())
    for number, origin in enumerate(ORIGINS[:-1]):
        which = inside & (sources.origin == number)
        messages = int(sources.messages[which].sum())
        share = messages / whole if whole else 0.0
        yield origin, {"messages": messages, "sources": int(which.sum()), "share": share}


def shares_by_origin(sources: Sources) -> dict[str, dict[str, dict[str, float]]]:
    """By attack campaign and origin: messages, sources, and the share of the campaign's messages."""
    present = [name for name in ATTACKS if (sources.campaign == name).any()]
    return {name: dict(_shares(sources, name)) for name in present}
