"""The page: every odd report is drawn, makes no request, and lets nothing from mail act."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reports import ODD, campaign, many, none, one, report

from thingwatch.act.page import write_page
from thingwatch.errors import ContradictionError

VOID = {"meta", "br", "img", "input", "hr", "link"}
QUICK = {name: make for name, make in ODD.items() if name != "many"} | {"dozen": lambda: many(15)}
ALLOWED = set(
    """html head meta title style body a svg defs pattern path g line use rect circle text header div b span
    nav ol li main section h1 h2 h3 h4 p table caption thead tbody tr th td small dl dt dd figure figcaption
    code bdi pre del details summary footer script br""".split()  # noqa: SIM905  a list of 50 lines tells no more
)


class Reader(HTMLParser):
    """Reads a page as a browser would, and keeps what the promises are about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {}
        self.unclosed: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unclosed.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open:
            self.inside.setdefault(self.open[-1], []).append(data)


def pages(document: dict[str, Any], folder: Path) -> list[str]:
    """Write the page and return it and all beside it as text."""
    write_page(document, folder / "report.html")
    return [path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.html"), reverse=True)]


@pytest.mark.parametrize("name", QUICK)
def test_odd_reports(name: str, tmp_path: Path) -> None:
    """Every odd report becomes well-formed pages of known elements that ask nobody for anything."""
    for text in pages(QUICK[name](), tmp_path):
        page = Reader(text)
        assert not page.open
        assert not page.unclosed
        assert {tag for tag, _ in page.tags} <= ALLOWED
        for tag, attributes in page.tags:
            assert not {key for key in attributes if key.startswith("on")}, tag
            assert "src" not in attributes
            assert "style" not in attributes
            target = attributes.get("href")
            assert target is None or re.fullmatch(r"#[\w-]+|(\.\./)?[\w/-]+\.(html|json|parquet)", target)
        assert not re.search(r"(?i)https?://|ftp://|@import|url\((?!#)", text)
        assert text.count("<script") == 1
        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        assert {a["href"] for _, a in page.tags if (a.get("href") or "").startswith("#")} <= {
            f"#{i}" for i in ids
        }


@pytest.mark.parametrize("name", QUICK)
def test_headings_in_order(name: str, tmp_path: Path) -> None:
    """There is one h1, and no heading skips a level, so a screen reader can walk the page."""
    for text in pages(QUICK[name](), tmp_path):
        levels = [int(tag[1]) for tag, _ in Reader(text).tags if re.fullmatch(r"h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))


def test_policy_names_the_script(tmp_path: Path) -> None:
    """The content security policy allows the one script and the one style sheet, by their hash."""
    page = Reader(pages(one(), tmp_path)[0])
    policy = next(a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        digest = b64encode(hashlib.sha256("".join(page.inside[tag]).encode()).digest()).decode()
        assert f"{rule} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


def test_script_is_small(tmp_path: Path) -> None:
    """The script stays a comfort of about forty lines."""
    page = Reader(pages(one(), tmp_path)[0])
    assert "".join(page.inside["script"]).count("\n") <= 42


def test_five_hundred_campaigns(tmp_path: Path) -> None:
    """500 campaigns fit in 500 kB, each attack has a page beside the report, and each link leads there."""
    document = many(500)
    first = pages(document, tmp_path)[0]
    assert (tmp_path / "report.html").stat().st_size <= 500_000
    attacks = [c["id"] for c in document["campaigns"] if c["verdict"] == "attack"]
    assert sorted(p.stem for p in (tmp_path / "campaigns").iterdir()) == sorted(attacks)
    assert all(f'href="campaigns/{ident}.html"' in first for ident in attacks)
    assert all(p.stat().st_size < 150_000 for p in (tmp_path / "campaigns").iterdir())


def test_five_attacks_stay_on_the_page(tmp_path: Path) -> None:
    """Up to five attacks are told on the first page; nothing is written beside it."""
    pages(report([campaign(i, bins=100) for i in range(1, 6)]), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_not_assessed(tmp_path: Path) -> None:
    """Where the share of things was not assessed, the page says so and draws no estimate."""
    text = pages(one(), tmp_path)[0]
    section = text[text.index("Who sent it:") : text.index("From where, to whom</h2>")]
    assert "not assessed" in section
    assert 'class="hat"' in section
    assert "<circle" not in section


def test_failed_check_is_the_headline(tmp_path: Path) -> None:
    """A profile that contradicts itself is not printed: the failed check stands in its place."""
    text = pages(ODD["failed"](), tmp_path)[0]
    headline = text[text.index("<h1") : text.index("</h1>")]
    assert "A self-check failed" in headline
    assert "750,000 messages are more than 9 sources of 10" in headline
    assert "-when-h" not in text


def test_nothing_found(tmp_path: Path) -> None:
    """Without a campaign the page says how small a one would have been seen, and draws no empty chart."""
    text = pages(none(), tmp_path)[0]
    assert "A campaign of 12 messages from 9 sources would have been seen." in text
    assert "<figure" not in text


def test_no_bodies(tmp_path: Path) -> None:
    """Known from logs alone, a lure has no specimen, and the page says why."""
    text = pages(ODD["logged"](), tmp_path)[0]
    assert "No bodies were read" in text
    assert "<pre" not in text


def test_one_hour(tmp_path: Path) -> None:
    """In an hour of mail a wave may be cut off, so counts are called "so far"."""
    text = pages(ODD["hour"](), tmp_path)[0]
    assert "one wave or part of one" in text
    assert "each so far" in text


def test_strange_id(tmp_path: Path) -> None:
    """An id names a file; one that could name another place is refused."""
    with pytest.raises(ContradictionError, match="campaign id"):
        write_page(report([campaign() | {"id": "c-../../x"}]), tmp_path / "report.html")
    assert not list(tmp_path.iterdir())


def test_same_report_same_bytes(tmp_path: Path) -> None:
    """The page depends on the report alone."""
    assert pages(one(), tmp_path) == pages(one(), tmp_path)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(min_size=1, max_size=60), counts=st.lists(st.integers(0, 10**9), max_size=30))
def test_any_text_and_counts(text: str, counts: list[int], tmp_path: Path) -> None:
    """Whatever mail says and however often, the page stays well-formed."""
    found = campaign(text=text, bins=60, waves=2, lures=1)
    found["series"] |= {"campaign": counts, "other": counts[::-1]}
    found["per_source"]["histogram"] = [[i, count] for i, count in enumerate(counts)]
    page = Reader(pages(report([found]), tmp_path)[0])
    assert not page.open
    assert not page.unclosed
    assert {tag for tag, _ in page.tags} <= ALLOWED


def labels_of(svg: str) -> list[tuple[float, float, float]]:
    """Return (left, right, y) of each text in a drawing, at the width of a phone."""
    found = []
    for x, y, anchor, words in re.findall(r'x="([\d.]+)%" y="([\d.]+)" text-anchor="(\w+)">([^<]*)<', svg):
        width = 6.6 * len(words)
        left = float(x) * 3.54 - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
        found.append((left, left + width, float(y)))
    return found


@pytest.mark.parametrize("make", [one, ODD["hour"], ODD["decade"], ODD["several"]])
def test_labels_do_not_touch(make: Callable[[], dict[str, Any]], tmp_path: Path) -> None:
    """On a phone no two labels of the long chart overlap."""
    for text in pages(make(), tmp_path):
        chart = text[text.index("Messages of the campaign per") :]
        chart = re.sub(
            r'<text class="[^"]*wide[^"]*"[^>]*>[^<]*</text>', "", chart[: chart.index("</svg><figcaption")]
        )
        placed = labels_of(chart)
        assert len(placed) > 5
        for i, (left, right, y) in enumerate(placed):
            for left_2, right_2, y_2 in placed[i + 1 :]:
                assert abs(y - y_2) >= 11 or right <= left_2 or right_2 <= left
