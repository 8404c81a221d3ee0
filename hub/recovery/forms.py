"""The forms of a recovery."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import EmailField, Field, PasswordField, StringField, TelField
from wtforms.validators import InputRequired, Length

LONGEST = Length(max=254)


class TargetForm(FlaskForm):
    """Where the answer goes; the subclasses say by what."""

    target: Field


class MailTargetForm(TargetForm):
    """U-17 by mail."""

    target = EmailField(_l("Adresse mail"), [InputRequired(_l("Donnez votre adresse mail.")), LONGEST])


class MobileTargetForm(TargetForm):
    """U-17 by SMS."""

    target = TelField(_l("Numéro de téléphone portable"), [InputRequired(_l("Donnez votre numéro de téléphone portable.")), LONGEST])


class PasswordByMailForm(MailTargetForm):
    """U-18 by mail."""

    identifier = StringField(_l("Identifiant"), [InputRequired(_l("Tapez votre identifiant.")), Length(max=64)])


class PasswordBySmsForm(MobileTargetForm):
    """U-18 by SMS."""

    identifier = StringField(_l("Identifiant"), [InputRequired(_l("Tapez votre identifiant.")), Length(max=64)])


class NewPasswordForm(FlaskForm):
    """U-19."""

    new_password = PasswordField(_l("Nouveau mot de passe"), [Length(max=1024)])
    confirmation = PasswordField(_l("Confirmation du nouveau mot de passe"), [Length(max=1024)])
