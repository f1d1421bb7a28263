"""DCGAN: "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks".
Alec Radford, Luke Metz, Soumith Chintala, 2015, arXiv:1511.06434.

The objective is the GAN's (Goodfellow et al., 2014, arXiv:1406.2661, eq. 1, non-saturating): D descends

    E[−log D(x)] + E[−log(1 − D(G(z)))]      and G descends      E[−log D(G(z))].

What the paper adds is how to build the players (section 3): strided and transposed convolutions for
pooling, batch normalisation, ReLU in G with tanh at its end, leaky ReLU in D, weights from N(0, 0.02²),
Adam with β₁ = 0.5.  Vectors have no neighbours to convolve: there the same rules hold for dense layers.
The defaults here leave batch normalisation out of D and put R1, γ/2 E‖∇D(x)‖² (Mescheder et al., 2018,
arXiv:1801.04406, eq. 9), in its place; the preset "radford2015" is the paper's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from elegan.augment import Augmentation
from elegan.game import Batch, Config, Game, Random, Spec, Terms
from elegan.losses.adversarial import OBJECTIVES
from elegan.losses.penalties import gamma_for, zero_centred
from elegan.networks.convolution import Convolution
from elegan.networks.layers import WideLinear, scaled_normal_
from elegan.networks.normalisation import BatchNorm1d, BatchNorm2d
from elegan.networks.shape import crop_to, pad_to, pyramid


@dataclass(frozen=True)
class DCGANConfig(Config):
    lr: float = 1e-3
    """The generator's learning rate at its height."""
    ema_ramp: float = 0.05
    """Early on the half-life is at most this share of the images shown so far."""
    beta1: float = 0.5
    """Adam's first momentum."""
    gamma: float | None = None
    """Weight of R1 on real images; 0: no penalty, as in the paper; when not given: 0.03 times the data's variance."""
    latent: int = 100
    """Dimensions of the latent z."""
    width: int = 64
    """Channels next to the image; they double each time the resolution halves."""
    batch_norm: Literal["generator", "both"] = "generator"
    """Which players have batch normalisation; "both" is the paper's and goes with gamma 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch_norm == "both" and self.gamma != 0:
            raise ValueError(
                f'gamma is {self.gamma} and batch_norm "both"; a slope of one image needs a discriminator '
                'without batch normalisation, so set gamma to 0 or batch_norm to "generator".'
            )


def small_normal_(module: nn.Module) -> None:
    """Weights from N(0, 0.02²), biases 0; the scales of batch normalisation from N(1, 0.02²) (section 4)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


class Generator(nn.Module):
    """z [n, latent] → images [n, C, H, W] in (−1, 1): transposed convolutions that double from about 4x4."""

    def __init__(self, shape: tuple[int, int, int], config: DCGANConfig) -> None:
        super().__init__()
        self.shape, self.pyramid = shape, pyramid(*shape[1:])
        channels = [config.width << level for level in range(self.pyramid.levels)][::-1]
        self.first = (channels[0], *self.pyramid.coarsest)
        self.project = nn.Linear(config.latent, prod(self.first), bias=False)
        layers: list[nn.Module] = [BatchNorm2d(channels[0]), nn.ReLU()]
        for before, after in pairwise(channels):
            layers += [
                nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False),
                BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.grow = nn.Sequential(*layers, nn.ConvTranspose2d(channels[-1], shape[0], 4, 2, 1))
        self.apply(small_normal_)

    def forward(self, z: Float[Tensor, "n latent"]) -> Float[Tensor, "n c h w"]:
        x = self.project(z).view(-1, *self.first).contiguous(memory_format=torch.channels_last)
        return crop_to(self.grow(x).float().tanh(), *self.shape[1:])


class Discriminator(nn.Module):
    """images [n, C, H, W] → logits [n]: strided convolutions that halve down to about 4x4."""

    def __init__(self, shape: tuple[int, int, int], config: DCGANConfig) -> None:
        super().__init__()
        self.pyramid = pyramid(*shape[1:])
        channels = [shape[0], *(config.width << level for level in range(self.pyramid.levels))]
        layers: list[nn.Module] = []
        for index, (before, after) in enumerate(pairwise(channels)):
            norm = config.batch_norm == "both" and index > 0
            layers += [
                Convolution(before, after, 4, 2, 1, bias=not norm),
                *[BatchNorm2d(after)] * norm,
                nn.LeakyReLU(0.2),
            ]
        self.shrink = nn.Sequential(*layers)
        self.logit = WideLinear(channels[-1] * prod(self.pyramid.coarsest), 1)
        self.apply(small_normal_)

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        return self.logit(self.shrink(pad_to(images, *self.pyramid.finest)).flatten(1))[:, 0]


class DenseGenerator(nn.Module):
    """z [n, latent] → vectors [n, d]: the generator's rules with dense layers, linear at the end."""

    def __init__(self, size: int, config: DCGANConfig) -> None:
        super().__init__()
        width = config.width
        layers: list[nn.Module] = []
        for before in (config.latent, width, width):
            layers += [nn.Linear(before, width, bias=False), BatchNorm1d(width), nn.ReLU()]
        self.network = nn.Sequential(*layers, scaled_normal_(nn.Linear(width, size)))

    def forward(self, z: Float[Tensor, "n latent"]) -> Float[Tensor, "n d"]:
        return self.network(z)


class DenseDiscriminator(nn.Module):
    """vectors [n, d] → logits [n]: the discriminator's rules with dense layers."""

    def __init__(self, size: int, config: DCGANConfig) -> None:
        super().__init__()
        width, norm = config.width, config.batch_norm == "both"
        layers: list[nn.Module] = [scaled_normal_(nn.Linear(size, width)), nn.LeakyReLU(0.2)]
        for _ in range(2):
            layers += [scaled_normal_(nn.Linear(width, width)), *[BatchNorm1d(width)] * norm, nn.LeakyReLU(0.2)]
        self.network = nn.Sequential(*layers, scaled_normal_(WideLinear(width, 1)))

    def forward(self, vectors: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        return self.network(vectors)[:, 0]


class DCGAN(Game):
    """The GAN's objective with convolutional players."""

    Config = DCGANConfig

    def __init__(self, config: DCGANConfig, spec: Spec) -> None:
        super().__init__(config, spec)
        config = self.config
        self.low_precision = spec.is_image
        self.augmentation = Augmentation.of(config, spec)
        self.generator, self.discriminator = self.players()

    @classmethod
    def settled(cls, config: DCGANConfig, spec: Spec) -> DCGANConfig:
        return config if config.gamma is not None else replace(config, gamma=gamma_for(spec.variance))

    def players(self) -> tuple[nn.Module, nn.Module]:
        config, spec = self.config, self.spec
        if spec.is_image:
            return Generator(spec.image, config), Discriminator(spec.image, config)
        return DenseGenerator(spec.real[0], config), DenseDiscriminator(spec.real[0], config)

    def discriminator_terms(self, batch: Batch) -> Terms:
        objective, real = OBJECTIVES["non-saturating"], batch["real"]
        with torch.no_grad():
            fake = self.generator(self.latents(len(real), batch.random))
        real = real.detach().requires_grad_(self.config.gamma > 0)
        real_logits, fake_logits = self.judge(real, batch.random), self.judge(fake, batch.random)
        terms = {"real": objective.real(real_logits), "fake": objective.fake(fake_logits)}
        if self.config.gamma:
            terms["r1"] = zero_centred(real_logits, real, self.config.gamma)
        return terms

    def generator_terms(self, batch: Batch) -> Terms:
        fake = self.generator(self.latents(len(batch["real"]), batch.random))
        fake_logits = self.judge(fake, batch.random)
        return {"fake": OBJECTIVES["non-saturating"].generator(fake_logits)}

    def judge(self, images: Tensor, random: Random) -> Tensor:
        return self.discriminator(self.augmentation(images, random.uniform))

    def style_weights(self) -> Sequence[Tensor]:
        return (self.generator.get_parameter("project.weight" if self.spec.is_image else "network.0.weight"),)

    def render(self, styles: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        return self.generator(styles[:, 0])

    def scores(self, batch: Batch) -> Tensor:
        return self.discriminator(batch["real"])

    presets = {
        # section 4: batch 128, learning rate 0.0002, 1024 channels at the 4x4 of a 64x64 image
        "radford2015": dict(batch=128, lr=2e-4, lr_end=1.0, warm_up=0, beta2=0.999, gamma=0.0, width=128,
                            batch_norm="both", augment=()),
    }  # fmt: skip
