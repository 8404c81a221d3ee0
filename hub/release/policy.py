"""The release function: policy of the service provider × dialect × person -> attributes, each decision explained.

Pure: the same inputs always give the same attributes, so ``preau sp preview`` shows exactly what a sign-on would send.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from attribute_maps import AttributeDefinition, dialect
from backends import Capacity, Degree, Guardian, Student, first_enrolment

from ..saml.messages import Attribute
from .identifiers import Pseudonyms


@dataclass(frozen=True, slots=True)
class Child:
    """A student whom the guardian confirmed and whom the directory still ties to him today."""

    ine: str
    legal: frozenset[Degree] = frozenset()
    """Degrees in which a record of the child names the guardian as legal guardian today."""
    in_charge: frozenset[Degree] = frozenset()
    """Degrees in which it names him only as person in charge: a right of one degree is none in the other."""

    @property
    def capacity(self) -> Capacity:
        """The strongest one."""
        return Capacity.LEGAL if self.legal else Capacity.IN_CHARGE


@dataclass(frozen=True, slots=True)
class Subject:
    """The person behind an account as the directory knows it at this moment."""

    account_id: str
    records: tuple[Student, ...] | tuple[Guardian, ...]
    """Current records, the main one first; never empty, all of one kind."""
    children: tuple[Child, ...] = ()
    tied_records: frozenset[str] = frozenset()
    """For a guardian: refs (as text) of the records that have a right today over a confirmed child."""
    legal_records: frozenset[str] = frozenset()
    """For a guardian: refs (as text) of the records that are legal guardian of at least one child."""
    missing: tuple[str, ...] = ()
    """For a student: directory sources that did not answer and may hold another record. A guardian lacks none, by construction."""

    was_legal: bool = False
    """For a guardian: the directory has once named him legal guardian of a child of the account."""

    @property
    def is_student(self) -> bool:
        """Whether the account is a pupil's."""
        return isinstance(self.records[0], Student)


@dataclass(frozen=True, slots=True)
class ReleasePolicy:
    """What the registry decided for one service provider."""

    service_provider: str
    dialect: str
    granted: frozenset[str] | None = None
    """Friendly names released; None: all of the dialect that are not sensitive."""
    open_to_in_charge: bool = False


@dataclass(frozen=True, slots=True)
class Occasion:
    """What belongs to this sign-in rather than to the person."""

    authn_instant: datetime
    logout_url: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Why one attribute of the dialect is, or is not, released."""

    friendly_name: str
    values: tuple[str, ...]
    reason: str
    """``released``, ``not granted``, ``no value`` or ``does not fit its grammar``."""


@dataclass(frozen=True, slots=True)
class Release:
    """The outcome: the attributes to send, and every decision for the preview and the audit."""

    attributes: tuple[Attribute, ...]
    decisions: tuple[Decision, ...]


def release(policy: ReleasePolicy, subject: Subject, occasion: Occasion, pseudonyms: Pseudonyms) -> Release:
    """Compute the attributes that ``policy`` lets its service provider know of ``subject``.

    Attributes without value are omitted, never sent empty (saml.md 1.1). Raises ``KeyError`` for an unknown dialect.
    """
    facts = _Facts(policy, subject, occasion, pseudonyms)
    decisions = []
    attributes = []
    for definition in dialect(policy.dialect).attributes:
        decision = _decide(policy, definition, facts)
        decisions.append(decision)
        if decision.reason == "released":
            attributes.append(Attribute(definition.name, definition.name_format, decision.values, definition.friendly_name))
    return Release(tuple(attributes), tuple(decisions))


def _decide(policy: ReleasePolicy, definition: AttributeDefinition, facts: _Facts) -> Decision:
    name = definition.friendly_name
    granted = not definition.sensitive if policy.granted is None else name in policy.granted
    if not granted:
        return Decision(name, (), "not granted")
    values = tuple(_SOURCES[name](facts))
    if not values:
        return Decision(name, (), "no value")
    if not all(definition.grammar.fullmatch(value) for value in values):
        return Decision(name, (), "does not fit its grammar")
    return Decision(name, values, "released")


@dataclass(frozen=True, slots=True)
class _Facts:
    policy: ReleasePolicy
    subject: Subject
    occasion: Occasion
    pseudonyms: Pseudonyms

    @property
    def student(self) -> Student | None:
        record = self.subject.records[0]
        return record if isinstance(record, Student) else None

    def visible_degrees(self) -> frozenset[Degree]:
        """Degrees of the children; a person in charge is told only to a service that is open to that (O13)."""
        told = (child.legal | child.in_charge if self.policy.open_to_in_charge else child.legal for child in self.subject.children)
        return frozenset[Degree]().union(*told)


def _optional(value: str | None) -> tuple[str, ...]:
    return (value,) if value else ()


def _affiliations(facts: _Facts) -> Iterable[str]:
    if facts.student:
        return sorted({f"eleve{record.ref.degree.value.lower()}" for record in facts.subject.records})
    return sorted(f"resp{degree.value.lower()}" for degree in facts.visible_degrees())


def _ref_ids(facts: _Facts) -> Iterable[str]:
    """One value per record, academy without leading zero (saml.md 1.3).

    A guardian's record goes out only with a child that he confirmed: services find the children by it (functional.md 4.8).
    """
    shown = facts.subject.tied_records if facts.policy.open_to_in_charge else facts.subject.legal_records
    for record in facts.subject.records:
        if facts.student or str(record.ref) in shown:
            yield f"{{AAF}}{int(record.academy)}|{record.ref.degree.value}|{record.ref.id}"


def _birth_date(facts: _Facts) -> tuple[str, ...]:
    student = facts.student
    return (student.birth_date.isoformat(),) if student and student.birth_date else ()


def _enrolment(facts: _Facts, field: str) -> tuple[str, ...]:
    enrolment = first_enrolment(facts.student) if facts.student else None
    return _optional(getattr(enrolment, field)) if enrolment else ()


def _ine(facts: _Facts) -> tuple[str, ...]:
    return _optional(facts.student.ine) if facts.student else ()


def _connection_date(facts: _Facts) -> tuple[str, ...]:
    return (facts.occasion.authn_instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],)


def _civility(facts: _Facts) -> tuple[str, ...]:
    """Pupils only: a guardian's assertion carries nothing beyond saml.md 1.4."""
    return _optional(facts.student.civility) if facts.student else ()


_SOURCES: dict[str, Callable[[_Facts], Iterable[str]]] = {
    "FrEduUrlRetour": lambda f: (f.occasion.logout_url,),
    "FrEduCtDateConnexion": _connection_date,
    "FrEduCtPersonAffiliation": _affiliations,
    "FrEduCtId": lambda f: (f.pseudonyms.account_id(f.policy.service_provider, f.subject.account_id),),
    "FrEduCtEleveINEHash": lambda f: tuple(f.pseudonyms.ine_hash(ine) for ine in _ine(f)),
    "FrEduCtDateNaissance": _birth_date,
    "FrEduCtEleveUAI": lambda f: _enrolment(f, "uai"),
    "FrEduCtEleveNiveau": lambda f: _enrolment(f, "level"),
    "preauCivilite": _civility,
    "givenName": lambda f: _optional(f.subject.records[0].given_name),
    "sn": lambda f: _optional(f.subject.records[0].family_name),
    "FrEduCtRefId": _ref_ids,
    "FrEduCtEleveINE": _ine,
}
"""How each attribute is drawn from the person. Values are exactly those of the source."""
