"""Between styles, and sums of them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from elegan.game import Game

ALMOST_PARALLEL = 1e-4
"""Radians below which the great circle is as good as the straight line."""


def has_latents(game: Game) -> bool:
    """Whether the game draws from a latent space: it renders styles."""
    return type(game).render is not Game.render


def is_normal(game: Game) -> bool:
    """Whether its styles are standard normal latents, whose length matters as much as their direction."""
    return type(game).styles is Game.styles


def interpolate(start: Tensor, end: Tensor, share: float | Tensor, *, spherical: bool) -> Tensor:
    """From ``start`` (share 0) to ``end`` (share 1), both [..., layers, d].

    ``spherical`` is for normal latents: directions move along a great circle (Shoemake, 1985; White, 2016,
    arXiv:1609.04468) and lengths evenly, so that no point on the way is shorter than both ends.  Else straight.
    """
    straight = start + (end - start) * share
    if not spherical:
        return straight
    lengths = start.norm(dim=-1, keepdim=True), end.norm(dim=-1, keepdim=True)
    units = start / lengths[0], end / lengths[1]
    angle = (units[0] * units[1]).sum(-1, keepdim=True).clamp(-1, 1).acos()
    turned = (((1 - share) * angle).sin() * units[0] + (share * angle).sin() * units[1]) / angle.sin()
    circle = turned * (lengths[0] + (lengths[1] - lengths[0]) * share)
    return torch.where((angle > ALMOST_PARALLEL) & (angle < torch.pi - ALMOST_PARALLEL), circle, straight)


def walk(stations: Tensor, frames: int, *, spherical: bool) -> Tensor:
    """A closed walk through stations [k, layers, d]: ``frames`` steps from each to the next, the last to the first.

    Returns [k · frames, layers, d]; every walk begins slowly at a station and ends slowly at the next.
    """
    shares = 0.5 - 0.5 * torch.cos(torch.pi * torch.arange(frames) / frames)
    shares = shares.to(stations)[:, None, None]
    ends = stations.roll(-1, 0)
    return torch.cat(
        [interpolate(a[None], b[None], shares, spherical=spherical) for a, b in zip(stations, ends, strict=True)]
    )


def mix(styles: Tensor, others: Tensor, layers: Sequence[int]) -> Tensor:
    """``styles`` with the given layers taken from ``others``, both [n, layers, d] (Karras et al., 2019,
    arXiv:1812.04948, section 3.1).  Raises IndexError for a layer that there isn't."""
    mixed = styles.clone()
    mixed[:, list(layers)] = others[:, list(layers)]
    return mixed


def truncate(styles: Tensor, mean: Tensor, share: float) -> Tensor:
    """mean + share · (styles − mean): below 1 nearer to the mean, less varied (Karras et al., 2019, appendix B)."""
    return mean + share * (styles - mean)


def combine(plus: Sequence[Tensor], minus: Sequence[Tensor] = (), length: float | None = None) -> Tensor:
    """The sum of concepts and the difference of others: a style [1, layers, d] from groups [k, layers, d].

    Each group is averaged to one concept first, for single latents are unstable (Radford et al., 2015,
    arXiv:1511.06434, section 6.3.2).  With a ``length`` each layer of the sum is scaled to it: that of latents which
    the generator was trained on, √d for normal ones.
    """
    total = torch.stack([group.mean(0) for group in plus]).sum(0)
    if minus:
        total = total - torch.stack([group.mean(0) for group in minus]).sum(0)
    if length is not None:
        total = total * (length / total.norm(dim=-1, keepdim=True).clamp(min=1e-12))
    return total[None]
