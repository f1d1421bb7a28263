"""Pictures of styles mixed, truncated, added up, and walked through."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from elegan.errors import UserError
from elegan.latent import combine, mix, walk
from elegan.pictures import contact_sheet, grid
from elegan.verbs.editing.channels import Concepts, Parts, count_of, parts_named, summed_in_channels, taking_channels
from elegan.verbs.editing.film import check_film, write_film
from elegan.verbs.editing.space import Layers, Points, Sources, Space, parents_of, sources_in

SHARES = (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)
CELL, FILM_CELL = 96, 192
MOST_FRAMES = 2_000


def mixing_grid(
    space: Space,
    out: Path,
    *,
    rows: Sources = "1,2,3",
    columns: Sources = "4,5,6,7,8",
    layers: Layers = None,
    parts: str | Sequence[str] | None = None,
) -> dict[str, Any]:
    """A row's image with some of a column's, for every row and column: layers, the coarser half when not said; or,
    with ``parts``, the channels that have most to do with these."""
    mixer, chosen = _mixer(space, layers, parts)
    down, across = space.points(sources_in(rows)), space.points(sources_in(columns))
    images = space.pixels(across)
    lines = [np.concatenate([np.full_like(images[:1], 255), images])]
    for index in range(len(down.styles)):
        own = Points(down.styles[index : index + 1], None if down.label is None else down.label[index : index + 1])
        own = own.with_styles(own.styles.expand(len(across.styles), -1, -1))
        lines.append(np.concatenate([space.pixels(own)[:1], space.pixels(mixer(own, across.styles))]))
    sources = [*sources_in(rows), *sources_in(columns)]
    shown = np.concatenate([images, *lines[1:]])
    sealed = space.write(contact_sheet(lines, ["", *down.names], cell=CELL), out, sources, shown)
    return {**sealed, **chosen, "rows": list(down.names), "columns": list(across.names)}


def _mixer(
    space: Space, layers: Layers, parts: str | Sequence[str] | None
) -> tuple[Callable[[Points, Tensor], Points], dict[str, Any]]:
    """How points take what is asked for from other styles, and what that is."""
    if parts is not None:
        if layers is not None:
            raise UserError("--layers and --parts were both given; parts are mixed by channels, so give one of them.")
        named = parts_named(space, parts)
        channels = {"parts": list(named.names), "channels": int(named.carriers.sum())}
        return lambda own, other: taking_channels(space, own, other, named.carriers), channels
    count, _ = space.shape
    if count == 1:
        raise UserError(
            f"{space.run.path} is a {space.run.record['model']}, whose whole image hangs on one style, so there are no "
            "layers to mix; take arithmetic or walk, or train stylegan."
        )
    chosen = space.layers(layers) if layers is not None else list(range(count // 2))
    return lambda own, other: own.with_styles(mix(own.styles, other, chosen)), {"layers": chosen}


def truncation_sheet(space: Space, out: Path, *, seeds: Sources = "1,2,3,4,5,6") -> dict[str, Any]:
    """The same points ever nearer to the mean."""
    sources = sources_in(seeds)
    points = space.points(sources)
    rows = [space.pixels(space.truncated(points, share)) for share in SHARES]
    names = [f"{share:g}" for share in SHARES]
    sealed = space.write(contact_sheet(rows, names, cell=CELL), out, sources, np.concatenate(rows))
    return {**sealed, "shares": list(SHARES), "of": list(points.names)}


def arithmetic(
    space: Space,
    out: Path,
    *,
    plus: str | Sequence[Sources] = (),
    minus: str | Sequence[Sources] = (),
    strength: float | None = None,
    layers: Layers = None,
    channels: int | None = None,
    parts: str | Sequence[str] | None = None,
) -> dict[str, Any]:
    """Averaged concepts added and subtracted: what goes in, the mean of each group, and what comes out.

    ``strength`` multiplies all but the last of ``plus``, which is what the rest is done to, in all ``layers`` or some:
    glasses are in the finer ones, say, and the face's shape in the coarser; or in so many ``channels``, those in which
    the concepts differ the most, which keeps more of the last ``plus``.  With ``parts``, "glasses", in channels that
    have to do with these, and as strongly as it takes until they show.
    """
    plus, minus = ([groups] if isinstance(groups, str) else groups for groups in (plus, minus))
    if strength is not None and not (isinstance(strength, int | float) and -100 < strength < 100):
        raise UserError(f"--strength is {strength}; it must lie between -100 and 100, and 1 adds concepts as they are.")
    if not plus:
        raise UserError("Nothing was given to add up; give --plus, as in --plus 1,5,9 --minus 2,3,8 --plus 4,6,7.")
    chosen, few = space.layers(layers), _few_channels(space, layers, channels, parts)
    added, taken = ([space.points(sources_in(group)) for group in groups] for groups in (plus, minus))
    gained, lost = ([group.styles for group in groups] for groups in (added[:-1], taken))
    said: dict[str, Any] = {"layers": chosen, "strength": 1.0 if strength is None else strength}
    if few is None:
        answer = summed(space, added[-1], gained, lost, said["strength"], chosen)
    else:
        answer, said = summed_in_channels(space, added[-1], Concepts(gained, lost), strength, *few)
    lines, names = [], []
    for sign, group in [("+", g) for g in added] + [("−", g) for g in taken]:
        centre = group.with_styles(combine([group.styles], length=space.length))
        lines.append(np.concatenate([space.pixels(group), space.pixels(centre)]))
        names.append(f"{sign} {', '.join(name.removeprefix('seed ') for name in group.names)} and their mean")
    lines.append(space.pixels(answer))
    sources = [source for group in (*plus, *minus) for source in sources_in(group)]
    sealed = space.write(contact_sheet(lines, [*names, "="], cell=CELL), out, sources, np.concatenate(lines))
    return {
        **sealed,
        "plus": [list(g.names) for g in added],
        "minus": [list(g.names) for g in taken],
        **said,
    }


def _few_channels(
    space: Space, layers: Layers, channels: int | None, parts: str | Sequence[str] | None
) -> tuple[int, Parts | None] | None:
    """In how many channels to add, and what of, or None for whole styles; checked before anything is projected."""
    if channels is None and parts is None:
        return None
    if layers is not None:
        raise UserError("--layers was given beside --channels or --parts; give it or these.")
    return count_of(space, channels), None if parts is None else parts_named(space, parts)


def summed(
    space: Space, base: Points, plus: Sequence[Tensor], minus: Sequence[Tensor], strength: float, layers: Sequence[int]
) -> Points:
    """The mean of ``base`` with concepts, groups of styles [k, layers, d], added and subtracted in some layers."""
    mean = base.styles.mean(0, keepdim=True)
    gained, lost = ([strength * group for group in groups] for groups in (plus, minus))
    return base.with_styles(mix(mean, combine([*gained, mean], lost, space.length), layers))


def film(space: Space, out: Path, *, seeds: Sources = "1,2,3,4", frames: int = 24, fps: int = 24) -> dict[str, Any]:
    """A closed walk from each point to the next, ``frames`` a stretch."""
    check_film(out)
    points = space.points(sources_in(seeds))
    total = len(points.styles) * frames
    if len(points.styles) < 2:
        raise UserError("A walk needs two seeds or images at least; give --seeds 1,2,3.")
    if not (frames >= 1 and 1 <= fps <= 100) or total > MOST_FRAMES:
        raise UserError(f"{total:,} frames at {fps} a second are no film; it has 1 to {MOST_FRAMES:,} at 1 to 100.")
    labels = None if points.label is None else points.label.repeat_interleave(frames)
    path = Points(walk(points.styles, frames, spherical=space.normal), labels)
    pictures = [grid(image[None], cell=FILM_CELL) for image in space.pixels(path)]
    sources = sources_in(seeds)
    sealed = write_film(pictures, out, space.label_for(sources), fps, parents_of(sources))
    return {
        "provenance": sealed.facts(),
        "through": list(points.names),
        "frames": total,
        "seconds": round(total / fps, 2),
    }
