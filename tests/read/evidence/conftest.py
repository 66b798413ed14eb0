"""Evidence written to a file and read back, as the driver does it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from thingwatch.model import Sighting, Skip
from thingwatch.read.evidence import plan_evidence, sightings_in

NOW = int(datetime(2026, 11, 25, tzinfo=UTC).timestamp()) * 1_000_000

Read = Callable[..., list[Sighting | Skip]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """``read(name, content, form=..., **how)``: what a file so called, of that form, says."""

    def reading(name: str, content: str | bytes, form: str, **how: object) -> list[Sighting | Skip]:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        (file,) = plan_evidence([path])
        assert file.form == form
        found = list(sightings_in(file, **{"now": NOW, **how}))  # type: ignore[arg-type]
        prefix = f"{tmp_path}/"
        return [item._replace(place=item.place.removeprefix(prefix)) for item in found]

    return reading
