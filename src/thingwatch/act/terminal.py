"""Tell in one minute, on a terminal, what was found: aligned, coloured where colour is understood.

Nothing here is parsed as markup: rich would raise on "[/foo]" in a subject, and it passes ESC through.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from thingwatch.act.clean import defang, safe
from thingwatch.act.glossary import ORIGINS
from thingwatch.act.portrait import cut_short, drawn_campaigns, failed_checks
from thingwatch.act.senders import assessed, classes, readings, warnings
from thingwatch.act.wording import (
    count,
    estimate,
    lasting,
    moment,
    period,
    plural,
    seconds_between,
    share_text,
)

MAX_ROWS = 10  # campaigns in the table; more stand in the report
MAX_TOLD = 2  # campaigns told in full
MAX_WAVES = 8  # lines of waves of one campaign; the largest are kept
MAX_DEFENCES = 6
MAX_CLASSES = 5
MAX_WARNINGS = 3  # of evidence; all stand in section 8

_WIDE = 64  # columns from which the table has all its own
_STYLES = {"attack": "bold red", "unsure": "bold yellow", "bulk": "dim"}


def summary(report: dict[str, Any], console: Console) -> None:
    """Print *report* to *console*: headline, attacks, waves, the cap, the defences, where to look next.

    Colour is the console's affair: none when piped. Lines wrap at its width; 40 columns are enough.
    """
    drawn = drawn_campaigns(report)
    broken = [campaign for campaign in drawn if failed_checks(campaign)]
    if broken:
        _say(console, "A self-check failed: this is a fault of the program, not of the mail.", "bold red")
        for campaign in broken[:MAX_ROWS]:
            _say(console, f"{campaign['id']}: {failed_checks(campaign)[0]['sentence']}", indent=2)
    else:
        _say(console, report["headline"], "bold")
    _say(console, _input(report), "dim")
    if "continued" in report:
        _say(console, report["continued"]["sentence"], "dim")
    if drawn:
        _table(console, drawn)
    else:
        _say(console, report["smallest_seen"]["sentence"])
    shown = [c for c in drawn if not failed_checks(c)][:MAX_TOLD]
    for campaign in shown:
        _campaign(console, campaign, report)
        _senders(console, campaign["things"], tables=2 if len(shown) == 1 else int(campaign is shown[0]))
    found = warnings(report)
    for path, warning in found[:MAX_WARNINGS]:
        _say(
            console,
            f"Evidence in doubt: {safe(path, 60)}: {safe(warning['sentence'], 200)}",
            "bold yellow",
        )
    if len(found) > MAX_WARNINGS:
        _say(
            console,
            f"{plural(len(found) - MAX_WARNINGS, 'more warning')} about evidence in the report.",
            "dim",
        )
    _next(console, report, drawn)


def _say(console: Console, words: object, style: str = "", indent: int = 0) -> None:
    text = Text(defang(words, bare=False), style=style)
    # Wrapped here, for rich would fill each line with blanks up to the width.
    for line in text.wrap(console, max(10, console.width - indent), overflow="fold"):
        line.rstrip()
        console.print(Text(" " * indent).append_text(line), markup=False, highlight=False, emoji=False)


def _gap(console: Console, words: str) -> None:
    console.print()
    _say(console, words, "bold")


def _input(report: dict[str, Any]) -> str:
    totals = report["totals"]
    when = period(report["input"]["first_seen"], report["input"]["last_seen"])
    parts = [
        f"{plural(totals['messages'], 'mail')} read, {when}",
        plural(totals["sources"], "source"),
    ]
    if totals["bulk"] or totals["unsure"]:
        parts.append(f"also {count(totals['bulk'])} bulk, {count(totals['unsure'])} unsure")
    if totals["skipped"]:
        reasons = ", ".join(
            f"{safe(name, 40)} {count(number)}" for name, number in list(totals["skips"].items())[:4]
        )
        parts.append(f"{plural(totals['skipped'], 'piece')} of input skipped ({reasons})")
    return "; ".join(parts) + "."


def _grid(*columns: tuple[str, str], header: bool = True) -> Table:
    table = Table(box=None, show_header=header, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for name, justify in columns:
        # Numbers never wrap; what can is folded by character, for a name may be one long word.
        table.add_column(name, justify="right" if justify == "right" else "left", no_wrap=justify == "right",
                         overflow="ellipsis" if justify == "right" else "fold")  # fmt: skip
    return table


def _print(console: Console, table: Table) -> None:
    console.print(Padding(table, (0, 0, 0, 2), expand=False), markup=False, highlight=False, emoji=False)


def _table(console: Console, drawn: list[dict[str, Any]]) -> None:
    wide = console.width >= _WIDE
    _gap(console, "Attacks" if drawn[0]["verdict"] == "attack" else "Unsure")
    columns = [("campaign", "left"), ("messages", "right"), ("sources", "right")]
    if wide:
        columns += [("most each", "right"), ("waves", "right"), ("subject", "left")]
    table = _grid(*columns)
    for campaign in drawn[:MAX_ROWS]:
        name = Text(safe(campaign["id"], 40), style=_STYLES[campaign["verdict"]])
        if failed_checks(campaign):
            table.add_row(name, Text("not printed"))
            continue
        cells = [count(campaign["messages"]), count(campaign["sources"])]
        if wide:
            subject = campaign["lures"][0]["subject"] if campaign["lures"] else ""
            cells += [count(campaign["max_per_source"]), count(len(campaign["waves"])), defang(subject, 60)]
        table.add_row(name, *(Text(cell) for cell in cells))
    _print(console, table)
    if len(drawn) > MAX_ROWS:
        _say(console, f"and {count(len(drawn) - MAX_ROWS)} more in the report", "dim", 2)


def _campaign(console: Console, campaign: dict[str, Any], report: dict[str, Any]) -> None:
    _gap(console, f"{campaign['id']}: {campaign['headline']}")
    waves = campaign["waves"]
    if waves:
        chosen = sorted(sorted(waves, key=lambda w: -w["messages"])[:MAX_WAVES], key=lambda w: w["number"])
        left_out = f", the {len(chosen)} largest" if len(chosen) < len(waves) else ""
        short = "; may be one wave or part of one" if cut_short(report) else ""
        _say(
            console,
            f"{plural(len(waves), 'wave')}{left_out}{short}. {campaign['clock']['sentence']}",
            indent=2,
        )
        wide = console.width >= _WIDE
        columns = [("", "right"), ("start (UTC)", "left"), ("length", "right"), ("messages", "right")]
        table = _grid(*columns, *([("sources", "right"), ("new", "right")] if wide else []))
        for wave in chosen:
            length = lasting(seconds_between(wave["start"], wave["end"]))
            cells = [str(wave["number"]), moment(wave["start"], year=wide), length, count(wave["messages"])]
            if wide:
                cells += [count(wave["sources"]), count(wave["new_sources"])]
            table.add_row(*(Text(cell) for cell in cells))
        _print(console, table)
        if campaign["clock"]["forecast"]:
            _say(console, campaign["clock"]["forecast"]["sentence"], indent=2)
    _say(console, campaign["per_source"]["sentence"], indent=2)
    _defences(console, campaign)


def _senders(console: Console, things: dict[str, Any], *, tables: int) -> None:
    # The readings stand side by side, for none of them should be quoted alone; the sentence has two of them.
    if not assessed(things):
        _say(console, f"Share of things: {things['status']}. {things['sentence']}", indent=2)
        return
    _say(console, f"Who sent it: {things['status']}. {things['sentence']}", indent=2)
    if not tables:
        return
    wide = console.width >= _WIDE
    table = _grid(("share of things", "left"), ("", "right"), *([("", "left")] if wide else []))
    for row in readings(things):
        value = f"{row.value} {row.verdict}".strip()
        table.add_row(Text(row.name.lower()), Text(value), *([Text(safe(row.remark, 120))] if wide else []))
    _print(console, table)
    if tables > 1 and things["counts"]["sources_identified"]:
        columns = [("origin", "left"), ("messages", "right"), *([("sources", "right")] if wide else [])]
        table = _grid(*columns, ("of all", "right"))
        for row in things["origins"]:
            of_all = estimate(row["estimate"]) if row["estimate"] else "-"
            cells = [count(row["messages"]), *([count(row["sources"])] if wide else []), of_all]
            table.add_row(Text(ORIGINS[row["origin"]].inline), *(Text(cell) for cell in cells))
        _print(console, table)
    named = [f"{safe(words, 40)} {count(sources)}" for words, sources in classes(things)[:MAX_CLASSES]]
    if named:
        said = (
            f"Device classes, in sources: {', '.join(named)}; not earned {count(things['class_not_earned'])}."
        )
        _say(console, said, indent=2)


def _defences(console: Console, campaign: dict[str, Any]) -> None:
    if not campaign["counterfactual"]:
        return
    _say(console, "What ordinary defences would have caught:", indent=2)
    table = _grid(("", "left"), ("stops", "right"), ("loses", "right"))
    for row in campaign["counterfactual"][:MAX_DEFENCES]:
        loses = share_text(row["collateral"]) if row["collateral"] else "not measured"
        table.add_row(Text(safe(row["name"], 80)), Text(share_text(row["share"])), Text(loses))
    _print(console, table)


def _next(console: Console, report: dict[str, Any], drawn: list[dict[str, Any]]) -> None:
    _gap(console, "Where to look next")
    if drawn:
        _say(console, "report.html: the proof, with waves, lures and the signature", indent=2)
        _say(console, f"messages.parquet: the mails of {drawn[0]['id']}, by campaign_id", indent=2)
    else:
        _say(console, "report.html: what was read, and what else was found", indent=2)
    if report["totals"]["skipped"] or report["evidence"]["skipped"]:
        _say(console, "report.html, section 8: what was skipped and why", indent=2)
