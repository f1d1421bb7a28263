"""CGAN: "Conditional Generative Adversarial Nets".
Mehdi Mirza, Simon Osindero, 2014, arXiv:1411.1784.

Both players are told the label y.  The discriminator ascends, and the generator descends,

    V(D, G) = E[log D(x|y)] + E[log(1 − D(G(z|y)|y))]                   (eq. 2)

The paper's players are multilayer perceptrons (preset "mirza2014").  By default they are residual networks
without normalisation, and D judges pairs of the same label, which keeps more of a class's variety
(LOG.md): with logits C, D descends E[softplus(C(G(z|y)|y) − C(x|y))] and G its mirror image (relativistic
pairing: Jolicoeur-Martineau, 2019, arXiv:1807.00734; Huang et al., 2024, arXiv:2501.05441, eq. 2), held
steady by γ/2 E‖∇C‖² on real and on generated items (R1, R2: Mescheder et al., 2018, arXiv:1801.04406,
eq. 9, 10).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from elegan.augment import Augmentation
from elegan.game import Batch, Config, Game, Move, Progress, Random, Spec, Terms
from elegan.losses.adversarial import OBJECTIVES, relativistic_discriminator, relativistic_generator
from elegan.losses.penalties import gamma_for, zero_centred
from elegan.networks.layers import LabelVector, WideLinear, scaled_normal_
from elegan.networks.perceptron import FourierDiscriminator, FourierGenerator, Maxout
from elegan.networks.residual import (
    ResidualDiscriminator,
    ResidualGenerator,
    channel_plan,
    patch_for,
    patches,
    too_coarse,
)
from elegan.schedule import log_cosine

OF_VARIANCE = 0.05
"""γ in units of the images' variance; more than other games', for the variety within a class (LOG.md)."""
LARGER = 24
"""The side from which images have a preset of their own."""


@dataclass(frozen=True)
class CGANConfig(Config):
    objective: Literal["relativistic", "non-saturating", "minimax", "least-squares", "hinge"] = "relativistic"
    """What the two players descend."""
    gamma: float | None = 3.0
    """Weight of R1 and R2 at the start; 0: no penalties, as in the paper; None: 0.05 times the data's variance, summed
    over pixels."""
    gamma_end: float | None = 1.0
    """Weight of R1 and R2 after the burn-in; None: a third of gamma."""
    burn_in: float = 0.5
    """The share of the budget over which gamma changes."""
    network: Literal["residual", "perceptron"] = "residual"
    """Residual networks, or the paper's multilayer perceptrons."""
    latent: int = 64
    """Dimensions of the latent z."""
    width: int = 96
    """Channels at the coarsest resolution; units a layer for vectors."""
    narrow: int = 32
    """The fewest channels at any resolution."""
    blocks: int = 1
    """Residual blocks at each resolution; hidden layers for vectors."""
    patch: int | None = 1
    """Pixels a side that residual networks see and draw as one; None: 4 from 64x64, 2 from 16x16, 1 below."""
    bounded: bool = False
    """Images of residual networks end in tanh."""
    features: int = 128
    """Units of the discriminator's last hidden layer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.burn_in > 1:
            raise ValueError(f"burn_in is {self.burn_in}; it must lie between 0 and 1.")
        if self.gamma_end is not None and (self.gamma == 0) != (self.gamma_end == 0):
            raise ValueError(f"gamma is {self.gamma} and gamma_end {self.gamma_end}; both must be 0 or both more.")


class PerceptronGenerator(nn.Module):
    """(z [n, latent], label [n]) → items [n, *shape]: z to 200 units, y to 1,000, both to 1,200 (section 4.1)."""

    def __init__(self, shape: tuple[int, ...], classes: int, latent: int) -> None:
        super().__init__()
        self.shape = shape
        self.from_z, self.from_label = scaled_normal_(nn.Linear(latent, 200)), nn.Embedding(classes, 1000)
        self.joint, self.end = (
            scaled_normal_(nn.Linear(1200, 1200)),
            scaled_normal_(nn.Linear(1200, prod(shape))),
        )

    def forward(self, z: Float[Tensor, "n latent"], label: Int[Tensor, " n"]) -> Float[Tensor, " n *shape"]:
        hidden = torch.cat([self.from_z(z), self.from_label(label)], 1).relu()
        items = self.end(self.joint(hidden).relu()).view(-1, *self.shape)
        return items.float().tanh() if len(self.shape) == 3 else items


class PerceptronDiscriminator(nn.Module):
    """(items, label [n]) → logits [n]: maxout, x to 240 units of 5 pieces, y to 50 of 5, both to 240 of 4 (ibid.)."""

    def __init__(self, shape: tuple[int, ...], classes: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.label = LabelVector(classes, classes)
        self.from_items, self.from_label = Maxout(prod(shape), 240, 5), Maxout(classes, 50, 5)
        self.joint, self.dropout = Maxout(290, 240, 4), nn.Dropout(dropout)
        self.logit = scaled_normal_(WideLinear(240, 1))

    def forward(self, items: Float[Tensor, " n *shape"], label: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        hidden = torch.cat([self.from_items(items.flatten(1)), self.from_label(self.label(label))], 1)
        return self.logit(self.dropout(self.joint(self.dropout(hidden))))[:, 0]


class CGAN(Game):
    """Ask for a label, get that label."""

    Config = CGANConfig
    conditional = True

    def __init__(self, config: CGANConfig, spec: Spec) -> None:
        super().__init__(config, spec)
        self.low_precision = spec.is_image
        self.augmentation = Augmentation.of(config, spec)
        self.generator, self.discriminator = _players(config, spec)

    @classmethod
    def default_preset(cls, spec: Spec) -> str | None:
        return "pictures" if spec.is_image and min(spec.image[1:]) >= LARGER else None

    @classmethod
    def settled(cls, config: CGANConfig, spec: Spec) -> CGANConfig:
        gamma = gamma_for(spec.variance, OF_VARIANCE) if config.gamma is None else config.gamma
        gamma_end = float(f"{gamma / 3:.3g}") if config.gamma_end is None else config.gamma_end
        return replace(config, gamma=gamma, gamma_end=gamma_end, patch=patch_for(spec.real, config.patch))

    @classmethod
    def refuses(cls, config: CGANConfig, spec: Spec) -> str | None:
        if len(spec.classes) > 1:
            sees_patches = config.network == "residual"
            return too_coarse(spec.real, patch_for(spec.real, config.patch)) if sees_patches else None
        return (
            "cgan draws what a label asks for and the data have no labels; sort the images into one folder a "
            "class, add a labels.csv, or take r3gan or dcgan."
        )

    def moves(self, progress: Progress) -> Sequence[Move]:
        fresh: Literal["fresh", "same"] = "fresh" if self.config.objective == "relativistic" else "same"
        return (
            Move("discriminator_terms", ("discriminator",)),
            Move("generator_terms", ("generator",), data=fresh),
        )

    def discriminator_terms(self, batch: Batch) -> Terms:
        real, label = batch["real"], batch["label"]
        with torch.no_grad():
            fake = self.generator(self.latents(len(real), batch.random), label)
        items = torch.cat([real, fake]).requires_grad_(bool(self.config.gamma))
        logits = self.judge(items, label.repeat(2), batch.random)
        terms = self.adversarial_terms(*logits.chunk(2))
        if self.config.gamma:
            terms["r1"], terms["r2"] = zero_centred(logits, items, self.gamma(batch.progress)).chunk(2)
        return terms

    def adversarial_terms(self, real: Tensor, fake: Tensor) -> Terms:
        if self.config.objective == "relativistic":
            return {"pair": relativistic_discriminator(real, fake)}
        objective = OBJECTIVES[self.config.objective]
        return {"real": objective.real(real), "fake": objective.fake(fake)}

    def generator_terms(self, batch: Batch) -> Terms:
        label = batch["label"]
        fake = self.generator(self.latents(len(label), batch.random), label)
        if self.config.objective == "relativistic":
            logits = self.judge(torch.cat([batch["real"], fake]), label.repeat(2), batch.random)
            return {"pair": relativistic_generator(*logits.chunk(2))}
        return {"fake": OBJECTIVES[self.config.objective].generator(self.judge(fake, label, batch.random))}

    def judge(self, items: Tensor, label: Tensor, random: Random) -> Tensor:
        """Logits of generated items, or of [real; generated] ones; then a pair shares one augmentation."""
        copies = 2 if self.config.objective == "relativistic" else 1
        return self.discriminator(self.augmentation(items, random.uniform, copies), label)

    def gamma(self, progress: Progress) -> float:
        return log_cosine(self.config.gamma, self.config.gamma_end, progress.fraction, self.config.burn_in)

    def style_weights(self) -> Sequence[Tensor]:
        if self.config.network == "perceptron":
            return (self.generator.get_parameter("from_z.weight"),)
        return (self.generator.get_parameter("start.weight")[:, : self.config.latent],) if self.spec.is_image else ()

    def render(self, styles: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        return self.generator(styles[:, 0], condition["label"])

    def scores(self, batch: Batch) -> Tensor:
        return self.discriminator(batch["real"], batch["label"])

    presets = {
        # images from 24x24 on, where networks that see single pixels and end linearly learn slowly (LOG.md)
        "pictures": dict(patch=None, bounded=True, gamma=None, gamma_end=None, lr=1.2e-3, ema_ramp=0.05),
        # section 4.1, with Adam for its descent with momentum and normal for its uniform latents
        "mirza2014": dict(objective="non-saturating", network="perceptron", gamma=0.0, gamma_end=0.0, latent=100,
                          batch=100, lr=2e-4, lr_end=1.0, warm_up=0, beta1=0.5, beta2=0.999, augment=()),
    }  # fmt: skip


def _players(config: CGANConfig, spec: Spec) -> tuple[nn.Module, nn.Module]:
    classes, shape = len(spec.classes), spec.real
    if config.network == "perceptron":
        return PerceptronGenerator(shape, classes, config.latent), PerceptronDiscriminator(shape, classes)
    if not spec.is_image:
        size, depth = shape[0], (config.width, config.blocks)
        return FourierGenerator(size, classes, config.latent, *depth), FourierDiscriminator(size, classes, *depth)
    patch = patch_for(shape, config.patch)
    plan = channel_plan(config.width, config.narrow, patches(*spec.image[1:], patch).levels)
    build = (config.blocks, 0, patch)
    return (
        ResidualGenerator(spec.image, classes, config.latent, plan, *build, config.bounded),
        ResidualDiscriminator(spec.image, classes, config.features, plan, *build),
    )
