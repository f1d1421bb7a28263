"""What the discriminator believes of items: how often it prefers one kind to another, and how sure it is.

All is invariant to a constant added to the logits, since a relativistic discriminator has no absolute zero; where a
game is told labels, to one constant a label, and only items of one label are compared.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import nan, sqrt

import numpy as np
from jaxtyping import Float, Integer, Shaped
from scipy.special import expit

from elegan.evaluation.estimate import NORMAL_95, Estimate, share
from elegan.json_values import as_json

Matrix = Float[np.ndarray, "n m"]
BINS = 24
FEW = 8
"""Below so many items of a label a side its logits are centred with all others."""
PERMUTATIONS = 200


@dataclass(frozen=True)
class Scores:
    """Logits [n] of n items and, of a game that is told labels, those labels [n]."""

    logits: Float[np.ndarray, " n"]
    labels: Integer[np.ndarray, " n"] | None = None

    def __len__(self) -> int:
        return len(self.logits)


@dataclass(frozen=True)
class Pairs:
    """A mean over pairs [n, m] of items of two samples, and what each item contributes to its error.

    The variance of the mean is the sum of the squared ``rows`` and ``columns``: the leading terms of Hoeffding's
    decomposition (1948, Annals of Mathematical Statistics 19); of an area under a curve that is DeLong et al., 1988,
    Biometrics 44.
    """

    mean: float
    rows: Float[np.ndarray, " n"]
    columns: Float[np.ndarray, " m"]

    @classmethod
    def of(cls, values: Matrix, counted: Shaped[np.ndarray, "n m"]) -> "Pairs":
        """The mean of ``values`` over the pairs that are ``counted`` (0 or 1); NaN where none is."""
        total = float(counted.sum())
        if not total:
            return cls(nan, np.full(len(values), nan), np.full(values.shape[1], nan))
        mean = float((values * counted).sum() / total)
        rest = (values - mean) * counted / total
        return cls(mean, rest.sum(axis=1), rest.sum(axis=0))

    @property
    def deviation(self) -> float:
        return sqrt(float(np.square(self.rows).sum() + np.square(self.columns).sum()))

    def minus(self, other: "Pairs") -> "Pairs":
        """The difference of two means whose pairs share the m columns and no rows."""
        rows = np.concatenate([self.rows, other.rows])
        return Pairs(self.mean - other.mean, rows, self.columns - other.columns)


def one_label(a: Scores, b: Scores) -> Shaped[np.ndarray, "n m"]:
    """1 for pairs of one label, 0 for others; all are 1 where there are no labels."""
    if a.labels is None or b.labels is None:
        return np.ones((len(a), len(b)))
    return (a.labels[:, None] == b.labels[None]).astype(np.float64)


def higher(a: Scores, b: Scores) -> Matrix:
    """1 where D(a) > D(b), ½ where they are equal, 0 elsewhere, [n, m]."""
    return (np.sign(a.logits[:, None] - b.logits[None]) + 1) / 2


def preference(a: Scores, b: Scores) -> Estimate:
    """P(D(a) > D(b)), ties ½: the area under the discriminator's curve; ½ when it can't tell them apart.

    The null's interval is that of the rank sum of like samples (Mann & Whitney, 1947, Annals of Mathematical
    Statistics 18), within labels.
    """
    counted = one_label(a, b)
    pairs, n = Pairs.of(higher(a, b), counted), min(len(a), len(b))
    if np.isnan(pairs.mean):
        return Estimate(nan, n=n)
    with_b, with_a = counted.sum(axis=1), counted.sum(axis=0)
    chance = NORMAL_95 * sqrt((counted * (with_b[:, None] + with_a[None] + 1)).sum() / 12) / counted.sum()
    low, high = (pairs.mean + side * NORMAL_95 * pairs.deviation for side in (-1, 1))
    if pairs.mean in (0.0, 1.0):  # nothing varies, which isn't certainty
        certain = share(round(pairs.mean * n), n)
        low, high = certain.low, certain.high
    return Estimate(pairs.mean, max(0.0, low), min(1.0, high), n, 0.5, max(0.0, 0.5 - chance), min(1.0, 0.5 + chance))


def overfit_signal(train: Scores, validation: Scores) -> Estimate:
    """P(D(x) > D(x')) − ½ for training reals x and validation reals x'; 0 when it hasn't learnt them by heart."""
    found = preference(train, validation)
    return replace(
        found, value=found.value - 0.5, low=found.low - 0.5, high=found.high - 0.5, null=found.null - 0.5,
        null_low=found.null_low - 0.5, null_high=found.null_high - 0.5,
    )  # fmt: skip


def accuracy_gap(train: Scores, validation: Scores, fake: Scores, *, seed: int = 0) -> Estimate:
    """P(D(x) > D(G(z))) on training reals less the same on validation reals, against the same fakes.

    The null's interval holds 95 % of what random exchanges between the two kinds of reals give.
    """
    sides = [(higher(part, fake), one_label(part, fake)) for part in (train, validation)]
    gap = Pairs.of(*sides[0]).minus(Pairs.of(*sides[1]))
    won = np.concatenate([(values * counted).sum(axis=1) for values, counted in sides])
    of = np.concatenate([counted.sum(axis=1) for _, counted in sides])
    random, n = np.random.default_rng(seed), len(train)
    orders = np.stack([random.permutation(len(won)) for _ in range(PERMUTATIONS)])
    shares = [won[rows].sum(axis=1) / np.maximum(1, of[rows].sum(axis=1)) for rows in (orders[:, :n], orders[:, n:])]
    low, high = np.quantile(shares[0] - shares[1], [0.025, 0.975]).tolist()
    half = NORMAL_95 * gap.deviation
    return Estimate(gap.mean, gap.mean - half, gap.mean + half, min(n, len(validation)), 0.0, low, high)


def belief(train: Scores, validation: Scores, fake: Scores) -> dict[str, object]:
    """What D believes, as plain JSON: 50:50 is a heap at ½ and an accuracy of ½.

    "real" (training), "validation" and "fake" are counts between the "edges" (0 … 1) of σ(D − midpoint), where the
    midpoint lies halfway between the mean logit of validation reals and that of fakes, of each label apart where it
    has enough items.  "accuracy" is P(D(x) > D(G(z))) on validation reals, "accuracy_train" on training reals;
    "midpoint" is that of all, "margin" how far apart the two means lie.  Empty when a logit isn't finite or a part has
    no items.
    """
    parts = {"real": train, "validation": validation, "fake": fake}
    if not all(len(part) and np.isfinite(part.logits).all() for part in parts.values()):
        return {}
    centre, edges = _centre(validation, fake), np.linspace(0, 1, BINS + 1)
    counts = {name: np.histogram(expit(part.logits - centre(part)), edges)[0].tolist() for name, part in parts.items()}
    means = float(validation.logits.mean()), float(fake.logits.mean())
    numbers = {
        "accuracy": preference(validation, fake).value, "accuracy_train": preference(train, fake).value,
        "midpoint": sum(means) / 2, "margin": means[0] - means[1],
    }  # fmt: skip
    return {"edges": edges.round(4).tolist(), **counts, **{name: as_json(value) for name, value in numbers.items()}}


def _centre(real: Scores, fake: Scores) -> Callable[[Scores], Float[np.ndarray, " n"]]:
    """Scores → the midpoint [n] between real and fake logits that holds for each item."""
    everywhere = float(real.logits.mean() + fake.logits.mean()) / 2
    if real.labels is None or fake.labels is None:
        return lambda scores: np.full(len(scores), everywhere)
    midpoints = {}
    for label in np.unique(real.labels):
        mine = [part.logits[part.labels == label] for part in (real, fake)]
        if min(map(len, mine)) >= FEW:
            midpoints[int(label)] = float(mine[0].mean() + mine[1].mean()) / 2
    return lambda scores: np.array([midpoints.get(int(c), everywhere) for c in scores.labels])  # type: ignore[union-attr]
