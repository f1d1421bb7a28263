"""`elegan edit`: mix, add up, steer, change and walk through what a run draws, and bring one's own photo into it."""

from collections.abc import Callable, Mapping
from inspect import signature
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from elegan.errors import UserError, nearest
from elegan.verbs.editing.changing import changing_sheet
from elegan.verbs.editing.mixing import arithmetic, film, mixing_grid, truncation_sheet
from elegan.verbs.editing.photo import projection
from elegan.verbs.editing.space import Space
from elegan.verbs.editing.steering import steering_sheet
from elegan.verbs.run import load_run

ACTIONS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "mix": mixing_grid,
    "arithmetic": arithmetic,
    "directions": steering_sheet,
    "change": changing_sheet,
    "project": projection,
    "truncate": truncation_sheet,
    "walk": film,
}


POINTS = ("rows", "columns", "seeds", "plus", "minus")
"""Options that are seeds and images, which the edits read themselves."""


def edit(
    run: str | PathLike[str],
    action: str,
    *,
    out: str | PathLike[str],
    label: str | int | None = None,
    profile: str | None = None,
    visible_label: bool | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Do one of the edits with a run, and write its labelled picture (for "walk" a film) to ``out``.

    ``label`` is the class to draw, for a run that takes one; without it each seed has its own.  The options of an
    action are those of its command.  Wherever points are asked for, they are seeds and paths of images, "1,5,me.png"
    or a list (``plus`` and ``minus`` a list of these); seed s stands for the image of ``elegan sample --n 1 --seed s``,
    an image for its projection.

    >>> elegan.edit("runs/avatars", "arithmetic", plus=["1,5,9", "4,6,7"], minus=["2,3,8"], out="equation.png")

    ``profile`` and ``visible_label`` are those of ``elegan.sample``.  Raises UserError for what can't be done, before
    anything is written.
    """
    if action not in ACTIONS:
        raise UserError(f'There is no edit "{action}"; there are {", ".join(ACTIONS)}.{nearest(action, ACTIONS)}')
    path = Path(fspath(out)).expanduser()
    if action != "walk" and path.suffix.lower() != ".png":
        raise UserError(f'"{path}" is to be one picture; end --out in .png.')
    known = [name for name in signature(ACTIONS[action]).parameters if name not in ("space", "out")]
    if unknown := [name for name in options if name not in known]:
        raise UserError(
            f'{action} has no option "{unknown[0]}"; it has {", ".join(known)}.{nearest(unknown[0], known)}'
        )
    given = {name: value if name in POINTS else _checked(action, name, value) for name, value in options.items()}
    done = ACTIONS[action](Space(load_run(run).labelling(profile, visible_label), label, path), path, **given)
    return {"out": str(path), "action": action, **done}


def _checked(action: str, name: str, value: Any) -> Any:
    """An option's value in its kind.  Raises UserError for one that is none."""
    try:
        return TypeAdapter(signature(ACTIONS[action]).parameters[name].annotation).validate_python(value)
    except ValidationError as error:
        wanted = " or ".join(dict.fromkeys(found["msg"].removeprefix("Input should be ") for found in error.errors()))
        raise UserError(f"{name} is {value!r}; it should be {wanted}.") from error
