"""Gate 3: r3gan finds every mode of the ring and the grid.

    python benchmarks/mixtures.py [--data ring grid] [--seeds 5] [--minutes 2.5]

2,500 samples of each run; a mode counts when it holds at least a quarter of its fair share within 3 sigma.
"""

import argparse
import json
import tempfile
from pathlib import Path

import elegan
from elegan.evaluation.modes import mixture_modes

BARS = {"ring": (8, 0.87, 0.03), "grid": (25, 0.80, 0.03)}
SAMPLES = 2_500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=list(BARS), choices=list(BARS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=2.5)
    asked = parser.parse_args()
    for name in asked.data:
        met = [one(name, seed, asked.minutes) for seed in range(asked.seeds)]
        print(f"{name}: {sum(met)} of {len(met)} seeds meet the bars {BARS[name]}", flush=True)


def one(name: str, seed: int, minutes: float) -> bool:
    """Train once and print the figures; whether they meet the bars."""
    out = Path(tempfile.mkdtemp()) / name
    run = elegan.train("r3gan", data=name, out=str(out), minutes=minutes, seed=seed, quiet=True, referee=False)
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
    main()
