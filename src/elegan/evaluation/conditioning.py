"""Whether samples are of the classes they should be, and vary within a class as reals do."""

from dataclasses import dataclass
from itertools import pairwise
from math import nan
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Integer, Shaped

from elegan.evaluation.estimate import Estimate, between, share, within
from elegan.evaluation.features import as_pixels
from elegan.evaluation.fidelity import distances

Labels = Integer[np.ndarray, " n"]
MOST_TRAINING_IMAGES = 4000


@runtime_checkable
class Machine(Protocol):
    """What scikit-learn calls a classifier."""

    def predict(self, rows: np.ndarray) -> np.ndarray: ...


class IndependentClassifier:
    """A support vector machine on pixels, which shares nothing with the features."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def predict(self, images: Shaped[np.ndarray, "n ..."]) -> Labels:
        """The class of each image uint8 [n, h, w, c], or vector [n, d]; int64 [n]."""
        if not len(images):
            return np.zeros(0, np.int64)
        return np.asarray(self._machine.predict(as_pixels(images)), np.int64)


def independent_classifier(
    train_images: Shaped[np.ndarray, "n ..."], train_labels: Labels, *, seed: int = 0
) -> IndependentClassifier:
    """Fit an RBF support vector machine (C = 10) to real images uint8 [n, h, w, c] or vectors [n, d], 4,000 at most."""
    from sklearn.dummy import DummyClassifier
    from sklearn.svm import SVC

    rows = drawn_rows(train_labels, seed)
    several = np.ptp(train_labels[rows]) > 0
    machine = SVC(C=10.0, gamma="scale") if several else DummyClassifier(strategy="most_frequent")
    return IndependentClassifier(machine.fit(as_pixels(train_images[rows]), train_labels[rows]))


def drawn_rows(labels: Labels, seed: int = 0, most: int = MOST_TRAINING_IMAGES) -> Integer[np.ndarray, " k"]:
    """At most so many rows, drawn by the seed, in order, and among them one of every class."""
    order = np.random.default_rng(seed).permutation(len(labels))
    first = np.unique(labels[order], return_index=True)[1]
    return np.sort(np.concatenate([order[first], np.delete(order, first)])[:most])


@dataclass(frozen=True)
class ClassCount:
    """One class: how often it was asked for, how often it was recognised, and what would be fair.

    ``share`` is the recognised share of all samples; its null is the share that reals in the same mix
    of classes would have, recognised with the same mistakes.  ``agreement`` is the share of what was
    asked for that is recognised as such; its null is the same for reals.
    """

    requested: int | None
    recognised: int
    share: Estimate
    agreement: Estimate | None


def class_counts(
    recognised: Labels, requested: Labels | None,
    real_recognised: Integer[np.ndarray, " r"], real_labels: Integer[np.ndarray, " r"], classes: int,
) -> list[ClassCount]:  # fmt: skip
    """A :class:`ClassCount` for each class."""
    right = _confusion(real_labels, real_recognised, classes)
    mix = np.bincount(real_labels if requested is None else requested, minlength=classes)
    fair = mix / max(mix.sum(), 1) @ right
    counts = np.bincount(recognised, minlength=classes)
    return [
        ClassCount(
            None if requested is None else int((requested == c).sum()),
            int(counts[c]),
            share(int(counts[c]), len(recognised), float(fair[c])),
            None if requested is None else _agreement_of(c, recognised, requested, float(right[c, c])),
        )
        for c in range(classes)
    ]


def agreement(
    recognised: Labels, requested: Labels,
    real_recognised: Integer[np.ndarray, " r"], real_labels: Integer[np.ndarray, " r"],
) -> Estimate:  # fmt: skip
    """Share of samples recognised as the class that was asked for; its null is the accuracy on reals."""
    null = float((real_recognised == real_labels).mean()) if len(real_labels) else nan
    return share(int((recognised == requested).sum()), len(requested), null)


def spread(
    rows: tuple[Float[np.ndarray, "m d"], Float[np.ndarray, "r d"], Float[np.ndarray, "m d"]],
    labels: tuple[Integer[np.ndarray, " m"], Integer[np.ndarray, " r"], Integer[np.ndarray, " m"]],
    classes: int,
    *,
    seed: int = 0,
) -> tuple[Estimate, list[Estimate]]:
    """Mean distance between two samples of a class over the same for reals: the mean over classes, then each.

    ``rows`` and ``labels`` are those of samples, reals and as many more reals as samples, for the null.
    1 is expected of perfect samples; NaN for classes with fewer than 2 items on either side.
    """
    among, label = distances(np.concatenate(rows), np.concatenate(rows)), np.concatenate(labels)

    def measure(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        ratios = _mean_distances(among, label, a, classes) / _mean_distances(among, label, b, classes)
        known = ratios[np.isfinite(ratios)]
        return np.concatenate([[known.mean() if len(known) else nan], ratios])

    edges = np.cumsum([0, *(len(part) for part in rows)])
    parts = [np.arange(start, stop) for start, stop in pairwise(edges)]
    found = between(measure, *parts, k=classes + 1, seed=seed, repeats=30)
    overall, *each = (within(estimate, 0.0, np.inf) for estimate in found)
    return overall, each


def _mean_distances(among: np.ndarray, label: np.ndarray, rows: np.ndarray, classes: int) -> np.ndarray:
    """Mean distance between two different rows of each class, [K]; NaN where there are none."""
    means = np.full(classes, nan)
    for c in range(classes):
        members = rows[label[rows] == c]
        if (n := len(members)) > 1:
            means[c] = max(among[np.ix_(members, members)].sum() / (n * (n - 1)), 1e-12)
    return means


def _confusion(actual: np.ndarray, recognised: np.ndarray, classes: int) -> np.ndarray:
    """P(recognised | actual), [K, K]; a class with no reals is taken to be recognised rightly."""
    table = np.zeros((classes, classes))
    np.add.at(table, (actual, recognised), 1)
    empty = table.sum(axis=1) == 0
    table[empty] = np.eye(classes)[empty]
    return np.asarray(table / table.sum(axis=1, keepdims=True))


def _agreement_of(c: int, recognised: np.ndarray, requested: np.ndarray, null: float) -> Estimate:
    asked = requested == c
    return share(int((recognised[asked] == c).sum()), int(asked.sum()), null)
