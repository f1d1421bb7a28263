"""`elegan benchmark`: its figures are whole, its counts are right, and both sides play the same game."""

import json
import math
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from scripts import NAMES, script

from elegan.cli import main
from elegan.errors import UserError
from elegan.models import MODELS
from elegan.networks.convolution import Convolution
from elegan.training.engine import choose, plain
from elegan.training.loop import Training
from elegan.verbs import benchmark as verb
from elegan.verbs.benchmark import append
from elegan.verbs.benchmarking import load
from elegan.verbs.benchmarking.case import Case, check, new_game, noise
from elegan.verbs.benchmarking.counting import count
from elegan.verbs.benchmarking.duel import Effort
from elegan.verbs.benchmarking.figures import figure
from elegan.verbs.benchmarking.load import Neighbours
from elegan.verbs.benchmarking.plain import Contiguous, as_usual, batch_by_batch
from elegan.verbs.benchmarking.start import command
from elegan.verbs.benchmarking.worker import ENDLESS, new_training, peak_memory
from elegan.verbs.benchmarking.workers import worker

TINY = Effort(rounds=1, seconds=0.01, starts=0)
SMALL = {"width": 8, "narrow": 8, "blocks": 1, "latent": 8}
R3GAN = Case("r3gan", size="8", batch=4, settings=SMALL)


def figures_in(value):
    """Every figure in a result, however deep."""
    if isinstance(value, dict):
        if "value" in value:
            yield value
        for entry in value.values():
            yield from figures_in(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from figures_in(entry)


@pytest.fixture
def brief(monkeypatch):
    """As little effort as there is."""
    monkeypatch.setattr(verb, "QUICK", TINY)
    monkeypatch.setattr(load, "LOOK", 0.01)
    monkeypatch.setattr("elegan.verbs.benchmarking.duel.CEILING", 0.001)


def test_every_figure_is_there_finite_positive_and_with_its_unit(brief, capsys, tmp_path):
    out = tmp_path / "history.json"
    words = ["r3gan", "--size", "8", "--batch", "4", "--quick", "--threads", "1", "--json", "--out", str(out)]
    assert main(["benchmark", *words]) == 0
    printed, progress = capsys.readouterr()
    result = json.loads(printed.splitlines()[-1], parse_constant=pytest.fail)
    assert json.loads(out.read_text()) == result
    assert "round 1 of 1" in progress
    assert "left" in progress
    for found in figures_in(result):
        assert 0 < found["value"] < math.inf
        assert found["unit"]
        assert found.get("min", 0) <= found["value"] <= found.get("max", math.inf)
    assert set(result["ceilings"]) == {"convolution bf16", "convolution float32"}
    (model,) = result["models"]
    assert model["one_pass"] is True
    assert {"images_per_second", "operations", "speed", "peak_memory", "share_of_ceiling"} <= model.keys()
    assert {"images_per_second", "operations", "speed", "peak_memory"} <= model["plain"].keys()
    assert model["ratio"]["rounds"] == 1
    assert model["ratio_of_processor_time"]["value"] > 0
    assert model["ceiling"] in result["ceilings"]
    assert {"threads": 1}.items() <= result["machine"].items()
    assert {"load_averages_before", "others_busy_before", "others_busy_during", "quiet"} <= result["load"].keys()


def test_people_get_a_table_that_says_how_to_read_it(brief, capsys, monkeypatch):
    monkeypatch.setattr(verb, "QUICK", replace(TINY, starts=1))
    monkeypatch.setenv("COLUMNS", "80")
    words = ["gan", "--size", "8", "--batch", "4", "--quick", "--no-plain", "--threads", "1"]
    assert main(["benchmark", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["model", "images/s"]
    assert lines[1].split()[0] == "gan"
    assert lines[1].split()[2] == "–"  # nothing was played by the plain step
    assert float(lines[1].split()[-2]) <= float(lines[1].split()[-4])  # the first picture comes before the first step
    text = " ".join(" ".join(lines).split())
    assert "4 images of 8 pixels" in text
    assert "1 thread" in text
    assert "matrix product" in text
    assert "by turns" not in text


@pytest.mark.parametrize(("words", "sentence"), [
    (["gna"], 'no model "gna"; the models are gan, '),
    (["dcgna"], 'Did you mean "dcgan"?'),
    (["gan", "--preset", "godfellow2014"], 'Did you mean "goodfellow2014"?'),
    (["gan", "dcgan", "--preset", "radford2015"], 'gan has no preset "radford2015"'),
    (["--rounds", "0"], "--rounds is 0; it must be a whole number from 1 to 1,000."),
    (["--threads", "0"], "--threads is 0; "),
    (["--channels", "0"], "--channels is 0; "),
    (["--batch", "some"], '--batch is "some"; it must be a whole number.'),
    (["--batch", "0"], "--batch is 0; "),
    (["--size", "4"], "too small"),
    (["--size", "wide"], "can't be read"),
    (["--round", "3"], 'there is no option --round. Did you mean "--rounds"?'),
    (["r3gan", "--preset", "ffhq64"], "widths has 5 numbers and the data want 4"),
    (["--out", "."], "is a folder"),
    (["--out", "nowhere/history.json"], "a folder that doesn't exist"),
    (["--out", __file__], "is no history"),
])  # fmt: skip
def test_a_mistake_is_one_sentence_before_anything_is_measured(capsys, monkeypatch, words, sentence):
    monkeypatch.setattr("elegan.verbs.benchmarking.workers.subprocess.Popen", None)
    assert main(["benchmark", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert sentence in err


@pytest.mark.parametrize("own_gradients", [True, False])
@pytest.mark.parametrize(("groups", "stride", "slopes"), [(1, 1, False), (4, 2, False), (4, 2, True)])
def test_a_convolution_costs_what_is_counted_by_hand(own_gradients, groups, stride, slopes):
    """Forward, by the weights, and by the input where that is asked for: the same number of operations each."""
    layer = Convolution(8, 12, 3, stride=stride, padding=1, groups=groups)
    layer.own_gradients = own_gradients
    items = torch.randn(5, 8, 6, 6, requires_grad=slopes)
    once = 2 * 5 * (6 // stride) ** 2 * 12 * (8 // groups) * 9
    assert count(lambda: layer(items).sum().backward()) == {
        "convolution": (3 if slopes else 2) * once,
        "matrix product": 0,
    }


def test_the_gradient_of_a_penalty_is_counted():
    """y = w ∗ x, its slope by x, and the penalty's gradient by the weights: three convolutions; then Σy by w and x."""
    layer, items = Convolution(4, 6, 3, padding=1), torch.randn(2, 4, 5, 5, requires_grad=True)
    once = 2 * 2 * 25 * 6 * 4 * 9

    def penalise():
        (slope,) = torch.autograd.grad(layer(items).sum(), items, create_graph=True)
        slope.square().sum().backward()

    assert count(penalise)["convolution"] == 3 * once


def test_a_transposed_convolution_and_a_linear_layer_are_counted():
    up, linear = torch.nn.ConvTranspose2d(4, 6, 4, 2, 1), torch.nn.Linear(6, 7)
    items = torch.randn(2, 4, 5, 5)
    expected = {"convolution": 2 * (2 * 2 * 25 * 4 * 6 * 16), "matrix product": 3 * (2 * 2 * 6 * 7)}
    assert count(lambda: linear(up(items).mean((2, 3))).sum().backward()) == expected


def test_two_halves_are_judged_as_the_whole_is():
    game = new_game(R3GAN)
    items, label = torch.randn(8, 1, 8, 8), torch.arange(8)
    halves, rows = batch_by_batch(game.discriminator.__call__, batch=4), []
    game.discriminator.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    assert torch.allclose(halves(items, label), game.discriminator(items, label), atol=1e-6)
    assert rows == [4, 4, 8]
    halves(items[:4], label[:4])
    assert rows[3:] == [4]


@pytest.mark.parametrize("model", MODELS)
def test_the_plain_step_learns_the_same(model):
    wished = {**SMALL, "warm_up": 0, "dropout": 0.0}  # dropped features are drawn pass by pass
    settings = {key: value for key, value in wished.items() if key in vars(new_game(Case(model)).config)}
    case = Case(model, size="8", batch=4, settings=settings)

    def weights(usual, steps=3):
        torch.manual_seed(0)
        game, stream = new_game(case), noise(case).stream(seed=0)
        engine = choose("float32", gains=game.low_precision)
        if usual:
            training = Training(as_usual(game), Contiguous(stream), total=ENDLESS, engine=plain(engine))
        else:
            training = Training(game, stream, total=ENDLESS, engine=engine)
        training.images = round(game.steady_from() * ENDLESS)
        for _ in range(steps):
            training.play_step()
        return torch.cat([parameter.detach().flatten() for parameter in game.parameters()])

    moved = weights(usual=False) - weights(usual=False, steps=0)
    assert moved.abs().max() > 1e-3
    assert (weights(usual=True) - weights(usual=False)).norm() < 0.02 * moved.norm()


def test_the_plain_step_stays_in_the_default_memory_layout():
    case = replace(R3GAN, channels=3)
    training, seen = new_training(case, plain=True), []

    def look(module, inputs, output):
        seen.extend([inputs[0].is_contiguous(), output.is_contiguous()])

    for module in training.game.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(look)
    training.play_step()
    assert seen
    assert all(seen)
    assert not new_training(case, plain=False).stream.draw(4)["real"].is_contiguous()


@pytest.mark.parametrize("plain", [False, True])
def test_a_network_that_grows_is_timed_at_its_full_size(plain):
    training = new_training(Case("progan", size="16", batch=4), plain=plain)
    training.play_step()
    assert training.game.stage(training.progress) == "16x16"


def test_a_worker_has_its_own_memory_and_keeps_pages_on_one_side_alone():
    mine = torch.ones(80_000_000)  # 320 MB that the children must not inherit
    with worker(1) as process:
        if sys.platform.startswith("linux") and peak_memory() > 500e6:
            assert process.ask("memory")["bytes"] < peak_memory() - mine.nbytes / 2
        assert process.ask("settle", threads=1, plain=True)["keeps_pages"] is False


def test_a_worker_that_ends_is_one_sentence():
    with worker(1) as process:
        process.process.kill()
        with pytest.raises(UserError, match='ended at "memory" with exit status -9'):
            process.ask("memory")


def test_what_others_do_is_told_apart_from_what_is_measured(monkeypatch):
    seconds = iter([10.0, 10.2, 20.0, 23.0])
    monkeypatch.setattr(load, "busy_seconds", lambda: next(seconds))
    monkeypatch.setattr(load, "LOOK", 0.0)
    clock = iter([0.0, 1.0, 0.0, 2.0])
    monkeypatch.setattr(load.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(load, "STAT", Path(__file__))
    neighbours = Neighbours(threads=1)
    neighbours.cores = 2
    assert neighbours.watch(lambda: "done", lambda _: 2.0) == "done"
    found = neighbours.describe()
    assert (found["others_busy_before"], found["others_busy_during"], found["quiet"]) == (0.2, 0.5, True)
    neighbours.threads = 2
    assert neighbours.describe()["quiet"] is False


def test_a_figure_is_a_median_with_its_spread():
    assert figure([3.0, 1.0, 2.00004], "s") == {"value": 2.0, "unit": "s", "rounds": 3, "min": 1.0, "max": 3.0}


def test_a_history_grows_by_lines(tmp_path):
    path = tmp_path / "history.json"
    path.write_text('{"a": 1}')
    append(path, {"b": float("nan")})
    assert path.read_text() == '{"a": 1}\n{"b": "NaN"}\n'


def test_the_case_is_trained_as_it_is_measured(tmp_path):
    case = Case("r3gan", "mixture", settings={"widths": (16, 16), "conditional": False, "lr_end": 0.5})
    words = " ".join(command(case, tmp_path, images=64))
    assert "elegan train r3gan --data digits --size 32 --images 64 --batch 64 --no-referee" in words
    assert words.endswith("--preset mixture --widths 16 16 --no-conditional --lr-end 0.5")
    assert "--pair edges" not in words
    assert "--pair edges" in " ".join(command(Case("cut"), tmp_path, images=64))
    assert (
        Case(**json.loads(json.dumps(asdict(case)))).name
        == case.name
        == "r3gan mixture widths=16,16 " + ("conditional=False lr_end=0.5")
    )


def test_a_case_that_cannot_be_built_is_refused():
    with pytest.raises(UserError, match="no setting"):
        check(Case("gan", settings={"widht": 3}))
    with pytest.raises(UserError, match="can't be built at 8"):
        check(Case("r3gan", size="8", settings={"widths": (20, 20), "group": 12}))


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_still_fits_the_house(name):
    assert script(name).__doc__


def test_the_table_of_the_history_shows_what_missed_its_bar(tmp_path):
    engine = script("engine")
    bar = engine.BARS[0]
    run = {
        "date": "2026-01-02", "elegan": "1", "torch": "2", "load": {"quiet": True},
        "machine": {"cores": 2, "threads": 1, "processor": "x86_64", "bf16_units": []},
        "gates": [engine.gate(bar, {bar.what: figure([bar.least / 2], "x")})],
    }  # fmt: skip
    lines = engine.table([run]).splitlines()
    assert len(lines) == 2 + len(engine.BARS)
    assert lines[2] == f"| {bar.name} | {bar} | *{bar.least / 2:.3g}* |"
    assert lines[3].endswith("| – |")
    met = engine.gate(bar, {bar.what: figure([bar.least], "x")})
    assert met["met"]
    assert not engine.Bar(bar.case, "first_step", "s", below=6).met(6.0)
    page = tmp_path / "page.md"
    page.write_text(f"a\n{engine.BEGIN}\nold\n{engine.END}\nb\n")
    engine.write_table(page, "new")
    assert page.read_text() == f"a\n{engine.BEGIN}\nnew\n{engine.END}\nb\n"
    assert engine.PAGE.read_text(encoding="utf-8").count(engine.BEGIN) == 1
    assert engine.PAGE.read_text(encoding="utf-8").count(engine.END) == 1
