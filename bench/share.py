"""How good is the estimated share of things? Draws with known truth, through the same estimator as `uncover`.

    python bench/share.py [--draws 100] [--evidence full] [--sources 2500] [--error 0.3] [--svg docs/reliability.svg]

Each draw makes the sources of one campaign: their true origins, and what is seen of them. What is seen is drawn from a
likelihood table of its own: every entry of the shipped one times exp(normal(0, error)), each column added up to 1
again, and another home exposure in each network; so the estimator's table is wrong in each draw, and differently.
Scans, proxy and infection lists name only those they found, as real ones do, and the estimator is not told whom they
looked at. Three kinds of evidence:

- full: SYN and timing of every source, scans and lists of all addresses;
- partial: SYN of 60 %, timing of 40 %, scans and lists of 45 %, 4 % of the scans a month old and of another household;
- headers: HELO and PTR only.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thingwatch.identify.likelihood import FRESHNESS, ORIGINS, THING, UNSEEN, Floats, items
from thingwatch.identify.mixture import Votes, mixture

SHARES = (0.0, 0.05, 0.25, 0.5, 1.0)
EVIDENCE = {"full": (1.0, 1.0, 1.0, 0.0), "partial": (0.6, 0.4, 0.45, 0.04), "headers": (0.0, 0.0, 0.0, 0.0)}
OTHERS = (0.86, 0.06, 0.08)  # nat_pc, mobile and server among the sources that are no things
HEAD = (
    "evidence", "true share", "draws", "90 % covers", "mean error", "mean abs. error", "largest", "mean width",
    "upper end: mean, largest", "above 3 %", "ECE", "Brier",
)  # fmt: skip
NETWORKS = 120
BINS = 10


class Draw(NamedTuple):
    """One campaign's truth and answer."""

    truth: float
    low: float
    point: float
    high: float
    chance: Floats  # of being a thing, source by source
    thing: NDArray[np.bool_]


def drawn(
    share: float, evidence: str, sources: int, error: float, seed: int
) -> tuple[Votes, NDArray[np.intp]]:
    """The votes and true origins of one campaign."""
    dice = np.random.default_rng(seed)
    tables = {}
    for item in items().values():
        off = item.table * np.exp(dice.normal(0, error, item.table.shape))
        tables[item.name] = off / off.sum(axis=0)
    things = round(share * sources)
    relays = dice.uniform(0.2, 0.7)
    origin = np.r_[
        (dice.random(things) < relays).astype(int), dice.choice([2, 3, 4], sources - things, p=OTHERS)
    ].astype(np.intp)
    weight = 1 / np.arange(1, NETWORKS + 1)
    network = dice.choice(NETWORKS, sources, p=weight / weight.sum())
    values = {name: np.full(sources, UNSEEN, np.int8) for name in items()}
    fresh = {name: np.zeros(sources, np.int8) for name in items()}

    def see(name: str, who: NDArray[np.bool_]) -> None:
        steps = tables[name].cumsum(axis=0)[:, origin]
        value = (dice.random(sources) > steps).sum(axis=0).clip(0, len(tables[name]) - 1)
        values[name][who] = value[who]

    syn, timing, scans, stale = EVIDENCE[evidence]
    see("helo", np.ones(sources, bool))
    see("rdns", np.ones(sources, bool))
    see("tcp_syn", dice.random(sources) < syn)
    see("smtp_rtt", dice.random(sources) < timing)
    covered = dice.random(sources) < scans
    for name in ("front", "proxy", "infection"):
        see(name, covered)
    # Homes of one provider have one kind of router: the exposure of PCs' homes differs by network.
    exposure = np.clip(tables["front"][0, 2] * np.exp(dice.normal(0, 0.5, NETWORKS)), 0.005, 0.4)
    homes = covered & (origin == 2)
    values["front"][homes] = np.where(dice.random(sources) < exposure[network], 0, 2)[homes]
    other = covered & (dice.random(sources) < stale)
    values["front"][other] = np.where(dice.random(sources) < exposure[network], 0, 2)[other]
    fresh["front"][other] = len(FRESHNESS) - 1
    for name in ("front", "proxy", "infection"):
        values[name][values[name] == len(items()[name].values) - 1] = UNSEEN
    messages = dice.integers(1, 11, sources)
    votes = Votes(values, fresh, messages, network, np.zeros(sources, np.int8), ((0, 0),))
    return votes, origin


def answered(task: tuple[float, str, int, float, int]) -> Draw:
    """One draw and what the estimator makes of it."""
    votes, origin = drawn(*task)
    found = mixture(votes, task[4])
    low, point, high = np.quantile(found.things, [0.05, 0.5, 0.95]).tolist()
    thing = THING[origin]
    truth = float(votes.messages[thing].sum() / votes.messages.sum())
    return Draw(truth, low, point, high, found.p[:, THING].sum(axis=1).astype(np.float32), thing)


def reliability(chance: Floats, thing: NDArray[np.bool_]) -> list[tuple[float, float, int]]:
    """Mean chance, share that were things, and sources, in ten bins of equal count."""
    order = np.argsort(chance, kind="stable")
    return [
        (float(chance[part].mean()), float(thing[part].mean()), len(part))
        for part in np.array_split(order, BINS)
    ]


def calibration_error(bins: list[tuple[float, float, int]]) -> float:
    """The expected calibration error: how far chance and truth lie apart, on average over sources."""
    return sum(abs(mean - share) * n for mean, share, n in bins) / sum(n for *_, n in bins)


def rows(
    kinds: Sequence[str], draws: int, sources: int, error: float, pool: ProcessPoolExecutor
) -> Iterator[str]:
    """The table for docs/measure.md, and last the reliability diagram of partial evidence."""
    yield "| " + " | ".join(HEAD) + " |"
    yield "| --- " * len(HEAD) + "|"
    for evidence in kinds:
        chances, truths = [], []
        for share in SHARES:
            tasks = [(share, evidence, sources, error, 7919 * k + round(share * 100)) for k in range(draws)]
            found = list(pool.map(answered, tasks))
            off = np.array([one.point - one.truth for one in found])
            covers = np.mean([one.low <= one.truth <= one.high for one in found])
            width = np.mean([one.high - one.low for one in found])
            high = [one.high for one in found]
            chance = np.concatenate([one.chance for one in found])
            thing = np.concatenate([one.thing for one in found])
            chances.append(chance)
            truths.append(thing)
            ece = calibration_error(reliability(chance, thing))
            brier = float(np.mean((chance - thing) ** 2))
            covered = "n/a" if share in (0.0, 1.0) else f"{covers:.0%}"
            above = "" if share else str(sum(one > 0.03 for one in high))
            yield (
                f"| {evidence} | {share:.0%} | {draws} | {covered} | {off.mean() * 100:+.1f} | "
                f"{np.abs(off).mean() * 100:.1f} | {np.abs(off).max() * 100:.1f} | {width * 100:.1f} | "
                f"{np.mean(high):.1%}, {max(high):.1%} | {above} | {ece:.3f} | {brier:.3f} |"
            )
        bins = reliability(np.concatenate(chances), np.concatenate(truths))
        yield f"| {evidence} | all five | {draws * len(SHARES)} | | | | | | | | {calibration_error(bins):.3f} | |"
        _diagrams[evidence] = bins


_diagrams: dict[str, list[tuple[float, float, int]]] = {}


def diagram(found: dict[str, list[tuple[float, float, int]]]) -> str:
    """The reliability diagram as SVG: chance said against share that were things."""
    size, edge = 320, 46
    colours = {"full": "#0b7266", "partial": "#b9500a", "headers": "#7b776e"}

    def at(x: float, y: float) -> str:
        return f"{edge + x * size:.1f},{edge / 2 + (1 - y) * size:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size + 2 * edge + 90}" height="{size + edge * 1.6:.0f}"'
        ' font-family="sans-serif" font-size="12" fill="#1f1d1a">',
        "<title>Reliability: chance said of being a thing, against the share that were</title>",
        '<rect width="100%" height="100%" fill="#fffdf8"/>',
    ]
    for step in range(0, 11, 2):
        x, y = at(step / 10, 0).split(","), at(0, step / 10).split(",")
        parts.append(
            f'<path d="M{at(step / 10, 0)}L{at(step / 10, 1)}M{at(0, step / 10)}L{at(1, step / 10)}" stroke="#ebe7dc"/>'
        )
        parts.append(f'<text x="{x[0]}" y="{float(x[1]) + 16}" text-anchor="middle">{step * 10} %</text>')
        parts.append(
            f'<text x="{float(y[0]) - 6}" y="{float(y[1]) + 4}" text-anchor="end">{step * 10}</text>'
        )
    parts.append(f'<path d="M{at(0, 0)}L{at(1, 1)}" stroke="#8a857b" stroke-dasharray="4 4"/>')
    for row, (name, bins) in enumerate(found.items()):
        line = " ".join(at(mean, share) for mean, share, _ in bins)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colours[name]}" stroke-width="1.5"/>')
        for mean, share, _ in bins:
            x = at(mean, share).split(",")
            parts.append(f'<circle cx="{x[0]}" cy="{x[1]}" r="3.5" fill="{colours[name]}"/>')
        parts.append(
            f'<text x="{edge + size + 10}" y="{edge + 18 * row}" fill="{colours[name]}">{name}</text>'
        )
    parts.append(
        f'<text x="{edge + size / 2}" y="{size + edge * 1.45:.0f}" text-anchor="middle">'
        "chance said of being a thing</text>"
    )
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Print the table; write the diagram where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--sources", type=int, default=2500)
    parser.add_argument("--error", type=float, default=0.3)
    parser.add_argument("--evidence", choices=tuple(EVIDENCE), action="append")
    parser.add_argument("--svg", type=Path)
    asked = parser.parse_args()
    print(
        f"sources {asked.sources}, table off by exp(normal(0, {asked.error})), origins {', '.join(ORIGINS)}\n"
    )
    with ProcessPoolExecutor() as pool:
        for row in rows(asked.evidence or tuple(EVIDENCE), asked.draws, asked.sources, asked.error, pool):
            print(row, flush=True)
    if asked.svg:
        asked.svg.write_text(diagram(_diagrams), "utf-8")


if __name__ == "__main__":
    main()
