"""The suite that every model of the street passes, at every size and number of channels."""

import math

import pytest
import torch

from elegan.errors import UserError
from elegan.game import Batch, Progress, Random, Spec
from elegan.models import MODELS, find
from elegan.training.checkpoint import load_checkpoint, save_checkpoint
from elegan.training.engine import Engine, cpu_bf16_units
from elegan.training.loop import Training

ROWS = 8
SMALL = {
    "gan": {"width": 32, "depth": 2},
    "dcgan": {"width": 8},
    "cgan": {"width": 16, "narrow": 16, "features": 16},
    "r3gan": {"width": 16, "narrow": 16, "features": 16},
    "progan": {"width": 16, "narrow": 16, "features": 16},
    "sgan": {"width": 16, "narrow": 16, "features": 16, "ramp": 0.0},
    "stylegan": {"width": 16, "narrow": 16, "features": 16, "style": 16, "latent": 16},
    "pix2pix": {"width": 8, "discriminator_width": 8},
    "cyclegan": {"width": 8, "blocks": 1, "discriminator_width": 8},
    "cut": {"width": 8, "blocks": 1, "heads": 8, "discriminator_width": 8},
}
SIZES = [(1, 8, 8), (3, 8, 8), (1, 32, 32), (3, 32, 32), (1, 48, 32), (3, 48, 32)]
ODD = [(4, 28, 28), (3, 17, 30)]
VECTORS = [(2,), (5,)]


def spec_of(shape, classes=3):
    shapes = {"real": shape, "label": (), "source": shape}
    return Spec(shapes, tuple(f"class {i}" for i in range(classes)), 100, paired=True)


def plays(name, shape):
    kind = find(name)
    return kind.refuses(kind.Config(), spec_of(shape)) is None


CASES = [(name, shape) for name in MODELS for shape in (*SIZES, *ODD, *VECTORS) if plays(name, shape)]


def game_of(name, shape, **settings):
    kind = find(name)
    torch.manual_seed(1)
    return kind(kind.Config(batch=ROWS, **{**SMALL[name], **settings}), spec_of(shape))


class RandomStream:
    """Items that depend on the position alone."""

    def __init__(self, shape):
        self.shape, self.position = shape, 0

    def draw(self, n):
        generator = torch.Generator().manual_seed(self.position)
        self.position += n
        return {
            "real": torch.rand(n, *self.shape, generator=generator) * 2 - 1,
            "label": torch.randint(3, (n,), generator=generator),
            "source": torch.rand(n, *self.shape, generator=generator) * 2 - 1,
        }


def training_of(name, shape, total=5 * ROWS, bf16=False, **settings):
    engine = Engine(torch.device("cpu"), bf16=bf16, channels_last=len(shape) == 3)
    return Training(game_of(name, shape, **settings), RandomStream(shape), total=total, engine=engine)


@pytest.mark.parametrize("name", MODELS)
def test_the_table_of_contents_leads_to_the_game(name):
    kind = find(name)
    assert kind.__module__ == f"elegan.models.{name}"
    assert MODELS[name].arxiv in (kind.__doc__ or "") + (__import__(kind.__module__, fromlist=["x"]).__doc__ or "")


def test_a_wrong_name_is_answered_with_the_nearest_right_one():
    with pytest.raises(UserError, match=r'no model "dcgna".*Did you mean "dcgan"'):
        find("dcgna")


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_it_trains_and_samples_at_this_shape(name, shape):
    play = training_of(name, shape)
    (tick,) = play.play(every=10**9)
    assert not tick.not_finite
    asked = RandomStream(shape).draw(4)
    with play.averages.inside(play.game), torch.no_grad():
        samples = play.game.sample(4, {name: asked[name] for name in play.game.asks}, Random((0,)))
        again = play.game.sample(4, {name: asked[name] for name in play.game.asks}, Random((0,)))
        scores = play.game.scores(Batch({**asked, "real": samples}))
    assert samples.shape == (4, *shape)
    assert samples.dtype == scores.dtype == torch.float32
    assert torch.equal(samples, again)
    assert scores.shape == (4,)
    assert not torch.equal(samples[0], samples[1])


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_each_side_learns_only_from_its_own_terms(name, shape):
    play = training_of(name, shape)
    for _ in range(2):
        batch = play.new_batch()
        for index, move in enumerate(play.game.moves(batch.progress)):
            before = {key: value.clone() for key, value in play.game.named_parameters()}
            play.play_move(index, move, batch)
            changed = {k.split(".")[0] for k, v in play.game.named_parameters() if not torch.equal(v, before[k])}
            assert changed == set(move.trains)
        play.step += 1


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_learns_within_a_few_steps(name):
    """A layer without a gradient is a layer that was forgotten; fix-up's zeros need a step to wake the rest."""
    play = training_of(name, (1, 8, 8), total=6 * ROWS)
    before = {key: value.clone() for key, value in play.game.named_parameters()}
    list(play.play(every=10**9))
    assert [key for key, value in play.game.named_parameters() if torch.equal(value, before[key])] == []


@pytest.mark.parametrize("name", MODELS)
def test_terms_are_one_value_an_item_or_one_of_the_batch(name):
    game = game_of(name, (1, 8, 8))
    batch = Batch(RandomStream((1, 8, 8)).draw(ROWS), Random((1,)), Progress(0, 100))
    for terms in [getattr(game, move.terms)(batch) for move in game.moves(batch.progress)]:
        assert {term.shape for term in terms.values()} <= {(ROWS,), ()}
        assert {term.dtype for term in terms.values()} == {torch.float32}


@pytest.mark.parametrize(("name", "shape"), [case for case in CASES if case[1] in ((1, 8, 8), (3, 48, 32), (2,))])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(name, shape, tmp_path):
    whole, half = training_of(name, shape), training_of(name, shape)
    list(whole.play(every=10**9))
    half.play_step()
    half.play_step()
    save_checkpoint(tmp_path, *half.state())
    resumed = training_of(name, shape)
    resumed.restore(*load_checkpoint(tmp_path))
    list(resumed.play(every=10**9))
    for key, value in whole.state()[0].items():
        assert torch.equal(value, resumed.state()[0][key]), key


@pytest.mark.parametrize(("name", "shape"), [case for case in CASES if case[1] in ((1, 8, 8), (2,))])
def test_a_checkpoint_of_other_networks_is_refused_and_leaves_the_game_alone(name, shape):
    """Tensors of the same names and other shapes, as those of another version of the networks may be."""
    training = training_of(name, shape)
    tensors, numbers = training.state()
    before = {key: value.clone() for key, value in tensors.items()}
    longest = max((key for key in tensors if key.startswith("game.")), key=lambda key: tensors[key].numel())
    foreign = {key: value + 1 if value.is_floating_point() else value for key, value in before.items()}
    with pytest.raises(ValueError, match="The checkpoint's"):
        training.restore(foreign | {longest: torch.zeros(*tensors[longest].shape, 2)}, numbers)
    for key, value in training.state()[0].items():
        assert torch.equal(value, before[key]), key


@pytest.mark.skipif(not cpu_bf16_units(), reason="this processor has no bf16 units")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("shape", SIZES)
def test_bf16_and_float32_agree_in_the_first_loss(name, shape):
    wide = {"features": 128} if name == "sgan" else {}  # its generator matches a mean over them, which 16 make rough
    losses = []
    for bf16 in (False, True):
        (tick,) = training_of(name, shape, total=ROWS, bf16=bf16, **wide).play(every=10**9)
        losses.append({key: value for key, value in tick.terms.items() if not key.endswith("gradient")})
    sides = {key.partition("/")[0] for key in losses[0]}
    assert len(sides) == 2
    for side in sides:
        total, same = (sum(value for key, value in terms.items() if key.startswith(side)) for terms in losses)
        assert same == pytest.approx(total, rel=0.02)


@pytest.mark.parametrize(("name", "preset"), [(name, preset) for name in MODELS for preset in find(name).presets])
def test_every_preset_builds(name, preset):
    """Published networks can be large: they are built without memory."""
    kind = find(name)
    shape = (2,) if preset == "mixture" else (3, 32, 32)
    with torch.device("meta"):
        game = kind(kind.Config(**kind.presets[preset]), spec_of(shape))
    assert sum(p.numel() for p in game.parameters()) > 1000


def test_r3gan_at_cifar_10_has_the_published_size():
    """The paper's 32x32 networks have about 20 million parameters each (appendix); ours keep its blocks."""
    kind = find("r3gan")
    with torch.device("meta"):
        game = kind(kind.Config(**kind.presets["cifar10"]), Spec({"real": (3, 32, 32)}))
    for player in (game.generator, game.discriminator):
        assert 15e6 < sum(p.numel() for p in player.parameters()) < 30e6


def test_r3gan_plays_without_labels_too():
    play = training_of("r3gan", (1, 8, 8), conditional=False)
    (tick,) = play.play(every=10**9)
    assert not tick.not_finite
    assert play.game.sample(2, {}, Random((0,))).shape == (2, 1, 8, 8)


def test_cgan_refuses_data_without_labels():
    kind = find("cgan")
    assert "no labels" in kind.refuses(kind.Config(), Spec({"real": (1, 8, 8)}))


def test_cgan_has_a_recipe_for_larger_images():
    kind = find("cgan")
    small, larger = (Spec({"real": (1, side, side), "label": ()}, ("a", "b"), 100, 300.0) for side in (16, 24))
    assert kind.default_preset(small) is None
    config = kind.settled(kind.Config(**kind.presets[kind.default_preset(larger)]), larger)
    assert (config.patch, config.bounded, config.gamma, config.gamma_end) == (2, True, 15.0, 5.0)
    assert "fewer than 4" in kind.refuses(kind.Config(patch=16), larger)
    assert kind.refuses(kind.Config(patch=16, network="perceptron"), larger) is None
    drawn = kind(config, larger).sample(2, {"label": torch.tensor([0, 1])}, Random((0,)))
    assert drawn.shape == (2, 1, 24, 24)
    assert float(drawn.detach().abs().max()) <= 1


def test_cgan_wants_both_penalties_or_none():
    config = find("cgan").Config
    for settings in ({"gamma": 0.0}, {"gamma": None, "gamma_end": 0.0}, {"gamma_end": 0.0}):
        with pytest.raises(ValueError, match="both must be 0"):
            config(**settings)
    assert config(gamma=0.0, gamma_end=None).gamma == 0


def test_dcgan_refuses_a_penalty_through_batch_normalisation():
    with pytest.raises(ValueError, match="batch normalisation"):
        find("dcgan").Config(batch_norm="both", gamma=1.0)


def test_the_latent_and_the_label_both_matter():
    game = game_of("r3gan", (1, 8, 8)).eval()
    with torch.no_grad():
        same = game.sample(2, {"label": torch.tensor([0, 0])}, Random((0,)))
        other = game.sample(2, {"label": torch.tensor([1, 1])}, Random((0,)))
    assert not math.isclose(float(same[0].sum()), float(same[1].sum()))
    assert not torch.equal(same, other)
