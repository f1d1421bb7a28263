"""The latent tools, on generators whose truth is known, and `elegan edit` on a small run."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load, save
from torch import nn

import elegan
from elegan.cli import main
from elegan.data import open_data
from elegan.data.attributes import Attributes
from elegan.errors import UserError
from elegan.game import Config, Game, Random, Spec
from elegan.latent import (
    affinity,
    boundary,
    change,
    closed_form_directions,
    combine,
    conditional,
    has_latents,
    has_scales,
    influence,
    interpolate,
    is_normal,
    laplacian_distance,
    mix,
    principal_directions,
    project,
    raising,
    steer,
    strongest,
    train_recogniser,
    truncate,
    walk,
)
from elegan.latent.directions import scaled
from elegan.models import MODELS, find
from elegan.provenance import COMPOSITE, TRAINED, mp4, read_label
from elegan.verbs.edit import edit
from elegan.verbs.editing import changing, channels, recognising
from elegan.verbs.editing import kept as keeping
from elegan.verbs.editing import named as named_module
from elegan.verbs.editing import space as space_module
from elegan.verbs.editing.channels import CHANNELS, FARTHEST, Concepts, parts_named, summed_in_channels
from elegan.verbs.editing.film import write_film
from elegan.verbs.editing.mixing import arithmetic, mixing_grid
from elegan.verbs.editing.named import FILE, NamedDirections, find_named_directions, named_directions
from elegan.verbs.editing.space import Space, sources_in, with_channels_on_white
from elegan.verbs.folder import Folder
from elegan.verbs.plan import make_plan
from elegan.verbs.run import write_json

LAYERS, SIZE, SIDE = 3, 6, 8
STYLEGAN = dict(width=16, narrow=16, features=16, style=16, latent=16)


class Squares(Game):
    """A style game whose truth is known: layer k's first coordinate lights the k-th square of the image.

    Styles are z through a mixing matrix, so that what lights the squares is correlated, as parts of faces are.
    """

    def __init__(self, config=None, spec=None):
        super().__init__(config or Config(), spec or Spec({"real": (1, SIDE, SIDE)}))
        generator = torch.Generator().manual_seed(5)
        self.register_buffer("mixing", torch.eye(SIZE) + 0.3 * torch.rand(SIZE, SIZE, generator=generator))

    def latents(self, n, random):
        return random.normal(n, SIZE)

    def styles(self, z, condition):
        return (z @ self.mixing)[:, None].repeat(1, LAYERS, 1)

    def style_weights(self):
        return [torch.eye(SIZE)[:1] for _ in range(LAYERS)]

    def render(self, styles, condition):
        images = -torch.ones(len(styles), 1, SIDE, SIDE)
        images[:, :, :4, :4] += (1 + styles[:, 0, 0].tanh())[:, None, None, None]
        images[:, :, :4, 4:] += (1 + styles[:, 1, 1].tanh())[:, None, None, None]
        images[:, :, 4:, :4] += (1 + styles[:, 2, 2].tanh())[:, None, None, None]
        return images

    def scales(self, styles):
        return 2 * styles.flatten(1) + 1

    def render_scales(self, scales, condition):
        return self.render((scales - 1).unflatten(1, (LAYERS, SIZE)) / 2, condition)


LIGHTS = [layer * SIZE + layer for layer in range(LAYERS)]
"""The channels of Squares that do anything: the k-th lights the k-th square."""


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def untrained(path, model, **settings):
    """A run folder with what the edits read of it; its generator has learned nothing."""
    plan = make_plan(model, images=64, batch=16, **settings)
    path.mkdir()
    write_json(path / "run.json", plan.record(plan.budget()))
    Folder(path).write_generator(plan, plan.new_training(64))
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return untrained(tmp_path_factory.mktemp("latent") / "run", "dcgan", data="digits", size=8, width=8, latent=16)


@pytest.fixture
def squares(run, monkeypatch):
    """The run as a space whose game is Squares."""

    def load(path):
        loaded = elegan.load(path)
        loaded.__dict__["game"] = Squares().eval()
        return loaded

    monkeypatch.setattr(space_module, "load_run", load)
    return Space(str(run))


# pure functions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spherical", [True, False])
def test_an_interpolation_begins_and_ends_where_it_was_told(spherical):
    a, b = normal(4, 1, 16), normal(4, 1, 16, seed=1)
    torch.testing.assert_close(interpolate(a, b, 0.0, spherical=spherical), a)
    torch.testing.assert_close(interpolate(a, b, 1.0, spherical=spherical), b)


def test_latents_keep_their_length_on_the_great_circle_and_lose_it_on_the_straight_line():
    a, b = normal(4, 1, 64), normal(4, 1, 64, seed=1)
    ends = (a.norm(dim=-1) + b.norm(dim=-1)) / 2
    torch.testing.assert_close(interpolate(a, b, 0.5, spherical=True).norm(dim=-1), ends)
    assert bool((interpolate(a, b, 0.5, spherical=False).norm(dim=-1) < 0.9 * ends).all())


@pytest.mark.parametrize("other", [1.0, -1.0, 2.0])
def test_parallel_latents_can_be_interpolated(other):
    a = normal(1, 1, 8)
    assert bool(interpolate(a, other * a, 0.5, spherical=True).isfinite().all())


def test_a_walk_passes_its_stations_and_closes():
    stations = normal(3, 2, 8)
    path = walk(stations, 5, spherical=True)
    assert path.shape == (15, 2, 8)
    torch.testing.assert_close(path[::5], stations)
    steps = (path.roll(-1, 0) - path).norm(dim=(1, 2))
    assert steps.max() < 0.7 * (stations[1] - stations[0]).norm()


def test_mixing_takes_the_layers_of_the_other_and_leaves_both_alone():
    a, b = normal(2, 4, 3), normal(2, 4, 3, seed=1)
    before = a.clone()
    mixed = mix(a, b, [0, 2])
    assert torch.equal(mixed[:, [0, 2]], b[:, [0, 2]])
    assert torch.equal(mixed[:, [1, 3]], a[:, [1, 3]])
    assert torch.equal(a, before)
    with pytest.raises(IndexError):
        mix(a, b, [4])


def test_truncation_scales_the_distance_from_the_mean():
    styles, mean = normal(5, 2, 3), normal(5, 2, 3, seed=1)
    torch.testing.assert_close(truncate(styles, mean, 1.0), styles)
    torch.testing.assert_close(truncate(styles, mean, 0.0), mean)
    torch.testing.assert_close((truncate(styles, mean, 0.5) - mean).norm(), (styles - mean).norm() / 2)


def test_concepts_are_means_that_are_added_and_subtracted():
    a, b, c = normal(3, 2, 8), normal(5, 2, 8, seed=1), normal(1, 2, 8, seed=2)
    torch.testing.assert_close(combine([a, c], [b])[0], a.mean(0) + c[0] - b.mean(0))
    torch.testing.assert_close(combine([a], length=3.0).norm(dim=-1), torch.full((1, 2), 3.0))


# directions -------------------------------------------------------------------------------------------------------


def test_principal_directions_are_where_styles_vary_most_and_as_long_as_they_vary():
    spread = torch.tensor([0.5, 4.0, 1.0, 2.0])
    styles = (normal(4000, 4) * spread)[:, None].repeat(1, 3, 1)
    found = principal_directions(styles, 2)
    assert found.vectors.shape == (2, 3, 4)
    torch.testing.assert_close(
        found.vectors[:, 0].abs(), torch.tensor([[0, 4.0, 0, 0], [0, 0, 0, 2.0]]), atol=0.2, rtol=0
    )
    assert torch.equal(found.vectors[:, 0], found.vectors[:, 2])


def test_principal_directions_of_unequal_layers_use_all_of_them():
    styles = normal(2000, 2, 3)
    styles[:, 1, 2] *= 5
    assert principal_directions(styles, 1).vectors[0].abs().argmax() == 5


def test_the_closed_form_finds_what_the_weights_amplify_in_the_chosen_layers():
    weights = [torch.eye(4)[[2, 2, 0]], torch.eye(4)[[1, 1, 1]]]
    styles = normal(2000, 2, 4)
    first = closed_form_directions(weights, styles, 2, [0])
    assert first.vectors[0, 0].abs().argmax() == 2
    assert not first.vectors[:, 1].any()
    assert first.vectors[0].norm() == pytest.approx(1, abs=0.1)
    assert closed_form_directions(weights, styles, 1, [1]).vectors[0, 1].abs().argmax() == 1


def test_a_boundary_is_where_a_label_changes_and_its_accuracy_is_honest():
    styles, truth = normal(2000, 1, 8), normal(8, seed=1)
    score = styles[:, 0] @ truth
    found = boundary(styles, score > 1)
    assert float((found.normal[0] @ truth) / truth.norm()) > 0.95
    assert found.accuracy > 0.9
    assert boundary(styles, score[torch.randperm(2000)] > 1).accuracy == pytest.approx(0.5, abs=0.1)


def test_a_boundary_needs_both_sides():
    with pytest.raises(ValueError, match="10 on each side"):
        boundary(normal(100, 1, 4), torch.arange(100) < 3)


def test_a_conditional_direction_leaves_the_others_as_they_are():
    direction, others = normal(2, 6), normal(3, 2, 6, seed=1)
    apart = conditional(direction, others)
    assert float((others.flatten(1) @ apart.flatten()).abs().max()) < 1e-5
    unit = others[0] / others[0].norm()
    torch.testing.assert_close(conditional(direction, others[:1]), direction - (direction * unit).sum() * unit)
    torch.testing.assert_close(conditional(direction, torch.cat([others, others])), apart)
    assert conditional(direction, others[:0]) is direction


def test_a_direction_moves_the_chosen_layers_alone():
    styles, direction = normal(2, 3, 4), normal(3, 4, seed=1)
    moved = steer(styles, direction, 2.0, [1])
    assert torch.equal(moved[:, [0, 2]], styles[:, [0, 2]])
    torch.testing.assert_close(moved[:, 1], styles[:, 1] + 2 * direction[1])


def test_directions_are_one_standard_deviation_long():
    styles = normal(4000, 2, 3) * 3
    lengths = scaled(normal(4, 2, 3, seed=1), styles).flatten(1).norm(dim=1)
    torch.testing.assert_close(lengths, torch.full((4,), 3.0), atol=0.2, rtol=0)


# projection and recognition ---------------------------------------------------------------------------------------


def test_the_pyramid_sees_coarse_and_fine_differences():
    image = normal(1, 3, 17, 30)
    assert laplacian_distance(image, image).item() == 0
    checks = (torch.arange(17)[:, None] + torch.arange(30)) % 2 * 2.0 - 1
    assert laplacian_distance(image + 0.1, image).item() == pytest.approx(0.1, abs=1e-4)
    assert laplacian_distance(image + 0.1 * checks, image).item() > 0.09


def test_an_image_that_the_generator_drew_is_found_again():
    game = Squares()
    styles = game.styles(game.latents(64, Random((0,))), {})
    target = game.render(game.styles(game.latents(1, Random((9,))), {}), {})
    found = project(lambda s: game.render(s, {}), target, styles, steps=100)
    assert found.distance < 1 < found.start
    assert torch.equal(game.render(found.style, {}), found.image)


def test_a_projection_is_never_farther_than_where_it_began():
    game = Squares()
    styles = game.styles(game.latents(32, Random((0,))), {})
    found = project(lambda s: game.render(s, {}), 3 * normal(1, 1, SIDE, SIDE), styles, steps=1)
    assert found.distance <= found.start


def test_a_recogniser_learns_parts_and_says_how_well():
    data = open_data("digits", size=8)
    train, held = (data.indices(part) for part in ("train", "validation"))
    table = torch.stack([torch.from_numpy(data.labels), torch.from_numpy(data.labels % 2)], 1)
    known = data.tensor(held), table[held]
    small = dict(width=16, epochs=6)
    recogniser = train_recogniser(data.tensor(train), table[train], (10, 2), known, **small)
    assert min(recogniser.accuracy) > 0.85
    assert recogniser.predict(known[0]).shape == (len(held), 2)
    again = train_recogniser(data.tensor(train), table[train], (10, 2), known, **small)
    assert again.accuracy == recogniser.accuracy


def test_a_change_reaches_the_value_and_leaves_the_others():
    game, light = Squares(), lambda styles: torch.stack([styles[:, k, k] > 0 for k in range(LAYERS)], 1)
    styles = game.styles(game.latents(700, Random((0,))), {})
    images, truth = game.render(styles, {}), light(styles).long()
    train, held = slice(0, 500), (images[500:600], truth[500:600])
    recognisers = [
        train_recogniser(images[train], truth[train], (2, 2, 2), held, width=8, epochs=8, seed=seed) for seed in (1, 2)
    ]
    dark = styles[600:][truth[600:, 1] == 0]
    after = change(lambda s: game.render(s, {}), dark, styles.std(0), recognisers, {1: 1})
    assert after.shape == dark.shape
    assert float(light(after)[:, 1].double().mean()) > 0.9
    assert float((light(after) == light(dark))[:, [0, 2]].double().mean()) > 0.9
    alone = change(lambda s: game.render(s, {}), dark[:1], styles.std(0), recognisers, {1: 1})
    torch.testing.assert_close(alone, after[:1], atol=1e-3, rtol=0)  # whatever is beside it


def test_the_strongest_channels_are_those_that_differ_most_by_their_own_measure():
    difference, deviation = torch.tensor([4.0, -3.0, 1.0, 0.1]), torch.tensor([8.0, 1.0, 0.5, 0.0])
    assert strongest(difference, deviation, 1).tolist() == [0, 0, 0, pytest.approx(0.1)]  # hardly ever differs
    assert strongest(difference, torch.tensor([8.0, 1.0, 0.5, 1.0]), 2).tolist() == [0, -3, 1, 0]
    for count in (0, 5):
        with pytest.raises(ValueError, match="1 to 4"):
            strongest(difference, deviation, count)


def test_influence_on_a_linear_generator_is_its_closed_form():
    """Parts M s: channel c has M_pc² σ_c² of Σ_c M_pc² σ_c², whatever the random projections."""
    matrix, deviation = normal(2, 5), torch.arange(1.0, 6.0)
    shares = influence(lambda s: s @ matrix.T, lambda seen: seen.split(1, 1), normal(7, 5, seed=1), deviation)
    expected = (matrix * deviation).square().T
    torch.testing.assert_close(shares, expected / expected.sum(0))


def test_affinity_is_how_many_times_more_a_channel_has_to_do_with_some_parts_than_with_the_others():
    shares = torch.tensor([[0.6, 0.1, 0.1], [0.4, 0.2, 0.6], [0.0, 0.7, 0.3]])
    assert affinity(shares, [0]).tolist() == pytest.approx([6, 1, 0])
    assert affinity(shares, [1, 2]).tolist() == pytest.approx([1 / 6, 1, 10])  # at most
    for parts in ([], [0, 1, 2]):
        with pytest.raises(ValueError, match="some must be"):
            affinity(shares, parts)


# the contract -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_every_model_with_latents_samples_by_rendering_its_styles(name):
    kind = find(name)
    if kind.render is Game.render:
        assert kind.translations
        return
    spec = Spec({"real": (3, 32, 32), "label": ()}, ("a", "b"), 100)
    game = kind(kind.Config(), spec).eval()
    assert has_latents(game)
    condition = {"label": torch.tensor([0, 1, 1])}
    with torch.no_grad():
        sampled = game.sample(3, condition, Random((4,)))
        styles = game.styles(game.latents(3, Random((4,))), condition)
        rendered = game.render(styles, condition)
    assert torch.equal(sampled, rendered)
    if has_scales(game):
        with torch.no_grad():
            assert torch.equal(game.render_scales(game.scales(styles), condition), sampled)
    assert styles.shape[1] == 1 or not is_normal(game)
    assert game.mean_style(3, condition).shape == styles.shape
    for weight in game.style_weights():
        assert weight.shape[1] == styles.shape[2]


# the command ------------------------------------------------------------------------------------------------------


def test_a_seed_stands_for_the_first_sample_of_that_seed(run):
    gan, space = elegan.load(run), Space(str(run))
    points = space.points([7, "3"])
    assert points.names == ("seed 7", "seed 3")
    torch.testing.assert_close(space.images(points)[1:], torch.Tensor(gan.sample(1, seed=3)))


ACTIONS = {
    "arithmetic": ["--plus", "1,2,3", "--minus", "4,5", "--plus", "6"],
    "directions": ["--seeds", "1,2", "--count", "2"],
    "directions-principal": ["--seeds", "1", "--by", "principal", "--strength", "3"],
    "truncate": ["--seeds", "1,2"],
}


@pytest.mark.parametrize("name", ACTIONS)
def test_every_edit_writes_a_labelled_picture(run, tmp_path, capsys, name):
    action, out = name.partition("-")[0], tmp_path / "a.png"
    assert main(["edit", str(run), action, "--out", str(out), "--json", *ACTIONS[name]]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["out"] == str(out)
    label = read_label(out)
    assert label.weights_sha256 == elegan.load(run).weights_sha256
    assert label.digital_source_type == TRAINED
    assert Image.open(out).width > 100


def test_a_walk_is_a_labelled_film(run, tmp_path):
    out = tmp_path / "walk.gif"
    assert main(["edit", str(run), "walk", "--seeds", "1,2", "--frames", "4", "--out", str(out)]) == 0
    assert Image.open(out).n_frames == 8
    assert read_label(out).seed == 1


def test_a_photo_is_projected_and_the_file_says_that_a_real_image_went_in(run, tmp_path, capsys):
    photo, out = tmp_path / "photo.png", tmp_path / "out.png"
    elegan.load(run).sample(1, seed=12).images()[0].resize((50, 40)).save(photo)
    assert main(["edit", str(run), "project", str(photo), "--out", str(out), "--steps", "40", "--json"]) == 0
    done = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert done["distance"] <= done["before"]
    assert read_label(out).digital_source_type == COMPOSITE


def test_photos_and_seeds_can_be_added_up(run, tmp_path):
    photo = tmp_path / "photo.png"
    Image.fromarray(np.full((9, 30, 4), 120, np.uint8)).save(photo)
    done = edit(run, "arithmetic", out=tmp_path / "a.png", plus=[[1, 2], f"{photo}"], minus=["3"])
    assert done["plus"] == [["seed 1", "seed 2"], ["photo.png"]]
    assert read_label(tmp_path / "a.png").digital_source_type == COMPOSITE


def test_concepts_are_added_in_the_layers_that_are_asked_for(squares, tmp_path, monkeypatch):
    base, added = squares.drawn(1, 4).styles, squares.drawn(1, 6).styles
    drawn, pixels = [], squares.pixels
    monkeypatch.setattr(squares, "pixels", lambda points: drawn.append(points.styles) or pixels(points))
    done = arithmetic(squares, tmp_path / "a.png", plus=["6", "4"], layers="1", strength=2.0)
    assert done["layers"] == [1]
    torch.testing.assert_close(drawn[-1][:, 1], base[:, 1] + 2 * added[:, 1])
    torch.testing.assert_close(drawn[-1][:, [0, 2]], base[:, [0, 2]])


def test_concepts_are_added_in_the_channels_that_differ_the_most(squares, tmp_path, monkeypatch):
    drawn, pixels = [], squares.pixels
    monkeypatch.setattr(squares, "pixels", lambda points: drawn.append(points) or pixels(points))
    seeds = [seed for seed in range(40) if squares.drawn(1, seed).styles[0, 0, 3] > 1][:4]
    others = [seed for seed in range(40) if squares.drawn(1, seed).styles[0, 0, 3] < -1][:4]
    done = arithmetic(squares, tmp_path / "a.png", plus=[seeds, "4"], minus=[others], channels=LAYERS, strength=2.0)
    assert done["channels"] == LAYERS
    answer, base = drawn[-1], squares.scales(squares.drawn(1, 4).styles)
    moved = (answer.scales - base)[0]
    assert moved.nonzero().flatten().tolist() == [3, SIZE + 3, 2 * SIZE + 3]  # all layers have one style
    difference = torch.cat([squares.drawn(1, s).styles for s in seeds]).mean(0)
    difference = difference - torch.cat([squares.drawn(1, s).styles for s in others]).mean(0)
    torch.testing.assert_close(moved[3], 2 * 2 * difference[0, 3], rtol=1e-4, atol=1e-5)


def test_a_concept_that_nothing_is_taken_from_is_what_differs_from_the_mean(squares, tmp_path, monkeypatch):
    drawn, pixels = [], squares.pixels
    monkeypatch.setattr(squares, "pixels", lambda points: drawn.append(points) or pixels(points))
    arithmetic(squares, tmp_path / "a.png", plus=["6", "4"], channels=LAYERS * SIZE)
    one, base = (squares.scales(squares.drawn(1, seed).styles) for seed in (6, 4))
    mean = squares.scales(squares.measured).mean(0)
    torch.testing.assert_close(drawn[-1].scales, base + one - mean, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"channels": 0}, "has 18, so give 1 to as many"),
        ({"channels": 19}, "has 18, so give 1 to as many"),
        ({"channels": 2, "layers": "1"}, "beside --channels or --parts"),
        ({"channels": 1.5}, "give 1 to as many"),
        ({"strength": "2"}, "strength is 2"),
    ],
)
def test_channels_that_there_are_not_are_answered(squares, tmp_path, options, said):
    with pytest.raises(UserError, match=said):
        arithmetic(squares, tmp_path / "a.png", plus=["6", "4"], **options)
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mix"], "no layers to mix"),
        (["mix", "--parts", "class"], "don't scale channels"),
        (["mix", "--parts", "class", "--layers", "0"], "both given"),
        (["arithmetic", "--plus", "1", "--plus", "2", "--channels", "3"], "don't scale channels"),
        (["arithmetic"], "give --plus"),
        (["arithmetic", "--plus", "1,missing.png"], "missing.png"),
        (["walk", "--seeds", "1,2"], "end it in .gif"),
        (["directions", "--layers", "1"], "layers 0 to 0"),
        (["directions", "--layers", "0-99999999999"], "layers 0 to 0"),
        (["directions", "--layers", "x"], "numbers and ranges"),
        (["directions", "--part", ""], "name parts of the data"),
        (["project", "photo.png", "--starts", "513"], "between 1 and 512"),
        (["directions", "--part", "clas"], 'Did you mean "class"'),
        (["directions", "--part", "class=3", "--keep", "hat"], 'no part "hat"'),
        (["change"], "no part is named"),
        (["change", "--part", "clas=3"], 'Did you mean "class"'),
        (["change", "--part", "class=ten"], '"ten" is no class'),
        (["directions", "--by", "principal", "--part", "hat"], "leave out --by"),
        (["directions", "--by", "labels", "--strength", "0"], "strength is 0"),
        (["directions", "--label", "3"], "draws no class on demand"),
        (["project"], "no photo"),
        (["truncate", "--seeds", ""], "No seed"),
        (["mixx"], 'Did you mean "mix"'),
        ([], "no edit is named"),
    ],
)
def test_an_edit_that_cannot_be_done_is_answered_in_a_sentence(run, tmp_path, capsys, monkeypatch, words, said):
    (run / recognising.FILE).unlink(missing_ok=True)
    monkeypatch.setattr(recognising, "train_recogniser", lambda *_, **__: pytest.fail("taught in vain"))
    assert main(["edit", str(run), *words, "--out", str(tmp_path / "out.png")]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("action", "options", "said"),
    [
        ("directions", {"by": "labels!"}, r"by is 'labels!'; it should be 'closed-form', 'principal' or 'labels'"),
        ("directions", {"count": 2.5}, "count is 2.5; it should be a valid integer"),
        ("directions", {"strength": None}, "strength is None; it should be a valid number"),
        ("directions", {"layers": 1.5}, "layers is 1.5; it should be a valid string or"),
        ("walk", {"frames": 1.5}, "frames is 1.5"),
        ("truncate", {"seeds": [1, None]}, "None is neither a seed nor an image"),
        ("arithmetic", {"plus": "missing.png"}, "missing.png"),
        ("project", {}, "no photo is named"),
    ],
)
def test_python_is_answered_in_the_sentences_of_the_command(run, tmp_path, action, options, said):
    with pytest.raises(UserError, match=said):
        edit(run, action, out=tmp_path / ("out.gif" if action == "walk" else "out.png"), **options)
    assert list(tmp_path.iterdir()) == []


def test_python_takes_lists_texts_and_numbers_and_has_the_defaults_of_the_command(run, tmp_path):
    assert edit(run, "truncate", out=tmp_path / "a.png")["of"] == [f"seed {seed}" for seed in range(1, 7)]
    assert edit(run, "truncate", out=tmp_path / "a.png", seeds=3)["of"] == ["seed 3"]
    assert edit(run, "arithmetic", out=tmp_path / "a.png", plus="1,5,9")["plus"] == [["seed 1", "seed 5", "seed 9"]]
    assert edit(run, "arithmetic", out=tmp_path / "a.png", plus=[1, [2, 3]])["plus"] == [
        ["seed 1"],
        ["seed 2", "seed 3"],
    ]
    done = edit(run, "directions", out=tmp_path / "a.png", layers=[0], strength="2", count=1, seeds=[1])
    assert (done["layers"], done["strength"]) == ([0], 2.0)


@pytest.mark.parametrize("words", [["truncate", "--seeds", "PHOTO,2"], ["project", "PHOTO"]])
def test_no_photo_is_overwritten(run, tmp_path, capsys, words):
    photo = tmp_path / "me.png"
    Image.new("L", (9, 7), 90).save(photo)
    before = photo.read_bytes()
    words = [word.replace("PHOTO", str(photo)) for word in words]
    assert main(["edit", str(run), *words, "--out", str(tmp_path / "." / "me.png")]) == 2
    assert "would overwrite the photo" in capsys.readouterr().err
    assert photo.read_bytes() == before


def test_a_photo_of_a_run_with_classes_takes_the_class_of_the_nearest_sample(tmp_path):
    run = untrained(tmp_path / "r", "cgan", data="digits", size=8, width=16, narrow=16, latent=8)
    elegan.load(run).sample(1, seed=12, label=3).images()[0].save(tmp_path / "photo.png")
    space = Space(str(run), label=3)
    assert space.projected(tmp_path / "photo.png", steps=1).label.tolist() == [3]
    points = Space(str(run)).points([1, tmp_path / "photo.png"])
    assert points.label.shape == (2,)
    with pytest.raises(UserError, match="one class"):
        Space(str(run), label="all")


def test_vectors_cannot_be_edited(tmp_path):
    untrained(tmp_path / "r", "gan", data="ring", width=8, depth=1)
    with pytest.raises(UserError, match="vectors"):
        edit(tmp_path / "r", "truncate", out=tmp_path / "a.png")


def test_every_action_has_help(capsys):
    for action in ("mix", "arithmetic", "directions", "project", "truncate", "walk"):
        assert main(["edit", action, "--help"]) == 0
        assert "--out" in capsys.readouterr().out
    assert main(["edit", "--help"]) == 0


def test_truncation_narrows_samples_and_1_changes_nothing(run):
    gan = elegan.load(run)
    plain, one, half, none = (torch.Tensor(gan.sample(32, truncation=share)) for share in (None, 1.0, 0.5, 0.0))
    assert torch.equal(plain, one)
    assert half.std(0).mean() < plain.std(0).mean()
    torch.testing.assert_close(none, none[:1].expand_as(none))
    with pytest.raises(UserError, match="between 0 and 2"):
        gan.sample(2, truncation=3.0)


def test_a_style_model_mixes_truncates_and_has_directions_in_its_layers(tmp_path):
    run = untrained(tmp_path / "r", "stylegan", data="digits", size=8, **STYLEGAN)
    space = Space(str(run))
    assert space.shape[0] > 1
    assert not space.normal
    mixed = edit(run, "mix", out=tmp_path / "a.png", rows="1,2", columns="3", label=4)
    assert mixed["layers"] == list(range(space.shape[0] // 2))
    done = edit(run, "directions", out=tmp_path / "b.png", layers="1-2", count=1)
    assert (done["by"], done["layers"]) == ("closed-form", [1, 2])
    points = space.points([1, 2])
    near = space.truncated(points, 0.5)
    assert (near.styles - points.styles).abs().max() > 0
    torch.testing.assert_close(space.truncated(near, 1.0).styles, near.styles)


# styles with layers -----------------------------------------------------------------------------------------------


def test_a_mixing_grid_has_a_column_of_rows_and_a_row_of_columns(squares, tmp_path):
    done = mixing_grid(squares, tmp_path / "a.png", rows="1,2", columns="3,4,5", layers="0,2")
    assert done["layers"] == [0, 2]
    assert read_label(tmp_path / "a.png").seed == 1


def test_layers_are_chosen_by_ranges(squares):
    assert squares.layers(None) == [0, 1, 2]
    assert squares.layers("1-2") == [1, 2]
    assert squares.layers("2,0") == [0, 2]


@pytest.fixture
def lit(squares, monkeypatch):
    """The space of Squares with data that say which squares are lit."""
    styles = squares.drawn(600, 77)
    images, style = squares.pixels(styles), styles.styles
    table = torch.stack([style[:, k, k] > 0 for k in range(3)], 1).long().numpy()
    data = open_data("digits", size=SIDE)
    split = type(data.split)(np.arange(400), np.arange(400, 500), np.arange(500, 600))
    attributes = Attributes(("first", "second", "third"), (("dark", "lit"),) * 3, table)
    known = replace(data, items=images, labels=None, classes=(), split=split, attributes=attributes, fingerprint="")
    monkeypatch.setattr(squares.run, "open_data", lambda: known)
    monkeypatch.setattr(named_module, "SAMPLES", 600)
    return squares


def test_named_directions_change_their_part_and_spare_the_others(lit):
    found = find_named_directions(lit)
    assert set(found.parts) == {"first", "second", "third"}
    assert min(found.recognised.values()) > 0.85
    (index,) = found.indices("second=lit")
    assert found.accuracies[index] > 0.85
    direction = scaled(found.direction(index)[None], lit.drawn(200, 1).styles)[0]
    styles = lit.drawn(200, 3).styles
    change = (steer(styles, direction, 1.0) - styles)[0]
    assert change[1, 1] > 3 * max(abs(change[0, 0]), abs(change[2, 2]))


def test_a_part_can_be_moved_in_the_layers_where_it_is_drawn(lit):
    found = find_named_directions(lit)
    (index,) = found.indices("third=lit")
    moved = steer(torch.zeros(1, LAYERS, SIZE), found.direction(index, "none"), 3.0, lit.layers("2"))
    before, after = (lit.game.render(styles, {})[0, 0] for styles in (torch.zeros(1, LAYERS, SIZE), moved))
    assert float((after - before)[4:, :4].min()) > 0.3
    assert float((after - before)[:4].abs().max()) == 0


def test_named_directions_are_kept_for_the_weights_they_were_found_with(lit, monkeypatch):
    path = lit.run.path / FILE
    path.unlink(missing_ok=True)
    first = named_directions(lit)
    monkeypatch.setattr(named_module, "find_named_directions", lambda space: pytest.fail("they were kept"))
    again = named_directions(lit)
    assert torch.equal(first.normals, again.normals)
    assert (first.parts, first.values, first.accuracies) == (again.parts, again.values, again.accuracies)
    with safe_open(path, "pt") as file:
        said = file.metadata()
    monkeypatch.setattr(named_module, "find_named_directions", lambda space: first)
    for damaged in (b"damaged", save({"normals": first.normals[:, :1].clone()}, said)):
        path.write_bytes(damaged)
        assert torch.equal(named_directions(lit).normals, first.normals)
    path.unlink()


def test_a_wish_for_a_part_that_there_is_not_is_answered():
    known = NamedDirections(("hat", "hat"), ("cap", "crown"), normal(2, 1, 4), (0.9, 0.9), {"hat": 1.0})
    assert known.indices("hat") == [0, 1]
    assert known.indices("hat = crown") == [1]
    with pytest.raises(UserError, match=r'nearly all samples show "hat=bow" or nearly none.*hat=cap, hat=crown'):
        known.indices("hat=bow")
    rare = NamedDirections(("hat",), ("cap",), normal(1, 1, 4), (0.9,), {"hat": 1.0, "glasses": 1.0})
    with pytest.raises(UserError, match=r'nearly all samples show "glasses" or nearly none'):
        rare.indices("glasses")


def test_parts_are_drawn_by_the_command_itself(lit, tmp_path, monkeypatch):
    monkeypatch.setattr("elegan.verbs.edit.load_run", lambda run: lit.run)
    monkeypatch.setattr("elegan.verbs.edit.Space", lambda run, label, out: lit)
    done = edit("run", "directions", out=tmp_path / "a.png", part="first,third=lit", seeds=[1], keep="second")
    assert done["directions"] == ["first: dark", "first: lit", "third: lit"]
    assert done["by"] == "labels"
    (lit.run.path / FILE).unlink()


def test_parts_are_changed_by_the_command_and_its_recognisers_are_kept(lit, tmp_path, monkeypatch):
    monkeypatch.setattr("elegan.verbs.edit.load_run", lambda run: lit.run)
    monkeypatch.setattr("elegan.verbs.edit.Space", lambda run, label, out: lit)
    kept = lit.run.path / recognising.FILE
    kept.unlink(missing_ok=True)
    done = edit("run", "change", out=tmp_path / "a.png", part="second=lit, third=dark", seeds=[1, 2, 3])
    assert done["parts"] == ["second: lit", "third: dark"]
    assert done["changed"] == 1
    assert done["kept"] == 1
    assert read_label(tmp_path / "a.png").digital_source_type == TRAINED
    with monkeypatch.context() as patch:
        patch.setattr(recognising, "_taught", lambda *_: pytest.fail("they were kept"))
        assert edit("run", "change", out=tmp_path / "b.png", part="first=lit", seeds=[1])["changed"] == 1
    whole = load(kept.read_bytes())
    with safe_open(kept, "pt") as file:
        said = file.metadata()
    for damaged in (b"damaged", save({"0.hidden.0.bias": torch.zeros(3)}, said), save({}, {**said, "found": "null"})):
        kept.write_bytes(damaged)
        edit("run", "change", out=tmp_path / "c.png", part="first=lit", seeds=[1])
        again = load(kept.read_bytes())
        assert all(torch.equal(again[name], tensor) for name, tensor in whole.items())
    kept.unlink()
    monkeypatch.setattr(keeping, "write_atomically", lambda *_: (_ for _ in ()).throw(PermissionError("read-only")))
    edit("run", "change", out=tmp_path / "d.png", part="first=lit", seeds=[1])
    assert not kept.exists()


def test_the_parts_named_come_from_the_column_and_the_rest_from_the_row(lit, tmp_path, monkeypatch):
    drawn, pixels = [], lit.pixels
    monkeypatch.setattr(lit, "pixels", lambda points: drawn.append(points) or pixels(points))
    done = mixing_grid(lit, tmp_path / "a.png", rows="1", columns="2,3", parts="second, third")
    assert done["parts"] == ["second", "third"]
    row, columns = lit.scales(lit.drawn(1, 1).styles), lit.scales(lit.points([2, 3]).styles)
    mixed = drawn[-1].scales
    torch.testing.assert_close(mixed[:, LIGHTS[1:]], columns[:, LIGHTS[1:]])
    torch.testing.assert_close(mixed[:, LIGHTS[:1]], row[:, LIGHTS[:1]].expand(2, 1))
    with monkeypatch.context() as patch:
        patch.setattr(channels, "_examined", lambda *_: pytest.fail("it was kept"))
        mixing_grid(lit, tmp_path / "c.png", rows="1", columns="2,3", parts="second, third")
    assert torch.equal(drawn[-1].scales, mixed)
    with safe_open(lit.run.path / channels.FILE, "pt") as file:
        said, shares = file.metadata(), file.get_tensor("shares")
    (lit.run.path / channels.FILE).write_bytes(save({"shares": shares[1:].clone()}, said))
    mixing_grid(lit, tmp_path / "d.png", rows="1", columns="2,3", parts="second, third")
    assert torch.equal(drawn[-1].scales, mixed)
    for parts, said in (("secnd", 'Did you mean "second"'), ("first,second,third", "names all there are")):
        with pytest.raises(UserError, match=said):
            mixing_grid(lit, tmp_path / "b.png", rows="1", columns="2", parts=parts)
    (lit.run.path / recognising.FILE).unlink()
    (lit.run.path / channels.FILE).unlink()


def test_a_concept_is_added_to_the_parts_named_until_they_show(lit, tmp_path, monkeypatch):
    drawn, pixels = [], lit.pixels
    monkeypatch.setattr(lit, "pixels", lambda points: drawn.append(points) or pixels(points))
    second = {seed: float(lit.drawn(1, seed).styles[0, 1, 1]) for seed in range(60)}
    has, lacks = ([seed for seed in second if sign * second[seed] > 0.5] for sign in (1, -1))
    words = dict(plus=[has[:12], lacks[-1:]], minus=[lacks[:12]], parts="second")
    done = arithmetic(lit, tmp_path / "a.png", channels=1, **words)
    before, after = lit.game.render(lit.drawn(1, lacks[-1]).styles, {}), lit.images(drawn[-1])
    moved = (after - before)[0, 0].abs()
    assert after[0, 0, :4, 4:].mean() > 0 > before[0, 0, :4, 4:].mean()
    assert moved[4:].max() == moved[:4, :4].max() == 0
    assert (done["parts"], done["values"], done["shown"]) == (["second"], {"second": ["lit"]}, True)
    assert 0 < done["strength"] < 20
    least = arithmetic(lit, tmp_path / "b.png", channels=1, strength=0.0, **words)
    assert (least["strength"], least["shown"]) == (0, False)
    assert lit.images(drawn[-1])[0, 0, :4, 4:].mean() < after[0, 0, :4, 4:].mean()
    dimmed = arithmetic(lit, tmp_path / "c.png", plus=[has[-1:]], minus=[has[:12]], parts=["second"], channels=1)
    assert dimmed["shown"]
    assert lit.images(drawn[-1])[0, 0, :4, 4:].mean() < 0
    assert 0 < arithmetic(lit, tmp_path / "d.png", plus=[has[:12], "1"], parts="second")["channels"] <= CHANNELS
    for plus, minus, said in (
        ([lacks[:3]], [], "nothing to add"),
        ([has[:6], "1"], [has[:6]], "no other second"),
    ):
        with pytest.raises(UserError, match=said):
            arithmetic(lit, tmp_path / "e.png", plus=plus, minus=minus, parts="second")
    (lit.run.path / recognising.FILE).unlink()


def test_of_several_parts_each_counts_alike_in_the_choice_of_channels():
    """Gains by hand: the first part's 8, 0, 0, 2 and the second's 0, 0.1, 0, 0.3; in shares 0.8, 0.25, 0, 0.95."""
    difference = torch.tensor([2.0, 1.0, 1.0, -1.0])
    slopes = torch.tensor([[4.0, -5.0, 0.0, -2.0], [-9.0, 0.1, -1.0, -0.3]])
    even = torch.ones(4)
    assert raising(difference, slopes, even, 1).tolist() == [0, 0, 0, -1]
    assert raising(difference, slopes, even, 2).tolist() == [2, 0, 0, -1]
    assert raising(difference, slopes, even, 4).tolist() == [2, 1, 0, -1]
    assert raising(difference, slopes, torch.tensor([1.0, 9.0, 9.0, 1.0]), 1).tolist() == [0, 1, 0, 0]
    assert raising(difference, slopes[:1], even, 4).tolist() == [2, 0, 0, -1]


def test_a_concept_moves_no_channel_that_would_hide_it(lit):
    """Of all channels, those move in which the difference raises what the recognisers see in this very image."""
    parts, styles = parts_named(lit, "second"), lit.drawn(400, 8).styles
    lights = styles[:, 1, 1]
    concepts = Concepts([styles[lights > 1]], [styles[lights < -1]])
    base = lit.drawn(1, next(seed for seed in range(60) if lit.drawn(1, seed).styles[0, 1, 1] < -0.5))
    found, said = summed_in_channels(lit, base, concepts, None, LAYERS * SIZE, parts)
    way = (found.scales - lit.scales(base.styles))[0]
    moved = way.nonzero().flatten()
    assert said["shown"]
    assert 0 < len(moved) < LAYERS * SIZE

    def odds(scales):
        images = lit.game.render_scales(scales, {}).double()
        seen = [copy.deepcopy(recogniser).double()(images)[1] for recogniser in parts.recognisers]
        return sum(logits[:, 1] - logits[:, 0] for logits in seen)

    step = 1e-4 * way.sign() * torch.eye(len(way), dtype=torch.float64)[moved]
    before = lit.scales(base.styles).double()
    assert (odds(before + step) > odds(before)).all()
    (lit.run.path / recognising.FILE).unlink()


def test_a_part_shows_when_every_recogniser_sees_it(lit, monkeypatch):
    """One network that is always sure proves nothing; where no strength is enough, the best one is told as such."""
    parts = parts_named(lit, "second")
    sure = copy.deepcopy(parts.recognisers[0])
    nn.init.zeros_(sure.heads[1].weight)
    sure.heads[1].bias.data = torch.tensor([0.0, 9.0])
    blind = copy.deepcopy(sure)
    blind.heads[1].bias.data = torch.tensor([9.0, 0.0])
    styles = lit.drawn(400, 8).styles
    lights = styles[:, 1, 1]
    concepts, base = (
        Concepts([styles[lights > 1]], [styles[lights < -1]]),
        lit.points([4]).with_styles(styles[lights < -1]),
    )
    alone, both, never = (
        summed_in_channels(lit, base, concepts, None, 1, replace(parts, recognisers=recognisers))[1]
        for recognisers in (parts.recognisers[:1], [sure, *parts.recognisers], [*parts.recognisers, blind])
    )
    assert both["shown"]
    assert both["strength"] >= alone["strength"] > 0
    assert not never["shown"]
    assert never["strength"] >= both["strength"]  # nearest to it, not the first one tried
    way = concepts.difference(lit, lit.scales(lit.measured).mean(0))
    far = (way / lit.scales(lit.measured).std(0)).abs().max()
    assert float(never["strength"] * far) <= FARTHEST * 1.001  # nothing is drawn well beyond
    (lit.run.path / recognising.FILE).unlink()


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ("", "give names of parts"),
        ("first,", "give names of parts"),
        ("first=lit", 'give "first" instead'),
        ("frist", 'Did you mean "first"'),
        (["first", "second", "third"], "names all there are"),
    ],
)
def test_parts_that_cannot_be_named_are_answered_before_anything_is_taught(lit, monkeypatch, parts, said):
    monkeypatch.setattr(recognising, "_taught", lambda *_: pytest.fail("it was taught"))
    with pytest.raises(UserError, match=said):
        parts_named(lit, parts)


def test_classes_alone_are_no_parts(squares, monkeypatch):
    monkeypatch.setattr(squares.run, "open_data", lambda: open_data("digits", size=SIDE))
    with pytest.raises(UserError, match="tell the class alone"):
        parts_named(squares, "class")


def test_a_change_that_cannot_be_wished_for_is_answered():
    parts = ("hat", "glasses"), (("none", "crown"), ("none", "round"))
    assert changing.wishes_in("glasses=round, hat = none", *parts) == {1: 1, 0: 0}
    assert changing.wishes_in("7", ("class",), (tuple("0123456789"),)) == {0: 7}
    assert changing.wishes_in("a=b, c", ("class",), (("other", "a=b, c"),)) == {0: 1}
    for wish, said in (
        ("hut=none", r'no part "hut".*Did you mean "hat"'),
        ("hat", 'no value of "hat"; give one of hat=none, hat=crown'),
        ("hat=crow", 'Did you mean "hat=crown"'),
        ("hat=none,hat=crown", "twice"),
        ("hat=crown,", "give PART=VALUE"),
    ):
        with pytest.raises(UserError, match=said):
            changing.wishes_in(wish, *parts)


def test_images_without_a_label_teach_nothing_and_do_no_harm(squares, monkeypatch):
    digits = open_data("digits", size=SIDE)
    partly = replace(digits, labels=np.where(np.arange(len(digits.items)) % 2, digits.labels, -1))
    monkeypatch.setattr(squares.run, "open_data", lambda: partly)
    recognisers, names, values = recognising.recognisers_of(squares)
    assert (names, len(values[0])) == (("class",), 10)
    assert recognisers[0].accuracy[0] > 0.8
    hardly = replace(digits, labels=np.where(np.arange(len(digits.items)) < 5, digits.labels, -1), fingerprint="other")
    monkeypatch.setattr(squares.run, "open_data", lambda: hardly)
    with pytest.raises(UserError, match="fewest that parts can be learned from"):
        recognising.recognisers_of(squares)
    (squares.run.path / recognising.FILE).unlink()


# small things -----------------------------------------------------------------------------------------------------


def test_sources_are_seeds_and_paths():
    assert sources_in("1, 5,me.png") == [1, 5, "me.png"]
    assert sources_in([3, "4"]) == [3, "4"]


def test_photos_get_the_channels_of_the_run():
    clear = np.zeros((2, 2, 4), np.uint8)
    assert with_channels_on_white(clear, 3).min() == 255
    assert with_channels_on_white(np.full((2, 2, 3), 90, np.uint8), 1).tolist() == [[[90], [90]]] * 2
    assert with_channels_on_white(np.full((2, 2, 1), 7, np.uint8), 4)[0, 0].tolist() == [7, 7, 7, 255]
    assert with_channels_on_white(np.dstack([np.full((2, 2), 50, np.uint8)] * 3 + [clear[..., :1] + 255]), 1)[0, 0] == [
        50
    ]


def test_a_film_carries_its_label_in_a_box_of_its_own(tmp_path):
    box = b"\x00\x00\x00\x0cftypisom" + b"\x00\x00\x00\x00mdat" + b"frames"
    assert mp4.extract(box) is None
    sized = b"\x00\x00\x00\x0cftypisom"
    assert mp4.extract(mp4.insert(sized, "packet")) == "packet"
    with pytest.raises(ValueError, match="cut short"):
        mp4.extract(mp4.insert(sized, "packet")[:-2])


def test_an_mp4_without_its_package_is_refused_before_any_work(run, tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(mp4, "import_module", missing)
    with pytest.raises(UserError, match="pip install 'elegan"):
        edit(run, "walk", out=tmp_path / "a.mp4", seeds=[1, 2])


def test_an_mp4_says_what_it_is(run, tmp_path):
    pytest.importorskip("av")
    label = elegan.load(run).label_for(3)
    write_film([Image.new("RGB", (33, 20), colour) for colour in ("red", "blue")], tmp_path / "a.mp4", label, 24)
    said = read_label(tmp_path / "a.mp4")
    assert said.identifier.startswith("urn:uuid:")
    assert replace(said, identifier="") == label
