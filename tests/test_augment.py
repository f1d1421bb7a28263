"""Augmentation: the same for the same numbers, differentiable twice, and never a flip."""

import pytest
import torch

from elegan.augment import NUMBERS, POLICIES, Augmentation, augment


def images(n=4, c=1, h=16, w=16):
    return torch.rand(n, c, h, w, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("shape", [(4, 1, 8, 8), (4, 3, 16, 12), (4, 4, 9, 20)])
def test_each_policy_keeps_shape_and_type_and_changes_something(policy, shape):
    x = images(*shape)
    y = augment(x, torch.rand(4, NUMBERS, generator=torch.Generator().manual_seed(1)), (policy,))
    assert y.shape == x.shape
    assert y.dtype == x.dtype
    assert not torch.equal(x, y)


@pytest.mark.parametrize("policy", POLICIES)
def test_gradients_of_gradients_pass_through(policy):
    x = images().double().requires_grad_(True)
    y = augment(x, torch.rand(4, NUMBERS, dtype=torch.float64), (policy,))
    (slope,) = torch.autograd.grad(y.pow(3).sum(), x, create_graph=True)
    slope.square().sum().backward()
    assert torch.isfinite(x.grad).all()
    assert x.grad.abs().sum() > 0


def test_the_same_numbers_transform_alike():
    numbers = torch.rand(4, NUMBERS)
    assert torch.equal(augment(images(), numbers, tuple(POLICIES)), augment(images(), numbers, tuple(POLICIES)))


@pytest.mark.parametrize("policy", POLICIES)
def test_numbers_in_the_middle_change_nothing_but_what_cutout_hides(policy):
    """½ stands for no turn, no shift, no change of colour; cutout at ½ hides the middle."""
    numbers = torch.full((4, NUMBERS), 0.5)
    y = augment(images(), numbers, (policy,))
    if policy == "cutout":
        assert (y[:, :, 4:12, 4:12] == 0).all()
        assert torch.equal(y[:, :, :4], images()[:, :, :4])
    else:
        torch.testing.assert_close(y, images(), atol=1e-5, rtol=1e-5)


def test_translation_moves_whole_pixels():
    x = torch.zeros(1, 1, 16, 16)
    x[0, 0, 8, 8] = 1
    start = list(POLICIES).index("translation")
    offset = sum(1 + POLICIES[name][1] for name in list(POLICIES)[:start]) + 1
    numbers = torch.full((1, NUMBERS), 0.5)
    numbers[0, offset] = 0.0
    y = augment(x, numbers, ("translation",))
    assert y[0, 0].nonzero().tolist() == [[10, 8]]


def test_no_policy_mirrors_a_seven():
    """An image that is bright on its left stays brighter there, whatever the numbers."""
    x = torch.zeros(200, 1, 16, 16)
    x[..., :8] = 1
    y = augment(x, torch.rand(200, NUMBERS, generator=torch.Generator().manual_seed(2)), ("affine", "translation"))
    assert (y[..., :8].mean((1, 2, 3)) > y[..., 8:].mean((1, 2, 3))).all()


def test_the_share_is_the_share_of_images_that_change():
    x = images(400)
    y = augment(x, torch.rand(400, NUMBERS, generator=torch.Generator().manual_seed(3)), ("colour",), share=0.3)
    changed = (x != y).flatten(1).any(1).float().mean()
    assert 0.2 < changed < 0.4


def test_small_data_are_augmented_by_default_and_large_are_not():
    assert Augmentation.for_data(None, 0.5, 1_200).policies == ("affine",)
    assert Augmentation.for_data(None, 0.5, 60_000).policies == ()
    assert Augmentation.for_data((), 0.5, 1_200).policies == ()
    assert Augmentation.for_data(("cutout",), 0.5, 60_000).policies == ("cutout",)


def test_pairs_share_their_transformation():
    x = images()
    random = torch.Generator().manual_seed(0)
    look = Augmentation(("affine", "colour"), 0.9)
    y = look(torch.cat([x, x]), lambda n, k: torch.rand(n, k, generator=random), copies=2)
    assert torch.equal(y[:4], y[4:])
