"""Whether samples are copies of training items: nearer to them than fresh reals ever are."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from elegan.evaluation.estimate import Estimate, share

NEAR = 0.01
"""Samples count as near when as near to a training item as this share of the held-out reals that repeat none."""
ROUNDING = 1e-5
"""Items this near, in units of the data's spread, are equal up to rounding."""
CHUNK = 256


@dataclass(frozen=True)
class Nearest:
    """Of each item the distance to its nearest training item, and that item's index; [n] each."""

    distance: Float[np.ndarray, " n"]
    index: Int[np.ndarray, " n"]


@dataclass(frozen=True)
class Space:
    """Four parts of one data set as vectors of one kind: pixels, say, or features."""

    samples: Float[np.ndarray, "m d"]
    train: Float[np.ndarray, "t d"]
    validation: Float[np.ndarray, "v d"]
    test: Float[np.ndarray, "r d"]


@dataclass(frozen=True)
class Nearness:
    """The nearest training items in one space, and who is too near: bool [m] and [r]."""

    samples: Nearest
    near: np.ndarray
    near_test: np.ndarray
    threshold: float


def nearest(items: Float[np.ndarray, "n d"], references: Float[np.ndarray, "t d"]) -> Nearest:
    """The nearest reference of each item; found in float32, measured in float64."""
    references32 = references.astype(np.float32, copy=False)
    squares = np.einsum("td,td->t", references32, references32)
    found = [
        (squares - 2 * items[start : start + CHUNK].astype(np.float32, copy=False) @ references32.T).argmin(axis=1)
        for start in range(0, len(items), CHUNK)
    ]
    index = np.concatenate(found) if found else np.zeros(0, np.int64)
    gap = items.astype(np.float64) - references[index].astype(np.float64)
    return Nearest(np.sqrt((gap * gap).sum(axis=1)), index)


def near_threshold(distance: Float[np.ndarray, " n"], rounding: float) -> float:
    """The 1 % quantile of distances above ``rounding``, or ``rounding`` where none is.

    Distances of items that repeat another are 0, up to rounding; with them the quantile of data that hold
    1 % of repeats would be 0, and near to nothing.
    """
    apart = distance[distance > rounding]
    return float(np.quantile(apart, NEAR)) if len(apart) else rounding


def nearness(space: Space) -> Nearness:
    """Who lies as near to the training split as the 1 % quantile of validation reals: samples, test reals.

    The excess of such samples over the null is close to the share that is copied.  The quantile comes from
    validation reals that repeat no training item and the null from all test reals, so that the null is
    measured: about 1 %, and more where reals repeat each other.
    """
    found = (nearest(part, space.train) for part in (space.samples, space.validation, space.test))
    return calibrated(*found, rounding=rounding_of(space.validation))


def calibrated(samples: Nearest, validation: Nearest, test: Nearest, *, rounding: float) -> Nearness:
    """Who is too near, when all three were looked for in the same way; distances up to ``rounding`` are none."""
    threshold = near_threshold(validation.distance, rounding)
    return Nearness(samples, samples.distance <= threshold, test.distance <= threshold, threshold)


def rounding_of(rows: Float[np.ndarray, "n d"]) -> float:
    """The distance up to which items of this spread count as equal."""
    return ROUNDING * float(np.sqrt(rows.var(axis=0, dtype=np.float64).sum()))


def near_share(*spaces: Nearness) -> Estimate:
    """The share of samples too near in every one of these spaces, with its Wilson interval and null.

    Near in pixels *and* in features: blurred samples are near in pixels and typical ones in features.
    """
    near = np.logical_and.reduce([space.near for space in spaces])
    test = np.logical_and.reduce([space.near_test for space in spaces])
    return share(int(near.sum()), len(near), float(test.mean()))


def closest_pairs(*spaces: Nearness, n: int = 8) -> list[dict[str, int]]:
    """The n samples that come closest to being copies, with the training item nearest in the first space.

    Closeness is the distance in thresholds, in the space where it is largest.
    """
    scores = [space.samples.distance / max(space.threshold, 1e-12) for space in spaces]
    order = np.maximum.reduce(scores).argsort(kind="stable")[:n]
    return [{"sample": int(i), "train": int(spaces[0].samples.index[i])} for i in order]
