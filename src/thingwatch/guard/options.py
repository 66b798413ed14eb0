"""Every setting of the guard, and the operator's table from certainty to action; read from one TOML file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from thingwatch.config import checked, read_toml, setting
from thingwatch.errors import SettingError
from thingwatch.guard.finding import Certainty
from thingwatch.guard.gateway import Action

# What is done where the operator says nothing, once canary is off: doubt waits, what is sure is held for a person.
DEFAULT_ACTIONS = {
    Certainty.KNOWN: Action.QUARANTINE,
    Certainty.SURE: Action.QUARANTINE,
    Certainty.LIKELY: Action.TAG,
    Certainty.DOUBTFUL: Action.DEFER,
}


@dataclass(frozen=True, slots=True)
class Options:
    """Make one with ``Options.load`` or ``Options().changed(...)``."""

    canary: bool = setting(True, "decide, tag and log, but never hold, defer or reject", "yes or no")
    actions: tuple[tuple[str, str], ...] = setting(
        (),
        "table [actions]: known, sure, likely, doubtful = accept, tag, quarantine, defer or reject",
        "table",
    )
    authserv_ids: tuple[str, ...] = setting(
        (),
        "names under which our own checks write Authentication-Results; empty: no check is believed",
        "name",
    )
    allow_networks: tuple[str, ...] = setting((), "networks whose mail is let pass: our own outbound", "CIDR")
    allow_lists: tuple[str, ...] = setting((), "List-Ids whose mail is let pass", "List-Id")
    allow_names: tuple[str, ...] = setting((), "authenticated domains whose mail is let pass", "domain")
    traps: tuple[str, ...] = setting(
        (), "addresses nobody uses; mail to two of them marks a campaign", "address"
    )
    max_messages: int = setting(
        200_000, "single mails and lures remembered; a million takes about 0.8 GB", "messages", 1000, 1 << 24
    )
    max_lures: int = setting(
        20_000,
        "of them, lures, which take 5 to 30 kB each; the one met longest ago goes first",
        "lures",
        100,
        1 << 20,
    )
    max_sources: int = setting(1_000_000, "senders remembered, 20 bytes each", "sources", 1000, 1 << 26)
    single_hours: float = setting(24.0, "how long a single mail waits to be met", "hours", 0.1, 1000)
    lure_days: float = setting(3.0, "how long a lure is remembered after its last mail", "days", 0.1, 1000)
    campaign_days: float = setting(120.0, "likewise, a lure of a confirmed campaign", "days", 1, 3650)
    defer_minutes: float = setting(
        10.0, "how long mails of a doubtful campaign are deferred, from its first doubt", "minutes", 1, 240
    )
    good_mails: int = setting(
        4000, "recent good mails a signature is tested against", "messages", 100, 100_000
    )
    max_share: float = setting(
        0.05,
        "of an hour's mail of familiar senders a campaign may touch with more than a tag",
        "share",
        0.0,
        1.0,
    )
    max_familiar: float = setting(
        0.1, "of the mails a campaign touches so that may come from familiar senders", "share", 0.0, 1.0
    )
    rule_days: float = setting(
        14.0, "silence after which a campaign must earn its action again", "days", 0.1, 3650
    )
    snapshot_minutes: float = setting(10.0, "longest time between snapshots", "minutes", 0.1, 1440)
    snapshot_mails: int = setting(10_000, "most mails between snapshots", "messages", 100, 10**7)
    fsync_seconds: float = setting(
        1.0, "how often the journal is forced to disk: what a power cut may cost", "seconds", 0.0, 3600
    )

    def changed(self, **values: Any) -> Options:
        """A copy with *values* set; raises SettingError for a value that cannot be."""
        made = replace(self, **checked(self, values, "see docs/guard-settings.md"))
        _ = made.table, made.networks
        return made

    @classmethod
    def load(cls, path: Path | None) -> Options:
        """Options from a TOML file; None gives the defaults.

        Raises InputError when the file cannot be read, SettingError for what it says.
        """
        return cls().changed(**read_toml(path, "canary = true"))

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
