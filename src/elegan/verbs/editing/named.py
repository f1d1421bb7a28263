"""Directions that have names: where a part of the image changes, learned from what the data say of their parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from elegan.errors import UserError
from elegan.latent import boundary, conditional
from elegan.latent.directions import scaled
from elegan.progress import reported
from elegan.verbs.editing.kept import Findings, kept
from elegan.verbs.editing.recognising import recognisers_of
from elegan.verbs.editing.space import Space

FILE = "directions.safetensors"
SAMPLES, SAMPLES_SEED = 4_000, 20_200_617
"""Drawn from the run, and told apart by the recogniser; nothing to do with the seed of any run."""


@dataclass(frozen=True)
class NamedDirections:
    """A boundary for every value of every part that is neither on nearly all samples nor on nearly none."""

    parts: tuple[str, ...]
    """The part that each boundary is of."""
    values: tuple[str, ...]
    """The value on its far side."""
    normals: Tensor
    """Unit normals [k, layers, d]."""
    accuracies: tuple[float, ...]
    """Of each boundary on held-out samples; 0.5 is chance."""
    recognised: dict[str, float]
    """How often the recogniser tells each part of held-out real images."""

    def indices(self, wish: str) -> list[int]:
        """The boundaries of a wish: "glasses" for all values of a part, "glasses=round" for one.  Raises UserError."""
        part, _, value = (word.strip() for word in wish.partition("="))
        names = [f"{p}={v}" for p, v in zip(self.parts, self.values, strict=True)]
        found = [i for i, name in enumerate(names) if (name == f"{part}={value}" if value else self.parts[i] == part)]
        if not found:
            ours = [name for name in names if name.startswith(f"{part}=")]
            known = ours if value and ours else list(dict.fromkeys(self.parts))
            few = f'nearly all samples show "{wish}" or nearly none'
            raise UserError(f"There is no direction for it: {few}; there are directions for {', '.join(known)}.")
        return found

    def direction(self, index: int, keep: str | None = None) -> Tensor:
        """The normal [layers, d] without what would change other parts: all of them, those in ``keep``, or "none"."""
        others = [i for i, part in enumerate(self.parts) if part != self.parts[index]]
        if keep == "none":
            others = []
        elif keep is not None:
            wanted = [i for part in keep.split(",") for i in self.indices(part)]
            others = [i for i in others if i in wanted]
        return conditional(self.normals[index], self.normals[others])


def named_directions(space: Space) -> NamedDirections:
    """The run's directions, from its folder where they were found before with the same weights."""

    def find() -> Findings:
        found = find_named_directions(space)
        return {"normals": found.normals}, (found.parts, found.values, found.accuracies, found.recognised)

    def build(tensors: Mapping[str, Tensor], found: Any) -> NamedDirections:
        parts, values, accuracies, recognised = found
        normals = tensors["normals"]
        if normals.shape != (len(parts), *space.shape) or not len(parts) == len(values) == len(accuracies):
            raise ValueError("These are no directions of this run's styles.")
        return NamedDirections(tuple(parts), tuple(values), normals, tuple(accuracies), recognised)

    of = {"weights_sha256": space.run.weights_sha256, "label": space.asked}
    return kept(space.run.path / FILE, of, find, build)


def find_named_directions(space: Space) -> NamedDirections:
    """Let a recogniser of the data's parts label samples, and part these by boundaries.

    Raises UserError where the data say nothing of their images that the run isn't asked for anyway.
    """
    (recogniser, *_), names, values = recognisers_of(space)
    points = space.drawn(SAMPLES, SAMPLES_SEED)
    told = recogniser.predict(space.images(points).to(space.device)).cpu()
    planes: list[tuple[str, str, Tensor, float]] = []
    pairs = [(part, value) for part, named in enumerate(values) for value in range(len(named))]
    for part, value in reported(pairs, len(pairs), "Finding directions:"):
        try:
            plane = boundary(points.styles.cpu(), told[:, part] == value)
        except ValueError:  # too few or too many samples have it
            continue
        planes.append((names[part], values[part][value], plane.normal, plane.accuracy))
    if not planes:
        raise UserError(f"All samples of {space.run.path} look alike to the recogniser; train the run for longer.")
    parts, chosen, normals, accuracies = zip(*planes, strict=True)
    told_well = dict(zip(names, recogniser.accuracy, strict=True))
    return NamedDirections(parts, chosen, torch.stack(normals), accuracies, told_well)


def scaled_to(space: Space, vectors: Tensor) -> Tensor:
    """Directions [k, layers, d], one standard deviation of the run's styles long."""
    return scaled(vectors, space.measured.cpu())
