"""The referee during training: a look at every tick, from features that it learnt by itself."""

import math
from functools import cached_property
from typing import Any

import numpy as np

from elegan.data import Data
from elegan.errors import UserError
from elegan.evaluation.features import Coordinates, Embedder, load_features, train_features
from elegan.evaluation.judge import quick_look
from elegan.evaluation.modes import Mixture
from elegan.game import Random
from elegan.training.loop import Training
from elegan.verbs.folder import Folder, draw
from elegan.verbs.plan import Plan

LOOKED_AT = 500
LOOK_SEED = 2
"""Every look uses the same latent points, so that looks can be compared."""


class Referee:
    """Looks at the averaged generator and remembers which tick was best."""

    def __init__(self, plan: Plan, folder: Folder, *, enabled: bool) -> None:
        self.plan, self.folder, self.enabled = plan, folder, enabled
        self.history: list[dict[str, Any]] = []
        self.is_best = False

    @cached_property
    def features(self) -> Embedder:
        """The referee's features: read from the run folder, or learnt and kept there."""
        return run_features(self.folder, self.plan.data)

    def remember(self, log: list[dict[str, Any]]) -> None:
        """Take up the looks of a run that goes on."""
        self.history = [line["look"] for line in log if line.get("look")]

    def look(self, training: Training) -> dict[str, Any]:
        """KID and coverage against the validation part; empty when there is to be no referee."""
        if not self.enabled:
            return {}
        data = self.plan.data
        label = None
        if self.plan.conditional:
            label = Random((LOOK_SEED,)).integers(len(data.classes), LOOKED_AT)
        fakes = draw(self.plan, training, LOOKED_AT, label, seed=LOOK_SEED)
        if not bool(fakes.isfinite().all()):
            return {"not_finite": True, "word": "samples that are not finite"}
        items = data.to_items(fakes)
        validation = data.part("validation")[0]
        look = quick_look(items, validation, self.features, history=self.history, mixture=mixture_of(data))
        self.history.append(look)
        self.is_best = math.isfinite(_distance(look)) and _distance(look) <= min(map(_distance, self.history))
        return look


def run_features(folder: Folder, data: Data) -> Embedder:
    """The features kept in a run folder; learnt from the training part where there are none, or damaged ones."""
    path = folder.checkpoints / "features.safetensors"
    if path.is_file():
        try:
            return load_features(path)
        except UserError:
            path.unlink()
    features = learn_features(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    features.save(path)
    return features


def learn_features(data: Data) -> Embedder:
    """Features from the training part alone; the coordinates themselves for vectors."""
    if not data.is_image:
        return Coordinates(data.items.shape[1], data.scale)
    images, labels = data.part("train")
    held_images, held_labels = data.part("validation")
    held_out = None if held_labels is None else (held_images, held_labels)
    return train_features(images, labels, held_out=held_out)


def mixture_of(data: Data) -> Mixture | None:
    """The truth about a mixture, where it is known."""
    return None if data.modes is None else Mixture(data.modes.centres.astype(np.float64), data.modes.sigma)


def _distance(look: dict[str, Any]) -> float:
    value = look.get("kernel_distance", {}).get("value")
    return float(value) if isinstance(value, int | float) else float("inf")
