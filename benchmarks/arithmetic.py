"""Does arithmetic on latents do what it says?  A with glasses − A + B, over 200 trials on a run on avatars.

    python benchmarks/arithmetic.py RUN [--trials 200] [--average 400] [--seed 0]

In each trial B is a sample without glasses.  "With" is the average of so many other samples with glasses, and
"without" that of their doubles: for each the sample without glasses that shares the most other parts with it, as the
tool's own recogniser tells them, so that nothing but glasses differs on average.  What differs is added in a few
channels, as by `elegan edit RUN arithmetic --parts glasses`.  An independent judge says whether the sum has glasses,
and how many of B's nine other parts it kept.  Beside it stand concepts of fewer samples, sums of whole latents in
the finer half of the layers, sums of pixels, and samples that have nothing to do with B.  The exit status is 1 where
glasses or kept parts fall below 80 %.
"""

import argparse
import json
import sys
from dataclasses import dataclass

import numpy as np
import torch
from avatar_judge import NAMES, judge_for
from torch import Tensor

from elegan.errors import UserError
from elegan.verbs.editing.channels import Concepts, Parts, count_of, parts_named, summed_in_channels
from elegan.verbs.editing.mixing import summed
from elegan.verbs.editing.recognising import recognisers_of
from elegan.verbs.editing.space import Points, Space

POOL, POOL_SEED, BAR = 4_000, 314_159, 0.8
WHOLE_STRENGTH = 5.0
"""What does best where whole styles are added, in the finer half of the layers."""
GLASSES = NAMES.index("glasses")
OTHERS = [index for index in range(len(NAMES)) if index != GLASSES]


def main() -> int:
    """1 where a bar is missed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="a finished run on avatars")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--average", type=int, default=400, help="samples a concept")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    space = Space(asked.run)
    judge = judge_for(space)
    print("the judge's accuracy:", dict(zip(NAMES, np.round(judge.accuracy, 3).tolist(), strict=True)))
    pool = Pool.of(space, np.random.default_rng(asked.seed))
    if len(pool.without) < asked.trials or min(len(pool.without), len(pool.having)) <= asked.average:
        raise SystemExit(f"Of {POOL} samples {len(pool.having)} have glasses; too many or too few for this benchmark.")
    bases = pool.rng.choice(pool.without, asked.trials, replace=False)
    before = judge.predict(pool.images[bases])
    bare = (before[:, GLASSES] == 0).numpy()
    bases, before = bases[bare], before[torch.from_numpy(bare)]
    images = {f"channels, concepts of {count}": pool.channel_sums(bases, count) for count in (asked.average, 3)}
    images |= {f"latents, concepts of {count}": pool.latent_sums(bases, count) for count in (asked.average, 3)}
    images[f"pixels, concepts of {asked.average}"] = pool.pixel_sums(bases, asked.average)
    images["other samples (base rate)"] = pool.images[pool.rng.choice(POOL, len(bases))]
    figures = {name: figures_of(judge.predict(made), before) for name, made in images.items()}
    show(figures, len(bases))
    first = next(iter(figures.values()))
    return int(min(first["glasses"], first["kept"]) < BAR)


@dataclass
class Pool:
    """Samples, and which of them have glasses."""

    space: Space
    points: Points
    images: Tensor
    told: np.ndarray
    """What the recogniser says of each part, int64 [POOL, parts]."""
    having: np.ndarray
    without: np.ndarray
    glasses: Parts
    rng: np.random.Generator

    @classmethod
    def of(cls, space: Space, rng: np.random.Generator) -> "Pool":
        recogniser = recognisers_of(space)[0][0]
        points = space.drawn(POOL, POOL_SEED)
        images = space.images(points)
        told = recogniser.predict(images.to(space.device)).cpu().numpy()
        glasses = told[:, GLASSES]
        having, without = np.flatnonzero(glasses > 0), np.flatnonzero(glasses == 0)
        return cls(space, points, images, told, having, without, parts_named(space, "glasses"), rng)

    def channel_sums(self, bases: np.ndarray, count: int) -> Tensor:
        """The images of A with glasses − A + B in channels that have to do with glasses."""
        return torch.cat([self.space.images(self._in_channels(base, *self._picked(base, count))) for base in bases])

    def _in_channels(self, base: int, having: np.ndarray, without: np.ndarray) -> Points:
        concepts = Concepts([self.points.styles[having]], [self.points.styles[without]])
        count = count_of(self.space, None)
        try:
            return summed_in_channels(self.space, self._at(base), concepts, None, count, self.glasses)[0]
        except UserError:  # few samples may show no glasses that their doubles don't; B is left as it is
            return self._at(base)

    def latent_sums(self, bases: np.ndarray, count: int) -> Tensor:
        """The same in whole styles, of the layers and with the strength that do best there."""
        layers = self.points.styles.shape[1]
        sums, finer = [], range(layers // 2, layers)
        for base in bases:
            having, without = ([self.points.styles[rows]] for rows in self._picked(base, count))
            sums.append(summed(self.space, self._at(base), having, without, WHOLE_STRENGTH, finer).styles)
        return self.space.images(Points(torch.cat(sums), None))

    def _at(self, base: int) -> Points:
        return Points(self.points.styles[base : base + 1], None)

    def pixel_sums(self, bases: np.ndarray, count: int) -> Tensor:
        """The same sum of images, clipped to what an image may hold."""
        sums = []
        for base in bases:
            having, without = (self.images[rows].mean(0) for rows in self._picked(base, count))
            sums.append((self.images[base] + WHOLE_STRENGTH * (having - without)).clamp(-1, 1))
        return torch.stack(sums)

    def _picked(self, but: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Samples with glasses, and their doubles without, none of which is B; of equal doubles a random one."""
        without = self.rng.permutation(np.setdiff1d(self.without, [but]))
        having = self.rng.choice(self.having, count, replace=False)
        parts = self.told[:, OTHERS]
        shared = (parts[having, None] == parts[None, without]).sum(2)
        return having, without[shared.argmax(1)]


def figures_of(after: Tensor, before: Tensor) -> dict[str, float]:
    """Shares of the trials with glasses, of B's other parts that were kept, and of trials with glasses that kept at
    least eight of the nine."""
    glasses, kept = after[:, GLASSES] > 0, (after == before)[:, OTHERS].double()
    both = glasses & (kept.sum(1) >= len(OTHERS) - 1)
    by_part = {f"kept {NAMES[part]}": float(share) for part, share in zip(OTHERS, kept.mean(0), strict=True)}
    means = {"glasses": glasses, "kept": kept, "both": both}
    return {**{name: float(values.double().mean()) for name, values in means.items()}, **by_part}


def show(figures: dict[str, dict[str, float]], trials: int) -> None:
    """A row a way, each share with 1.96 standard errors over trials."""
    print(f"{trials} trials{'':20}{'glasses':>16}{'parts kept':>16}{'glasses and 8 of 9':>22}")
    for name, row in figures.items():
        shares = [row[key] for key in ("glasses", "kept", "both")]
        cells = [f"{share:.1%} ± {1.96 * (share * (1 - share) / trials) ** 0.5:.1%}" for share in shares]
        print(f"{name:32}{cells[0]:>16}{cells[1]:>16}{cells[2]:>22}")
    print(json.dumps({"trials": trials, **figures}))


if __name__ == "__main__":
    sys.exit(main())
