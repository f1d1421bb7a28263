"""`elegan sample`: from a trained run to labelled files."""

from pathlib import Path
from typing import Any

import numpy as np

from elegan.errors import UserError
from elegan.pictures import grid, scatter, to_image
from elegan.provenance import write_arrays, write_image
from elegan.verbs.run import Run, load_run


def sample(
    run: str,
    *,
    out: str,
    n: int = 64,
    seed: int = 0,
    label: str | int | None = None,
    truncation: float | None = None,
) -> dict[str, Any]:
    """Draw n samples into ``out``: one grid for .png, arrays for .npz, else a folder of 00000.png, 00001.png …

    ``label`` is a class, or "all" for equal shares of every class.  ``truncation`` is for models that have
    it.  Raises UserError for a run that isn't one, a class that there isn't, or a path that can't be written.
    """
    if truncation is not None:
        raise UserError("--truncation was given, but no model of this release has truncation; leave it out.")
    trained, path = load_run(run), Path(out)
    samples, labels = trained.sample_with_labels(n, label=label, seed=seed)
    items, numbers = trained.to_items(samples), None if labels is None else labels.numpy()
    if path.suffix == ".npz":
        write_arrays(path, items, trained.label_for(seed), numbers)
    elif path.suffix == ".png":
        columns = len(trained.classes) and n // len(trained.classes) if label == "all" else None
        picture = grid(items, columns or None) if items.ndim == 4 else scatter(items[:, :2])
        write_image(picture, path, trained.label_for(seed))
    else:
        _write_folder(trained, path, items, seed)
    return {"out": str(path), "n": n, "seed": seed, "label": label, "weights_sha256": trained.weights_sha256}


def _write_folder(run: Run, folder: Path, items: np.ndarray, seed: int) -> None:
    if items.ndim != 4:
        raise UserError(f"{run.path} makes vectors, not images; let --out end in .npz for arrays or .png for a plot.")
    if folder.suffix:
        raise UserError(f"{folder} ends in {folder.suffix}; --out is a .png, a .npz or a folder.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists and isn't an empty folder; give a new one to --out.")
    digits = max(5, len(str(len(items) - 1)))
    for index, pixels in enumerate(items):
        write_image(to_image(pixels), folder / f"{index:0{digits}d}.png", run.label_for(seed))
