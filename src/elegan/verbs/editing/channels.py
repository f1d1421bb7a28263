"""Edits of single channels instead of whole styles: parts taken from another image, and concepts added in a few."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from elegan.errors import UserError, nearest
from elegan.latent import carriers, influence, strongest
from elegan.verbs.editing.recognising import recognisers_of
from elegan.verbs.editing.space import Points, Space, condition_of

EXAMINED, EXAMINED_SEED = 128, 20_201_125
"""At so many samples it is looked at what channels change."""


def names_in(parts: str) -> list[str]:
    return [name.strip() for name in parts.split(",")]


def carried(space: Space, parts: str) -> Tensor:
    """The channels, bool [c], that have more to do with the parts named, "skin,shirt", than with the others.

    Raises UserError for a part that there isn't, for all parts, and for a model whose styles don't scale channels.
    """
    measured = space.scales(space.measured)
    recognisers, names, _ = recognisers_of(space)
    for name in names_in(parts):
        if name not in names:
            raise UserError(f'There is no part "{name}"; there are {", ".join(names)}.{nearest(name, names)}')
    chosen = sorted({names.index(name) for name in names_in(parts)})
    if len(chosen) == len(names):
        raise UserError(f"--parts names all there are, {', '.join(names)}; leave some that are to stay the row's.")
    drawn = space.drawn(EXAMINED, EXAMINED_SEED)
    condition, scales = condition_of(drawn.label), space.scales(drawn.styles)

    def render(scales: Tensor) -> Tensor:
        return space.game.render_scales(scales, condition).float()

    shares = [influence(render, each, scales, measured.std(0)) for each in recognisers]
    return carriers(torch.stack(shares).mean(0), chosen)


def taking_channels(space: Space, own: Points, others: Tensor, chosen: Tensor) -> Points:
    """The points with the chosen channels, bool [c], scaled as other styles [n, layers, d] scale them."""
    return replace(own, scales=torch.where(chosen, space.scales(others), space.scales(own.styles)))


def summed_in_channels(
    space: Space, base: Points, plus: Sequence[Tensor], minus: Sequence[Tensor], strength: float, channels: int
) -> Points:
    """The mean of ``base`` with concepts, groups of styles [k, layers, d], added and subtracted in the channels in
    which they differ the most.  Raises UserError for a number of channels that there isn't."""
    measured = space.scales(space.measured)
    if not 1 <= channels <= measured.shape[1]:
        raise UserError(f"--channels is {channels}; {space.run.path} has {measured.shape[1]}, so give 1 to as many.")
    difference = torch.zeros_like(measured[0])
    for sign, groups in ((1, plus), (-1, minus)):
        for group in groups:
            difference += sign * (space.scales(group).mean(0) - measured.mean(0))
    mean = base.with_styles(base.styles.mean(0, keepdim=True))
    way = strongest(difference, measured.std(0), channels)
    return replace(mean, scales=space.scales(mean.styles) + strength * way)
