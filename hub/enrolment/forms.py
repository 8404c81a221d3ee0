"""The forms of an enrolment."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import EmailField, Field, StringField, TelField
from wtforms.validators import InputRequired, Length

LONGEST = Length(max=254)


class IdentityForm(FlaskForm):
    """Names as the school knows them; the channel is added by the subclasses."""

    family_name = StringField(_l("Nom"), [InputRequired(_l("Donnez votre nom.")), LONGEST])
    given_name = StringField(_l("Prénom"), [InputRequired(_l("Donnez votre prénom.")), LONGEST])
    target: Field


class MobileForm(IdentityForm):
    """U-05 with a mobile number."""

    target = TelField(_l("Numéro de téléphone portable"), [InputRequired(_l("Donnez votre numéro de téléphone portable.")), LONGEST])


class MailForm(IdentityForm):
    """U-05 with a mail address."""

    target = EmailField(_l("Adresse mail"), [InputRequired(_l("Donnez votre adresse mail.")), LONGEST])
