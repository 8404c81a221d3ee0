"""Opening a back end by its name: the entry points of the group ``preau.backends``.

An entry point is a function ``open_directory(settings, **options)`` that returns a :class:`backends.Directory`. ``settings``
are those of the instance; ``options`` are the back end's own, from ``directory_options`` or from its source in ``federated``.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from . import Directory

GROUP = "preau.backends"


def known() -> dict[str, EntryPoint]:
    """The back ends that are installed, by name."""
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}


def open_back_end(name: str, settings: Any, options: Mapping[str, Any]) -> Directory:
    """Open the back end of that name. Raises ValueError with one line for each thing that is wrong."""
    found = known()
    if name not in found:
        raise ValueError(f"no back end named {name!r} (known: {', '.join(found) or 'none'})")
    opener = found[name].load()
    try:
        inspect.signature(opener).bind(settings, **options)
    except TypeError as exc:
        raise ValueError(f"back end {name!r}: option {exc}") from None
    try:
        directory = opener(settings, **options)
    except ValueError as exc:
        raise ValueError(f"back end {name!r}: {_plain(exc)}") from None
    if not isinstance(directory, Directory):
        raise ValueError(f"{name!r} is not a directory back end")
    return directory


def _plain(exc: ValueError) -> str:
    """The sentence of an error; those of pydantic one by one, without the values, which may be secret."""
    from pydantic import ValidationError

    if not isinstance(exc, ValidationError):
        return str(exc)
    return "; ".join(f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}" for error in exc.errors(include_input=False))
