"""Train, validation and test: fixed by a seed, disjoint, complete, and fair to every class."""

from collections.abc import Sequence

import numpy as np

from elegan.data.dataset import PARTS, Split

HELD_SHARE = 1 / 6
HELD_LIMIT = 5_000
FEW = 3


def make_split(labels: np.ndarray, seed: int, given: np.ndarray | None = None) -> Split:
    """Split items with these class numbers (all 0 when unlabelled) into three parts.

    Validation and test get a sixth each, at most 5,000 items; every class with 3 items or more is in every
    part.  ``given`` [N] names the part of each item that came with one ("train", "validation", "test" or "");
    a given test or validation part is kept as it is, and what is missing is taken from the rest.
    """
    generator = np.random.default_rng(np.random.SeedSequence(seed))
    given = np.full(len(labels), "") if given is None else given
    parts = {part: np.flatnonzero(given == part) for part in ("validation", "test")}
    rest = np.flatnonzero(~np.isin(given, ("validation", "test")))
    missing = [part for part, rows in parts.items() if not len(rows)]
    held = _hold_out(labels[rest], len(missing), generator)
    for part, chosen in zip(missing, held, strict=True):
        parts[part] = np.sort(rest[chosen])
    train = np.setdiff1d(rest, np.concatenate([parts[part] for part in missing])) if missing else rest
    return Split(train=train, validation=parts["validation"], test=parts["test"])


def _hold_out(labels: np.ndarray, parts: int, generator: np.random.Generator) -> list[np.ndarray]:
    """Choose items for so many held-out parts, in proportion to the classes."""
    shuffled = generator.permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    counts = np.bincount(labels)
    first, taken = np.cumsum(counts) - counts, np.zeros_like(counts)
    total = min(round(len(labels) * HELD_SHARE), HELD_LIMIT)
    chosen = []
    for later in reversed(range(parts)):
        room = counts - taken - np.where(counts >= FEW, 1 + later, 0)
        quota = _quotas(counts, np.minimum(room, counts), total, generator)
        rows = [by_class[start : start + n] for start, n in zip(first + taken, quota, strict=True)]
        chosen.append(np.concatenate(rows))
        taken += quota
    return chosen


def _quotas(counts: np.ndarray, room: np.ndarray, total: int, generator: np.random.Generator) -> np.ndarray:
    """How many of each class: proportional, largest remainders first, one at least of classes that can."""
    ideal = counts * (total / counts.sum())
    quota = np.minimum(np.maximum(ideal.astype(np.int64), counts >= FEW), room)
    remainder = ideal - quota
    for index in np.lexsort((generator.random(len(counts)), -remainder)):
        if quota.sum() >= total:
            break
        quota[index] += room[index] > quota[index]
    return np.asarray(quota)


def scarce(labels: np.ndarray, classes: Sequence[str]) -> list[str]:
    """The classes with too few items to be in every part."""
    counts = np.bincount(labels, minlength=len(classes))
    return [name for name, n in zip(classes, counts, strict=True) if n < FEW]


__all__ = ["PARTS", "make_split", "scarce"]
