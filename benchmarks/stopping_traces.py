"""Dense records of trainings, healthy and sick, that rules for stopping are replayed on.

    python benchmarks/stopping_traces.py FOLDER [--seeds 3] [--first 0] [--only ring grid] [--data PATH --size 16]

A trace is one training that nobody stops, three times as long as its schedules are made for.  They wait in the middle
of these, as those of a training without a budget do.  At each of its ticks it keeps samples of the averaged generator
(the same latent points throughout), the discriminator's scores of training, validation and generated items, the terms,
and the duality gap as a short probe finds it.  What a referee would have said and how good each tick really was is
computed from these later, so that a rule can change without a new training.
Traces that are in FOLDER already aren't recorded again; seeds come last, so that a record cut short is still even.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from elegan.data import Data, Split, open_data
from elegan.data.split import make_split
from elegan.evaluation.equilibrium import Sides, duality_gap
from elegan.evaluation.sparring import Pool, Rules, samples_of
from elegan.files import write_atomically
from elegan.game import Batch, Game, Random
from elegan.models import find
from elegan.training.course import Course
from elegan.training.loop import Training

LOOKED_AT, SAMPLES, SCORED = 500, 2_000, 300
TICKS = 72
"""Of a trace."""
PROBED, FEWEST, PROBE = 256, 10, 0.1
"""Items that a probe of the duality gap plays on with, as many to read it from; its steps a side, and as a share of
those between two ticks."""
LENGTH = 3
"""Images of a trace in units of what its schedules were made for."""


@dataclass(frozen=True)
class Problem:
    """Data with a model, and the images that its schedules are made for."""

    name: str
    data: Callable[[], Data]
    model: str
    images: int
    settings: Mapping[str, Any] = field(default_factory=dict)


def digits() -> Data:
    return open_data("digits", size="8")


def stacked(count: int = 8_000) -> Data:
    """Three digits at random as the red, green and blue of one image: 1,000 modes, equally likely."""
    plain, random = digits(), np.random.default_rng(1_000)
    rows = random.integers(len(plain.items), size=(count, 3))
    items = np.stack([plain.items[rows[:, channel], ..., 0] for channel in range(3)], axis=-1)
    split = make_split(np.zeros(count, np.int64), seed=0)
    return Data("stacked", items, None, (), split, licence=plain.licence, source="three digits each")


def problems(data: str | None, size: str | None) -> list[Problem]:
    small = {"width": 48, "narrow": 32, "conditional": False}
    found = [
        Problem("ring", lambda: open_data("ring"), "r3gan", 480_000),
        Problem("digits", digits, "r3gan", 36_000, small),
        Problem("grid", lambda: open_data("grid"), "r3gan", 480_000),
        Problem("digits-gan", digits, "gan", 72_000, {"width": 128}),
        Problem("stacked", stacked, "r3gan", 36_000, small),
    ]
    if data:
        found.append(Problem(Path(data).name, lambda: open_data(data, size=size), "r3gan", 48_000, small))
    return found


def few(data: Data) -> Data:
    """200 items to train on; as many as ever to judge by."""
    split = data.split
    return replace(data, split=Split(split.train[:200], split.validation, split.test))


SICK: dict[str, Callable[[Any], dict[str, Any]]] = {
    "healthy": lambda config: {},
    "lr x8": lambda config: {"lr": 8 * config.lr},
    "gamma /100": lambda config: {
        name: value / 100 for name in ("gamma", "gamma_end") if (value := getattr(config, name, None))
    },
    "200 items": lambda config: {},
    "tiny discriminator": lambda config: {"discriminator_width": 0.1} if hasattr(config, "discriminator_width") else {},
    "no R2": lambda config: {"r2": False} if hasattr(config, "r2") else {},
}
"""Setting → what it changes of a settled config."""


def cases(asked: argparse.Namespace) -> Iterator[tuple[Problem, str, int]]:
    for seed in range(asked.first, asked.first + asked.seeds):
        for sickness in asked.settings or SICK:
            for problem in problems(asked.data, asked.size):
                if asked.only and problem.name not in asked.only:
                    continue
                if sickness == "200 items" and problem.name in ("ring", "grid"):
                    continue
                if problem.model == "gan" and sickness in ("tiny discriminator", "no R2"):
                    continue
                yield problem, sickness, seed


def new_training(problem: Problem, sickness: str, seed: int) -> tuple[Training, Data]:
    data, kind = problem.data(), find(problem.model)
    if sickness == "200 items":
        data = few(data)
    preset = kind.presets.get(kind.default_preset(data.spec) or "", {})
    config = kind.settled(kind.Config(**{**preset, **problem.settings}), data.spec)  # type: ignore[attr-defined]
    config = replace(config, **SICK[sickness](config))
    torch.manual_seed(seed)
    game, stream = kind(config, data.spec), data.stream("train", seed=seed)
    return Training(game, stream, course=Course(problem.images, waits=True), seed=seed), data


def record(problem: Problem, sickness: str, seed: int, path: Path) -> None:
    """Train without an end, keep what the ticks show, and stop where numbers are no longer finite."""
    training, data = new_training(problem, sickness, seed)
    every = -(-LENGTH * problem.images // (TICKS * training.game.config.batch)) * training.game.config.batch
    steps = max(FEWEST, round(PROBE * every / training.game.config.batch))
    lines, samples, scores, gaps, start = [], [], [], [], time.perf_counter()
    for tick in training.play(every=every):
        drawn = samples_of_tick(training, data)
        finite = not tick.not_finite and bool(np.isfinite(drawn).all())
        lines.append({"images": tick.images, "terms": tick.terms, "finite": finite})
        if not finite:
            break
        samples.append(data.to_items(torch.from_numpy(drawn)))
        scores.append(_scores(training, data))
        gaps.append(_gap(training, data, steps))
        if tick.images >= LENGTH * problem.images:
            break
    facts = {
        "problem": problem.name, "sickness": sickness, "seed": seed, "model": problem.model, "every": every,
        "schedules": problem.images, "seconds": round(time.perf_counter() - start, 1), "ticks": lines,
        "train": len(data.split.train), "gaps": gaps,
    }  # fmt: skip
    with path.with_suffix(".part").open("wb") as file:
        np.savez(file, samples=np.stack(samples) if samples else np.zeros(0), scores=np.array(scores))
        file.flush()
        os.fsync(file.fileno())
    path.with_suffix(".part").rename(path.with_suffix(".npz"))
    write_atomically(path.with_suffix(".json"), json.dumps(facts).encode())


@torch.no_grad()
def samples_of_tick(training: Training, data: Data) -> np.ndarray:
    """Samples in the same order at every tick; the first LOOKED_AT are what a referee may see."""
    game, random = training.game, Random((2, SAMPLES))
    label = {"label": random.integers(len(data.classes), SAMPLES)} if game.conditional else {}
    with training.averages.inside(game) as averaged:
        return np.asarray(averaged.sample(SAMPLES, label, random).float().numpy())


@torch.no_grad()
def _scores(training: Training, data: Data) -> list[list[float]]:
    """The discriminator's scores of training, validation and generated items; equally many of each."""
    stream = data.stream("validation", seed=1)
    n = min(SCORED, len(data.split.train), len(data.split.validation))
    train = data.stream("train", seed=1).draw(n)["real"]
    fake = training.game.sample(n, {}, Random((3, n)))
    return [_score(training.game, items) for items in (train, stream.draw(n)["real"], fake)]


def _score(game: Game, items: torch.Tensor) -> list[float]:
    game.eval()
    found = game.scores(Batch({"real": items.float()})).float().tolist()
    game.train()
    return found


def _gap(training: Training, data: Data, steps: int) -> float:
    """The duality gap as a probe of so many steps a side finds it, on the same items at every tick."""
    game = training.game
    train, held = (Pool(data.stream(part, seed=4).draw(PROBED)["real"].float()) for part in ("train", "validation"))
    sides = Sides(train, samples_of(game, None, PROBED, 5), held, samples_of(game, None, PROBED, 6), 6)
    rules = Rules(steps, progress=training.progress, seed=7)
    return float(duality_gap(game, sides, sides, rules, seeds=1).value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--settings", nargs="+", choices=list(SICK))
    parser.add_argument("--data", help="one problem more")
    parser.add_argument("--size", default="16")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    for problem, sickness, seed in cases(asked):
        path = asked.folder / f"{problem.name}-{sickness.replace(' ', '_').replace('/', 'over')}-{seed}"
        if not path.with_suffix(".json").exists():
            record(problem, sickness, seed, path)
            facts = json.loads(path.with_suffix(".json").read_text())
            print(f"{path.name}: {len(facts['ticks'])} ticks, {facts['seconds']:.0f} s", flush=True)


if __name__ == "__main__":
    main()
