"""R3GAN: "The GAN is dead; long live the GAN! A Modern GAN Baseline".
Yiwen Huang, Aaron Gokaslan, Volodymyr Kuleshov, James Tompkin, 2024, arXiv:2501.05441.

With f(t) = −log(1 + e^(−t)), and real x and latent z drawn in pairs, the discriminator D descends

    E[ −f(D(x) − D(G(z))) ] + γ/2 E‖∇D(x)‖² + γ/2 E‖∇D(G(z))‖²         (eq. 2, with R1 and R2 of eq. 3)

and the generator G descends

    E[ −f(D(G(z)) − D(x)) ]                                             (eq. 2)

Both penalties stand on every discriminator step, and no network has a normalisation layer.  Learning
rate, β₂ and γ follow a cosine "burn-in" (appendix).

The presets are the paper's, made for days of eight GPUs.  The defaults are made for minutes of a processor: networks
that see squares of pixels as one, tanh at G's end, a larger learning rate, and γ chosen from the data (LOG.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from elegan.augment import Augmentation
from elegan.game import Adam, Batch, Config, Game, Move, Progress, Random, Spec, Terms
from elegan.losses.adversarial import relativistic_discriminator, relativistic_generator
from elegan.losses.penalties import gamma_for, zero_centred
from elegan.networks.perceptron import FourierDiscriminator, FourierGenerator
from elegan.networks.residual import (
    ResidualDiscriminator,
    ResidualGenerator,
    channel_plan,
    patch_for,
    patches,
    too_coarse,
)
from elegan.schedule import cosine, log_cosine

PAPER: dict[str, Any] = dict(patch=1, bounded=False)
"""What the paper's networks do otherwise than the defaults."""


@dataclass(frozen=True)
class R3GANConfig(Config):
    lr: float = 1.2e-3
    """The generator's learning rate at its height."""
    ema_ramp: float = 0.05
    """Early on the half-life is at most this share of the images shown so far."""
    beta2_start: float = 0.9
    """Adam's second momentum at the start; beta2 holds after the burn-in."""
    gamma: float | None = None
    """Weight of R1 and R2 at the start; when not given: 0.03 times the data's variance, summed over pixels."""
    gamma_end: float | None = None
    """Weight of R1 and R2 after the burn-in; when not given: a third of gamma."""
    r2: bool = True
    """Penalise the slope at generated items too, eq. 3's R2; without it training may diverge."""
    burn_in: float = 0.5
    """The share of the budget over which gamma and beta2 change."""
    burn_in_by: Literal["value", "logarithm"] = "value"
    """What follows the half cosine: gamma and 1 - beta2 themselves, as in the paper, or their logarithms."""
    latent: int = 64
    """Dimensions of the latent z."""
    width: int = 96
    """Channels at the coarsest resolution; units a layer for vectors."""
    narrow: int = 32
    """The fewest channels at any resolution."""
    blocks: int = 1
    """Residual blocks at each resolution; hidden layers for vectors."""
    widths: tuple[int, ...] = ()
    """Channels of each resolution, the coarsest first, instead of width and narrow."""
    patch: int | None = None
    """Pixels a side that the networks see and draw as one; when not given 4, 2 from 16x16 to 63x63, 1 below."""
    bounded: bool = True
    """Generated images end in tanh; the paper's end linearly."""
    group: int = 0
    """Channels a group of the paper's grouped bottleneck blocks; 0: dense 3x3 blocks, faster on a processor."""
    discriminator_width: float = 1.0
    """The discriminator's channels (units a layer for vectors) in units of the generator's."""
    features: int = 128
    """Units of the discriminator's last hidden layer."""
    conditional: bool = True
    """Use the labels, where there are any."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("beta2_start", "burn_in"):
            if getattr(self, name) > 1 or (name == "beta2_start" and self.beta2_start == 1):
                raise ValueError(f"{name} is {getattr(self, name)}; it must lie between 0 and 1.")
        if self.burn_in_by == "logarithm" and 0 in (self.gamma, self.gamma_end):
            raise ValueError("gamma and gamma_end must be more than 0 where their logarithms change.")


class R3GAN(Game):
    """Relativistic pairs, R1 and R2, nothing else."""

    Config = R3GANConfig

    def __init__(self, config: R3GANConfig, spec: Spec) -> None:
        super().__init__(config, spec)
        config = self.config
        self.low_precision = spec.is_image
        self.classes = len(spec.classes) if config.conditional else 0
        self.conditional = self.classes > 0
        self.augmentation = Augmentation.of(config, spec)
        self.generator, self.discriminator = self.players()

    def players(self) -> tuple[nn.Module, nn.Module]:
        config, spec = self.config, self.spec
        if spec.is_image:
            patch = patch_for(spec.real, config.patch)
            levels = patches(*spec.image[1:], patch).levels
            plan = config.widths or channel_plan(config.width, config.narrow, levels)
            build = (config.blocks, config.group, patch)
            judging = [self.judging(channels) for channels in plan]
            return (
                ResidualGenerator(spec.image, self.classes, config.latent, plan, *build, config.bounded),
                ResidualDiscriminator(spec.image, self.classes, config.features, judging, *build),
            )
        size = spec.real[0]
        return (
            FourierGenerator(size, self.classes, config.latent, config.width, config.blocks),
            FourierDiscriminator(size, self.classes, self.judging(config.width), config.blocks),
        )

    def judging(self, channels: int) -> int:
        """The discriminator's channels where the generator has so many: whole groups, at least one."""
        unit = self.config.group or 1
        return max(1, round(channels * self.config.discriminator_width / unit)) * unit

    @classmethod
    def default_preset(cls, spec: Spec) -> str | None:
        return None if spec.is_image else "mixture"

    @classmethod
    def settled(cls, config: R3GANConfig, spec: Spec) -> R3GANConfig:
        gamma = gamma_for(spec.variance) if config.gamma is None else config.gamma
        gamma_end = float(f"{gamma / 3:.3g}") if config.gamma_end is None else config.gamma_end
        return replace(config, gamma=gamma, gamma_end=gamma_end, patch=patch_for(spec.real, config.patch))

    @classmethod
    def refuses(cls, config: R3GANConfig, spec: Spec) -> str | None:
        patch = patch_for(spec.real, config.patch)
        if coarse := too_coarse(spec.real, patch):
            return coarse
        levels = patches(*spec.image[1:], patch).levels if spec.is_image else 0
        if config.widths and (not spec.is_image or len(config.widths) != levels + 1):
            return f"widths has {len(config.widths)} numbers and the data want {levels + 1}, one a resolution."
        return None

    def moves(self, progress: Progress) -> Sequence[Move]:
        return (
            Move("discriminator_terms", ("discriminator",)),
            Move("generator_terms", ("generator",), data="fresh"),
        )

    def discriminator_terms(self, batch: Batch) -> Terms:
        real, label = batch["real"], self.label(batch)
        with torch.no_grad():
            fake = self.generate(batch, label)
        items = torch.cat([real, fake]).requires_grad_(True)
        logits = self.judge(items, label.repeat(2), batch.random)
        real_logits, fake_logits = logits.chunk(2)
        r1, r2 = zero_centred(logits, items, self.gamma(batch.progress)).chunk(2)
        terms = {"pair": relativistic_discriminator(real_logits, fake_logits), "r1": r1}
        return {**terms, "r2": r2} if self.config.r2 else terms

    def generator_terms(self, batch: Batch) -> Terms:
        label = self.label(batch)
        items = torch.cat([batch["real"], self.generate(batch, label)])
        real_logits, fake_logits = self.judge(items, label.repeat(2), batch.random).chunk(2)
        return {"pair": relativistic_generator(real_logits, fake_logits)}

    def generate(self, batch: Batch, label: Tensor) -> Tensor:
        return self.generator(self.latents(len(label), batch.random), label)

    def judge(self, items: Tensor, label: Tensor, random: Random) -> Tensor:
        """Logits of [real; generated] items; a pair shares one augmentation."""
        items = self.augmentation(items, random.uniform, copies=2)
        return self.discriminator(items, label)

    def label(self, batch: Batch) -> Tensor:
        real = batch["real"]
        return batch["label"] if self.classes else torch.zeros(len(real), dtype=torch.long, device=real.device)

    def gamma(self, progress: Progress) -> float:
        return self.burnt_in(self.config.gamma, self.config.gamma_end, progress)

    def burnt_in(self, start: float, end: float, progress: Progress) -> float:
        path = cosine if self.config.burn_in_by == "value" else log_cosine
        return path(start, end, progress.fraction, self.config.burn_in)

    def optimizer(self, name: str, progress: Progress) -> Adam:
        beta2 = 1 - self.burnt_in(1 - self.config.beta2_start, 1 - self.config.beta2, progress)
        return replace(super().optimizer(name, progress), beta2=beta2)

    def style_weights(self) -> Sequence[Tensor]:
        return (self.generator.get_parameter("start.weight")[:, : self.config.latent],) if self.spec.is_image else ()

    def render(self, styles: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        none = torch.zeros(len(styles), dtype=torch.long, device=styles.device)
        return self.generator(styles[:, 0], condition["label"] if self.classes else none)

    def scores(self, batch: Batch) -> Tensor:
        return self.discriminator(batch["real"], self.label(batch))

    presets = {
        # Table 9 of the paper and its networks; its augmentation (blit, geometry, colour, cutout, with a share that
        # grows) is affine with a constant share here, and its burn-in is a share of the run
        "cifar10": dict(PAPER, batch=512, lr=2e-4, lr_end=0.25, fall_until=0.08, gamma=0.05, gamma_end=0.005,
                        burn_in=0.08, ema=5_000_000, ema_ramp=1.0, augment_share=0.55, augment=("affine", "cutout"),
                        warm_up=0, widths=(768, 768, 768, 768), blocks=2, group=16),
        "ffhq64": dict(PAPER, batch=256, lr=2e-4, lr_end=0.25, fall_until=0.2, gamma=2.0, gamma_end=0.2, burn_in=0.2,
                       ema=500_000, ema_ramp=1.0, augment_share=0.3, augment=("affine", "cutout"), warm_up=0,
                       widths=(768, 768, 768, 768, 384), blocks=2, group=16),
        # 2-D mixtures in a minute: Fourier features, a high γ and a large learning rate (LOG.md)
        "mixture": dict(batch=96, lr=3e-3, lr_ratio=2.0, lr_end=0.02, hold=0.4, warm_up=9_600, gamma=0.3,
                        gamma_end=0.04, burn_in=0.7, burn_in_by="logarithm", ema=40_000, ema_ramp=0.02, latent=2,
                        width=64, blocks=3),
    }  # fmt: skip
