"""The commands: their options, the verb that does the work, and what is printed.

The string under an option is its help.  ``--json`` makes the last line of stdout one JSON object.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from tyro.conf import Positional, arg

from elegan.cli.parsing import Flag, Profile, VisibleLabel, is_yes, optional, parse
from elegan.json_values import as_json as plain


@dataclass(frozen=True)
class SampleOptions:
    run: Positional[str]
    """The run folder that train wrote."""
    out: Annotated[str, arg(metavar="PATH")]
    """Where to: one grid (.png), arrays (.npz), files in an archive (.zip), or a folder of 00000.png and so on."""
    n: int = 64
    """How many samples in all."""
    seed: int = 0
    """The same seed draws the same samples."""
    label: Annotated[str | None, optional("CLASS")] = None
    """A class by name or number; "all" deals the samples evenly over the classes."""
    truncation: Annotated[float | None, optional("SHARE")] = None
    """Below 1: nearer to the mean latent, less varied; for models that have it."""
    profile: Profile = None
    visible_label: VisibleLabel = None
    json: Flag = False
    """Print one JSON object as the last line."""


@dataclass(frozen=True)
class EvaluateOptions:
    run: Annotated[Positional[str | None], optional("[RUN]")] = None
    """The run folder that train wrote."""
    run_b: Annotated[Positional[str | None], optional("[RUN_B]")] = None
    """Another run on the same data, to compare it with."""
    samples: Annotated[str | None, optional("PATH")] = None
    """Any generator's samples instead of a run: a folder, an archive, a .npz or .npy file."""
    data: Annotated[str | None, optional("DATA")] = None
    """The data to judge --samples beside, named as for train."""
    size: Annotated[str | None, optional("SIZE")] = None
    """Bring samples and data to one size: 64, or height x width as in 48x64."""
    out: Annotated[str | None, optional("DIR")] = None
    """Where the report of --samples goes (SAMPLES-report), or the comparison (RUN/comparison-with-RUN_B)."""
    n: Annotated[int | None, optional("N")] = None
    """How many samples to judge: of a run 1,000 images or 2,500 vectors, of --samples up to 10,000.  Fewer of
    a run go into report-nN.html and leave the usual report alone."""
    seed: int = 0
    """The seed of a run's samples, and of what is drawn from them."""
    skip_bad: Flag = False
    """Leave out the samples and data that can't be read."""
    features: Annotated[str | None, optional("PATH.pt")] = None
    """A pretrained network to judge --samples by, as TorchScript; only Inception's (inception*.pt) gives an FID."""
    json: Flag = False
    """Print one JSON object as the last line."""


@dataclass(frozen=True)
class DataCheckOptions:
    path: Positional[str]
    """A folder, an archive, an array file, or the name of a built-in data set."""
    size: Annotated[str | None, optional("SIZE")] = None
    """The size that training would use: 64, or height x width as in 48x64."""
    skip_bad: Flag = False
    """Leave out the files that can't be read."""
    sheet: Annotated[str | None, optional("PATH")] = None
    """Also write a picture of what training would see, as .png."""
    json: Flag = False
    """Print one JSON object as the last line."""


@dataclass(frozen=True)
class PlainOptions:
    json: Flag = False
    """Print one JSON object as the last line."""


def sample(words: Sequence[str]) -> int:
    description = "Draw labelled samples from a trained run."
    options = parse(SampleOptions, words, prog="elegan sample", description=description)
    from elegan.verbs.sample import sample as draw

    done = draw(
        options.run, out=options.out, n=options.n, seed=options.seed, label=options.label,
        truncation=options.truncation, profile=options.profile, visible_label=is_yes(options.visible_label),
    )  # fmt: skip
    if not options.json:
        samples = "1 sample" if options.n == 1 else f"{options.n:,} samples"
        print(f"{samples} in {options.out}, labelled as generated.")
    return finish(done, as_json=options.json)


def evaluate(words: Sequence[str]) -> int:
    description = "Judge a run, two runs side by side, or any generator's samples, beside held-out real data."
    options = parse(EvaluateOptions, words, prog="elegan evaluate", description=description)
    from elegan.verbs.evaluate import evaluate as judge

    report = judge(
        options.run, options.run_b, samples=options.samples, data=options.data, size=options.size, out=options.out,
        n=options.n, seed=options.seed, skip_bad=options.skip_bad, features=options.features,
    )  # fmt: skip
    if not options.json:
        _say_verdict(report, options)
    return finish(report, as_json=options.json)


def _say_verdict(report: Mapping[str, Any], options: EvaluateOptions) -> None:
    if options.run_b is not None:
        from elegan.verbs.compare import table

        show(table(report))
    for note in _notes(report):
        print(f"Note: {note}")
    usual = "report.html" if options.run_b is None else "comparison.html"
    folder, page = report.get("out", options.run), report["page"]
    left = "" if page == usual else f"; {usual} there is left to the usual number of samples"
    print(f"{report['sentence']['en']}\nLook at {folder}/{page}{left}.")


def _notes(report: Mapping[str, Any]) -> list[str]:
    """What was done to the samples, and that a run isn't finished."""
    early = [report["unfinished"]["en"]] if report.get("unfinished") else []
    sides = [f"{side.upper()}: {report[side]['note']}" for side in "ab" if "note" in report.get(side, {})]
    return [*report.get("judged", {}).get("notes", []), *early, *sides]


def models(words: Sequence[str]) -> int:
    description = "List the models and their papers."
    options = parse(PlainOptions, words, prog="elegan models", description=description)
    from elegan.verbs.list_models import list_models, table

    found = list_models()
    if not options.json:
        show(table(found))
    return finish({"models": found}, as_json=options.json)


def data_check(words: Sequence[str]) -> int:
    """Exit status 2, with the first problem's sentence, when training would not accept the data."""
    description = "Look for trouble in data before training on it."
    options = parse(DataCheckOptions, words, prog="elegan data check", description=description)
    from elegan.verbs.check_data import check_data, table

    found = check_data(options.path, size=options.size, skip_bad=options.skip_bad, sheet=options.sheet)
    if not options.json:
        show(table(found))
    finish(found, as_json=options.json)
    if not found["ok"]:
        more = f" (and {len(found['problems']) - 1} more)" if len(found["problems"]) > 1 else ""
        first = str(found["problems"][0]).rstrip(".")
        print(f"elegan data check: {options.path} can't be trained on as it is: {first}{more}.", file=sys.stderr)
    return 0 if found["ok"] else 2


def doctor(words: Sequence[str]) -> int:
    description = "What this machine can do for training, and what is missing."
    options = parse(PlainOptions, words, prog="elegan doctor", description=description)
    from elegan.verbs.doctor import doctor as examine
    from elegan.verbs.doctor import table

    found = examine()
    if not options.json:
        show(table(found))
    return finish(found, as_json=options.json)


def finish(result: Mapping[str, Any], *, as_json: bool) -> int:
    """Print the JSON line, where it was asked for, else what a file lacks; the exit status of a command that did all
    it was asked."""
    if as_json:
        print(json.dumps(plain(result), ensure_ascii=False, allow_nan=False), flush=True)
    else:
        for sentence in result.get("provenance", {}).get("missing", []):
            print(f"Note: {sentence}")
    return 0


def show(renderable: Any) -> None:
    from rich.console import Console

    Console(highlight=False).print(renderable)
