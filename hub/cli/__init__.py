"""The `preau` command. What a console can do, it can do; exit 0 done, 1 refused with a reason, 2 usage."""

from __future__ import annotations

import sys

import click
from sqlalchemy.exc import SQLAlchemyError

from backends import DirectoryError

from ..errors import PreauError
from ..ops import logs
from ..version import VERSION
from .context import close_instance, echo_json, opened_instance

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
    from ..login.cli import session
    from ..ops.cli import directory
    from ..registry.cli import sp
    from ..staff.cli import agent
    from .instance import check_config, db, init, keys, metadata, serve, worker

    for command in (init, serve, worker, demo, check_config, aaf, directory, sp, keys, metadata, account, agent, session, audit, db):
        preau.add_command(command)


_register()


def main() -> None:
    """Run the command; a refusal or a failure is one sentence on standard error, never a stack trace."""
    logs.configure()
    try:
        code = preau(standalone_mode=False)
    except click.ClickException as exc:
        exc.show()
        code = exc.exit_code
    except click.Abort:
        click.echo("Interrupted.", err=True)
        code = 1
    except (PreauError, DirectoryError, SQLAlchemyError, OSError) as exc:
        _tell(exc)
        code = 1
    finally:
        close_instance()
    sys.exit(code if isinstance(code, int) else 0)  # click returns the code of an Exit, and otherwise what the command returned


def _tell(exc: Exception) -> None:
    reference = logs.new_reference()
    if not sys.stderr.isatty():  # a person at a terminal reads the sentence, whoever collects the output reads the line
        log.warning("command.refused", reference=reference, error=type(exc).__name__, command=" ".join(sys.argv[1:3]))
    log.debug("command.traceback", reference=reference, exc_info=exc)
    sentence = _sentence(exc)
    click.echo(f"preau: {sentence}\n       (reference {reference})", err=True)
    if "--json" in sys.argv:
        echo_json({"refused": sentence, "reference": reference})


def _sentence(exc: Exception) -> str:
    """What happened and what to do, as far as it can be told from here."""
    if isinstance(exc, PreauError):
        return str(exc)
    if isinstance(exc, OSError):
        return f"{exc.filename}: {exc.strerror}" if exc.filename else str(exc)
    instance = opened_instance()
    if instance is not None and not instance.settings.secret_file.exists():
        return f"no instance in {instance.settings.instance_dir}: set PREAU_INSTANCE_DIR or run `preau init`"
    part = "the directory" if isinstance(exc, DirectoryError) else "the database"
    return f"{part} does not answer as it should; `preau check-config` says more"
