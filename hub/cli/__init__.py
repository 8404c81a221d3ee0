"""The `preau` command. What a console can do, it can do; exit 0 done, 1 refused with a reason, 2 usage."""

from __future__ import annotations

import sys

import click

from backends import DirectoryError

from ..errors import PreauError
from ..ops import logs
from ..version import VERSION
from .context import close_instance

log = logs.get_logger("cli")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(VERSION, prog_name="preau")
def preau() -> None:
    """Préau: a SAML 2.0 federation hub for schools."""


def _register() -> None:
    from ..accounts.cli import account
    from ..audit.cli import audit
    from ..demo.cli import demo
    from ..feeding.cli import aaf
    from ..ops.cli import directory
    from ..registry.cli import sp
    from .instance import check_config, db, init, keys, metadata, serve, worker

    for command in (init, serve, worker, demo, check_config, aaf, directory, sp, keys, metadata, account, audit, db):
        preau.add_command(command)


_register()


def main() -> None:
    """Run the command; a refusal is one sentence on standard error, never a stack trace."""
    logs.configure()
    try:
        if status := preau(standalone_mode=False):  # click returns the code of an Exit and raises the rest
            sys.exit(status)
    except click.ClickException as exc:
        exc.show()
        sys.exit(exc.exit_code)
    except click.Abort:
        click.echo("Interrupted.", err=True)
        sys.exit(1)
    except (PreauError, DirectoryError) as exc:
        why = f"the directory does not answer: {exc}" if isinstance(exc, DirectoryError) else str(exc)
        reference = logs.new_reference()
        if not sys.stderr.isatty():  # a person at a terminal reads the sentence, whoever collects the output reads the line
            log.warning("command.refused", reference=reference, error=type(exc).__name__, command=" ".join(sys.argv[1:3]))
        click.echo(f"preau: {why}\n       (reference {reference})", err=True)
        sys.exit(1)
    finally:
        close_instance()
