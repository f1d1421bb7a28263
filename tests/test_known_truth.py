"""Games whose fate is known in closed form, played by elegan's own loop with its own losses and penalties."""

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import elegan
from elegan.data import open_data
from elegan.evaluation.modes import mixture_modes

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
points = import_module("point_games")
linear = import_module("linear_quadratic")

BAR = 0.01  # the measured factor a step against its closed form, relative
METHODS = ("simultaneous", "alternating", "extragradient", "optimistic")


@pytest.mark.parametrize(
    ("method", "s", "damping", "published"),
    [
        ("simultaneous", 0.3, 0, 1.0440), ("alternating", 0.3, 0, 1), ("alternating", 1.99, 0, 1),
        ("extragradient", 0.3, 0, 0.9582), ("optimistic", 0.3, 0, 0.9487), ("optimistic", 3**-0.5, 0, 1),
        ("simultaneous", 0.1, 0.06, 0.9747), ("alternating", 0.1, 0.06, 0.9695),
        ("simultaneous", 0.1, 0.2, 0.9000), ("alternating", 0.1, 0.2, 0.9270),
    ],
)  # fmt: skip
def test_the_closed_forms_have_their_published_values(method, s, damping, published):
    assert points.modulus(method, s, damping) == pytest.approx(published, abs=5e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_bilinear_game_turns_at_the_rate_of_each_singular_value(method):
    """s = 0.1, 0.3 and 0.6 in one game: at 0.6 the optimistic method is past 1/√3 and diverges."""
    random, step, singular = np.random.default_rng(0), 0.1, np.array([1.0, 3.0, 6.0])
    left, right = (np.linalg.qr(random.standard_normal((3, 3)))[0] for _ in range(2))
    matrix = torch.from_numpy(left * singular @ right.T)
    config = points.PointConfig(method=method, step=step, objective="wasserstein")
    places = points.play(config, 200, [[1.0, 0.5, -1.0], [0.3, 1.0, 0.7]], matrix).places
    radii = np.hypot(places[:, :3] @ left, places[:, 3:] @ right)
    for one, s in zip(radii.T, step * singular, strict=True):
        assert points.measured_modulus(one, skip=0.2) == pytest.approx(points.modulus(method, s), rel=BAR)
    assert (radii[-1] > 10 * radii[0]).any() == (method in ("simultaneous", "optimistic"))


def test_without_a_penalty_each_simultaneous_step_leads_outwards():
    """‖(θ, ψ)‖² grows by h²‖v‖², and for the loss of 2014 ‖v‖ = σ(θψ) ‖(θ, ψ)‖ (Mescheder et al., 2018, lemma 2.3)."""
    config = points.PointConfig(method="simultaneous", step=0.2)
    places = points.play(config, 60, [[1.0], [1.0]]).places
    squares, chance = (places**2).sum(1), 1 / (1 + np.exp(-places.prod(1)))
    np.testing.assert_allclose(squares[1:], squares[:-1] * (1 + (0.2 * chance[:-1]) ** 2), rtol=1e-12)


def test_alternating_steps_stay_on_their_circle_and_their_average_finds_its_centre():
    path = points.play(points.bilinear("alternating").config, 300, [[1.0], [1.0]])
    radii, averaged = np.linalg.norm(path.places, axis=1), np.linalg.norm(path.averages, axis=1)
    assert radii.max() / radii.min() < 1.4
    assert averaged[-1] < 0.05 * radii[-1]
    assert averaged[-1] < 0.3 * averaged[75]


@pytest.mark.parametrize("case", points.UNPENALISED + points.PENALISED, ids=lambda case: case.name)
def test_the_dirac_gan_moves_at_the_rate_of_its_closed_form(case):
    radii = case.radii()
    assert points.measured_modulus(radii) == pytest.approx(case.truth, rel=BAR)
    assert (radii[-1] < 0.02 * radii[0]) == (case in points.PENALISED)


@pytest.mark.parametrize("case", points.LOST, ids=lambda case: case.name)
def test_wgan_and_wgan_gp_never_arrive(case):
    radii = case.radii()
    assert radii[100:].min() > 0.5
    assert points.measured_modulus(radii) == pytest.approx(1, abs=1e-3)


def test_a_linear_generator_against_a_quadratic_discriminator_finds_the_principal_components():
    data = linear.Gaussian((2.5, 1.6, 0.5, 0.3, 0.1))
    found = linear.play(data, latent=2, images=400_000)
    assert found.errors[0] > 0.1
    assert found.errors[-1] < 1e-2
    variances = np.linalg.eigvalsh(found.weights[-1] @ found.weights[-1].T)[::-1]
    np.testing.assert_allclose(variances, [2.5, 1.6, 0, 0, 0], atol=0.05)
    np.testing.assert_allclose(found.square, [0, 0, 0.25, 0.25, 0.25], atol=0.03)
    np.testing.assert_array_equal(found.truth, [0, 0, 0.25, 0.25, 0.25])


def test_in_one_dimension_the_generator_finds_mean_and_deviation_and_the_discriminator_goes_flat():
    with points.double():
        found = linear.play(linear.Gaussian((0.49,), mean=(0.7,)), latent=1, images=200_000)
    assert found.mean == pytest.approx(0.7, abs=0.02)
    assert np.abs(found.weights[-1]) == pytest.approx(0.7, abs=0.02)
    assert found.square == pytest.approx(0, abs=0.03)
    assert found.slope == pytest.approx(0, abs=0.03)


def test_angles_between_subspaces():
    axes = np.eye(3)
    assert linear.subspace_error(axes[:, :2], 5 * axes[:, [1, 0]]) == pytest.approx(0, abs=1e-12)
    assert linear.subspace_error(axes[:, :1], axes[:, 1:2]) == pytest.approx(1)
    assert linear.subspace_error(axes[:, :1], np.array([[1.0], [1.0], [0.0]])) == pytest.approx(0.5**0.5)


@pytest.mark.parametrize(("name", "modes"), [("ring", 8), ("grid", 25)])
def test_a_mixtures_own_data_hold_all_its_modes(name, modes):
    data = open_data(name)
    count = mixture_modes(data.items, data.modes.centres, data.modes.sigma)
    assert (count.found, len(data.modes.centres)) == (modes, modes)
    assert count.high_quality == pytest.approx(1 - np.exp(-4.5), abs=2e-3)  # a 2-D Gaussian within 3 sigma
    assert count.divergence < 3 * (modes - 1) / (2 * len(data.items))


@pytest.mark.parametrize(("name", "modes"), [("ring", 8), ("grid", 25)])
def test_a_perfect_sampler_scores_what_theory_says(name, modes):
    truth, random, n, repeats = open_data(name).modes, np.random.default_rng(0), 2_500, 100
    counts = []
    for _ in range(repeats):
        samples = truth.centres[random.integers(modes, size=n)] + truth.sigma * random.standard_normal((n, 2))
        counts.append(mixture_modes(samples, truth.centres, truth.sigma))
    assert {count.found for count in counts} == {modes}
    assert np.mean([count.high_quality for count in counts]) == pytest.approx(0.98889, abs=1e-3)
    expected = (modes - 1) / (2 * n * 0.98889)  # half a chi-square of modes − 1, of the samples within 3 sigma
    error = 4 * expected * (2 / (modes - 1) / repeats) ** 0.5
    assert np.mean([count.divergence for count in counts]) == pytest.approx(expected, abs=error)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_r3gan_finds_every_mode_of_the_ring(tmp_path):
    run = elegan.train("r3gan", data="ring", out=tmp_path / "ring", images=800_000, quiet=True, referee=False)
    truth = open_data("ring").modes
    count = mixture_modes(run.sample(2_500, seed=999).numpy(), truth.centres, truth.sigma)
    assert count.found == 8


@pytest.mark.long
def test_the_example_draws_its_pictures(tmp_path, capsys):
    assert import_module("known_truth").main(["--out", str(tmp_path)]) == 0
    assert "| Dirac-GAN: R1, γ = 1 | ×0.9270 | ×0.9270 |" in capsys.readouterr().out
    pictures = {path.name for path in tmp_path.iterdir()}
    assert pictures == {"bilinear.png", "bilinear.gif", "dirac.png", "dirac.gif", "principal.png", "mixtures.png"}
    with Image.open(tmp_path / "dirac.gif") as film:
        assert film.n_frames > 20
