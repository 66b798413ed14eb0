"""What every test may lean on: the cast of the stories is importable as ``stories.cast``."""

from __future__ import annotations

# pytest puts the folder of a conftest.py on the path; that this file exists is its whole effect.
