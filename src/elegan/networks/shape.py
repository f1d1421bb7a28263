"""From any image size to a pyramid of resolutions that halve down to about 4 pixels, and back."""

import math
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad


class Pyramid(NamedTuple):
    """``levels`` doublings lead from the coarsest (height, width) to one that covers the image."""

    levels: int
    coarsest: tuple[int, int]
    finest: tuple[int, int]


def pyramid(height: int, width: int) -> Pyramid:
    """The pyramid for an image of at least 4x4: 32x32 → 3 doublings of 4x4, 48x32 → 3 doublings of 6x4."""
    levels = int(math.log2(min(height, width) / 4))
    coarsest = (math.ceil(height / 2**levels), math.ceil(width / 2**levels))
    return Pyramid(levels, coarsest, (coarsest[0] << levels, coarsest[1] << levels))


def crop_to(images: Float[Tensor, "n c h w"], height: int, width: int) -> Float[Tensor, "n c height width"]:
    """The middle height x width pixels."""
    top, left = (images.shape[2] - height) // 2, (images.shape[3] - width) // 2
    return images[:, :, top : top + height, left : left + width]


def pad_to(images: Float[Tensor, "n c h w"], height: int, width: int) -> Float[Tensor, "n c height width"]:
    """The mirror of :func:`crop_to`: zeros around the image."""
    extra = (height - images.shape[2], width - images.shape[3])
    if extra == (0, 0):
        return images
    top, left = extra[0] // 2, extra[1] // 2
    return pad(images, (left, extra[1] - left, top, extra[0] - top))
