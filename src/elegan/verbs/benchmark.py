"""`elegan benchmark`: how fast models train here, beside the plain PyTorch step and what the machine can do at most."""

import json
import platform
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import torch

import elegan
from elegan.data.sizes import memory_bytes
from elegan.errors import UserError
from elegan.files import write_atomically
from elegan.json_values import as_json
from elegan.training.cores import cores
from elegan.training.engine import cpu_bf16_units
from elegan.verbs.benchmarking.case import Case, check
from elegan.verbs.benchmarking.duel import Effort, Yardstick, measure
from elegan.verbs.benchmarking.load import Neighbours
from elegan.verbs.benchmarking.progress import Parts
from elegan.verbs.benchmarking.workers import worker

MODELS = ("gan", "dcgan", "cgan", "r3gan")
QUICK = Effort(rounds=2, seconds=0.25, starts=1)
LIMITS = {"channels": (1, 64), "batch": (1, 65_536), "rounds": (1, 1_000), "threads": (1, 1_024)}


def benchmark(
    models: Sequence[str] = (),
    *,
    size: Any = 32,
    channels: int = 1,
    batch: int = 64,
    rounds: int = 5,
    preset: str | None = None,
    threads: int | None = None,
    quick: bool = False,
    plain: bool = True,
    out: str | PathLike[str] | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Measure each model, gan, dcgan, cgan and r3gan when none is named; docs/benchmarks.md says how.

    ``quick`` is a rough look of two short rounds.  Without ``plain`` only elegan's engine is measured.  ``out``
    is a file of JSON lines that receives the result, too.  Raises UserError for a mistake, before anything is
    measured.
    """
    cases = [Case(model, preset, str(size), channels, batch) for model in models or MODELS]
    threads = usual_threads() if threads is None else threads
    check_numbers(channels=channels, batch=batch, rounds=rounds, threads=threads)
    effort = replace(QUICK if quick else Effort(rounds=rounds), plain=plain, threads=threads)
    history = None if out is None else _history(out)
    result = benchmark_cases([(case, effort) for case in cases], quiet=quiet)
    if history is not None:
        append(history, result)
    return result


def benchmark_cases(work: Sequence[tuple[Case, Effort]], *, quiet: bool = False) -> dict[str, Any]:
    """The result for any cases, with settings of their own, each with its effort on the first one's threads.

    Raises UserError for a mistake.
    """
    for case, _ in work:
        check(case)
    threads = work[0][1].threads
    neighbours = Neighbours(threads)
    with Parts(sum(effort.expected() for _, effort in work), quiet=quiet) as parts, worker(threads) as process:
        yardstick = Yardstick(process, threads, neighbours)
        found = [measure(case, effort, yardstick, neighbours, parts) for case, effort in work]
    circumstances = {"load": neighbours.describe(), "ceilings": yardstick.ceilings()}
    return {**describe_machine(threads), **circumstances, "models": found}


def describe_machine(threads: int) -> dict[str, Any]:
    """When, what and where: the machine in general terms."""
    memory = memory_bytes()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "elegan": elegan.__version__,
        "torch": torch.__version__,
        "machine": {
            "system": platform.system(),
            "processor": platform.machine(),
            "cores": cores(),
            "threads": threads,
            "bf16_units": list(cpu_bf16_units()),
            "graphics": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            "memory_gib": None if memory is None else round(memory / 2**30, 1),
            "python": platform.python_version(),
        },
    }


def check_numbers(**given: object) -> None:
    """Raise UserError for a number outside its limits."""
    for name, value in given.items():
        least, most = LIMITS[name]
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise UserError(f"--{name} is {value}; it must be a whole number from {least} to {most:,}.")


def append(history: Path, result: dict[str, Any]) -> None:
    """A line more in a file of JSON lines; a kill or a full disk leaves the lines that were there."""
    before = history.read_bytes() if history.exists() else b""
    separator = b"" if not before or before.endswith(b"\n") else b"\n"
    line = json.dumps(as_json(result), ensure_ascii=False, allow_nan=False).encode() + b"\n"
    write_atomically(history, before + separator + line)


def usual_threads() -> int:
    """What torch takes, where each has a core."""
    return min(torch.get_num_threads(), cores())


def _history(out: str | PathLike[str]) -> Path:
    """The file to append to; raises UserError where that can't be, or would spoil a file of another kind."""
    path = Path(fspath(out)).expanduser()
    if path.is_dir() or not path.parent.is_dir():
        problem = "is a folder" if path.is_dir() else "lies in a folder that doesn't exist"
        raise UserError(f"{path} {problem}; --out names a file to append a line of JSON to.")
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        foreign = not all(isinstance(json.loads(line), dict) for line in lines if line.strip())
    except ValueError:
        foreign = True
    if foreign:
        raise UserError(f"{path} is no history, a JSON object a line; give --out a new file, or one written by it.")
    return path


__all__ = ["benchmark", "benchmark_cases"]
