"""The forms of a recovery; U-17 asks for the target alone, U-19 for a new password as an activation does."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from ..codes.forms import MailTargetForm, MobileTargetForm, TargetForm


class PasswordForm(TargetForm):
    """U-18: whose password; the channel is added by the subclasses."""

    identifier = StringField(_l("Identifiant"), [InputRequired(_l("Tapez votre identifiant.")), Length(max=64)])


class PasswordByMailForm(PasswordForm, MailTargetForm):
    """U-18 by mail."""


class PasswordBySmsForm(PasswordForm, MobileTargetForm):
    """U-18 by SMS."""
