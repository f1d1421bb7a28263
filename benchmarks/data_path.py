"""How fast images are drawn from memory, from decoded images on a disk, from shards, and how long dcgan waits for them.

    python benchmarks/data_path.py [--seconds 5] [--images 2000]

The source are shards of JPEG files of 128x128 pixels, made here.  The exit status is 1 when a training step of dcgan
at 32x32 waits for data longer than the bar allows.
"""

import argparse
import io
import os
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from PIL import Image

from elegan.data import open_data
from elegan.training.loop import Training
from elegan.verbs.plan import make_plan

BAR = 0.05
"""The share of a training step that may be spent waiting for data."""
BATCH, SIDE, IN_A_SHARD = 64, 128, 500
SIZES = (32, 64)
LITTLE = {32: 5_000_000, 64: 10_000_000}
"""Bytes of memory of which a batch of this size fits into a quarter, and 2,000 images don't."""


def write_shards(folder: Path, count: int) -> None:
    """Smooth random pictures as JPEG files with labels."""
    generator = np.random.default_rng(0)
    for first in range(0, count, IN_A_SHARD):
        with tarfile.open(folder / f"train-{first // IN_A_SHARD:06d}.tar", "w") as archive:
            for index in range(first, min(count, first + IN_A_SHARD)):
                coarse = Image.fromarray(generator.integers(0, 256, (16, 16, 3), dtype=np.uint8))
                content = io.BytesIO()
                coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(content, "JPEG", quality=90)
                for ending, value in (("jpg", content.getvalue()), ("cls", str(index % 10).encode())):
                    member = tarfile.TarInfo(f"{index:06d}.{ending}")
                    member.size = len(value)
                    archive.addfile(member, io.BytesIO(value))


def with_room_for(tier: str, size: int, action: Callable[[], Any]) -> Any:
    """Do something on a machine that seems to have room for one tier alone."""
    memory = 10**13 if tier == "memory" else LITTLE[size]
    with (
        patch("elegan.data.sizes.memory_bytes", lambda: memory),
        patch("elegan.data.cache_folder.SHARE_OF_DISK", 0.9 if tier == "disk" else 0.0),
    ):
        return action()


class Timed:
    """A stream that counts the seconds its caller waits."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.seconds = stream, 0.0

    def draw(self, n: int) -> Mapping[str, Any]:
        start = time.perf_counter()
        batch: Mapping[str, Any] = self.stream.draw(n)
        self.seconds += time.perf_counter() - start
        return batch


def drawn_per_second(stream: Any, seconds: float) -> float:
    """Images a second when nothing else is done, after a first batch."""
    stream.draw(BATCH)
    start, drawn = time.perf_counter(), 0
    while (taken := time.perf_counter() - start) < seconds:
        stream.draw(BATCH)
        drawn += BATCH
    return drawn / taken


def waiting(training: Training, seconds: float) -> tuple[float, float]:
    """The share of training spent in draw, and images trained on a second, after three steps."""
    for _ in range(3):
        training.play_step()
    timed: Any = Timed(training.stream)
    training.stream = timed
    start, before = time.perf_counter(), training.images
    while (taken := time.perf_counter() - start) < seconds:
        training.play_step()
    return timed.seconds / taken, (training.images - before) / taken


def main() -> int:
    """1 where the bar is missed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--images", type=int, default=2_000)
    options = parser.parse_args()
    met = True
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["ELEGAN_CACHE"] = str(Path(scratch) / "cache")
        shards = Path(scratch) / "shards"
        shards.mkdir()
        write_shards(shards, options.images)
        for size in SIZES:
            for tier in ("memory", "files", "disk"):
                start = time.perf_counter()
                data = with_room_for(tier, size, lambda size=size: open_data(str(shards), size=size))
                opened = time.perf_counter() - start
                assert data.tier == tier, f"{options.images} images of {size}x{size} came to {data.tier}"
                speed = drawn_per_second(data.stream(seed=0), options.seconds)
                print(
                    f"{size}x{size} {tier:7} opened in {opened:5.1f} s  {speed:9,.0f} images a second drawn", flush=True
                )
        for tier in ("memory", "files", "disk"):
            plan = with_room_for(tier, 32, lambda: make_plan("dcgan", data=shards, size=32, images=10**9))
            with plan.engine.on_its_threads():
                share, speed = waiting(plan.new_training(10**9), 2 * options.seconds)
            met &= share <= BAR
            print(
                f"dcgan 32x32 from {tier:7} waits {share:.2%} of its time (bar {BAR:.0%}), {speed:,.0f} images a second"
            )
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
