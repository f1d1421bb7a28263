"""A number that is fit to print: its value, its interval, its null and its n."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import nan, sqrt

import numpy as np
from jaxtyping import Float, Int, Shaped

from elegan.json_values import as_json

Figure = dict[str, object]
"""An estimate as JSON: value, interval, null, null_interval, n, features.  See :meth:`Estimate.figure`."""
Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(samples [m, ...], reals [r, ...]) → values [k] of k measures."""

NORMAL_95 = 1.959963984540054
FEWEST = 14
"""Below so many items a half sample has too few neighbours; measures of two samples are NaN."""


@dataclass(frozen=True)
class Estimate:
    """``value`` with its 95 % interval [low, high], from n samples.

    ``null`` is what the same measure gives between two parts of real data of the same sizes: the median over
    random parts, of which [null_low, null_high] holds 95 %.
    """

    value: float
    low: float = nan
    high: float = nan
    n: int = 0
    null: float = nan
    null_low: float = nan
    null_high: float = nan

    def figure(self, features: str | None = None) -> Figure:
        """As JSON; NaN is the string "NaN" and the infinities "Infinity" and "-Infinity"."""
        return {
            "value": as_json(self.value),
            "interval": as_json([self.low, self.high]),
            "null": as_json(self.null),
            "null_interval": as_json([self.null_low, self.null_high]),
            "n": self.n,
            "features": features,
        }


def share(count: int, n: int, null: float = nan) -> Estimate:
    """A share of n with its Wilson score interval (Wilson, 1927), which holds at 0 and at 1 too."""
    if n == 0:
        return Estimate(nan, n=0, null=null)
    p, z = count / n, NORMAL_95
    spread = z * z / n
    centre = (p + spread / 2) / (1 + spread)
    half = z / (1 + spread) * sqrt(p * (1 - p) / n + spread / (4 * n))
    low, high = (0.0 if count == 0 else centre - half), (1.0 if count == n else centre + half)
    return Estimate(p, low, high, n, null)


def half_sample_deviation(
    measure: Callable[[Int[np.ndarray, " half_a"], Int[np.ndarray, " half_b"]], np.ndarray],
    sizes: tuple[int, int],
    *,
    seed: int,
    repeats: int = 50,
) -> Float[np.ndarray, " k"]:
    """Standard deviations of k measures over random halves of both samples, given as indices.

    The delete-d jackknife (Shao & Wu, 1989, Annals of Statistics 17) with d = n/2, for which the
    variance over halves *is* the estimate of the whole's variance.  Unlike the bootstrap it repeats no
    item, and a repeated item would be its own nearest neighbour.  For degenerate statistics (the kernel
    distance of two like samples) it errs on the wide side.
    """
    random = np.random.default_rng(seed)
    halves = [
        tuple(random.permutation(size)[: size // 2] for size in sizes)
        for _ in range(repeats)
    ]  # fmt: skip
    return np.asarray(np.stack([measure(a, b) for a, b in halves]).std(axis=0, ddof=1))


def between(
    measure: Measure,
    samples: Shaped[np.ndarray, "m ..."],
    reals: Shaped[np.ndarray, "r ..."],
    more_reals: Shaped[np.ndarray, "s ..."],
    *,
    k: int,
    seed: int = 0,
    repeats: int = 50,
) -> list[Estimate]:
    """Estimate k measures between samples and reals, against the same between reals and reals.

    ``more_reals`` must number as many as ``samples``, since most measures are biased by an amount that
    depends on n.  Both kinds of reals are shuffled together and cut into parts of m and r, again and again; the null
    and its interval come from all these cuts, not from the one in which the data came: parts that were dealt evenly
    over the classes are more alike than independent draws are.  Fresh reals lie in the interval in 95 of 100 cases.
    All are NaN below FEWEST items.  Items may be indices of rows.
    """
    m, r = len(samples), len(reals)
    if len(more_reals) != m:
        raise ValueError(f"{m} samples against {len(more_reals)} reals for the null; they must be as many.")
    if min(m, r) < FEWEST:
        return [Estimate(nan, n=m)] * k
    values = measure(samples, reals)
    deviations = half_sample_deviation(lambda a, b: measure(samples[a], reals[b]), (m, r), seed=seed, repeats=repeats)
    low, nulls, high = _nulls(measure, np.concatenate([more_reals, reals]), m, seed, repeats)
    half = NORMAL_95 * deviations
    columns = values, values - half, values + half, nulls, low, high
    return [
        Estimate(value, start, stop, m, null, null_start, null_stop)
        for value, start, stop, null, null_start, null_stop in zip(*map(np.ndarray.tolist, columns), strict=True)
    ]


def _nulls(measure: Measure, pool: np.ndarray, m: int, seed: int, repeats: int) -> Float[np.ndarray, "3 k"]:
    """The quantiles of each measure over random parts (m, rest) of one pool of reals."""
    random = np.random.default_rng(seed + 1)
    parts = [random.permutation(len(pool)) for _ in range(2 * repeats)]
    draws = np.stack([measure(pool[part[:m]], pool[part[m:]]) for part in parts])
    return np.stack([_quantiles(column[~np.isnan(column)], 2 * repeats) for column in draws.T], axis=1)


def _quantiles(draws: Float[np.ndarray, " n"], wanted: int) -> Float[np.ndarray, "3"]:
    """Low, median and high; NaN where fewer than half of the wanted draws are numbers.

    Weibull's positions, i/(n + 1): one more draw lies between low and high with a probability of 95 %, for n ≥ 39.
    """
    if 2 * len(draws) < wanted:
        return np.full(3, nan)
    return np.asarray(np.quantile(draws, [0.025, 0.5, 0.975], method="weibull"))


def within(estimate: Estimate, low: float, high: float) -> Estimate:
    """The same with its intervals cut to what the measure can be: [0, 1] for a share."""
    return replace(
        estimate,
        low=float(np.clip(estimate.low, low, high)),
        high=float(np.clip(estimate.high, low, high)),
        null_low=float(np.clip(estimate.null_low, low, high)),
        null_high=float(np.clip(estimate.null_high, low, high)),
    )
