"""Every setting of the guard, and the operator's table from certainty to action; read from one TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields, replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from thingwatch.errors import InputError, SettingError
from thingwatch.guard.finding import Certainty
from thingwatch.guard.gateway import Action

# What is done where the operator says nothing, once canary is off: doubt waits, what is sure is held for a person.
DEFAULT_ACTIONS = {
    Certainty.KNOWN: Action.QUARANTINE,
    Certainty.SURE: Action.QUARANTINE,
    Certainty.LIKELY: Action.TAG,
    Certainty.DOUBTFUL: Action.DEFER,
}


def _option(default: Any, doc: str, unit: str, low: float | None = None, high: float | None = None) -> Any:
    return field(default=default, metadata={"doc": doc, "unit": unit, "low": low, "high": high})


@dataclass(frozen=True, slots=True)
class Options:
    """Make one with ``Options.load`` or ``Options().changed(...)``."""

    canary: bool = _option(True, "decide, tag and log, but never hold, defer or reject", "yes or no")
    actions: tuple[tuple[str, str], ...] = _option(
        (),
        "table [actions]: known, sure, likely, doubtful = accept, tag, quarantine, defer or reject",
        "table",
    )
    authserv_ids: tuple[str, ...] = _option(
        (),
        "names under which our own checks write Authentication-Results; empty: no check is believed",
        "name",
    )
    allow_networks: tuple[str, ...] = _option((), "networks whose mail is let pass: our own outbound", "CIDR")
    allow_lists: tuple[str, ...] = _option((), "List-Ids whose mail is let pass", "List-Id")
    allow_names: tuple[str, ...] = _option((), "authenticated domains whose mail is let pass", "domain")
    traps: tuple[str, ...] = _option(
        (), "addresses nobody uses; mail to two of them marks a campaign", "address"
    )
    max_messages: int = _option(
        200_000, "single mails and lures remembered; a million takes about 0.8 GB", "messages", 1000, 1 << 24
    )
    max_sources: int = _option(1_000_000, "senders remembered, 20 bytes each", "sources", 1000, 1 << 26)
    single_hours: float = _option(24.0, "how long a single mail waits to be met", "hours", 0.1, 1000)
    lure_days: float = _option(3.0, "how long a lure is remembered after its last mail", "days", 0.1, 1000)
    campaign_days: float = _option(120.0, "likewise, a lure of a confirmed campaign", "days", 1, 3650)
    defer_minutes: float = _option(
        10.0, "how long mails of a doubtful campaign are deferred, from its first doubt", "minutes", 1, 240
    )
    good_mails: int = _option(
        4000, "recent good mails a signature is tested against", "messages", 100, 100_000
    )
    max_share: float = _option(
        0.05,
        "of an hour's mail of familiar senders a campaign may touch with more than a tag",
        "share",
        0.0,
        1.0,
    )
    max_familiar: float = _option(
        0.1, "of the mails a campaign touches so that may come from familiar senders", "share", 0.0, 1.0
    )
    rule_days: float = _option(
        14.0, "silence after which a campaign must earn its action again", "days", 0.1, 3650
    )
    snapshot_minutes: float = _option(10.0, "longest time between snapshots", "minutes", 0.1, 1440)
    snapshot_mails: int = _option(10_000, "most mails between snapshots", "messages", 100, 10**7)
    fsync_seconds: float = _option(
        1.0, "how often the journal is forced to disk: what a power cut may cost", "seconds", 0.0, 3600
    )

    def changed(self, **values: Any) -> Options:
        """A copy with *values* set; raises SettingError for a value that cannot be."""
        known = {f.name: f for f in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise SettingError(f"{name}: no such setting of the guard; see docs/guard.md")
            default, meta = known[name].default, known[name].metadata
            if isinstance(default, float) and type(value) is int:
                value = float(value)
            if isinstance(default, tuple) and isinstance(value, list):
                value = tuple(value)
            if isinstance(value, dict):
                value = tuple(value.items())
            values[name] = value
            if type(value) is not type(default):
                raise SettingError(
                    f"{name} = {value!r}: must be a {type(default).__name__}; remove the line to get {default!r}"
                )
            if meta["low"] is not None and not meta["low"] <= value <= meta["high"]:
                raise SettingError(
                    f"{name} = {value}: must be from {meta['low']:g} to {meta['high']:g} {meta['unit']};"
                    f" remove the line to get {default}"
                )
        made = replace(self, **values)
        _ = made.table, made.networks
        return made

    @classmethod
    def load(cls, path: Path | None) -> Options:
        """Options from a TOML file; None gives the defaults.

        Raises InputError when the file cannot be read, SettingError for what it says.
        """
        if path is None:
            return cls()
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}; give a readable TOML file") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingError(f"{path}: not TOML ({error}); write lines such as canary = true") from error
        return cls().changed(**values)

    @property
    def table(self) -> dict[Certainty, Action]:
        """The action for each certainty."""
        found = dict(DEFAULT_ACTIONS)
        for name, action in self.actions:
            try:
                found[Certainty(name)] = Action(action)
            except ValueError as error:
                raise SettingError(
                    f"actions.{name} = {action!r}: must be one of {', '.join(Certainty)} with one of"
                    f" {', '.join(Action)}"
                ) from error
        found[Certainty.NONE] = Action.ACCEPT
        return found

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The allowed networks."""
        try:
            return tuple(ip_network(text, strict=False) for text in self.allow_networks)
        except ValueError as error:
            raise SettingError(f"allow_networks: {error}; write 192.0.2.0/24") from error
