"""ProGAN: "Progressive Growing of GANs for Improved Quality, Stability, and Variation".
Tero Karras, Timo Aila, Samuli Laine, Jaakko Lehtinen, 2018, arXiv:1710.10196.

Both players begin with about 4x4 pixels and grow, one doubling after the other.  A doubling fades in: with a weight α
that rises from 0 to 1, G's image and D's features are (1 − α) those of before, doubled or halved, + α the new ones, and
real images are faded alike (section 2, figure 2).  D is told how much the items of a group differ (section 3); weights
are N(0, 1) and scaled in use (section 4.1); G's features have a root mean square of 1 at every pixel (section 4.2).
Each of the four can be switched off.  The paper's objective is the Wasserstein distance with a penalty on the slope at
x̂ between real and generated images: D descends

    E[D(G(z))] − E[D(x)] + λ E(‖∇D(x̂)‖ − γ)²/γ² + ε E[D(x)²]      and G descends      −E[D(G(z))]      (appendix A.1)

with λ = 10, γ = 1, ε = 0.001, and γ = 750 for CIFAR-10 (preset "karras2018").  By default the players judge pairs, held
steady by R1 and R2, as r3gan does (Huang et al., 2024, arXiv:2501.05441, eq. 2, 3); in minutes of a processor that
comes closer to the data (LOG.md).  In both, slopes are those by the image at full size, which D sees shrunk.  Labels
are used as in r3gan, by a vector in G and an output a class in D; the paper's code adds a classifier to D instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor
from typing import Literal

import torch
from torch import Tensor

from elegan.augment import Augmentation
from elegan.game import Batch, Config, Game, Move, Progress, Spec, Terms
from elegan.losses.adversarial import OBJECTIVES, relativistic_discriminator, relativistic_generator
from elegan.losses.penalties import between, gamma_for, one_centred, zero_centred
from elegan.networks.growing import Canvas, GrowingDiscriminator, GrowingGenerator, Growth, Techniques
from elegan.networks.residual import channel_plan
from elegan.schedule import cosine

SMALLEST = 4
"""Pixels a side of the smallest images."""
BURN_IN = 0.5
"""The share of the budget over which gamma changes."""


@dataclass(frozen=True)
class ProGANConfig(Config):
    lr: float = 8e-3
    """The generator's learning rate at its height."""
    ema_ramp: float = 0.05
    """Early on the half-life is at most this share of the images shown so far."""
    grow: bool = True
    """Begin with about 4x4 pixels and grow; else all pixels from the start."""
    grown: float = 0.5
    """The share of the budget at which the networks have grown to full size."""
    fade: float = 0.5
    """The share of the time of growing in which a doubling fades in; 0: it is there at once."""
    minibatch: int = 4
    """Images a group of the discriminator's minibatch standard deviation; 0: none."""
    equalised: bool = True
    """Equalised learning rate: weights from N(0, 1), scaled in use."""
    pixel_norm: bool = True
    """Normalise z and, after each convolution of the generator, the features of every pixel."""
    objective: Literal["relativistic", "wasserstein"] = "relativistic"
    """What the two players descend: pairs with R1 and R2, or the paper's."""
    gamma: float | None = None
    """Weight of R1 and R2 at the start; when not given: 0.03 times the data's variance, summed over pixels."""
    gamma_end: float | None = None
    """Weight of R1 and R2 from the middle of the budget; when not given: a third of gamma."""
    slope: float = 10.0
    """Weight of the Wasserstein objective's penalty on slopes."""
    slope_target: float = 1.0
    """The slope that the Wasserstein objective asks for."""
    drift: float = 0.001
    """Weight of D(x)² in the Wasserstein objective."""
    latent: int = 64
    """Dimensions of the latent z."""
    width: int = 96
    """Channels at the coarsest resolution."""
    narrow: int = 16
    """The fewest channels at any resolution."""
    widths: tuple[int, ...] = ()
    """Channels of each resolution, the coarsest first, instead of width and narrow."""
    features: int = 128
    """Units of the discriminator's last hidden layer."""
    bounded: bool = True
    """Generated images end in tanh; the paper's end linearly."""
    conditional: bool = True
    """Use the labels, where there are any."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.grown <= 0.5:
            raise ValueError(f"grown is {self.grown}; it must be more than 0 and at most 0.5, half of the budget.")
        if self.fade > 1:
            raise ValueError(f"fade is {self.fade}; it must lie between 0 and 1.")
        if not self.slope_target > 0:
            raise ValueError(f"slope_target is {self.slope_target}; it must be more than 0.")
        if self.minibatch == 1:
            raise ValueError("minibatch is 1; one image differs from none, so give 2 or more, or 0 for none.")


class ProGAN(Game):
    """Grow both players; the resolution in play follows from the share of the schedules that is behind."""

    Config = ProGANConfig

    def __init__(self, config: ProGANConfig, spec: Spec) -> None:
        super().__init__(config, spec)
        config = self.config
        self.classes = len(spec.classes) if config.conditional else 0
        self.conditional = self.classes > 0
        self.augmentation = Augmentation.of(config, spec)
        self.canvas = Canvas(*spec.image[1:])
        plan = config.widths or channel_plan(config.width, config.narrow, self.canvas.levels)
        techniques = Techniques(config.equalised, config.pixel_norm, config.minibatch)
        self.generator = GrowingGenerator(spec.image, self.classes, config.latent, plan, techniques, config.bounded)
        self.discriminator = GrowingDiscriminator(spec.image, self.classes, config.features, plan, techniques)
        self.keep(0.0)

    @classmethod
    def settled(cls, config: ProGANConfig, spec: Spec) -> ProGANConfig:
        if config.objective == "wasserstein":
            return config
        gamma = gamma_for(spec.variance) if config.gamma is None else config.gamma
        gamma_end = float(f"{gamma / 3:.3g}") if config.gamma_end is None else config.gamma_end
        return replace(config, gamma=gamma, gamma_end=gamma_end)

    @classmethod
    def refuses(cls, config: ProGANConfig, spec: Spec) -> str | None:
        if not spec.is_image:
            return "progan grows images and the data are vectors; take r3gan or gan."
        if min(spec.image[1:]) < SMALLEST:
            return f"progan begins with {SMALLEST}x{SMALLEST} pixels and the images are smaller; give a larger --size."
        levels = Canvas(*spec.image[1:]).levels
        if config.widths and len(config.widths) != levels + 1:
            return f"widths has {len(config.widths)} numbers and the data want {levels + 1}, one a resolution."
        return None

    def moves(self, progress: Progress) -> Sequence[Move]:
        fresh: Literal["fresh", "same"] = "fresh" if self.config.objective == "relativistic" else "same"
        return (
            Move("discriminator_terms", ("discriminator",)),
            Move("generator_terms", ("generator",), data=fresh),
        )

    def discriminator_terms(self, batch: Batch) -> Terms:
        growth = self.growth(batch.progress)
        real = self.canvas.shrunk(batch["real"], growth)
        with torch.no_grad():
            fake = self.generate(batch, growth)
        if self.config.objective == "relativistic":
            return self.paired_terms(real, fake, batch, growth)
        return self.wasserstein_terms(real, fake, batch, growth)

    def paired_terms(self, real: Tensor, fake: Tensor, batch: Batch, growth: Growth) -> Terms:
        zoom = self.zoom(growth)
        items = (torch.cat([real, fake]) * zoom).requires_grad_(True)
        logits = self.judge(items / zoom, batch, growth)
        gamma = cosine(self.config.gamma, self.config.gamma_end, batch.progress.fraction, BURN_IN)
        r1, r2 = zero_centred(logits, items, gamma).chunk(2)
        return {"pair": relativistic_discriminator(*logits.chunk(2)), "r1": r1, "r2": r2}

    def wasserstein_terms(self, real: Tensor, fake: Tensor, batch: Batch, growth: Growth) -> Terms:
        objective, unit = OBJECTIVES["wasserstein"], self.zoom(growth) * self.config.slope_target
        real_logits, fake_logits = self.judge(torch.cat([real, fake]), batch, growth).chunk(2)
        mixed = between(real * unit, fake * unit, batch.random.uniform(len(real)))
        slope = one_centred(self.judge(mixed / unit, batch, growth), mixed, self.config.slope)
        terms = {"real": objective.real(real_logits), "fake": objective.fake(fake_logits), "slope": slope}
        return {**terms, "drift": self.config.drift * real_logits.square()}

    def generator_terms(self, batch: Batch) -> Terms:
        growth = self.growth(batch.progress)
        fake = self.generate(batch, growth)
        if self.config.objective == "wasserstein":
            return {"fake": OBJECTIVES["wasserstein"].generator(self.judge(fake, batch, growth))}
        items = torch.cat([self.canvas.shrunk(batch["real"], growth), fake])
        return {"pair": relativistic_generator(*self.judge(items, batch, growth).chunk(2))}

    def generate(self, batch: Batch, growth: Growth) -> Tensor:
        """Images at the resolution in play, one for each real one and of its label."""
        label = self.label(batch)
        return self.generator(self.latents(len(label), batch.random), label, growth)

    def judge(self, items: Tensor, batch: Batch, growth: Growth) -> Tensor:
        """Logits of as many items as the batch has, or of twice as many; then a pair shares one augmentation."""
        parts = len(items) // len(batch["real"])
        items = self.augmentation(items, batch.random.uniform, copies=parts)
        return self.discriminator(items, self.label(batch).repeat(parts), growth, parts)

    def label(self, batch: Batch) -> Tensor:
        real = batch["real"]
        return batch["label"] if self.classes else torch.zeros(len(real), dtype=torch.long, device=real.device)

    def zoom(self, growth: Growth) -> float:
        """How many times as far apart two images are at full size: a doubling makes four pixels of each."""
        return 2.0 ** (self.canvas.levels - growth.level)

    def growth(self, progress: Progress) -> Growth:
        return Growth.of(self.doublings(progress.fraction))

    def doublings(self, share: float) -> float:
        """How far the networks have grown: each doubling waits, then fades in; all take the same time."""
        levels = self.canvas.levels
        if not self.config.grow or share >= self.config.grown:
            return float(levels)
        place = share / self.config.grown * levels
        faded = place % 1 - (1 - self.config.fade)
        return floor(place) + (faded / self.config.fade if faded > 0 else 0.0)

    def phases(self) -> Sequence[float]:
        levels = self.canvas.levels if self.config.grow else 0
        return (0.0, *(self.config.grown * (level - self.config.fade) / levels for level in range(1, levels + 1)))

    def steady_from(self) -> float:
        return self.config.grown if self.config.grow else 0.0

    def stage(self, progress: Progress) -> str:
        level, weight = self.growth(progress)
        size = "x".join(str(ceil(side / 2 ** (self.canvas.levels - level))) for side in self.canvas.image)
        shown = f"{size} at {weight:.0%}" if weight < 1 else size
        return ", ".join(part for part in (shown if self.config.grow else "", super().stage(progress)) if part)

    def after_move(self, move: Move, batch: Batch) -> None:
        super().after_move(move, batch)
        self.keep(batch.progress.fraction)

    def keep(self, share: float) -> None:
        """Both players remember how far they have grown, so that samples are drawn and scored alike."""
        for player in (self.generator, self.discriminator):
            player.keep(self.doublings(share))

    def style_weights(self) -> Sequence[Tensor]:
        return (self.generator.get_parameter("start.weight")[:, : self.config.latent],)

    def render(self, styles: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        none = torch.zeros(len(styles), dtype=torch.long, device=styles.device)
        growth = self.generator.kept
        images = self.generator(styles[:, 0], condition["label"] if self.classes else none, growth)
        return self.canvas.enlarged(images, growth)

    def scores(self, batch: Batch) -> Tensor:
        growth = self.discriminator.kept
        return self.discriminator(self.canvas.shrunk(batch["real"], growth), self.label(batch), growth)

    presets = {
        # for CIFAR-10 at 32x32: 20 M images, of which three times 800,000 are for growing
        "karras2018": dict(objective="wasserstein", slope_target=750.0, batch=16, lr=1e-3, lr_end=1.0, warm_up=0,
                           grown=0.12, latent=128, widths=(128, 128, 128, 128), features=128, bounded=False, augment=(),
                           ema=11_000, ema_ramp=1.0),
    }  # fmt: skip
