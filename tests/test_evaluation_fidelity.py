"""Distances and neighbour measures: closed forms, an independent implementation, and known cheats."""

import numpy as np
import pytest
import torch

from elegan.evaluation import fidelity
from elegan.evaluation.estimate import between, half_sample_deviation, share
from elegan.evaluation.sliced import sliced_estimate
from elegan.evaluation.verdict import decide


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


def dealt(n, seed):
    """Two parts of n reals each, of four far classes that are dealt evenly over both, and n draws from the same."""
    random = np.random.default_rng(seed)
    centres = 9 * np.random.default_rng(0).normal(size=(4, 6))
    even = centres[np.arange(2 * n) // 2 % 4] + random.normal(size=(2 * n, 6))
    return centres[random.integers(4, size=n)] + random.normal(size=(n, 6)), even[::2], even[1::2]


def all_measures(a, b):
    return np.array(
        [fidelity.kernel_distance(a, b), fidelity.frechet_distance(a, b), *fidelity.neighbour_measures(a, b)]
    )


def test_the_null_lies_in_its_own_interval_and_fresh_reals_do_in_95_of_100():
    """Parts that were dealt evenly are more alike than draws are: alone they would be no null."""
    inside, pairs = [], []
    for seed in range(150):
        fresh, reals, more = dealt(40, seed)
        found = between(all_measures, fresh, reals, more, k=6, seed=seed, repeats=20)
        assert all(one.null_low <= one.null <= one.null_high for one in found)
        inside.append([one.null_low <= one.value <= one.null_high for one in found])
        pairs.append(found[0].null_low <= fidelity.kernel_distance(more, reals) <= found[0].null_high)
    assert 0.92 < np.mean(inside) < 0.98
    assert np.mean(inside, axis=0).min() > 0.87
    assert np.mean(pairs) < 0.7


def test_the_sliced_distance_lies_around_its_null_too():
    found = [sliced_estimate(*dealt(40, seed), seed=seed, repeats=20) for seed in range(10)]
    assert all(one.null_low <= one.null <= one.null_high for one in found)
    assert sum(one.null_low <= one.value <= one.null_high for one in found) >= 8


def test_coverage_of_fresh_reals_falls_short_of_its_null_in_one_of_100():
    """By the rule of the verdict; a single pair of real parts as the null would give several of 100."""

    def measure(a, b):
        return np.array([fidelity.coverage(a, b)])

    verdicts = []
    for seed in range(100):
        parts = [gaussian(100, 6, 3 * seed + i) for i in range(3)]
        covered = between(measure, *parts, k=1, seed=seed)[0].figure()
        sizes = dict.fromkeys(("samples", "validation", "test"), 100)
        verdicts.append(decide({"sizes": sizes, "fidelity_second": {"coverage": covered}})["verdict"])
    assert verdicts.count("INDISTINGUISHABLE") >= 98


def test_a_measure_that_some_parts_do_not_have_is_known_from_the_others():
    """As the spread of a class with so few items that now and then a part has none of them."""

    def measure(_, rows):
        few, none = (rows % 4 == 0).sum(), np.nan
        return np.array([few if few > 3 else np.nan, none])

    rows = np.arange(60)
    some, never = between(measure, rows[:20], rows[20:40], rows[40:], k=2)
    assert some.null_low <= some.null <= some.null_high
    assert some.null_low >= 4
    assert np.isnan([never.null, never.null_low, never.null_high]).all()


def test_the_frechet_distance_of_fewer_items_than_features_is_the_same_as_by_moments():
    a, b = gaussian(30, 48, 0), gaussian(45, 48, 1, 1.2, 0.3)
    moments = [(rows.mean(axis=0), np.cov(rows, rowvar=False)) for rows in (a, b)]
    assert fidelity.frechet_distance(a, b) == pytest.approx(
        fidelity.gaussian_frechet_distance(*moments[0], *moments[1]), rel=1e-6
    )


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
