"""`elegan evaluate RUN_A RUN_B`: two runs on the same data, side by side."""

from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from elegan.data import Data
from elegan.errors import UserError
from elegan.evaluation.case import Case
from elegan.evaluation.comparison import compare_reports, features_of, paired_differences
from elegan.evaluation.estimate import FEWEST, Estimate
from elegan.evaluation.labels import SHARES
from elegan.evaluation.report import counted, name_of, write_comparison
from elegan.evaluation.wording import short
from elegan.json_values import as_json
from elegan.verbs.exhibits import strip_of
from elegan.verbs.folder import Folder
from elegan.verbs.judge_run import default_count, drawn, judge_run
from elegan.verbs.judging import check_number, page_of, real_of
from elegan.verbs.referee import run_features
from elegan.verbs.run import Run, load_run

if TYPE_CHECKING:
    from rich.table import Table

Drawn = tuple[np.ndarray, np.ndarray, np.ndarray | None]


def compare(
    run_a: str | PathLike[str],
    run_b: str | PathLike[str],
    *,
    out: str | PathLike[str] | None = None,
    n: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Judge two runs with the same n and seed, and write comparison.json and comparison.html; returns the former.

    A report that is there already is used where it is of these weights, n and seed.  ``out`` is
    RUN_A/comparison-with-RUN_B when not given.  Fewer samples than usual write comparison-nN.json and .html.
    Raises UserError for runs that can't be judged, or not beside the same data.
    """
    check_number("n", n, 1)
    check_number("seed", seed, 0)
    runs = [load_run(run_a), load_run(run_b)]
    _refuse_unlike(*runs)
    data = runs[0].open_data()
    count, usual = n or default_count(data), default_count(data)
    reports = [_report_of(run, count, usual, seed) for run in runs]
    samples = [drawn(run, data, count, seed) for run in runs]
    names, page = _names(*runs), page_of("comparison", count, usual)
    found = compare_reports(reports[0], reports[1], _paired(runs[0], data, samples, seed), names)
    folder = Path(fspath(out)).expanduser() if out is not None else runs[0].path / f"comparison-with-{names[1]}"
    sides = {
        side: _side(name, run, report, reports[0])
        for side, name, run, report in zip("ab", names, runs, reports, strict=True)
    }
    about = {"n": count, "seed": seed, "features": reports[0].get("features"), "out": str(folder)}
    content = {**sides, **about, "page": f"{page}.html", **found}
    comparison: dict[str, Any] = dict(as_json(content))  # type: ignore[call-overload]
    write_comparison(folder, comparison, _strips(data, samples), name=page)
    return comparison


def _side(name: str, run: Run, report: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, str]:
    said = {"name": name, "path": str(run.path), "verdict": report["verdict"], "sentence": report["sentence"]["en"]}
    notes = [report["unfinished"]["en"]] if report.get("unfinished") else []
    theirs, ours = features_of(report), features_of(first)
    if theirs != ours:
        notes.append(
            f"Its figures are over {theirs}, A's over {ours}; only what was measured again over A's is compared."
        )
    return {**said, "note": " ".join(notes)} if notes else said


def table(comparison: Mapping[str, Any]) -> "Table":
    """The figures side by side, for a terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    sides = (f"{side.upper()}: {comparison[side]['name']}, {comparison[side]['verdict']}" for side in "ab")
    shown = Table(title="\n".join(sides), title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for head in ("measure", "A", "B", "A less B", "real", "n", "better"):
        shown.add_column(head, justify="left" if head == "measure" else "right", overflow="fold")
    for row in comparison["rows"]:
        measure = row["measure"]
        numbers = (row["a"]["value"], row["b"]["value"], row["difference"]["value"], row["a"]["null"])
        name = ", ".join(part for part in (name_of(measure, comparison), row["of"]) if part)
        said = [_number(value, measure) for value in numbers]
        shown.add_row(name, *said, counted(row), (row["better"] or "").upper())
    return shown


def _number(value: object, measure: str) -> str:
    if isinstance(value, int | float) and measure in SHARES:
        return f"{short(100 * value)} %"
    return "–" if value == "NaN" else short(value)


def _refuse_unlike(a: Run, b: Run) -> None:
    if a.path.resolve() == b.path.resolve():
        raise UserError(f"{a.path} was given twice; give two runs to compare.")
    if a.record["data"].get("fingerprint") != b.record["data"].get("fingerprint"):
        described = [f"{run.path} on {run.record['data']['name']} ({_shape(run)})" for run in (a, b)]
        raise UserError(
            f"The runs were trained on other data, {' and '.join(described)}, so that their figures can't be compared; "
            "train both on the same data at the same size."
        )


def _shape(run: Run) -> str:
    return "x".join(str(side) for side in run.record["data"]["shape"])


def _names(a: Run, b: Run) -> tuple[str, str]:
    """The folders' names; with their parents' where they are the same."""
    paths = a.path.resolve(), b.path.resolve()
    if paths[0].name != paths[1].name:
        return paths[0].name, paths[1].name
    first, second = (f"{path.parent.name}-{path.name}" for path in paths)
    return first, second


def _report_of(run: Run, count: int, usual: int, seed: int) -> dict[str, Any]:
    """The report that is there, where it is of these weights, n and seed; else a new one."""
    there = run.read_report(page_of("report", count, usual))
    weights = there.get("provenance", {}).get("weights_sha256")
    if (there.get("n"), there.get("seed"), weights) == (count, seed, run.weights_sha256) and "sizes" in there:
        return there
    return judge_run(run.path, n=count, seed=seed)


def _paired(run: Run, data: Data, samples: list[Drawn], seed: int) -> dict[str, Estimate]:
    """Differences on the samples and reals that the reports' fidelity is of, in the first run's features.

    None where a sample isn't finite, or too few are.
    """
    features = run_features(Folder(run.path), data)
    rows, of_test, _ = Case(samples[0][0], real_of(data), features, seed=seed).sides
    if min(len(rows), len(of_test)) < FEWEST or not all(np.isfinite(raw).all() for _, raw, _ in samples):
        return {}
    a, b = (features.embed(items[rows]) for items, _, _ in samples)
    return paired_differences(a, b, features.embed(data.part("test")[0][of_test]), seed=seed)


def _strips(data: Data, samples: list[Drawn]) -> dict[str, dict[str, Any]]:
    test, labels = data.part("test")
    conditional = all(asked is not None for _, _, asked in samples)
    sides = [(items, asked if conditional else None) for items, _, asked in samples]
    sides.append((test, labels if conditional else None))
    return {
        side: {"strip": strip_of(items, known, len(data.classes))}
        for side, (items, known) in zip(("a", "b", "real"), sides, strict=True)
    }
