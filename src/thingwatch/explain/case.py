"""A case folder, opened for questions: the report, and the few rows of its Parquet files an answer needs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from thingwatch.errors import InputError

MAX_COPIES = 1000  # rows looked at under one Message-ID; a list's mail to every subscriber has one
SHOWN_PLACES = 4  # of those an ambiguous place could mean


@dataclass(frozen=True, slots=True)
class Case:
    """What ``uncover`` left: its report by campaign, and where the tables stand."""

    folder: Path
    input_paths: tuple[str, ...]  # as uncover was given them
    border: tuple[str, ...]
    settings: dict[str, Any]
    campaigns: dict[str, dict[str, Any]]  # by id, as in report.json
    continues: str  # the case it continues; empty for a case of its own

    @classmethod
    def open(cls, folder: Path) -> Case:
        """The case at *folder*; raises InputError where none is, or one of another version."""
        path = folder / "report.json"
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise InputError(
                f"{folder}: no report.json in it; give the folder that uncover wrote (--out)"
            ) from error
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
        except ValueError as error:
            raise InputError(f"{path}: damaged (not JSON); run uncover again") from error
        try:
            if report["schema"] != 1:
                raise InputError(
                    f"{path}: schema {report['schema']}, and we read 1; run uncover of this version again"
                )
            return cls(
                folder,
                tuple(report["input"]["paths"]),
                tuple(report["input"]["border"]),
                report["settings"],
                {document["id"]: document for document in report["campaigns"]},
                report.get("continued", {}).get("case", ""),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path}: no report of ours (a field is missing: {error}); run uncover again"
            ) from error

    def message_row(self, name: str) -> dict[str, Any]:
        """The row of the message *name*, a Message-ID or a place; "copies" says how many have its Message-ID.

        Raises InputError where none is, or where the end of a place means several.
        """
        bare = name.removeprefix("<").removesuffix(">")
        for column, value in (("message_id", bare), ("place", name)):
            rows = self._rows("messages", pc.field(column) == value)
            if rows and value:
                return {**_texts(rows[0]), "copies": len(rows)}
        rows = self._rows("messages", pc.ends_with(pc.field("place"), "/" + name)) if name else []
        if not rows:
            raise InputError(
                f"{name}: no such message in {self.folder};"
                " give a Message-ID or a place from messages.parquet,"
                " or the id of a campaign (c-...) or lure (l-...)" + self._earlier()
            )
        if len(rows) > 1:
            places = ", ".join(row["place"] for row in rows[:SHOWN_PLACES])
            more = f" and {len(rows) - SHOWN_PLACES} more" if len(rows) > SHOWN_PLACES else ""
            raise InputError(f"{name}: could be {places}{more}; give the whole place")
        return {**_texts(rows[0]), "copies": 1}

    def _earlier(self) -> str:
        """Where else a message may be found."""
        if not self.continues:
            return ""
        return f". What earlier runs read stands in their cases: this one continues {self.continues}"

    def campaign_row(self, name: str) -> dict[str, Any] | None:
        """The row of a campaign too small for the report, in the report's words; None where none is."""
        rows = self._rows("campaigns", pc.field("campaign_id") == name)
        if not rows:
            return None
        row = _texts(rows[0])
        row["id"] = row.pop("campaign_id")
        return row

    def lure_row(self, name: str) -> dict[str, Any] | None:
        """What the messages of a lure the report leaves out have in common; None where none is."""
        rows = self._rows("messages", pc.field("lure_id") == name, most=None)
        if not rows:
            return None
        times = sorted(row["received_at"] for row in rows if row["received_at"] is not None)
        return {
            "id": name,
            "messages": len(rows),
            "sources": len({row["client_ip"] for row in rows} - {None}),
            "subject": None,
            "first_seen": _iso(times[0]) if times else None,
            "last_seen": _iso(times[-1]) if times else None,
            "campaign_id": rows[0]["campaign_id"],
        }

    def keys_like(self, keys: list[int]) -> list[dict[str, Any]]:
        """The rows of keys.parquet, of any campaign, that hold one of *keys*."""
        return self._rows("keys", pc.field("key").isin(pa.array(keys, pa.int64())), most=None)

    def _rows(self, table: str, wanted: pc.Expression, most: int | None = MAX_COPIES) -> list[dict[str, Any]]:
        path = self.folder / f"{table}.parquet"
        try:
            found = pq.read_table(path, filters=wanted)
        except FileNotFoundError as error:
            raise InputError(
                f"{path}: not there; run uncover again, or name a campaign of report.json"
            ) from error
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path}: cannot be read ({str(error)[:200]}); run uncover again") from error
        rows: list[dict[str, Any]] = (found if most is None else found.slice(0, most)).to_pylist()
        return rows


def _texts(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _iso(value) if isinstance(value, datetime) else value for name, value in row.items()}


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
