"""What commands ask of a guard: of the daemon by HTTP on loopback, or of the state folder itself when none runs.

Both answer with the same plain data. On the folder itself everything is read as a starting guard reads it, and
written down when a deed has changed it.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol
from urllib.parse import urlencode

from thingwatch.errors import InputError, OutputError, ThingwatchError, UsageError
from thingwatch.guard.service.runs import SERVICE, Runs, read
from thingwatch.guard.service.secret import read_token

TIMEOUT_SECONDS = 15.0
Json = Any


class Asked(Protocol):
    """A guard that can be asked."""

    running: bool

    def status(self) -> Json:
        """How it is."""

    def campaigns(self, least: int) -> Json:
        """What it remembers."""

    def entries(self, campaign: str) -> Json:
        """Mails of *campaign*: delivered, held."""

    def mark(self, campaign: str, verdict: str, by: str) -> Json:
        """Say what it is."""

    def rollback(self, campaign: str, by: str) -> Json:
        """Disarm it; what is to be released."""

    def passed_mail(self, raw: bytes, place: str, received_at: int | None, border: tuple[str, ...]) -> Json:
        """Take a delivered mail that nobody looked at."""

    def passed_log(self, said: dict[str, Any]) -> Json:
        """Take one that is known from a log only."""

    def rescanned(self, gaps: dict[float, int]) -> Json:
        """The gaps that began at these times were looked at."""

    def close(self) -> None:
        """Have done with it."""


class ByHttp:
    """The daemon that *folder* names."""

    running = True

    def __init__(self, folder: Path, address: str) -> None:
        """Of *folder*, listening at *address*."""
        self._folder = folder
        self._connection = http.client.HTTPConnection(address, timeout=TIMEOUT_SECONDS)

    def status(self) -> Json:
        return self._ask("GET", "/status", secret=False)

    def campaigns(self, least: int) -> Json:
        return self._ask("GET", f"/campaigns?least={least}", secret=False)

    def entries(self, campaign: str) -> Json:
        return self._ask("GET", "/delivered?" + urlencode({"campaign": campaign}))

    def mark(self, campaign: str, verdict: str, by: str) -> Json:
        return self._post("/mark", {"campaign": campaign, "verdict": verdict, "by": by})

    def rollback(self, campaign: str, by: str) -> Json:
        return self._post("/rollback", {"campaign": campaign, "by": by})

    def passed_mail(self, raw: bytes, place: str, received_at: int | None, border: tuple[str, ...]) -> Json:
        query: list[tuple[str, str]] = [("place", place), *(("border", one) for one in border)]
        if received_at is not None:
            query.append(("received_at", str(received_at)))
        return self._ask("POST", "/passed?" + urlencode(query), raw)

    def passed_log(self, said: dict[str, Any]) -> Json:
        return self._ask("POST", "/passed?form=log", json.dumps(said).encode())

    def rescanned(self, gaps: dict[float, int]) -> Json:
        return self._post("/rescanned", {"gaps": {repr(since): mails for since, mails in gaps.items()}})

    def close(self) -> None:
        self._connection.close()

    def _post(self, path: str, said: dict[str, Any]) -> Json:
        return self._ask("POST", path, json.dumps(said).encode())

    def _ask(self, method: str, path: str, body: bytes | None = None, secret: bool = True) -> Json:
        fields = {}
        try:
            fields["Authorization"] = f"Bearer {read_token(self._folder)}"
        except InputError:
            if secret:
                raise
        try:
            self._connection.request(method, path, body, fields)
            reply = self._connection.getresponse()
            text = reply.read()
            found = json.loads(text)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise InputError(f"the guard does not answer ({error}); see: thingwatch guard status") from error
        if reply.status == 400:
            raise UsageError(str(found.get("error", "")))
        if reply.status != 200:
            raise OutputError(str(found.get("error", f"HTTP {reply.status}")))
        return found


class OnFolder:
    """The state folder of a guard that does not run."""

    running = False

    def __init__(self, folder: Path, config: Path | None) -> None:
        """Of *folder*, as *config* says; raises OutputError when a guard has it, InputError when it does not fit."""
        # Only now: these are seconds of loading that a question to the daemon does without.
        from thingwatch.guard import Guard
        from thingwatch.guard.service.routes import campaigns_of, entry_as_plain
        from thingwatch.guard.service.settings import Setup

        if not folder.is_dir():
            raise InputError(f"{folder}: no state folder; name the one of the guard with --state")
        self._guard = Guard(Setup.load(config).options, None, folder)
        self._runs = Runs(folder)
        self._changed = False
        self._campaigns: Callable[..., Any] = campaigns_of
        self._plain: Callable[..., Any] = entry_as_plain

    def status(self) -> Json:
        gaps = [gap._asdict() for gap in self._runs.open_gaps()]
        return {"guard": self._guard.status(), "service": None, "gaps": gaps, "alerts": []}

    def campaigns(self, least: int) -> Json:
        return self._campaigns(self._guard, least)

    def entries(self, campaign: str) -> Json:
        delivered = [self._plain(entry) for entry in self._guard.delivered(campaign)]
        held = [self._plain(entry) for entry in self._guard.held(campaign)]
        return {"campaign": campaign, "delivered": delivered, "held": held}

    def mark(self, campaign: str, verdict: str, by: str) -> Json:
        self._guard.mark(campaign, verdict, by)
        self._changed = True
        return {"campaign": campaign, "mark": verdict}

    def rollback(self, campaign: str, by: str) -> Json:
        released = self._guard.rollback(campaign, by)
        self._changed = True
        return {"campaign": campaign, "released": [self._plain(entry) for entry in released]}

    def passed_mail(self, raw: bytes, place: str, received_at: int | None, border: tuple[str, ...]) -> Json:
        from thingwatch.guard.service.passed import message_of_raw, take_passed

        self._changed = True
        return take_passed(self._guard, message_of_raw(raw, place, received_at, border))

    def passed_log(self, said: dict[str, Any]) -> Json:
        from thingwatch.guard.service.passed import message_of_log, take_passed

        self._changed = True
        return take_passed(self._guard, message_of_log(json.dumps(said).encode()))

    def rescanned(self, gaps: dict[float, int]) -> Json:
        self._runs.rescanned(time.time(), gaps)
        return {"gaps": len(gaps)}

    def close(self) -> None:
        if self._changed:
            self._guard.close()
        else:
            self._let_go()

    def _let_go(self) -> None:
        if self._guard.journal is not None:
            self._guard.journal.close()


class asking:  # noqa: N801 used as a function
    """The guard of *folder*, within ``with``."""

    def __init__(self, folder: Path, config: Path | None = None) -> None:
        """*config* is needed only where no daemon runs."""
        self._folder, self._config = folder, config

    def __enter__(self) -> Asked:
        self._asked = asked = reach(self._folder) or OnFolder(self._folder, self._config)
        return asked

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._asked.close()


def reach(folder: Path) -> ByHttp | None:
    """The daemon of *folder* if one answers."""
    about = read(folder / SERVICE)
    if not isinstance(about, dict) or about.get("stopped") or not isinstance(about.get("http"), str):
        return None
    asked = ByHttp(folder, about["http"])
    try:
        asked.status()
    except ThingwatchError:
        asked.close()
        return None
    return asked
