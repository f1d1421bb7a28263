"""A copy of a game in which one side may play on alone, against fakes or against reals in their place.

Whatever is done here, the game that was given, its gradients, its modes and all random numbers stay as they are.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field, replace
from math import cos, pi, sqrt

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

from elegan.evaluation.belief import Scores
from elegan.game import Adam, Batch, Game, Progress, Random, Ranks

SIDES = ("discriminator", "generator")
CHUNK = 128
HEIGHTS = 20
WARM_UP = 0.2
"""The share of the steps over which the learning rate rises."""


@dataclass(frozen=True)
class Pool:
    """Items [n, *spec.real] as a game sees them and, of a game that is told labels, those labels, int64 [n]."""

    items: Float[Tensor, "n ..."]
    labels: Integer[Tensor, " n"] | None = None

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, rows: slice | Tensor) -> "Pool":
        return Pool(self.items[rows], None if self.labels is None else self.labels[rows])

    def batch(self, random: Random | None = None, progress: Progress = Progress(0, 0)) -> Batch:
        """All of it, named as a game's terms want it."""
        tensors = {"real": self.items} | ({} if self.labels is None else {"label": self.labels})
        return Batch(tensors, random, progress)


@dataclass(frozen=True)
class Rules:
    """How a side plays on: steps of so many items, where training stands, and in which numbers networks compute."""

    steps: int
    batch: int = 32
    progress: Progress = Progress(1, 1)
    seed: int = 0
    autocast: Callable[[], AbstractContextManager[object]] = field(default=nullcontext)


class Replay(nn.Module):
    """Stands where a generator stands and gives random items of a pool, of the labels that are asked for."""

    def __init__(self, pool: Pool, seed: int = 0) -> None:
        super().__init__()
        self.pool, self.calls = pool, 0
        self.random = torch.Generator().manual_seed(seed)

    def forward(self, z: Tensor, *asked: object) -> Tensor:
        """What is asked for: a label first, or nothing; what comes after it is the generator's own affair."""
        self.calls += 1
        label = asked[0] if asked else None
        if self.pool.labels is None or not isinstance(label, Tensor):
            rows = torch.randint(len(self.pool), (len(z),), generator=self.random)
        else:
            same = (label.cpu()[:, None] == self.pool.labels.cpu()[None]).float()
            same[same.sum(1) == 0] = 1  # a label that the pool doesn't have
            rows = torch.multinomial(same, 1, generator=self.random)[:, 0]
        return self.pool.items[rows.to(self.pool.items.device)]


def two_sided(game: Game, pool: Pool, rules: Rules) -> bool:
    """Whether this is a game of one generator against one discriminator that can be played on here.

    It must train no other networks, judge items with ``scores``, sample, and take its fakes from calling the
    generator.  That is tried, on a copy, before anything is spent: a game of another shape fails in its own way.
    """
    trained = {name for move in game.moves(rules.progress) for name in move.trains}
    if trained != set(SIDES) or game.deliver != ("generator",):
        return False
    few = pool[: rules.batch]
    replay = Replay(few)
    try:
        with undisturbed(game):
            copy = isolated(game)
            scores_of(copy, samples_of(copy, few.labels, len(few), seed=0))
            for side in reversed(SIDES):
                getattr(copy, f"{side}_terms")(few.batch(Random((0,), device_of(copy)), rules.progress))
                copy.generator = replay
            scores_of(copy, few)
            return replay.calls > 0
    except Exception:  # whatever a game of another shape raises, the answer is no
        return False


def isolated(game: Game) -> Game:
    """A copy that shares nothing with the game, waits for no other ranks and holds no gradients."""
    copy = deepcopy(game)
    for module in copy.modules():
        if hasattr(module, "ranks"):
            setattr(module, "ranks", Ranks())  # noqa: B010
    copy.zero_grad(set_to_none=True)
    return copy


def play_on(game: Game, side: str, pool: Pool, rules: Rules) -> None:
    """Let ``side`` alone descend its own terms on a pool of reals; changes the game.

    Adam begins anew and rises to a learning rate halfway (geometrically) between the present one and the highest of
    the game's schedule: the present one is mostly too small to get anywhere in a few steps, the highest throws a
    settled network off.  From there it comes down along half a cosine, so that the last steps settle.
    """
    for parameter in game.requires_grad_(False).get_submodule(side).parameters():
        parameter.requires_grad_(True)
    settings, device = _between(game, side, rules.progress), device_of(game)
    adam = torch.optim.Adam(game.train().get_submodule(side).parameters(), betas=(settings.beta1, settings.beta2))
    for step in range(rules.steps):
        random = Random((rules.seed, SIDES.index(side), step), device)
        torch.manual_seed(random.seed)  # dropout draws from the global generator
        rows = random.integers(len(pool), min(rules.batch, len(pool)))
        with rules.autocast():
            terms = getattr(game, f"{side}_terms")(pool[rows].batch(random, rules.progress))
        adam.param_groups[0].update(lr=settings.lr * _swell((step + 1) / rules.steps), eps=settings.eps)
        torch.stack([term.float().mean() for term in terms.values()]).sum().backward()
        adam.step()
        adam.zero_grad(set_to_none=True)


def scores_of(game: Game, pool: Pool) -> Scores:
    """The discriminator's logits of a pool, in evaluation mode."""
    with at_rest(game):
        parts = [game.scores(pool[start : start + CHUNK].batch()) for start in range(0, len(pool), CHUNK)]
    labels = None if pool.labels is None else pool.labels.cpu().numpy()
    return Scores(torch.cat(parts).cpu().numpy().astype(np.float64), labels)


def samples_of(game: Game, labels: Integer[Tensor, " n"] | None, n: int, seed: int) -> Pool:
    """n samples of the game's generator, of ``labels`` where it is told them, in evaluation mode."""
    random, parts = Random((seed, n), device_of(game)), []
    with at_rest(game):
        for start in range(0, n, CHUNK):
            rows = slice(start, min(n, start + CHUNK))
            condition = {} if labels is None else {"label": labels[rows]}
            parts.append(game.sample(rows.stop - rows.start, condition, random))
    return Pool(torch.cat(parts).float(), labels)


@torch.no_grad()
def nudge(module: nn.Module, size: float, random: Random) -> None:
    """Add normal noise to each tensor of parameters, of ``size`` times the tensor's own root mean square."""
    for parameter in module.parameters():
        noise = random.normal(*parameter.shape) if parameter.dim() else random.normal(1)[0]
        parameter.add_(noise.to(parameter.dtype) * (size * parameter.square().mean().sqrt()))


@contextmanager
def at_rest(game: Game) -> Iterator[None]:
    """The game in evaluation mode and without gradients; then every module in its own mode again."""
    modes = [(module, module.training) for module in game.modules()]
    try:
        game.eval()
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def undisturbed(game: Game) -> Iterator[None]:
    """Gradients may be computed, and torch's own random numbers go on afterwards as if nothing had been drawn."""
    devices = [device_of(game)] if device_of(game).type == "cuda" else []
    with torch.random.fork_rng(devices), torch.enable_grad():
        yield


def device_of(game: Game) -> torch.device:
    return next(game.parameters()).device


def _between(game: Game, side: str, progress: Progress) -> Adam:
    """The optimiser's settings now, with a learning rate halfway between the present and the highest one, and at least
    a tenth of that: schedules may end at 0, and a warm-up begins there."""
    now, warm = game.optimizer(side, progress), progress._replace(images=max(progress.images, progress.total))
    highest = max(game.optimizer(side, warm._replace(share=place / HEIGHTS)).lr for place in range(HEIGHTS + 1))
    return replace(now, lr=max(sqrt(now.lr * highest), 0.1 * highest))


def _swell(share: float) -> float:
    """The learning rate in units of its height after a share of the steps: up in a line, down along half a cosine."""
    return min(1.0, share / WARM_UP) * 0.5 * (1 + cos(pi * max(0.0, share - WARM_UP) / (1 - WARM_UP) * 0.95))
