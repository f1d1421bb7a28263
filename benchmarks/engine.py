"""How fast elegan's engine trains, beside the plain PyTorch step: figures beside their bars.

    python benchmarks/engine.py [--threads N] [--rounds 5] [--only dcgan]   measure, and add a line to the history
    python benchmarks/engine.py --table                                     put the history into docs/benchmarks.md

docs/benchmarks.md says what is measured and how.  The exit status is 1 when a bar is missed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from elegan.files import write_atomically
from elegan.verbs.benchmark import append, benchmark_cases, usual_threads
from elegan.verbs.benchmarking.case import Case
from elegan.verbs.benchmarking.duel import Effort
from elegan.verbs.benchmarking.figures import figure
from elegan.verbs.benchmarking.start import command
from elegan.verbs.benchmarking.workers import environment, worker

HISTORY = Path(__file__).with_name("history_engine.jsonl")
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- made by python benchmarks/engine.py --table -->", "<!-- end of what is made -->"
SHOWN = 6
"""Runs in the table, the newest last."""
OVERHEAD_SECONDS = 60
"""Of steps, about, in the training whose overheads are measured."""
DRAWS = 200

GAN, PAPER_GAN = Case("gan"), Case("gan", "goodfellow2014")
DCGAN, PAPER_DCGAN = Case("dcgan"), Case("dcgan", "radford2015")
# R3GAN's networks for CIFAR-10 with a quarter of their channels: whole, a plain step takes minutes on a processor
R3GAN, PAPER_R3GAN = Case("r3gan"), Case("r3gan", settings={"widths": (192,) * 4, "group": 16, "blocks": 2, "patch": 1})
STARTS = 3
"""How often DCGAN's start is measured."""


@dataclass(frozen=True)
class Bar:
    """What a figure must reach: at least ``least``, and below ``below``."""

    case: Case
    what: str
    unit: str
    least: float = 0.0
    below: float = float("inf")

    @property
    def name(self) -> str:
        return f"{self.case.name}: {self.what.replace('_', ' ')}"

    def __str__(self) -> str:
        return f"at least {self.least:g} {self.unit}" if self.least else f"below {self.below:g} {self.unit}"

    def met(self, value: float) -> bool:
        return self.least <= value < self.below


BARS = (
    Bar(GAN, "ratio", "x", least=1.6),
    Bar(PAPER_GAN, "ratio", "x", least=1.6),
    Bar(DCGAN, "ratio", "x", least=5),
    Bar(PAPER_DCGAN, "ratio", "x", least=5),
    Bar(R3GAN, "ratio", "x", least=4),
    Bar(PAPER_R3GAN, "ratio", "x", least=4),
    Bar(DCGAN, "share_of_ceiling", "%", least=45),
    Bar(PAPER_DCGAN, "share_of_ceiling", "%", least=45),
    Bar(DCGAN, "peak_memory", "MB", below=1200),
    Bar(PAPER_DCGAN, "peak_memory", "MB", below=1200),
    Bar(DCGAN, "first_step", "s", below=6),
    Bar(DCGAN, "overheads", "%", below=5),
)


def main() -> int:
    """1 where a bar is missed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=usual_threads())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("gan", "dcgan", "r3gan"), help="measure one model")
    parser.add_argument("--table", action="store_true", help="put the history into docs/benchmarks.md and stop")
    asked = parser.parse_args()
    if asked.table:
        write_table(PAGE, table(history()))
        return 0
    result = measure(asked.threads, asked.rounds, asked.only)
    append(HISTORY, result)
    for line in lines(result):
        print(line)
    return int(not all(gate["met"] for gate in result["gates"]))


def measure(threads: int, rounds: int, only: str | None = None) -> dict[str, Any]:
    """What `elegan benchmark` would say of the cases, with the overheads of DCGAN, and every bar's figure."""
    cases = [case for case in (DCGAN, PAPER_DCGAN, GAN, PAPER_GAN, R3GAN, PAPER_R3GAN) if only in (None, case.model)]
    work = [(case, Effort(rounds, starts=STARTS if case == DCGAN else 0, threads=threads)) for case in cases]
    result = benchmark_cases(work)
    for found in result["models"]:
        if found["name"] == DCGAN.name:
            found["overheads"] = overheads(DCGAN, threads, found["images_per_second"]["value"])
    named = {found["name"]: found for found in result["models"]}
    gates = [gate(bar, named[bar.case.name]) for bar in BARS if bar.case.name in named]
    return {**result, "gates": gates}


def gate(bar: Bar, found: dict[str, Any]) -> dict[str, Any]:
    """A bar and the figure beside it."""
    return {"gate": bar.name, "bar": str(bar), **found[bar.what], "met": bar.met(found[bar.what]["value"])}


def overheads(case: Case, threads: int, speed: float) -> dict[str, Any]:
    """The share of a real training on digits that isn't spent on learning, in percent of wall time, of one run.

    Ticks (log, pictures, checkpoints) are what passes between the first tick's picture and the last one's beside
    the steps that the log counts; the drawing of data, which is a part of the steps, is timed by itself.
    """
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        images = round(OVERHEAD_SECONDS * speed)
        process = subprocess.Popen(command(case, run, images), stdout=subprocess.DEVNULL, env=environment(threads))
        try:
            ticks = _ticks(run, images, process)
        finally:
            process.kill()
            process.wait()
    (first, began), (last, ended) = ticks[0], ticks[-1]
    between = 100 * (1 - (last["seconds"] - first["seconds"]) / (ended - began))
    data = 100 * _drawing(case, threads) * last["images_per_second"] / case.batch
    return {**figure([between + data], "%"), "ticks": round(between, 2), "data": round(data, 2)}


def _ticks(run: Path, images: int, process: "subprocess.Popen[bytes]") -> list[tuple[dict[str, Any], float]]:
    """Each tick's line of the log with the moment when its picture was there, after the last."""
    while max((int(picture.stem) for picture in (run / "samples").glob("*.png")), default=0) < images:
        if process.poll() is not None:
            raise SystemExit("elegan train ended before its last tick.")
        time.sleep(0.2)
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [(line, (run / "samples" / f"{line['images']:012d}.png").stat().st_mtime) for line in log]


def _drawing(case: Case, threads: int) -> float:
    """Seconds that it takes to draw a batch."""
    with worker(threads) as process:
        process.ask("settle", threads=threads, plain=False)
        process.ask("build", case=asdict(case), plain=False)
        process.ask("draw", batches=DRAWS)
        seconds: float = process.ask("draw", batches=DRAWS)["seconds"]
    return seconds / DRAWS


def lines(result: dict[str, Any]) -> list[str]:
    """A line a bar, and the circumstances; under load the ratio of processor time, too, which suffers less."""
    found = []
    for one in result["gates"]:
        verdict = "met" if one["met"] else "MISSED"
        found.append(f"{one['gate']:66} {_value(one):>20}   bar: {one['bar']:16} {verdict}")
    if not result["load"]["quiet"]:
        for model in result["models"]:
            found.append(
                f"{model['name'] + ': ratio of processor time':66} {_value(model['ratio_of_processor_time']):>20}"
            )
    return [*found, f"on {_where(result)}; other programs kept {result['load']['others_busy_during']} cores busy."]


def history() -> list[dict[str, Any]]:
    """The runs, the newest last."""
    return [json.loads(line) for line in HISTORY.read_text(encoding="utf-8").splitlines()] if HISTORY.exists() else []


def table(runs: list[dict[str, Any]]) -> str:
    """The newest runs as Markdown: a row a bar, a column a run; a figure that misses its bar is in italics."""
    if not runs:
        return "No run has been recorded yet."
    runs = runs[-SHOWN:]
    heads = [f"{run['date']}, elegan {run['elegan']}, torch {run['torch']}, {_where(run)}" for run in runs]
    rows = [["figure", "bar", *heads], ["---"] * (2 + len(runs))]
    for bar in BARS:
        rows.append([bar.name, str(bar), *(_cell(run, bar) for run in runs)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def write_table(page: Path, made: str) -> None:
    """Put it between the page's marks in place of what was there."""
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    write_atomically(page, f"{before}{BEGIN}\n{made}\n{END}{after}".encode())


def _cell(run: dict[str, Any], bar: Bar) -> str:
    for one in run["gates"]:
        if one["gate"] == bar.name:
            return _value(one) if one["met"] else f"*{_value(one)}*"
    return "–"


def _value(found: dict[str, Any]) -> str:
    """ "5.3 (5.1–5.4)"; the median, and the least and the most of several rounds."""
    spread = f" ({found['min']:.3g}–{found['max']:.3g})" if found["rounds"] > 1 else ""
    return f"{found['value']:.3g}{spread}"


def _where(run: dict[str, Any]) -> str:
    machine, quiet = run["machine"], {True: "quiet", False: "busy with other work", None: "load unknown"}
    units = ", ".join(machine["bf16_units"]) or "no bf16 units"
    threads = "1 thread" if machine["threads"] == 1 else f"{machine['threads']} threads"
    return f"{threads} of {machine['cores']} cores ({machine['processor']}, {units}), {quiet[run['load']['quiet']]}"


if __name__ == "__main__":
    sys.exit(main())
