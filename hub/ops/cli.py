"""``preau directory``: who is known, what is said of somebody, whether the sources answer."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from backends import Guardian, Kind, NotFound, Person, Ref, Student, missing_from

from ..cli.context import echo_json, instance
from ..errors import Refusal

as_json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable answer.")


@click.group()
def directory() -> None:
    """The directory of people, schools and ties, as its sources tell it now."""


@directory.command("find")
@click.option("--ine", help="INE of a pupil.")
@click.option("--name", nargs=2, metavar="FAMILY GIVEN", help="A guardian, with --mobile or --mail.")
@click.option("--mobile", help="Mobile of the guardian, E.164 (+33639980001).")
@click.option("--mail", help="Mail of the guardian.")
@click.option("--school", "uai", help="UAI: the people of that school.")
@click.option("--kind", type=click.Choice([kind.value for kind in Kind]), default="student", show_default=True, help="With --school.")
@click.option("--division", default="", help="With --school: one class.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="With --school: how many.")
@as_json_option
def find(
    ine: str | None, name: tuple[str, str] | None, mobile: str | None, mail: str | None, uai: str | None, kind: str, division: str,
    limit: int, as_json: bool,
) -> None:  # fmt: skip
    """Find people by INE, by name with a mobile or mail, or by school. Exit 1 when nobody is found."""
    asked = instance().directory
    if sum(question is not None for question in (ine, name, uai)) != 1:
        raise click.UsageError("give one of --ine, --name, --school")
    found: tuple[Person, ...]
    if ine is not None:
        found = asked.students_by_ine(ine)
    elif name is not None:
        if not (mobile or mail):
            raise click.UsageError("--name needs --mobile or --mail: a name alone identifies nobody")
        found = asked.find_guardians(*name, mobile=mobile, mail=mail)
    else:
        found = asked.members(uai or "", Kind(kind), division=division, limit=limit).items
    missing = missing_from(found)
    if as_json:
        echo_json({"found": [_row(person) for person in found], "missing": list(missing)})
    else:
        for person in found:
            click.echo(f"{person.ref}  {person.family_name} {person.given_name}")
        if missing:
            click.echo(f"Not everybody: no answer from {', '.join(missing)}", err=True)
    if not found:
        raise Refusal("nobody found")


@directory.command("show")
@click.argument("what", metavar="REF|UAI")
@as_json_option
def show(what: str, as_json: bool) -> None:
    """Show a record with its ties (feed/degree/kind/id), or a school by its UAI."""
    asked = instance().directory
    try:
        if "/" not in what:
            answer = dataclasses.asdict(asked.school(what))
        else:
            person = asked.person(_reference(what))
            ties = asked.ties_of(person.ref) if isinstance(person, Guardian) else ()
            if isinstance(person, Student):
                ties = asked.guardians_of(person.ref)
            answer = _row(person) | {
                "ties": [{"guardian": str(t.guardian), "student": str(t.student), "capacity": t.capacity.value} for t in ties]
            }
    except NotFound:
        raise Refusal(f"{what}: not in the directory") from None
    if as_json:
        echo_json(answer)
        return
    for name, value in answer.items():
        if value not in (None, "", (), []):
            click.echo(f"{name:18} {value}")


def _reference(text: str) -> Ref:
    try:
        return Ref.parse(text)
    except ValueError:
        raise click.UsageError(f"{text!r} is no reference: feed/degree/kind/id, for example 13/2D/student/12345") from None


def _row(person: Person) -> dict[str, Any]:
    return dataclasses.asdict(person) | {"ref": str(person.ref)}


@directory.command("health")
@as_json_option
def health(as_json: bool) -> None:
    """Ask every source. Exit 1 when one of them does not answer."""
    name = instance().settings.directory
    whole = instance().directory.health()
    each = dict(whole.sources) or {name: whole}
    if as_json:
        rows = {source: {"ok": one.ok, "detail": one.detail, "counts": one.counts} for source, one in each.items()}
        echo_json({"ok": whole.ok, "sources": rows})
    else:
        for source, one in each.items():
            counts = "  ".join(f"{number} {what}" for what, number in one.counts.items())
            click.echo(f"{source:18} {'answers' if one.ok else 'DOES NOT ANSWER'}  {one.detail}  {counts}".rstrip())
    if not all(one.ok for one in each.values()):
        raise click.exceptions.Exit(1)
