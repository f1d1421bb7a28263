"""Networks that make an image out of an image of the same size, whatever that size is."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize, pad, pixel_shuffle, pixel_unshuffle

from elegan.networks.layers import LEAK
from elegan.networks.normalisation import BatchNorm2d
from elegan.networks.shape import crop_to

Norm = Literal["batch", "instance"]
NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": BatchNorm2d, "instance": nn.InstanceNorm2d}
WIDEST = 8
"""Channels stop doubling at so many times the first layer's."""


def pad_to_multiple(images: Float[Tensor, "n c h w"], stride: int, least: int = 1) -> Float[Tensor, "n c height width"]:
    """The mirror of ``crop_to``: the border goes on outside until both sides are multiples of ``stride``, at least
    ``least`` of them."""
    height, width = (max(least, math.ceil(side / stride)) * stride - side for side in images.shape[2:])
    if not height and not width:
        return images
    return pad(images, (width // 2, width - width // 2, height // 2, height - height // 2), mode="replicate")


def small_normal_(module: nn.Module) -> None:
    """Weights from N(0, 0.02²), biases 0, batch normalisation's scales from N(1, 0.02²), as both papers start."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def halvings(height: int, width: int, left: int = 2) -> int:
    """How often an image can be halved until about so many pixels are left of its shorter side."""
    return max(1, int(math.log2(min(height, width) / left)))


class UNet(nn.Module):
    """images [n, C, H, W] in [-1, 1] → images [n, D, H, W] in (-1, 1).

    An encoder that halves ``levels`` times and a decoder that doubles as often, which sees the encoder's features of
    each resolution beside its own (Ronneberger et al., 2015, arXiv:1505.04597; Isola et al., 2017, section 3.2.1).
    ``dropout`` is in the three innermost layers of the decoder (ibid., section 6.1.1), while training alone.
    """

    def __init__(self, channels: int, outputs: int, width: int, levels: int, norm: Norm, dropout: float) -> None:
        super().__init__()
        widths = [width * min(WIDEST, 2**level) for level in range(levels)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, after in enumerate(widths):
            before = widths[level - 1] if level else channels
            normed = 0 < level < levels - 1  # one pixel has no deviation, so the innermost has no normalisation
            halving = nn.Conv2d(before, after, 4, 2, 1, bias=not normed)
            self.down.append(_layer(nn.LeakyReLU(LEAK) if level else None, halving, norm if normed else None, after))
        for level in reversed(range(levels)):
            before = widths[level] * (1 if level == levels - 1 else 2)
            after = widths[level - 1] if level else outputs
            doubling = nn.ConvTranspose2d(before, after, 4, 2, 1, bias=not level)
            layer = _layer(nn.ReLU(), doubling, norm if level else None, after)
            if dropout and level and levels - level <= 3:
                layer.append(nn.Dropout(dropout))
            self.up.append(layer)
        self.apply(small_normal_)

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        x, seen = pad_to_multiple(images, 2 ** len(self.down)), []
        for layer in self.down:
            x = layer(x)
            seen.append(x)
        x = seen.pop()
        for layer in self.up:
            x = layer(x)
            x = torch.cat([x, seen.pop()], 1) if seen else x
        return crop_to(_wide(x).tanh(), *images.shape[2:])


def _layer(activation: nn.Module | None, convolution: nn.Module, norm: Norm | None, channels: int) -> nn.Sequential:
    parts = [activation, convolution, NORMS[norm](channels) if norm else None]
    return nn.Sequential(*(part for part in parts if part is not None))


class ResidualTranslator(nn.Module):
    """images [n, C, H, W] in [-1, 1] → images [n, D, H, W] in (-1, 1).

    A 7x7 convolution, ``halvings`` of stride 2, residual ``blocks``, as many doublings, a 7x7 convolution; instance
    normalisation and reflection padding throughout (Johnson et al., 2016, arXiv:1603.08155; Zhu et al., 2017,
    appendix 7.2).  With a ``patch`` of p the first and the last see p x p pixels as one (space to depth: Shi et al.,
    2016, arXiv:1609.05158) and are 3x3, since thin layers at the full resolution cost the most.  :meth:`encode` gives
    what the first half sees.
    """

    def __init__(self, channels: int, outputs: int, width: int, halvings: int, blocks: int, patch: int = 1) -> None:
        super().__init__()
        self.patch, self.stride, kernel = patch, patch * 2**halvings, 7 if patch == 1 else 3
        ends: dict[str, Any] = {"padding": kernel // 2, "padding_mode": "reflect"}
        layers = _normed(nn.Conv2d(channels * patch**2, width, kernel, bias=False, **ends), width)
        stations = {} if halvings else {len(layers): width}
        for level in range(halvings):
            after = width << (level + 1)
            layers += _normed(nn.Conv2d(after // 2, after, 3, 2, 1, bias=False), after)
            stations[len(layers)] = after
        for block in (1, (blocks + 1) // 2):
            stations[len(layers) + min(block, blocks)] = width << halvings
        self.stations, self.widths = list(stations), [channels * patch**2, *stations.values()]
        layers += [ResidualBlock(width << halvings) for _ in range(blocks)]
        for level in reversed(range(halvings)):
            after = width << level
            layers += _normed(nn.ConvTranspose2d(2 * after, after, 3, 2, 1, output_padding=1, bias=False), after)
        self.network = nn.Sequential(*layers, nn.Conv2d(width, outputs * patch**2, kernel, **ends))
        self.apply(small_normal_)

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        made = pixel_shuffle(self.network(self._seen(images)), self.patch)
        return crop_to(_wide(made).tanh(), *images.shape[2:])

    def encode(self, images: Float[Tensor, "n c h w"]) -> list[Tensor]:
        """Features [n, widths, h, w] of the pixels, each halving (or else the first layer), the first block and the
        middle one."""
        found, start = [self._seen(images)], 0
        for end in self.stations:
            found.append(self.network[start:end](found[-1]))
            start = end
        return found

    def _seen(self, images: Tensor) -> Tensor:
        padded = pad_to_multiple(images, self.stride, least=4)  # the reflection of 3 pixels needs 4
        return pixel_unshuffle(padded, self.patch)


class PlaceHeads(nn.Module):
    """(which layer, features [n, c, places]) → vectors [n, places, d] of length 1: two dense layers for each layer of
    features (Park et al., 2020, arXiv:2007.15651, section 3 and appendix C.2)."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(before, width), nn.ReLU(), nn.Linear(width, width)) for before in channels
        )

    def forward(self, layer: int, features: Float[Tensor, "n c places"]) -> Float[Tensor, "n places d"]:
        return normalize(_wide(self.layers[layer](features.transpose(1, 2))), dim=2)


def _wide(x: Tensor) -> Tensor:
    """In float32 or wider."""
    return x if x.dtype == torch.float64 else x.float()


def _normed(convolution: nn.Module, channels: int) -> list[nn.Module]:
    return [convolution, nn.InstanceNorm2d(channels), nn.ReLU()]


class ResidualBlock(nn.Module):
    """x + f(x), where f is two 3x3 convolutions with instance normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        first, second = (
            nn.Conv2d(channels, channels, 3, 1, 1, padding_mode="reflect", bias=False) for _ in range(2)
        )  # fmt: skip
        self.layers = nn.Sequential(*_normed(first, channels), second, nn.InstanceNorm2d(channels))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        return x + self.layers(x)


__all__ = ["PlaceHeads", "ResidualTranslator", "UNet", "halvings", "pad_to_multiple"]
