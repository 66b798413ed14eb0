"""Where a mail was put, and what the detector says of it; what is done about it is the policy's."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from thingwatch.guard.lure import Campaign
from thingwatch.model import Verdict


class Certainty(StrEnum):
    """How sure a verdict of attack is."""

    KNOWN = "known"  # of a campaign a case or a person called an attack
    SURE = "sure"  # SURE_BITS or more over what the judge asks for
    LIKELY = "likely"  # the judge calls it an attack
    DOUBTFUL = "doubtful"  # a nascent campaign: the sequential test says so, the judge does not yet
    NONE = "none"


class Placing(NamedTuple):
    """Where a mail was put."""

    campaign: Campaign | None = None
    own: bool = False  # by the campaign's own hand; else it only says the same
    stray: bool = False  # attached as a single mail, by hand, clock and pool
    doubt: bool = False  # with this mail the campaign became doubtful
    joined: tuple[str, ...] = ()  # ids of campaigns that became one with this one
    place: str = ""  # what the ledger calls the place it is remembered at


class Finding(NamedTuple):
    """One mail's place and what that is."""

    verdict: Verdict | None = None  # of its campaign; None for a mail on its own
    certainty: Certainty = Certainty.NONE
    campaign: str = ""  # id
    kind: str = ""  # the judge's word for people
    bits: float = 0.0  # of the judge; for DOUBTFUL of the test
    own: bool = False  # by the campaign's own hand; what only says the same is nobody's attack
    reasons: tuple[str, ...] = ()  # names, strongest first
    group: Campaign | None = None
    doubt_begins: bool = False
    joined: tuple[str, ...] = ()  # campaigns that became one with this one
    place: str = ""  # where the mail is remembered, for the ledger
