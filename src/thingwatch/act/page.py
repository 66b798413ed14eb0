"""Write report.html: one self-contained file that tells a newcomer what was found and how surely.

The page is drawn from the report document alone, so it can be drawn again from report.json. It makes no
request: styles, script and drawings are inside, and its content security policy allows just the one
style sheet and the one script, by hash.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from thingwatch.act import drawing, figures, portrait, senders, wording
from thingwatch.act.clean import MAX_SPECIMEN, defang
from thingwatch.errors import ContradictionError

MAX_ON_ONE_PAGE = 5  # attacks with all their sections on the first page; more get a page each
MAX_PAGES = 1_000  # pages beside the report; beyond, a campaign is a row without a link
MAX_ROWS = 1_000  # campaigns of one verdict named on the first page

_HERE = Path(__file__).parent
_ID = re.compile(r"[a-z]-[0-9a-z]{1,64}")
_BLOCKS = re.compile("(▇+)")


def write_page(report: dict[str, Any], path: Path) -> None:
    """Write the page of *report* to *path*, and one page for each attack beside it if there are many.

    With more than five attacks, their pages go to ``campaigns/c-....html`` in the folder of *path*.
    Raises OSError where a file cannot be written, and ContradictionError where a campaign's id is not one
    of ours, for it names a file.
    """
    for campaign in report["campaigns"]:
        if not _ID.fullmatch(campaign["id"]):
            raise ContradictionError(
                f"campaign id {campaign['id']!r}: must look like c-7f3a91d2; uncover again"
            )
    drawn = portrait.drawn_campaigns(report)
    apart = drawn[:MAX_PAGES] if len(drawn) > MAX_ON_ONE_PAGE else []
    pages = {campaign["id"]: f"campaigns/{campaign['id']}.html" for campaign in apart}
    _write(path, "page.html", report=report, drawn=[] if apart else drawn, largest=drawn, pages=pages)
    if apart:
        (path.parent / "campaigns").mkdir(exist_ok=True)
    for campaign in apart:
        _write(path.parent / pages[campaign["id"]], "alone.html", report=report, c=campaign, home=path.name)


def _write(path: Path, template: str, **values: Any) -> None:
    text = _environment().get_template(template).render(**values)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def bdi(value: object, limit: int = 160) -> Markup:
    """Return text from mail as an element of its own direction, cleaned and escaped."""
    return Markup("<bdi>{}</bdi>").format(defang(value, limit, bare=False))


def link(value: object, limit: int = 120) -> Markup:
    """Return a host or link from mail, written so that nothing will follow it."""
    return Markup("<bdi>{}</bdi>").format(defang(value, limit))


def specimen(value: object) -> Markup:
    """Return a redacted mail for a ``pre``: links harmless, hidden stretches as grey blocks."""
    text = escape(defang(value, MAX_SPECIMEN, lines=True))
    return Markup(_BLOCKS.sub(r"<del>\1</del>", str(text)))  # noqa: S704  escaped in the line above


def headline(value: object) -> Markup:
    """Return the first sentences with their two subjects, the attack and the things, in their colours."""
    text = str(escape(defang(value, bare=False)))
    text = re.sub(r"\A(?:One|\d+) attack campaigns?\b", r'<b class="a">\g<0></b>', text)
    return Markup(re.sub(r"\bThings(?= sent )", r'<b class="t">\g<0></b>', text, count=1))  # noqa: S704


def _cut(value: object, limit: int) -> str:
    return defang(value, limit, bare=False)


def _shown(value: object) -> object:
    """Clean whatever a template prints; only what was made as markup here passes untouched."""
    return value if isinstance(value, Markup) else defang(value, lines=True, bare=False)


def _hash(text: str) -> str:
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _environment() -> Environment:
    style, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = "count percent whole estimate bits moment day clock lasting plural spelled"
    filters: dict[str, Callable[..., Any]] = {name: getattr(wording, name) for name in words.split()}
    filters |= {
        "share": wording.share_text,
        "all_mails": wording.all_mails,
        "failures": portrait.failed_checks,
    }
    filters |= {"bdi": bdi, "clean": _cut, "link": link, "specimen": specimen, "headline": headline}
    environment.filters.update(filters)
    environment.tests["assessed"] = senders.assessed
    environment.tests["failed"] = lambda campaign: bool(portrait.failed_checks(campaign))
    environment.globals.update(
        style=Markup(style),  # noqa: S704  our own files
        script=Markup(script),  # noqa: S704
        policy=f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'",
        draw=drawing,
        figures=figures,
        portrait=portrait,
        senders=senders,
        period=wording.period,
        seconds=wording.seconds_between,
        by_kind=_by_kind,
        MAX_ROWS=MAX_ROWS,
    )
    return environment


def _by_kind(campaigns: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return *campaigns* under their kinds, the kind with most messages first."""
    ordered = sorted(campaigns, key=lambda c: str(c["kind"]))
    kinds = [(kind, list(found)) for kind, found in groupby(ordered, key=lambda c: str(c["kind"]))]
    return sorted(kinds, key=lambda pair: -sum(c["messages"] for c in pair[1]))
