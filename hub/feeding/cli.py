"""``preau aaf``: check an AAF delivery, publish it into the directory, show what came of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from backends.sdet.records import DeliveryKind

from ..errors import Refusal
from . import flow, show
from .report import Report

_PATHS = click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
_ACADEMY = click.option("--academy", metavar="CODE", help="Academy of the feed; read from the files by default.")
_KIND = click.option(
    "--kind",
    type=click.Choice([kind.value for kind in DeliveryKind]),
    help="Complete or delta; read from the names of files and archive by default.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")


@click.group()
def aaf() -> None:
    """Exports of the academies (AAF): check, import, generate."""


@aaf.command("check")
@_PATHS
@_ACADEMY
@_KIND
@_JSON
def check_command(paths: tuple[Path, ...], academy: str | None, kind: str | None, as_json: bool) -> None:
    """Read a delivery and report; nothing is written. PATH is a folder, an archive or files."""
    with _progress_bar() as progress:
        report = flow.check(paths, academy=academy, kind=DeliveryKind(kind) if kind else None, progress=progress)
    _show(report, as_json)


@aaf.command("import")
@_PATHS
@click.option("--feed", metavar="NAME", help="Name of the feed; the code of the academy by default.")
@click.option("--new-feed", is_flag=True, help="Accept a second feed of an academy that already has one.")
@_ACADEMY
@_KIND
@click.option("--date", "day", metavar="YYYY-MM-DD", type=click.DateTime(["%Y-%m-%d"]), help="Day of an export whose files do not say it.")
@click.option("--accept-gap", is_flag=True, help="Publish although a number is missing in the sequence of the files.")
@click.option("--accept-shrink", is_flag=True, help="You have checked that so many people left: publish. Goes to the audit with your name.")
@_JSON
def import_command(
    paths: tuple[Path, ...],
    feed: str | None,
    new_feed: bool,
    academy: str | None,
    kind: str | None,
    day: datetime | None,
    accept_gap: bool,
    accept_shrink: bool,
    as_json: bool,
) -> None:
    """Publish a complete or a delta into the directory. PATH is a folder, an archive or files."""
    from ..cli.context import actor, instance
    from . import service

    directory = flow.feedable(instance().directory)
    with _progress_bar() as progress:
        number = service.run(
            instance().database, directory, service.policy(instance().settings), paths, actor=actor(), feed=feed, academy=academy,
            kind=DeliveryKind(kind) if kind else None, exported_on=day.date() if day else None, new_feed=new_feed, accept_gap=accept_gap,
            accept_shrink=accept_shrink, progress=progress,
        )  # fmt: skip
    _show_kept(service.shown(service.delivery(instance().database, number)), as_json)


@aaf.command("list")
@click.option("--feed", metavar="NAME", help="Only deliveries of that feed.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable answer.")
def list_command(feed: str | None, limit: int, as_json: bool) -> None:
    """Past deliveries, the newest first."""
    from ..cli.context import echo_json, instance
    from . import service

    found = [service.shown(row) for row in service.deliveries(instance().database, feed=feed, limit=limit)]
    if as_json:
        wanted = ("id", "name", "feed", "kind", "dates", "outcome", "message", "started_at", "finished_at", "actor", "shrink_accepted")
        echo_json([{name: row[name] for name in wanted} for row in found])
        return
    for row in found:
        days = " ".join(f"{degree}:{day or '-'}" for degree, day in row["dates"].items())
        start = f"{row['id']:>6}  {row['started_at'][:19]}Z  {row['outcome']:<11}  {row['feed'] or '-':<10}"
        click.echo(f"{start}  {row['kind'] or '-':<8}  {days}  {row['name']}")


@aaf.command("inbox")
def inbox_command() -> None:
    """Take now what is ready in the drop folder (PREAU_FEEDING_INBOX), as the worker does every five minutes."""
    from ..cli.context import instance
    from . import inbox

    if instance().settings.feeding_inbox is None:
        raise Refusal("no drop folder is set: see PREAU_FEEDING_INBOX")
    taken = inbox.sweep(instance().database, flow.feedable(instance().directory), instance().settings, now=datetime.now(UTC))
    click.echo(f"{taken} file(s) taken: see `preau aaf list`")


@aaf.command("report")
@click.argument("number", type=int, required=False)
@click.option("--school", "uai", metavar="UAI", help="Only what concerns that school.")
@click.option("--schools", "each", is_flag=True, help="Also what concerns each school.")
@click.option("--csv", "as_csv", is_flag=True, help="Print a table, separated by semicolons.")
@_JSON
def report_command(number: int | None, uai: str | None, each: bool, as_csv: bool, as_json: bool) -> None:
    """The report of a past delivery, by its number in `preau aaf list`; the last one by default."""
    from ..cli.context import echo_json, instance
    from . import service

    row = service.delivery(instance().database, number)
    report, schools = service.shown(row), service.schools(instance().database, row.id, uai=uai) if uai or each else []
    if uai and not schools:
        raise Refusal(f"delivery {row.id} says nothing of a school {uai}")
    if as_json:
        echo_json(schools if uai else report | ({"schools": schools} if each else {}))
    elif as_csv:
        click.echo(show.as_csv(None if uai else report, schools), nl=False)
    else:
        texts = ([] if uai else [show.as_text(report)]) + [show.school_as_text(school) for school in schools]
        click.echo("\n\n".join(texts))


@contextmanager
def _progress_bar() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on standard error, only for a person at a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = ("[progress.description]{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Reading", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _show(report: Report, as_json: bool) -> None:
    _show_kept(report.to_json(), as_json)


def _show_kept(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        from ..cli.context import echo_json

        echo_json(report)
    else:
        click.echo(show.as_text(report))


from .generate.cli import generate  # noqa: E402 -- the group above must exist first

aaf.add_command(generate)
