"""Augmentation: the same for the same numbers, differentiable twice, and never a flip."""

import pytest
import torch

import elegan
from elegan.augment import NUMBERS, POLICIES, Augmentation, augment
from elegan.augment.augmentation import MOST, RAMP
from elegan.errors import UserError
from elegan.game import HELD_EVERY, Batch, Config, Move, Random, Spec
from elegan.models import find
from elegan.training.checkpoint import load_checkpoint, save_checkpoint
from elegan.training.engine import Engine
from elegan.training.loop import Training


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


def policies(items, shape=(1, 8, 8), **settings):
    return Augmentation.of(Config(**settings), Spec({"real": shape}, items=items)).policies


def test_small_data_are_augmented_by_default_and_large_are_not():
    assert policies(1_200) == ("affine",)
    assert policies(60_000) == ()
    assert policies(1_200, augment=()) == ()
    assert policies(60_000, augment=("cutout",)) == ("cutout",)
    assert policies(1_200, shape=(2,)) == ()


def test_pairs_share_their_transformation():
    x = images()
    random = torch.Generator().manual_seed(0)
    look = Augmentation(("affine", "colour"), 0.9)
    y = look(torch.cat([x, x]), lambda n, k: torch.rand(n, k, generator=random), copies=2)
    assert torch.equal(y[:4], y[4:])


def adaptive():
    return Augmentation(("affine",), 0.5, adaptive=True)


def test_an_adaptive_share_begins_at_0_follows_the_sign_and_stays_within_its_limits():
    look, x = adaptive(), images()
    assert torch.equal(look(x, lambda n, k: torch.rand(n, k)), x)
    look.adapt(torch.tensor(0.2), RAMP // 10)
    assert look.share.item() == pytest.approx(0.1)
    look.adapt(torch.tensor(-3.0), RAMP // 5)
    assert look.share.item() == 0
    look.adapt(torch.tensor(1.0), 5 * RAMP)
    assert look.share.item() == pytest.approx(MOST)


class Scores(find("r3gan")):
    """A discriminator with a known answer: the mean of an image, and what is added to it."""

    added = 0.0

    def scores(self, batch):
        return batch["real"].mean((1, 2, 3)) + self.added

    def sample(self, n, condition, random):
        return torch.full((n, 1, 8, 8), -1.0)


def test_overfitting_is_the_gap_to_held_out_items_less_the_share_of_that_to_generated_ones():
    config = find("r3gan").Config(width=16, narrow=16, features=16, augment_gap=0.25, batch=4)
    game = Scores(config, Spec({"real": (1, 8, 8)}, items=100))
    batch = Batch({"real": torch.full((4, 1, 8, 8), 1.0), "held_real": torch.full((4, 1, 8, 8), 0.2)}, Random((0,)))
    for game.added in (0.0, 7.0):  # a constant changes nothing
        assert game.overfitting(batch).item() == pytest.approx((1 - 0.2) - 0.25 * (1 - -1), abs=1e-5)
    game.after_move(Move("discriminator_terms", ("discriminator",)), batch)
    assert game.augmentation.share.item() == pytest.approx(HELD_EVERY * 4 / RAMP)
    game.after_move(Move("generator_terms", ("generator",)), batch)
    assert game.augmentation.share.item() == pytest.approx(HELD_EVERY * 4 / RAMP)


class Stream:
    def __init__(self, first):
        self.position, self.first = 0, first

    def draw(self, n):
        generator = torch.Generator().manual_seed(self.first + self.position)
        self.position += n
        return {"real": torch.rand(n, 1, 8, 8, generator=generator) * 2 - 1}


@pytest.mark.parametrize(
    ("data", "settings", "remedy"),
    [("digits", {"augment": ()}, "give --augment affine"), ("ring", {}, "leave it out")],
)
def test_a_gap_without_an_augmentation_to_adapt_is_refused(tmp_path, data, settings, remedy):
    with pytest.raises(UserError, match=rf"--augment-gap is 0\.6, and there is no augmentation to adapt; {remedy}"):
        elegan.train("gan", data=data, augment_gap=0.6, out=tmp_path / "run", quiet=True, **settings)
    assert list(tmp_path.iterdir()) == []


def test_sgan_has_no_share_to_adapt(tmp_path):
    """Its agreement needs every second view augmented, and what its discriminator overfits is another view."""
    with pytest.raises(UserError, match="leave --augment-gap out"):
        elegan.train("sgan", data="digits", size=8, labelled=50, augment_gap=0.3, out=tmp_path / "run", quiet=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["r3gan", "gan", "stylegan", "progan"])
def test_a_run_that_adapts_resumes_exactly(name, tmp_path):
    small = {"gan": {"width": 32, "depth": 2}, "r3gan": {"width": 16, "narrow": 16, "features": 16}}.get(name, {})

    def training():
        torch.manual_seed(0)
        kind = find(name)
        game = kind(kind.Config(batch=8, augment_gap=0.3, **small), Spec({"real": (1, 8, 8)}, items=100))
        engine = Engine(torch.device("cpu"), bf16=False, channels_last=True)
        return Training(game, Stream(0), total=8 * 2 * (HELD_EVERY + 1), engine=engine, held=Stream(10**6))

    whole, half = training(), training()
    list(whole.play(every=10**9))
    for _ in range(HELD_EVERY):
        half.play_step()
    save_checkpoint(tmp_path, *half.state())
    resumed = training()
    resumed.restore(*load_checkpoint(tmp_path))
    list(resumed.play(every=10**9))
    ours, theirs = resumed.state()[0], whole.state()[0]
    assert all(torch.equal(ours[key], value) for key, value in theirs.items())
    assert any(key.endswith("augmentation.share") for key in theirs)
