"""A generator and its mirror image that grow from about 4x4 pixels, one doubling after the other.

After ProGAN (Karras et al., 2018, arXiv:1710.10196, sections 2 and 4, appendix A): leaky ReLU, 3x3 convolutions,
nearest upsampling and average pooling.  All parameters are there from the start; :class:`Growth` says which play.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu, pad

from elegan.networks.convolution import Convolution
from elegan.networks.equalised import SQRT2, EqualisedConv2d, EqualisedLinear, minibatch_deviation, pixel_norm
from elegan.networks.layers import LEAK, ClassLogit, LabelVector, scaled_normal_, wide_linear
from elegan.networks.shape import crop_to, pyramid

UNIT = 2**16
"""How far a generator has grown is kept in whole numbers, so many a doubling: averages copy those as they are."""


class Growth(NamedTuple):
    """The doublings in play, and the weight in [0, 1] of the last of them; below 1 it is fading in."""

    level: int
    weight: float = 1.0

    @classmethod
    def of(cls, doublings: float) -> "Growth":
        """2 → two doublings; 2.3 → the third of them has a weight of 0.3."""
        level = math.ceil(doublings)
        return cls(level, doublings - level + 1)


@dataclass(frozen=True)
class Techniques:
    """Three of the paper's four, each of which can be switched off."""

    equalised: bool = True
    """Weights from N(0, 1), scaled in use; else scaled at the start (He et al., 2015, arXiv:1502.01852)."""
    pixel_norm: bool = True
    """Normalise z and, after each convolution of the generator, the features of every pixel."""
    group: int = 4
    """Items a group of the discriminator's minibatch standard deviation; 0: none."""

    def linear(self, inputs: int, outputs: int, gain: float = SQRT2) -> nn.Module:
        if self.equalised:
            return EqualisedLinear(inputs, outputs, gain)
        return scaled_normal_(nn.Linear(inputs, outputs), gain)

    def logits(self, inputs: int, outputs: int) -> nn.Module:
        if self.equalised:
            return EqualisedLinear(inputs, outputs, gain=1.0, wide=True)
        return wide_linear(inputs, outputs)

    def convolution(self, inputs: int, outputs: int) -> nn.Module:
        if self.equalised:
            return EqualisedConv2d(inputs, outputs, 3)
        return scaled_normal_(Convolution(inputs, outputs, 3, padding=1), SQRT2)

    def pair(self, inputs: int, between: int, outputs: int, activation: nn.Module) -> nn.Sequential:
        first, second = self.convolution(inputs, between), self.convolution(between, outputs)
        return nn.Sequential(first, activation, second, activation)


class PerPixel(nn.Module):
    """A linear layer for every pixel: a 1x1 convolution that leaves channels last in memory, also of grey images."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        return self.layer(x.movedim(1, -1)).movedim(-1, 1)


class PixelNorm(nn.Module):
    """:func:`pixel_norm` as a layer."""

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        return pixel_norm(x)


def double(images: Float[Tensor, "n c h w"], times: int = 1) -> Float[Tensor, "n c d e"]:
    """Each pixel becomes a square of 2x2, so many times over."""
    return interpolate(images, scale_factor=2**times, mode="nearest") if times else images


def halve(images: Float[Tensor, "n c h w"], times: int = 1) -> Float[Tensor, "n c d e"]:
    """Each square of 2x2 becomes its mean, so many times over."""
    return avg_pool2d(images, 2**times) if times else images


class Canvas:
    """The sizes that images [n, C, H, W] are seen at, level by level; the finest covers the image."""

    def __init__(self, height: int, width: int) -> None:
        self.image = (height, width)
        self.levels, self.coarsest, self.finest = pyramid(height, width)

    def shrunk(self, images: Float[Tensor, "n c height width"], growth: Growth) -> Float[Tensor, "n c h w"]:
        """Images at the resolution in play, faded as the networks are; where they don't fill it the border goes on."""
        extra = [whole - side for whole, side in zip(self.finest, self.image, strict=True)]
        if any(extra):
            top, left = extra[0] // 2, extra[1] // 2
            images = pad(images, (left, extra[1] - left, top, extra[0] - top), mode="replicate")
        images = halve(images, self.levels - growth.level)
        return images if growth.weight == 1 else torch.lerp(double(halve(images)), images, growth.weight)

    def enlarged(self, images: Float[Tensor, "n c h w"], growth: Growth) -> Float[Tensor, "n c height width"]:
        """Images of the resolution in play at full size."""
        return crop_to(double(images, self.levels - growth.level), *self.image)


class Grown(nn.Module):
    """Remembers how far it has grown, for those who draw samples or ask for scores."""

    doublings: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("doublings", torch.zeros((), dtype=torch.long))

    def keep(self, doublings: float) -> None:
        self.doublings.fill_(round(doublings * UNIT))

    @property
    def kept(self) -> Growth:
        return Growth.of(int(self.doublings) / UNIT)


class GrowingGenerator(Grown):
    """(z [n, latent], label [n], growth) → images [n, C, h, w] at the resolution in play.

    They end in tanh where ``bounded``; else they are linear, and values may leave [-1, 1] a little.  ``plan`` holds
    the channels of each resolution, the coarsest first.  How far it has grown is a buffer that is saved with it.
    """

    doublings: Tensor

    def __init__(
        self,
        shape: tuple[int, int, int],
        classes: int,
        latent: int,
        plan: Sequence[int],
        techniques: Techniques,
        bounded: bool,
    ) -> None:
        super().__init__()
        self.first, self.bounded = (*Canvas(*shape[1:]).coarsest, plan[0]), bounded
        self.normalised = techniques.pixel_norm
        activate = nn.Sequential(nn.LeakyReLU(LEAK), *[PixelNorm()] * self.normalised)
        self.label = LabelVector(classes, latent)
        self.start = techniques.linear(latent + self.label.size, math.prod(self.first), gain=SQRT2 / 4)
        self.begin = nn.Sequential(activate, techniques.convolution(plan[0], plan[0]), activate)
        self.blocks = nn.ModuleList(techniques.pair(before, after, after, activate) for before, after in pairwise(plan))
        self.to_image = nn.ModuleList(PerPixel(techniques.linear(width, shape[0], gain=1.0)) for width in plan)

    def forward(
        self, z: Float[Tensor, "n latent"], label: Int[Tensor, " n"], growth: Growth
    ) -> Float[Tensor, "n c h w"]:
        level, weight = growth
        z = pixel_norm(z) if self.normalised else z
        x = self.start(torch.cat([z, self.label(label).to(z.dtype)], 1)).view(-1, *self.first)
        x = before = self.begin(x.movedim(-1, 1))
        for block in self.blocks[:level]:
            before, x = x, block(double(x))
        images = self.to_image[level](x)
        if weight < 1:
            images = torch.lerp(double(self.to_image[level - 1](before)), images, weight)
        return images.float().tanh() if self.bounded else images.float()


class GrowingDiscriminator(Grown):
    """(images [n, C, h, w] at the resolution in play, label [n], growth) → logits [n]: the generator's mirror image."""

    def __init__(
        self, shape: tuple[int, int, int], classes: int, features: int, plan: Sequence[int], techniques: Techniques
    ) -> None:
        super().__init__()
        self.group, leaky = techniques.group, nn.LeakyReLU(LEAK)
        self.from_image = nn.ModuleList(PerPixel(techniques.linear(shape[0], width)) for width in plan)
        self.blocks = nn.ModuleList(techniques.pair(after, after, before, leaky) for before, after in pairwise(plan))
        self.end = techniques.convolution(plan[0] + (self.group > 0), plan[0])
        self.gather = techniques.linear(plan[0] * math.prod(Canvas(*shape[1:]).coarsest), features)
        self.logit = ClassLogit(features, classes, techniques.logits)

    def forward(
        self, images: Float[Tensor, "n c h w"], label: Int[Tensor, " n"], growth: Growth, parts: int = 1
    ) -> Float[Tensor, " n"]:
        """``parts`` says of how many batches the images are made: what differs is compared within each."""
        level, weight = growth
        x = self.seen(images, level)
        for index in reversed(range(level)):
            x = halve(self.blocks[index](x))
            if index == level - 1 and weight < 1:
                x = torch.lerp(self.seen(halve(images), index), x, weight)
        if self.group:
            x = minibatch_deviation(x, self.group, parts)
        x = leaky_relu(self.end(x), LEAK)
        return self.logit(leaky_relu(self.gather(x.movedim(1, -1).flatten(1)), LEAK), label)

    def seen(self, images: Tensor, level: int) -> Tensor:
        return leaky_relu(self.from_image[level](images), LEAK)


__all__ = ["Canvas", "GrowingDiscriminator", "GrowingGenerator", "Growth", "Techniques", "double", "halve"]
