"""`elegan evaluate`: judge a run, two runs side by side, or anybody's samples."""

from os import PathLike
from typing import Any

from elegan.errors import UserError
from elegan.verbs.compare import compare
from elegan.verbs.foreign import Source
from elegan.verbs.judge_run import judge_run, write_evaluation
from elegan.verbs.judge_samples import judge_samples


def evaluate(
    run: str | PathLike[str] | None = None,
    other: str | PathLike[str] | None = None,
    *,
    samples: Source | None = None,
    data: str | PathLike[str] | None = None,
    size: Any = None,
    out: str | PathLike[str] | None = None,
    n: int | None = None,
    seed: int = 0,
    skip_bad: bool = False,
    features: str | PathLike[str] | None = None,
) -> dict[str, Any]:
    """Judge, and write what was found; returns the report (of two runs the comparison).

    ``evaluate(run)`` writes RUN/report.json and report.html from n samples (1,000; 2,500 for vectors).
    ``evaluate(run, other)`` writes comparison.json and comparison.html into ``out``, RUN/comparison-with-OTHER when
    not given.  ``evaluate(samples=..., data=...)`` judges a folder, an archive, a .npz or .npy file, an array, a tensor
    [N, C, H, W] (uint8 or in [-1, 1]) or a list of images beside any data, both brought to ``size``, into ``out``,
    SAMPLES-report when not given; ``features`` names a TorchScript file with a pretrained network to judge by
    (:func:`elegan.evaluation.pretrained.pretrained`).  Fewer samples of a run than usual go beside, into report-nN.* or
    comparison-nN.*.  Raises UserError for what can't be judged.
    """
    _refuse_mixture(run, samples, data, size, skip_bad)
    if features is not None and samples is None:
        raise UserError(
            "--features was given with a run, which is judged by features of its own; sample it, and give the samples "
            "with --samples and --data."
        )
    if samples is not None and data is not None:
        return judge_samples(samples, data, size=size, out=out, n=n, seed=seed, skip_bad=skip_bad, features=features)
    assert run is not None
    if other is not None:
        return compare(run, other, out=out, n=n, seed=seed)
    if out is not None:
        raise UserError("--out was given, but a run's report is written into the run; leave it out.")
    return judge_run(run, n=n, seed=seed)


def _refuse_mixture(run: object, samples: object, data: object, size: object, skip_bad: bool) -> None:
    """Raise UserError unless there is a run, or samples with data."""
    if run is None and samples is None and data is None:
        raise UserError("RUN is missing; give a run, two runs to compare, or --samples with --data.")
    if run is not None and (samples is not None or data is not None):
        raise UserError("A run and --samples or --data were given; give a run, which knows its data, or the other two.")
    if run is not None and (size is not None or skip_bad):
        raise UserError("--size and --skip-bad are for --samples; a run knows its size, so leave them out.")
    if run is None and (samples is None or data is None):
        missing, there = ("--data", "--samples") if data is None else ("--samples", "--data")
        raise UserError(f"{there} was given without {missing}; give both, samples and the data to judge them beside.")


__all__ = ["evaluate", "write_evaluation"]
