"""Signs of sickness that need no features: values out of range, samples that are all alike."""

import numpy as np
from jaxtyping import Float, Shaped

from elegan.evaluation.conditioning import spread
from elegan.evaluation.estimate import NORMAL_95, Estimate, share
from elegan.evaluation.fidelity import distances
from elegan.evaluation.memorisation import ROUNDING, near_threshold

EQUAL = 1e-5
"""Rows this near are equal up to rounding."""
LARGEST = np.float64(1e15)
"""Beyond it a number is as good as infinite: float32 can't hold the sum of the squares of many such."""


def measurable(rows: Shaped[np.ndarray, "n ..."]) -> bool:
    """Whether all numbers are finite, and none is beyond ±1e15."""
    return bool(_small(rows).all())


def not_finite(raw: Float[np.ndarray, "n ..."]) -> Estimate:
    """Share of samples that hold a NaN, an infinity or a number beyond ±1e15; 0 of reals do."""
    bad = ~_small(raw.reshape(len(raw), -1)).all(axis=1)
    return share(int(bad.sum()), len(raw), 0.0)


def out_of_range(raw: Float[np.ndarray, "n ..."]) -> Estimate:
    """Share of an image's values outside [-1, 1], before they were cut to 8 bits; 0 for reals."""
    rates = (np.abs(raw.reshape(len(raw), -1)) > 1).mean(axis=1)
    value, n = float(rates.mean()), len(rates)
    half = NORMAL_95 * float(rates.std(ddof=1)) / np.sqrt(n) if n > 1 else np.nan
    return Estimate(value, max(0.0, value - half), min(1.0, value + half), n, 0.0, 0.0, 0.0)


def diversity(
    samples: Float[np.ndarray, "m d"], reals: Float[np.ndarray, "r d"], more_reals: Float[np.ndarray, "m d"],
    *, seed: int = 0,
) -> Estimate:  # fmt: skip
    """Mean distance between two samples over that between two reals, in pixels; 1 is expected."""
    rows = (samples, reals, more_reals)
    return spread(rows, tuple(np.zeros(len(part), np.int64) for part in rows), 1, seed=seed)[0]  # type: ignore[arg-type]


def repeated(
    samples: Float[np.ndarray, "m d"], reals: Float[np.ndarray, "m d"], more_reals: Float[np.ndarray, "m d"]
) -> Estimate:
    """Share of samples with a near twin among the samples.

    The distance to the nearest other sample, over the median distance between two unlike ones, so that neither low
    contrast nor one sample far away makes twins, is at most the 1 % quantile of the same for reals that have no
    equal.  The three must be equally many, since nearest distances shrink with n.
    """
    if len(samples) < 2:
        return Estimate(np.nan, n=len(samples))
    threshold = near_threshold(_loneliness(reals), ROUNDING)
    null = float((_loneliness(more_reals) <= threshold).mean())
    return share(int((_loneliness(samples) <= threshold).sum()), len(samples), null)


def _small(rows: np.ndarray) -> np.ndarray:
    return np.asarray((rows >= -LARGEST) & (rows <= LARGEST))


def _loneliness(rows: np.ndarray) -> np.ndarray:
    """Distance to the nearest other row over the median of the distances above 0, [n]; 0 where all are equal."""
    centred = rows.astype(np.float64) - np.median(rows, axis=0)  # equal rows are 0 apart, wherever they lie
    among = distances(centred, centred)
    np.fill_diagonal(among, 0)
    apart = among[among > EQUAL]
    np.fill_diagonal(among, np.inf)
    return among.min(axis=1) / np.median(apart) if len(apart) else np.zeros(len(rows))
