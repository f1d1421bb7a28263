"""`elegan forget`: clear the registry of what was made here."""

from datetime import date
from pathlib import Path
from typing import Any

from elegan.errors import UserError
from elegan.provenance import registry


def forget(*, everything: bool = False, run: str | None = None, before: date | str | None = None) -> dict[str, Any]:
    """Remove entries from the registry for good: all, those of one run, or those made before a time.

    ``run`` is a run folder's name, or a path that ends in it; ``before`` a date, which begins at midnight here, or a
    time, in ISO 8601.  The files that were made stay as they are.  Returns how many entries were "removed" and how many
    are "left".  Raises UserError where not exactly one is given, for what is no date, and for a registry that can't be
    opened; a damaged one is cleared by ``everything``.
    """
    if sum((everything, run is not None, before is not None)) != 1:
        raise UserError("Give one of --all, --run NAME and --before DATE, to say what the registry is to forget.")
    name = None if run is None else Path(run).expanduser().name
    removed = registry.forget(everything=everything, run=name, before=before)
    return {"removed": removed, "left": registry.count()}


__all__ = ["forget"]
