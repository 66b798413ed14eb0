"""Tell a device's own page from one written for people, by what its title says beside the name.

"Xfinity" is a router's page; "Xfinity Mobile" sells contracts. A device adds at most words such as *login* or *setup*,
figures and its own host name.
"""

from __future__ import annotations

import re
import tomllib
from importlib import resources

_TOKEN = re.compile(r"[\w.]+")
_OWN_WORDS = frozenset(
    tomllib.loads((resources.files(__package__) / "titles.toml").read_text("utf-8"))["words"].split()
)


def says_more(title: str, matched: str) -> bool:
    """Whether *title* holds a word beside *matched* that no device would say of itself.

    A word with a figure or a dot in it is a model, a version or a host.
    """
    rest = title.casefold().replace(matched.casefold(), " ", 1)
    return any(word.isalpha() and len(word) > 1 and word not in _OWN_WORDS for word in _TOKEN.findall(rest))
