"""One case, measured: elegan's engine and the plain step by turns, each in a process of its own."""

from collections import defaultdict
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from operator import itemgetter
from typing import Any

from elegan.verbs.benchmarking.case import Case
from elegan.verbs.benchmarking.figures import Figure, figure
from elegan.verbs.benchmarking.load import Neighbours
from elegan.verbs.benchmarking.progress import Parts
from elegan.verbs.benchmarking.start import MOST_TO_START, start
from elegan.verbs.benchmarking.workers import Worker, worker

WARM_UP = 5.0
"""Seconds that starting and warming up a side takes, about."""
CEILING = 0.2
"""Seconds that each ceiling is measured in each round."""
NUMBERS = ("bf16", "float32")
START = 5.0
"""Seconds that a user waits for the first step, about."""


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    rounds: int = 5
    seconds: float = 2.0
    """Of each side in each round; at least one step."""
    starts: int = 3
    plain: bool = True
    threads: int = 1

    def expected(self) -> float:
        """Seconds that a case takes, about."""
        sides = (1 + self.plain) * (WARM_UP + self.rounds * self.seconds)
        return sides + self.rounds * self.ceilings + self.starts * START

    @property
    def ceilings(self) -> float:
        """Seconds that the yardstick takes in a round, about."""
        return 2 * len(NUMBERS) * CEILING


class Side:
    """A side that is warm, and what was measured of it so far."""

    def __init__(self, process: Worker, case: Case, effort: Effort, *, plain: bool) -> None:
        self.process, self.batch = process, case.batch
        self.speeds, self.busy = list[float](), list[float]()
        process.ask("settle", threads=effort.threads, plain=plain)
        self.built = process.ask("build", case=asdict(case), plain=plain)
        step = process.ask("play", steps=1)["seconds"]
        if step < 10 * effort.seconds:  # the first step is slow; a long one tells enough
            step = process.ask("play", steps=2)["seconds"] / 2
        self.steps = max(1, round(effort.seconds / step))
        self.round_seconds = self.steps * step
        self.counted = process.ask("count")

    def play(self, neighbours: Neighbours) -> None:
        """A round: images a second of whole steps, and processor seconds an image."""
        took = neighbours.watch(partial(self.process.ask, "play", steps=self.steps), itemgetter("busy"))
        self.speeds.append(self.steps * self.batch / took["seconds"])
        self.busy.append(took["busy"] / (self.steps * self.batch))

    @property
    def work(self) -> str:
        """What most of its operations are."""
        return max(self.counted["operations"], key=self.counted["operations"].__getitem__)

    def tflops(self) -> list[float]:
        """10¹² operations a second, a round each."""
        return [self._operations * speed / self.batch / 1e12 for speed in self.speeds]

    def figures(self) -> dict[str, Any]:
        """What was measured of this side alone."""
        return {
            "steps_a_round": self.steps,
            "images_per_second": figure(self.speeds, "images/s"),
            "operations": {"value": self._operations, "unit": "FLOP a step"},
            "speed": figure(self.tflops(), "TFLOP/s"),
            "peak_memory": figure([self.process.ask("memory")["bytes"] / 1e6], "MB"),
        }

    @property
    def _operations(self) -> int:
        return sum(self.counted["operations"].values())


class Yardstick:
    """A process that says, between the rounds, what the machine can do at most just then."""

    def __init__(self, process: Worker, threads: int, neighbours: Neighbours) -> None:
        self.process, self.neighbours, self.speeds = process, neighbours, defaultdict[str, list[float]](list)
        process.ask("settle", threads=threads, plain=False)

    def measure(self, work: str) -> dict[str, float]:
        """TFLOP/s of "convolution" or "matrix product", by the numbers' precision."""
        found = {}
        for number in NUMBERS:
            name = f"{work} {number}"
            ask = partial(self.process.ask, "ceiling", name=name, seconds=CEILING)
            answer = self.neighbours.watch(ask, itemgetter("busy"))
            found[number] = answer["speed"] / 1e12
            self.speeds[name].append(found[number])
        return found

    def ceilings(self) -> dict[str, Figure]:
        """All that was measured."""
        return {name: figure(speeds, "TFLOP/s") for name, speeds in self.speeds.items()}


def measure(case: Case, effort: Effort, yardstick: Yardstick, neighbours: Neighbours, parts: Parts) -> dict[str, Any]:
    """All figures of a case; those of the plain step are None where it wasn't played."""
    with ExitStack() as stack:
        sides = []
        for plain in (False, True)[: 1 + effort.plain]:
            parts.begin(f"{case.name}: warming up {'the plain step' if plain else 'elegan'}", WARM_UP)
            sides.append(Side(stack.enter_context(worker(effort.threads)), case, effort, plain=plain))
            parts.learn(effort.rounds * (sides[-1].round_seconds - effort.seconds))
        tops = []
        for number in range(effort.rounds):
            seconds = effort.ceilings + sum(side.round_seconds for side in sides)
            parts.begin(f"{case.name}: round {number + 1} of {effort.rounds}", seconds)
            tops.append(yardstick.measure(sides[0].work)[sides[0].built["precision"]])
            for side in sides[:: -1 if number % 2 else 1]:  # who goes first changes
                side.play(neighbours)
        found = _figures(sides, tops)
    return {"name": case.name, **asdict(case), **found, **_starts(case, effort, parts)}


def _figures(sides: list[Side], tops: list[float]) -> dict[str, Any]:
    ours, theirs = sides[0], sides[1] if len(sides) > 1 else None
    shares = [100 * speed / top for speed, top in zip(ours.tflops(), tops, strict=True)]
    return {
        "precision": ours.built["precision"],
        "engine": ours.built["engine"],
        "one_pass": ours.counted["one_pass"],
        **ours.figures(),
        "ceiling": f"{ours.work} {ours.built['precision']}",
        "share_of_ceiling": figure(shares, "%"),
        "plain": theirs and theirs.figures(),
        "ratio": theirs and _ratio(ours.speeds, theirs.speeds),
        "ratio_of_processor_time": theirs and _ratio(theirs.busy, ours.busy),
    }


def _ratio(over: list[float], under: list[float]) -> Figure:
    """The median of the rounds' own ratios."""
    return figure([a / b for a, b in zip(over, under, strict=True)], "times the plain step")


def _starts(case: Case, effort: Effort, parts: Parts) -> dict[str, Any]:
    """Nothing where the batch is larger than the digits that a start trains on."""
    times, starts = [], effort.starts if case.batch <= MOST_TO_START else 0
    for number in range(starts):
        parts.begin(f"{case.name}: start {number + 1} of {starts}", START)
        times.append(start(case, effort.threads))
    names = ("first_step", "first_picture")
    return {name: figure([time[name] for time in times], "s") if times else None for name in names}
