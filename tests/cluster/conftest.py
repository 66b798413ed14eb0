"""A replay small enough for a laptop's Spark, and where Spark and Java are."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from thingwatch.replay import replay

for folder in ("scripts", "bench"):
    sys.path.insert(0, str(Path(__file__).parents[2] / folder))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what asks for Spark where there is none, and say what is missing."""
    missing = None
    if importlib.util.find_spec("pyspark") is None:
        missing = "PySpark is not installed: pip install 'thingwatch[spark]'"
    elif shutil.which("java") is None:
        missing = "no Java here: install openjdk-17-jre-headless"
    if missing:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=missing))


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A replay of some fifteen hundred mails, with all its evidence and a mail log."""
    folder = tmp_path_factory.mktemp("cluster") / "replay"
    replay(0.001, 7, folder, evidence="full")
    return folder
