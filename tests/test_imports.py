"""The order of the house: who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "thingwatch"


def test_imports_go_one_way() -> None:
    """The contract in pyproject.toml is kept: drivers know the stages, stages do not know each other."""
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_replay_knows_nothing_of_detection() -> None:
    """Mail that is made to measure the detector shares no code with it: nouns, settings and errors only."""
    allowed = ("thingwatch.replay", "thingwatch.model", "thingwatch.config", "thingwatch.errors")
    files = sorted((SOURCE / "replay").rglob("*.py"))
    assert files
    strangers = [
        f"{file.name} imports {name}"
        for file in files
        for name in _imported(file)
        if name.split(".")[0] == "thingwatch" and not any(f"{name}.".startswith(f"{one}.") for one in allowed)
    ]
    assert strangers == []


def _imported(file: Path) -> list[str]:
    """The modules a file imports, late ones too; "from thingwatch import x" counts as thingwatch.x."""
    names = []
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "thingwatch":
            names += [f"thingwatch.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # Relative imports would slip through by their bare names; ours are absolute.
            assert node.level == 0, f"{file.name}: a relative import"
            names.append(node.module or "")
    return names
