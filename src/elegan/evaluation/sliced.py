"""MIND: how far two clouds of feature vectors lie apart, seen along many random directions."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from elegan.evaluation.estimate import Estimate, between, within

Rows = np.ndarray
DIRECTIONS = 1000
REPEATED = 256
"""Directions for intervals, which need the measure a hundred times and more."""


def sliced_wasserstein(
    samples: Float[Rows, "m d"], reals: Float[Rows, "r d"], *, directions: int = DIRECTIONS, seed: int = 0
) -> float:
    """Mean over random directions u of the squared 2-Wasserstein distance between u·x and u·y.

    Berthet et al., 2026 (arXiv:2605.06797), without its factor 3d, in squared units of the features.  Two
    distributions that differ by a shift μ alone are |μ|²/d apart.  It shrinks like 1/n between two samples of
    one distribution: compare only with the null at the same n.
    """
    return float(_mean_cost(*_projected(directions, seed, samples, reals))[0])


def sliced_estimate(
    samples: Float[Rows, "m d"], reals: Float[Rows, "r d"], more_reals: Float[Rows, "m d"],
    *, seed: int = 0, repeats: int = 50,
) -> Estimate:  # fmt: skip
    """:func:`sliced_wasserstein` with interval and null; see :func:`elegan.evaluation.estimate.between`.

    Intervals and the null come from fewer directions; they are moved, and the null stretched, to what all of them give.
    """
    few = _projected(REPEATED, seed, samples, reals, more_reals)
    rough = between(_mean_cost, *few, k=1, seed=seed, repeats=repeats)[0]
    if np.isnan(rough.value):
        return rough
    value, of_reals = (sliced_wasserstein(part, reals, seed=seed) for part in (samples, more_reals))
    roughly = float(_mean_cost(few[2], few[1])[0])
    up, stretch = value - rough.value, of_reals / roughly if roughly > 0 else 1.0
    exact = replace(
        rough, value=value, low=rough.low + up, high=rough.high + up,
        null=rough.null * stretch, null_low=rough.null_low * stretch, null_high=rough.null_high * stretch,
    )  # fmt: skip
    return within(exact, 0.0, np.inf)


def _projected(directions: int, seed: int, *parts: Float[Rows, "_ d"]) -> list[Float[Rows, "_ k"]]:
    """The parts along random unit vectors; float32, for sorting is what it costs."""
    axes = np.random.default_rng(seed).normal(size=(parts[0].shape[1], directions))
    axes /= np.linalg.norm(axes, axis=0)
    return [(part.astype(np.float64) @ axes).astype(np.float32) for part in parts]


def _mean_cost(samples: Float[Rows, "m k"], reals: Float[Rows, "r k"]) -> Float[Rows, "1"]:
    """The mean over columns of the squared distance between quantile functions."""
    a, b = (np.sort(np.ascontiguousarray(part.T), axis=1) for part in (samples, reals))
    n = max(a.shape[1], b.shape[1])
    gap = _quantiles(a, n) - _quantiles(b, n)
    return np.array([np.square(gap, dtype=np.float64).mean()])


def _quantiles(ordered: Float[Rows, "k m"], n: int) -> Float[Rows, "k n"]:
    """n evenly spaced quantiles of sorted rows, between neighbours by a straight line; the rows where m = n."""
    m = ordered.shape[1]
    if m == n:
        return ordered
    position = np.clip((np.arange(n) + 0.5) * (m / n) - 0.5, 0, m - 1)
    below = np.minimum(position.astype(np.int64), max(m - 2, 0))
    part = (position - below).astype(np.float32)
    return np.asarray(ordered[:, below] * (1 - part) + ordered[:, np.minimum(below + 1, m - 1)] * part)
