"""What people type; joins the rim to the drivers."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from thingwatch import __version__
from thingwatch.act import safe, summary
from thingwatch.config import Settings
from thingwatch.errors import InputError, ThingwatchError, UsageError

app = typer.Typer(
    name="thingwatch",
    help="Find, prove and profile mail campaigns that no per-address view can see.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
EXIT_PARTIAL = 4


class _GuardGroup(typer.core.TyperGroup):
    """The guard's commands, loaded when one is asked for: the others need not wait two seconds for them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self._loaded().list_commands(ctx))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return self._loaded().get_command(ctx, cmd_name)

    def _loaded(self) -> Any:
        from thingwatch.guard.commands import app as guard

        return typer.main.get_command(guard)


app.add_typer(
    typer.Typer(
        name="guard", cls=_GuardGroup, help="Stand beside a mail server and decide on mail in flight.",
        no_args_is_help=True,
    )
)  # fmt: skip


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"thingwatch {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Find, prove and profile mail campaigns that no per-address view can see."""


Mail = Annotated[
    list[str],
    typer.Argument(
        metavar="MAIL...",
        help="mbox, Maildir, folder, .eml, tar, zip, Parquet, JSON lines or mail log; with spark also URLs.",
    ),
]
Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="TOML file of settings; see docs/settings.md.")
]
Recog = Annotated[
    Path | None,
    typer.Option(
        "--recog", metavar="DIR", help="A folder of Recog fingerprints (XML) to read banners with too."
    ),
]
DeviceRules = Annotated[
    list[Path] | None,
    typer.Option("--rules", metavar="FILE", help="Your own device rules (TOML); see docs/devices.md."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]


@app.command()
def uncover(
    mail: Mail,
    out: Annotated[
        Path, typer.Option("--out", metavar="CASE", help="Case folder to write, whole or not at all.")
    ] = Path("case"),
    border: Annotated[
        list[str] | None,
        typer.Option(
            "--border",
            metavar="HOST|CIDR",
            help="Who wrote the trusted Received lines; may be repeated. Default: the topmost external hop.",
        ),
    ] = None,
    mmdb: Annotated[
        list[Path] | None,
        typer.Option(
            "--mmdb", metavar="FILE", help="Your own network or country database (.mmdb); may be repeated."
        ),
    ] = None,
    blocklist: Annotated[
        Path | None,
        typer.Option(
            "--blocklist", metavar="FILE", help="Addresses and ranges, one a line, for the counterfactual."
        ),
    ] = None,
    evidence: Annotated[
        list[Path] | None,
        typer.Option(
            "--evidence",
            metavar="PATH",
            help="Scans, reports, p0f logs, lists: a file or folder, see docs/evidence.md; may be repeated.",
        ),
    ] = None,
    recog: Recog = None,
    rules: DeviceRules = None,
    earlier: Annotated[
        Path | None,
        typer.Option(
            "--continue",
            metavar="CASE",
            help="A case whose campaigns go on here, such as yesterday's; its mail is not read again. May be --out's.",
        ),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            metavar="NAME",
            help="duckdb, spark (on this machine) or spark=MASTER_URL; see docs/scale.md.",
        ),
    ] = "duckdb",
    config: Config = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the campaigns in MAIL and write a case folder: report.html, report.json and Parquet files."""
    from thingwatch.identify import Networks
    from thingwatch.uncover import Witness
    from thingwatch.uncover import uncover as run

    if engine != "duckdb" and engine.partition("=")[0] != "spark":
        raise UsageError(f"--engine {engine}: must be duckdb, spark or spark=MASTER_URL")
    settings = Settings.load(config)
    if border:
        settings = settings.changed(border=tuple(border))
    listed = _lines(blocklist) if blocklist is not None else None
    networks = Networks.load(None, mmdb or None)
    if not networks.known and not quiet:
        _say(
            "networks and countries will be unknown: no reference data; run `make reference`, or give --mmdb"
        )
    with _progress(quiet or json_) as told:
        witness = Witness(evidence or (), recog, rules or ())
        outcome = run(
            [one if "://" in one else Path(one) for one in mail],
            out,
            settings,
            networks,
            listed,
            told,
            witness,
            engine,
            earlier,
        )
    if json_:
        typer.echo(json.dumps(outcome.report, ensure_ascii=False))
    elif not quiet:
        summary(outcome.report, Console())
        typer.echo(f"\n{safe(out / 'report.html')}")
    if outcome.partial:
        raise typer.Exit(EXIT_PARTIAL)


@app.command()
def explain(
    case: Annotated[Path, typer.Argument(metavar="CASE", help="A case folder that uncover wrote.")],
    what: Annotated[
        str,
        typer.Argument(
            metavar="MESSAGE|CAMPAIGN",
            help="A Message-ID, a place such as inbox.mbox@10432, or the id of a campaign or lure.",
        ),
    ],
    json_: Json = False,
) -> None:
    """Show why a message belongs to its campaign, or what a campaign's signature is, as keys with weights."""
    from thingwatch.explain import explain as run
    from thingwatch.explain import lines

    found = run(case, what)
    if json_:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    for line in lines(found):
        typer.echo(safe(line, limit=600, lines=True))


@app.command()
def audit(
    scan: Annotated[
        list[Path],
        typer.Argument(
            metavar="SCAN...", help="Nmap XML or other evidence: files or folders; see docs/evidence.md."
        ),
    ],
    recog: Recog = None,
    rules: DeviceRules = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say which devices in scans of your own network could become thingbots, why, and what to do first."""
    from thingwatch.audit import audit as run
    from thingwatch.audit import exit_code, lines

    with _progress(quiet or json_) as told:
        found = run(scan, recog, rules or (), told)
    if json_:
        typer.echo(json.dumps(found, ensure_ascii=False))
    elif not quiet:
        for line in lines(found, Console().width):
            typer.echo(line)
    if code := exit_code(found):
        raise typer.Exit(code)


@app.command()
def replay(
    scale: Annotated[
        float, typer.Option("--scale", metavar="S", help="1.0 is 750,000 campaign mails and as many others.")
    ] = 0.02,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Equal seeds give equal mail.")] = 1,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write.")] = Path("replay"),
    form: Annotated[str, typer.Option("--format", help="mbox, maildir or parquet.")] = "mbox",
    level: Annotated[int, typer.Option("--level", min=0, max=3, help="Difficulty, 0 to 3.")] = 1,
    things: Annotated[
        float,
        typer.Option("--things", metavar="SHARE", help="Share of the attack's sources that are things."),
    ] = 0.28,
    evidence: Annotated[
        str, typer.Option("--evidence", help="What is known of senders: full, partial, headers or none.")
    ] = "partial",
    quiet: Quiet = False,
) -> None:
    """Write a labelled re-enactment of the 2014 case: invented test mail with its truth. Sends nothing."""
    from thingwatch.replay import replay as run

    with _progress(quiet) as told:
        run(
            scale, seed, out, form=form, level=level, things=things, evidence=evidence,
            progress=lambda mails: told("mails written", mails),
        )  # fmt: skip
    if not quiet:
        typer.echo(safe(out))


@app.command()
def score(
    case: Annotated[Path, typer.Argument(metavar="CASE", help="A case folder that uncover wrote.")],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="The folder replay wrote.")],
    json_: Json = False,
) -> None:
    """Measure CASE against TRUTH: precision, recall and B-cubed of campaigns and lures, ham caught, wave errors."""
    from thingwatch.score import as_json, lines
    from thingwatch.score import score as run

    measured = run(case, truth)
    if json_:
        typer.echo(as_json(measured))
        return
    for line in lines(measured):
        typer.echo(line)


@app.command()
def mark(
    campaign: Annotated[
        str, typer.Argument(metavar="CAMPAIGN", help="As the guard's status, top and header fields say it.")
    ],
    verdict: Annotated[str, typer.Argument(metavar="attack|bulk|good", help="What it is.")],
    state: Annotated[
        Path,
        typer.Option("--state", metavar="DIR", envvar="THINGWATCH_STATE", help="The guard's state folder."),
    ] = Path("/var/lib/thingwatch"),
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="guard.toml; needed only where no guard runs."),
    ] = None,
) -> None:
    """Tell the guard what CAMPAIGN is; it holds from the next mail on."""
    from thingwatch.guard.commands import mark as run

    run(campaign, verdict, state, config)


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a readable file to --blocklist") from error
    from ipaddress import ip_network

    entries = [line.split("#")[0].split(";")[0].strip() for line in text.splitlines()]
    entries = [entry.split()[0] for entry in entries if entry]
    for entry in entries:
        try:
            ip_network(entry, strict=False)
        except ValueError as error:
            raise InputError(f"{path}: {entry!r} is no address or range; write one a line") from error
    return entries


def _say(words: str) -> None:
    typer.echo(f"thingwatch: {safe(words)}", err=True)


class _progress:  # noqa: N801 used as a function
    """Progress on standard error while a person watches; nothing when piped."""

    def __init__(self, quiet: bool) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed:,}"), TimeElapsedColumn(),
            console=console, transient=True, disable=quiet or not console.is_terminal,
        )  # fmt: skip
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Any:
        self._bar.start()
        return self._told

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def _told(self, stage: str, rows: int) -> None:
        if _interrupted:
            # Compiled code may swallow the exception the signal raised in it; the signal still counts.
            raise KeyboardInterrupt
        if stage not in self._tasks:
            self._tasks[stage] = self._bar.add_task(stage, total=None)
        self._bar.advance(self._tasks[stage], rows)


_interrupted: list[int] = []  # the signals that asked us to stop


def _on_interrupt(number: int, _frame: object) -> None:
    _interrupted.append(number)
    raise KeyboardInterrupt


def main() -> None:
    """The command; errors of ours end in one line and their exit code, never in a traceback."""
    signal.signal(signal.SIGINT, _on_interrupt)
    try:
        app()
    except ThingwatchError as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _say("stopped; nothing was written")
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output went away, as `| head` does.
        sys.exit(0)
