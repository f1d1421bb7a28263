"""Whether samples lie where no data do: beyond them all, or between two of them.

Two shares, each calibrated to be 1 % of validation reals, and measured again on test reals.  *Outside*: farther from
all training items than 99 % of validation reals are.  *Blends*: more like the average of two training items than 99 %
of validation reals are, as a support vector machine sees it that learnt to tell training items, clean and noisy, from
such averages.  That is outlier exposure (Hendrycks et al., 2019, arXiv:1812.04606) to the outliers that an over-smooth
generator makes.  Distances alone would not do: an average is nearer to the data's middle than the data are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from elegan.evaluation.bins import beside
from elegan.evaluation.estimate import Estimate
from elegan.evaluation.memorisation import Space, nearest

BEYOND = 0.99
MOST_TAUGHT = 1500
WEIGHTS = 0.3, 0.7
"""Of the first of the two items in a blend."""

View = Callable[[np.ndarray], np.ndarray]
"""Items [n, ...] → rows of numbers [n, d]."""


@runtime_checkable
class Machine(Protocol):
    """What scikit-learn calls a classifier of two classes."""

    def decision_function(self, rows: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Ghost:
    """A sample that looks like ``weight`` of training item a and the rest of b; indices."""

    sample: int
    a: int
    b: int
    weight: float


def outside(space: Space) -> Estimate:
    """Share of samples farther from every training item than 99 % of validation reals; null: test reals' share."""
    parts = (space.samples, space.validation, space.test)
    return beyond(*(nearest(part, space.train).distance for part in parts))


def beyond(
    samples: Float[np.ndarray, " m"], validation: Float[np.ndarray, " v"], test: Float[np.ndarray, " r"]
) -> Estimate:
    """Share of sample scores above 99 % of the validation reals' scores, beside the same share of test reals."""
    limit = np.quantile(validation, BEYOND)
    return beside(int((samples > limit).sum()), len(samples), int((test > limit).sum()), len(test))


def learn_blends(train: np.ndarray, view: View, *, seed: int = 0) -> Machine:
    """Learn to tell training items from averages of two of them, both seen through one ``view``.

    Its ``decision_function`` gives each row a score, the higher, the more it looks like a blend.  The weights of the
    two are between 0.3 and 0.7.  Noise is up to as strong as nearest training items are apart, and counts as no blend.
    What is made of images is rounded to 8 bits as images are.
    """
    from sklearn.svm import SVC

    random = np.random.default_rng(seed)
    items = train[random.permutation(len(train))[:MOST_TAUGHT]]
    rows = [view(part) for part in (items, noisy(items, random), blends(items, 2 * len(items), random))]
    kinds = np.repeat([0, 0, 1], [len(part) for part in rows])
    machine: Machine = SVC(C=10.0, gamma="scale").fit(np.concatenate(rows), kinds)
    return machine


def blends(items: np.ndarray, n: int, random: np.random.Generator) -> np.ndarray:
    """n averages of two random items, of the items' own type."""
    first, second = random.integers(len(items), size=(2, n))
    weight = random.uniform(*WEIGHTS, size=(n, *[1] * (items.ndim - 1)))
    mixed = weight * items[first] + (1 - weight) * items[second]
    return _like(items, mixed)


def noisy(items: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The items with white noise, each of its own strength, from none to the distance of nearest neighbours."""
    rows = items.reshape(len(items), -1).astype(np.float32)
    apart = np.median(nearest(rows[::2], rows[1::2]).distance) if len(rows) > 1 else 0.0
    strength = random.uniform(0, apart / np.sqrt(rows.shape[1]), size=(len(items), *[1] * (items.ndim - 1)))
    return _like(items, items + strength * random.normal(size=items.shape))


def _like(items: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values in the type of the items: rounded and cut to 8 bits for images."""
    if items.dtype == np.uint8:
        values = values.round().clip(0, 255)
    return np.asarray(values.astype(items.dtype))


def find_ghosts(
    scores: Float[np.ndarray, " m"], samples: Float[np.ndarray, "m d"], train: Float[np.ndarray, "t d"], n: int = 8
) -> list[Ghost]:
    """The n samples that look most like blends, with the two training items of which each is nearest to a mixture."""
    inner = train.astype(np.float64)
    gram = inner @ inner.T
    return [Ghost(int(i), *parents(samples[i], inner, gram)) for i in (-scores).argsort(kind="stable")[:n]]


def parents(
    sample: Float[np.ndarray, " d"], train: Float[np.ndarray, "t d"], gram: Float[np.ndarray, "t t"]
) -> tuple[int, int, float]:
    """The pair a, b and the weight w that bring w·a + (1 − w)·b nearest to the sample, w between 0.3 and 0.7."""
    length, toward = np.diag(gram), train @ sample.astype(np.float64)
    to_each = sample @ sample - 2 * toward + length
    apart = np.maximum(length[:, None] + length[None] - 2 * gram, 1e-12)
    along = toward[:, None] - toward[None] - gram + length[None]  # (x − b)·(a − b)
    weight = np.clip(along / apart, *WEIGHTS)
    residual = to_each[None] - 2 * weight * along + weight * weight * apart
    a, b = np.unravel_index(residual.argmin(), residual.shape)
    return int(a), int(b), float(weight[a, b])


class SideBySide:
    """Pixels and features of an item as one row, each of the same total variance over the training items."""

    def __init__(self, pixels: Float[np.ndarray, "t p"], features: Float[np.ndarray, "t d"]) -> None:
        self.scales = [max(float(np.sqrt(rows.var(axis=0).sum())), 1e-12) for rows in (pixels, features)]

    def __call__(self, pixels: Float[np.ndarray, "n p"], features: Float[np.ndarray, "n d"]) -> np.ndarray:
        """The rows [n, p + d]."""
        return np.concatenate([pixels / self.scales[0], features / self.scales[1]], axis=1)
