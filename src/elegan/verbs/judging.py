"""What all evaluations share: measure samples beside data, decide, say what to try, and write it down."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from elegan.data import Data
from elegan.errors import UserError
from elegan.evaluation.advice import advised, knows_by_heart
from elegan.evaluation.features import Embedder
from elegan.evaluation.judge import Real, judge
from elegan.evaluation.report import write_report
from elegan.evaluation.verdict import decide
from elegan.json_values import as_json
from elegan.verbs.exhibits import albums_of, pictures_of
from elegan.verbs.referee import mixture_of


def check_number(name: str, value: object, least: int) -> None:
    """Raise UserError for what is no whole number of ``least`` or more; None is left to whoever has a default."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if value is not None and not (whole and value >= least):  # type: ignore[operator]
        raise UserError(f"{name} is {value!r}; it must be a whole number of {least} or more.")


def measured(
    items: np.ndarray,
    data: Data,
    features: Embedder,
    *,
    requested: np.ndarray | None,
    raw: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Every figure of the samples beside the data; ``raw`` are the samples before they became 8-bit ``items``."""
    return judge(items, real_of(data), features=features, requested=requested, raw=raw, seed=seed)


def decided(
    report: dict[str, Any],
    *,
    diverged: bool = False,
    looks: Sequence[Mapping[str, Any]] = (),
    ending: str | None = None,
    settings: Mapping[str, object] | None = None,
    usual: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """The report with its verdict, findings and sentence, and with what to try next.

    ``ending`` says who ended a run; ``settings`` are its own and ``usual`` those that its model would have chosen.
    """
    report = report | decide(report, diverged=diverged, looks=looks, ending=ending)
    trend = str(looks[-1].get("trend", "")) if looks else ""
    returns = report.get("returns", [])
    by_heart = knows_by_heart(report.get("equilibrium", {}))
    findings = advised(
        report["findings"], settings=settings, usual=usual, trend=trend, returns=returns, by_heart=by_heart
    )  # fmt: skip
    return {**report, "findings": findings}


def written(
    folder: Path,
    report: Mapping[str, Any],
    log: Sequence[Mapping[str, Any]],
    data: Data,
    items: np.ndarray,
    labels: np.ndarray | None,
    *,
    name: str = "report",
) -> dict[str, Any]:
    """Write NAME.json and NAME.html; returns the report as it is read back, with "page", the latter's name."""
    plain: dict[str, Any] = dict(as_json({**report, "page": f"{name}.html"}))  # type: ignore[call-overload]
    write_report(folder, plain, log, pictures_of(plain, data, items, labels), albums_of(plain, data), name=name)
    return plain


def page_of(name: str, n: int | None, usual: int) -> str:
    """What the files are called: ``name`` alone is that of the usual number of samples or more, which fewer leave
    alone."""
    return name if n is None or n >= usual else f"{name}-n{n}"


def real_of(data: Data) -> Real:
    """The three parts of the data, and what is known of them."""
    (train, train_labels), (validation, validation_labels) = data.part("train"), data.part("validation")
    test, test_labels = data.part("test")
    return Real(train, validation, test, train_labels, validation_labels, test_labels, data.classes, mixture_of(data))
