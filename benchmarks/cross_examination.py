"""The referee cross-examined: known cheats and known sicknesses, each with the verdict that it must get.

    python benchmarks/cross_examination.py [--data digits | PATH] [--seeds 20] [--first 0] [--n 500] [--json FILE]
    python benchmarks/cross_examination.py --sanity

A seed is a new split, new features and new cheats.  Prints a line a cheat and exits with 1 when a bar is missed.
After each seed the rows so far go to FILE, so that a run that is stopped has told what it saw.
``--sanity`` puts the measures through the checks of Räisä et al., 2025 (arXiv:2505.22450) instead.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elegan.data import open_data
from elegan.evaluation.extractors import fit_patches
from elegan.evaluation.features import Coordinates, train_features
from elegan.evaluation.judge import Real, judge
from elegan.evaluation.modes import Mixture
from elegan.evaluation.verdict import decide

SICK = {"COLLAPSED", "LOW_QUALITY", "MISSING_MODE", "OVERFIT", "OVER_GENERALISED", "SCARCE_MODE", "DIVERGED"}
MOST_TRAINING = 3000
BAR = 19 / 20
BARS = {"5 % copies": 18 / 20}
MIXTURE_SIZES = (2000, 500)
CENTRES = np.stack([np.cos(np.arange(10) * np.pi / 5), np.sin(np.arange(10) * np.pi / 5)], axis=1)
SIGMA = 0.05

Items = np.ndarray
Passes = Callable[[dict[str, object]], bool]


@dataclass(frozen=True)
class Bench:
    """Real data in parts, ``fresh`` reals that stand for a perfect generator's samples, and a way to draw."""

    real: Real
    fresh: Items
    labels: np.ndarray
    random: np.random.Generator


@dataclass(frozen=True)
class Cheat:
    """What is handed to the referee instead of samples, and what it must say."""

    name: str
    expected: str
    make: Callable[[Bench], Items]
    passes: Passes


def says(code: str) -> Passes:
    return lambda verdict: verdict["verdict"] == code


def names(code: str, name: str) -> Passes:
    """The verdict is this code, and of this part alone."""
    return lambda verdict: verdict["verdict"] == code and findings(verdict, code)[0]["names"] == [name]


def healthy(verdict: dict[str, object]) -> bool:
    return not {finding["code"] for finding in findings(verdict)} & SICK


def not_fooled(verdict: dict[str, object]) -> bool:
    return verdict["verdict"] != "INDISTINGUISHABLE"


def findings(verdict: dict[str, object], code: str | None = None) -> list[dict[str, object]]:
    found = verdict["findings"]
    assert isinstance(found, list)
    return [finding for finding in found if code in (None, finding["code"])]


def without(bench: Bench) -> Items:
    return bench.fresh[bench.labels != removed(bench)]


def removed(bench: Bench) -> int:
    """The last class but one: 8 of ten digits."""
    return len(bench.real.classes) - 2


def averaged_pairs(items: Items, count: int, random: np.random.Generator) -> Items:
    """Averages of two random items, half and half."""
    first, second = random.integers(len(items), size=(2, count))
    return (0.5 * items[first] + 0.5 * items[second]).round().astype(items.dtype)


def with_pairs(bench: Bench, source: Items) -> Items:
    """A fifth of the samples are averages of two items of ``source``."""
    fifth = len(bench.fresh) // 5
    return np.concatenate([bench.fresh[fifth:], averaged_pairs(source, fifth, bench.random)])


def with_copies(bench: Bench) -> Items:
    twentieth = len(bench.fresh) // 20
    copied = bench.random.choice(bench.real.train, twentieth, replace=False)
    return np.concatenate([bench.fresh[twentieth:], copied])


def blurred(items: Items) -> Items:
    """Gaussian blur of a thirtieth of the side, one pixel at least."""
    from scipy.ndimage import gaussian_filter

    sigma = max(1.0, items.shape[1] / 30)
    return gaussian_filter(items.astype(np.float32), (0, sigma, sigma, 0)).round().astype(np.uint8)


def cheats(bench: Bench) -> list[Cheat]:
    """All of them; the class that is removed is known by its label."""
    n, name = len(bench.fresh), bench.real.classes[removed(bench)]
    return [
        Cheat("fresh reals", "no sickness", lambda b: b.fresh, healthy),
        Cheat("replay of training data", "OVERFIT", lambda b: b.random.choice(b.real.train, n), says("OVERFIT")),
        Cheat("5 % copies", "OVERFIT", with_copies, says("OVERFIT")),
        Cheat("a class removed", f"MISSING_MODE {name}", without, names("MISSING_MODE", name)),
        Cheat("20 % averaged pairs of fresh reals", "OVER_GENERALISED", lambda b: with_pairs(b, b.fresh),
              says("OVER_GENERALISED")),
        Cheat("20 % averaged training pairs", "OVER_GENERALISED", lambda b: with_pairs(b, b.real.train),
              says("OVER_GENERALISED")),
        Cheat("blur", "LOW_QUALITY", lambda b: blurred(b.fresh), says("LOW_QUALITY")),
        Cheat("noise", "LOW_QUALITY", lambda b: b.random.integers(0, 256, b.fresh.shape).astype(np.uint8),
              says("LOW_QUALITY")),
        Cheat("inverted contrast", "LOW_QUALITY", lambda b: 255 - b.fresh, says("LOW_QUALITY")),
        Cheat("one image repeated", "COLLAPSED", lambda b: np.repeat(b.fresh[:1], n, axis=0), says("COLLAPSED")),
        Cheat("shifted by one pixel", "not INDISTINGUISHABLE", lambda b: np.roll(b.fresh, 1, axis=2), not_fooled),
        Cheat("20 samples", "CANNOT_TELL", lambda b: b.fresh[:20], says("CANNOT_TELL")),
    ]  # fmt: skip


def bench_of(images: Items, labels: np.ndarray, classes: Sequence[str], n: int, seed: int) -> Bench:
    """A random split: n fresh items, and of the rest a quarter (n at most) each for validation and test."""
    rows = np.random.default_rng(seed).permutation(len(images))
    held_out = min(n, (len(images) - n) * 27 // 100)
    fresh, validation, test, train = np.split(rows, np.cumsum([n, held_out, held_out]))
    parts = train[:MOST_TRAINING], validation, test
    real = Real(*(images[part] for part in parts), *(labels[part] for part in parts), classes=tuple(classes))
    return Bench(real, images[fresh], labels[fresh], np.random.default_rng((seed, 1)))


def examine(bench: Bench, seed: int, wanted: Sequence[str] = ()) -> Iterator[tuple[Cheat, dict[str, object]]]:
    """Each cheat with its verdict; features are learnt anew."""
    features = train_features(bench.real.train, bench.real.train_labels, seed=seed)
    second = fit_patches(bench.real.train, seed=seed)
    for cheat in cheats(bench):
        if not wanted or cheat.name in wanted:
            report = judge(cheat.make(bench), bench.real, features=features, second=second, baseline=False, seed=seed)
            yield cheat, decide(report)


def mixture_with_a_halved_mode(n: int, seed: int) -> dict[str, object]:
    """The verdict on n samples of ten Gaussians of which one comes half as often; n reals in each part."""
    random = np.random.default_rng(seed)
    even, halved = np.ones(10) / 10, np.append(np.ones(9), 0.5) / 9.5

    def draw(shares: np.ndarray) -> Items:
        modes = random.choice(10, size=n, p=shares)
        return (CENTRES[modes] + random.normal(0, SIGMA, (n, 2))).astype(np.float32)

    real = Real(draw(even), draw(even), draw(even), mixture=Mixture(CENTRES, SIGMA))
    return decide(judge(draw(halved), real, features=Coordinates(2, 0.7), baseline=False, critics=False, seed=seed))


def scarce(verdict: dict[str, object]) -> bool:
    """The halved mode is called scarce."""
    named = [name for finding in findings(verdict, "SCARCE_MODE") for name in finding["names"]]  # type: ignore[attr-defined]
    return verdict["verdict"] == "SCARCE_MODE" and [str(name)[0] for name in named] == ["9"]


@dataclass
class Row:
    """One cheat's record over seeds."""

    cheat: str
    expected: str
    seeds: int = 0
    passed: int = 0
    verdicts: dict[str, int] | None = None

    def add(self, verdict: dict[str, object], passed: bool) -> None:
        self.verdicts = self.verdicts or {}
        word = str(verdict["verdict"])
        self.verdicts[word] = self.verdicts.get(word, 0) + 1
        self.seeds, self.passed = self.seeds + 1, self.passed + passed

    @property
    def met(self) -> bool:
        return self.passed >= BARS.get(self.cheat, BAR) * self.seeds

    def __str__(self) -> str:
        said = ", ".join(f"{word} {count}" for word, count in sorted((self.verdicts or {}).items()))
        return f"{self.cheat:36s} {self.expected:24s} {self.passed:3d} of {self.seeds:3d}   {said}"


def keep(path: Path | None, rows: dict[str, Row]) -> None:
    if path:
        path.write_text(json.dumps([row.__dict__ for row in rows.values()], indent=1))


def main() -> int:
    """1 where a bar is missed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--n", type=int, default=500)
    parser.add_argument("--cheats", nargs="*", default=[])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sanity", action="store_true")
    asked = parser.parse_args()
    if asked.sanity:
        from sanity_checks import print_table

        print_table(asked.n, min(asked.seeds, 5))
        return 0
    data = open_data(asked.data)
    rows: dict[str, Row] = {}
    seeds = range(asked.first, asked.first + asked.seeds)
    for seed in seeds:
        bench = bench_of(np.asarray(data.items), data.labels, data.classes, asked.n, seed)
        for cheat, verdict in examine(bench, seed, asked.cheats):
            passed = cheat.passes(verdict)
            rows.setdefault(cheat.name, Row(cheat.name, cheat.expected)).add(verdict, passed)
            if not passed:
                told = [(f["code"], f["section"], f["measure"], f["figure"], f["names"]) for f in findings(verdict)]
                print(f"  seed {seed}, {cheat.name}: {told}", flush=True)
        keep(asked.json, rows)
    if not asked.cheats:
        for n in MIXTURE_SIZES:
            row = rows[str(n)] = Row(f"a class halved, {n} of a mixture", "SCARCE_MODE")
            for seed in seeds:
                verdict = mixture_with_a_halved_mode(n, seed)
                row.add(verdict, scarce(verdict))
    print(f"{asked.data}, n = {asked.n}, {asked.seeds} seeds")
    print("\n".join(map(str, rows.values())))
    keep(asked.json, rows)
    return int(not all(row.met for key, row in rows.items() if key != str(MIXTURE_SIZES[1])))


if __name__ == "__main__":
    sys.exit(main())
