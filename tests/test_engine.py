"""The engine: its switches, its thread guard, its convolution, and what none of them may change."""

import json
import subprocess
import sys
from dataclasses import fields, replace
from inspect import signature
from types import SimpleNamespace

import pytest
import torch
from golden.renew import curve, path_of
from test_models import ROWS, RandomStream, game_of
from torch import nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode

import elegan
from elegan.cli import main
from elegan.losses.penalties import zero_centred
from elegan.models import MODELS, find
from elegan.networks.convolution import Convolution
from elegan.training import allocator, cores, engine
from elegan.training.engine import Engine, choose, plain
from elegan.training.loop import Training
from elegan.training.options import EngineOptions
from elegan.verbs.doctor import doctor
from elegan.verbs.engine import OPTIONS, fewer_threads, settle_engine, with_free_threads
from elegan.verbs.plan import make_plan

SWITCHES = ("channels_last", "fused", "own_gradients", "freeze")
STEPS = 5
ALIKE = 1e-5
"""float32 sums in another order: the largest relative difference seen in five steps of any model is 7e-7."""
GOLDEN = 1e-4
"""One thread against two, AVX-512 against SSE, all means against none: the largest difference seen is 4e-6."""
TINY = {"data": "digits", "size": 8, "images": 128, "width": 8, "batch": 64, "referee": False}
WORDS = [
    "train", "dcgan", "--data", "digits", "--size", "8", "--images", "128", "--width", "8", "--batch", "64",
    "--no-referee",
]  # fmt: skip
ALL_OFF = {"device": "cpu", "precision": "float32", "threads": 1, **dict.fromkeys(SWITCHES, False)}
ALL_OFF_WORDS = [
    "--device", "cpu", "--precision", "float32", "--threads", "1",
    "--no-channels-last", "--no-fused", "--no-own-gradients", "--no-freeze", "--no-keep-pages",
]  # fmt: skip


# The switches


@pytest.mark.parametrize("switch", SWITCHES)
def test_each_means_has_a_switch(switch):
    on, off = choose("float32", device="cpu"), choose("float32", device="cpu", **{switch: False})
    assert getattr(on, switch) is True
    assert off == replace(on, **{switch: False})


def test_an_engine_is_what_its_description_says():
    for one in (choose(device="cpu"), choose(**ALL_OFF)):
        assert Engine.described(json.loads(json.dumps(one.describe()))) == one


def test_images_and_convolutions_alone_gain_from_channels_last_and_bf16():
    dense = choose(gains=False, device="cpu")
    assert (dense.channels_last, dense.bf16) == (False, False)


@pytest.mark.parametrize("name", MODELS)
def test_no_model_has_a_setting_that_is_called_like_an_engine_option(name):
    theirs = {field.name for field in fields(find(name).Config)} | set(signature(elegan.train).parameters)
    assert theirs & set(OPTIONS) == set()


@pytest.fixture(scope="module")
def by_words(tmp_path_factory):
    """A run with every means switched off from the command line: none may write into it."""
    out = tmp_path_factory.mktemp("words") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(allocator._state, "kept", False)
        assert main([*WORDS, *ALL_OFF_WORDS, "--out", str(out)]) == 0
    return out


def test_every_switch_reaches_the_record_by_both_doors(by_words):
    record = json.loads((by_words / "run.json").read_text())
    assert record["engine"] == {**ALL_OFF, "keep_pages": False, "bf16_units": list(engine.cpu_bf16_units())}
    assert (record["precision"], record["machine"]["threads"]) == ("float32", 1)
    assert elegan.train("dcgan", out=by_words, quiet=True, **TINY, **ALL_OFF).record == record
    for switch in SWITCHES:
        with pytest.raises(elegan.UserError, match=f"another engine: {switch} was false and now is true"):
            elegan.train("dcgan", out=by_words, quiet=True, **TINY, **{**ALL_OFF, switch: True})


def test_the_engine_that_is_recorded_is_the_one_that_trains():
    plan = make_plan("dcgan", **{name: value for name, value in TINY.items() if name != "referee"}, **ALL_OFF)
    training = plan.new_training(128)
    assert training.engine.describe() == ALL_OFF
    assert {name: plan.record(plan.budget())["engine"][name] for name in ALL_OFF} == ALL_OFF
    assert not any(part.own_gradients for part in training.game.modules() if isinstance(part, Convolution))


def test_a_run_goes_on_with_its_own_engine_unless_another_is_asked_for(by_words, capsys):
    before = (by_words / "run.json").read_bytes()
    assert main([*WORDS, "--out", str(by_words)]) == 0
    assert "float32 on 1 thread" in capsys.readouterr().out
    assert main([*WORDS, "--out", str(by_words), "--precision", "auto", "--no-fused"]) == 0
    for words, said in (
        (["--fused"], "another engine: fused was false and now is true"),
        (["--threads", "2"], "another engine: threads was 1 and now is 2"),
    ):
        capsys.readouterr()
        assert main([*WORDS, "--out", str(by_words), *words]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert len(error.strip().splitlines()) == 1
    assert (by_words / "run.json").read_bytes() == before


def test_a_recorded_engine_is_kept_whatever_the_machine_would_choose():
    recorded = {**choose(**ALL_OFF).describe(), "threads": 3, "keep_pages": True, "bf16_units": ["amx_bf16"]}
    settled = settle_engine({"precision": "auto", "threads": None}, recorded, gains=True)
    assert settled.record == recorded
    assert settled.engine == choose(**{**ALL_OFF, "threads": 3})


@pytest.mark.parametrize("damage", [{"threads": "two"}, {"device": 7}, {"device": "disk"}])
def test_a_damaged_record_of_an_engine_is_said_in_a_sentence(damage):
    for recorded in ({**choose(**ALL_OFF).describe(), **damage}, damage, list(damage)):
        with pytest.raises(elegan.UserError, match=r"engine in run\.json is damaged"):
            settle_engine({}, recorded, gains=True)


def test_a_run_can_not_go_on_without_its_device():
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(elegan.UserError, match="trained on cuda: device is cuda, and torch finds no CUDA device"):
        settle_engine({}, {**choose(**ALL_OFF).describe(), "device": "cuda"}, gains=True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"threads": 0}, "threads is 0; it must be a whole number from 1"),
        ({"threads": 1.5}, "threads is 1.5"),
        ({"threads": True}, "threads is True"),
        ({"precision": "fp16"}, "one of auto, bf16, float32"),
        ({"device": "gpu"}, "must be auto, cpu, cuda, mps, or cuda and a number"),
        ({"device": 0}, "device is 0"),
        ({"fused": "no"}, "fused is 'no'; it must be True or False"),
        ({"keep_pages": False}, "for the command line alone"),
        ({"presicion": "bf16"}, 'Did you mean "precision"'),
    ],
    ids=str,
)
def test_impossible_options_are_one_sentence_and_write_nothing(tmp_path, options, said):
    with pytest.raises(elegan.UserError, match=said) as mistake:
        elegan.train("gan", data="digits", size=8, out=tmp_path / "run", quiet=True, **options)
    assert len(str(mistake.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("words", "said"), [
    (["--threads", "0"], "threads is 0"), (["--threads", "two"], '--threads is "two"; it must be a whole number'),
    (["--precision", "fp16"], "it must be one of auto, bf16, float32"), (["--fusd"], 'Did you mean "--fused"'),
])  # fmt: skip
def test_impossible_words_are_one_sentence_too(tmp_path, capsys, words, said):
    assert main([*WORDS, "--out", str(tmp_path / "run"), *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.strip().splitlines()) == 1


# What a machine gains from


@pytest.fixture
def graphics(monkeypatch):
    """Two CUDA devices, as far as choosing an engine goes; ``graphics.bf16`` says whether they have units for it."""
    machine = SimpleNamespace(bf16=True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: machine.bf16)
    return machine


def test_on_cuda_everything_is_on(graphics):
    assert choose() == Engine(torch.device("cuda"), bf16=True, channels_last=True)
    assert choose(device="cuda:1").device == torch.device("cuda:1")
    assert choose(device="cpu").device == torch.device("cpu")


def test_an_older_cuda_device_computes_in_float32(graphics):
    graphics.bf16 = False
    assert choose().precision == "float32"
    with pytest.raises(ValueError, match="precision is bf16, and cuda has no bf16 units"):
        choose("bf16")


def test_a_cuda_device_beyond_the_last_is_refused(graphics):
    with pytest.raises(ValueError, match="the last CUDA device here is cuda:1"):
        choose(device="cuda:2")


@pytest.mark.parametrize(("flags", "able"), [({"fpu", "amx_bf16"}, True), ({"fpu"}, False), (set(), None)])
def test_the_processor_computes_in_bf16_where_it_has_units(monkeypatch, flags, able):
    monkeypatch.setattr(engine, "cpu_flags", lambda: frozenset(flags))
    assert engine.has_bf16_units(torch.device("cpu")) is able
    assert choose(device="cpu").bf16 is (able is True)
    if able is False:
        with pytest.raises(ValueError, match="cpu has no bf16 units"):
            choose("bf16", device="cpu")
    else:
        assert choose("bf16", device="cpu").bf16


def test_apple_graphics_are_found_and_not_chosen(monkeypatch):
    monkeypatch.setattr("elegan.verbs.doctor.SECONDS", 0.001)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    found = doctor()
    assert found["engine"]["device"] == "cpu"
    assert found["graphics"] == "Apple MPS"
    assert "isn't chosen by itself until elegan has been tried on it" in found["reasons"]["device"]


def test_the_doctor_says_what_training_would_choose_and_why(monkeypatch):
    monkeypatch.setattr("elegan.verbs.doctor.SECONDS", 0.001)
    before = allocator.pages_are_kept()
    found = doctor()
    assert set(OPTIONS) <= set(found["engine"])
    assert set(found["reasons"]) == {"device", "precision", "threads", "keep_pages"}
    assert found["engine"]["keep_pages"] is allocator.is_glibc()
    assert 0 <= found["cores_busy"] <= found["cores_bound"]
    assert allocator.pages_are_kept() is before


def test_only_the_command_line_keeps_pages(monkeypatch, tmp_path):
    told = []
    monkeypatch.setattr("elegan.verbs.train.prepare_process", lambda: told.append(True))
    words = [*WORDS, "--out", str(tmp_path / "none"), "--dry-run"]
    assert main([*words, "--no-keep-pages"]) == 0
    elegan.train("dcgan", out=tmp_path / "none", dry_run=True, quiet=True, **TINY)
    assert told == []
    assert main(words) == 0
    assert told == [True]


@pytest.mark.skipif(not allocator.is_glibc(), reason="only glibc can be told")
def test_glibc_listens():
    program = (
        "import elegan; from elegan.training import allocator as a; "
        "print(a.pages_are_kept(), a.keep_pages(), a.pages_are_kept())"
    )
    assert python(program).stdout.split() == ["False", "True", "True"]


def python(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)


def test_a_training_needs_neither_a_command_line_nor_a_form():
    """A cluster's image has torch and little else."""
    program = """
import importlib, pkgutil, sys
sys.modules.update(dict.fromkeys(["tyro", "pydantic", "rich"]))
for room in "game", "augment", "losses", "networks", "models", "training":
    opened = importlib.import_module(f"elegan.{room}")
    for file in pkgutil.iter_modules(getattr(opened, "__path__", []), f"elegan.{room}."):
        importlib.import_module(file.name)
from elegan.models import MODELS, find
print(*(find(name).__name__ for name in MODELS))
"""
    assert python(program).stdout.split() == [find(name).__name__ for name in MODELS]


# The thread guard


@pytest.mark.parametrize(
    ("wanted", "total", "busy", "threads"),
    [
        (2, 2, 0.0, 2), (2, 2, 0.49, 2), (2, 2, 0.5, 1), (2, 2, 1.0, 1), (2, 2, 2.0, 1), (1, 2, 2.0, 1),
        (8, 16, 8.0, 8), (8, 16, 8.6, 7), (16, 16, 3.2, 13), (4, 4, 9.0, 1),
    ],
)  # fmt: skip
def test_training_uses_no_more_threads_than_cores_are_free(wanted, total, busy, threads):
    assert cores.free_threads(wanted, total, busy) == threads


def test_fewer_threads_are_explained_in_one_sentence():
    assert fewer_threads(1, 2, 2, busy=1, total=2) == (
        "1 of 2 cores is busy with other work, so training uses 1 thread; --threads 2 uses both."
    )
    assert fewer_threads(3, 8, 8, busy=13, total=16) == (
        "13 of 16 cores are busy with other work, so training uses 3 threads; --threads 8 uses 8."
    )
    assert fewer_threads(2, 2, 16, busy=0, total=16) == (
        "2 cores are all that this process may use, so training uses 2 threads; --threads 16 uses 16."
    )


@pytest.fixture
def shared_machine(monkeypatch):
    """Two cores, of which one is busy with other work, and a torch that would use both."""
    for name, value in {"cores": 2, "bound_cores": 2, "busy_cores": 1.1}.items():
        monkeypatch.setattr(f"elegan.verbs.engine.{name}", lambda value=value: value)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)


def test_a_shared_machine_is_noticed_and_said_aloud(shared_machine, tmp_path, capsys):
    elegan.train("dcgan", out=tmp_path / "none", dry_run=True, device="cpu", **TINY)
    said = capsys.readouterr().out
    assert "1 of 2 cores is busy with other work, so training uses 1 thread; --threads 2 uses both." in said
    assert "on 1 thread of the processor" in said


def test_threads_that_are_asked_for_are_used(shared_machine):
    chosen, notes = with_free_threads(choose(device="cpu", threads=2))
    assert (chosen.threads, notes) == (2, ())


def test_a_training_leaves_torch_its_threads():
    with choose(device="cpu", threads=2).on_its_threads():
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 1


STAT = """\
cpu  0 0 0 0 0 0 0 0 0 0
cpu0 {} 5 10 70 9 1 1 3 0 0
cpu1 {} 0 0 900 9 0 0 0 0 0
intr 7
"""


def test_other_processes_are_counted_and_our_own_work_is_not(monkeypatch, tmp_path):
    """In one second two cores worked 1.5 s, and this process 0.6 s of it."""
    ticks = cores.os.sysconf("SC_CLK_TCK") if hasattr(cores.os, "sysconf") else 100
    path, seconds = tmp_path / "stat", iter([10.0, 11.0])
    path.write_text(STAT.format(0, 0))
    monkeypatch.setattr(cores, "STAT", path)
    monkeypatch.setattr(cores, "_bound", lambda: {0, 1})
    clock = SimpleNamespace(
        sleep=lambda _: path.write_text(STAT.format(ticks, ticks // 2)),
        process_time=iter([3.0, 3.6]).__next__,
        perf_counter=seconds.__next__,
    )
    monkeypatch.setattr(cores, "time", clock)
    assert cores.busy_cores() == pytest.approx(0.9)


def test_a_machine_that_says_nothing_is_taken_for_quiet(monkeypatch, tmp_path):
    for content in (None, "cpu0 what", "cpu0 1 2"):
        if content:
            (tmp_path / "stat").write_text(content)
        monkeypatch.setattr(cores, "STAT", tmp_path / "stat")
        assert cores.busy_cores(0.0) == 0.0


def test_this_machine_can_be_looked_at():
    assert 0 <= cores.busy_cores(0.02) <= cores.bound_cores()
    assert 1 <= cores.cores() <= cores.bound_cores()


@pytest.mark.parametrize(
    ("files", "share"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5), ({"cpu.max": "max 100000\n"}, None), ({}, None),
        ({"cpu.cfs_quota_us": "200000\n", "cpu.cfs_period_us": "100000\n"}, 2.0),
        ({"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"}, None), ({"cpu.max": "scrap"}, None),
    ],
)  # fmt: skip
def test_a_containers_share_of_the_processor_is_respected(monkeypatch, tmp_path, files, share):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(cores, "LIMITS", (tmp_path / "cpu.max", tmp_path / "cpu.cfs_quota_us"))
    monkeypatch.setattr(cores, "_bound", lambda: set(range(8)))
    assert cores.container_share() == share
    assert cores.cores() == (8 if share is None else 2)


# What no switch may change


def losses(name, shape, chosen):
    """The terms of a few steps, each on its own, with learning rates that move the weights at once."""
    game = game_of(name, shape, warm_up=0, lr=2e-3)
    training = Training(game, RandomStream(shape), total=STEPS * ROWS, engine=chosen)
    return [tick.terms for tick in training.play(every=ROWS)]


@pytest.mark.parametrize("name", ["gan", "dcgan", "cgan", "r3gan"])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 16)])
def test_the_means_change_no_loss(name, shape):
    fast = replace(choose("float32", device="cpu"), channels_last=True)
    bare = losses(name, shape, plain(fast))
    for chosen in (fast, *(replace(plain(fast), **{switch: True}) for switch in SWITCHES)):
        for ours, theirs in zip(losses(name, shape, chosen), bare, strict=True):
            assert ours == pytest.approx(theirs, rel=ALIKE)


@pytest.mark.parametrize("name", MODELS)
def test_the_golden_curve_is_met(name):
    """Results have changed otherwise: python tests/golden/renew.py, and CHANGELOG.md says why."""
    golden = json.loads(path_of(name).read_text())
    _, ticks = curve(name, golden["config"])
    assert len(ticks) == len(golden["ticks"])
    for tick, expected in zip(ticks, golden["ticks"], strict=True):
        assert tick == pytest.approx(expected, rel=GOLDEN)


def test_a_golden_curve_notices_a_penalty_that_weighs_one_percent_more():
    golden = json.loads(path_of("gan").read_text())
    _, ticks = curve("gan", {**golden["config"], "gamma": 1.01 * golden["config"]["gamma"]})
    assert ticks[-1] != pytest.approx(golden["ticks"][-1], rel=GOLDEN)


# The convolution whose gradient has a cheap gradient

GEOMETRIES = [
    dict(kernel_size=3, padding=1), dict(kernel_size=1), dict(kernel_size=4, stride=2, padding=1),
    dict(kernel_size=3, padding=1, groups=2, bias=False), dict(kernel_size=(3, 2), stride=(2, 1), padding=(1, 0)),
    dict(kernel_size=3, stride=2, padding=1, groups=4),
]  # fmt: skip


def as_function(layer):
    """The layer as a function of its input and its parameters, and doubles for both."""
    names = [name for name, _ in layer.named_parameters()]
    inputs = [torch.randn(2, 4, 5, 4), *(torch.randn_like(value) for value in layer.parameters())]

    def function(x, *parameters):
        return functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

    return function, [value.double().requires_grad_() for value in inputs]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_the_convolution_is_the_usual_one(geometry):
    ours, usual = Convolution(4, 4, **geometry).double(), nn.Conv2d(4, 4, **geometry).double()
    (function, inputs), (expected, _) = as_function(ours), as_function(usual)
    assert torch.equal(function(*inputs), expected(*inputs))
    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs)


class Judge(nn.Module):
    """Images [n, 4, 8, 8] → logits [n], of whatever convolution it is given."""

    def __init__(self, convolution):
        super().__init__()
        torch.manual_seed(3)
        self.network = nn.Sequential(
            convolution(4, 8, 3, padding=1), nn.Softplus(), convolution(8, 8, 3, padding=1, groups=4), nn.Softplus(),
            convolution(8, 8, 4, stride=2, padding=1, bias=False), nn.Softplus(), nn.Flatten(), nn.Linear(128, 1),
        )  # fmt: skip

    def forward(self, images):
        return self.network(images)[:, 0]


def images(n=3):
    return torch.randn(n, 4, 8, 8, generator=torch.Generator().manual_seed(4))


def penalty_gradients(judge, x):
    x = x.clone().requires_grad_()
    zero_centred(judge(x), x, 0.7).mean().backward()
    return [parameter.grad for parameter in judge.parameters()]


def test_a_penalty_teaches_the_same_as_with_the_usual_convolution():
    judge, usual = Judge(Convolution).double(), Judge(nn.Conv2d).double()
    x, bare = images().double(), Judge(Convolution).double()
    for layer in bare.network:
        layer.own_gradients = False
    for ours, theirs, stock in zip(*(penalty_gradients(net, x) for net in (judge, bare, usual)), strict=True):
        if stock is None:  # the last bias moves no slope
            assert theirs is None
            assert ours is None or not ours.any()
            continue
        assert torch.allclose(ours, stock, rtol=1e-10, atol=1e-12)
        assert torch.equal(theirs, stock)


class Masks(TorchDispatchMode):
    """Notes which gradients every backward convolution computes: by the input, the weights and the bias."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        if function is torch.ops.aten.convolution_backward.default:
            self.seen.append(list(arguments[-1]))
        return function(*arguments, **(keywords or {}))


def test_a_slope_by_the_input_computes_no_gradient_of_the_weights():
    x, judge = images().requires_grad_(), Judge(Convolution)
    logits = judge(x)
    with Masks() as masks:
        torch.autograd.grad(logits.sum(), x, create_graph=True)
    assert masks.seen == [[True, False, False]] * 3


def test_a_usual_backward_pass_computes_what_learns_alone():
    judge = Judge(Convolution)
    with Masks() as masks:
        judge(images()).sum().backward()
    assert masks.seen == [[True, True, False], [True, True, True], [False, True, True]]
    judge.requires_grad_(False)
    x = images().requires_grad_()
    with Masks() as masks:
        judge(x).sum().backward()
    assert masks.seen == [[True, False, False]] * 3


def test_a_slope_by_the_weights_can_be_differentiated_too():
    """A penalty on the weights' gradients: the convolution falls back to computing whatever may be asked for."""
    results = []
    for judge in (Judge(Convolution).double(), Judge(nn.Conv2d).double()):
        weights = [layer.weight for layer in judge.network if isinstance(layer, nn.Conv2d)]
        slopes = torch.autograd.grad(judge(images().double()).square().sum(), weights, create_graph=True)
        results.append(torch.autograd.grad(sum(slope.square().sum() for slope in slopes), weights))
    for ours, theirs in zip(*results, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_under_autocast_it_computes_in_bf16_and_learns_in_float32():
    judge, usual = Judge(Convolution), Judge(nn.Conv2d)
    with torch.autocast("cpu", torch.bfloat16):
        assert judge.network[0](images()).dtype == torch.bfloat16
        assert torch.equal(judge(images()), usual(images()))
        x = images().requires_grad_()
        loss = zero_centred(judge(x), x, 0.7).mean()
    loss.backward()
    wide = penalty_gradients(usual, images())
    for parameter, expected in zip(judge.parameters(), wide, strict=True):
        if expected is not None:
            assert parameter.grad.dtype == torch.float32
            assert (parameter.grad - expected).norm() < 0.05 * expected.norm()


def test_options_have_a_help_each():
    assert [field.name for field in fields(EngineOptions)] == list(OPTIONS)
    source = sys.modules["elegan.training.options"].__spec__.loader.get_source("elegan.training.options")
    assert source.count('    """') == 1 + len(OPTIONS)
