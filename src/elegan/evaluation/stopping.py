"""When to stop: what a series of looks says of a training.

Every look gives four things that are left to gain: KID and FD against held-out reals, the share of reals that the
samples don't cover, and the share of samples that lie where no reals do.  Each is taken as a share of what it was at
the first look (of FLOOR times what reals give against reals, where that is more: so small a distance says nothing),
and their sum is the look's score, 1 at first and 0 for a perfect generator.  All looks use the same latent points and
the same reals, so that they can be compared.

A training has *settled* when no two of the four still fall (one alone does by chance, again and again): over the
last looks, a quarter of all images shown or at least LOOKS of them, the mean of the newer half is not below that of
the older half by more than both GAIN and what chance explains.  It has *collapsed* when the score is above its best
by a quarter of the scale, and no more reals are covered than then, in two looks in a row; or when all samples are
alike in both.  Among the first looks, which are all in turmoil, it takes the whole scale, and nothing is given up.
"""

from dataclasses import dataclass, field
from math import isfinite, nan, sqrt
from typing import Literal

import numpy as np
from jaxtyping import Float

from elegan.evaluation.fidelity import coverage, expected_coverage, frechet_distance, kernel_distance, precision

Action = Literal["go on", "cool", "go back", "stop"]
Trend = Literal["unknown", "near", "first", "improving", "level", "worse"]
LOOKS, SHARE = 20, 0.25
"""The window in which a gain is looked for: looks at least, and as a share of the images shown."""
GAIN = 0.01
"""A gain within the window counts from this share of what there was to gain at first."""
DEVIATIONS = 0.5
"""And from so many standard deviations of the difference."""
TOGETHER = 2
"""So many of the measures must gain for the training to gain."""
FLOOR, LEAST = 5.0, 0.2
"""What there was to gain at first is at least so many nulls of a distance, and such a share otherwise."""
LOST, EARLY = 0.25, 1.0
"""What must be lost to call it a collapse, in units of what there was to gain; among the first looks the latter."""
IN_A_ROW = 2
MOST_RETURNS = 2
"""How often a training goes back to its best moment before it is given up."""
HALVES = 40
"""Random halves of the reals, for the nulls."""
ALIKE = 0.05
"""Samples are all alike below this share of the spread of reals."""
COVERED = 0.05
"""Coverage is no better unless by so much."""
WORSE = 0.05
"""The last look is worse than the best one from so much more of what there was to gain at first."""


@dataclass(frozen=True)
class Sight:
    """One look in numbers: KID and FD, each with what reals give against reals, 1 less coverage over its null, and 1
    less precision over its."""

    images: int
    distance: float
    frechet: float
    uncovered: float
    outside: float
    distance_null: float
    frechet_null: float
    spread: float = 1.0
    """Root mean square distance of a sample from the mean sample, over that of reals."""

    @property
    def left(self) -> Float[np.ndarray, "4"]:
        """What is left to gain, in each measure's own units."""
        return np.maximum([self.distance, self.frechet, self.uncovered, self.outside], 0.0)

    @property
    def floors(self) -> Float[np.ndarray, "4"]:
        """The least that counts as something to gain at first."""
        return np.array([FLOOR * self.distance_null, FLOOR * self.frechet_null, LEAST, LEAST])

    @property
    def usable(self) -> bool:
        return all(isfinite(value) for value in self.left)


@dataclass(frozen=True)
class Yardstick:
    """Held-out reals that all looks are measured against, and what they give among themselves."""

    reals: Float[np.ndarray, "r d"]
    coverage: float
    """What perfect samples would cover."""
    precision: float
    """What halves of the reals have of each other."""
    distance: float
    frechet: float
    """The upper ends of 95 % of KID and FD between random halves of the reals, scaled to the sizes of a look."""

    @classmethod
    def of(cls, reals: Float[np.ndarray, "r d"], n: int, *, seed: int = 5) -> "Yardstick":
        """For looks at n samples."""
        half, random = len(reals) // 2, np.random.default_rng(seed)
        parts = [random.permutation(len(reals)) for _ in range(HALVES)]
        pairs = [(reals[rows[:half]], reals[rows[half:]]) for rows in parts]
        ratio = (1 / n + 1 / len(reals)) / (2 / half) if half else nan
        highest = [
            float(np.quantile([measure(*pair) for pair in pairs], 0.975)) * ratio
            for measure in (kernel_distance, frechet_distance)
        ]
        alike = float(np.mean([precision(*pair) for pair in pairs[:10]]))
        return cls(reals, expected_coverage(n, len(reals)), alike, *highest)

    def sight(self, images: int, rows: Float[np.ndarray, "m d"]) -> Sight:
        """What features of samples show, measured at so many images."""
        uncovered = 1 - coverage(rows, self.reals) / self.coverage
        outside = 1 - precision(rows, self.reals) / self.precision
        found = kernel_distance(rows, self.reals), frechet_distance(rows, self.reals), uncovered, outside
        return Sight(images, *found, self.distance, self.frechet, spread(rows, self.reals))


def spread(rows: Float[np.ndarray, "m d"], reals: Float[np.ndarray, "r d"]) -> float:
    """Root mean square distance from the mean, of samples over that of reals."""
    ours, theirs = (float(part.astype(np.float64).var(axis=0).sum()) for part in (rows, reals))
    return sqrt(ours / theirs) if theirs > 0 else 1.0


@dataclass
class Watch:
    """What has been seen, look by look."""

    sights: list[Sight] = field(default_factory=list)

    @property
    def usable(self) -> list[Sight]:
        return [sight for sight in self.sights if sight.usable]

    def since(self, images: int) -> "Watch":
        """What has been seen from so many images on."""
        return Watch([sight for sight in self.sights if sight.images >= images]) if images else self

    def shares(self) -> Float[np.ndarray, "looks 4"]:
        """Of every usable look, what is left of what there was to gain at the first one."""
        left = np.stack([sight.left for sight in self.usable])
        return np.asarray(left / np.maximum(left[0], self.usable[0].floors))

    def scores(self) -> Float[np.ndarray, " looks"]:
        """The sum of the four shares, none above 1, as a share of the first look's.

        None above 1, or a distance that has grown without bounds would hide all that coverage says.
        """
        sums = self.shares().clip(max=1.0).sum(axis=1)
        return np.asarray(sums / max(float(sums[0]), 1e-9))

    @property
    def best(self) -> Sight | None:
        """The look with the lowest score."""
        return self.usable[int(self.scores().argmin())] if self.usable else None

    @property
    def is_best(self) -> bool:
        """Whether the last look is the best so far."""
        return bool(self.sights) and self.sights[-1].usable and self.best is self.sights[-1]

    @property
    def last_is_worse(self) -> bool:
        """Whether the last look is clearly worse than the best one."""
        if not self.usable:
            return False
        scores = self.scores()
        return bool(scores[-1] - scores.min() > WORSE) or not self.sights[-1].usable

    @property
    def is_early(self) -> bool:
        """Whether these are the first looks, all in turmoil: what looks like a collapse there often heals."""
        return len(self.sights) < LOOKS // 2

    @property
    def has_collapsed(self) -> bool:
        """Whether the last looks have lost much of what had been gained, or were of nothing that can be measured."""
        recent = self.sights[-IN_A_ROW:]
        if len(self.sights) <= IN_A_ROW:
            return False
        if not any(sight.usable for sight in recent) or all(sight.spread < ALIKE for sight in recent):
            return True
        sums, uncovered = self.shares().sum(axis=1), np.array([sight.uncovered for sight in self.usable])
        best = int(self.scores().argmin())
        limit = EARLY if self.is_early else LOST
        lost = (sums - sums[best] > limit * max(float(sums[0]), 1e-9)) & (uncovered > uncovered[best] - COVERED)
        return bool(lost[-IN_A_ROW:].all())

    def has_settled(self, since: int = 0) -> bool:
        """Whether nothing has been gained for as long as patience lasts, all of it after ``since`` images."""
        images = np.array([sight.images for sight in self.usable])
        window = max(LOOKS, self._recent)
        return int((images >= since).sum()) >= window and not self._gains(window)

    @property
    def trend(self) -> Trend:
        """What the looks say of the training for a person: settled by less patience than ends it."""
        if len(self.usable) < 2:
            return "first"
        if self.last_is_worse:
            return "worse"
        window = max(4, self._recent, min(LOOKS, len(self.usable) // 2))
        gains = self._gains(window) if len(self.usable) >= window else self.is_best
        return "improving" if gains else "level"

    @property
    def _recent(self) -> int:
        """How many looks fall into the last quarter of the images shown."""
        images = np.array([sight.images for sight in self.usable])
        return int((images > (1 - SHARE) * images[-1:].sum()).sum())

    def _gains(self, window: int) -> bool:
        return sum(_falls(each) for each in self.shares()[-window:].T) >= TOGETHER


def decide(
    watch: Watch, *, broken: bool, returns: int, patient_from: int | None, comparable_from: int | None = 0
) -> Action:
    """How a training goes on after its last look, having gone back ``returns`` times.

    ``broken``: its numbers are not finite.  Patience begins at ``patient_from`` images; None where nothing waits for a
    plateau.  Looks before ``comparable_from`` prove no collapse; None where none is looked for.
    """
    collapsed = comparable_from is not None and watch.since(comparable_from).has_collapsed
    if broken or collapsed:
        if watch.best is not None and returns < MOST_RETURNS:
            return "go back"
        if broken or not watch.is_early:
            return "stop"
    return "cool" if patient_from is not None and watch.has_settled(patient_from) else "go on"


def _falls(series: Float[np.ndarray, " looks"]) -> bool:
    """Whether the newer half lies below the older one by more than GAIN and more than chance explains."""
    half = len(series) // 2
    older, newer = series[:half], series[len(series) - half :]
    chance = sqrt((older.var(ddof=1) + newer.var(ddof=1)) / half)
    return bool(older.mean() - newer.mean() > max(GAIN, DEVIATIONS * chance))
