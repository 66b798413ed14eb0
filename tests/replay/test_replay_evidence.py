"""Evidence stands beside the mail, equal for equal arguments, and leaves the mail alone."""

from __future__ import annotations

import json
from inspect import signature
from pathlib import Path

import pytest
from truths import SEED

from thingwatch import cli
from thingwatch.errors import SettingError
from thingwatch.replay import replay
from thingwatch.replay.cast import THING_SHARE
from thingwatch.replay.evidence import write_evidence
from thingwatch.replay.sources import Sources

FILES = (
    "p0f.log",
    "timing.jsonl",
    "survey.jsonl",
    "nmap.xml",
    "line_types.csv",
    "proxies.txt",
    "outcomes.csv",
)


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_equal_arguments_give_equal_evidence(sources: Sources, partial: Path, tmp_path: Path) -> None:
    """Written twice, byte for byte the same; with another seed it is another town."""
    rows = write_evidence(sources, SEED, "partial", tmp_path / "again")
    assert contents(tmp_path / "again") == contents(partial)
    assert set(FILES) < set(contents(partial))
    lines = sum(path.read_bytes().count(b"\n") for path in (tmp_path / "again").glob("*-replay.csv"))
    assert lines <= rows["scans"] < 10 * lines
    write_evidence(sources, SEED + 1, "partial", tmp_path / "other")
    assert contents(tmp_path / "other")["p0f.log"] != contents(partial)["p0f.log"]


@pytest.mark.parametrize("level", ["headers", "none"])
def test_no_evidence_leaves_no_folder(sources: Sources, tmp_path: Path, level: str) -> None:
    """Where nothing was kept there is nothing to read."""
    assert write_evidence(sources, SEED, level, tmp_path / "evidence") == {}
    assert not (tmp_path / "evidence").exists()


def test_the_mail_does_not_hang_on_the_evidence(tmp_path: Path) -> None:
    """Every level of evidence stands beside equal mail and equal truth; only full and partial have a folder."""
    for level in ("full", "partial", "headers", "none"):
        told = replay(0.001, 3, tmp_path / level, workers=1, evidence=level)
        assert (
            bool(told.evidence) == (tmp_path / level / "evidence").is_dir() == (level in ("full", "partial"))
        )
        readme = (tmp_path / level / "README.txt").read_text()
        assert ("p0f.log" in readme) == (level in ("full", "partial"))
    for name in ("mail.mbox", "mail.log", "truth.parquet", "sources_truth.parquet"):
        assert len({(tmp_path / level / name).read_bytes() for level in ("full", "partial", "none")}) == 1
    truth = json.loads((tmp_path / "partial" / "truth.json").read_text())
    assert truth["parameters"]["evidence"] == "partial"
    attack = truth["origins"]["thing"]
    assert sum(one["messages"] for one in attack.values()) == truth["things"]["of_messages"]
    things = attack["thing_self"]["messages"] + attack["thing_relay"]["messages"]
    assert things == truth["things"]["messages"]


def test_the_command_asks_for_what_the_report_of_2014_said() -> None:
    """Without options the command writes the mail it always wrote, with evidence as borders have it."""
    defaults = signature(cli.replay).parameters
    assert defaults["things"].default == THING_SHARE
    assert defaults["evidence"].default == "partial"


def test_no_things_at_all(tmp_path: Path) -> None:
    """A replay without things is a botnet of PCs, whatever their routers show."""
    told = replay(0.001, 3, tmp_path / "none", workers=1, things=0)
    assert told.things == 0
    attack = json.loads((tmp_path / "none" / "truth.json").read_text())["origins"]["thing"]
    assert attack["thing_self"]["share"] == attack["thing_relay"]["share"] == 0
    assert list((tmp_path / "none" / "evidence").glob("*-scan_http-replay.csv"))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("things", {"things": -0.1}), ("things", {"things": 1.1}), ("things", {"things": float("nan")}),
        ("evidence", {"evidence": "some"}),
    ],
)  # fmt: skip
def test_bad_settings_are_named(tmp_path: Path, name: str, arguments: dict[str, object]) -> None:
    """A value out of range is refused by name before anything is written."""
    with pytest.raises(SettingError, match=f"^{name} = "):
        replay(0.001, 1, tmp_path / "x", **arguments)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
