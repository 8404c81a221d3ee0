"""French and English: the browser asks, the person chooses, and no link leads elsewhere."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest


def test_french_is_spoken_unless_the_browser_asks_for_english(hub):
    """The page says its language for screen readers."""
    assert b'<html lang="fr">' in hub.app.test_client().get("/").data
    english = hub.app.test_client().get("/", headers={"Accept-Language": "en-GB,en;q=0.9,fr;q=0.5"})
    assert b'<html lang="en">' in english.data and "Skip to content" in english.text
    assert b'<html lang="fr">' in hub.app.test_client().get("/", headers={"Accept-Language": "de"}).data


def test_a_choice_is_kept_and_comes_back_to_the_page(hub):
    """Whatever the browser asks for."""
    client = hub.app.test_client()
    answer = client.get("/language/en?next=/help?s=abc")
    assert answer.status_code == 303 and answer.location == "/help?s=abc"
    assert b'<html lang="en">' in client.get("/help").data
    client.get("/language/fr?next=/help")
    assert b'<html lang="fr">' in client.get("/help", headers={"Accept-Language": "en"}).data


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "/a\nb", ""])
def test_the_switch_leads_only_to_pages_of_ours(hub, target):
    """Home instead."""
    answer = hub.app.test_client().get("/language/en", query_string={"next": target})
    assert answer.status_code == 303 and answer.location == "/"


def test_texts_are_set_as_their_language_wants(hub):
    """No-break spaces in French only."""
    assert "Besoin d'aide\N{NO-BREAK SPACE}?" in hub.app.test_client().get("/").text
    assert "Need help?" in hub.app.test_client().get("/", headers={"Accept-Language": "en"}).text


def test_lazy_texts_take_no_values():
    """Templates trust a lazy text as it is: a name inside one would not be escaped."""
    root = Path(__file__).parent.parent.parent / "hub"
    calls = [
        (path.name, node.lineno)
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_l", "_ln", "lazy_gettext", "lazy_ngettext")
        if node.keywords or len(node.args) != 1 or not isinstance(node.args[0], ast.Constant)
    ]
    assert not calls
