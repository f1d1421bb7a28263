"""ProGAN's four techniques, one by one, and growth as a user meets it: in samples, in the log, in minutes."""

import math

import pytest
import torch
from test_models import RandomStream, game_of, training_of
from torch import nn

from elegan.game import Batch, Progress, Random, Spec
from elegan.models import find
from elegan.networks.convolution import Convolution
from elegan.networks.equalised import EqualisedConv2d, EqualisedLinear, minibatch_deviation, pixel_norm
from elegan.networks.growing import Growth, double, halve
from elegan.training.checkpoint import load_checkpoint, save_checkpoint
from elegan.verbs import plan as planning
from elegan.verbs.folder import Folder
from elegan.verbs.progress import Display

SHAPE = (3, 32, 32)
LABEL = torch.tensor([0, 1, 2, 0])
ODD = [(1, 28, 28), (3, 17, 30), (4, 48, 32)]


@pytest.fixture
def game():
    return game_of("progan", SHAPE)


def at(share):
    return Progress(round(share * 1000), 1000)


# Growing


@pytest.mark.parametrize("shape", [SHAPE, *ODD])
@pytest.mark.parametrize("bounded", [True, False])
def test_a_doubling_of_weight_0_draws_what_was_drawn_before_pixel_by_pixel(shape, bounded):
    generator, z = game_of("progan", shape, bounded=bounded).generator, torch.randn(4, 64)
    for level in range(1, len(generator.blocks) + 1):
        before = generator(z, LABEL, Growth(level - 1))
        assert torch.equal(generator(z, LABEL, Growth(level, 0.0)), double(before))
        assert not torch.equal(generator(z, LABEL, Growth(level)), double(before))


def test_a_doubling_of_weight_0_judges_as_before(game):
    for level in (1, 2, 3):
        images = torch.randn(4, 3, 4 << level, 4 << level)
        before = game.discriminator(halve(images), LABEL, Growth(level - 1))
        assert torch.equal(game.discriminator(images, LABEL, Growth(level, 0.0)), before)


def test_a_fading_image_is_the_weighted_mean_of_both(game):
    z = torch.randn(4, 64)
    linear = game_of("progan", SHAPE, bounded=False).generator
    old, new = double(linear(z, LABEL, Growth(1))), linear(z, LABEL, Growth(2))
    torch.testing.assert_close(linear(z, LABEL, Growth(2, 0.3)), 0.7 * old + 0.3 * new)


def test_real_images_fade_as_generated_ones_do(game):
    images = torch.randn(4, *SHAPE)
    coarse, fine = double(halve(images, 2)), halve(images)
    torch.testing.assert_close(game.canvas.shrunk(images, Growth(2, 0.3)), 0.7 * coarse + 0.3 * fine)
    assert torch.equal(game.canvas.shrunk(images, Growth(3)), images)


def test_growth_goes_through_all_resolutions_and_is_done_at_half_of_the_budget(game):
    """Three doublings: each waits a twelfth of the budget, then fades in over another."""
    seen = [game.growth(Progress(twelfths, 12)) for twelfths in range(13)]
    assert [growth.level for growth in seen] == [0, 0, 1, 1, 2, 2, *[3] * 7]
    assert [growth.weight for growth in seen] == pytest.approx([1] * 13)
    assert game.growth(Progress(3, 24)) == pytest.approx((1, 0.5))


def test_without_fading_a_doubling_is_there_at_once():
    game = game_of("progan", SHAPE, fade=0.0)
    assert {game.growth(at(share / 100)).weight for share in range(100)} == {1.0}
    assert game.phases() == pytest.approx([0, 1 / 6, 1 / 3, 1 / 2])


def test_a_game_that_does_not_grow_plays_at_full_size_from_the_start():
    game = game_of("progan", SHAPE, grow=False)
    assert game.growth(at(0)) == Growth(3)
    assert list(game.phases()) == [0.0]
    assert game.stage(at(0)) == ""


def test_the_cost_of_a_step_changes_where_the_game_says(game):
    starts = game.phases()
    levels = [game.growth(at(share)).level for share in (0, *(start + 0.002 for start in starts[1:]))]
    assert levels == [0, 1, 2, 3]
    assert [game.growth(at(start - 0.002)).level for start in starts[1:]] == [0, 1, 2]


def test_early_steps_compute_at_the_resolution_in_play():
    play = training_of("progan", SHAPE, total=100 * 8)
    seen = []
    for layer in (layer for layer in play.game.modules() if isinstance(layer, Convolution)):
        layer.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape[-1]))
    play.play_step()
    assert set(seen) == {4}
    seen.clear()
    play.images = 790
    play.play_step()
    assert set(seen) == {4, 8, 16, 32}


@pytest.mark.parametrize("shape", [SHAPE, *ODD])
def test_samples_have_full_size_and_show_the_pixels_in_play(shape):
    play = training_of("progan", shape, total=100 * 8)
    play.play_step()
    with torch.no_grad():
        samples = play.game.sample(4, {"label": LABEL}, Random((0,)))
    assert samples.shape == (4, *shape)
    side = 2**play.game.canvas.levels
    for axis in (2, 3):
        edges = (samples.diff(dim=axis) != 0).transpose(0, axis).flatten(1).any(1).nonzero()[:, 0]
        assert len(edges) > 1
        assert set(edges.diff().tolist()) == {side}


def test_the_stage_names_the_resolution_in_play(game):
    assert game.stage(at(0)) == "4x4"
    assert game.stage(Progress(3, 24)) == "8x8 at 50%"
    assert game.stage(at(1)) == "32x32"
    assert game_of("progan", (3, 17, 30)).stage(at(1)) == "17x30"


def test_the_averaged_generator_draws_at_the_resolution_in_play_too():
    play = training_of("progan", SHAPE, total=10 * 8)
    for _ in range(10):
        play.play_step()
        with play.averages.inside(play.game) as game:
            assert game.generator.kept == pytest.approx(game.growth(Progress(play.images - 8, 80)), abs=1e-4)


@pytest.mark.parametrize("stop", [1, 4, 9])
def test_a_run_resumed_in_any_phase_equals_an_uninterrupted_one_bit_for_bit(stop, tmp_path):
    whole, half = (training_of("progan", (1, 16, 16), total=12 * 8) for _ in range(2))
    list(whole.play(every=10**9))
    for _ in range(stop):
        half.play_step()
    save_checkpoint(tmp_path, *half.state())
    resumed = training_of("progan", (1, 16, 16), total=12 * 8)
    resumed.restore(*load_checkpoint(tmp_path))
    list(resumed.play(every=10**9))
    theirs = resumed.state()[0]
    assert all(torch.equal(value, theirs[key]) for key, value in whole.state()[0].items())


def test_minutes_become_images_by_the_speed_of_every_phase(monkeypatch):
    """A doubling that makes a step four times as dear: the mean is over time, and the dear half counts most."""
    play = training_of("progan", (1, 8, 8), total=10**12)
    monkeypatch.setattr(
        planning, "probe", lambda training, *_: {0: 400.0, 1: 100.0}[training.game.growth(training.progress).level]
    )
    cheap = play.game.phases()[1]
    assert planning.average_speed(play) == pytest.approx(1 / (cheap / 400 + (1 - cheap) / 100))


def test_the_log_and_what_is_printed_tell_the_stage(tmp_path, capsys):
    small = {"batch": 32, "width": 16, "narrow": 16, "features": 16}
    plan = planning.make_plan("progan", data="digits", size=8, images=12 * 64, **small)
    display, folder, training = Display(plan, "here"), Folder(tmp_path), plan.new_training(12 * 64)
    with display.live(training):
        for tick in training.play(every=64):
            display.tick(tick, {})
            folder.append_log(tick, {})
    stages = [line["stage"] for line in folder.log()]
    assert stages[:4] == ["4x4", "4x4", "4x4", "8x8 at 33%"]
    assert stages[-1] == "8x8"
    lines = capsys.readouterr().out.splitlines()
    assert ["more than" in line for line in lines] == [True, True, *[False] * 10]
    assert all(f"  {stage}  " in line for stage, line in zip(stages, lines, strict=True))


# Minibatch standard deviation


def test_the_deviation_of_a_group_is_one_number_over_all_features_and_places():
    x = torch.randn(8, 3, 2, 2)
    more = minibatch_deviation(x, group=4)
    assert torch.equal(more[:, :3], x)
    for rows in (slice(0, 4), slice(4, 8)):
        expected = (x[rows].var(0, correction=0) + 1e-8).sqrt().mean()
        torch.testing.assert_close(more[rows, 3], expected.expand(4, 2, 2))


def test_a_collapsed_batch_has_no_deviation():
    same = torch.randn(1, 3, 4, 4).expand(8, -1, -1, -1)
    assert float(minibatch_deviation(same)[:, 3].max()) == pytest.approx(1e-4)
    assert float(minibatch_deviation(torch.randn(8, 3, 4, 4))[:, 3].min()) > 0.5


def test_real_and_generated_items_are_compared_among_themselves():
    real, fake = torch.randn(6, 3, 4, 4), torch.zeros(6, 3, 4, 4)
    apart = torch.cat([minibatch_deviation(real), minibatch_deviation(fake)])
    assert torch.equal(minibatch_deviation(torch.cat([real, fake]), parts=2), apart)


@pytest.mark.parametrize("count", [1, 2, 5, 7])
def test_every_batch_size_has_a_deviation(count):
    more = minibatch_deviation(torch.randn(count, 3, 4, 4))
    assert more.shape == (count, 4, 4, 4)
    assert bool((more[:, 3] > 0.3).all()) == (count > 1)


def test_ranks_with_whole_groups_see_what_one_sees():
    x = torch.randn(16, 3, 4, 4)
    assert torch.equal(torch.cat([minibatch_deviation(part) for part in x.chunk(2)]), minibatch_deviation(x))


# Equalised learning rate


def test_weights_are_standard_normal_and_scaled_in_use():
    torch.manual_seed(0)
    linear, convolution = EqualisedLinear(300, 200), EqualisedConv2d(30, 40, 3)
    assert linear.weight.std().item() == pytest.approx(1, rel=0.02)
    assert convolution.weight.std().item() == pytest.approx(1, rel=0.02)
    x, images = torch.randn(5, 300), torch.randn(5, 30, 6, 6)
    torch.testing.assert_close(linear(x), x @ linear.weight.T * math.sqrt(2 / 300))
    expected = nn.functional.conv2d(images, convolution.weight * math.sqrt(2 / 270), padding=1)
    torch.testing.assert_close(convolution(images), expected)


def test_a_multiplied_learning_rate_starts_the_same_and_moves_as_many_times_as_fast():
    moves = []
    for multiplier in (1.0, 0.01):
        torch.manual_seed(0)
        layer = EqualisedLinear(50, 60, bias_init=0.5, lr_multiplier=multiplier)
        x = torch.randn(4, 50)
        before = layer(x).detach()
        assert float(before.std()) == pytest.approx(math.sqrt(2), rel=0.2)
        optimizer = torch.optim.Adam(layer.parameters(), lr=1e-3)
        layer(x).sum().backward()
        optimizer.step()
        moves.append((layer(x) - before).abs().mean().item())
    assert moves[1] == pytest.approx(0.01 * moves[0], rel=0.01)


def test_the_last_layers_have_the_papers_gains(game):
    z = torch.randn(64, 64)
    start, to_image, logits = game.generator.start, game.generator.to_image[0].layer, game.discriminator.logit.outputs
    assert start.scale == pytest.approx(math.sqrt(2) / 4 / math.sqrt(128))
    assert to_image.scale == pytest.approx(1 / math.sqrt(16))
    assert logits.scale == pytest.approx(1 / math.sqrt(16))
    assert start(torch.cat([z, z], 1)).std().item() == pytest.approx(math.sqrt(2) / 4, rel=0.3)


# Pixelwise feature normalisation


def test_every_pixel_has_a_root_mean_square_of_1():
    x = 7 * torch.randn(4, 5, 6, 6)
    torch.testing.assert_close(pixel_norm(x).square().mean(1), torch.ones(4, 6, 6))
    torch.testing.assert_close(pixel_norm(x), x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt())
    assert torch.equal(pixel_norm(torch.zeros(1, 3, 2, 2)), torch.zeros(1, 3, 2, 2))


def test_the_length_of_z_does_not_matter_where_it_is_normalised(game):
    z = torch.randn(4, 64)
    torch.testing.assert_close(game.generator(3 * z, LABEL, Growth(3)), game.generator(z, LABEL, Growth(3)))
    other = game_of("progan", SHAPE, pixel_norm=False).generator
    assert not torch.allclose(other(3 * z, LABEL, Growth(3)), other(z, LABEL, Growth(3)))


@pytest.mark.parametrize("settings", [{"grow": False}, {"minibatch": 0}, {"equalised": False}, {"pixel_norm": False}])
def test_each_technique_can_be_left_out(settings):
    play = training_of("progan", (1, 8, 8), **settings)
    (tick,) = play.play(every=10**9)
    assert not tick.not_finite


# Objectives


class KnownDiscriminator(nn.Module):
    """D(x) = 3x₁ + 4x₂ of the first two pixels: its slope is 5 everywhere."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([3.0, 4.0]))

    def forward(self, images, label, growth, parts=1):
        return images[:, 0, 0, :2] @ self.weight


def known_terms(share, **settings):
    torch.manual_seed(1)
    kind, spec = find("progan"), Spec({"real": (1, 16, 16)})
    game = kind(kind.Config(**settings), spec)
    game.discriminator = KnownDiscriminator()
    batch = Batch({"real": RandomStream((1, 16, 16)).draw(4)["real"]}, Random((1,)), at(share))
    return game, batch, game.discriminator_terms(batch)


def test_the_wasserstein_terms_are_the_papers():
    game, batch, terms = known_terms(1.0, objective="wasserstein", slope=10.0, drift=0.001)
    logits = 3 * batch["real"][:, 0, 0, 0] + 4 * batch["real"][:, 0, 0, 1]
    torch.testing.assert_close(terms["real"], -logits)
    torch.testing.assert_close(terms["slope"], torch.full((4,), 10 * (5.0 - 1) ** 2))
    torch.testing.assert_close(terms["drift"], 0.001 * logits.square())
    assert game.generator_terms(batch)["fake"].shape == (4,)
    _, _, steeper = known_terms(1.0, objective="wasserstein", slope=10.0, slope_target=20.0)
    torch.testing.assert_close(steeper["slope"], torch.full((4,), 10 * (5.0 - 20) ** 2 / 20**2))


def test_slopes_are_those_by_the_image_at_full_size():
    """At 4x4 each pixel is the mean of 4x4 pixels of the image: the slope of 5 is one of 5/4."""
    _, _, terms = known_terms(0.0, objective="wasserstein", slope=10.0)
    torch.testing.assert_close(terms["slope"], torch.full((4,), 10 * (5 / 4 - 1) ** 2))
    _, _, pairs = known_terms(0.0, gamma=0.2, gamma_end=0.2)
    torch.testing.assert_close(pairs["r1"], torch.full((4,), 0.1 * 25 / 16))
    torch.testing.assert_close(pairs["r2"], pairs["r1"])


# Refusals


def test_vectors_are_refused():
    kind = find("progan")
    assert "r3gan" in kind.refuses(kind.Config(), Spec({"real": (2,)}))


def test_images_that_are_too_small_and_widths_that_do_not_fit_are_refused():
    kind = find("progan")
    assert "--size" in kind.refuses(kind.Config(), Spec({"real": (1, 3, 8)}))
    assert "4, one a resolution" in kind.refuses(kind.Config(widths=(8, 8)), Spec({"real": SHAPE}))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"grown": 0.0}, "more than 0"),
        ({"grown": 0.7}, "half"),
        ({"fade": 1.5}, "fade"),
        ({"slope_target": 0.0}, "slope_target"),
        ({"minibatch": 1}, "2 or"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        find("progan").Config(**settings)


def test_only_networks_of_full_size_can_be_compared(game):
    """A layer that fades in makes pictures worse for a while, and that is no collapse."""
    assert game.steady_from() == game.config.grown
    assert game_of("progan", SHAPE, grow=False).steady_from() == 0
