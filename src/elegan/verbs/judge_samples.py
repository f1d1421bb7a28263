"""`elegan evaluate --samples`: judge any generator's samples beside any data."""

from os import PathLike, fspath
from pathlib import Path
from typing import Any

from elegan.data import Data, open_data
from elegan.errors import UserError
from elegan.evaluation.features import Embedder
from elegan.evaluation.pretrained import pretrained
from elegan.verbs.foreign import Source, open_samples
from elegan.verbs.in_memory import what
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
    features: str | PathLike[str] | None = None,
) -> dict[str, Any]:
    """Judge samples and write report.json and report.html into ``out``; returns the report.

    ``samples`` is a folder or an archive of images, a .npz or .npy file ("images" uint8 [N, H, W, C] and perhaps
    "labels" [N]; vectors [N, D] for data of points), such an array, a tensor [N, C, H, W], uint8 or in [-1, 1], or a
    list of PIL images, arrays or tensors.  They take the way that the data take: the same 8 bits, the same cut and
    scaling to ``size``.  All are judged, up to 10,000; with fewer, n, random ones are.  Features are learnt on the
    data's training part and kept in ``out``, which is SAMPLES-report beside the samples when not given; ``features``
    names the file of a pretrained network to judge by instead.  Raises UserError for samples or data that can't be
    opened or don't fit.
    """
    check_number("n", n, 1)
    check_number("seed", seed, 0)
    folder = _folder_for(samples, out)
    opened = open_data(str(fspath(data)), size=size, skip_bad=skip_bad)
    given = open_samples(samples, opened, resize=size is not None, n=n, seed=seed, skip_bad=skip_bad)
    try:
        judged_by = _features(features, folder, opened)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"{folder} can't be written: {reason}; give another folder to --out.") from error
    report = measured(given.items, opened, judged_by, requested=given.labels, seed=seed)
    judged = {
        "name": given.name, "source": given.source, "samples": given.given, "labels": given.labels is not None,
        "notes": given.notes, "data": opened.describe(),
    }  # fmt: skip
    report |= {"judged": judged, "n": len(given.items), "seed": seed, "out": str(folder)}
    return written(folder, decided(report), [], opened, given.items, given.labels)


def _features(path: str | PathLike[str] | None, folder: Path, data: Data) -> Embedder:
    """The pretrained network in a file; without one, features learnt on the data and kept in the folder."""
    if path is None:
        return kept_features(folder / f"features-{data.fingerprint[:12]}.safetensors", data, "Learning features, step")
    if not data.is_image:
        raise UserError(f"--features was given, and {data.name} holds vectors, which need none; leave it out.")
    height, width, channels = (int(side) for side in data.items.shape[1:])
    return pretrained(Path(fspath(path)).expanduser(), (height, width, channels))


def _folder_for(samples: Source, out: str | PathLike[str] | None) -> Path:
    """Where the report goes; raises UserError where it would land among somebody's files."""
    path = Path(fspath(samples)).expanduser() if isinstance(samples, str | PathLike) else None
    if out is None:
        if path is None or not path.exists():
            raise UserError(_nowhere(samples))
        path = path.resolve()
        return path.with_name(f"{path.name if path.is_dir() else path.name.split('.')[0]}-report")
    folder = Path(fspath(out)).expanduser()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; --out names the folder to write the report into.")
    if (folder / "run.json").exists():
        raise UserError(f"{folder} is a run with a report of its own; give another folder to --out.")
    if path is not None and folder.resolve() == path.resolve():
        raise UserError(f"{folder} holds the samples; give another folder to --out.")
    return folder


def _nowhere(samples: Source) -> str:
    if not isinstance(samples, str | PathLike):
        said = what(samples).capitalize()
        return f"{said} of samples lies in no folder; give out, the folder to write the report into."
    return (
        f'"{samples}" is no file or folder that exists; give samples as a folder, an archive, or a .npz or .npy file '
        "(and --out for what has no place on the disk)."
    )
