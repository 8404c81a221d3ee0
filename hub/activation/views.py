"""The pages of an activation (U-09 to U-14, U-16). Each is a plain form; ``activation_step`` says which one is due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session

from ..accounts import attachments, lifecycle, mail_address
from ..accounts.attachments import Offer
from ..accounts.credentials import choose_password, password_problems
from ..accounts.lifecycle import ImpossibleTransition
from ..accounts.messages import message
from ..accounts.models import Account, AttachmentState, State
from ..accounts.passwords import shortest_password
from ..accounts.service import check_password
from ..web.current import browser_session, current_instance, sessions
from ..web.errors import REFUSED, error_page
from .forms import BirthDate, ChangePasswordForm, Child, CredentialsForm, MailForm
from .next_step import POSTPONED, Facts, Step, activation_step, children_done, facts_of, may_visit, position
from .service import TRIES, ChildAnswer, answer_children, give_birth_date

pages = Blueprint("activation", __name__, url_prefix="/activation")


@dataclass(frozen=True, slots=True)
class Visit:
    """A signed-in person on a page that he or she may use now."""

    db: Session
    account: Account
    now: datetime

    @property
    def facts(self) -> Facts:
        """What the next step depends on, as it stands now."""
        return facts_of(self.account, session, current_instance().settings.birthdate_policy)

    @property
    def due(self) -> Step | None:
        """The page to show now."""
        return activation_step(self.facts)


def step_page(step: Step) -> Callable[[Callable[[Visit], ResponseReturnValue]], Callable[[], ResponseReturnValue]]:
    """Let the view run only for a person whose account is at that step; send everybody else where they belong (AC-22).

    The view's changes are committed when it returns, and undone when it raises.
    """

    def decorate(view: Callable[[Visit], ResponseReturnValue]) -> Callable[[], ResponseReturnValue]:
        @wraps(view)
        def guarded() -> ResponseReturnValue:
            with current_instance().database.session() as db:
                account = _signed_in(db)
                if account is None:
                    return redirect(url_for("login.profile"), 303)
                if account.suspended or account.state.is_final:
                    return error_page("account_suspended" if account.suspended else "account_closed")
                visit = Visit(db, account, datetime.now(UTC))
                if not may_visit(step, visit.facts):
                    # The link of the mail was clicked in another browser: this one says « Bravo » too.
                    return _done(visit) if step is Step.MAIL and account.state is State.ACTIVE else _go_on(visit)
                try:
                    response = view(visit)
                except ImpossibleTransition:  # the same form was sent twice, and the first one has moved the account
                    db.rollback()
                    db.refresh(account)
                    return _go_on(visit)
                db.commit()
                return response

        return guarded

    return decorate


@pages.route("/student/password", methods=("GET", "POST"))
@step_page(Step.STUDENT_CREDENTIALS)
def student_password(visit: Visit) -> ResponseReturnValue:
    """U-12: new password, and an address if the pupil wants."""
    form = CredentialsForm()
    child = mail_address.needs_guardian_address(visit.account, current_instance(), now=visit.now)
    if form.validate_on_submit() and _keep_credentials(visit, form, mail_required=False):
        return _go_on(visit)
    page = render_template(
        "activation/student_password.html",
        form=form,
        identifier=visit.account.identifier,
        shortest=shortest_password(visit.account.kind, current_instance().settings),
        mail_hint=message("M29-child" if child else "M29-adult"),
    )
    return page, _status(form)


@pages.route("/student/birth-date", methods=("GET", "POST"))
@step_page(Step.STUDENT_BIRTH_DATE)
def birth_date(visit: Visit) -> ResponseReturnValue:
    """U-13: the birth date proves who holds the letter."""
    return _birth_date_page(visit, back_url=url_for(".student_password"))


@pages.route("/student/confirm-birth-date", methods=("GET", "POST"))
@step_page(Step.CONFIRM_BIRTH_DATE)
def confirm_birth_date(visit: Visit) -> ResponseReturnValue:
    """U-13 after a reset or a forced change: whoever reads the mails of the pupil still has to know it (O25)."""
    return _birth_date_page(visit, back_url=None)


@pages.route("/children", methods=("GET", "POST"))
@step_page(Step.CHILDREN)
def children(visit: Visit) -> ResponseReturnValue:
    """U-10, first part: at least one right birth date activates; the others may come later."""
    if not visit.account.attachments:
        attachments.sync(visit.db, visit.account, current_instance().directory, now=visit.now)
    return _children_page(visit, new=False)


@pages.route("/new-children", methods=("GET", "POST"))
@step_page(Step.NEW_CHILDREN)
def new_children(visit: Visit) -> ResponseReturnValue:
    """U-16: new children of an active account. « Plus tard » is always possible."""
    if "later" in request.form:
        session[POSTPONED] = True
        return redirect(url_for("signon.resume"), 303)
    return _children_page(visit, new=True)


@pages.route("/credentials", methods=("GET", "POST"))
@step_page(Step.CREDENTIALS)
def credentials(visit: Visit) -> ResponseReturnValue:
    """U-10, second part: an address that works, and a new password."""
    form = CredentialsForm()
    if form.validate_on_submit() and _keep_credentials(visit, form, mail_required=True):
        session[POSTPONED] = True  # children left without a date: not asked again as soon as the account is ready
        return _go_on(visit)
    page = render_template(
        "activation/credentials.html",
        form=form,
        identifier=visit.account.identifier,
        shortest=shortest_password(visit.account.kind, current_instance().settings),
        back_url=url_for(".children"),
    )
    return page, _status(form)


@pages.route("/identifier", methods=("GET", "POST"))
@step_page(Step.IDENTIFIER)
def identifier(visit: Visit) -> ResponseReturnValue:
    """U-08: the last step of an enrolment. An address is optional, and already there for who came by mail."""
    form = CredentialsForm()
    if visit.account.mail_confirmed_at is not None:
        del form.mail
    if form.validate_on_submit() and _keep_credentials(visit, form, mail_required=False):
        lifecycle.complete_guardian(visit.db, visit.account, now=visit.now)
        session[POSTPONED] = True
        return _done(visit)
    page = render_template(
        "activation/identifier.html",
        form=form,
        identifier=visit.account.identifier,
        shortest=shortest_password(visit.account.kind, current_instance().settings),
        step=position(Step.IDENTIFIER, visit.facts),
        back_url=url_for(".children"),
    )
    return page, _status(form)


@pages.route("/mail", methods=("GET", "POST"))
@step_page(Step.MAIL)
def mail(visit: Visit) -> ResponseReturnValue:
    """U-11: the link was sent; send it again, or to another address."""
    form, problem, sent = MailForm(), None, False
    if form.validate_on_submit():
        typed = visit.account.mail_pending or "" if "resend" in request.form else form.mail.data or ""
        problem = mail_address.problem(visit.db, current_instance(), visit.account, typed, now=visit.now) or mail_address.ask(
            visit.db, current_instance(), visit.account, typed, now=visit.now
        )
        sent = problem is None
    address = visit.account.mail_pending or visit.account.mail
    page = render_template("activation/mail.html", form=form, address=address, problem=problem, sent=sent, reload_url=url_for(".mail"))
    return page, REFUSED if problem else 200


@pages.get("/mail/<token>")
def mail_link(token: str) -> ResponseReturnValue:
    """The link of the mail. Mail scanners open it too, so only the button changes anything (AC-15)."""
    with current_instance().database.session() as db:
        if not mail_address.is_valid(db, token, now=datetime.now(UTC)):
            return error_page("link_expired")
    return render_template("activation/mail_link.html", form=FlaskForm())


@pages.post("/mail/<token>")
def mail_confirm(token: str) -> ResponseReturnValue:
    """The button: the address is confirmed. It signs nobody in."""
    with current_instance().database.session() as db:
        account = mail_address.confirm(db, token, now=datetime.now(UTC))
        if account is None:
            db.rollback()
            return error_page("link_expired")
        db.commit()
        if account.id == browser_session().account_id and account.state is State.ACTIVE:
            return _done(Visit(db, account, datetime.now(UTC)))
        return render_template("activation/mail_confirmed.html", active=account.state is State.ACTIVE, login_url=url_for("login.profile"))


@pages.get("/done")
def done() -> ResponseReturnValue:
    """U-09: the account is ready."""
    with current_instance().database.session() as db:
        account = _signed_in(db)
        if account is None or account.state is not State.ACTIVE:
            return redirect(url_for("signon.resume"), 303)
        return render_template(
            "activation/done.html", message=message("M19"), identifier=account.identifier, next_url=url_for("signon.resume")
        )


@pages.route("/password", methods=("GET", "POST"))
@step_page(Step.FORCED_CHANGE)
def password(visit: Visit) -> ResponseReturnValue:
    """U-14: a change that the school or the operator asks for."""
    form, instance = ChangePasswordForm(), current_instance()
    if form.validate_on_submit():
        refused = check_password(visit.db, instance, visit.account, form.current_password.data or "", now=visit.now)
        if not _add(form.current_password, [refused.message] if refused else []) and not _add(
            form.new_password, _password_problems(visit, form)
        ):
            choose_password(visit.db, instance, visit.account, form.new_password.data or "", now=visit.now, imposed=True)
            _renew_session(visit)
            return redirect(url_for("signon.resume"), 303)
    shortest = shortest_password(visit.account.kind, instance.settings)
    return render_template("activation/password.html", form=form, reason=message("M14"), shortest=shortest), _status(form)


@pages.get("/over")
@step_page(Step.START_OVER)
def over(visit: Visit) -> ResponseReturnValue:
    """The notice expired in the middle of the activation: sign in again with a new one."""
    sessions().end(browser_session())
    months = current_instance().settings.notices_validity_months
    return render_template("activation/over.html", message=message("M12", duration=f"{months} mois"))


# What several pages share ---------------------------------------------------------------------------------------------


def _children_page(visit: Visit, *, new: bool) -> ResponseReturnValue:
    form, errors, alert = FlaskForm(), {}, None
    shown = (AttachmentState.PROPOSED,) if new else (AttachmentState.PROPOSED, AttachmentState.CONFIRMED)
    offered = attachments.offers(visit.db, visit.account, current_instance().directory, states=shown)
    rows = {offer.attachment_id: Child(request.form, prefix=f"{offer.attachment_id}-") for offer in offered}
    left = _unanswered(visit.account)
    if form.validate_on_submit():
        given = {id_: row for id_, row in rows.items() if id_ in left and not row.is_blank}
        errors = {id_: row.problem for id_, row in given.items() if row.problem}
        answers = [ChildAnswer(id_, row.value, row.refused.data) for id_, row in given.items() if not row.problem]
        errors |= answer_children(visit.db, current_instance(), visit.account, answers, session, now=visit.now)
        left = _unanswered(visit.account)
        if answers and not errors and (new or children_done(visit.facts)):
            return _go_on(visit)
        if left and not errors:
            alert = "Donnez aussi la date de naissance des autres élèves." if answers else "Donnez la date de naissance d'un élève."
    enough, due = new or children_done(visit.facts), visit.due
    page = render_template(
        "activation/children.html",
        form=form,
        children=[_child(o, rows[o.attachment_id], errors.get(o.attachment_id), open_=o.attachment_id in left) for o in offered],
        alert=alert,
        new=new,
        step=None if new else position(Step.CHILDREN, visit.facts),
        one_is_enough=new or current_instance().settings.birthdate_policy == "at_least_one",
        stuck=None if enough or left else _why_stuck(visit.account),
        continue_url=_address(due) if enough and not new else None,
    )
    return page, REFUSED if alert or errors else 200


def _birth_date_page(visit: Visit, *, back_url: str | None) -> ResponseReturnValue:
    form, date_form, error, begun = FlaskForm(), BirthDate(request.form), None, visit.account.state
    if form.validate_on_submit():
        error = date_form.problem
        if date_form.value is not None:
            error = give_birth_date(visit.db, current_instance(), visit.account, date_form.value, now=visit.now)
        if error is None:
            return _done(visit) if begun is State.ACTIVATING else _go_on(visit)
    page = render_template("activation/birth_date.html", form=form, date_form=date_form, error=error, back_url=back_url)
    return page, REFUSED if error else 200


def _child(offer: Offer, row: Child, error: str | None, *, open_: bool) -> dict[str, object]:
    return {"offer": offer, "form": row, "error": error, "open": open_, "box": message(f"M20-{offer.capacity.value}")}


def _unanswered(account: Account) -> set[str]:
    """The attachments that still wait for an answer."""
    return {attachment.id for attachment in account.attachments if attachment.state is AttachmentState.PROPOSED}


def _why_stuck(account: Account) -> str:
    """No child is left to answer for, and not enough are proved."""
    states = {attachment.state for attachment in account.attachments}
    if AttachmentState.TO_CHECK in states:
        return message("M05")
    return message("M05-refused" if AttachmentState.REFUSED in states else "M25")


def _keep_credentials(visit: Visit, form: CredentialsForm, *, mail_required: bool) -> bool:
    """Keep password and address when both are acceptable; otherwise say what is wrong at each field and keep nothing."""
    instance, typed = current_instance(), (form.mail.data or "").strip() if form.mail else ""
    problem = mail_address.problem(visit.db, instance, visit.account, typed, now=visit.now) if typed or mail_required else None
    if bool(problem and _add(form.mail, [problem])) | _add(form.new_password, _password_problems(visit, form)):
        return False
    if typed:
        problem = mail_address.ask(visit.db, instance, visit.account, typed, now=visit.now)
        if problem:
            _add(form.mail, [problem])
            return False
    choose_password(visit.db, instance, visit.account, form.new_password.data or "", now=visit.now)
    return True


def _password_problems(visit: Visit, form: CredentialsForm | ChangePasswordForm) -> list[str]:
    password, confirmation = form.new_password.data or "", form.confirmation.data or ""
    return password_problems(visit.db, current_instance(), visit.account, password, confirmation)


def _add(field: object, problems: list[str]) -> bool:
    """Show the problems at the field. Returns whether there are any."""
    field.errors = (*field.errors, *problems)  # type: ignore[attr-defined]
    return bool(problems)


def _status(form: FlaskForm) -> int:
    return REFUSED if form.errors else 200


def _done(visit: Visit) -> ResponseReturnValue:
    """The account has just become active: a right more, hence a new session token (AC-28)."""
    _renew_session(visit)
    return redirect(url_for(".done"), 303)


def _go_on(visit: Visit) -> ResponseReturnValue:
    return redirect(_address(visit.due), 303)


def _address(due: Step | None) -> str:
    """Address of the page that is due, or of what waits behind the activation."""
    return url_for(due.value if due else "signon.resume")


def _renew_session(visit: Visit) -> None:
    """Same person, same sign-in, new token. The transaction ends first: sessions have their own connection."""
    visit.db.commit()
    current = browser_session()
    row = current.row
    assert row is not None
    assert row.authn_instant is not None
    assert row.authn_context is not None
    sessions().rotate(
        current,
        visit.account.id,
        authn_instant=row.authn_instant,
        authn_context=row.authn_context,
        keep=("signons", POSTPONED, TRIES),
    )


def _signed_in(db: Session) -> Account | None:
    account_id = browser_session().account_id
    return db.get(Account, account_id) if account_id else None
