"""Which modes of a known mixture samples reach, and how sharply and evenly."""

from dataclasses import dataclass
from math import floor, log10, nan

import numpy as np
from jaxtyping import Float

from elegan.evaluation.estimate import NORMAL_95, Estimate, share


@dataclass(frozen=True)
class Mixture:
    """Equal, round Gaussians of standard deviation sigma about centres [K, D]."""

    centres: Float[np.ndarray, "modes d"]
    sigma: float


@dataclass(frozen=True)
class ModeCount:
    """``counts`` [K] holds the samples within 3 sigma of each centre (of the nearest where balls meet)."""

    counts: np.ndarray
    n: int
    min_share: float

    @property
    def held(self) -> np.ndarray:
        """Whether each mode holds at least ``min_share`` of its fair share, n/K; bool [K]."""
        return np.asarray(self.counts >= self.min_share * self.n / len(self.counts))

    @property
    def found(self) -> int:
        return int(self.held.sum())

    @property
    def missing(self) -> list[int]:
        return [int(mode) for mode in np.flatnonzero(~self.held)]

    @property
    def high_quality(self) -> float:
        """Share of all samples that lie within 3 sigma of a centre."""
        return float(self.counts.sum() / self.n) if self.n else nan

    @property
    def divergence(self) -> float:
        """KL(p̂ ‖ uniform) in nats of the histogram of the samples within 3 sigma; NaN where there are none.

        Real data of N samples gives (K − 1)/2N, not 0.
        """
        if not self.counts.sum():
            return nan
        p = self.counts[self.counts > 0] / self.counts.sum()
        return float((p * np.log(p * len(self.counts))).sum())


def mixture_modes(
    samples: Float[np.ndarray, "n d"],
    centres: Float[np.ndarray, "modes d"],
    sigma: float,
    min_share: float = 0.25,
) -> ModeCount:
    """Count the modes of a mixture that samples hold: those with at least a quarter of their fair share.

    The fair share is of *all* samples, n/K, so that a cloud of noise that grazes every mode holds none.
    The 3 sigma and the KL follow Srivastava et al., 2017 (arXiv:1705.07761), section 4, and Lin et al.,
    2018 (PacGAN, arXiv:1712.04086), whose one sample a mode is too little to count.
    """
    squares = ((samples[:, None].astype(np.float64) - centres[None]) ** 2).sum(axis=2)
    nearest = squares.argmin(axis=1)
    inside = squares[np.arange(len(samples)), nearest] <= (3 * sigma) ** 2
    return ModeCount(np.bincount(nearest[inside], minlength=len(centres)), len(samples), min_share)


def mode_names(centres: Float[np.ndarray, "modes d"]) -> list[str]:
    """Such as "2 at (0, -1.414)": the number and the place, with as many decimals as the farthest one needs for four
    significant digits."""
    farthest = float(np.abs(centres).max(initial=0.0)) or 1.0
    rounded = np.round(centres, 3 - floor(log10(farthest))) + 0.0  # which takes the sign from -0
    return [f"{mode} at ({', '.join(f'{x:.6g}' for x in centre)})" for mode, centre in enumerate(rounded)]


def mode_estimates(samples: ModeCount, reals: ModeCount, *, seed: int = 0, repeats: int = 200) -> dict[str, Estimate]:
    """``found``, ``high_quality`` and ``divergence`` with 95 % intervals, and those of reals as nulls."""
    draws = [_redraw(samples, random) for random in np.random.default_rng(seed).spawn(repeats)]
    found = np.quantile([draw.found for draw in draws], [0.025, 0.975])
    deviation = float(np.std([draw.divergence for draw in draws], ddof=1))
    divergence = samples.divergence
    low, high = max(0.0, divergence - NORMAL_95 * deviation), divergence + NORMAL_95 * deviation
    return {
        "found": Estimate(float(samples.found), float(found[0]), float(found[1]), samples.n, float(reals.found)),
        "high_quality": share(int(samples.counts.sum()), samples.n, reals.high_quality),
        "divergence": Estimate(divergence, low, high, samples.n, reals.divergence),
    }


def _redraw(count: ModeCount, random: np.random.Generator) -> ModeCount:
    """A bootstrap sample of the counts; what lies in no mode is the last cell."""
    cells = np.append(count.counts, count.n - count.counts.sum())
    return ModeCount(random.multinomial(count.n, cells / max(count.n, 1))[:-1], count.n, count.min_share)
