"""Images a second of several ranks that share a batch, against one rank alone.

    python benchmarks/scaling.py [--model dcgan] [--devices 2] [--rounds 7] [--seconds 4]

A model at 32x32, four ways in turns, so that other work on the machine falls on all of them; medians of the rounds:
one rank alone with a batch of 64; as many that know nothing of each other at the same time, which is the most that the
machine gives; all ranks together with 64 each; all ranks sharing 64.  On a processor every rank has one thread, on
CUDA one device.  Efficiency is a share of so many times one rank's speed.  The exit status is 1 when it is below the
bar for 64 each.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributed

from elegan.data import Data, Split
from elegan.game import Ranks
from elegan.models import find
from elegan.training.engine import choose
from elegan.training.loop import Training
from elegan.training.ranks import by_all, by_first, is_launched, joined

BAR, BATCH, SIDE, ITEMS = 0.85, 64, 32, 4096


def main() -> int:
    """1 where the bar is missed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="dcgan")
    parser.add_argument("--devices", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if is_launched():
        return measure(asked.model, asked.rounds, asked.seconds, asked.into)
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "measured.json"
        launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(asked.devices)]
        words = ["--model", asked.model, "--rounds", str(asked.rounds), "--seconds", str(asked.seconds)]
        command = [sys.executable, "-m", *launcher, __file__, *words, "--into", str(into)]
        subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True)
        return report(json.loads(into.read_text()), asked.devices)


def measure(model: str, rounds: int, seconds: float, into: Path) -> int:
    """In each of the processes: all four ways in turns; rank 0 writes what was measured."""
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    alone = training(model, Ranks(), BATCH)
    with joined() as ranks:
        together, sharing = training(model, ranks, BATCH * ranks.size), training(model, ranks, BATCH)
        found: dict[str, Any] = {way: [] for way in ("alone", "apart", "together", "sharing", "sum")}
        for _ in range(rounds):
            found["alone"].append(by_first(lambda: speed(alone, seconds), ranks))
            found["apart"].append(sum(by_all(lambda: speed(alone, seconds), ranks)))
            found["together"].append(speed(together, seconds))
            found["sharing"].append(speed(sharing, seconds))
            found["sum"].append(seconds_of_a_sum(together))
        found["gradients"] = numbers_of(together)
    if ranks.rank == 0:
        into.write_text(json.dumps(found))
    return 0


def training(model: str, ranks: Ranks, batch: int) -> Training:
    items = np.random.default_rng(0).integers(0, 256, (ITEMS, SIDE, SIDE, 3), dtype=np.uint8)
    rows = np.arange(ITEMS)
    data = Data("noise", items, None, (), Split(rows, rows[:1], rows[:1]), licence="none", source="drawn at random")
    kind = find(model)
    torch.manual_seed(0)
    game = kind(kind.Config(batch=batch), data.spec)  # type: ignore[attr-defined]
    return Training(game, data.stream("train", seed=0, ranks=ranks), total=10**12, engine=choose())


def speed(play: Training, seconds: float) -> float:
    """Images a second of the whole batch, by rank 0's clock."""
    play.play_step()
    play.wait()
    start, before = time.perf_counter(), play.images
    for _ in steps_for(seconds, play):
        play.play_step()
    play.wait()
    return (play.images - before) / (time.perf_counter() - start)


def steps_for(seconds: float, play: Training) -> Iterator[int]:
    """Steps until so many seconds have passed for rank 0, which is asked ten times in all or so."""
    start, turns, chunk = time.perf_counter(), 0, 1
    while (passed := by_first(lambda: time.perf_counter() - start, play.ranks)) < seconds:
        chunk = max(chunk, int(turns * seconds / 10 / passed))
        yield from range(turns, turns + chunk)
        turns += chunk
        play.wait()


def numbers_of(play: Training) -> int:
    return sum(parameter.numel() for parameter in play.game.parameters())


def seconds_of_a_sum(play: Training, times: int = 20) -> float:
    """One all-reduce of as many float32 numbers as there are gradients, the ranks in step."""
    flat = torch.zeros(numbers_of(play), device=play.engine.device)
    distributed.all_reduce(flat)
    play.wait()
    start = time.perf_counter()
    for _ in range(times):
        distributed.all_reduce(flat)
    play.wait()
    return (time.perf_counter() - start) / times


def report(found: dict[str, Any], size: int) -> int:
    medians = {way: statistics.median(found[way]) for way in ("alone", "apart", "together", "sharing", "sum")}
    lines = {
        "alone": f"1 rank, batch {BATCH}",
        "apart": f"{size} that don't know each other, batch {BATCH} each",
        "together": f"{size} ranks, batch {BATCH * size}",
        "sharing": f"{size} ranks, batch {BATCH}",
    }
    shares = {way: medians[way] / (size * medians["alone"]) for way in lines}
    for way, line in lines.items():
        share = "" if way == "alone" else f"  {shares[way]:.1%}" + (f" (bar {BAR:.0%})" if way == "together" else "")
        print(f"{line:42} {medians[way]:8,.0f} images/s ({min(found[way]):,.0f} to {max(found[way]):,.0f}){share}")
    step = BATCH * size / medians["together"]
    took, share = 1e3 * medians["sum"], medians["sum"] / step
    print(
        f"A sum of all {found['gradients']:,} gradients takes {took:.2f} ms, {share:.1%} of a step of {1e3 * step:.0f}"
    )
    print(f"ms with batch {BATCH * size}; hiding it behind computing would save that at most.")
    return int(shares["together"] < BAR)


if __name__ == "__main__":
    sys.exit(main())
