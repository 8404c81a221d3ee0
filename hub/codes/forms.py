"""The forms of a number or address, and of the code that proves it."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import EmailField, Field, StringField, TelField
from wtforms.validators import InputRequired, Length

_LONGEST = Length(max=254)


class TargetForm(FlaskForm):
    """Where something is sent; the subclasses say by what."""

    target: Field


class MobileTargetForm(TargetForm):
    """By SMS."""

    target = TelField(_l("Numéro de téléphone portable"), [InputRequired(_l("Donnez votre numéro de téléphone portable.")), _LONGEST])


class MailTargetForm(TargetForm):
    """By mail."""

    target = EmailField(_l("Adresse mail"), [InputRequired(_l("Donnez votre adresse mail.")), _LONGEST])


class CodeForm(FlaskForm):
    """U-06."""

    code = StringField(_l("Code de sécurité"), [Length(max=40)])
