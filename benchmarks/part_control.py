"""Does moving one part leave the others alone?  Directions with names, on a run on avatars, beside random directions.

    python benchmarks/part_control.py RUN [--samples 300] [--strength 2] [--layers 0-3] [--keep none] [--seed 0]

Every value's direction of hair, glasses, hat and skin moves samples that don't have the value by so many standard
deviations.  An independent judge says of each part how often it changed: the part itself ("on"), and the mean of the
others ("off").  The exit status is 1 where a part's on is less than three times its off, or no more times than along
random directions of the same length.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from avatar_judge import NAMES, judge_for
from torch import Tensor

from elegan.data.avatars import PARTS
from elegan.latent import Recogniser, steer
from elegan.verbs.editing.named import named_directions, scaled_to
from elegan.verbs.editing.space import Points, Space

ASKED, BAR, SAMPLES_SEED, DRAWS = ("hair", "glasses", "hat", "skin"), 3.0, 271_828, 500


def main() -> int:
    """1 where a bar is missed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="a finished run on avatars")
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--strength", type=float, default=2.0)
    parser.add_argument("--layers", help="move these layers alone")
    parser.add_argument("--keep", help="parts that are projected out; all others when not given, or none")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    space = Space(asked.run)
    lever = Lever.of(space, asked.samples, asked.seed, asked.strength, space.layers(asked.layers))
    known, generator, found = named_directions(space), torch.Generator().manual_seed(asked.seed), {}
    print("the judge's accuracy:", dict(zip(NAMES, np.round(lever.judge.accuracy, 3).tolist(), strict=True)))
    for part in ASKED:
        indices = known.indices(part)
        vectors = torch.stack([known.direction(index, asked.keep) for index in indices])
        values = [PARTS[part].index(known.values[index]) for index in indices]
        changes = lever.changes(vectors, NAMES.index(part), values)
        by_chance = lever.changes(torch.randn(vectors.shape, generator=generator), NAMES.index(part), values)
        found[part] = figures_of(changes, by_chance, NAMES.index(part), asked.seed)
        show(part, found[part])
    print(json.dumps(found))
    return int(any(row["ratio"] < BAR or row["ratio"] <= row["random_ratio"] for row in found.values()))


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
        """Which parts changed, bool [moves, parts]: along each direction, of the samples without its value."""
        rows = []
        for vector, value in zip(scaled_to(self.space, vectors), values, strict=True):
            moved = steer(self.points.styles, vector.to(self.points.styles), self.strength, self.layers)
            after = self.judge.predict(self.space.images(Points(moved, self.points.label)))
            rows.append((after != self.before)[self.before[:, part] != value])
        changed: np.ndarray = torch.cat(rows).numpy()
        return changed


def ratio_of(changes: np.ndarray, part: int) -> tuple[float, float, float]:
    """How often a part changed, how often the others did on the mean, and the ratio."""
    shares = changes.mean(0)
    on, off = float(shares[part]), float(np.delete(shares, part).mean())
    return on, off, on / max(off, 1e-9)


def figures_of(changes: np.ndarray, by_chance: np.ndarray, part: int, seed: int) -> dict[str, float]:
    """Both ways' figures, and a 95 % bootstrap interval of the first's ratio."""
    rng = np.random.default_rng(seed)
    draws = [ratio_of(changes[rng.integers(len(changes), size=len(changes))], part)[2] for _ in range(DRAWS)]
    low, high = np.quantile(draws, [0.025, 0.975])
    names = ("on", "off", "ratio")
    figures = dict(zip(names, ratio_of(changes, part), strict=True))
    figures |= {f"random_{name}": value for name, value in zip(names, ratio_of(by_chance, part), strict=True)}
    return {**figures, "low": float(low), "high": float(high)}


def show(part: str, row: dict[str, float]) -> None:
    """A line a part."""
    mine = (
        f"on {row['on']:6.1%}  off {row['off']:6.1%}  ratio {row['ratio']:5.2f} [{row['low']:.2f}, {row['high']:.2f}]"
    )
    print(f"{part:8} {mine}  random: on {row['random_on']:6.1%}  off {row['random_off']:6.1%}  ", end="")
    print(f"ratio {row['random_ratio']:.2f}")


if __name__ == "__main__":
    sys.exit(main())
