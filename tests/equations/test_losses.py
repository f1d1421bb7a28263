"""Every objective and penalty at points where its value is known by hand."""

import math

import pytest
import torch
from torch import nn

from elegan.losses import adversarial, penalties
from elegan.losses.adversarial import OBJECTIVES

LOG2, NEAR, FAR = math.log(2), math.log1p(math.exp(-2.0)), math.log1p(math.exp(2.0))
A = torch.tensor([3.0, 4.0], requires_grad=True)


def linear_discriminator(items):
    """D(x) = 3x₁ + 4x₂: its slope is (3, 4) everywhere, of length 5."""
    return items @ A


@pytest.mark.parametrize(
    ("name", "real", "fake", "generator"),
    [
        ("minimax", [LOG2, NEAR], [LOG2, FAR], [-LOG2, -FAR]),
        ("non-saturating", [LOG2, NEAR], [LOG2, FAR], [LOG2, NEAR]),
        ("least-squares", [0.5, 0.5], [0.0, 2.0], [0.5, 0.5]),
        ("hinge", [1.0, 0.0], [1.0, 3.0], [0.0, -2.0]),
        ("wasserstein", [0.0, -2.0], [0.0, 2.0], [0.0, -2.0]),
    ],
)  # fmt: skip
def test_each_objective_at_logits_0_and_2(name, real, fake, generator):
    logits, objective = torch.tensor([0.0, 2.0]), OBJECTIVES[name]
    torch.testing.assert_close(objective.real(logits), torch.tensor(real))
    torch.testing.assert_close(objective.fake(logits), torch.tensor(fake))
    torch.testing.assert_close(objective.generator(logits), torch.tensor(generator))


def test_the_minimax_losses_are_eq_1_of_goodfellow():
    logits = torch.tensor([-1.5, 0.3, 4.0])
    d = logits.sigmoid()
    torch.testing.assert_close(adversarial.log_likelihood_real(logits), -d.log())
    torch.testing.assert_close(adversarial.log_likelihood_fake(logits), -(1 - d).log())
    torch.testing.assert_close(adversarial.minimax_generator(logits), (1 - d).log())
    torch.testing.assert_close(adversarial.nonsaturating_generator(logits), -d.log())


def test_the_minimax_generator_saturates_where_the_other_does_not():
    """At D(G(z)) near 0 the minimax slope vanishes and the non-saturating one is −1."""
    for loss, slope in ((adversarial.minimax_generator, 0.0), (adversarial.nonsaturating_generator, -1.0)):
        logit = torch.tensor([-20.0], requires_grad=True)
        loss(logit).sum().backward()
        assert logit.grad.item() == pytest.approx(slope, abs=1e-6)


def test_relativistic_pairs_mirror_each_other_and_ignore_a_shift():
    real, fake = torch.tensor([1.0, -2.0]), torch.tensor([0.0, 3.0])
    pair = adversarial.relativistic_discriminator(real, fake)
    torch.testing.assert_close(pair, torch.log1p(torch.exp(fake - real)))
    torch.testing.assert_close(adversarial.relativistic_generator(fake, real), pair)
    torch.testing.assert_close(adversarial.relativistic_discriminator(real + 7, fake + 7), pair)


def test_a_zero_centred_penalty_is_half_gamma_times_25():
    items = torch.randn(6, 2, requires_grad=True)
    penalty = penalties.zero_centred(linear_discriminator(items), items, gamma=0.2)
    torch.testing.assert_close(penalty, torch.full((6,), 0.1 * 25))


def test_the_one_centred_penalty_is_weight_times_16():
    items = torch.randn(6, 2, requires_grad=True)
    penalty = penalties.one_centred(linear_discriminator(items), items, weight=10.0)
    torch.testing.assert_close(penalty, torch.full((6,), 160.0))


def test_the_slope_sums_over_all_of_an_image():
    """D = the sum of all 3·4·5 pixels: a squared slope of 60, not 1."""
    images, one = torch.randn(2, 3, 4, 5, requires_grad=True), torch.ones((), requires_grad=True)
    slope = penalties.squared_slope(one * images.sum((1, 2, 3)), images)
    torch.testing.assert_close(slope, torch.full((2,), 60.0))


def test_a_penalty_trains_the_discriminator():
    """D(x) = w·x: d/dw of γ/2 ‖w‖² is γ w, so the penalty pulls the weights towards 0."""
    layer = nn.Linear(2, 1, bias=False)
    items = torch.randn(4, 2, requires_grad=True)
    penalties.zero_centred(layer(items)[:, 0], items, gamma=3.0).mean().backward()
    torch.testing.assert_close(layer.weight.grad, 3.0 * layer.weight.detach())


def test_a_penalty_that_could_teach_nothing_is_an_error():
    items = torch.randn(3, 2, requires_grad=True)
    with pytest.raises(RuntimeError, match="would do nothing"):
        penalties.squared_slope(items.sum(1), items)


def test_between_lies_on_the_line_from_fake_to_real():
    real, fake = torch.ones(3, 2), torch.zeros(3, 2)
    mixed = penalties.between(real, fake, torch.tensor([0.0, 0.25, 1.0]))
    torch.testing.assert_close(mixed.detach()[:, 0], torch.tensor([0.0, 0.25, 1.0]))
    assert mixed.requires_grad
