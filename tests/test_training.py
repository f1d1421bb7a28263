"""Checkpoints, averages, schedules, precision: what a long training relies on."""

import json
import math
import os

import pytest
import torch
from games import ROWS, training
from torch import nn

from elegan.files import write_atomically
from elegan.game import Config, Game, Progress, Random, Ranks, Spec
from elegan.schedule import cosine, hold_then_cosine, log_cosine, warm_up
from elegan.training import checkpoint
from elegan.training.checkpoint import DamagedCheckpoint, load_checkpoint, load_newest, save_checkpoint
from elegan.training.ema import Averages
from elegan.training.engine import choose


def tensors(value):
    return {"a": torch.full((3,), float(value)), "b": torch.arange(4)}


def test_a_checkpoint_comes_back_bit_for_bit(tmp_path):
    save_checkpoint(tmp_path, tensors(math.pi), {"images": 64, "seconds": 1.5})
    loaded, state = load_checkpoint(tmp_path)
    assert torch.equal(loaded["a"], tensors(math.pi)["a"])
    assert torch.equal(loaded["b"], torch.arange(4))
    assert (state["images"], state["seconds"]) == (64, 1.5)


def test_the_last_two_and_the_best_are_kept(tmp_path):
    (tmp_path / "features.safetensors").write_bytes(b"not a checkpoint")
    for images in (1, 2, 3, 4):
        save_checkpoint(tmp_path, tensors(images), {"images": images}, best=images == 1)
    assert len(list(tmp_path.glob("[0-9]*.safetensors"))) == 3
    assert (tmp_path / "features.safetensors").exists()
    assert [load_checkpoint(tmp_path, which)[1]["images"] for which in ("last", "previous", "best")] == [
        4,
        3,
        1,
    ]


@pytest.mark.parametrize("damage", [b"", b"\x00" * 300, None])
def test_a_damaged_checkpoint_is_recognised_and_the_one_before_used(tmp_path, damage):
    save_checkpoint(tmp_path, tensors(1), {"images": 1})
    save_checkpoint(tmp_path, tensors(2), {"images": 2})
    path = tmp_path / json.loads((tmp_path / "last.json").read_text())["tensors"]
    path.unlink() if damage is None else path.write_bytes(damage)
    with pytest.raises(DamagedCheckpoint):
        load_checkpoint(tmp_path)
    loaded, state, why = load_newest(tmp_path)
    assert state["images"] == 1
    assert loaded["a"][0] == 1
    assert why


def test_one_flipped_bit_is_noticed(tmp_path):
    save_checkpoint(tmp_path, tensors(1), {"images": 1})
    path = tmp_path / json.loads((tmp_path / "last.json").read_text())["tensors"]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedCheckpoint, match="changed"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("moment", ["tensors", "previous", "last"])
def test_a_kill_while_saving_leaves_the_old_checkpoint(tmp_path, monkeypatch, moment):
    for images in (1, 2):
        save_checkpoint(tmp_path, tensors(images), {"images": images})
    write = checkpoint.write_atomically

    def killed(path, content):
        if moment in path.name or (moment == "tensors" and path.suffix == ".safetensors"):
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(checkpoint, "write_atomically", killed)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path, tensors(3), {"images": 3})
    assert load_newest(tmp_path)[1]["images"] == 2


def test_a_full_disk_leaves_the_old_file_and_no_scrap(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    write_atomically(path, b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


class OneWeight(Game):
    def __init__(self):
        super().__init__(Config(), Spec({"real": (1,)}))
        self.generator = nn.Linear(1, 1, bias=False)
        self.generator.register_buffer("running", torch.zeros(1))
        self.generator.register_buffer("count", torch.zeros((), dtype=torch.long))


def test_an_average_moves_half_way_in_a_half_life():
    game = OneWeight()
    nn.init.zeros_(game.generator.weight)
    averages = Averages(game)
    nn.init.ones_(game.generator.weight)
    game.generator.running.fill_(1)
    game.generator.count.fill_(5)
    averages.update(game, images=300, half_life=300.0)
    average = averages.modules["generator"]
    assert average.weight.item() == pytest.approx(0.5)
    assert average.running.item() == pytest.approx(0.5)
    assert average.count.item() == 5
    averages.update(game, images=64, half_life=0.0)
    assert average.weight.item() == 1.0


def test_the_average_is_lent_to_the_game_and_given_back():
    game = OneWeight().train()
    averages, trained = Averages(game), game.generator
    with averages.inside(game):
        assert game.generator is averages.modules["generator"]
        assert not game.training
    assert game.generator is trained
    assert game.training


def test_schedules_reach_their_ends_and_their_middles():
    assert cosine(2.0, 1.0, 0.0) == 2.0
    assert cosine(2.0, 1.0, 0.5) == pytest.approx(1.5)
    assert cosine(2.0, 1.0, 0.25, until=0.25) == pytest.approx(1.0)
    assert cosine(2.0, 1.0, 0.9, until=0.25) == pytest.approx(1.0)
    assert log_cosine(1.0, 0.01, 0.5) == pytest.approx(0.1)
    assert hold_then_cosine(1.0, 0.1, 0.4, hold=0.5) == 1.0
    assert hold_then_cosine(1.0, 0.1, 1.0, hold=0.5) == pytest.approx(0.1)
    assert warm_up(49, 100) == pytest.approx(0.5)
    assert warm_up(500, 100) == warm_up(0, 0) == 1.0


def test_random_numbers_depend_on_seed_step_and_move_alone():
    draws = [Random(key).normal(4, 2) for key in ((0, 1, 0), (0, 1, 0), (0, 1, 1), (0, 2, 0), (1, 1, 0))]
    assert torch.equal(draws[0], draws[1])
    assert len({tuple(draw.flatten().tolist()) for draw in draws}) == 4


def test_two_ranks_draw_the_halves_of_one_batch():
    whole = Random((3,)).normal(6, 2)
    halves = [Random((3,), ranks=Ranks(rank, 2)).normal(3, 2) for rank in (0, 1)]
    assert torch.equal(torch.cat(halves), whole)


def test_perceptrons_stay_in_float32():
    assert choose(gains=False).precision == "float32"
    assert choose("float32").precision == "float32"


def test_progress_is_a_share_of_the_budget():
    assert Progress(50, 200).fraction == 0.25
    assert Progress(500, 200).fraction == 1.0
    assert Progress(5, 0).fraction == 0.0


def test_stopping_ends_after_the_step_at_hand():
    play = training("PathLength")
    for tick in play.play(every=ROWS):
        assert tick.step == 1
        play.stopping = True
    assert play.step == 1
    assert not play.finished


def test_a_diverged_term_is_named_and_not_hidden():
    play = training("PathLength")
    with torch.no_grad():
        play.game.generator[0].weight.fill_(float("nan"))
    tick = next(play.play(every=ROWS))
    assert "generator/fake" in tick.not_finite


@pytest.mark.parametrize(
    "settings", [{"batch": 0}, {"lr": 0.0}, {"lr": -1.0}, {"beta1": 1.0}, {"ema": -1}, {"augment_share": 2.0}]
)
def test_impossible_settings_are_refused_in_a_sentence(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        Config(**settings)
