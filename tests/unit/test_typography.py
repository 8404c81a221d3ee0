"""No-break spaces where French wants them, nowhere else."""

from __future__ import annotations

import pytest
from jinja2 import DictLoader, Environment

from hub.web.typography import FrenchTypography, french

NB = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("Besoin d'aide ?", f"Besoin d'aide{NB}?"),
        ("Profil : élève", f"Profil{NB}: élève"),
        ("Choisissez « Continuer ».", f"Choisissez «{NB}Continuer{NB}»."),
        ("à 12:30", "à 12:30"),
        ("a != b", "a != b"),
        (": seul", ": seul"),
    ],
)
def test_spaces_before_double_punctuation_do_not_break(written, printed):
    """And inside quotation marks."""
    assert french(written) == printed


def test_templates_are_set_but_not_their_code():
    """Text and the strings of expressions change; attributes, tests and styles do not."""
    source = '<a title="x : y">Ça va ?</a>{% if a != 1 %}{{ f("Oui : non") }}{% endif %}'
    environment = Environment(loader=DictLoader({"t": source}), extensions=[FrenchTypography], autoescape=True)
    assert environment.get_template("t").render(a=2, f=str) == f'<a title="x : y">Ça va{NB}?</a>Oui{NB}: non'
