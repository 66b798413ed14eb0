"""The schema of report.json says what stands in it: no more, no less."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from reports import ODD, many, one

import thingwatch.act

SCHEMA: dict[str, Any] = json.loads(
    Path(thingwatch.act.__file__).with_name("report.schema.json").read_text("utf-8")
)
VALIDATOR = Draft202012Validator(SCHEMA)


def test_schema_is_a_schema() -> None:
    """The schema itself follows JSON Schema 2020-12."""
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", ODD)
def test_odd_reports_follow_it(name: str) -> None:
    """Every odd report is valid, also after a trip through JSON."""
    document = json.loads(json.dumps(many(15) if name == "many" else ODD[name]()))
    assert not [error.message for error in VALIDATOR.iter_errors(document)]


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every field with a fixed name, the first element of each list only."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*at, key)
            yield from places(inner, (*at, key))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*at, 0))


def parent_of(document: Any, place: tuple[Any, ...]) -> Any:
    """Return what holds the last step of *place*."""
    for step in place[:-1]:
        document = document[step]
    return document


FREE = {"skips", "defects", "settings", "helo", "by_device_class", "by_network"}  # their keys are data


@pytest.mark.parametrize("place", [p for p in places(one()) if p[-2:-1] == () or p[-2] not in FREE], ids=str)
def test_nothing_may_be_missing(place: tuple[Any, ...]) -> None:
    """A report without any one of its fields, or with one too many beside it, is rejected."""
    document = json.loads(json.dumps(SMALL))
    holder = parent_of(document, place)
    kept = holder.pop(place[-1])
    assert not VALIDATOR.is_valid(document)
    holder[place[-1]] = kept
    holder["surprise"] = 1
    assert not VALIDATOR.is_valid(document)


SMALL = one()
SMALL["campaigns"] = SMALL["campaigns"][:1]
SMALL["campaigns"][0]["series"] |= {"campaign": [1], "other": [0]}
for _lure in SMALL["campaigns"][0]["lures"]:
    _lure["series"] = [1]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("schema",), 2),
        (("made_at",), "yesterday"),
        (("campaigns", 0, "verdict"), "guilty"),
        (("campaigns", 0, "id"), "../x"),
        (("campaigns", 0, "messages"), -1),
        (("campaigns", 0, "counterfactual", 0, "share", "low"), 1.5),
        (("campaigns", 0, "per_source", "histogram"), [[1, 2, 3]]),
        (("totals", "skips"), {"empty": "many"}),
        (("campaigns", 0, "things", "status"), "certain"),
        (("campaigns", 0, "things", "status"), "at most"),  # that would have no point
        (("campaigns", 0, "things", "share_of_messages", "point"), None),
        (("campaigns", 0, "things", "case_control", "low"), -1.5),
        (("campaigns", 0, "things", "counts", "unit"), "sources"),
        (("campaigns", 0, "things", "origins", 0, "origin"), "ghost"),
        (("campaigns", 0, "things", "ladder", 0, "rung"), "guessed"),
        (("campaigns", 0, "things", "by_network"), {"AS1": {"things": 1, "judged": 1}}),
        (("campaigns", 0, "things", "by_device_class"), {"<b>": 1}),
        (("campaigns", 0, "things", "examples", 0, "pieces", 0, "bits"), 1e9),
        (("evidence", "files", 0, "first_seen"), "yesterday"),
        (("evidence", "files", 0, "rows"), -1),
    ],
)
def test_wrong_values(place: tuple[Any, ...], value: Any) -> None:
    """A wrong version, time, verdict, id or number is rejected."""
    document = json.loads(json.dumps(SMALL))
    assert VALIDATOR.is_valid(document)
    parent_of(document, place)[place[-1]] = value
    assert not VALIDATOR.is_valid(document)


def test_every_field_is_described() -> None:
    """Each field of the document has a sentence."""

    def walk(node: Any, name: str) -> None:
        if isinstance(node, dict):
            for key, inner in node.get("properties", {}).items():
                assert inner.get("description", "").endswith("."), f"{name}.{key}"
            for key, inner in node.items():
                walk(inner, f"{name}.{key}")
        elif isinstance(node, list):
            for inner in node:
                walk(inner, name)

    walk(SCHEMA, "report")
