"""A generator steered by styles, one a layer, and the residual discriminator that goes with it.

After StyleGAN (Karras et al., 2019, arXiv:1812.04948, section 2: mapping network, noise, a constant start) with the
architecture of StyleGAN2 (Karras et al., 2020, arXiv:1912.04958, sections 2.2 and 4.1: modulated convolutions, skips in
the generator, residuals in the discriminator).  All resampling is by 2: averages down, and up bilinear, as in the
papers, or by learned kernels, as in DCGAN, with which training is quicker (LOG.md).
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu, pixel_unshuffle

from elegan.networks.equalised import EqualisedConv2d, EqualisedLinear, EqualisedUp2d, minibatch_deviation, pixel_norm
from elegan.networks.layers import LEAK
from elegan.networks.residual import patches
from elegan.networks.shape import crop_to, pad_to

GAIN = math.sqrt(2)
Upsampling = Literal["learned", "bilinear"]
THIN = 32
"""Channels where a generator whose ``patch`` is more than 1 sees single pixels; with half as many, lines of one pixel
come later (LOG.md)."""
FAINT = 0.1
"""The finest image's weights at the start, in units of the others'; the coarser images add nothing yet.  What is drawn
at random in the beginning is the same pattern in every image, and stays visible for long (LOG.md)."""


class MappingNetwork(nn.Module):
    """(z [n, latent], label [n]) → w [n, width]: normalised z and the class's normalised vector through dense layers.

    Learning rates are ``lr_multiplier`` times those of the other layers (Karras et al., 2019, appendix C).
    """

    def __init__(self, latent: int, classes: int, width: int, depth: int, lr_multiplier: float = 0.01) -> None:
        super().__init__()
        self.table = nn.Embedding(classes, width) if classes else None
        sizes = [latent + (width if classes else 0), *[width] * depth]
        self.layers = nn.ModuleList(EqualisedLinear(a, b, lr_multiplier=lr_multiplier) for a, b in pairwise(sizes))

    def forward(self, z: Float[Tensor, "n latent"], label: Int[Tensor, " n"]) -> Float[Tensor, "n width"]:
        with torch.autocast(z.device.type, enabled=False):
            w = pixel_norm(z)
            if self.table is not None:
                w = torch.cat([w, pixel_norm(self.table(label))], 1)
            for layer in self.layers:
                w = leaky_relu(layer(w), LEAK)
            return w


class ModulatedConv2d(nn.Module):
    """(x [n, c, h, w], scale [n, c]) → [n, d, h, w]: a convolution whose kernels each item scales by its style.

    ``double``: [n, d, 2h, 2w] instead, by a transposed 4x4 convolution.

    The paper scales and normalises a kernel an item (Karras et al., 2020, eq. 1 and 3) and convolves in groups.
    Scaling what goes in by s and what comes out by 1/√Σ(s w)² gives the same numbers with one ordinary convolution
    for all items, which is faster and can be exported.  :meth:`scale` makes s from a style.
    """

    def __init__(
        self, before: int, after: int, kernel: int, width: int, *, demodulate: bool = True, double: bool = False
    ) -> None:
        super().__init__()
        self.affine = EqualisedLinear(width, before, gain=1.0, bias_init=1.0)
        self.convolution = (
            EqualisedUp2d(before, after, gain=1.0)
            if double
            else EqualisedConv2d(before, after, kernel, gain=1.0, bias=False)
        )
        self.demodulate = demodulate

    def scale(self, style: Float[Tensor, "n width"]) -> Float[Tensor, "n c"]:
        with torch.autocast(style.device.type, enabled=False):
            return self.affine(style)

    def forward(self, x: Float[Tensor, "n c h w"], scale: Float[Tensor, "n c"]) -> Float[Tensor, "n d e f"]:
        y, back = self.parts(x, scale)
        return y if back is None else y * back.to(y.dtype)[:, :, None, None]

    def parts(self, x: Tensor, scale: Tensor) -> tuple[Tensor, Tensor | None]:
        """The convolution of the scaled input, and what is left to scale the output by [n, d]."""
        with torch.autocast(x.device.type, enabled=False):
            back = self.demodulation(scale) if self.demodulate else None
        return self.convolution(x * scale.to(x.dtype)[:, :, None, None]), back

    def demodulation(self, scale: Float[Tensor, "n c"]) -> Float[Tensor, "n d"]:
        """1/√Σ(s w)² over input channels and kernel positions: unit variance for inputs of unit variance."""
        return (scale.square() @ self.convolution.power().T + 1e-8).rsqrt()


class StyledLayer(nn.Module):
    """Modulated convolution, noise, bias, leaky ReLU; ``up`` doubles the resolution: "bilinear" before a 3x3
    convolution, or by a "learned" one."""

    def __init__(
        self, before: int, after: int, width: int, size: tuple[int, int], up: Upsampling | None = None
    ) -> None:
        super().__init__()
        self.size, self.bilinear = size, up == "bilinear"
        self.convolution = ModulatedConv2d(before, after, 3, width, double=up == "learned")
        self.bias = nn.Parameter(torch.zeros(after))
        self.strength = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, scale: Tensor, noise: Float[Tensor, "m hw"]) -> Float[Tensor, "n d h w"]:
        y, back = self.convolution.parts(enlarged(x, 2) if self.bilinear else x, scale)
        assert back is not None
        noise = (self.strength * noise).to(y.dtype).view(-1, 1, *self.size)
        bias = self.bias.to(y.dtype)[:, None, None]
        # √2 keeps the variance through leaky ReLU; it costs nothing where the scale is applied
        return leaky_relu(torch.addcmul(bias, y, (GAIN * back).to(y.dtype)[:, :, None, None]) + noise, LEAK)


class ToImage(nn.Module):
    """Features → images [n, C, h, w] by a modulated 1x1 convolution without demodulation; weights from N(0, start²)."""

    def __init__(self, before: int, channels: int, width: int, start: float) -> None:
        super().__init__()
        self.convolution = ModulatedConv2d(before, channels, 1, width, demodulate=False)
        nn.init.normal_(self.convolution.convolution.weight, 0.0, start)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, scale: Tensor) -> Float[Tensor, "n c h w"]:
        return self.convolution(x, scale).to(self.bias.dtype) + self.bias[:, None, None]


class ToFineImage(nn.Module):
    """Features → images [n, C, h·patch, w·patch]: few channels by a modulated 1x1 convolution, enlarged, and two more
    convolutions, as in :class:`elegan.networks.residual.ThinEnd`, which has half as many."""

    def __init__(self, before: int, channels: int, width: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.convolution = ModulatedConv2d(before, THIN, 1, width)
        self.bias = nn.Parameter(torch.zeros(THIN))
        self.refine = EqualisedConv2d(THIN, THIN, 3)
        self.end = EqualisedConv2d(THIN, channels, 3, gain=1.0)
        nn.init.normal_(self.end.weight, 0.0, FAINT)

    def forward(self, x: Tensor, scale: Tensor) -> Float[Tensor, "n c h w"]:
        x = self.convolution(x, scale) + self.bias[:, None, None].to(x.dtype)
        x = leaky_relu(GAIN * enlarged(x, self.patch), LEAK)
        return self.end(leaky_relu(self.refine(x), LEAK)).to(self.bias.dtype)


class StyleGenerator(nn.Module):
    """styles [n, layers, width] → images [n, C, H, W]; ``mapping`` turns z and a label into a style.

    ``plan`` holds the channels of each resolution, the coarsest first: one layer at the coarsest, ``each`` at each
    other, the first of which doubles the resolution (``up``), and every resolution draws an image that the finer ones
    add to, the finest at ``patch`` times its own.  A layer's noise is fixed unless it is given.
    """

    noise: Tensor
    moments: Tensor

    def __init__(
        self,
        shape: tuple[int, int, int],
        classes: int,
        latent: int,
        width: int,
        depth: int,
        plan: Sequence[int],
        patch: int = 1,
        bounded: bool = False,
        each: int = 2,
        up: Upsampling = "bilinear",
    ) -> None:
        super().__init__()
        self.shape, self.bounded, self.each = shape, bounded, each
        self.mapping = MappingNetwork(latent, classes, width, depth)
        height, breadth = patches(*shape[1:], patch).coarsest
        self.constant = nn.Parameter(torch.randn(plan[0], height, breadth))
        features = [StyledLayer(plan[0], plan[0], width, (height, breadth))]
        for level, (before, after) in enumerate(pairwise(plan), start=1):
            size = (height << level, breadth << level)
            features.append(StyledLayer(before, after, width, size, up))
            features += [StyledLayer(after, after, width, size) for _ in range(each - 1)]
        self.areas = [math.prod(layer.size) for layer in features]
        self.features = nn.ModuleList(features)
        self.images = nn.ModuleList(ToImage(before, shape[0], width, start=0.0) for before in plan[:-1])
        finest = (plan[-1], shape[0], width)
        self.images.append(ToFineImage(*finest, patch) if patch > 1 else ToImage(*finest, start=FAINT))
        self.register_buffer("noise", torch.randn(1, sum(self.areas)))
        self.register_buffer("moments", torch.zeros(max(1, classes), width + 1))

    @property
    def layers(self) -> int:
        """How many styles an image takes; the last is that of the finest image alone."""
        return len(self.features) + 1

    def forward(
        self, styles: Float[Tensor, "n layers width"], noise: Float[Tensor, "n areas"] | None = None
    ) -> Float[Tensor, "n c h w"]:
        return self.draw(self.scales(styles), noise)

    def scales(self, styles: Float[Tensor, "n layers width"]) -> list[Tensor]:
        """What the styles scale: [n, c] a convolution, those of the features and then those of the images."""
        style = styles.unbind(1)
        of_images = [style[self.each * level + 1] for level in range(len(self.images))]
        pairs = zip(self.modulated(), [*style[: len(self.features)], *of_images], strict=True)
        return [layer.scale(own) for layer, own in pairs]

    def modulated(self) -> list[ModulatedConv2d]:
        """The convolutions, in the order of :meth:`scales`."""
        return [cast(ModulatedConv2d, part.get_submodule("convolution")) for part in (*self.features, *self.images)]

    def draw(
        self, scales: Sequence[Float[Tensor, "n _"]], noise: Float[Tensor, "n areas"] | None = None
    ) -> Float[Tensor, "n c h w"]:
        """The images of what styles scale, or of anything else in their place."""
        parts = (self.noise if noise is None else noise).split(self.areas, 1)
        scale, of_images = scales[: len(self.features)], scales[len(self.features) :]
        x = self.constant.expand(len(scale[0]), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        x = self.features[0](x, scale[0], parts[0])
        image = self.images[0](x, of_images[0])
        for level in range(1, len(self.images)):
            for index in range(self.each * (level - 1) + 1, self.each * level + 1):
                x = self.features[index](x, scale[index], parts[index])
            finer = self.images[level](x, of_images[level])
            image = enlarged(image, finer.shape[2] // image.shape[2]) + finer
        image = crop_to(image, *self.shape[1:])
        return image.tanh() if self.bounded else image

    def style_weights(self) -> list[Tensor]:
        """The matrix [channels, width] that each layer's style meets first."""
        affines = [part.get_submodule("convolution.affine") for part in (*self.features, self.images[-1])]
        return [affine.weight * affine.scale for affine in affines if isinstance(affine, EqualisedLinear)]

    def mean_style(self, label: Int[Tensor, " n"]) -> Float[Tensor, "n width"]:
        """The running mean of each label's w."""
        moments = self.moments[label]
        return moments[:, :-1] / moments[:, -1:].clamp(min=1e-12)

    def noted(self, style: Float[Tensor, "n width"], label: Int[Tensor, " n"]) -> Float[Tensor, "classes more"]:
        """What these rows say of each class's mean style: the sum of its w and their number, over n."""
        rows = torch.cat([style, torch.ones_like(style[:, :1])], 1)
        return torch.zeros_like(self.moments).index_add_(0, label, rows) / len(rows)


class StyleBlock(nn.Module):
    """Half the resolution: (f(x) + x₁)/√2 with two 3x3 convolutions in f and a 1x1 convolution beside them."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first, self.second = EqualisedConv2d(before, before, 3), EqualisedConv2d(before, after, 3, gain=1.0)
        self.beside = EqualisedConv2d(before, after, 1, gain=math.sqrt(0.5), bias=False)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d e f"]:
        y = self.second(avg_pool2d(leaky_relu(self.first(x), LEAK), 2))
        return leaky_relu(y, LEAK) + self.beside(avg_pool2d(x, 2))


class StyleDiscriminator(nn.Module):
    """(images [n, C, H, W], label [n]) → logits [n].

    ``plan`` holds the channels of each resolution, the coarsest first.  Before the last layers D sees how much the
    images of a ``group`` differ (Karras et al., 2018, arXiv:1710.10196, section 3); 0: it doesn't.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        classes: int,
        features: int,
        plan: Sequence[int],
        patch: int = 1,
        group: int = 4,
    ) -> None:
        super().__init__()
        self.pyramid, self.patch, self.classes, self.group = patches(*shape[1:], patch), patch, classes, group
        plan = plan[::-1]
        self.start = EqualisedConv2d(
            shape[0] * patch**2, plan[0], 3 if patch > 1 else 1
        )  # squares see their neighbours
        self.blocks = nn.ModuleList(StyleBlock(before, after) for before, after in pairwise(plan))
        self.compare = EqualisedConv2d(plan[-1] + (group > 0), plan[-1], 3)
        self.gather = EqualisedLinear(plan[-1] * math.prod(self.pyramid.coarsest), features, wide=True)
        self.logit = EqualisedLinear(features, max(1, classes), gain=1.0, wide=True)

    def forward(
        self, images: Float[Tensor, "n c h w"], label: Int[Tensor, " n"], parts: int = 1
    ) -> Float[Tensor, " n"]:
        """``parts``: of how many equal batches, real and generated, the images are made; none sees another's."""
        height, width = self.pyramid.finest
        x = pixel_unshuffle(pad_to(images, height * self.patch, width * self.patch), self.patch)
        x = leaky_relu(self.start(x), LEAK)
        for block in self.blocks:
            x = block(x)
        x = minibatch_deviation(x, self.group, parts) if self.group else x
        x = leaky_relu(self.compare(x), LEAK).flatten(1)
        outputs = self.logit(leaky_relu(self.gather(x), LEAK))
        return outputs.gather(1, label[:, None])[:, 0] if self.classes else outputs[:, 0]


def enlarged(x: Float[Tensor, "n c h w"], times: int) -> Float[Tensor, "n c h*{times} w*{times}"]:
    """More pixels, bilinear; twice as many a side is StyleGAN2's filter [1 3 3 1]."""
    return interpolate(x, scale_factor=times, mode="bilinear", align_corners=False)


def crossed(
    first: Float[Tensor, "n width"], second: Float[Tensor, "n width"], crossover: Int[Tensor, " n"], layers: int
) -> Float[Tensor, "n layers width"]:
    """Style mixing: ``first`` for the layers before each item's ``crossover``, ``second`` from there on."""
    coarse = torch.arange(layers, device=first.device) < crossover[:, None]
    return torch.where(coarse[:, :, None], first[:, None], second[:, None])


__all__ = [
    "MappingNetwork", "ModulatedConv2d", "StyleDiscriminator", "StyleGenerator", "crossed", "enlarged",
]  # fmt: skip
