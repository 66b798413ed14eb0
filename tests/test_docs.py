"""The documents say what the code says, and lead where they point."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
NOT_OURS = """
    .git .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache __pycache__
    build dist demo reference node_modules
"""
MAX_TEXT_BYTES = 2_000_000  # larger files are data, and hold no prose of ours

# Put together here, so that this file does not find itself.
MACHINE_PATHS = re.compile(
    r"(?:^|[\s\"'(=`,:])/(?:" + "|".join(["work", "root", "t" + "mp"]) + r")(?:/|\b)", re.M
)
REGISTRY_HOSTS = re.compile(
    "|".join(
        re.escape(".".join(labels))
        for labels in (
            ("registry", "npmjs", "org"),
            ("npmjs", "com"),
            ("files", "pythonhosted", "org"),
            ("pypi", "org"),
            ("deb", "debian", "org"),
            ("crates", "io"),
            ("jsdelivr", "net"),
        )
    )
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def _files(folder: Path = ROOT) -> Iterator[Path]:
    """Every file of the project, without what is made or installed."""
    for entry in sorted(folder.iterdir()):
        if entry.name in NOT_OURS.split() or entry.name.endswith(".egg-info"):
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield from _files(entry)
        elif entry.is_file():
            yield entry


def _script(name: str) -> ModuleType:
    """A script of this project as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_current() -> None:
    """Every setting, reason, table and command is documented as it is now; `make docs` renews the pages."""
    pages = _script("generate_docs").pages()
    assert pages
    old = [
        name
        for name, text in pages.items()
        if not (ROOT / "docs" / name).is_file() or (ROOT / "docs" / name).read_text("utf-8") != text
    ]
    assert old == []


def test_a_column_without_a_sentence_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table reference cannot silently leave a column out."""
    script = _script("generate_docs")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "schema.sql").write_text("CREATE TABLE t ( -- a table\n    a BIGINT,\n);\n")
    package = ModuleType("thingwatch")
    package.__path__ = [str(tmp_path)]
    monkeypatch.setattr(script.importlib, "import_module", lambda _: package)
    with pytest.raises(ValueError, match="without its sentence"):
        script.tables_page()


def test_links_lead_somewhere() -> None:
    """Every relative link in a page names a file of this project."""
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in _files()
        if page.suffix == ".md"
        for target in LINK.findall(page.read_text("utf-8"))
        if not re.match(r"[a-z]+:|#", target) and not (page.parent / target.partition("#")[0]).exists()
    ]
    assert broken == []


def test_no_file_names_a_machine_or_a_registry() -> None:
    """The project runs anywhere: no path of one machine, no host of a package registry."""
    found = []
    for file in _files():
        raw = file.read_bytes()[:MAX_TEXT_BYTES]
        if b"\0" in raw:
            continue
        text = raw.decode("utf-8", "replace")
        for number, line in enumerate(text.splitlines(), 1):
            if MACHINE_PATHS.search(line) or REGISTRY_HOSTS.search(line):
                found.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


def test_every_decision_has_its_parts() -> None:
    """A decision says what was decided, what it costs, and when to look again."""
    pages = [page for page in (ROOT / "docs" / "decisions").glob("*.md") if page.name != "licences.md"]
    assert pages
    for page in pages:
        text = page.read_text("utf-8")
        for part in ("**Decided**", "**Instead of**", "**Cost**", "**Look again**"):
            assert part in text, f"{page.name} has no {part}"
