"""The sign-in form."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired, Length


class SignInForm(FlaskForm):
    """Identifier and password; the field names are part of the public face (DESIGN section 5)."""

    username = StringField(_l("Identifiant"), [InputRequired(_l("Tapez votre identifiant.")), Length(max=64)])
    password = PasswordField(_l("Mot de passe"), [InputRequired(_l("Tapez votre mot de passe.")), Length(max=1024)])
