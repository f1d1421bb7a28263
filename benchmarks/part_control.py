"""Does moving one part leave the others alone?  Directions with names, on a run on avatars, beside random directions.

    python benchmarks/part_control.py RUN [--samples 300] [--strength 2] [--layers 0-3] [--keep none] [--seed 0]
    python benchmarks/part_control.py RUN --way change [--samples 100]

Every value's direction of hair, glasses, hat and skin moves samples that don't have the value by so many standard
deviations; or `elegan edit RUN change` does.  An independent judge says of each part how often it changed: the part
itself ("on", and to what was asked for), and the mean of the others ("off").  The exit status is 1 where a part's on is
less than three times its off, or no more times than along random directions of the same length.  Random ways beside a
change are as long as its own, sample by sample.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from avatar_judge import NAMES, judge_for
from torch import Tensor

from elegan.data.avatars import PARTS
from elegan.latent import Recogniser, steer
from elegan.verbs.editing.changing import changed
from elegan.verbs.editing.named import named_directions, scaled_to
from elegan.verbs.editing.recognising import recognisers_of
from elegan.verbs.editing.space import Points, Space

ASKED, BAR, SAMPLES_SEED, DRAWS = ("hair", "glasses", "hat", "skin"), 3.0, 271_828, 500


def main() -> int:
    """1 where a bar is missed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="a finished run on avatars")
    parser.add_argument("--way", choices=["direction", "change"], default="direction")
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--strength", type=float, default=2.0)
    parser.add_argument("--layers", help="move these layers alone")
    parser.add_argument("--keep", help="parts that are projected out; all others when not given, or none")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    space = Space(asked.run)
    lever = Lever.of(space, asked.samples, asked.seed, asked.strength, space.layers(asked.layers))
    print("the judge's accuracy:", dict(zip(NAMES, np.round(lever.judge.accuracy, 3).tolist(), strict=True)))
    moves, found = (lever.led if asked.way == "change" else partial(by_directions, lever, asked.keep)), {}
    for part in ASKED:
        found[part] = figures_of(*moves(part, asked.seed), NAMES.index(part), asked.seed)
        show(part, found[part])
    print(json.dumps(found))
    return int(any(row["ratio"] < BAR or row["ratio"] <= row["random_ratio"] for row in found.values()))


def by_directions(lever: "Lever", keep: str | None, part: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """What changes along the directions of a part's values, and along random ones."""
    known, generator = named_directions(lever.space), torch.Generator().manual_seed(seed)
    indices = known.indices(part)
    vectors = torch.stack([known.direction(index, keep) for index in indices])
    values = [PARTS[part].index(known.values[index]) for index in indices]
    by_chance = torch.randn(vectors.shape, generator=generator)
    return tuple(lever.changes(each, NAMES.index(part), values) for each in (vectors, by_chance))  # type: ignore[return-value]


@dataclass
class Lever:
    """Samples, what the judge says of them, and how far and in which layers they are moved."""

    space: Space
    judge: Recogniser
    points: Points
    before: Tensor
    strength: float
    layers: Sequence[int]

    @classmethod
    def of(cls, space: Space, samples: int, seed: int, strength: float, layers: Sequence[int]) -> "Lever":
        judge, points = judge_for(space), space.drawn(samples, SAMPLES_SEED + seed)
        return cls(space, judge, points, judge.predict(space.images(points)), strength, layers)

    def changes(self, vectors: Tensor, part: int, values: Sequence[int]) -> np.ndarray:
        """What changed (:func:`told`) along each direction, of the samples without its value."""
        rows = []
        for vector, value in zip(scaled_to(self.space, vectors), values, strict=True):
            moved = steer(self.points.styles, vector.to(self.points.styles), self.strength, self.layers)
            after = self.judge.predict(self.space.images(Points(moved, self.points.label)))
            others = self.before[:, part] != value
            rows.append(told(after[others], self.before[others], part, value))
        changed: np.ndarray = torch.cat(rows).numpy()
        return changed

    def led(self, part: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """What changed when each other value of a part was asked for, and by random ways as long."""
        recognisers, names, values = recognisers_of(self.space)
        generator, rows, by_chance = torch.Generator().manual_seed(seed), [], []
        for value in range(len(values[names.index(part)])):
            others = self.before[:, NAMES.index(part)] != value
            start = Points(self.points.styles[others], None)
            after = changed(self.space, start, recognisers, {names.index(part): value}).styles
            ways = torch.randn(after[:, :1].shape, generator=generator).to(after).expand_as(after)
            length = ((after - start.styles).norm(dim=(1, 2)) / ways.norm(dim=(1, 2)))[:, None, None]
            for styles, kept in ((after, rows), (start.styles + length * ways, by_chance)):
                after_it = self.judge.predict(self.space.images(Points(styles, None)))
                kept.append(told(after_it, self.before[others], NAMES.index(part), value))
        return torch.cat(rows).numpy(), torch.cat(by_chance).numpy()


def told(after: Tensor, before: Tensor, part: int, value: int) -> Tensor:
    """Which parts changed, and whether the part now has the value: bool [moves, parts + 1]."""
    return torch.cat([after != before, (after[:, part] == value)[:, None]], 1)


def ratio_of(changes: np.ndarray, part: int) -> tuple[float, float, float]:
    """How often a part changed, how often the others did on the mean, and the ratio."""
    shares = changes.mean(0)
    on, off = float(shares[part]), float(np.delete(shares, part).mean())
    return on, off, on / max(off, 1e-9)


def figures_of(changes: np.ndarray, by_chance: np.ndarray, part: int, seed: int) -> dict[str, float]:
    """Both ways' figures, and a 95 % bootstrap interval of the first's ratio."""
    reached, changes, by_chance = float(changes[:, -1].mean()), changes[:, :-1], by_chance[:, :-1]
    rng = np.random.default_rng(seed)
    draws = [ratio_of(changes[rng.integers(len(changes), size=len(changes))], part)[2] for _ in range(DRAWS)]
    low, high = np.quantile(draws, [0.025, 0.975])
    names = ("on", "off", "ratio")
    figures = dict(zip(names, ratio_of(changes, part), strict=True))
    figures |= {f"random_{name}": value for name, value in zip(names, ratio_of(by_chance, part), strict=True)}
    return {**figures, "low": float(low), "high": float(high), "reached": reached}


def show(part: str, row: dict[str, float]) -> None:
    """A line a part."""
    shares = f"on {row['on']:6.1%}  as asked {row['reached']:6.1%}  off {row['off']:6.1%}"
    mine = f"{shares}  ratio {row['ratio']:5.2f} [{row['low']:.2f}, {row['high']:.2f}]"
    print(f"{part:8} {mine}  random: on {row['random_on']:6.1%}  off {row['random_off']:6.1%}  ", end="")
    print(f"ratio {row['random_ratio']:.2f}")


if __name__ == "__main__":
    sys.exit(main())
