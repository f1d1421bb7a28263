"""A fresh critic: what it finds, what that certifies, and what odds it wins."""

import numpy as np
import pytest
import torch
from scipy.stats import beta, norm
from sklearn.datasets import load_digits

from elegan.evaluation import critics
from elegan.evaluation.critics import feature_critic, pixel_critic
from elegan.evaluation.two_sample import (
    REJECT,
    certified_total_variation,
    clopper_pearson,
    evidence,
    log_e_value,
    two_sample,
    two_sample_section,
)


def normal(n, d, seed, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1.0, (n, d)).astype(np.float32)


def digits(seed=0):
    """16 × 16 pixels, 8 bits, in random order."""
    images = (load_digits().images * 255 / 16).round().astype(np.uint8)
    images = images.repeat(2, axis=1).repeat(2, axis=2)[..., None]
    return images[np.random.default_rng(seed).permutation(len(images))]


def by_first_coordinate(_reals, _samples, _seed):
    """The best critic for a shift along the first coordinate; learns nothing, so that tests are fast."""
    return lambda items: 0.4 * items[:, 0].astype(np.float32)


@pytest.mark.parametrize(("count", "n"), [(0, 10), (3, 10), (10, 10), (540, 1000)])
def test_the_interval_is_the_exact_one_of_clopper_and_pearson(count, n):
    low, high = clopper_pearson(count, n)
    assert low == pytest.approx(0 if count == 0 else beta.ppf(0.025, count, n - count + 1))
    assert high == pytest.approx(1 if count == n else beta.ppf(0.975, count + 1, n - count))
    assert low <= count / n <= high


def test_the_certified_distance_of_ten_right_of_ten_is_the_hand_computed_one():
    assert certified_total_variation(10, 10) == pytest.approx(2 * 0.05**0.1 - 1)
    assert certified_total_variation(5, 10) == 0


def test_the_certified_distance_stays_below_the_true_one_in_95_of_100():
    """Two normals μ apart: TV = 2Φ(μ/2) − 1, and the best critic is right with probability Φ(μ/2)."""
    shift, n, random = 0.6, 500, np.random.default_rng(0)
    truth = 2 * norm.cdf(shift / 2) - 1
    bounds = [certified_total_variation(int(random.binomial(n, norm.cdf(shift / 2))), n) for _ in range(400)]
    assert np.mean([bound <= truth for bound in bounds]) > 0.93
    assert np.mean(bounds) > 0.5 * truth


def test_the_certified_distance_of_a_critic_that_learnt_stays_below_the_true_one():
    samples, reals, more = normal(600, 4, 0, 0.5), normal(600, 4, 1), normal(600, 4, 2)
    truth = 2 * norm.cdf(0.5 * 2 / 2) - 1
    found = two_sample(samples, reals, more, feature_critic)
    assert 0.5 * truth < found.total_variation.value < truth
    assert found.total_variation.high == 1
    assert found.total_variation.null == 0
    assert found.accuracy.low > found.accuracy.null_high
    assert found.accuracy.n == 600


def test_samples_of_the_same_distribution_pass_in_19_of_20(monkeypatch):
    monkeypatch.setattr(critics, "STEPS", 60)
    found = [two_sample(*(normal(200, 4, 10 * i + j) for j in range(3)), feature_critic, seed=i) for i in range(20)]
    assert sum(one.accuracy.low <= 0.5 for one in found) >= 19
    assert max(one.total_variation.value for one in found) < 0.1
    assert not any(evidence([one.log_e_value], 200).value >= REJECT for one in found)
    assert all(one.accuracy.null_low <= one.accuracy.null <= one.accuracy.null_high for one in found)
    assert all(0 <= one.total_variation.null <= one.total_variation.null_high for one in found)


def test_a_shift_of_one_pixel_is_found_by_the_critic_of_pixels_alone(monkeypatch):
    monkeypatch.setattr(critics, "STEPS", 100)
    images = digits()
    samples, reals, more = np.roll(images[:200], 1, axis=2), images[200:400], images[400:600]
    found = two_sample(samples, reals, more, pixel_critic)
    assert found.total_variation.value > 0.5
    assert found.accuracy.null < 0.6
    assert evidence([found.log_e_value], 200).value >= REJECT


def test_faint_noise_is_found_at_the_grain_of_the_pixels():
    images = digits()
    noise = np.random.default_rng(0).normal(0, 12, (300, *images.shape[1:]))
    samples = np.clip(images[:300] + noise, 0, 255).round().astype(np.uint8)
    critic = pixel_critic(images[300:450], samples[:150], 0)
    assert (critic(images[450:600]) > 0).mean() > 0.7
    assert (critic(samples[150:]) < 0).mean() > 0.7


@pytest.mark.parametrize("shape", [(20, 28, 3), (33, 41, 1), (8, 8, 1)])
def test_the_critic_of_pixels_takes_images_of_any_shape(shape, monkeypatch):
    monkeypatch.setattr(critics, "STEPS", 8)
    random = np.random.default_rng(0)
    reals, samples = (random.integers(0, high, (20, *shape)).astype(np.uint8) for high in (256, 128))
    scores = pixel_critic(reals, samples, 0)(reals)
    assert scores.shape == (20,)
    assert np.isfinite(scores).all()
    assert pixel_critic(reals, samples, 0)(reals[:0]).shape == (0,)


def test_constant_items_give_finite_scores(monkeypatch):
    monkeypatch.setattr(critics, "STEPS", 8)
    assert np.isfinite(feature_critic(np.ones((20, 3)), np.ones((20, 3)), 0)(np.ones((5, 3)))).all()


def test_the_same_seed_gives_the_same_result_and_the_callers_state_stays(monkeypatch):
    monkeypatch.setattr(critics, "STEPS", 10)
    parts = [normal(80, 3, seed) for seed in range(3)]
    torch.manual_seed(3)
    np.random.seed(3)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), torch.get_num_threads()
    with torch.no_grad():
        first = two_sample(*parts, feature_critic, seed=1)
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        assert two_sample(*parts, feature_critic, seed=1) == first
        assert torch.is_inference_mode_enabled()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert torch.get_num_threads() == before[2]


def test_too_few_items_give_nan_rather_than_a_number():
    found = two_sample(*(normal(20, 3, seed) for seed in range(3)), feature_critic)
    assert np.isnan(found.accuracy.value)
    assert found.figures("f")["total_variation"]["value"] == "NaN"
    assert found.log_e_value == 0


def test_the_section_has_pixels_for_images_alone(monkeypatch):
    monkeypatch.setattr(critics, "STEPS", 8)
    images = digits()[:180]
    items, rows = tuple(np.split(images, 3)), tuple(normal(60, 3, seed) for seed in range(3))
    section = two_sample_section(items, rows, "both")
    assert set(section) == {"features", "pixels", "evidence"}
    assert section["features"]["accuracy"]["features"] == "both"
    assert section["evidence"]["null"] == 1
    assert section["evidence"]["null_interval"] == [0, REJECT]
    assert set(two_sample_section(rows, rows, "coordinates")) == {"features", "evidence"}


def test_the_mean_of_an_e_value_is_one_whatever_the_critic():
    """Over both orders of every pair, each as likely as the other, the mean is 1 exactly."""
    a, b = np.array([0.3, -2.0, 5.0]), np.array([1.0, 4.0, -40.0])
    orders = [[bool(code >> i & 1) for i in range(3)] for code in range(8)]
    values = [np.exp(log_e_value(np.where(swap, b, a), np.where(swap, a, b))) for swap in orders]
    assert np.mean(values) == pytest.approx(1)


def test_a_critic_that_is_wrong_and_sure_of_it_loses_little():
    right = log_e_value(np.full(10, 50.0), np.full(10, -50.0))
    wrong = log_e_value(np.full(10, -50.0), np.full(10, 50.0))
    assert right == pytest.approx(10 * np.log(2), abs=1.7)
    assert wrong == pytest.approx(-np.log(5), abs=1e-3)


def test_evidence_between_equals_raises_false_alarms_in_5_of_100_at_most():
    random, values = np.random.default_rng(0), []
    for _ in range(2000):
        logarithms = [log_e_value(*random.normal(0, 2, (2, 20))) for _ in range(2)]
        values.append(evidence(logarithms, 20).value)
    assert np.mean(np.array(values) >= REJECT) <= 0.05
    assert np.mean(values) < 1.5


def test_a_huge_e_value_stays_a_value_and_one_critic_that_sees_it_is_enough():
    assert evidence([1000.0], 5).figure()["value"] == "Infinity"
    assert evidence([5.0, -9.0], 5).value == pytest.approx((np.exp(5) + np.exp(-9)) / 2)


def test_the_null_of_reals_that_a_critic_can_tell_apart_is_in_its_interval():
    """Then samples must be told apart better than the two kinds of reals are."""
    found = two_sample(normal(200, 2, 0), normal(200, 2, 1), normal(200, 2, 2, -3.0), by_first_coordinate)
    assert found.accuracy.null > 0.65
    assert found.accuracy.null_high == found.accuracy.null
    assert found.total_variation.null_high == found.total_variation.null > 0.2
