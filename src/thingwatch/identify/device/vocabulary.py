"""Other programs' words for a kind of device, in our classes.

Nmap, Recog, ZTag, Fing and Shadowserver each have their own list; taxonomy.json holds the tables. All but one
word can be looked up. "Router" cannot: for Nmap and Recog it is the box on the shelf as well as the carrier's
chassis. There the maker decides, and a maker of both (Huawei) is taken for the shelf unless the model says else.
"""

from __future__ import annotations

import re

from thingwatch.identify.device.signature import TAXONOMY

# Where two vocabularies share a word: the one that is written for outside scans first.
_ORDER = (
    "shadowserver_device_type_observed",
    "shadowserver_device_type_assumed",
    "nmap",
    "recog",
    "ztag",
    "fing",
)
_EXACT: dict[str, str | None] = {}
_FOLDED: dict[str, str | None] = {}
for _name in _ORDER:
    for _word, _class in TAXONOMY["maps"][_name].items():
        _EXACT.setdefault(_word, _class)
        _FOLDED.setdefault(_word.casefold(), _class)
RECOG_CLASSES: dict[str, str | None] = TAXONOMY["maps"]["recog"]


def _makers(entries: list[str]) -> dict[str, tuple[str, ...]]:
    """ "Cisco (IOS/NX, not Linksys/RV)" → cisco: words of its model that decide; empty when there are none."""
    makers = {}
    for entry in entries:
        names, _, words = entry.partition(" (")
        marks = tuple(word.strip().casefold() for word in words.rstrip(")").split(",")[0].split("/") if word)
        for name in names.split("/"):
            makers[name.casefold()] = marks
    return makers


_CARRIER = _makers(TAXONOMY["maps"]["router_vendor_override"]["network_equipment"])
_HOME = _makers(TAXONOMY["maps"]["router_vendor_override"]["router"])
_HOME_MODELS = re.compile(r"linksys|\b(?:rv|wrvs?|srp|epc|dpc|wrt)\d", re.I)


def class_of_word(word: str) -> str | None:
    """The class of another program's *word* for a kind of device; None when it says nothing to us."""
    word = word.strip()
    if word in _EXACT:
        return _EXACT[word]
    return _FOLDED.get(word.casefold())


def router_or_carrier(device_class: str | None, vendor: str, model: str) -> str | None:
    """*device_class*, put right by the maker where the word was "router"."""
    if device_class != "router":
        return device_class
    maker = vendor.strip().casefold()
    key = next((name for name in _CARRIER if maker == name or maker.startswith(name + " ")), None)
    if key is None or _HOME_MODELS.search(model) or _HOME_MODELS.search(vendor):
        return device_class
    if key in _HOME and not any(mark in model.casefold() for mark in _CARRIER[key]):
        return device_class
    return "network_equipment"
