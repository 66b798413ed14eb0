"""The senders of one replay and their evidence, shared by the tests of all its files."""

from __future__ import annotations

from pathlib import Path

import pytest
from truths import SEED, written_truth

from thingwatch.replay.evidence import write_evidence
from thingwatch.replay.sources import Sources, read_sources


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """The senders of about 90,000 mails."""
    return read_sources(written_truth(tmp_path_factory.mktemp("truth") / "truth.parquet"), SEED)


@pytest.fixture(scope="session")
def full(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their evidence where everything was seen."""
    folder = tmp_path_factory.mktemp("full") / "evidence"
    write_evidence(sources, SEED, "full", folder)
    return folder


@pytest.fixture(scope="session")
def partial(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their evidence as borders have it."""
    folder = tmp_path_factory.mktemp("partial") / "evidence"
    write_evidence(sources, SEED, "partial", folder)
    return folder
