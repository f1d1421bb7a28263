"""StyleGAN's equations on networks whose answer is known, and what a user of its styles relies on."""

import math

import pytest
import torch
from test_models import RandomStream, game_of, training_of
from torch import nn
from torch.nn.functional import conv2d

from elegan.game import Batch, Progress, Random, Spec
from elegan.losses.path_length import path_length, path_penalty
from elegan.models import find
from elegan.networks.style import MappingNetwork, ModulatedConv2d, StyleDiscriminator, StyleGenerator, crossed

LABEL = torch.tensor([0, 1, 2, 0])
ALL = (1, 8, 8)


def paper_convolution(layer, x, style):
    """Karras et al., 2020, eq. 1 and 3, as the paper does it: a kernel an item, convolved in groups."""
    weight = layer.convolution.weight * layer.convolution.scale
    kernels = layer.affine(style)[:, None, :, None, None] * weight[None]
    if layer.demodulate:
        kernels = kernels * (kernels.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    grouped = conv2d(x.reshape(1, -1, *x.shape[2:]), kernels.flatten(0, 1), padding="same", groups=len(x))
    return grouped.view(len(x), -1, *x.shape[2:])


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("demodulate", [True, False])
def test_a_modulated_convolution_equals_the_grouped_form_of_the_paper(kernel, demodulate):
    layer = ModulatedConv2d(6, 5, kernel, 7, demodulate=demodulate)
    x, style = torch.randn(4, 6, 8, 8), torch.randn(4, 7)
    torch.testing.assert_close(layer(x, layer.scale(style)), paper_convolution(layer, x, style), rtol=1e-5, atol=1e-5)


def test_its_gradients_equal_those_of_the_grouped_form():
    layer = ModulatedConv2d(6, 5, 3, 7)
    x, style = torch.randn(4, 6, 8, 8, requires_grad=True), torch.randn(4, 7, requires_grad=True)
    slopes = [
        torch.autograd.grad(form.square().sum(), (x, style, *layer.parameters()))
        for form in (layer(x, layer.scale(style)), paper_convolution(layer, x, style))
    ]
    for ours, theirs in zip(*slopes, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_demodulation_gives_unit_variance_whatever_the_style(scale, double):
    layer = ModulatedConv2d(32, 16, 3, 8, double=double)
    y = layer(torch.randn(64, 32, 16, 16), layer.scale(scale * torch.randn(64, 8)))
    assert y.shape == ((64, 16, 32, 32) if double else (64, 16, 16, 16))
    y = y[:, :, 1:-1, 1:-1]
    torch.testing.assert_close(y.var((0, 2, 3)), torch.ones(16), rtol=0.1, atol=0)


def test_a_learned_doubling_starts_with_unit_variance_without_demodulation_too():
    layer = ModulatedConv2d(32, 64, 3, 8, demodulate=False, double=True)
    y = layer(torch.randn(64, 32, 16, 16), torch.ones(64, 32))[:, :, 1:-1, 1:-1]
    assert y.detach().var().item() == pytest.approx(1, rel=0.1)


def test_modulation_in_bf16_stays_near_float32():
    layer, x, style = ModulatedConv2d(32, 16, 3, 8), torch.randn(4, 32, 8, 8), 30 * torch.randn(4, 8)
    with torch.autocast("cpu", torch.bfloat16):
        narrow = layer(x, layer.scale(style))
    assert narrow.dtype == torch.bfloat16
    assert (narrow.float() - layer(x, layer.scale(style))).square().mean().sqrt() < 0.02


def test_the_path_length_of_a_linear_generator_is_its_closed_form():
    """images = A w: ‖Jᵀy‖ = ‖Aᵀy‖/√pixels, and its mean square is ‖A‖²/pixels."""
    matrix = torch.randn(3 * 4 * 4, 10)
    styles, direction = torch.randn(20_000, 1, 10, requires_grad=True), torch.randn(20_000, 3, 4, 4)
    images = (styles[:, 0] @ matrix.T).view(-1, 3, 4, 4)
    lengths = path_length(images, styles, direction)
    torch.testing.assert_close(lengths, (direction.flatten(1) @ matrix).norm(dim=1) / 4)
    assert float(lengths.square().mean()) == pytest.approx(float(matrix.square().sum()) / 16, rel=0.02)
    torch.testing.assert_close(path_penalty(lengths, lengths.mean(), 2.0).mean(), 2 * lengths.var(correction=0))


def test_a_style_that_all_layers_share_has_the_length_of_one_layer():
    matrix, direction = torch.randn(16, 10), torch.randn(5, 1, 4, 4)
    styles = torch.randn(5, 4, 10, requires_grad=True)
    lengths = path_length((styles.sum(1) @ matrix.T).view(-1, 1, 4, 4), styles, direction)
    torch.testing.assert_close(lengths, (direction.flatten(1) @ matrix).norm(dim=1) / 4)


def test_a_path_penalty_pulls_the_lengths_to_their_running_mean():
    """The mean is that of all lengths so far at first, and terms leave it as it was."""
    game = game_of("stylegan", ALL, path_weight=2.0)

    def look():
        batch = Batch(RandomStream(ALL).draw(8), Random((1,)), Progress(0, 100))
        (penalty,) = game.path_terms(batch).values()
        return penalty / (game.config.path_weight * game.config.path_every), batch

    squares, batch = look()
    assert float(game.lengths.sum()) == 0
    game.after_move(game.moves(Progress(0, 100))[-1], batch)
    mean, weight = game.lengths.tolist()
    assert weight == pytest.approx(0.01)
    game.lengths.copy_(torch.tensor([10.0, 1.0]))  # long ones so far
    far, batch = look()
    aim = float(batch["lengths"][0] / batch["lengths"][1])
    assert aim == pytest.approx(0.99 * 10 + mean)
    lengths = aim - far.sqrt()
    assert lengths.min() > 0
    assert lengths.mean().item() == pytest.approx(mean / weight, rel=1e-3)
    torch.testing.assert_close(squares, (lengths - lengths.mean()).square(), rtol=1e-2, atol=1e-5)


def test_path_length_can_be_asked_for_and_comes_every_so_many_steps():
    game = game_of("stylegan", ALL, path_weight=2.0, path_every=4)
    due = [len(game.moves(Progress(8 * step, 800))) == 3 for step in range(9)]
    assert due == [step % 4 == 0 for step in range(9)]
    assert len(game_of("stylegan", ALL).moves(Progress(0, 800))) == 2


def test_a_lazy_penalty_weighs_as_many_times_more():
    often, seldom = (game_of("stylegan", ALL, penalty_every=every) for every in (1, 4))
    terms = [
        game.discriminator_terms(Batch(RandomStream(ALL).draw(8), Random((1,)), Progress(0, 800)))
        for game in (often, seldom)
    ]
    torch.testing.assert_close(terms[1]["r1"], 4 * terms[0]["r1"])
    later = Batch(RandomStream(ALL).draw(8), Random((1,)), Progress(8, 800))
    assert set(seldom.discriminator_terms(later)) == {"real", "fake"}


def test_the_objective_of_r3gan_can_be_asked_for():
    game = game_of("stylegan", ALL, objective="relativistic", r2=True)
    batch = Batch(RandomStream(ALL).draw(8), Random((1,)), Progress(0, 800))
    assert [set(terms(batch)) for terms in (game.discriminator_terms, game.generator_terms)] == [
        {"pair", "r1", "r2"},
        {"pair"},
    ]
    assert game.moves(Progress(0, 800))[1].data == "fresh"


def test_the_objective_of_the_paper():
    """On D(x) = 3x₁ + 4x₂ with every generated image at x = 0: the terms of the docstring's formulas."""

    class Known(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.tensor([3.0, 4.0]))

        def forward(self, images, label, parts=1):
            return images[:, 0, 0, :2] @ self.weight

    game = game_of("stylegan", ALL, gamma=0.2, penalty_every=1, augment=(), conditional=False)
    game.discriminator = Known()
    game.generate = lambda batch, label: torch.zeros(2, *ALL)
    real = torch.zeros(2, *ALL)
    real[:, 0, 0, 0], real[1, 0, 0, 1] = 1.0, -1.0
    terms = game.discriminator_terms(Batch({"real": real}, Random((1,)), Progress(0, 100)))
    expected = {
        "real": [math.log1p(math.exp(-3)), math.log1p(math.exp(1))],
        "fake": [math.log(2)] * 2,
        "r1": [0.2 / 2 * 25] * 2,
    }
    assert {name: term.tolist() for name, term in terms.items()} == {
        name: pytest.approx(values) for name, values in expected.items()
    }
    fooled = game.generator_terms(Batch({"real": real}, Random((1,)), Progress(0, 100)))
    assert fooled["fake"].tolist() == pytest.approx([math.log(2)] * 2)


def test_styles_are_mixed_from_the_crossover_on():
    first, second = torch.zeros(3, 2), torch.ones(3, 2)
    mixed = crossed(first, second, torch.tensor([1, 3, 4]), 4)[:, :, 0]
    assert mixed.tolist() == [[0, 1, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]]


def test_a_share_of_the_generated_images_mixes_two_styles():
    def mixes(share):
        game = game_of("stylegan", (3, 32, 32), mixing=share)
        batch = Batch({"real": torch.zeros(400, 3, 32, 32)}, Random((1,)))
        styles = game.mixed_styles(batch, torch.zeros(400, dtype=torch.long))
        changes = (styles[:, 1:] != styles[:, :-1]).any(2).float()
        assert changes.sum(1).max() <= 1
        return changes.mean(0)

    assert mixes(0.0).sum() == 0
    assert mixes(1.0).sum() == pytest.approx(1)
    assert mixes(0.5).sum() == pytest.approx(0.5, abs=0.1)
    assert mixes(1.0).min() > 0.1


@pytest.mark.parametrize("each", [1, 2])
def test_a_style_reaches_its_own_resolution_and_the_finer_ones(each):
    """The first two are those of the layer at 4x4 and of its image; each further resolution has ``each`` more."""
    game = game_of("stylegan", (3, 32, 32), patch=1, layers=each).eval()
    styles, other = (game.styles(game.latents(2, Random((seed,))), {"label": LABEL[:2]}) for seed in (0, 1))
    layers = styles.shape[1]
    with torch.no_grad():
        for level, drawn in enumerate(game.generator.images):
            for part in game.generator.images:
                part.convolution.convolution.weight.normal_(std=float(part is drawn))
            moved = [torch.where(torch.arange(layers)[:, None] == layer, other, styles) for layer in range(layers)]
            matters = [not torch.equal(game.render(one, {}), game.render(styles, {})) for one in moved]
            assert matters == [layer < 2 + each * level for layer in range(layers)]


def test_a_style_of_one_layer_can_be_set_as_the_documentation_says():
    """The layers share no memory, and what the finer ones are given is what they draw."""
    game = game_of("stylegan", (3, 32, 32)).eval()
    styles = game.styles(game.latents(2, Random((0,))), {"label": LABEL[:2]})
    before = styles.clone()
    styles[0, 2:] = styles[1, 2:]
    torch.testing.assert_close(styles[:, :2], before[:, :2], rtol=0, atol=0)
    torch.testing.assert_close(styles[1], before[1], rtol=0, atol=0)
    mixed, own = game.render(styles, {}), game.render(before, {})
    torch.testing.assert_close(mixed[1], own[1], rtol=0, atol=0)
    assert not torch.equal(mixed[0], own[0])
    assert not torch.equal(mixed[0], own[1])
    mean = game.mean_style(2, {"label": LABEL[:2]})
    mean[:, 0] = 7
    assert not (mean[:, 1:] == 7).any()


def test_the_same_styles_give_the_same_image_and_training_has_other_noise():
    game = game_of("stylegan", ALL)
    styles = game.styles(game.latents(4, Random((0,))), {"label": LABEL})
    with torch.no_grad():
        for layer in game.generator.features:
            layer.strength.fill_(1.0)
        torch.testing.assert_close(game.render(styles, {}), game.render(styles, {}), rtol=0, atol=0)
        noises = [torch.randn(4, game.generator.noise.shape[1]) for _ in range(2)]
        one, two = (game.generator(styles, noise) for noise in noises)
    assert not torch.equal(one, two)


def test_truncated_to_nothing_all_images_of_a_class_are_its_mean_image():
    play = training_of("stylegan", ALL)
    list(play.play(every=10**9))
    with play.averages.inside(play.game) as game, torch.no_grad():
        styles, mean = (
            game.styles(game.latents(4, Random((0,))), {"label": LABEL}),
            game.mean_style(4, {"label": LABEL}),
        )
        images = game.render(mean + 0.0 * (styles - mean), {"label": LABEL})
    assert mean.shape == styles.shape
    assert torch.equal(images[0], images[3])
    assert not torch.equal(images[0], images[1])


def test_the_running_mean_is_that_of_the_styles_of_each_class():
    """A mapping network that doesn't learn: then the mean of many batches is the mean over z."""
    game = game_of("stylegan", ALL)
    move = game.moves(Progress(8, 10**6))[1]
    label = torch.arange(3).repeat(100)[:256]
    with torch.no_grad():
        for seed in range(300):
            batch = Batch({"real": torch.zeros(256, *ALL), "label": label}, Random((seed,)))
            game.mixed_styles(batch, label)
            game.after_move(move, batch)
        each = torch.arange(3).repeat_interleave(20_000)
        w = game.generator.mapping(torch.randn(60_000, game.config.latent), each).view(3, 20_000, -1)
    mean = game.mean_style(3, {"label": torch.arange(3)})[:, 0]
    assert (mean - w.mean(1)).abs().max() < 0.1 * w.std()


def test_the_mapping_network_learns_at_a_hundredth_of_the_rate():
    torch.manual_seed(0)
    slow, fast = MappingNetwork(8, 0, 8, 2), MappingNetwork(8, 0, 8, 2, lr_multiplier=1.0)
    for a, b in zip(slow.layers, fast.layers, strict=True):
        a.weight.data.copy_(100 * b.weight.data)
    z, label = torch.randn(5, 8), torch.zeros(5, dtype=torch.long)
    torch.testing.assert_close(slow(z, label), fast(z, label))
    before = [[layer.weight * layer.scale for layer in network.layers] for network in (slow, fast)]
    for network in (slow, fast):
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
        network(z, label).square().sum().backward()
        optimizer.step()
    for index, (a, b) in enumerate(zip(slow.layers, fast.layers, strict=True)):
        slowly, quickly = ((x.weight * x.scale - old[index]).detach() for x, old in zip((a, b), before, strict=True))
        assert float(slowly.norm() / quickly.norm()) == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize(("layers", "count"), [(1, 5), (2, 8)])
def test_every_layer_has_a_style_and_a_matrix(layers, count):
    """4x4 has one layer, 8x8, 16x16 and 32x32 have as many as are asked for, and the finest image has its own."""
    game = game_of("stylegan", (3, 32, 32), patch=1, layers=layers)
    styles = game.styles(game.latents(2, Random((0,))), {"label": LABEL[:2]})
    assert styles.shape == (2, count, 16)
    assert [matrix.shape[1] for matrix in game.style_weights()] == [16] * count


def test_the_generator_is_wider_where_it_is_coarse_unless_widths_are_given():
    config = dict(width=64, narrow=32, patch=1)
    game = game_of("stylegan", (3, 32, 32), **config)
    assert [layer.convolution.convolution.out_channels for layer in game.generator.features] == [128, 64, 32, 32]
    assert game.discriminator.compare.out_channels == 64
    given = game_of("stylegan", (3, 32, 32), **config, widths=(48, 32, 16, 16))
    assert [layer.convolution.convolution.out_channels for layer in given.generator.features] == [48, 32, 16, 16]


def test_real_and_generated_images_are_not_compared_with_each_other():
    judge = StyleDiscriminator((1, 8, 8), 0, 8, [8, 8]).eval()
    real, label = torch.randn(6, 1, 8, 8), torch.zeros(12, dtype=torch.long)
    alone = judge(real, label[:6])
    beside = judge(torch.cat([real, 5 * torch.randn(6, 1, 8, 8)]), label, 2)[:6]
    torch.testing.assert_close(beside, alone)


@pytest.mark.parametrize(("layers", "up"), [(1, "learned"), (2, "bilinear")])
def test_every_resolution_draws_an_image_that_the_finer_ones_add_to(layers, up):
    generator = StyleGenerator((1, 16, 16), 0, 8, 8, 2, [8, 8, 8], each=layers, up=up)
    styles = generator.mapping(torch.randn(2, 8), torch.zeros(2, dtype=torch.long))[:, None].expand(
        -1, generator.layers, -1
    )
    with torch.no_grad():
        for part in generator.images:
            part.convolution.convolution.weight.zero_()
            part.bias.fill_(1.0)
        torch.testing.assert_close(generator(styles), torch.full((2, 1, 16, 16), 3.0))


def test_stylegan_refuses_vectors_in_a_sentence():
    kind = find("stylegan")
    assert "draws images" in kind.refuses(kind.Config(), Spec({"real": (2,)}))
    assert "fewer than 4" in kind.refuses(kind.Config(patch=4), Spec({"real": (3, 8, 8)}))
    with pytest.raises(ValueError, match="group is 1; one image differs from none"):
        kind.Config(group=1)
    assert "3, one a resolution" in kind.refuses(kind.Config(widths=(8,)), Spec({"real": (3, 32, 32)}))


def test_the_published_size():
    """Config F at 1024x1024 has 30 million parameters in G, 29 in D; at 32x32 the 512 channels of its first half."""
    kind = find("stylegan")
    with torch.device("meta"):
        game = kind(kind.Config(**kind.presets["karras2020"]), Spec({"real": (3, 32, 32)}))
    assert (game.config.layers, game.config.up, game.config.wider) == (2, "bilinear", 1)
    sizes = [sum(p.numel() for p in player.parameters()) for player in (game.generator, game.discriminator)]
    assert 18e6 < sizes[0] < 25e6
    assert 18e6 < sizes[1] < 25e6
