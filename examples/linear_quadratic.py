"""The linear-quadratic GAN: a linear generator, a quadratic discriminator, Gaussian data; its equilibrium is PCA.

Feizi et al., 2017, "Understanding GANs: the LQG setting" (arXiv:1710.10793): played for the Wasserstein distance of
second order, the best linear generator of r latents spans the r leading principal components.  Here the game is
elegan's Wasserstein loss with R1.  With D(x) = xᵀQx + vᵀx and data of covariance Σ, the discriminator's best answer to
a generator of covariance S has Q solve 2γ(QΣ + ΣQ) = Σ − S, so the generator pays Σᵢ λᵢ / 8γ over the principal
components i that it leaves out: the same order as PCA's.  At the equilibrium Q is 0 where the generator is and 1/4γ
along each component left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from elegan.game import Batch, Config, Game, Random, Spec, Terms
from elegan.losses.adversarial import critic_fake, critic_generator, critic_real
from elegan.losses.penalties import zero_centred
from elegan.training.engine import Engine
from elegan.training.loop import Training

PROCESSOR = Engine(torch.device("cpu"), bf16=False, channels_last=False, threads=1)


@dataclass(frozen=True)
class LinearQuadraticConfig(Config):
    latent: int = 1
    """Dimensions r of the latent: the rank of the generator."""
    gamma: float = 1.0
    """Weight of R1."""
    batch: int = 1_000
    lr: float = 2e-2
    lr_ratio: float = 3.0
    lr_end: float = 0.05
    warm_up: int = 0
    ema: int = 300_000


class Quadratic(nn.Module):
    """D(x) = xᵀQx + vᵀx: [n, d] → logits [n]; it begins at 0."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.square = nn.Parameter(torch.zeros(size, size))
        self.slope = nn.Parameter(torch.zeros(size))

    def forward(self, points: Tensor) -> Tensor:
        return ((points @ self.square) * points).sum(1) + points @ self.slope


class LinearQuadratic(Game):
    """G(z) = Wz + b against D(x) = xᵀQx + vᵀx, by the Wasserstein loss with R1."""

    Config = LinearQuadraticConfig
    generator: nn.Linear
    discriminator: Quadratic

    def __init__(self, config: LinearQuadraticConfig, spec: Spec) -> None:
        super().__init__(config, spec)
        self.generator = nn.Linear(config.latent, spec.real[0])
        self.discriminator = Quadratic(spec.real[0])

    def discriminator_terms(self, batch: Batch) -> Terms:
        real = batch["real"].detach().requires_grad_(True)
        with torch.no_grad():
            fake = self.generate(len(real), batch.random)
        real_logits = self.discriminator(real)
        return {
            "real": critic_real(real_logits),
            "fake": critic_fake(self.discriminator(fake)),
            "r1": zero_centred(real_logits, real, self.config.gamma),
        }

    def generator_terms(self, batch: Batch) -> Terms:
        fake = self.generate(len(batch["real"]), batch.random)
        return {"fake": critic_generator(self.discriminator(fake))}

    def generate(self, n: int, random: Random) -> Tensor:
        return self.generator(random.normal(n, self.config.latent))

    def sample(self, n: int, condition: Mapping[str, Tensor], random: Random) -> Tensor:
        return self.generate(n, random)


class Gaussian:
    """Endless draws from a Gaussian of mean [d] and principal components: variances [d], directions [d, d]."""

    def __init__(self, variances: Sequence[float], mean: Sequence[float] = (), seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.variances = np.asarray(variances, float)
        self.directions = np.linalg.qr(random.standard_normal((len(variances), len(variances))))[0]
        self.mean = np.asarray(mean if len(mean) else np.zeros(len(variances)), float)
        self.position, self.seed = 0, seed

    def draw(self, n: int) -> Mapping[str, Tensor]:
        random = np.random.default_rng((self.seed, self.position))
        self.position += n
        points = random.standard_normal((n, len(self.mean))) * np.sqrt(self.variances) @ self.directions.T + self.mean
        return {"real": torch.from_numpy(points).to(torch.get_default_dtype())}


def training_on(data: Gaussian, latent: int, images: int, *, seed: int = 0) -> Training:
    """The game on such data, ready to be played."""
    torch.manual_seed(seed)
    game = LinearQuadratic(LinearQuadraticConfig(latent=latent), Spec({"real": (len(data.mean),)}))
    return Training(game, data, total=images, seed=seed, engine=PROCESSOR)


@dataclass(frozen=True)
class Played:
    """What a game came to; images and errors [ticks], the rest by principal component [d], the largest first."""

    images: np.ndarray
    errors: np.ndarray
    """The subspace error of the averaged generator at each tick."""
    weights: np.ndarray
    """The averaged generator's W at each tick, [ticks, d, r]."""
    mean: np.ndarray
    """The averaged generator's b, [d]."""
    square: np.ndarray
    """The discriminator's Q along each component."""
    slope: np.ndarray
    """The discriminator's v, [d]."""
    truth: np.ndarray
    """``square`` in closed form."""


def play(data: Gaussian, latent: int, images: int, ticks: int = 20) -> Played:
    """Play the game by elegan's own loop and compare with PCA."""
    training = training_on(data, latent, images)
    game, averaged = training.game, training.averages.modules["generator"]
    assert isinstance(game, LinearQuadratic)
    assert isinstance(averaged, nn.Linear)
    leading, shown, weights = data.directions[:, :latent], [], []
    for tick in training.play(every=images // ticks):
        shown.append(tick.images)
        weights.append(averaged.weight.detach().double().numpy().copy())
    square = game.discriminator.square.detach().double().numpy()
    left_out = np.arange(len(data.mean)) >= latent
    return Played(
        images=np.array(shown),
        errors=np.array([subspace_error(weight, leading) for weight in weights]),
        weights=np.array(weights),
        mean=averaged.bias.detach().double().numpy(),
        square=np.einsum("ji,jk,ki->i", data.directions, square, data.directions),
        slope=game.discriminator.slope.detach().double().numpy(),
        truth=np.where(left_out, 1 / (4 * game.config.gamma), 0.0),
    )


def subspace_error(weight: np.ndarray, truth: np.ndarray) -> float:
    """The sine of the largest angle between the columns' spans of two matrices [d, r]: 0 equal, 1 orthogonal."""
    ours, theirs = np.linalg.qr(weight)[0], np.linalg.qr(truth)[0]
    return float(np.linalg.norm(ours - theirs @ (theirs.T @ ours), 2))
