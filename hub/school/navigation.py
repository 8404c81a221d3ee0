"""The tabs of the desk (F135): each is shown to whoever has its right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask import request, url_for
from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from backends import Degree

from ..staff.rights import Right
from ..staff.scope import Desk


@dataclass(frozen=True, slots=True)
class Tab:
    """A page of the desk that its navigation leads to."""

    label: LazyString
    endpoint: str
    right: Right
    secondary_only: bool = False


TABS = (
    Tab(_l("Accueil"), "school.dashboard", Right.STATISTICS),
    Tab(_l("Journal"), "school.journal", Right.READ_JOURNAL),
)
"""In their order on screen."""


@dataclass(frozen=True, slots=True)
class Link:
    """A tab for one agent at one school."""

    label: str
    url: str
    current: bool


def navigation(desk: Desk) -> Iterator[Link]:
    """The tabs that this desk may open."""
    for tab in TABS:
        if desk.may(tab.right) and (not tab.secondary_only or desk.school.degree is Degree.SECONDARY):
            yield Link(str(tab.label), url_for(tab.endpoint, uai=desk.uai), request.endpoint == tab.endpoint)
