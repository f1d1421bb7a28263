"""The fifteen sanity checks of Räisä et al., 2025 (arXiv:2505.22450), for the referee's measures of two samples.

    python benchmarks/sanity_checks.py [--n 1000] [--seeds 5]

Their names and intentions are the paper's; worlds, sizes and limits are our own.  Every measure is divided by what
fresh reals get in place of the samples.  "Low" is below a half, "stays" is within 15 %, "falls" is from start to end
by a half at least and never up by more than a tenth.  A measure passes when it does in most seeds.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from elegan.evaluation.fidelity import kernel_distance, neighbour_measures
from elegan.evaluation.memorisation import Space
from elegan.evaluation.support import outside

FIDELITY, DIVERSITY = ("precision", "density", "inside"), ("recall", "coverage")
MEASURES = (*FIDELITY, *DIVERSITY)
FACTOR = 0.5
Draw = Callable[[np.random.Generator, int], np.ndarray]
Ratios = dict[str, float]
Course = list[Ratios]
"""The ratios of all measures along a series of worlds."""


@dataclass(frozen=True)
class Check:
    """What must be true of measures of fidelity, and of diversity, along a series of pairs (real, fake).

    None where the paper's intention says nothing of the kind.
    """

    name: str
    worlds: Sequence[tuple[Draw, Draw]]
    fidelity: Callable[[list[float]], bool] | None
    diversity: Callable[[list[float]], bool] | None
    sizes: Sequence[float] = (1.0,)
    """Each world is drawn at these multiples of n."""


def low(course: list[float]) -> bool:
    return max(course) < FACTOR


def ends_low(course: list[float]) -> bool:
    return course[-1] < FACTOR


def stays(course: list[float]) -> bool:
    return max(course) <= 1.15 * min(course)


def stays_high(course: list[float]) -> bool:
    return min(course) >= 0.85


def falls(course: list[float]) -> bool:
    return course[-1] <= FACTOR * course[0] and all(b <= a + 0.1 for a, b in pairwise(course))


def rises(course: list[float]) -> bool:
    return falls(course[::-1])


def normal(mean: float | np.ndarray = 0.0, deviation: float | np.ndarray = 1.0, d: int = 16) -> Draw:
    return lambda random, n: mean + deviation * random.normal(size=(n, d))


def cube(side: float, d: int = 8) -> Draw:
    return lambda random, n: side * (random.uniform(size=(n, d)) - 0.5)


def modes(weights: Sequence[float], deviation: float = 1.0, d: int = 8) -> Draw:
    """Gaussians 10 apart along one line, of which mode k has a share like weights[k]."""
    shares = np.array(weights) / sum(weights)

    def draw(random: np.random.Generator, n: int) -> np.ndarray:
        rows = deviation * random.normal(size=(n, d))
        rows[:, 0] += 10 * random.choice(len(shares), size=n, p=shares)
        return rows

    return draw


def with_outlier(draw: Draw, place: float) -> Draw:
    def drawn(random: np.random.Generator, n: int) -> np.ndarray:
        rows = draw(random, n)
        rows[0] = place
        return rows

    return drawn


def with_column(draw: Draw, column: Callable[[np.random.Generator, int], np.ndarray]) -> Draw:
    return lambda random, n: np.column_stack([draw(random, n), column(random, n)])


def rounded(draw: Draw) -> Draw:
    return lambda random, n: draw(random, n).round()


def scaled(draw: Draw, factor: float) -> Draw:
    """The first column in another unit."""
    return lambda random, n: draw(random, n) * np.append(factor, np.ones(15))


def ball(radius: float, d: int = 16) -> Draw:
    """Points on the surface of a ball."""

    def draw(random: np.random.Generator, n: int) -> np.ndarray:
        rows = random.normal(size=(n, d))
        return radius * rows / np.linalg.norm(rows, axis=1, keepdims=True)

    return draw


def torus(random: np.random.Generator, n: int) -> np.ndarray:
    """The surface of a torus of radii 1 and 0.25, about a ball of radius 0.5 which it doesn't touch."""
    a, b = random.uniform(0, 2 * np.pi, size=(2, n))
    ring = 1 + 0.25 * np.cos(b)
    return np.column_stack([ring * np.cos(a), ring * np.sin(a), 0.25 * np.sin(b)])


def pareto(random: np.random.Generator, n: int) -> np.ndarray:
    return random.pareto(1.0, size=n)


def along(deviations: Sequence[float]) -> list[tuple[Draw, Draw]]:
    return [(normal(), normal(0.0, deviation)) for deviation in deviations]


def dropping(sequential: bool) -> list[tuple[Draw, Draw]]:
    """Ten modes, of which nine vanish: one after the other, or all at once."""
    steps = (0, 3, 6, 9)
    weights = [[1.0] + [1 - k / 9 + 1e-9] * 9 for k in steps]
    if sequential:
        weights = [[1.0] * (10 - k) + [1e-9] * k for k in steps]
    return [(modes([1.0] * 10), modes(some)) for some in weights]


APART = (0.0, 0.5, 1.0, 2.0)
CHECKS = (
    Check("Gaussian mean difference", [(normal(), normal(m)) for m in APART], falls, falls),
    Check("Gaussian mean difference + outlier",
          [(with_outlier(normal(), 4.0), normal(4.0)), (normal(), with_outlier(normal(4.0), 0.0))], low, low),
    Check("Gaussian mean difference + Pareto",
          [(with_column(normal(), pareto), with_column(normal(m), pareto)) for m in APART], falls, falls),
    Check("Gaussian deviation difference, wider", along((1.0, 1.5, 2.0, 3.0)), falls, stays_high),
    Check("Gaussian deviation difference, narrower", along((1.0, 0.7, 0.5, 0.3)), stays_high, falls),
    Check("Hypercube, varying sample size", [(cube(1.0), cube(0.8))], stays, stays, sizes=(0.25, 1.0, 2.0)),
    Check("Hypercube, varying side, larger", [(cube(1.0), cube(side)) for side in (1.0, 1.2, 1.5, 2.0)], falls, None),
    Check("Hypercube, varying side, smaller", [(cube(1.0), cube(side)) for side in (1.0, 0.8, 0.6, 0.4)], stays_high,
          falls),
    Check("Hypersphere surface", [(ball(1.0), ball(radius)) for radius in (0.8, 0.5, 0.1)], low, low),
    Check("Mode collapse", [(modes([1, 1]), modes([1, 1], deviation)) for deviation in (1.0, 0.5, 0.2)], stays_high,
          falls),
    Check("Mode dropping + invention",
          [(modes([1] * 5 + [1e-9] * k), modes([1] * (5 - k) + [1e-9] * k + [1] * k)) for k in (0, 2, 4)], falls,
          falls),
    Check("Sequential mode dropping", dropping(True), stays_high, falls),
    Check("Simultaneous mode dropping", dropping(False), stays_high, falls),
    Check("One disjoint dimension, many identical",
          [(with_column(normal(), lambda _, n: np.zeros(n)), with_column(normal(), lambda _, n: np.ones(n)))], low,
          low),
    Check("Scaling one dimension",
          [(scaled(normal(), factor), scaled(normal(np.append(2.0, np.zeros(15))), factor)) for factor in (1.0, 100.0)],
          stays, stays),
    Check("Discrete against continuous", [(rounded(normal(0.0, 2.0, 4)), normal(0.0, 2.0, 4))], low, None),
    Check("Sphere against torus", [(ball(0.5, 3), torus), (torus, ball(0.5, 3))], low, low),
)  # fmt: skip
"""Two of the paper's checks have two directions, which are told apart here."""


def ratios(real: Draw, fake: Draw, n: int, random: np.random.Generator) -> Ratios:
    """Every measure of n fakes against n reals, over the same of n fresh reals."""
    reals, more, validation, fakes = real(random, n), real(random, n), real(random, n), fake(random, n)
    of_fakes, of_reals = neighbour_measures(fakes, reals), neighbour_measures(more, reals)
    found = dict(zip(("precision", "recall", "density", "coverage"), of_fakes / of_reals, strict=True))
    beyond = outside(Space(fakes, reals, validation, more))
    return found | {"inside": (1 - beyond.value) / (1 - beyond.null)}


def told_apart(real: Draw, fake: Draw, n: int, random: np.random.Generator) -> bool:
    """Whether KID is beyond what 20 pairs of real samples give."""
    nulls = [kernel_distance(real(random, n), real(random, n)) for _ in range(20)]
    return kernel_distance(fake(random, n), real(random, n)) > max(nulls)


def passes(check: Check, n: int, seed: int) -> dict[str, bool]:
    """Measure → whether it does as the check demands; measures of which nothing is demanded are left out."""
    random = np.random.default_rng(seed)
    course = [ratios(*world, round(n * size), random) for world in check.worlds for size in check.sizes]
    rules = dict.fromkeys(FIDELITY, check.fidelity) | dict.fromkeys(DIVERSITY, check.diversity)
    found = {name: rule([point[name] for point in course]) for name, rule in rules.items() if rule is not None}
    return found | {"KID": told_apart(*check.worlds[-1], n, random)}


def print_table(n: int, seeds: int) -> None:
    """A line a check and a column a measure: in how many seeds it passes."""
    columns = (*MEASURES, "KID")
    print(f"| {' | '.join(('check', *columns))} |\n|{'---|' * (len(columns) + 1)}", flush=True)
    for check in CHECKS:
        results = [passes(check, n, seed) for seed in range(seeds)]
        cells = [_cell([result[name] for result in results]) if name in results[0] else "–" for name in columns]
        print(f"| {' | '.join((check.name, *cells))} |", flush=True)


def _cell(passed: list[bool]) -> str:
    won, seeds = sum(passed), len(passed)
    return f"{'pass' if 2 * won > seeds else '**fails**'} {won}/{seeds}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    print_table(asked.n, asked.seeds)


if __name__ == "__main__":
    main()
