"""kill -9 at random moments; the same command goes on, and the weights are those of a run left alone.

    python benchmarks/kill_and_resume.py [--kills 20]

The exit status is 1 when a run ends with other weights.
"""

import argparse
import itertools
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = [
    "train", "cgan", "--data", "digits", "--size", "8", "--images", "6k", "--width", "32", "--no-referee",
    "--threads", "1",
]  # fmt: skip
"""One thread: on a busy machine two runs may choose different numbers of them, and differ in their last bits."""


def elegan(out: Path) -> list[str]:
    return [sys.executable, "-m", "elegan", *COMMAND, "--out", str(out)]


def main() -> int:
    """1 where a bar is missed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    asked = parser.parse_args()
    folder, dice = Path(tempfile.mkdtemp()), random.Random(0)
    start = time.perf_counter()
    subprocess.run(elegan(folder / "alone"), check=True, capture_output=True)
    whole = time.perf_counter() - start
    truth = (folder / "alone" / "generator.safetensors").read_bytes()
    same = kills = 0
    for run in itertools.count():
        survived = kill_until_done(folder / f"killed-{run}", dice, whole, asked.kills - kills)
        equal = (folder / f"killed-{run}" / "generator.safetensors").read_bytes() == truth
        same, kills = same + equal * survived, kills + survived
        print(f"{survived} kills in one run, {'bit-identical' if equal else 'DIFFERENT'}", flush=True)
        if kills >= asked.kills:
            break
    print(f"{same} of {kills} kills resumed bit-identical")
    return int(same < kills)


def kill_until_done(out: Path, dice: random.Random, whole: float, most: int) -> int:
    """Start the command, kill it after a random share of the ``whole`` time, at most so often; how often it was."""
    kills = 0
    while not (out / "README.md").exists():
        process = subprocess.Popen(elegan(out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            _, errors = process.communicate(timeout=dice.uniform(0.1, 0.8) * whole if kills < most else None)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
            continue
        if process.returncode:
            sys.exit(f"the resumed run failed: {errors}")
    return kills


if __name__ == "__main__":
    sys.exit(main())
