"""Standard metrics against torchmetrics, asked through its public door on the same features, and closed forms."""

import numpy as np
import pytest
import torch
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from elegan.evaluation.fidelity import frechet_distance, gaussian_frechet_distance, kernel_distance


class Identity(torch.nn.Module):
    """Features that are the items themselves."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.num_features = dimension

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows


def pair(d, seed, scale=1.4, shift=0.3):
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(d, d)) / np.sqrt(d)
    return random.normal(size=(300, d)) @ mixing, scale * random.normal(size=(260, d)) @ mixing + shift


@pytest.mark.parametrize("d", [2, 16, 64])
def test_the_frechet_distance_agrees_with_torchmetrics(d):
    reals, samples = pair(d, d)
    theirs = FrechetInceptionDistance(feature=Identity(d)).set_dtype(torch.float64)
    theirs.update(torch.from_numpy(reals), real=True)
    theirs.update(torch.from_numpy(samples), real=False)
    assert frechet_distance(samples, reals) == pytest.approx(float(theirs.compute()), rel=1e-5)


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance`:UserWarning")
@pytest.mark.parametrize("d", [2, 16, 64])
def test_the_kernel_distance_agrees_with_torchmetrics(d):
    reals, samples = (rows[:250] for rows in pair(d, d + 1))
    theirs = KernelInceptionDistance(feature=Identity(d), subsets=1, subset_size=250)
    theirs.update(torch.from_numpy(reals), real=True)
    theirs.update(torch.from_numpy(samples), real=False)
    assert kernel_distance(samples, reals) == pytest.approx(float(theirs.compute()[0]), rel=1e-5)


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance`:UserWarning")
def test_subsets_of_torchmetrics_scatter_around_our_value():
    """Its usual way, the mean over random subsets, is an estimate of the same quantity."""
    reals, samples = pair(8, 3)
    theirs = KernelInceptionDistance(feature=Identity(8), subsets=100, subset_size=100)
    theirs.update(torch.from_numpy(reals), real=True)
    theirs.update(torch.from_numpy(samples), real=False)
    mean, deviation = (float(part) for part in theirs.compute())
    assert kernel_distance(samples, reals) == pytest.approx(mean, abs=0.5 * deviation)


def test_commuting_covariances_have_the_closed_form():
    """Σ₁Σ₂ = Σ₂Σ₁: |μ₁ − μ₂|² + Σ (√λ₁ − √λ₂)² over common eigenvectors."""
    random = np.random.default_rng(0)
    turn = np.linalg.qr(random.normal(size=(20, 20)))[0]
    a, b = random.uniform(0, 3, (2, 20))
    mean_a, mean_b = random.normal(size=(2, 20))
    expected = ((mean_a - mean_b) ** 2).sum() + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    found = gaussian_frechet_distance(mean_a, turn * a @ turn.T, mean_b, turn * b @ turn.T)
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (3.0, 0.5), (-1.0, 0.0)])
def test_in_one_dimension_it_is_the_squares_of_both_gaps(mean, deviation):
    one = np.array([[1.0]])
    found = gaussian_frechet_distance(np.zeros(1), one, np.array([mean]), one * deviation**2)
    assert found == pytest.approx(mean**2 + (1 - deviation) ** 2, abs=1e-6)
