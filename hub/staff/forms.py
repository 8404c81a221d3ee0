"""Forms of agents."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired, Length


class StaffSignInForm(FlaskForm):
    """Login and password."""

    username = StringField(_l("Identifiant"), [InputRequired(_l("Tapez votre identifiant.")), Length(max=64)])
    password = PasswordField(_l("Mot de passe"), [InputRequired(_l("Tapez votre mot de passe.")), Length(max=1024)])


class CodeForm(FlaskForm):
    """The code of the authenticator, or a recovery code."""

    code = StringField(_l("Code"), [InputRequired(_l("Tapez le code.")), Length(max=64)])


class EnrolForm(FlaskForm):
    """Password and first code. An agent who has a password gives it again, and confirms nothing."""

    password = PasswordField(_l("Mot de passe"), [InputRequired(_l("Tapez un mot de passe.")), Length(max=1024)])
    confirmation = PasswordField(_l("Le même mot de passe, encore une fois"), [Length(max=1024)])
    code = StringField(_l("Code à 6 chiffres de l'application"), [InputRequired(_l("Tapez le code.")), Length(max=64)])
