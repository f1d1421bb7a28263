"""What is judged, beside what: samples and the parts of real data, and each of them as rows of numbers."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Integer

from elegan.evaluation.features import Embedder, as_pixels
from elegan.evaluation.memorisation import Space
from elegan.evaluation.modes import Mixture

MOST = 1000
MOST_NEIGHBOURS = 2000


@dataclass(frozen=True)
class Real:
    """The three parts of real data, images uint8 [n, H, W, C] or vectors [n, D], and what is known of them.

    Labels are int [n] with values below ``len(classes)``; all three parts have them, or none.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    train_labels: np.ndarray | None = None
    validation_labels: np.ndarray | None = None
    test_labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    mixture: Mixture | None = None


@dataclass(frozen=True)
class Case:
    """Samples to be judged, int labels that were asked for where there are any, and the features to judge by."""

    samples: np.ndarray
    real: Real
    features: Embedder
    requested: Integer[np.ndarray, " labels"] | None = None
    second: Embedder | None = None
    """Features that share nothing with the first; None for vectors."""
    seed: int = 0
    most: int = MOST

    @cached_property
    def embedded(self) -> Space:
        """Every part in the features."""
        return Space(*(self.features.embed(part) for part in self._parts))

    @cached_property
    def embedded_twice(self) -> Space | None:
        """Every part but the training items, which are not asked for, in the second features."""
        if self.second is None:
            return None
        samples, train, validation, test = self._parts
        return Space(*(self.second.embed(part) for part in (samples, train[:0], validation, test)))

    @cached_property
    def pixels(self) -> Space:
        """Every part in pixels, or a vector's coordinates."""
        return Space(*(as_pixels(part) for part in self._parts))

    @cached_property
    def few_rows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows of the samples, validation and test reals that are compared with all training items: 2,000 at most."""
        random = np.random.default_rng(self.seed)
        parts = self.samples, self.real.validation, self.real.test
        samples, validation, test = (random.permutation(len(part))[:MOST_NEIGHBOURS] for part in parts)
        return samples, validation, test

    def few(self, space: Space) -> Space:
        """All training items, and of the other parts :attr:`few_rows`, in a space."""
        samples, validation, test = self.few_rows
        return Space(space.samples[samples], space.train, space.validation[validation], space.test[test])

    @cached_property
    def sides(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows of samples, of test reals, and of as many validation reals as samples, for measures of two samples."""
        random = np.random.default_rng(self.seed)
        m = min(len(self.samples), len(self.real.validation), self.most)
        r = min(len(self.real.test), self.most)
        sizes = (len(self.samples), m), (len(self.real.test), r), (len(self.real.validation), m)
        samples, test, validation = (random.permutation(size)[:n] for size, n in sizes)
        return samples, test, validation

    def on_sides(self, space: Space) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Samples, test reals and validation reals of :attr:`sides` in a space."""
        samples, test, validation = self.sides
        return space.samples[samples], space.test[test], space.validation[validation]

    @property
    def _parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        return self.samples, self.real.train, self.real.validation, self.real.test
