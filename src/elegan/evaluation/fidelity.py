"""How near samples lie to reals, and how much of the reals they reach: pure functions on feature vectors.

Every function takes samples [m, d] and reals [r, d] and counts in float64.  Numbers from different
features are never comparable.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from elegan.evaluation.estimate import Estimate, between, within

Rows = np.ndarray
PRECISION_NEIGHBOURS = 3
COVERAGE_NEIGHBOURS = 5


def frechet_distance(samples: Float[Rows, "m d"], reals: Float[Rows, "r d"]) -> float:
    """|μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½), each part of mean μ and covariance Σ.

    Heusel et al., 2017 (arXiv:1706.08500), eq. 6.  Biased upwards by about (d²/2 + 1.4 d)/n: compare
    only with the null at the same n.  It is "FD-<features>"; FID names one pretrained network's.

    With fewer items than features tr (Σ₁Σ₂)^½ is taken from the centred rows A and B instead: it is the sum of the
    singular values of ABᵀ/√((m − 1)(r − 1)), since A and Σ₁^½ differ by a rotation.
    """
    if max(len(samples), len(reals)) > samples.shape[1]:
        return gaussian_frechet_distance(*_moments(samples), *_moments(reals))
    (mean_a, a), (mean_b, b) = _centred(samples), _centred(reals)
    gap = mean_a - mean_b
    return float(gap @ gap + (a * a).sum() + (b * b).sum() - 2 * np.linalg.svd(a @ b.T, compute_uv=False).sum())


def gaussian_frechet_distance(
    mean_a: Float[Rows, " d"], covariance_a: Float[Rows, "d d"],
    mean_b: Float[Rows, " d"], covariance_b: Float[Rows, "d d"],
) -> float:  # fmt: skip
    """The Fréchet distance, squared, of two Gaussians (Dowson & Landau, 1982, eq. 4).

    tr (Σ₁Σ₂)^½ is the sum of the singular values of Σ₁^½ Σ₂^½, which needs no root of a matrix that
    isn't symmetric and loses no digits where covariances are singular.
    """
    cross = np.linalg.svd(_root(covariance_a) @ _root(covariance_b), compute_uv=False).sum()
    gap = mean_a - mean_b
    return float(gap @ gap + np.trace(covariance_a) + np.trace(covariance_b) - 2 * cross)


def kernel_distance(samples: Float[Rows, "m d"], reals: Float[Rows, "r d"]) -> float:
    """KID: the unbiased squared maximum mean discrepancy for k(x, y) = (x·y/d + 1)³.

    Bińkowski et al., 2018 (arXiv:1801.01401), eq. 4 and section 4.  Its mean is 0 between two samples
    of one distribution, so that it may be a little below 0.
    """
    return KernelSums.of(samples, reals).whole


@dataclass(frozen=True)
class KernelSums:
    """The kernel of all pairs, computed once, for the KID of many parts of the same samples and reals."""

    samples: Float[Rows, "m m"]
    reals: Float[Rows, "r r"]
    across: Float[Rows, "m r"]

    @classmethod
    def of(cls, samples: Float[Rows, "m d"], reals: Float[Rows, "r d"]) -> "KernelSums":
        samples, reals = samples.astype(np.float64), reals.astype(np.float64)
        return cls(_kernel(samples, samples), _kernel(reals, reals), _kernel(samples, reals))

    @property
    def whole(self) -> float:
        """:func:`kernel_distance` of all."""
        m, r = self.across.shape
        same = _off_diagonal_sum(self.samples) / (m * (m - 1)) + _off_diagonal_sum(self.reals) / (r * (r - 1))
        return float(same - 2 * self.across.mean())

    def distance(self, a: np.ndarray, b: np.ndarray) -> float:
        """:func:`kernel_distance` of the samples and reals at these rows."""
        return KernelSums(self.samples[np.ix_(a, a)], self.reals[np.ix_(b, b)], self.across[np.ix_(a, b)]).whole


def precision(samples: Float[Rows, "m d"], reals: Float[Rows, "r d"], k: int = PRECISION_NEIGHBOURS) -> float:
    """Share of samples inside some real's ball, which reaches to that real's k-th nearest real.

    Kynkäänniemi et al., 2019 (arXiv:1904.06991), eq. 1 and 2.  Below 1 for perfect samples.
    """
    return float(_in_balls(distances(samples, reals), radii(reals, k)).any(axis=1).mean())


def recall(samples: Float[Rows, "m d"], reals: Float[Rows, "r d"], k: int = PRECISION_NEIGHBOURS) -> float:
    """Share of reals inside some sample's ball: :func:`precision` with the two exchanged (eq. 2)."""
    return precision(reals, samples, k)


def density(samples: Float[Rows, "m d"], reals: Float[Rows, "r d"], k: int = COVERAGE_NEIGHBOURS) -> float:
    """Mean number of real balls around a sample, over k.  Naeem et al., 2020 (arXiv:2002.09797), section 3.2.

    1 is expected of perfect samples; it has no upper bound.
    """
    return float(_in_balls(distances(samples, reals), radii(reals, k)).sum(axis=1).mean() / k)


def coverage(samples: Float[Rows, "m d"], reals: Float[Rows, "r d"], k: int = COVERAGE_NEIGHBOURS) -> float:
    """Share of real balls that hold a sample.  Naeem et al., 2020 (arXiv:2002.09797), section 3.2.

    1 − (r−1)…(r−k)/((m+r−1)…(m+r−k)) is expected of perfect samples (:func:`expected_coverage`): 0.97 for k = 5, m = r.
    """
    return float(_in_balls(distances(samples, reals), radii(reals, k)).any(axis=0).mean())


def expected_coverage(m: int, r: int, k: int = COVERAGE_NEIGHBOURS) -> float:
    """The coverage that m perfect samples have of r reals, on average."""
    missed = 1.0
    for i in range(1, k + 1):
        missed *= (r - i) / (m + r - i)
    return 1 - missed


def neighbour_measures(samples: Float[Rows, "m d"], reals: Float[Rows, "r d"]) -> Float[Rows, "4"]:
    """Precision, recall, density and coverage from one set of distances."""
    across = distances(samples, reals)
    near, wide = radii(reals, PRECISION_NEIGHBOURS, COVERAGE_NEIGHBOURS)
    in_wide = _in_balls(across, wide)
    return np.array([
        _in_balls(across, near).any(axis=1).mean(),
        _in_balls(across.T, radii(samples, PRECISION_NEIGHBOURS)).any(axis=1).mean(),
        in_wide.sum(axis=1).mean() / COVERAGE_NEIGHBOURS,
        in_wide.any(axis=0).mean(),
    ])  # fmt: skip


def fidelity(
    samples: Float[Rows, "m d"], reals: Float[Rows, "r d"], more_reals: Float[Rows, "m d"],
    *, seed: int = 0, repeats: int = 50,
) -> dict[str, Estimate]:  # fmt: skip
    """All measures of this page with intervals and nulls; see :func:`elegan.evaluation.estimate.between`."""

    def distances_of(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.array([kernel_distance(a, b), frechet_distance(a, b)])

    kid, frechet = between(distances_of, samples, reals, more_reals, k=2, seed=seed, repeats=repeats)
    shares = between(neighbour_measures, samples, reals, more_reals, k=4, seed=seed, repeats=repeats)
    bounded = [within(share, 0.0, np.inf if i == 2 else 1.0) for i, share in enumerate(shares)]
    return {
        "kernel_distance": kid,
        "frechet_distance": within(frechet, 0.0, np.inf),
        **dict(zip(("precision", "recall", "density", "coverage"), bounded, strict=True)),
    }


def distances(a: Float[Rows, "m d"], b: Float[Rows, "r d"]) -> Float[Rows, "m r"]:
    """Euclidean distances."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None] - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(squares, 0, out=squares), out=squares))


def radii(points: Float[Rows, "n d"], *neighbours: int) -> Float[Rows, "..."]:
    """Distance of each point to its k-th nearest other point, [n]; for several k, [len(neighbours), n]."""
    if len(points) <= max(neighbours):
        raise ValueError(f"{len(points)} points have no {max(neighbours)} neighbours each.")
    among = distances(points, points)
    np.fill_diagonal(among, np.inf)
    ranks = [k - 1 for k in neighbours]
    found = np.partition(among, ranks, axis=1)[:, ranks].T
    return found[0] if len(neighbours) == 1 else found


def _in_balls(across: np.ndarray, real_radii: np.ndarray) -> np.ndarray:
    return np.asarray(across <= real_radii[None])


def _moments(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = rows.astype(np.float64)
    return rows.mean(axis=0), np.atleast_2d(np.cov(rows, rowvar=False))


def _centred(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean, and rows whose products with themselves make the covariance."""
    rows = rows.astype(np.float64)
    mean = rows.mean(axis=0)
    return mean, (rows - mean) / np.sqrt(max(len(rows) - 1, 1))


def _root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    similarity = a @ b.T / a.shape[1] + 1
    return np.asarray(similarity * similarity * similarity)


def _off_diagonal_sum(square: np.ndarray) -> float:
    return float(square.sum() - np.trace(square))
