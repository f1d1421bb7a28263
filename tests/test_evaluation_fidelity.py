"""Distances and neighbour measures: closed forms, an independent implementation, and known cheats."""

import numpy as np
import pytest
import torch

from elegan.evaluation import fidelity
from elegan.evaluation.estimate import between, half_sample_deviation, share


def gaussian(n, d, seed, scale=1.0, shift=0.0):
    return np.random.default_rng(seed).normal(shift, scale, (n, d))


def whitened(n, d, seed):
    """Rows whose mean is exactly 0 and whose covariance is exactly the identity."""
    rows = gaussian(n, d, seed)
    rows -= rows.mean(axis=0)
    return rows @ np.linalg.inv(np.linalg.cholesky(np.cov(rows, rowvar=False))).T


def test_frechet_distance_of_gaussians_is_the_closed_form():
    a, b = whitened(200, 3, 0), whitened(300, 3, 1) * [2.0, 3.0, 0.5] + [1.0, 0.0, -2.0]
    expected = 1 + 4 + (2 - 1) ** 2 + (3 - 1) ** 2 + (0.5 - 1) ** 2
    assert fidelity.frechet_distance(a, b) == pytest.approx(expected, abs=1e-9)


def test_frechet_distance_of_correlated_gaussians_needs_no_symmetric_root():
    mean, turned = np.zeros(2), np.array([[2.0, 1.0], [1.0, 2.0]])
    diagonal = np.diag([1.0, 4.0])
    eigenvalues = np.linalg.eigvals(turned @ diagonal)
    expected = 4 + 5 - 2 * np.sqrt(eigenvalues).sum()
    assert fidelity.gaussian_frechet_distance(mean, turned, mean, diagonal) == pytest.approx(expected, abs=1e-12)


def test_frechet_distance_to_itself_is_zero_even_with_fewer_items_than_features():
    rows = gaussian(10, 32, 0)
    assert fidelity.frechet_distance(rows, rows) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_agrees_with_torchmetrics():
    from torchmetrics.image.fid import _compute_fid

    a, b = gaussian(400, 12, 0), gaussian(300, 12, 1, 1.3, 0.2)
    moments = [(torch.tensor(x.mean(0)), torch.tensor(np.cov(x, rowvar=False))) for x in (a, b)]
    theirs = float(_compute_fid(*moments[0], *moments[1]))
    assert fidelity.frechet_distance(a, b) == pytest.approx(theirs, rel=1e-6)


def test_kernel_distance_agrees_with_torchmetrics():
    from torchmetrics.image.kid import poly_mmd

    a, b = gaussian(150, 8, 0), gaussian(150, 8, 1, 1.2, 0.3)
    theirs = float(poly_mmd(torch.tensor(a), torch.tensor(b)))
    assert fidelity.kernel_distance(a, b) == pytest.approx(theirs, rel=1e-9)


def test_kernel_distance_is_unbiased_and_frechet_distance_is_not():
    pairs = [(gaussian(40, 4, 2 * i), gaussian(60, 4, 2 * i + 1)) for i in range(400)]
    kernel = np.array([fidelity.kernel_distance(a, b) for a, b in pairs])
    assert abs(kernel.mean()) < 3 * kernel.std() / np.sqrt(len(pairs))
    assert (kernel < 0).any()
    assert min(fidelity.frechet_distance(a, b) for a, b in pairs) > 0


def test_kernel_distance_of_two_points_a_side_is_the_hand_computed_one():
    a, b = np.array([[1.0], [2.0]]), np.array([[0.0], [1.0]])
    expected = (1 * 2 + 1) ** 3 + (0 + 1) ** 3 - 2 * np.mean([1, 8, 1, 27])
    assert fidelity.kernel_distance(a, b) == pytest.approx(expected)


def test_a_tight_cluster_in_a_wide_cloud_is_precise_and_recalls_little():
    wide, tight = gaussian(400, 4, 0), gaussian(400, 4, 1, 0.05)
    assert fidelity.precision(tight, wide) == 1
    assert fidelity.recall(tight, wide) < 0.05
    assert fidelity.coverage(tight, wide) < 0.2
    assert fidelity.density(tight, wide) > 1


def test_a_wide_cloud_around_a_tight_cluster_recalls_all_and_is_imprecise():
    wide, tight = gaussian(400, 4, 0), gaussian(400, 4, 1, 0.05)
    assert fidelity.precision(wide, tight) < 0.05
    assert fidelity.recall(wide, tight) == 1
    assert fidelity.density(wide, tight) < 0.05


def test_neighbour_measures_of_points_on_a_line_are_the_hand_computed_ones():
    reals, samples = np.array([[0.0], [1.0], [2.0], [10.0]]), np.array([[0.5], [3.0], [30.0]])
    assert fidelity.radii(reals, 1).tolist() == [1, 1, 1, 8]
    assert fidelity.precision(samples, reals, k=1) == pytest.approx(2 / 3)
    assert fidelity.density(samples, reals, k=1) == pytest.approx((2 + 2) / 3)
    assert fidelity.coverage(samples, reals, k=1) == 1
    assert fidelity.recall(samples, reals, k=1) == 1


def test_the_measures_taken_together_are_the_measures_taken_alone():
    a, b = gaussian(80, 3, 0), gaussian(90, 3, 1, 1.1)
    alone = [measure(a, b) for measure in (fidelity.precision, fidelity.recall, fidelity.density, fidelity.coverage)]
    assert fidelity.neighbour_measures(a, b).tolist() == alone


def test_one_outlier_among_reals_makes_far_samples_precise_but_not_dense():
    reals, far = np.concatenate([gaussian(200, 2, 0), [[100.0, 0.0]]]), gaussian(200, 2, 1, 1.0, 50.0)
    assert fidelity.precision(far, reals) == 1
    assert fidelity.density(far, reals) < 0.25


def test_coverage_of_fresh_reals_is_what_the_paper_expects():
    found = [fidelity.coverage(gaussian(200, 5, 2 * i), gaussian(200, 5, 2 * i + 1)) for i in range(20)]
    expected = 1 - np.prod([(200 - i) / (400 - i) for i in range(1, 6)])
    assert np.mean(found) == pytest.approx(expected, abs=0.01)


def test_half_samples_estimate_the_deviation_that_new_data_show():
    def covered(a, b):
        return np.array([fidelity.coverage(a, b)])

    seen = [covered(gaussian(200, 4, 2 * i, 0.6), gaussian(200, 4, 2 * i + 1))[0] for i in range(60)]
    a, b = gaussian(200, 4, 0, 0.6), gaussian(200, 4, 1)
    estimates = half_sample_deviation(lambda i, j: covered(a[i], b[j]), (200, 200), seed=0)
    assert 0.6 * np.std(seen) < estimates[0] < 1.8 * np.std(seen)


def test_fresh_reals_lie_within_the_null_and_others_beyond_it():
    fresh, reals, more = (gaussian(200, 8, seed) for seed in (0, 1, 2))
    same = fidelity.fidelity(fresh, reals, more, repeats=25)
    other = fidelity.fidelity(fresh * 1.5, reals, more, repeats=25)
    for name in ("kernel_distance", "frechet_distance"):
        assert same[name].null_low <= same[name].value <= same[name].null_high
        assert other[name].low > other[name].null_high
    assert same["coverage"].n == 200


def test_estimates_are_the_same_for_the_same_seed():
    parts = [gaussian(60, 3, seed) for seed in range(3)]
    assert fidelity.fidelity(*parts, seed=4, repeats=5) == fidelity.fidelity(*parts, seed=4, repeats=5)


def test_too_few_items_give_nan_rather_than_a_number():
    parts = [gaussian(8, 3, seed) for seed in range(3)]
    assert all(np.isnan(estimate.value) for estimate in fidelity.fidelity(*parts).values())
    assert fidelity.fidelity(*parts)["coverage"].figure()["value"] == "NaN"


def test_the_null_must_have_as_many_items_as_the_samples():
    with pytest.raises(ValueError, match="10 samples against 9 reals"):
        between(lambda a, b: np.zeros(1), np.zeros((10, 1)), np.zeros((10, 1)), np.zeros((9, 1)), k=1)


@pytest.mark.parametrize(
    ("count", "n", "low", "high"), [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)]
)
def test_a_share_has_its_wilson_interval(count, n, low, high):
    found = share(count, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)
