"""Residual networks without normalisation layers, for a generator and its mirror image.

After R3GAN (Huang et al., 2024, arXiv:2501.05441, section 3 and appendix): leaky ReLU, bilinear
resampling, fix-up initialisation.  A block is dense, 3x3 – 3x3, which a processor runs faster than the
paper's 1x1 – grouped 3x3 – 1x1; ``group`` gives the paper's.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu, pixel_unshuffle

from elegan.networks.convolution import Convolution
from elegan.networks.layers import LEAK, LEAKY_GAIN, ClassLogit, LabelVector, scaled_normal_
from elegan.networks.shape import Pyramid, crop_to, pad_to, pyramid

EXPANSION = 2
FINE = 16
"""Channels where generators whose ``patch`` is more than 1 see single pixels."""


class Block(nn.Module):
    """x + f(x).  Fix-up (Zhang et al., 2019, arXiv:1901.09321): f's last layer starts at 0, the others are
    scaled by L^(−1/(2m−2)) for L blocks of m layers, so that depth does not make the start explode."""

    def __init__(self, channels: int, blocks: int, group: int) -> None:
        super().__init__()
        inner = channels * EXPANSION if group else channels
        sizes = (1, 3, 1) if group else (3, 3)
        widths = [channels] + [inner] * (len(sizes) - 1) + [channels]
        gain = LEAKY_GAIN * blocks ** (-1 / (2 * len(sizes) - 2))
        self.layers = nn.ModuleList()
        for index, size in enumerate(sizes):
            groups = inner // group if group and size == 3 else 1
            bias = index < len(sizes) - 1
            layer = Convolution(widths[index], widths[index + 1], size, padding=size // 2, groups=groups, bias=bias)
            self.layers.append(scaled_normal_(layer, gain if bias else 0.0))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        y = x
        for layer in self.layers:
            y = layer(leaky_relu(y, LEAK))
        return x + y


def _blocks(plan: Sequence[int], each: int, group: int) -> nn.ModuleList:
    """Blocks for every resolution."""
    total = each * len(plan)
    return nn.ModuleList(nn.Sequential(*[Block(channels, total, group) for _ in range(each)]) for channels in plan)


def _changes(plan: Sequence[int]) -> nn.ModuleList:
    """From each resolution's channels to the next one's."""
    return nn.ModuleList(_change(before, after) for before, after in pairwise(plan))


def _change(before: int, after: int) -> nn.Module:
    return scaled_normal_(Convolution(before, after, 1, bias=False)) if before != after else nn.Identity()


def channel_plan(width: int, narrow: int, levels: int, shrink: float = 0.6) -> list[int]:
    """Channels from the coarsest resolution to the finest: ``width`` times ``shrink`` a level, at least ``narrow``.

    Multiples of 16, which is what matrix units like.
    """
    return [max(narrow, 16 * round(width * shrink**level / 16)) for level in range(levels + 1)]


def patch_for(shape: tuple[int, ...], asked: int | None = None) -> int:
    """Pixels a side that the networks see and draw as one: what is asked for, or what suits items of this shape."""
    side = min(shape[1:]) if len(shape) == 3 else 0
    return asked or (4 if side >= 64 else 2 if side >= 16 else 1)


def too_coarse(shape: tuple[int, ...], patch: int) -> str | None:
    """Why images of this shape can't be seen in such patches, or None where they can."""
    if len(shape) == 3 and min(shape[1:]) < 4 * patch:
        return f"patch is {patch}, and the images leave fewer than 4 of them a side; give a smaller --patch."
    return None


def patches(height: int, width: int, patch: int) -> Pyramid:
    """The pyramid of resolutions when the networks see squares of ``patch`` x ``patch`` pixels as one."""
    return pyramid(math.ceil(height / patch), math.ceil(width / patch))


class ThinEnd(nn.Module):
    """Features [n, c, h, w] → images [n, C, h·patch, w·patch]: few channels, enlarged smoothly, and two convolutions.

    Full layers would cost the most here.  Squares of pixels out of one position (depth to space: Shi et al., 2016,
    arXiv:1609.05158) cost less still, but leave a grain that neither player gets rid of (LOG.md).
    """

    def __init__(self, before: int, channels: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.squeeze = scaled_normal_(Convolution(before, FINE, 1))
        self.refine = scaled_normal_(Convolution(FINE, FINE, 3, padding=1), LEAKY_GAIN)
        self.end = scaled_normal_(Convolution(FINE, channels, 3, padding=1), LEAKY_GAIN)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d e f"]:
        x = interpolate(self.squeeze(x), scale_factor=self.patch, mode="bilinear", align_corners=False)
        return self.end(leaky_relu(self.refine(leaky_relu(x, LEAK)), LEAK))


class ResidualGenerator(nn.Module):
    """(z [n, latent], label [n]) → images [n, C, H, W].

    They end in tanh where ``bounded``; else they are linear, and values may leave [-1, 1] a little.  ``plan`` holds the
    channels of each resolution, the coarsest first.  With a ``patch`` of p the last of them is p times as coarse as the
    images, whose pixels only a thin end sees.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        classes: int,
        latent: int,
        plan: Sequence[int],
        blocks: int,
        group: int = 0,
        patch: int = 1,
        bounded: bool = False,
    ) -> None:
        super().__init__()
        self.shape, self.patch, self.bounded = shape, patch, bounded
        self.pyramid = patches(*shape[1:], patch)
        self.label = LabelVector(classes, latent)
        self.basis = nn.Parameter(torch.randn(plan[0], *self.pyramid.coarsest))
        self.start = scaled_normal_(nn.Linear(latent + self.label.size, math.prod(self.basis.shape)))
        self.changes, self.blocks = _changes(plan), _blocks(plan, blocks, group)
        self.end = (
            ThinEnd(plan[-1], shape[0], patch) if patch > 1 else scaled_normal_(Convolution(plan[-1], shape[0], 1))
        )

    def forward(self, z: Float[Tensor, "n latent"], label: Int[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
        x = self.start(torch.cat([z, self.label(label).to(z.dtype)], 1)).view(-1, *self.basis.shape) + self.basis
        x = x.contiguous(memory_format=torch.channels_last)
        first, *finer = self.blocks
        x = first(x)
        for change, blocks in zip(self.changes, finer, strict=True):
            x = blocks(interpolate(change(x), scale_factor=2, mode="bilinear", align_corners=False))
        images = crop_to(self.end(leaky_relu(x, LEAK)), *self.shape[1:]).float()
        return images.tanh() if self.bounded else images


class ResidualDiscriminator(nn.Module):
    """(images [n, C, H, W], label [n]) → logits [n]: the generator's mirror image."""

    def __init__(
        self,
        shape: tuple[int, int, int],
        classes: int,
        features: int,
        plan: Sequence[int],
        blocks: int,
        group: int = 0,
        patch: int = 1,
    ) -> None:
        super().__init__()
        self.pyramid, self.patch = patches(*shape[1:], patch), patch
        plan = plan[::-1]
        self.start = scaled_normal_(Convolution(shape[0] * patch**2, plan[0], 3, padding=1))
        self.changes, self.blocks = _changes(plan), _blocks(plan, blocks, group)
        self.gather = scaled_normal_(nn.Linear(plan[-1] * math.prod(self.pyramid.coarsest), features), LEAKY_GAIN)
        self.logit = ClassLogit(features, classes)

    def forward(self, images: Float[Tensor, "n c h w"], label: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        first, *coarser = self.blocks
        height, width = self.pyramid.finest
        x = pixel_unshuffle(pad_to(images, height * self.patch, width * self.patch), self.patch)
        x = first(self.start(x))
        for change, blocks in zip(self.changes, coarser, strict=True):
            x = blocks(change(avg_pool2d(x, 2)))
        return self.logit(leaky_relu(self.gather(leaky_relu(x, LEAK).flatten(1)), LEAK), label)
