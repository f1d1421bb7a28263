"""What a discriminator sees its images through: policies, and the share of images that each is applied to."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from elegan.augment.differentiable import NUMBERS, augment

FEW_IMAGES = 10_000
RAMP = 50_000
"""Images shown while an adaptive share goes from 0 to 1."""
MOST = 0.8
"""A larger share leaks into what is generated (Karras et al., 2020, arXiv:2006.06676, section 2.2)."""


class Augmentation(nn.Module):
    """Images → images, [n, C, H, W]; with ``adaptive`` the share is a buffer that begins at 0 and follows
    :meth:`adapt`."""

    def __init__(self, policies: Sequence[str], share: float, *, adaptive: bool = False) -> None:
        super().__init__()
        self.policies, self.adaptive = tuple(policies), adaptive
        self.share: float | Tensor = share
        if adaptive:
            del self.share
            self.register_buffer("share", torch.zeros(()))

    @classmethod
    def of(cls, config: Any, spec: Any) -> "Augmentation":
        """What a config asks for; else what small data needs: "affine" below 10,000 training images.  Vectors: none."""
        default = ("affine",) if 0 < spec.items < FEW_IMAGES else ()
        policies = default if config.augment is None else config.augment
        adaptive = config.augment_gap > 0 and spec.is_image and bool(policies)
        return cls(policies if spec.is_image else (), config.augment_share, adaptive=adaptive)

    def adapt(self, excess: Tensor, images: int) -> None:
        """Raise the share where ``excess`` (a scalar) is above 0, lower it where it is below; ``images`` were shown
        since the last time (ibid., section 3)."""
        if self.adaptive:
            self.share.add_(excess.sign() * images / RAMP).clamp_(0, MOST)  # type: ignore[union-attr]

    def forward(self, images: Tensor, uniform: Callable[[int, int], Tensor], copies: int = 1) -> Tensor:
        """``uniform(n, k)`` draws random numbers; ``copies`` stacked batches of images share theirs row by row."""
        if not self.policies or (not self.adaptive and self.share == 0):
            return images
        numbers = uniform(len(images) // copies, NUMBERS).repeat(copies, 1)
        return augment(images, numbers, self.policies, self.share)
