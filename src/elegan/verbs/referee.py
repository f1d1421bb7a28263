"""The referee during training: a look at every tick, from features that it learnt by itself, and what follows."""

import math
from dataclasses import asdict, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from elegan.data import Data
from elegan.errors import UserError
from elegan.evaluation.features import Coordinates, Embedder, Features, load_features, train_features
from elegan.evaluation.judge import Standard, quick_look
from elegan.evaluation.modes import Mixture
from elegan.evaluation.stopping import Action, Sight, Watch, Yardstick, decide
from elegan.game import Random
from elegan.json_values import as_json
from elegan.training.course import MIDDLE
from elegan.training.loop import Training
from elegan.verbs.folder import Folder, draw
from elegan.verbs.plan import Plan
from elegan.verbs.probe import tick_belief

LOOKED_AT = 500
LOOK_SEED = 2
"""Every look uses the same latent points, so that looks can be compared."""


class Referee:
    """Looks at the averaged generator, remembers which tick was best, and says how to go on."""

    def __init__(self, plan: Plan, folder: Folder, *, enabled: bool) -> None:
        self.plan, self.folder, self.enabled = plan, folder, enabled
        self.watch = Watch()

    @cached_property
    def features(self) -> Embedder:
        """The referee's features: read from the run folder, or learnt and kept there."""
        return run_features(self.folder, self.plan.data)

    @cached_property
    def standard(self) -> Standard:
        """The reals that every look uses, and what they give against each other."""
        return Standard.of(self.plan.data.part("validation")[0], self.features, n=LOOKED_AT)

    @cached_property
    def yardstick(self) -> Yardstick:
        """The same reals for the rule that says when to stop."""
        return Yardstick.of(self.standard.reals, LOOKED_AT)

    def remember(self, log: list[dict[str, Any]]) -> None:
        """Take up the looks of a run that goes on, or goes back."""
        self.watch = Watch([_sight(line["images"], line["look"]) for line in log if line.get("look")])

    def look(self, training: Training) -> dict[str, Any]:
        """What a look at this moment shows; empty when there is to be no referee."""
        if not self.enabled:
            return {}
        data, label = self.plan.data, None
        if self.plan.conditional:
            label = Random((LOOK_SEED,)).integers(len(data.classes), LOOKED_AT)
        raw = draw(self.plan, training, LOOKED_AT, label, seed=LOOK_SEED)
        if not bool(raw.isfinite().all()):
            return {"not_finite": True, "word": "samples that are not finite"}
        fakes = data.to_items(raw)
        embedded = self.features.embed(fakes)
        sight = self.yardstick.sight(training.images, embedded)
        self.watch.sights.append(sight)
        look = quick_look(fakes, embedded, self.standard, trend=self.watch.trend, mixture=mixture_of(data))
        look |= {"progress": asdict(sight), "belief": tick_belief(self.plan, training, raw, label)}
        return dict(as_json(look))  # type: ignore[call-overload]

    @property
    def chooses(self) -> bool:
        """Whether what it sees of the pictures decides which weights go on and are delivered.

        Not where a classifier is delivered too: that one is best at the end, and a generator that teaches it well need
        not draw well (Dai et al., 2017, arXiv:1705.09783).
        """
        return self.enabled and not self.plan.game.classifies

    @property
    def is_best(self) -> bool:
        """Whether the last look is the best so far."""
        return self.watch.is_best

    def decide(self, training: Training, diverged: bool) -> Action:
        """How to go on after a look."""
        if not self.enabled:
            return "stop" if diverged else "go on"
        course, patient_from = training.course, None
        if course.waits and course.cooled_at is None:
            returned = max((line["to"] for line in self.folder.returns()), default=0)
            patient_from = max(round(MIDDLE * course.total), returned)
        steady = round(training.game.steady_from() * course.total) if self.chooses else None
        return decide(
            self.watch, broken=diverged, returns=training.steadied, patient_from=patient_from, comparable_from=steady
        )


def _sight(images: int, look: dict[str, Any]) -> Sight:
    """A look's numbers, from JSON; NaN where there are none, as in a look of before."""
    numbers = look.get("progress", {})
    return Sight(images, *(_number(numbers.get(field.name)) for field in fields(Sight)[1:]))


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float | str) else math.nan


def run_features(folder: Folder, data: Data) -> Embedder:
    """The features kept in a run folder."""
    return kept_features(folder.checkpoints / "features.safetensors", data)


def kept_features(path: Path, data: Data, doing: str | None = None) -> Embedder:
    """The features in a file; learnt from the training part, and kept, where there are none, or damaged ones."""
    if path.is_file():
        try:
            return load_features(path)
        except UserError:
            path.unlink()
    features = learn_features(data, doing)
    path.parent.mkdir(parents=True, exist_ok=True)
    features.save(path)
    return features


def learn_features(data: Data, doing: str | None = None) -> Features | Coordinates:
    """Features from the training part alone; the coordinates themselves for vectors.  A terminal says ``doing``."""
    if not data.is_image:
        return Coordinates(data.items.shape[1], data.scale)
    images, labels = data.part("train")
    held_images, held_labels = data.part("validation")
    held_out = None if held_labels is None else (held_images, held_labels)
    return train_features(images, labels, held_out=held_out, doing=doing)


def mixture_of(data: Data) -> Mixture | None:
    """The truth about a mixture, where it is known."""
    return None if data.modes is None else Mixture(data.modes.centres.astype(np.float64), data.modes.sigma)
