"""The sign-in form."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired, Length


class SignInForm(FlaskForm):
    """Identifier and password; the field names are part of the public face (DESIGN section 5)."""

    username = StringField("Identifiant", [InputRequired("Tapez votre identifiant."), Length(max=64)])
    password = PasswordField("Mot de passe", [InputRequired("Tapez votre mot de passe."), Length(max=1024)])
