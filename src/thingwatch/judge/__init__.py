"""Evidence → verdict. The front door is ``judge``: reasons with weights, and what they add up to."""

from __future__ import annotations

from typing import NamedTuple

from thingwatch.config import Settings
from thingwatch.judge.reasons import Facts, kind_of, reasons_of, verdict_of
from thingwatch.model import Reason, Verdict

__all__ = ["Facts", "Judgement", "judge"]


class Judgement(NamedTuple):
    """What a campaign is, by which reasons, and a word for people."""

    verdict: Verdict
    kind: str
    reasons: list[Reason]


def judge(facts: Facts, settings: Settings) -> Judgement:
    """Weigh *facts*; the reasons come strongest first."""
    reasons = sorted(reasons_of(facts), key=lambda reason: -abs(reason.weight))
    verdict = verdict_of(facts, reasons, settings.attack_sources)
    return Judgement(verdict, kind_of(facts, verdict), reasons)
