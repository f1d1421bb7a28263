"""`elegan export`: what onnxruntime draws is what torch draws, for every model, and the file says what it is."""

import json
from functools import cache

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from jaxtyping import config as checks_of_shapes
from test_models import SMALL

import elegan
from elegan.cli import main
from elegan.errors import UserError
from elegan.game import Random, Spec
from elegan.models import MODELS, find
from elegan.provenance import COMPOSITE, TRAINED
from elegan.provenance.label import Label
from elegan.verbs import export as verb
from elegan.verbs.folder import Folder
from elegan.verbs.plan import make_plan
from elegan.verbs.run import write_json

DATA = {
    "pix2pix": {"data": "digits", "pair": "edges"},
    "cyclegan": {"data": "digits-styles"},
    "cut": {"data": "digits-styles"},
}
TINY = {"stylegan": {"mapping": 1}, "progan": {"width": 8, "narrow": 8}}


@pytest.fixture(autouse=True)
def _traceable(monkeypatch):
    """The checks of shapes that the tests put around the networks can't be traced; users don't have them."""
    monkeypatch.setattr(checks_of_shapes, "jaxtyping_disable", True)


def untrained(path, model, change=None, **settings):
    """A run folder with what export reads of it; ``change`` is all that its generator has learned."""
    asked = {"data": "digits", "size": 8, **DATA.get(model, {}), **SMALL[model], **TINY.get(model, {}), **settings}
    plan = make_plan(model, images=64, **asked)
    training = plan.new_training(64)
    if change:
        change(training.averages.modules["generator"])
    path.mkdir()
    write_json(path / "run.json", plan.record(plan.budget()))
    Folder(path).write_generator(plan, training)
    return path


def half_grown(generator):
    """The second resolution is fading in."""
    generator.keep(0.5)


def broken(generator):
    next(generator.parameters()).fill_(float("nan"))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A model's name → a run of it, its file, and what export said; none may write there."""

    @cache
    def make(model):
        folder = tmp_path_factory.mktemp(model)
        path = untrained(folder / "run", model, half_grown if model == "progan" else None)
        file = folder / "files" / "generator.onnx"
        return path, file, elegan.export(path, out=file)

    return make


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """None may write into it."""
    return untrained(tmp_path_factory.mktemp("export") / "run", "gan")


def complaint(capsys, *words):
    """The one line on stderr of `elegan export` that must exit with 2."""
    assert main(["export", *map(str, words)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    return err


def drawn(path, **inputs):
    """What onnxruntime alone makes of the file."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (made,) = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
    return made


def metadata(path):
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def wanted(path, inputs, to="B"):
    """What torch makes of the inputs, by the calls that sample and apply use."""
    game = elegan.load(path).game
    with torch.no_grad():
        if game.translations:
            return game.translate(inputs["source"], to).numpy()
        condition = {name: inputs[name] for name in game.asks}
        return game.render(game.styles(inputs["z"], condition), condition).numpy()


def some_inputs(path, n):
    game, random = elegan.load(path).game, Random((7, n))
    if game.translations:
        return {"source": random.uniform(n, *game.spec.shapes["source"]) * 2 - 1}
    label = {"label": random.integers(len(game.spec.classes), n)} if game.conditional else {}
    return {"z": game.latents(n, random), **label}


@pytest.mark.parametrize("model", MODELS)
def test_onnxruntime_draws_what_torch_draws_at_any_batch_size(model, exported):
    path, file, done = exported(model)
    assert done["difference"] <= 1e-4
    assert done["bytes"] == file.stat().st_size
    assert done["outputs"] == {"images": ["n", *elegan.load(path).game.spec.real]}
    for n in (1, 2, 7):
        inputs = some_inputs(path, n)
        assert inputs.keys() == done["inputs"].keys()
        made = drawn(file, **inputs)
        assert made.dtype == np.float32
        assert made.std() > 0
        np.testing.assert_allclose(made, wanted(path, inputs), atol=1e-4)
    assert {entry.name for entry in file.parent.iterdir()} == {"generator.onnx", "generator.onnx.c2pa"}
    assert done["provenance"] == {"layers": ["label", "credentials"], "missing": []}


@pytest.mark.parametrize(
    "model", [pytest.param(name, marks=[] if name == "stylegan" else [pytest.mark.long]) for name in MODELS]
)
def test_larger_images_are_drawn_alike_too(model, tmp_path):
    """From 16 pixels on stylegan and r3gan draw single pixels with layers of their own."""
    data = {} if model in (*DATA, "cgan", "sgan") else {"data": "avatars"}
    path, file = untrained(tmp_path / "run", model, size="48x32", **data), tmp_path / "generator.onnx"
    done = elegan.export(path, out=file)
    assert done["outputs"]["images"] == ["n", *elegan.load(path).game.spec.image]
    inputs = some_inputs(path, 3)
    np.testing.assert_allclose(drawn(file, **inputs), wanted(path, inputs), atol=1e-4)


def test_the_label_decides_the_class_and_its_name_is_in_the_file(exported):
    _, file, done = exported("r3gan")
    z, classes = torch.randn(1, 64).expand(2, 64), json.loads(metadata(file)["classes"])
    assert classes == done["classes"] == [str(digit) for digit in range(10)]
    one, other = drawn(file, z=z, label=torch.tensor([3, 8]))
    assert np.abs(one - other).max() > 1e-3


def test_how_far_a_generator_has_grown_is_part_of_the_file(exported):
    growth = elegan.load(exported("progan")[0]).game.generator.kept
    assert 0 < growth.weight < 1


def test_a_model_without_labels_asks_for_none_and_vectors_are_in_the_datas_units(tmp_path):
    path, file = untrained(tmp_path / "run", "r3gan", data="ring", size=None, conditional=False), tmp_path / "ring.onnx"
    done = elegan.export(path, out=file)
    assert (done["inputs"].keys(), done["outputs"], done["classes"]) == ({"z"}, {"vectors": ["n", 2]}, [])
    trained = elegan.load(path)
    assert trained.described["scale"] != 1
    z = trained.game.latents(4, Random((5, 1)))
    np.testing.assert_allclose(drawn(file, z=z), trained.sample(4, seed=5).numpy(), atol=1e-4)


def test_the_file_says_what_made_it_and_nothing_of_this_machine(run, capsys, tmp_path):
    file = tmp_path / "generator.onnx"
    assert main(["export", str(run), "--out", str(file), "--json"]) == 0
    done = json.loads(capsys.readouterr().out.splitlines()[-1])
    label = Label.from_json(metadata(file)["provenance"])
    assert label.generator == f"elegan {elegan.__version__} gan"
    assert label.weights_sha256 == done["weights_sha256"] == elegan.load(run).weights_sha256
    assert (label.run, label.seed, label.digital_source_type) == ("run", None, TRAINED)
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    assert "generated" in model.doc_string
    assert not any("discriminator" in weights.name for weights in model.graph.initializer)
    assert not any(folder.encode() in file.read_bytes() for folder in ("site-packages", "elegan/verbs", ".py"))


def test_a_translator_is_exported_to_either_side_and_its_label_speaks_of_a_real_image(exported, capsys, tmp_path):
    (path, _, done), file = exported("cyclegan"), tmp_path / "to-a.onnx"
    assert (done["inputs"], done["outputs"]) == ({"source": ["n", 3, 8, 8]}, {"images": ["n", 3, 8, 8]})
    assert main(["export", str(path), "--out", str(file), "--to", "a"]) == 0
    assert "source [n, 3, 8, 8] to images [n, 3, 8, 8] in" in capsys.readouterr().out
    inputs = some_inputs(path, 2)
    np.testing.assert_allclose(drawn(file, **inputs), wanted(path, inputs, "A"), atol=1e-4)
    assert np.abs(wanted(path, inputs, "A") - wanted(path, inputs, "B")).max() > 1e-3
    assert Label.from_json(metadata(file)["provenance"]).digital_source_type == COMPOSITE


@pytest.mark.parametrize(("side", "given", "made"), [("B", 1, 3), ("A", 3, 1)])
def test_each_side_is_made_of_images_with_the_channels_of_the_other(side, given, made):
    kind = find("cyclegan")
    spec = Spec({"source": (1, 8, 8), "real": (3, 8, 8)}, items=100)
    network = verb.Translating(kind(kind.Config(**SMALL["cyclegan"]), spec), side)
    inputs = network.inputs(2)
    assert inputs["source"].shape == (2, given, 8, 8)
    assert network(**inputs).shape == (2, made, 8, 8)


@pytest.mark.parametrize(("words", "sentence"), [
    (["--out", "a.onnx", "--format", "hbu"], '--format is "hbu"; it must be one of onnx, hub. Did you mean "hub"?'),
    (["--out", "a.onnx", "--i-have-rights"], "--i-have-rights is asked for by --format hub alone; leave it out."),
    (["--out", "a.png"], "--out is a.png; it must be a file that ends in .onnx."),
    (["--out", "folder"], "--out is folder; it must be a file that ends in .onnx."),
    (["--out", "a.onnx", "--to", "B"], "draws from noise and has no sides; leave --to out."),
    ([], "--out is missing"),
])  # fmt: skip
def test_a_mistake_is_one_sentence_and_nothing_is_written(run, capsys, tmp_path, monkeypatch, words, sentence):
    monkeypatch.chdir(tmp_path)
    assert sentence in complaint(capsys, run, *words)
    assert not any(tmp_path.iterdir())


def test_a_side_that_there_is_not_is_refused(exported, capsys, tmp_path):
    path = exported("cyclegan")[0]
    assert "makes images of B or A." in complaint(capsys, path, "--out", tmp_path / "a.onnx", "--to", "C")


def test_a_run_that_is_none_or_isnt_finished_is_refused(capsys, tmp_path):
    assert "nowhere doesn't exist" in complaint(capsys, "nowhere", "--out", tmp_path / "a.onnx")
    (tmp_path / "run").mkdir()
    plan = make_plan("gan", data="digits", images=64)
    write_json(tmp_path / "run" / "run.json", plan.record(plan.budget()))
    said = complaint(capsys, tmp_path / "run", "--out", tmp_path / "a.onnx")
    assert "the same train command again finishes the run" in said


@pytest.mark.parametrize("package", verb.PACKAGES)
def test_a_missing_package_is_named_with_the_way_to_get_it(run, capsys, tmp_path, monkeypatch, package):
    def without(name):
        if name == package:
            raise ImportError(name)

    monkeypatch.setattr(verb, "import_module", without)
    said = complaint(capsys, run, "--out", tmp_path / "a.onnx")
    assert f'needs the package {package}; pip install "elegan[export]".' in said


def test_a_diverged_run_is_said_before_anything_is_traced(capsys, tmp_path, monkeypatch):
    monkeypatch.delattr(verb, "_traced")
    path = untrained(tmp_path / "run", "gan", broken)
    assert "diverged" in complaint(capsys, path, "--out", tmp_path / "a.onnx")


def test_a_file_that_draws_something_else_is_not_put_in_place(run, capsys, tmp_path, monkeypatch):
    trace, file = verb._traced, tmp_path / "a.onnx"
    file.write_bytes(b"the file before")

    def disturbed(network):
        with torch.no_grad():
            list(network.game.generator.parameters())[-1].add_(0.01)
        return trace(network)

    monkeypatch.setattr(verb, "_traced", disturbed)
    said = complaint(capsys, run, "--out", file)
    assert "where 0.0001 is allowed; nothing was written" in said
    assert file.read_bytes() == b"the file before"


def test_formats_are_refused_from_python_too(run, tmp_path):
    with pytest.raises(UserError, match=r'--format is "onx"; it must be onnx or hub\. Did you mean "onnx"'):
        elegan.export(run, out=tmp_path / "a.onnx", format="onx")
