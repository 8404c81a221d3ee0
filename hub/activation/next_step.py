"""Which page comes before the account may be used: one pure decision (functional.md 4.4, 4.5, 4.8; AC-22).

The views of ``/activation`` and the sign-in ask the same function, so no step can be skipped by its address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from ..accounts.models import AccountKind, AttachmentState, Origin, State
from ..accounts.snapshot import AccountView

POSTPONED = "children_postponed"
"""Key of the browser session: « Plus tard » was chosen, do not ask again before the next sign-in."""

Policy = Literal["at_least_one", "all"]


class Step(StrEnum):
    """A page to finish; the value is its endpoint."""

    STUDENT_CREDENTIALS = "activation.student_password"
    """U-12: new password, optional mail."""
    STUDENT_BIRTH_DATE = "activation.birth_date"
    """U-13."""
    CHILDREN = "activation.children"
    """U-10, first part: the children and their birth dates."""
    CREDENTIALS = "activation.credentials"
    """U-10, second part: mail and new password."""
    MAIL = "activation.mail"
    """U-11: waiting for the click on the link."""
    IDENTIFIER = "activation.identifier"
    """U-08: the identifier, and a password, after an enrolment: the last step."""
    CONFIRM_BIRTH_DATE = "activation.confirm_birth_date"
    """U-13 again, after a reset or a forced change (O25)."""
    FORCED_CHANGE = "activation.password"
    """U-14: change imposed by the school or the operator."""
    NEW_CHILDREN = "activation.new_children"
    """U-16: new children proposed; may be postponed."""
    START_OVER = "activation.over"
    """The notice expired while the person was signed in: nothing may be used any more."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the decision depends on."""

    kind: AccountKind
    state: State
    origin: Origin = Origin.SCHOOL
    has_password: bool = False
    has_mail: bool = False
    """An address is given, confirmed or not."""
    must_change_password: bool = False
    birth_date_due: bool = False
    confirmed: int = 0
    """Children confirmed, proposed, and with their tries used up."""
    proposed: int = 0
    to_check: int = 0
    postponed: bool = False
    policy: Policy = "at_least_one"


_STUDENT_PATH = (Step.STUDENT_CREDENTIALS, Step.STUDENT_BIRTH_DATE)
_LETTER_PATH = (Step.CHILDREN, Step.CREDENTIALS, Step.MAIL)
_ENROLMENT_PATH = (Step.CHILDREN, Step.IDENTIFIER)
BEFORE_ACCOUNT = 2
"""Steps of an enrolment before there is an account: who are you, and the code."""


def path_of(facts: Facts) -> tuple[Step, ...]:
    """The steps of an activation, in order."""
    if facts.kind is AccountKind.STUDENT:
        return _STUDENT_PATH
    return _ENROLMENT_PATH if facts.origin is Origin.GUARDIAN else _LETTER_PATH


def path_length() -> int:
    """Steps of an enrolment, those before there is an account included."""
    return BEFORE_ACCOUNT + len(_ENROLMENT_PATH)


def position(step: Step, facts: Facts) -> tuple[int, int]:
    """« Étape n sur m » of a step of the path."""
    path, before = path_of(facts), BEFORE_ACCOUNT if facts.origin is Origin.GUARDIAN else 0
    return before + path.index(step) + 1, before + len(path)


def activation_step(facts: Facts) -> Step | None:
    """The page to show now, None when the account may be used."""
    if facts.state in (State.KNOWN, State.INFORMED):
        return Step.START_OVER
    if facts.state is State.ACTIVATING:
        return _student_step(facts) if facts.kind is AccountKind.STUDENT else _guardian_step(facts)
    if facts.must_change_password:
        return Step.FORCED_CHANGE
    if facts.birth_date_due:
        return Step.CONFIRM_BIRTH_DATE
    if facts.proposed and not facts.postponed:
        return Step.NEW_CHILDREN
    return None


def may_visit(step: Step, facts: Facts) -> bool:
    """Whether the page of ``step`` may be used now: the one that is due, or an earlier one of the same path to correct it."""
    due = activation_step(facts)
    if step is due:
        return True
    path = path_of(facts)
    return facts.state is State.ACTIVATING and step in path and due in path and path.index(step) < path.index(due)


def children_done(facts: Facts) -> bool:
    """Whether enough children are proved (``birthdate_policy``, O01)."""
    if facts.policy == "all" and (facts.proposed or facts.to_check):
        return False
    return facts.confirmed > 0


def facts_of(account: AccountView, session: Mapping[str, Any], policy: Policy = "at_least_one") -> Facts:
    """The facts of an account in a browser session."""
    states = [attachment.state for attachment in account.attachments]
    return Facts(
        kind=account.kind,
        state=account.state,
        origin=account.origin,
        has_password=account.password_hash is not None,
        has_mail=bool(account.mail or account.mail_pending),
        must_change_password=account.must_change_password,
        birth_date_due=account.birth_date_due,
        confirmed=states.count(AttachmentState.CONFIRMED),
        proposed=states.count(AttachmentState.PROPOSED),
        to_check=states.count(AttachmentState.TO_CHECK),
        postponed=bool(session.get(POSTPONED)),
        policy=policy,
    )


def pending_step(account: AccountView, session: Mapping[str, Any], policy: Policy = "at_least_one") -> str | None:
    """Endpoint of the page to finish before the account may be used, None when there is none.

    Suspended and closed accounts are not judged here.
    """
    step = activation_step(facts_of(account, session, policy))
    return step.value if step else None


def _student_step(facts: Facts) -> Step:
    return Step.STUDENT_BIRTH_DATE if facts.has_password else Step.STUDENT_CREDENTIALS


def _guardian_step(facts: Facts) -> Step:
    if not children_done(facts):
        return Step.CHILDREN
    if facts.origin is Origin.GUARDIAN:
        return Step.IDENTIFIER
    return Step.MAIL if facts.has_password and facts.has_mail else Step.CREDENTIALS
