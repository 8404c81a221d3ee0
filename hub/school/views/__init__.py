"""The pages of the desk, one module for each part; importing a module registers its pages."""

from . import choice, dashboard, journal

__all__ = ["choice", "dashboard", "journal"]
