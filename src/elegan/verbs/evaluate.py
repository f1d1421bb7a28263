"""`elegan evaluate`: judge a run's generator against data that training never saw."""

from dataclasses import asdict
from os import PathLike
from typing import Any

import numpy as np
from PIL import Image

from elegan.data import Data
from elegan.errors import UserError
from elegan.evaluation.features import Embedder
from elegan.evaluation.judge import Real, judge
from elegan.evaluation.report import pairs_picture, write_report
from elegan.evaluation.verdict import decide
from elegan.json_values import as_json
from elegan.pictures import contact_sheet, grid, scatter
from elegan.verbs.folder import Folder
from elegan.verbs.referee import mixture_of, run_features
from elegan.verbs.run import Run, load_run

SAMPLES = 1_000
SAMPLES_OF_VECTORS = 2_500
SEED_OFFSET = 1_000_003
"""What is judged are other samples than those in the run's pictures."""
SHOWN = 60


def evaluate(run: str | PathLike[str], *, n: int | None = None, seed: int = 0) -> dict[str, Any]:
    """Judge n samples (1,000; 2,500 for vectors) and write report.json and report.html; returns the report.

    The model card follows the new verdict.  Raises UserError for a folder that is no finished run, or when
    its data have changed or are gone.
    """
    for name, value, least in (("n", n, 1), ("seed", seed, 0)):
        if value is not None and (not isinstance(value, int) or value < least):
            raise UserError(f"{name} is {value!r}; it must be a whole number of {least} or more.")
    trained = load_run(run)
    trained.game  # noqa: B018  an unfinished or damaged run is said before its data are opened
    data, folder = trained.open_data(), Folder(trained.path)
    report = write_evaluation(trained, data, run_features(folder, data), n=n, seed=seed)
    folder.write_card()
    return report


def write_evaluation(
    run: Run,
    data: Data,
    features: Embedder,
    *,
    n: int | None = None,
    seed: int = 0,
    diverged: list[str] | None = None,
) -> dict[str, Any]:
    """Measure, decide and write; ``diverged`` names the numbers that ended training, if any did."""
    count = n or (SAMPLES if data.is_image else SAMPLES_OF_VECTORS)
    label = "all" if run.classes else None
    samples, asked = run.sample_with_labels(count, label=label, seed=seed + SEED_OFFSET)
    raw, requested = samples.numpy(), None if asked is None else asked.numpy()
    items = run.to_items(samples.nan_to_num())  # what isn't finite is counted from ``raw``, and measured no further
    log = Folder(run.path).log()
    looks = [line["look"] for line in log if line.get("look")]
    report: dict[str, Any] = judge(items, _real(data), features=features, requested=requested, raw=raw, seed=seed)
    report |= {"run": run.record, "looks": looks, "n": count, "seed": seed}
    report |= {"provenance": asdict(run.label_for(seed + SEED_OFFSET))}
    report |= decide(report, diverged=bool(diverged), looks=looks)
    pictures = _pictures(data, items, requested)
    if data.is_image and "memorisation" in report:
        pictures["pairs"] = pairs_picture(items, data.part("train")[0], report["memorisation"]["pairs"])
    report = dict(as_json(report))  # type: ignore[call-overload]
    write_report(run.path, report, log, pictures)
    return report


def _real(data: Data) -> Real:
    (train, train_labels), (validation, validation_labels) = data.part("train"), data.part("validation")
    test, test_labels = data.part("test")
    return Real(train, validation, test, train_labels, validation_labels, test_labels, data.classes, mixture_of(data))


def _pictures(data: Data, items: np.ndarray, requested: np.ndarray | None) -> dict[str, Image.Image]:
    """Samples beside real items, a row a class where there are classes."""
    test, labels = data.part("test")
    if not data.is_image:
        centres = None if data.modes is None else data.modes.centres[:, :2]
        return {"samples": scatter(items[:, :2], centres), "real": scatter(test[:, :2], centres)}
    if requested is None or labels is None:
        return {"samples": grid(items[:SHOWN], 10), "real": grid(test[:SHOWN], 10)}
    classes = [c for c in range(len(data.classes)) if (labels == c).any() and (requested == c).any()][:20]
    names = [str(data.classes[c]) for c in classes]
    return {
        "samples": contact_sheet([items[requested == c][:8] for c in classes], names),
        "real": contact_sheet([test[labels == c][:8] for c in classes], names),
    }
