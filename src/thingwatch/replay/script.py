"""When everything happens: every delivery of the replay as one row of numbers, in received order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from thingwatch.replay import cast
from thingwatch.replay.cast import Numbers
from thingwatch.replay.letters import lures
from thingwatch.replay.words import seed_for

KINDS = (
    "campaign", "botnet", "snowshoe", "newsletter", "personal", "transactional", "list", "bounce",
    "chain-letter", "forward",
)  # fmt: skip
CAMPAIGN, BOTNET, SNOWSHOE, NEWSLETTER, PERSONAL, TRANSACTIONAL, LIST, BOUNCE, CHAIN, FORWARD = range(10)

MAILS_AT_FULL_SCALE = 750_000  # of the attack, and once more of all other mail
SOURCES_AT_FULL_SCALE = 102_000
FEWEST_SOURCES = 500
WAVES = 8
HOURS_BETWEEN_WAVES = 47
SECOND = 1_000_000  # microseconds
HOUR = 3600 * SECOND
FIRST = int(datetime(2013, 12, 23, tzinfo=UTC).timestamp()) * SECOND
DAYS = 15  # to the end of 6 January 2014
STRAGGLERS = 0.001  # of the attack: mails that a greylist made wait
# Shares of the other mail; personal mail is the rest, about 60 %.
SHARES = {
    BOTNET: 0.08,
    NEWSLETTER: 0.14,
    TRANSACTIONAL: 0.075,
    LIST: 0.04,
    SNOWSHOE: 0.035,
    BOUNCE: 0.02,
    CHAIN: 0.01,
}
BRANDS, SHOPS, LISTS, SNOW_SERVERS = 14, 30, 12, 200
BIGGEST_BURST = 0.57  # of all newsletters: 8 % of the other mail in one run

CUE = np.dtype([
    ("at", "i8"),  # microseconds since 1970, UTC
    ("kind", "u1"), ("run", "i2"), ("lure", "i2"), ("wave", "i1"), ("actor", "i4"), ("receiver", "i4"),
    ("address", "i8"),  # consumer address of the source, 0 where the actor has servers
    ("aux", "i4"),
])  # fmt: skip
Cues = npt.NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Wave:
    """One run of an attack: the main body, without the stragglers that follow it."""

    number: int
    start: int  # microseconds since 1970, of the first mail
    end: int  # of the last one
    messages: int  # with stragglers


@dataclass(frozen=True, slots=True)
class Script:
    """All cues, and what else the border will see."""

    cues: Cues
    waves: tuple[Wave, ...]
    refusals: Cues  # connections the border turned away: at, address, aux (0 listed, 1 greylisted), receiver
    runs: tuple[int, ...]  # newsletter run -> brand


def _rows(count: int, kind: int) -> Cues:
    rows = np.zeros(count, dtype=CUE)
    rows["kind"] = kind
    rows["run"] = rows["lure"] = rows["wave"] = -1
    return rows


def _curve() -> npt.NDArray[np.float64]:
    """How busy each hour of the period is: people sleep, and feast."""
    hour = np.arange(24)
    day = 0.25 + np.clip(np.sin((hour - 5) / 18 * np.pi), 0, None) + 0.35 * np.exp(-((hour - 10) ** 2) / 8)
    # 23 December 2013 was a Monday.
    factor = [1, 0.7, 0.45, 0.5, 0.75, 0.5, 0.5, 0.85, 0.6, 0.4, 0.8, 0.85, 0.55, 0.6, 1]
    weights = np.concatenate([day * one for one in factor])
    return np.asarray(weights / weights.sum())


def _clock(count: int, dice: np.random.Generator, sharpness: float = 1.0) -> Numbers:
    """Times that follow people's days; above 1 *sharpness* deepens the nights."""
    weights = _curve() ** sharpness
    hours = dice.choice(DAYS * 24, size=count, p=weights / weights.sum())
    return np.asarray(FIRST + ((hours + dice.random(count)) * HOUR).astype(np.int64))


def _caps(total: int, sources: int, dice: np.random.Generator) -> Numbers:
    """Mails per source: uneven, at most ten, *total* in all."""
    counts = 1 + dice.binomial(cast.MOST_MAILS_PER_SOURCE - 1, dice.beta(3.2, 1.4, sources))
    while (gap := total - int(counts.sum())) != 0:
        movable = np.flatnonzero(counts < cast.MOST_MAILS_PER_SOURCE if gap > 0 else counts > 1)
        chosen = dice.permutation(movable)[: abs(gap)]
        counts[chosen] += 1 if gap > 0 else -1
    return np.asarray(counts)


def _attack(
    total: int, pool: Numbers, people: cast.Cast, dice: np.random.Generator
) -> tuple[Cues, list[Wave], Cues]:
    rows = _rows(total, CAMPAIGN)
    sources = len(pool)
    source = np.repeat(np.arange(sources), _caps(total, sources, dice))
    # A source takes part in several waves, most in about half of them.
    active = dice.random((sources, WAVES)) < dice.beta(2, 2.2, (sources, 1))
    rank = np.argsort(dice.random((sources, WAVES)) + 2.0 * ~active, axis=1)
    turns = np.maximum(active.sum(axis=1), 1)
    wave = rank[source, (dice.random(total) * turns[source]).astype(int)]
    group, member = np.unique(source * WAVES + wave, return_inverse=True)

    start = np.array([
        FIRST + 6.4 * HOUR + number * HOURS_BETWEEN_WAVES * HOUR + dice.normal(0, 9 * 60) * SECOND
        for number in range(WAVES)
    ])  # fmt: skip
    length = dice.uniform(50, 75, WAVES) * 60 * SECOND
    place = dice.beta(1.25, 1.5, len(group))[member] * length[wave]
    pause = dice.exponential(45, total) * SECOND
    inside = np.where(place + pause < length[wave], place + pause, place)
    at = (start[wave] + inside).astype(np.int64)

    names = lures("thing")
    # Each wave pushes two or three lures and lets the others trickle.
    weights = np.array(
        [dice.dirichlet(np.full(len(names), 1.1)) * 0.85 + 0.15 / len(names) for _ in range(WAVES)]
    )
    edges = weights.cumsum(axis=1)
    throw = np.where(dice.random(total) < 0.75, dice.random(len(group))[member], dice.random(total))
    lure = np.minimum((throw[:, None] > edges[wave]).sum(axis=1), len(names) - 1)

    late = dice.permutation(total)[: round(total * STRAGGLERS)]
    on_time = np.ones(total, dtype=bool)
    on_time[late] = False
    refused = _rows(len(late), CAMPAIGN)
    refused["at"], refused["aux"], refused["address"] = at[late], 1, pool[source[late]]
    ends = np.array([at[on_time & (wave == number)].max(initial=0) for number in range(WAVES)])
    at[late] = ends[wave[late]] + (dice.uniform(4, 22, len(late)) * 60 * SECOND).astype(np.int64)

    rows["at"], rows["run"], rows["lure"], rows["wave"], rows["actor"] = at, 0, lure, wave, source
    rows["receiver"] = dice.integers(0, people.receivers, total)
    refused["receiver"] = rows["receiver"][late]
    rows["address"] = pool[source]
    things = dice.random(sources) < people.things
    rows["aux"] = things[source]
    waves = [
        Wave(
            number,
            int(at[on_time & (wave == number)].min(initial=2**62)),
            int(ends[number]),
            int((wave == number).sum()),
        )
        for number in range(WAVES)
        if (on_time & (wave == number)).any()
    ]
    return rows, waves, refused


def _newsletters(total: int, people: cast.Cast, dice: np.random.Generator) -> tuple[list[Cues], list[int]]:
    brands = [0]
    for brand in range(BRANDS):
        brands += [brand] * int(dice.integers(1 if brand else 0, 4))
    small = dice.lognormal(0, 0.8, len(brands) - 1)
    shares = np.concatenate([[BIGGEST_BURST], (1 - BIGGEST_BURST) * small / small.sum()])
    parts = []
    for run, (brand, share) in enumerate(zip(brands, shares, strict=True)):
        count = max(2, round(total * share))
        rows = _rows(count, NEWSLETTER)
        day, hour = dice.integers(0, DAYS), dice.uniform(6, 17)
        minutes = dice.uniform(25, 60) + 60 * share * 2
        rows["at"] = (
            FIRST
            + int((day * 24 + hour) * HOUR)
            + (dice.beta(1.1, 1.6, count) * minutes * 60 * SECOND).astype(np.int64)
        )
        rows["run"], rows["actor"] = run, brand
        rows["receiver"] = dice.permutation(max(people.receivers, count))[:count]
        parts.append(rows)
    return parts, brands


def _everyday(kind: int, count: int, actors: int, people: cast.Cast, dice: np.random.Generator) -> Cues:
    rows = _rows(count, kind)
    rows["at"] = _clock(count, dice)
    rows["actor"] = (actors * dice.random(count) ** 1.8).astype(np.int64)
    rows["receiver"] = dice.integers(0, people.receivers, count)
    rows["aux"] = dice.integers(0, 2**31 - 1, count)
    return rows


def _botnet(count: int, pool: Numbers, people: cast.Cast, dice: np.random.Generator) -> Cues:
    rows = _rows(count, BOTNET)
    spare = max(FEWEST_SOURCES // 4, count // 6)
    fresh = cast.draw_addresses(max(1, round(spare * (1 - cast.SHARED_HOMES))), dice, pool)
    shared = dice.permutation(pool)[: max(1, round(spare * cast.SHARED_HOMES))]
    own = np.concatenate([fresh, shared])
    rows["at"] = _clock(count, dice, 1.6)
    rows["actor"] = dice.integers(0, len(own), count)
    rows["address"] = own[rows["actor"]]
    # A lure stays in fashion for some days.
    days = (rows["at"] - FIRST) // (24 * HOUR)
    fashion = (days + dice.integers(-3, 4, count)) * len(lures("botnet")) // DAYS
    rows["lure"] = np.clip(fashion, 0, len(lures("botnet")) - 1)
    rows["run"] = 1
    rows["receiver"] = dice.integers(0, people.receivers, count)
    return rows


def _snowshoe(count: int, people: cast.Cast, dice: np.random.Generator) -> Cues:
    rows = _rows(count, SNOWSHOE)
    rows["at"] = FIRST + (dice.random(count) * DAYS * 24 * HOUR).astype(np.int64)
    rows["actor"] = dice.integers(0, SNOW_SERVERS, count)
    rows["lure"] = dice.integers(0, len(lures("snowshoe")), count)
    rows["run"] = 2
    rows["receiver"] = dice.integers(0, people.receivers, count)
    rows["aux"] = dice.integers(0, 8, count)
    return rows


def _chain(count: int, people: cast.Cast, dice: np.random.Generator) -> Cues:
    rows = _everyday(CHAIN, count, people.people, people, dice)
    # It spreads: two draws, the later one counts.
    rows["at"] = np.maximum(rows["at"], _clock(count, dice))
    rows["actor"] = dice.permutation(max(people.people, count))[:count] % people.people
    rows["lure"] = 0
    depth = (rows["at"] - FIRST) // (36 * HOUR)
    rows["aux"] = 1 + np.clip(depth + dice.integers(-1, 2, count), 0, 9)
    return rows


def _echoes(count: int, kind: int, waves: list[Wave], people: cast.Cast, dice: np.random.Generator) -> Cues:
    """Mail that answers the attack: bounces of forged senders within hours, questions within a day."""
    rows = _everyday(kind, count, people.people if kind == FORWARD else 400, people, dice)
    which = dice.integers(0, len(waves), count)
    begins = np.array([wave.start for wave in waves])[which]
    delay = dice.exponential(1.2 if kind == BOUNCE else 7.0, count) * HOUR + 300 * SECOND
    echo = np.ones(count, dtype=bool) if kind == FORWARD else dice.random(count) < 0.5
    rows["at"] = np.where(
        echo, np.minimum(begins + delay.astype(np.int64), FIRST + DAYS * 24 * HOUR - SECOND), rows["at"]
    )
    rows["lure"] = np.where(echo, dice.integers(0, len(lures("thing")), count), -1)
    rows["wave"] = -1
    return rows


def write_script(people: cast.Cast) -> Script:
    """Every delivery for the seed and scale of *people*."""
    dice = np.random.default_rng(seed_for("script", people.seed, people.scale))
    total = max(WAVES, round(MAILS_AT_FULL_SCALE * people.scale))
    sources = min(total, max(FEWEST_SOURCES, round(SOURCES_AT_FULL_SCALE * people.scale)))
    pool = cast.draw_addresses(sources, dice)
    attack, waves, refused = _attack(total, pool, people, dice)
    count = {kind: max(4, round(total * share)) for kind, share in SHARES.items()}
    letters, brands = _newsletters(count[NEWSLETTER], people, dice)
    parts = [attack, *letters]
    parts.append(_botnet(count[BOTNET], pool, people, dice))
    parts.append(_snowshoe(count[SNOWSHOE], people, dice))
    parts.append(_everyday(TRANSACTIONAL, count[TRANSACTIONAL], SHOPS, people, dice))
    parts.append(_everyday(LIST, count[LIST], LISTS, people, dice))
    parts.append(_echoes(count[BOUNCE], BOUNCE, waves, people, dice))
    parts.append(_chain(count[CHAIN], people, dice))
    parts.append(_echoes(max(5, round(40 * people.scale)), FORWARD, waves, people, dice))
    others = sum(len(part) for part in parts[1:])
    parts.append(_everyday(PERSONAL, max(1, total - others), people.people, people, dice))
    cues = np.concatenate(parts)
    cues = cues[np.argsort(cues["at"], kind="stable")]

    listed = _rows(max(2, total // 12), CAMPAIGN)
    listed["at"] = FIRST + (dice.random(len(listed)) * DAYS * 24 * HOUR).astype(np.int64)
    listed["address"] = cast.draw_addresses(len(listed), dice, pool)
    listed["receiver"] = dice.integers(0, people.receivers, len(listed))
    refusals = np.concatenate([listed, refused])
    refusals = refusals[np.argsort(refusals["at"], kind="stable")]
    return Script(cues, tuple(waves), refusals, tuple(brands))
