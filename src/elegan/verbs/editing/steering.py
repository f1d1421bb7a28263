"""Pictures of what changes along a direction: from far behind to far ahead, a row a direction."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from elegan.errors import UserError
from elegan.latent import Directions, closed_form_directions, principal_directions, steer
from elegan.pictures import contact_sheet
from elegan.verbs.editing.named import SAMPLES_SEED, named_directions, scaled_to
from elegan.verbs.editing.recognising import parts_of, wish_in
from elegan.verbs.editing.space import Layers, Points, Sources, Space, joined, sources_in

By = Literal["closed-form", "principal", "labels"]
STEPS, CELL = 7, 80
MEASURED = 2_000
MOST_ROWS = 120


def steering_sheet(
    space: Space,
    out: Path,
    *,
    seeds: Sources = "1,2",
    by: By | None = None,
    part: str | Sequence[str] | None = None,
    keep: str | Sequence[str] | None = None,
    layers: Layers = None,
    strength: float = 2.0,
    count: int = 5,
) -> dict[str, Any]:
    """A row a direction and point: ``strength`` standard deviations back to as many ahead.

    ``by`` "labels" is for directions that change the data's parts or classes, and the default with ``part`` ("hat",
    "hat=crown", several with commas); ``keep`` says which other parts are to stay as they are: all of them when not
    said, or "none".  "closed-form" and "principal" need no labels.  ``layers`` are those that are moved.
    """
    if not 0 < strength < 100:
        raise UserError(f"--strength is {strength}; it must be more than 0, in standard deviations.")
    part, keep = (wish if wish is None else joined(wish) for wish in (part, keep))
    if part is not None and not part.strip():
        raise UserError('--part is ""; name parts of the data, as glasses or hat=crown, or leave it out.')
    chosen = space.layers(layers)
    by = by or ("labels" if part else "closed-form" if space.game.style_weights() else "principal")
    if by != "labels" and (part or keep):
        raise UserError(f'--part and --keep are for directions that have names; leave out --by {by}, or take "labels".')
    found, facts = named(space, part, keep) if by == "labels" else unnamed(space, by, chosen, count)
    points = space.points(sources_in(seeds))
    if len(found.names) * len(points.styles) > MOST_ROWS:
        raise UserError(
            f"{len(found.names)} directions for {len(points.styles)} points are more than {MOST_ROWS} rows; give fewer "
            "seeds, a smaller --count, or a --part."
        )
    rows, names = [], []
    for name, vector in zip(found.names, found.vectors, strict=True):
        for index in range(len(points.styles)):
            rows.append(row_of(space, points, index, vector, strength, chosen))
            names.append(name if index == 0 else "")
    sheet = contact_sheet(rows, names, cell=CELL)
    sealed = space.write(sheet, out, sources_in(seeds), np.concatenate(rows))
    return {**sealed, "by": by, "directions": list(found.names), "layers": chosen, "strength": strength, **facts}


def row_of(
    space: Space, points: Points, index: int, direction: torch.Tensor, strength: float, layers: Sequence[int]
) -> np.ndarray:
    """One point moved along a direction, back to ahead: uint8 [7, H, W, C]."""
    style = points.styles[index : index + 1]
    moved = [steer(style, direction, float(amount), layers) for amount in np.linspace(-strength, strength, STEPS)]
    label = None if points.label is None else points.label[index : index + 1].expand(STEPS)
    return space.pixels(Points(torch.cat(moved), label))


def unnamed(space: Space, by: By, layers: Sequence[int], count: int) -> tuple[Directions, dict[str, Any]]:
    """Directions found without labels.  Raises UserError where the model exposes no style weights for a closed form."""
    if count < 1:
        raise UserError(f"--count is {count}; it must be 1 or more.")
    styles = space.drawn(MEASURED, SAMPLES_SEED).styles.cpu()
    if by == "principal":
        return principal_directions(styles, count), {}
    weights = space.game.style_weights()
    if not weights:
        model = space.run.record["model"]
        raise UserError(f"{space.run.path} is a {model}, whose styles meet no weights first; take --by principal.")
    return closed_form_directions([weight.cpu() for weight in weights], styles, count, layers), {}


def named(space: Space, part: str | None, keep: str | None) -> tuple[Directions, dict[str, Any]]:
    """Directions that change the parts wished for, and how well they are known."""
    asked, keeping = ([] if text is None else text.split(",") for text in (part, keep if keep != "none" else None))
    names, values, _ = parts_of(space, space.run.open_data())
    for wish in (*asked, *keeping):
        wish_in(wish, names, values)
    known = named_directions(space)
    wishes = asked or list(dict.fromkeys(known.parts))
    indices = [index for wish in wishes for index in known.indices(wish)]
    vectors = scaled_to(space, torch.stack([known.direction(index, keep) for index in indices]))
    titles = tuple(f"{known.parts[index]}: {known.values[index]}" for index in indices)
    accuracies = {title: round(known.accuracies[index], 4) for title, index in zip(titles, indices, strict=True)}
    return Directions(vectors, titles), {"accuracies": accuracies, "recognised": known.recognised}
