"""`elegan detect train` and `elegan detect apply`: their options, and what is printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional

from elegan.cli.commands import finish, show
from elegan.cli.parsing import Flag, optional, parse


@dataclass(frozen=True)
class TrainOptions:
    run: Positional[str]
    """The run folder that train wrote."""
    other: Annotated[str | None, optional("RUN2")] = None
    """Another run on images of the same size, to see how far the detector carries."""
    n: Annotated[int | None, optional("N")] = None
    """How many reals to fit on, and as many samples; all training images up to 5,000 when not given."""
    seed: int = 0
    """The seed of the samples and of the fit."""
    out: Annotated[str | None, optional("DIR")] = None
    """The folder for the detector; RUN/detector when not given."""
    json: Flag = False
    """Print one JSON object as the last line."""


@dataclass(frozen=True)
class ApplyOptions:
    detector: Positional[str]
    """The folder that detect train wrote, or the run folder that it lies in."""
    files: Annotated[Positional[tuple[str, ...]], optional("FILE ...")]
    """Image files, or folders of them."""
    out: Annotated[str | None, optional("FILE.csv")] = None
    """Write the table into this file instead of printing it."""
    json: Flag = False
    """Print one JSON object instead of the table."""


def train(words: Sequence[str]) -> int:
    """Parse, fit, and report."""
    description = "Fit a detector to a run's samples beside real data, and say how far it can be trusted."
    options = parse(TrainOptions, words, prog="elegan detect train", description=description)
    from elegan.verbs.detect import table, train_detector

    done = train_detector(options.run, other=options.other, n=options.n, seed=options.seed, out=options.out)
    if not options.json:
        show(table(done))
        for note in done["notes"]:
            print(f"Note: {note}")
        print(f"{done['advice']}\nLook at {done['out']}/roc.png.")
    return finish(done, as_json=options.json)


def apply(words: Sequence[str]) -> int:
    """Parse, score, and report."""
    description = "What a detector makes of image files: a score each, as advice."
    options = parse(ApplyOptions, words, prog="elegan detect apply", description=description)
    from elegan.verbs.detect import ADVICE, apply_detector, as_csv

    rows = apply_detector(options.detector, *options.files, out=options.out)
    if options.out and not options.json:
        images = "1 image" if len(rows) == 1 else f"{len(rows):,} images"
        print(f"{images} scored in {options.out}.\n{ADVICE}")
    elif not options.json:
        print(f"{as_csv(rows)}{ADVICE}")
    done = {"detector": options.detector, "out": options.out, "advice": ADVICE, "images": rows}
    return finish(done, as_json=options.json)
