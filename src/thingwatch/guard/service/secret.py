"""The token that deeds need: made once, kept in the state folder for its owner alone, compared in constant time.

256 bits: it cannot be guessed, so failures are counted and told but lock nobody out; on loopback all clients have
one address, and a lock would shut out the operator.
"""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from thingwatch.errors import InputError, OutputError

TOKEN = "token"  # noqa: S105 - a file's name
_LEAST_CHARS = 32


def own_token(folder: Path) -> str:
    """The token of *folder*, made where there is none; raises OutputError when it cannot be, or is too short."""
    path = folder / TOKEN
    try:
        if not path.exists():
            part = path.with_name(f".{TOKEN}.part")
            part.unlink(missing_ok=True)
            file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(file, secrets.token_urlsafe(32).encode() + b"\n")
            finally:
                os.close(file)
            part.replace(path)
        if path.stat().st_mode & 0o077:
            raise OutputError(f"{path}: others can read it; chmod 600 it, or remove it to get a new one")
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}; name a state folder we can write to") from error
    return read_token(folder)


def read_token(folder: Path) -> str:
    """The token of *folder*; raises InputError when it cannot be read."""
    path = folder / TOKEN
    try:
        token = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read ({error}); run as the guard's own user or as root"
        ) from error
    if len(token) < _LEAST_CHARS:
        raise InputError(f"{path}: shorter than {_LEAST_CHARS} characters; remove it to get a new one")
    return token


def is_bearer(authorization: str, token: str) -> bool:
    """Whether an Authorization field (RFC 6750, 2.1) bears *token*."""
    scheme, _, said = authorization.partition(" ")
    # Both are compared in full, so that the time tells nothing of either.
    return (
        bool(token)
        and scheme.lower() == "bearer"
        and hmac.compare_digest(said.strip().encode(), token.encode())
    )
