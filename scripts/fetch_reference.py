"""Fetch the tables of networks and countries with the npm client, and write what thingwatch reads.

    python scripts/fetch_reference.py [--out FOLDER] [--force]

Pinned by version, so that two runs give equal tables; npm checks what it fetched against the registry's own
digest. The folder is THINGWATCH_REFERENCE, or the user's data folder. See docs/decisions/reference-data.md
for the licences, and for what the publisher says against this data.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from thingwatch.errors import ThingwatchError
from thingwatch.identify.network import SIDECAR_FILE, reference_folders
from thingwatch.identify.reference import write_reference

VERSION = "2.3.2026061719"
NAME = f"ip-location-db {VERSION}"
NETWORKS = "@ip-location-db/asn"
COUNTRIES = "@ip-location-db/asn-country"
MAX_FETCH_SECONDS = 120
ATTRIBUTION = (
    f"Networks and countries: {NAME}, made from RouteViews (routeviews.org), DB-IP "
    "(IP Geolocation by DB-IP, db-ip.com) and the Number Resource Organization (nro.net), CC BY 4.0; "
    "converted to ranges by thingwatch"
)


def main() -> int:
    """Fetch and convert; 0 done or already there, 1 not to be had (said on stderr)."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--out", type=Path, default=reference_folders()[0], help="folder to write (%(default)s)"
    )
    parser.add_argument("--force", action="store_true", help="fetch even if this version is already there")
    given = parser.parse_args()
    if not given.force and _name(given.out) == NAME:
        print(f"{NAME} is in {given.out}")
        return 0
    if shutil.which("npm") is None:
        print("npm is not installed: networks and countries will be unknown", file=sys.stderr)
        return 1
    try:
        with tempfile.TemporaryDirectory() as folder:
            networks, countries = (_packed(name, Path(folder)) for name in (NETWORKS, COUNTRIES))
            written = write_reference(
                _lines(networks, "asn-ipv4.csv", "asn-ipv6.csv"),
                _lines(countries, "asn-country-ipv4.csv", "asn-country-ipv6.csv"),
                given.out,
                name=NAME,
                date=datetime.now(UTC).date().isoformat(),
                attribution=ATTRIBUTION,
            )
    except (ThingwatchError, OSError, subprocess.SubprocessError, tarfile.TarError) as error:
        print(
            f"reference data not to be had: {error}; networks and countries will be unknown", file=sys.stderr
        )
        return 1
    for name, one in zip(("networks", "countries"), written, strict=True):
        print(f"{name}: {one.rows:,} ranges, {one.damaged} damaged, {one.overlapping} overlapping")
    print(f"written to {given.out}")
    return 0


def _name(folder: Path) -> str:
    """The edition that lies in a folder, "" if none."""
    try:
        return str(json.loads((folder / SIDECAR_FILE).read_text("utf-8"))["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _packed(name: str, folder: Path) -> Path:
    """Fetch one package as an archive; nothing of it is run."""
    command = [
        "npm",
        "pack",
        "--silent",
        "--fetch-retries=1",
        "--pack-destination",
        str(folder),
        f"{name}@{VERSION}",
    ]
    done = subprocess.run(  # noqa: S603 - a fixed command, its arguments are constants above
        command,
        capture_output=True,
        text=True,
        timeout=MAX_FETCH_SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise OSError(f"npm could not fetch {name} {VERSION} ({said[:200]})")
    return folder / done.stdout.strip().splitlines()[-1]


def _lines(archive: Path, *members: str) -> Iterator[str]:
    """The lines of some files of a package, one after the other."""
    with tarfile.open(archive) as tar:
        for member in members:
            stream = tar.extractfile(f"package/{member}")
            if stream is None:
                raise OSError(f"{archive.name} holds no {member}")
            yield from io.TextIOWrapper(stream, "utf-8", errors="replace")


if __name__ == "__main__":
    sys.exit(main())
