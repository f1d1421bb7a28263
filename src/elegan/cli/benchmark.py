"""`elegan benchmark`: its options, and what is printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional

from elegan.cli.commands import finish, show
from elegan.cli.parsing import Flag, optional, parse
from elegan.models import MODELS


@dataclass(frozen=True)
class BenchmarkOptions:
    models: Annotated[Positional[tuple[str, ...]], optional("[MODEL ...]")] = ()
    """The models to measure; gan, dcgan, cgan and r3gan when none is named."""
    size: str = "32"
    """Size of the images: 32, or height x width as in 48x64."""
    channels: int = 1
    """1 for grey images, 3 for colour."""
    batch: int = 64
    """Images a step, whatever the preset says."""
    rounds: int = 5
    """How often each side is measured, by turns."""
    preset: Annotated[str | None, optional("PRESET")] = None
    """Published settings, which every model that is named must have."""
    threads: Annotated[int | None, optional("N")] = None
    """Threads of both sides; when not given: as many as torch takes and there are cores."""
    quick: Flag = False
    """A rough look: two short rounds."""
    plain: Flag = True
    """Measure elegan alone, without the plain PyTorch step beside it."""
    out: Annotated[str | None, optional("FILE.json")] = None
    """Append the result to this file, a line of JSON."""
    json: Flag = False
    """Print one JSON object as the last line."""


def benchmark(words: Sequence[str]) -> int:
    """Parse, measure and print; a mistake is answered before anything is measured."""
    description = (
        "How fast models train on this machine, beside the plain PyTorch step and what the machine can do at most.\n"
        f"The models: {', '.join(MODELS)}."
    )
    options = parse(BenchmarkOptions, words, prog="elegan benchmark", description=description)
    from elegan.verbs.benchmark import benchmark as measure
    from elegan.verbs.benchmarking.table import table

    found = measure(
        options.models, size=options.size, channels=options.channels, batch=options.batch, rounds=options.rounds,
        preset=options.preset, threads=options.threads, quick=options.quick, plain=options.plain, out=options.out,
    )  # fmt: skip
    if not options.json:
        show(table(found))
    return finish(found, as_json=options.json)
