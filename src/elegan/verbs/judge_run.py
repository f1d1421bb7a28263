"""Judge a run's generator against data that training never saw."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from os import PathLike
from typing import Any

import numpy as np

from elegan.data import Data
from elegan.evaluation.alarms import alarms
from elegan.evaluation.features import Embedder
from elegan.models import find
from elegan.verbs.folder import Folder
from elegan.verbs.judging import check_number, decided, measured, written
from elegan.verbs.plan import make_config
from elegan.verbs.probe import probe_run
from elegan.verbs.referee import run_features
from elegan.verbs.run import Run, load_run

SAMPLES = 1_000
SAMPLES_OF_VECTORS = 2_500
SEED_OFFSET = 1_000_003
"""What is judged are other samples than those in the run's pictures."""


def judge_run(run: str | PathLike[str], *, n: int | None = None, seed: int = 0) -> dict[str, Any]:
    """Judge n samples (1,000; 2,500 for vectors) and write report.json and report.html; returns the report.

    The model card follows the new verdict.  Raises UserError for a folder that is no finished run, or when
    its data have changed or are gone.
    """
    check_number("n", n, 1)
    check_number("seed", seed, 0)
    trained = load_run(run)
    trained.game  # noqa: B018  an unfinished or damaged run is said before its data are opened
    data, folder, before = trained.open_data(), Folder(trained.path), trained.report
    report = write_evaluation(
        trained, data, run_features(folder, data), n=n, seed=seed, diverged=before.get("diverged"),
        ending=before.get("ending") or ("budget" if folder.finished else "interrupted"),
    )  # fmt: skip
    folder.write_card()
    return report


def write_evaluation(
    run: Run,
    data: Data,
    features: Embedder,
    *,
    n: int | None = None,
    seed: int = 0,
    ending: str,
    diverged: list[str] | None = None,
    equilibrium: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Measure, decide and write; ``diverged`` names the numbers that ended training, if any did.

    ``ending`` is "plateau" where the referee ended training, "budget" where the budget did, else "interrupted".
    ``equilibrium`` holds the probes of a game that is still at hand; else they are made of the run folder's.
    """
    count = n or default_count(data)
    items, raw, requested = drawn(run, count, seed)
    log = Folder(run.path).log()
    looks = [line["look"] for line in log if line.get("look")]
    report = measured(items, data, features, requested=requested, raw=raw, seed=seed)
    if "fidelity" in report:
        report["equilibrium"] = probe_run(run, data, features) if equilibrium is None else equilibrium
    report |= {"run": run.record, "looks": looks, "n": count, "seed": seed}
    report |= {"ending": ending, "diverged": diverged or [], "alarms": alarms_in(log)}
    report |= {"provenance": asdict(run.label_for(seed + SEED_OFFSET))}
    report = decided(
        report, diverged=bool(diverged), looks=looks, ending=ending, settings=run.record["config"],
        usual=usual_settings(run, data),
    )  # fmt: skip
    return written(run.path, report, log, data, items, requested)


def alarms_in(log: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The signs of trouble at each tick, with the images shown by then."""
    return [
        {"images": line["images"], **alarm} for index, line in enumerate(log) for alarm in alarms(log[: index + 1])
    ]  # fmt: skip


def drawn(run: Run, count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """The samples that are judged, as items and raw, and the labels that were asked for; the same each time."""
    label = "all" if run.classes else None
    samples, asked = run.sample_with_labels(count, label=label, seed=seed + SEED_OFFSET)
    items = run.to_items(samples.nan_to_num())  # what isn't finite is counted from the raw ones, and judged no further
    return items, samples.numpy(), None if asked is None else asked.numpy()


def default_count(data: Data) -> int:
    return SAMPLES if data.is_image else SAMPLES_OF_VECTORS


def usual_settings(run: Run, data: Data) -> dict[str, Any]:
    """What the run's model and preset would have chosen by themselves for these data."""
    model = str(run.record["model"])
    game = find(model)
    return asdict(game.settled(make_config(model, game, run.record["preset"], {}), data.spec))
