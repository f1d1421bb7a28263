"""`elegan export`: a run's generator as one file that draws without elegan and without torch, or as a folder for the
hub."""

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim

from elegan.errors import UserError, nearest
from elegan.game import Game, Random
from elegan.provenance import Label, seal
from elegan.training.engine import choose, plain
from elegan.verbs.export_hub import export_hub
from elegan.verbs.run import Run, load_run

FORMATS = ("onnx", "hub")
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
"""What the extra ``export`` installs."""
TOLERANCE = 1e-4
"""How far onnxruntime may be from torch, in units of the output's scale, which is 1 for images in [-1, 1]."""
ROWS = (1, 3, 5)
"""The batch sizes that are tried, other ones than that of the trace."""
DESCRIPTION = "What this network makes is generated: wherever it is shown or passed on, say so."


class Drawing(nn.Module):
    """(z [n, d], label int64 [n] where the game takes one) → images [n, C, H, W] in [-1, 1], or vectors [n, D] in
    the data's own units, which are ``scale`` times the game's."""

    def __init__(self, game: Game, scale: float) -> None:
        super().__init__()
        self.game, self.scale = game, scale
        self.output = "images" if game.spec.is_image else "vectors"

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        condition = {} if label is None else {"label": label}
        items = self.game.render(self.game.styles(z, condition), condition)
        return items if self.scale == 1 else items * self.scale

    def inputs(self, n: int) -> dict[str, Tensor]:
        """n rows to draw from, by name."""
        random = Random((n,))
        z = {"z": self.game.latents(n, random)}
        return z | ({"label": random.integers(len(self.game.spec.classes), n)} if self.game.conditional else {})


class Translating(nn.Module):
    """source [n, C, H, W] → images [n, D, H, W] of side ``to``, both in [-1, 1]."""

    scale, output = 1.0, "images"

    def __init__(self, game: Game, to: str) -> None:
        super().__init__()
        self.game, self.to_side = game, to

    def forward(self, source: Tensor) -> Tensor:
        return self.game.translate(source, self.to_side)

    def inputs(self, n: int) -> dict[str, Tensor]:
        """n noisy images of the other side, by name."""
        shape = self.game.spec.shapes["source" if self.to_side == "B" else "real"]
        return {"source": Random((n,)).uniform(n, *shape) * 2 - 1}


Network = Drawing | Translating


def export(
    run: str | PathLike[str],
    *,
    out: str | PathLike[str],
    format: str = "onnx",
    to: str | None = None,
    i_have_rights: bool = False,
) -> dict[str, Any]:
    """Write the averaged generator of a run as ``out``: an ONNX file, or a folder that can be uploaded to the hub.

    An ONNX file is of one piece, for any number of rows.  Its inputs are ``z`` float32 [n, d], standard normal, and
    ``label`` int64 [n] where the run has classes, and its output ``images`` float32 [n, C, H, W] in [-1, 1]
    (``vectors`` [n, D] for a run on vectors).  A translator's input is ``source`` [n, C, H, W] of the size that it was
    trained at, and ``to`` its output's side, "B" when not given.
    onnxruntime must agree with torch to 1e-4 before the file is put in place.  The metadata hold the label that all
    files of the run carry, as JSON in "provenance", and the names of the classes, in "classes"; signed credentials lie
    beside the file.

    The folder of ``format`` "hub" is that of :func:`elegan.verbs.export_hub.export_hub`, and ``i_have_rights`` its
    ``declared``.

    Raises UserError for a run that isn't one or diverged, another format or side, and where a package is missing or
    nothing can be written; a full disk stays an OSError.
    """
    path = Path(fspath(out)).expanduser()
    _check(format, path, to, i_have_rights)
    if format == "hub":
        return export_hub(run, path, declared=i_have_rights)
    _check_packages()
    return _export_onnx(run, path, to)


def _export_onnx(run: str | PathLike[str], path: Path, to: str | None) -> dict[str, Any]:
    trained = load_run(run)
    trained.engine = plain(choose("float32", device="cpu"))
    network = _network(trained, to).eval()
    answers = _answers(trained, network)
    model = _traced(network)
    label = trained.label_for(None).for_one_file()
    _describe(model, trained, label)
    content: bytes = model.SerializeToString()
    difference = _difference(content, answers)
    if not difference <= TOLERANCE * max(1.0, network.scale):
        raise UserError(
            f"onnxruntime draws other {network.output} from {trained.path} than torch does, by {difference:.2g} where "
            f"{TOLERANCE:g} is allowed; nothing was written, so try other versions of torch and {PACKAGES[-1]}."
        )
    sealed = seal(path, content, label)
    inputs, output = answers[0]
    shapes = {name: ["n", *rows.shape[1:]] for name, rows in {**inputs, network.output: output}.items()}
    return {
        "out": str(path), "format": "onnx", "inputs": {name: shapes[name] for name in inputs},
        "outputs": {network.output: shapes[network.output]}, "classes": list(trained.classes), "bytes": len(content),
        "opset": model.opset_import[0].version, "difference": difference, "weights_sha256": trained.weights_sha256,
        "provenance": sealed.facts(),
    }  # fmt: skip


def _check(format: str, path: Path, to: str | None, i_have_rights: bool) -> None:
    """Raise UserError for what can be refused before anything is opened."""
    if format not in FORMATS:
        raise UserError(f'--format is "{format}"; it must be {" or ".join(FORMATS)}.{nearest(str(format), FORMATS)}')
    if format == "hub" and to is not None:
        raise UserError(f"--to is {to}, and a folder for the hub holds all that a run makes; leave it out.")
    if format == "onnx" and i_have_rights:
        raise UserError("--i-have-rights is asked for by --format hub alone; leave it out.")
    if format == "onnx" and path.suffix.lower() != ".onnx":
        raise UserError(f"--out is {path}; it must be a file that ends in .onnx.")


def _check_packages() -> None:
    """Raise UserError where a package of the extra is missing."""
    for name in PACKAGES:
        try:
            import_module(name)
        except ImportError as error:
            raise UserError(f'An .onnx file needs the package {name}; pip install "elegan[export]".') from error


def _network(run: Run, to: str | None) -> Network:
    """What is exported; raises UserError for a side that the run doesn't make."""
    sides = run.translations
    if not sides:
        if to is not None:
            raise UserError(f"{run.path} holds a model that draws from noise and has no sides; leave --to out.")
        return Drawing(_settled(run.game), float(run.described["scale"]))
    side = sides[0] if to is None else str(to).upper()
    if side not in sides:
        raise UserError(f'--to is "{to}"; {run.path} makes images of {" or ".join(sides)}.')
    return Translating(_settled(run.game), side)


def _settled(game: Game) -> Game:
    """Whole numbers that say which layers play, how far a network has grown say, become constants: a trace can't
    branch on a tensor."""
    for module in game.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            if buffer.dim() == 0 and not buffer.is_floating_point():
                delattr(module, name)
                setattr(module, name, int(buffer))
    return game


@torch.no_grad()
def _answers(run: Run, network: Network) -> list[tuple[dict[str, Tensor], Tensor]]:
    """Inputs, and what torch makes of them; raises UserError where that isn't finite."""
    answers = [(inputs, network(**inputs)) for inputs in map(network.inputs, ROWS)]
    if not all(bool(output.isfinite().all()) for _, output in answers):
        raise UserError(f"{run.path} diverged: its samples hold numbers that are not finite; train a new run.")
    return answers


@torch.no_grad()
def _traced(network: Network) -> Any:
    """The network as an onnx.ModelProto whose first axis, n, is free."""
    inputs = network.inputs(2)
    shapes = tuple({0: Dim("n")} for _ in inputs)
    with _quiet():
        # strict: the other way takes len(batch) for a constant
        program = torch.export.export(network, tuple(inputs.values()), dynamic_shapes=shapes, strict=True)
        made = torch.onnx.export(
            program, dynamo=True, dynamic_shapes=shapes, input_names=list(inputs), output_names=[network.output],
            external_data=False, verbose=False,
        )  # fmt: skip
    assert made is not None
    return made.model_proto


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter speaks of its own deprecations and of packages that it does without."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _describe(model: Any, run: Run, label: Label) -> None:
    """Say what the file is, in place of the exporter's notes, which name the folders of this machine."""
    graph = model.graph
    for part in (graph, *graph.node, *graph.initializer, *graph.value_info, *graph.input, *graph.output):
        del part.metadata_props[:]
    said: Mapping[str, str] = {
        "provenance": label.to_json(),
        "classes": json.dumps(run.classes, ensure_ascii=False),
    }
    model.doc_string = DESCRIPTION
    import_module("onnx").helper.set_model_props(model, said)


def _difference(content: bytes, answers: list[tuple[dict[str, Tensor], Tensor]]) -> float:
    """The largest difference between what onnxruntime and torch make of the same inputs."""
    runtime = import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    found = []
    for inputs, wanted in answers:
        (made,) = session.run(None, {name: rows.numpy() for name, rows in inputs.items()})
        assert made.shape == wanted.shape
        found.append(np.abs(made - wanted.numpy()).max())
    return float(np.max(found))


__all__ = ["export"]
