"""Transformations that gradients, and gradients of gradients, pass through."""

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, pad

Images = Float[Tensor, "n c h w"]
Numbers = Float[Tensor, "n k"]

ROTATION = math.radians(8)
SCALE = 0.08
SHIFT = 0.1
COLOUR = 0.5


def affine(images: Images, numbers: Float[Tensor, "n 4"]) -> Images:
    """Turn by ±8°, scale by ±8 %, shift by ±10 % of the side; the border goes on outside."""
    angle = ROTATION * numbers[:, 0]
    zoom = torch.exp(math.log1p(SCALE) * numbers[:, 1])
    ratio = images.shape[2] / images.shape[3]
    cos, sin = zoom * angle.cos(), zoom * angle.sin()
    shift = 2 * SHIFT * numbers[:, 2:4]
    rows = (torch.stack([cos, -sin * ratio, shift[:, 0]], 1), torch.stack([sin / ratio, cos, shift[:, 1]], 1))
    grid = affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return grid_sample(images, grid.to(images.dtype), padding_mode="border", align_corners=False)


def translation(images: Images, numbers: Float[Tensor, "n 2"]) -> Images:
    """Shift by whole pixels, up to ±1/8 of each side (Zhao et al., 2020, section 3.2), filling with 0."""
    _, _, height, width = images.shape
    reach = (max(1, round(height / 8)), max(1, round(width / 8)))
    padded = pad(images, (reach[1], reach[1], reach[0], reach[0]))
    offset = [(((numbers[:, i] + 1) / 2 * (2 * reach[i] + 1)).long().clamp(max=2 * reach[i])) for i in (0, 1)]
    rows = offset[0][:, None] + torch.arange(height, device=images.device)
    columns = offset[1][:, None] + torch.arange(width, device=images.device)
    item = torch.arange(len(images), device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[item, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cutout(images: Images, numbers: Float[Tensor, "n 2"]) -> Images:
    """Set a rectangle of half the height and half the width, centred anywhere, to 0 (ibid.)."""
    _, _, height, width = images.shape
    centre = (numbers + 1) / 2 * torch.tensor([height, width], dtype=numbers.dtype, device=numbers.device)
    rows = torch.arange(height, device=images.device) + 0.5
    columns = torch.arange(width, device=images.device) + 0.5
    inside = ((rows - centre[:, :1]).abs() < height / 4)[:, :, None] & ((columns - centre[:, 1:]).abs() < width / 4)[
        :, None, :
    ]
    return images * (~inside)[:, None].to(images.dtype)


def colour(images: Images, numbers: Float[Tensor, "n 3"]) -> Images:
    """Brightness ±0.5, saturation ×[0, 2] and contrast ×[0.5, 1.5], in this order (ibid.)."""
    brightness, saturation, contrast = (numbers[:, i].view(-1, 1, 1, 1).to(images.dtype) for i in range(3))
    images = images + COLOUR * brightness
    grey = images.mean(1, keepdim=True)
    images = (images - grey) * (1 + saturation) + grey
    middle = images.mean((1, 2, 3), keepdim=True)
    return (images - middle) * (1 + COLOUR * contrast) + middle


POLICIES: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], int]] = {
    "colour": (colour, 3),
    "affine": (affine, 4),
    "translation": (translation, 2),
    "cutout": (cutout, 2),
}
"""Name → the transformation and how many random numbers it takes."""

NUMBERS = sum(1 + count for _, count in POLICIES.values())
"""Uniform random numbers that ``augment`` wants for an image."""


def augment(images: Images, numbers: Numbers, policies: Sequence[str], share: float | Tensor = 1.0) -> Images:
    """Apply each named policy to its own random ``share`` of the images.

    ``images`` lie in [-1, 1]; ``numbers`` are uniform in [0, 1), [n, NUMBERS].  The same numbers give the
    same transformation, so a real and a generated image can share one.
    """
    start = 0
    for name, (transform, count) in POLICIES.items():
        if name in policies:
            applied = (numbers[:, start] < share).view(-1, 1, 1, 1)
            images = torch.where(applied, transform(images, 2 * numbers[:, start + 1 : start + 1 + count] - 1), images)
        start += 1 + count
    return images
