"""What is coarse and what is fine?  Layers of one avatar and those of another, and whose parts the mixture has.

    python benchmarks/style_mixing.py RUN [--pairs 300] [--seed 0]

For each crossover the layers before it are A's and the rest B's; then B's are the channels of the colours, and A's
those of everything else, as by `elegan edit RUN mix --parts`.  Of the parts in which an independent judge sees A and B
differ, the share that the mixture has from A, a column a part: shapes are to be A's and colours B's.  The exit status
is 1 unless some mixture has most shapes (hair, hat, glasses, face) from A and most colours (background, shirt, skin,
hair colour) from B.
"""

import argparse
import json
import sys

import numpy as np
import torch
from avatar_judge import NAMES, judge_for

from elegan.latent import mix
from elegan.verbs.editing.channels import parts_named, taking_channels
from elegan.verbs.editing.space import Points, Space

SHAPES, COLOURS = ("hair", "hat", "glasses", "face"), ("background", "shirt", "skin", "hair colour")
SEED = 161_803


def main() -> int:
    """1 where no mixture parts shapes from colours, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="a finished run of stylegan on avatars")
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    space = Space(asked.run)
    judge = judge_for(space)
    points = space.drawn(2 * asked.pairs, SEED + asked.seed)
    first, second = points.styles.chunk(2)
    parts_a, parts_b = judge.predict(space.images(points)).chunk(2)
    rows = {}
    for crossover in range(1, space.shape[0]):
        mixed = mix(first, second, range(crossover, space.shape[0]))
        parts = judge.predict(space.images(Points(mixed, None)))
        rows[f"0 to {crossover - 1}"] = shares(parts, parts_a, parts_b)
    carrying = parts_named(space, ",".join(COLOURS)).carriers
    own = Points(first, None)
    parts = judge.predict(space.images(taking_channels(space, own, second, carrying)))
    rows[f"{int((~carrying).sum())} channels"] = shares(parts, parts_a, parts_b)
    print(f"{'of A':14}" + "".join(f"{name:>13}" for name in NAMES))
    for what, row in rows.items():
        print(f"{what:14}" + "".join(f"{row[name]:>13.0%}" for name in NAMES))
    print(json.dumps(rows))
    return int(not any(told_apart(row) for row in rows.values()))


def shares(mixed: torch.Tensor, first: torch.Tensor, second: torch.Tensor) -> dict[str, float]:
    """Of the pairs that differ in a part and whose mixture has the part of either, the share that has A's."""
    found = {}
    for index, name in enumerate(NAMES):
        from_first, from_second = (mixed[:, index] == side[:, index] for side in (first, second))
        known = (first[:, index] != second[:, index]) & (from_first | from_second)
        found[name] = float(from_first[known].double().mean())
    return found


def told_apart(row: dict[str, float]) -> bool:
    """Whether most shapes are A's and most colours B's."""
    return float(np.mean([row[name] for name in SHAPES])) > 0.5 > float(np.mean([row[name] for name in COLOURS]))


if __name__ == "__main__":
    sys.exit(main())
