"""`elegan classify`: a line of CSV an image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional

from elegan.cli.commands import finish
from elegan.cli.parsing import Flag, optional, parse


@dataclass(frozen=True)
class ClassifyOptions:
    run: Positional[str]
    """The run folder that train wrote."""
    input: Annotated[Positional[tuple[str, ...]], optional("INPUT ...")]
    """Image files, or folders of them, of any size."""
    out: Annotated[str | None, optional("FILE.csv")] = None
    """Write the table into this file instead of printing it."""
    json: Flag = False
    """Print one JSON object instead of the table."""


def classify(words: Sequence[str]) -> int:
    description = "What a run's classifier takes images for: file, class, probability, and real or fake."
    options = parse(ClassifyOptions, words, prog="elegan classify", description=description)
    from elegan.verbs.classify import as_csv
    from elegan.verbs.classify import classify as look_at

    rows = look_at(options.run, *options.input, out=options.out)
    if options.out and not options.json:
        images = "1 image" if len(rows) == 1 else f"{len(rows):,} images"
        print(f"{images} classified in {options.out}.")
    elif not options.json:
        print(as_csv(rows), end="")
    return finish({"run": options.run, "out": options.out, "images": rows}, as_json=options.json)
