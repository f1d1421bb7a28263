"""Modes, quality and divergence of r3gan on the ring and the grid.

    python benchmarks/mixtures.py [--data ring grid] [--seeds 5] [--images 2000000]

2,500 samples of each run; a mode counts when it holds at least a quarter of its fair share within 3 sigma.
The exit status is 1 when a seed misses a bar.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import elegan
from elegan.evaluation.modes import mixture_modes

BARS = {"ring": (8, 0.87, 0.03), "grid": (25, 0.80, 0.03)}
SAMPLES = 2_500


def main() -> int:
    """1 where a bar is missed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=list(BARS), choices=list(BARS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images", type=int, default=2_000_000)
    asked = parser.parse_args()
    missed = 0
    for name in asked.data:
        met = [one(name, seed, asked.images) for seed in range(asked.seeds)]
        missed += len(met) - sum(met)
        print(f"{name}: {sum(met)} of {len(met)} seeds meet the bars {BARS[name]}", flush=True)
    return int(missed > 0)


def one(name: str, seed: int, images: int) -> bool:
    """Train once and print the figures; whether they meet the bars."""
    out = Path(tempfile.mkdtemp()) / name
    run = elegan.train("r3gan", data=name, out=str(out), images=images, seed=seed, quiet=True, referee=False)
    data = run.open_data()
    count = mixture_modes(run.sample(SAMPLES, seed=999).numpy(), data.modes.centres, data.modes.sigma)
    log = json.loads((out / "log.jsonl").read_text().splitlines()[-1])
    modes, quality, divergence = BARS[name]
    met = count.found >= modes and count.high_quality >= quality and count.divergence <= divergence
    print(
        f"{name} seed {seed}: modes {count.found}, within 3 sigma {count.high_quality:.3f}, KL {count.divergence:.4f}, "
        f"{log['images']:,} points, {log['seconds']:.0f} s: {'met' if met else 'MISSED'}",
        flush=True,
    )
    return met


if __name__ == "__main__":
    sys.exit(main())
