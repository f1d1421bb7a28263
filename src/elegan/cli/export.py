"""`elegan export`: its options, and what is printed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from tyro.conf import Positional, arg

from elegan.cli.commands import finish
from elegan.cli.parsing import Flag, optional, parse


@dataclass(frozen=True)
class ExportOptions:
    run: Positional[str]
    """The run folder that train wrote."""
    out: Annotated[str, arg(metavar="PATH.onnx|DIR")]
    """The file to write, or the new folder for the hub."""
    format: Literal["onnx", "hub"] = "onnx"
    """A file that onnxruntime and many other programs run, or a folder that is ready to be uploaded to a hub."""
    to: Annotated[str | None, optional("A|B")] = None
    """The side that a translator's file makes; B when not given."""
    i_have_rights: Flag = False
    """For the hub: say that you may publish what was trained on data of unknown or forbidding terms."""
    json: Flag = False
    """Print one JSON object as the last line."""


def export(words: Sequence[str]) -> int:
    """Parse, export, and report."""
    description = "Write a run's generator for other programs, checked against torch and labelled, or for a model hub."
    options = parse(ExportOptions, words, prog="elegan export", description=description)
    from elegan.verbs.export import export as write

    done = write(
        options.run, out=options.out, format=options.format, to=options.to, i_have_rights=options.i_have_rights
    )  # fmt: skip
    if not options.json:
        print(_summary(done))
    return finish(done, as_json=options.json)


def _summary(done: Mapping[str, Any]) -> str:
    if done["format"] == "hub":
        return f"{len(done['files'])} files in {done['out']}, ready to be uploaded; README.md is the model card."
    shapes = f"{_shapes(done['inputs'])} to {_shapes(done['outputs'])}"
    return f"{shapes} in {done['out']}, which differs from torch by {done['difference']:.1g} at most."


def _shapes(tensors: Mapping[str, Any]) -> str:
    """Names and shapes: "z [n, 64] and label [n]"."""
    return " and ".join(f"{name} [{', '.join(map(str, shape))}]" for name, shape in tensors.items())
