"""Single channels of a generator's convolutions: moved alone, they change less at once than styles do.

The scales s that styles give to channels are a space of their own (StyleSpace: Wu, Lischinski & Shechtman, 2021,
arXiv:2011.12799), whose axes each change few things.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from elegan.game import Game
from elegan.progress import reported

DRAWS = 2
"""Random projections of what is seen of each part."""
CHUNK = 32
"""So many images' slopes are held at once."""
MOST_TIMES = 10.0


def has_scales(game: Game) -> bool:
    """Whether its styles scale channels."""
    return type(game).render_scales is not Game.render_scales


def strongest(difference: Tensor, deviation: Tensor, count: int) -> Tensor:
    """``difference`` [c] in the ``count`` channels where its size in units of ``deviation`` [c] is largest, else 0.

    What differs most by its own measure tells a concept best from the rest (after arXiv:2011.12799, where single
    attributes are looked for so).  Raises ValueError unless 1 ≤ count ≤ c.
    """
    return _where_largest((difference / deviation.clamp(min=1e-6)).abs(), difference, count)


def raising(difference: Tensor, slopes: Tensor, weight: Tensor, count: int) -> Tensor:
    """``difference`` [c] in the ``count`` channels where ``weight`` [c] times what it gains by the slopes [parts, c] is
    largest, else 0.

    All parts count alike, as shares of what all channels gain; channels in which it raises none stay as they are.
    Raises ValueError unless 1 ≤ count ≤ c.
    """
    gains = (slopes * difference).clamp(min=0)
    gain = weight * (gains / gains.sum(1, keepdim=True).clamp(min=1e-12)).sum(0)
    return _where_largest(gain, difference, count) * (gain > 0)


def _where_largest(score: Tensor, difference: Tensor, count: int) -> Tensor:
    """The difference where the score is among the ``count`` largest, else 0."""
    if not 1 <= count <= len(difference):
        raise ValueError(f"count is {count}; it must be 1 to {len(difference)}, the number of channels.")
    chosen = score.topk(count).indices
    return torch.zeros_like(difference).index_copy(0, chosen, difference[chosen])


def influence(
    render: Callable[[Tensor], Tensor], look: Callable[[Tensor], Sequence[Tensor]], scales: Tensor, deviation: Tensor
) -> Tensor:
    """How much each channel has to do with each part: shares [c, parts], of which each part's add up to 1.

    ``look`` sees the parts of images, for each [n, values].  A channel's share of a part is its mean square slope at
    the scales [n, c], times its variance: what the part would vary by if all channels varied on their own and the
    generator were linear.
    """
    generator, total = torch.Generator().manual_seed(0), torch.zeros(())
    chunks = scales.detach().split(CHUNK)
    for rows in reported(chunks, len(scales), "Looking what channels change: sample", len):
        points = rows.clone().requires_grad_(True)
        squares = [_slopes(seen, points, generator).square().sum(0) for seen in look(render(points))]
        total = total.to(points) + torch.stack(squares, 1)
    shares = total * deviation.square()[:, None]
    return shares / shares.sum(0).clamp(min=1e-12)


def _slopes(seen: Tensor, points: Tensor, generator: torch.Generator) -> Tensor:
    """Slopes [DRAWS · n, c] of random projections of what is seen [n, values]."""
    towards = torch.randn(DRAWS, *seen.shape, generator=generator).to(seen)
    slopes = [torch.autograd.grad((each * seen).sum(), points, retain_graph=True)[0] for each in towards]
    return torch.cat(slopes)


def affinity(shares: Tensor, parts: Sequence[int]) -> Tensor:
    """How many times more each channel has to do with these parts than with the others, both on the mean, [c], at
    most 10.

    ``shares`` [c, parts] are those of :func:`influence`.  Raises ValueError where these are all parts or none.
    """
    others = [part for part in range(shares.shape[1]) if part not in parts]
    if not parts or not others:
        raise ValueError(f"{len(parts)} parts were named of {shares.shape[1]}; some must be and some must not.")
    times = shares[:, list(parts)].mean(1) / shares[:, others].mean(1).clamp(min=1e-12)
    return times.clamp(max=MOST_TIMES)
