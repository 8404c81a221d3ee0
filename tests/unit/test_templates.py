"""The pages as text: each renders with the variables that it documents and no other, is well built, and escapes what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, current_app, render_template
from flask_login import AnonymousUserMixin, UserMixin
from flask_wtf import CSRFProtect, FlaskForm
from jinja2 import StrictUndefined
from lxml import html
from wtforms import EmailField, IntegerField, PasswordField

from backends import Capacity, Degree, School
from hub.accounts.attachments import Offer
from hub.accounts.messages import message
from hub.activation.forms import BirthDate, ChangePasswordForm, Child, CredentialsForm, MailForm, NewPasswordForm
from hub.activation.views import pages as activation_pages
from hub.codes.forms import CodeForm as OneTimeCodeForm
from hub.codes.forms import MailTargetForm
from hub.enrolment.forms import MobileForm
from hub.enrolment.views import pages as enrolment_pages
from hub.login.forms import SignInForm
from hub.login.views import pages as login_pages
from hub.logout.views import pages as logout_pages
from hub.paths import resources
from hub.portal.views import pages as portal_pages
from hub.recovery.forms import PasswordBySmsForm
from hub.recovery.views import pages as recovery_pages
from hub.school.choice import Choice
from hub.school.journal import Entry, Journal
from hub.school.navigation import navigation
from hub.school.views.choice import pages as school_pages
from hub.signon.views import pages as signon_pages
from hub.signon.waiting import Waiting
from hub.staff.factors import qr_image
from hub.staff.forms import CodeForm, EnrolForm, NewPasskeyForm, PasskeyForm
from hub.staff.models import Passkey
from hub.staff.rights import Application
from hub.staff.scope import AgentFacts, Function, Post, open_desk
from hub.staff.views import pages as staff_pages
from hub.web import language, static
from hub.web.catalogue import ERRORS

FOLDERS = ("activation", "codes", "demo", "enrolment", "errors", "login", "logout", "portal", "recovery", "school", "signon", "staff")
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>\u202e{{ 7919*7907 }}"
NAME = "Carnet de classe"
WAITING = Waiting("a" * 32, "K7M2P9QR", NAME, "https://sp.example/", frozenset({"student"}))
OFFER = Offer("a1", "Zoé M.", "Collège Les Tilleuls", "6e B", Capacity.LEGAL)
SCHOOL = School("0690001B", "Collège Les Tilleuls", "10", Degree.SECONDARY, "COLLEGE", "LYON")
AGENT = AgentFacts("a" * 32, "Ada Roy", frozenset((Post(Function.HEAD, SCHOOL.uai),)))
DESK = open_desk(AGENT, SCHOOL, Application.ADMINISTRATION, today=date(2026, 11, 25))
CHILD = {"name": "Zoé Martin", "school": "Collège Les Tilleuls", "division": "6e B", "capacity_label": "Responsable légal"}


@dataclass(frozen=True)
class Mail:
    """A captured mail as its page reads it."""

    to: str
    subject: str
    text: str
    created_at: datetime


Context = Callable[[], dict[str, Any]]


def nonce() -> str:
    return "n0nce"


PAGES: dict[str, Context] = {
    "activation/birth_date.html": lambda: {"form": FlaskForm(), "date_form": BirthDate(), "error": message("M04b"), "back_url": "/back"},
    "activation/children.html": lambda: {
        "form": FlaskForm(),
        "children": [
            {"offer": OFFER, "form": Child(prefix="a1-"), "error": None, "open": True, "box": message("M20-LEGAL")},
            {"offer": OFFER, "form": Child(prefix="a2-"), "error": message("M04"), "open": False, "box": message("M20-LEGAL")},
        ],
        "alert": "Donnez la date de naissance d'un élève.",
        "new": True,
        "step": None,
        "one_is_enough": True,
        "stuck": None,
        "continue_url": "/next",
    },
    "activation/credentials.html": lambda: {"form": CredentialsForm(), "identifier": "c.martin42", "shortest": 12, "back_url": "/back"},
    "activation/done.html": lambda: {"message": message("M19"), "identifier": "c.martin42", "next_url": "/next"},
    "activation/identifier.html": lambda: {
        "form": CredentialsForm(),
        "identifier": "c.martin42",
        "shortest": 12,
        "step": (4, 4),
        "back_url": "/back",
    },
    "activation/mail.html": lambda: {
        "form": MailForm(),
        "address": "camille@famille.example",
        "problem": message("M13", wait="5 minutes"),
        "sent": False,
        "reload_url": "/mail",
    },
    "activation/mail_confirmed.html": lambda: {"active": True, "login_url": "/login"},
    "activation/mail_link.html": lambda: {"form": FlaskForm()},
    "activation/over.html": lambda: {"message": message("M12", duration="3 mois")},
    "activation/password.html": lambda: {"form": ChangePasswordForm(), "reason": message("M14"), "shortest": 8},
    "activation/student_password.html": lambda: {
        "form": CredentialsForm(),
        "identifier": "z.martin42",
        "shortest": 8,
        "mail_hint": message("M29-child"),
    },
    "demo/mailbox.html": lambda: {
        "mails": [Mail("camille@famille.example", "Confirmez votre adresse", "Cliquez : https://preau.example/x", datetime.now(UTC))],
        "texts": [Mail("+33639980010", "", "Préau : votre code est 123456.", datetime.now(UTC))],
    },
    "codes/code.html": lambda: {
        "form": OneTimeCodeForm(),
        "resend": FlaskForm(),
        "problem": message("M03"),
        "sent": False,
        "neutral": message("M01c"),
        "channel": "sms",
        "masked": "••• 10",
        "life": "30 minutes",
        "total": 4,
        "back_url": "/back",
    },
    "enrolment/identity.html": lambda: {
        "form": MobileForm(),
        "channel": "sms",
        "problem": message("M01-sms"),
        "total": 4,
        "others": [("sms", "/activation/start/sms"), ("mail", "/activation/start/mail")],
        "back_url": "/back",
    },
    "enrolment/stopped.html": lambda: {
        "message": message("M31"),
        "has_account": True,
        "identifier_url": "/recovery/guardian/identifier",
        "login_url": "/login",
        "start_url": None,
    },
    "errors/error.html": lambda: {"error": ERRORS["signon_lost"], "reference": "K7M2-P9QR", "retry_url": None},
    "login/already.html": lambda: {"next_url": "/next", "other_url": "/logout"},
    "login/profile.html": lambda: {"guardian_url": "/login/guardian", "student_url": "/login/student", "service_name": NAME},
    "login/password.html": lambda: {
        "form": SignInForm(),
        "profile": "guardian",
        "message": "L'identifiant ou le mot de passe n'est pas bon.",
        "advice": "Attendez un peu entre deux essais.",
        "change_url": "/login",
        "service_name": NAME,
        "identifier_url": "/recovery/guardian/identifier",
        "password_url": "/recovery/guardian/password",
        "enrol_url": "/activation/start",
    },
    "logout/confirm.html": lambda: {"form": FlaskForm()},
    "logout/done.html": lambda: {
        "services": [(NAME, "déconnecté", True), ("Cantine", "n'a pas répondu", False)],
        "back": (NAME, "https://sp.example/slo", [("SAMLResponse", "PHNhbWw+")]),
    },
    "logout/progress.html": lambda: {
        "services": [(NAME, "en cours", False), ("Cantine", "en attente", False)],
        "current": NAME,
        "address": "https://sp.example/slo",
        "fields": [("SAMLRequest", "PHNhbWw+")],
        "leaves": True,
        "skip_url": "/logout/progress?skip=0",
        "stop_url": "/logout/progress?stop=1",
        "wait": 10,
        "script_nonce": nonce,
    },
    "logout/nobody.html": dict,
    "portal/account.html": lambda: {
        "identifier": "c.martin42",
        "display_name": "Camille Martin",
        "profile_label": "Responsable d'élève",
        "mail": "camille@famille.example",
        "children": [CHILD],
        "last_sign_in": "le 12/05/2025 à 18h03",
        "form": FlaskForm(),
    },
    "portal/help.html": dict,
    "portal/home.html": dict,
    "portal/legal.html": lambda: {"operator_url": "https://preau.example", "contact": "support@preau.example"},
    "recovery/asked.html": lambda: {"message": message("M10"), "help": message("M11"), "profile": "guardian", "login_url": "/login"},
    "recovery/done.html": lambda: {"message": message("M21"), "login_url": "/login"},
    "recovery/identifier.html": lambda: {
        "form": MailTargetForm(),
        "profile": "student",
        "problem": message("M13", wait="5 minutes"),
        "by_sms": False,
        "ways": [("mail", "/mail")],
        "back_url": "/back",
    },
    "recovery/new_password.html": lambda: {"form": NewPasswordForm(), "identifier": "c.martin42", "shortest": 12},
    "recovery/password.html": lambda: {
        "form": PasswordBySmsForm(),
        "profile": "guardian",
        "problem": message("M13", wait="5 minutes"),
        "by_sms": True,
        "ways": [("mail", "/mail"), ("sms", "/sms")],
        "back_url": "/back",
    },
    "signon/post.html": lambda: {
        "action": "https://sp.example/acs",
        "fields": [("SAMLResponse", "PHNhbWw+"), ("RelayState", "/cahier?page=2&x=é")],
        "service_name": NAME,
        "script_nonce": nonce,
    },
    "school/choice.html": lambda: {"choices": [Choice(SCHOOL, tuple(Application))], "agent": AGENT, "desk": None},
    "school/dashboard.html": lambda: {"agent": AGENT, "desk": DESK},
    "school/journal.html": lambda: {
        "journal": Journal((Entry(datetime.now(UTC), "delegation.granted", "Ada Roy", {"application": "administration"}),), 12),
        "agent": AGENT,
        "desk": DESK,
    },
    "staff/enrol.html": lambda: {
        "form": EnrolForm(),
        "agent_name": "Ada Roy",
        "login": "ada.roy",
        "chooses_password": True,
        "shortest": 16,
        "qr": qr_image("otpauth://totp/x"),
        "secret": "ABCD EFGH",
    },
    "staff/login.html": lambda: {"form": SignInForm(), "message": "L'identifiant ou le mot de passe n'est pas bon."},
    "staff/recovery_codes.html": lambda: {"codes": ["ABCDE-FGHJK"], "next_url": "/staff/login", "next_label": "Se connecter"},
    "staff/second_factor.html": lambda: {
        "form": CodeForm(),
        "enrolled": True,
        "passkey_form": PasskeyForm(),
        "options": "{}",
        "passkey_url": "/staff/second-factor/passkey",
        "message": "Ce code n'est pas bon.",
    },
    "staff/security.html": lambda: {
        "form": NewPasskeyForm(),
        "keys": [Passkey(credential_id="abc", name="Téléphone", created_at=datetime.now(UTC))],
        "options": "{}",
        "message": "Cette clé n'a pas pu être ajoutée.",
    },
    "signon/refused_profile.html": lambda: {
        "service_name": NAME,
        "accepted": ["Élève"],
        "account_url": "/account",
        "back_form": ("https://sp.example/acs", [("SAMLResponse", "PHNhbWw+")]),
    },
}
"""Every page with its documented variables, all given."""

BARE: dict[str, dict[str, Any]] = {
    "activation/birth_date.html": {"error": None, "back_url": None},
    "activation/children.html": {
        "children": [],
        "alert": None,
        "new": False,
        "step": (3, 4),
        "one_is_enough": False,
        "stuck": message("M05"),
        "continue_url": None,
    },
    "activation/mail.html": {"problem": None, "sent": True},
    "activation/mail_confirmed.html": {"active": False},
    "codes/code.html": {"problem": None, "sent": True, "neutral": None, "channel": "mail", "life": None, "total": None},
    "demo/mailbox.html": {"mails": [], "texts": []},
    "enrolment/identity.html": {"problem": None, "channel": "mail", "others": [("mail", "/mail")]},
    "enrolment/stopped.html": {"has_account": False, "start_url": "/activation/start"},
    "errors/error.html": {"reference": ""},
    "login/profile.html": {"service_name": None},
    "login/password.html": {
        "profile": "student",
        "message": None,
        "advice": None,
        "change_url": None,
        "service_name": None,
        "enrol_url": None,
    },
    "logout/done.html": {"services": [], "back": None},
    "logout/progress.html": {"fields": [], "leaves": True},
    "portal/account.html": {"mail": None, "children": [], "last_sign_in": None},
    "recovery/asked.html": {"help": None, "profile": "student"},
    "recovery/identifier.html": {"problem": None, "by_sms": True},
    "recovery/password.html": {"problem": None, "by_sms": False},
    "school/choice.html": {"choices": []},
    "school/journal.html": {"journal": Journal((), None)},
    "staff/enrol.html": {"chooses_password": False},
    "staff/login.html": {"message": None},
    "staff/second_factor.html": {"enrolled": False, "options": None, "message": None},
    "staff/security.html": {"keys": [], "message": None},
    "signon/refused_profile.html": {"back_form": None},
}
"""The other value of each variable that may be missing."""

SAID = {
    *("service_name", "identifier", "display_name", "profile_label", "mail", "address", "contact", "last_sign_in"),
    *("message", "alert", "problem", "error", "advice", "reason", "mail_hint", "reference"),
}
"""Variables that a person reads."""


@pytest.fixture(scope="module")
def app() -> Flask:
    """The pages with the real addresses and static files, without an instance behind them."""
    app = Flask("hub", template_folder=str(resources("templates")), static_folder=None)
    app.config.update(SECRET_KEY="only for these tests")
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(product_name="Préau", version="1.2.3", notice=None, waiting=None, current_user=AnonymousUserMixin())
    app.jinja_env.globals.update(desk_navigation=navigation)
    language.init_app(app)
    static.init_app(app)
    CSRFProtect(app)
    for blueprint in (
        *(activation_pages, enrolment_pages, login_pages, logout_pages, portal_pages, recovery_pages, school_pages, signon_pages),
        staff_pages,
    ):
        app.register_blueprint(blueprint)
    return app


@pytest.fixture(autouse=True)
def _request(app: Flask) -> Iterator[None]:
    with app.test_request_context():
        yield


def page(name: str, **changes: Any) -> html.HtmlElement:
    return html.document_fromstring(render_template(name, **{**PAGES[name](), **changes}))


def french_spaces(text: str) -> str:
    """With ordinary spaces, as tests are written."""
    return text.replace("\u202f", " ").replace("\xa0", " ")


def words(element: html.HtmlElement) -> str:
    return " ".join(french_spaces(element.text_content()).split())


def hostile(value: Any) -> Any:
    """The same value with every text in it replaced by an attack."""
    match value:
        case str():
            return HOSTILE
        case list() | tuple():
            return type(value)(hostile(item) for item in value)
        case dict():
            return {key: hostile(item) for key, item in value.items()}
        case FlaskForm():
            for field in value:
                field.errors = [HOSTILE]
            if isinstance(value, SignInForm):
                value.username.data = HOSTILE
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{part.name: HOSTILE for part in fields(value) if type(getattr(value, part.name)) is str})
    return value


def test_every_page_of_these_folders_is_described_here() -> None:
    """A page that nobody listed would not be tested."""
    root = Path(resources("templates"))
    found = {path.relative_to(root).as_posix() for folder in FOLDERS for path in (root / folder).glob("[!_]*.html")}
    assert found - {"demo/sp.html"} == set(PAGES), "the demo service is no page of the hub"


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("bare", [False, True], ids=["full", "bare"])
def test_page_is_well_built(name: str, bare: bool) -> None:
    """Language, title, one first-level heading, landmarks, skip link, and ids that are unique and found."""
    tree = page(name, **(BARE.get(name, {}) if bare else {}))
    assert tree.get("lang") == "fr"
    assert tree.findtext(".//title").endswith(" – Préau") and len(tree.findtext(".//title")) > len(" – Préau")
    assert len(tree.findall(".//h1")) == 1 and words(tree.find(".//h1"))
    assert [len(tree.findall(f".//{landmark}")) for landmark in ("header", "main", "footer")] == [1, 1, 1]
    assert tree.find(".//body/a").get("href") == "#main" and tree.find(".//main").get("id") == "main"
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    tied = [name for attribute in tree.xpath("//@aria-describedby | //@aria-labelledby | //label/@for") for name in attribute.split()]
    assert set(tied) <= set(ids)


@pytest.mark.parametrize("name", PAGES)
def test_page_says_what_it_is_given(name: str) -> None:
    """The positive twin of the escaping test: ordinary names are shown as they are."""
    text = words(page(name))
    context = PAGES[name]()
    for key in (
        "service_name",
        "identifier",
        "display_name",
        "mail",
        "message",
        "advice",
        "contact",
        "reference",
        "alert",
        "problem",
        "error",
    ):
        if isinstance(said := context.get(key), str):
            assert french_spaces(said) in text
    if name == "demo/mailbox.html":
        assert all(value in text for value in ("camille@famille.example", "Confirmez votre adresse", "Cliquez : https://preau.example/x"))
    if name == "portal/account.html":
        assert all(value in text for value in CHILD.values())
    if name == "activation/children.html":
        assert all(value in text for value in (OFFER.label, OFFER.school, OFFER.division, message("M20-LEGAL"), message("M04")))


@pytest.mark.covers("RQ-71", "AC-34")
@pytest.mark.parametrize("name", PAGES)
def test_hostile_text_stays_text(name: str) -> None:
    """Markup in a name becomes neither an element nor an attribute, in any variable of any page."""
    context = hostile(PAGES[name]())
    if "profile" in context:
        context["profile"] = "guardian"
    expected = page(name)
    tree = page(name, **context)
    assert len(tree.findall(".//script")) == len(expected.findall(".//script"))
    assert tree.xpath("//img/@src") == expected.xpath("//img/@src")
    assert not tree.xpath("//@*[starts-with(name(), 'on')]")
    assert str(7919 * 7907) not in words(tree)


@pytest.mark.covers("RQ-71")
@pytest.mark.parametrize("name", ["login/profile.html", "login/password.html", "signon/post.html", "signon/refused_profile.html"])
def test_service_name_cannot_turn_the_sentence_around(name: str) -> None:
    """A right-to-left mark in the name of a service is shut in an element of its own."""
    assert words(page(name).find(".//bdi")) == NAME
    tree = page(name, service_name="abc\u202edef")
    holders = [element for element in tree.iter() if isinstance(element.tag, str) and "\u202e" in (element.text or "")]
    assert [element.tag for element in holders] == ["bdi"]


@pytest.mark.covers("RQ-79", "AC-51")
@pytest.mark.parametrize("name", PAGES)
def test_page_fits_the_content_security_policy(name: str) -> None:
    """No style inside, no script inside but the one with a nonce, and nothing from another site."""
    tree = page(name)
    assert not tree.xpath("//@style | //style")
    inside = [script.get("nonce") for script in tree.findall(".//script") if script.get("src") is None]
    assert inside == (["n0nce"] if name in ("signon/post.html", "logout/progress.html") else [])
    loaded = tree.xpath("//script/@src | //img/@src | //link/@href | //iframe/@src")
    assert loaded and all(address.startswith("/") and not address.startswith("//") for address in loaded)


@pytest.mark.covers("RQ-79")
def test_answer_page_has_a_button_that_needs_no_script() -> None:
    """The form carries every field as given, and a visible button sends it."""
    form = page("signon/post.html").forms[0]
    assert (form.method, form.action) == ("POST", "https://sp.example/acs")
    assert form.form_values() == [("SAMLResponse", "PHNhbWw+"), ("RelayState", "/cahier?page=2&x=é")]
    assert words(form.find(".//button[@type='submit']")) == "Continuer"


@pytest.mark.covers("AC-39")
def test_password_page_helps_password_managers() -> None:
    """The public field names, the standard purposes, nothing that forbids to paste, and a box to show the password once scripts run."""
    tree = page("login/password.html")
    form = tree.forms[0]
    username, password = form.inputs["username"], form.inputs["password"]
    assert (username.get("autocomplete"), password.get("autocomplete")) == ("username", "current-password")
    assert password.get("type") == "password" and not password.get("value")
    assert form.inputs["csrf_token"].value
    assert "Identifiant au format p.nomXX" in words(tree.get_element_by_id(username.get("aria-describedby")))
    box = tree.xpath("//input[@data-reveal]")[0]
    assert box.get("data-reveal") == password.get("id") and box.getparent().get("hidden") is not None


@pytest.mark.covers("F031", "F033", "F034")
def test_password_page_speaks_to_each_profile() -> None:
    """A pupil is told where the first password comes from; a failure is one alert for the whole form, said in the title too."""
    guardian, student = page("login/password.html"), page("login/password.html", profile="student", message=None)
    first = "Votre établissement vous donne votre identifiant et votre premier mot de passe."
    assert first in words(student) and first not in words(guardian)
    assert len(guardian.xpath("//*[@role='alert']")) == 1 and not student.xpath("//*[@role='alert']")
    assert guardian.findtext(".//title").startswith("Erreur") and not student.findtext(".//title").startswith("Erreur")


@pytest.mark.covers("F037")
def test_notice_stands_on_every_page_only_when_there_is_one(app: Flask) -> None:
    """The dated warning of the operator is a banner under the header."""
    assert not page("portal/help.html").xpath("//section[@class='notice']")
    banner = page("portal/help.html", notice=HOSTILE).xpath("//section[@class='notice']")
    assert len(banner) == 1 and "onerror" in words(banner[0])


@pytest.mark.covers("F038")
@pytest.mark.parametrize("name", PAGES)
def test_footer_leads_to_help_and_legal_pages(name: str) -> None:
    """No page is a dead end."""
    links = {words(link): link.get("href") for link in page(name).xpath("//footer//a")}
    assert links == {
        "Besoin d'aide ?": "/help",
        "Accessibilité : non conforme": "/legal#accessibilite",
        "Mentions légales": "/legal",
        "English": "/language/en?next=/",
    }
    assert "Version 1.2.3" in words(page(name).find(".//footer"))
    assert page("portal/legal.html").get_element_by_id("accessibilite") is not None


def test_error_page_gives_alert_first_then_the_reference() -> None:
    """What happened comes before all else in the page; the number of the log is there when there is one."""
    main = page("errors/error.html").find(".//main")
    assert main[0].get("role") == "alert" and words(main[0].find("h1")) == ERRORS["signon_lost"].title
    assert words(main.find(".//*[@class='reference']")) == "K7M2-P9QR"
    assert page("errors/error.html", reference="").find(".//*[@class='reference']") is None


def test_error_page_offers_what_helps_most() -> None:
    """To begin afresh, else the service that waits, and the home page always; a hostile name of a service stays text."""
    actions = {None: None, "/logout": "Recommencer"}
    for retry_url, label in actions.items():
        buttons = page("errors/error.html", retry_url=retry_url).xpath("//main//a[contains(@class, 'btn')]")
        assert [(words(button), button.get("href")) for button in buttons] == ([(label, retry_url)] if label else [])
    for retry_url, said in ((None, (f"Revenir à {NAME}", WAITING.service_url)), ("/logout", ("Recommencer", "/logout"))):
        button = page("errors/error.html", retry_url=retry_url, waiting=WAITING).xpath("//main//a[contains(@class, 'btn')]")[0]
        assert (words(button), button.get("href")) == said
    assert len(page("errors/error.html", waiting=hostile(WAITING)).findall(".//script")) == len(
        page("errors/error.html").findall(".//script")
    )
    assert [words(link) for link in page("errors/error.html").xpath("//main//a")] == ["Aller à l'accueil"]


@pytest.mark.parametrize("name", ["portal/help.html", "portal/legal.html"])
def test_pages_beside_the_sign_in_lead_back_to_it(name: str) -> None:
    """While a sign-on is kept; and the footer carries it from page to page."""
    assert "Revenir à la connexion" not in words(page(name))
    assert "Revenir à la connexion" not in words(page(name, waiting=replace(WAITING, id=None)))
    tree = page(name, waiting=WAITING)
    assert tree.xpath("//a[text()='Revenir à la connexion']/@href") == [f"/saml/sso/continue?s={WAITING.id}"]
    assert tree.xpath("//footer//a[not(@hreflang)]/@href") == [
        f"/help?s={WAITING.id}",
        f"/legal?s={WAITING.id}#accessibilite",
        f"/legal?s={WAITING.id}",
    ]


@pytest.mark.parametrize("name", [name for name in PAGES if not name.startswith("school/")])
def test_who_is_signed_in_can_always_leave(name: str) -> None:
    """On every page, errors included; nobody else is offered it, and in the middle of an activation there is no account to see yet."""

    def offered(**signed_in: Any) -> dict[str, str]:
        return {words(link): link.get("href") for link in page(name, **signed_in).xpath("//header//nav//a")}

    assert offered() == {}
    assert offered(current_user=UserMixin()) == {"Mon compte": "/account", "Se déconnecter": "/logout"}
    with current_app.test_request_context("/activation/children"):
        assert offered(current_user=UserMixin()) == {"Se déconnecter": "/logout"}


def test_home_leads_to_the_account_of_who_is_signed_in() -> None:
    """Others are led to the sign-in."""
    for changes, href in (({}, "/login"), ({"current_user": UserMixin()}, "/account")):
        assert [link.get("href") for link in page("portal/home.html", **changes).xpath("//main//a[contains(@class, 'btn')]")] == [href]


def test_an_error_may_lead_on_with_a_button() -> None:
    """Only where the reader can act here and now."""
    led = page("errors/error.html", error=ERRORS["link_expired"]).xpath("//main//a[contains(@class, 'btn')]")
    assert [(words(link), link.get("href")) for link in led] == [("Se connecter", "/login")]
    assert not page("errors/error.html").xpath("//main//a[contains(@class, 'btn')]")


class Sample(FlaskForm):
    day, month, year = IntegerField("Jour"), IntegerField("Mois"), IntegerField("Année")
    password = PasswordField("Nouveau mot de passe")
    mail = EmailField("Adresse mail")


def piece(app: Flask, call: str, **context: Any) -> html.HtmlElement:
    source = '{% import "_macros.html" as ui %}<div>{{ ui.' + call + " }}</div>"
    return html.fragment_fromstring(app.jinja_env.from_string(source).render(**context))


def test_field_ties_hint_and_errors_to_its_input(app: Flask) -> None:
    """A screen reader says the label, the hint and what is wrong; without errors the field is not marked."""
    form = Sample()
    right = piece(app, 'field(form.password, hint="Douze caractères")', form=form).find(".//input[@id='password']")
    assert right.get("aria-describedby") == "password-hint" and right.get("aria-invalid") is None and right.get("required") is not None
    form.password.errors = ["Trop court."]
    tree = piece(app, 'field(form.password, hint="Douze caractères")', form=form)
    wrong = tree.find(".//input[@id='password']")
    assert wrong.get("aria-describedby") == "password-hint password-error" and wrong.get("aria-invalid") == "true"
    assert words(tree.get_element_by_id("password-error")) == "Trop court."


def test_field_may_be_described_from_elsewhere(app: Flask) -> None:
    """Rules that stand above a field are read with it, before its own hint."""
    tree = piece(app, 'field(form.password, hint="Douze caractères", aria_describedby="rules")', form=Sample())
    assert tree.find(".//input[@id='password']").get("aria-describedby") == "rules password-hint"


def test_field_that_is_optional_has_no_star_and_is_not_required(app: Flask) -> None:
    """Only fields that must be filled carry the star."""
    tree = piece(app, 'field(form.mail, required=false, autocomplete="email")', form=Sample())
    field = tree.find(".//input")
    assert field.get("required") is None and field.get("autocomplete") == "email" and words(tree.find(".//label")) == "Adresse mail"
    assert words(piece(app, "field(form.mail)", form=Sample()).find(".//label")) == "Adresse mail *"


def test_birth_date_is_one_group_of_three_fields(app: Flask) -> None:
    """Legend, example and error belong to the group; digits are offered on a phone."""
    tree = piece(app, 'birth_date(form, "Date de naissance de Zoé", error="Ce n\'est pas la bonne.")', form=Sample())
    group = tree.find(".//fieldset")
    assert words(group.find("legend")) == "Date de naissance de Zoé *"
    assert group.get("aria-describedby") == "day-hint day-error"
    assert [(field.get("name"), field.get("type"), field.get("inputmode"), field.get("aria-invalid")) for field in group.iter("input")] == [
        (name, "text", "numeric", "true") for name in ("day", "month", "year")
    ]
    calm = piece(app, 'birth_date(form, "Date de naissance de Zoé")', form=Sample()).find(".//fieldset")
    assert calm.get("aria-describedby") == "day-hint" and not calm.xpath(".//@aria-invalid")


@pytest.mark.parametrize(("kind", "role"), [("danger", "alert"), ("warning", "status"), ("info", "status"), ("success", "status")])
def test_alert_is_announced_by_its_weight(app: Flask, kind: str, role: str) -> None:
    """Only a failure interrupts a screen reader; without a message there is no alert at all."""
    assert piece(app, f'alert("Bonjour", "{kind}")')[0].get("role") == role
    assert len(piece(app, f'alert("", "{kind}")')) == 0
    assert len(piece(app, f'alert(none, "{kind}")')) == 0


def test_stepper_says_the_step_in_the_heading(app: Flask) -> None:
    """The count is read with the title; the bar is for the eye only."""
    tree = piece(app, 'stepper(2, 3, "Code de sécurité")')
    assert words(tree.find(".//h1")) == "Étape 2 sur 3 Code de sécurité"
    bar = tree.find(".//div[@aria-hidden='true']")
    assert [step.get("class") for step in bar] == ["done", "done", None]
