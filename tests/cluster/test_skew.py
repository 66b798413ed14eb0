"""One bucket that every message is in, and one campaign that is most of the mail: no task does it all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "skew.py"
MESSAGES = 20_000
EVEN = 1 / 8  # of a stage's rows, for each of its eight tasks


@pytest.mark.nightly
def test_hot_key_is_shared_out() -> None:
    """Of every stage that shuffles at least half of the messages, the largest task reads little more than its part.

    Joining the messages with the hot key's bucket by that key, or counting its holders in one place, would give one
    task nearly all of them. The script with its defaults shows the same for a million messages.
    """
    command = [
        sys.executable, BENCH, "--messages", str(MESSAGES), "--sizes-in-kb", "64", "--forgiven-seconds", "0",
    ]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["largest_campaign"] >= 0.9 * MESSAGES
    assert found["big_stages"] >= 4
    assert found["worst_share"] <= 2 * EVEN, found["worst"]
