"""StyleGAN: "A Style-Based Generator Architecture for Generative Adversarial Networks".
Tero Karras, Samuli Laine, Timo Aila, 2019, arXiv:1812.04948; with the networks and the regularisation of
"Analyzing and Improving the Image Quality of StyleGAN".
Karras, Laine, Aittala, Hellsten, Lehtinen, Aila, 2020, arXiv:1912.04958.

A mapping network f turns z into a style w = f(z), and every layer of the synthesis network g has a style of its own:
one w for all, or, for a share of the images, a second w from some layer on (style mixing: 2019, section 3.1).  With
logits D and G = g ∘ f the discriminator descends

    E[softplus(−D(x))] + E[softplus(D(G(z)))] + γ/2 E‖∇D(x)‖²           (R1: Mescheder et al., 2018, eq. 9)

the generator E[softplus(−D(G(z)))] and, where it is asked for, in a move of its own at every few steps,

    E_{w, y∼N(0,I)} (‖J_wᵀ y‖ − a)²,   J_w = ∂g/∂w                      (2020, eq. 4)

where a is the running mean of these lengths.  R1 stands on every fourth step, four times as strong.  The objective
"relativistic" judges real and generated images in pairs of logits instead, and r2 puts R2 beside R1: both as in R3GAN
(Huang et al., 2024, arXiv:2501.05441, eq. 2 and 3).  The defaults are made for minutes of a processor: networks that
see squares of pixels as one, one layer a resolution, which doubles it by a learned kernel, tanh at G's end, γ chosen
from the data, few mixed styles and no path lengths (LOG.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from elegan.augment import Augmentation
from elegan.game import Batch, Config, Game, Move, Progress, Random, Spec, Terms
from elegan.losses.adversarial import OBJECTIVES, relativistic_discriminator, relativistic_generator
from elegan.losses.path_length import path_length, path_penalty
from elegan.losses.penalties import gamma_for, zero_centred
from elegan.networks.residual import channel_plan, patch_for, patches, too_coarse
from elegan.networks.style import StyleDiscriminator, StyleGenerator, Upsampling, crossed
from elegan.schedule import cosine

PAPER: dict[str, Any] = dict(
    burn_in=0.0, patch=1, bounded=False, latent=512, style=512, mapping=8,
    features=512, lr_end=1.0, warm_up=0, ema_ramp=1.0, augment=(), conditional=False,
    wider=1, layers=2, up="bilinear", path_weight=2.0, mixing=0.9,
)  # fmt: skip
"""What the paper does otherwise than the defaults."""
LENGTHS_DECAY, STYLES_DECAY = 0.99, 0.995
"""What is left of the running means of path lengths and of styles after an update."""


@dataclass(frozen=True)
class StyleGANConfig(Config):
    lr: float = 1e-2
    """The generator's learning rate at its height; the mapping network's is a hundredth."""
    ema_ramp: float = 0.05
    """Early on the half-life is at most this share of the images shown so far."""
    objective: Literal["non-saturating", "relativistic"] = "non-saturating"
    """Logits one by one, as in the paper, or in pairs, as in R3GAN."""
    gamma: float | None = None
    """Weight of R1 at the start; when not given: 0.03 times the data's variance, summed over pixels."""
    gamma_end: float | None = None
    """Weight of R1 after the burn-in; when not given: a third of gamma."""
    burn_in: float = 0.5
    """The share of the budget over which gamma changes."""
    r2: bool = False
    """Penalise the slope at generated images too, as in R3GAN."""
    penalty_every: int = 4
    """Steps from one slope penalty to the next; it weighs as many times more."""
    path_weight: float = 0.0
    """Weight of path length regularisation; 0: none; the paper's 2."""
    path_every: int = 8
    """Steps from one path length regularisation to the next; it weighs as many times more."""
    mixing: float = 0.3
    """The share of the generated images that mix two styles; the paper's 0.9."""
    latent: int = 64
    """Dimensions of the latent z."""
    style: int = 128
    """Dimensions of the style w."""
    mapping: int = 2
    """Layers of the mapping network."""
    width: int = 128
    """The discriminator's channels at the coarsest resolution; they halve from one to the next."""
    narrow: int = 64
    """The fewest channels at any resolution."""
    wider: int = 2
    """How many times as many channels the generator has, down to narrow; the paper's 1."""
    widths: tuple[int, ...] = ()
    """Channels of each resolution in both networks, the coarsest first, instead of width, narrow and wider."""
    layers: int = 1
    """Styled layers at each resolution but the coarsest, which has one; the paper's 2."""
    up: Upsampling = "learned"
    """How a styled layer doubles the resolution: by a kernel of its own, or "bilinear", as in the paper."""
    patch: int | None = None
    """Pixels a side that the networks see and draw as one; when not given 4, 2 from 16x16 to 63x63, 1 below."""
    bounded: bool = True
    """Generated images end in tanh; the paper's end linearly."""
    group: int = 4
    """Images that the discriminator compares with each other: minibatch standard deviation; 0: none."""
    features: int = 128
    """Units of the discriminator's last hidden layer."""
    conditional: bool = True
    """Use the labels, where there are any."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("burn_in", "mixing"):
            if getattr(self, name) > 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must lie between 0 and 1.")
        if self.group == 1:
            raise ValueError("group is 1; one image differs from none, so give 2 or more, or 0 for none.")


class StyleGAN(Game):
    """A style for every layer."""

    Config = StyleGANConfig
    lengths: Tensor

    def __init__(self, config: StyleGANConfig, spec: Spec) -> None:
        super().__init__(config, spec)
        config, patch = self.config, patch_for(spec.real, self.config.patch)
        self.classes = len(spec.classes) if config.conditional else 0
        self.conditional = self.classes > 0
        self.augmentation = Augmentation.of(config, spec)
        levels = patches(*spec.image[1:], patch).levels
        wide, plan = (
            config.widths or channel_plan(width, config.narrow, levels, shrink=0.5)
            for width in (config.wider * config.width, config.width)
        )
        self.generator = StyleGenerator(
            spec.image, self.classes, config.latent, config.style, config.mapping, wide, patch, config.bounded,
            config.layers, config.up,
        )  # fmt: skip
        self.discriminator = StyleDiscriminator(spec.image, self.classes, config.features, plan, patch, config.group)
        self.register_buffer("lengths", torch.zeros(2))

    @classmethod
    def settled(cls, config: StyleGANConfig, spec: Spec) -> StyleGANConfig:
        if not spec.is_image:
            return config
        gamma = gamma_for(spec.variance) if config.gamma is None else config.gamma
        gamma_end = float(f"{gamma / 3:.3g}") if config.gamma_end is None else config.gamma_end
        return replace(config, gamma=gamma, gamma_end=gamma_end, patch=patch_for(spec.real, config.patch))

    @classmethod
    def refuses(cls, config: StyleGANConfig, spec: Spec) -> str | None:
        if not spec.is_image:
            return "stylegan draws images and the data are vectors; take r3gan or gan."
        patch = patch_for(spec.real, config.patch)
        if coarse := too_coarse(spec.real, patch):
            return coarse
        levels = patches(*spec.image[1:], patch).levels
        if config.widths and len(config.widths) != levels + 1:
            return f"widths has {len(config.widths)} numbers and the data want {levels + 1}, one a resolution."
        return None

    def moves(self, progress: Progress) -> Sequence[Move]:
        paired: Literal["fresh", "same"] = "fresh" if self.config.objective == "relativistic" else "same"
        play = (
            Move("discriminator_terms", ("discriminator",)),
            Move("generator_terms", ("generator",), data=paired),
        )
        path = Move("path_terms", ("generator",), data="same")
        return (*play, path) if self.config.path_weight and self.due(self.config.path_every, progress) else play

    def due(self, every: int, progress: Progress) -> bool:
        """Whether this is a step on which to do what is done at every so many."""
        return progress.images // self.config.batch % every == 0

    def discriminator_terms(self, batch: Batch) -> Terms:
        real, label = batch["real"], self.label(batch)
        with torch.no_grad():
            fake = self.generate(batch, label)
        penalised = self.gamma(batch.progress) > 0 and self.due(self.config.penalty_every, batch.progress)
        if not (self.config.objective == "relativistic" or self.config.r2):
            return self.apart(real.detach().requires_grad_(penalised), fake, label, batch)
        items = torch.cat([real, fake]).requires_grad_(penalised)
        logits = self.judge(items, label.repeat(2), batch.random, 2)
        terms = self.adversarial_terms(*logits.chunk(2))
        if penalised:
            r1, r2 = self.penalty(logits, items, batch.progress).chunk(2)
            terms |= {"r1": r1, "r2": r2} if self.config.r2 else {"r1": r1}
        return terms

    def apart(self, real: Tensor, fake: Tensor, label: Tensor, batch: Batch) -> Terms:
        """The terms of the paper, where R1's slope need not run back through the generated half."""
        real_logits, fake_logits = (self.judge(items, label, batch.random) for items in (real, fake))
        terms = self.adversarial_terms(real_logits, fake_logits)
        if real.requires_grad:
            terms["r1"] = self.penalty(real_logits, real, batch.progress)
        return terms

    def adversarial_terms(self, real: Tensor, fake: Tensor) -> Terms:
        if self.config.objective == "relativistic":
            return {"pair": relativistic_discriminator(real, fake)}
        objective = OBJECTIVES["non-saturating"]
        return {"real": objective.real(real), "fake": objective.fake(fake)}

    def penalty(self, logits: Tensor, items: Tensor, progress: Progress) -> Tensor:
        return zero_centred(logits, items, self.gamma(progress) * self.config.penalty_every)

    def generator_terms(self, batch: Batch) -> Terms:
        label = self.label(batch)
        fake = self.generate(batch, label)
        if self.config.objective == "relativistic":
            logits = self.judge(torch.cat([batch["real"], fake]), label.repeat(2), batch.random, 2)
            return {"pair": relativistic_generator(*logits.chunk(2))}
        return {"fake": OBJECTIVES["non-saturating"].generator(self.judge(fake, label, batch.random))}

    def path_terms(self, batch: Batch) -> Terms:
        """Karras et al., 2020, eq. 4.  The mean is that of all lengths so far, weighted towards the latest."""
        styles, noise = self.mixed_styles(batch, self.label(batch)), self.noise(batch)
        images = self.generator(styles, noise)
        lengths = path_length(images, styles, batch.random.normal(len(images), *images.shape[1:]))
        latest = torch.stack([batch.ranks.mean(lengths.detach()), torch.ones_like(lengths[0])])
        batch["lengths"] = latest.lerp(self.lengths.to(latest.dtype), LENGTHS_DECAY)
        mean = batch["lengths"][0] / batch["lengths"][1]
        return {"penalty": path_penalty(lengths, mean, self.config.path_weight * self.config.path_every)}

    def after_move(self, move: Move, batch: Batch) -> None:
        super().after_move(move, batch)
        if "lengths" in batch:
            self.lengths.copy_(batch.pop("lengths"))
        if move.terms == "generator_terms":
            moments = self.generator.noted(batch.pop("style"), self.label(batch))
            self.generator.moments.lerp_(batch.ranks.mean(moments[None]), 1 - STYLES_DECAY)

    def generate(self, batch: Batch, label: Tensor) -> Tensor:
        return self.generator(self.mixed_styles(batch, label), self.noise(batch))

    def mixed_styles(self, batch: Batch, label: Tensor) -> Tensor:
        """A style for every layer [n, layers, d]; a share of the items takes another z's from some layer on."""
        n, layers, random = len(label), self.generator.layers, batch.random
        first, second = (self.generator.mapping(self.latents(n, random), label) for _ in range(2))
        batch["style"] = first.detach()
        mixes = random.uniform(n) < self.config.mixing
        crossover = torch.where(mixes, 1 + random.integers(layers - 1, n), layers)
        return crossed(first, second, crossover, layers)

    def noise(self, batch: Batch) -> Tensor:
        return batch.random.normal(len(batch["real"]), self.generator.noise.shape[1])

    def judge(self, images: Tensor, label: Tensor, random: Random, parts: int = 1) -> Tensor:
        """Logits of images, or of two parts, [real; generated]; a pair shares one augmentation."""
        return self.discriminator(self.augmentation(images, random.uniform, parts), label, parts)

    def label(self, batch: Batch) -> Tensor:
        return self.asked(batch, len(batch["real"]), batch["real"].device)

    def asked(self, condition: Mapping[str, Tensor], n: int, device: torch.device) -> Tensor:
        """The labels [n]; zeros where the game has none."""
        return condition["label"] if self.classes else torch.zeros(n, dtype=torch.long, device=device)

    def gamma(self, progress: Progress) -> float:
        return cosine(self.config.gamma, self.config.gamma_end, progress.fraction, self.config.burn_in)

    def styles(self, z: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        w = self.generator.mapping(z, self.asked(condition, len(z), z.device))
        return w[:, None].repeat(1, self.generator.layers, 1)

    def mean_style(self, n: int, condition: Mapping[str, Tensor]) -> Tensor:
        w = self.generator.mean_style(self.asked(condition, n, self.lengths.device))
        return w[:, None].repeat(1, self.generator.layers, 1)

    def style_weights(self) -> Sequence[Tensor]:
        return self.generator.style_weights()

    def render(self, styles: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        return self.generator(styles)

    def scales(self, styles: Tensor) -> Tensor:
        return torch.cat(self.generator.scales(styles), 1)

    def render_scales(self, scales: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        sizes = [layer.affine.weight.shape[0] for layer in self.generator.modulated()]
        return self.generator.draw(scales.split(sizes, 1))

    def scores(self, batch: Batch) -> Tensor:
        return self.discriminator(batch["real"], self.label(batch))

    presets = {
        # appendix B: config F; γ is that of 1024x1024 images, and its learning rates shrink where penalties are lazy
        "karras2020": dict(PAPER, batch=32, lr=2e-3, gamma=10.0, gamma_end=10.0, penalty_every=16, path_every=8,
                           ema=10_000, width=512, narrow=512),
        # "cifar" in Karras et al., 2020, arXiv:2006.06676, appendix D, less its adaptive augmentation
        "cifar10": dict(PAPER, lr=2.5e-3, gamma=0.01, gamma_end=0.01, penalty_every=16, path_weight=0.0, mixing=0.0,
                        mapping=2, group=0, ema=500_000, width=512, narrow=512, conditional=True),
    }  # fmt: skip
