"""The evidence kernel: of the mail's sources all that weighs, of everybody else only what their front says."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from thingwatch import evidence
from thingwatch.config import Settings
from thingwatch.errors import InputError
from thingwatch.evidence import MAX_SAID_CHARS, SIGHTINGS_SCHEMA, Ranges, Sifted, gather, planned, sift
from thingwatch.identify import Rules
from thingwatch.read.evidence import plan_evidence
from thingwatch.store import Embedded, accounted

RULES = Rules.load()
MINE = "198.51.100.7"
NEIGHBOUR = "198.51.100.8"
SIX = "2001:db8::7"
SOURCES = frozenset({MINE, SIX})
SETTINGS = Settings().changed(workers=1)
LABEL = "router\tNETGEAR\tWNR2000"
SYN = "4:115+13:0:1460:8192,8:mss,nop,ws,nop,nop,sok:df,id+:0"


def row(kind: str, value: str, ip: str = MINE, **more: Any) -> dict[str, Any]:
    return {
        "ip": ip,
        "time": "2014-01-02T08:00:00Z",
        "kind": kind,
        "value": value,
        "source": "own",
        "port": 80,
    } | more


def written(path: Path, *rows: dict[str, Any] | str) -> Path:
    lines = (line if isinstance(line, str) else json.dumps(line) for line in rows)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def sifted(folder: Path, *rows: dict[str, Any] | str) -> tuple[Sifted, list[dict[str, Any]]]:
    """What becomes of one file of these rows."""
    (file,) = plan_evidence([written(folder / "own.jsonl", *rows)])
    tables: list[pa.Table] = [SIGHTINGS_SCHEMA.empty_table()]
    found = accounted(
        sift((3, file), SOURCES, Ranges(SOURCES), RULES), lambda name, table: tables.append(table)
    )
    return found, pa.concat_tables(tables).to_pylist()


def test_of_a_source_everything_is_kept(tmp_path: Path) -> None:
    """Votes, doors and what nothing reads: a source's sightings all stay, read, with place, time and the words."""
    found, kept = sifted(
        tmp_path, row("tcp.syn", SYN), row("device.label", LABEL), row("exposure", "telnet_open", port=23),
        row("listed", "a list"), row("tcp.syn", SYN, SIX),
    )  # fmt: skip
    assert [line["item"] for line in kept] == ["tcp_syn", "front", "front", "", "tcp_syn"]
    label = kept[1]
    assert (label["client_ip"], label["kind"], label["said"]) == (MINE, "device.label", LABEL)
    assert (label["device_class"], label["vendor"].lower(), label["model"]) == (
        "router",
        "netgear",
        "WNR2000",
    )
    assert label["seen_at"] == 1_388_649_600_000_000
    assert (label["file"], label["source"]) == (3, "own")
    assert label["place"].endswith("own.jsonl@2")
    assert all(line["ours"] for line in kept)
    assert (found.number, found.form, found.rows, found.sightings) == (3, "sightings", 5, 5)
    assert found.skips == {}


def test_of_a_neighbour_only_the_front(tmp_path: Path) -> None:
    """Of whoever sent nothing no word, name, door or connection is kept: only whether a thing answers there."""
    found, kept = sifted(
        tmp_path, row("device.label", LABEL, NEIGHBOUR), row("front.silent", "", "198.51.100.9"),
        row("exposure", "telnet_open", NEIGHBOUR), row("infection", "mirai", NEIGHBOUR),
        row("proxy", "socks5", NEIGHBOUR), row("network.type", "residential", NEIGHBOUR),
        row("tcp.syn", SYN, NEIGHBOUR),
    )  # fmt: skip
    assert [(line["client_ip"], line["value"]) for line in kept] == [
        (NEIGHBOUR, 0),
        ("198.51.100.9", 2),
        (NEIGHBOUR, None),
    ]
    for line in kept:
        assert not line["ours"]
        assert line["item"] == "front"
        assert [line[name] for name in ("said", "source", "place", "vendor", "model", "device_class")] == [
            None
        ] * 6
    assert found.rows == 7


def test_a_network_speaks_of_the_sources_in_it(tmp_path: Path) -> None:
    """A range becomes one line for each source inside, whichever way it is written, and none for others."""
    found, kept = sifted(
        tmp_path, row("network.type", "residential", "198.51.100.0/24"), row("network.type", "mobile", "2001:db8::/32"),
        row("network.type", "hosting", "203.0.113.0/24"),
    )  # fmt: skip
    assert [(line["client_ip"], line["said"]) for line in kept] == [(MINE, "residential"), (SIX, "mobile")]
    assert found.sightings == 3


def test_more_networks_than_any_list_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound ranges are counted by name and not looked up."""
    monkeypatch.setattr(evidence, "MAX_RANGES", 2)
    networks = [f"198.51.100.0/{bits}" for bits in range(20, 25)]
    found, kept = sifted(tmp_path, *[row("network.type", "residential", network) for network in networks])
    assert len(kept) == 2
    assert found.skips == {"too-many-ranges": 3}


def test_a_network_said_again_is_the_same_network(tmp_path: Path) -> None:
    """The same line a hundred times makes one row for each source in it."""
    _, kept = sifted(tmp_path, *[row("network.type", "residential", "198.51.100.0/24")] * 100)
    assert len(kept) == 1


@pytest.mark.parametrize(
    ("network", "inside"),
    [
        ("198.51.100.0/24", [MINE]),
        ("198.51.100.7/32", [MINE]),
        ("198.51.100.0/30", []),
        ("198.51.100.4/30", [MINE]),
        ("198.51.100.6/31", [MINE]),
        ("198.51.100.8/29", []),
        ("2001:db8::/64", [SIX]),
        ("2001:db8::/127", []),
        ("2001:db8::6/127", [SIX]),
    ],
)
def test_which_sources_lie_in_a_range(network: str, inside: list[str]) -> None:
    """Both ends of a range are in it, of its own family of addresses; what is no address is in none."""
    assert Ranges([MINE, SIX, "not an address"]).inside(network) == inside


def test_what_cannot_be_read_is_counted_by_name(tmp_path: Path) -> None:
    """Each bad row is one row and one named skip, and takes nothing of the others with it."""
    found, kept = sifted(
        tmp_path, row("tcp.syn", SYN), "{broken", row("a kind of ours", "x"), row("tcp.syn", SYN, "no address"),
        row("tcp.syn", SYN, time="1980-01-01T00:00:00Z"),
    )  # fmt: skip
    assert len(kept) == 1
    assert found.rows == 5
    assert sum(found.skips.values()) == 4
    assert {"unknown-kind", "no-address", "impossible-time"} <= set(found.skips)


def test_long_words_are_cut_after_reading(tmp_path: Path) -> None:
    """The rules read the whole text, the table keeps its beginning."""
    text = "x " * 2000 + "<title>NETGEAR Router WNR2000</title>"
    _, kept = sifted(tmp_path, row("http.body", text))
    assert len(kept[0]["said"]) == MAX_SAID_CHARS


def test_batches_leave_nothing_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are written at a time, every sighting arrives once and in order."""
    monkeypatch.setattr(evidence, "BATCH", 3)
    _, kept = sifted(tmp_path, *[row("tcp.os", f"Windows {n}") for n in range(10)])
    assert [line["said"] for line in kept] == [f"Windows {n}" for n in range(10)]


def test_a_file_without_a_word_leaves_an_empty_table(tmp_path: Path) -> None:
    """A file of other people's connections gives a table with all columns and no row."""
    found, kept = sifted(tmp_path, *[row("tcp.syn", SYN, NEIGHBOUR)] * 4)
    assert kept == []
    assert found.skips == {"not-a-source": 4}


def gathered(
    folder: Path, workers: int, *paths: Path
) -> tuple[list[Sifted], list[dict[str, Any]], Counter[str]]:
    folder.mkdir()
    told: Counter[str] = Counter()

    def progress(stage: str, rows: int) -> None:
        told[stage] += rows

    settings = SETTINGS.changed(workers=workers)
    with Embedded(settings, folder) as engine:
        found = gather(engine, planned(paths), SOURCES, RULES, settings, progress)
        rows = engine.arrow("SELECT * FROM sightings ORDER BY file, place, item").to_pylist()
    return found, rows, told


def test_many_processes_say_the_same(tmp_path: Path) -> None:
    """Files are numbered in the order of their names however many workers read them, and every row is told of."""
    heap = tmp_path / "heap"
    heap.mkdir()
    for n in range(5):
        written(heap / f"{n}.jsonl", *[row("tcp.syn", SYN), row("device.label", LABEL, NEIGHBOUR)] * (5 - n))
    alone = gathered(tmp_path / "one", 1, heap)
    assert gathered(tmp_path / "two", 2, heap) == alone
    assert [(one.number, Path(one.path).name, one.rows) for one in alone[0]] == [
        (n, f"{n}.jsonl", 2 * (5 - n)) for n in range(5)
    ]
    assert alone[2] == {"evidence": 30}
    assert len(alone[1]) == 30


def test_a_file_the_user_named_must_be_known(tmp_path: Path) -> None:
    """What was named and has no form we know ends the run by its name; inside a folder it is one named skip."""
    heap = tmp_path / "heap"
    heap.mkdir()
    odd = heap / "odd.bin"
    odd.write_bytes(bytes(range(256)) * 8)
    with pytest.raises(InputError, match=r"odd\.bin"):
        gathered(tmp_path / "named", 1, odd)
    (found,), _, _ = gathered(tmp_path / "folder", 1, heap)
    assert found.skips == {"unknown-form": 1}
    assert found.sightings == 0


def test_no_evidence_is_none(tmp_path: Path) -> None:
    """An empty folder is no error and leaves an empty table."""
    (tmp_path / "heap").mkdir()
    assert gathered(tmp_path / "out", 2, tmp_path / "heap") == ([], [], Counter())


def test_columns_are_what_the_queries_ask_for() -> None:
    """Times, files and values are whole numbers; only a label's confidence is not."""
    kinds = {field.name: field.type for field in SIGHTINGS_SCHEMA}
    assert kinds["seen_at"] == pa.int64()
    assert [name for name, kind in kinds.items() if pa.types.is_floating(kind)] == ["confidence"]
