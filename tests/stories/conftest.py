"""The one command that renews what the stories expect: ``pytest tests/stories --renew``."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--renew", action="store_true", help="write what was found as what is expected")
