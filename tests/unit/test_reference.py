"""The generated reference pages are current, and everything is documented."""

from __future__ import annotations

import subprocess
import sys

from hub.settings import Settings


def test_the_reference_pages_match_the_code():
    """`make docs` was run after the last change. In a process of its own: commands remember how they were called."""
    done = subprocess.run([sys.executable, "-m", "tools.reference", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_setting_is_described():
    """A setting without a sentence is not finished."""
    assert not [name for name, field in Settings.model_fields.items() if not field.description]
