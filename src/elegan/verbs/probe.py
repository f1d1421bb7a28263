"""The probes of a game's equilibrium, for a training under way or a run folder; and what D believes, at a tick."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elegan.data import Data
from elegan.evaluation.belief import accuracy_gap, belief, overfit_signal, preference
from elegan.evaluation.equilibrium import STEP_SIZES, Sides, best_response, duality_gap, worse_after_step
from elegan.evaluation.estimate import Estimate
from elegan.evaluation.features import Embedder
from elegan.evaluation.sparring import (
    Pool,
    Replay,
    Rules,
    isolated,
    play_on,
    samples_of,
    scores_of,
    two_sided,
    undisturbed,
)
from elegan.game import Game, Progress
from elegan.training.checkpoint import DamagedCheckpoint, load_checkpoint
from elegan.training.course import Course
from elegan.training.loop import Training
from elegan.verbs.benchmarking.counting import count
from elegan.verbs.plan import Plan
from elegan.verbs.run import Run

SEED, LATENTS = 5, 6
LOOKED_AT = 300
"""Items of each kind that a tick's belief is drawn from."""
PLAYED, HELD = 512, 500
"""Items of each kind to play on with, and held out."""
FEWEST_ITEMS = 28
BATCH = 16
MOST_STEPS = {"best_response": 50, "duality_gap": 200}
FEWEST_STEPS = 10
PART = 8
"""A probe plays at most one step for so many of the training: a run of seconds isn't judged for a minute."""
SEEDS = 2
WORK = {"cpu": 1e12}
"""Floating-point operations of all probes together: ten to fifteen seconds of one thread."""
WORK_ELSEWHERE = 3e13
SHARES = {"best_response": 0.3, "duality_gap": 0.5, "worse_after_step": 0.2}
PATIENCE = 4
"""A network is so big that its probe is left out when the fewest steps cost so many times what they may."""
STEPPED, FEWEST_STEPPED, DRAWS = 250, 50, 6
"""Samples of each draw, and draws, by which the generator is judged before and after a random step."""
READINGS = {
    "discriminator_accuracy": (
        "How often the discriminator is right",
        "Of pairs of a held-out real item and a generated one, the share in which it scores the real one higher.  50 % "
        "is what a perfect generator leaves, and also what a dead discriminator gives.",
    ),
    "accuracy_gap": (
        "Right more often on training items",
        "The same share on training items less that on held-out ones.  Above its band, part of what the discriminator "
        "knows is learnt by heart.",
    ),
    "overfit_signal": (
        "Does it know training items?",
        "How much more often than half it scores a training item above a held-out one; both are real, so it should be "
        "0.",
    ),
    "best_response": (
        "What the discriminator could still gain",
        "The rise of the game's value when the discriminator alone plays on.  Above its band, it lags behind the "
        "generator; within it, it is at its best or has nothing left to gain.",
    ),
    "duality_gap": (
        "What both could still gain",
        "The value of the game when the discriminator alone plays on, less that when the generator alone does; 0 at an "
        "equilibrium.  This is a lower bound, since a few steps don't find the best response: it can show that the "
        "game isn't at rest, never that it is.  Not to be compared between networks.",
    ),
    "worse_after_step": (
        "Does any small change make it worse?",
        "The share of small random steps of the generator after which its samples are farther from the data.  At an "
        "equilibrium every step makes them worse; half of them do where the generator could as well be another.",
    ),
}
"""What each figure is called, and how to read it."""


def probe_training(plan: Plan, training: Training, features: Embedder) -> dict[str, Any]:
    """report["equilibrium"] of a live training, which stays bit for bit as it is; empty for games of other shapes."""
    with training.averages.inside(training.game) as game:
        copy = isolated(game)
    return _Probe(copy, plan.data, training.progress, training.step, features, training.engine.autocast).figures()


def probe_run(run: Run, data: Data, features: Embedder) -> dict[str, Any]:
    """report["equilibrium"] of a run folder: its averaged generator against the discriminator of the same moment.

    Empty where there is no checkpoint any more, or the game is of another shape.  Networks compute in float32.
    """
    found = _checkpoint(run)
    if found is None:
        return {}
    tensors, numbers = found
    game = isolated(run.game)
    try:
        for name, module in game.named_children():
            if name not in game.deliver:
                mine = {k.removeprefix(f"game.{name}."): v for k, v in tensors.items() if k.startswith(f"game.{name}.")}
                module.load_state_dict(mine)
        progress = _progress(numbers)
    except (RuntimeError, KeyError, TypeError, ValueError):  # of another version, or of other networks
        return {}
    return _Probe(game, data, progress, int(numbers["step"]), features, nullcontext).figures()


def tick_belief(plan: Plan, training: Training, fakes: Tensor, labels: Tensor | None) -> dict[str, Any]:
    """What the discriminator believes at a tick, as :func:`elegan.evaluation.belief.belief` says it, and "diversity":
    the spread of the fakes over that of held-out reals.

    ``fakes`` [n, *spec.real] are as the generator drew them, on any device, ``labels`` [n] what they were asked to be.
    About 300 items a kind are looked at.  Empty where the game scores no items or a number isn't finite.
    """
    game, device = training.game, training.engine.device
    rows = [_some(plan.data.indices(part), LOOKED_AT) for part in ("train", "validation")]
    pools = [_pool(plan.data, part, game.conditional, device) for part in rows]
    asked = None if labels is None else labels[:LOOKED_AT].to(device)
    shown = fakes[:LOOKED_AT].to(device)
    try:
        with training.engine.autocast():
            found = belief(*(scores_of(game, pool) for pool in (*pools, Pool(shown, asked))))
    except (NotImplementedError, KeyError):  # no scores, or scores of something that only its moves make
        return {}
    if not found:
        return {}
    spread, of_reals = (items.flatten(1).float().var(0).sum().sqrt().item() for items in (shown, pools[1].items))
    return {**found, "diversity": spread / of_reals if of_reals > 0 else 1.0}


@dataclass
class _Probe:
    """A game's copy, to which anything may be done, and the data that it is played with."""

    game: Game
    data: Data
    progress: Progress
    played: int
    """Steps of the training behind it."""
    features: Embedder
    autocast: Callable[[], AbstractContextManager[object]]

    def figures(self) -> dict[str, Any]:
        train, held = self.data.indices("train"), self.data.indices("validation")
        if min(len(train) // 2, len(held) // 2) < FEWEST_ITEMS or set(self.game.asks) - {"label"}:
            return {}
        if not two_sided(self.game, self.sides.reals, self._rules(1)):
            return {}
        if not bool(self.sides.held_fakes.items.isfinite().all()):
            return {}
        return {
            name: found.figure(self.features.name if name == "worse_after_step" else None)
            | {"label": READINGS[name][0], "reading": READINGS[name][1], **more}
            for name, (found, more) in (self._beliefs() | self._responses() | self._steps()).items()
        }

    @cached_property
    def sides(self) -> Sides:
        """Half of some training reals to play on with, as many fakes; held-out reals, and as many fakes."""
        reals, others = np.array_split(_some(self.data.indices("train"), 2 * PLAYED), 2)
        held = self._pool(_some(self.data.indices("validation"), HELD))
        labels = self._pool(others).labels
        return Sides(self._pool(reals), self._fakes(labels, len(others), LATENTS + 1), held,
                     self._fakes(held.labels, len(held), LATENTS), LATENTS)  # fmt: skip

    @cached_property
    def nulls(self) -> Sides:
        """The same with reals for fakes: the other half of the training reals, and half of the held-out ones."""
        _, others = np.array_split(_some(self.data.indices("train"), 2 * PLAYED), 2)
        half = len(self.sides.held_reals) // 2
        held = self.sides.held_reals
        return Sides(self.sides.reals, self._pool(others), held[:half], held[half:])

    def _pool(self, rows: np.ndarray) -> Pool:
        return _pool(self.data, rows, self.game.conditional, next(self.game.parameters()).device)

    def _fakes(self, labels: Tensor | None, n: int, seed: int) -> Pool:
        return samples_of(self.game, labels, n, seed)

    def _rules(self, steps: int) -> Rules:
        return Rules(steps, min(BATCH, self.game.config.batch), self.progress, SEED, self.autocast)

    def _beliefs(self) -> dict[str, tuple[Estimate, dict[str, Any]]]:
        pools = (self.sides.reals, self.sides.held_reals, self.sides.held_fakes)
        train, held, fakes = (scores_of(self.game, pool) for pool in pools)
        return {
            "discriminator_accuracy": (preference(held, fakes), {}),
            "accuracy_gap": (accuracy_gap(train, held, fakes), {}),
            "overfit_signal": (overfit_signal(train, held), {}),
        }

    def _responses(self) -> dict[str, tuple[Estimate, dict[str, Any]]]:
        judge, paint = self._work()
        costs = {"best_response": 2 * judge, "duality_gap": SEEDS * (judge + paint) + judge}
        found = {}
        for name, cost in costs.items():
            most = min(MOST_STEPS[name], self.played // PART)
            steps = self._affordable(name, cost, FEWEST_STEPS, most) if most >= FEWEST_STEPS else 0
            if not steps:
                continue
            probe = {"best_response": best_response, "duality_gap": duality_gap}[name]
            found[name] = (probe(self.game, self.sides, self.nulls, self._rules(steps)), {"steps": steps})
        return found

    def _work(self) -> tuple[int, int]:
        """Operations of one step of the discriminator against fixed fakes, and of one of the generator."""
        with undisturbed(self.game):
            copy, rules = isolated(self.game), self._rules(1)
            paint = _operations(lambda: play_on(copy, "generator", self.sides.reals, rules))
            copy.generator = Replay(self.sides.fakes)
            judge = _operations(lambda: play_on(copy, "discriminator", self.sides.reals, rules))
        return judge, paint

    def _affordable(self, name: str, cost: float, fewest: int, most: int) -> int:
        """As many as a probe's share of the work allows; 0 for networks too big for the fewest."""
        work = SHARES[name] * WORK.get(next(self.game.parameters()).device.type, WORK_ELSEWHERE)
        number = min(most, int(work / max(1.0, cost)))
        if number >= fewest:
            return number
        return fewest if fewest * cost <= PATIENCE * work else 0

    def _steps(self) -> dict[str, tuple[Estimate, dict[str, Any]]]:
        labels, held = self.sides.held_reals.labels, len(self.sides.held_reals)
        one = _operations(lambda: samples_of(self.game, None if labels is None else labels[:8], 8, SEED)) / 8
        cost = DRAWS * (1 + len(STEP_SIZES)) * one
        n = self._affordable("worse_after_step", cost, min(FEWEST_STEPPED, held), min(STEPPED, held))
        if not n:
            return {}
        reals = self.features.embed(self.data.items[_some(self.data.indices("validation"), HELD)])
        worse, change = worse_after_step(
            self.game, lambda samples: self.features.embed(self.data.to_items(samples)), reals,
            None if labels is None else labels[:n], n=n, draws=DRAWS, seed=SEED,
        )  # fmt: skip
        return {"worse_after_step": (worse, {"change": change.figure(self.features.name), "samples": n})}


def _operations(work: Callable[[], object]) -> int:
    return sum(count(work).values())


def _pool(data: Data, rows: np.ndarray, labelled: bool, device: torch.device) -> Pool:
    batch = data.batch(rows)
    return Pool(batch["real"].to(device), batch["label"].to(device) if labelled else None)


def _some(rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the rows, the same each time."""
    return np.random.default_rng(SEED).permutation(rows)[:most]


def _checkpoint(run: Run) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """The checkpoint that the delivered generator was averaged at, or else the newest that can be read."""
    found = []
    for which in ("last", "best", "previous"):
        try:
            found.append(load_checkpoint(run.path / "checkpoints", which))
        except DamagedCheckpoint:
            continue
        if found[-1][1].get("images") == run.described["images"]:
            return found[-1]
    return found[0] if found else None


def _progress(numbers: dict[str, Any]) -> Progress:
    """How far training was; at its end where the checkpoint doesn't say how the schedules went."""
    images = int(numbers["images"])
    course = Course(**numbers["course"]) if "course" in numbers else Course(images)
    return Progress(images, course.total, course.fraction(images))
