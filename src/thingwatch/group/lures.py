"""Messages that say the same thing become lures.

The hard idea is how two mails are judged alike when a campaign is half of all mail. A key's worth is what
sharing it proves, and counting messages would make a campaign's own text look ordinary. So first worth is
counted in *hands*: a phrase written in many dialects is ordinary, however many mails carry it. Once first
lures stand, worth is counted again as the odds of holding the key inside against outside the lure, and every
message goes where its keys speak loudest.

Against chains of strangers: messages are compared with leaders only (a star), stars are joined only when they
say the same as wholes, and members whose keys do not speak for their lure are let go. Connected components of
all likeness edges were the alternative; a single odd mail then joins two lures of a hundred thousand.
"""

from __future__ import annotations

from thingwatch.config import Settings
from thingwatch.store import Engine

# Bits a shared key of each kind is worth at most: the shipped background, before this mail's own rates speak.
# Shingles overlap, so that one shared phrase counts several times; hence their low worth.
KIND_BITS = {1: 3.0, 2: 5.0, 3: 12.0, 4: 6.0, 5: 2.0, 6: 6.0, 7: 4.0, 8: 3.0, 9: 12.0, 10: 4.0, 11: 2.0}

# Bits a family is worth at most: no family reaches min_likeness (16) alone but text, and text only when nearly
# all of it is shared.
CAPS = {"cap_text": 18.0, "cap_subject": 10.0, "cap_link": 9.0, "cap_file": 14.0}
CAP_FORM = 6.0  # dialect, layout, MIME form and Message-ID form together
OTHER_NAME = 8.0  # bits against two mails under different names: signer, list, reporting host
MOST = 0.5  # of a message's keys shared: then a different name says little (throwaway domains)
MAX_PLACINGS = 3  # times worth is counted again and every message goes where its keys speak
SETTLED = 0.002  # of the placed messages; when fewer were placed anew, the next round would move nobody
KINSHIP = 0.6  # of what the smaller of two stars says must be said by the other, to make them one lure
MAX_STARS = 50  # stars that hold a key, beyond which it relates none of them
FAIR_PART = 0.4  # of a message's repeated keys must speak for its lure
MIN_VOTES = 12.0  # bits of content by which a message belongs once a lure's signature is known
MAX_ROUNDS = 64  # a star is two steps deep on real mail; a chain as long as this is no lure


def group_lures(engine: Engine, settings: Settings) -> None:
    """Make the tables ``members`` (seq, lure, likeness) and ``signatures`` from ``mails`` and ``keys``."""
    values = ", ".join(f"({kind}, {bits})" for kind, bits in KIND_BITS.items())
    engine.run(f"CREATE OR REPLACE TABLE kind_weights AS SELECT * FROM (VALUES {values}) AS t(kind, bits)")
    numbers = {
        "min_likeness": settings.min_likeness,
        "cap_form": CAP_FORM,
        "other_name": OTHER_NAME,
        "most": MOST,
        "kinship": KINSHIP,
        "max_stars": MAX_STARS,
        "fair_part": FAIR_PART,
        "min_votes": MIN_VOTES,
        **CAPS,
    }
    for name in ("hands", "buckets", "held", "holdings", "leaders", "pairs"):
        engine.make(__package__, name, **numbers)
    engine.drop("hands", "leaders")
    for name in ("edges", "choices", "stars"):
        engine.make(__package__, name, **numbers)
    _follow_pointers(engine)
    engine.run("CREATE OR REPLACE TABLE drafts AS SELECT message AS seq, centre AS lure FROM stars")
    for name in ("signers", "star_keys", "kinships", "merges"):
        engine.make(__package__, name, **numbers)
    _join_stars(engine)
    engine.make(__package__, "drafts")
    engine.drop("pairs", "edges", "choices")
    placed = engine.number("SELECT count(*) FROM drafts")
    for _ in range(MAX_PLACINGS):
        for name in ("signers", "signatures", "votes", "allowed", "members"):
            engine.make(__package__, name, **numbers)
        before, placed = placed, engine.number("SELECT count(*) FROM members")
        if abs(placed - before) <= SETTLED * placed:
            return
        engine.run("CREATE OR REPLACE TABLE drafts AS SELECT seq, lure FROM members")


def _follow_pointers(engine: Engine) -> None:
    for _ in range(MAX_ROUNDS):
        engine.make(__package__, "jumped")
        moved = engine.number("SELECT count(*) FROM jumped WHERE centre <> before")
        engine.run("CREATE OR REPLACE TABLE stars AS SELECT message, centre FROM jumped")
        if not moved:
            return


def _join_stars(engine: Engine) -> None:
    """Label each merged star with the lowest centre it hangs together with (the table ``merged``)."""
    engine.run(
        "CREATE OR REPLACE TABLE links AS SELECT centre, other FROM merges UNION SELECT other, centre FROM merges"
    )
    engine.run(
        "CREATE OR REPLACE TABLE merged AS SELECT centre, min(least(centre, other)) AS label FROM links GROUP BY centre"
    )
    for _ in range(MAX_ROUNDS):
        engine.run(
            "CREATE OR REPLACE TABLE relabelled AS SELECT m.centre AS centre, m.label AS before,"
            " least(m.label, min(n.label)) AS label FROM merged AS m JOIN links AS l ON l.centre = m.centre"
            " JOIN merged AS n ON n.centre = l.other GROUP BY m.centre, m.label"
        )
        moved = engine.number("SELECT count(*) FROM relabelled WHERE label <> before")
        engine.run("CREATE OR REPLACE TABLE merged AS SELECT centre, label FROM relabelled")
        if not moved:
            return
