"""An independent judge of avatars' parts, for the benchmarks of the latent tools.

It is taught by avatars that are drawn anew, not by the run's data, from a seed of its own, and is wider than the
recogniser that names directions.
"""

import numpy as np
import torch

from elegan.data.avatars import PARTS, draw_all, random_parts
from elegan.data.pixels import to_tensor
from elegan.latent import Recogniser, train_recogniser
from elegan.verbs.editing.space import Space

DRAWN, HELD, SEED, WIDTH = 8_000, 1_000, 19_937, 40
NAMES = tuple(PARTS)


def judge_for(space: Space) -> Recogniser:
    """A judge of the images of this run; ``accuracy`` is on other avatars.  Raises SystemExit for other data."""
    if space.run.record["data"]["name"] != "avatars":
        raise SystemExit(f"{space.run.path} was trained on {space.run.record['data']['name']}; give a run on avatars.")
    channels, height, width = space.game.spec.image
    if channels != 3 or height != width:
        raise SystemExit(f"{space.run.path} makes images {height}x{width}x{channels}, not square ones in colour.")
    parts = random_parts(np.random.default_rng(SEED), DRAWN + HELD)
    images, table = to_tensor(draw_all(parts, height)), torch.from_numpy(parts)
    values = [len(names) for names in PARTS.values()]
    held = images[DRAWN:], table[DRAWN:]
    return train_recogniser(images[:DRAWN], table[:DRAWN], values, held, seed=SEED, width=WIDTH)
