"""The sentences of a report: plain, true to the document, and no surer than it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingwatch.outcome import headline, sentence_of, things_sentence

MESSAGES = 750_000
SHARES: dict[str, tuple[float | None, float | None, float | None]] = {
    "estimated": (0.24, 0.272, 0.31),
    "at most": (0.001, None, 0.016),
    "bounds only": (None, None, None),
    "cannot tell": (None, None, None),
    "not assessed": (None, None, None),
}


def things(status: str, **changes: Any) -> dict[str, Any]:
    """Return what the sentences need of the senders' document of *status*."""
    known = status not in ("cannot tell", "not assessed")
    return {
        "status": status,
        "share_of_messages": dict(zip(("low", "point", "high"), SHARES[status], strict=True)),
        "counts": {"with_sender_evidence": 90_000},
        "bounds": {"low": 0.17, "high": 0.61} if known else {"low": 0.0, "high": 1.0},
    } | changes


def campaign(status: str) -> dict[str, Any]:
    """Return what the headlines need of an attack."""
    return {
        "verdict": "attack",
        "messages": MESSAGES,
        "sources": 102_000,
        "max_per_source": 10,
        "waves": [{}, {}],
        "first_seen": "2013-12-23T09:10:00Z",
        "last_seen": "2014-01-06T20:00:00Z",
        "things": things(status),
    }


def report(campaigns: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the headline needs of a report."""
    days = {"first_seen": "2013-12-23T00:00:00Z", "last_seen": "2014-01-07T00:00:00Z"}
    return {"totals": {"messages": 1_565_000}, "input": days, "campaigns": campaigns}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("estimated", ("about 27 % of the 750,000 messages (24 to 31 %)", "between 17 and 61 % is possible")),
        ("at most", ("at most 2 % of the 750,000 messages", "that any took part is not shown")),
        ("bounds only", ("cannot be told", "covers 12 % of them", "between 17 and 61 % is possible")),
        ("cannot tell", ("cannot be told", "the mail's own headers", "Any share is possible")),
        ("not assessed", ("is not assessed", "TCP fingerprints")),
    ],
)
def test_every_status_has_its_sentence(status: str, words: tuple[str, ...]) -> None:
    """Each status says what is known, what is not, and never a point without its interval."""
    said = things_sentence(things(status), MESSAGES)
    for word in words:
        assert word in said
    assert said.endswith(".")
    assert status == "estimated" or "about" not in said.replace("evidence about", "")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("estimated", " Things sent about 27 % of it (24 to 31 %)."),
        ("at most", " Things sent at most 2 % of it."),
        (
            "bounds only",
            " Which share things sent cannot be told from this evidence: between 17 and 61 % is possible.",
        ),
        ("cannot tell", " Which share things sent cannot be told from this evidence: any share is possible."),
        ("not assessed", ""),
    ],
)
def test_headline(status: str, words: str) -> None:
    """The headline ends in the share of things, in words that fit how sure it is; in nothing if not asked."""
    found = campaign(status)
    said = headline(report([found]))
    assert said.endswith(f"none of which sent more than 10.{words}")
    assert sentence_of(found, "attack", "distributed campaign").endswith(f".{words}")


def test_headline_of_several_speaks_of_the_largest() -> None:
    """With several attacks the share is said of the one it belongs to."""
    said = headline(report([campaign("estimated")] * 2))
    assert said.endswith("Things sent about 27 % of the largest (24 to 31 %).")


def test_nothing_to_speak_of() -> None:
    """Without a campaign, without a message and for bulk no share of things is made up."""
    assert "hings" not in headline(report([]))
    assert "0 messages" in things_sentence(things("cannot tell"), 0)
    assert "covers none" in things_sentence(things("bounds only"), 0)
    assert "hings" not in sentence_of(campaign("not assessed"), "bulk", "newsletter")


def test_exact_bounds() -> None:
    """Where every source was identified, one share is left and is called so."""
    said = things_sentence(things("estimated", bounds={"low": 0.25, "high": 0.25}), MESSAGES)
    assert "only 25 % is possible" in said


@given(st.floats(0.01, 1), st.floats(0, 1), st.floats(0, 1))
def test_rounding_never_makes_surer(low: float, wide: float, where: float) -> None:
    """Whole per cents in a sentence hold the interval, and the point lies within them."""
    high = low + (1 - low) * wide
    point = low + (high - low) * where
    share = {"low": low, "point": point, "high": high}
    said = things_sentence(things("estimated", share_of_messages=share), MESSAGES)
    found = re.search(r"about (\d+) % of the 750,000 messages \((\d+) to (\d+) %\)", said)
    assert found
    about, first, last = map(int, found.groups())
    # Half a tenth of a point is below what a whole per cent can say.
    assert first <= 100 * low + 0.0501
    assert last >= 100 * high - 0.0501
    assert first <= about <= last
