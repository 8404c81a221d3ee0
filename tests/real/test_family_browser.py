"""Families without a letter, in a real browser: enrolment by SMS and by mail, and recovery, with what they receive."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from backends import Guardian, Kind, Ref, iterate
from backends.sql import SqlDirectory, create_directory_engine
from tests.real.browser_kit import axe, overflow, shot, small_targets, visit, weigh
from tests.real.demo_kit import Demo

pytestmark = pytest.mark.real

PASSWORD = "quatre tortues vertes chantent"
NEW_PASSWORD = "tortue-jaune-sous-le-grand-chêne"


@dataclass(frozen=True)
class Parent:
    """A guardian of the demo who has no account yet."""

    person: Guardian
    births: dict[str, date]
    """Birth dates of the children, by the label that the page shows."""

    @property
    def typed_number(self) -> str:
        return re.sub(r"^\+33", "0", self.person.mobiles[0])


@contextmanager
def directory_of(demo: Demo) -> Iterator[SqlDirectory]:
    engine = create_directory_engine(f"sqlite:///{demo.folder / 'directory.sqlite'}")
    try:
        yield SqlDirectory(engine)
    finally:
        engine.dispose()


@pytest.fixture
def parents(demo: Demo) -> list[Parent]:
    """Guardians of the collège of the demo with a number, an address, one record, and children of one answer each."""
    found = []
    with directory_of(demo) as directory:
        pupil = directory.person(Ref.parse(demo.people["college_pupil"]["ref"]))
        taken = {row["ref"] for row in demo.people.values()}
        for person in iterate(directory, pupil.enrolments[0].uai, Kind.GUARDIAN):  # type: ignore[attr-defined]
            assert isinstance(person, Guardian)
            if str(person.ref) in taken or not person.mail or not person.mobiles or not person.mobiles[0].startswith("+33"):
                continue
            if len(directory.find_guardians(person.family_name, person.given_name, mobile=person.mobiles[0])) != 1:
                continue
            births = {}
            for tie in directory.ties_of(person.ref):
                child = directory.person(tie.student)
                if tie.ine and child.birth_date:  # type: ignore[attr-defined]
                    births[f"{child.given_name} {child.family_name[:1].upper()}."] = child.birth_date  # type: ignore[attr-defined]
            if births:
                found.append(Parent(person, births))
    assert len(found) >= 3
    return found


def check(page: Page) -> None:
    """What every page must be, on a phone too."""
    assert axe(page) == []
    assert overflow(page) == 0
    assert small_targets(page) == []
    assert weigh(page) < 150_000


def newest(page: Page, demo: Demo, pattern: str, to: str) -> str:
    """Of the demo's mailbox: the first match in the newest message to that number or address."""
    for _ in range(40):
        page.goto(f"{demo.hub}/demo/mailbox")
        for article in page.get_by_role("article").all():
            found = re.search(pattern, article.inner_text())
            if to in article.inner_text() and found:
                return found[0]
        page.wait_for_timeout(500)
    pytest.fail(f"nothing for {to}")


def give_dates(page: Page, parent: Parent) -> None:
    for label, born in parent.births.items():
        group = page.get_by_role("group", name=re.compile(f"Date de naissance.*{re.escape(label)}"))
        for name, value in (("Jour", born.day), ("Mois", born.month), ("Année", born.year)):
            group.get_by_label(name).fill(str(value))
    page.get_by_role("button", name="Confirmer").click()


def enrol(page: Page, demo: Demo, parent: Parent, pictures: Path, *, by: str) -> str:
    """From the service to the account that is ready. Returns the identifier."""
    page.goto(demo.sp)
    page.get_by_role("link", name="Se connecter").click()
    page.get_by_role("link", name=re.compile("^Responsable d'élève")).click()
    check(page)
    shot(page, "sign-in-guardian", pictures)
    page.get_by_role("link", name="Je n'ai pas de compte").click()
    if by == "mail":
        page.get_by_role("link", name="Par mail").click()
    check(page)
    shot(page, f"enrolment-identity-{by}", pictures)
    page.get_by_label(re.compile("^Nom")).fill(parent.person.family_name)
    page.get_by_label(re.compile("^Prénom")).fill(parent.person.given_name)
    target = parent.typed_number if by == "sms" else parent.person.mail or ""
    page.get_by_label(re.compile("^Numéro" if by == "sms" else "^Adresse")).fill(target)
    page.get_by_role("button", name="Recevoir un code").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Tapez le code")
    check(page)
    shot(page, f"enrolment-code-{by}", pictures)
    code_page = page.url
    code = newest(page, demo, r"\b\d{6}\b", parent.person.mobiles[0] if by == "sms" else parent.person.mail or "")
    page.goto(code_page)
    page.get_by_label(re.compile("^Code")).fill(code)
    page.get_by_role("button", name="Valider").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Étape 3 sur 4")
    check(page)
    give_dates(page, parent)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Étape 4 sur 4")
    check(page)
    shot(page, f"enrolment-identifier-{by}", pictures)
    identifier = page.locator(".identifier").inner_text()
    page.get_by_label(re.compile("^Nouveau mot de passe")).first.fill(PASSWORD)
    page.get_by_label(re.compile("^Confirmation")).first.fill(PASSWORD)
    page.get_by_role("button", name="Activer mon compte").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Votre compte est prêt")
    page.get_by_role("link", name="Accéder à mes services").click()
    page.wait_for_url(f"{demo.sp}/**")
    expect(page.get_by_role("table")).to_be_visible()
    return identifier


@pytest.mark.covers("F041", "F043", "F045", "F047", "F048", "F012")
@pytest.mark.parametrize("scripts", [True, False], ids=["phone", "phone-without-scripts"])
def test_enrolment_by_sms(demo: Demo, browser: Browser, parents: list[Parent], tmp_path: Path, scripts: bool) -> None:
    """On a phone, from the service that asked and back to it."""
    if scripts:
        with visit(browser, width=360, height=740) as phone:
            enrol(phone.page, demo, parents[0], tmp_path, by="sms")
    else:
        with visit(browser, width=320, height=700) as phone:
            phone.page.goto(f"{demo.hub}/activation/start/sms")
            check(phone.page)
        with visit(browser, width=320, height=700, scripts=False) as phone:
            phone.page.goto(f"{demo.hub}/activation/start/sms")
            phone.page.get_by_label(re.compile("^Nom")).fill("Personne")
            phone.page.get_by_label(re.compile("^Prénom")).fill("Inconnue")
            phone.page.get_by_label(re.compile("^Numéro")).fill("06 39 98 99 98")
            phone.page.get_by_role("button", name="Recevoir un code").click()
            expect(phone.page.get_by_role("alert")).to_contain_text("Nous ne connaissons pas ce numéro")


@pytest.mark.covers("F100", "F101", "AC-18")
def test_enrolment_by_mail_then_everything_is_forgotten(demo: Demo, browser: Browser, parents: list[Parent], tmp_path: Path) -> None:
    """The account by mail; then the identifier by mail, a new password by the link, and in with it."""
    parent = parents[1]
    address = parent.person.mail or ""
    with visit(browser, width=360, height=740) as phone:
        identifier = enrol(phone.page, demo, parent, tmp_path, by="mail")
    with visit(browser, width=360, height=740) as phone:
        page = phone.page
        page.goto(f"{demo.hub}/login/guardian")
        page.get_by_role("link", name="Identifiant oublié").click()
        check(page)
        shot(page, "recovery-identifier", tmp_path)
        page.get_by_label(re.compile("^Adresse")).fill(address)
        page.get_by_role("button", name="Envoyer").click()
        expect(page.get_by_role("status")).to_contain_text("vous allez recevoir un mail")
        check(page)
        shot(page, "recovery-asked", tmp_path)
        assert newest(page, demo, re.escape(identifier), address) == identifier
        page.goto(f"{demo.hub}/login/guardian")
        page.get_by_role("link", name="Mot de passe oublié").click()
        check(page)
        shot(page, "recovery-password", tmp_path)
        page.get_by_label(re.compile("^Identifiant")).fill(identifier)
        page.get_by_label(re.compile("^Adresse")).fill(address)
        page.get_by_role("button", name="Envoyer").click()
        page.goto(newest(page, demo, rf"{re.escape(demo.hub)}/recovery/password/\S+", address))
        check(page)
        shot(page, "recovery-new-password", tmp_path)
        page.get_by_label(re.compile("^Nouveau mot de passe")).first.fill(NEW_PASSWORD)
        page.get_by_label(re.compile("^Confirmation")).first.fill(NEW_PASSWORD)
        page.get_by_role("button", name="Enregistrer").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("enregistré")
        check(page)
        page.get_by_role("link", name="Se connecter").click()
        page.get_by_label(re.compile("^Identifiant")).fill(identifier)
        page.get_by_label(re.compile("^Mot de passe")).fill(NEW_PASSWORD)
        page.get_by_role("button", name="Se connecter").click()
        expect(page.get_by_role("link", name="Se déconnecter")).to_be_visible()
