"""stylegan beside dcgan: the same data, the same processor minutes, several seeds.

    python benchmarks/stylegan.py [--data avatars] [--size 32] [--minutes 8] [--seeds 3] [--out FOLDER] [KEY=VALUE ...]

Every run is `elegan.train` without the referee, one after the other, for as many images as the median of three probes
says that fit into so many minutes of the processor, which other work doesn't shorten; KEY=VALUE are settings of
stylegan.  The table says how many images were shown in how many seconds, for probes err by up to a fifth.  FD and KID
compare 2,500 samples with the test images, over features that were trained apart from all of them, on half of the
training images with a seed of their own; the last row is training images in place of samples.  Prints a markdown
table, and exits with 1 unless stylegan's FD is the lower one at every seed.  Runs that are in FOLDER already aren't
repeated.
"""

import argparse
import json
import math
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import numpy as np
import torch
from scipy.stats import t
from time_to_quality import SAMPLES, Judge

import elegan
from elegan.data import open_data
from elegan.evaluation.fidelity import frechet_distance, kernel_distance
from elegan.verbs.plan import average_speed, make_plan

MODELS, PROBES = ("stylegan", "dcgan"), 3


@dataclass(frozen=True)
class Result:
    fd: float
    kid: float
    images: int = 0
    seconds: float = 0.0
    """On the clock, while images were shown; both are 0 for real images."""

    def __str__(self) -> str:
        figures = f"{self.fd:.2f} ({self.kid:.3f})"
        return f"{figures}, {self.images:,} in {self.seconds:.0f} s" if self.images else figures


Figures = dict[str, list[Result]]
"""Model → results, one a seed."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="avatars")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("settings", nargs="*")
    asked = parser.parse_args()
    folder = asked.out or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    judge = Judge(open_data(asked.data, size=asked.size), folder)
    figures: Figures = {model: [] for model in MODELS}
    for seed in range(asked.seeds):
        for model in MODELS:
            wish = dict(data=asked.data, size=asked.size, seed=seed, **settings_of(model, asked.settings))
            out = folder / f"{model}-{seed}"
            run = trained(model, out, asked.minutes, wish)
            last = json.loads((out / "log.jsonl").read_text().splitlines()[-1])
            samples = run.to_items(run.sample(SAMPLES, seed=seed + 1000))
            figures[model].append(Result(*judged(judge, samples), last["images"], last["seconds"]))
    null = Result(*judged(judge, judge.data.part("train")[0][:SAMPLES]))
    print(table(figures, null, asked.minutes))
    return 0 if all(gain < 0 for gain in differences(figures)) else 1


def trained(model: str, out: Path, minutes: float, wish: dict[str, Any]) -> elegan.Run:
    """A run for so many processor minutes, or the one that is there."""
    if (out / "generator.safetensors").exists():
        return elegan.load(out)
    plan = make_plan(model, images=1, **wish)
    speed = median(average_speed(plan.new_training(10**12), time.process_time) for _ in range(PROBES))
    return elegan.train(model, out=out, images=round(60 * minutes * speed), referee=False, quiet=True, **wish)


def settings_of(model: str, words: list[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for word in words) if model == "stylegan" else {}


def judged(judge: Judge, images: np.ndarray) -> tuple[float, float]:
    ours = judge.features.embed(images)
    return frechet_distance(ours, judge.real), kernel_distance(ours, judge.real)


def differences(figures: Figures) -> list[float]:
    """stylegan's FD less dcgan's, seed by seed."""
    return [ours.fd - theirs.fd for ours, theirs in zip(figures["stylegan"], figures["dcgan"], strict=True)]


def table(figures: Figures, null: Result, minutes: float) -> str:
    seeds = len(figures["dcgan"])
    rows: list[list[str]] = [["", *(f"seed {seed}" for seed in range(seeds))], ["---"] * (seeds + 1)]
    rows += [[model, *map(str, results)] for model, results in figures.items()]
    rows += [["real against real", *[str(null)] * seeds]]
    title = f"FD (KID) after {minutes:g} processor minutes, {torch.get_num_threads()} threads:"
    gain = f"FD of stylegan less dcgan's: {interval(differences(figures))}"
    return "\n".join([title, "", *(f"| {' | '.join(cells)} |" for cells in rows), "", gain])


def interval(gains: list[float]) -> str:
    """The mean and its 95 % interval over seeds."""
    if len(gains) < 2:
        return f"{mean(gains):+.2f} (one seed: no interval)"
    half = float(t.ppf(0.975, len(gains) - 1)) * stdev(gains) / math.sqrt(len(gains))
    return f"{mean(gains):+.2f}, 95 % interval {mean(gains) - half:+.2f} to {mean(gains) + half:+.2f}"


if __name__ == "__main__":
    sys.exit(main())
