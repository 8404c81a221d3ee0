"""Pages by which an agent looks after his own second factor."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from ..web.current import current_instance
from . import factors, passkeys
from .blueprint import pages
from .forms import NewPasskeyForm, PasskeyForm
from .gate import agent_page, next_address, staff_session, staff_sessions
from .models import Agent
from .scope import AgentFacts

NEW_KEY, KNOWN_KEY = "new_passkey", "passkey"
"""Where the session keeps the challenge of each ceremony."""


def challenge_of(name: str) -> str:
    """The challenge that this browser was asked, taken out: it serves once. Empty when there is none."""
    return str(staff_session().pop(name, ""))


@pages.post("/second-factor/passkey")
@agent_page(strong=False)
def passkey(agent: AgentFacts) -> ResponseReturnValue:
    """The second factor by passkey."""
    form, challenge, now = PasskeyForm(), challenge_of(KNOWN_KEY), datetime.now(UTC)
    instance = current_instance()
    with instance.database.transaction() as db:
        right = (
            form.validate_on_submit()
            and bool(challenge)
            and passkeys.check(db, instance.settings, db.get_one(Agent, agent.id), form.answer.data or "", challenge)
        )
    if not right:
        return redirect(url_for("staff.second_factor", next=next_address(), refused=1), 303)
    staff_sessions().rotate(staff_session(), agent.id, strong_at=now)
    return redirect(next_address(), 303)


@pages.route("/security", methods=("GET", "POST"))
@agent_page(step_up=True)
def security(agent: AgentFacts) -> ResponseReturnValue:
    """The agent's passkeys, and one more."""
    instance, form, refused = current_instance(), NewPasskeyForm(), False
    with instance.database.transaction() as db:
        me = db.get_one(Agent, agent.id)
        if form.validate_on_submit():
            challenge, name = challenge_of(NEW_KEY), form.name.data or ""
            refused = not challenge or not passkeys.keep(
                db, instance.settings, me, name, form.answer.data or "", challenge, now=datetime.now(UTC)
            )
            if not refused:
                return redirect(url_for(".security"), 303)
        ceremony = passkeys.ask_for_a_new_one(instance.settings, me)
        staff_session()[NEW_KEY] = ceremony.challenge
        message = _("Cette clé n'a pas pu être ajoutée. Recommencez.") if refused else None
        page = render_template("staff/security.html", form=form, keys=me.passkeys, options=ceremony.options, message=message)
    return page, (403 if refused else 200)


@pages.post("/security/forget/<credential_id>")
@agent_page(step_up=True)
def forget_passkey(agent: AgentFacts, credential_id: str) -> ResponseReturnValue:
    """Remove a passkey."""
    with current_instance().database.transaction() as db:
        passkeys.forget(db, db.get_one(Agent, agent.id), credential_id)
    return redirect(url_for(".security"), 303)


@pages.post("/security/codes")
@agent_page(step_up=True)
def recovery_codes(agent: AgentFacts) -> ResponseReturnValue:
    """Fresh recovery codes; the former ones are void."""
    instance = current_instance()
    with instance.database.transaction() as db:
        codes = factors.new_recovery_codes(db, instance, db.get_one(Agent, agent.id))
    return render_template("staff/recovery_codes.html", codes=codes, next_url=url_for(".security"), next_label=_("Continuer"))
