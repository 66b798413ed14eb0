"""Every reason can be reached, every verdict has its threshold, and not knowing is never guilt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingwatch.config import Settings
from thingwatch.judge import Facts, judge
from thingwatch.judge.reasons import ATTACK_BITS, BULK_BITS, REASONS, reasons_of, verdict_of
from thingwatch.model import Evidence, Reason, Verdict

SETTINGS = Settings()

# A campaign of which nothing is known but how many messages and sources it has.
UNKNOWN = Facts(
    messages=1000,
    sources=500,
    max_per_source=4,
    networks=0,
    dialects=0,
    top_dialects=0.0,
    in_waves=0.0,
    span_hours=0.0,
    signed=0,
    one_name=0.0,
    unchecked=1000,
    listed=0,
    automatic=0,
    answers=0,
    logged=0,
    end_user=0,
    server=0,
    named_sources=0,
)
# The case the rules are made for.
BOTNET = UNKNOWN._replace(
    networks=200, dialects=4, top_dialects=0.98, in_waves=0.99, span_hours=12.0, unchecked=0, end_user=400,
    named_sources=450,
)  # fmt: skip
NEWSLETTER = UNKNOWN._replace(
    sources=2, max_per_source=500, networks=1, dialects=1, top_dialects=0.0, in_waves=1.0, signed=1000, one_name=1.0,
    unchecked=0, server=2, named_sources=2,
)  # fmt: skip

REACHED = {
    "many sources, few mails each": UNKNOWN,
    "many networks": UNKNOWN._replace(networks=40),
    "one hand": UNKNOWN._replace(top_dialects=0.9),
    "synchronised": UNKNOWN._replace(in_waves=0.9),
    "no name": UNKNOWN._replace(unchecked=0),
    "end-user lines": BOTNET,
    "servers": UNKNOWN._replace(server=450, named_sources=500),
    "a name stands behind it": NEWSLETTER,
    "throwaway names": UNKNOWN._replace(signed=900, unchecked=0, one_name=0.1),
    "few sources": NEWSLETTER,
    "much from each source": NEWSLETTER,
    "many hands": UNKNOWN._replace(dialects=400, top_dialects=0.1),
    "answers and forwards": UNKNOWN._replace(answers=900),
    "automatic reports": UNKNOWN._replace(automatic=950),
    "trickle": UNKNOWN._replace(messages=100, sources=80, unchecked=100, span_hours=24.0 * 40),
}


def names(facts: Facts) -> set[str]:
    return {reason.name for reason in reasons_of(facts)}


@pytest.mark.parametrize("name", REASONS)
def test_every_reason_can_be_reached(name: str) -> None:
    """For each reason there are facts that give it, with the sign of its rule and a pointer to the proof."""
    (reason,) = [found for found in reasons_of(REACHED[name]) if found.name == name]
    assert reason.weight * REASONS[name].weight > 0
    assert abs(reason.weight) <= abs(REASONS[name].weight)
    assert reason.sentence.endswith(".")
    assert reason.evidence[0].where


def test_nothing_known_is_not_an_attack() -> None:
    """Many sources with few mails each, and nothing else known, is not enough."""
    found = judge(UNKNOWN, SETTINGS)
    assert found.verdict is Verdict.UNSURE
    assert {reason.name for reason in found.reasons} == {"many sources, few mails each"}


def test_nothing_at_all_is_judged() -> None:
    """Messages of which not even the address is known are judged, and not as an attack."""
    found = judge(UNKNOWN._replace(sources=0, max_per_source=0), SETTINGS)
    assert found.verdict is not Verdict.ATTACK


UNKNOWNS = {
    "unchecked": {"unchecked": 1000, "signed": 0},
    "no names of sources": {"named_sources": 0, "end_user": 0},
    "no networks": {"networks": 0},
}


@pytest.mark.parametrize("unknown", UNKNOWNS)
def test_not_knowing_adds_no_guilt(unknown: str) -> None:
    """Taking away what is known of a botnet never makes it look guiltier."""
    less = BOTNET._replace(**UNKNOWNS[unknown])
    bits = [sum(reason.weight for reason in reasons_of(facts)) for facts in (BOTNET, less)]
    assert bits[1] <= bits[0]
    assert names(less) <= names(BOTNET)


def test_the_case_itself() -> None:
    """A botnet is an attack, with the strongest reason first."""
    found = judge(BOTNET, SETTINGS)
    assert found.verdict is Verdict.ATTACK
    assert found.kind == "distributed campaign"
    weights = [abs(reason.weight) for reason in found.reasons]
    assert weights == sorted(weights, reverse=True)


def test_a_newsletter_is_bulk() -> None:
    """One name and two servers are bulk, however sudden."""
    found = judge(NEWSLETTER, SETTINGS)
    assert (found.verdict, found.kind) == (Verdict.BULK, "newsletter or service mail")


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        (UNKNOWN._replace(automatic=900), "delivery reports"),
        (UNKNOWN._replace(listed=900), "list mail"),
        (UNKNOWN._replace(answers=900), "forwarded letter"),
        (UNKNOWN._replace(signed=900, unchecked=0), "many throwaway senders"),
        (UNKNOWN._replace(sources=3), "few senders"),
        (UNKNOWN, "similar mail"),
    ],
)
def test_innocent_kinds_are_named(facts: Facts, kind: str) -> None:
    """What is no attack is called what it is."""
    found = judge(facts, SETTINGS)
    assert found.verdict is not Verdict.ATTACK
    assert found.kind == kind


def reason(name: str, weight: float) -> Reason:
    return Reason(name, weight, "", (Evidence("", ""),))


def attack_reasons(bits: float) -> list[Reason]:
    """Reasons that may convict, worth *bits* together."""
    rest = bits - 6.0
    return [
        reason("many sources, few mails each", 6.0),
        reason("one hand", rest / 2),
        reason("no name", rest / 2),
    ]


@pytest.mark.parametrize(
    ("bits", "verdict"),
    [
        (ATTACK_BITS, Verdict.ATTACK),
        (ATTACK_BITS - 0.1, Verdict.UNSURE),
        (BULK_BITS + 0.1, Verdict.UNSURE),
        (BULK_BITS, Verdict.BULK),
    ],
)
def test_thresholds(bits: float, verdict: Verdict) -> None:
    """The verdict changes at the stated bits, and at no others."""
    assert verdict_of(BOTNET, attack_reasons(bits), SETTINGS.attack_sources) is verdict


def test_an_attack_needs_sources() -> None:
    """No weight of reasons makes an attack of fewer sources than attack_sources."""
    few = BOTNET._replace(sources=SETTINGS.attack_sources - 1)
    assert verdict_of(few, attack_reasons(40.0), SETTINGS.attack_sources) is Verdict.UNSURE
    enough = BOTNET._replace(sources=SETTINGS.attack_sources)
    assert verdict_of(enough, attack_reasons(40.0), SETTINGS.attack_sources) is Verdict.ATTACK


def test_an_attack_needs_more_than_numbers() -> None:
    """Sources, networks and clock alone convict nobody: two things must be seen of the sender as well."""
    numbers = [
        reason("many sources, few mails each", 6.0),
        reason("many networks", 3.0),
        reason("synchronised", 3.0),
    ]
    assert verdict_of(BOTNET, numbers, 8) is Verdict.UNSURE
    assert verdict_of(BOTNET, [*numbers, reason("one hand", 3.0)], 8) is Verdict.UNSURE
    assert (
        verdict_of(BOTNET, [*numbers, reason("one hand", 3.0), reason("no name", 3.0)], 8) is Verdict.ATTACK
    )


SHARE = st.floats(0, 1)


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    """Facts that could be counted."""
    n = draw(st.integers(1, 10**6))
    sources = draw(st.integers(0, n))
    part = st.integers(0, n)
    named = draw(st.integers(0, sources))
    end_user = draw(st.integers(0, named))
    signed = draw(part)
    return Facts(
        n, sources, draw(st.integers(min(1, sources), n)), draw(st.integers(0, sources)), draw(st.integers(0, n)),
        draw(SHARE), draw(SHARE), draw(st.floats(0, 1e6)), signed, draw(SHARE), draw(st.integers(0, n - signed)),
        draw(part), draw(part), draw(part), draw(part), end_user, named - end_user, named,
    )  # fmt: skip


@given(any_facts())
def test_whatever_the_facts(facts: Facts) -> None:
    """Every count that can be is judged; reasons come once each, from the list, within their weight."""
    found = judge(facts, SETTINGS)
    given_names = [one.name for one in found.reasons]
    assert len(given_names) == len(set(given_names))
    for one in found.reasons:
        assert 0 < one.weight / REASONS[one.name].weight <= 1
    if found.verdict is Verdict.ATTACK:
        assert facts.sources >= SETTINGS.attack_sources
        assert sum(one.weight for one in found.reasons) >= ATTACK_BITS


@given(any_facts())
def test_a_name_never_adds_guilt(facts: Facts) -> None:
    """A signature found good on every message never turns anything into an attack."""
    named = facts._replace(signed=facts.messages, unchecked=0, one_name=1.0)
    if judge(facts, SETTINGS).verdict is not Verdict.ATTACK:
        assert judge(named, SETTINGS).verdict is not Verdict.ATTACK
