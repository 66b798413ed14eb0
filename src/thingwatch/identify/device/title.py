"""Tell a device's own page from one written for people, by what its title says beside the name.

"Xfinity" is a router's page; "Xfinity Mobile" sells contracts. A device adds at most words such as *login* or *setup*,
figures and its own host name.
"""

from __future__ import annotations

import re
import tomllib
from importlib import resources

_TOKEN = re.compile(r"\w+(?:\.\w+)*")
_OWN_WORDS = frozenset(
    tomllib.loads((resources.files(__package__) / "titles.toml").read_text("utf-8"))["words"].split()
)


def says_more(rest: str, vendor: str) -> bool:
    """Whether *rest*, a title without what a rule matched, holds a word that no device would say of itself.

    A word with a figure or a dot in it is a model, a version or a host.
    """
    own = _OWN_WORDS.union(_TOKEN.findall(vendor.casefold()))
    return any(
        word.isalpha() and len(word) > 1 and word not in own for word in _TOKEN.findall(rest.casefold())
    )
