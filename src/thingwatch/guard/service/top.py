"""The guard at a glance, for a terminal: rates, campaigns, actions, gaps. What comes from mail is cleaned first."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from thingwatch.act import safe

MAX_ROWS = 20
MAX_ALERTS = 3


def screen(status: dict[str, Any], campaigns: list[dict[str, Any]], before: dict[str, Any] | None) -> Group:
    """*status* and *campaigns* as they are shown; rates are since *before*."""
    service, guard = status.get("service") or {}, status["guard"]
    lines: list[RenderableType] = [_head(service, guard, _rate(status, before))]
    lines.append(_actions(guard))
    for gap in status.get("gaps", ())[-MAX_ALERTS:]:
        lines.append(Text(gap_words(gap), style="yellow"))
    for alert in status.get("alerts", ())[-MAX_ALERTS:]:
        lines.append(Text(safe(f"alert: {alert.get('event')} {_rest(alert)}", 160), style="bold red"))
    lines.append(campaign_table(campaigns, float(service.get("now", 0)), bool(guard.get("canary"))))
    return Group(*lines)


def _rest(alert: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {value}" for name, value in alert.items() if name not in ("at", "event", "alert")
    )


def _rate(status: dict[str, Any], before: dict[str, Any] | None) -> float:
    if before is None or not status.get("service") or not before.get("service"):
        return 0.0
    seconds = status["service"]["now"] - before["service"]["now"]
    mails = status["guard"]["counts"].get("mails", 0) - before["guard"]["counts"].get("mails", 0)
    return float(mails / seconds) if seconds > 0 else 0.0


def _head(service: dict[str, Any], guard: dict[str, Any], rate: float) -> Text:
    memory, breaker, journal = guard["memory"], guard["breaker"], guard.get("journal")
    said = [
        f"{'canary: nothing is held, deferred or refused' if guard['canary'] else 'armed'}",
        f"{guard['counts'].get('mails', 0):,} mails, {rate:.0f}/s",
        f"{service.get('waiting', 0)} waiting, {service.get('late', 0)} late",
        f"p99 {service.get('decision_seconds', {}).get('p99', 0) * 1000:.1f} ms",
        f"{memory['remembered']:,} of {memory['capacity']:,} remembered",
    ]
    if service:
        said.append(f"{service.get('resident_bytes', 0) / 2**20:,.0f} MB")
    if breaker["open"]:
        said.append("BREAKER OPEN: mail passes untried")
    if journal is not None and not journal["saved"]:
        said.append("NOT SAVED: the journal has stopped")
    return Text(safe("  |  ".join(said), 400))


def _actions(guard: dict[str, Any]) -> Text:
    policy = guard["policy"]
    did = {name[4:]: count for name, count in policy.items() if name.startswith("did ")}
    wanted = {name[7:]: count for name, count in policy.items() if name.startswith("wanted ")}
    words = [f"{name} {count:,}" for name, count in sorted(did.items())]
    would = [f"{name} {count:,}" for name, count in sorted(wanted.items()) if name not in ("accept", "tag")]
    text = "done: " + (", ".join(words) or "nothing yet")
    if guard["canary"] and would:
        text += "; without canary it would " + ", ".join(would)
    return Text(safe(text, 400))


def campaign_table(campaigns: list[dict[str, Any]], now: float, canary: bool) -> Table:
    """Campaigns, foremost first."""
    table = Table(box=None, pad_edge=False, expand=False)
    names = ("campaign", "verdict", "certainty", "mails", "sources", "recipients", "first", "last")
    for name in (*names, "would stop" if canary else "stopped", "why"):
        right = name in ("mails", "sources", "recipients", "first", "last", "stopped", "would stop")
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    for row in campaigns[:MAX_ROWS]:
        why = (row["mark"] and f"marked {row['mark']}") or row["disarmed"] or ", ".join(row["reasons"][:2])
        cells = [
            row["id"], row["verdict"], row["certainty"], f"{row['messages']:,}", f"{round(row['sources']):,}",
            f"{round(row['recipients']):,}", ago(now - row["first_at"] / 1e6), ago(now - row["last_at"] / 1e6),
            f"{row['touched']:,}", why,
        ]  # fmt: skip
        style = "bold" if row["verdict"] == "attack" else ""
        table.add_row(*(Text(safe(cell, 48), style=style) for cell in cells))
    return table


def gap_words(gap: dict[str, Any]) -> str:
    """A gap as a sentence."""
    from datetime import UTC, datetime

    since, until = (datetime.fromtimestamp(gap[name], UTC).strftime("%F %T") for name in ("since", "until"))
    return safe(
        f"gap: nobody looked from {since} to {until} UTC ({gap['until'] - gap['since']:.0f} s, {gap['how']});"
        " see: thingwatch guard rescan"
    )


def ago(seconds: float) -> str:
    """A time that has passed, in the unit a person would use."""
    for name, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{max(0.0, seconds):.0f} s"
