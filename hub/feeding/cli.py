"""``preau aaf``: check an AAF delivery, or publish it into the directory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from . import flow
from .report import Report

_PATHS = click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
_ACADEMY = click.option("--academy", metavar="CODE", help="Academy of the feed; read from the files by default.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")


@click.group()
def aaf() -> None:
    """Exports of the academies (AAF): check, import, generate."""


@aaf.command("check")
@_PATHS
@_ACADEMY
@_JSON
def check_command(paths: tuple[Path, ...], academy: str | None, as_json: bool) -> None:
    """Read a delivery and report; nothing is written. PATH is a folder or files."""
    with _progress_bar() as progress:
        report = flow.check(paths, academy=academy, progress=progress)
    _show(report, as_json)


@aaf.command("import")
@_PATHS
@click.option("--feed", metavar="NAME", help="Name of the feed; the code of the academy by default.")
@click.option("--new-feed", is_flag=True, help="Accept a second feed of an academy that already has one.")
@_ACADEMY
@click.option("--date", "day", metavar="YYYY-MM-DD", type=click.DateTime(["%Y-%m-%d"]), help="Day of an export whose files do not say it.")
@click.option("--accept-gap", is_flag=True, help="Publish although a number is missing in the sequence of the files.")
@_JSON
def import_command(
    paths: tuple[Path, ...], feed: str | None, new_feed: bool, academy: str | None, day: datetime | None, accept_gap: bool, as_json: bool
) -> None:
    """Publish a complete export into the directory. PATH is a folder or files."""
    from .. import audit
    from ..cli.context import actor, instance

    directory = flow.feedable(instance().directory)
    with _progress_bar() as progress:
        exported_on = day.date() if day else None
        report = flow.import_delivery(
            paths, directory, feed=feed, academy=academy, exported_on=exported_on, new_feed=new_feed, accept_gap=accept_gap,
            progress=progress,
        )  # fmt: skip
    with instance().database.transaction() as db:
        audit.record(db, "directory.imported", actor=actor(), feed=report.feed, counts=report.to_json()["counts"])
    _show(report, as_json)


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
    if as_json:
        from ..cli.context import echo_json

        echo_json(report.to_json())
    else:
        click.echo(report.to_text())


from .generate.cli import generate  # noqa: E402 -- the group above must exist first

aaf.add_command(generate)
