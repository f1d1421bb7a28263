"""Data in which only some items have labels, or are to keep them, made ready for a game."""

from typing import Any

import numpy as np

from elegan.data import Data, keep_labels, without_labels
from elegan.errors import UserError
from elegan.game import Game


def data_for(model: str, game: type[Game], data: Data, labelled: int | None, seed: int) -> Data:
    """The data as the game can take them: with ``labelled`` labels kept, or none where some alone are of no use.

    Raises UserError where labels are few and the model needs all, doesn't learn from few that were asked for, or a
    class has none left.
    """
    if labelled is not None:
        if not game.classifies:
            raise UserError(
                f"--labelled is {labelled}, but {model} doesn't learn from few labels; leave it out, or take sgan."
            )
        data = keep_labels(data, labelled, seed)
    if not data.partly_labelled:
        return data
    if not game.classifies:
        if game.conditional:
            bare = len(data.split.train) - len(data.known)
            raise UserError(
                f"{model} needs a label for every image, and {bare:,} of {len(data.split.train):,} training images "
                "have none; label them, leave them out, or take sgan, which learns from few labels."
            )
        return without_labels(data)
    assert data.labels is not None
    if missing := set(range(len(data.classes))) - set(data.labels[data.known].tolist()):
        names = ", ".join(data.classes[index] for index in sorted(missing)[:5])
        raise UserError(f"No image to train on has the label {names}; label a few more of each class.")
    return data


def check_labelled(labelled: Any) -> int | None:
    """The number of labels to keep, or None; raises UserError for what is no number above 0."""
    if labelled is None:
        return None
    if isinstance(labelled, bool) or not isinstance(labelled, int | np.integer) or labelled < 1:
        raise UserError(f"--labelled is {labelled!r}; it must be a whole number of 1 or more, such as 100.")
    return int(labelled)
