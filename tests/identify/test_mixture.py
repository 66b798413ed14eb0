"""The mixture estimate: right where truth is known, careful where it is not, and not to be swayed by repetition."""

import numpy as np
import pytest
from draws import share_bench

from thingwatch.identify.likelihood import ORIGINS, THING, UNSEEN, items
from thingwatch.identify.mixture import Votes, mixture

SOURCES = 1500


def seen(count: int, **values: np.ndarray | int) -> Votes:
    """Votes of *count* sources, one message each, with these values and nothing else."""
    columns = {name: np.full(count, UNSEEN, np.int8) for name in items()}
    for name, value in values.items():
        columns[name] = np.broadcast_to(np.asarray(value, np.int8), count).copy()
    none = np.zeros(count, np.int8)
    return Votes(
        columns,
        dict.fromkeys(items(), none),
        np.ones(count, np.int64),
        np.zeros(count, np.int64),
        none,
        ((0, 0),),
    )


def interval(votes: Votes, **more: object) -> tuple[float, float, float]:
    low, point, high = np.quantile(mixture(votes, 1, **more).things, [0.05, 0.5, 0.95])  # type: ignore[arg-type]
    return float(low), float(point), float(high)


def place(item: str, value: str) -> int:
    return items()[item].values.index(value)


def test_the_share_is_found_and_its_interval_means_what_it_says() -> None:
    """With a table that is off, and evidence with holes, shares are found to 4 points, and 90 % intervals hold 17 to 20
    of 20 truths (85 to 97 % are asked; bench/share.py measures it on 100 draws of each)."""
    tasks = [
        (share, kind, SOURCES, 0.3, seed)
        for share in (0.25, 0.5)
        for kind in ("full", "partial")
        for seed in range(5)
    ]
    draws = [share_bench.answered(task) for task in tasks]
    assert np.mean([abs(draw.point - draw.truth) for draw in draws]) <= 0.02
    assert max(abs(draw.point - draw.truth) for draw in draws) <= 0.06
    assert sum(draw.low <= draw.truth <= draw.high for draw in draws) >= 17


def test_chances_mean_what_they_say() -> None:
    """Of the sources said to be things with some chance, about that part are: the calibration error is small."""
    draws = [share_bench.answered((0.25, "partial", SOURCES, 0.3, seed)) for seed in range(60, 64)]
    chance = np.concatenate([draw.chance for draw in draws])
    thing = np.concatenate([draw.thing for draw in draws])
    assert share_bench.calibration_error(share_bench.reliability(chance, thing)) <= 0.05


def test_without_things_none_are_invented() -> None:
    """All Windows, each SYN seen, a tenth of the homes with a router's page: at most 3 % things."""
    draws = [share_bench.answered((0.0, "full", SOURCES, 0.3, seed)) for seed in range(4)]
    assert max(draw.high for draw in draws) <= 0.03


def test_a_banner_does_not_make_a_pc_a_thing() -> None:
    """Every address shows a router's page and every connection is Windows': the PC sent it."""
    votes = seen(400, tcp_syn=place("tcp_syn", "windows"), front=place("front", "thing"), smtp_rtt=0)
    assert interval(votes)[2] < 0.05
    found = mixture(votes, 1)
    assert ORIGINS[int(found.p[0].argmax())] == "nat_pc"


def test_a_relay_is_told_from_a_thing_itself() -> None:
    """Small Linux, twice the round trip and a proxy report: through a thing; without them: from the thing."""
    half = 300
    columns = {
        "tcp_syn": np.r_[
            np.full(half, place("tcp_syn", "linux_small")), np.full(half, place("tcp_syn", "windows"))
        ],
        "smtp_rtt": np.r_[np.full(half // 2, 1), np.full(half // 2 + half, 0)],
        "proxy": np.r_[np.full(half // 2, 0), np.full(half // 2 + half, UNSEEN)],
    }
    found = mixture(seen(2 * half, **columns), 1)
    assert found.p[0, 1] > 0.9
    assert found.p[half - 1, 0] > 0.9
    assert found.p[-1, 2] > 0.9


def test_lists_that_name_only_those_found_accuse_nobody_else() -> None:
    """Half the addresses were never scanned: what is said of them follows the SYN of the others, not the silence."""
    count = 1000
    dice = np.random.default_rng(3)
    things = np.arange(count) < 300
    scanned = dice.random(count) < 0.5
    front = np.where(things, dice.random(count) < 0.6, dice.random(count) < 0.08) & scanned
    small, windows = place("tcp_syn", "linux_small"), place("tcp_syn", "windows")
    syn = np.where(dice.random(count) < 0.6, np.where(things, small, windows), UNSEEN)
    _, point, _ = interval(seen(count, tcp_syn=syn, front=np.where(front, 0, UNSEEN)))
    assert abs(point - 0.3) < 0.05


def test_neighbours_exposure_excuses() -> None:
    """Where four in ten homes show a thing, a banner is worth far less than where one in a hundred does."""
    count = 900
    dice = np.random.default_rng(4)
    stack = np.where(np.arange(count) < 225, place("tcp_syn", "linux_small"), place("tcp_syn", "windows"))
    stack[dice.random(count) < 0.5] = UNSEEN
    votes = seen(count, tcp_syn=stack, front=np.where(dice.random(count) < 0.4, 0, 2))

    def gain(things: int) -> float:
        """How much likelier a banner makes a source whose SYN nobody saw."""
        known = Votes(
            votes.values, votes.fresh, votes.messages, votes.network, votes.home, ((things, 10_000),)
        )
        p = mixture(known, 1).p[:, THING].sum(axis=1)
        blind = stack == UNSEEN
        return float(
            p[blind & (votes.values["front"] == 0)].mean() - p[blind & (votes.values["front"] == 2)].mean()
        )

    assert gain(4000) < gain(100) - 0.2


def test_what_all_share_tells_nothing_of_one() -> None:
    """A campaign of a quarter small Linux is a quarter things by its SYNs alone, and a HELO that all share changes
    nothing: a table that could learn freely would say that PCs run small Linux, and that nobody is a thing."""
    count = 800
    stack = np.where(np.arange(count) < 200, place("tcp_syn", "linux_small"), place("tcp_syn", "windows"))
    without = interval(seen(count, tcp_syn=stack))
    with_helo = interval(seen(count, tcp_syn=stack, helo=place("helo", "bare")))
    assert abs(without[1] - 0.25) < 0.05
    assert abs(without[1] - with_helo[1]) < 0.02


def test_equal_seeds_give_equal_answers() -> None:
    """The sampler's dice are seeded: the same votes give the same numbers, to the last bit."""
    votes, _ = share_bench.drawn(0.25, "partial", 500, 0.3, 9)
    assert np.array_equal(mixture(votes, 5).shares, mixture(votes, 5).shares)
    assert not np.array_equal(mixture(votes, 5).shares, mixture(votes, 6).shares)


def test_shares_are_shares() -> None:
    """Each draw of the shares adds up to one, and every source's chances do."""
    votes, _ = share_bench.drawn(0.5, "partial", 400, 0.3, 2)
    found = mixture(votes, 1)
    assert np.allclose(found.shares.sum(axis=1), 1)
    assert np.allclose(found.p.sum(axis=1), 1)
    assert (found.p >= 0).all()


def test_a_family_can_be_left_out() -> None:
    """Without its family an item has no say, and without sender and front only the prior is left, widely."""
    votes, _ = share_bench.drawn(0.25, "full", 800, 0.3, 3)
    everything = interval(votes)
    left = mixture(votes, 1, ("transport",))
    assert "tcp_syn" not in left.tables
    low, _, high = interval(votes, without=("transport", "timing", "banner", "proxy", "compromise"))
    assert high - low > 2 * (everything[2] - everything[0])


def test_old_evidence_counts_for_less() -> None:
    """A banner from another month moves a source hardly at all; a fresh one does."""
    votes = seen(2, front=place("front", "thing"), rdns=0)
    votes.fresh["front"] = np.array([0, 7], np.int8)
    p = mixture(votes, 1).p[:, THING].sum(axis=1)
    assert p[0] > p[1] + 0.1


@pytest.mark.parametrize("count", [0, 1, 2])
def test_hardly_any_sources(count: int) -> None:
    """A campaign of no or few sources gives an answer, wide, and no error."""
    found = mixture(seen(count, tcp_syn=place("tcp_syn", "windows")), 1)
    assert found.p.shape == (count, len(ORIGINS))
    assert np.allclose(found.shares.sum(axis=1), 1)
