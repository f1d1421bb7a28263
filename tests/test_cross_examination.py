"""Known cheats and sicknesses, none of which may fool the referee: the cases of benchmarks/cross_examination.py."""

import numpy as np
import pytest
from scripts import script
from sklearn.datasets import load_digits

from elegan.evaluation.features import train_features
from elegan.evaluation.judge import judge
from elegan.evaluation.verdict import decide

SEEDS = 20
QUICK = (
    "fresh reals", "20 % averaged pairs of fresh reals", "20 % averaged training pairs", "blur", "inverted contrast",
    "shifted by one pixel",
)  # fmt: skip
"""The others are among the tests of the verdict."""
EXAMINATION = script("cross_examination")


def digits(seed):
    data = load_digits()
    images = (data.images * 255 / 16).round().astype(np.uint8)[..., None]
    return EXAMINATION.bench_of(images, data.target.astype(np.int64), [str(c) for c in range(10)], 500, seed)


@pytest.fixture(scope="module")
def bench():
    made = digits(0)
    return made, train_features(made.real.train, made.real.train_labels)


@pytest.mark.parametrize("name", QUICK)
def test_the_referee_is_not_fooled(bench, name):
    made, features = bench
    cheat = next(cheat for cheat in EXAMINATION.cheats(made) if cheat.name == name)
    verdict = decide(judge(cheat.make(made), made.real, features=features))
    assert cheat.passes(verdict), (cheat.expected, verdict["findings"])


def test_ghosts_are_shown_with_the_two_images_that_they_blend(bench):
    made, features = bench
    pairs = EXAMINATION.averaged_pairs(made.real.train, 100, np.random.default_rng(0))
    samples = np.concatenate([made.fresh[:400], pairs])
    ghosts = judge(samples, made.real, features=features)["support"]["ghosts"]
    blended = [ghost for ghost in ghosts if ghost["sample"] >= 400]
    assert len(blended) >= 6
    for ghost in blended:
        both = made.real.train[[ghost["a"], ghost["b"]]].astype(float)
        assert np.abs(both.mean(axis=0) - samples[ghost["sample"]]).mean() < 3


def test_a_halved_class_is_scarce_at_two_thousand_a_side():
    verdict = EXAMINATION.mixture_with_a_halved_mode(2000, 0)
    assert EXAMINATION.scarce(verdict), verdict["findings"]


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_no_cheat_fools_the_referee_over_twenty_seeds():
    rows = {}
    for seed in range(SEEDS):
        for cheat, verdict in EXAMINATION.examine(digits(seed), seed):
            row = rows.setdefault(cheat.name, EXAMINATION.Row(cheat.name, cheat.expected))
            row.add(verdict, cheat.passes(verdict))
    assert all(row.met for row in rows.values()), "\n".join(map(str, rows.values()))


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_halved_class_is_scarce_in_nineteen_of_twenty_seeds():
    verdicts = [EXAMINATION.mixture_with_a_halved_mode(2000, seed) for seed in range(SEEDS)]
    assert sum(map(EXAMINATION.scarce, verdicts)) >= 19
