"""Forms of agents."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired, Length

from .passkeys import LONGEST_ANSWER


class CodeForm(FlaskForm):
    """The code of the authenticator, or a recovery code."""

    code = StringField(_l("Code"), [InputRequired(_l("Tapez le code.")), Length(max=64)])


class EnrolForm(FlaskForm):
    """Password and first code. An agent who has a password gives it again, and confirms nothing."""

    password = PasswordField(_l("Mot de passe"), [InputRequired(_l("Tapez un mot de passe.")), Length(max=1024)])
    confirmation = PasswordField(_l("Le même mot de passe, encore une fois"), [Length(max=1024)])
    code = StringField(_l("Code à 6 chiffres de l'application"), [InputRequired(_l("Tapez le code.")), Length(max=64)])


class PasskeyForm(FlaskForm):
    """What the browser signed, as JSON; a script fills it in."""

    answer = HiddenField(validators=[InputRequired(), Length(max=LONGEST_ANSWER)])


class NewPasskeyForm(PasskeyForm):
    """A new passkey and the name that the agent gives it."""

    name = StringField(_l("Nom de la clé"), [InputRequired(_l("Donnez un nom à la clé.")), Length(max=60)])
