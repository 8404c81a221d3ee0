"""Home, help, legal page, and the account page (U-20 in its first form)."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, current_app, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import login_required
from flask_wtf import FlaskForm

from ..accounts.models import Account
from ..accounts.notices import PARIS
from ..login.person import present
from ..signon.subject import resolve
from ..web.current import browser_session, current_instance
from ..web.errors import error_page
from .service import children_for_page

pages = Blueprint("portal", __name__)


@pages.get("/")
def home() -> ResponseReturnValue:
    """What this site is."""
    return render_template("portal/home.html")


@pages.get("/help")
def help() -> ResponseReturnValue:
    """Whom to ask."""
    return render_template("portal/help.html")


@pages.get("/legal")
def legal() -> ResponseReturnValue:
    """Who runs this site and what it keeps."""
    settings = current_app.extensions["preau"].settings
    return render_template(
        "portal/legal.html", operator_url=settings.organization_url or settings.base_url, contact=settings.technical_contact
    )


@pages.get("/account")
@login_required
def account() -> ResponseReturnValue:
    """The person's own account, read only."""
    instance = current_instance()
    someone = present(browser_session())
    if someone is None:
        return redirect(url_for("login.profile"), 303)
    if someone.facts.suspended or someone.facts.closed:
        return error_page("account_suspended" if someone.facts.suspended else "account_closed")
    if someone.facts.unfinished:
        return redirect(url_for(someone.facts.unfinished), 303)
    subject = resolve(someone.account, instance.directory)
    with instance.database.session() as db:
        mine = db.get_one(Account, someone.account.id)
        last = mine.last_sign_in_at
        return render_template(
            "portal/account.html",
            form=FlaskForm(),
            identifier=mine.identifier,
            display_name=f"{subject.records[0].given_name} {subject.records[0].family_name}" if subject else "",
            profile_label=mine.kind.label,
            mail=mine.mail,
            children=children_for_page(subject, instance.directory) if subject else [],
            last_sign_in=_in_words(last) if last else None,
        )


def _in_words(moment: datetime) -> str:
    return moment.astimezone(PARIS).strftime("le %d/%m/%Y à %Hh%M")
