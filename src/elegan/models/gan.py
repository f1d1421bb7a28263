"""GAN: "Generative Adversarial Nets".
Ian Goodfellow, Jean Pouget-Abadie, Mehdi Mirza, Bing Xu, David Warde-Farley, Sherjil Ozair, Aaron Courville,
Yoshua Bengio, 2014, arXiv:1406.2661.

The discriminator D = σ(logit) ascends, and the generator G descends,

    V(D, G) = E[log D(x)] + E[log(1 − D(G(z)))]                         (eq. 1: "minimax")

or, for stronger gradients early, G descends E[−log D(G(z))]            (section 3: "non-saturating").

Both players are multilayer perceptrons.  The defaults add what later papers found to keep them stable:
R1, γ/2 E‖∇D(x)‖² (Mescheder et al., 2018, arXiv:1801.04406, eq. 9), averaged weights and augmentation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from elegan.augment import Augmentation
from elegan.game import Batch, Config, Game, Random, Spec, Terms
from elegan.losses.adversarial import OBJECTIVES
from elegan.losses.penalties import zero_centred
from elegan.networks.perceptron import Maxout, perceptron


@dataclass(frozen=True)
class GANConfig(Config):
    objective: Literal["non-saturating", "minimax", "least-squares", "hinge"] = "non-saturating"
    """What the two players descend."""
    gamma: float = 1.0
    """Weight of R1 on real items; 0: no penalty, as in 2014."""
    latent: int = 64
    """Dimensions of the latent z."""
    width: int = 512
    """Units of each hidden layer."""
    depth: int = 3
    """Hidden layers of each player."""
    maxout: int = 0
    """Units of each layer of the paper's maxout discriminator, of five pieces; 0: leaky ReLU as in the generator."""
    dropout: float = 0.5
    """The share of the maxout discriminator's hidden units that are left out in training."""


class Generator(nn.Module):
    """z [n, latent] → items [n, *shape]; images end in tanh, vectors are linear."""

    def __init__(self, shape: tuple[int, ...], config: GANConfig) -> None:
        super().__init__()
        self.shape = shape
        activation = nn.ReLU if config.maxout else lambda: nn.LeakyReLU(0.2)
        self.network = perceptron([config.latent, *[config.width] * config.depth, prod(shape)], activation)

    def forward(self, z: Float[Tensor, "n latent"]) -> Float[Tensor, " n *shape"]:
        items = self.network(z).view(-1, *self.shape)
        return items.tanh() if len(self.shape) == 3 else items


class Discriminator(nn.Module):
    """items [n, *shape] → logits [n]."""

    def __init__(self, shape: tuple[int, ...], config: GANConfig) -> None:
        super().__init__()
        sizes = [prod(shape), *[config.maxout or config.width] * config.depth, 1]
        self.network = perceptron(sizes, lambda: nn.LeakyReLU(0.2))
        if config.maxout:
            hidden = [(Maxout(a, b, pieces=5), nn.Dropout(config.dropout)) for a, b in pairwise(sizes[:-1])]
            self.network = nn.Sequential(*(layer for pair in hidden for layer in pair), self.network[-1])

    def forward(self, items: Float[Tensor, " n *shape"]) -> Float[Tensor, " n"]:
        return self.network(items.flatten(1))[:, 0]


class GAN(Game):
    """The counterfeiter and the police, as they first met."""

    Config = GANConfig

    def __init__(self, config: GANConfig, spec: Spec) -> None:
        super().__init__(config, spec)
        self.low_precision = spec.is_image
        self.augmentation = Augmentation.of(config, spec)
        self.generator, self.discriminator = Generator(spec.real, config), Discriminator(spec.real, config)

    def discriminator_terms(self, batch: Batch) -> Terms:
        objective, real = OBJECTIVES[self.config.objective], batch["real"]
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
        return {"fake": OBJECTIVES[self.config.objective].generator(fake_logits)}

    def judge(self, items: Tensor, random: Random) -> Tensor:
        return self.discriminator(self.augmentation(items, random.uniform))

    def style_weights(self) -> Sequence[Tensor]:
        return (self.generator.network[0].get_parameter("weight"),)

    def render(self, styles: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        return self.generator(styles[:, 0])

    def scores(self, batch: Batch) -> Tensor:
        return self.discriminator(batch["real"])

    presets = {
        # the authors' settings for MNIST, with Adam for their descent with momentum and normal for uniform latents
        "goodfellow2014": dict(objective="non-saturating", gamma=0.0, latent=100, width=1200, depth=2, maxout=240,
                               dropout=0.5, batch=100, lr=2e-4, lr_end=1.0, warm_up=0, beta1=0.5, beta2=0.999,
                               augment=()),
        "minimax": dict(objective="minimax"),
    }  # fmt: skip
