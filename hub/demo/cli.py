"""`preau demo`: everything set up and started at once, with people to try."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--hub-port", type=click.IntRange(1024, 65535), default=8000, show_default=True)
@click.option("--sp-port", type=click.IntRange(1024, 65535), default=8001, show_default=True, help="Port of the demo service provider.")
@click.option(
    "--instance",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("var"),
    show_default=True,
    help="Instance folder.",
)
@click.option("--prepare-only", is_flag=True, help="Set everything up, start nothing.")
def demo(hub_port: int, sp_port: int, folder: Path, prepare_only: bool) -> None:
    """Set up and start a demo: hub, service provider and worker, on loopback, with synthetic people.

    Running it again changes nothing and starts again. Everything it makes is in the instance folder.
    """
    from ..ops import logs
    from . import run

    if hub_port == sp_port:
        raise click.UsageError("--hub-port and --sp-port must differ")
    logs.configure("warning")
    settings, sp_base_url = run.demo_settings(hub_port, folder), f"http://localhost:{sp_port}"
    with run.alone_in(settings.instance_dir):
        if not prepare_only:
            run.require_free(hub_port, sp_port)
        people = run.prepare(settings, sp_base_url=sp_base_url)
        run.tell(settings, people, sp_base_url=sp_base_url)
        if not prepare_only:
            run.serve(settings, sp_base_url=sp_base_url)
