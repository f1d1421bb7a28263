"""Judge a run's generator against data that training never saw."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from elegan.data import Data
from elegan.evaluation.alarms import alarms
from elegan.evaluation.features import Embedder
from elegan.models import find
from elegan.verbs.classifier import classifier_figures
from elegan.verbs.folder import Folder
from elegan.verbs.judging import check_number, decided, measured, page_of, written
from elegan.verbs.plan import make_config
from elegan.verbs.probe import probe_run
from elegan.verbs.referee import run_features
from elegan.verbs.run import Run, load_run
from elegan.verbs.unfinished import unfinished

SAMPLES = 1_000
SAMPLES_OF_VECTORS = 2_500
SEED_OFFSET = 1_000_003
"""What is judged are other samples than those in the run's pictures."""


def judge_run(run: str | PathLike[str], *, n: int | None = None, seed: int = 0) -> dict[str, Any]:
    """Judge n samples (1,000; 2,500 for vectors) and write report.json and report.html; returns the report.

    The model card follows the new verdict.  Fewer samples than usual go into report-nN.json and
    .html, and leaves both alone.  A run before its end is judged by the weights that are saved, and gets no card.
    Raises UserError for a folder that is no run or has no weights yet, or when its data have changed or are gone.
    """
    check_number("n", n, 1)
    check_number("seed", seed, 0)
    trained = load_run(run)
    early = unfinished(trained)
    trained.game  # noqa: B018  a damaged run is said before its data are opened
    data, folder = trained.open_data(), Folder(trained.path)
    before = {} if early or trained.report.get("unfinished") else trained.report
    report = write_evaluation(
        trained, data, run_features(folder, data), n=n, seed=seed, diverged=before.get("diverged"),
        ending=before.get("ending") or _ending(trained, early), early=early,
    )  # fmt: skip
    if not early and report["page"] == "report.html":
        folder.write_card()
    return report


def _ending(run: Run, early: Mapping[str, Any] | None) -> str:
    """What ended a training of which no report says so."""
    if early:
        return str(early["state"])
    return "plateau" if run.record["budget"].get("waits") else "budget"


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
    early: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Measure, decide and write; ``diverged`` names the numbers that ended training, if any did.

    ``ending`` is "plateau" where the referee ended training, "budget" where the budget did, "training" where it hasn't
    ended, else "interrupted".
    ``equilibrium`` holds the probes of a game that is still at hand; else they are made of the run folder's.
    ``early`` is said of a run before its end (:func:`elegan.verbs.unfinished.unfinished`).
    """
    count = n or default_count(data)
    items, raw, requested = drawn(run, data, count, seed)
    log, returns = history(run.path, None if early is None else early["images"])
    looks = [line["look"] for line in log if line.get("look")]
    report = measured(items, data, features, requested=requested, raw=raw, seed=seed)
    if "fidelity" in report:
        report["equilibrium"] = probe_run(run, data, features) if equilibrium is None else equilibrium
    report |= {"run": run.record, "looks": looks, "n": count, "seed": seed}
    report |= {"ending": ending, "diverged": diverged or [], "alarms": alarms_in(log), "returns": returns}
    report |= {} if early is None else {"unfinished": early}
    report |= {"classifier": found} if (found := classifier_figures(run, data)) else {}
    report |= {"provenance": asdict(run.label_for(seed + SEED_OFFSET))}
    report = decided(
        report, diverged=bool(diverged), looks=looks, ending="interrupted" if early else ending,
        settings=run.record["config"], usual=usual_settings(run, data),
    )  # fmt: skip
    name = page_of("report", n, default_count(data))
    return written(run.path, report, log, data, items, requested, name=name)


def history(path: Path, until: int | None) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The log's ticks, and the times that training went back; those to so many images shown where ``until`` says."""
    folder = Folder(path)
    ticks, returns = folder.log(), folder.returns()
    if until is None:
        return ticks, returns
    return [line for line in ticks if line["images"] <= until], [line for line in returns if line["to"] <= until]


def alarms_in(log: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The signs of trouble at each tick, with the images shown by then."""
    return [
        {"images": line["images"], **alarm} for index, line in enumerate(log) for alarm in alarms(log[: index + 1])
    ]  # fmt: skip


def drawn(run: Run, data: Data, count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """The samples that are judged, as items and raw, and the labels that were asked for; the same each time.

    Of a translator: what the validation sources become, as many as there are, and the sources' labels.  They are judged
    beside the test reals, since no sample may come from a source whose own picture it is compared with.
    """
    if run.translations:
        translated, kept = run.translated(data, "validation", count, seed)
        return run.to_items(translated.nan_to_num()), translated.numpy(), kept
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
