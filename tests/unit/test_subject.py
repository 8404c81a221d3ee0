"""Who a person is today, when not every academy answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import pytest

from backends import Unavailable
from backends.contract import ANNE, ANNE_1D, LEA, LEA_1D, NO_INE, NOE, PAUL, POPULATION
from backends.federated import FederatedDirectory, SourceSettings, federate
from backends.memory import MemoryDirectory
from hub.accounts.models import AccountKind, AttachmentState
from hub.accounts.snapshot import AttachmentSnapshot, RecordSnapshot
from hub.signon.subject import resolve
from tests.directory_kit import in_memory, of_academy


@dataclass
class View:
    """An account as the sign-on reads it."""

    kind: AccountKind
    ine: str | None = None
    records: tuple[RecordSnapshot, ...] = ()
    attachments: tuple[AttachmentSnapshot, ...] = ()
    id: str = "1"
    birth_date: date | None = None
    given_key: str | None = None


def guardian(*refs: object) -> View:
    """An account of these records, with every child confirmed."""
    confirmed = tuple(AttachmentSnapshot(ine, AttachmentState.CONFIRMED, None) for ine in ("123456789AB", "123456789CD"))
    return View(AccountKind.GUARDIAN, records=tuple(RecordSnapshot(str(ref)) for ref in refs), attachments=confirmed)


class Stopped(MemoryDirectory):
    """An academy that does not answer."""

    def person(self, *_: object) -> None:  # type: ignore[override]
        raise Unavailable("stopped")

    students_by_ine = ties_of = person  # type: ignore[assignment]


def house(*, aix: bool) -> FederatedDirectory:
    """Two academies; ``aix`` says whether the second one answers."""
    sources = [SourceSettings(name=name, backend="x", academies={code}) for name, code in (("lyon", "10"), ("aix", "02"))]
    second = in_memory(of_academy(POPULATION, "02")) if aix else Stopped()
    return federate(sources, {"lyon": in_memory(of_academy(POPULATION, "10")), "aix": second})


@pytest.mark.covers("FT-04")
def test_a_guardian_with_a_child_in_the_sick_academy_is_not_resolved():
    """Not with one child less, not as nobody: unavailable. With the academy back, both records are there."""
    both = guardian(ANNE.ref, ANNE_1D.ref)
    whole = resolve(both, house(aix=True))  # type: ignore[arg-type]
    assert whole is not None
    assert whole.records == (ANNE, ANNE_1D)
    assert [len(child.legal | child.in_charge) for child in whole.children] == [2]
    for account in (both, guardian(ANNE_1D.ref)):
        with pytest.raises(Unavailable):
            resolve(account, house(aix=False))  # type: ignore[arg-type]


def test_a_guardian_of_another_academy_is_whole():
    """Nothing of the sick academy is asked for."""
    subject = resolve(guardian(PAUL.ref), house(aix=False))  # type: ignore[arg-type]
    assert subject == resolve(guardian(PAUL.ref), house(aix=True))  # type: ignore[arg-type]
    assert subject is not None
    assert subject.missing == ()


def test_a_pupil_has_what_was_found_and_says_what_is_missing():
    """A record elsewhere may be missing for now; a pupil of whom nothing was found is unavailable, not gone."""
    lea = View(AccountKind.STUDENT, ine=LEA.ine)
    whole, partial = resolve(lea, house(aix=True)), resolve(lea, house(aix=False))  # type: ignore[arg-type]
    assert whole is not None
    assert partial is not None
    assert (whole.records, whole.missing) == ((LEA, LEA_1D), ())
    assert (partial.records, partial.missing) == ((LEA,), ("aix",))
    remembered = replace(lea, birth_date=LEA.birth_date, given_key="lea")
    assert resolve(remembered, house(aix=False)) == partial  # type: ignore[arg-type]
    assert resolve(replace(remembered, given_key="max"), house(aix=False)) is None, "another child's, whoever is missing"  # type: ignore[arg-type]
    nobody = View(AccountKind.STUDENT, ine="000000000ZZ")
    assert resolve(nobody, house(aix=True)) is None  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        resolve(nobody, house(aix=False))  # type: ignore[arg-type]


def test_an_account_without_ine_is_nobody():
    """And pupils without INE are not found by it."""
    assert NO_INE.ine is None
    assert NOE.ine is not None
    assert resolve(View(AccountKind.STUDENT), house(aix=False)) is None  # type: ignore[arg-type]
