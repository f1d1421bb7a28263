"""Translators: what each side of pix2pix and CycleGAN descends, the data that they learn from, and `elegan apply`."""

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import elegan
from elegan.cli import main
from elegan.data import open_data
from elegan.data.edges import Hand, edges
from elegan.errors import UserError
from elegan.game import Batch, Move, Progress, Random, Spec
from elegan.losses.contrastive import patch_nce
from elegan.losses.reconstruction import mean_absolute
from elegan.models import find
from elegan.networks.patch_discriminator import PatchDiscriminator
from elegan.networks.translator import ResidualTranslator, UNet, pad_to_multiple
from elegan.provenance import COMPOSITE, read_label
from elegan.training.checkpoint import load_checkpoint, save_checkpoint
from elegan.training.engine import Engine
from elegan.training.loop import Training
from elegan.verbs.apply import _folder as folder_of
from elegan.verbs.check_data import check_data
from elegan.verbs.folder import Folder
from elegan.verbs.plan import make_plan
from elegan.verbs.translating import before_and_after

SMALL = {
    "pix2pix": {"width": 8, "discriminator_width": 8, "batch": 4},
    "cyclegan": {"width": 8, "blocks": 1, "discriminator_width": 8, "batch": 4, "pool": 6},
    "cut": {"width": 8, "blocks": 1, "heads": 8, "discriminator_width": 8, "batch": 4},
}
SHAPE = (1, 16, 16)


def game_of(name, shape=SHAPE, source=None, **settings):
    kind = find(name)
    torch.manual_seed(0)
    spec = Spec({"real": shape, "source": source or shape}, items=100, paired=True)
    return kind(kind.Config(**{**SMALL[name], "augment": (), **settings}), spec)


def batch_of(n=4, shape=SHAPE, seed=0):
    generator = torch.Generator().manual_seed(seed)
    draw = {name: torch.rand(n, *shape, generator=generator) * 2 - 1 for name in ("source", "real")}
    return Batch(draw, Random((seed,)), Progress(0, 100))


class Constant(nn.Module):
    """A network that gives one answer."""

    def __init__(self, answer):
        super().__init__()
        self.answer = nn.Parameter(torch.as_tensor(answer))

    def forward(self, images):
        return self.answer.expand(len(images), *self.answer.shape)


class Negative(nn.Module):
    def forward(self, images):
        return -images


# What each side descends


def test_a_forgotten_side_is_named(tmp_path):
    for index in range(120):
        (tmp_path / "trainA").mkdir(exist_ok=True)
        Image.fromarray(np.full((8, 8), 2 * index, np.uint8)).save(tmp_path / "trainA" / f"{index}.png")
    (tmp_path / "trainB").mkdir()
    with pytest.raises(UserError, match="images in trainA and none in trainB"):
        open_data(str(tmp_path))
    assert len(open_data(str(tmp_path / "trainA")).items) == 120


def test_the_folder_of_results_is_no_picture(tmp_path):
    (tmp_path / "there").write_text("a file")
    for name in ("result.png", "there"):
        with pytest.raises(UserError, match="must be a folder"):
            folder_of(tmp_path / name)


def test_pix2pix_descends_what_the_paper_says():
    """D = 0.3 at every patch and G = 0: ½ softplus(∓0.3); softplus(−0.3) + 100 E|y|."""
    game, batch = game_of("pix2pix"), batch_of()
    game.discriminator, game.generator = Constant(torch.full((3, 3), 0.3)), Constant(torch.zeros(SHAPE))
    generator = game.generator_terms(batch)
    discriminator = game.discriminator_terms(batch)
    softplus = nn.functional.softplus(torch.tensor([0.3, -0.3]))
    torch.testing.assert_close(generator["fake"], softplus[1].expand(4))
    torch.testing.assert_close(generator["l1"], 100 * batch["real"].abs().mean((1, 2, 3)))
    torch.testing.assert_close(discriminator["fake"], 0.5 * softplus[0].expand(4))
    torch.testing.assert_close(discriminator["real"], 0.5 * softplus[1].expand(4))


def test_the_discriminator_of_pix2pix_sees_the_source_beside_the_image():
    game, batch = game_of("pix2pix").eval(), batch_of()
    scores = game.scores(batch)
    other = game.scores(Batch({**batch, "source": -batch["source"]}))
    assert scores.shape == (4,)
    assert not torch.allclose(scores, other)


def test_without_an_adversary_only_the_difference_is_left():
    game = game_of("pix2pix", adversarial=0.0)
    assert [move.terms for move in game.moves(Progress(0, 1))] == ["generator_terms"]
    assert game.generator_terms(batch_of()).keys() == {"l1"}


def test_cyclegan_descends_what_the_paper_says():
    """D = 0.3, G and F change the sign: cycles cost nothing, identities |2x| times 5, the adversary (0.3 − 1)²."""
    game, batch = game_of("cyclegan"), batch_of()
    game.a_to_b, game.b_to_a = Negative(), Negative()
    game.discriminator_a = game.discriminator_b = Constant(torch.full((3, 3), 0.3))
    terms = game.generator_terms(batch)
    torch.testing.assert_close(terms["fake_b"], torch.full((4,), 0.49))
    torch.testing.assert_close(terms["cycle_a"], torch.zeros(4))
    torch.testing.assert_close(terms["identity_b"], 5 * (2 * batch["real"]).abs().mean((1, 2, 3)))
    torch.testing.assert_close(terms["identity_a"], 5 * (2 * batch["source"]).abs().mean((1, 2, 3)))
    terms = game.discriminator_terms(batch)
    torch.testing.assert_close(terms["real_a"], torch.full((4,), 0.245))
    torch.testing.assert_close(terms["fake_b"], torch.full((4,), 0.045))


def test_a_cycle_that_loses_something_costs_ten_times_as_much():
    game, batch = game_of("cyclegan"), batch_of()
    game.a_to_b, game.b_to_a = Negative(), Constant(torch.zeros(SHAPE))
    terms = game.generator_terms(batch)
    torch.testing.assert_close(terms["cycle_a"], 10 * batch["source"].abs().mean((1, 2, 3)))


def test_sides_of_other_channels_have_no_identity():
    game = game_of("cyclegan", source=(3, 16, 16))
    assert game.config.identity == 0
    batch = Batch({"source": torch.zeros(4, 3, 16, 16), "real": torch.zeros(4, *SHAPE)}, Random((0,)))
    assert not any(name.startswith("identity") for name in game.generator_terms(batch))
    assert game.translate(torch.zeros(2, 3, 16, 16), "B").shape == (2, 1, 16, 16)
    assert game.translate(torch.zeros(2, 1, 16, 16), "A").shape == (2, 3, 16, 16)


def test_the_pool_remembers_the_last_images_and_hands_half_of_them_out():
    game, move = game_of("cyclegan", pool=6), Move("discriminator_terms", ())
    for step in range(3):
        batch = batch_of(seed=step)
        batch["fake_a"] = batch["fake_b"] = torch.full((4, *SHAPE), float(step))
        assert game.remembered("b", batch).unique().tolist() == [0.0] if step == 0 else True
        game.after_move(move, batch)
    assert sorted(game.pool_b[:, 0, 0, 0].tolist()) == [1.0, 1.0, 2.0, 2.0, 2.0, 2.0]
    batch = Batch({"fake_b": torch.full((400, *SHAPE), 9.0)}, Random((3,)))
    seen = game.remembered("b", batch)[:, 0, 0, 0]
    assert 0.4 < float((seen == 9).double().mean()) < 0.6
    assert set(seen.tolist()) == {1.0, 2.0, 9.0}


def test_terms_change_no_pool():
    game, batch = game_of("cyclegan"), batch_of()
    game.generator_terms(batch)
    game.discriminator_terms(batch)
    assert int(game.made) == 0
    assert not game.pool_b.any()


def test_a_place_is_told_from_the_others_by_its_definition():
    """Orthogonal places: −log[e^{1/τ} / (e^{1/τ} + S − 1)]; places that are all alike: log S."""
    apart = torch.eye(4).expand(2, 4, 4)
    expected = math.log(1 + 3 * math.exp(-1 / 0.5))
    torch.testing.assert_close(patch_nce(apart, apart, 0.5), torch.full((2,), expected))
    alike = nn.functional.normalize(torch.ones(2, 4, 3), dim=2)
    torch.testing.assert_close(patch_nce(alike, alike, 0.07), torch.full((2,), math.log(4)))
    query, key = torch.randn(2, 4, 3, requires_grad=True), torch.randn(2, 4, 3, requires_grad=True)
    patch_nce(query, key, 0.07).sum().backward()
    assert query.grad.abs().sum() > 0
    assert key.grad is None


def test_cut_descends_what_the_paper_says():
    """D = 0.3: (0.3 − 1)², ½ (0.3 − 1)² and ½ 0.3²; grey images, all of whose places are alike: λ log S, λ ι log S."""
    game, batch = game_of("cut", contrast=2.0, identity=0.5, places=16), batch_of()
    game.discriminator = Constant(torch.full((3, 3), 0.3))
    grey = {name: torch.zeros_like(tensor) for name, tensor in batch.items()}
    terms = game.generator_terms(Batch(grey, Random((0,))))
    torch.testing.assert_close(terms["fake"], torch.full((4,), 0.49))
    torch.testing.assert_close(terms["contrast"], torch.full((4,), 2 * math.log(16)), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(terms["identity"], torch.full((4,), math.log(16)), rtol=1e-4, atol=1e-4)
    game.generator_terms(batch)
    terms = game.discriminator_terms(batch)
    torch.testing.assert_close(terms["real"], torch.full((4,), 0.245))
    torch.testing.assert_close(terms["fake"], torch.full((4,), 0.045))


def test_cut_compares_each_place_with_the_same_place_of_the_source():
    """What was left as it was is told apart best; what was moved by a place or came from elsewhere isn't."""
    game, images = game_of("cut", temperature=0.02), batch_of()["source"]
    with torch.no_grad():
        stayed = game.contrast(images, images, Random((0,)))
        for other in (images.roll(4, 3), images.flip(0)):
            assert (stayed < game.contrast(other, images, Random((0,)))).all()


def test_the_fast_preset_of_cut_looks_at_no_image_of_the_wanted_side():
    game = game_of("cut", **find("cut").presets["fast"])
    assert "identity" not in game.generator_terms(batch_of())


@pytest.mark.parametrize(
    ("halvings", "blocks", "widths"), [(0, 3, [12, 8, 8, 8]), (2, 9, [3, 16, 32, 32, 32]), (0, 1, [12, 8, 8])]
)
def test_the_first_half_of_a_translator_is_seen_as_the_whole_sees_it(halvings, blocks, widths):
    network = ResidualTranslator(3, 3, 8, halvings, blocks, patch=1 if halvings else 2).eval()
    images, seen = torch.randn(2, 3, 16, 16), []
    assert network.widths == widths
    hooks = [network.network[end - 1].register_forward_hook(lambda *a: seen.append(a[2])) for end in network.stations]
    network(images)
    for hook in hooks:
        hook.remove()
    encoded = network.encode(images)
    assert [features.shape[1] for features in encoded] == widths
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(encoded[1:], seen, strict=True))


class Pictures:
    """Items that depend on the position alone."""

    position = 0

    def draw(self, n):
        self.position += n
        return {name: tensor[:n] for name, tensor in batch_of(seed=self.position).items()}


@pytest.mark.parametrize("name", SMALL)
def test_a_resumed_translator_equals_an_uninterrupted_one_bit_for_bit(name, tmp_path):
    def training():
        engine = Engine(torch.device("cpu"), bf16=False, channels_last=True)
        return Training(game_of(name, dropout=0.5) if name == "pix2pix" else game_of(name), Pictures(), total=24,
                        engine=engine)  # fmt: skip

    whole, half = training(), training()
    list(whole.play(every=10**9))
    for _ in range(3):
        half.play_step()
    save_checkpoint(tmp_path, *half.state())
    resumed = training()
    resumed.restore(*load_checkpoint(tmp_path))
    list(resumed.play(every=10**9))
    assert all(torch.equal(value, resumed.state()[0][key]) for key, value in whole.state()[0].items())


def test_a_difference_is_a_mean_over_an_items_values():
    made, wanted = torch.tensor([[1.0, 3.0], [0.0, 0.0]]), torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    assert mean_absolute(made, wanted).tolist() == [1.5, 0.5]


# Networks


@pytest.mark.parametrize("size", [(16, 16), (1, 1), (5, 90), (33, 17)])
@pytest.mark.parametrize(
    "network",
    [UNet(1, 3, 4, 3, "batch", 0.0), ResidualTranslator(1, 3, 4, 1, 1), ResidualTranslator(1, 3, 4, 0, 1, patch=4)],
    ids=["u-net", "residual", "patches"],
)
def test_translators_keep_any_size(network, size):
    with torch.no_grad():
        made = network.eval()(torch.zeros(2, 1, *size))
    assert made.shape == (2, 3, *size)
    assert made.abs().max() < 1


def test_padding_repeats_the_border():
    padded = pad_to_multiple(torch.arange(3.0).view(1, 1, 1, 3), 4)
    assert padded.shape == (1, 1, 4, 4)
    assert padded[0, 0, 2].tolist() == [0.0, 1.0, 2.0, 2.0]


@pytest.mark.parametrize(("layers", "patch"), [(1, 16), (2, 34), (3, 70)])
def test_a_patch_has_the_published_size(layers, patch):
    """The pixels that one logit depends on."""
    network = PatchDiscriminator(1, 4, layers, "batch").eval()
    side = 2 * patch + 16
    images = torch.randn(1, 1, side, side, requires_grad=True)
    logits = network(images)
    logits[0, logits.shape[1] // 2, logits.shape[2] // 2].backward()
    touched = images.grad[0, 0].abs().sum(0).nonzero()
    assert int(touched.max() - touched.min()) + 1 == patch


# Drawings


def test_a_drawing_depends_on_its_image_and_key_alone():
    images = open_data("digits").items[:6]
    together = edges(images, [(0, index) for index in range(6)])
    assert together.shape == (6, 16, 16, 1)
    assert together.dtype == np.uint8
    assert np.array_equal(edges(images[4:5], [(0, 4)]), together[4:5])
    assert not np.array_equal(edges(images[4:5], [(0, 5)]), together[4:5])


def test_an_image_without_edges_is_blank_paper():
    assert (edges(np.full((2, 16, 16, 3), 90, np.uint8), [(0,), (1,)]) == 255).all()


def test_colours_of_one_brightness_have_edges_too():
    image = np.zeros((1, 16, 16, 3), np.uint8)
    image[:, :, :8, 0] = image[:, :, 8:, 1] = 200
    drawn = edges(image, [(0,)], Hand(tremor=(0, 0), gaps=(0, 0)))[0, :, :, 0]
    assert drawn[:, 7:9].min() < 80
    assert (drawn[:, :5] == 255).all()


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (Hand(thickness=(1, 1)), Hand(thickness=(3, 3))),
        (Hand(gaps=(6, 6)), Hand(gaps=(0, 0))),
        (Hand(threshold=(0.8, 0.8)), Hand(threshold=(0.1, 0.1))),
    ],
    ids=["thickness", "gaps", "threshold"],
)
def test_a_hand_draws_with_less_or_with_more_ink(less, more):
    images, keys = open_data("digits").items[:40], [(index,) for index in range(40)]
    little, much = (255 - edges(images, keys, hand).astype(float).mean() for hand in (less, more))
    assert little < 0.95 * much


def test_a_tremor_moves_lines_and_keeps_their_amount():
    images, keys = open_data("digits", size=64).items[:20], [(index,) for index in range(20)]
    calm, shaken = (edges(images, keys, Hand(tremor=(t, t), gaps=(0, 0))).astype(float) for t in (0, 3))
    assert np.abs(calm - shaken).mean() > 5
    assert (255 - shaken).mean() == pytest.approx((255 - calm).mean(), rel=0.2)


# Data


def folder_of_sides(root, a=30, b=30, channels=3, rename=lambda side, name: name):
    random = np.random.default_rng(0)
    for side, count in (("trainA", a), ("trainB", b)):
        (root / side).mkdir(parents=True)
        for index in range(count):
            pixels = random.integers(0, 256, (16, 16, channels), dtype=np.uint8)
            pixels[:2] = index  # which picture it is
            Image.fromarray(pixels.squeeze()).save(root / side / rename(side, f"{index:02d}.png"))
    return root


def test_namesakes_are_pairs_wherever_they_are_drawn(tmp_path):
    data = open_data(str(folder_of_sides(tmp_path / "pairs")))
    assert data.spec.paired
    assert data.spec.shapes == {"real": (3, 16, 16), "source": (3, 16, 16)}
    batch = data.stream(seed=3).draw(40)
    assert torch.equal(batch["source"][:, 0, 0, 0], batch["real"][:, 0, 0, 0])
    sources, reals = data.held_sources("test")[0], data.part("test")[0]
    assert np.array_equal(sources[:, 0, 0], reals[:, 0, 0])
    held = data.stream("validation", seed=3).draw(4)
    assert torch.equal(held["source"][:, 0, 0, 0], held["real"][:, 0, 0, 0])


def test_other_names_are_no_pairs_and_are_shuffled_each_by_itself(tmp_path):
    data = open_data(str(folder_of_sides(tmp_path / "sets", a=40, rename=lambda side, name: side[-1] + name)))
    assert not data.spec.paired
    assert any("unpaired: 70 names are on one side alone, " in note for note in data.notes)
    batch = data.stream(seed=3).draw(60)
    assert not torch.equal(batch["source"][:, 0, 0, 0], batch["real"][:, 0, 0, 0])
    stream = data.stream(seed=3)
    stream.position = 20
    assert torch.equal(stream.draw(40)["source"], batch["source"][20:])


def test_a_bad_image_takes_its_pair_with_it(tmp_path):
    root = folder_of_sides(tmp_path / "pairs")
    (root / "trainB" / "07.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"1 of 60 images can't be used: trainB/07.png"):
        open_data(str(root))
    data = open_data(str(root), skip_bad=True)
    assert len(data) == 29
    batch = data.stream(seed=0).draw(29)
    assert torch.equal(batch["source"][:, 0, 0, 0], batch["real"][:, 0, 0, 0])


def test_halves_of_a_picture_are_a_pair(tmp_path):
    for index in range(24):
        pixels = np.full((16, 32, 3), index, np.uint8)
        pixels[:, 16:] = 100 + index
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    data = open_data(str(tmp_path), pair="left-to-right")
    batch = data.to_items(data.stream(seed=0).draw(4)["real"])
    assert batch.shape == (4, 16, 16, 3)
    assert batch.min() >= 100
    other = open_data(str(tmp_path), pair="right-to-left", size=8)
    assert other.to_items(other.stream(seed=0).draw(4)["real"]).max() < 100
    assert other.fingerprint != data.fingerprint
    Image.fromarray(np.zeros((16, 40, 3), np.uint8)).save(tmp_path / "other.png")
    with pytest.raises(UserError, match="different sizes; give the --size of a half"):
        open_data(str(tmp_path), pair="left-to-right")


def test_edges_are_drawn_anew_each_time_that_an_image_is_shown_and_once_for_held_out_ones():
    data = open_data("digits", pair="edges")
    train = len(data.split.train)
    stream = data.stream(seed=0)
    first = stream.draw(train)
    again = data.stream(seed=0)
    again.position = 100
    assert torch.equal(again.draw(8)["source"], first["source"][100:108])
    assert not torch.equal(data.stream(seed=1).draw(8)["source"], first["source"][:8])
    assert np.array_equal(data.held_sources("test")[0], data.held_sources("test")[0])
    assert open_data("digits").fingerprint != data.fingerprint


def test_no_digit_is_in_both_training_sides_and_held_out_ones_are_the_same():
    data = open_data("digits-styles", size=16)
    plain = data.sources.items
    theirs, ours = data.sources.parts["train"], data.split.train
    assert not set(theirs) & set(ours)
    assert plain.shape == data.items.shape == (1797, 16, 16, 3)
    labels = data.held_sources("test")[1]
    assert np.array_equal(labels, data.part("test")[1])
    assert np.array_equal(data.sources.parts["test"], data.split.test)


def test_the_styles_can_be_checked_like_any_data():
    assert check_data("digits-styles", size=16)["problems"] == []


@pytest.mark.parametrize(
    ("data", "pair", "said"),
    [
        ("digits", "edgse", r'--pair is "edgse"; it must be one of edges, .* Did you mean "edges"'),
        ("ring", "edges", "ring holds points"),
        ("digits-styles", "edges", "digits-styles has sources of its own"),
    ],
)
def test_impossible_pairs_are_answered_in_a_sentence(data, pair, said):
    with pytest.raises(UserError, match=said):
        open_data(data, pair=pair)


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        ("pix2pix", {"data": "digits"}, "pix2pix learns from pairs of images"),
        ("pix2pix", {"data": "digits-styles"}, "cyclegan, which needs no pairs"),
        ("cyclegan", {"data": "digits"}, "trainA and trainB"),
        ("cut", {"data": "digits"}, "trainA and trainB"),
        ("cgan", {"data": "digits", "pair": "edges"}, "cgan doesn't: leave it out, or take pix2pix"),
    ],
)
def test_data_that_a_model_cannot_learn_from_are_refused(tmp_path, model, options, said):
    with pytest.raises(UserError, match=said):
        elegan.train(model, out=tmp_path / "run", dry_run=True, quiet=True, **options)


@pytest.mark.parametrize(
    ("model", "settings", "said"),
    [
        ("pix2pix", {"levels": 4}, "levels is 4, and images of 8 pixels can be halved 3 times"),
        ("pix2pix", {"levels": 10**6}, "levels is 1000000"),
        ("pix2pix", {"patch_layers": 3}, "patch_layers is 3"),
        ("pix2pix", {"adversarial": 0.0, "augment_gap": 0.3}, "Without a discriminator nothing says how much"),
        ("cyclegan", {"patch": 8}, "patch is 8 and halvings is 0, which leaves less than 2 places a side"),
        ("cut", {"halvings": 40}, "patch is 2 and halvings is 40"),
    ],
)
def test_networks_that_cannot_be_are_refused(tmp_path, model, settings, said):
    pair = "edges" if model == "pix2pix" else None
    data = "digits" if model == "pix2pix" else "digits-styles"
    with pytest.raises(UserError, match=said):
        elegan.train(model, data=data, size=8, pair=pair, out=tmp_path / "run", quiet=True, **settings)
    assert list(tmp_path.iterdir()) == []


def test_the_papers_network_of_pix2pix_has_its_size():
    """Isola et al., 2017: 256x256 halved 8 times, to one pixel; the authors' generator has 54.41 million parameters."""
    kind, spec = find("pix2pix"), Spec({"source": (3, 256, 256), "real": (3, 256, 256)}, paired=True)
    with torch.device("meta"):
        game = kind(kind.Config(**kind.presets["isola2017"]), spec)
    assert game.config.levels == 8
    assert sum(p.numel() for p in game.generator.parameters()) == pytest.approx(54.41e6, rel=1e-3)
    assert game.optimizer("generator", Progress(99, 100)).lr == pytest.approx(2e-4)


@pytest.mark.parametrize("pair", ["edges", None])
@pytest.mark.usefixtures("unjudged")
def test_the_augmentation_of_pairs_adapts_to_held_out_pairs(tmp_path, pair):
    data = "digits" if pair else str(folder_of_sides(tmp_path / "pairs"))
    small = dict(width=8, discriminator_width=8, batch=8, augment_gap=0.3)
    run = elegan.train("pix2pix", data=data, pair=pair, size=8, images=80, out=tmp_path / "run", quiet=True,
                       referee=False, **small)  # fmt: skip
    assert run.record["config"]["augment_gap"] == 0.3
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert any("% augmented" in line.get("stage", "") for line in lines)


# Runs


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    """A finished run of pix2pix on drawings: none may write into it."""
    out = tmp_path_factory.mktemp("runs") / "drawings"
    words = ["--size", "8", "--width", "8", "--discriminator-width", "8", "--batch", "8", "--images", "80"]
    assert main(["train", "pix2pix", "--data", "digits", "--pair", "edges", "--out", str(out), *words]) == 0
    return out


@pytest.fixture(scope="module")
def styles(tmp_path_factory):
    """CycleGAN between the digits' styles before its first step: none may write into it."""
    folder = Folder(tmp_path_factory.mktemp("runs") / "styles")
    plan = make_plan("cyclegan", data="digits-styles", size=16, images=80, **SMALL["cyclegan"])
    training = plan.new_training(80)
    with folder.locked():
        folder.start(plan.record(plan.budget()))
    folder.write_generator(plan, training)
    folder.write_tick_picture(plan, training)
    return folder.path


def test_a_translators_run_is_judged_and_its_pictures_say_what_they_are_made_of(drawings, styles):
    report = json.loads((drawings / "report.json").read_text())
    assert report["verdict"]
    assert report["sizes"]["samples"] == 300
    assert report["classes"]["agreement"]["n"] == 300
    for picture in (drawings / "contact.png", *(drawings / "samples").glob("*.png"), *(styles / "samples").iterdir()):
        assert read_label(picture).digital_source_type == COMPOSITE
    assert "elegan apply drawings" in (drawings / "README.md").read_text()


def test_a_tick_is_pictured_as_images_above_what_they_become_on_every_side(styles):
    run = elegan.load(styles)
    rows, shown = before_and_after(run.game, run.open_data(), 5, 8)
    assert rows == 8
    assert shown.shape == (40, 16, 16, 3)
    sources = {image.tobytes() for image in run.open_data().sources.items}
    reals = {image.tobytes() for image in run.open_data().items}
    assert {image.tobytes() for image in shown[:5]} <= sources
    assert {image.tobytes() for image in shown[20:25]} <= reals
    assert not {image.tobytes() for image in shown[5:10]} & (sources | reals)


def test_the_same_command_goes_on_and_knows_its_pairs(drawings):
    assert json.loads((drawings / "run.json").read_text())["asked"]["pair"] == "edges"
    assert elegan.load(drawings).open_data().spec.paired


def test_samples_of_a_translator_are_its_held_out_sources_translated(drawings, tmp_path):
    assert main(["sample", str(drawings), "--out", str(tmp_path / "some.npz"), "--n", "12"]) == 0
    samples = elegan.load(drawings).sample(12)
    assert samples.shape == (12, 1, 8, 8)
    with pytest.raises(UserError, match=r"301 samples are asked for, and 300 .* elegan apply"):
        elegan.load(drawings).sample(301)
    with pytest.raises(UserError, match="can't be asked for 3"):
        elegan.load(drawings).sample(4, label=3)


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def seen(path):
    with Image.open(path) as picture:
        return picture.size, picture.mode


def test_apply_takes_every_mode_and_size_and_keeps_names_and_folders(styles, tmp_path):
    given = tmp_path / "photos"
    (given / "deep").mkdir(parents=True)
    random = np.random.default_rng(0)
    colour = random.integers(0, 256, (37, 21, 3), dtype=np.uint8)
    Image.fromarray(colour[..., 0]).save(given / "grey.png")
    Image.fromarray(colour).save(given / "photo.JPG")
    Image.fromarray(np.concatenate([colour, colour[..., :1]], 2)).save(given / "cut-out.webp", lossless=True)
    Image.fromarray(colour[..., 0].astype(np.uint16) * 257).save(given / "deep" / "sixteen.tif")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(colour).save(given / "turned.jpg", exif=turned)
    out = tmp_path / "out"
    assert main(["apply", str(styles), str(given), "--out", str(out), "--reconstruct"]) == 0
    assert {str(path.relative_to(out)): seen(path) for path in files_in(out) if "reconstructed" not in path.parts} == {
        "grey.png": ((21, 37), "RGB"), "photo.JPG": ((21, 37), "RGB"), "cut-out.webp": ((21, 37), "RGBA"),
        "deep/sixteen.png": ((21, 37), "RGB"), "turned.jpg": ((37, 21), "RGB"),
    }  # fmt: skip
    assert {path.name for path in files_in(out / "reconstructed")} == {
        "grey.png",
        "photo.JPG",
        "cut-out.webp",
        "sixteen.png",
        "turned.jpg",
    }
    opacity = np.asarray(Image.open(out / "cut-out.webp"))[..., 3]
    assert np.array_equal(opacity, colour[..., 0])
    label = read_label(out / "grey.png")
    assert label.digital_source_type == COMPOSITE
    assert label.weights_sha256 == elegan.load(styles).weights_sha256


def test_both_directions_and_the_strength_between_image_and_translation(styles, tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "one.png")
    found = {}
    for name, options in {
        "none": {"strength": 0.0}, "half": {"strength": 0.5}, "all": {}, "back": {"to": "a"},
    }.items():  # fmt: skip
        elegan.apply(styles, tmp_path / "one.png", out=tmp_path / name, **options)
        found[name] = np.asarray(Image.open(tmp_path / name / "one.png")).astype(float)
    assert np.array_equal(found["none"], pixels)
    assert np.abs(found["half"] - (pixels + found["all"]) / 2).max() <= 0.5
    assert not np.array_equal(found["all"], found["back"])


def test_drawings_of_another_size_can_be_brought_to_that_of_training(drawings, tmp_path):
    Image.new("RGB", (100, 50), "white").save(tmp_path / "sketch.png")
    done = elegan.apply(drawings, [tmp_path / "sketch.png"], out=tmp_path / "out", size="16")
    assert seen(done["files"][0]) == ((16, 16), "L")


def test_files_that_cannot_be_read_are_named_once_all_others_are_written(drawings, tmp_path, capsys):
    given = tmp_path / "given"
    given.mkdir()
    Image.new("L", (16, 16)).save(given / "good.png")
    (given / "bad.png").write_bytes(b"no picture")
    assert main(["apply", str(drawings), str(given), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "1 of 2 images can't be used" in said
    assert "bad.png (not an image, or cut short); the others are in" in said
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.png"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"to": "A"}, '--to is "A"; .* makes images of B'),
        ({"reconstruct": True}, "translates to B alone, and --reconstruct goes back"),
        ({"strength": 1.5}, "--strength is 1.5; it must lie between 0"),
        ({"inputs": "nowhere.png"}, "nowhere.png doesn't exist"),
        ({"inputs": []}, "No image was given"),
        ({"inputs": 5}, "Images are given by name, and 5 is none"),
        ({"inputs": [None]}, "and None is none"),
    ],
)
def test_what_apply_cannot_do_is_said_in_a_sentence(drawings, tmp_path, options, said):
    Image.new("L", (16, 16)).save(tmp_path / "one.png")
    options = {"inputs": tmp_path / "one.png", "out": tmp_path / "out", **options}
    with pytest.raises(UserError, match=said):
        elegan.apply(drawings, options.pop("inputs"), **options)
    assert not (tmp_path / "out").exists()


def test_files_that_keep_their_format_have_the_first_choice_of_names(drawings, tmp_path):
    for name in ("p.bmp", "p.gif", "p.png"):
        Image.new("L", (16, 16)).save(tmp_path / name)
    done = elegan.apply(drawings, tmp_path, out=tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").glob("*.*g*")} == {"p.png", "p.bmp.png", "p.gif.png"}
    assert done["n"] == 3
    given = [tmp_path / "p.gif", tmp_path / "p.png", tmp_path / "p.bmp"]
    done = elegan.apply(drawings, given, out=tmp_path / "again")
    assert done["files"] == [str(tmp_path / "again" / name) for name in ("p.gif.png", "p.png", "p.bmp.png")]


def test_originals_are_never_overwritten(drawings, tmp_path):
    Image.new("L", (16, 16)).save(tmp_path / "one.png")
    with pytest.raises(UserError, match="would overwrite"):
        elegan.apply(drawings, tmp_path, out=tmp_path)
