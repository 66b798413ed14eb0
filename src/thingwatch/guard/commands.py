"""The commands of the guard: ``thingwatch guard ...`` and ``thingwatch mark``."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from thingwatch.act import safe
from thingwatch.errors import InputError, OutputError, UsageError
from thingwatch.guard.service.client import asking

app = typer.Typer(
    help="The guard: mail in flight, by milter and HTTP.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
DEFAULT_STATE = Path("/var/lib/thingwatch")
POSTSUPER = "postsuper"
MAX_IDS_A_CALL = 200  # queue ids of one postsuper; its command line has room for thousands
EXIT_PARTIAL = 4
WIDE = 200  # columns

State = Annotated[
    Path,
    typer.Option("--state", metavar="DIR", envvar="THINGWATCH_STATE", help="The guard's state folder."),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="guard.toml; needed only where no guard runs."),
]
CampaignId = Annotated[
    str, typer.Argument(metavar="CAMPAIGN", help="As status, top and the header fields say it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]


@app.command()
def run(
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="guard.toml; see docs/guard-operate.md.")
    ] = None,
    known: Annotated[
        list[str] | None,
        typer.Option("--known", metavar="CASE", help="A case whose attacks are known from the start; may be repeated."),
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(
            "--state", metavar="DIR", envvar="THINGWATCH_STATE",
            help="Where memory outlives the process; without it all is forgotten.",
        ),
    ] = None,
    milter: Annotated[
        str | None,
        typer.Option("--milter", metavar="ADDRESS", help="inet:127.0.0.1:8893 or unix:PATH; who the mail server asks."),
    ] = None,
    http: Annotated[
        str | None,
        typer.Option("--http", metavar="HOST:PORT", help="127.0.0.1:8894; whom programs and commands ask."),
    ] = None,
    log: Annotated[
        str | None, typer.Option("--log", metavar="FILE", help="File for events; default: standard error.")
    ] = None,
) -> None:  # fmt: skip
    """Stand beside a mail server and decide on every mail; SIGHUP reloads, SIGTERM stops."""
    from thingwatch.guard.service import Daemon, Setup, serve

    def load() -> Setup:
        return Setup.load(
            config, known=tuple(known) if known else None, state=state, milter=milter, http=http, log=log
        )

    serve(Daemon(load))


@app.command()
def status(state: State = DEFAULT_STATE, config: Config = None, json_: Json = False) -> None:
    """How the guard is: counts, memory, what is wrong, when nobody looked."""
    from thingwatch.guard.service.top import screen

    with asking(state, config) as guard:
        found, campaigns = guard.status(), guard.campaigns(5)
    if json_:
        typer.echo(json.dumps({**found, "campaigns": campaigns}))
        return
    if not guard.running:
        typer.echo("no guard runs; this is what its state folder holds")
    _console().print(screen(found, campaigns, None))


def _console() -> Console:
    """For tables; where no terminal says how wide it is, wide enough for all of them."""
    plain = Console(markup=False, highlight=False)
    return plain if plain.is_terminal else Console(markup=False, highlight=False, width=WIDE)


@app.command()
def top(
    state: State = DEFAULT_STATE,
    seconds: Annotated[float, typer.Option("--seconds", min=0.2, max=60, help="Between two looks.")] = 1.0,
) -> None:
    """Watch the guard at work; end with Ctrl-C."""
    from rich.live import Live

    from thingwatch.guard.service.top import screen

    with asking(state) as guard:
        if not guard.running:
            raise InputError(
                f"{state}: no guard runs here; start it with: thingwatch guard run --state {state}"
            )
        before: dict[str, Any] | None = None
        with Live(console=Console(markup=False, highlight=False), screen=True, auto_refresh=False) as live:
            while True:
                found = guard.status()
                live.update(screen(found, guard.campaigns(5), before), refresh=True)
                before = found
                time.sleep(seconds)


@app.command()
def campaigns(
    state: State = DEFAULT_STATE,
    config: Config = None,
    least: Annotated[int, typer.Option("--least", min=1, help="Mails a campaign must have.")] = 5,
    json_: Json = False,
) -> None:
    """List the campaigns that are remembered, attacks first."""
    from thingwatch.guard.service.top import campaign_table

    with asking(state, config) as guard:
        found, canary = guard.campaigns(least), bool(guard.status()["guard"]["canary"])
    if json_:
        typer.echo(json.dumps(found))
        return
    _console().print(campaign_table(found, time.time(), canary))


@app.command()
def delivered(
    campaign: CampaignId, state: State = DEFAULT_STATE, config: Config = None, json_: Json = False
) -> None:
    """List the mails of CAMPAIGN that were let through, to be looked for in mailboxes, and those that are held."""
    with asking(state, config) as guard:
        found = guard.entries(campaign)
    if json_:
        typer.echo(json.dumps(found))
        return
    for name in ("delivered", "held"):
        typer.echo(f"{name}: {len(found[name])}")
        for row in found[name]:
            typer.echo(_line(row))


def _line(row: Mapping[str, Any]) -> str:
    from datetime import UTC, datetime

    at = datetime.fromtimestamp(row["at"] / 1e6, UTC).strftime("%F %T")
    words = [at, row["action"], row["queue_id"] or "-", f"<{row['message_id']}>", ",".join(row["recipients"])]
    if row.get("passed_unseen"):
        words.append("(passed unseen, while no guard looked)")
    return safe("  ".join(words), 600)


@app.command()
def rollback(
    campaign: CampaignId,
    state: State = DEFAULT_STATE,
    config: Config = None,
    release: Annotated[
        bool, typer.Option("--release", help="Run the commands that release what is held, too.")
    ] = False,
    json_: Json = False,
) -> None:
    """Disarm CAMPAIGN, tagging it at most from the next mail on, and say how to release what it held."""
    if release and not shutil.which(POSTSUPER):
        raise UsageError(
            "--release: no postsuper here; leave it out to see what would be run, and run it there"
        )
    with asking(state, config) as guard:
        found = guard.rollback(campaign, _who())
    ids = _queue_ids(found["released"])
    commands = release_commands(ids)
    if json_:
        typer.echo(json.dumps({**found, "commands": [" ".join(command) for command in commands]}))
    else:
        typer.echo(f"{safe(campaign)} is disarmed; {len(ids)} held mails are its own")
        for command in commands:
            typer.echo(" ".join(command))
    if release:
        _run(commands)


def _queue_ids(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Queue ids of *entries*, each once; what is no queue id of Postfix is never put on a command line."""
    found = (str(entry["queue_id"]) for entry in entries)
    return list(dict.fromkeys(one for one in found if one.isascii() and one.isalnum() and len(one) <= 40))


def release_commands(queue_ids: Sequence[str]) -> list[list[str]]:
    """What lets these mails go: postsuper(1), -H; one -H each."""
    return [
        [POSTSUPER, *(word for one in queue_ids[at : at + MAX_IDS_A_CALL] for word in ("-H", one))]
        for at in range(0, len(queue_ids), MAX_IDS_A_CALL)
    ]


def _run(commands: Sequence[Sequence[str]]) -> None:
    for command in commands:
        done = subprocess.run(command, check=False, capture_output=True, timeout=120)  # noqa: S603 - ids are checked
        if done.returncode:
            why = done.stderr.decode("utf-8", "replace").strip() or f"exit code {done.returncode}"
            raise OutputError(f"postsuper: {safe(why)}; run it as root, where the queue is")
    typer.echo(f"released with {len(commands)} calls of postsuper", err=True)


@app.command()
def rescan(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...", help="Where mail of that time lies: mailboxes, archives or mail logs."
        ),
    ],
    state: State = DEFAULT_STATE,
    config: Config = None,
    border: Annotated[
        list[str] | None,
        typer.Option(
            "--border", metavar="HOST|CIDR", help="As of uncover: who wrote the trusted Received lines."
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Look after the fact at mail that passed while no guard was there, and list it with its campaign."""
    from thingwatch.guard.service.rescan import rescan as look
    from thingwatch.guard.service.runs import Gap

    rows: list[dict[str, Any]] = []
    with asking(state, config) as guard:
        gaps = [Gap(**gap) for gap in guard.status()["gaps"]]
        if not gaps:
            typer.echo(
                "no gap is open: a guard has looked at all mail, or its mails were looked at since", err=True
            )
            return
        counts = look(guard, paths, gaps, tuple(border or ()), rows.append)
    if json_:
        typer.echo(json.dumps({"counts": dict(counts), "mails": rows}))
    else:
        for row in rows:
            typer.echo(_passed_line(row))
        typer.echo(
            f"{counts['in a gap']:,} of {counts['read']:,} mails passed unseen, {counts['of an attack']:,} of them of"
            f" an attack; {counts['skipped']:,} skipped",
            err=True,
        )
    if counts["skipped"]:
        raise typer.Exit(EXIT_PARTIAL)


def _passed_line(row: Mapping[str, Any]) -> str:
    words = [
        row["campaign"] or "-",
        row["confidence"],
        f"<{row['message_id']}>",
        ",".join(row["recipients"]),
        row["place"],
    ]
    return safe("passed unseen  " + "  ".join(words), 600)


def mark(campaign: str, verdict: str, state: Path, config: Path | None) -> None:
    """Tell the guard of *state* what *campaign* is, and print that it was told."""
    with asking(state, config) as guard:
        guard.mark(campaign, verdict, _who())
    typer.echo(f"{safe(campaign)} is marked {safe(verdict)}")


def _who() -> str:
    """For the journal: which person, behind sudo too."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
