"""The forms of an activation."""

from __future__ import annotations

from datetime import date

from flask_wtf import FlaskForm
from wtforms import BooleanField, Form, PasswordField, StringField
from wtforms.validators import Length

LONGEST = Length(max=1024)
"""Nothing typed is longer: what each field really takes is said by its own rule."""


class NewPasswordForm(FlaskForm):
    """A new password, twice."""

    new_password = PasswordField("Nouveau mot de passe", [LONGEST])
    confirmation = PasswordField("Confirmation du nouveau mot de passe", [LONGEST])


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
        typed = [(field.data or "").strip() for field in (self.year, self.month, self.day)]
        if not all(part.isascii() and part.isdigit() and len(part) <= 4 for part in typed):
            return None
        try:
            return date(*map(int, typed))
        except ValueError:
            return None


class Child(BirthDate):
    """One proposed child: birth date, or the box « not mine »."""

    refused = BooleanField()
