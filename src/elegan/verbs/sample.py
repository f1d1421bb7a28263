"""`elegan sample`: from a trained run to labelled files."""

import csv
import io
import shutil
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from elegan.errors import UserError
from elegan.pictures import contact_sheet, grid, scatter
from elegan.progress import reported
from elegan.provenance import (
    NO_SAMPLES,
    TRAINED_DATA,
    Label,
    Sealed,
    write_archive,
    write_arrays,
    write_folder,
    write_image,
)
from elegan.verbs.run import Run, load_run

OTHER_FORMATS = {".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".npy", ".mp4", ".pdf"}
"""What a person who names such a file means, and a folder isn't."""


def sample(
    run: str | PathLike[str],
    *,
    out: str | PathLike[str],
    n: int = 64,
    seed: int = 0,
    label: str | int | None = None,
    truncation: float | None = None,
    profile: str | None = None,
    visible_label: bool | None = None,
) -> dict[str, Any]:
    """Draw n samples into ``out``: one grid for .png, arrays for .npz, files in a .zip, else a folder of 00000.png …

    ``label`` is a class, or "all" for equal shares of every class: then a grid has a row a class.
    ``truncation`` below 1 brings all nearer to the mean style: less varied, and more like it.
    ``profile`` "cn" adds the field that China asks for; ``visible_label`` writes into each picture that it is
    generated, as a run on pictures of people does unless told not to.  Raises UserError for a
    run that isn't one, a class that there isn't, or a path that can't be written.
    """
    trained, path = load_run(run).labelling(profile, visible_label), Path(fspath(out)).expanduser()
    samples, labels = trained.sample_with_labels(n, label=label, seed=seed, truncation=truncation)
    if not bool(samples.isfinite().all()):
        raise UserError(f"{trained.path} diverged: its samples hold numbers that are not finite; train a new run.")
    items, numbers = trained.to_items(samples), None if labels is None else labels.numpy()
    said, suffix = trained.label_for(seed), path.suffix.lower()
    if suffix == ".npz":
        source = said.digital_source_type if items.ndim == 4 else TRAINED_DATA
        sealed = write_arrays(path, items, replace(said, digital_source_type=source), numbers)
    elif suffix == ".png":
        picture = _picture(trained, items, numbers if label == "all" else None)
        sealed = write_image(picture, path, said, items if items.ndim == 4 else NO_SAMPLES)
    else:
        sealed = _write_files(trained, path, items, numbers, said)
    return {
        "out": str(path), "n": n, "seed": seed, "label": label, "weights_sha256": trained.weights_sha256,
        "provenance": sealed.facts(),
    }  # fmt: skip


def _picture(run: Run, items: np.ndarray, rows: np.ndarray | None) -> Image.Image:
    """A grid; a row a class where ``rows`` says whose each item is; dots for vectors."""
    if items.ndim != 4:
        return scatter(items[:, :2])
    if rows is None:
        return grid(items)
    asked = np.unique(rows)
    return contact_sheet([items[rows == c] for c in asked], [run.classes[c] for c in asked])


def _write_files(run: Run, folder: Path, items: np.ndarray, labels: np.ndarray | None, said: Label) -> Sealed:
    """Write an archive or a folder of pictures, and a table of their labels."""
    if items.ndim != 4:
        raise UserError(f"{run.path} makes vectors, not images; let --out end in .npz for arrays or .png for a plot.")
    if folder.suffix.lower() in OTHER_FORMATS:
        raise UserError(f"{folder} ends in {folder.suffix}; --out is a .png, a .npz, a .zip or a folder.")
    names, tables = _names(run, items, labels)
    with closing(reported(zip(names, items, strict=True), len(items), "Writing images:")) as files:
        if folder.suffix.lower() == ".zip":
            return write_archive(folder, files, said, tables)
        return _write_folder(folder, files, said, tables)


def _write_folder(
    folder: Path, files: Iterable[tuple[str, np.ndarray]], said: Label, tables: Mapping[str, bytes]
) -> Sealed:
    """Write into a folder beside the wished one and rename it, so that it is there whole or not at all."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists and isn't an empty folder; give a new one to --out.")
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        sealed = write_folder(partial, files, said, tables)
        partial.replace(folder)
        return sealed
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _names(run: Run, items: np.ndarray, labels: np.ndarray | None) -> tuple[list[str], dict[str, bytes]]:
    """The files' names, and labels.csv, which says the class of each where there are classes."""
    digits = max(5, len(str(len(items) - 1)))
    names = [f"{index:0{digits}d}.png" for index in range(len(items))]
    if labels is None:
        return names, {}
    text = io.StringIO(newline="")
    rows = zip(names, (run.classes[c] for c in labels), strict=True)
    csv.writer(text).writerows([("file", "label"), *rows])
    return names, {"labels.csv": text.getvalue().encode()}
