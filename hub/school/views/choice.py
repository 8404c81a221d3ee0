"""Choice and change of the school (A-02)."""

from __future__ import annotations

from datetime import datetime

from flask import render_template
from flask.typing import ResponseReturnValue

from ...accounts.notices import PARIS
from ...staff.gate import agent_page
from ...staff.scope import AgentFacts
from ...web.current import current_instance
from ..blueprint import pages
from ..choice import choices


@pages.get("")
@agent_page(strong=False)
def choose(agent: AgentFacts) -> ResponseReturnValue:
    """The agent's schools, with what is open in each."""
    found = choices(agent, current_instance().directory, today=datetime.now(PARIS).date())
    return render_template("school/choice.html", choices=found)
