"""`elegan classify`: what a run's classifier takes images for, and whether it takes them for real."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from elegan.data.decoding import decoded, parallel, put, quiet
from elegan.data.found import BadFile, EncodedFile, plural, some
from elegan.data.pixels import to_tensor
from elegan.errors import UserError
from elegan.progress import reported
from elegan.provenance import TRAINED_DATA, seal
from elegan.verbs.classifier import ROWS, class_logits
from elegan.verbs.inputs import Name, images_of
from elegan.verbs.run import Run, load_run

COLUMNS = ("file", "class", "probability", "real_or_fake")


def classify(
    run: str | PathLike[str], *inputs: Name | Iterable[Name], out: str | PathLike[str] | None = None
) -> list[dict[str, Any]]:
    """Classify image files, and those in folders, of any size and mode: they take the way that training data take.

    Returns a dict an image: "file", "class", its "probability" given that the image is real, and "real", the
    probability that it is no generated one.  ``out`` is a .csv to write.  Raises UserError for a run without a
    classifier, and where anything can't be read, with all that can't: then nothing is written.
    """
    trained, path = load_run(run), table_path(out)
    shape = _shape_of(trained)
    rows: list[dict[str, Any]] = []
    for names, images in read(files_of(inputs), shape, "Classifying images:"):
        rows += _rows(trained, names, images)
    if path:
        label = replace(trained.label_for(None), digital_source_type=TRAINED_DATA).for_one_file()
        seal(path, as_csv(rows).encode(), label, layers=())
    return rows


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """The columns file, class, probability and real_or_fake."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        side = "real" if row["real"] >= 0.5 else "fake"
        writer.writerow((row["file"], row["class"], f"{row['probability']:.4f}", side))
    return text.getvalue()


def table_path(out: str | PathLike[str] | None) -> Path | None:
    path = None if out is None else Path(fspath(out)).expanduser()
    if path and path.suffix.lower() != ".csv":
        raise UserError(f"--out is {path}; it must be a file that ends in .csv.")
    return path


def _shape_of(run: Run) -> tuple[int, int, int]:
    """Height, width and channels that the run's classifier sees."""
    if not run.game.classifies:
        raise UserError(f"{run.path} has no classifier, for {run.record['model']} has none; train sgan for one.")
    if not run.game.spec.is_image:
        raise UserError(f"{run.path} classifies vectors, not images; use elegan.load and game.class_logits in Python.")
    channels, height, width = run.game.spec.image
    return height, width, channels


def _rows(run: Run, files: Sequence[str], images: Tensor) -> Iterator[dict[str, Any]]:
    logits = class_logits(run.game, images)
    if not bool(logits.isfinite().all()):
        raise UserError(f"{run.path} diverged: its classifier gives numbers that are not finite; train a new run.")
    chances, real = logits.softmax(1).max(1), logits.logsumexp(1).sigmoid()
    names = run.described["classes"]
    for file, chance, index, reality in zip(files, *(t.tolist() for t in (*chances, real)), strict=True):
        yield {"file": file, "class": str(names[index]), "probability": chance, "real": reality}


def files_of(inputs: Sequence[Name | Iterable[Name]]) -> list[EncodedFile]:
    """The image files that were named, and those in folders.  Raises UserError for none and for what isn't there."""
    return [EncodedFile(str(path), path.read_bytes) for path, _ in images_of(inputs)]


def read(files: Sequence[EncodedFile], shape: tuple[int, int, int], doing: str) -> Iterator[tuple[list[str], Tensor]]:
    """Names of up to ROWS files, and their images [n, C, H, W] as games see them, with progress (``doing``).

    From the first file on that can't be read it only looks for further ones; then raises UserError with all of them.
    """
    bad: list[BadFile] = []
    chunks = [files[start : start + ROWS] for start in range(0, len(files), ROWS)]
    for chunk in reported(chunks, len(files), doing, len):
        with quiet():
            pictures = list(parallel(lambda file: decoded(file, shape[:2]), chunk))
        bad += [picture for picture in pictures if isinstance(picture, BadFile)]
        if bad:
            continue
        items = np.empty((len(chunk), *shape), np.uint8)
        for picture, item in zip(pictures, items, strict=True):
            assert not isinstance(picture, BadFile)
            put(picture, item)
        yield [file.name for file in chunk], to_tensor(items)
    if bad:
        raise UserError(f"{len(bad):,} of {plural(len(files), 'file')} can't be read: {some(bad)}; leave them out.")
