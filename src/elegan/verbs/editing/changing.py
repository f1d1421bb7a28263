"""A picture of some points before and after a change of parts that leaves the others as they are."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elegan.errors import UserError
from elegan.latent import Recogniser, change
from elegan.latent.change import STEPS
from elegan.pictures import contact_sheet
from elegan.verbs.editing.recognising import parts_of, recognisers_of, wish_in
from elegan.verbs.editing.space import Points, Sources, Space, condition_of, joined, sources_in

CELL = 96
EXAMPLES, EXAMPLES_SEED = 1_500, 20_210_331
"""So many samples are looked at for some that have what is wished for already."""
UNLIKE = 4.0
"""What the other parts weigh when an example is chosen, beside the squared distance in standard deviations."""
MOST_POINTS = 64


def changing_sheet(
    space: Space, out: Path, *, part: str | Sequence[str] = "", seeds: Sources = "1,2,3,4", steps: int = STEPS
) -> dict[str, Any]:
    """A row of points as they are, and a row of them with other values of some parts: "hat=crown,glasses=none".

    "changed" is the share of the points that show all that was wished for, and "kept" the share of their other parts
    that are as before, None where there are no others: in the eyes of the recognisers that led the change, which
    usually see more of it than others.
    """
    if not part:
        raise UserError("no part is named; give elegan edit RUN change --part PART=VALUE --out PATH.")
    if steps < 1:
        raise UserError(f"--steps is {steps}; it must be 1 or more.")
    names, values, _ = parts_of(space, space.run.open_data())
    wanted, points = wishes_in(joined(part), names, values), space.points(sources_in(seeds))
    if len(points.styles) > MOST_POINTS:
        raise UserError(f"{len(points.styles)} points are more than {MOST_POINTS}; give fewer seeds.")
    recognisers, _, _ = recognisers_of(space)
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
    scale = space.measured.std(0).clamp(min=1e-6)

    def render(styles: Tensor) -> Tensor:
        return space.game.render(styles, condition).float()

    examples = _examples(space, points, scale, recognisers, wanted)
    return Points(change(render, points.styles, scale, recognisers, wanted, examples, steps=steps), points.label)


def _examples(
    space: Space, points: Points, scale: Tensor, recognisers: Sequence[Recogniser], wanted: Mapping[int, int]
) -> Tensor | None:
    """For each point the style of a sample that has the values wanted: near, and alike in the other parts."""
    drawn = space.drawn(EXAMPLES, EXAMPLES_SEED)
    told = [each.predict(space.images(drawn).to(space.device)) for each in recognisers]
    has = torch.stack([_has(each, wanted) for each in told]).all(0)
    if not bool(has.any()):
        return None
    styles, parts = drawn.styles[has], told[0][has]
    others = [part for part in range(parts.shape[1]) if part not in wanted]
    ours = recognisers[0].predict(space.images(points).to(space.device))
    chosen = []
    for style, own in zip(points.styles, ours, strict=True):
        far = ((styles - style) / scale).square().mean((1, 2))
        unlike = (parts[:, others] != own[others]).double().mean(1) if others else torch.zeros_like(far)
        chosen.append(styles[int((far + UNLIKE * unlike).argmin())])
    return torch.stack(chosen)


def _has(told: Tensor, wanted: Mapping[int, int]) -> Tensor:
    """Which of the images [n], of whose parts [n, parts] a recogniser told, have all values wanted."""
    return torch.stack([told[:, part] == value for part, value in wanted.items()]).all(0)


def wishes_in(text: str, names: Sequence[str], values: Sequence[Sequence[str]]) -> dict[int, int]:
    """Part → value from "hat=crown,glasses=none"; of classes the class alone will do.  Raises UserError."""
    if tuple(names) == ("class",) and text.strip() in values[0]:
        return {0: list(values[0]).index(text.strip())}
    wanted: dict[int, int] = {}
    for wish in text.split(","):
        if not wish.partition("=")[0].strip():
            raise UserError(f'--part is "{text}"; give PART=VALUE, several with commas between them, as hat=crown.')
        part, value = wish_in(wish, names, values)
        if value is None:
            known = ", ".join(f"{names[part]}={each}" for each in values[part])
            raise UserError(f'--part names no value of "{names[part]}"; give one of {known}.')
        if part in wanted:
            raise UserError(f'--part names "{names[part]}" twice; give one value of it.')
        wanted[part] = value
    return wanted


def _told(
    space: Space, recognisers: Sequence[Recogniser], before: Points, after: Points, wanted: Mapping[int, int]
) -> dict[str, float | None]:
    """Of all the recognisers: that each sees what was wished for, and each the same as before in the other parts."""
    were, are = (
        [each.predict(space.images(points).to(space.device)) for each in recognisers] for points in (before, after)
    )
    has = torch.stack([_has(told, wanted) for told in are]).all(0)
    others = [part for part in range(were[0].shape[1]) if part not in wanted]
    same = torch.stack([now[:, others] == then[:, others] for now, then in zip(are, were, strict=True)]).all(0)
    return {"changed": float(has.double().mean()), "kept": float(same.double().mean()) if others else None}
