"""Does it help to do what a verdict advises?  Sick trainings, planted; then the first piece of advice, followed.

    python benchmarks/advice.py [--data digits | PATH] [--size 16] [--images 100000] [--seeds 1] [--out DIR]

Each case trains r3gan with one fault, reads the first step of its verdict's first finding, does exactly that, and
trains again with the same seed.  A fault is planted where it makes ill: penalties that are too small or missing do no
harm on a few digits within such a time, so these two play on a grid of Gaussians, for POINTS points.  The verdict has
improved when its code is a better one (BETTER), or when it is the same and the figure that decided it is nearer to its
null, intervals apart.  Prints a markdown table; goes on where it stopped.
"""

import argparse
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

import elegan
from elegan.data import Data, open_data
from elegan.evaluation import advice

MODEL = "r3gan"
FEW = 200
BETTER = (
    "DIVERGED", "COLLAPSED", "LOW_QUALITY", "MISSING_MODE", "OVERFIT", "OVER_GENERALISED", "SCARCE_MODE", "NOT_YET",
    "BUDGET", "PLATEAU", "INDISTINGUISHABLE",
)  # fmt: skip
"""Verdicts from the worst to the best."""

POINTS = 1_000_000
Settings = dict[str, Any]
GRID: Settings = {"data": "grid", "images": POINTS}
FAULTS: Mapping[str, tuple[Settings, Settings]] = {
    "tiny discriminator": ({"discriminator_width": 0.1}, {}),
    "learning rate x8": ({"lr": 8.0}, {}),
    "gamma / 100": ({"gamma": 0.01, "gamma_end": 0.01}, GRID),
    "200 images": ({}, {}),
    "no second penalty": ({"r2": False}, GRID),
}
"""What is planted, and on what if not on the data that were asked for; numbers of lr and gamma are factors of what the
model would choose."""
FACTORS = {"lr", "gamma", "gamma_end"}

FOLLOWED: Mapping[str, Callable[[Settings], Settings]] = {
    advice.MORE_BUDGET[0]: lambda now: {"images": 2 * now["images"]},
    advice.WIDER[0]: lambda now: {"width": 2 * now["width"]},
    advice.HIGHER_GAMMA[0]: lambda now: {"gamma": 3 * now["gamma"]},
    advice.LOWER_GAMMA_END[0]: lambda now: {"gamma_end": now["gamma_end"] / 3},
    advice.LOWER_RATE[0]: lambda now: {"lr": now["lr"] / 2},
    advice.LARGER_BATCH[0]: lambda now: {"batch": 2 * now["batch"]},
    advice.MORE_DATA[0]: lambda now: {"data": now["more_data"]},
    advice.AUGMENT[0]: lambda now: {"augment": ("affine", "cutout")},
}
"""A step of advice → the settings that follow it."""


def follow(step: str, now: Settings) -> Settings:
    """What a person would change who does what the step says."""
    if step in FOLLOWED:
        return FOLLOWED[step](now)
    told = {}
    for name, value in re.findall(r"--([a-z0-9-]+)((?: [^ ,()]+)*) \(here", step):
        on, key = not name.startswith("no-"), name.removeprefix("no-").replace("-", "_")
        told[key] = on if not value else value.split() if len(value.split()) > 1 else value.strip()
    if not told:
        raise ValueError(f"This step can't be followed by a program: {step}")
    return told


def few(data: Data, where: Path) -> Path:
    """A folder with FEW of the training images, dealt evenly over the classes, and all that are held out."""
    for part in ("train", "validation", "test"):
        rows = data.indices(part)
        for index in rows[:FEW] if part == "train" else rows:
            folder = where / part / (data.classes[data.labels[index]] if data.labels is not None else "all")
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(data.items[index].squeeze()).save(folder / f"{index:06d}.png")
    return where


def played(out: Path, asked: Settings) -> dict[str, Any]:
    """The report of a training; of an earlier call, where it is there."""
    settings = {name: value for name, value in asked.items() if name not in ("more_data",)}
    if not (out / "README.md").exists():
        elegan.train(MODEL, out=out, quiet=True, **settings)
    return json.loads((out / "report.json").read_text(encoding="utf-8"))


def improved(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    ranks = [BETTER.index(report["verdict"]) if report["verdict"] in BETTER else -1 for report in (before, after)]
    if ranks[0] != ranks[1]:
        return ranks[1] > ranks[0]
    decisive = before["findings"][0]
    now = after.get(decisive["section"], {}).get(decisive["measure"])
    if not isinstance(now, Mapping):
        return False
    rises = decisive["figure"] < decisive["null"]
    worse, better = (decisive, now) if rises else (now, decisive)
    return bool(worse["interval"][1] < better["interval"][0])


def on(place: Settings, asked: Settings) -> Settings:
    """What is asked, on another place; points have no size."""
    return {key: value for key, value in asked.items() if not (place and key == "size")} | place


def healthy_of(asked: Settings, out: Path) -> Path:
    """The run without a fault on the same data."""
    return out / ("healthy-grid" if asked["data"] == "grid" else "healthy")


def case(name: str, asked: Settings, data: Data, out: Path) -> dict[str, Any]:
    """One fault: the sick run, the step that is taken, and the run after it."""
    planted, place = FAULTS[name]
    asked = on(place, asked)
    usual = json.loads((healthy_of(asked, out) / "run.json").read_text(encoding="utf-8"))["config"]
    fault = {key: value * usual[key] if key in FACTORS else value for key, value in planted.items()}
    sick = {**asked, **fault, "more_data": asked["data"]}
    if name == "200 images":
        sick["data"] = str(out / "few") if (out / "few").exists() else str(few(data, out / "few"))
    slug = re.sub(r"[^a-z0-9]+", "-", name) + ("-grid" if place else "")
    before = played(out / f"{slug}-sick", sick)
    step = before["findings"][0]["steps"][0]
    change = follow(step, {**usual, **sick})
    after = played(out / f"{slug}-followed", {**sick, **change})
    return {"fault": name, "step": step, "before": before, "after": after, "improved": improved(before, after)}


def shown(report: Mapping[str, Any]) -> str:
    """Verdict and KID."""
    kid = report.get("fidelity", {}).get("kernel_distance", {}).get("value")
    return f"{report['verdict']}, KID {kid:.4f}" if isinstance(kid, float) else str(report["verdict"])


def line(found: Mapping[str, Any]) -> str:
    cells = [found["fault"], shown(found["before"]), found["step"], shown(found["after"])]
    return f"| {' | '.join(cells)} | {'yes' if found['improved'] else 'no'} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--size", default="16")
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", default="runs/advice")
    options = parser.parse_args()
    data = open_data(options.data, size=options.size)
    print("| planted | verdict before | first step of its advice | verdict after | improved |\n|---|---|---|---|---|")
    better = 0
    for seed in range(options.seeds):
        out = Path(options.out) / f"seed-{seed}"
        asked = {"data": options.data, "size": options.size, "images": options.images, "seed": seed}
        for place in ({}, GRID):
            told = on(place, asked)
            healthy = played(healthy_of(told, out), told)
            print(f"| none ({told['data']}, seed {seed}) | {shown(healthy)} | | | |", flush=True)
        for name in FAULTS:
            found = case(name, asked, data, out)
            better += found["improved"]
            print(line(found), flush=True)
    print(f"\n{better} of {options.seeds * len(FAULTS)} improved.")


if __name__ == "__main__":
    main()
