"""One call that asks every measure, at the end; and a quick one, at a tick."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer, Shaped

from elegan.errors import UserError
from elegan.evaluation import conditioning, health, memorisation
from elegan.evaluation.estimate import (
    NORMAL_95,
    Estimate,
    Figure,
    between,
    half_sample_deviation,
    share,
    within,
)
from elegan.evaluation.features import Embedder, as_pixels
from elegan.evaluation.fidelity import coverage, fidelity, kernel_distance
from elegan.evaluation.memorisation import Space
from elegan.evaluation.modes import Mixture, ModeCount, mixture_modes, mode_estimates

Items = Shaped[np.ndarray, "n ..."]
MOST = 1000
MOST_NEIGHBOURS = 2000
LOOK = 500
SECOND = "svm-pixels"


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


def judge(
    samples: Items,
    real: Real,
    *,
    features: Embedder,
    requested: Integer[np.ndarray, " labels"] | None = None,
    raw: Float[np.ndarray, "n ..."] | None = None,
    independent: bool = True,
    seed: int = 0,
    most: int = MOST,
) -> dict[str, object]:
    """Everything that can be measured of samples, as JSON; no verdict yet.

    ``samples`` have been through the same 8 bits as the reals; ``raw`` are the same before that, in
    [-1, 1].  ``requested`` holds the labels that were asked for.  Fidelity takes ``most`` items a side at
    the most, as many samples as there are validation reals; the measures' own pages say what each is.
    Samples that are not all finite are measured no further.
    """
    health_of_raw = _health_of_raw(samples, raw)
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
    finite = all(np.isfinite(rows).all() for rows in (samples, raw) if rows is not None)
    if not finite or not all(len(part) for part in (samples, real.train, real.validation, real.test)):
        return report
    sides = _Sides.draw(samples, real, features, most, seed)
    report["health"] = health_of_raw | sides.health()
    report["fidelity"] = sides.fidelity()
    report["memorisation"] = _memorisation(samples, real, features, seed)
    if real.mixture is not None:
        report["modes"] = _modes(samples, real, real.mixture, seed)
    if real.train_labels is not None and real.validation_labels is not None and real.test_labels is not None:
        report["classes"] = _Classes(samples, requested, real, sides, independent).report()
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
class _Sides:
    """Samples, reals and as many more reals as samples: drawn rows, and their features and pixels."""

    rows: tuple[np.ndarray, np.ndarray, np.ndarray]
    items: tuple[np.ndarray, np.ndarray, np.ndarray]
    embedded: tuple[np.ndarray, np.ndarray, np.ndarray]
    features: Embedder
    seed: int

    @classmethod
    def draw(cls, samples: np.ndarray, real: Real, features: Embedder, most: int, seed: int) -> "_Sides":
        random = np.random.default_rng(seed)
        m, r = min(len(samples), len(real.validation), most), min(len(real.test), most)
        parts = ((samples, m), (real.test, r), (real.validation, m))
        rows = tuple(random.permutation(len(part))[:n] for part, n in parts)
        items = tuple(part[index] for (part, _), index in zip(parts, rows, strict=True))
        embedded = tuple(features.embed(part) for part in items)
        return cls(rows, items, embedded, features, seed)  # type: ignore[arg-type]

    def fidelity(self) -> dict[str, Figure]:
        estimates = fidelity(*self.embedded, seed=self.seed)
        return {name: estimate.figure(self.features.name) for name, estimate in estimates.items()}

    def health(self) -> dict[str, Figure]:
        samples, reals, more_reals = (as_pixels(part) for part in self.items)
        equal = min(len(samples), len(reals))
        return {
            "diversity": health.diversity(samples, reals, more_reals, seed=self.seed).figure(),
            "repeated": health.repeated(samples[:equal], reals[:equal], more_reals[:equal]).figure(),
        }


def _health_of_raw(samples: np.ndarray, raw: np.ndarray | None) -> dict[str, Figure]:
    if raw is None:
        raw = samples if np.issubdtype(samples.dtype, np.floating) else None
    if raw is None or not len(raw):
        return {}
    found = {"not_finite": health.not_finite(raw).figure()}
    if samples.ndim == 4:
        found["out_of_range"] = health.out_of_range(raw).figure()
    return found


def _memorisation(samples: np.ndarray, real: Real, features: Embedder, seed: int) -> dict[str, object]:
    random = np.random.default_rng(seed)
    rows = random.permutation(len(samples))[:MOST_NEIGHBOURS]
    parts = [samples[rows], real.train]
    parts += [part[random.permutation(len(part))[:MOST_NEIGHBOURS]] for part in (real.validation, real.test)]
    in_features = memorisation.nearness(Space(*(features.embed(part) for part in parts)))
    in_pixels = memorisation.nearness(Space(*(as_pixels(part) for part in parts)))
    pairs = memorisation.closest_pairs(in_pixels, in_features)
    return {
        "pixels": memorisation.near_share(in_pixels).figure(),
        "features": memorisation.near_share(in_features).figure(features.name),
        "both": memorisation.near_share(in_pixels, in_features).figure(features.name),
        "pairs": [{"sample": int(rows[pair["sample"]]), "train": pair["train"]} for pair in pairs],
    }


def _modes(samples: np.ndarray, real: Real, mixture: Mixture, seed: int) -> dict[str, object]:
    reals = np.concatenate([real.test, real.validation])
    n, centres = min(len(samples), len(reals)), mixture.centres
    random = np.random.default_rng(seed)
    found, of_reals = (
        mixture_modes(part[random.permutation(len(part))[:n]].astype(np.float64), centres, mixture.sigma)
        for part in (samples, reals)
    )
    names = [f"{mode} at ({', '.join(f'{x:.3g}' for x in centre)})" for mode, centre in enumerate(centres)]
    return {
        "total": len(centres),
        **{name: one.figure() for name, one in mode_estimates(found, of_reals, seed=seed).items()},
        "missing": [names[mode] for mode in found.missing],
        "table": [{"name": name, "share": _mode_share(found, of_reals, mode)} for mode, name in enumerate(names)],
    }


def _mode_share(found: ModeCount, of_reals: ModeCount, mode: int) -> Figure:
    null = float(of_reals.counts[mode] / of_reals.n)
    return share(int(found.counts[mode]), found.n, null).figure()


class _Classes:
    """What is recognised by the features, or by a second classifier where they know no classes."""

    def __init__(
        self, samples: np.ndarray, requested: np.ndarray | None, real: Real, sides: _Sides, independent: bool
    ) -> None:
        assert real.train_labels is not None
        assert real.test_labels is not None
        self.samples, self.requested, self.real, self.sides = samples, requested, real, sides
        self.test_labels = real.test_labels
        highest = max(int(part.max()) for part in (real.train_labels, real.test_labels))
        self.count = max(len(real.classes), highest + 1, sides.features.classes)
        self.names = [*real.classes, *(str(c) for c in range(len(real.classes), self.count))]
        known, self.by = sides.features.classes, sides.features.name
        second = None
        if not known or (independent and requested is not None):
            second = conditioning.independent_classifier(real.train, real.train_labels)
        if known or second is None:
            self.recognise: Callable[[np.ndarray], np.ndarray] = lambda items: sides.features.classify(items).argmax(
                axis=1
            )
        else:
            self.recognise, self.by = second.predict, SECOND
        self.second = second if known else None

    def report(self) -> dict[str, object]:
        recognised, of_reals = self.recognise(self.samples), self.recognise(self.real.test)
        counts = conditioning.class_counts(recognised, self.requested, of_reals, self.test_labels, self.count)
        overall, each = self._spread(recognised)
        rows = zip(self.names, counts, each, strict=True)
        result: dict[str, object] = {
            "spread": overall.figure(self.by),
            "table": [self._row(*row) for row in rows],
        }
        if self.requested is not None:
            result |= self._agreement(recognised, of_reals, self.requested)
            asked = [
                (c.agreement.value, name)
                for c, name in zip(counts, self.names, strict=True)
                if c.agreement and c.requested
            ]
            result["worst"] = min(asked)[1] if asked else None
        return result

    def _agreement(self, recognised: np.ndarray, of_reals: np.ndarray, requested: np.ndarray) -> dict[str, Figure]:
        found = {"agreement": conditioning.agreement(recognised, requested, of_reals, self.test_labels).figure(self.by)}
        if self.second is not None:
            recognised, of_reals = self.second.predict(self.samples), self.second.predict(self.real.test)
            second = conditioning.agreement(recognised, requested, of_reals, self.test_labels)
            found["agreement_independent"] = second.figure(SECOND)
        return found

    def _spread(self, recognised: np.ndarray) -> tuple[Estimate, list[Estimate]]:
        """Within the classes asked for; where none was, within those recognised, of reals too."""
        if self.requested is None or self.real.validation_labels is None:
            reals = [self.recognise(items) for items in self.sides.items[1:]]
            labels = (recognised[self.sides.rows[0]], reals[0], reals[1])
        else:
            samples, test, validation = self.sides.rows
            labels = (
                self.requested[samples],
                self.test_labels[test],
                self.real.validation_labels[validation],
            )
        return conditioning.spread(self.sides.embedded, labels, self.count, seed=self.sides.seed)

    def _row(self, name: str, count: conditioning.ClassCount, spread: Estimate) -> dict[str, object]:
        return {
            "name": name, "requested": count.requested, "recognised": count.recognised,
            "share": count.share.figure(self.by), "spread": spread.figure(self.sides.features.name),
            "agreement": count.agreement.figure(self.by) if count.agreement else None,
        }  # fmt: skip


def quick_look(
    fakes: Items,
    validation: Shaped[np.ndarray, "v ..."],
    features: Embedder,
    *,
    history: Sequence[Mapping[str, object]] = (),
    mixture: Mixture | None = None,
    seed: int = 0,
) -> dict[str, object]:
    """KID and coverage against validation reals, for a tick: about 500 items a side and well below a second.

    The null comes from halves of the validation reals.  Coverage is measured at their size; KID, which is
    unbiased, with all items, its null scaled by the ratio of 1/m + 1/n, by which the KID of like samples
    shrinks (Gretton et al., 2012, JMLR 13, theorem 12).  ``history`` holds earlier looks, oldest first.
    ``trend`` is "near", "first", "improving", "level" or "worse", and ``word`` a short phrase for people.
    """
    if not np.isfinite(fakes).all():
        return {"n": len(fakes), "trend": "unknown", "word": "samples that are not finite"}
    random = np.random.default_rng(seed)
    ours, theirs = (features.embed(part[random.permutation(len(part))[:LOOK]]) for part in (fakes, validation))
    half = min(len(ours), len(theirs) // 2)
    parts = (ours[:half], theirs[:half], theirs[len(theirs) - half :])
    covered = within(between(_covered, *parts, k=1, seed=seed, repeats=20)[0], 0.0, 1.0)
    distance = _look_distance(ours, theirs, between(_distance, *parts, k=1, seed=seed, repeats=20)[0], half, seed)
    trend, phrase = _trend(distance, history)
    look: dict[str, object] = {
        "n": len(ours),
        "kernel_distance": distance.figure(features.name),
        "coverage": covered.figure(features.name),
        "trend": trend,
        "word": _word(distance, covered, phrase),
    }
    if mixture is not None:
        count = mixture_modes(fakes.astype(np.float64), mixture.centres, mixture.sigma)
        look |= {"modes": count.found, "high_quality": share(int(count.counts.sum()), count.n).figure()}
    return look


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([kernel_distance(a, b)])


def _covered(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([coverage(a, b)])


def _look_distance(ours: np.ndarray, theirs: np.ndarray, halves: Estimate, half: int, seed: int) -> Estimate:
    """KID of all items; the null that was measured between halves, scaled to these sizes."""
    if np.isnan(halves.value):
        return halves
    m, r = len(ours), len(theirs)
    deviation = half_sample_deviation(lambda a, b: _distance(ours[a], theirs[b]), (m, r), seed=seed, repeats=30)[0]
    value, scale = kernel_distance(ours, theirs), (1 / m + 1 / r) / (2 / half)
    return Estimate(
        value, value - NORMAL_95 * deviation, value + NORMAL_95 * deviation, m,
        halves.null * scale, halves.null_low * scale, halves.null_high * scale,
    )  # fmt: skip


def _word(distance: Estimate, covered: Estimate, phrase: str) -> str:
    if np.isnan(distance.value):
        return phrase
    figure = f"KID {distance.value:.2g} (real against real up to {distance.null_high:.1g})"
    narrow = ", covers little of the data" if covered.high < 0.5 * covered.null else ""
    return f"{figure}, {phrase}{narrow}"


def _trend(distance: Estimate, history: Sequence[Mapping[str, object]]) -> tuple[str, str]:
    """Against the best of the earlier looks: a word for programs and a phrase for people."""
    if np.isnan(distance.value):
        return "unknown", "too few items to look at"
    if distance.value <= distance.null_high:
        return "near", f"as near as {distance.n} samples can tell"
    earlier = [value for look in history if isinstance(value := _value(look), float)]
    if not earlier:
        return "first", "first look"
    best, margin = min(earlier), (distance.high - distance.low) / (2 * NORMAL_95)
    if distance.value < best - max(margin, 0.02 * abs(best)):
        return "improving", "still improving"
    if distance.value > best + 3 * margin and distance.value > 1.25 * best:
        return "worse", "worse than before"
    looks = len(earlier) - earlier.index(best)
    return "level", f"not clearly better for {looks} look{'s' if looks > 1 else ''}"


def _value(look: Mapping[str, object]) -> object:
    figure = look.get("kernel_distance")
    return figure.get("value") if isinstance(figure, Mapping) else None
