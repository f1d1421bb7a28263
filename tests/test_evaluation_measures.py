"""Modes, memorisation, conditioning and health on data made by hand."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from elegan.evaluation import conditioning, health
from elegan.evaluation.memorisation import Space, closest_pairs, near_share, nearest, nearness
from elegan.evaluation.modes import mixture_modes, mode_estimates

SQUARE = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def normal(n, d, seed):
    return np.random.default_rng(seed).normal(size=(n, d))


def test_modes_counted_by_hand():
    samples = np.repeat(SQUARE, [50, 30, 2, 0], axis=0)
    samples = np.concatenate([samples, np.full((18, 2), 5.0)])  # 100 samples, 18 of them between the modes
    found = mixture_modes(samples, SQUARE, 0.1)
    assert found.counts.tolist() == [50, 30, 2, 0]
    assert found.missing == [2, 3]  # the fair share is 25, a quarter of it 6.25
    assert found.found == 2
    assert found.high_quality == pytest.approx(0.82)
    p = np.array([50, 30, 2]) / 82
    assert found.divergence == pytest.approx((p * np.log(4 * p)).sum())


def test_a_mode_is_held_from_a_quarter_of_its_fair_share_on():
    samples = np.repeat(SQUARE, [100, 100, 175, 25], axis=0)
    assert mixture_modes(samples, SQUARE, 0.1).found == 4
    samples = np.repeat(SQUARE, [100, 100, 176, 24], axis=0)
    assert mixture_modes(samples, SQUARE, 0.1).missing == [3]


def test_within_three_sigma_means_the_distance_to_the_centre():
    samples = SQUARE[:1] + np.array([[0.3, 0.0], [0.301, 0.0], [0.21, 0.21], [0.22, 0.22]])
    assert mixture_modes(samples, SQUARE, 0.1).counts.tolist() == [2, 0, 0, 0]


def test_a_cloud_of_noise_over_all_modes_holds_none():
    noise = np.random.default_rng(0).uniform(-2, 12, (2000, 2))
    assert mixture_modes(noise, SQUARE, 0.1).found == 0


def test_no_sample_near_any_mode_gives_no_histogram():
    found = mixture_modes(np.full((10, 2), 5.0), SQUARE, 0.1)
    assert found.high_quality == 0
    assert np.isnan(found.divergence)
    assert mode_estimates(found, found)["divergence"].figure()["value"] == "NaN"


def test_mode_figures_stand_beside_those_of_reals():
    labels = np.random.default_rng(0).integers(4, size=1000)
    reals = mixture_modes(SQUARE[labels] + 0.1 * normal(1000, 2, 0), SQUARE, 0.1)
    fakes = mixture_modes(SQUARE[labels % 3] + 0.1 * normal(1000, 2, 1), SQUARE, 0.1)
    figures = mode_estimates(fakes, reals)
    assert (figures["found"].value, figures["found"].null) == (3, 4)
    assert figures["high_quality"].null == pytest.approx(0.989, abs=0.01)
    assert figures["divergence"].low > figures["divergence"].null


def test_nearest_finds_the_training_item_and_measures_it_exactly():
    references = normal(400, 30, 0)
    found = nearest(references[[7, 300]] + 1e-6, references)
    assert found.index.tolist() == [7, 300]
    assert found.distance == pytest.approx(1e-6 * np.sqrt(30), rel=1e-6)


def parts(samples):
    return Space(samples, normal(1000, 6, 1), normal(500, 6, 2), normal(500, 6, 3))


def test_replay_is_near_and_fresh_data_are_not():
    train = parts(normal(1, 6, 0)).train
    assert near_share(nearness(parts(train[:500]))).value == 1
    fresh = near_share(nearness(parts(normal(500, 6, 0))))
    assert fresh.low < 0.02
    assert fresh.null < 0.03


def test_five_per_cent_of_copies_are_read_off_nearly_exactly():
    train = parts(normal(1, 6, 0)).train
    samples = np.concatenate([normal(950, 6, 0), train[:50] + 0.001])
    found = near_share(nearness(parts(samples)))
    assert 0.05 <= found.value < 0.08
    assert found.low > 0.03


def test_a_replay_is_near_even_where_reals_repeat_training_items():
    space = parts(normal(1, 6, 0))
    reals = [np.concatenate([space.train[:20], part[20:]]) for part in (space.validation, space.test)]  # 4 % repeat
    found = near_share(nearness(Space(space.train[:500], space.train, *reals)))
    assert found.value == 1
    fresh = near_share(nearness(Space(normal(500, 6, 0), space.train, *reals)))
    assert fresh.value < 0.03
    assert 0.04 <= fresh.null < 0.07


def test_where_all_reals_repeat_training_items_only_copies_are_near():
    train = parts(normal(1, 6, 0)).train
    samples = np.concatenate([train[:30], normal(70, 6, 0)])
    assert near_share(nearness(Space(samples, train, train[:200], train[200:400]))).value == 0.3


def test_near_in_both_spaces_asks_for_both():
    space = nearness(parts(np.concatenate([normal(90, 6, 0), parts(normal(1, 6, 0)).train[:10]])))
    away = nearness(parts(normal(100, 6, 0)))
    assert near_share(space, space).value == near_share(space).value >= 0.1
    assert near_share(space, away).value <= 0.03


def test_the_closest_pairs_are_the_copies():
    train = parts(normal(1, 6, 0)).train
    space = nearness(parts(np.concatenate([normal(50, 6, 0), train[[40, 41, 42]]])))
    assert closest_pairs(space, n=3) == [{"sample": 50 + i, "train": 40 + i} for i in range(3)]


def test_the_fair_share_passes_through_the_mistakes_that_are_made_on_reals():
    reals, seen = np.array([0] * 10 + [1] * 10), np.array([0] * 10 + [1] * 8 + [0] * 2)
    counts = conditioning.class_counts(seen, None, seen, reals, 2)
    assert [count.share.null for count in counts] == pytest.approx([0.6, 0.4])
    requested = np.array([1] * 20)
    counts = conditioning.class_counts(seen, requested, seen, reals, 2)
    assert [count.share.null for count in counts] == pytest.approx([0.2, 0.8])
    assert [count.requested for count in counts] == [0, 20]
    assert [count.recognised for count in counts] == [12, 8]


def test_agreement_counts_what_was_asked_for_and_stands_beside_the_accuracy_on_reals():
    asked, seen = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    found = conditioning.agreement(seen, asked, np.array([0, 1, 0]), np.array([0, 1, 1]))
    assert found.value == 0.75
    assert found.null == pytest.approx(2 / 3)
    table = conditioning.class_counts(seen, asked, np.array([0, 1]), np.array([0, 1]), 2)
    assert [count.agreement.value for count in table] == [0.5, 1.0]


def test_spread_is_the_ratio_of_mean_distances_within_a_class():
    labels = np.arange(60) % 2
    rows = normal(60, 4, 0) + 100 * labels[:, None]
    shrunk = rows.copy()
    shrunk[labels == 1] = 100 + (rows[labels == 1] - 100) / 4
    overall, each = conditioning.spread((shrunk, rows, rows), (labels, labels, labels), 2)
    assert [one.value for one in each] == pytest.approx([1, 0.25])
    assert overall.value == pytest.approx(0.625)
    assert overall.null == pytest.approx(1, abs=0.02)
    assert overall.high < 0.9


def test_a_class_without_samples_has_no_spread_and_does_not_spoil_the_mean():
    labels, none = np.arange(60) % 2, np.zeros(60, np.int64)
    rows = normal(60, 4, 0)
    overall, each = conditioning.spread((rows, rows, rows), (none, labels, labels), 3)
    assert np.isfinite(overall.value)
    assert np.isnan([each[1].value, each[2].value]).all()


def test_the_independent_classifier_reads_digits():
    data = load_digits()
    images, labels = (data.images * 255 / 16).round().astype(np.uint8)[..., None], data.target.astype(np.int64)
    classifier = conditioning.independent_classifier(images[:800], labels[:800])
    assert (classifier.predict(images[800:]) == labels[800:]).mean() > 0.93
    assert len(classifier.predict(images[:0])) == 0


def test_values_out_of_range_and_not_finite_are_counted():
    raw = np.zeros((4, 1, 2, 5), np.float32)
    raw[0, 0, 0] = 1.5
    raw[1, 0, 0, 0] = -1.5
    assert health.out_of_range(raw).value == pytest.approx(6 / 40)
    raw[2, 0, 0, 0] = np.nan
    raw[3, 0, 1, 1] = np.inf
    assert health.not_finite(raw).value == 0.5


def test_one_item_repeated_has_no_diversity_and_only_twins():
    one = np.repeat(normal(1, 5, 9), 50, axis=0)
    assert health.diversity(one, normal(50, 5, 0), normal(50, 5, 1)).high < 0.01
    assert health.repeated(one, normal(50, 5, 0), normal(50, 5, 1)).value == 1


def test_fresh_reals_are_diverse_and_have_few_twins():
    samples, reals, more = (normal(200, 5, seed) for seed in range(3))
    diversity = health.diversity(samples, reals, more)
    assert diversity.low < 1 < diversity.high
    assert health.repeated(samples, reals, more).value < 0.05


def test_ten_items_repeated_are_twins_even_where_reals_repeat():
    ten = np.repeat(normal(10, 5, 9), 20, axis=0)
    reals, more = (np.concatenate([rows[:190], rows[:10]]) for rows in (normal(200, 5, 0), normal(200, 5, 1)))
    found = health.repeated(ten, reals, more)
    assert found.value == 1
    assert 0.1 <= found.null < 0.15
    assert health.repeated(1000 + ten, reals, more).value == 1
    assert health.repeated(normal(200, 5, 2), reals, more).value < 0.05


def test_one_item_far_away_makes_no_twins_of_the_others():
    samples = np.concatenate([normal(200, 5, 0), np.full((1, 5), 1e12)])
    assert health.repeated(samples, normal(201, 5, 1), normal(201, 5, 2)).value < 0.05


def test_numbers_too_large_to_be_squared_count_as_infinite():
    rows = normal(10, 3, 0)
    assert all(
        health.measurable(rows.astype(kind)) for kind in (np.float64, np.float32, np.float16, np.int64, np.uint8)
    )
    assert not health.measurable(np.full((2, 2), -(2**63)))
    for value in (1e30, -1e16, np.inf, np.nan):
        rows[4, 1] = value
        assert not health.measurable(rows)
        assert health.not_finite(rows).value == pytest.approx(0.1)


def test_ten_items_repeated_are_diverse_and_all_twins_but_low_contrast_makes_none():
    ten = np.repeat(normal(10, 5, 9), 20, axis=0)
    reals, more = normal(200, 5, 0), normal(200, 5, 1)
    assert health.diversity(ten, reals, more).value > 0.7
    assert health.repeated(ten, reals, more).value == 1
    assert health.repeated(0.1 * normal(200, 5, 2), reals, more).value < 0.05
