"""The forms of an enrolment."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from ..codes.forms import MailTargetForm, MobileTargetForm, TargetForm

_LONGEST = Length(max=254)


class IdentityForm(TargetForm):
    """Names as the school knows them; the channel is added by the subclasses."""

    family_name = StringField(_l("Nom"), [InputRequired(_l("Donnez votre nom.")), _LONGEST])
    given_name = StringField(_l("Prénom"), [InputRequired(_l("Donnez votre prénom.")), _LONGEST])


class MobileForm(IdentityForm, MobileTargetForm):
    """U-05 with a mobile number."""


class MailForm(IdentityForm, MailTargetForm):
    """U-05 with a mail address."""
