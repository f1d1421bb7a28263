"""The contract holds for games of every shape: each plays, learns only where it says, resumes exactly, and
plays the same on two ranks as on one."""

import os
import sys
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from games import GAMES, ROWS, training

from elegan.training.checkpoint import load_checkpoint, save_checkpoint

STEPS = 20


@pytest.fixture(params=GAMES)
def name(request):
    return request.param


def test_every_term_is_named_finite_and_logged(name):
    ticks = list(training(name).play(every=10 * ROWS))
    assert ticks[-1].images == 20 * ROWS
    assert ticks[-1].terms
    assert not ticks[-1].not_finite


def test_a_move_changes_only_the_submodules_that_it_trains(name):
    play = training(name)
    for _ in range(STEPS):
        batch = play.new_batch()
        for index, move in enumerate(play.game.moves(batch.progress)):
            before = {key: value.clone() for key, value in play.game.named_parameters()}
            play.play_move(index, move, batch)
            changed = {
                key.split(".")[0] for key, value in play.game.named_parameters() if not torch.equal(value, before[key])
            }
            assert changed <= set(move.trains)
            assert changed
        play.step += 1


def test_terms_change_no_state(name):
    play = training(name)
    list(play.play(every=10**9))
    before = {key: value.clone() for key, value in play.game.state_dict().items()}
    batch = play.new_batch()
    for move in play.game.moves(play.progress):
        batch.update(play.stream.draw(ROWS))
        getattr(play.game, move.terms)(batch)
    assert all(torch.equal(value, before[key]) for key, value in play.game.state_dict().items())


def test_a_resumed_game_equals_an_uninterrupted_one_bit_for_bit(name, tmp_path):
    whole = training(name)
    list(whole.play(every=10**9))
    half = training(name)
    for _ in range(7):
        half.play_step()
    save_checkpoint(tmp_path, *half.state())
    resumed = training(name)
    resumed.restore(*load_checkpoint(tmp_path))
    (tick,) = resumed.play(every=10**9)
    assert tick.step == whole.step
    for key, value in whole.state()[0].items():
        assert torch.equal(value, resumed.state()[0][key]), key


def _worker(rank, size, folder, port):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(size))
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    torch.distributed.init_process_group("gloo", rank=rank, world_size=size)
    for name in GAMES:
        play = training(name)
        list(play.play(every=10**9))
        torch.save(play.game.state_dict(), Path(folder) / f"{name}-{rank}.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    sys.path.insert(0, str(Path(__file__).parent))
    port = 20_000 + os.getpid() % 20_000
    mp.spawn(_worker, args=(2, str(folder), port), nprocs=2)
    return folder


def test_two_ranks_equal_one(name, two_ranks):
    torch.set_default_dtype(torch.float64)
    try:
        alone = training(name)
        list(alone.play(every=10**9))
    finally:
        torch.set_default_dtype(torch.float32)
    for rank in (0, 1):
        together = torch.load(two_ranks / f"{name}-{rank}.pt", weights_only=True)
        for key, value in alone.game.state_dict().items():
            torch.testing.assert_close(together[key], value, rtol=1e-8, atol=1e-10, msg=f"{name} rank {rank}: {key}")
