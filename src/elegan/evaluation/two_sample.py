"""Whether a fresh critic can tell samples from reals, and what that proves.

A classifier two-sample test (Lopez-Paz & Oquab, 2017, arXiv:1610.06545): a critic learns from one half of
both sides and is examined on the other.  What it finds is certain, what it doesn't find is not: its
accuracy bounds the total variation distance from below, never from above.
"""

from dataclasses import dataclass
from math import exp, inf, log, nan

import numpy as np
from jaxtyping import Float, Shaped

from elegan.evaluation.critics import Learn, feature_critic, pixel_critic
from elegan.evaluation.estimate import FEWEST, Estimate, Figure

Items = Shaped[np.ndarray, "_ ..."]
REJECT = 20.0
"""An e-value this high rejects at 5 % (1/0.05)."""
TEMPERATURES = (0.0, 0.03, 0.1, 0.3, 1.0)
"""How far a critic's scores are believed; the bets are split evenly over them."""


@dataclass(frozen=True)
class TwoSample:
    """What one critic found.  ``log_e_value`` is for :func:`evidence`."""

    accuracy: Estimate
    total_variation: Estimate
    log_e_value: float

    def figures(self, features: str) -> dict[str, Figure]:
        """Accuracy and total variation as JSON."""
        return {"accuracy": self.accuracy.figure(features), "total_variation": self.total_variation.figure(features)}


def two_sample(samples: Items, reals: Items, more_reals: Items, learn: Learn, *, seed: int = 0) -> TwoSample:
    """Examine a fresh critic: :func:`feature_critic` on vectors, :func:`pixel_critic` on images.

    Both sides are cut to the same number, at random, and halved.  ``accuracy`` has its Clopper-Pearson
    interval; its null is that of another critic, which learnt in the same way to tell ``more_reals`` from
    the reals, and its null interval that of tossing a coin, stretched to the null where this lies outside: then the
    two kinds of reals are less alike than one would think.  The value of ``total_variation`` is the lower bound that
    holds with 95 % certainty.  NaN where a half is below FEWEST items a side.
    """
    n = min(len(samples), len(reals), len(more_reals))
    if n < 2 * FEWEST:
        nothing = Estimate(nan, n=n)
        return TwoSample(nothing, nothing, 0.0)
    found = _examine(samples, reals, n, learn, seed)
    null = _examine(more_reals, reals, n, learn, seed + 1)
    return TwoSample(_accuracy(*found, null), _total_variation(found[0], found[1], null), found[2])


def two_sample_section(
    items: tuple[Items, Items, Items], embedded: tuple[Items, Items, Items], features: str, *, seed: int = 0
) -> dict[str, object]:
    """The report's section: a critic on features, one on pixels (images alone), and the evidence of both.

    Each tuple holds samples, reals and more reals; ``embedded`` as vectors, of two extractors side by side
    if there are two, and ``features`` names them.
    """
    on_features = two_sample(*embedded, feature_critic, seed=seed)
    section: dict[str, object] = {"features": on_features.figures(features)}
    found = [on_features]
    if items[0].ndim == 4:
        found.append(two_sample(*items, pixel_critic, seed=seed))
        section["pixels"] = found[-1].figures("pixels")
    odds = evidence([one.log_e_value for one in found], on_features.accuracy.n)
    return section | {"evidence": odds.figure(features)}


def evidence(log_e_values: list[float], n: int) -> Estimate:
    """Evidence against "samples and reals are of one distribution": the mean of e-values, given as logarithms.

    The mean of e-values is one, however they depend on each other: its mean is at most 1 if nothing can be told apart,
    so that it reaches 20 with a probability of at most 5 % (Markov's inequality), its null interval's end.  n pairs of
    items give 2ⁿ at the most; beyond what a float can hold it is infinite.  It has no interval, since it is a statement
    about these data.
    """
    logarithm = _log_mean_exp(log_e_values)
    return Estimate(exp(logarithm) if logarithm < 709 else inf, n=n, null=1.0, null_low=0.0, null_high=REJECT)


def log_e_value(of_reals: Float[np.ndarray, " n"], of_samples: Float[np.ndarray, " n"]) -> float:
    """The logarithm of a batch's e-value from a critic's scores of fresh reals and as many fresh samples.

    Pandeva et al., 2024, "E-valuating classifier two-sample tests" (TMLR, arXiv:2210.13027).  In a pair of a real and
    a sample, in random order, the critic bets on which is the real: e = 2 σ(τ (s(x) −
    s(x'))), the conditional likelihood ratio of Pandeva et al., 2024, section 3, for labels that are known to
    be one of each.  If both are of one distribution the order is a fair coin and the mean of e is 1, whatever the
    critic.  The temperatures τ are mixed, so that a critic that is too sure of itself loses little.
    """
    gap = of_reals.astype(np.float64) - of_samples.astype(np.float64)
    bets = [float((log(2) - np.logaddexp(0, -temperature * gap)).sum()) for temperature in TEMPERATURES]
    return _log_mean_exp(bets)


def clopper_pearson(count: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of a share (Clopper & Pearson, 1934): it holds the truth at least so often."""
    from scipy.stats import beta

    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else float(beta.ppf(tail, count, n - count + 1))
    high = 1.0 if count == n else float(beta.ppf(1 - tail, count + 1, n - count))
    return low, high


def certified_total_variation(count: int, n: int) -> float:
    """A lower bound of the total variation distance that holds with 95 % certainty, from ``count`` right of n.

    No critic is right more often than (1 + TV)/2 on balanced sides, so that TV ≥ 2 a − 1, with a the one-sided
    lower bound of the accuracy.  Its binomial is on the safe side where sides are balanced exactly, since
    sums of unlike tosses spread less (Hoeffding, 1956, theorem 4).
    """
    return max(0.0, 2 * clopper_pearson(count, n, confidence=0.90)[0] - 1)


def _examine(samples: np.ndarray, reals: np.ndarray, n: int, learn: Learn, seed: int) -> tuple[int, int, float]:
    """How many a fresh critic gets right, of how many, and its log e-value."""
    random = np.random.default_rng(seed)
    samples, reals = (part[random.permutation(len(part))[:n]] for part in (samples, reals))
    half = n // 2
    critic = learn(reals[:half], samples[:half], seed)
    of_reals, of_samples = critic(reals[half:]), critic(samples[half:])
    right = int((of_reals > 0).sum() + (of_samples <= 0).sum())
    return right, 2 * (n - half), log_e_value(of_reals, of_samples)


def _accuracy(count: int, n: int, _: float, null: tuple[int, int, float]) -> Estimate:
    from scipy.stats import binom

    low, high = clopper_pearson(count, n)
    coin_low, coin_high = (binom.ppf([0.025, 0.975], n, 0.5) / n).tolist()
    of_reals = null[0] / null[1]
    return Estimate(count / n, low, high, n, of_reals, min(coin_low, of_reals), max(coin_high, of_reals))


def _total_variation(count: int, n: int, null: tuple[int, int, float]) -> Estimate:
    """The bound, and the truth somewhere above it; 95 % of bounds between reals are 0, and this one is what it is."""
    bound = certified_total_variation(count, n)
    of_null = certified_total_variation(null[0], null[1])
    return Estimate(bound, bound, 1.0, n, of_null, 0.0, of_null)


def _log_mean_exp(logarithms: list[float]) -> float:
    return float(np.logaddexp.reduce(logarithms) - log(len(logarithms)))
