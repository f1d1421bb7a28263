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
    out: Annotated[str, arg(metavar="PATH.onnx")]
    """The file to write."""
    format: Literal["onnx"] = "onnx"
    """The kind of file; onnx is run by onnxruntime and many other programs."""
    to: Annotated[str | None, optional("A|B")] = None
    """The side that a translator's file makes; B when not given."""
    json: Flag = False
    """Print one JSON object as the last line."""


def export(words: Sequence[str]) -> int:
    """Parse, export, and report."""
    description = "Write a run's generator as a file that other programs run, checked against torch and labelled."
    options = parse(ExportOptions, words, prog="elegan export", description=description)
    from elegan.verbs.export import export as write

    done = write(options.run, out=options.out, format=options.format, to=options.to)
    if not options.json:
        shapes = f"{_shapes(done['inputs'])} to {_shapes(done['outputs'])}"
        print(f"{shapes} in {options.out}, which differs from torch by {done['difference']:.1g} at most.")
    return finish(done, as_json=options.json)


def _shapes(tensors: Mapping[str, Any]) -> str:
    """Names and shapes: "z [n, 64] and label [n]"."""
    return " and ".join(f"{name} [{', '.join(map(str, shape))}]" for name, shape in tensors.items())
