"""`elegan evaluate --samples`: judge any generator's samples beside any data."""

from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from elegan.data import open_data
from elegan.errors import UserError
from elegan.verbs.foreign import Source, open_samples
from elegan.verbs.judging import check_number, decided, measured, written
from elegan.verbs.referee import kept_features


def judge_samples(
    samples: Source,
    data: str | PathLike[str],
    *,
    size: Any = None,
    out: str | PathLike[str] | None = None,
    n: int | None = None,
    seed: int = 0,
    skip_bad: bool = False,
) -> dict[str, Any]:
    """Judge samples and write report.json and report.html into ``out``; returns the report.

    ``samples`` is a folder or an archive of images, a .npz or .npy file ("images" uint8 [N, H, W, C] and perhaps
    "labels" [N]; vectors [N, D] for data of points), or such an array.  They take the way that the data take: the same
    8 bits, the same cut and scaling to ``size``.  Of more than n (10,000) random ones are judged.  Features are learnt
    on the data's training part and kept in ``out``, which is SAMPLES-report beside the samples when not given.
    Raises UserError for samples or data that can't be opened or don't fit.
    """
    check_number("n", n, 1)
    check_number("seed", seed, 0)
    folder = _folder_for(samples, out)
    opened = open_data(str(fspath(data)), size=size, skip_bad=skip_bad)
    given = open_samples(samples, opened, resize=size is not None, n=n, seed=seed, skip_bad=skip_bad)
    try:
        features = kept_features(folder / f"features-{opened.fingerprint[:12]}.safetensors", opened)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"{folder} can't be written: {reason}; give another folder to --out.") from error
    report = measured(given.items, opened, features, requested=given.labels, seed=seed)
    judged = {
        "name": given.name, "source": given.source, "samples": given.given, "labels": given.labels is not None,
        "notes": given.notes, "data": opened.describe(),
    }  # fmt: skip
    report |= {"judged": judged, "n": len(given.items), "seed": seed, "out": str(folder)}
    return written(folder, decided(report), [], opened, given.items, given.labels)


def _folder_for(samples: Source, out: str | PathLike[str] | None) -> Path:
    """Where the report goes; raises UserError where it would land among somebody's files."""
    if out is None:
        path = None if isinstance(samples, np.ndarray) else Path(fspath(samples)).expanduser()
        if path is None or not path.exists():
            raise UserError(_nowhere(samples))
        path = path.resolve()
        return path.with_name(f"{path.name if path.is_dir() else path.name.split('.')[0]}-report")
    folder = Path(fspath(out)).expanduser()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; --out names the folder to write the report into.")
    if (folder / "run.json").exists():
        raise UserError(f"{folder} is a run with a report of its own; give another folder to --out.")
    if not isinstance(samples, np.ndarray) and folder.resolve() == Path(fspath(samples)).expanduser().resolve():
        raise UserError(f"{folder} holds the samples; give another folder to --out.")
    return folder


def _nowhere(samples: Source) -> str:
    if isinstance(samples, np.ndarray):
        return "An array of samples lies in no folder; give out, the folder to write the report into."
    return (
        f'"{samples}" is no file or folder that exists; give samples as a folder, an archive, or a .npz or .npy file '
        "(and --out for what has no place on the disk)."
    )
