"""A replay's truth table without the cost of its mail: straight from the script."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from thingwatch.replay import cast, homes, script

SEED = 5


def written_truth(path: Path, things: float = cast.THING_SHARE, scale: float = 0.06) -> Path:
    """A truth.parquet of *scale*; servers of other mail are drawn from a few hundred."""
    cues = script.write_script(cast.Cast(scale, SEED, things)).cues
    kind = cues["kind"]
    bots = (kind == script.CAMPAIGN) | (kind == script.BOTNET)
    first, size = cast.hosting_ranges()[0]
    address = np.where(bots, cues["address"], first + cues["actor"] % 300 * 7 % size)
    names = np.array(["thing", "botnet", "snowshoe", *[None] * 7], dtype=object)
    sender = np.where(bots, np.where((kind == script.CAMPAIGN) & (cues["aux"] > 0), "thing", "pc"), "server")
    columns = {
        "client_ip": pa.array(homes.texts_of(address), pa.string()),
        "campaign": pa.array(names[kind], pa.string()),
        "source_kind": pa.array(sender.astype(object), pa.string()),
        "received_at": pa.array(cues["at"], pa.int64()).cast(pa.timestamp("us", tz="UTC")),
    }
    pq.write_table(pa.table(columns), path)
    return path
