"""Two processes train as one: gradients, weights, what is written, and what happens when one of them dies."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from golden.renew import SMALL as GOLDEN
from safetensors.torch import load_file
from torch import distributed, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from elegan.cli import main
from elegan.errors import UserError
from elegan.game import Ranks, Spec
from elegan.models import MODELS, find
from elegan.networks.normalisation import BatchNorm2d
from elegan.training.engine import Engine
from elegan.training.loop import Training
from elegan.training.ranks import by_all, by_first, here, sum_gradients
from elegan.verbs.launch import Crew

ROWS, SHAPE, CLASSES, STEPS = 8, (1, 8, 8), 3, 20
SMALL = {
    "gan": {"width": 32, "depth": 2},
    "dcgan": {"width": 8},
    "cgan": {"width": 16, "narrow": 16, "features": 16},
    "r3gan": {"width": 16, "narrow": 16, "features": 16},
    "sgan": {"width": 16, "narrow": 16, "features": 16, "latent": 16, "noise": 0.0, "dropout": 0.0},
    "stylegan": {**GOLDEN["stylegan"], "path_every": 2},
    "pix2pix": {"width": 8, "discriminator_width": 8},
    "cyclegan": {"width": 8, "blocks": 1, "discriminator_width": 8, "pool": 20},
    "cut": {"width": 8, "blocks": 1, "heads": 8, "discriminator_width": 8},
}
GAMES = {
    **{name: (name, SMALL.get(name, {})) for name in MODELS},
    "dcgan with batch normalisation in both": ("dcgan", {**find("dcgan").presets["radford2015"], "width": 8}),
    "gan with a minimax objective": ("gan", {**SMALL["gan"], "objective": "minimax"}),
    "r3gan in the paper's blocks": ("r3gan", {**SMALL["r3gan"], "group": 8}),
}


class Items:
    """Images and labels in order, for ever; a rank takes its slice of each draw."""

    def __init__(self, ranks):
        self.position, self.ranks = 0, ranks
        generator = torch.Generator().manual_seed(5)
        self.real = torch.rand(31, *SHAPE, generator=generator, dtype=torch.float64) * 2 - 1
        self.label = torch.randint(CLASSES, (31,), generator=generator)
        self.source = -self.real.flip(0)

    def draw(self, n):
        rows = (self.position + self.ranks.rank * n + torch.arange(n)) % len(self.real)
        self.position += n * self.ranks.size
        return {"real": self.real[rows], "label": self.label[rows], "source": self.source[rows]}


@contextmanager
def float64():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def training_of(name):
    model, settings = GAMES[name]
    kind = find(model)
    torch.manual_seed(3)
    shapes = {"real": SHAPE, "label": (), "source": SHAPE}
    spec = Spec(shapes, tuple(f"class {i}" for i in range(CLASSES)), 100, paired=True)
    game = kind(kind.Config(**{**settings, "batch": ROWS, "warm_up": 0}), spec).double()
    engine = Engine(torch.device("cpu"), bf16=False, channels_last=False)
    return Training(game, Items(here()), total=STEPS * ROWS, seed=7, engine=engine)


def play(name):
    """The gradients of the first step, the state after all steps, and the log, with everything in float64."""
    gradients = {}

    def note(optimizer, args, kwargs):
        for parameter in optimizer.param_groups[0]["params"]:
            if parameter.grad is not None:
                gradients.setdefault(names[parameter], parameter.grad.clone())

    handle = register_optimizer_step_pre_hook(note)
    with float64(), handle:
        training = training_of(name)
        names = {parameter: key for key, parameter in training.game.named_parameters()}
        ticks = list(training.play(every=5 * ROWS))
    return {"gradients": gradients, "state": training.state()[0], "terms": [tick.terms for tick in ticks]}


def _behaviours(rank, ranks):
    """What one rank sees of the common decisions."""
    seen = {"first": by_first(lambda: f"rank {rank}", ranks), "all": by_all(lambda: rank, ranks)}
    for name, act in {"first": by_first, "all": by_all}.items():
        try:
            act(lambda: [].pop() if rank == 0 else None, ranks)
        except IndexError as error:
            seen[f"{name} raised"] = str(error)
    with float64():
        training = training_of("gan")
        for tick in training.play(every=ROWS):
            training.stopping = tick.step == 3 and rank == 1
    seen["stopped after"] = training.step
    a, b, c = (nn.Parameter(torch.zeros(2)) for _ in range(3))
    a.grad = torch.ones(2) * (rank + 1)
    b.grad = torch.ones(2) if rank == 1 else None
    seen["beside"] = sum_gradients([a, b, c], torch.tensor([1.0 + rank]), ranks).tolist()
    seen["gradients"] = [None if p.grad is None else p.grad.tolist() for p in (a, b, c)]
    torch.manual_seed(0)
    rows = torch.randn(8, 3, 2, 2, dtype=torch.float64) + 5
    layer = BatchNorm2d(3).double()
    layer.ranks = ranks
    mine = rows[rank * 4 : rank * 4 + 4].requires_grad_()
    (slope,) = torch.autograd.grad(layer(mine).pow(3).sum(), mine, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.square().sum(), mine)
    seen |= {"slope": slope.detach(), "curvature": curvature, "running": layer.state_dict()}
    return seen


def _worker(rank, size, folder, port):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(size))
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", rank=rank, world_size=size)
    torch.save(_behaviours(rank, here()), Path(folder) / f"behaviours-{rank}.pt")
    for name in GAMES:
        torch.save(play(name), Path(folder) / f"{name}-{rank}.pt")
    distributed.barrier()
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    sys.path.insert(0, str(Path(__file__).parent))
    mp.spawn(_worker, args=(2, str(folder), 40_000 + os.getpid() % 20_000), nprocs=2)
    return folder


@pytest.fixture(scope="module")
def alone():
    torch.set_num_threads(1)
    return {name: play(name) for name in GAMES}


def seen_by(folder, rank, name="behaviours"):
    return torch.load(folder / f"{name}-{rank}.pt", weights_only=False)


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("name", GAMES)
def test_the_gradients_of_two_half_batches_are_those_of_the_whole(name, rank, two_ranks, alone):
    together, whole = seen_by(two_ranks, rank, name)["gradients"], alone[name]["gradients"]
    assert together.keys() == whole.keys()
    for key, value in whole.items():
        scale = value.abs().max().item()
        torch.testing.assert_close(together[key], value, rtol=0, atol=1e-10 * scale + 1e-15, msg=key)


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("name", GAMES)
def test_two_ranks_have_the_weights_averages_and_log_of_one_after_twenty_steps(name, rank, two_ranks, alone):
    together = seen_by(two_ranks, rank, name)
    for key, value in alone[name]["state"].items():
        torch.testing.assert_close(together["state"][key], value, rtol=1e-6, atol=1e-6, msg=key)
    for mine, whole in zip(together["terms"], alone[name]["terms"], strict=True):
        assert mine == pytest.approx(whole, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", GAMES)
def test_both_ranks_hold_the_same_bits(name, two_ranks):
    first, second = (seen_by(two_ranks, rank, name) for rank in (0, 1))
    assert all(torch.equal(value, second["state"][key]) for key, value in first["state"].items())
    assert first["terms"] == second["terms"]


def test_rank_0_decides_and_errors_reach_everyone(two_ranks):
    for rank in (0, 1):
        seen = seen_by(two_ranks, rank)
        assert seen["first"] == "rank 0"
        assert seen["all"] == [0, 1]
        assert seen["first raised"] == seen["all raised"] == "pop from empty list"


def test_a_wish_to_stop_on_one_rank_stops_all_after_the_same_step(two_ranks):
    assert [seen_by(two_ranks, rank)["stopped after"] for rank in (0, 1)] == [4, 4]


def test_a_gradient_on_some_ranks_counts_and_one_on_none_stays_none(two_ranks):
    for rank in (0, 1):
        assert seen_by(two_ranks, rank)["gradients"] == [[3.0, 3.0], [1.0, 1.0], None]
        assert seen_by(two_ranks, rank)["beside"] == [3.0]


def test_batch_normalisation_across_ranks_is_that_of_the_whole_batch(two_ranks):
    torch.manual_seed(0)
    rows = (torch.randn(8, 3, 2, 2, dtype=torch.float64) + 5).requires_grad_()
    layer = nn.BatchNorm2d(3).double()
    (slope,) = torch.autograd.grad(layer(rows).pow(3).sum(), rows, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.square().sum(), rows)
    for rank in (0, 1):
        seen, mine = seen_by(two_ranks, rank), slice(rank * 4, rank * 4 + 4)
        torch.testing.assert_close(seen["slope"], slope[mine].detach(), rtol=1e-9, atol=1e-11)
        torch.testing.assert_close(seen["curvature"], curvature[mine], rtol=1e-8, atol=1e-9)
        for key, value in layer.state_dict().items():
            torch.testing.assert_close(seen["running"][key], value, rtol=1e-12, atol=1e-13)


def test_alone_nothing_is_exchanged():
    assert by_first(lambda: 5, Ranks()) == 5
    assert by_all(lambda: 5, Ranks()) == [5]
    assert here() == Ranks()


TINY = ["--size", "8", "--width", "16", "--narrow", "16", "--batch", "32", "--threads", "1", "--precision", "float32"]
COMMAND = ["train", "cgan", "--data", "digits", "--images", "2k", "--no-referee", *TINY]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--devices", "0"], "--devices is 0; it must be a whole number from 1 to 4096"),
        (["--devices", "3", "--dry-run"], "can't be dealt evenly to 3 processes; set --batch to 30 or 33"),
        (["--nodes", "2"], "with --nodes it must name node 0 and a free port there"),
        (["--nodes", "2", "--master", "first"], "--master is first"),
        (["--nodes", "2", "--node", "2", "--master", "first:29500"], "--node is 2; it must be a whole number from 0"),
        (["--master", "first:29500"], "--master was given without --nodes"),
        (["--devices", "2", "--device", "cuda:1"], "each process takes its own"),
    ],
)
def test_processes_that_can_t_be_are_refused_in_one_sentence(words, said, tmp_path, capsys):
    assert main([*COMMAND, "--out", str(tmp_path / "run"), *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_processes_started_by_torchrun_can_t_be_started_again(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "some")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="torchrun has already started"):
        Crew(devices=2)


def elegan_command(*words):
    return [sys.executable, "-m", "elegan", *map(str, words)]


def run_folder_of(out, *words, program=None):
    command = [*(program or elegan_command()), *COMMAND, "--out", str(out), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done


def log_of(out):
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("seconds", "images_per_second")} for line in lines]


@pytest.fixture(scope="module")
def two_devices(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "two"
    assert run_folder_of(out, "--devices", 2).stderr == ""
    return out


@pytest.mark.long
def test_two_devices_show_the_images_of_one_and_end_with_nearly_its_weights(two_devices, tmp_path):
    run_folder_of(tmp_path / "one")
    one, two = log_of(tmp_path / "one"), log_of(two_devices)
    assert [line["images"] for line in one] == [line["images"] for line in two]
    weights = load_file(two_devices / "generator.safetensors")
    for key, value in load_file(tmp_path / "one" / "generator.safetensors").items():
        torch.testing.assert_close(weights[key], value, rtol=1e-3, atol=1e-4)
    names = {path.name for path in (tmp_path / "one").rglob("*")}
    assert {path.name for path in two_devices.rglob("*")} == names
    assert json.loads((two_devices / "run.json").read_text())["machine"]["processes"] == 2


@pytest.mark.long
def test_a_plain_torchrun_writes_the_same_run(two_devices, tmp_path):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "elegan"]
    done = run_folder_of(tmp_path / "run", "--json", program=torchrun)
    assert json.loads(done.stdout.splitlines()[-1])["run"] == str(tmp_path / "run")
    assert log_of(tmp_path / "run") == log_of(two_devices)
    weights = [(out / "generator.safetensors").read_bytes() for out in (tmp_path / "run", two_devices)]
    assert weights[0] == weights[1]


def started(out):
    command = elegan_command(*COMMAND, "--out", out, "--devices", 2)
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def wait_for_checkpoint(out, process, images):
    def shown():
        path = out / "checkpoints" / "last.json"
        return json.loads(path.read_text())["images"] if path.exists() else 0

    while process.poll() is None and shown() < images:
        time.sleep(0.02)
    assert process.poll() is None, process.stderr.read()


def ranks_of(process):
    """The processes of each rank, found among the launcher's children."""
    found = {}
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        settings = Path(f"/proc/{child}/environ").read_text().split("\0")
        found[next(int(line[5:]) for line in settings if line.startswith("RANK="))] = int(child)
    return found


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes in /proc")
def test_killed_stopped_and_resumed_two_devices_end_with_the_bits_of_a_run_left_alone(two_devices, tmp_path):
    out = tmp_path / "run"
    for rank, images in ((1, 300), (0, 700)):
        process = started(out)
        wait_for_checkpoint(out, process, images)
        os.kill(ranks_of(process)[rank], signal.SIGKILL)
        _, error = process.communicate(timeout=60)
        assert process.returncode == 1
        assert len(error.strip().splitlines()) == 1
        assert f"process {rank} of 2 was killed" in error
        assert "the same command goes on" in error
    for target, images in (("launcher", 1000), ("rank 1", 1300)):
        process = started(out)
        wait_for_checkpoint(out, process, images)
        os.kill(process.pid if target == "launcher" else ranks_of(process)[1], signal.SIGINT)
        _, error = process.communicate(timeout=60)
        assert process.returncode == 130
        assert len(error.strip().splitlines()) == 1
        assert "Stopped and saved" in error
    run_folder_of(out, "--devices", 2)
    assert log_of(out) == log_of(two_devices)
    assert (out / "generator.safetensors").read_bytes() == (two_devices / "generator.safetensors").read_bytes()
