"""What a run's classifier is worth: right answers on held-out items, beside others' who had the same labels."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elegan.data import Data
from elegan.evaluation.estimate import share
from elegan.evaluation.few_labels import more_often_right, spread_labels, support_vectors
from elegan.game import Game, Ranks
from elegan.models import find
from elegan.training.loop import Training
from elegan.verbs.plan import make_config
from elegan.verbs.run import Run

ROWS = 256
MOST_STEPS = 400
"""So long at most does the network that has labels alone learn; it has learnt all of them by heart much sooner."""


def classifier_figures(run: Run, data: Data) -> dict[str, Any]:
    """The report's section "classifier"; empty for a run that doesn't classify, or without labels to check by."""
    if not run.game.classifies or data.labels is None or not len(data.known):
        return {}
    held = data.split.test[data.labels[data.split.test] >= 0]
    if not len(held):
        return {}
    labels, items = data.labels[held], data.items[held]
    right = predicted(run.game, data, held) == labels
    rivals = [
        _row(name, guess == labels, right)
        for name, guess in _rivals(run, data, held, items)
    ]  # fmt: skip
    return {
        "accuracy": share(int(right.sum()), len(right)).figure(), "labels": len(data.known),
        "training": len(data.split.train), "rivals": rivals,
    }  # fmt: skip


def _rivals(run: Run, data: Data, held: np.ndarray, items: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    assert data.labels is not None
    train, labels = data.items[data.split.train], data.labels[data.split.train]
    yield "the same network, labels alone", predicted(labels_alone(run, data), data, held)
    yield "support vector machine", support_vectors(train, labels, items)
    yield "label spreading", spread_labels(train, labels, items)


def _row(name: str, right: np.ndarray, ours: np.ndarray) -> dict[str, Any]:
    accuracy = share(int(right.sum()), len(right)).figure()
    return {"name": name, "accuracy": accuracy, "behind": more_often_right(ours, right).figure()}


def labels_alone(run: Run, data: Data) -> Game:
    """The run's network after the labels alone have taught it, for 400 steps at most."""
    model, config = str(run.record["model"]), dict(run.record["config"])
    kind = find(model)
    alone = kind.labels_alone(make_config(model, kind, None, config))
    seed, total = int(run.record["seed"]), min(int(run.described["images"]), MOST_STEPS * alone.batch)
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        game, stream = kind(alone, data.spec), data.stream("train", seed=seed, ranks=Ranks())
        training = Training(game, stream, total=total, seed=seed)
        _keep_to_itself(training)
        for _ in training.play(every=total):
            pass
    for name, module in training.averages.modules.items():
        setattr(game, name, module)
    return game.eval()


def _keep_to_itself(training: Training) -> None:
    """This training is one process's own, also where several train together: the others wait and would never answer."""
    training.ranks = Ranks()
    for part in training.game.modules():
        if hasattr(part, "ranks"):
            setattr(part, "ranks", training.ranks)  # noqa: B010


def predicted(game: Game, data: Data, rows: np.ndarray) -> np.ndarray:
    """The class, int64 [n], that the game takes each of these items for."""
    parts = [rows[start : start + ROWS] for start in range(0, len(rows), ROWS)]
    found = [class_logits(game, data.tensor(part)).argmax(1).numpy() for part in parts]
    return np.concatenate(found) if found else np.zeros(0, np.int64)


@torch.no_grad()
def class_logits(game: Game, items: Tensor) -> Tensor:
    """The game's class logits [n, classes] of items, on the processor."""
    device = next(game.parameters()).device
    return game.class_logits(items.to(device)).float().cpu()
