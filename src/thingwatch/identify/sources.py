"""Every campaign's sources assessed: the documents for the report and the rows for sources.parquet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from thingwatch.identify.causes import Reads
from thingwatch.identify.likelihood import FRESHNESS, ORIGINS, UNSEEN, items
from thingwatch.identify.network import Networks
from thingwatch.identify.portrayal import Portrayal
from thingwatch.identify.share import Assessment, assess, worth
from thingwatch.identify.weigh import SENDER_VALUES, Case, shows, weigh
from thingwatch.store import Engine


def identify(
    engine: Engine, networks: Networks, files: list[str], reads: Reads, seed: int
) -> dict[int, dict[str, Any]]:
    """Assess every campaign that is not bulk: what is said of its senders, by the campaign's number.

    *files*: the evidence files, by number; *reads*: the device rules. Asks for the profile's tables, ``verdicts``
    and ``sightings``; makes ``source_origins`` and ``source_votes``.
    """
    weighed = weigh(engine, networks)
    engine.make(__package__, "source_labels")
    portrayal = Portrayal(engine, files, reads)
    documents = {}
    origin_rows: list[pa.Table] = [_ORIGINS_SCHEMA.empty_table()]
    vote_rows: list[pa.Table] = [_VOTES_SCHEMA.empty_table()]
    for campaign in weighed.members:
        case = weighed.of(campaign)
        assessment = assess(weighed, case, seed, campaign in weighed.attacks)
        portrayal.add(assessment, case)
        documents[campaign] = assessment.document
        origin_rows.append(_origin_rows(campaign, case, assessment, portrayal))
        vote_rows.append(_vote_rows(campaign, case, assessment))
    portrayal.finish()
    engine.add("source_origins", pa.concat_tables(origin_rows))
    engine.add("source_votes", pa.concat_tables(vote_rows))
    return documents


_ORIGINS_SCHEMA = pa.schema(
    [
        ("campaign", pa.int64()),
        ("client_ip", pa.string()),
        *((f"p_{name}", pa.float64()) for name in ORIGINS),
        ("origin", pa.string()),
        ("device_class", pa.string()),
        ("device_vendor", pa.string()),
        ("device_model", pa.string()),
    ]
)
_VOTES_SCHEMA = pa.schema(
    [
        ("campaign", pa.int64()),
        ("client_ip", pa.string()),
        ("item", pa.string()),
        ("what", pa.string()),
        ("family", pa.string()),
        ("bits", pa.float64()),
    ]
)


def _origin_rows(campaign: int, case: Case, assessment: Assessment, portrayal: Portrayal) -> pa.Table:
    count = len(case.addresses)
    sender = shows(case.votes.values, SENDER_VALUES)
    p = assessment.p if assessment.p is not None else np.full((count, len(ORIGINS)), np.nan)
    fronts = [
        portrayal.earned(ip, origin, seen)
        for ip, origin, seen in zip(case.addresses, assessment.origins, sender.tolist(), strict=True)
    ]
    columns = [
        pa.array(np.full(count, campaign, np.int64)),
        pa.array(case.addresses, pa.string()),
        *(pa.array(np.round(p[:, k], 5), pa.float64(), from_pandas=True) for k in range(len(ORIGINS))),
        pa.array(np.where(case.shared, "shared", assessment.origins).tolist(), pa.string()),
        pa.array([front.device_class if front else None for front in fronts], pa.string()),
        pa.array([front.vendor or None if front else None for front in fronts], pa.string()),
        pa.array([front.model or None if front else None for front in fronts], pa.string()),
    ]
    return pa.Table.from_arrays(columns, schema=_ORIGINS_SCHEMA)


def _vote_rows(campaign: int, case: Case, assessment: Assessment) -> pa.Table:
    """A row for each vote of each source: what it says, and its worth in bits."""
    addresses = pa.array(case.addresses, pa.string())
    tables = [_VOTES_SCHEMA.empty_table()]
    for name, (bits, values, fresh) in worth(case, assessment.found).items():
        item = items()[name]
        rows = np.flatnonzero(values != UNSEEN)
        said = np.array([f"{name}: {value}" for value in item.values], dtype=object)[values[rows]]
        if item.fades:
            said = np.where(FRESHNESS[fresh[rows]] < 1, said + " (old)", said)
        tables.append(
            pa.table(
                {
                    "campaign": pa.array(np.full(len(rows), campaign, np.int64)),
                    "client_ip": addresses.take(pa.array(rows)),
                    "item": pa.array([name] * len(rows), pa.string()),
                    "what": pa.array(said, pa.string()),
                    "family": pa.array([item.family] * len(rows), pa.string()),
                    "bits": pa.array(np.round(bits[rows], 2)),
                }
            )
        )
    return pa.concat_tables(tables)


def warnings_of(engine: Engine) -> dict[int, list[dict[str, Any]]]:
    """What is odd about each file of evidence, by its number: named, counted, and what was done about it."""
    found: dict[int, list[dict[str, Any]]] = {}

    def warn(file: int, name: str, rows: int, sentence: str) -> None:
        found.setdefault(file, []).append({"name": name, "rows": rows, "sentence": sentence})

    for file, addresses, lines in engine.rows("SELECT file, addresses, lines FROM crowded ORDER BY file"):
        warn(
            file,
            "crowded-address",
            int(lines),
            f"{int(lines):,} rows repeat one kind of claim about {addresses:,} address"
            f"{'es' if addresses != 1 else ''}; for each address they count as one vote.",
        )
    for file, addresses, lines in engine.rows(
        "SELECT file, addresses, lines FROM contradicting ORDER BY file"
    ):
        warn(
            file,
            "contradicting-makers",
            int(lines),
            f"Of {addresses:,} address{'es' if addresses != 1 else ''} it names three makers or more at one port;"
            " one label is kept.",
        )
    for file, fronts, ours in engine.rows(
        "SELECT f.file, f.fronts, f.fronts_of_sources FROM file_facts AS f JOIN chosen_files AS c ON c.file = f.file"
        " ORDER BY f.file"
    ):
        warn(
            file,
            "chosen-addresses",
            int(ours),
            f"{ours:,} of its {fronts:,} addresses sent this mail: made of chosen addresses, it is no sample of their"
            " networks and takes no part in the comparison with neighbours.",
        )
    for file, addresses, lines in engine.rows("SELECT file, addresses, lines FROM old_lines ORDER BY file"):
        warn(
            file,
            "other-times",
            int(lines),
            f"{int(lines):,} rows about {addresses:,} source{'s' if addresses != 1 else ''} are from another time than"
            " their mail and count for little or nothing.",
        )
    return found
