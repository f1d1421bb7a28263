"""Edits of single channels instead of whole styles: parts taken from another image, and concepts added in a few."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from elegan.errors import UserError, nearest
from elegan.latent import Recogniser, affinity, influence, strongest
from elegan.verbs.editing.recognising import recognisers_of
from elegan.verbs.editing.space import Points, Space, condition_of

EXAMINED, EXAMINED_SEED = 128, 20_201_125
"""At so many samples it is looked at what channels change."""
CHANNELS = 30
"""In so many a concept of some parts is added when nothing else is said."""
STRENGTHS, SURE = tuple(range(1, 41)), 0.9
"""What is tried until the parts show, and how sure each recogniser must be that they do (LOG.md)."""


@dataclass(frozen=True)
class Parts:
    """Parts of a run's data, and what its channels have to do with them."""

    names: tuple[str, ...]
    indices: tuple[int, ...]
    values: tuple[int, ...]
    """How many each has."""
    recognisers: Sequence[Recogniser]
    affinity: Tensor
    """How many times more each channel has to do with these parts than with the others, [c]."""

    @property
    def carriers(self) -> Tensor:
        """The channels, bool [c], that have more to do with these parts than with the others."""
        return self.affinity > 1


def parts_named(space: Space, wish: str) -> Parts:
    """The parts of "skin,shirt".  Raises UserError for one that there isn't, for all parts, and for a model whose
    styles don't scale channels."""
    deviation = space.scales(space.measured).std(0)
    recognisers, names, values = recognisers_of(space)
    wanted = [name.strip() for name in wish.split(",")]
    for name in wanted:
        if name not in names:
            raise UserError(f'There is no part "{name}"; there are {", ".join(names)}.{nearest(name, names)}')
    chosen = tuple(sorted({names.index(name) for name in wanted}))
    if len(chosen) == len(names):
        raise UserError(f"--parts names all there are, {', '.join(names)}; leave some that are to stay as they are.")
    drawn = space.drawn(EXAMINED, EXAMINED_SEED)
    condition, scales = condition_of(drawn.label), space.scales(drawn.styles)

    def render(scales: Tensor) -> Tensor:
        return space.game.render_scales(scales, condition).float()

    shares = torch.stack([influence(render, each, scales, deviation) for each in recognisers]).mean(0)
    counts = tuple(len(values[index]) for index in chosen)
    return Parts(tuple(names[index] for index in chosen), chosen, counts, recognisers, affinity(shares, chosen))


def taking_channels(space: Space, own: Points, others: Tensor, chosen: Tensor) -> Points:
    """The points with the chosen channels, bool [c], scaled as other styles [n, layers, d] scale them."""
    return replace(own, scales=torch.where(chosen, space.scales(others), space.scales(own.styles)))


@dataclass(frozen=True)
class Concepts:
    """Groups of styles [k, layers, d] whose means are added, and those whose means are subtracted."""

    plus: Sequence[Tensor]
    minus: Sequence[Tensor]

    def difference(self, space: Space, centre: Tensor) -> Tensor:
        """What is added to each channel's scale [c]: the concepts' means, each less the mean of all samples [c]."""
        total = torch.zeros_like(centre)
        for sign, groups in ((1, self.plus), (-1, self.minus)):
            for group in groups:
                total += sign * (space.scales(group).mean(0) - centre)
        return total


def summed_in_channels(
    space: Space, base: Points, concepts: Concepts, *, strength: float | None, channels: int | None, parts: Parts | None
) -> tuple[Points, float]:
    """The mean of ``base`` with concepts added in the channels where they differ the most, and how strongly.

    With ``parts``, in those that also have most to do with these, and without a strength as strongly as it takes until
    all recognisers see there what the concepts show.  Raises UserError for a number of channels that there isn't.
    """
    measured = space.scales(space.measured)
    count = CHANNELS if channels is None else channels
    if not 1 <= count <= measured.shape[1]:
        raise UserError(f"--channels is {count}; {space.run.path} has {measured.shape[1]}, so give 1 to as many.")
    weight = 1.0 if parts is None else parts.affinity.square()
    way = strongest(concepts.difference(space, measured.mean(0)), measured.std(0), count, weight)
    mean = base.with_styles(base.styles.mean(0, keepdim=True))
    start = space.scales(mean.styles)
    if strength is None:
        strength = 1.0 if parts is None else _least(space, mean, way, concepts, parts)
    return replace(mean, scales=start + strength * way), strength


def _least(space: Space, mean: Points, way: Tensor, concepts: Concepts, parts: Parts) -> float:
    """The smallest strength at which every recogniser sees the parts that the concepts have more often than what is
    subtracted, or than samples; where there is none, the one at which they come nearest to it."""
    steps = torch.tensor(STRENGTHS).to(way)
    scales = space.scales(mean.styles) + steps[:, None] * way
    tried = replace(mean.with_styles(mean.styles.expand(len(steps), -1, -1)), scales=scales)
    images = space.images(tried).to(space.device)
    likely = torch.ones(len(steps), device=space.device)
    for recogniser in parts.recognisers:
        gained = _gained(space, recogniser, concepts, parts)
        with torch.no_grad():
            logits = recogniser(images)
        for part, values in zip(parts.indices, gained, strict=True):
            likely = torch.minimum(likely, logits[part].softmax(1)[:, values].sum(1))
    seen = (likely > SURE).nonzero().flatten()
    return float(steps[seen[0] if len(seen) else likely.argmax()])


def _gained(space: Space, recogniser: Recogniser, concepts: Concepts, parts: Parts) -> list[Tensor]:
    """For each part the values, bool [values], that are more frequent among what is added."""
    added, taken = (
        recogniser.predict(space.images(Points(torch.cat(list(groups)), None)).to(space.device))
        for groups in (concepts.plus, concepts.minus or [space.measured])
    )
    found = []
    for part, values in zip(parts.indices, parts.values, strict=True):
        shares = [torch.bincount(told[:, part], minlength=values) / len(told) for told in (added, taken)]
        found.append(shares[0] > shares[1])
    return found
