"""The instance that a command works on, opened on first use."""

from __future__ import annotations

import getpass
import json
from typing import Any

import click

from ..instance import Instance
from ..ops import logs
from ..settings import load_settings

_instance: Instance | None = None


def instance() -> Instance:
    """The instance of this process, from the settings."""
    global _instance
    if _instance is None:
        settings = load_settings()
        logs.configure(settings.log_level)
        _instance = Instance(settings)
    return _instance


def opened_instance() -> Instance | None:
    """The instance, if this command came as far as opening it."""
    return _instance


def close_instance() -> None:
    """Release the instance, if one was opened."""
    global _instance
    if _instance is not None:
        _instance.close()
        _instance = None


def actor() -> str:
    """Who runs the command, for the audit."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return "cli:unknown"


def say(facts: dict[str, Any], as_json: bool, sentence: str) -> None:
    """Say what was done: the facts for a program, the sentence for a person."""
    if as_json:
        echo_json(facts)
    else:
        click.echo(sentence)


def echo_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
