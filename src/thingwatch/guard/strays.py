"""Single mails that no lure holds (a picture, one line with ten stray words), by a running campaign's hand.

The stream's reading of ``group``'s stray rules: dialect, forms, link grammar, clock and pool, each capped, need
``STRAY_BITS`` together, and without the campaign's own dialect there is no score. Weighed against other mail as
``background`` counts it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from thingwatch.group.campaigns import MIN_STRAY_HOST, STRAY_BITS
from thingwatch.guard.background import Background
from thingwatch.guard.lure import Campaign
from thingwatch.guard.trace import Trace

# Bits each trait is worth at most, and the least a dialect must be worth: as in stray_scores.sql.
CAPS = {"dialect": 7.0, "layout": 2.0, "mime": 2.0, "id": 2.0, "grammar": 5.0, "clock": 5.0, "pool": 7.0}
MIN_DIALECT = 2.0
MIN_HELD = 3  # mails of a campaign that must have a trait for it to count
MAX_MEAN = 20  # mails per source; a campaign of more is some server's


def stray_bits(
    campaign: Campaign, trace: Trace, grammars: Iterable[int], pooled: bool, other: Background
) -> float:
    """How strongly *trace* speaks for *campaign*; *pooled*: its source has sent for it before."""
    tally = campaign.tally
    n, mails = tally.messages, other.messages
    if n < MIN_STRAY_HOST or n > MAX_MEAN * tally.distinct.count():
        return 0.0

    def weigh(trait: str, value: int) -> float:
        held = campaign.traits[trait].get(value, 0)
        if held < MIN_HELD:
            return 0.0
        inside = (held + 0.1) / (n + 1.0)
        odds = math.log2(inside / ((other.of(trait, value) + 0.5) / (mails + 1.0)))
        return max(0.0, min(CAPS[trait], odds))  # an ordinary form speaks for nobody, and against nobody

    bits = weigh("dialect", trace.dialect)
    if bits <= MIN_DIALECT:
        return 0.0
    bits += weigh("layout", trace.layout) + weigh("mime", trace.mime_form) + weigh("id", trace.id_form)
    bits += max((weigh("grammar", value) for value in grammars), default=0.0)
    ten = trace.at // 600_000_000
    now = campaign.recent.get(ten, 0)
    if now >= MIN_HELD:
        inside = (now + 0.1) / (n + 1.0)
        bits += max(0.0, min(CAPS["clock"], math.log2(inside / ((other.in_bin(ten) + 0.5) / (mails + 1.0)))))
    if pooled:
        inside = (campaign.again + 0.1) / (n + 1.0)
        bits += max(0.0, min(CAPS["pool"], math.log2(inside / ((campaign.elsewhere + 0.5) / (mails + 1.0)))))
    return bits


def is_stray_of(bits: float) -> bool:
    """Whether so many *bits* attach a single mail."""
    return bits >= STRAY_BITS
