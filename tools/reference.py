"""Writes the reference pages that are generated from the code: settings, back ends, errors, commands, attributes, states, roles.

`python -m tools.reference` writes them, `--check` says whether they are current.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args, get_type_hints

import click
from pydantic.fields import FieldInfo

from attribute_maps import dialects
from backends import Degree
from backends.federated import SourceSettings
from backends.loading import known
from hub.accounts.lifecycle import TABLE
from hub.cli import preau
from hub.settings import Settings
from hub.staff.rights import MATRIX, MEANING, OF_TROUBLESHOOTING, Right, Role
from hub.web.catalogue import ERRORS

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"
MADE = "<!-- Written by `make docs` from the code; changes here are lost. -->\n"


def _plain(value: Any) -> str:
    match value:
        case timedelta():
            seconds = int(value.total_seconds())
            for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
                if seconds % size == 0:
                    return f"{seconds // size} {unit}"
            return f"{seconds} s"
        case None | "":
            return "–"
        case bool():
            return "on" if value else "off"
        case _:
            return f"`{value}`"


def settings_page() -> str:
    """Every setting with its default."""
    rows = [
        f"| `PREAU_{name.upper()}` | {_plain(field.default)} | {field.description or ''} |" for name, field in Settings.model_fields.items()
    ]
    intro = (
        "A setting is a variable `PREAU_*`, or a line of `preau.toml` under its name in lower case without the prefix "
        '(`base_url = "https://hub.example"`). Durations are in ISO 8601 (`PT30M`) or seconds.\n'
    )
    return "\n".join(["# Settings", MADE, intro, "| name | default | meaning |", "|---|---|---|", *rows, ""])


_HEAD = ["| option | default | meaning |", "|---|---|---|"]


def _default(value: Any) -> str:
    match value:
        case inspect.Parameter.empty:
            return "needed"
        case frozenset() | dict():
            return "all" if value == frozenset(Degree) else "none"
        case _:
            return _plain(value)


def _options(opener: Any) -> Iterator[str]:
    """The options of a back end that says what they mean; others are read where they are written."""
    hints = get_type_hints(opener, include_extras=True)
    for name, parameter in inspect.signature(opener).parameters.items():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            (meaning,) = [one.description for one in get_args(hints[name])[1:] if isinstance(one, FieldInfo)]
            yield f"| `{name}` | {_default(parameter.default)} | {meaning} |"


def back_ends_page() -> str:
    """Every back end that is installed, with its options, and the description of a source."""
    parts = [
        "# Directory back ends", MADE,
        "`PREAU_DIRECTORY` names the back end, `PREAU_DIRECTORY_OPTIONS` is the table of its options: see "
        "[how to plug in directories](../how-to/plug-in-directories.md).\n",
    ]  # fmt: skip
    for name, point in known().items():
        opener = point.load()
        about = (inspect.getmodule(opener).__doc__ or "").split("\n\n")[0].replace("\n", " ").replace("``", "`")  # type: ignore[union-attr]
        rows = list(_options(opener))
        parts += [f"## `{name}`", "", about, "", *([*_HEAD, *rows] if rows else ["No option."]), ""]
    parts += ["## A source of `federated`", "", *_HEAD]
    for name, field in SourceSettings.model_fields.items():
        default = inspect.Parameter.empty if field.is_required() else field.get_default(call_default_factory=True)
        parts.append(f"| `{name}` | {_default(default)} | {field.description} |")
    return "\n".join([*parts, ""])


def errors_page() -> str:
    """Every error that a person may meet."""
    rows = [f"| `{e.code}` | {e.status} | {e.title} | {e.what} | {e.act} |" for e in ERRORS.values()]
    intro = "Each page shows a reference number: it is in every log line of that request or sign-on (`reference`).\n"
    return "\n".join(
        ["# Error catalogue", MADE, intro, "| code | HTTP | title | what happened | who can act |", "|---|---|---|---|---|", *rows, ""]
    )


def _commands(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent, **command.context_settings)
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            yield from _commands(command.commands[child], child, context)
    else:
        yield f"## {context.command_path}\n\n```\n{command.get_help(context)}\n```\n"


def commands_page() -> str:
    """The help of every command."""
    return "\n".join(["# Commands", MADE, "Exit codes: 0 done, 1 refused with a reason, 2 usage.\n", *_commands(preau, "preau")])


def attributes_page() -> str:
    """Every attribute of every dialect."""
    parts = ["# Attributes", MADE]
    for dialect in dialects().values():
        parts += [f"## Dialect `{dialect.name}`", "", "| friendly name | name | values | grammar | meaning |", "|---|---|---|---|---|"]
        for a in dialect.attributes:
            many = "several" if a.multiple else "one"
            grammar = a.grammar.pattern.replace("|", "\\|")
            meaning = a.meaning + (" (only to services granted it by name)" if a.sensitive else "")
            parts.append(f"| {a.friendly_name} | `{a.name}` | {many} | `{grammar}` | {meaning} |")
        parts.append("")
    return "\n".join(parts)


def states_page() -> str:
    """The state machine of an account."""
    rows = [f"| {rule.source.value} | {rule.event.name.lower()} | `{rule.event.value}` | {rule.target.value} |" for rule in TABLE]
    intro = "From the table of `hub/accounts/lifecycle.py`. No row in the database means `KNOWN`.\n"
    return "\n".join(["# Account states", MADE, intro, "| from | event | audit row | to |", "|---|---|---|---|", *rows, ""])


def _cell(right: Right, role: Role) -> str:
    grant = MATRIX[right].get(role)
    if grant is None:
        return "–"
    return grant.reach.value + (", figures only" if grant.aggregates else "") + (", with a reason" if grant.break_glass else "")


def roles_page() -> str:
    """Who may do what, and how far."""
    rows = [f"| {MEANING[right]} (`{right.value}`) | {' | '.join(_cell(right, role) for role in Role)} |" for right in Right]
    intro = (
        "From `hub/staff/rights.py`. Each cell says how far the right goes; the trouble-shooting application gives nobody more than "
        f"{' and '.join(f'`{right.value}`' for right in Right if right in OF_TROUBLESHOOTING)}, the administration nothing to a "
        "troubleshooter. In an agricultural school nobody delegates. « With a reason »: not built yet, so it opens nothing.\n"
    )
    head = f"| right | {' | '.join(f'`{role.value}`' for role in Role)} |"
    return "\n".join(["# Roles and rights", MADE, intro, head, "|---" * (len(Role) + 1) + "|", *rows, ""])


PAGES = {
    "roles.md": roles_page,
    "account-states.md": states_page,
    "settings.md": settings_page,
    "back-ends.md": back_ends_page,
    "errors.md": errors_page,
    "commands.md": commands_page,
    "attributes.md": attributes_page,
}


def stale() -> list[str]:
    """Names of the pages that do not match the code."""
    return [name for name, make in PAGES.items() if not (REFERENCE / name).exists() or (REFERENCE / name).read_text() != make()]


def main() -> int:
    """Write the pages, or check them."""
    if "--check" in sys.argv:
        found = stale()
        print("stale: " + ", ".join(found) if found else "the reference is current")
        return 1 if found else 0
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (REFERENCE / name).write_text(make())
    return 0


if __name__ == "__main__":
    sys.exit(main())
