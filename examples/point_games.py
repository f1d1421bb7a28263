"""GANs so small that their whole fate is known: one point against one slope, and the closed forms of their rates.

A point game is a GAN whose data are the one point 0, whose generator is one point x and whose discriminator is the
linear function D(x) = xᵀAψ.  With the loss of 2014 and one dimension it is the Dirac-GAN (Mescheder et al., 2018,
arXiv:1801.04406); with the Wasserstein loss it is the bilinear game xᵀAψ.  Losses and penalties are elegan's own,
and elegan's own loop plays them: ``tests/test_known_truth.py`` proves both by the rates that come out.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from elegan.game import Adam, Batch, Config, Game, Move, Progress, Spec, Terms
from elegan.losses.adversarial import OBJECTIVES
from elegan.losses.penalties import between, one_centred, zero_centred
from elegan.training.engine import Engine
from elegan.training.loop import Training

Method = Literal["simultaneous", "alternating", "extragradient", "optimistic"]
SIDES = ("generator", "discriminator")
PROCESSOR = Engine(torch.device("cpu"), bf16=False, channels_last=False, threads=1)


@dataclass(frozen=True)
class PointConfig(Config):
    batch: int = 2
    """Two copies of each point, so that instance noise can be +noise and -noise."""
    method: Method = "alternating"
    """Who moves when."""
    step: float = 0.2
    """The step of plain gradient descent."""
    objective: Literal["minimax", "non-saturating", "wasserstein"] = "minimax"
    """What both sides minimise."""
    r1: float = 0.0
    """Weight gamma of the zero-centred penalty on the data."""
    r2: float = 0.0
    """Weight gamma of the zero-centred penalty on what was generated."""
    one_centred: float = 0.0
    """Weight of WGAN-GP's penalty."""
    noise: float = 0.0
    """Standard deviation of the instance noise."""
    consensus: float = 0.0
    """Weight of half the squared length of both sides' gradients, which both then descend, too."""
    clip: float = 0.0
    """Bound on the discriminator's weights after each of its moves; 0: none."""
    ema: int = 1_000_000


class Point(nn.Module):
    """The generator: whatever the latent, one point; None → x expanded to [n, k]."""

    def __init__(self, start: Sequence[float]) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.tensor(start))

    def forward(self, n: int) -> Tensor:
        return self.place.expand(n, -1)


class Slope(nn.Module):
    """The discriminator D(x) = xᵀAψ: points [n, k] → logits [n]."""

    matrix: Tensor

    def __init__(self, start: Sequence[float], matrix: Tensor) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.tensor(start))
        self.register_buffer("matrix", matrix)

    def forward(self, points: Tensor) -> Tensor:
        return points @ self.matrix @ self.place


class PointGame(Game):
    """One point against one slope, by one of four methods; the equilibrium is x = 0, ψ = 0."""

    Config = PointConfig
    deliver = SIDES
    anchor: Tensor
    last_stride: Tensor

    def __init__(self, config: PointConfig, start: Sequence[Sequence[float]], matrix: Tensor | None = None) -> None:
        super().__init__(config, Spec({"real": (len(start[0]),)}))
        self.generator = Point(start[0])
        self.discriminator = Slope(start[1], torch.eye(len(start[0])) if matrix is None else matrix)
        self.register_buffer("anchor", self.place())
        self.register_buffer("last_stride", torch.full_like(self.anchor, math.nan))

    def place(self) -> Tensor:
        """Where the game stands: (x, ψ) in one vector."""
        return torch.cat([getattr(self, side).place.detach() for side in SIDES])

    def put(self, place: Tensor) -> None:
        """Have the game stand at (x, ψ)."""
        for side, part in zip(SIDES, place.chunk(2), strict=True):
            getattr(self, side).place.data.copy_(part)

    def moves(self, progress: Progress) -> Sequence[Move]:
        both = Move("joint_terms", SIDES)
        if self.config.method == "alternating":
            return super().moves(progress)
        return (both, Move("corrected_terms", SIDES, data="same")) if self.config.method == "extragradient" else (both,)

    def discriminator_terms(self, batch: Batch) -> Terms:
        config, objective = self.config, OBJECTIVES[self.config.objective]
        noise = config.noise * batch["side"]
        real = (batch["real"] + noise).detach().requires_grad_(True)
        fake = (self.generator(len(real)) + noise).requires_grad_(True)
        real_logits, fake_logits = self.discriminator(real), self.discriminator(fake)
        terms = {"real": objective.real(real_logits), "fake": objective.fake(fake_logits)}
        if config.r1:
            terms["r1"] = zero_centred(real_logits, real, config.r1)
        if config.r2:
            terms["r2"] = zero_centred(fake_logits, fake, config.r2)
        if config.one_centred:
            middle = between(real, fake, batch.random.uniform(len(real)))
            terms["one_centred"] = one_centred(self.discriminator(middle), middle, config.one_centred)
        return terms

    def generator_terms(self, batch: Batch) -> Terms:
        fake = self.generator(len(batch["real"])) + self.config.noise * batch["side"]
        return {"fake": OBJECTIVES[self.config.objective].generator(self.discriminator(fake))}

    def gradients(self, batch: Batch) -> list[Tensor]:
        """What each side would descend alone at this place: ∂(its loss)/∂(its parameters)."""
        found = []
        for side in SIDES:
            loss = torch.stack([term.mean() for term in getattr(self, f"{side}_terms")(batch).values()]).sum()
            found += torch.autograd.grad(loss, getattr(self, side).place, create_graph=True)
        return found

    def joint_terms(self, batch: Batch) -> Terms:
        """Both sides at once: a term whose gradient is that of each side's own loss."""
        gradients = self.gradients(batch)
        places = [getattr(self, side).place for side in SIDES]
        terms = {"own": torch.stack([(p * g.detach()).sum() for p, g in zip(places, gradients, strict=True)]).sum()}
        if self.config.consensus:
            terms["consensus"] = 0.5 * self.config.consensus * torch.cat(gradients).square().sum()
        return terms

    corrected_terms = joint_terms

    def after_move(self, move: Move, batch: Batch) -> None:
        """Make of a plain step what the method wants; ``anchor`` is where the step began."""
        if self.config.clip and "discriminator" in move.trains:
            self.discriminator.place.data.clamp_(-self.config.clip, self.config.clip)
        if self.config.method == "extragradient" and move.terms == "joint_terms":
            batch["look"] = self.place()
            return
        if self.config.method == "extragradient":  # back to the anchor, and from there by the gradient ahead
            self.put(self.anchor + self.place() - batch["look"])
        if self.config.method == "optimistic":  # two of these strides, less the one before
            stride = self.place() - self.anchor
            first = bool(self.last_stride.isnan().any())
            self.put(self.place() + (0 if first else stride - self.last_stride))
            self.last_stride.copy_(stride)
        self.anchor.copy_(self.place())

    def optimizer(self, name: str, progress: Progress) -> Adam:
        """Plain gradient descent: an ε beside which the gradient's size is nothing, and as large a learning rate."""
        huge = 1e100
        return Adam(lr=self.config.step * huge, beta1=0.0, beta2=0.5, eps=huge)


class Origin:
    """The data of a point game: 0, twice, with the sign of its instance noise."""

    def __init__(self, size: int) -> None:
        self.position, self.size = 0, size

    def draw(self, n: int) -> Mapping[str, Tensor]:
        self.position += n
        return {"real": torch.zeros(n, self.size), "side": torch.tensor([[1.0], [-1.0]]).repeat(n // 2, 1)}


@dataclass(frozen=True)
class Path:
    """A game as it was played: the places (x, ψ) and elegan's averages of them, each float64 [steps + 1, 2 k]."""

    places: np.ndarray
    averages: np.ndarray


def play(config: PointConfig, steps: int, start: Sequence[Sequence[float]], matrix: Tensor | None = None) -> Path:
    """Play a point game by elegan's own loop, in float64."""
    with double():
        game = PointGame(config, start, matrix)
        training = Training(game, Origin(len(start[0])), total=steps * config.batch, engine=PROCESSOR)
        places, averages = [game.place()], [game.place()]
        for _ in range(steps):
            training.play_step()
            places.append(game.place())
            averaged = training.averages.state()
            averages.append(torch.cat([averaged[f"{side}.place"] for side in SIDES]))
    return Path(torch.stack(places).numpy(), torch.stack(averages).numpy())


def field(config: PointConfig, places: np.ndarray) -> np.ndarray:
    """Where a short step of both sides leads from each place (x, ψ), float64 [n, 2]: the arrows of a phase portrait."""
    arrows = []
    with double():
        game = PointGame(config, [[0.0], [0.0]])
        for place in torch.from_numpy(places):
            game.put(place)
            terms = game.joint_terms(Batch(Origin(1).draw(config.batch)))
            slopes = torch.autograd.grad(torch.stack(list(terms.values())).sum(), list(game.parameters()))
            arrows.append(-torch.cat(slopes))
    return torch.stack(arrows).numpy()


@contextmanager
def double() -> Iterator[None]:
    """A stretch of code whose new tensors are float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def modulus(method: Method, s: float, damping: float = 0.0) -> float:
    """What a step multiplies the distance from the equilibrium by, in the end: the largest |eigenvalue| of a step.

    ``s`` is the step times the coupling of both sides (a singular value of A; f'(0) = ½ for the Dirac-GAN's loss), and
    ``damping`` the step times what pulls ψ to 0.  Derived from the 2x2 matrices of a step; the undamped ones are in
    Gidel et al., 2019 (arXiv:1802.10551) and Zhang & Yu, 2020 (arXiv:1908.05699).
    """
    if method == "simultaneous":
        return spectral_radius(2 - damping, 1 - damping + s * s)
    if method == "alternating":
        return spectral_radius(2 - damping - s * s, 1 - damping)
    if damping:
        raise ValueError(f"There is no closed form here for {method} steps with damping.")
    if method == "extragradient":
        return math.sqrt(1 - s**2 + s**4)
    root = 1 - 4 * s * s
    return math.sqrt((1 + math.sqrt(root)) / 2) if root >= 0 else math.hypot(0.5, s + math.sqrt(-root) / 2)


def spectral_radius(trace: float, determinant: float) -> float:
    """The larger |eigenvalue| of a real 2x2 matrix."""
    square = trace * trace - 4 * determinant
    return math.sqrt(determinant) if square < 0 else (abs(trace) + math.sqrt(square)) / 2


def measured_modulus(radii: np.ndarray, skip: float = 0.5) -> float:
    """The factor a step by which radii [steps + 1] change: the slope of log r by least squares."""
    steps = np.arange(len(radii))[int(skip * len(radii)) :]
    return float(np.exp(np.polyfit(steps, np.log(radii[steps]), 1)[0]))


@dataclass(frozen=True)
class Case:
    """A point game in one dimension whose fate is known."""

    name: str
    config: PointConfig
    truth: float | None
    """The closed form of the factor a step; None: all that is known is that it doesn't converge."""
    start: float = 1.0
    """Both coordinates at the start; small where only the neighbourhood of the equilibrium has a closed form."""
    steps: int = 300

    def radii(self) -> np.ndarray:
        """The distance from the equilibrium after each step, float64 [steps + 1]."""
        return np.linalg.norm(play(self.config, self.steps, [[self.start], [self.start]]).places, axis=1)


def bilinear(method: Method, s: float = 0.3) -> Case:
    return Case(method, PointConfig(method=method, step=s, objective="wasserstein"), modulus(method, s))


def dirac(
    name: str,
    method: Method = "alternating",
    damping: float = 0.0,
    start: float = 1.0,
    steps: int = 300,
    **settings: Any,
) -> Case:
    """The Dirac-GAN with steps of 0.2, where f'(0) = ½ makes s = 0.1; ``damping`` is what pulls ψ to 0."""
    truth = modulus(method, STEP / 2, STEP * damping)
    return Case(name, PointConfig(method=method, step=STEP, **settings), truth, start, steps)


def lost(name: str, **settings: Any) -> Case:
    """A Dirac-GAN of which it is proven that it doesn't converge (Mescheder et al., 2018, section 3)."""
    return Case(name, PointConfig(step=STEP, **settings), None)


STEP = 0.2
SMALL = 0.01
BILINEAR = tuple(bilinear(method) for method in get_args(Method))
UNPENALISED = (
    dirac("none, simultaneous", "simultaneous", start=SMALL),
    dirac("none, alternating", start=SMALL),
    dirac("none, extragradient", "extragradient", start=SMALL),
    dirac("none, optimistic", "optimistic", start=SMALL),
)
LOST = (
    lost("WGAN, clipped at 1", objective="wasserstein", clip=1.0),
    lost("WGAN-GP, weight 0.15", objective="wasserstein", one_centred=0.15),
)
# The noise of two values, ±1, has variance 1: near the equilibrium it pulls ψ to 0 with half of that.
# Consensus turns the field by ½ and pulls both sides by a quarter of its weight: |1 − h/4 + ih/2|.
PENALISED = (
    dirac("R1, γ = 0.3", damping=0.3, r1=0.3),
    dirac("R1, γ = 1", damping=1.0, r1=1.0),
    dirac("R2, γ = 0.3", damping=0.3, r2=0.3),
    dirac("R1 and R2, γ = 0.3 each", damping=0.6, r1=0.3, r2=0.3),
    dirac("R1, γ = 0.3, simultaneous", "simultaneous", damping=0.3, r1=0.3),
    # twice the same eigenvalue, so that the distance falls as t 0.9ᵗ and nears its rate slowly
    dirac("R1, γ = 1, simultaneous", "simultaneous", damping=1.0, r1=1.0, steps=600),
    dirac("R1, γ = 0.3, non-saturating", damping=0.3, r1=0.3, objective="non-saturating"),
    dirac("instance noise, σ = 1", damping=0.5, noise=1.0),
    Case(
        "consensus, weight 1",
        PointConfig(method="simultaneous", step=STEP, consensus=1.0),
        math.hypot(1 - STEP / 4, STEP / 2),
    ),
)
