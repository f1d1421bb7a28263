"""Few labels among many images: which to keep, and how both reach a game."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from elegan.data.found import plural
from elegan.data.stream import ItemStream
from elegan.errors import UserError

if TYPE_CHECKING:
    from elegan.data.dataset import Data

UNLABELLED = -1
"""The label of an item that has none."""


def keep_labels(data: "Data", count: int, seed: int) -> "Data":
    """The data with so many labels among the training items, as equally many a class as can be, drawn by the seed.

    The other training items get the label -1; validation and test keep theirs.  Raises UserError where the classes or
    the labels don't suffice.
    """
    if data.labels is None or data.endless:
        raise UserError("--labelled says how many labels to keep, and the data have no two classes to count them by.")
    train = data.split.train[data.labels[data.split.train] != UNLABELLED]
    if not len(data.classes) <= count <= len(train):
        raise UserError(
            f"--labelled is {count}; it must be at least {len(data.classes)}, a label for every class, and at most "
            f"{len(train)}, the labelled images to train on."
        )
    shuffled = np.random.default_rng(np.random.SeedSequence([seed, count])).permutation(train)
    kept = shuffled[np.argsort(_turns(data.labels[shuffled]), kind="stable")][:count]
    labels = data.labels.copy()
    labels[np.setdiff1d(data.split.train, kept)] = UNLABELLED
    note = f"Of {plural(len(data.split.train), 'training image')}, {count:,} keep their labels, drawn by seed {seed}."
    return replace(data, labels=labels, notes=(*data.notes, note))


def _turns(labels: np.ndarray) -> np.ndarray:
    """0 for the first of each class, 1 for the second, and so on, in their order."""
    turns = np.empty_like(labels)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        turns[members] = np.arange(len(members))
    return turns


def without_labels(data: "Data") -> "Data":
    """The same items for who can't do with labels for some of them alone."""
    known = int((data.labels[data.split.train] != UNLABELLED).sum()) if data.labels is not None else 0
    note = (
        f"Only {known:,} of {plural(len(data.split.train), 'training image')} have a label, so none is used; "
        "sgan learns from few labels."
    )
    return replace(data, labels=None, classes=(), notes=(*data.notes, note))


class LabelledBeside:
    """A stream of all items, "real", and of the labelled ones beside them: as many, "labelled" with their "label".

    Where the labelled ones are at an end, they begin anew; ``position`` counts both.
    """

    def __init__(self, every: ItemStream, labelled: ItemStream) -> None:
        self.position, self.ranks = 0, every.ranks
        self._every, self._labelled = every, labelled

    def draw(self, n: int) -> Mapping[str, Tensor]:
        """The next n items of this rank, and n labelled ones; ``position`` moves on by the whole batch."""
        batch = self.at(self.position, n)
        self.position += n * self.ranks.size
        return batch

    def at(self, position: int, n: int) -> Mapping[str, Tensor]:
        """The same from the whole batch that begins at ``position``, which stays as it is."""
        known = self._labelled.at(position, n)
        return {"real": self._every.at(position, n)["real"], "labelled": known["real"], "label": known["label"]}
