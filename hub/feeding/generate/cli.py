"""``preau aaf generate``."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click

from backends import Degree

from . import ALL, BOTH, QUIRKS, Generation, Plan, Summary, flow
from .delta import write_delta
from .pack import PACKINGS, pack

_DEGREES = {"1d": (Degree.PRIMARY,), "2d": (Degree.SECONDARY,), "both": BOTH}


def _list_quirks(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    for quirk in QUIRKS.values():
        mark = "*" if quirk.alone else " "
        click.echo(f"{mark} {quirk.name:26} {quirk.says}")
    click.echo("\n* not in 'all': it makes the whole delivery another one, or unusable")
    context.exit()


@click.command("generate")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--students", type=click.IntRange(min=1), help="Number of pupils, over all academies and degrees.")
@click.option("--academies", type=click.IntRange(min=1), default=2, show_default=True, help="Number of academies.")
@click.option(
    "--degree", type=click.Choice(list(_DEGREES)), default="both", show_default=True, help="First degree, second degree, or both."
)
@click.option(
    "--generation",
    type=click.Choice([g.value for g in Generation]),
    default="new",
    show_default=True,
    help="Relation codes and levels since 2018, or before.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed and options write the same bytes.")
@click.option(
    "--quirk",
    "quirks",
    multiple=True,
    type=click.Choice([ALL, *QUIRKS]),
    metavar="NAME",
    help="A data-quality case to show; 'all' for most.",
)
@click.option(
    "--delta", type=click.FloatRange(0, 1), default=0.0, metavar="SHARE", help="Also write deltas of the day after, about that share."
)
@click.option(
    "--delta-from",
    type=click.Path(exists=True, path_type=Path),
    metavar="COMPLETE",
    help="Write only a delta, for the generated complete in that folder or archive.",
)
@click.option("--pack", "packing", type=click.Choice(PACKINGS), help="Archives with their checksum instead of folders.")
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="Day of the export; by default a fixed one.")
@click.option("--list-quirks", is_flag=True, is_eager=True, expose_value=False, callback=_list_quirks, help="List the quirks and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def generate(
    directory: Path,
    students: int | None,
    academies: int,
    degree: str,
    generation: str,
    seed: int,
    quirks: tuple[str, ...],
    delta: float,
    delta_from: Path | None,
    packing: str | None,
    day: datetime | None,
    as_json: bool,
) -> None:
    """Write invented AAF deliveries under DIRECTORY, one folder per academy and degree."""
    if delta_from:
        summary = Summary()
        changed_on = write_delta(delta_from, directory, delta or 0.01, seed, summary)
        if packing:
            summary.archives = [pack(directory, packing, changed_on)]
        click.echo(json.dumps(summary.to_json(), ensure_ascii=False, indent=2) if as_json else _as_text(summary))
        return
    if students is None:
        raise click.UsageError("Missing option '--students', or '--delta-from'.")
    plan = Plan(
        students=students,
        academies=academies,
        degrees=_DEGREES[degree],
        generation=Generation(generation),
        seed=seed,
        quirks=quirks,
        date=day.date() if day else None,
        delta=delta,
        packing=packing or "",
    )
    summary = flow.generate(directory, plan)
    click.echo(json.dumps(summary.to_json(), ensure_ascii=False, indent=2) if as_json else _as_text(summary))


def _as_text(summary: Summary) -> str:
    lines = [f"{summary.total} records in {summary.files} files:"]
    lines += [f"  {folder}" for folder in summary.archives or (*summary.folders, *summary.deltas)]
    lines += [f"{n:>10}  {academy} {degree} {category}" for (academy, degree, category), n in summary.records.items()]
    if summary.operations:
        lines += ["", "People in the deltas:", *(f"{n:>10}  {name}" for name, n in sorted(summary.operations.items()))]
    if summary.cast:
        lines += ["", "People to count on:"]
        lines += [
            f"  {name:18} {m.given_name} {m.family_name} ({', '.join(map(str, m.refs))}): {m.says}" for name, m in summary.cast.items()
        ]
    if summary.quirks:
        lines += ["", "Quirks played:"]
        lines += [f"{n:>10}  {name}" for name, n in summary.quirks.items()]
    return "\n".join(lines)
