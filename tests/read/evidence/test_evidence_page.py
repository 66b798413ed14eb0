"""docs/evidence.md names every form, kind and skip that reading evidence can give, and nothing it cannot."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from thingwatch.model import SIGHTING_KINDS
from thingwatch.read.evidence.form import FORMS

ROOT = Path(__file__).parents[3]
READ = ROOT / "src" / "thingwatch" / "read"
PAGE = (ROOT / "docs" / "evidence.md").read_text("utf-8")

# What readers of evidence take from their neighbours gives reasons of its own.
SHARED = ("archive.py", "tar.py", "stream.py", "records.py")
# Reasons of those that only mail can give.
OF_MAIL = {"unpack-first", "member-too-large", "mail-too-large"}
NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")
# Words with a hyphen that are no reason: codecs, header names, scripts and states of scanners.
OTHER_WORDS = """
    utf-8 utf-8-sig utf-16 utf-16-le utf-16-be latin-1 www-authenticate set-cookie user-agent storage-misc
    tp-link connection-refused connection-timeout connection-closed io-timeout http-title http-server-header
    http-auth http-favicon ssl-cert snmp-sysdescr upnp-info socks-open-proxy http-open-proxy
"""


def _section(heading: str) -> str:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    assert section, f"the page has no section {heading}"
    return section


def _names(heading: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", _section(heading), re.M)


def _spoken() -> set[str]:
    """Every hyphenated word written out in the readers and in what they share with mail."""
    names: set[str] = set()
    for file in [*sorted((READ / "evidence").glob("*.py")), *(READ / name for name in SHARED)]:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAME.fullmatch(node.value):
                names.add(node.value)
    return names - set(OTHER_WORDS.split()) - OF_MAIL


def test_every_skip_has_a_sentence() -> None:
    """A reason that reading evidence can give stands on the page."""
    spoken = _spoken()
    assert {"no-address", "xml-entity", "archive-bomb", "csv-malformed"} <= spoken
    assert sorted(spoken - set(_names("Skips"))) == []


def test_no_skip_on_the_page_is_out_of_use() -> None:
    """A reason on the page stands in the code, whole or put together from damage and compression."""
    names = _names("Skips")
    assert len(names) == len(set(names))
    damaged = {
        f"{damage}-{kind}" for damage in ("truncated", "damaged") for kind in ("gzip", "xz", "bzip2", "zstd")
    }
    assert damaged <= set(names)
    sources = "\n".join(file.read_text("utf-8") for file in (READ / "evidence").glob("*.py"))
    known = _spoken() | damaged
    assert [n for n in names if n not in known and f'"{n}"' not in sources] == []


def test_every_form_has_a_row() -> None:
    """The table of forms lists what the program recognises, in its order."""
    assert _names("Forms") == list(FORMS)


def test_every_kind_the_page_speaks_of_exists() -> None:
    """A kind named on the page is one of the model's."""
    named = set(re.findall(r"`([a-z0-9]+\.[a-z_0-9]+)`", _section("What a row becomes")))
    assert {"port.open", "tcp.syn"} <= named
    assert named - set(SIGHTING_KINDS) == set()
