"""The early sign of a campaign: a sequential test on the mails of one hand, before the judge has enough to say.

After Wald (1945). Each mail of a nameless campaign behind its first is asked for the joint sign: nobody's name on
it, from a source that never sent here before and bears no mail server's name, in a network new to the campaign, in
the campaign's own dialect, within ``NEAR_MINUTES`` of the mail before. In a nascent campaign nearly every mail shows
it (``SIGN_IN_CAMPAIGN``); in mail that is alike for other reasons hardly one in seven does (``SIGN_IN_HAM``): bulk
comes from one house again and again and under its name, a list and bounces have names, an answer is one, a letter
people forward comes in as many dialects as there are people. Each sign adds log2(0.9 / 0.15) = 2.6 bits, each mail
without it takes 3.1 away, and the sum never falls below nothing, so that an old innocent past cannot be saved up.

Doubt begins at ``DOUBT_BITS``: four signs in a row, the fifth mail. Were the mails of a ham lure independent, one
in 2^10 of its runs would come that far by chance; they are not, which is why doubt defers at most, for minutes,
and the judge decides. A young memory knows few sources: while less than ``WARM_DAYS`` of mail is remembered, every
source is a new one, and the sign is worth 1.2 bits: nine in a row.
"""

from __future__ import annotations

import math

from thingwatch.guard.lure import Campaign
from thingwatch.guard.trace import Trace

SIGN_IN_CAMPAIGN = 0.9
SIGN_IN_HAM = 0.15
COLD_SIGN_IN_HAM = 0.4  # while the memory is younger than WARM_DAYS
WARM_DAYS = 1.0
NEAR_MINUTES = 15.0
DOUBT_BITS = 10.0
SERVER = 2  # the class of a PTR that people gave a mail server


def steps(warm: bool) -> tuple[float, float]:
    """Bits that a sign adds, and that a mail without it takes; *warm*: the memory has seen ``WARM_DAYS``."""
    chance = SIGN_IN_HAM if warm else COLD_SIGN_IN_HAM
    return math.log2(SIGN_IN_CAMPAIGN / chance), math.log2((1 - chance) / (1 - SIGN_IN_CAMPAIGN))


def observe(campaign: Campaign, trace: Trace, new_network: bool, before: int, warm: bool) -> bool:
    """Count *trace*, the newest mail of *campaign*, for the test; gives whether doubt begins with it.

    *new_network*: the campaign had no mail from there; *before*: when the mail before came, 0 for the first.
    """
    if campaign.doubtful or not before:
        return False
    dialects = campaign.traits["dialect"]
    familiar = dialects.get(trace.dialect, 0) > 0.2 * campaign.messages
    sign = (
        trace.stranger
        and trace.fresh
        and trace.name_class != SERVER
        and new_network
        and familiar
        and abs(trace.at - before) <= NEAR_MINUTES * 60_000_000
    )
    for_it, against = steps(warm)
    campaign.doubt_bits = max(0.0, campaign.doubt_bits + (for_it if sign else -against))
    if campaign.doubt_bits < DOUBT_BITS:
        return False
    campaign.doubtful = True
    return True
