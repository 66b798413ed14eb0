"""How likely each origin is for each source, and which share of the mail each origin sent: the mixture estimate.

Sources with equal evidence are one pattern; a campaign of 100,000 sources has a few hundred. A Gibbs sampler goes
round: given the table and the shares, how many sources of each pattern have which origin; given those, the shares
(Dirichlet) and the corrected table (Dirichlet around the shipped one, as strong as its quality); given those, how many
unlisted addresses a scan had covered. The shipped table names the origins and the campaign's own sources sharpen it,
within bounds, so an interval narrows with the evidence and stays wide where only our judgement speaks.

What we chose against. Learning without bounds: origins swap names, and a campaign in which only SYNs were seen had no
things left (docs/measure.md). Not learning at all: how many homes show a banner differs by a factor of ten between
providers, and every error of the table becomes an error of the share.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thingwatch.identify.likelihood import (
    FRESHNESS,
    HOMES,
    LEARNT,
    ORIGINS,
    PRIOR,
    RARE,
    REST,
    STRENGTH,
    THING,
    UNSEEN,
    Floats,
    Item,
    capped,
    items,
)

BURN_IN = 80  # sweeps thrown away; shares settle within 30
SHORT_BURN_IN = 30  # the same where it begins at an earlier answer
SWEEPS = 320  # kept
SPLIT = 5.0  # sources' worth of belief that things are relays as often as senders themselves
FIRST_COVERED = 0.7  # chance that a scan looked at an address, before the first sweep
# Correlation of our mistakes about two sources of one network: one provider, one kind of router.
SHARED_ERROR = 0.025
FRONT = "front"
SILENT = items()[FRONT].values.index("none_seen")
NAT_PC = ORIGINS.index("nat_pc")


@dataclass(frozen=True, slots=True)
class Votes:
    """What was seen of each source of one campaign, a row a source."""

    values: dict[str, NDArray[np.int8]]  # item -> place in its values, or UNSEEN
    fresh: dict[str, NDArray[np.int8]]  # item -> place in FRESHNESS
    messages: NDArray[np.int64]
    network: NDArray[np.int64]  # operator's number, 0 where unknown
    home: NDArray[np.int8]  # place in backgrounds
    backgrounds: tuple[
        tuple[int, int], ...
    ]  # neighbours: (with a thing's banner, scanned); (0, 0) where unknown

    def __len__(self) -> int:
        return len(self.messages)


@dataclass(frozen=True, slots=True)
class Mixture:
    """The sampler's answer."""

    p: Floats  # sources x origins: posterior means
    shares: Floats  # sweeps x origins: share of messages
    tables: dict[str, Floats]  # item -> corrected table, posterior mean

    @property
    def things(self) -> Floats:
        """The things' share of messages in each sweep."""
        return np.asarray(self.shares[:, THING].sum(axis=1))


def mixture(
    votes: Votes,
    seed: int,
    without: Collection[str] = (),
    sweeps: int = SWEEPS,
    start: Mixture | None = None,
) -> Mixture:
    """Estimate from *votes*, leaving out the families *without*. Equal seeds give equal answers.

    *start*: an estimate to begin at, which saves most of the sweeps thrown away.
    """
    return _Sampler(votes, seed, without).run(sweeps, start)


class _Views:
    """Where each pattern stands in one item's small table of (home, freshness, value), so that a sweep does its
    arithmetic on a few dozen cells and only looks the patterns up. The last cell is "says nothing"."""

    def __init__(
        self,
        item: Item,
        value: NDArray[np.int64],
        fresh: NDArray[np.int64],
        home: NDArray[np.int64],
        listed: NDArray[np.bool_],
    ) -> None:
        self.item = item
        self.values = len(item.values)
        self.homes = int(home.max(initial=0)) + 1 if item.name == FRONT else 1
        self.fresh = FRESHNESS if item.fades else np.ones(1)
        seen = value != UNSEEN
        level = np.where(seen & item.fades, fresh, 0)
        place = np.where(seen, value, self.values - 1)  # the last value of a list: "not there"
        at = (np.where(self.homes > 1, home, 0) * len(self.fresh) + level) * self.values + place
        self.cells = nothing = self.homes * len(self.fresh) * self.values
        self.voting = np.where(seen | (item.lists & listed), at, nothing)
        self.silent = np.where(listed | (not item.lists), nothing, at)
        teaching = np.where(seen, at, nothing)
        self.teaching = (teaching[:, None] * len(ORIGINS) + np.arange(len(ORIGINS))).ravel()
        self.missing = ~seen & item.lists

    def chances(self, table: Floats, backgrounds: Floats | None) -> tuple[Floats, Floats]:
        """(faded, of this household): what each cell shows for each origin, cells x origins."""
        if not self.item.fades:
            return table, table
        chance = table[None, None]
        if self.item.name == FRONT and backgrounds is not None:
            chance = np.broadcast_to(table, (self.homes, len(self.fresh), *table.shape)).copy()
            chance[..., NAT_PC] = backgrounds[: self.homes, None, :]
        fresh = self.fresh[None, :, None, None]
        mine = fresh * chance
        faded = mine + (1 - fresh) * chance[..., NAT_PC : NAT_PC + 1]
        return faded.reshape(-1, len(ORIGINS)), mine.reshape(-1, len(ORIGINS))

    def logs(self, table: Floats, backgrounds: Floats | None) -> Floats:
        """Capped log-likelihoods of the cells, and of saying nothing."""
        logs = capped(np.log(self.chances(table, backgrounds)[0]))
        return np.concatenate([logs - logs.mean(axis=1, keepdims=True), np.zeros((1, len(ORIGINS)))])

    def counts(self, table: Floats, number: Floats, looked: Floats) -> Floats:
        """How many sources of each origin showed each value, of those that speak of this household."""
        shown = np.bincount(self.teaching, weights=number.ravel(), minlength=self.cells * len(ORIGINS))
        shown = shown[: self.cells * len(ORIGINS)].reshape(self.cells, len(ORIGINS))
        faded, mine = self.chances(table, None)
        if self.homes > 1:
            faded, mine = np.tile(faded, (self.homes, 1)), np.tile(mine, (self.homes, 1))
        # Of faded evidence only the part that speaks of this household teaches something.
        counts = (shown * mine / faded).reshape(-1, self.values, len(ORIGINS)).sum(axis=0)
        if self.item.lists:
            counts[-1] += (number * looked)[self.missing].sum(axis=0)
        return np.asarray(counts)


class _Sampler:
    def __init__(self, votes: Votes, seed: int, without: Collection[str]) -> None:
        self._dice = np.random.default_rng(seed)
        self._votes = votes
        told = [
            item
            for item in items().values()
            if item.family not in without and (votes.values[item.name] != UNSEEN).any()
        ]
        self._front = next((item for item in told if item.name == FRONT), None)
        columns = [votes.values[i.name] for i in told] + [votes.fresh[i.name] for i in told]
        cases = np.column_stack([*columns, votes.home]) if len(votes) else np.zeros((0, 1), np.int8)
        patterns, pattern = np.unique(cases, axis=0, return_inverse=True)
        self._pattern = pattern.ravel()
        places = list(patterns.T.astype(np.int64))
        values = dict(zip((item.name for item in told), places, strict=False))
        self._listed = np.zeros(len(patterns), dtype=bool)
        for item in told:
            if item.lists:
                self._listed |= values[item.name] != UNSEEN
        self._views = [
            _Views(item, values[item.name], places[len(told) + k], places[-1], self._listed)
            for k, item in enumerate(told)
        ]
        # A scan that names the silent leaves nothing to guess: who is on no list was not looked at.
        silent_named = FRONT in values and self._most_silent(votes.values[FRONT])
        self._guessing = not silent_named and any(item.lists for item in told)
        self._sources = np.bincount(self._pattern, minlength=len(patterns))
        self._sent = np.bincount(self._pattern, weights=votes.messages, minlength=len(patterns))
        self._sent_squared = np.bincount(
            self._pattern, weights=votes.messages.astype(float) ** 2, minlength=len(patterns)
        )
        networks, network = np.unique(votes.network, return_inverse=True)
        self._networks = len(networks)
        cell, place = np.unique(network.ravel() * len(patterns) + self._pattern, return_inverse=True)
        self._cell_network, self._cell_pattern = cell // max(1, len(patterns)), cell % max(1, len(patterns))
        self._cell_sent = np.bincount(place.ravel(), weights=votes.messages, minlength=len(cell))

    @staticmethod
    def _most_silent(fronts: NDArray[np.int8]) -> bool:
        """Whether the scans name the silent: of homes, most are. One silent line among many answers is no such scan."""
        return bool(2 * (fronts == SILENT).sum() >= (fronts != UNSEEN).sum())

    def run(self, sweeps: int, start: Mixture | None = None) -> Mixture:
        shares = PRIOR / PRIOR.sum() if start is None else start.shares.mean(axis=0)
        tables = {
            view.item.name: (view.item.table if start is None else start.tables[view.item.name]).copy()
            for view in self._views
        }
        covered = FIRST_COVERED
        burn_in = BURN_IN if start is None else SHORT_BURN_IN
        backgrounds = self._drawn_backgrounds()
        total = np.zeros((len(self._sources), len(ORIGINS)))
        mean = {name: np.zeros_like(table) for name, table in tables.items()}
        kept = []
        for sweep in range(burn_in + sweeps):
            logs, looked = self._logs(tables, covered, backgrounds)
            logs += np.log(shares)
            p = np.exp(logs - logs.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            number = self._dice.multinomial(self._sources, p).astype(np.float64)
            if sweep >= burn_in:
                total += p
                kept.append(self._volume(p))
                for name, table in tables.items():
                    mean[name] += table
            shares = self._shares(number.sum(axis=0))
            covered = self._covered(number, looked)
            tables = self._tables(tables, number, looked)
            backgrounds = self._drawn_backgrounds()
        return Mixture(
            (total / sweeps)[self._pattern],
            np.array(kept),
            {name: table / sweeps for name, table in mean.items()},
        )

    def _shares(self, number: Floats) -> Floats:
        """The shares given who is what. Things themselves and relays are split apart from the rest: where nothing seen
        parts the two, the split stays its prior's, and neither takes all."""
        whole = self._dice.dirichlet(
            np.r_[PRIOR[THING].sum(), PRIOR[~THING]] + np.r_[number[THING].sum(), number[~THING]]
        )
        relays = self._dice.beta(SPLIT + number[1], SPLIT + number[0])
        shares = np.r_[whole[0] * (1 - relays), whole[0] * relays, whole[1:]]
        return np.asarray(np.maximum(shares, 1e-9))

    def _logs(
        self, tables: dict[str, Floats], covered: float, backgrounds: Floats | None
    ) -> tuple[Floats, Floats]:
        """Log-likelihoods of every pattern, and the chance that one on no list was looked at."""
        logs = np.zeros((len(self._sources), len(ORIGINS)))
        silent = np.zeros_like(logs)
        per_family: dict[str, list[Floats]] = {}
        for view in self._views:
            cells = view.logs(tables[view.item.name], backgrounds)
            per_family.setdefault(view.item.family, []).append(cells[view.voting])
            if self._guessing and view.item.lists:
                # Not centred: the chance of silence itself is compared with that of not being looked at.
                chance = view.chances(tables[view.item.name], backgrounds)[0]
                whole = np.concatenate([np.log(chance), np.zeros((1, len(ORIGINS)))])
                silent += whole[view.silent]
        for family in per_family.values():
            logs += family_logs(family)
        if not self._guessing:
            return logs, np.broadcast_to(self._listed[:, None], logs.shape).astype(np.float64)
        looked = np.where(self._listed[:, None], 1.0, covered * np.exp(silent))
        missed = np.where(self._listed[:, None], 0.0, 1 - covered)
        return logs + capped(np.log(looked + missed)), looked / (looked + missed)

    def _volume(self, p: Floats) -> Floats:
        """One draw of every origin's share of messages, given the chances of each pattern."""
        mean = self._sent @ p
        # Which sources it was is drawn too; the sum over many is near normal. Mistakes within a network go together,
        # so they weigh more than as many independent ones (the design effect of cluster sampling).
        doubt = p * (1 - p)
        alone = self._sent_squared @ doubt
        together = self._cell_sent[:, None] * np.sqrt(doubt)[self._cell_pattern]
        by_network = np.zeros((self._networks, len(ORIGINS)))
        np.add.at(by_network, self._cell_network, together)
        variance = (1 - SHARED_ERROR) * alone + SHARED_ERROR * (by_network**2).sum(axis=0)
        drawn = np.maximum(mean + np.sqrt(variance) * self._dice.standard_normal(len(ORIGINS)), 0.0)
        total = drawn.sum()
        return np.asarray(drawn / total if total else PRIOR / PRIOR.sum())

    def _covered(self, number: Floats, looked: Floats) -> float:
        # A stale line says which household was scanned, not that this one was; still its address was.
        covered = float((number * looked).sum())
        return float(np.clip(self._dice.beta(1 + covered, 1 + self._sources.sum() - covered), 0.02, 0.98))

    def _tables(self, before: dict[str, Floats], number: Floats, looked: Floats) -> dict[str, Floats]:
        after = {}
        for view in self._views:
            item = view.item
            counts = view.counts(before[item.name], number, looked)
            if item.homes_alike:
                counts[:, HOMES] = counts[:, HOMES].sum(axis=1, keepdims=True)
            most = np.full(len(ORIGINS), LEARNT[item.quality])
            # Phones and servers are few: a column of theirs would soon describe some corner of the largest class.
            most[RARE] = LEARNT["L"]
            counts *= most / (most + counts.sum(axis=0))
            table = self._dice.standard_gamma(STRENGTH[item.quality] * item.table + counts)
            if item.homes_alike:
                table[:, HOMES] = table[:, :1]
            after[item.name] = np.maximum(table / table.sum(axis=0), 1e-6)
        return after

    def _drawn_backgrounds(self) -> Floats | None:
        """The front's nat_pc column for each home group, drawn around what its neighbours show."""
        if self._front is None:
            return None
        base = self._front.table[:, NAT_PC]
        strength = STRENGTH[self._front.quality]
        drawn = []
        for things, scanned in self._votes.backgrounds:
            if not scanned:
                return None
            thing = self._dice.beta(strength * base[0] + things, strength * (1 - base[0]) + scanned - things)
            drawn.append([thing, *(base[1:] / base[1:].sum() * (1 - thing))])
        return np.array(drawn)


def family_logs(members: list[Floats]) -> Floats:
    """The summed log-likelihood of one family, of centred members: the strongest, and a third of each other, capped."""
    if len(members) == 1:
        return members[0]
    stacked = np.stack(members)
    strongest = np.ptp(stacked, axis=2).argmax(axis=0)
    first = np.take_along_axis(stacked, strongest[None, :, None], axis=0)[0]
    summed = first + REST * (stacked.sum(axis=0) - first)
    return np.asarray(capped(summed))


def item_logs(table: Floats, value: int, fresh: float) -> Floats:
    """The capped log-likelihood of one value, to show a source's evidence piece by piece."""
    chance = fresh * table[value] + (1 - fresh) * table[value, NAT_PC]
    return np.asarray(capped(np.log(chance)))
