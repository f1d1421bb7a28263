"""Which parts of the data samples leave out or overdo: counts in bins, against the same counts of held-out reals.

The bin test of Richardson & Weiss, 2018 (arXiv:1805.12462), section 3, with an exact test a bin: both counts are
samples, and neither is the truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Integer

from elegan.evaluation.estimate import Estimate, share
from elegan.evaluation.fidelity import distances

FAIR = 25
"""Items that a bin of average size holds, of the smaller side."""
FEWEST, MOST = 2, 50
MOST_ROWS = 5000
ALPHA = 0.01
"""The chance that anything is called too rare where nothing is; and the same for too frequent."""
MISSING, SCARCE, OVERDONE = 0.25, 0.75, 4 / 3
"""Shares of what is fair; only what is also beyond chance is named."""

Counts = Integer[np.ndarray, " parts"]


@dataclass(frozen=True)
class Bins:
    """Cells of feature space: what lies nearest to one of the centres [K, d].

    ``example`` is the index of the training item nearest to each centre, ``names`` say what most of a bin is.
    """

    centres: Float[np.ndarray, "bins d"]
    names: tuple[str, ...]
    example: Integer[np.ndarray, " bins"]

    def count(self, rows: Float[np.ndarray, "n d"]) -> Counts:
        """How many rows lie in each bin, int64 [K]."""
        return np.bincount(distances(rows, self.centres).argmin(axis=1), minlength=len(self.centres))


def find_bins(
    rows: Float[np.ndarray, "t d"],
    labels: Integer[np.ndarray, " labels"] | None = None,
    classes: Sequence[str] = (),
    *,
    fewest: int,
    seed: int = 0,
) -> Bins:
    """Cut training features into bins by k-means, so many that one of average size holds 25 of ``fewest`` items."""
    from sklearn.cluster import KMeans

    some = rows[np.random.default_rng(seed).permutation(len(rows))[:MOST_ROWS]]
    most = min(MOST, len(np.unique(some, axis=0)))
    k = int(np.clip(fewest // FAIR, min(FEWEST, most), most))
    centres = KMeans(k, n_init=1, random_state=seed).fit(some).cluster_centers_
    across = distances(rows, centres)
    owner = across.argmin(axis=1)
    return Bins(centres, _names(owner, k, labels, classes), across.argmin(axis=0))


def balance(counts: Counts, real_counts: Counts, n: int, r: int, *, scarce: float = SCARCE) -> list[str]:
    """Whether each part is "missing", "scarce", "overdone" or "fair" among n samples, beside r reals.

    Fisher's exact test a part and a direction; Holm's step-down (1979) keeps the chance of any false name at 1 % for
    too few and at 1 % for too many.
    What is beyond chance is missing below a quarter of the reals' share, ``scarce`` below that much of it, and overdone
    above four thirds.
    """
    from scipy.stats import hypergeom

    both = counts + real_counts
    low, high = hypergeom.cdf(counts, n + r, both, n), hypergeom.sf(counts - 1, n + r, both, n)
    too_few, too_many = _holm(low), _holm(high)
    ratio = np.divide(counts / max(n, 1), np.maximum(real_counts, 0.5) / max(r, 1))
    names = np.full(len(counts), "fair", dtype="<U8")
    names[too_few & (ratio < scarce)] = "scarce"
    names[too_few & (ratio < MISSING)] = "missing"
    names[too_many & (ratio > OVERDONE)] = "overdone"
    return [str(name) for name in names]


def beside(count: int, n: int, real_count: int, r: int) -> Estimate:
    """The share ``count`` of n, its null the share ``real_count`` of r, each with its Wilson interval."""
    null = share(real_count, r)
    return replace(share(count, n, null.value), null_low=null.low, null_high=null.high)


def _names(owner: np.ndarray, k: int, labels: np.ndarray | None, classes: Sequence[str]) -> tuple[str, ...]:
    """Such as "bin 3 (mostly 8)": of more than half its training items the class is 8."""
    plain = [f"bin {part}" for part in range(k)]
    if labels is None:
        return tuple(plain)
    tables = [np.bincount(labels[owner == part], minlength=1) for part in range(k)]
    named = {part: int(table.argmax()) for part, table in enumerate(tables) if 2 * table.max() > table.sum()}
    return tuple(
        f"{name} (mostly {classes[named[part]] if named[part] < len(classes) else named[part]})" if part in named
        else name
        for part, name in enumerate(plain)
    )  # fmt: skip


def _holm(chances: np.ndarray) -> np.ndarray:
    """Which hypotheses are rejected together at ALPHA."""
    order = chances.argsort(kind="stable")
    passed = chances[order] <= ALPHA / np.arange(len(chances), 0, -1)
    rejected = np.zeros(len(chances), bool)
    rejected[order[: int(np.argmin(passed)) if not passed.all() else len(passed)]] = True
    return rejected
