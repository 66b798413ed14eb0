"""What the border's own instruments saw of each connection: p0f's log, and round trips."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from thingwatch.replay.cast import Numbers
from thingwatch.replay.homes import MOBILE, MOBILE_LINE, ORIGINS, SERVER, column
from thingwatch.replay.lots import Flags, Shares, chances, chosen, lots
from thingwatch.replay.script import SECOND
from thingwatch.replay.sources import Sources
from thingwatch.replay.words import seed_for

BORDER = "192.0.2.25/25"  # RFC 5737
CHUNK = 200_000  # lines joined in one go
# Segment sizes a line leaves room for: Ethernet, PPPoE, a tunnel; and what carriers' networks leave of it.
LINE_MSS, LINE_MSS_WEIGHTS = (1460, 1452, 1412, 1440), (0.52, 0.36, 0.06, 0.06)
MOBILE_MSS, MOBILE_MSS_WEIGHTS = (1400, 1370, 1360, 1460), (0.4, 0.25, 0.2, 0.15)


@cache
def stacks() -> tuple[dict[str, Any], ...]:
    """The systems of stacks.toml."""
    text = resources.files("thingwatch.replay").joinpath("stacks.toml").read_text("utf-8")
    return tuple(tomllib.loads(text)["stack"])


def joined(*parts: Any) -> pa.Array:
    """Texts and constants side by side as one array of texts."""
    return pc.binary_join_element_wise(
        *(part if isinstance(part, str) else pa.array(part, pa.string()) for part in parts), ""
    )


def moments(at: Numbers, form: str) -> pa.Array:
    """Times as text; *at* in microseconds since 1970, UTC."""
    seconds, which = np.unique(np.asarray(at) // SECOND, return_inverse=True)
    texts = pc.strftime(pa.array(seconds, pa.int64()).cast(pa.timestamp("s")), format=form)
    return texts.take(pa.array(which))


def stack_of(sources: Sources, seed: int) -> Numbers:
    """The row of stacks.toml each source connects with; a machine in two campaigns has one."""
    weights = np.array([one["weights"] for one in stacks()], dtype=float)
    lot = lots(sources.address, seed, "stack")
    found = np.zeros(len(sources), dtype=np.int64)
    for origin in range(len(ORIGINS) - 1):
        which = sources.origin == origin
        found[which] = chosen(lot[which], weights[:, origin])
    return found


def _segments(sources: Sources, seed: int) -> Numbers:
    kind = sources.homes.line_type[sources.home]
    # A provider's lines are much alike: nine in ten follow their /16.
    own = lots(sources.address, seed, "mss apart") < 0.1
    throw = np.where(
        own, lots(sources.address, seed, "mss"), lots(sources.address >> 16, seed, "mss of network")
    )
    fixed = np.array(LINE_MSS)[chosen(throw, LINE_MSS_WEIGHTS)]
    mobile = np.array(MOBILE_MSS)[chosen(throw, MOBILE_MSS_WEIGHTS)]
    carried = (kind == MOBILE_LINE) | (sources.origin == MOBILE)
    rented = (sources.origin == SERVER) & (sources.homes.line[sources.home] < 0)
    return np.asarray(np.where(rented, 1460, np.where(carried, mobile, fixed)))


def _tails(sources: Sources, seed: int) -> npt.NDArray[np.object_]:
    """The part of each source's p0f lines that never changes."""
    known = stacks()
    rows = stack_of(sources, seed).tolist()
    hops = (5 + lots(sources.address >> 16, seed, "hops") * 14).astype(int)
    # Behind a home's translator one hop more; a router that sends itself has none.
    hops = (hops + (lots(sources.address, seed, "behind") < 0.7)).tolist()
    tails = []
    for row, dist, mss in zip(rows, hops, _segments(sources, seed).tolist(), strict=True):
        one = known[row]
        size = f"4:{one['ttl'] - dist}+{dist}:0:{mss}:{one['window']},{one['scale']}"
        tails.append(
            f"|srv={BORDER}|subj=cli|os={one['os']}|dist={dist}|params=none"
            f"|raw_sig={size}:{one['options']}:{one['quirks']}:0\n"
        )
    return np.array(tails, dtype=object)


def write_p0f(sources: Sources, seed: int, path: Path, share: float) -> int:
    """p0f.log in the form of p0f 3: a line per connection of the sources in *share*; lines written."""
    seen = lots(sources.address, seed, "syn") < share
    mails = np.flatnonzero(seen[sources.mail_source])
    several = lots(sources.address, seed, "sharing") < column(chances()["reports"]["sharing"], sources.origin)
    shared = np.flatnonzero(several & seen)
    source = np.concatenate([sources.mail_source[mails], shared])
    # The border takes a moment between the connection and the mail.
    wait = lots(mails, seed, "wait") * 4 * SECOND
    at = np.concatenate([sources.mail_at[mails] - wait.astype(np.int64), sources.first[shared]])
    port = (1025 + lots(np.arange(len(at)), seed, "port") * 64_000).astype(int)
    kind = np.concatenate([np.zeros(len(mails), dtype=int), np.ones(len(shared), dtype=int)])
    reasons = np.array(["os_sig", "tstamp", "os_sig tstamp", "ttl"], dtype=object)
    reason = reasons[(lots(sources.address, seed, "why") * len(reasons)).astype(int)]
    tails = np.concatenate([
        _tails(sources, seed),
        f"|srv={BORDER}|subj=cli|reason=" + reason + "|raw_hits=2,1,0,0\n",
    ])  # fmt: skip
    order = np.argsort(at // SECOND, kind="stable")
    mods = np.array(["] mod=syn|cli=", "] mod=ip sharing|cli="], dtype=object)
    with path.open("wb", buffering=1 << 20) as out:
        for first in range(0, len(order), CHUNK):
            rows = order[first : first + CHUNK]
            text = joined(
                "[", moments(at[rows], "%Y/%m/%d %H:%M:%S"), mods[kind[rows]], sources.text[source[rows]], "/",
                port[rows].astype(str), tails[source[rows] + kind[rows] * len(sources)],
            )  # fmt: skip
            put(text, out)
    return len(order)


def put(text: pa.Array, out: Any) -> None:
    """Write all texts of an array, one after the other."""
    if len(text):
        ends = np.frombuffer(text.buffers()[1], dtype=np.int32)
        out.write(memoryview(text.buffers()[2])[int(ends[text.offset]) : int(ends[text.offset + len(text)])])


def round_trips(sources: Sources, seed: int) -> tuple[Shares, Shares]:
    """(SMTP round trip over TCP round trip, their difference in milliseconds) of each source."""
    dice = np.random.default_rng(seed_for("round trips", seed))
    count = len(sources)
    far: Flags = lots(sources.address, seed, "far") < column(chances()["timing"]["far"], sources.origin)
    ratio = np.where(far, 2 + dice.gamma(2.0, 0.9, count), np.exp(np.abs(dice.normal(0, 0.18, count))))
    away = 40 + dice.exponential(110, count)
    near = np.abs(dice.normal(4, 9, count))
    # A far answer of an honest machine is a slow program, often with little beyond.
    relay = sources.origin == ORIGINS.index("thing_relay")
    slow = dice.exponential(45, count) + 10
    extra = np.where(far, np.where(relay, away, slow), near)
    return np.minimum(np.where(far, ratio, np.minimum(ratio, 1.95)), 30), extra


def write_timing(sources: Sources, seed: int, path: Path, share: float) -> int:
    """timing.jsonl: the round trips of the sources in *share*, at their first and mostly at their last mail."""
    ratio, extra = round_trips(sources, seed)
    seen = np.flatnonzero(lots(sources.address, seed, "timed") < share)
    again = seen[(sources.messages[seen] > 2) & (lots(sources.address[seen], seed, "timed again") < 0.6)]
    source = np.concatenate([seen, again])
    at = np.concatenate([sources.first[seen], sources.last[again]])
    # Two measurements of one path differ a little.
    sway = 1 + 0.06 * (lots(np.arange(len(source)), seed, "sway") - 0.5)
    order = np.argsort(at, kind="stable")
    source, at, sway = source[order], at[order], sway[order]
    values = pc.binary_join_element_wise(
        _decimals(np.maximum(ratio[source] * sway, 1), 2), _decimals(extra[source] * sway, 0), " "
    )
    text = joined(
        '{"ip": "', sources.text[source], '", "time": "', moments(at, "%Y-%m-%dT%H:%M:%SZ"),
        '", "kind": "smtp.rtt", "value": "', values, '", "source": "border"}\n',
    )  # fmt: skip
    with path.open("wb", buffering=1 << 20) as out:
        put(text, out)
    return len(source)


def _decimals(numbers: Shares, places: int) -> pa.Array:
    return pa.array([f"{number:.{places}f}" for number in numbers.tolist()])
