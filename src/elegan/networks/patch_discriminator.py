"""A discriminator that judges every patch of an image by itself (Isola et al., 2017, arXiv:1611.07004, 3.2.2)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from elegan.networks.layers import LEAK
from elegan.networks.translator import NORMS, WIDEST, Norm, small_normal_


class PatchDiscriminator(nn.Module):
    """images [n, C, H, W] → logits [n, h, w], one a patch, in float32.

    ``layers`` 4x4 convolutions of stride 2 and two of stride 1: a patch has 16 pixels a side for one layer, 34 for two,
    70 for three.  The first layer has no normalisation.
    """

    def __init__(self, channels: int, width: int, layers: int, norm: Norm) -> None:
        super().__init__()
        parts: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(LEAK)]
        before = width
        for level in range(1, layers + 1):
            after = width * min(WIDEST, 2**level)
            stride = 2 if level < layers else 1
            parts += [nn.Conv2d(before, after, 4, stride, 1, bias=False), NORMS[norm](after), nn.LeakyReLU(LEAK)]
            before = after
        self.features = nn.Sequential(*parts)
        self.logits = nn.Conv2d(before, 1, 4, 1, 1)
        self.apply(small_normal_)

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n e f"]:
        features = self.features(images)
        with torch.autocast(images.device.type, enabled=False):
            return self.logits(features.to(self.logits.weight.dtype))[:, 0]


def patch_layers(height: int, width: int) -> int:
    """As many layers of stride 2 as leave patches smaller than the image: 1 below 32 pixels, 2 below 128, then 3."""
    side = min(height, width)
    return 1 if side < 32 else 2 if side < 128 else 3


def mean_of_patches(values: Float[Tensor, "n h w"]) -> Float[Tensor, " n"]:
    """One value an item out of one a patch."""
    return values.flatten(1).mean(1)


__all__ = ["PatchDiscriminator", "mean_of_patches", "patch_layers"]
