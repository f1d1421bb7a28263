"""One call that asks every measure, at the end; and a quick one, at a tick."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer, Shaped

from elegan.errors import UserError
from elegan.evaluation import sections
from elegan.evaluation.case import MOST, Case, Real
from elegan.evaluation.estimate import FEWEST, NORMAL_95, Estimate, between, half_sample_deviation, share, within
from elegan.evaluation.extractors import fit_patches
from elegan.evaluation.features import Embedder
from elegan.evaluation.fidelity import KernelSums, coverage, kernel_distance
from elegan.evaluation.health import measurable
from elegan.evaluation.modes import Mixture, mixture_modes
from elegan.evaluation.recognised import Classes
from elegan.evaluation.stopping import Trend

__all__ = ["MOST", "Case", "Real", "Standard", "judge", "quick_look"]

Items = Shaped[np.ndarray, "n ..."]
LOOK = 500
PHRASES: Mapping[Trend, str] = {
    "unknown": "too few items to look at",
    "near": "as near as {n} samples can tell",
    "first": "first look",
    "improving": "still improving",
    "level": "no longer clearly better",
    "worse": "worse than before",
}
"""What a look says to people, by its trend."""
FEWEST_FITTED = 20
"""Training images without which there are no second features."""


def judge(
    samples: Items,
    real: Real,
    *,
    features: Embedder,
    second: Embedder | None = None,
    requested: Integer[np.ndarray, " labels"] | None = None,
    raw: Float[np.ndarray, "n ..."] | None = None,
    independent: bool = True,
    baseline: bool = True,
    critics: bool = True,
    seed: int = 0,
    most: int = MOST,
) -> dict[str, object]:
    """Everything that can be measured of samples, as JSON; no verdict yet.

    ``samples`` have been through the same 8 bits as the reals; ``raw`` are the same before that, in
    [-1, 1].  ``requested`` holds the labels that were asked for.  Fidelity takes ``most`` items a side at
    the most, as many samples as there are validation reals; the measures' own pages say what each is.
    ``second`` are other features than the first, fitted to the training images where they are not given;
    ``independent`` adds a second classifier's opinion, ``baseline`` what a multivariate normal gets, and ``critics``
    what fresh critics can tell.
    Samples that are not all finite, or hold numbers beyond 1e15, are measured no further.
    """
    health_of_raw = sections.health_of_raw(samples, raw)
    report: dict[str, object] = {
        "features": {
            "name": features.name, "hash": features.hash, "dimension": features.dimension,
            "classes": features.classes, "accuracy": features.accuracy,
        },
        "sizes": {
            "samples": len(samples), "train": len(real.train),
            "validation": len(real.validation), "test": len(real.test),
        },
        "health": health_of_raw,
    }  # fmt: skip
    _check(samples, requested, real)
    finite = all(measurable(rows) for rows in (samples, raw) if rows is not None)
    if not finite or not all(len(part) for part in (samples, real.train, real.validation, real.test)):
        return report
    if second is None and real.train.ndim == 4 and len(real.train) >= FEWEST_FITTED:
        second = fit_patches(real.train)
    case = Case(samples, real, features, requested, second, seed, most)
    report["extractors"] = sections.extractors(case)
    report["health"] = health_of_raw | sections.health_of_items(case)
    report["fidelity"] = sections.fidelity(case)
    if case.second is not None:
        report["fidelity_second"] = sections.fidelity_second(case)
    if baseline:
        report["baseline"] = sections.baseline(case)
    if critics:
        report["two_sample"] = sections.critics(case)
    report["memorisation"] = sections.copies(case)
    report["bins"] = sections.bins(case)
    report["support"] = sections.beyond_the_data(case)
    if real.mixture is not None:
        report["modes"] = sections.modes(case, real.mixture)
    if real.train_labels is not None and real.validation_labels is not None and real.test_labels is not None:
        report["classes"] = Classes(case, independent).report()
    return report


def _check(samples: np.ndarray, requested: np.ndarray | None, real: Real) -> None:
    if samples.shape[1:] != real.train.shape[1:]:
        raise UserError(
            f"The samples have the shape {list(samples.shape[1:])} and the real data {list(real.train.shape[1:])}; "
            "they must be the same."
        )
    if requested is not None and len(requested) != len(samples):
        raise UserError(f"{len(requested)} labels were asked for and {len(samples)} samples given; give one each.")


@dataclass(frozen=True)
class Standard:
    """The reals that looks are measured against, and what their halves give against each other: made once."""

    reals: Float[np.ndarray, "r d"]
    features: str
    """The name of the embedder."""
    half: int
    distance: Estimate
    coverage: Estimate

    @classmethod
    def of(
        cls, validation: Shaped[np.ndarray, "v ..."], features: Embedder, *, n: int = LOOK, seed: int = 0
    ) -> "Standard":  # fmt: skip
        """For looks at n samples, from at most LOOK of the reals."""
        rows = np.random.default_rng(seed).permutation(len(validation))[:LOOK]
        reals = features.embed(validation[rows])
        half = min(n, len(reals) // 2)
        parts = (reals[len(reals) - half :], reals[:half], reals[len(reals) - half :])
        distance, covered = (between(each, *parts, k=1, seed=seed, repeats=20)[0] for each in (_distance, _covered))
        return cls(reals, features.name, half, distance, covered)


def quick_look(
    fakes: Items,
    embedded: Float[np.ndarray, "m d"],
    standard: Standard,
    *,
    trend: Trend = "first",
    mixture: Mixture | None = None,
    seed: int = 0,
) -> dict[str, object]:
    """KID and coverage against validation reals, for a tick: about 500 items a side and well below a second.

    The null comes from halves of the validation reals.  Coverage is measured at their size; KID, which is
    unbiased, with all items, its null scaled by the ratio of 1/m + 1/n, by which the KID of like samples
    shrinks (Gretton et al., 2012, JMLR 13, theorem 12).
    ``embedded`` are the fakes' features, by the embedder of the standard; ``trend`` is what the series of looks says
    (:attr:`elegan.evaluation.stopping.Watch.trend`), which gives way to "near" where KID is within its null, and
    to "unknown" where there is too little to tell.  ``word`` is a short phrase for people.
    """
    if not measurable(fakes):
        return {"n": len(fakes), "trend": "unknown", "word": "samples that are not finite"}
    covered, distance = _look_coverage(embedded, standard, seed), _look_distance(embedded, standard, seed)
    trend = _settled_trend(distance, trend)
    look: dict[str, object] = {
        "n": len(embedded),
        "kernel_distance": distance.figure(standard.features),
        "coverage": covered.figure(standard.features),
        "trend": trend,
        "word": _word(distance, covered, PHRASES[trend].format(n=distance.n)),
    }
    if mixture is not None:
        count = mixture_modes(fakes.astype(np.float64), mixture.centres, mixture.sigma)
        look |= {"modes": count.found, "high_quality": share(int(count.counts.sum()), count.n).figure()}
    return look


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([kernel_distance(a, b)])


def _covered(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([coverage(a, b)])


def _look_coverage(ours: np.ndarray, standard: Standard, seed: int) -> Estimate:
    """Coverage of one half of the reals by as many samples."""
    half, null = min(len(ours), standard.half), standard.coverage
    if np.isnan(null.null) or half < FEWEST:
        return Estimate(np.nan, n=half)
    samples, reals = ours[:half], standard.reals[:half]
    deviation = half_sample_deviation(
        lambda a, b: _covered(samples[a], reals[b]), (half, half), seed=seed, repeats=20
    )[0]  # fmt: skip
    return within(_with_null(coverage(samples, reals), deviation, half, null, 1.0), 0.0, 1.0)


def _look_distance(ours: np.ndarray, standard: Standard, seed: int) -> Estimate:
    """KID of all items; the null that was measured between halves, scaled to these sizes."""
    theirs, m, r = standard.reals, len(ours), len(standard.reals)
    if np.isnan(standard.distance.null) or m < FEWEST:
        return Estimate(np.nan, n=m)
    among = KernelSums.of(ours, theirs)
    deviation = half_sample_deviation(
        lambda a, b: np.array([among.distance(a, b)]), (m, r), seed=seed, repeats=30
    )[0]  # fmt: skip
    scale = (1 / m + 1 / r) / (2 / standard.half)
    return _with_null(among.whole, deviation, m, standard.distance, scale)


def _with_null(value: float, deviation: float, n: int, null: Estimate, scale: float) -> Estimate:
    low, high = value - NORMAL_95 * deviation, value + NORMAL_95 * deviation
    return Estimate(value, low, high, n, null.null * scale, null.null_low * scale, null.null_high * scale)


def _word(distance: Estimate, covered: Estimate, phrase: str) -> str:
    if np.isnan(distance.value):
        return phrase
    figure = f"KID {distance.value:.2g} (real against real up to {distance.null_high:.1g})"
    narrow = ", covers little of the data" if covered.high < 0.5 * covered.null else ""
    return f"{figure}, {phrase}{narrow}"


def _settled_trend(distance: Estimate, trend: Trend) -> Trend:
    """What one look can say overrules what the series says."""
    if np.isnan(distance.value):
        return "unknown"
    return "near" if distance.value <= distance.null_high else trend
