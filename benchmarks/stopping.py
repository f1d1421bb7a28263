"""How well rules for stopping do, replayed on recorded traces: regret, overspend, false stops, alarms.

    python benchmarks/stopping.py FOLDER [--json]      traces by benchmarks/stopping_traces.py

The oracle is the tick with the smallest loss that the rule never saw: on mixtures the total variation between the
samples and the exact distribution over cells (each mode's three equal shells, and outside), on images KID over features
trained apart, on the test part, with other samples.

- regret: (loss returned − least loss) / (what this training gains over its first tick, or a healthy one of the
  problem if that is more)
- overspend: images when the rule stopped, cooling included, over those of the oracle's tick, less 1
- a false stop leaves more than a tenth of that scale to be gained within twice the images
- "tuned on the others" is our rule with the patience that does best on all problems but the one that it is
  measured on
- a training is ill from when the loss has risen by a quarter of that, or numbers are no longer finite; an alarm
  within two ticks has caught it, and a rule that stopped before was spared it; an alarm is false in a training that
  never is ill and gains a tenth or more
- at an alarm our rule doesn't stop but goes back and on more steadily, which no record can show: where stopping_led.py
  has trained on from there, what that cost and gave counts, else what there was at the alarm
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from stopping_traces import LOOKED_AT, few, problems

from elegan.data import Data
from elegan.evaluation import stopping
from elegan.evaluation.features import Coordinates, Embedder, load_features, train_features
from elegan.evaluation.fidelity import kernel_distance
from elegan.evaluation.stopping import Sight, Watch, Yardstick
from elegan.training.course import MIDDLE, REST

APART = 77
"""The seed of the oracle's features."""
RISEN = 0.25
WORTH = 0.1
DRAWS = 2_000
PATIENCES, CERTAINTIES = (10, 12, 16, 20), (0.5, 1.0, 1.64)
OVERSPEND = 0.35


@dataclass(frozen=True)
class Trace:
    """What rules may see of a training, and what they may not: ``loss``."""

    name: str
    problem: str
    sickness: str
    images: np.ndarray
    finite: np.ndarray
    sights: list[Sight]
    accuracy: np.ndarray
    generator: np.ndarray
    loss: np.ndarray
    gaps: np.ndarray
    every: int
    schedules: int
    led: dict[str, Any] | None = None
    """What came of the same training when our rule led it (stopping_led.py); where it raised no alarm, None."""


@dataclass(frozen=True)
class Outcome:
    """Where a rule stopped (a tick, and images with what its end costs), what it returns, and its first alarm."""

    stopped: int
    spent: float
    returned: int
    alarm: int | None = None
    loss: float | None = None
    """Of what is returned, where that is no tick of the trace."""


def ours(trace: Trace) -> Outcome:
    """The referee's: the last tick, or the best where the last is clearly worse."""
    watch = Watch()
    for tick, sight in enumerate(trace.sights):
        watch.sights.append(sight)
        if watch.has_collapsed and trace.led and trace.led.get("alarm") == tick and trace.led["loss"] is not None:
            return Outcome(tick, trace.led["spent"], tick, tick, trace.led["loss"])
        if watch.has_collapsed:
            return Outcome(tick, sight.images, _best_of(trace, watch), tick)
        if watch.has_settled(since=round(MIDDLE * trace.schedules)):
            return Outcome(tick, sight.images * (1 + REST), _best_of(trace, watch) if watch.last_is_worse else tick)
    end = len(trace.sights) - 1
    broken = end if not trace.finite.all() else None
    return Outcome(end, trace.images[end], _best_of(trace, watch) if broken or watch.last_is_worse else end, broken)


def last(trace: Trace) -> Outcome:
    end = len(trace.sights) - 1
    return Outcome(end, trace.images[end], end)


def fixed(trace: Trace) -> Outcome:
    """The images that the schedules are made for."""
    end = int(np.searchsorted(trace.images, trace.schedules).clip(0, len(trace.sights) - 1))
    return Outcome(end, trace.images[end], end)


def best_frechet(trace: Trace, patience: int = 8) -> Outcome:
    """Stop when FD hasn't been lower for so many ticks; return the lowest."""
    best = 0
    for tick, sight in enumerate(trace.sights):
        if sight.frechet < trace.sights[best].frechet:
            best = tick
        if tick - best >= patience:
            return Outcome(tick, trace.images[tick], best)
    return Outcome(len(trace.sights) - 1, trace.images[len(trace.sights) - 1], best)


def half_and_half(trace: Trace) -> Outcome:
    """Stop when the discriminator orders 45 to 55 % of held-out pairs rightly, twice in a row."""
    guesses = np.abs(trace.accuracy - 0.5) <= 0.05
    return _first(trace, guesses[1:] & guesses[:-1])


def loss_plateau(trace: Trace, over: int = 8) -> Outcome:
    """Stop when the mean of the generator's loss over 8 ticks is within 1 % of that of the 8 before."""
    means = np.convolve(trace.generator, np.ones(over) / over, "valid")
    level = np.abs(means[over:] - means[:-over]) <= 0.01 * np.abs(means[:-over])
    return _first(trace, np.concatenate([np.zeros(2 * over - 2, bool), level]))


def least_gap(trace: Trace, patience: int = 8) -> Outcome:
    """Stop when the duality gap hasn't been lower for so many ticks; return the lowest."""
    stop = next((t for t in range(len(trace.gaps)) if t - int(trace.gaps[: t + 1].argmin()) >= patience), None)
    tick = len(trace.sights) - 1 if stop is None else stop
    return Outcome(tick, trace.images[tick], int(trace.gaps[: tick + 1].argmin()))


RULES: dict[str, Callable[[Trace], Outcome]] = {
    "elegan": ours, "last": last, "fixed budget": fixed, "best FD, patience 8": best_frechet,
    "discriminator at 50 %": half_and_half, "loss plateau": loss_plateau, "duality gap, patience 8": least_gap,
}  # fmt: skip


def _first(trace: Trace, stops: np.ndarray) -> Outcome:
    ticks = np.flatnonzero(stops)
    tick = min(int(ticks[0]) + 1, len(trace.sights) - 1) if len(ticks) else len(trace.sights) - 1
    return Outcome(tick, trace.images[tick], tick)


def _best_of(trace: Trace, watch: Watch) -> int:
    return int(np.flatnonzero(trace.images == watch.best.images)[0]) if watch.best else 0


@cache
def data_of(problem: str, extra: str | None, size: str | None) -> Data:
    return next(found for found in problems(extra, size) if found.name == problem).data()


def read(folder: Path, extra: str | None, size: str | None) -> Iterator[Trace]:
    """The traces of a folder, of ten ticks at least."""
    for path in sorted(folder.glob("*.json")):
        facts = json.loads(path.read_text())
        if "ticks" not in facts:
            continue
        kept = path.with_suffix(".seen.npz")
        if not kept.exists():
            np.savez(kept, **measured(folder, path, facts, data_of(facts["problem"], extra, size)))
        seen = np.load(kept)
        if len(seen["loss"]) < 10:
            print(f"{path.stem}: {len(seen['loss'])} ticks, left out", file=sys.stderr)
            continue
        ticks = facts["ticks"][: len(seen["loss"])]
        generator = [next(v for k, v in line["terms"].items() if k.startswith("generator/")) for line in ticks]
        finite = np.array([line["finite"] for line in facts["ticks"]])
        yield Trace(
            path.stem, facts["problem"], facts["sickness"], np.array([line["images"] for line in ticks]),
            finite, [Sight(int(row[0]), *row[1:]) for row in seen["sights"]],
            seen["accuracy"], np.array(generator, float), seen["loss"],
            np.array(facts.get("gaps", []), float), facts["every"], facts["schedules"], led_by_rule(path),
        )  # fmt: skip


def led_by_rule(path: Path) -> dict[str, Any] | None:
    led = path.with_suffix(".led.json")
    return json.loads(led.read_text()) if led.exists() else None


def measured(folder: Path, path: Path, facts: dict[str, Any], data: Data) -> dict[str, np.ndarray]:
    """What a referee would have seen of each tick, and how good it was."""
    print(f"{path.stem}: measuring", file=sys.stderr, flush=True)
    arrays = np.load(path.with_suffix(".npz"))
    samples, scores = arrays["samples"], arrays["scores"]
    seeing = few(data) if facts["sickness"] == "200 items" else data
    eyes = features(folder, f"{facts['problem']}-{facts['train']}", seeing)
    reals = eyes.embed(data.part("validation")[0][:LOOKED_AT])
    yardstick = Yardstick.of(reals, LOOKED_AT)
    sights = [
        astuple(yardstick.sight(line["images"], eyes.embed(drawn[:LOOKED_AT])))
        for line, drawn in zip(facts["ticks"], samples, strict=False)
    ]
    accuracy = [float((np.array(row[1])[:, None] > np.array(row[2])[None]).mean()) for row in scores]
    return {
        "sights": np.array(sights), "accuracy": np.array(accuracy),
        "loss": np.array([loss(folder, facts["problem"], data, drawn) for drawn in samples]),
    }  # fmt: skip


def features(folder: Path, name: str, data: Data, seed: int | None = None) -> Embedder:
    """Features learnt on the training part, kept in the folder."""
    if not data.is_image:
        return Coordinates(data.items.shape[1], data.scale)
    path = folder / f"features-{name}-{seed}.safetensors"
    if not path.exists():
        images, labels = data.part("train")
        train_features(images, labels, **({} if seed is None else {"seed": seed})).save(path)
    return load_features(path)


def loss(folder: Path, problem: str, data: Data, samples: np.ndarray) -> float:
    """What no rule sees."""
    unseen = samples[LOOKED_AT:]
    if data.modes is not None:
        return total_variation(unseen, data.modes.centres, data.modes.sigma)
    eyes = features(folder, problem, data, seed=APART)
    return kernel_distance(eyes.embed(unseen), eyes.embed(data.part("test")[0]))


def total_variation(samples: np.ndarray, centres: np.ndarray, sigma: float) -> float:
    """Between the samples' shares of cells and the exact ones: thirds of each mode's 3 sigma disc, and outside."""
    squares = ((samples[:, None].astype(float) - centres[None]) ** 2).sum(axis=2) / sigma**2
    nearest = squares.argmin(axis=1)
    inner = 1 - np.exp(-4.5)
    bounds = -2 * np.log1p(-inner * np.array([1, 2]) / 3)
    shell = np.searchsorted(np.append(bounds, 9.0), squares.min(axis=1))
    cells = np.where(shell == 3, 3 * len(centres), 3 * nearest + shell)
    shares = np.bincount(cells, minlength=3 * len(centres) + 1) / len(samples)
    exact = np.append(np.full(3 * len(centres), inner / 3 / len(centres)), np.exp(-4.5))
    return float(np.abs(shares - exact).sum() / 2)


def smooth(values: np.ndarray) -> np.ndarray:
    """Medians of three, against the luck of one draw of samples."""
    padded = np.pad(values, 1, mode="edge")
    return np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)


def scales(traces: list[Trace]) -> dict[str, float]:
    """What there is to gain in each problem: the loss that a healthy training takes away, the median of the seeds."""
    gains: dict[str, list[float]] = {}
    for trace in traces:
        if trace.sickness == "healthy":
            gains.setdefault(trace.problem, []).append(float(trace.loss[0] - smooth(trace.loss).min()))
    return {problem: float(np.median(values)) for problem, values in gains.items()}


def figures(trace: Trace, outcome: Outcome, scale: float) -> dict[str, Any]:
    losses = trace.loss
    best = int(losses.argmin())
    returned = float(losses[outcome.returned]) if outcome.loss is None else outcome.loss
    least = min(returned, float(losses[best]))
    scale = max(scale, float(losses[0] - losses[best]))
    ahead = losses[: int(np.searchsorted(trace.images, 2 * outcome.spent, side="right"))]
    fallen = ill_from(smooth(losses), trace.finite, scale)
    return {
        "regret": (returned - least) / scale,
        "overspend": outcome.spent / trace.images[best] - 1,
        "false_stop": bool((returned - float(ahead.min())) / scale > WORTH),
        "ill_from": fallen, "learnt": bool(losses[0] - losses[best] > WORTH * scale), "alarm": outcome.alarm,
        "stopped": outcome.stopped, "best": best,
    }  # fmt: skip


def ill_from(losses: np.ndarray, finite: np.ndarray, scale: float) -> int | None:
    """The second tick of three in a row at which a quarter of the scale is lost; or that of numbers not finite."""
    ill = losses - np.minimum.accumulate(losses) > RISEN * scale
    for start in np.flatnonzero(ill):
        if ill[start : start + 3].all():
            return int(start) + 1
    return None if finite.all() else len(losses) - 1


def summary(found: list[dict[str, Any]]) -> dict[str, Any]:
    regrets, spends = ([row[name] for row in found] for name in ("regret", "overspend"))
    fallen = [row for row in found if row["ill_from"] is not None]
    caught = [row for row in fallen if row["alarm"] is not None and abs(row["alarm"] - row["ill_from"]) <= 2]
    early = [row for row in fallen if row["stopped"] < row["ill_from"]]
    return {
        "traces": len(found), "regret": float(np.median(regrets)), "regret_90": float(np.quantile(regrets, 0.9)),
        "regret_mean": float(np.mean(regrets)), "overspend": float(np.median(spends)),
        "overspend_90": float(np.quantile(spends, 0.9)),
        "false_stops": float(np.mean([row["false_stop"] for row in found])),
        "fell_ill": len(fallen), "caught": len(caught), "stopped_before": len(early),
        "false_alarms": sum(row["alarm"] is not None and row["ill_from"] is None and row["learnt"] for row in found),
    }  # fmt: skip


def leave_one_out(traces: list[Trace], scale: dict[str, float]) -> list[dict[str, Any]]:
    """Our rule on each problem with the patience that does best on all the others."""
    chosen = stopping.LOOKS, stopping.DEVIATIONS
    rows: dict[tuple[int, float], list[dict[str, Any]]] = {}
    for setting in product(PATIENCES, CERTAINTIES):
        stopping.LOOKS, stopping.DEVIATIONS = setting
        rows[setting] = [figures(trace, ours(trace), scale[trace.problem]) for trace in traces]
    stopping.LOOKS, stopping.DEVIATIONS = chosen
    found: dict[int, dict[str, Any]] = {}
    for problem in {trace.problem for trace in traces}:
        inside = [index for index, trace in enumerate(traces) if trace.problem == problem]
        others = [index for index in range(len(traces)) if index not in inside]
        best = min(rows, key=lambda setting: _badness([rows[setting][index] for index in others]))
        for index in inside:
            found[index] = rows[best][index]
    return [found[index] for index in range(len(traces))]


def _badness(rows: list[dict[str, Any]]) -> float:
    """Regret, and overspend beyond its bar."""
    said = summary(rows)
    return float(said["regret_mean"] + 0.1 * max(0.0, said["overspend"] - OVERSPEND))


def paired(ours: list[float], theirs: list[float]) -> list[float]:
    """The 95 % bootstrap interval of how much larger their mean regret is."""
    gaps, random = np.array(theirs) - np.array(ours), np.random.default_rng(0)
    means = gaps[random.integers(len(gaps), size=(DRAWS, len(gaps)))].mean(axis=1)
    return [float(end) for end in np.quantile(means, [0.025, 0.975])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", help="as it was recorded with")
    parser.add_argument("--size", default="16")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--each", action="store_true", help="a line a trace of our rule")
    asked = parser.parse_args()
    traces = list(read(asked.folder, asked.data, asked.size))
    scale = scales(traces)
    found = {
        name: [figures(trace, rule(trace), scale[trace.problem]) for trace in traces]
        for name, rule in RULES.items()
        if rule is not least_gap or all(len(trace.gaps) for trace in traces)
    }
    if asked.each:
        for trace, row in zip(traces, found["elegan"], strict=True):
            shown = {name: round(v, 3) if isinstance(v, float) else v for name, v in row.items()}
            print(f"{trace.name:32} {shown}")
    found = {"elegan": found["elegan"], "elegan, tuned on the others": leave_one_out(traces, scale), **found}
    regrets = {name: [row["regret"] for row in rows] for name, rows in found.items()}
    result = {
        name: {**summary(rows), "more_regret": paired(regrets["elegan"], regrets[name])} for name, rows in found.items()
    }
    print(json.dumps(result) if asked.json else table(result))


def table(result: dict[str, dict[str, Any]]) -> str:
    lines = [f"{'rule':28} regret  90 %   mean  more than ours     overspend  90 %   false stops  caught  false alarms"]
    for name, row in result.items():
        low, high = row["more_regret"]
        lines.append(
            f"{name:28} {row['regret']:6.3f} {row['regret_90']:6.3f} {row['regret_mean']:6.3f}  [{low:.3f}, {high:.3f}]"
            f"  {row['overspend']:9.0%} {row['overspend_90']:6.0%}  {row['false_stops']:10.0%}"
            f"  {row['caught']}+{row['stopped_before']} of {row['fell_ill']}  {row['false_alarms']}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
