"""SGAN: "Semi-Supervised Learning with Generative Adversarial Networks" and "Improved Techniques for Training GANs".
Augustus Odena, 2016, arXiv:1606.01583; Tim Salimans, Ian Goodfellow, Wojciech Zaremba, Vicki Cheung, Alec Radford,
Xi Chen, 2016, arXiv:1606.03498, whose section and equation are meant below.

The discriminator has a logit l_k(x) for each of K classes; the fake's, of a class K + 1, is fixed at 0 (section 5).  So
with Z(x) = Σ_k exp l_k(x) it takes x for real with D(x) = Z(x)/(Z(x) + 1), and descends

    E[ −log p(y|x, y ≤ K) ]                 over labelled x, y          ("labelled")
    −½ E[ log D(x) ] = ½ E softplus(−log Z(x))   over all real x        ("real")
    −½ E[ log(1 − D(G(z))) ] = ½ E softplus(log Z(G(z)))                ("fake")

The generator matches the means of f, the discriminator's last hidden layer (section 3.1), and descends

    ‖ E f(x) − E f(G(z)) ‖² / units                                     ("matching")

A third kind of term is younger: what an image is taken for must not change when it is seen through another augmentation
(Xie et al., 2020, arXiv:1904.12848, eq. 1).  With q(x) from one view, as sharp as a temperature makes it, and p(x)
from another, the discriminator also descends

    E[ −Σ_k q_k(x) log p_k(x) ]             over all real x             ("agreement")

It teaches more than the generator does; docs/models/sgan.md has both figures.  Weights of 0 leave the generator, or
the third term, out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax, pixel_unshuffle, softmax

from elegan.augment import Augmentation
from elegan.game import Batch, Config, Game, Move, Progress, Random, Spec, Terms
from elegan.losses.adversarial import log_likelihood_fake, log_likelihood_real
from elegan.networks.convolution import Convolution
from elegan.networks.layers import LEAK, LEAKY_GAIN, WideLinear, scaled_normal_
from elegan.networks.perceptron import FourierGenerator
from elegan.networks.residual import ResidualGenerator, channel_plan, patch_for, patches
from elegan.networks.shape import pad_to


@dataclass(frozen=True)
class SGANConfig(Config):
    batch: int = 128
    """Images a step, and as many labelled ones beside them where only some are."""
    lr: float = 1e-3
    """The generator's learning rate at its height."""
    lr_end: float = 0.02
    """The share of the learning rate that is left at the end."""
    hold: float = 0.4
    """The share of the budget before the learning rate begins to fall, along half a cosine."""
    beta1: float = 0.5
    """Adam's first momentum."""
    ema: int = 4_500
    """Half-life of the averaged weights, in images shown."""
    augment_share: float = 1.0
    """The share of images that each augmentation is applied to at full strength, in the view that must agree."""
    weak: float = 0.3
    """The strength of the augmentation of all that isn't to agree with it, in units of the full one."""
    adversarial: float = 1.0
    """Weight of the terms of real and of generated images; 0: no generator plays."""
    agreement: float = 1.0
    """Weight of agreement between two views of an image without its label."""
    temperature: float = 0.5
    """Below 1 the first view's classes are made sharper before the second must agree."""
    ramp: float = 0.3
    """The share of the budget over which the weight of agreement rises."""
    noise: float = 0.1
    """Standard deviation of the normal noise on all that the discriminator sees."""
    dropout: float = 0.3
    """The share of the discriminator's channels that is left out at random."""
    latent: int = 64
    """Dimensions of the latent z."""
    width: int = 64
    """Channels at the coarsest resolution; a quarter of the units a layer for vectors."""
    narrow: int = 32
    """The fewest channels at any resolution."""
    features: int = 128
    """Units of the discriminator's last hidden layer, whose means the generator matches."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("ramp", "weak"):
            if getattr(self, name) > 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must lie between 0 and 1.")
        if not self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it must be at least 0 and below 1.")
        if not self.temperature > 0:
            raise ValueError(f"temperature is {self.temperature}; it must be more than 0.")


class Classifier(nn.Module):
    """items [n, *shape] → class logits [n, classes], beside which the fake's is 0."""

    def __init__(self, classes: int, features: int, trunk: nn.Module, size: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.gather = scaled_normal_(nn.Linear(size, features), LEAKY_GAIN)
        self.logits = scaled_normal_(WideLinear(features, classes), 0.5)
        self.active = nn.LeakyReLU(LEAK)

    def features(self, items: Float[Tensor, "n ..."]) -> Float[Tensor, "n f"]:
        """The last hidden layer."""
        return self.active(self.gather(self.trunk(items)))

    def forward(self, items: Float[Tensor, "n ..."]) -> Float[Tensor, "n k"]:
        return self.logits(self.features(items))


class Trunk(nn.Module):
    """images [n, C, H, W] → [n, size]: two convolutions a resolution, down to about 4x4."""

    def __init__(self, shape: tuple[int, int, int], config: SGANConfig) -> None:
        super().__init__()
        self.patch = patch_for(shape)
        self.pyramid = patches(*shape[1:], self.patch)
        plan = channel_plan(config.width, config.narrow, self.pyramid.levels)[::-1]
        layers: list[nn.Module] = []
        for before, after in pairwise([shape[0] * self.patch**2, *plan]):
            layers += [
                _convolution(before, after, stride=2 if layers else 1), nn.LeakyReLU(LEAK),
                _convolution(after, after), nn.LeakyReLU(LEAK), nn.Dropout2d(config.dropout),
            ]  # fmt: skip
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.size = plan[-1] * self.pyramid.coarsest[0] * self.pyramid.coarsest[1]

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n size"]:
        height, width = (side * self.patch for side in self.pyramid.finest)
        return self.layers(pixel_unshuffle(pad_to(images, height, width), self.patch))


def _convolution(before: int, after: int, stride: int = 1) -> nn.Module:
    return scaled_normal_(Convolution(before, after, 3, stride, padding=1), LEAKY_GAIN)


def players(config: SGANConfig, spec: Spec) -> tuple[nn.Module, Classifier]:
    """The generator and the discriminator."""
    classes = len(spec.classes)
    generator: nn.Module
    if spec.is_image:
        trunk = Trunk(spec.image, config)
        patch = max(1, trunk.patch // 2)  # finer than the discriminator sees: squares would give the generator away
        plan = channel_plan(config.width, config.narrow, patches(*spec.image[1:], patch).levels)
        generator = ResidualGenerator(spec.image, 0, config.latent, plan, 1, patch=patch, bounded=True)
        return generator, Classifier(classes, config.features, trunk, trunk.size)
    units = 4 * config.width
    layers: list[nn.Module] = []
    for before in (spec.real[0], units):
        layers += [scaled_normal_(nn.Linear(before, units), LEAKY_GAIN), nn.LeakyReLU(LEAK), nn.Dropout(config.dropout)]
    generator = FourierGenerator(spec.real[0], 0, config.latent, units, 2)
    return generator, Classifier(classes, config.features, nn.Sequential(*layers), units)


class SGAN(Game):
    """A generator beside a classifier that knows few labels and tells real from fake."""

    Config = SGANConfig
    deliver = ("generator", "discriminator")
    classifies = True

    def __init__(self, config: SGANConfig, spec: Spec) -> None:
        super().__init__(config, spec)
        self.low_precision = spec.is_image
        self.strong = Augmentation.of(config, spec)
        self.weak = Augmentation(self.strong.policies, 1.0)
        self.generator, self.discriminator = players(config, spec)

    @classmethod
    def refuses(cls, config: SGANConfig, spec: Spec) -> str | None:
        if config.augment_gap:
            return "sgan's players see every image augmented, and there is no share to adapt; leave --augment-gap out."
        if len(spec.classes) > 1:
            return None
        return (
            "sgan learns to tell classes apart from labels, a few of each, and the data have labels of no two classes; "
            "sort the images into one folder a class, add a labels.csv in which most cells may be empty, or take r3gan "
            "or dcgan."
        )

    @classmethod
    def labels_alone(cls, config: SGANConfig) -> SGANConfig:
        return replace(config, adversarial=0.0, agreement=0.0)

    def moves(self, progress: Progress) -> Sequence[Move]:
        return super().moves(progress)[: 2 if self.config.adversarial else 1]

    def discriminator_terms(self, batch: Batch) -> Terms:
        views = self.views(batch)
        lengths = [len(view) for view in views.values()]
        logits = dict(zip(views, self.discriminator(torch.cat([*views.values()])).split(lengths), strict=True))
        terms: Terms = {}
        if "label" in batch:  # the labels of all rows, or of the few that stand beside them
            known = logits.get("labelled", logits["real"])
            terms["labelled"] = cross_entropy(known, batch["label"], reduction="none")
        if "fake" in logits:
            half = self.config.adversarial / 2
            terms["real"] = half * log_likelihood_real(logits["real"].logsumexp(1))
            terms["fake"] = half * log_likelihood_fake(logits["fake"].logsumexp(1))
        if "other" in logits:
            guess = softmax(logits["real"].detach() / self.config.temperature, 1)
            terms["agreement"] = -self.agreement(batch.progress) * (guess * log_softmax(logits["other"], 1)).sum(1)
        return terms

    def views(self, batch: Batch) -> dict[str, Tensor]:
        """What the discriminator is shown, by name; "other" are the real items seen in another way."""
        real, random = batch["real"], batch.random
        views = {"real": self.seen(real, random)}
        if "labelled" in batch:
            views["labelled"] = self.seen(batch["labelled"], random)
        if self.config.adversarial:
            with torch.no_grad():
                views["fake"] = self.seen(self.fakes(len(real), random), random)
        if self.config.agreement:
            views["other"] = self.noisy(self.strong(real, random.uniform), random)
        return views

    def generator_terms(self, batch: Batch) -> Terms:
        real, random = batch["real"], batch.random
        with torch.no_grad():
            wanted = batch.ranks.mean(self.features(self.seen(real, random)))
        means = batch.ranks.mean(self.features(self.seen(self.fakes(len(real), random), random)))
        return {"matching": (wanted - means).square().mean()}

    def features(self, items: Tensor) -> Tensor:
        """The last hidden layer [n, features], in float32 or wider."""
        hidden: Tensor = self.discriminator.features(items)
        return hidden.to(torch.promote_types(hidden.dtype, torch.float32))

    def agreement(self, progress: Progress) -> float:
        """The weight of agreement at this moment."""
        ramp = self.config.ramp
        return self.config.agreement * (min(1.0, progress.fraction / ramp) if ramp else 1.0)

    def fakes(self, n: int, random: Random) -> Tensor:
        return self.render(self.latents(n, random)[:, None], {})

    def seen(self, items: Tensor, random: Random) -> Tensor:
        """Items as the discriminator sees them: a little augmented, a little noisy."""
        return self.noisy(self.weak(items, lambda n, k: 0.5 + self.config.weak * (random.uniform(n, k) - 0.5)), random)

    def noisy(self, items: Tensor, random: Random) -> Tensor:
        return items + self.config.noise * random.normal(*items.shape) if self.config.noise else items

    def render(self, styles: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        z = styles[:, 0]
        return self.generator(z, torch.zeros(len(z), dtype=torch.long, device=z.device))

    def class_logits(self, items: Tensor) -> Tensor:
        return self.discriminator(items)

    def scores(self, batch: Batch) -> Tensor:
        return self.class_logits(batch["real"]).logsumexp(1)

    presets = {
        # Improved Techniques, section 3.1 and its code: labels, real or fake, and nothing else to learn from
        "salimans2016": dict(batch=100, lr=3e-3, lr_end=1.0, warm_up=0, beta2=0.999, agreement=0.0, noise=0.3,
                             augment=()),
    }  # fmt: skip
