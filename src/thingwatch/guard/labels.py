"""What users and spam traps say of mails, and from how many of them it is a word about the campaign.

One report proves nothing: people report newsletters they asked for, and who can write here can report. Several of
different people do, of a campaign nobody's name stands behind. A person's own mark is above all reports.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

ENOUGH = {"spam": 3, "trap": 2, "ham": 2}  # different reporters, or addresses nobody uses
MAX_CAMPAIGNS = 2_000  # with reports; the one reported longest ago is forgotten
MAX_REPORTERS = 64  # of one word about one campaign; more change nothing


class Labels:
    """Who said what, by the campaign's id."""

    def __init__(self) -> None:
        """Nobody said anything."""
        self._said: OrderedDict[str, dict[str, set[int]]] = OrderedDict()

    def note(self, word: str, campaign: str, reporter: int) -> None:
        """*reporter* (a hash) says *word* of *campaign*."""
        said = self._said.setdefault(campaign, {}).setdefault(word, set())
        if len(said) < MAX_REPORTERS:
            said.add(reporter)
        self._said.move_to_end(campaign)
        while len(self._said) > MAX_CAMPAIGNS:
            self._said.popitem(last=False)

    def is_enough(self, word: str, campaigns: Iterable[str]) -> bool:
        """Whether enough have said *word* of *campaigns*, which are one by now."""
        reporters: set[int] = set()
        for campaign in campaigns:
            reporters |= self._said.get(campaign, {}).get(word, set())
        return len(reporters) >= ENOUGH[word]

    def as_plain(self) -> list[list[object]]:
        """Plain data for the snapshot."""
        return [[c, {word: sorted(who) for word, who in said.items()}] for c, said in self._said.items()]

    def restore(self, plain: list[tuple[str, dict[str, list[int]]]]) -> None:
        """Take what ``as_plain`` gave."""
        for campaign, said in plain:
            self._said[campaign] = {word: set(who) for word, who in said.items()}
