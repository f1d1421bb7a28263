"""The dumb sampler, the sliced distance, the second extractor, pretrained ones, and copies in other views."""

import os
import pickle
import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from elegan.errors import UserError
from elegan.evaluation.extractors import fit_patches
from elegan.evaluation.features import Coordinates, Embedder
from elegan.evaluation.fidelity import kernel_distance
from elegan.evaluation.gaussian import fit_gaussian
from elegan.evaluation.memorisation import closest_pairs, near_share
from elegan.evaluation.pretrained import pretrained
from elegan.evaluation.sliced import sliced_estimate, sliced_wasserstein
from elegan.evaluation.views import nearness_in_views


def normal(n, d, seed, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1.0, (n, d))


@pytest.fixture(scope="module")
def digits():
    """16 × 16 pixels, 8 bits, in random order."""
    images = (load_digits().images * 255 / 16).round().astype(np.uint8)
    images = images.repeat(2, axis=1).repeat(2, axis=2)[..., None]
    return images[np.random.default_rng(0).permutation(len(images))]


@pytest.fixture(scope="module")
def patches(digits):
    return fit_patches(digits[:800])


def test_a_shift_costs_its_square_over_the_dimension():
    """W₂² of N(0, I) and N(μ, I) along u is (u·μ)², whose mean over directions is |μ|²/d."""
    rows, shift = normal(1000, 6, 0), np.array([1.0, 0, 0, -2.0, 0, 0.5])
    assert sliced_wasserstein(rows[:50], rows[:50] + shift, directions=20_000) == pytest.approx(
        shift @ shift / 6, rel=0.02
    )
    assert sliced_wasserstein(normal(1000, 6, 1) + shift, rows) == pytest.approx(shift @ shift / 6, rel=0.1)


def test_in_one_dimension_it_is_the_squared_wasserstein_distance():
    assert sliced_wasserstein(np.array([[0.0], [3.0]]), np.array([[5.0], [1.0]])) == pytest.approx((1 + 4) / 2)
    scaled = sliced_wasserstein(2 * normal(20_000, 1, 0), normal(20_000, 1, 1), directions=1)
    assert scaled == pytest.approx(1, rel=0.05)


def test_unlike_numbers_are_compared_by_their_quantiles():
    rows = normal(300, 4, 0)
    assert sliced_wasserstein(np.repeat(rows, 2, axis=0), rows) < 1e-3
    assert sliced_wasserstein(rows[:1], rows) == pytest.approx(sliced_wasserstein(rows, rows[:1]))
    equal = sliced_wasserstein(normal(300, 4, 1) + 1, rows)
    assert sliced_wasserstein(normal(200, 4, 1) + 1, rows) == pytest.approx(equal, rel=0.2)


def test_the_sliced_distance_of_fresh_reals_lies_within_its_null():
    fresh, reals, more = (normal(300, 8, seed) for seed in range(3))
    same, other = (sliced_estimate(part, reals, more, repeats=25) for part in (fresh, fresh + 0.5))
    assert same.null_low <= same.value <= same.null_high
    assert other.low > other.null_high
    assert other.low < other.value < other.high
    assert sliced_estimate(fresh, reals, more, repeats=25) == same
    assert np.isnan(sliced_estimate(fresh[:9], reals, more[:9]).value)


def test_the_dumb_sampler_has_the_moments_of_its_data():
    random = np.random.default_rng(0)
    data = (random.normal(size=(3000, 4)) @ random.normal(size=(4, 4)) + 7).astype(np.float32)
    drawn = fit_gaussian(data).sample(20_000)
    assert drawn.dtype == data.dtype
    assert drawn.mean(axis=0) == pytest.approx(data.mean(axis=0), abs=0.1)
    assert np.cov(drawn, rowvar=False) == pytest.approx(np.cov(data, rowvar=False), rel=0.1, abs=0.1)


def test_the_dumb_sampler_draws_8_bit_images_with_the_variance_of_the_data(digits):
    sampler = fit_gaussian(digits[:1000])
    drawn = sampler.sample(500, seed=1)
    assert (drawn.dtype, drawn.shape) == (np.dtype(np.uint8), (500, 16, 16, 1))
    rows = digits[:1000].reshape(1000, -1).astype(np.float64)
    assert 0.99 <= (sampler.deviations**2).sum() / rows.var(axis=0, ddof=1).sum() <= 1
    assert len(sampler.deviations) < 64
    assert (sampler.sample(500, seed=1) == drawn).all()
    assert (sampler.sample(500, seed=2) != drawn).any()
    assert drawn.mean() == pytest.approx(digits[:1000].mean(), rel=0.15)


@pytest.mark.parametrize("n", [1, 4, 60])
def test_few_items_have_few_components(n, digits):
    sampler = fit_gaussian(digits[:n])
    assert len(sampler.deviations) == max(1, n // 5)
    assert sampler.sample(3).shape == (3, 16, 16, 1)


def test_the_second_extractor_is_an_embedder_without_classes(patches, digits):
    assert isinstance(patches, Embedder)
    assert (patches.classes, patches.accuracy, patches.dimension) == (0, None, 64)
    assert patches.name == f"patches-64-{patches.hash[:8]}"
    rows = patches.embed(digits[:800])
    assert rows.dtype == np.float32
    assert rows.mean(axis=0) == pytest.approx(0, abs=1e-3)
    assert (rows**2).mean() == pytest.approx(1, abs=0.1)
    assert patches.embed(digits[:0]).shape == (0, 64)
    with pytest.raises(UserError, match="knows no classes"):
        patches.classify(digits[:2])


def test_the_second_extractor_is_the_same_for_the_same_data_and_draws_no_random_numbers(patches, digits):
    before = torch.get_rng_state()
    assert fit_patches(digits[:800]).hash == patches.hash
    assert fit_patches(digits[:800], seed=1).hash != patches.hash
    assert torch.equal(torch.get_rng_state(), before)


def blurred(images):
    wide = images.astype(np.float64)
    return ((wide + np.roll(wide, 1, axis=1) + np.roll(wide, 1, axis=2)) / 3).round().astype(np.uint8)


def noisy(images):
    noise = np.random.default_rng(0).normal(0, 10, images.shape)
    return np.clip(images + noise, 0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("change", [blurred, noisy, lambda images: np.roll(images, 1, axis=2)])
def test_the_second_extractor_sees_the_grain(change, patches, digits):
    reals, more, fakes = (patches.embed(part) for part in (digits[800:1100], digits[1100:1400], change(digits[1400:])))
    assert kernel_distance(fakes, reals) > 10 * abs(kernel_distance(more, reals))


@pytest.mark.parametrize("shape", [(8, 8, 1), (33, 20, 3), (70, 130, 3)])
def test_the_second_extractor_takes_images_of_any_size(shape):
    images = np.random.default_rng(0).integers(0, 256, (40, *shape)).astype(np.uint8)
    extractor = fit_patches(images)
    assert extractor.embed(images).shape == (40, 8)
    assert np.isfinite(extractor.embed(images)).all()
    with pytest.raises(UserError, match="uint8"):
        extractor.embed(images[:, 1:])


def test_blank_images_and_too_few_are_no_accident():
    blank = np.zeros((30, 16, 16, 1), np.uint8)
    assert np.isfinite(fit_patches(blank).embed(blank)).all()
    with pytest.raises(UserError, match="at least 20"):
        fit_patches(blank[:5])
    with pytest.raises(UserError, match="8×8"):
        fit_patches(blank[:, :4])


class Means(torch.nn.Module):
    """Four numbers of an image: the mean of each channel, and its width."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        width = torch.full((images.shape[0], 1), float(images.shape[3]))
        return torch.cat([images.mean(dim=(2, 3)), width], dim=1)


class Flat(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean()


class Undefined(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=(2, 3)) / 0 * 0


class Large(torch.nn.Module):
    """Made for 24 × 24 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = torch.nn.Linear(3 * 24 * 24, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.weights(images.flatten(1))


def scripted(module, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(module), path)
    return path


def test_a_pretrained_network_is_named_after_its_file_and_its_hash(tmp_path, digits):
    network = pretrained(scripted(Means(), tmp_path / "means.pt"), (16, 16, 1))
    assert isinstance(network, Embedder)
    assert network.name == f"means-{network.hash[:8]}"
    assert (network.dimension, network.classes) == (4, 0)
    rows = network.embed(digits[:70])
    assert rows[:, 0] == pytest.approx(digits[:70].mean(axis=(1, 2, 3)) / 255, rel=1e-4)
    assert (rows[:, 0] == rows[:, 2]).all()
    assert (rows[:, 3] == 16).all()
    assert network.embed(digits[:0]).shape == (0, 4)
    with pytest.raises(UserError, match="16×16×1"):
        network.embed(digits[:2, 1:])
    with pytest.raises(UserError, match="knows no classes"):
        network.classify(digits[:2])


def test_images_are_resized_to_the_side_that_a_network_was_made_for(tmp_path, digits):
    path = scripted(Large(), tmp_path / "large.pt")
    with pytest.raises(UserError, match="bring them to the size"):
        pretrained(path, (16, 16, 1))
    assert pretrained(path, (16, 16, 1), side=24).embed(digits[:3]).shape == (3, 5)


class Malice:
    """Would make a file if a pickle of it were read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_pickles_are_never_read(tmp_path):
    torch.save(Malice(tmp_path / "bad"), tmp_path / "weights.pt")
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Malice(tmp_path / "bad")))
    for name in ("weights.pt", "plain.pkl", "missing.pt"):
        with pytest.raises(UserError, match="TorchScript file"):
            pretrained(tmp_path / name, (16, 16, 1))
    assert not (tmp_path / "bad").exists()


def test_networks_that_give_no_finite_vectors_are_refused(tmp_path, digits):
    with pytest.raises(UserError, match="one vector each"):
        pretrained(scripted(Flat(), tmp_path / "flat.pt"), (16, 16, 1))
    network = pretrained(scripted(Undefined(), tmp_path / "undefined.pt"), (16, 16, 3))
    with pytest.raises(UserError, match="not finite"):
        network.embed(np.zeros((2, 16, 16, 3), np.uint8))
    with pytest.raises(UserError, match="4 channels"):
        pretrained(tmp_path / "flat.pt", (16, 16, 4))


def views_of(samples, digits, patches):
    train = digits[:800]
    items = samples, train, digits[800:1100], digits[1100:1400]
    return nearness_in_views(items, patches.embed(train), patches.embed)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x,
        lambda x: x[:, :, ::-1],
        lambda x: np.roll(x, (1, -1), (1, 2)),
        lambda x: np.roll(x[:, :, ::-1], 1, 2),
    ],
    ids=["replayed", "mirrored", "moved", "mirrored and moved"],
)
def test_copies_are_found_mirrored_and_moved(change, digits, patches):
    copies = change(digits[:30])
    spaces = views_of(np.concatenate([digits[1400:1670], copies]), digits, patches)
    found = near_share(*spaces)
    assert 0.08 <= found.value <= 0.13
    assert found.null < 0.03
    pairs = closest_pairs(*spaces, n=30)
    assert {(pair["sample"] - 270, pair["train"]) for pair in pairs} == {(i, i) for i in range(30)}


def test_fresh_images_are_no_copies_in_any_view(digits, patches):
    found = near_share(*views_of(digits[1400:], digits, patches))
    assert found.low < 0.01
    assert found.null < 0.03


def test_large_images_may_move_by_two_pixels_and_vectors_have_one_view(digits):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (120, 30, 26, 3)).astype(np.uint8)
    samples = np.roll(images[:10], (2, -2), (1, 2))
    extractor = fit_patches(images[:60])
    pixels, _ = nearness_in_views(
        (samples, images[:60], images[60:90], images[90:]), extractor.embed(images[:60]), extractor.embed
    )
    assert pixels.samples.distance == pytest.approx(0)
    assert (pixels.samples.index == np.arange(10)).all()
    parts = tuple(normal(100, 3, seed) for seed in range(4))
    coordinates = Coordinates(3)
    spaces = nearness_in_views((-parts[1], *parts[1:]), coordinates.embed(parts[1]), coordinates.embed)
    assert near_share(*spaces).value < 0.06
