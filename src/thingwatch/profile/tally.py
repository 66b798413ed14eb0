"""The counts of all campaigns at once, handed out one campaign at a time."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from thingwatch.store import Engine

# Each table, in the order the later ones need the earlier; each is one query over all reported campaigns.
TABLES = (
    "source_histogram", "network_counts", "country_counts", "name_counts", "apart", "commonest_name", "target_domains",
    "target_most", "link_hosts", "link_counts", "link_patterns", "lure_subjects", "lure_brands", "lure_means",
    "signature_keys", "shown_keys", "shown_dialects",
)  # fmt: skip
TOP = 12  # rows shown of a long tail; the Parquet files hold all of it
MAX_LURES = 40  # lures of one campaign in the report


class Tally:
    """Rows of a table by campaign. A query per campaign and section would scan all mail thousands of times."""

    def __init__(self, engine: Engine, statement: str, keys: int = 1) -> None:
        self._rows: dict[Any, list[tuple[Any, ...]]] = defaultdict(list)
        for row in engine.rows(statement):
            self._rows[row[0] if keys == 1 else row[:keys]].append(row[keys:])

    def of(self, key: Any) -> list[tuple[Any, ...]]:
        """The rows of *key* (a campaign, or a campaign and a lure) in the statement's order."""
        return self._rows.get(key, [])

    def one(self, key: Any, default: Any = 0) -> Any:
        """The one value of *key*."""
        rows = self._rows.get(key)
        return rows[0][0] if rows else default


class Tallies:
    """Every tally the report is made of."""

    def __init__(self, engine: Engine, blocklist: bool) -> None:
        self.histogram = Tally(
            engine, "SELECT campaign, messages, sources FROM source_histogram ORDER BY campaign, messages"
        )
        self.networks = Tally(
            engine,
            "SELECT campaign, asn, name, country, sources, messages FROM network_counts ORDER BY campaign, place",
        )
        self.countries = Tally(
            engine, "SELECT campaign, country, sources, messages FROM country_counts ORDER BY campaign, place"
        )
        self.names = Tally(
            engine,
            "SELECT campaign, what, class, sources FROM name_counts ORDER BY campaign, sources DESC, class",
        )
        self.apart = Tally(engine, "SELECT campaign, networks FROM apart")
        self.one_name = Tally(engine, "SELECT campaign, messages FROM commonest_name")
        self.domains = Tally(
            engine, "SELECT campaign, domain, messages FROM target_domains ORDER BY campaign, place"
        )
        self.most = Tally(engine, "SELECT campaign, messages FROM target_most")
        self.links = Tally(engine, "SELECT campaign, messages, hosts, domains FROM link_counts")
        self.patterns = Tally(
            engine,
            "SELECT campaign, pattern, messages FROM link_patterns WHERE place <= 8 ORDER BY campaign, place",
        )
        self.lures = Tally(
            engine,
            "SELECT campaign, lure, messages, sources, first_seen, last_seen FROM lure_sizes"
            " ORDER BY campaign, messages DESC, lure",
        )
        self.subjects = Tally(
            engine, "SELECT campaign, lure, subject, example, subjects FROM lure_subjects", 2
        )
        self.brands = Tally(
            engine, "SELECT campaign, lure, from_name FROM lure_brands ORDER BY messages DESC, from_name", 2
        )
        self.hosts = Tally(
            engine,
            "SELECT campaign, lure, host FROM (SELECT campaign, lure, host, row_number() OVER"
            " (PARTITION BY campaign, lure ORDER BY messages DESC, host) AS place FROM link_hosts) AS x"
            " WHERE place <= 3 ORDER BY campaign, lure, place",
            2,
        )
        self.means = Tally(engine, "SELECT campaign, lure, media, part FROM lure_means", 2)
        self.keys = Tally(
            engine,
            "SELECT campaign, key, kind, weight, messages, others, example FROM shown_keys ORDER BY campaign, place",
        )
        self.dialects = Tally(
            engine,
            "SELECT campaign, dialect, messages, others, weight, example FROM shown_dialects"
            " ORDER BY campaign, messages DESC, dialect",
        )
        self.shared_dialects = Tally(
            engine, "SELECT campaign, sum(messages) FROM dialect_spread WHERE sources >= 5 GROUP BY campaign"
        )
        self.waves = Tally(engine, "SELECT campaign, number, sources, fresh FROM wave_sources", 2)
        self.limits = Tally(engine, "SELECT campaign, per_hour, stopped FROM limits")
        self.limit_totals = Tally(engine, "SELECT per_hour, stopped FROM limit_totals")
        self.blocks = Tally(engine, "SELECT campaign, kind, stopped, collateral FROM first_of_net", 2)
        self.equal = Tally(engine, "SELECT campaign, stopped FROM equal_texts")
        self.placed = Tally(
            engine,
            "SELECT campaign, count(*) FROM belonging WHERE client_ip IS NOT NULL AND received_at IS NOT NULL"
            " GROUP BY campaign",
        )
        self.large = {row[0] for row in engine.rows("SELECT campaign FROM large")}
        self.blocklist = Tally(engine, "SELECT campaign, listed FROM blocklisted") if blocklist else None
