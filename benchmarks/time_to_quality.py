"""Seconds from the start of the process until KID stays below a level: elegan's defaults beside the popular DCGAN.

    python benchmarks/time_to_quality.py DATA [--size 32] [--seeds 3] [--minutes 10] [--out FOLDER]

Both play without labels.  KID is measured on test images over features that were trained apart from both, on half of
the training images with a seed of their own; 2,500 samples against 5,000 test images (or as many as there are).

- The popular DCGAN (`benchmarks/plain_dcgan.py`) plays for ``--minutes`` with three learning rates and seed 0; the
  best of them plays the other seeds.  Its level is the KID that this learning rate ends with, the median of the seeds.
- elegan runs as users run it, `elegan train MODEL --minutes M` in a process of its own with the referee; its averaged
  weights are taken from its checkpoints as they appear, and a checkpoint's time is when its file was there.

Runs that are in FOLDER already aren't repeated.  ``--plain-speed`` counts the plain side's seconds from its images, at
so many a second, where it had to run on a machine that others used.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import plain_dcgan
import torch
from safetensors.torch import load_file

from elegan.data import Data, open_data
from elegan.evaluation.features import Embedder, load_features, train_features
from elegan.evaluation.fidelity import kernel_distance
from elegan.game import Random
from elegan.models import find

RATES = (1e-4, 2e-4, 4e-4)
LEVELS = (0.5, 0.2, 0.1, 0.05)
SAMPLES, REALS, KEPT = 2_500, 5_000, 3
FEATURES_SEED = 77
Course = list[tuple[float, float]]
"""(seconds, KID), one a snapshot."""


class Judge:
    """KID over features trained apart from what is judged."""

    def __init__(self, data: Data, folder: Path) -> None:
        self.data, path = data, folder / "features.safetensors"
        if not path.exists():
            apart_features(data).save(path)
        self.features: Embedder = load_features(path)
        self.real = self.features.embed(data.part("test")[0][:REALS])

    def __call__(self, images: np.ndarray) -> float:
        return kernel_distance(self.features.embed(images), self.real)

    @property
    def null(self) -> float:
        """Real against real: training images in place of samples."""
        return self(self.data.part("train")[0][:SAMPLES])


def apart_features(data: Data) -> Embedder:
    images, labels = data.part("train")
    rows = np.random.default_rng(FEATURES_SEED).permutation(len(images))[: len(images) // 2]
    held_images, held_labels = data.part("validation")
    held_out = None if held_labels is None else (held_images, held_labels)
    return train_features(images[rows], None if labels is None else labels[rows], held_out=held_out, seed=FEATURES_SEED)


def plain_course(judge: Judge, folder: Path, images: Path, minutes: float, rate: float, seed: int, speed: float | None
                 ) -> Course:  # fmt: skip
    """The popular DCGAN's."""
    out = folder / f"plain-{rate:g}-{seed}"
    if not (out / "done").exists():
        say(f"popular DCGAN, learning rate {rate:g}, seed {seed}: {minutes:g} minutes")
        script = Path(plain_dcgan.__file__)
        words = [str(images), str(out), "--lr", str(rate), "--minutes", str(minutes), "--seed", str(seed)]
        subprocess.run([sys.executable, str(script), *words], check=True)
        (out / "done").touch()
    course, (height, _, channels) = [], judge.data.items.shape[1:]
    for shown, seconds in json.loads((out / "times.json").read_text()).items():
        state = torch.load(out / f"{int(shown):09d}.pt", weights_only=True)
        samples = plain_dcgan.draw(state, height, channels, SAMPLES, seed=9)
        at = int(shown) / speed if speed else seconds
        if at <= 60 * minutes + 1:
            course.append((at, judge(samples)))
    return course


def our_course(judge: Judge, folder: Path, asked: argparse.Namespace, minutes: float, seed: int) -> Course:
    """elegan's."""
    out, kept = folder / f"{asked.model}-{minutes:g}-{seed}", folder / f"{asked.model}-{minutes:g}-{seed}-kept"
    kept.mkdir(exist_ok=True)
    if not (out / "README.md").exists():
        say(f"elegan train {asked.model}, seed {seed}: {minutes:g} minutes")
        _train_and_keep(out, kept, asked, minutes, seed)
    record = json.loads((out / "run.json").read_text())
    game = find(asked.model).Config(**{k: _tuple(v) for k, v in record["config"].items()})
    game = find(asked.model)(game, judge.data.spec).eval()
    course = []
    for file in sorted(kept.glob("*.safetensors")):
        start = json.loads((kept / "started.json").read_text())
        samples = _our_samples(game, file)
        course.append((file.stat().st_mtime - start, judge(judge.data.to_items(samples))))
    return course


def _train_and_keep(out: Path, kept: Path, asked: argparse.Namespace, minutes: float, seed: int) -> None:
    """Run the command, and keep each checkpoint by a second link to its file, which costs the run nothing."""
    words = [asked.model, "--data", asked.data, "--size", str(asked.size), "--out", str(out), "--minutes", str(minutes)]
    words += ["--seed", str(seed), *(["--no-conditional"] if asked.model == "r3gan" else [])]
    (kept / "started.json").write_text(json.dumps(time.time()))
    process = subprocess.Popen([sys.executable, "-m", "elegan", "train", *words], stdout=subprocess.DEVNULL)
    while process.poll() is None:
        time.sleep(0.1)
        for file in (out / "checkpoints").glob("[0-9]*.safetensors"):
            if not (kept / file.name).exists():
                os.link(file, kept / file.name)
    if process.returncode:
        sys.exit(f"elegan train ended with {process.returncode}")


@torch.no_grad()
def _our_samples(game: torch.nn.Module, file: Path) -> torch.Tensor:
    state = load_file(file)
    for name in game.deliver:
        prefix = f"average.{name}."
        mine = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        game.get_submodule(name).load_state_dict(mine)
    return torch.cat([game.sample(500, {}, Random((9, part))) for part in range(SAMPLES // 500)])


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def reached(course: Course, level: float) -> float | None:
    """Seconds until the first of KEPT snapshots in a row that are all at or below the level."""
    for index in range(len(course) - KEPT + 1):
        if all(kid <= level for _, kid in course[index : index + KEPT]):
            return round(course[index][0], 1)
    return None


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def main() -> int:
    """1 where the level that the popular DCGAN ends with isn't reached within a minute in every seed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--model", default="r3gan")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--short", type=float, default=1.5, help="minutes of elegan's runs that are to be quick")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--plain-speed", type=float)
    parser.add_argument("--long-seeds", type=int, default=1, help="elegan's runs of --minutes")
    parser.add_argument("--out", type=Path, default=Path(tempfile.mkdtemp()))
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    data = open_data(asked.data, size=asked.size)
    judge, images = Judge(data, asked.out), asked.out / "train.npy"
    np.save(images, data.part("train")[0])

    def plain(rate: float, seed: int) -> Course:
        return plain_course(judge, asked.out, images, asked.minutes, rate, seed, asked.plain_speed)

    by_rate = {rate: plain(rate, 0) for rate in RATES}
    best = min(by_rate, key=lambda rate: by_rate[rate][-1][1])
    plains = [by_rate[best], *(plain(best, seed) for seed in range(1, asked.seeds))]
    level = median(course[-1][1] for course in plains)
    shorts = [our_course(judge, asked.out, asked, asked.short, seed) for seed in range(asked.seeds)]
    longs = [our_course(judge, asked.out, asked, asked.minutes, seed) for seed in range(asked.long_seeds)]
    levels = sorted({*LEVELS, round(level, 4)}, reverse=True)
    result = {
        "data": data.name, "features": judge.features.name, "null": judge.null, "minutes": asked.minutes,
        "popular_dcgan": {
            "learning_rates": {f"{rate:g}": course[-1][1] for rate, course in by_rate.items()}, "best": best,
            "final": [course[-1][1] for course in plains], "level": level,
            "seconds": {str(at): [reached(course, at) for course in plains] for at in levels},
        },
        asked.model: {
            "short_minutes": asked.short, "short_final": [course[-1][1] for course in shorts],
            "short_seconds": {str(at): [reached(course, at) for course in shorts] for at in levels},
            "final": [course[-1][1] for course in longs],
            "seconds": {str(at): [reached(course, at) for course in longs] for at in levels},
        },
        "courses": {"popular_dcgan": plains, f"{asked.model} short": shorts, asked.model: longs},
    }  # fmt: skip
    print(json.dumps(result))
    times = [reached(course, level) for course in shorts]
    say(f"The popular DCGAN's level of {level:.3f} was reached after {times} s; the bar is 60 s in every seed.")
    return int(not all(at is not None and at <= 60 for at in times))


if __name__ == "__main__":
    sys.exit(main())
