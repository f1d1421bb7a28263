"""The dumb sampler that every report shows beside the model: draws from one multivariate normal."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

VARIANCE = 0.99
"""Share of the variance that the components hold, where there are enough items to estimate so many."""
MOST_COMPONENTS = 256
ITEMS_A_COMPONENT = 5
MOST_VALUES = 64_000_000
"""Numbers that are looked at when fitting; of larger data sets, evenly spaced items."""


@dataclass(frozen=True)
class GaussianSampler:
    """A mean, principal components and their deviations; draws have the shape and type of the data."""

    mean: Float[np.ndarray, " d"]
    components: Float[np.ndarray, "k d"]
    deviations: Float[np.ndarray, " k"]
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]

    def sample(self, n: int, *, seed: int = 0) -> Shaped[np.ndarray, "n ..."]:
        """n draws: mean + Σ zᵢ σᵢ vᵢ with z standard normal.  Images are cut and rounded to 8 bits, as all are."""
        noise = np.random.default_rng(seed).normal(size=(n, len(self.deviations)))
        rows = self.mean + (noise * self.deviations) @ self.components
        if self.dtype == np.uint8:
            rows = np.clip(np.rint(rows), 0, 255)
        return np.asarray(rows.astype(self.dtype).reshape(n, *self.shape))


def fit_gaussian(train: Shaped[np.ndarray, "n ..."]) -> GaussianSampler:
    """Fit it to the training split, images uint8 [n, H, W, C] or vectors [n, D], all classes together.

    Principal components (Pearson, 1901) up to 99 % of the variance, and at most n/5 and 256 of them.
    """
    step = -(-train.size // MOST_VALUES)
    rows = train[::step].reshape(len(train[::step]), -1).astype(np.float32)
    mean = rows.mean(axis=0, dtype=np.float64)
    rows -= mean.astype(np.float32)
    variances, components = principal_components(rows, max(1, min(MOST_COMPONENTS, len(rows) // ITEMS_A_COMPONENT)))
    total = np.square(rows, dtype=np.float64).sum() / max(len(rows) - 1, 1)
    k = int(np.searchsorted(np.cumsum(variances), VARIANCE * total)) + 1
    return GaussianSampler(mean, components[:k], np.sqrt(variances[:k]), train.shape[1:], train.dtype)


def principal_components(
    centred: Float[np.ndarray, "n d"], k: int
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "k d"]]:
    """The k largest variances of centred rows, largest first, and their unit vectors as rows; fewer if d < k."""
    from scipy.linalg import eigh

    n, d = centred.shape
    wide = d > n
    product = centred @ centred.T if wide else centred.T @ centred
    size = len(product)
    values, vectors = eigh(product / max(n - 1, 1), subset_by_index=[max(0, size - k), size - 1])
    values, vectors = np.maximum(values[::-1].astype(np.float64), 0), vectors[:, ::-1]
    rows = (vectors.T @ centred if wide else vectors.T).astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return values, rows / np.where(lengths > 0, lengths, 1)
