"""`elegan detect`: fit a detector to a run's samples, say how good it is, and score files with it."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from elegan.data import Data
from elegan.data.pixels import to_pixels
from elegan.errors import UserError
from elegan.evaluation.detector import (
    PARTS,
    Curve,
    Detector,
    as_jpeg,
    fit,
    load_detector,
    measure,
    roc_picture,
    save_detector,
)  # fmt: skip
from elegan.json_values import as_json
from elegan.provenance import NO_SAMPLES, TRAINED_DATA, seal, write_image
from elegan.verbs.classify import files_of, read, table_path
from elegan.verbs.inputs import Name
from elegan.verbs.judging import check_number
from elegan.verbs.run import Run, load_run, make_label

if TYPE_CHECKING:
    from rich.table import Table

FEWEST, MOST, MOST_HELD = 20, 5_000, 2_000
"""Reals to fit on, and held-out ones."""
FIT_SEED, TEST_SEED = 2_000_003, 3_000_017
"""What it is fitted on and examined on are other samples than those that were shown or judged."""
QUALITY = 75
ADVICE = (
    "Advice and no verdict: it knows the samples of one run and the reals beside them, so a high score proves nothing, "
    "and a low one doesn't mean that a picture was photographed or drawn."
)
LOOKS = ("looks more like the real data", "looks more like samples of {run}")
COLUMNS = ("file", "score", "reals_as_high", "looks")


def train_detector(
    run: str | PathLike[str],
    *,
    other: str | PathLike[str] | None = None,
    n: int | None = None,
    seed: int = 0,
    out: str | PathLike[str] | None = None,
) -> dict[str, Any]:
    """Fit a detector to a run's samples and the reals that it was trained on, examine it on others, and save it.

    It is fitted on ``n`` reals and as many samples (all training reals, up to 5,000), and examined on held-out reals
    and fresh samples, of the run and of ``other``, a run on images of the same size; as they are, and after JPEG 75.
    Writes detector.safetensors, detector.json and roc.png into ``out``, RUN/detector when not given, and returns what
    detector.json says.  Raises UserError for a run that isn't one, diverged or makes no images, and for too few reals.
    """
    check_number("n", n, FEWEST)
    check_number("seed", seed, 0)
    trained, folder = load_run(run), _folder(run, out)
    rival = _rival(trained, other)
    data = trained.open_data()
    if not data.is_image:
        raise UserError(f"{trained.path} makes vectors, and a detector looks at images; give a run on images.")
    reals = data.part("train", n or MOST)[0]
    held = np.concatenate([data.part(name, MOST_HELD // 2)[0] for name in ("validation", "test")])
    if min(len(reals), len(held)) < FEWEST:
        raise UserError(f"{data.name} has {len(reals)} training and {len(held)} held-out images; {FEWEST} are needed.")
    detector = fit(reals, _samples(trained, data, len(reals), seed + FIT_SEED, "train"), seed=seed)
    sides = {"own": _samples(trained, data, len(held), seed + TEST_SEED, "test")}
    if rival is not None:
        sides["other"] = _samples(rival, rival.open_data(), len(held), seed + TEST_SEED, "test")
    results, curves, of_reals = _examined(detector, held, sides)
    described = _described(trained, rival, data, seed) | {
        "n": {"reals": len(reals), "held_out": len(held), **{side: len(items) for side, items in sides.items()}},
        "levels": len(detector.road.levels), "results": results, "real_scores": np.sort(of_reals).round(4).tolist(),
    }  # fmt: skip
    save_detector(folder, detector, described)
    label = replace(trained.label_for(None), digital_source_type=TRAINED_DATA, visible=False)
    write_image(Image.open(io.BytesIO(roc_picture(curves))), folder / "roc.png", label, NO_SAMPLES)
    found: dict[str, Any] = dict(as_json({"out": str(folder), **described}))  # type: ignore[call-overload]
    return found


def apply_detector(
    detector: str | PathLike[str], *inputs: Name | Iterable[Name], out: str | PathLike[str] | None = None
) -> list[dict[str, Any]]:
    """Score image files, and those in folders, with the detector in a folder, or in a run's folder "detector".

    Returns a dict an image: "file", "score" in [0, 1], above 0.5 for what looks more like the run's samples,
    "spectrum" and "network", the scores of the two parts, "reals_as_high", the share of held-out reals that score as
    high, and "looks", this in words.  ``out`` is a .csv to write.  Images of another size are cut and scaled as
    training data are, which changes what is looked at.  Raises UserError where there is no detector, or a damaged one,
    and where anything can't be read, with all that can't: then nothing is written.
    """
    path, folder = table_path(out), Path(fspath(detector)).expanduser()
    if not (folder / "detector.json").exists() and (folder / "detector").is_dir():
        folder = folder / "detector"
    fitted, described = load_detector(folder)
    rows: list[dict[str, Any]] = []
    for names, images in read(files_of(inputs), fitted.shape, "Scoring images:"):
        rows += _rows(fitted, described, names, to_pixels(images))
    if path:
        label = make_label(
            described["run"], f"{described['model']} detector", described["weights_sha256"], None, visible=False
        )
        label = replace(label, digital_source_type=TRAINED_DATA).for_one_file()
        seal(path, as_csv(rows).encode(), label, layers=())
    return rows


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """The columns file, score, reals_as_high and looks."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow((row["file"], f"{row['score']:.4f}", f"{row['reals_as_high']:.4f}", row["looks"]))
    return text.getvalue()


def table(report: dict[str, Any]) -> "Table":
    """What the detector can and can't, for a terminal; caught are samples, at 1 % of reals called generated."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    shown = Table(box=SIMPLE_HEAD, pad_edge=False)
    for head in ("samples of", "files", "by", "AUC", "caught at 1 %", "n"):
        shown.add_column(head, justify="left" if head in ("samples of", "files", "by") else "right", overflow="fold")
    for row in report["results"]:
        name = report["run"] if row["samples"] == "own" else report["other"]["run"]
        shown.add_row(name, row["files"], row["by"], _said(row["auc"]), _said(row["caught"]), f"{row['auc']['n']:,}")
    return shown


def _said(figure: dict[str, Any]) -> str:
    low, high = figure["interval"]
    return "–" if figure["value"] == "NaN" else f"{figure['value']:.2f} [{low:.2f}, {high:.2f}]"


def _folder(run: str | PathLike[str], out: str | PathLike[str] | None) -> Path:
    folder = Path(fspath(run)) / "detector" if out is None else Path(fspath(out)).expanduser()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; --out names the folder to write the detector into.")
    return folder


def _rival(run: Run, other: str | PathLike[str] | None) -> Run | None:
    if other is None:
        return None
    rival = load_run(other)
    if rival.path.resolve() == run.path.resolve():
        raise UserError(f"{run.path} was given twice; --other is another run, to see how far the detector carries.")
    shapes = [tuple(one.described["shapes"]["real"]) for one in (run, rival)]
    if shapes[0] != shapes[1]:
        said = " and ".join("x".join(str(side) for side in (*shape[1:], shape[0])) for shape in shapes)
        raise UserError(f"The runs make images of {said}; give --other a run on images of the same size.")
    return rival


def _samples(run: Run, data: Data, n: int, seed: int, part: str) -> np.ndarray:
    """n samples as uint8 [n, H, W, C]; of a translator, what the sources of a part become, n at most."""
    if run.translations:
        samples = run.translated(data, part, n, seed)[0]
    else:
        samples = run.sample_with_labels(n, label="all" if run.classes else None, seed=seed)[0]
    if not bool(samples.isfinite().all()):
        raise UserError(f"{run.path} diverged: its samples hold numbers that are not finite; train a new run.")
    return run.to_items(samples)


def _examined(
    detector: Detector, held: np.ndarray, sides: dict[str, np.ndarray]
) -> tuple[list[dict[str, Any]], dict[str, Curve], np.ndarray]:
    """A row for each side, kind of file and part of the detector; the curves of both parts; the reals' scores."""
    rows, curves, as_made = list[dict[str, Any]](), dict[str, Curve](), detector.scores(held)
    for files, of_reals in (("as made", as_made), (f"JPEG {QUALITY}", detector.scores(as_jpeg(held, QUALITY)))):
        for side, items in sides.items():
            of_samples = detector.scores(items if of_reals is as_made else as_jpeg(items, QUALITY))
            for part in PARTS:
                curve = measure(of_reals[part], of_samples[part])
                figures = {"auc": curve.auc.figure(part), "caught": curve.caught.figure(part)}
                rows.append({"samples": side, "files": files, "by": part, **figures})
            curves[f"{side} samples, {files}"] = curve
    return rows, curves, as_made["both"]


def _described(run: Run, rival: Run | None, data: Data, seed: int) -> dict[str, Any]:
    name = run.path.resolve().name
    notes = [f"Both sides have the {len(np.unique(data.part('train', MOST)[0])):,} levels of the real images."]
    if rival is None:
        notes.append("How it does on another model's samples wasn't measured; --other RUN says, and it is often worse.")
    elif rival.record["data"].get("fingerprint") != data.fingerprint:
        notes.append("The other run was trained on other data, so that what is shown, too, tells its samples apart.")
    return {
        "run": name, "model": run.record["model"], "weights_sha256": run.weights_sha256, "seed": seed,
        "data": {"name": data.name, "fingerprint": data.fingerprint}, "advice": ADVICE, "notes": notes,
        "other": rival and {"run": rival.path.resolve().name, "weights_sha256": rival.weights_sha256},
    }  # fmt: skip


def _rows(detector: Detector, described: dict[str, Any], names: list[str], items: np.ndarray) -> list[dict[str, Any]]:
    scores, reals = detector.scores(items), np.asarray(described["real_scores"])
    as_high = 1 - np.searchsorted(reals, scores["both"], side="left") / len(reals)
    chances = {part: 1 / (1 + np.exp(-scores[part].astype(np.float64))) for part in PARTS}
    return [
        {
            "file": name, "score": float(chances["both"][row]), "spectrum": float(chances["spectrum"][row]),
            "network": float(chances["network"][row]), "reals_as_high": float(as_high[row]),
            "looks": LOOKS[int(scores["both"][row] > 0)].format(run=described["run"]),
        }
        for row, name in enumerate(names)
    ]  # fmt: skip


__all__ = ["apply_detector", "train_detector"]
