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
import things as sent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reports import ODD, campaign, many, none, one, report, told

from thingwatch.act.page import write_page
from thingwatch.errors import ContradictionError

VOID = {"meta", "br", "img", "input", "hr", "link"}
QUICK = {name: make for name, make in ODD.items() if name != "many"} | {"dozen": lambda: many(15)}
ALLOWED = set(
    """html head meta title style body a svg defs pattern path g line use rect circle text header div b span
    nav ol li main section h1 h2 h3 h4 p table caption thead tbody tr th td small dl dt dd figure figcaption
    code bdi pre del s ul details summary footer script br""".split()  # noqa: SIM905  a list of 50 lines tells no more
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
    folder.mkdir(exist_ok=True)
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
    text = pages(told("not assessed"), tmp_path)[0]
    section = text[text.index("Who sent it:") : text.index("From where, to whom</h2>")]
    assert "not assessed" in section
    assert 'class="hat"' in section
    assert "<circle" not in section


def part(text: str, first: str, last: str) -> str:
    """Return the piece of a page from one mark to another."""
    return text[text.index(first) : text.index(last)]


@pytest.mark.parametrize("status", [one for one in sent.STATUS if one != "not assessed"])
def test_who_sent_it(status: str, tmp_path: Path) -> None:
    """Section 4 has its readings, stories, origins and seven rungs at every status, and counts on each row."""
    text = pages(told(status), tmp_path)[0]
    first, section = (
        part(text, "<h1", 'id="c-00000001-when"'),
        part(text, "Who sent it:", "From where, to whom</h2>"),
    )
    assert "How much did things send?" in first
    assert "Where would one block hit?" not in first
    assert "Three stories behind the same address" in section
    for words in (
        "Thing itself",
        "Thing as relay",
        "PC behind a router",
        "Phone or tablet",
        "Server",
        "Unknown",
    ):
        assert f">{words}</b></th>" in section
    rungs = part(section, "The ladder of evidence", "The top rungs are not typical")
    assert rungs.count("<tr>") == 8
    assert (">27 % [24, 31]<" in first) == (status == "estimated")


def test_where_one_block_would_hit(tmp_path: Path) -> None:
    """Where senders were not asked about, the first screen shows what one block would hit, and which log helps."""
    first = part(pages(told("not assessed"), tmp_path)[0], "<h1", 'id="c-00000001-when"')
    assert "Where would one block hit?" in first
    assert "TCP SYN of each SMTP connection" in first


def test_no_reading_alone_on_any_page(tmp_path: Path) -> None:
    """Where a campaign is not told on the first screen, its section 4 has the readings and what to do next."""
    several = pages(ODD["several"](), tmp_path / "several")[0]
    apart = pages(many(15), tmp_path / "apart")[1]
    assert several.count("How much did things send?") == 3
    for text in (several, apart):
        section = part(text, "Who sent it:", "From where, to whom</h")
        for words in (
            "Cannot be excluded",
            "At least, against neighbours",
            "By banner alone",
            "What to do next",
        ):
            assert section.count(words) == 1


def test_banner_reading_never_stands_alone(tmp_path: Path) -> None:
    """The reading by banner is struck out, and the page says by which numbers it misleads."""
    text = pages(told("estimated"), tmp_path)[0]
    assert "<s>53 %</s> wrong" in text
    note = part(text, "Why 53 % is wrong", "A banner is one clue")
    assert "6.9 % of 43,160 uninvolved neighbours" in note
    assert "4,469 (48 %) spoke Windows" in note


def test_things_and_computers_get_different_advice(tmp_path: Path) -> None:
    """The advice for an infected computer stands under a heading of its own, folded like the rest."""
    text = pages(told("estimated"), tmp_path)[0]
    things = part(text, "What was open on the things", "Where a computer sent it")
    assert "Telnet reachable from the internet</bdi></b>: 1,204 sources" in things
    assert "Infected computer" not in things
    assert "Infected computer behind the line</bdi></b>: 2,210 sources" in part(
        text, "Where a computer sent it", "From where, to whom</h2>"
    )


def test_evidence_stands_with_its_place(tmp_path: Path) -> None:
    """Each step of an example quotes what was seen, when, how old it was and in which line of which file."""
    text = pages(told("estimated"), tmp_path)[0]
    assert "<code><bdi>fridge/1.0 (ARM)</bdi></code>" in text
    assert "28 Dec 2013, 2 days before; <bdi>shadowserver:scan_http, scans/http.csv@40112</bdi>" in text
    assert "No single piece may weigh more than 5.6 bits" in text


def test_things_by_network(tmp_path: Path) -> None:
    """Section 5 shows how many of the judged sources of a network are things, and hatches what was not judged."""
    text = pages(told("estimated"), tmp_path)[0]
    section = part(text, "largest of 1,146 networks, and things", "largest of 123 countries")
    assert "50 of 300" in section
    assert section.count("none judged") == 2


def test_poisoned_evidence_is_named(tmp_path: Path) -> None:
    """A file that is not to be trusted is named on the first screen and, with its rows, in section 8."""
    text = pages(ODD["poisoned"](), tmp_path)[0]
    for place in (part(text, "<h1", 'id="c-00000001-when"'), text[text.index('id="how"') :]):
        assert "scans/http-2013-12.csv.gz" in place
        assert "10,000 rows speak of one address" in place
    assert "no-time 12" in text


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


SHARE = st.one_of(st.none(), st.floats(0, 1))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=40), ends=st.tuples(SHARE, SHARE, SHARE), sources=st.integers(0, 10**9))
def test_any_banner_and_share(
    text: str, ends: tuple[float | None, float | None, float | None], sources: int, tmp_path: Path
) -> None:
    """Whatever banners say and however shares lie, the page stays well-formed."""
    low, high = sorted(end for end in (ends[0] or 0.0, ends[2] or 0.0))
    found = campaign(bins=60, waves=2, lures=1)
    known = sent.estimated(sources, sources, text)
    known["by_device_class"] = {"router": sources, "unheard_of": 1}
    known["ablation"] = [row | sent.ends(ends[0], ends[1], ends[2]) for row in known["ablation"]]
    known["ladder"] = [row | {"share": sent.ends(ends[0], ends[1], ends[2])} for row in known["ladder"]]
    known["background"] |= sent.ends(low, low, high)
    found["things"] = known
    page = Reader(pages(report([found], evidence=sent.evidence(poisoned=True, text=text)), tmp_path)[0])
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
