"""A file that others read while we write it: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Put *text* in the place of *path* in one step; raises OSError, and then the old file stands.

    No waiting for the disk: after a power cut a map is made anew, and its readers start with what there is.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            # Its readers are daemons under users of their own, whatever our umask says.
            os.fchmod(file.fileno(), 0o644)
            file.write(text)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
