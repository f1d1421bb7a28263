"""The trainings of stopping_traces.py in which our rule raised an alarm, trained again and led by the referee's rule.

    python benchmarks/stopping_led.py FOLDER [--only NAME ...]

A replay ends at an alarm; a real training goes back to its best look and on from there more steadily, and is given up
at the third collapse.  So each such training is repeated with the rule at work: the same data, seed and networks, looks
at the same moments.  NAME.led.json in FOLDER says what it cost and what came of it; stopping.py takes up those figures.
"""

import argparse
import copy
import json
import sys
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stopping import Outcome, data_of, features, loss, ours, read
from stopping_traces import LENGTH, LOOKED_AT, few, new_training, problems, samples_of_tick

from elegan.data import Data
from elegan.evaluation.stopping import Watch, Yardstick, decide
from elegan.files import write_atomically
from elegan.training.course import MIDDLE
from elegan.training.loop import Training

LONGEST = 2
"""A led training that never settles ends at so many times the images of the trace."""
State = tuple[dict[str, torch.Tensor], dict[str, Any]]


class Leader:
    """A training that the rule leads, from its first image to its end."""

    def __init__(self, training: Training, data: Data, folder: Path, facts: dict[str, Any]) -> None:
        self.training, self.data, self.folder, self.facts = training, data, folder, facts
        seeing = few(data) if facts["sickness"] == "200 items" else data
        self.eyes = features(folder, f"{facts['problem']}-{facts['train']}", seeing)
        reals = self.eyes.embed(seeing.part("validation")[0][:LOOKED_AT])
        self.yardstick, self.watch = Yardstick.of(reals, LOOKED_AT), Watch()
        self.spent, self.returned, self.returns, self.end = 0, 0, list[int](), ""
        self.best: tuple[State, float] | None = None
        self.last = float("nan")

    def lead(self, most: int) -> dict[str, Any]:
        """What it cost in images, what was delivered, and how it ended."""
        before = 0
        for tick in self.training.play(every=self.facts["every"]):
            self.spent += tick.images - before
            self.see(bool(tick.not_finite))
            before = self.training.images
            if self.end or self.spent >= most:
                break
        delivered = self.best[1] if self.best and (self.watch.last_is_worse or self.last != self.last) else self.last
        return {
            "spent": self.spent, "loss": delivered if isfinite(delivered) else None, "returns": self.returns,
            "end": self.end or ("plateau" if self.training.finished else "budget"),
        }  # fmt: skip

    def see(self, broken: bool) -> None:
        """One look, and what follows from it."""
        drawn = None if broken else samples_of_tick(self.training, self.data)
        broken = drawn is None or not bool(np.isfinite(drawn).all())
        self.last = float("nan")
        if drawn is not None and not broken:
            samples = self.data.to_items(torch.from_numpy(drawn))
            self.watch.sights.append(self.yardstick.sight(self.training.images, self.eyes.embed(samples[:LOOKED_AT])))
            self.last = loss(self.folder, self.facts["problem"], data_of(self.facts["problem"], None, None), samples)
            if self.watch.is_best:
                self.best = copy.deepcopy(self.training.state()), self.last
        self.act_on(broken)

    def act_on(self, broken: bool) -> None:
        """What the rule says follows from the looks so far."""
        course = self.training.course
        patient_from = None if course.cooled_at is not None else max(self.returned, round(MIDDLE * course.total))
        action = decide(self.watch, broken=broken, returns=self.training.steadied, patient_from=patient_from)
        if action == "stop":
            self.end = "given up"
        elif action == "cool":
            self.training.cool()
        elif action == "go back":
            self.go_back()

    def go_back(self) -> None:
        """To the best look and on more steadily."""
        assert self.best is not None
        times = self.training.steadied + 1
        self.returns.append(self.training.images)
        self.training.restore(*copy.deepcopy(self.best[0]))
        self.training.steady(times)
        self.returned, self.last = self.training.images, self.best[1]
        self.watch = Watch([sight for sight in self.watch.sights if sight.images <= self.returned])


def alarmed(folder: Path) -> list[tuple[Path, Outcome]]:
    """The traces of a folder in which the rule raises an alarm."""
    found = ((folder / f"{trace.name}.json", ours(trace)) for trace in read(folder, None, None))
    return [(path, outcome) for path, outcome in found if outcome.alarm is not None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", default=[])
    asked = parser.parse_args()
    for path, outcome in alarmed(asked.folder):
        led = path.with_suffix(".led.json")
        if led.exists() or (asked.only and path.stem not in asked.only):
            continue
        facts = json.loads(path.read_text())
        problem = next(each for each in problems(None, None) if each.name == facts["problem"])
        training, data = new_training(problem, facts["sickness"], facts["seed"])
        told = Leader(training, data, asked.folder, facts).lead(LONGEST * LENGTH * facts["schedules"])
        told["alarm"] = outcome.alarm
        write_atomically(led, json.dumps(told).encode())
        print(f"{path.stem}: alarm at look {outcome.alarm}; {told}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
