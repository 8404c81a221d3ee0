"""The form of a code."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import Length


class CodeForm(FlaskForm):
    """U-06."""

    code = StringField(_l("Code de sécurité"), [Length(max=40)])
