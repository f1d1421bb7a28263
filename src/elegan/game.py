"""The contract: what the loop knows of a GAN, and all that it knows.

A game is the two sides of a GAN (or four networks, or one growing one) and what each side minimises.
The loop plays *moves*: it draws a batch, asks the game for the named *terms* of the move's loss, and descends the sum
of their means with respect to the submodules that the move trains.  Nothing else about a paper reaches the loop.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from elegan.schedule import hold_then_cosine, warm_up

Terms = dict[str, Tensor]
"""Named parts of a side's loss, weighted as in the paper: one value an item judged, or a scalar for a statistic of the
whole batch.  The loop descends the sum of the means."""


@dataclass(frozen=True)
class Spec:
    """What a data set says of itself to a game: the shape of each named tensor of a batch, for one item.

    ``real`` is the thing to generate: (channels, height, width) for images, whose values lie in [-1, 1],
    or (dimensions,) for vectors, whose coordinates have a root mean square of about 1.
    ``label`` () is the class of an item; where only some items have one, "labelled" has the shape of ``real`` and is a
    draw of these, as many as of ``real``, and ``label`` is theirs.
    """

    shapes: Mapping[str, tuple[int, ...]]
    classes: tuple[str, ...] = ()
    items: int = 0
    """How many items there are to train on; 0 when unknown or endless."""
    variance: float = 0.0
    """The mean squared distance of an item from the mean item, over all values together; 0 when unknown."""
    paired: bool = False
    """Whether a batch's "source", an image to translate, belongs to the "real" beside it."""

    @property
    def real(self) -> tuple[int, ...]:
        return self.shapes["real"]

    @property
    def is_image(self) -> bool:
        return len(self.real) == 3

    @property
    def image(self) -> tuple[int, int, int]:
        """The shape of an image: channels, height, width."""
        channels, height, width = self.real
        return channels, height, width


class Progress(NamedTuple):
    """How far training has come, in images shown; ``total`` is the budget.

    ``share`` is given where the schedules don't follow from these two: the referee may let them wait.
    """

    images: int
    total: int
    share: float | None = None

    @property
    def fraction(self) -> float:
        """The share of the schedules that is behind, in [0, 1]."""
        if self.share is not None:
            return self.share
        return min(1.0, self.images / self.total) if self.total else 0.0


@dataclass(frozen=True)
class Move:
    """One update: the terms method that gives its loss, and the submodules that it trains.

    ``data`` says which items it sees: "shown" draws new ones that count as images shown, "fresh" draws
    new ones that don't, "same" keeps those of the move before.
    """

    terms: str
    trains: tuple[str, ...]
    data: Literal["shown", "fresh", "same"] = "shown"


@dataclass(frozen=True)
class Adam:
    """Settings of the optimiser (Kingma & Ba, 2015) of one submodule at one moment."""

    lr: float
    beta1: float
    beta2: float
    eps: float = 1e-8


@dataclass(frozen=True)
class Ranks:
    """One process of several that share a batch; alone by default.

    ``mean`` is the mean over the rows of the *whole* batch, [n, ...] → [...], and can be differentiated;
    terms that use a batch statistic take it from here so that two ranks equal one.
    """

    rank: int = 0
    size: int = 1

    def mean(self, rows: Tensor) -> Tensor:
        return rows.mean(dim=0)

    def gather(self, rows: Tensor) -> Tensor:
        """The rows of the whole batch, without gradients, for state that all ranks must share (a pool)."""
        return rows.detach()


class Random:
    """Every random number of one move, from a generator seeded by (seed, step, move).

    Each draw is made for the whole batch, on the processor, and this rank's slice of it goes to the device.  So
    two ranks equal one, a resumed run equals an uninterrupted one, and every machine draws the same numbers.
    ``n`` is the number of rows on this rank.
    """

    def __init__(self, key: Sequence[int], device: torch.device | str = "cpu", ranks: Ranks | None = None) -> None:
        self.ranks, self.device = ranks or Ranks(), torch.device(device)
        self.seed = int(np.random.SeedSequence(list(key)).generate_state(1, np.uint64)[0] >> np.uint64(1))
        self.generator = torch.Generator().manual_seed(self.seed)

    def _rows(self, whole: Tensor, n: int) -> Tensor:
        return whole[self.ranks.rank * n : (self.ranks.rank + 1) * n].to(self.device, non_blocking=True)

    def normal(self, n: int, *shape: int) -> Tensor:
        """Standard normal numbers, ``[n, *shape]``."""
        return self._rows(torch.randn(n * self.ranks.size, *shape, generator=self.generator), n)

    def uniform(self, n: int, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1), ``[n, *shape]``."""
        return self._rows(torch.rand(n * self.ranks.size, *shape, generator=self.generator), n)

    def integers(self, high: int, n: int, *shape: int) -> Tensor:
        """Whole numbers in [0, high), int64 ``[n, *shape]``."""
        return self._rows(torch.randint(high, (n * self.ranks.size, *shape), generator=self.generator), n)


class Batch(dict[str, Tensor]):
    """The named tensors of one step, with the move's random numbers and the progress of training.

    A move may leave detached tensors in it for the moves after it in the same step.
    """

    def __init__(
        self,
        tensors: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]] = (),
        random: Random | None = None,
        progress: Progress = Progress(0, 0),
        ranks: Ranks | None = None,
    ) -> None:
        super().__init__(tensors)
        self.random = random or Random((0,))
        self.progress = progress
        self.ranks = ranks or Ranks()


@dataclass(frozen=True)
class Config:
    """What every model can be told; a model's own Config adds its own fields.

    The string under a field is its help on the command line, its tooltip and its documentation.
    """

    batch: int = 64
    """Images a step."""
    lr: float = 5e-4
    """The generator's learning rate at its height."""
    lr_ratio: float = 1.0
    """The discriminator's learning rate in units of the generator's."""
    lr_end: float = 0.1
    """The share of the learning rate that is left at the end."""
    hold: float = 0.0
    """The share of the budget before the learning rate begins to fall, along half a cosine."""
    fall_until: float = 1.0
    """The share of the budget at which the learning rate has fallen to its end."""
    warm_up: int = 3_200
    """Images over which the learning rate rises from 0."""
    beta1: float = 0.0
    """Adam's first momentum."""
    beta2: float = 0.99
    """Adam's second momentum."""
    ema: int = 20_000
    """Half-life of the averaged weights, in images shown."""
    ema_ramp: float = 0.2
    """Early on the half-life is at most this share of the images shown so far."""
    augment: tuple[Literal["affine", "translation", "cutout", "colour"], ...] | None = None
    """Differentiable augmentation; when not given: affine below 10,000 training images, none above."""
    augment_share: float = 0.5
    """The share of images that each augmentation is applied to."""
    augment_gap: float = 0.0
    """Adapt that share instead: raise it while held-out images score lower than training images by more than this
    share of what generated ones do; 0: don't."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            for number in value if isinstance(value, tuple) else (value,):
                least = 1 if type(number) is int and name not in MAY_BE_0 else 0
                if isinstance(number, int | float) and not least <= number < math.inf:
                    raise ValueError(f"{name} is {number}; it must be {least} or more, and finite.")
        if not self.lr > 0:
            raise ValueError(f"lr is {self.lr}; it must be more than 0.")
        for name in ("beta1", "beta2"):
            if not getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0 and below 1.")
        for name in ("augment_share", "augment_gap", "hold", "fall_until"):
            if getattr(self, name) > 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must lie between 0 and 1.")


HELD_EVERY = 8
"""Steps between two looks at held-out items, by games that want any."""
MAY_BE_0 = {"halvings", "levels", "ema", "warm_up", "group", "maxout", "minibatch"}
"""Whole numbers of a Config that may be 0; all others count something that must be there."""


class Game(nn.Module):
    """A GAN: its networks, its moves and what each side minimises.

    Terms methods may change no state but normalisation buffers; all else changes in :meth:`after_move`.
    """

    deliver: ClassVar[tuple[str, ...]] = ("generator",)
    """The submodules that are averaged, saved and handed to users."""
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Published settings: name → fields of the Config that differ from the defaults."""
    low_precision: bool = True
    """Whether the networks may compute in bf16 and channels_last: those of images; what places points must be exact."""
    conditional: bool = False
    """Whether ``sample`` takes a label."""
    classifies: ClassVar[bool] = False
    """Whether it learns to classify, ``class_logits``, from as few labels as there are ("labelled" in a batch)."""
    translations: ClassVar[tuple[str, ...]] = ()
    """The sides that ``translate`` makes images of: "B" out of A's, "A" out of B's; none for what draws from noise."""

    def __init__(self, config: Any, spec: Spec) -> None:
        super().__init__()
        self.config, self.spec = self.settled(config, spec), spec

    @property
    def asks(self) -> tuple[str, ...]:
        """The names of the tensors that ``sample`` needs in its condition: "label", or "source" for a translator."""
        return ("source",) if self.translations else ("label",) if self.conditional else ()

    @classmethod
    def default_preset(cls, spec: Spec) -> str | None:
        """The preset that stands in for the defaults on such data, if any."""
        return None

    @classmethod
    def settled(cls, config: Any, spec: Spec) -> Any:
        """The config with what it leaves to the data filled in; a run's record holds this one."""
        return config

    @classmethod
    def refuses(cls, config: Any, spec: Spec) -> str | None:
        """Why this game can't be played on such data, in a sentence; None when it can."""
        return None

    def moves(self, progress: Progress) -> Sequence[Move]:
        """The ordered moves of one step."""
        return (
            Move("discriminator_terms", ("discriminator",)),
            Move("generator_terms", ("generator",), data="same"),
        )

    def phases(self) -> Sequence[float]:
        """The shares of the schedules at which the cost of a step changes, in order from 0."""
        return (0.0,)

    def steady_from(self) -> float:
        """From which share of the schedules on looks can be compared: a layer that fades in makes pictures worse."""
        return 0.0

    def stage(self, progress: Progress) -> str:
        """What is in play at this moment, in a word or two for people: "8x8"; here the share of augmented images, where
        it adapts."""
        shares = [float(part.get_buffer("share")) for part in self.modules() if getattr(part, "adaptive", False)]
        return f"{max(shares):.0%} augmented" if shares else ""

    def discriminator_terms(self, batch: Batch) -> Terms:
        raise NotImplementedError

    def generator_terms(self, batch: Batch) -> Terms:
        raise NotImplementedError

    def after_move(self, move: Move, batch: Batch) -> None:
        """Change the state that terms may not; called without gradients after each update.  Here the share of augmented
        images, where it adapts; who overrides it calls this too."""
        if "held_real" in batch and any(name.startswith("discriminator") for name in move.trains):
            excess = self.overfitting(batch)
            for part in self.modules():
                if callable(adapt := getattr(part, "adapt", None)):
                    adapt(excess, HELD_EVERY * self.config.batch)

    @property
    def wants_held(self) -> bool:
        """Whether every HELD_EVERY steps a batch is to hold held-out items too, "held_real" beside "real" …: where the
        share of augmented images adapts."""
        return any(getattr(part, "adaptive", False) for part in self.modules())

    def overfitting(self, batch: Batch) -> Tensor:
        """E D(train) − E D(held out) less ``augment_gap`` times E D(train) − E D(generated): above 0, a scalar, where
        the discriminator knows its training images too well.

        Karras et al., 2020, arXiv:2006.06676, eq. 1 (r_v), multiplied out; a constant added to D changes nothing.
        """
        was = self.training
        self.eval()
        held = {name.removeprefix("held_"): tensor for name, tensor in batch.items() if name.startswith("held_")}
        n, asked = len(batch["real"]), {name: batch[name] for name in self.asks}
        fakes = self.sample(n, asked, batch.random)
        kinds = (batch, held, {**batch, "real": fakes})
        train, held_out, generated = (
            batch.ranks.mean(self.scores(Batch(kind, batch.random, batch.progress, batch.ranks)).float())
            for kind in kinds
        )
        self.train(was)
        return (train - held_out) - self.config.augment_gap * (train - generated)

    def steadied(self) -> Any:
        """The config with which to go on after a collapse: half the learning rate, twice the gradient penalty."""
        calmer: dict[str, float] = {"lr": self.config.lr / 2}
        for name in ("gamma", "gamma_end"):
            if getattr(self.config, name, None):
                calmer[name] = 2 * getattr(self.config, name)
        return replace(self.config, **calmer)

    def optimizer(self, name: str, progress: Progress) -> Adam:
        """The optimiser's settings for submodule ``name`` at this moment."""
        config = self.config
        lr = config.lr * (config.lr_ratio if name == "discriminator" else 1.0)
        lr *= hold_then_cosine(1.0, config.lr_end, progress.fraction, config.hold, config.fall_until)
        return Adam(lr * warm_up(progress.images, config.warm_up), config.beta1, config.beta2)

    def half_life(self, progress: Progress) -> float:
        """Half-life of the averaged weights at this moment, in images shown."""
        return min(self.config.ema, self.config.ema_ramp * progress.images)

    def latents(self, n: int, random: Random) -> Tensor:
        """What ``sample`` draws: z [n, d], standard normal."""
        return random.normal(n, self.config.latent)

    def styles(self, z: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """What the generator is steered by, [n, layers, d], the coarsest layer first; by default z, as one layer."""
        return z[:, None]

    def mean_style(self, n: int, condition: Mapping[str, Tensor]) -> Tensor:
        """The mean style under this condition, [n, layers, d], towards which truncation goes; by default z's, 0."""
        return torch.zeros_like(self.styles(self.latents(n, Random((0,))), condition))

    def style_weights(self) -> Sequence[Tensor]:
        """One matrix [outputs, d] a layer, the first that its style meets; empty where none meets it linearly."""
        return ()

    def render(self, styles: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """The items ``[n, *spec.real]`` of styles [n, layers, d]; can be differentiated."""
        raise NotImplementedError

    def scales(self, styles: Tensor) -> Tensor:
        """What styles [n, layers, d] scale each convolution's channels by, [n, c]; only where they scale channels."""
        raise NotImplementedError

    def render_scales(self, scales: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """The items ``[n, *spec.real]`` of scales [n, c]; can be differentiated."""
        raise NotImplementedError

    def sample(self, n: int, condition: Mapping[str, Tensor], random: Random) -> Tensor:
        """Generate ``[n, *spec.real]``; ``condition`` holds what is asked for, "label" int64 [n] say."""
        return self.render(self.styles(self.latents(n, random), condition), condition)

    def translate(self, images: Tensor, to: str) -> Tensor:
        """Images [n, C, H, W] of the other side, of any size, as images of side ``to``, one of ``translations``."""
        raise NotImplementedError

    @classmethod
    def labels_alone(cls, config: Any) -> Any:
        """Of a game that classifies: the config under which labels are all that it learns from, to compare with."""
        raise NotImplementedError

    def class_logits(self, items: Tensor) -> Tensor:
        """Logits [n, classes] of items ``[n, *spec.real]``, beside which the logit of a generated item is 0."""
        raise NotImplementedError

    def scores(self, batch: Batch) -> Tensor:
        """The discriminator's logits [n] for ``batch["real"]``, for the referee."""
        raise NotImplementedError


__all__ = [
    "Adam", "Batch", "Config", "Game", "Move", "Progress", "Random", "Ranks", "Spec", "Terms",
]  # fmt: skip
