"""The formulas in the models' docstrings, on players whose every value is known.

The discriminator is D(x) = 3x₁ + 4x₂ and the generator puts everything on one point.
"""

import math

import pytest
import torch
from torch import nn

from elegan.game import Batch, Progress, Random, Spec
from elegan.models import find

REAL, FAKE = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([0.0, 1.0])
GAMMA = 0.2


class KnownDiscriminator(nn.Module):
    """D(x|y) = 3x₁ + 4x₂ + y: a label that strays to another item shows."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([3.0, 4.0]))

    def forward(self, items, label=None):
        return items @ self.weight + (0 if label is None else label)


class KnownGenerator(nn.Module):
    def __init__(self):
        super().__init__()
        self.point = nn.Parameter(FAKE.clone())

    def forward(self, z, label=None):
        return self.point.expand(len(z), 2)


def known_game(name, **settings):
    kind = find(name)
    game = kind(kind.Config(**settings), Spec({"real": (2,), "label": ()}, ("a", "b")))
    game.discriminator, game.generator = KnownDiscriminator(), KnownGenerator()
    return game


def batch():
    return Batch({"real": REAL.clone(), "label": torch.tensor([0, 1])}, Random((1,)), Progress(0, 100))


def softplus(value):
    return math.log1p(math.exp(value))


@pytest.mark.parametrize("name", ["r3gan", "cgan"])
def test_the_relativistic_games(name):
    game = known_game(name, gamma=GAMMA)
    terms = game.discriminator_terms(batch())
    torch.testing.assert_close(terms["pair"], torch.tensor([softplus(4 - 3), softplus(5 - 9)]))
    for penalty in ("r1", "r2"):
        torch.testing.assert_close(terms[penalty], torch.full((2,), GAMMA / 2 * 25))
    terms = game.generator_terms(batch())
    torch.testing.assert_close(terms["pair"], torch.tensor([softplus(3 - 4), softplus(9 - 5)]))


@pytest.mark.parametrize("name", ["gan", "cgan"])
@pytest.mark.parametrize("objective", ["non-saturating", "minimax"])
def test_the_games_of_2014(name, objective):
    game = known_game(name, gamma=GAMMA, objective=objective)
    terms = game.discriminator_terms(batch())
    y = 1 if name == "cgan" else 0  # the second item's label, where the discriminator is told
    torch.testing.assert_close(terms["real"], torch.tensor([softplus(-3), softplus(-8 - y)]))
    torch.testing.assert_close(terms["fake"], torch.tensor([softplus(4), softplus(4 + y)]))
    torch.testing.assert_close(terms["r1"], torch.full((2,), GAMMA / 2 * 25))
    expected = [softplus(-4), softplus(-4 - y)] if objective == "non-saturating" else [-softplus(4), -softplus(4 + y)]
    torch.testing.assert_close(game.generator_terms(batch())["fake"], torch.tensor(expected))


def test_dcgan_on_images_of_known_score():
    """D = the mean of the pixels of a 1x8x8 image: 0.5 on real, −0.25 on fake; its squared slope is 1/64."""
    kind = find("dcgan")
    game = kind(kind.Config(gamma=GAMMA, augment=()), Spec({"real": (1, 8, 8)}))
    game.discriminator = MeanDiscriminator()
    game.generator = ConstantGenerator()
    terms = game.discriminator_terms(Batch({"real": torch.full((3, 1, 8, 8), 0.5)}, Random((1,))))
    torch.testing.assert_close(terms["real"], torch.full((3,), softplus(-0.5)))
    torch.testing.assert_close(terms["fake"], torch.full((3,), softplus(-0.25)))
    torch.testing.assert_close(terms["r1"], torch.full((3,), GAMMA / 2 / 64))
    terms = game.generator_terms(Batch({"real": torch.full((3, 1, 8, 8), 0.5)}, Random((1,))))
    torch.testing.assert_close(terms["fake"], torch.full((3,), softplus(0.25)))


class MeanDiscriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images):
        return self.scale * images.mean((1, 2, 3))


class ConstantGenerator(nn.Module):
    def __init__(self):
        super().__init__()
        self.level = nn.Parameter(torch.tensor(-0.25))

    def forward(self, z):
        return self.level.expand(len(z), 1, 8, 8)


@pytest.mark.parametrize(("name", "middle"), [("r3gan", 0.505), ("cgan", 0.1)])
def test_gamma_follows_its_schedule(name, middle):
    """Half-way r3gan stands at the mean of both ends, as in the paper; cgan at their geometric mean."""
    game = known_game(name, gamma=1.0, gamma_end=0.01, burn_in=0.5)
    assert game.gamma(Progress(0, 100)) == pytest.approx(1.0)
    assert game.gamma(Progress(25, 100)) == pytest.approx(middle)
    assert game.gamma(Progress(50, 100)) == pytest.approx(0.01)
    assert game.gamma(Progress(90, 100)) == pytest.approx(0.01)


def test_r3gan_burns_in_beta2_and_the_learning_rate_as_published():
    kind = find("r3gan")
    game = kind(kind.Config(**{**kind.presets["ffhq64"], "widths": (), "width": 16}), Spec({"real": (2,)}))
    start, middle, end = (game.optimizer("generator", Progress(images, 100)) for images in (0, 10, 20))
    assert (start.lr, middle.lr, end.lr) == pytest.approx((2e-4, 1.25e-4, 0.5e-4))
    assert (start.beta2, middle.beta2, end.beta2) == pytest.approx((0.9, 0.945, 0.99))
    assert game.optimizer("generator", Progress(90, 100)) == end
