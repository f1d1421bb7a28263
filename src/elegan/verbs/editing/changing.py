"""A picture of some points before and after a change of parts that leaves the others as they are."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elegan.errors import UserError, nearest
from elegan.latent import Recogniser, change
from elegan.latent.change import STEPS
from elegan.pictures import contact_sheet
from elegan.verbs.editing.named import SAMPLES_SEED
from elegan.verbs.editing.recognising import recognisers_of
from elegan.verbs.editing.space import Points, Source, Space, condition_of, sources_in

CELL, MEASURED = 96, 1_000
MOST_POINTS = 64


def changing_sheet(
    space: Space, out: Path, *, part: str, seeds: str | Sequence[Source] = "1,2,3,4", steps: int = STEPS
) -> dict[str, Any]:
    """A row of points as they are, and a row of them with other values of some parts: "hat=crown,glasses=none".

    "changed" is the share of the points that show all that was wished for, and "kept" the share of their other parts
    that are as before, None where there are no others: in the eyes of the recognisers that led the change, so no less
    than others would see.
    """
    if steps < 1:
        raise UserError(f"--steps is {steps}; it must be 1 or more.")
    recognisers, names, values = recognisers_of(space)
    wanted, points = wishes_in(part, names, values), space.points(sources_in(seeds))
    if len(points.styles) > MOST_POINTS:
        raise UserError(f"{len(points.styles)} points are more than {MOST_POINTS}; give fewer seeds.")
    after = changed(space, points, recognisers, wanted, steps)
    said = [f"{names[index]}: {values[index][value]}" for index, value in wanted.items()]
    rows = [space.pixels(points), space.pixels(after)]
    sheet = contact_sheet(rows, ["as it was", ", ".join(said)], cell=CELL)
    sealed = space.write(sheet, out, sources_in(seeds), np.concatenate(rows))
    accuracies = {names[index]: round(recognisers[0].accuracy[index], 4) for index in wanted}
    return {**sealed, "parts": said, "recognised": accuracies, **_told(space, recognisers, points, after, wanted)}


def changed(
    space: Space, points: Points, recognisers: Sequence[Recogniser], wanted: Mapping[int, int], steps: int = STEPS
) -> Points:
    """The points with the values wanted, part → value (:func:`elegan.latent.change`)."""
    condition = condition_of(points.label)
    scale = space.drawn(MEASURED, SAMPLES_SEED + 1).styles.std(0).clamp(min=1e-6)

    def render(styles: Tensor) -> Tensor:
        return space.game.render(styles, condition).float()

    return Points(change(render, points.styles, scale, recognisers, wanted, steps=steps), points.label)


def wishes_in(text: str, names: Sequence[str], values: Sequence[Sequence[str]]) -> dict[int, int]:
    """Part → value from "hat=crown,glasses=none"; of classes the class alone will do.  Raises UserError."""
    wanted = {}
    for wish in text.split(","):
        name, _, value = (word.strip() for word in wish.partition("="))
        if names == ("class",) and not value:
            name, value = "class", name
        if name not in names:
            raise UserError(f'There is no part "{name}"; there are {", ".join(names)}.{nearest(name, names)}')
        part = list(names).index(name)
        if value not in values[part]:
            known = [f"{name}={each}" for each in values[part]]
            asked = f'"{value}" is no {name}' if value else f'--part names no value of "{name}"'
            raise UserError(f"{asked}; give one of {', '.join(known)}.{nearest(f'{name}={value}', known)}")
        if part in wanted:
            raise UserError(f'--part names "{name}" twice; give one value of it.')
        wanted[part] = list(values[part]).index(value)
    return wanted


def _told(
    space: Space, recognisers: Sequence[Recogniser], before: Points, after: Points, wanted: Mapping[int, int]
) -> dict[str, float | None]:
    """Of all the recognisers: that each sees what was wished for, and each the same as before in the other parts."""
    were, are = (
        [each.predict(space.images(points).to(space.device)) for each in recognisers] for points in (before, after)
    )
    has = torch.stack([torch.stack([told[:, p] == v for p, v in wanted.items()]).all(0) for told in are]).all(0)
    others = [part for part in range(were[0].shape[1]) if part not in wanted]
    same = torch.stack([now[:, others] == then[:, others] for now, then in zip(are, were, strict=True)]).all(0)
    return {"changed": float(has.double().mean()), "kept": float(same.double().mean()) if others else None}
