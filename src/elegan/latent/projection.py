"""The style whose image is nearest to an image that is given: GAN inversion by descent from several starts."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, interpolate, pad

from elegan.progress import reported

STARTS, STEPS, LR = 4, 200, 0.1
HOLD, RAMP = 0.75, 0.05
"""The learning rate rises over the first share of the steps, and falls from the other on (Karras et al., 2020)."""
CHUNK = 128


@dataclass(frozen=True)
class Projection:
    """The style [1, layers, d] that was found, its image [1, C, H, W], and how far that is from the given one."""

    style: Tensor
    image: Tensor
    distance: float
    """Mean absolute difference of the values, in levels of 255."""
    start: float
    """The same for the nearest of the images that the search began from."""


def project(
    render: Callable[[Tensor], Tensor],
    target: Tensor,
    candidates: Tensor,
    *,
    starts: int = STARTS,
    steps: int = STEPS,
    faithful: float = 1.0,
) -> Projection:
    """Descend from the ``starts`` candidates [m, layers, d] whose images are nearest to the target [1, C, H, W].

    The distance is the mean absolute difference of pixels plus :func:`laplacian_distance`.  Styles are measured in
    standard deviations of the candidates, and their mean square beyond that of the candidates' own costs 0.1 each over
    ``faithful``: a style that no sample would have fits better and can't be edited.
    """
    mean, scale = candidates.mean(0), candidates.std(0).clamp(min=1e-6)
    with torch.no_grad():
        images = torch.cat([render(chunk) for chunk in candidates.split(CHUNK)])
        distances = torch.cat([_distance(chunk, target) for chunk in images.split(CHUNK)])
    nearest = distances.argsort()[:starts]
    first = ((candidates[nearest] - mean) / scale).detach()
    place = first.clone().requires_grad_(True)
    adam = torch.optim.Adam([place], LR, betas=(0.9, 0.999))
    for step in reported(range(steps), steps, "Looking for the image's style: step"):
        adam.param_groups[0]["lr"] = LR * _slope((step + 1) / steps)
        excess = (place.square().mean((1, 2)) - 1).clamp(min=0)
        loss = (_distance(render(mean + scale * place), target) + 0.1 / faithful * excess).sum()
        (place.grad,) = torch.autograd.grad(loss, [place])
        adam.step()
    with torch.no_grad():
        styles = torch.cat([mean + scale * place, candidates[nearest[:1]]])
        found = torch.cat([render(styles[:-1]), images[nearest[:1]]])
        best = int(_distance(found, target).argmin())
    return Projection(
        styles[best : best + 1].detach(),
        found[best : best + 1],
        _levels(found[best : best + 1], target),
        _levels(images[nearest[:1]], target),
    )


def laplacian_distance(images: Tensor, target: Tensor) -> Tensor:
    """The mean absolute differences of the levels of both Laplacian pyramids (Burt & Adelson, 1983), summed: [n].

    A level holds what blurring by (1, 4, 6, 4, 1)/16 and halving loses; the last is what is left at about 4x4.  Each
    level counts alike, so coarse shapes weigh as much as fine edges (Bojanowski et al., 2018, arXiv:1707.05776).
    """
    difference = images - target
    total = difference.new_zeros(len(difference))
    while min(difference.shape[2:]) >= 8:
        coarse = _halved(difference)
        detail = difference - interpolate(coarse, size=difference.shape[2:], mode="bilinear", align_corners=False)
        total = total + detail.abs().mean((1, 2, 3))
        difference = coarse
    return total + difference.abs().mean((1, 2, 3))


def _halved(images: Tensor) -> Tensor:
    row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], device=images.device) / 16
    kernel = (row[:, None] * row).expand(images.shape[1], 1, 5, 5)
    blurred = conv2d(pad(images, (2, 2, 2, 2), mode="reflect"), kernel, groups=images.shape[1])
    return avg_pool2d(blurred, 2, ceil_mode=True)


def _distance(images: Tensor, target: Tensor) -> Tensor:
    return (images - target).abs().mean((1, 2, 3)) + laplacian_distance(images, target)


def _levels(image: Tensor, target: Tensor) -> float:
    return float((image - target).abs().mean() * 127.5)


def _slope(share: float) -> float:
    falling = max(0.0, (share - HOLD) / (1 - HOLD))
    return min(1.0, share / RAMP) * (0.5 + 0.5 * math.cos(math.pi * falling))
