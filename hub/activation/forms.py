"""The forms of an activation."""

from __future__ import annotations

from datetime import date

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, Form, PasswordField, StringField
from wtforms.validators import Length

from ..accounts.messages import message

DATE_MISSING = "Donnez le jour, le mois et l'année."
DATE_IMPOSSIBLE = "Cette date n'existe pas. Écrivez-la en chiffres, comme 14 / 7 / 2012."
YEAR_TOO_SHORT = "Écrivez l'année avec 4 chiffres."

OLDEST_YEAR = 1900
"""Nobody at school was born before: the year was written with two digits."""

LONGEST = Length(max=1024)
"""Nothing typed is longer: what each field really takes is said by its own rule."""


class NewPasswordForm(FlaskForm):
    """A new password, twice."""

    new_password = PasswordField(_l("Nouveau mot de passe"), [LONGEST])
    confirmation = PasswordField(_l("Confirmation du nouveau mot de passe"), [LONGEST])


class CredentialsForm(NewPasswordForm):
    """A new password and an address."""

    mail = StringField("Adresse mail", [LONGEST])


class ChangePasswordForm(NewPasswordForm):
    """A new password in place of the current one."""

    current_password = PasswordField("Mot de passe actuel", [LONGEST])


class MailForm(FlaskForm):
    """Another address."""

    mail = StringField("Nouvelle adresse mail", [LONGEST])


class BirthDate(Form):
    """Three fields Jour, Mois, Année. Part of a page's form; ``prefix`` tells several of them apart."""

    day = StringField("Jour")
    month = StringField("Mois")
    year = StringField("Année")

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all was typed."""
        return not any((field.data or "").strip() for field in (self.day, self.month, self.year))

    @property
    def value(self) -> date | None:
        """The date, None when there is no such day."""
        given = self._judged
        return given if isinstance(given, date) else None

    @property
    def problem(self) -> str | None:
        """What is wrong with the way the date is written, None when it is a date."""
        given = self._judged
        return given if isinstance(given, str) else None

    @property
    def _judged(self) -> date | str:
        typed = [(field.data or "").strip() for field in (self.year, self.month, self.day)]
        if not all(typed):
            return DATE_MISSING
        if not all(part.isascii() and part.isdigit() for part in typed):
            return DATE_IMPOSSIBLE
        if len(typed[0]) != 4 or int(typed[0]) < OLDEST_YEAR:
            return YEAR_TOO_SHORT
        try:
            return date(*map(int, typed))
        except (ValueError, OverflowError):
            return DATE_IMPOSSIBLE


class Child(BirthDate):
    """One proposed child: birth date, or the box « not mine », or nothing yet."""

    refused = BooleanField()

    @property
    def is_blank(self) -> bool:
        """Whether nothing is answered yet."""
        return self.is_empty and not self.refused.data

    @property
    def problem(self) -> str | None:
        """What is wrong with the answer, None when it is one."""
        if not self.refused.data:
            return super().problem
        return None if self.is_empty else message("M04-both")
