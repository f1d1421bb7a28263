"""Games whose equilibrium is known, and probes that leave no trace."""

import json
from copy import deepcopy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from games import GAMES, ROWS, SIZE
from torch import nn
from torch.nn.functional import softplus

from elegan.evaluation.alarms import alarms
from elegan.evaluation.belief import Scores, accuracy_gap, belief, overfit_signal, preference
from elegan.evaluation.equilibrium import BALANCE, Sides, best_response, duality_gap, worse_after_step
from elegan.evaluation.sparring import Pool, Replay, Rules, isolated, play_on, samples_of, scores_of, two_sided
from elegan.game import Config, Game, Progress, Random, Spec
from elegan.training.checkpoint import save_checkpoint
from elegan.verbs import probe
from elegan.verbs.folder import Folder, draw
from elegan.verbs.plan import make_plan
from elegan.verbs.run import load_run

RANDOM = np.random.default_rng(0)
NAMES = {
    "discriminator_accuracy", "accuracy_gap", "overfit_signal", "best_response", "duality_gap", "worse_after_step",
}  # fmt: skip


@pytest.fixture(autouse=True)
def short_trainings_are_probed_too(monkeypatch):
    monkeypatch.setattr("elegan.verbs.probe.PART", 1e-3)


def normal(n, mean=0.0, labels=None):
    return Scores(RANDOM.normal(mean, 1, n), labels)


class Shift(nn.Module):
    """z + b."""

    def __init__(self, size):
        super().__init__()
        self.b = nn.Parameter(torch.zeros(size))

    def forward(self, z):
        return z + self.b


class Location(Game):
    """Data from N(0, 1), a generator that knows all but the mean, a discriminator that is a slope."""

    def __init__(self, size=1, lr=0.04):
        super().__init__(Config(batch=64, lr=lr, warm_up=0), Spec({"real": (size,)}))
        self.generator, self.discriminator = Shift(size), nn.Linear(size, 1, bias=False)
        nn.init.zeros_(self.discriminator.weight)

    def logits(self, batch):
        fake = self.generator(batch.random.normal(len(batch["real"]), *self.spec.real))
        return self.discriminator(batch["real"])[:, 0], self.discriminator(fake)[:, 0]

    def discriminator_terms(self, batch):
        real, fake = self.logits(batch)
        return {"pair": softplus(fake - real)}

    def generator_terms(self, batch):
        real, fake = self.logits(batch)
        return {"pair": softplus(real - fake)}

    def sample(self, n, condition, random):
        return self.generator(random.normal(n, *self.spec.real))

    def scores(self, batch):
        return self.discriminator(batch["real"])[:, 0]


def standing_at(b, w):
    game = Location()
    with torch.no_grad():
        game.generator.b.fill_(b)
        game.discriminator.weight.fill_(w)
    return game


def sides(game, n=400, seed=0):
    """Sides against the game's own fakes, and the same with reals for fakes."""
    random = Random((seed, 9))
    parts = [Pool(random.normal(n, *game.spec.real)) for _ in range(4)]
    fakes = [samples_of(game, None, n, seed=seed + k) for k in (1, 2)]
    return Sides(parts[0], fakes[0], parts[1], fakes[1], seed + 2), Sides(*parts[:1], parts[2], parts[1], parts[3])


def test_a_discriminator_that_says_always_the_same_is_right_half_the_time():
    same = Scores(np.full(200, 3.0))
    found = preference(same, same)
    assert found.value == 0.5
    assert found.null_low < 0.5 < found.null_high
    believed = belief(same, same, same)
    assert believed["real"] == believed["validation"] == believed["fake"]
    assert sum(believed["real"]) == 200
    assert believed["accuracy"] == believed["accuracy_train"] == 0.5


def test_a_discriminator_that_separates_is_always_right_but_not_certainly():
    found = preference(normal(200, 100), normal(200))
    assert found.value == found.high == 1
    assert 0.97 < found.low < 1
    believed = belief(normal(100, 100), normal(100, 100), normal(100))
    assert not np.logical_and(believed["real"], believed["fake"]).any()


def test_the_interval_of_the_accuracy_holds_the_truth_about_as_often_as_it_says():
    truth = 0.76025  # Φ(1/√2)
    held = [(e := preference(normal(150, 1), normal(150))).low <= truth <= e.high for _ in range(200)]
    assert 0.9 <= np.mean(held) <= 0.99


def test_the_null_of_the_accuracy_holds_what_like_samples_give():
    held = [(e := preference(normal(150), normal(150))).null_low <= e.value <= e.null_high for _ in range(200)]
    assert 0.9 <= np.mean(held) <= 0.99


def test_a_discriminator_that_knows_training_items_by_heart_shows_a_gap():
    by_heart, honest = normal(300, 2), normal(300, 0)
    gap, signal = accuracy_gap(by_heart, honest, normal(300)), overfit_signal(by_heart, honest)
    assert gap.low > gap.null_high > 0
    assert signal.low > signal.null_high > 0
    level = accuracy_gap(honest, normal(300), normal(300))
    assert level.null_low <= level.value <= level.null_high


def test_a_constant_of_a_label_changes_nothing_where_labels_are_told():
    labels = np.arange(300) % 3
    real, fake = normal(300, 1, labels), normal(300, 0, labels)
    moved = [Scores(part.logits + 50.0 * labels, labels) for part in (real, fake)]
    assert preference(*moved).value == preference(real, fake).value
    before, after = belief(real, real, fake), belief(moved[0], *moved)
    assert after["fake"] == before["fake"]
    assert preference(Scores(moved[0].logits), Scores(moved[1].logits)).value < preference(real, fake).value


def test_logits_that_are_not_finite_are_no_belief():
    assert belief(normal(9), normal(9), Scores(np.array([np.nan]))) == {}


def test_reals_in_the_place_of_fakes_give_the_discriminator_nothing():
    game = standing_at(0.0, 0.0)
    _, nulls = sides(game)
    found = best_response(game, nulls, nulls, Rules(50, 64))
    assert found.value == found.null
    assert abs(found.null) < 0.01


def test_a_lagging_discriminator_has_much_to_gain_and_one_at_its_best_little():
    lagging, settled = standing_at(1.0, 0.0), standing_at(1.0, 0.0)
    against, nulls = sides(lagging)
    play_on(settled, "discriminator", against.reals, Rules(300, 64))
    rules = Rules(50, 64)
    gains = [best_response(game, against, nulls, rules) for game in (lagging, settled)]
    assert gains[0].low > gains[0].null_high
    assert gains[0].value > 5 * abs(gains[1].value)


@pytest.mark.parametrize("away", [(1.0, 0.0), (0.0, 1.0), (1.0, -1.0)])
def test_the_duality_gap_is_larger_away_from_the_equilibrium_than_at_it(away):
    rules = Rules(100, 64)
    at, off = standing_at(0.0, 0.0), standing_at(*away)
    here, there = (duality_gap(game, *sides(game), rules) for game in (at, off))
    assert abs(here.value) < 0.02
    assert there.low > here.high
    assert there.low > there.null_high


def test_the_duality_gap_is_a_lower_bound_that_rises_with_the_steps():
    game = standing_at(1.0, 0.0)
    against, nulls = sides(game)
    short, long = (duality_gap(game, against, nulls, Rules(steps, 64)).value for steps in (5, 100))
    assert 0 < short < long < -BALANCE


def test_a_schedule_that_has_ended_at_0_is_probed_all_the_same():
    game = Location()
    game.config = Config(batch=64, lr=0.04, lr_end=0.0, warm_up=0)
    assert game.optimizer("discriminator", Progress(1, 1)).lr == 0
    play_on(game, "discriminator", Pool(torch.randn(64, 1) + 1), Rules(5, 16))
    assert game.discriminator.weight.item() > 0


def test_a_replay_gives_items_of_the_label_that_is_asked_for():
    labels = torch.arange(40) % 4
    replay = Replay(Pool(labels[:, None].float(), labels))
    asked = torch.randint(4, (200,))
    assert torch.equal(replay(torch.randn(200, 3), asked)[:, 0].long(), asked)


class Table(nn.Module):
    """Looks its answers up: a row of a table of parameters for every latent number."""

    def __init__(self, rows):
        super().__init__()
        self.rows = nn.Parameter(rows)

    def forward(self, z):
        uniform = torch.special.ndtr(z[:, 0])
        return self.rows[(uniform * len(self.rows)).long().clamp(max=len(self.rows) - 1)]


def ring(n, seed):
    random = Random((seed,))
    angle = random.integers(8, n) * (torch.pi / 4)
    return torch.stack([angle.cos(), angle.sin()], 1) + 0.02 * random.normal(n, 2)


def waves(items):
    """Features that see a hundredth."""
    return torch.cat([(15 * items).sin(), (15 * items).cos()], 1).numpy()


@pytest.mark.parametrize(("rows", "optimal"), [(ring(2000, 1), True), (Random((1,)).uniform(2000, 2) * 8 + 3, False)])
def test_any_small_step_makes_an_optimal_generator_worse_but_not_a_broken_one(rows, optimal):
    game = Location(2)
    game.generator = Table(rows)
    share, change = worse_after_step(game, waves, waves(ring(500, 2)), None, n=500, sizes=(0.05, 0.1), draws=8)
    assert share.n == 16
    if optimal:
        assert share.value == 1
        assert share.low > share.null_high
        assert change.low > 0
    else:
        assert share.value < share.null_high
        assert change.low < 0
    assert torch.equal(game.generator.rows, rows)


def test_signs_of_trouble_are_read_from_the_log():
    healthy = {"discriminator/gradient": 1.0, "discriminator/r1": 1.0, "discriminator/r2": 2.0}
    log = [{"images": k, "terms": healthy, "look": {}} for k in range(5)]
    assert alarms([]) == alarms(log) == []
    sick = healthy | {"discriminator/gradient": 21.0, "discriminator/r2": 11.0, "generator/pair": "NaN"}
    believed = {"midpoint": -500.0, "margin": 2.0, "diversity": 0.01}
    found = alarms([*log, {"images": 6, "terms": sick, "look": {"belief": believed}}])
    assert [alarm["code"] for alarm in found] == ["NOT_FINITE", "GRADIENT", "PENALTY_RATIO", "LOGIT_DRIFT", "ALIKE"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize("name", GAMES)
def test_games_of_other_shapes_are_known_as_such_and_left_alone(name):
    game = GAMES[name]()
    before = deepcopy(game.state_dict())
    assert not two_sided(game, Pool(torch.randn(ROWS, SIZE)), Rules(1, ROWS))
    assert all(torch.equal(before[key], tensor) for key, tensor in game.state_dict().items())


def test_the_game_of_two_sides_is_known_as_such():
    assert two_sided(Location(), Pool(torch.randn(8, 1)), Rules(1, 8))


def test_a_copy_in_which_one_side_plays_on_leaves_the_game_alone():
    game = standing_at(1.0, 0.5)
    copy = isolated(game)
    play_on(copy, "discriminator", Pool(torch.randn(64, 1)), Rules(5, 16))
    assert copy.discriminator.weight.item() != game.discriminator.weight.item() == 0.5
    assert copy.generator.b.item() == 1.0
    assert scores_of(game, Pool(torch.ones(3, 1))).logits.tolist() == [0.5] * 3


SMALL = {
    "gan": dict(data="digits", size=8, width=16),
    "dcgan": dict(data="digits", size=8, width=8),
    "dcgan ": dict(data="digits", size=8, width=8, batch_norm="both", gamma=0.0),
    "cgan": dict(data="digits", size=8, width=16, narrow=16),
    "cgan ": dict(data="digits", size=8, preset="mirza2014"),
    "r3gan": dict(data="digits", size=8, width=16, narrow=16),
    "r3gan ": dict(data="ring", width=16),
    "r3gan  ": dict(data="digits", size=8, width=16, narrow=16, conditional=False),
}


class Values:
    """Pixels or coordinates as features."""

    name = "values"

    def embed(self, items):
        return items.reshape(len(items), -1).astype(np.float32) / np.abs(items).max()


@pytest.fixture
def short(monkeypatch):
    """Probes of a few steps."""
    monkeypatch.setattr(probe, "MOST_STEPS", {"best_response": 3, "duality_gap": 3})
    monkeypatch.setattr(probe, "FEWEST_STEPS", 1)


def trained(name):
    plan = make_plan(name.strip(), images=640, batch=32, **SMALL[name])
    training = plan.new_training(640)
    for _ in range(3):
        training.play_step()
    return plan, training


def footprint(training):
    game = training.game
    tensors, numbers = training.state()
    return (
        {name: tensor.clone() for name, tensor in tensors.items()}, numbers, torch.get_rng_state(),
        [module.training for module in game.modules()],
        [(parameter.requires_grad, parameter.grad is None) for parameter in game.parameters()],
        [id(parameter) for parameter in game.parameters()],
    )  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_probing_works_for_every_model_and_changes_nothing(name, short):
    (plan, training), (_, alone) = trained(name), trained(name)
    state = np.random.get_state()[1].copy()
    before = footprint(training)
    found = probe.probe_training(plan, training, Values())
    labels = torch.arange(300) % len(plan.data.classes) if plan.conditional else None
    believed = probe.tick_belief(plan, training, draw(plan, training, 300, labels), labels)
    after = footprint(training)
    assert before[0].keys() == after[0].keys()
    assert all(torch.equal(after[0][key], tensor) for key, tensor in before[0].items())
    assert before[1] == after[1]
    assert torch.equal(before[2], after[2])
    assert before[3:] == after[3:]
    assert np.array_equal(np.random.get_state()[1], state)
    assert found.keys() == NAMES
    for figure in found.values():
        assert {"value", "interval", "null", "null_interval", "n", "features", "label", "reading"} <= figure.keys()
        assert figure["n"] > 0
        assert np.isfinite([figure["value"], figure["null"], *figure["interval"], *figure["null_interval"]]).all()
    assert sum(believed["validation"]) == sum(believed["fake"]) == 300
    for one in (training, alone):
        one.play_step()
    ours, theirs = training.state()[0], alone.state()[0]
    assert all(torch.equal(theirs[key], tensor) for key, tensor in ours.items())


@pytest.mark.parametrize(("share", "known"), [(0.2, False), (1.0, True)])
def test_a_growing_game_is_probed_once_it_is_grown_and_left_alone_before(short, share, known):
    plan = make_plan("progan", images=640, batch=32, data="digits", size=8, width=16, narrow=16)
    training = plan.new_training(640)
    while training.images < 640 * share:
        training.play_step()
    assert probe.probe_training(plan, training, Values()).keys() == (NAMES if known else set())


def test_the_same_probe_twice_says_the_same(short):
    plan, training = trained("r3gan ")
    assert probe.probe_training(plan, training, Values()) == probe.probe_training(plan, training, Values())


def test_a_run_folder_is_probed_as_the_training_was_while_its_checkpoint_is_there(tmp_path, short):
    plan, training = trained("r3gan ")
    folder = Folder(tmp_path / "run")
    with folder.locked():
        folder.start(plan.record({"images": 640, "minutes": None, "probe": None}))
    folder.write_generator(plan, training)
    save_checkpoint(folder.checkpoints, *training.state())
    run = load_run(folder.path)
    before = deepcopy(run.game.state_dict())
    found = probe.probe_run(run, plan.data, Values())
    live = probe.probe_training(plan, training, Values())
    assert found.keys() == NAMES
    for name in NAMES:
        assert found[name]["value"] == pytest.approx(live[name]["value"], rel=1e-4, abs=1e-6)
    assert all(torch.equal(before[key], tensor) for key, tensor in run.game.state_dict().items())
    next(folder.checkpoints.glob("*.safetensors")).write_bytes(b"cut short")
    assert probe.probe_run(run, plan.data, Values()) == {}
    for file in folder.checkpoints.glob("*.json"):
        file.unlink()
    assert probe.probe_run(run, plan.data, Values()) == {}


def test_networks_too_big_for_the_fewest_steps_have_no_such_figures(monkeypatch):
    plan, training = trained("r3gan ")
    monkeypatch.setattr(probe, "WORK", {"cpu": 1.0})
    found = probe.probe_training(plan, training, Values())
    assert found.keys() == NAMES - {"best_response", "duality_gap", "worse_after_step"}


def test_samples_that_are_not_finite_are_probed_no_further():
    plan, training = trained("r3gan ")
    with torch.no_grad():
        next(training.averages.modules["generator"].parameters()).fill_(float("nan"))
    assert probe.probe_training(plan, training, Values()) == {}


def test_a_game_that_scores_nothing_has_no_belief():
    plan, training = trained("gan")
    other = SimpleNamespace(game=GAMES["Growing"](), engine=training.engine)
    assert probe.tick_belief(plan, other, torch.zeros(20, 1, 8, 8), None) == {}
